// SPDX-License-Identifier: BSD-3-Clause
// Goodput over loss x delay x window, in virtual time, as a table for each congestion control, kept
// in git: the same code gives the same tables to the last digit, and a change in how fast TCP goes
// shows as a difference that somebody must look at. `goodput FILE` compares, `goodput --update
// FILE` writes.
//
// One connection sends for four seconds over 100 Mbit/s with a queue of 64 KiB; the receiver
// releases at once. In the last table it sends for thirty seconds, and the queue takes all: what
// CUBIC is for is a window that the clock brings back, where losses are few and round trips long;
// and likewise where the queue marks what it has too much of (RFC 3168).
// Where packets are lost a single run says little: at 0.1 % loss, 10 ms and the large window 40
// seeds had a mean of 21.6 Mbit/s and a standard deviation of 4.6, one of them 32. So figures with
// loss are the mean of several seeds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sim/flow.h"

#define CHUNK_BYTES 8192
#define SEEDS 12
#define RATE_BITS_S 100000000u
#define LONG_SEEDS 4
#define BBR_SEEDS 2

static const uint32_t losses_ppm[] = {0, 1000, 10000, 50000};
static const uint32_t delays_us[] = {1000, 10000, 50000};
static const uint32_t windows_bytes[] = {16384, 65536, 262144};
static const uint32_t marks_bytes[] = {5000, 30000};
static const uint32_t short_bytes[] = {8000, 32000};
static const uint32_t long_losses_ppm[] = {30, 100};
static const uint32_t long_delays_us[] = {20000, 50000};

static const struct {
	const char *name;
	enum prism_congestion kind;
} kinds[] = {
	{"cubic", PRISM_CONGESTION_CUBIC},
	{"newreno", PRISM_CONGESTION_NEWRENO},
};

struct transfer {
	struct world *world;
	prism_conn conn;
	bool open;
	uint64_t sent_bytes, received_bytes;
};

static void take(void *context, int node, const struct prism_event *e)
{
	struct transfer *t = context;

	if (e->type == PRISM_EVENT_CONNECTED)
		t->open = true;
	if (e->type != PRISM_EVENT_DATA)
		return;
	t->received_bytes += e->len;
	prism_buf_release(t->world->node[node].worker, e->buf);
}

static void send_all_that_fits(struct transfer *t)
{
	while (t->open && prism_tcp_send_region(t->world->node[0].worker, t->conn,
						pattern_at(0, t->sent_bytes), CHUNK_BYTES) == 0)
		t->sent_bytes += CHUNK_BYTES;
}

struct cell {
	enum prism_congestion kind;
	uint64_t rate_bits_s; // 0: RATE_BITS_S
	uint32_t loss_ppm, delay_us, window_bytes;
	uint32_t queue_bytes;
	bool paced;
	uint32_t mark_bytes; // behind which the queue marks; 0: it does not, and nobody asks
	uint32_t seconds;
	uint32_t seeds; // of which the mean is taken where packets are lost
};

// Mbit/s with one digit behind the point, times ten; and segments that left again.
static uint64_t measure(const struct cell *cell, uint64_t seed, uint64_t *again)
{
	struct world_config config;
	struct transfer t = {0};
	struct prism_endpoint local = {.port = 80}, remote = world_endpoint(1, 80);
	prism_listener listener;

	world_config_init(&config);
	config.seed = seed;
	config.frames_max = 32768;
	for (int kind = 0; kind < POOL_KINDS; kind++)
		config.pool_pkts[kind] = 32768;
	config.options.buffers = 32768;
	config.options.send_bytes_max = 2 * cell->window_bytes;
	config.options.receive_bytes_max = cell->window_bytes;
	config.options.congestion = cell->kind;
	config.options.pacing = cell->paced;
	config.options.ecn = cell->mark_bytes ? PRISM_ECN_ON : PRISM_ECN_PASSIVE;
	for (int end = 0; end < 2; end++)
		config.faults[end] = (struct pair_faults){
			.rate_bits_s = cell->rate_bits_s ? cell->rate_bits_s : RATE_BITS_S,
			.delay_ns = cell->delay_us * NS_PER_US,
			.queue_bytes = cell->queue_bytes,
			.mark_bytes = cell->mark_bytes,
			.loss_ppm = cell->loss_ppm};
	t.world = world_create(&config);
	if (prism_tcp_listen(t.world->node[1].worker, &local, 0, &listener) ||
	    prism_tcp_connect(t.world->node[0].worker, &remote, NULL, 0, &t.conn))
		abort();
	uint64_t end_ns = t.world->now_ns + cell->seconds * NS_PER_S;

	while (t.world->now_ns < end_ns && world_step(t.world, end_ns, take, &t))
		send_all_that_fits(&t);
	if (t.world->failure)
		abort();
	*again = t.world->node[0].counters.value[COUNTER_tcp_retrans_segs];
	world_destroy(t.world);
	return t.received_bytes * 8 * 10 / cell->seconds / 1000000;
}

