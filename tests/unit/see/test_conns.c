// SPDX-License-Identifier: BSD-3-Clause
// Connections of a file: chosen by filter and state, in the order that was asked for, counted.
#include "see/conns.h"

#include "file.h"
#include "sync/row.h"

#define ESTABLISHED 4
#define CLOSE_WAIT 7

static void show(struct file *f, uint32_t worker, uint32_t index, struct conn_row row)
{
	row_write(&shm_conn_rows(f->shm, worker)[index].version, &row.version + 1, CONN_ROW_WORDS);
}

static struct conn_row conn(uint8_t last_octet, uint16_t remote_port)
{
	return (struct conn_row){.handle = 1000u + remote_port + (last_octet - 1u) * 100000,
				 .state = ESTABLISHED,
				 .local = addr_from_v4_octets(198, 18, 0, 2),
				 .remote = addr_from_v4_octets(10, 0, 0, last_octet),
				 .local_port = 80,
				 .remote_port = remote_port};
}

static struct conns collect(const struct file *f, const char *text, struct conns_wish wish)
{
	struct packet_filter *filter = text ? packet_filter_create(text) : NULL;
	struct conns out;

	assert_true(filter || !text);
	assert_int_equal(shm_reader_refresh(f->reader), 0);
	assert_int_equal(shm_reader_refresh_conns(f->reader), 0);
	wish.filter = filter;
	assert_int_equal(conns_collect(f->reader, &wish, &out), 0);
	packet_filter_destroy(filter);
	return out;
}

static uint32_t count(const struct file *f, const char *text)
{
	struct conns conns = collect(f, text, (struct conns_wish){0});

	conns_free(&conns);
	return conns.row_count;
}

static void a_filter_is_meant_of_what_prism_sends(void **state)
{
	struct file *f = *state;
	struct conn_row v6 = conn(1, 7000);

	show(f, 0, 0, conn(1, 5000));
	show(f, 0, 1, conn(2, 5001));
	show(f, 1, 0, conn(2, 5002));
	memcpy(v6.local.byte, "\x20\x01\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	memcpy(v6.remote.byte, "\x20\x01\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	show(f, 1, 1, v6);
	assert_int_equal(count(f, NULL), 4);
	assert_int_equal(count(f, "host 10.0.0.2"), 2);
	assert_int_equal(count(f, "dst port 5001"), 1);
	assert_int_equal(count(f, "src port 5001"), 0);
	assert_int_equal(count(f, "src port 80 and dst net 10.0.0.0/24"), 3);
	assert_int_equal(count(f, "ip6 and tcp dst port 7000"), 1);
	assert_int_equal(count(f, "dst host 2001:db8::1"), 1);
	assert_int_equal(count(f, "udp"), 0);
	assert_int_equal(count(f, "not port 5000"), 3);
}

static void states_are_named_as_ss_names_them(void **state)
{
	struct file *f = *state;
	struct conn_row waits = conn(1, 5001);
	struct conns_wish wish = {0};
	const char *wrong;

	waits.state = CLOSE_WAIT;
	show(f, 0, 0, conn(1, 5000));
	show(f, 0, 1, waits);
	assert_true(conns_states("close-wait", &wish.states, &wrong));
	struct conns conns = collect(f, NULL, wish);

	assert_int_equal(conns.row_count, 1);
	assert_int_equal(conns.row[0].c.remote_port, 5001);
	assert_int_equal(conns.shown, 2);
	assert_string_equal(conns_state(conns.row[0].c.state), "CLOSE-WAIT");
	conns_free(&conns);
	assert_true(conns_states("ESTAB,close-wait", &wish.states, &wrong));
	assert_int_equal(wish.states, 1 << ESTABLISHED | 1 << CLOSE_WAIT);
	assert_false(conns_states("established,closewait", &wish.states, &wrong));
	assert_string_equal(wrong, "closewait");
	assert_false(conns_states("established,", &wish.states, &wrong));
	assert_true(conns_states("ESTAB,established", &wish.states, &wrong)); // said twice
	assert_false(conns_states("time-wait", &wish.states, &wrong));        // has no rows
	assert_false(conns_states("listening", &wish.states, &wrong));
	assert_false(conns_states("", &wish.states, &wrong));
	assert_string_equal(conns_state(11), "?");
	assert_string_equal(conns_congestion(4), "?");
}

static void the_busiest_stand_first_unless_another_order_was_asked_for(void **state)
{
	struct file *f = *state;
	static const struct {
		enum conns_order order;
		uint16_t first, last; // remote ports
	} cases[] = {{CONNS_BY_RATE, 3, 4}, {CONNS_BY_RETRANSMITS, 2, 4}, {CONNS_BY_RTT, 1, 4},
		     {CONNS_BY_HELD, 4, 3}, {CONNS_BY_UNACKED, 1, 4},     {CONNS_BY_ADDRESS, 1, 4}};
	struct conn_row a = conn(1, 1), b = conn(1, 2), c = conn(2, 3), d = conn(3, 4);

	a.srtt_us = 9, a.unacked_bytes = 5, a.send_rate = 1;
	b.retransmits = 3, b.srtt_us = 8, b.unacked_bytes = 4, b.receive_rate = 2;
	c.send_rate = c.receive_rate = 2, c.retransmits = 1, c.srtt_us = 1, c.unacked_bytes = 3;
	d.held_bytes = 7;
	show(f, 0, 0, d);
	show(f, 1, 0, c);
	show(f, 0, 1, b);
	show(f, 1, 1, a);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct conns conns = collect(f, NULL, (struct conns_wish){.order = cases[i].order});

		assert_int_equal(conns.row_count, 4);
		assert_int_equal(conns.row[0].c.remote_port, cases[i].first);
		assert_int_equal(conns.row[3].c.remote_port, cases[i].last);
		assert_int_equal(conns_order_named(conns_order_names[cases[i].order]),
				 cases[i].order);
		conns_free(&conns);
	}
	assert_int_equal(conns_order_named("size"), CONNS_ORDERS);
}

