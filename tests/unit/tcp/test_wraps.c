// SPDX-License-Identifier: BSD-3-Clause
// Clocks and numbers that wrap. One run with losses, silence, an outage and a closed window, begun
// at an ordinary time and before each wrap there is: it must be the same run to the last counter.
// Inside time is 64 bits of nanoseconds; what is kept in 32 bits of milliseconds, microseconds,
// timestamps or sequence space is where this can go wrong.
#include "duo.h"

#include "tcp/isn.h"

#define BYTES (1u << 20)

// Starts lie whole multiples of this apart, so that milliseconds, ticks of the timestamp clock and
// of the first sequence number (4.096 us) begin alike.
#define STEP_NS (16384 * NS_PER_MS)
#define ORDINARY_NS (5 * NS_PER_S)

struct outcome {
	struct counters counters[2];
	uint64_t received[2];
	uint64_t ended_ns[2]; // from the start
};

// Where numbers begin; 0: where they do.
struct begin {
	uint64_t start_ns;
	uint32_t ts_ticks_before_wrap;
	bool paced;
};

static uint64_t ended_ns(struct duo *d, int host, uint64_t start_ns)
{
	while (!d->host[host].app.closed && d->now_ns < start_ns + 1000 * NS_PER_S)
		duo_run(d, NS_PER_MS);
	return d->now_ns - start_ns;
}

static void send_more(struct duo *d, uint64_t bytes)
{
	for (int i = 0; i < 2; i++)
		d->host[i].app.to_send += bytes;
}

// Some two hundred seconds in which most of what has a clock comes to be.
static void live(struct duo *d)
{
	struct pair_faults bad = {.delay_ns = 10 * NS_PER_MS,
				  .loss_ppm = 10000,
				  .reorder_ppm = 10000,
				  .reorder_ns = 3 * NS_PER_MS,
				  .rate_bits_s = 20000000,
				  .queue_bytes = 100000};
	struct pair_faults nothing = {.loss_ppm = 1000000};

	duo_open(d);
	duo_set_faults(d, &bad);
	send_more(d, BYTES);
	duo_run(d, 30 * NS_PER_S);
	duo_run(d, 40 * NS_PER_S); // silent, but for keep-alive
	send_more(d, BYTES);
	duo_run(d, NS_PER_S / 4); // both are in the middle of it
	duo_set_faults(d, &nothing);
	duo_run(d, 20 * NS_PER_S);
	duo_set_faults(d, &bad);
	duo_run(d, 40 * NS_PER_S);
	d->host[1].app.hold = true;
	send_more(d, BYTES);
	duo_run(d, 40 * NS_PER_S);
	d->host[1].app.hold = false;
	app_release(&d->host[1]);
	duo_run(d, 30 * NS_PER_S);
}

static void run(const struct begin *begin, struct outcome *outcome)
{
	struct tcp_config config = duo_config();

	config.keepalive_ns = 7 * NS_PER_S;
	config.receive_bytes_max = 1 << 18;
	config.paces = begin->paced;
	duo_start_ns = begin->start_ns;
	struct duo *d = duo_create_with(&config, &(struct pair_faults){.delay_ns = NS_PER_MS});

	for (int i = 0; begin->ts_ticks_before_wrap && i < 2; i++)
		d->host[i].env.ts_offset =
			0u - isn_ts_at(&(struct env){0}, d->now_ns) - begin->ts_ticks_before_wrap;
	live(d);
	for (int i = 0; i < 2; i++)
		d->host[i].app.close_when_sent = true;
	for (int i = 0; i < 2; i++)
		outcome->ended_ns[i] = ended_ns(d, i, begin->start_ns);
	duo_run(d, 70 * NS_PER_S); // TIME-WAIT
	for (int i = 0; i < 2; i++) {
		assert_true(d->host[i].app.in_order);
		assert_int_equal(d->host[i].app.reason, PRISM_CLOSE_DONE);
		outcome->counters[i] = d->host[i].counters;
		outcome->received[i] = d->host[i].app.received;
	}
	duo_destroy(d);
	duo_start_ns = ORDINARY_NS;
}

static void ordinary(bool paced, struct outcome *outcome)
{
	run(&(struct begin){ORDINARY_NS, 0, paced}, outcome);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(outcome->received[i], 3 * BYTES);
		assert_true(outcome->counters[i].value[COUNTER_tcp_rtos] > 3);
		assert_true(outcome->counters[i].value[COUNTER_tcp_retrans_segs] > 10);
	}
	assert_true(outcome->counters[0].value[COUNTER_tcp_keepalive_probes] > 3);
	assert_true(outcome->counters[0].value[COUNTER_tcp_zero_window_probes] > 3);
}

// The steps to a place among early text go by a hash of offsets, which begin elsewhere.
static bool must_be_same(int counter)
{
	return counter != COUNTER_tcp_early_steps;
}

