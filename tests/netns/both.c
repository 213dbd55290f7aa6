// SPDX-License-Identifier: BSD-3-Clause
// both CONFIG ADDRESS:PORT COUNT: a program on the public API that opens COUNT connections to an
// address and accepts as many on the same port, on all workers of its stack, each on a thread of
// its own. both.py starts it, says "go" once its peer is there too, and reads what it says.
//
// Who opens says a number and how this one shall end; who accepts says the same back. Then one of
// them closes first, or both at once, or one of them resets. Every fourth that a worker accepts
// goes to the next worker before it answers. When all are over it says in a line of JSON how many
// events did not come just once, in order and to the right worker; it ends with its input.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <prismnet/prism.h>

#include "base/bits.h"
#include "base/time.h"
#include "sync/cell.h"

#define WORKERS 4
#define EVENTS 64
#define AT_ONCE 128 // connections a worker has that wait for their first answer
#define MOVES_ONE_OF 4
#define NAP_NS_MAX (100 * NS_PER_US)
#define PATIENCE_S 90

enum ending { OPENER_CLOSES, ACCEPTOR_CLOSES, BOTH_CLOSE, OPENER_RESETS, ACCEPTOR_RESETS, ENDINGS };

struct words {
	uint32_t number, ending;
};

// One end of a connection, ours; written by the worker whose it is.
struct end {
	prism_conn conn;
	struct words words;
	uint32_t worker, heard_bytes, reason;
	uint32_t count[PRISM_EVENT_MOVED + 1];
	bool opener, moves, done_here;
};

struct site { // of one worker
	struct prism_worker *worker;
	uint32_t index;
	pthread_t thread;
	struct end *opened, *accepted;
	uint32_t open_count, accept_count, answer_count;
	uint64_t wrong; // cell: events that should not have come, calls that were refused
};

static struct prism *prism;
static struct site sites[WORKERS];
static uint32_t site_count, count_each; // connections to open, and so to accept
static struct prism_endpoint peer;
static uint64_t going, ending;           // cells
static uint64_t accepted, closed, moved; // shared

static void must(bool good, const char *what)
{
	if (good)
		return;
	prism_error_print(what);
	exit(1);
}

// What must be so of an event or of a call.
static void check(struct site *s, bool good, const char *what)
{
	if (good)
		return;
	cell_add(&s->wrong, 1);
	fprintf(stderr, "both: worker %u: %s\n", s->index, what);
}

static void say(struct site *s, struct end *e)
{
	check(s, prism_tcp_send_copy(s->worker, e->conn, &e->words, sizeof(e->words)) == 0, "send");
}

static void finish(struct site *s, struct end *e, bool resets)
{
	int error =
		resets ? prism_tcp_abort(s->worker, e->conn) : prism_tcp_close(s->worker, e->conn);

	check(s, !e->done_here && error == 0, resets ? "abort" : "close");
	e->done_here = true;
}

static void opener_hears(struct site *s, struct end *e)
{
	enum ending how = (enum ending)e->words.ending;

	s->answer_count++;
	if (how == OPENER_CLOSES || how == BOTH_CLOSE || how == OPENER_RESETS)
		finish(s, e, how == OPENER_RESETS);
	else if (how == ACCEPTOR_RESETS)
		say(s, e);
}

static void acceptor_hears(struct site *s, struct end *e)
{
	enum ending how = (enum ending)e->words.ending;

	if (e->heard_bytes == 2 * sizeof(e->words)) {
		check(s, how == ACCEPTOR_RESETS, "words after the first");
		finish(s, e, true);
	} else if (e->heard_bytes == sizeof(e->words) && e->count[PRISM_EVENT_MOVED] == e->moves) {
		say(s, e);
		if (how == ACCEPTOR_CLOSES || how == BOTH_CLOSE)
			finish(s, e, false);
	}
}

