// SPDX-License-Identifier: BSD-3-Clause
// Addresses as text. Called for configuration, messages and tools, never for a packet. Pure; any
// thread. Deliberately not here: ports, prefixes, names.
// RFC 4291 2.2 (what is read), RFC 5952 4 (what is written).
#include "base/addr.h"

#include <arpa/inet.h>
#include <string.h>

bool addr_parse(const char *text, struct addr *out)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = addr_from_v4((be32){v4.s_addr});
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	memcpy(out->byte, &v6, sizeof(out->byte));
	return true;
}

static char *put_number(char *at, unsigned number, unsigned base)
{
	char digits[8];
	int count = 0;

	do
		digits[count++] = "0123456789abcdef"[number % base];
	while (number /= base);
	while (count > 0)
		*at++ = digits[--count];
	return at;
}

static void format_v4(const uint8_t *byte, char *at)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = put_number(at, byte[i], 10);
	}
	*at = '\0';
}

static unsigned group(const struct addr *a, int i)
{
	return (unsigned)a->byte[2 * i] << 8 | a->byte[2 * i + 1];
}

// RFC 5952 4.2.2, 4.2.3: the longest run of at least two zero groups, the first of equals.
// Returns its length, 0 for none.
static int longest_zero_run(const struct addr *a, int *start)
{
	int best = 1, run = 0;

	*start = -1;
	for (int i = 0; i < 8; i++) {
		run = group(a, i) == 0 ? run + 1 : 0;
		if (run > best) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return *start < 0 ? 0 : best;
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT_BYTES])
{
	char *at = out;
	int skip_start;
	int skip_len = longest_zero_run(a, &skip_start);

	if (addr_is_v4(a)) {
		format_v4(a->byte + 12, out);
		return out;
	}
	for (int i = 0; i < 8; i++) {
		if (i == skip_start) {
			*at++ = ':';
			*at++ = ':';
			i += skip_len - 1;
			continue;
		}
		if (i > 0 && i != skip_start + skip_len)
			*at++ = ':';
		at = put_number(at, group(a, i), 16);
	}
	*at = '\0';
	return out;
}
