// SPDX-License-Identifier: BSD-3-Clause
#include "../../seed.h"
#include "cc_flow.h"
#include "peer.h"

static const enum prism_congestion kinds[] = {PRISM_CONGESTION_CUBIC, PRISM_CONGESTION_NEWRENO,
					      PRISM_CONGESTION_NONE};

// RFC 6928 2, RFC 5681 3.1
static void a_connection_begins_with_ten_segments_or_the_fixed_window(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, NS_PER_MS);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(10));
	assert_int_equal(f.c.ssthresh_bytes, UINT32_MAX);
	flow_init(&f, PRISM_CONGESTION_NEWRENO, NS_PER_MS);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(10));
	conn_set(&f.c, CONN_SYN_RETRANSMITTED);
	cc_init(&f.tcp, &f.c);
	assert_int_equal(f.c.cc.cwnd_bytes, MSS);
	flow_init(&f, PRISM_CONGESTION_NONE, NS_PER_MS);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(100));
	f.tcp.config.fixed_window_bytes = 1; // never less than a segment
	cc_init(&f.tcp, &f.c);
	assert_int_equal(f.c.cc.cwnd_bytes, MSS);
}

// RFC 5681 3.1
static void newreno_halves_and_adds_a_segment_a_round_trip(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_NEWRENO, 10 * NS_PER_MS);
	flow_at(&f, SEGS(100));
	flow_loses(&f);
	assert_int_equal(f.c.ssthresh_bytes, SEGS(50));
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(50));
	for (uint32_t segs = 51; segs < 80; segs++) {
		flow_round(&f, 25);
		flow_ack(&f, MSS); // what the division left over
		assert_int_equal(f.c.cc.cwnd_bytes, SEGS(segs));
	}
	flow_times_out(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, MSS);
	assert_in_range(f.c.ssthresh_bytes, SEGS(39), SEGS(40));
}

static void a_fixed_window_stays_whatever_happens(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_NONE, 10 * NS_PER_MS);
	flow_round(&f, 10);
	flow_loses(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(100));
	flow_times_out(&f);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(100));
	flow_was_spurious(&f);
	cc_after_idle(&f.c);
	f.c.mss_bytes = 500;
	cc_mss_changed(&f.c, MSS);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(100));
}

static void another_kind_goes_on_with_the_same_window(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 10 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	flow_round(&f, 10);
	flow_round(&f, 10);
	uint32_t cwnd_bytes = f.c.cc.cwnd_bytes;

	cc_choose(&f.tcp, &f.c, PRISM_CONGESTION_NEWRENO);
	assert_ptr_equal(cc_of(&f.c), &cc_reno);
	assert_int_equal(f.c.cc.cwnd_bytes, cwnd_bytes);
	cc_choose(&f.tcp, &f.c, PRISM_CONGESTION_CUBIC);
	assert_int_equal(cc_w_max_bytes(&f.c), 0); // nothing is known of the network's limit
	flow_round(&f, 10);
	assert_in_range(f.c.cc.cwnd_bytes, cwnd_bytes, cwnd_bytes + 2 * MSS);
}

static void from_a_fixed_window_it_begins_anew(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 10 * NS_PER_MS);
	flow_at(&f, SEGS(50));
	cc_choose(&f.tcp, &f.c, PRISM_CONGESTION_NONE);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(100));
	cc_choose(&f.tcp, &f.c, PRISM_CONGESTION_NEWRENO);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(10));
	assert_int_equal(f.c.cc_phase, CC_SLOW_START);
}

// RFC 5681 4.1
static void after_idling_the_window_is_the_first_one_and_the_curve_waits(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 10 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	flow_round(&f, 10);
	flow_round(&f, 10);
	f.c.cc.acked = SEGS(600); // of the window before
	cc_after_idle(&f.c);
	assert_int_equal(f.c.cc.acked, 0);
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(10));
	assert_int_equal(f.c.cc_phase, CC_STEADY);
	assert_int_equal(cc_w_max_bytes(&f.c), SEGS(1000));
	f.c.cc.cwnd_bytes = SEGS(5);
	cc_after_idle(&f.c); // it is no increase
	assert_int_equal(f.c.cc.cwnd_bytes, SEGS(5));
}