// Whole words: nobody says the next before he has heard the last.
static void hear(struct site *s, struct end *e, const struct prism_event *event)
{
	struct words words = {0};

	check(s, event->len == sizeof(words), "length of what was heard");
	memcpy(&words, event->data, MIN(event->len, (uint32_t)sizeof(words)));
	prism_buf_release(s->worker, event->buf);
	if (!e->opener && e->heard_bytes == 0)
		e->words = words;
	check(s, memcmp(&words, &e->words, sizeof(words)) == 0, "what was heard");
	e->heard_bytes += event->len;
	if (e->opener)
		opener_hears(s, e);
	else
		acceptor_hears(s, e);
}

static struct end *accept_one(struct site *s, const struct prism_event *event)
{
	must(s->accept_count < count_each, "more connections than were to come");
	struct end *e = &s->accepted[s->accept_count++];

	*e = (struct end){.conn = event->conn, .worker = s->index};
	e->moves = site_count > 1 && s->accept_count % MOVES_ONE_OF == 0;
	check(s, prism_tcp_set_user(s->worker, e->conn, (uintptr_t)e) == 0, "set_user");
	if (e->moves)
		check(s, prism_tcp_move(s->worker, e->conn, (s->index + 1) % site_count) == 0,
		      "move");
	shared_add(&accepted, 1);
	return e;
}

static void handle(struct site *s, const struct prism_event *event)
{
	struct end *e = event->type == PRISM_EVENT_ACCEPTED ? accept_one(s, event)
							    : (void *)(uintptr_t)event->user;

	if (event->type == PRISM_EVENT_MOVED) {
		e->worker = s->index;
		shared_add(&moved, 1);
	}
	e->count[event->type]++;
	check(s, e->worker == s->index && e->conn.id == event->conn.id, "whose event this is");
	check(s, e->count[PRISM_EVENT_CLOSED] == (event->type == PRISM_EVENT_CLOSED),
	      "an event after the last");
	if (event->type == PRISM_EVENT_CONNECTED)
		say(s, e);
	else if (event->type == PRISM_EVENT_DATA)
		hear(s, e, event);
	else if (event->type == PRISM_EVENT_MOVED)
		acceptor_hears(s, e);
	else if (event->type == PRISM_EVENT_EOF && !e->done_here)
		finish(s, e, false);
	else if (event->type == PRISM_EVENT_CLOSED) {
		e->reason = event->reason;
		shared_add(&closed, 1);
	}
}

static void open_some(struct site *s)
{
	uint32_t mine = (count_each + site_count - 1 - s->index) / site_count;

	while (s->open_count < mine && s->open_count - s->answer_count < AT_ONCE) {
		struct end *e = &s->opened[s->open_count];
		uint32_t number = s->open_count++ * site_count + s->index;

		*e = (struct end){.worker = s->index, .opener = true};
		e->words = (struct words){number, number % ENDINGS};
		must(prism_tcp_connect(s->worker, &peer, NULL, (uintptr_t)e, &e->conn) == 0,
		     "connect");
	}
}

static void *drive(void *argument)
{
	struct site *s = argument;
	struct prism_event events[EVENTS];

	while (!cell_get(&ending)) {
		int count = prism_poll(s->worker, events, EVENTS);
		struct timespec nap = {0};

		for (int i = 0; i < count; i++)
			handle(s, &events[i]);
		if (cell_get(&going))
			open_some(s);
		nap.tv_nsec = count ? 0 : (long)prism_idle_ns(s->worker, NAP_NS_MAX);
		if (nap.tv_nsec)
			nanosleep(&nap, NULL);
	}
	prism_worker_leave(s->worker);
	return NULL;
}

// One of each kind: how it began, how it moved and ended.
static bool as_it_should_be(const struct end *e)
{
	enum ending how = (enum ending)e->words.ending;
	bool in_order = how < OPENER_RESETS, resets = e->opener == (how == OPENER_RESETS);
	uint32_t reason = in_order ? PRISM_CLOSE_DONE
			  : resets ? PRISM_CLOSE_ABORTED
				   : PRISM_CLOSE_RESET;

	return e->count[PRISM_EVENT_CONNECTED] == e->opener &&
	       e->count[PRISM_EVENT_ACCEPTED] == !e->opener &&
	       e->count[PRISM_EVENT_MOVED] == e->moves && e->count[PRISM_EVENT_EOF] == in_order &&
	       e->count[PRISM_EVENT_CLOSED] == 1 && e->reason == reason && e->heard_bytes > 0;
}

