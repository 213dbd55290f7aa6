// SPDX-License-Identifier: BSD-3-Clause
// moves [MIB [MOVES [ROUNDS]]]: what moves cost the other connections, in real time. One connection
// of bulk data (1024 MiB) goes from worker to worker (1000 times), on both ends by turns, while
// others ask and are answered; each byte is compared. A round is a run with few moves, one with
// many, and one with few again: the first two say what moves cost, the two with few how far equal
// runs differ. Few is three: where a connection is costs more than that it moves, since here one
// worker of each stack has the queue and the other sends through him; with three it is for a
// quarter of its bytes at each of the four places, as with many.
//
// Twice: with a stream that leaves the workers time (PACE_BYTES a round of turns), and with one
// that takes all the windows allow. The latter has the others wait behind its window at any time,
// and after a pause, as a move is, the whole window comes at once.
//
// Both stacks have two workers, and one thread gives them their turns in order; time is what this
// thread ran. So no scheduler stands between a question and its answer: what is measured is what
// the workers do, not who had a core.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "base/time.h"
#include "core/worker.h"
#include "duo.h"
#include "observe/counter.h"
#include "sim/flow.h"

#define WORKERS 2
#define ASKERS 32
#define ASK_BYTES 64
#define CHUNK_BYTES 32768
#define PACE_BYTES CHUNK_BYTES
#define EVENTS 256
#define ROUNDS_MAX 100
#define SAMPLES_MAX (8u << 20)
#define BULK UINT64_C(1000)
#define PORT 80

// One end of a connection.
struct end {
	prism_conn conn;
	uint32_t worker;
	bool moving;
};

// A question that is not answered yet.
struct question {
	uint64_t asked_ns;
	uint64_t moves; // begun and ended, when it was asked
};

struct waits {
	uint32_t *ns;
	uint32_t count;
};

struct run {
	struct duo duo;
	struct prism_worker *worker[2][WORKERS];
	uint64_t offset_ns; // of the stacks' time to the thread's
	struct end bulk[2];
	struct end asker[2][ASKERS];
	struct question question[ASKERS];
	uint64_t sent_bytes, received_bytes, total_bytes, pace_bytes;
	uint64_t moves_begun, moves_ended, moves_wanted, next_move_bytes;
	struct waits all, beside; // all questions; those under way while one moved
	uint32_t open, unanswered;
};

// What one run found, in us.
enum value { P50, P99, BESIDE_P50, BESIDE_P99, SECONDS, VALUES };
struct found {
	double value[VALUES];
	uint64_t questions, beside, retransmitted;
};

#define FEW 3

enum { BEFORE, WITH, AFTER, RUNS };

static struct waits all, beside;

static uint64_t clock_now_ns(const struct run *r)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec + r->offset_ns;
}

static struct prism_worker *worker_of(const struct run *r, int side, const struct end *e)
{
	return r->worker[side][e->worker];
}

static struct end *end_of(struct run *r, int side, uint64_t user)
{
	return user == BULK ? &r->bulk[side] : &r->asker[side][user];
}

// Whose it is, the client's port says.
static void accepted(struct run *r, uint32_t worker, const struct prism_event *e)
{
	struct prism_worker *w = r->worker[SERVER][worker];
	struct prism_endpoint remote, local;
	uint64_t user = BULK;

	duo_must(prism_tcp_endpoints(w, e->conn, NULL, &remote) == 0, "endpoints");
	for (uint32_t i = 0; i < ASKERS; i++) {
		const struct end *asker = &r->asker[CLIENT][i];

		if (prism_tcp_endpoints(worker_of(r, CLIENT, asker), asker->conn, &local, NULL) ==
			    0 &&
		    local.port == remote.port)
			user = i;
	}
	*end_of(r, SERVER, user) = (struct end){e->conn, worker, false};
	r->open++;
	prism_tcp_set_user(w, e->conn, user);
}

static void ask(struct run *r, uint32_t i)
{
	const struct end *end = &r->asker[CLIENT][i];

	r->question[i] = (struct question){clock_now_ns(r), r->moves_begun + r->moves_ended};
	r->unanswered++;
	duo_must(prism_tcp_send_region(worker_of(r, CLIENT, end), end->conn, pattern_at(0, 0),
				       ASK_BYTES) == 0,
		 "a question");
}

