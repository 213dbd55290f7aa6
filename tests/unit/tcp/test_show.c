// SPDX-License-Identifier: BSD-3-Clause
// What tools see of connections: who has a row, what it says, and that a row is nobody's twice.
#include "tcp/show.h"

#include "peer.h"
#include "sync/row.h"
#include "tcp/tune.h"

#define LOOK_NS (2 * NS_PER_MS)
#define NUMBER_ESTABLISHED 4

// The row of this handle, whole. False when there is none.
static bool row_of(const struct peer *b, uint64_t handle, struct conn_row *out)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < b->tcp->show->row_count; i++) {
		struct conn_row row = {0};

		assert_true(row_read(&b->rows[i].version, &row.version + 1, CONN_ROW_WORDS));
		if (row.handle != handle)
			continue;
		*out = row;
		found++;
	}
	assert_in_range(found, 0, 1);
	return found;
}

static uint32_t rows_in_use(const struct peer *b)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->tcp->show->row_count; i++)
		count += b->rows[i].handle != 0;
	return count;
}

// Turns a millisecond apart.
static void pass(struct peer *b, uint64_t ns)
{
	for (uint64_t end_ns = b->env.now_ns + ns; b->env.now_ns < end_ns;)
		peer_time(b, NS_PER_MS);
}

static struct conn_row look(struct peer *b)
{
	struct conn_row row;

	pass(b, LOOK_NS);
	assert_true(row_of(b, b->conn.id, &row));
	return row;
}

static void a_connection_is_shown_a_moment_after_its_birth(void **state)
{
	struct peer *b = peer_create();
	struct addr local = addr_from_v4_octets(198, 18, 0, 2);
	struct addr remote = addr_from_v4_octets(198, 18, 0, 1);

	(void)state;
	peer_open(b);
	struct conn_row row = look(b);

	assert_int_equal(row.state, NUMBER_ESTABLISHED);
	assert_memory_equal(&row.local, &local, sizeof(local));
	assert_memory_equal(&row.remote, &remote, sizeof(remote));
	assert_int_equal(row.local_port, 80);
	assert_int_equal(row.remote_port, 5000);
	assert_int_equal(row.flags & CONN_SHOWN_PASSIVE, CONN_SHOWN_PASSIVE);
	assert_int_equal(row.mss_bytes, 1460);
	assert_int_equal(row.peer_window_bytes, 60000);
	assert_int_equal(row.congestion, PRISM_CONGESTION_NEWRENO);
	assert_in_range(b->env.now_ns - row.as_of_ns, 0, NS_PER_MS);
	peer_destroy(b);
}

static void text_is_counted_both_ways_and_a_fin_is_no_text(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 300});
	peer_host_sends(b, 700, 700);
	struct conn_row row = look(b);

	assert_int_equal(row.received_bytes, 300);
	assert_int_equal(row.acked_bytes, 0);
	assert_int_equal(row.unacked_bytes, 700);
	assert_int_equal(row.in_flight_bytes, 700);
	assert_int_equal(tcp_close(b->tcp, b->conn), 0);
	peer_turn(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 301, .ack = 702});
	peer_seg(b, (struct in){.flags = ACK, .seq = 301, .ack = 702, .len = 10});
	row = look(b);
	assert_int_equal(row.acked_bytes, 700);
	assert_int_equal(row.unacked_bytes, 0);
	assert_int_equal(row.received_bytes, 310);
	assert_int_equal(row.state, 6); // FIN-WAIT-2
	peer_destroy(b);
}

static void the_peers_fin_is_no_text(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	peer_seg(b, (struct in){.flags = ACK | FIN, .seq = 1, .ack = 1, .len = 50});
	struct conn_row row = look(b);

	assert_int_equal(row.state, 7); // CLOSE-WAIT
	assert_int_equal(row.received_bytes, 50);
	peer_destroy(b);
}

