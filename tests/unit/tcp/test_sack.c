// SPDX-License-Identifier: BSD-3-Clause
// What the peer is told of what came early or twice; the exact options are in tests/script/sack.
#include "peer.h"
#include "tcp/early.h"
#include "tcp/sack.h"
#include "tcp/trouble.h"

static void open_with_sack(struct peer *b)
{
	peer_open(b);
	conn_set(peer_conn(b), CONN_SACK);
}

static void in_seg(struct peer *b, uint32_t seq, uint32_t len)
{
	peer_seg(b, (struct in){.flags = ACK, .seq = seq, .ack = 1, .len = len});
}

static void read_all(struct peer *b)
{
	while (peer_read(b))
		;
}

static void a_record_lasts_as_long_as_something_is_missing(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	open_with_sack(b);
	in_seg(b, 101, 100);
	assert_true(conn_is(peer_conn(b), CONN_TROUBLE));
	assert_int_equal(trouble_of(b->tcp, peer_conn(b))->block_count, 1);
	in_seg(b, 1, 100);
	assert_false(conn_is(peer_conn(b), CONN_TROUBLE));
	peer_destroy(b);
}

// RFC 2883 R3
static void a_duplicate_is_told_once_and_the_record_ends(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	open_with_sack(b);
	in_seg(b, 1, 100);
	in_seg(b, 1, 100);
	read_all(b);
	assert_int_equal(b->out.o.sack_count, 1);
	assert_false(conn_is(peer_conn(b), CONN_TROUBLE));
	peer_destroy(b);
}

// RFC 2018 R5
static void without_a_record_the_peer_is_told_of_no_blocks(void **state)
{
	struct tcp_config config = peer_config();
	struct peer *b = peer_create_on(&config, 0);

	(void)state;
	open_with_sack(b);
	b->tcp->trouble_free = NO_INDEX;
	in_seg(b, 101, 100);
	read_all(b);
	assert_int_equal(b->out.o.sack_count, 0);
	assert_int_equal(peer_count(b, COUNTER_tcp_trouble_full), 1);
	in_seg(b, 1, 100);
	assert_int_equal(b->received, 200);
	peer_destroy(b);
}

// Peers who leave gaps get half of the records; the other half is for recovery.
static void gaps_leave_records_for_recovery(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	open_with_sack(b);
	b->tcp->trouble_count = trouble_records(&b->tcp->config) / 2 + 1;
	in_seg(b, 101, 100);
	read_all(b);
	assert_int_equal(b->out.o.sack_count, 0);
	assert_non_null(trouble_get(b->tcp, peer_conn(b)));
	b->tcp->trouble_count = 1;
	peer_destroy(b);
}

// RFC 2883 4: the block is of the segment that brings the ACK about, or it is not told.
// RFC 2883 R2
static void a_duplicate_is_not_told_late(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	open_with_sack(b);
	in_seg(b, 1, 100);
	peer_in(b, (struct in){.flags = ACK, .seq = 51, .ack = 1, .len = 100});
	peer_host_sends(b, 10, 10); // its text carries the ACK
	peer_turn(b);
	read_all(b);
	assert_false(conn_is(peer_conn(b), CONN_TROUBLE));
	peer_destroy(b);
}

// RFC 2018 8: it may be, and is not told of any more. RFC 2018 R16.
static void what_gave_way_is_not_told(void **state)
{
	struct peer *b = peer_create();
	struct conn *c;

	(void)state;
	open_with_sack(b);
	in_seg(b, 101, 100);
	in_seg(b, 301, 100);
	c = peer_conn(b);
	sack_given_up(b->tcp, c, c->rcv.nxt + 300);
	assert_int_equal(trouble_of(b->tcp, c)->block_count, 1);
	sack_given_up(b->tcp, c, c->rcv.nxt + 150);
	assert_int_equal(trouble_of(b->tcp, c)->block[0].end, c->rcv.nxt + 150);
	peer_destroy(b);
}

static bool told_of(const struct peer *b, uint32_t seq)
{
	for (uint32_t i = 0; i < b->out.o.sack_count; i++)
		if (b->out.o.sack[i].start == PEER_ISS + seq)
			return true;
	return false;
}

