// SPDX-License-Identifier: BSD-3-Clause
// Dates of HTTP (RFC 9110 5.6.7). Pure functions.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_DATE_BYTES 29 // "Sun, 06 Nov 1994 08:49:37 GMT"

// Exactly HTTP_DATE_BYTES, no terminator. Years 1970 to 9999.
void http_date_write(char out[HTTP_DATE_BYTES], uint64_t unix_s);

// All three forms a recipient must accept. False when it is none of them.
bool http_date_read(const char *text, size_t len, uint64_t *unix_s);
