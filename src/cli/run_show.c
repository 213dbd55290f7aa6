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
#include "cli/query.h"
#include "see/conns.h"
#include "see/drops.h"
#include "see/why.h"

void run_show_begin(void)
{
	(void)__nss_configure_lookup("hosts", "files");
}

// *filter is NULL when the query has none. False with err_set.
static bool filter_of(const char *query, struct packet_filter **filter)
{
	char text[QUERY_VALUE_BYTES];

	*filter = NULL;
	if (!query_value(query, "filter", text))
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
	char text[QUERY_VALUE_BYTES];
	const char *wrong;

	if (!query_value(query, "state", text))
		return false;
	if (text[0] && !conns_states(text, &wish->states, &wrong)) {
		err_set(ERR_INVALID_ARGUMENT, "there is no state `%s`", wrong);
		return false;
	}
	if (!query_value(query, "order", text))
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