static uint64_t mean(const struct cell *cell)
{
	uint64_t seeds = cell->loss_ppm ? cell->seeds : 1, sum = 0, again;

	for (uint64_t seed = 1; seed <= seeds; seed++)
		sum += measure(cell, seed, &again);
	return (sum + seeds / 2) / seeds;
}

static void write_mean(FILE *out, const struct cell *cell)
{
	uint64_t tenths = mean(cell);

	fprintf(out, " %7lu.%lu", tenths / 10, tenths % 10);
	fflush(out);
}

static void write_table(FILE *out, size_t k)
{
	fprintf(out, "# %s\n# %7s %8s", kinds[k].name, "loss", "delay");
	for (size_t w = 0; w < ARRAY_COUNT(windows_bytes); w++)
		fprintf(out, " %9u", windows_bytes[w]);
	fprintf(out, "\n");
	for (size_t l = 0; l < ARRAY_COUNT(losses_ppm); l++) {
		for (size_t d = 0; d < ARRAY_COUNT(delays_us); d++) {
			struct cell cell = {.kind = kinds[k].kind,
					    .loss_ppm = losses_ppm[l],
					    .delay_us = delays_us[d],
					    .queue_bytes = 65536,
					    .seconds = 4,
					    .seeds = SEEDS};

			fprintf(out, "  %7u %8u", losses_ppm[l], delays_us[d]);
			for (size_t w = 0; w < ARRAY_COUNT(windows_bytes); w++) {
				cell.window_bytes = windows_bytes[w];
				write_mean(out, &cell);
			}
			fprintf(out, "\n");
		}
	}
}

static void write_long_table(FILE *out)
{
	fprintf(out, "# long: a window and a queue of 1 MiB, thirty seconds\n# %7s %8s", "loss",
		"delay");
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		fprintf(out, " %9s", kinds[k].name);
	fprintf(out, "\n");
	for (size_t l = 0; l < ARRAY_COUNT(long_losses_ppm); l++) {
		for (size_t d = 0; d < ARRAY_COUNT(long_delays_us); d++) {
			struct cell cell = {.loss_ppm = long_losses_ppm[l],
					    .delay_us = long_delays_us[d],
					    .window_bytes = 1 << 20,
					    .queue_bytes = 1 << 20,
					    .seconds = 30,
					    .seeds = LONG_SEEDS};

			fprintf(out, "  %7u %8u", cell.loss_ppm, cell.delay_us);
			for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
				cell.kind = kinds[k].kind;
				write_mean(out, &cell);
			}
			fprintf(out, "\n");
		}
	}
}

// A row of a table with a column for each kind, and each paced.
static void write_row(FILE *out, struct cell cell)
{
	fprintf(out, "  %7u %8u", cell.mark_bytes ? cell.mark_bytes : cell.queue_bytes,
		cell.delay_us);
	for (size_t k = 0; k < 2 * ARRAY_COUNT(kinds); k++) {
		cell.kind = kinds[k / 2].kind;
		cell.paced = k & 1;
		write_mean(out, &cell);
	}
	fprintf(out, "\n");
}

static void write_head(FILE *out, const char *what, const char *first)
{
	fprintf(out, "# %s\n# %7s %8s", what, first, "delay");
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		fprintf(out, " %9s %9s", kinds[k].name, "paced");
	fprintf(out, "\n");
}

// Nothing is lost: all that slows a sender down is a mark.
static void write_marks_table(FILE *out)
{
	write_head(out, "marks: a window and a queue of 1 MiB that marks, ten seconds", "behind");
	for (size_t m = 0; m < ARRAY_COUNT(marks_bytes); m++)
		for (size_t d = 0; d < ARRAY_COUNT(delays_us); d++)
			write_row(out, (struct cell){.delay_us = delays_us[d],
						     .window_bytes = 1 << 20,
						     .queue_bytes = 1 << 20,
						     .mark_bytes = marks_bytes[m],
						     .seconds = 10});
}

// A queue that does not hold a window's burst.
static void write_short_table(FILE *out)
{
	write_head(out, "short: a window of 1 MiB, a short queue, ten seconds", "queue");
	for (size_t q = 0; q < ARRAY_COUNT(short_bytes); q++)
		for (size_t d = 0; d < ARRAY_COUNT(delays_us); d++)
			write_row(out, (struct cell){.delay_us = delays_us[d],
						     .window_bytes = 1 << 20,
						     .queue_bytes = short_bytes[q],
						     .seconds = 10});
}

