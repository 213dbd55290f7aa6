// SPDX-License-Identifier: BSD-3-Clause
// Begins captures for those who ask over the control socket (prism capture, capture.c). libpcap
// compiles the filter here, in the monitor's thread; workers get the program (core/tapings.c). Who
// asked holds the tape; when nobody does any more the monitor ends the capture.
#include "cli/run_capture.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/capture.h"
#include "cli/query.h"
#include "cli/run.h"
#include "core/start.h"
#include "see/packet_filter.h"

// A number of a query; what is not said is def. False with err_set.
static bool number_of(const char *query, const char *name, uint64_t most, uint64_t *value)
{
	char text[QUERY_VALUE_BYTES], *end;

	if (!query_value(query, name, text))
		return false;
	if (!text[0])
		return true;
	*value = strtoull(text, &end, 10);
	if (text[0] >= '0' && text[0] <= '9' && !*end && *value > 0 && *value <= most)
		return true;
	err_set(ERR_INVALID_ARGUMENT, "%s is `%s`; it takes 1 to %" PRIu64, name, text, most);
	return false;
}

static bool wish_of(const char *query, struct taping_wish *wish, char text[QUERY_VALUE_BYTES])
{
	uint64_t snap = CAPTURE_SNAP_BYTES, ring = CAPTURE_RING_BYTES;
	char points[QUERY_VALUE_BYTES];
	const char *wrong;

	if (!number_of(query, "snap", TAPE_SNAP_BYTES_MAX, &snap) ||
	    !number_of(query, "ring", TAPE_RING_BYTES_MAX, &ring) ||
	    !query_value(query, "points", points) || !query_value(query, "filter", text))
		return false;
	wish->snap_bytes = (uint32_t)snap;
	wish->ring_bytes = ring;
	wish->text = text;
	if (capture_points(points[0] ? points : CAPTURE_POINTS, &wish->points, &wrong))
		return true;
	err_set(ERR_INVALID_ARGUMENT, "there is no point `%s`; there are " CAPTURE_POINTS_ALL,
		wrong);
	return false;
}

static char *begin(struct run *run, struct taping_wish *wish, const struct packet_filter *filter)
{
	struct packet_program frame, ip;
	const char *path;

	if (filter) {
		packet_filter_programs(filter, &frame, &ip);
		wish->frame = frame.steps;
		wish->frame_count = frame.count;
		wish->ip = ip.steps;
		wish->ip_count = ip.count;
	}
	path = taping_begin(run->prism, wish);
	json_t *json = path ? json_pack("{s:s}", "tape", path) : NULL;
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

	json_decref(json);
	return text;
}

char *run_capture(void *context, const char *path, const char *query, bool *bad)
{
	struct taping_wish wish = {0};
	struct packet_filter *filter = NULL;
	char text[QUERY_VALUE_BYTES], *answer = NULL;

	*bad = false;
	if (strcmp(path, "/v1/capture") != 0)
		return NULL;
	bool good = wish_of(query, &wish, text);

	if (good && text[0]) {
		filter = packet_filter_create(text);
		good = filter != NULL;
	}
	if (good)
		answer = begin(context, &wish, filter);
	packet_filter_destroy(filter);
	*bad = answer == NULL;
	return answer;
}