static void note_wait(struct waits *waits, uint64_t ns)
{
	if (waits->count < SAMPLES_MAX)
		waits->ns[waits->count++] = (uint32_t)MIN(ns, (uint64_t)UINT32_MAX);
}

static void answered(struct run *r, uint32_t i)
{
	const struct question *q = &r->question[i];
	uint64_t ns = clock_now_ns(r) - q->asked_ns;

	r->unanswered--;
	note_wait(&r->all, ns);
	if (r->moves_begun != r->moves_ended || r->moves_begun + r->moves_ended != q->moves)
		note_wait(&r->beside, ns);
	if (r->received_bytes < r->total_bytes)
		ask(r, i);
}

static void hear(struct run *r, int side, const struct prism_event *e)
{
	struct end *end = end_of(r, side, e->user);
	struct prism_worker *w = worker_of(r, side, end);

	if (e->user == BULK) {
		duo_must(memcmp(e->data, pattern_at(0, r->received_bytes), e->len) == 0,
			 "a byte is not the one that was sent");
		r->received_bytes += e->len;
	} else {
		duo_must(e->len == ASK_BYTES, "a question came in pieces");
		if (side == SERVER)
			duo_must(prism_tcp_send_region(w, end->conn, pattern_at(0, 0), ASK_BYTES) ==
					 0,
				 "an answer");
		else
			answered(r, (uint32_t)e->user);
	}
	prism_buf_release(w, e->buf);
}

static void take(struct run *r, int side, uint32_t worker, const struct prism_event *e)
{
	if (e->type == PRISM_EVENT_ACCEPTED) {
		accepted(r, worker, e);
		return;
	}
	struct end *end = end_of(r, side, e->user);

	if (e->type == PRISM_EVENT_MOVED) {
		end->worker = worker;
		end->moving = false;
		r->moves_ended++;
	}
	duo_must(end->worker == worker, "an event is another worker's");
	duo_must(e->type != PRISM_EVENT_CLOSED, "a connection ended");
	r->open += e->type == PRISM_EVENT_CONNECTED;
	if (e->type == PRISM_EVENT_DATA)
		hear(r, side, e);
}

static void turn(struct run *r, int side, uint32_t worker)
{
	struct prism_event events[EVENTS];

	r->duo.now_ns = clock_now_ns(r);
	int count = worker_turn(r->worker[side][worker], r->duo.now_ns, events, EVENTS);

	for (int i = 0; i < count; i++)
		take(r, side, worker, &events[i]);
}

// Whenever so much more has arrived.
static void move(struct run *r)
{
	int side = (int)(r->moves_begun % 2);
	struct end *end = &r->bulk[side];

	if (r->moves_begun == r->moves_wanted || r->moves_begun != r->moves_ended ||
	    r->received_bytes < r->next_move_bytes)
		return;
	duo_must(prism_tcp_move(worker_of(r, side, end), end->conn, (end->worker + 1) % WORKERS) ==
			 0,
		 "a move");
	end->moving = true;
	r->moves_begun++;
	r->next_move_bytes += r->total_bytes / (r->moves_wanted + 1);
}

static void send_what_fits(struct run *r)
{
	uint64_t end_bytes = MIN(r->sent_bytes + r->pace_bytes, r->total_bytes);
	struct end *end = &r->bulk[CLIENT];

	while (r->sent_bytes < end_bytes) {
		uint64_t len = MIN(end_bytes - r->sent_bytes, (uint64_t)CHUNK_BYTES);

		if (prism_tcp_send_region(worker_of(r, CLIENT, end), end->conn,
					  pattern_at(0, r->sent_bytes), len))
			return; // no credit, or between two workers
		r->sent_bytes += len;
	}
}

static void turns(struct run *r)
{
	for (uint32_t i = 0; i < 2 * WORKERS; i++)
		turn(r, (int)(i / WORKERS), i % WORKERS);
}

