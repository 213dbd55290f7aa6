// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

// RFC 9293 3.3.2, figure 5, drawn once more and differently: one line an arrow.
static const struct {
	enum state from, to;
} arrows[] = {
	{CLOSED, LISTEN},            // passive OPEN
	{CLOSED, SYN_SENT},          // active OPEN
	{LISTEN, SYN_RECEIVED},      // rcv SYN
	{LISTEN, SYN_SENT},          // SEND
	{SYN_SENT, SYN_RECEIVED},    // rcv SYN
	{SYN_SENT, ESTABLISHED},     // rcv SYN, ACK
	{SYN_RECEIVED, ESTABLISHED}, // rcv ACK of SYN
	{SYN_RECEIVED, FIN_WAIT_1},  // CLOSE
	{SYN_RECEIVED, LISTEN},      // rcv RST, passive
	{SYN_RECEIVED, CLOSE_WAIT},  // rcv FIN (3.10.7.4, eighth)
	{ESTABLISHED, FIN_WAIT_1},   // CLOSE
	{ESTABLISHED, CLOSE_WAIT},   // rcv FIN
	{FIN_WAIT_1, FIN_WAIT_2},    // rcv ACK of FIN
	{FIN_WAIT_1, CLOSING},       // rcv FIN
	{FIN_WAIT_1, TIME_WAIT},     // rcv FIN with ACK of FIN
	{FIN_WAIT_2, TIME_WAIT},     // rcv FIN
	{CLOSE_WAIT, LAST_ACK},      // CLOSE
	{CLOSING, TIME_WAIT},        // rcv ACK of FIN
	{LAST_ACK, CLOSED},          // rcv ACK of FIN
	{TIME_WAIT, CLOSED},         // 2 MSL
	{LISTEN, CLOSED},            // CLOSE; from here on: reset, abort, timeout
	{SYN_SENT, CLOSED},
	{SYN_RECEIVED, CLOSED},
	{ESTABLISHED, CLOSED},
	{FIN_WAIT_1, CLOSED},
	{FIN_WAIT_2, CLOSED},
	{CLOSE_WAIT, CLOSED},
	{CLOSING, CLOSED},
};

static bool drawn(enum state from, enum state to)
{
	for (size_t i = 0; i < ARRAY_COUNT(arrows); i++) {
		if (arrows[i].from == from && arrows[i].to == to)
			return true;
	}
	return false;
}

static void all_121_pairs_are_as_the_diagram_says(void **state)
{
	(void)state;
	for (int from = 0; from < STATE_COUNT; from++) {
		for (int to = 0; to < STATE_COUNT; to++) {
			enum state a = (enum state)(1 << from), b = (enum state)(1 << to);

			if (state_may_follow(a, b) != drawn(a, b))
				fail_msg("%s -> %s", state_name(a), state_name(b));
		}
	}
}

static void names_are_the_rfcs(void **state)
{
	(void)state;
	assert_string_equal(state_name(CLOSED), "CLOSED");
	assert_string_equal(state_name(FIN_WAIT_2), "FIN-WAIT-2");
	assert_string_equal(state_name(TIME_WAIT), "TIME-WAIT");
}

static void established_connections_are_counted(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(peer_count(b, COUNTER_tcp_curr_estab), 1);
	peer_seg(b, (struct in){.flags = ACK | FIN, .seq = 1, .ack = 1});
	assert_int_equal(peer_state(b), CLOSE_WAIT);
	assert_int_equal(peer_count(b, COUNTER_tcp_curr_estab), 1);
	tcp_close(b->tcp, b->conn);
	assert_int_equal(peer_count(b, COUNTER_tcp_curr_estab), 0);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_121_pairs_are_as_the_diagram_says),
		cmocka_unit_test(names_are_the_rfcs),
		cmocka_unit_test(established_connections_are_counted),
	};

	return run_peer_tests(tests);
}
