// SPDX-License-Identifier: BSD-3-Clause
// The reader of TCP options, alone and fast: any bytes that can stand behind a header, in memory
// that ends where they end. What it says it read must stand there.
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tcp/options.h"

#define OPTIONS_BYTES_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Somewhere in the list there is an option of this kind and length whose first bytes are these.
static bool stands_there(const uint8_t *bytes, uint32_t len, const uint8_t *option,
			 uint32_t option_len)
{
	for (uint32_t at = 0; at + option_len <= len; at++)
		if (memcmp(bytes + at, option, option_len) == 0)
			return true;
	return false;
}

static void check(bool fact)
{
	if (!fact)
		abort();
}

static void check_values(const uint8_t *bytes, uint32_t len, bool syn, const struct tcp_options *o)
{
	uint8_t mss[4] = {TCP_OPTION_MSS, 4, (uint8_t)(o->mss >> 8), (uint8_t)o->mss};
	uint8_t ts[10] = {TCP_OPTION_TIMESTAMPS, 10};

	for (int i = 0; i < 4; i++) {
		ts[2 + i] = (uint8_t)(o->ts_value >> (24 - 8 * i));
		ts[6 + i] = (uint8_t)(o->ts_echo >> (24 - 8 * i));
	}
	if (o->has_mss)
		check(syn && stands_there(bytes, len, mss, sizeof(mss)));
	if (o->has_ts)
		check(stands_there(bytes, len, ts, sizeof(ts)));
	if (o->has_scale)
		check(syn && o->scale <= TCP_SCALE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t len = (uint32_t)MIN(size, (size_t)OPTIONS_BYTES_MAX);
	uint8_t *bytes = malloc(MAX(len, 1u));
	struct tcp_options o;

	memcpy(bytes, data, len);
	for (int syn = 0; syn < 2; syn++)
		if (options_read(bytes, len, syn, &o))
			check_values(bytes, len, syn, &o);
	free(bytes);
	return 0;
}