static void who_has_no_row_or_none_yet_is_counted(void **state)
{
	struct file *f = *state;

	for (uint32_t i = 0; i < CONN_ROWS / 2; i++)
		show(f, 0, i, conn(1, (uint16_t)(1 + i)));
	show(f, 1, 0, conn(2, 1));
	shm_worker(f->shm, 0)->conns_open = CONN_ROWS / 2 + 17;
	shm_worker(f->shm, 1)->conns_open = 3; // two were born a moment ago
	shm_worker(f->shm, 1)->conns_time_wait = 2;
	struct conns conns = collect(f, "host 10.0.0.2", (struct conns_wish){0});

	assert_int_equal(conns.row_count, 1);
	assert_int_equal(conns.row[0].worker, 1);
	assert_int_equal(conns.shown, CONN_ROWS / 2 + 1);
	assert_int_equal(conns.beyond, 17 + 2);
	assert_int_equal(conns.open, CONN_ROWS / 2 + 20);
	assert_int_equal(conns.time_wait, 2);
	assert_int_equal(conns.unfinished, 0);
	conns_free(&conns);
}

// The later of two rows, which worker's it is.
static void one_that_goes_to_another_worker_meanwhile_is_told_once(void **state)
{
	struct file *f = *state;
	struct conn_row before = conn(1, 5000), after = before;

	before.as_of_ns = f->now_ns - 7;
	after.as_of_ns = f->now_ns + 5; // later than the last heartbeat
	show(f, 1, 0, before);
	show(f, 0, 0, after);
	show(f, 1, 1, conn(1, 5001));
	struct conns conns = collect(f, NULL, (struct conns_wish){.order = CONNS_BY_ADDRESS});

	assert_int_equal(conns.row_count, 2);
	assert_int_equal(conns.matched, 2);
	assert_int_equal(conns.shown, 2);
	assert_int_equal(conns.row[0].worker, 0);
	assert_int_equal(conns.now_ns, f->now_ns + 5);
	conns_free(&conns);
}

static void json_has_each_number_by_its_name_and_the_rest_in_words(void **state)
{
	struct file *f = *state;
	struct conn_row row = conn(1, 5000);

	row.ssthresh_bytes = UINT32_MAX;
	row.flags = CONN_SHOWN_SACK | CONN_SHOWN_RECOVERY;
	row.as_of_ns = f->now_ns - NS_PER_S;
	row.since_ns = f->now_ns - 3 * NS_PER_S;
	row.rto_us = 204000;
	show(f, 0, 0, row);
	struct conns conns = collect(f, NULL, (struct conns_wish){0});
	json_t *all = conns_json(f->reader, &conns);
	const json_t *one = json_array_get(json_object_get(all, "connections"), 0);

	assert_non_null(one);
	for (uint32_t i = 0; i < CONN_ROW_FIELDS; i++) {
		const char *name = conn_row_fields[i].name;
		bool in_words = strcmp(name, "as_of_ns") == 0 || strcmp(name, "since_ns") == 0;

		assert_int_equal(json_object_get(one, name) == NULL, in_words);
	}
	assert_string_equal(json_string_value(json_object_get(one, "state")), "ESTAB");
	assert_string_equal(json_string_value(json_object_get(one, "remote")), "10.0.0.1");
	assert_string_equal(json_string_value(json_object_get(one, "handle")), "0x1770");
	assert_string_equal(json_string_value(json_object_get(one, "port")), "p0");
	assert_int_equal(json_integer_value(json_object_get(one, "rto_us")), 204000);
	assert_true(json_is_null(json_object_get(one, "ssthresh_bytes")));
	assert_int_equal(json_array_size(json_object_get(one, "flags")), 2);
	assert_true(json_real_value(json_object_get(one, "shown_for_s")) == 2.0);
	assert_true(json_real_value(json_object_get(one, "as_of_s_ago")) >= 1.0);
	json_decref(all);
	conns_free(&conns);
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, file_set_up, file_tear_down)
	const struct CMUnitTest tests[] = {
		WITH_FILE(a_filter_is_meant_of_what_prism_sends),
		WITH_FILE(states_are_named_as_ss_names_them),
		WITH_FILE(the_busiest_stand_first_unless_another_order_was_asked_for),
		WITH_FILE(who_has_no_row_or_none_yet_is_counted),
		WITH_FILE(one_that_goes_to_another_worker_meanwhile_is_told_once),
		WITH_FILE(json_has_each_number_by_its_name_and_the_rest_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
