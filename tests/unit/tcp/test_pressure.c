// SPDX-License-Identifier: BSD-3-Clause
// Memory pressure: its steps, and what each does to connections and handshakes.
#include "duo.h"

#include "pkt/pressure.h"

struct step {
	struct env env;
	struct counters counters;
	struct trace trace;
};

static struct step *step_create(uint32_t max)
{
	struct step *s = calloc(1, sizeof(*s));

	s->env.counters = &s->counters;
	s->env.trace = &s->trace;
	s->env.kept_pkts_max = max;
	return s;
}

static enum pressure held(struct step *s, uint32_t pkts)
{
	s->env.kept_pkts = pkts;
	pressure_look(&s->env);
	return pressure_of(&s->env);
}

static void each_step_has_its_threshold_and_is_left_later(void **state)
{
	struct step *s = step_create(1600);

	(void)state;
	assert_int_equal(held(s, 0), PRESSURE_NONE);
	assert_int_equal(held(s, 799), PRESSURE_NONE);
	assert_int_equal(held(s, 800), PRESSURE_SHRINK);
	assert_int_equal(held(s, 700), PRESSURE_SHRINK);
	assert_int_equal(held(s, 699), PRESSURE_NONE);
	assert_int_equal(held(s, 1400), PRESSURE_SHED);
	assert_int_equal(held(s, 1300), PRESSURE_SHED);
	assert_int_equal(held(s, 1600), PRESSURE_REFUSE);
	assert_int_equal(held(s, 5000), PRESSURE_REFUSE);
	assert_int_equal(held(s, 1500), PRESSURE_REFUSE);
	assert_int_equal(held(s, 1499), PRESSURE_SHED);
	assert_int_equal(held(s, 1299), PRESSURE_SHRINK);
	assert_int_equal(held(s, 0), PRESSURE_NONE);
	free(s);
}

static void each_change_is_counted_and_traced(void **state)
{
	struct step *s = step_create(1600);

	(void)state;
	held(s, 1600);
	assert_int_equal(s->counters.value[COUNTER_pressure_shrinks], 1);
	assert_int_equal(s->counters.value[COUNTER_pressure_sheds], 1);
	assert_int_equal(s->counters.value[COUNTER_pressure_refusals], 1);
	held(s, 0);
	held(s, 800);
	assert_int_equal(s->counters.value[COUNTER_pressure_shrinks], 2);
	assert_int_equal(s->trace.written, 3);
	assert_int_equal(s->trace.record[0].event, EVENT_MEMORY_PRESSURE);
	assert_int_equal(s->trace.record[1].a, PRESSURE_REFUSE);
	assert_int_equal(s->trace.record[1].b, PRESSURE_NONE);
	free(s);
}

static void the_smallest_pools_have_steps_too(void **state)
{
	(void)state;
	for (uint32_t max = 1; max < 40; max++) {
		struct step *s = step_create(max);

		for (uint32_t pkts = 0; pkts < 2 * max; pkts++)
			assert_int_equal(held(s, pkts) == PRESSURE_REFUSE, pkts >= max);
		assert_int_equal(held(s, 0), PRESSURE_NONE);
		free(s);
	}
}

// What is offered, once all that came was taken.
static uint32_t window_under(enum pressure level)
{
	struct duo *d = duo_create();
	uint32_t wnd;

	duo_open(d);
	pressure_force(&d->host[1].env, level);
	d->host[0].app.to_send = 4 << 20;
	duo_run(d, 5 * NS_PER_S);
	assert_int_equal(d->host[1].app.received, 4 << 20);
	assert_true(d->host[1].app.in_order);
	wnd = duo_conn(d, 1)->rcv.wnd;
	duo_destroy(d);
	return wnd;
}

static void windows_shrink_step_by_step_and_all_arrives(void **state)
{
	uint32_t before = window_under(PRESSURE_NONE);

	(void)state;
	for (enum pressure level = PRESSURE_SHRINK; level <= PRESSURE_REFUSE; level++) {
		uint32_t wnd = window_under(level);

		assert_in_range(wnd, 2 * 1448, before * 6 / 10);
		before = wnd;
	}
}

// RFC 9293 SHLD-14: what was offered stays offered.
static void a_window_never_moves_back_under_pressure(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_open(d);
	d->host[0].app.to_send = 64 << 20;
	uint64_t edge = 0;

	for (int i = 0; i < 2000; i++) {
		struct conn *c;

		pressure_force(&d->host[1].env, (enum pressure)(i / 7 % 4));
		duo_run(d, NS_PER_MS);
		c = duo_conn(d, 1);
		assert_true(c->rcv.nxt + c->rcv.wnd >= edge);
		edge = c->rcv.nxt + c->rcv.wnd;
	}
	assert_true(d->host[1].app.received > 8 << 20);
	duo_destroy(d);
}