static void smaller_segments_keep_their_number(void **state)
{
	struct flow f;

	(void)state;
	flow_init(&f, PRISM_CONGESTION_CUBIC, 10 * NS_PER_MS);
	flow_at(&f, SEGS(1000));
	flow_loses(&f);
	f.c.cc.acked = SEGS(600);
	f.c.mss_bytes = 1000;
	cc_mss_changed(&f.c, MSS);
	assert_int_equal(f.c.cc.acked, 0);
	assert_int_equal(f.c.cc.cwnd_bytes, 700 * 1000);
	assert_int_equal(cc_w_max_bytes(&f.c), 1000 * 1000);
}

static void random_loss(struct flow *f, struct rng *rng)
{
	struct cc_sample s = flow_sample(f);

	s.in_flight_bytes = rng_below(rng, f->c.cc.cwnd_bytes) + 1;
	flow_remembers(f);
	cc_of(&f->c)->on_loss(&f->c, &s);
	s.in_flight_bytes = rng_below(rng, f->c.cc.cwnd_bytes);
	cc_of(&f->c)->on_recovered(&f->c, &s);
}

static void random_mark(struct flow *f, struct rng *rng)
{
	struct cc_sample s = flow_sample(f);

	s.in_flight_bytes = rng_below(rng, f->c.cc.cwnd_bytes) + 1;
	cc_of(&f->c)->on_mark(&f->c, &s);
	flow_remembers(f);
}

static void random_mss(struct flow *f, struct rng *rng)
{
	uint16_t before = f->c.mss_bytes;

	if (before < 100)
		return;
	f->c.mss_bytes = (uint16_t)(before - rng_below(rng, before / 4u));
	cc_mss_changed(&f->c, before);
}

// Slow start adds what is acknowledged at most, congestion avoidance half of it (RFC 9438 4.2)
// and of what was counted before, or W_est's part of a segment.
static void random_ack(struct flow *f, struct rng *rng)
{
	uint32_t before = f->c.cc.cwnd_bytes;
	uint32_t acked = (uint32_t)rng_below(rng, before) + 1;
	bool slow_start = before < f->c.ssthresh_bytes;
	uint32_t most = slow_start ? acked : (acked + before / 8) / 2 + f->c.mss_bytes;

	f->now_ns += rng_below(rng, f->rtt_ns);
	flow_ack(f, acked);
	assert_in_range(f->c.cc.cwnd_bytes, before, (uint64_t)before + most);
}

static void random_event(struct flow *f, struct rng *rng)
{
	switch (rng_below(rng, 61)) {
	case 0:
		random_loss(f, rng);
		break;
	case 1:
		f->c.backoff = rng_below(rng, 3) == 0;
		flow_times_out(f);
		f->c.backoff = 0;
		break;
	case 2:
		flow_was_spurious(f);
		break;
	case 3:
		f->now_ns += rng_below(rng, 1000000) << rng_below(rng, 32);
		cc_after_idle(&f->c);
		break;
	case 4:
		if (rng_below(rng, 20) == 0)
			random_mss(f, rng);
		break;
	case 5:
		if (rng_below(rng, 20))
			break;
		cc_choose(&f->tcp, &f->c, kinds[rng_below(rng, ARRAY_COUNT(kinds))]);
		flow_remembers(f); // cc_choose forgets what loss.c had
		break;
	case 6:
		random_mark(f, rng);
		break;
	default:
		random_ack(f, rng);
	}
}

static void the_window_keeps_its_bounds_whatever_comes(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, test_seed());
	for (int run = 0; run < 300; run++) {
		struct flow f;

		flow_init(&f, kinds[rng_below(&rng, 2)],
			  (1 + rng_below(&rng, 1000)) << rng_below(&rng, 20));
		if (rng_below(&rng, 4) == 0)
			f.c.cc.cwnd_bytes = (uint32_t)rng_below(&rng, 1u << 29) + MSS;
		for (int step = 0; step < 2000; step++) {
			random_event(&f, &rng);
			assert_in_range(f.c.cc.cwnd_bytes, f.c.mss_bytes, CWND_BYTES_MAX);
			assert_true(f.c.ssthresh_bytes >= 2u * f.c.mss_bytes ||
				    f.c.ssthresh_bytes >= 2u * 52);
			assert_true(f.c.cc_phase > CC_CONSERVATIVE ||
				    f.c.cc_kind == PRISM_CONGESTION_NONE ||
				    f.c.ssthresh_bytes == UINT32_MAX);
		}
	}
}

// ---- in a connection

static struct peer *peer_with_much_to_say(void)
{
	struct tcp_config config = peer_config();

