// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

#include "tcp/early.h"

static void in_seg(struct peer *b, uint32_t seq, uint32_t len, uint8_t flags)
{
	peer_seg(b, (struct in){.flags = ACK | flags, .seq = seq, .ack = 1, .len = len});
}

static void early_segment_waits_for_the_hole(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	in_seg(b, 101, 100, 0);
	expect(b, ACK, 1, 1, 0); // RFC 5681 4.2: at once
	assert_int_equal(b->received, 0);
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), 1);
	in_seg(b, 1, 100, 0);
	expect(b, ACK, 1, 201, 0);
	assert_int_equal(b->received, 200);
	assert_true(b->in_order);
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), 0);
	peer_destroy(b);
}

static void a_fin_that_came_early_counts_when_its_turn_comes(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	in_seg(b, 101, 0, FIN);
	in_seg(b, 51, 50, 0);
	assert_int_equal(b->eof, 0);
	in_seg(b, 1, 50, 0);
	assert_int_equal(b->received, 100);
	assert_int_equal(b->eof, 1);
	assert_int_equal(peer_state(b), CLOSE_WAIT);
	peer_destroy(b);
}

// Random segments of a stream beside an array of what was sent: everything once, in order.
static void any_order_and_overlap_gives_the_same_stream(void **state)
{
	const char *seed = getenv("PRISM_SEED");
	struct rng rng;

	(void)state;
	rng_seed(&rng, seed ? strtoull(seed, NULL, 0) : 1);
	for (int round = 0; round < 50; round++) {
		struct peer *b = peer_create();
		uint32_t total = 3000;

		peer_open(b);
		for (int i = 0; i < 200; i++) {
			uint32_t at = (uint32_t)rng_below(&rng, total);
			uint32_t len = (uint32_t)rng_below(&rng, MIN(total - at, 400u) + 1);

			in_seg(b, 1 + at, len, at + len == total ? FIN : 0);
			peer_clear(b);
		}
		for (uint32_t at = 0; at < total; at += 100)
			in_seg(b, 1 + at, 100, at + 100 == total ? FIN : 0);
		assert_int_equal(b->received, total);
		assert_true(b->in_order);
		assert_int_equal(b->eof, 1);
		assert_int_equal(peer_count(b, COUNTER_queued_pkts), 0);
		peer_destroy(b);
	}
}

// However many are held, a segment passes 64 at most on the way to its place, from either end; what
// lies deeper comes again when the text before it has come.
static void a_place_is_found_in_few_steps_or_not_at_all(void **state)
{
	struct tcp_config config = peer_config();
	enum { ISLETS = 1000 };
	static const struct {
		uint32_t hole, steps;
	} fillers[] = {{0, 1}, {63, 64}, {500, 64}, {ISLETS - 65, 64}, {ISLETS - 2, 1}};

	(void)state;
	config.receive_bytes_max = 2 << 20; // the true size of all of them
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	for (uint32_t i = 0; i < ISLETS; i++) { // one byte each, a hole of one byte behind it
		in_seg(b, 3 + 2 * i, 1, 0);
		peer_clear(b);
	}
	assert_int_equal(peer_count(b, COUNTER_tcp_early_steps), 0);
	for (size_t i = 0; i < ARRAY_COUNT(fillers); i++) {
		uint64_t before = peer_count(b, COUNTER_tcp_early_steps);

		in_seg(b, 4 + 2 * fillers[i].hole, 1, 0);
		assert_int_equal(peer_count(b, COUNTER_tcp_early_steps) - before, fillers[i].steps);
	}
	assert_int_equal(peer_drops(b, DROP_TCP_EARLY_DEEP), 3);
	in_seg(b, 1, 1001, 0);
	in_seg(b, 1002, 1000, 0);
	assert_int_equal(b->received, 2001);
	assert_true(b->in_order);
	peer_destroy(b);
}

static void trimming_releases_whole_segments(void **state)
{
	struct peer *b = peer_create();
	struct pkt *p = pkt_alloc(b->env.pool[POOL_RX]), *q = pkt_alloc(b->env.pool[POOL_RX]);

	(void)state;
	pkt_append(p, 10);
	memcpy(pkt_append(q, 10), "abcdefghij", 10);
	pkt_chain(p, q);
	p = early_trim_front(p, 13);
	assert_ptr_equal(p, q);
	assert_int_equal(pkt_len(p), 7);
	assert_int_equal(pkt_seg_count(p), 1);
	assert_memory_equal(pkt_data(p), "defghij", 7);
	pkt_free(p);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(early_segment_waits_for_the_hole),
		cmocka_unit_test(a_fin_that_came_early_counts_when_its_turn_comes),
		cmocka_unit_test(any_order_and_overlap_gives_the_same_stream),
		cmocka_unit_test(a_place_is_found_in_few_steps_or_not_at_all),
		cmocka_unit_test(trimming_releases_whole_segments),
	};

	return run_peer_tests(tests);
}
