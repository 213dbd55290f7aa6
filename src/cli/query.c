// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes queries of the control socket. Called by run_show.c and run_capture.c, which
// answer, and by capture.c, which asks. Nothing here knows what a name means; one that nobody asks
// for is passed over.
#include "cli/query.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// False when it is not as forms send it, or too long.
static bool decode(const char *from, size_t len, char to[QUERY_VALUE_BYTES])
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		int high = from[i] == '%' && i + 1 < len ? hex(from[i + 1]) : -1;
		int low = high >= 0 && i + 2 < len ? hex(from[i + 2]) : -1;

		if (out + 1 == QUERY_VALUE_BYTES || (from[i] == '%' && low < 0) ||
		    (from[i] == '%' && high == 0 && low == 0))
			return false;
		to[out++] =
			from[i] == '%' ? (char)(high << 4 | low) : (from[i] == '+' ? ' ' : from[i]);
		i += from[i] == '%' ? 2 : 0;
	}
	to[out] = '\0';
	return true;
}

bool query_value(const char *query, const char *name, char value[QUERY_VALUE_BYTES])
{
	size_t name_len = strlen(name);

	value[0] = '\0';
	for (const char *at = query; *at;) {
		size_t len = strcspn(at, "&");

		if (len > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
			if (decode(at + name_len + 1, len - name_len - 1, value))
				return true;
			err_set(ERR_INVALID_ARGUMENT, "%s is not as forms send it, or too long",
				name);
			return false;
		}
		at += len + (at[len] == '&');
	}
	return true;
}

bool query_add(char *query, size_t size, const char *name, const char *value)
{
	size_t at = strlen(query);

	at += (size_t)snprintf(query + at, size - at, "%s%s=", at ? "&" : "", name);
	for (; *value && at + 3 < size; value++)
		at += (size_t)snprintf(query + at, size - at, "%%%02X", (unsigned char)*value);
	return !*value && at < size;
}
