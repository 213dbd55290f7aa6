// SPDX-License-Identifier: BSD-3-Clause
// What prism top and the live lines of prism run show of given numbers, to the letter; and that it
// fits a terminal of 80 columns.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/time.h"
#include "cli/picture.h"
#include "cli/summary.h"

static struct picture_sample before, after;

static void set(struct picture_sample *sample, const char *name, uint64_t value)
{
	uint32_t i = 0;

	while (i < sample->count && strcmp(sample->value[i].name, name) != 0)
		i++;
	if (i == sample->count)
		snprintf(sample->value[sample->count++].name, sizeof(sample->value[i].name), "%s",
			 name);
	sample->value[i].value = value;
}

// A second of an instance that serves; what was before is zero if not said otherwise.
static void second_of_work(void)
{
	static const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"turns", 4110000},
		{"control.rebalance", 1},
		{"rebalance_orders", 5},
		{"rebalance_conns", 40},
		{"worker.0.turns", 4110000},
		{"worker.0.turns_busy", 1000},
		{"worker.0.in_pkts", 6800},
		{"worker.0.busy_ns", 238 * NS_PER_MS},
		{"worker.0.busy_cycles", 714000},
		{"worker.1.handed_pkts", 7},
		{"worker.0.conns_open", 5},
		{"worker.0.conns_half_open", 1},
		{"worker.0.conns_time_wait", 123456},
		{"port.p0.rx_pkts", 6800},
		{"port.p0.rx_bytes", 490000},
		{"port.p0.tx_pkts", 5580},
		{"port.p0.tx_bytes", 3437500},
		{"pool.rx.capacity_pkts", 18432},
		{"pool.rx.available_pkts", 17409},
		{"copied_bytes_pack", 0},
		{"copied_bytes_error", 180},
		{"drop.UDP_NO_SOCKET", 6},
		{"drop.TCP_CHECKSUM", 3},
		{"drop.IP_TTL", 0},
	};

	before = (struct picture_sample){.time_ns = NS_PER_S};
	after = (struct picture_sample){.time_ns = 2 * NS_PER_S};
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		set(&after, numbers[i].name, numbers[i].value);
	set(&before, "drop.UDP_NO_SOCKET", 6);
}

static const char *compose(enum stats_state state, bool by_total)
{
	static const struct shm_head head = {
		.instance = "hello", .pid = 4711, .version = "0.1.0", .worker_count = 2};
	static struct picture p;
	static char text[PICTURE_LINES_MAX * PICTURE_COLUMNS];
	size_t at = 0;

	p.head = &head;
	p.state = state;
	p.by_total = by_total;
	p.before = &before;
	p.after = &after;
	picture_compose(&p);
	for (uint32_t i = 0; i < p.line_count; i++) {
		assert_true(strlen(p.line[i]) <= 80);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s\n", p.line[i]);
	}
	return text;
}

static void a_working_instance_looks_like_this(void **state)
{
	second_of_work();
	assert_string_equal(
		compose(STATS_RUNNING, false),
		"prism hello  pid 4711  version 0.1.0  running\n"
		"\n"
		"worker busy %  turns/s pkt/turn cycles/pkt in rings    open half open time-wait\n"
		"0        23.8   4.11 M      6.8        105        0       5         1     123 k\n"
		"1         0.0        0      0.0          -        7       0         0         0\n"
		"rebalance on: 5 orders, 40 connections given\n"
		"\n"
		"port           in pkt/s     in bit/s    out pkt/s    out bit/s\n"
		"p0               6.80 k       3.92 M       5.58 k       27.5 M\n"
		"\n"
		"pool               free           of     in use %\n"
		"rx                17409        18432          5.6\n"
		"\n"
		"copied bytes:  pack 0  error 180\n"
		"unaccounted: 0\n"
		"\n"
		"dropped                                     pkt/s         in all\n"
		"  TCP_CHECKSUM                                  3              3\n"
		"  UDP_NO_SOCKET                                 0              6\n");
}

static void drops_sort_by_total_when_asked(void **state)
{
	second_of_work();
	const char *text = compose(STATS_RUNNING, true);

	assert_true(strstr(text, "UDP_NO_SOCKET") < strstr(text, "TCP_CHECKSUM"));
}

static void the_dead_and_the_stuck_are_named(void **state)
{
	second_of_work();
	assert_non_null(strstr(compose(STATS_DEAD, false), "DEAD"));
	assert_non_null(strstr(compose(STATS_ENDED, false), "ended"));
	assert_non_null(strstr(compose(STATS_STUCK, false), "STUCK"));
}

static void only_what_stays_unaccounted_is_called_a_bug(void **state)
{
	second_of_work();
	set(&after, "unaccounted", 8);
	assert_non_null(strstr(compose(STATS_RUNNING, false), "unaccounted: 8  (in flight"));
	set(&before, "unaccounted", 8);
	assert_non_null(strstr(compose(STATS_RUNNING, false), "unaccounted: 8  (a bug"));
	set(&after, "unaccounted", (uint64_t)-5000);
	assert_non_null(strstr(compose(STATS_RUNNING, false), "unaccounted: -5000  (a bug"));
}

static void the_live_lines_look_like_this(void **state)
{
	static struct summary summary = {.before.time_ns = NS_PER_S};
	static struct summary_sample now;
	char line[SUMMARY_LINES][SUMMARY_COLUMNS];

	now = (struct summary_sample){.time_ns = 3 * NS_PER_S,
				      .rx_pkts = 12000,
				      .rx_bytes = 1000000,
				      .tx_pkts = 10000,
				      .tx_bytes = 7000000,
				      .busy_ns = 500 * NS_PER_MS,
				      .idle_ns = 500 * NS_PER_MS,
				      .requests = 2000,
				      .connections = 5};
	summary_compose(&summary, &now, line);
	assert_string_equal(line[0], "requests 1.00 k/s  connections 5");
	assert_string_equal(line[1], "in 6.00 k pkt/s 4.00 Mbit/s  out 5.00 k pkt/s 28.0 Mbit/s");
	assert_string_equal(line[2], "busy 25.0 % (50 % while awake)  drops: none");
	now.drop[DROP_OK + 1] = 4;
	now.drop[DROP_OK + 2] = 40;
	summary_compose(&summary, &now, line);
	char want[SUMMARY_COLUMNS];

	snprintf(want, sizeof want, "drops: %s 20/s, %s 2/s", drop_infos[DROP_OK + 2].name,
		 drop_infos[DROP_OK + 1].name);
	assert_non_null(strstr(line[2], want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_working_instance_looks_like_this),
		cmocka_unit_test(drops_sort_by_total_when_asked),
		cmocka_unit_test(the_dead_and_the_stuck_are_named),
		cmocka_unit_test(only_what_stays_unaccounted_is_called_a_bug),
		cmocka_unit_test(the_live_lines_look_like_this),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