static void a_connect_is_shown_and_its_handshake_is_no_text(void **state)
{
	struct peer *b = peer_create();
	struct tcp_tuple to = {.local = addr_from_v4_octets(198, 18, 0, 2),
			       .remote = addr_from_v4_octets(198, 18, 0, 1),
			       .local_port = 80,
			       .remote_port = 5000};

	(void)state;
	assert_int_equal(tcp_connect(b->tcp, &to, 0, &b->conn), 0);
	peer_turn(b);
	struct conn_row row = look(b);

	assert_int_equal(row.state, 2); // SYN-SENT
	assert_int_equal(row.flags & CONN_SHOWN_PASSIVE, 0);
	assert_int_equal(row.received_bytes + row.acked_bytes, 0);
	expect(b, SYN, 0, 0, 0);
	peer_seg(b, (struct in){.flags = SYN | ACK, .ack = 1});
	row = look(b);
	assert_int_equal(row.state, NUMBER_ESTABLISHED);
	assert_int_equal(row.received_bytes + row.acked_bytes, 0);
	peer_destroy(b);
}

static void what_is_sent_again_is_counted_in_its_row(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	peer_host_sends(b, 100, 100);
	peer_time(b, 700 * NS_PER_MS); // twice: after 200 ms, and 400 more
	struct conn_row row = look(b);

	assert_int_equal(row.timeouts, peer_count(b, COUNTER_tcp_rtos));
	assert_int_equal(row.retransmits, peer_count(b, COUNTER_tcp_retrans_segs));
	assert_int_equal(row.timeouts, 2);
	assert_int_equal(row.retransmits, 2);
	assert_int_equal(row.backoff, 2);
	assert_true(row.network_ns >= 400 * NS_PER_MS); // behind the first it is a repair
	peer_destroy(b);
}

// All the time behind the first look has one of three names.
static void the_time_goes_to_who_sets_the_pace(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	pass(b, 10 * NS_PER_MS);
	struct conn_row idle = look(b);

	assert_true(idle.application_ns >= 9 * NS_PER_MS);
	assert_int_equal(idle.peer_ns + idle.network_ns, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .window = 1000});
	peer_host_sends(b, 5000, 1000); // the peer takes a thousand
	pass(b, 20 * NS_PER_MS);
	struct conn_row closed = look(b);

	assert_true(closed.peer_ns >= 19 * NS_PER_MS);
	assert_true(closed.application_ns <= idle.application_ns + LOOK_NS);
	assert_int_equal(closed.network_ns, 0);
	assert_int_equal(closed.application_ns + closed.peer_ns + closed.network_ns,
			 closed.as_of_ns - closed.since_ns);
	peer_destroy(b);
}

static void text_that_waits_for_cwnd_waits_for_the_network(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	peer_host_sends(b, 50000, 1460); // ten segments leave
	pass(b, 20 * NS_PER_MS);
	struct conn_row row = look(b);

	assert_true(row.unacked_bytes > row.in_flight_bytes);
	assert_true(row.network_ns >= 19 * NS_PER_MS);
	assert_int_equal(row.peer_ns, 0);
	peer_destroy(b);
}

static void text_that_leaves_at_once_waits_for_nobody(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	for (uint32_t i = 1; i <= 30; i++) {
		b->env.now_ns += NS_PER_MS;
		peer_host_sends(b, 100, 100);
		while (peer_read(b))
			;
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 100 * i});
	}
	struct conn_row row = look(b);

	assert_int_equal(row.acked_bytes, 3000);
	assert_true(row.application_ns >= 29 * NS_PER_MS);
	assert_int_equal(row.network_ns + row.peer_ns, 0);
	peer_destroy(b);
}

// All it may have queued is on its way, and it has more.
static void who_has_no_room_for_more_waits_for_the_network(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 1000, 1000);
	struct conn_row before = look(b);

	conn_set(peer_conn(b), CONN_WANTS_ROOM);
	pass(b, 20 * NS_PER_MS);
	struct conn_row row = look(b);

	assert_true(row.network_ns >= 19 * NS_PER_MS);
	assert_true(row.application_ns <= before.application_ns + LOOK_NS);
	peer_destroy(b);
}