// All was taken while pressure was on, so that nothing is left that would open the window.
static void a_window_that_pressure_held_shut_opens_when_it_falls(void **state)
{
	(void)state;
	for (enum pressure level = PRESSURE_SHRINK; level <= PRESSURE_REFUSE; level++) {
		struct duo *d = duo_create();
		uint64_t before;

		duo_open(d);
		d->host[0].app.to_send = 8 << 20;
		d->host[1].app.hold = true;
		duo_run(d, 100 * NS_PER_MS);
		assert_int_equal(duo_conn(d, 1)->rcv.wnd >> 16, 0);
		pressure_force(&d->host[1].env, level);
		app_release(&d->host[1]);
		before = d->host[1].app.received;
		d->host[1].app.hold = false;
		pressure_force(&d->host[1].env, PRESSURE_NONE);
		duo_run(d, 20 * NS_PER_MS);
		assert_true(d->host[1].app.received > before);
		assert_int_equal(duo_count(d, 0, COUNTER_tcp_zero_window_probes), 0);
		duo_run(d, 10 * NS_PER_S);
		assert_int_equal(d->host[1].app.received, 8 << 20);
		duo_destroy(d);
	}
}

static void a_handshake_is_not_kept_under_pressure(void **state)
{
	struct duo *d = duo_create();
	struct tcp_counts counts;

	(void)state;
	duo_listen(d, 1, 80);
	pressure_force(&d->host[1].env, PRESSURE_SHED);
	duo_connect(d, 0, 0, 80);
	duo_run(d, NS_PER_S);
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_cookies_out), 1);
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_cookies_in), 1);
	assert_int_equal(d->host[0].app.connected, 1);
	assert_int_equal(d->host[1].app.accepted, 1);
	tcp_count(d->host[1].tcp, &counts);
	assert_int_equal(counts.half_open, 0);
	duo_destroy(d);
}

// Its handshake was answered, and it may be we who begin: it never comes again.
static void an_answered_handshake_is_kept_when_nothing_new_is(void **state)
{
	struct duo *d = duo_create();

	(void)state;
	duo_listen(d, 1, 80);
	pressure_force(&d->host[1].env, PRESSURE_SHED);
	duo_connect(d, 0, 0, 80);
	for (int i = 0; duo_count(d, 1, COUNTER_tcp_cookies_out) == 0; i++) {
		assert_in_range(i, 0, 1000);
		duo_run(d, NS_PER_US);
	}
	d->host[1].env.kept_pkts += d->host[1].env.kept_pkts_max;
	duo_run(d, NS_PER_S);
	d->host[1].env.kept_pkts -= d->host[1].env.kept_pkts_max;
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_cookies_in), 1);
	assert_int_equal(d->host[1].app.accepted, 1);
	duo_destroy(d);
}

static void who_was_asked_twice_is_forgotten_under_pressure(void **state)
{
	struct duo *d = duo_create();
	struct tcp_counts counts;

	(void)state;
	duo_open(d);
	pair_set_faults(d->pair, 1, &(struct pair_faults){.loss_ppm = 1000000});
	duo_connect(d, 0, 0, 80);
	duo_run(d, 100 * NS_PER_MS);
	pressure_force(&d->host[1].env, PRESSURE_SHED);
	tcp_count(d->host[1].tcp, &counts);
	assert_int_equal(counts.half_open, 1);
	duo_run(d, 1400 * NS_PER_MS);
	tcp_count(d->host[1].tcp, &counts);
	assert_int_equal(counts.half_open, 1); // whose way takes more than a second
	duo_run(d, 2 * NS_PER_S);
	tcp_count(d->host[1].tcp, &counts);
	assert_int_equal(counts.half_open, 0);
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_attempt_fails), 1);
	pair_set_faults(d->pair, 1, &(struct pair_faults){0});
	duo_run(d, 5 * NS_PER_S); // his SYN comes again, and has a cookie
	assert_int_equal(d->host[1].app.accepted, 2);
	assert_int_equal(duo_count(d, 1, COUNTER_tcp_cookies_in), 1);
	duo_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_has_its_threshold_and_is_left_later),
		cmocka_unit_test(each_change_is_counted_and_traced),
		cmocka_unit_test(the_smallest_pools_have_steps_too),
		cmocka_unit_test(windows_shrink_step_by_step_and_all_arrives),
		cmocka_unit_test(a_window_never_moves_back_under_pressure),
		cmocka_unit_test(a_window_that_pressure_held_shut_opens_when_it_falls),
		cmocka_unit_test(a_handshake_is_not_kept_under_pressure),
		cmocka_unit_test(an_answered_handshake_is_kept_when_nothing_new_is),
		cmocka_unit_test(who_was_asked_twice_is_forgotten_under_pressure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