static void open_stacks(struct run *r)
{
	struct prism_endpoint local = {.port = PORT};
	struct prism_options limits;
	prism_listener listener;

	PRISM_OPTIONS_INIT(&limits);
	limits.workers = WORKERS;
	duo_open(&r->duo, "moves", &limits);
	r->offset_ns = r->duo.now_ns - clock_now_ns(r);
	for (uint32_t w = 0; w < WORKERS; w++) {
		for (int side = 0; side < 2; side++)
			r->worker[side][w] = prism_worker_get(r->duo.prism[side], w);
		duo_must(prism_tcp_listen(r->worker[SERVER][w], &local, 0, &listener) == 0,
			 "listen");
	}
}

// One after the other, so that none waits for an address to be found out.
static void connect_all(struct run *r)
{
	struct prism_endpoint remote = {.port = PORT};

	prism_addr_parse(DUO_SERVER, &remote.addr);
	for (uint32_t i = 0; i <= ASKERS; i++) {
		uint64_t user = i < ASKERS ? i : BULK;
		struct end *end = end_of(r, CLIENT, user);

		end->worker = i % WORKERS;
		duo_must(prism_tcp_connect(worker_of(r, CLIENT, end), &remote, NULL, user,
					   &end->conn) == 0,
			 "connect");
		while (r->open < 2 * (i + 1))
			turns(r);
	}
	for (uint32_t i = 0; i < ASKERS; i++)
		ask(r, i);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void percentiles(struct waits *waits, double *p50_us, double *p99_us)
{
	qsort(waits->ns, waits->count, sizeof(*waits->ns), by_size);
	*p50_us = waits->count ? waits->ns[waits->count / 2] / 1e3 : 0;
	*p99_us = waits->count ? waits->ns[(uint64_t)waits->count * 99 / 100] / 1e3 : 0;
}

static uint64_t sum(const struct run *r, enum counter which)
{
	uint64_t total = 0;

	for (int side = 0; side < 2; side++)
		for (uint32_t w = 0; w < WORKERS; w++)
			total += r->worker[side][w]->env.counters->value[which];
	return total;
}

static struct found run(uint64_t total_bytes, uint64_t moves, uint64_t pace_bytes)
{
	struct run r = {.total_bytes = total_bytes,
			.pace_bytes = pace_bytes,
			.moves_wanted = moves,
			.next_move_bytes = total_bytes / (moves + 1),
			.all = {all.ns, 0},
			.beside = {beside.ns, 0}};
	struct found found = {0};

	open_stacks(&r);
	connect_all(&r);
	found.retransmitted = sum(&r, COUNTER_tcp_retrans_segs);
	uint64_t begin_ns = clock_now_ns(&r);

	while (r.received_bytes < total_bytes || r.unanswered || r.moves_begun != r.moves_ended) {
		turns(&r);
		move(&r);
		send_what_fits(&r);
	}
	found.value[SECONDS] = (double)(clock_now_ns(&r) - begin_ns) / NS_PER_S;
	duo_must(r.moves_ended == moves && sum(&r, COUNTER_tcp_moved) == moves,
		 "not all moves were made");
	duo_must(r.received_bytes == total_bytes && r.sent_bytes == total_bytes,
		 "more came than was sent");
	found.questions = r.all.count;
	found.beside = r.beside.count;
	found.retransmitted = sum(&r, COUNTER_tcp_retrans_segs) - found.retransmitted;
	percentiles(&r.all, &found.value[P50], &found.value[P99]);
	percentiles(&r.beside, &found.value[BESIDE_P50], &found.value[BESIDE_P99]);
	duo_close(&r.duo);
	return found;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

// Median (least-greatest).
static void spread(double *values, uint32_t count, int decimals)
{
	char text[64];

	qsort(values, count, sizeof(*values), by_value);
	snprintf(text, sizeof(text), "%.*f (%.*f-%.*f)", decimals, values[count / 2], decimals,
		 values[0], decimals, values[count - 1]);
	printf("%24s", text);
}

static void say_runs(const char *what, struct found (*found)[RUNS], uint32_t rounds, int which,
		     const enum value *values)
{
	printf("%-28s", what);
	for (int k = 0; k < 2; k++) {
		double each[2 * ROUNDS_MAX];
		uint32_t n = 0;

		for (uint32_t i = 0; i < rounds; i++) {
			each[n++] = found[i][which].value[values[k]];
			if (which == BEFORE)
				each[n++] = found[i][AFTER].value[values[k]];
		}
		spread(each, n, 1);
	}
	printf("\n");
}

// Of the run with many to the mean of the two beside it; or of the later of these to the earlier.
static void say_ratio(const char *what, struct found (*found)[RUNS], uint32_t rounds, bool moves)
{
	printf("%-28s", what);
	for (enum value v = P50; v <= P99; v++) {
		double each[ROUNDS_MAX];

		for (uint32_t i = 0; i < rounds; i++) {
			double first = found[i][BEFORE].value[v], last = found[i][AFTER].value[v];

			each[i] =
				moves ? found[i][WITH].value[v] * 2 / (first + last) : last / first;
		}
		spread(each, rounds, 3);
	}
	printf("\n");
}

static void say_rate(struct found (*found)[RUNS], uint32_t rounds)
{
	double each[2][RUNS * ROUNDS_MAX];
	uint32_t n[2] = {0};

	for (uint32_t i = 0; i < rounds; i++)
		for (int k = 0; k < RUNS; k++)
			each[k == WITH][n[k == WITH]++] = found[i][k].value[SECONDS];
	printf("%-28s", "seconds, few and many");
	spread(each[0], n[0], 2);
	spread(each[1], n[1], 2);
	printf("\n");
}

static void say(struct found (*found)[RUNS], uint32_t rounds, uint64_t moves)
{
	static const enum value plain[] = {P50, P99}, near[] = {BESIDE_P50, BESIDE_P99};
	uint64_t questions = 0, near_moves = 0, retransmitted = 0;

	for (uint32_t i = 0; i < rounds; i++) {
		near_moves += found[i][WITH].beside;
		for (int k = 0; k < RUNS; k++) {
			questions += found[i][k].questions;
			retransmitted += found[i][k].retransmitted;
		}
	}
	printf("%-28s%24s%24s\n", "answered after, us", "p50", "p99");
	say_runs("few moves", found, rounds, BEFORE, plain);
	say_runs("many moves", found, rounds, WITH, plain);
	say_runs("  of these, beside a move", found, rounds, WITH, near);
	say_rate(found, rounds);
	say_ratio("many to few", found, rounds, true);
	say_ratio("few to few", found, rounds, false);
	printf("Every byte as it was sent, every question answered; %" PRIu64 " questions, %" PRIu64
	       " of them while one of %" PRIu64 " moves was under way; %" PRIu64
	       " segments sent again.\n",
	       questions, near_moves, moves * rounds, retransmitted);
}

int main(int argc, char **argv)
{
	uint64_t mib = argc > 1 ? strtoull(argv[1], NULL, 10) : 1024;
	uint64_t moves = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000;
	uint32_t rounds = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 5;
	static struct found found[ROUNDS_MAX][RUNS];

	if (mib == 0 || mib > 1 << 20 || rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "moves [MIB [MOVES [ROUNDS]]]: MIB from 1, ROUNDS from 1 to %d\n",
			ROUNDS_MAX);
		return 2;
	}
	pattern_init();
	all.ns = calloc(SAMPLES_MAX, sizeof(*all.ns));
	beside.ns = calloc(SAMPLES_MAX, sizeof(*beside.ns));
	run(mib << 18, FEW, UINT64_MAX / 2); // a quarter, for memory and caches
	printf("%" PRIu64 " MiB, few moves %d and many %" PRIu64
	       ", %d others asking; %u rounds of few, many, few; median (least-greatest)\n",
	       mib, FEW, moves, ASKERS, rounds);
	for (int paced = 1; paced >= 0; paced--) {
		for (uint32_t i = 0; i < rounds; i++)
			for (int k = 0; k < RUNS; k++)
				found[i][k] = run(mib << 20, k == WITH ? moves : FEW,
						  paced ? PACE_BYTES : UINT64_MAX / 2);
		printf("\n%s\n", paced ? "The stream leaves the workers time:"
				       : "The stream takes all it can get:");
		say(found, rounds, moves);
	}
	free(all.ns);
	free(beside.ns);
	return 0;
}
