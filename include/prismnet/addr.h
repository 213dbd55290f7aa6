// SPDX-License-Identifier: BSD-3-Clause
/// Addresses as text.
#pragma once

#include <prismnet/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRISM_ADDR_TEXT_BYTES 64

/// "198.18.0.2" or an IPv6 address. 0, or -EINVAL and *addr is untouched.
PRISM_API int prism_addr_parse(const char *text, struct prism_addr *addr);
PRISM_API const char *prism_addr_format(const struct prism_addr *addr,
					char text[PRISM_ADDR_TEXT_BYTES]);

/// "198.18.0.2:80". 0 or -EINVAL.
PRISM_API int prism_endpoint_parse(const char *text, struct prism_endpoint *endpoint);

#ifdef __cplusplus
}
#endif
