// SPDX-License-Identifier: BSD-3-Clause
// Answers what control/server.c was asked, from shared memory and from those who own the instance.
// Pure of sockets: a method and a target in, a status and a body out. What changes the instance is
// a POST, and all of it in the target. Deliberately absent: request bodies.
#include "control/answer.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/time.h"
#include "observe/shm.h"

#define WORD_BYTES 16
#define PATH_BYTES 64

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

static void give(struct answer *a, uint32_t status, const char *type, char *body)
{
	*a = (struct answer){.status = status, .type = type, .body = body};
}

static void say(struct answer *a, uint32_t status, const char *text)
{
	give(a, status, TEXT, strdup(text));
}

static void not_allowed(struct answer *a, const char *allow, const char *text)
{
	say(a, 405, text);
	a->allow = allow;
}

// What was refused, in the words that the command line has.
static void refuse(struct answer *a, uint32_t status)
{
	const struct err_last *last = err_last();
	const struct err_info *info = &err_infos[last->id];
	char *body;

	if (asprintf(&body, "%s: %s\n  cause:  %s\n  remedy: %s (prism explain %s)\n",
		     info->sentence, last->message, info->cause, info->remedy, info->name) < 0)
		body = NULL;
	give(a, status, TEXT, body);
}

static char *json_body(json_t *json)
{
	char *text = json_dumps(json, JSON_INDENT(2));

	json_decref(json);
	return text;
}

static char *metrics_body(const struct shm_reader *reader, enum stats_state state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	stats_metrics(reader, state, out);
	fclose(out);
	return text;
}

static uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static uint32_t worker_rows(const struct shm_table *workers)
{
	return workers ? MIN(workers->rows, (uint32_t)WORKERS_MAX) : 0;
}

void answerer_watch(struct answerer *from)
{
	if (!from->reader || shm_reader_refresh(from->reader))
		return;
	const struct shm_table *workers = shm_reader_table(from->reader, "worker");
	const struct shm_field *field = shm_reader_find(from->reader, workers, "heartbeat_ns");
	uint64_t now_ns = clock_now_ns();

	for (uint32_t w = 0; w < worker_rows(workers); w++) {
		uint64_t beat_ns = shm_reader_u64(from->reader, workers, w, field);

		if (beat_ns != from->beat_ns[w] || !from->moved_ns[w])
			from->moved_ns[w] = now_ns;
		from->beat_ns[w] = beat_ns;
	}
}

// What stats_look says, without its sleep: this thread has others to serve.
static enum stats_state look(struct answerer *from)
{
	uint64_t now_ns;

	answerer_watch(from);
	now_ns = clock_now_ns();
	uint32_t state = shm_reader_head(from->reader)->state;

	if (state == SHM_STARTING)
		return STATS_STARTING;
	if (state == SHM_ENDED)
		return STATS_ENDED;
	for (uint32_t w = 0; w < worker_rows(shm_reader_table(from->reader, "worker")); w++)
		if (now_ns - from->moved_ns[w] > STATS_STUCK_NS)
			return STATS_STUCK;
	return state == SHM_STOPPING ? STATS_STOPPING : STATS_RUNNING;
}

// The path of a target ends here.
static size_t path_len(const char *target)
{
	return strcspn(target, "?");
}

static bool is_path(const char *target, const char *path)
{
	return path_len(target) == strlen(path) && strncmp(target, path, strlen(path)) == 0;
}

static void show_numbers(struct answerer *from, const char *target, struct answer *a)
{
	struct shm_reader *reader = from->reader;

	if (reader && is_path(target, "/v1/stats")) {
		give(a, 200, JSON, json_body(stats_json(reader, look(from))));
	} else if (reader && is_path(target, "/v1/ports")) {
		shm_reader_refresh(reader);
		give(a, 200, JSON, json_body(stats_ports_json(reader)));
	} else if (reader && is_path(target, "/metrics")) {
		give(a, 200, METRICS, metrics_body(reader, look(from)));
	} else {
		say(a, 404,
		    "there is /v1/stats, /v1/ports, /v1/conns, /v1/drops, /v1/why, "
		    "/v1/rebalance, /v1/recorder, /metrics and POST /v1/capture\n");
	}
}

static char *rebalance_body(struct shm_reader *reader)
{
	const struct shm_table *control = shm_reader_table(reader, "control");
	bool on = shm_reader_u64(reader, control, 0,
				 shm_reader_find(reader, control, "rebalance")) != 0;

	return json_body(json_pack(
		"{s:b, s:I, s:I}", "on", on, "orders",
		(json_int_t)shm_reader_sum(reader, "counter", "rebalance_orders"), "connections",
		(json_int_t)shm_reader_sum(reader, "counter", "rebalance_conns")));
}