	config.send_descs_max = 2048;
	return peer_create_on(&config, PORT_TX_CHAINS);
}

// RFC 9438 5.8: neither text nor a reader that is slow fills the window, so it does not grow.
// RFC 9438 R15
static void a_window_that_the_peer_does_not_take_does_not_grow(void **state)
{
	struct peer *b = peer_with_much_to_say();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .window = 3 * 1460});
	peer_host_sends(b, 100 * 1460, 1460);
	for (uint32_t i = 1; i < 30; i++)
		peer_seg(b,
			 (struct in){
				 .flags = ACK, .seq = 1, .ack = 1 + i * 1460, .window = 3 * 1460});
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, 10 * 1460);
	peer_destroy(b);
}

static void the_round_trips_of_a_connection_end_its_slow_start(void **state)
{
	struct peer *b = peer_with_much_to_say();
	uint32_t acked = 0;

	(void)state;
	peer_open(b);
	peer_host_sends(b, 140 * 1460, 1460);
	b->env.now_ns += 5 * NS_PER_MS;
	for (int i = 0; i < 10; i++)
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 1460 * ++acked});
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, 20 * 1460);
	b->env.now_ns += 15 * NS_PER_MS;
	for (int i = 0; i < 8; i++)
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 1460 * ++acked});
	assert_int_equal(peer_conn(b)->cc_phase, CC_CONSERVATIVE);
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, 28 * 1460);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 1460 * ++acked});
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, 28 * 1460 + 1460 / 4);
	peer_destroy(b);
}

static void a_connection_has_the_kind_of_the_instance_until_it_chooses(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.fixed_window_bytes = 20 * 1460;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	assert_ptr_equal(cc_of(peer_conn(b)), &cc_reno);
	peer_host_sends(b, 30 * 1460, 1460);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_CONGESTION, PRISM_CONGESTION_NONE),
			 0);
	peer_turn(b); // the larger window is used at once
	for (uint32_t i = 10; i < 20; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	assert_int_equal(
		tcp_set_option(b->tcp, b->conn, TCP_SET_CONGESTION, PRISM_CONGESTION_CUBIC), 0);
	assert_ptr_equal(cc_of(peer_conn(b)), &cc_cubic);
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, 10 * 1460);
	peer_destroy(b);
}

static void a_kind_that_does_not_exist_is_refused_with_those_that_do(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_CONGESTION, 4), -EINVAL);
	assert_string_equal(err_last()->message, "congestion control 4; it takes 0 (cubic), "
						 "1 (newreno), 2 (none), 3 (bbr)");
	assert_ptr_equal(cc_of(peer_conn(b)), &cc_reno);
	peer_destroy(b);
}

// All that is lost is sent again, and as much as ever flies.
static void a_fixed_window_repairs_what_is_lost(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.congestion = PRISM_CONGESTION_NONE;
	config.fixed_window_bytes = 10 * 1460;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	peer_host_sends(b, 20 * 1460, 1460);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	peer_time(b, 210 * NS_PER_MS);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	expect_nothing(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 10 * 1460});
	for (uint32_t i = 10; i < 20; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	for (int i = 0; i < 3; i++)
		peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 10 * 1460});
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 20 * 1460});
	assert_int_equal(peer_conn(b)->cc.cwnd_bytes, 10 * 1460);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_begins_with_ten_segments_or_the_fixed_window),
		cmocka_unit_test(newreno_halves_and_adds_a_segment_a_round_trip),
		cmocka_unit_test(a_fixed_window_stays_whatever_happens),
		cmocka_unit_test(another_kind_goes_on_with_the_same_window),
		cmocka_unit_test(from_a_fixed_window_it_begins_anew),
		cmocka_unit_test(after_idling_the_window_is_the_first_one_and_the_curve_waits),
		cmocka_unit_test(smaller_segments_keep_their_number),
		cmocka_unit_test(the_window_keeps_its_bounds_whatever_comes),
		cmocka_unit_test(a_window_that_the_peer_does_not_take_does_not_grow),
		cmocka_unit_test(the_round_trips_of_a_connection_end_its_slow_start),
		cmocka_unit_test(a_connection_has_the_kind_of_the_instance_until_it_chooses),
		cmocka_unit_test(a_kind_that_does_not_exist_is_refused_with_those_that_do),
		cmocka_unit_test(a_fixed_window_repairs_what_is_lost),
	};

	return run_peer_tests(tests);
}
