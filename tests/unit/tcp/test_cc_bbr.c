// SPDX-License-Identifier: BSD-3-Clause
// BBR in a connection: records, choosing it and leaving it, losses on a wire that is read segment
// by segment.
#include "peer.h"
#include "tcp/bbr.h"
#include "tcp/cc.h"

static struct tcp_config bbr_config(void)
{
	struct tcp_config config = peer_config();

	config.congestion = PRISM_CONGESTION_BBR;
	config.send_descs_max = 2048;
	return config;
}

static struct peer *bbr_peer(void)
{
	struct tcp_config config = bbr_config();
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	return b;
}

static uint32_t records_free(const struct peer *b)
{
	uint32_t count = bbr_records(&b->tcp->config) - b->tcp->bbr_fresh;

	for (uint32_t i = b->tcp->bbr_free; i != NO_INDEX; i = b->tcp->bbr[i].next)
		count++;
	return count;
}

static void a_connection_takes_a_record_and_gives_it_back(void **state)
{
	struct peer *b = bbr_peer();
	struct conn *c = peer_conn(b);

	(void)state;
	assert_ptr_equal(cc_of(c), &cc_bbr);
	assert_true(conn_is(c, CONN_SAMPLED));
	assert_int_equal(c->cc.cwnd_bytes, 10 * 1460);
	assert_true(c->paced);
	assert_int_equal(records_free(b), 15);
	assert_int_equal(tcp_abort(b->tcp, b->conn), 0);
	peer_turn(b);
	assert_int_equal(records_free(b), 16);
	peer_clear(b);
	peer_destroy(b);
}

static void who_finds_no_record_has_cubic(void **state)
{
	struct tcp_config config = bbr_config();
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	(void)state;
	b->tcp->bbr_fresh = 16;
	peer_open(b);
	assert_ptr_equal(cc_of(peer_conn(b)), &cc_cubic);
	assert_false(conn_is(peer_conn(b), CONN_SAMPLED));
	assert_false(peer_conn(b)->paced);
	assert_int_equal(peer_count(b, COUNTER_tcp_bbr_full), 1);
	peer_destroy(b);
}

static int choose(struct peer *b, enum prism_congestion kind)
{
	return tcp_set_option(b->tcp, b->conn, TCP_SET_CONGESTION, kind);
}

static void who_asks_for_bbr_where_no_record_is_left_is_refused(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	b->tcp->bbr_fresh = 16;
	assert_int_equal(choose(b, PRISM_CONGESTION_BBR), -ENOSPC);
	assert_string_equal(err_last()->message, "bbr has 16 connections already");
	assert_ptr_equal(cc_of(peer_conn(b)), &cc_reno);
	b->tcp->bbr_fresh = 15;
	assert_int_equal(choose(b, PRISM_CONGESTION_BBR), 0);
	assert_ptr_equal(cc_of(peer_conn(b)), &cc_bbr);
	peer_destroy(b);
}

static void from_another_kind_and_back_the_window_goes_on(void **state)
{
	struct peer *b = peer_create();
	struct conn *c;

	(void)state;
	peer_open(b);
	c = peer_conn(b);
	c->cc.cwnd_bytes = 33 * 1460;
	assert_int_equal(choose(b, PRISM_CONGESTION_BBR), 0);
	assert_int_equal(c->cc.cwnd_bytes, 33 * 1460);
	assert_int_equal(bbr_record_of(c)->bbr.state, BBR_STARTUP);
	assert_int_equal(choose(b, PRISM_CONGESTION_CUBIC), 0);
	assert_int_equal(c->cc.cwnd_bytes, 33 * 1460);
	assert_int_equal(c->ssthresh_bytes, 33 * 1460);
	assert_int_equal(c->cc_phase, CC_STEADY);
	assert_false(conn_is(c, CONN_SAMPLED));
	assert_false(c->paced);
	assert_int_equal(records_free(b), 16);
	assert_int_equal(choose(b, PRISM_CONGESTION_BBR), 0);
	assert_int_equal(choose(b, PRISM_CONGESTION_NONE), 0);
	assert_false(conn_is(c, CONN_SAMPLED));
	assert_int_equal(choose(b, PRISM_CONGESTION_BBR), 0);
	assert_int_equal(c->cc.cwnd_bytes, 10 * 1460); // from none it begins anew
	assert_true(conn_is(c, CONN_SAMPLED));
	peer_destroy(b);
}