// What they were told, and whether all workers have taken it, which takes some milliseconds.
static char *recorder_body(struct shm_reader *reader)
{
	const struct shm_table *workers = shm_reader_table(reader, "worker");
	const struct shm_field *field = shm_reader_find(reader, workers, "sample_one_in");
	const struct shm_table *control = shm_reader_table(reader, "control");
	uint64_t one_in = shm_reader_u64(reader, control, 0,
					 shm_reader_find(reader, control, "sample_one_in"));
	bool everywhere = true;

	for (uint32_t w = 0; workers && w < workers->rows; w++)
		everywhere &= shm_reader_u64(reader, workers, w, field) == one_in;
	return json_body(json_pack(
		"{s:I, s:b, s:I, s:I}", "sample_one_in", (json_int_t)one_in, "everywhere",
		everywhere, "samples", (json_int_t)shm_reader_verdict_count(reader, SHM_SAMPLES),
		"drops", (json_int_t)shm_reader_verdict_count(reader, SHM_DROPS)));
}

// What can be asked and changed. In the path of a POST a word stands behind its own that says how.
struct order {
	const char *path, *usage;
	int (*change)(void *context, const char *word);
	char *(*body)(struct shm_reader *reader);
};

// False when the path is of none, or nobody takes such an order.
static bool find_order(const struct answer_orders *o, const char *target, struct order *out)
{
	const struct order orders[] = {
		{"/v1/rebalance", "POST /v1/rebalance/on, /off or /now\n", o->rebalance,
		 rebalance_body},
		{"/v1/recorder", "POST /v1/recorder/N, one packet in N is sampled, or /off\n",
		 o->recorder, recorder_body},
	};

	for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
		size_t len = strlen(orders[i].path);

		*out = orders[i];
		if (strncmp(target, out->path, len) == 0 &&
		    (target[len] == '\0' || target[len] == '?' || target[len] == '/'))
			return out->change != NULL;
	}
	return false;
}

// With a word it is done first. NULL: it is only shown.
static void carry_out(const struct answerer *from, const struct order *order, const char *word,
		      struct answer *a)
{
	int error = word ? order->change(from->orders.context, word) : 0;

	if (error == -ENOENT) {
		say(a, 404, order->usage);
	} else if (error) {
		refuse(a, 409);
	} else {
		shm_reader_refresh(from->reader);
		give(a, 200, JSON, order->body(from->reader));
	}
}

static void answer_order(const struct answerer *from, const struct order *order,
			 const struct request *request, struct answer *a)
{
	const char *rest = request->target + strlen(order->path);
	bool post = strcmp(request->method, "POST") == 0;
	char word[WORD_BYTES];

	if (!post && strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
		not_allowed(a, "GET, HEAD, POST", "GET, HEAD and POST only\n");
		return;
	}
	if (!post && *rest != '/') {
		carry_out(from, order, NULL, a);
		return;
	}
	rest += *rest == '/';
	if (!post ||
	    snprintf(word, sizeof word, "%.*s", (int)path_len(rest), rest) >= (int)sizeof word)
		say(a, 404, order->usage);
	else
		carry_out(from, order, word, a);
}

// What the owner of the instance knows to show, or to make. False: nothing of this path.
static bool answer_by_owner(const struct answerer *from, const struct request *request, bool post,
			    struct answer *a)
{
	const struct answer_orders *o = &from->orders;
	const char *target = request->target, *query = strchr(target, '?');
	size_t len = path_len(target);
	char path[PATH_BYTES], *body;
	bool bad = false;

	if ((post ? !o->make : !o->show || !from->reader) || len >= sizeof path)
		return false;
	snprintf(path, sizeof path, "%.*s", (int)len, target);
	query = query ? query + 1 : "";
	body = post ? o->make(o->context, path, query, &bad)
		    : o->show(from->reader, path, query, &bad);
	if (bad) {
		refuse(a, 400);
		free(body);
	} else if (body) {
		give(a, 200, JSON, body);
	}
	return bad || body;
}

void answer_request(struct answerer *from, const struct request *request, struct answer *a)
{
	bool post = strcmp(request->method, "POST") == 0;
	bool get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
	struct order order;

	if (!get && !request->may_change)
		say(a, 401,
		    "what changes the instance needs its token: Authorization: Bearer TOKEN\n");
	else if (find_order(&from->orders, request->target, &order))
		answer_order(from, &order, request, a);
	else if ((get || post) && answer_by_owner(from, request, post, a))
		return;
	else if (!get)
		not_allowed(a, "GET, HEAD", "GET and HEAD only\n");
	else
		show_numbers(from, request->target, a);
}
