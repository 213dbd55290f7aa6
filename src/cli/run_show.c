// SPDX-License-Identifier: BSD-3-Clause
// GET /v1/conns, /v1/drops and /v1/why: what the commands of these names print with --json, by the
// same functions (see/). Called by control/server.c in the monitor's thread, which no worker waits
// for; reads the instance's own shared-memory file. Queries are as forms send them (URL Standard,
// application/x-www-form-urlencoded).
#include "cli/run_show.h"

#include <nss.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/err.h"
#include "see/conns.h"
#include "see/drops.h"
#include "see/why.h"

#define VALUE_BYTES 4096

void run_show_begin(void)
{
	(void)__nss_configure_lookup("hosts", "files");
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// False when it is not as forms send it, or too long.
static bool decode(const char *from, size_t len, char to[VALUE_BYTES])
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		int high = from[i] == '%' && i + 1 < len ? hex(from[i + 1]) : -1;
		int low = high >= 0 && i + 2 < len ? hex(from[i + 2]) : -1;

		if (out + 1 == VALUE_BYTES || (from[i] == '%' && low < 0) ||
		    (from[i] == '%' && high == 0 && low == 0))
			return false;
		to[out++] =
			from[i] == '%' ? (char)(high << 4 | low) : (from[i] == '+' ? ' ' : from[i]);
		i += from[i] == '%' ? 2 : 0;
	}
	to[out] = '\0';
	return true;
}

// The value of a name; "" when it is not there. False with err_set when it cannot be read.
static bool value_of(const char *query, const char *name, char value[VALUE_BYTES])
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

// *filter is NULL when the query has none. False with err_set.
static bool filter_of(const char *query, struct packet_filter **filter)
{
	char text[VALUE_BYTES];

	*filter = NULL;
	if (!value_of(query, "filter", text))
		return false;
	if (text[0])
		*filter = packet_filter_create(text);
	return *filter || !text[0];
}

static json_t *show_why(struct shm_reader *reader, const struct packet_filter *filter)
{
	struct why why = {0}, passed = {0};
	json_t *json = NULL;

	if (shm_reader_refresh_verdicts(reader, SHM_SAMPLES) == 0 &&
	    shm_reader_refresh_verdicts(reader, SHM_DROPS) == 0 &&
	    why_collect(reader, SHM_DROPS, filter, &why) == 0 &&
	    why_collect(reader, SHM_SAMPLES, filter, &passed) == 0)
		json = why_json(reader, &why, &passed);
	why_free(&why);
	why_free(&passed);
	return json;
}

static json_t *show_drops(struct shm_reader *reader)
{
	struct drops *drops = calloc(1, sizeof *drops);
	json_t *json = NULL;

	if (drops && shm_reader_refresh_verdicts(reader, SHM_DROPS) == 0 &&
	    drops_collect(reader, drops) == 0)
		json = drops_json(reader, drops);
	free(drops);
	return json;
}

// state=established,close-wait and order=rtt, as prism conns has them. False with err_set.
static bool wish_of(const char *query, struct conns_wish *wish)
{
	char text[VALUE_BYTES];
	const char *wrong;

	if (!value_of(query, "state", text))
		return false;
	if (text[0] && !conns_states(text, &wish->states, &wrong)) {
		err_set(ERR_INVALID_ARGUMENT, "there is no state `%s`", wrong);
		return false;
	}
	if (!value_of(query, "order", text))
		return false;
	wish->order = text[0] ? conns_order_named(text) : CONNS_BY_RATE;
	if (wish->order == CONNS_ORDERS)
		err_set(ERR_INVALID_ARGUMENT, "there is no order `%s`", text);
	return wish->order != CONNS_ORDERS;
}

static json_t *show_conns(struct shm_reader *reader, const struct packet_filter *filter,
			  const char *query)
{
	struct conns_wish wish = {.filter = filter};
	struct conns conns = {0};
	json_t *json = NULL;

	if (wish_of(query, &wish) && shm_reader_refresh_conns(reader) == 0 &&
	    conns_collect(reader, &wish, &conns) == 0)
		json = conns_json(reader, &conns);
	conns_free(&conns);
	return json;
}

char *run_show(struct shm_reader *reader, const char *path, const char *query, bool *bad)
{
	bool why = strcmp(path, "/v1/why") == 0, drops = strcmp(path, "/v1/drops") == 0;
	bool conns = strcmp(path, "/v1/conns") == 0;
	struct packet_filter *filter;
	json_t *json = NULL;

	*bad = false;
	if (!why && !drops && !conns)
		return NULL;
	if (filter_of(query, &filter) && shm_reader_refresh(reader) == 0)
		json = why     ? show_why(reader, filter)
		       : drops ? show_drops(reader)
			       : show_conns(reader, filter, query);
	packet_filter_destroy(filter);
	*bad = json == NULL;
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;

	json_decref(json);
	return text;
}