static void same(const char *what, uint64_t start_ns, const struct outcome *a,
		 const struct outcome *b)
{
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < COUNTER_COUNT; k++)
			if (must_be_same(k) && a->counters[i].value[k] != b->counters[i].value[k])
				fail_msg("%s, begun at %lu ns: host %d: %s is %lu, not %lu", what,
					 (unsigned long)start_ns, i, counter_infos[k].name,
					 (unsigned long)b->counters[i].value[k],
					 (unsigned long)a->counters[i].value[k]);
		assert_memory_equal(a->counters[i].drop, b->counters[i].drop,
				    sizeof(a->counters[i].drop));
		assert_int_equal(a->received[i], b->received[i]);
		assert_int_equal(a->ended_ns[i], b->ended_ns[i]);
	}
}

// The last start that is before_ns or more before this time.
static uint64_t start_before(uint64_t ns, uint64_t before_ns)
{
	return ORDINARY_NS + (ns - before_ns - ORDINARY_NS) / STEP_NS * STEP_NS;
}

static void clocks_that_wrap_change_nothing(void **state)
{
	static const struct {
		const char *what;
		uint64_t ns;
	} wraps[] = {
		{"2^31 us", (UINT64_C(1) << 31) * NS_PER_US},
		{"2^32 us", (UINT64_C(1) << 32) * NS_PER_US},
		{"2^31 ms", (UINT64_C(1) << 31) * NS_PER_MS},
		{"2^32 ms", (UINT64_C(1) << 32) * NS_PER_MS},
	};
	struct outcome expected, seen;

	(void)state;
	ordinary(false, &expected);
	for (size_t i = 0; i < ARRAY_COUNT(wraps); i++) {
		for (uint64_t before_s = 1; before_s < 200; before_s += 50) {
			uint64_t start_ns = start_before(wraps[i].ns, before_s * NS_PER_S);

			run(&(struct begin){start_ns, 0}, &seen);
			same(wraps[i].what, start_ns, &expected, &seen);
		}
	}
}

// Pacing's, of 64 ns, goes round in 275 s.
static void a_pacing_clock_that_wraps_changes_nothing(void **state)
{
	struct outcome expected, seen;

	(void)state;
	ordinary(true, &expected);
	assert_true(expected.counters[0].value[COUNTER_tcp_pace_waits] > 100);
	for (uint64_t half = 2; half <= 4; half++) { // of a round of it
		for (uint64_t before_s = 1; before_s < 200; before_s += 50) {
			uint64_t start_ns = start_before(half << 37, before_s * NS_PER_S);

			run(&(struct begin){start_ns, 0, true}, &seen);
			same("pacing", start_ns, &expected, &seen);
		}
	}
}

static void a_timestamp_clock_that_wraps_changes_nothing(void **state)
{
	struct outcome expected, seen;

	(void)state;
	ordinary(false, &expected);
	for (uint32_t before_s = 1; before_s < 200; before_s += 50) {
		for (uint32_t half = 0; half < 2; half++) {
			uint32_t ticks = (uint32_t)(before_s * NS_PER_S >> 20) + (half << 31);

			run(&(struct begin){ORDINARY_NS, ticks}, &seen);
			same("timestamps", ORDINARY_NS, &expected, &seen);
		}
	}
}

// The first number of host 0, when it begins then.
static uint32_t first_number(uint64_t start_ns)
{
	uint32_t iss;

	duo_start_ns = start_ns;
	struct duo *d = duo_create();

	duo_listen(d, 1, 80);
	duo_connect(d, 0, 0, 80);
	host_turn(d, 0);
	iss = (uint32_t)duo_conn(d, 0)->snd.una;
	duo_run(d, NS_PER_S);
	duo_destroy(d);
	duo_start_ns = ORDINARY_NS;
	return iss;
}

// The whole run takes 3 MiB of numbers; a step is 4,000,000 of them.
static void a_sequence_space_that_wraps_changes_nothing(void **state)
{
	uint32_t at_first = first_number(ORDINARY_NS);
	uint32_t per_step = (uint32_t)(STEP_NS >> 12);
	struct outcome expected, seen;

	(void)state;
	ordinary(false, &expected);
	for (uint32_t half = 0; half < 2; half++) {
		uint32_t target = half << 31, runs = 0;

		for (uint64_t k = 1; runs < 3; k++) {
			uint32_t iss = at_first + (uint32_t)k * per_step;

			if (target - iss > 3 * BYTES)
				continue;
			run(&(struct begin){ORDINARY_NS + k * STEP_NS, 0}, &seen);
			same("sequence numbers", ORDINARY_NS + k * STEP_NS, &expected, &seen);
			runs++;
		}
		assert_int_equal(first_number(ORDINARY_NS + 7 * STEP_NS), at_first + 7 * per_step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_that_wrap_change_nothing),
		cmocka_unit_test(a_pacing_clock_that_wraps_changes_nothing),
		cmocka_unit_test(a_timestamp_clock_that_wraps_changes_nothing),
		cmocka_unit_test(a_sequence_space_that_wraps_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