static void what_the_application_does_not_read_is_told(void **state)
{
	struct peer *b = peer_create();
	uint32_t seq = 1;

	(void)state;
	peer_open(b);
	b->hold = true;
	look(b);
	for (; peer_conn(b)->rcv.wnd >= 1460; seq += 1460)
		peer_seg(b, (struct in){.flags = ACK, .seq = seq, .ack = 1, .len = 1460});
	pass(b, 10 * NS_PER_MS);
	struct conn_row row = look(b);

	assert_true(row.unread_ns >= 9 * NS_PER_MS);
	assert_true(row.held_bytes >= seq - 1);
	peer_destroy(b);
}

static void rates_are_of_the_last_tenth_of_a_second(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	for (uint32_t i = 0; i < 100; i++) {
		peer_seg(b, (struct in){.flags = ACK, .seq = 1 + 100 * i, .ack = 1, .len = 100});
		pass(b, NS_PER_MS);
	}
	pass(b, 2 * NS_PER_MS);
	struct conn_row row = look(b);

	assert_in_range(row.receive_rate, 95000, 105000); // a hundred bytes a millisecond
	assert_int_equal(row.send_rate, 0);
	pass(b, 210 * NS_PER_MS);
	assert_int_equal(look(b).receive_rate, 0);
	peer_destroy(b);
}

// RFC 9293 3.10.7.4: a reset ends it.
static void reset_it(struct peer *b, uint32_t seq)
{
	peer_seg(b, (struct in){.flags = RST, .seq = seq});
	assert_null(peer_conn(b));
}

static void a_row_is_empty_again_when_its_connection_ended(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	assert_int_equal(rows_in_use(b), 1);
	reset_it(b, 1);
	pass(b, LOOK_NS);
	assert_int_equal(rows_in_use(b), 0);
	assert_int_equal(b->tcp->tuning[b->conn.id & 15].row, 0);
	peer_destroy(b);
}

static void open_again(struct peer *b)
{
	peer_seg(b, (struct in){.flags = SYN,
				.options = SYN_OPTIONS_MSS,
				.options_len = sizeof(SYN_OPTIONS_MSS)});
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
}

// Between two looks the slot is used again.
static void a_new_connection_in_the_slot_has_nothing_of_the_old_one(void **state)
{
	struct peer *b = peer_create();
	struct conn_row row;

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 900});
	uint64_t old = b->conn.id;

	peer_host_sends(b, 100, 100);
	peer_time(b, 300 * NS_PER_MS);
	assert_int_equal(look(b).retransmits, 1);
	while (peer_read(b))
		;
	reset_it(b, 901);
	open_again(b);
	assert_int_not_equal(b->conn.id, old);
	assert_int_equal(b->conn.id & 15, old & 15);
	row = look(b);
	assert_int_equal(row.received_bytes + row.retransmits + row.timeouts, 0);
	assert_false(row_of(b, old, &row));
	assert_int_equal(rows_in_use(b), 1);
	peer_destroy(b);
}

// From the peer's ports on.
static void connect_many(struct peer *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		peer_seg(b, (struct in){.flags = SYN, .src_port = (uint16_t)(6000 + i)});
		assert_true(peer_read(b));
		peer_seg(b, (struct in){.flags = ACK,
					.seq = 1,
					.ack = 1,
					.src_port = (uint16_t)(6000 + i)});
	}
	assert_int_equal(b->accepted, count);
}

static void open_many(struct peer *b, uint32_t count)
{
	peer_listen(b);
	connect_many(b, count);
}

static void close_many(struct peer *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		peer_seg(b, (struct in){.flags = RST, .seq = 1, .src_port = (uint16_t)(6000 + i)});
	assert_int_equal(b->tcp->conn_count, 0);
}

// More than one look sees to.
static void all_slots_are_used_again_between_two_looks(void **state)
{
	struct peer *b = peer_create();
	uint64_t old[16];

	(void)state;
	open_many(b, 16);
	pass(b, 5 * NS_PER_MS);
	for (uint32_t i = 0; i < 16; i++)
		old[i] = b->rows[i].handle;
	while (peer_read(b))
		;
	close_many(b, 16);
	b->accepted = 0;
	connect_many(b, 16);
	for (int step = 0; step < 4; step++) {
		pass(b, NS_PER_MS);
		for (uint32_t i = 0; i < 16; i++)
			for (uint32_t k = 0; k < 16; k++)
				assert_false(b->rows[i].handle == old[k] &&
					     b->rows[i].as_of_ns == b->env.now_ns);
	}
	assert_int_equal(rows_in_use(b), 16);
	peer_destroy(b);
}