// What BBR is for, few seconds of it: losses that are no sign of a full queue, and a queue that
// does not hold a window's burst.
static void write_bbr_table(FILE *out)
{
	static const struct {
		uint32_t loss_ppm, queue_bytes;
	} rows[] = {{10000, 1 << 20}, {50000, 1 << 20}, {0, 8000}, {0, 32000}};
	static const enum prism_congestion columns[] = {
		PRISM_CONGESTION_CUBIC, PRISM_CONGESTION_NEWRENO, PRISM_CONGESTION_BBR};

	fprintf(out,
		"# bbr: a window of 2 MiB, 50 ms each way, eight seconds\n# %7s %8s %9s %9s %9s\n",
		"loss", "queue", "cubic", "newreno", "bbr");
	for (size_t r = 0; r < ARRAY_COUNT(rows); r++) {
		struct cell cell = {.loss_ppm = rows[r].loss_ppm,
				    .delay_us = 50000,
				    .window_bytes = 2 << 20,
				    .queue_bytes = rows[r].queue_bytes,
				    .seconds = 8,
				    .seeds = BBR_SEEDS};

		fprintf(out, "  %7u %8u", cell.loss_ppm, cell.queue_bytes);
		for (size_t k = 0; k < ARRAY_COUNT(columns); k++) {
			cell.kind = columns[k];
			write_mean(out, &cell);
		}
		fprintf(out, "\n");
	}
}

// Wires that hold hundreds of segments: where slow start ends, before a queue of as many overflows
// or not before a shorter one does, and how what it lost is repaired.
static void write_fat_table(FILE *out)
{
	static const struct {
		uint32_t rate_mbit, delay_us, queue_bytes;
	} rows[] = {{10, 75000, 187500},   {100, 25000, 625000},  {100, 75000, 1875000},
		    {100, 75000, 1000000}, {400, 25000, 1000000}, {100, 25000, 62500}};

	fprintf(out,
		"# fat: a window of 16 MiB, eight seconds, and segments that left again\n"
		"# %7s %8s %9s %9s %9s %9s %9s\n",
		"Mbit/s", "delay", "queue", "cubic", "again", "newreno", "again");
	for (size_t r = 0; r < ARRAY_COUNT(rows); r++) {
		fprintf(out, "  %7u %8u %9u", rows[r].rate_mbit, rows[r].delay_us,
			rows[r].queue_bytes);
		for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
			struct cell cell = {.kind = kinds[k].kind,
					    .rate_bits_s = rows[r].rate_mbit * UINT64_C(1000000),
					    .delay_us = rows[r].delay_us,
					    .window_bytes = 16 << 20,
					    .queue_bytes = rows[r].queue_bytes,
					    .seconds = 8};
			uint64_t again, tenths = measure(&cell, 1, &again);

			fprintf(out, " %7lu.%lu %9lu", tenths / 10, tenths % 10, again);
		}
		fprintf(out, "\n");
	}
}

static void write_tables(FILE *out)
{
	fprintf(out,
		"# goodput in Mbit/s: loss in ppm (both ways), "
		"one-way delay in us, window in bytes\n"
		"# with loss: the mean of %d seeds (long: %d, bbr: %d), for one may be half as "
		"fast again\n",
		SEEDS, LONG_SEEDS, BBR_SEEDS);
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		write_table(out, k);
	write_long_table(out);
	write_marks_table(out);
	write_short_table(out);
	write_bbr_table(out);
	write_fat_table(out);
}

// Prints the lines that differ. True when none does.
static bool compare(FILE *golden, FILE *now)
{
	char want[256], got[256];
	bool same = true;

	rewind(now);
	while (fgets(got, sizeof(got), now)) {
		if (!fgets(want, sizeof(want), golden))
			want[0] = '\0';
		if (strcmp(want, got) == 0)
			continue;
		printf("- %s+ %s", want, got);
		same = false;
	}
	return same;
}

int main(int argc, char **argv)
{
	bool update = argc == 3 && strcmp(argv[1], "--update") == 0;

	if (argc < 2)
		return 2;
	FILE *golden = fopen(argv[argc - 1], update ? "w" : "r");
	FILE *now = update ? golden : tmpfile();

	if (!golden || !now) {
		perror(argv[argc - 1]);
		return 2;
	}
	pattern_init();
	write_tables(now);
	if (update || compare(golden, now))
		return 0;
	printf("goodput changed; if that is meant: goodput --update %s\n", argv[argc - 1]);
	return 1;
}
