// SPDX-License-Identifier: BSD-3-Clause
// Reads the wire's command line: KEY=VALUE pairs named like the members of struct way_config.
// Called by wire.c.
#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/time.h"

#define PPM_MAX 1000000
#define RATE_BITS_S_MAX UINT64_C(1000000000000)
#define FRAMES_MAX (1u << 24)

static const char usage[] =
	"usage: wire IFACE IFACE [--ab KEYS] [--ba KEYS] [--both KEYS] [--seed N] [--seconds S]\n"
	"            [--core N] [--realtime]\n"
	"Joins two interfaces by an impaired wire, --ab from the first to the second. KEYS are\n"
	"rate_bits_s queue_bytes mark_bytes delay_ns mtu_bytes loss_ppm bad_enter_ppm\n"
	"bad_leave_ppm bad_loss_ppm reorder_ppm reorder_ns duplicate_ppm corrupt_ppm\n"
	"frames_max, as in\n"
	"rate_bits_s=1000000,loss_ppm=500. Says \"ready\", and what it did as JSON when it ends.\n";

#define KEY(name, max) \
	{ \
#name, offsetof(struct way_config, name), max \
	}

static const struct {
	const char *name;
	size_t offset;
	uint64_t max;
} keys[] = {
	KEY(rate_bits_s, RATE_BITS_S_MAX),
	KEY(queue_bytes, UINT32_MAX),
	KEY(mark_bytes, UINT32_MAX),
	KEY(delay_ns, 60 * NS_PER_S),
	KEY(mtu_bytes, 9216),
	KEY(loss_ppm, PPM_MAX),
	KEY(bad_enter_ppm, PPM_MAX),
	KEY(bad_leave_ppm, PPM_MAX),
	KEY(bad_loss_ppm, PPM_MAX),
	KEY(reorder_ppm, PPM_MAX),
	KEY(reorder_ns, 60 * NS_PER_S),
	KEY(duplicate_ppm, PPM_MAX),
	KEY(corrupt_ppm, PPM_MAX),
	KEY(frames_max, FRAMES_MAX),
};

static bool number(const char *text, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && *value <= max;
}

static bool set_key(struct way_config *config, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return number(value, keys[i].max,
				      (uint64_t *)(void *)((char *)config + keys[i].offset));
	return false;
}

// KEY=VALUE,KEY=VALUE for each way of which is set.
static bool set_keys(struct wire_options *o, const bool which[2], char *text)
{
	char *pair;

	while ((pair = strsep(&text, ","))) {
		char *value = pair, *name = strsep(&value, "=");

		for (int i = 0; i < 2; i++)
			if (which[i] && (!value || !set_key(&o->way[i], name, value))) {
				fprintf(stderr, "wire: %s=%s is no key, or out of range\n", name,
					value ? value : "");
				return false;
			}
	}
	return true;
}

static bool set_option(struct wire_options *o, const char *name, char *value)
{
	bool ab = strcmp(name, "--ab") == 0, ba = strcmp(name, "--ba") == 0,
	     both = strcmp(name, "--both") == 0;
	uint64_t n;

	if (ab || ba || both)
		return set_keys(o, (bool[2]){ab || both, ba || both}, value);
	if (!number(value, UINT32_MAX, &n))
		return false;
	if (strcmp(name, "--seed") == 0)
		for (int i = 0; i < 2; i++)
			o->way[i].seed = 2 * n + (uint64_t)i; // each direction by itself
	else if (strcmp(name, "--seconds") == 0)
		o->run_ns = n * NS_PER_S;
	else if (strcmp(name, "--core") == 0)
		o->core = (int)n;
	else
		return false;
	return true;
}

bool options_read(struct wire_options *o, int argc, char **argv)
{
	int names = 0;

	*o = (struct wire_options){.core = -1};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--realtime") == 0) {
			o->realtime = true;
		} else if (argv[i][0] != '-' && names < 2) {
			o->interface[names++] = argv[i];
		} else if (i + 1 == argc || !set_option(o, argv[i], argv[i + 1])) {
			fputs(usage, stderr);
			return false;
		} else {
			i++;
		}
	}
	if (names < 2)
		fputs(usage, stderr);
	return names == 2;
}