static void who_found_no_row_gets_one_that_is_given_back(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	b->tcp->show->row_count = 3;
	open_many(b, 5);
	pass(b, 5 * NS_PER_MS);
	assert_int_equal(rows_in_use(b), 3);
	for (uint16_t port = 6000; port < 6005; port++) {
		uint32_t left = 6005u - port;
		struct conn_row row;

		pass(b, 5 * NS_PER_MS);
		assert_int_equal(rows_in_use(b), MIN(left, 3u));
		assert_true(left > 2 || row_of(b, b->conn.id, &row));
		peer_seg(b, (struct in){.flags = RST, .seq = 1, .src_port = port});
	}
	pass(b, 5 * NS_PER_MS);
	assert_int_equal(rows_in_use(b), 0);
	peer_destroy(b);
}

static void all_connections_are_looked_at_in_turn(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	open_many(b, 16);
	pass(b, 10 * NS_PER_MS);
	assert_int_equal(rows_in_use(b), 16);
	for (uint32_t i = 0; i < 16; i++)
		assert_in_range(b->env.now_ns - b->rows[i].as_of_ns, 0, 3 * NS_PER_MS);
	peer_destroy(b);
}

static void who_is_left_of_many_is_looked_at_as_often_as_one_alone(void **state)
{
	struct peer *b = peer_create();
	struct conn_row row;

	(void)state;
	open_many(b, 16);
	pass(b, 20 * NS_PER_MS);
	for (uint16_t port = 6000; port < 6015; port++)
		peer_seg(b, (struct in){.flags = RST, .seq = 1, .src_port = port});
	pass(b, 20 * NS_PER_MS);
	assert_int_equal(rows_in_use(b), 1);
	for (int i = 0; i < 20; i++) {
		pass(b, NS_PER_MS);
		assert_true(row_of(b, b->conn.id, &row));
		assert_in_range(b->env.now_ns - row.as_of_ns, 0, LOOK_NS);
	}
	peer_destroy(b);
}

static void a_setting_does_not_take_the_row_away(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	look(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_USER_TIMEOUT_MS, 5000), 0);
	pass(b, LOOK_NS);
	look(b);
	assert_int_equal(rows_in_use(b), 1);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_shown_a_moment_after_its_birth),
		cmocka_unit_test(text_is_counted_both_ways_and_a_fin_is_no_text),
		cmocka_unit_test(the_peers_fin_is_no_text),
		cmocka_unit_test(a_connect_is_shown_and_its_handshake_is_no_text),
		cmocka_unit_test(what_is_sent_again_is_counted_in_its_row),
		cmocka_unit_test(the_time_goes_to_who_sets_the_pace),
		cmocka_unit_test(text_that_waits_for_cwnd_waits_for_the_network),
		cmocka_unit_test(text_that_leaves_at_once_waits_for_nobody),
		cmocka_unit_test(who_has_no_room_for_more_waits_for_the_network),
		cmocka_unit_test(who_is_left_of_many_is_looked_at_as_often_as_one_alone),
		cmocka_unit_test(what_the_application_does_not_read_is_told),
		cmocka_unit_test(rates_are_of_the_last_tenth_of_a_second),
		cmocka_unit_test(a_row_is_empty_again_when_its_connection_ended),
		cmocka_unit_test(a_new_connection_in_the_slot_has_nothing_of_the_old_one),
		cmocka_unit_test(all_slots_are_used_again_between_two_looks),
		cmocka_unit_test(who_found_no_row_gets_one_that_is_given_back),
		cmocka_unit_test(all_connections_are_looked_at_in_turn),
		cmocka_unit_test(a_setting_does_not_take_the_row_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