// Reads all there is; the runs of 100 octets, 200 apart from 101 on, of which an ACK told.
static uint32_t runs_told(struct peer *b, uint32_t *acks)
{
	uint32_t told = 0;

	for (*acks = 0; peer_read(b); (*acks)++)
		for (uint32_t i = 0; i < 32; i++)
			told |= (uint32_t)told_of(b, 101 + 200 * i) << i;
	return told;
}

static void in_run(struct peer *b, uint32_t i)
{
	peer_in(b, (struct in){.flags = ACK, .seq = 101 + 200 * i, .ack = 1, .len = 100});
}

// A burst leaves more runs than an ACK has room for: each is told of in one; also where one of them
// came twice, which takes a place too (RFC 2883 4).
static void every_run_of_a_burst_is_told_of(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		struct peer *b = peer_create();
		bool twice = way & 1;
		uint32_t acks;

		b->ts = way & 2;
		open_with_sack(b);
		for (uint32_t i = 0; i < 11; i++) {
			in_run(b, i);
			if (twice && i % 3 == 2)
				in_run(b, i - 2);
		}
		peer_turn(b);
		assert_int_equal(runs_told(b, &acks), (1u << 11) - 1);
		assert_in_range(acks, 3, twice ? 11 : 6);
		peer_destroy(b);
	}
}

// Text that takes the ACK has no room for blocks.
static void runs_that_no_ack_told_of_get_one_when_text_took_it(void **state)
{
	struct peer *b = peer_create();
	uint32_t acks;

	(void)state;
	open_with_sack(b);
	in_run(b, 0);
	in_run(b, 1);
	peer_in(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 100});
	peer_host_sends(b, 10, 10);
	assert_int_equal(runs_told(b, &acks), 1u << 1);
	assert_int_equal(acks, 2);
	peer_destroy(b);
}

// One run that grows is told of as often as before (RFC 5681 4.2).
static void a_run_that_grows_in_a_burst_is_told_of_three_times(void **state)
{
	struct peer *b = peer_create();
	uint32_t acks = 0;

	(void)state;
	open_with_sack(b);
	for (uint32_t i = 0; i < 20; i++)
		peer_in(b, (struct in){.flags = ACK, .seq = 101 + 100 * i, .ack = 1, .len = 100});
	peer_turn(b);
	for (; peer_read(b); acks++)
		assert_true(told_of(b, 101));
	assert_int_equal(acks, 3);
	peer_destroy(b);
}

// Blocks that a peer sees are sorted out of an array of bytes; merged, disjoint, the latest first.
// RFC 2018 R3
static void blocks_are_runs_of_what_came(void **state)
{
	static uint8_t came[3000];
	struct peer *b = peer_create();
	struct rng rng;

	(void)state;
	rng_seed(&rng, 7);
	open_with_sack(b);
	for (int i = 0; i < 60; i++) {
		uint32_t start = 100 + (uint32_t)rng_below(&rng, 2800),
			 len = 1 + (uint32_t)rng_below(&rng, 90);
		const struct trouble *t;

		in_seg(b, 1 + start, len);
		memset(came + start, 1, len);
		t = trouble_of(b->tcp, peer_conn(b));
		for (uint32_t k = 0; k < t->block_count; k++) {
			uint64_t at = t->block[k].start - peer_conn(b)->rcv.nxt;

			for (; at < t->block[k].end - peer_conn(b)->rcv.nxt; at++)
				assert_true(came[at]);
			for (uint32_t j = 0; j < k; j++)
				assert_true(t->block[j].end < t->block[k].start ||
					    t->block[k].end < t->block[j].start);
		}
	}
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_lasts_as_long_as_something_is_missing),
		cmocka_unit_test(a_duplicate_is_told_once_and_the_record_ends),
		cmocka_unit_test(without_a_record_the_peer_is_told_of_no_blocks),
		cmocka_unit_test(gaps_leave_records_for_recovery),
		cmocka_unit_test(a_duplicate_is_not_told_late),
		cmocka_unit_test(what_gave_way_is_not_told),
		cmocka_unit_test(every_run_of_a_burst_is_told_of),
		cmocka_unit_test(runs_that_no_ack_told_of_get_one_when_text_took_it),
		cmocka_unit_test(a_run_that_grows_in_a_burst_is_told_of_three_times),
		cmocka_unit_test(blocks_are_runs_of_what_came),
	};

	return run_peer_tests(tests);
}