static void tell(const char *what, const struct end *e)
{
	fprintf(stderr,
		"both: %s %u, ending %u: accepted %u connected %u moved %u eof %u closed %u reason "
		"%u heard %u\n",
		what, e->words.number, e->words.ending, e->count[PRISM_EVENT_ACCEPTED],
		e->count[PRISM_EVENT_CONNECTED], e->count[PRISM_EVENT_MOVED],
		e->count[PRISM_EVENT_EOF], e->count[PRISM_EVENT_CLOSED], e->reason, e->heard_bytes);
}

static uint32_t wrong_ends(const char *what, const struct end *ends, uint32_t count)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < count; i++) {
		bool good = as_it_should_be(&ends[i]);

		if (!good && wrong < 5)
			tell(what, &ends[i]);
		wrong += !good;
	}
	return wrong;
}

static void wait_for_all(void)
{
	struct timespec nap = {.tv_nsec = 10 * NS_PER_MS};
	time_t end = time(NULL) + PATIENCE_S;

	while (shared_add(&closed, 0) < 2 * (uint64_t)count_each && time(NULL) < end)
		nanosleep(&nap, NULL);
}

static void report(void)
{
	uint64_t wrong = 0;

	printf("{\"closed\": %llu, \"accepted\": %llu, \"moved\": %llu, \"workers\": [",
	       (unsigned long long)shared_add(&closed, 0),
	       (unsigned long long)shared_add(&accepted, 0),
	       (unsigned long long)shared_add(&moved, 0));
	for (uint32_t i = 0; i < site_count; i++) {
		struct site *s = &sites[i];

		wrong += cell_get(&s->wrong) + wrong_ends("opened", s->opened, s->open_count) +
			 wrong_ends("accepted", s->accepted, s->accept_count);
		printf("%s{\"opened\": %u, \"accepted\": %u}", i ? ", " : "", s->open_count,
		       s->accept_count);
	}
	printf("], \"wrong\": %llu}\n", (unsigned long long)wrong);
	fflush(stdout);
}

static void begin_sites(void)
{
	struct prism_endpoint local = {.port = peer.port};
	prism_listener listener;

	site_count = prism_worker_count(prism);
	must(site_count <= WORKERS, "so many workers");
	for (uint32_t i = 0; i < site_count; i++) {
		struct site *s = &sites[i];

		s->index = i;
		s->worker = prism_worker_get(prism, i);
		s->opened = calloc(count_each, sizeof(*s->opened));
		s->accepted = calloc(count_each, sizeof(*s->accepted));
		must(s->opened && s->accepted, "memory");
		must(prism_tcp_listen(s->worker, &local, 0, &listener) == 0, "listen");
	}
	for (uint32_t i = 0; i < site_count; i++)
		must(pthread_create(&sites[i].thread, NULL, drive, &sites[i]) == 0, "a thread");
}

static void end_sites(void)
{
	cell_set(&ending, 1);
	for (uint32_t i = 0; i < site_count; i++) {
		pthread_join(sites[i].thread, NULL);
		free(sites[i].opened);
		free(sites[i].accepted);
	}
}

int main(int argc, char **argv)
{
	struct prism_options options;
	char line[16];

	if (argc != 4) {
		fprintf(stderr, "usage: both CONFIG ADDRESS:PORT COUNT\n");
		return 2;
	}
	PRISM_OPTIONS_INIT(&options);
	must(prism_options_load(&options, argv[1]) == 0, "options");
	must(prism_endpoint_parse(argv[2], &peer) == 0, "endpoint");
	count_each = (uint32_t)atoi(argv[3]);
	prism = prism_open(&options);
	must(prism != NULL, "open");
	begin_sites();
	puts("ready");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin)) {
		cell_set(&going, 1);
		wait_for_all();
		report();
	}
	while (fgets(line, sizeof(line), stdin))
		;
	end_sites();
	prism_close(prism);
	prism_options_free(&options);
	return 0;
}
