// SPDX-License-Identifier: BSD-3-Clause
// `pair:NAME`: a pair by device string, for two stacks in one process. The first opener of a name
// makes the wire and gets end 0; the second gets end 1. Called by both platforms' port_open, on the
// control path; the wire itself is pair.c.
//
// A device string has no clock, so the keys are the faults that need no time. The one list of names
// here is the meeting place of openers, written only while ports open.
#include "port/pair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

#define NAME_BYTES 32
#define NAMES_MAX PORTS_MAX

// A name whose second end is still to be opened.
struct meeting {
	char name[NAME_BYTES];
	struct pair *pair; // NULL: unused
};

static struct meeting meetings[NAMES_MAX];

struct request {
	char name[NAME_BYTES];
	struct pair_faults faults;
	uint64_t seed;
	uint32_t frames_max;
};

static int read_key(const char *device, const char *key, const char *value, struct request *r)
{
	struct {
		const char *name;
		uint32_t *field;
	} keys[] = {
		{"loss_ppm", &r->faults.loss_ppm},
		{"duplicate_ppm", &r->faults.duplicate_ppm},
		{"corrupt_ppm", &r->faults.corrupt_ppm},
		{"refuse_ppm", &r->faults.refuse_ppm},
		{"frames_max", &r->frames_max},
	};
	char *end;
	unsigned long long number = strtoull(value, &end, 10);

	if (*value == '\0' || *end != '\0')
		return err_set(ERR_PAIR_OPTION, "%s: '%s' of %s is not a number", device, value,
			       key);
	if (strcmp(key, "seed") == 0) {
		r->seed = number;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		if (strcmp(key, keys[i].name) != 0)
			continue;
		if (number > 1000000)
			return err_set(ERR_PAIR_OPTION, "%s: %s is at most 1000000", device, key);
		*keys[i].field = (uint32_t)number;
		return 0;
	}
	return err_set(ERR_PAIR_OPTION, "%s: '%s' is not a key of pair:", device, key);
}

// "pair:NAME[,key=value...]"
static int parse(const char *device, struct request *r)
{
	char text[96];
	char *rest = text;
	int n = snprintf(text, sizeof(text), "%s", device + strlen("pair:"));
	const char *name = strsep(&rest, ",");

	*r = (struct request){.seed = 1};
	if (n >= (int)sizeof(text) || *name == '\0' || strlen(name) >= NAME_BYTES)
		return err_set(ERR_PAIR_OPTION, "%s: the name needs 1 to %d characters", device,
			       NAME_BYTES - 1);
	strcpy(r->name, name);
	while (rest) {
		char *value = strsep(&rest, ",");
		const char *key = strsep(&value, "=");
		int error = read_key(device, key, value ? value : "", r);

		if (error)
			return error;
	}
	return 0;
}

static struct meeting *meeting_find(const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (meetings[i].pair && strcmp(meetings[i].name, name) == 0)
			return &meetings[i];
	return NULL;
}

static struct meeting *meeting_free(void)
{
	for (int i = 0; i < NAMES_MAX; i++)
		if (!meetings[i].pair)
			return &meetings[i];
	return NULL;
}

// An end closes: if the other was never opened, nobody will meet it any more.
static void nobody_came(struct pair *pair)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		if (meetings[i].pair != pair)
			continue;
		meetings[i].pair = NULL;
		pair_port(pair, 1)->ops->close(pair_port(pair, 1));
	}
}

// The first end of a name: makes the wire and leaves it for the second.
static int open_first(const struct port_config *config, const struct request *r, struct port **port)
{
	struct meeting *meeting = meeting_free();
	struct pair_config pair_config = {
		.name = r->name,
		.seed = r->seed,
		.mtu_bytes = config->mtu_bytes,
		.frames_max = r->frames_max,
		.rx_pool = {config->rx_pool},
		.faults = {r->faults},
		.closing = nobody_came,
	};

	if (!meeting)
		return err_set(ERR_PAIR_ALONE, "%s: %d pairs wait for their second end",
			       config->device, NAMES_MAX);
	struct pair *pair = pair_create(&pair_config);

	if (!pair)
		return -ENOMEM;
	strcpy(meeting->name, r->name);
	meeting->pair = pair;
	*port = pair_port(pair, 0);
	return 0;
}

int pair_open(const struct port_config *config, struct port **port, struct port_report *report)
{
	struct request r;
	int error = parse(config->device, &r);

	if (error)
		return error;
	struct meeting *meeting = meeting_find(r.name);

	if (meeting) {
		pair_set_rx_pool(meeting->pair, 1, config->rx_pool);
		pair_set_faults(meeting->pair, 1, &r.faults);
		*port = pair_port(meeting->pair, 1);
		meeting->pair = NULL;
	} else if ((error = open_first(config, &r, port)) != 0) {
		return error;
	}
	if (config->name)
		snprintf((*port)->name, sizeof((*port)->name), "%s", config->name);
	*report = (struct port_report){0};
	snprintf(report->chosen, sizeof(report->chosen),
		 "a wire inside this process, end %d of pair %s", meeting ? 1 : 0, r.name);
	snprintf(report->granted, sizeof(report->granted), "chained buffers");
	snprintf(report->refused, sizeof(report->refused), "checksum and segmentation offload");
	snprintf(report->cost, sizeof(report->cost), "the wire copies every frame once");
	return 0;
}
