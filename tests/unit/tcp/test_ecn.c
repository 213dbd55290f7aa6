// SPDX-License-Identifier: BSD-3-Clause
// What congestion marks do to a window, and what an application may choose; the exact segments are
// tests/script/ecn's.
#include "cc_flow.h"
#include "peer.h"
#include "tcp/ecn.h"
#include "tcp/trouble.h"

static void flow_is_marked(struct flow *f)
{
	struct cc_sample s = flow_sample(f);

	cc_of(&f->c)->on_mark(&f->c, &s);
}

// RFC 8511 R1, R2
static void a_mark_leaves_more_than_a_loss(void **state)
{
	const struct {
		enum prism_congestion kind;
		uint32_t left_bytes;
	} kinds[] = {{PRISM_CONGESTION_CUBIC, SEGS(85)},
		     {PRISM_CONGESTION_NEWRENO, SEGS(80)},
		     {PRISM_CONGESTION_NONE, SEGS(100)}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		struct flow f;

		flow_init(&f, kinds[i].kind, 20 * NS_PER_MS);
		if (kinds[i].kind != PRISM_CONGESTION_NONE)
			flow_at(&f, SEGS(100));
		flow_is_marked(&f);
		assert_int_equal(f.c.cc.cwnd_bytes, kinds[i].left_bytes);
		assert_int_equal(f.c.ssthresh_bytes, kinds[i].left_bytes);
	}
}

// RFC 3168 R13
static void a_marked_window_grows_when_it_is_acknowledged(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 20 * NS_PER_MS);
	flow_at(&f, SEGS(100));
	flow_ack(&f, MSS);
	flow_is_marked(&f);
	uint64_t window_end = f.c.snd.nxt;
	uint32_t left_bytes = f.c.cc.cwnd_bytes;

	while (f.c.snd.una + MSS <= window_end) {
		f.now_ns += NS_PER_MS;
		flow_ack(&f, MSS);
		assert_int_equal(f.c.cc.cwnd_bytes, left_bytes);
		assert_true(cc_window_was_marked(&f.c, f.c.snd.una));
	}
	for (int i = 0; i < 4; i++)
		flow_round(&f, 20);
	assert_false(cc_window_was_marked(&f.c, f.c.snd.una));
	assert_true(f.c.cc.cwnd_bytes > left_bytes);
	assert_true(f.c.cc.cwnd_bytes < SEGS(101)); // W_max was learned from the mark
	assert_int_equal(cc_w_max_bytes(&f.c), SEGS(100));
}

// RFC 3168 R14; RFC 8511 R3
static void the_least_a_mark_leaves_is_a_segment(void **state)
{
	struct flow f;

	(void)state;
	for (int kind = PRISM_CONGESTION_CUBIC; kind <= PRISM_CONGESTION_NEWRENO; kind++) {
		flow_init(&f, (enum prism_congestion)kind, 20 * NS_PER_MS);
		flow_at(&f, 4 * MSS);
		struct cc_sample s = flow_sample(&f);

		s.in_flight_bytes = MSS;
		cc_of(&f.c)->on_mark(&f.c, &s);
		assert_int_equal(f.c.cc.cwnd_bytes, MSS);
		assert_int_equal(f.c.ssthresh_bytes, 2 * MSS);
	}
}

static void a_mark_ends_slow_start(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 20 * NS_PER_MS);
	flow_is_marked(&f);
	assert_int_equal(f.c.ssthresh_bytes, (uint64_t)10 * MSS * 17 / 20);
	assert_int_equal(f.c.cc.cwnd_bytes, f.c.ssthresh_bytes);
}

// ---- in a connection

static struct peer *marking_peer(enum prism_ecn ecn)
{
	struct tcp_config config = peer_config();

	config.ecn = ecn;
	return peer_create_on(&config, PORT_TX_CHAINS);
}

