// SPDX-License-Identifier: BSD-3-Clause
// Queries of the control socket, as forms send them: filter=tcp%20port%2080&snap=96 (URL Standard,
// application/x-www-form-urlencoded).
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define QUERY_VALUE_BYTES 4096

// The value of a name; "" when it is not there. False with err_set when it cannot be read.
bool query_value(const char *query, const char *name, char value[QUERY_VALUE_BYTES]);

// Puts one more behind what there is. False when there is no room for it.
bool query_add(char *query, size_t size, const char *name, const char *value);
