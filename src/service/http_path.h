// SPDX-License-Identifier: BSD-3-Clause
// From a request's target to the path that is looked up. Pure function.
#pragma once

#include <stddef.h>

// Writes the normal form of target's path (RFC 3986 6.2.2) to out, which has room for len + 1
// bytes: decoded, without "." and "..", without doubled slashes, beginning with '/', ending with
// '/' when it names a directory. Origin-form and absolute-form (RFC 9112 3.2); query and fragment
// are left out.
// @return its length, or 0 for a bad request: malformed escape, NUL or control byte, above the root
size_t http_path_resolve(const char *target, size_t len, char *out);