// A recovery that was for nothing is taken back, but not beyond a mark that came meanwhile.
static void what_a_mark_took_is_not_given_back(void **state)
{
	struct peer *b = marking_peer(PRISM_ECN_PASSIVE);

	(void)state;
	peer_open(b);
	peer_conn(b)->ecn_agreed = true;
	peer_host_sends(b, 4 * 1460, 1460);
	struct trouble *t = trouble_get(b->tcp, peer_conn(b));

	t->undo.una = peer_conn(b)->snd.una;
	peer_seg(b, (struct in){.flags = ACK | TCP_ECE, .seq = 1, .ack = 1 + 1460});
	assert_int_equal(peer_count(b, COUNTER_tcp_ecn_reductions), 1);
	assert_int_equal(t->undo.una, 0);
	peer_clear(b);
	peer_destroy(b);
}

// RFC 3168 R12
static void an_echo_before_cwr_has_left_is_of_what_was_answered(void **state)
{
	struct peer *b = marking_peer(PRISM_ECN_PASSIVE);

	(void)state;
	peer_open(b);
	peer_conn(b)->ecn_agreed = true;
	peer_host_sends(b, 4 * 1460, 1460);
	peer_conn(b)->ecn_cwr = true; // of a reduction after which nothing new was there to say
	peer_seg(b, (struct in){.flags = ACK | TCP_ECE, .seq = 1, .ack = 1 + 1460});
	assert_int_equal(peer_count(b, COUNTER_tcp_ecn_echoes_in), 1);
	assert_int_equal(peer_count(b, COUNTER_tcp_ecn_reductions), 0);
	peer_clear(b);
	peer_destroy(b);
}

static void off_sends_no_ect_any_more_and_nothing_else_is_too_late(void **state)
{
	struct peer *b = marking_peer(PRISM_ECN_PASSIVE);

	(void)state;
	peer_open(b);
	peer_conn(b)->ecn_agreed = true;
	peer_host_sends(b, 100, 100);
	expect(b, ACK | PSH, 1, 1, 100);
	assert_int_equal(ecn_of(b->out.tos), ECN_ECT0);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_ECN, PRISM_ECN_ON), 0);
	peer_host_sends(b, 100, 100);
	expect(b, ACK | PSH, 101, 1, 100);
	assert_int_equal(ecn_of(b->out.tos), ECN_ECT0);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_ECN, PRISM_ECN_OFF), 0);
	peer_host_sends(b, 100, 100);
	expect(b, ACK | PSH, 201, 1, 100);
	assert_int_equal(ecn_of(b->out.tos), ECN_NOT_ECT);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_ECN, 3), -EINVAL);
	assert_string_equal(err_last()->message, "ecn 3; it takes 0 (passive), 1 (on), 2 (off)");
	peer_destroy(b);
}

// RFC 3168 R3
static void who_connects_chooses_before_the_syn_leaves(void **state)
{
	const struct {
		enum prism_ecn instance, choice;
		uint8_t flags;
	} cases[] = {{PRISM_ECN_PASSIVE, PRISM_ECN_ON, TCP_ECE | TCP_CWR},
		     {PRISM_ECN_ON, PRISM_ECN_PASSIVE, 0},
		     {PRISM_ECN_ON, PRISM_ECN_OFF, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct peer *b = marking_peer(cases[i].instance);
		struct tcp_tuple to = {.local = addr_from_v4_octets(198, 18, 0, 2),
				       .remote = addr_from_v4_octets(198, 18, 0, 1),
				       .local_port = 80,
				       .remote_port = 5000};

		assert_int_equal(tcp_connect(b->tcp, &to, 0, &b->conn), 0);
		assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_ECN, cases[i].choice), 0);
		peer_turn(b);
		assert_true(peer_read(b));
		assert_int_equal(b->out.flags, SYN | cases[i].flags);
		peer_destroy(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_leaves_more_than_a_loss),
		cmocka_unit_test(a_marked_window_grows_when_it_is_acknowledged),
		cmocka_unit_test(the_least_a_mark_leaves_is_a_segment),
		cmocka_unit_test(a_mark_ends_slow_start),
		cmocka_unit_test(what_a_mark_took_is_not_given_back),
		cmocka_unit_test(an_echo_before_cwr_has_left_is_of_what_was_answered),
		cmocka_unit_test(off_sends_no_ect_any_more_and_nothing_else_is_too_late),
		cmocka_unit_test(who_connects_chooses_before_the_syn_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