static void pacing_that_is_asked_for_meanwhile_is_for_later(void **state)
{
	struct peer *b = bbr_peer();
	struct conn *c = peer_conn(b);

	(void)state;
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_PACING, 0), 0);
	assert_true(c->paced);
	assert_int_equal(tcp_set_option(b->tcp, b->conn, TCP_SET_PACING, 1), 0);
	assert_int_equal(choose(b, PRISM_CONGESTION_CUBIC), 0);
	assert_true(c->paced);
	peer_destroy(b);
}

// 2.77 of the first window in a round trip of 100 ms.
static void the_first_window_leaves_at_its_first_rate(void **state)
{
	struct tcp_config config = bbr_config();
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);
	uint32_t count = 0;

	(void)state;
	peer_open(b);
	peer_conn(b)->rtt.srtt_us = 100000;
	assert_int_equal(choose(b, PRISM_CONGESTION_CUBIC), 0);
	assert_int_equal(choose(b, PRISM_CONGESTION_BBR), 0);
	peer_host_sends(b, 60 * 1460, 1460);
	peer_time(b, 18 * NS_PER_MS);
	while (peer_read(b))
		count += b->out.len > 0;
	assert_in_range(count, 5, 6);
	peer_time(b, 25 * NS_PER_MS);
	while (peer_read(b))
		count += b->out.len > 0;
	assert_int_equal(count, 10);
	peer_destroy(b);
}

// A window that was not used, or a pause, takes nothing from it.
static void a_pause_leaves_the_window(void **state)
{
	struct peer *b = bbr_peer();
	struct conn *c = peer_conn(b);

	(void)state;
	c->cc.cwnd_bytes = 100 * 1460;
	b->env.now_ns += 10 * NS_PER_S;
	peer_host_sends(b, 1460, 1460);
	assert_int_equal(c->cc.cwnd_bytes, 100 * 1460);
	assert_true(bbr_record_of(c)->bbr.idle_restart);
	peer_destroy(b);
}

// No proportional reduction: what is in flight less than the window goes out at its rate.
static void a_loss_is_sent_again_and_the_window_stays(void **state)
{
	struct tcp_config config = bbr_config();
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);
	static const uint8_t syn[] = {2, 4, 0x05, 0xb4, 1, 1, 4, 2};
	uint8_t blocks[] = {1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0};
	struct conn *c;

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN, .options = syn, .options_len = sizeof(syn)});
	expect(b, SYN | ACK, 0, 1, 0);
	b->env.now_ns += 10 * NS_PER_MS;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	c = peer_conn(b);
	assert_true(conn_is(c, CONN_SACK));
	peer_host_sends(b, 40 * 1460, 1460);
	peer_time(b, 10 * NS_PER_MS);
	for (uint32_t i = 0; i < 10; i++)
		expect(b, ACK, 1 + 1460 * i, 1, 1460);
	uint32_t left = b->host_iss + 1 + 1460, right = b->host_iss + 1 + 10 * 1460;

	for (int i = 0; i < 4; i++) {
		blocks[4 + i] = (uint8_t)(left >> (24 - 8 * i));
		blocks[8 + i] = (uint8_t)(right >> (24 - 8 * i));
	}
	peer_seg(b, (struct in){.flags = ACK,
				.seq = 1,
				.ack = 1,
				.options = blocks,
				.options_len = sizeof(blocks)});
	assert_true(conn_is(c, CONN_RECOVERY));
	expect(b, ACK, 1, 1, 1460);
	assert_true(c->cc.cwnd_bytes >= 10 * 1460);
	struct bbr_record *record = bbr_record_of(c);

	assert_int_equal(record->rate.delivered_bytes, 9 * 1460);
	assert_int_equal(record->rate.lost_bytes, 1460);
	assert_true(record->bbr.loss_in_round);
	b->env.now_ns += 10 * NS_PER_MS;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1 + 10 * 1460});
	assert_false(conn_is(c, CONN_RECOVERY));
	assert_int_equal(record->rate.delivered_bytes, 10 * 1460);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_takes_a_record_and_gives_it_back),
		cmocka_unit_test(who_finds_no_record_has_cubic),
		cmocka_unit_test(who_asks_for_bbr_where_no_record_is_left_is_refused),
		cmocka_unit_test(from_another_kind_and_back_the_window_goes_on),
		cmocka_unit_test(pacing_that_is_asked_for_meanwhile_is_for_later),
		cmocka_unit_test(the_first_window_leaves_at_its_first_rate),
		cmocka_unit_test(a_pause_leaves_the_window),
		cmocka_unit_test(a_loss_is_sent_again_and_the_window_stays),
	};

	return run_peer_tests(tests);
}
