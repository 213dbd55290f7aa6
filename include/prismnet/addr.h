// SPDX-License-Identifier: BSD-3-Clause
/// Addresses as text.
#pragma once

#include <prismnet/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRISM_ADDR_TEXT_BYTES 64

/// "198.18.0.2" or an IPv6 address.
/// @return 0; -EINVAL, and *addr is untouched
/// Thread: any.   Blocks: never.
PRISM_API int prism_addr_parse(const char *text, struct prism_addr *addr);

/// The reverse.
/// @return text
/// Thread: any.   Blocks: never.
PRISM_API const char *prism_addr_format(const struct prism_addr *addr,
					char text[PRISM_ADDR_TEXT_BYTES]);

/// "198.18.0.2:80".
/// @return 0; -EINVAL
/// Thread: any.   Blocks: never.
PRISM_API int prism_endpoint_parse(const char *text, struct prism_endpoint *endpoint);

#ifdef __cplusplus
}
#endif
