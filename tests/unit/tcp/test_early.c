// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

#include "../../seed.h"
#include "tcp/early.h"
#include "tcp/sack.h"
#include "tcp/trouble.h"

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

// Retransmissions of a last segment, whose text is there: its FIN is kept, once.
static void a_fin_that_comes_again_and_again_is_held_once(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	in_seg(b, 101, 100, 0);
	for (int i = 0; i < 3; i++) {
		in_seg(b, 151, 50, FIN);
		in_seg(b, 201, 0, FIN);
	}
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), 2);
	assert_int_equal(peer_drops(b, DROP_TCP_OLD_DATA), 5);
	in_seg(b, 1, 100, 0);
	assert_int_equal(b->received, 200);
	assert_int_equal(b->eof, 1);
	peer_destroy(b);
}

static void text_that_claims_to_be_behind_the_fin_is_never_delivered(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	in_seg(b, 101, 0, FIN);
	in_seg(b, 101, 50, 0);
	in_seg(b, 51, 100, FIN);
	in_seg(b, 101, 0, FIN);
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), 3);
	in_seg(b, 1, 50, 0);
	assert_int_equal(b->received, 100);
	assert_int_equal(b->eof, 1);
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), 0);
	peer_destroy(b);
}

// Holds thousands of segments: their true size is within what may be pinned.
static struct peer *create_roomy(void)
{
	struct tcp_config config = peer_config();

	config.receive_bytes_max = 4 << 20;
	return peer_create_on(&config, PORT_TX_CHAINS);
}

// A stream, and what a receiver knows of it, byte by byte.
enum { STREAM_BYTES = 24000 };
struct model {
	uint16_t holder[STREAM_BYTES + 1]; // of each byte the segment that is held for it; 0: none
	uint16_t segs;                     // so far
	uint32_t nxt;                      // all before it was delivered
	uint32_t holes;                    // the most there were at once
	uint32_t twice_start, twice_end;   // what of the last segment, or of its end, came twice
	bool fin_in_text, fin_alone;       // are held
};

// As far from `at` as one holder's bytes go, up to end.
static uint32_t model_run(const struct model *m, uint32_t at, uint32_t end)
{
	uint32_t first = at;

	while (at < end && m->holder[at] == m->holder[first])
		at++;
	return at;
}

static void model_twice(struct model *m, uint32_t start, uint32_t end)
{
	m->twice_start = start;
	m->twice_end = end;
}

static void model_early(struct model *m, uint32_t at, uint32_t end, bool fin)
{
	uint32_t start = m->holder[at] ? model_run(m, at, end) : at;
	uint32_t stop = m->holder[start] ? start : model_run(m, start, end);

	model_twice(m, at, start);
	m->segs++;
	for (uint32_t i = start; i < stop; i++)
		m->holder[i] = m->segs;
	if (stop < end)
		model_twice(m, stop, model_run(m, stop, end));
	else if (fin && start < stop)
		m->fin_in_text = true;
	else if (fin && !m->fin_in_text)
		m->fin_alone = true;
}

static void model_next(struct model *m, uint32_t end)
{
	while (m->nxt < end || m->holder[m->nxt])
		m->holder[m->nxt++] = 0;
}

// The packets that are held are the model's, one by one, and nothing else is charged.
static void expect_as_in(struct peer *b, struct model *m)
{
	const struct conn *c = peer_conn(b);
	uint64_t base = c->rcv.nxt - m->nxt;
	struct pkt *p = early_first(c);
	uint32_t bytes = 0, holes = 0, pkts = 0;

	for (uint32_t at = m->nxt, end; at < STREAM_BYTES; at = end) {
		end = model_run(m, at, STREAM_BYTES);
		holes += !m->holder[at];
		if (!m->holder[at])
			continue;
		assert_non_null(p);
		assert_int_equal(pkt_own(p)->offset, base + at);
		assert_int_equal(pkt_len(p), end - at);
		bytes += pkt_true_bytes(p);
		pkts++;
		p = early_after(c, p);
	}
	if (m->fin_alone) {
		assert_non_null(p);
		assert_int_equal(pkt_own(p)->offset, base + STREAM_BYTES);
		assert_int_equal(pkt_len(p), 0);
		bytes += pkt_true_bytes(p);
		pkts++;
		p = early_after(c, p);
	}
	assert_null(p);
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), pkts);
	assert_int_equal(b->env.kept_pkts, pkts);
	assert_int_equal(c->early_bytes, bytes);
	assert_int_equal(c->rcv.charged, bytes);
	m->holes = MAX(m->holes, holes);
}

static void expect_told_twice(struct peer *b, const struct model *m)
{
	const struct conn *c = peer_conn(b);
	uint64_t base = c->rcv.nxt - m->nxt;
	struct range told = {0};

	if (conn_is(c, CONN_TROUBLE))
		told = trouble_of(b->tcp, c)->dsack;
	assert_int_equal(told.end - told.start, m->twice_end - m->twice_start);
	if (told.end)
		assert_int_equal(told.start, base + m->twice_start);
}

static void model_seg(struct peer *b, struct model *m, uint32_t at, uint32_t len)
{
	uint32_t end = MIN(at + len, (uint32_t)STREAM_BYTES);
	bool fin = end == STREAM_BYTES;

	peer_in(b, (struct in){.flags = (uint8_t)(fin ? ACK | FIN : ACK),
			       .seq = 1 + at,
			       .ack = 1,
			       .len = end - at});
	if (at == m->nxt) {
		model_next(m, end);
	} else {
		model_early(m, at, end, fin);
		expect_told_twice(b, m);
	}
	peer_turn(b);
	peer_clear(b);
	assert_int_equal(b->received, m->nxt);
}

// One hole after the other is filled, from the first on; meanwhile more comes early.
static void fill_all(struct peer *b, struct model *m, struct rng *rng)
{
	while (m->nxt < STREAM_BYTES) {
		uint32_t left = STREAM_BYTES - m->nxt;

		if (rng_below(rng, 3))
			model_seg(b, m, m->nxt, 1 + (uint32_t)rng_below(rng, 60));
		else
			model_seg(b, m, m->nxt + 1 + (uint32_t)rng_below(rng, left),
				  (uint32_t)rng_below(rng, 200));
		if (m->nxt < STREAM_BYTES && rng_below(rng, 16) == 0)
			expect_as_in(b, m);
	}
}

static void what_is_held_between_a_thousand_holes_is_what_a_map_of_bytes_says(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, test_seed());
	for (int round = 0; round < 3; round++) {
		struct model m = {0};
		struct peer *b = create_roomy();

		peer_open(b);
		conn_set(peer_conn(b), CONN_SACK);
		for (int i = 0; i < 2400; i++) {
			uint32_t len_max = rng_below(&rng, 40) ? 6 : 60;

			model_seg(b, &m, 1 + (uint32_t)rng_below(&rng, STREAM_BYTES - 1),
				  1 + (uint32_t)rng_below(&rng, len_max));
			if (i % 16 == 0)
				expect_as_in(b, &m);
		}
		assert_true(m.holes > 1000);
		fill_all(b, &m, &rng);
		assert_true(b->in_order);
		assert_int_equal(b->eof, 1);
		assert_null(peer_conn(b)->early);
		assert_int_equal(peer_conn(b)->rcv.charged, 0);
		peer_destroy(b);
	}
}

// One byte each, a hole of one byte in front.
enum { ISLETS = 2000, ISLETS_LOG2 = 11 };

static uint32_t ascending(uint32_t i)
{
	return i;
}

static uint32_t descending(uint32_t i)
{
	return ISLETS - 1 - i;
}

static uint32_t from_both_ends(uint32_t i)
{
	return i % 2 ? ISLETS - 1 - i / 2 : i / 2;
}

static uint32_t scattered(uint32_t i)
{
	return i * 1237 % ISLETS;
}

static struct peer *create_with_islets(uint32_t (*place)(uint32_t i))
{
	struct peer *b = create_roomy();

	peer_open(b);
	for (uint32_t i = 0; i < ISLETS; i++) {
		in_seg(b, 2 + 2 * place(i), 1, 0);
		peer_clear(b);
	}
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), ISLETS);
	return b;
}

// In whatever order they come: some 2 ln n among n, as if it had been at random.
static void a_place_among_thousands_is_found_in_few_steps(void **state)
{
	static uint32_t (*const orders[])(uint32_t i) = {ascending, descending, from_both_ends,
							 scattered};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(orders); i++) {
		struct peer *b = create_with_islets(orders[i]);

		assert_true(peer_count(b, COUNTER_tcp_early_steps) < ISLETS * 2 * ISLETS_LOG2);
		peer_destroy(b);
	}
}

// After one loss each segment goes behind the last: down the right edge, ln n.
static void the_place_behind_the_last_is_found_sooner(void **state)
{
	struct peer *b = create_with_islets(ascending);

	(void)state;
	assert_true(peer_count(b, COUNTER_tcp_early_steps) < ISLETS * ISLETS_LOG2);
	peer_destroy(b);
}

static void text_for_the_middle_of_two_thousand_holes_is_held(void **state)
{
	enum { FILLED = 800 };
	struct peer *b = create_with_islets(ascending);
	uint64_t before = peer_count(b, COUNTER_tcp_early_steps);

	(void)state;
	for (uint32_t i = 0; i < FILLED; i++) {
		in_seg(b, 1 + 2 * (100 + i * 1237 % (ISLETS - 200)), 1, 0);
		peer_clear(b);
	}
	assert_int_equal(peer_count(b, COUNTER_queued_pkts), ISLETS + FILLED);
	assert_true(peer_count(b, COUNTER_tcp_early_steps) - before < FILLED * 2 * ISLETS_LOG2);
	for (uint32_t i = 0; b->received < 2 * ISLETS; i++) {
		assert_true(i < ISLETS - FILLED);
		in_seg(b, 1 + (uint32_t)b->received, 1, 0);
		peer_clear(b);
	}
	assert_true(b->in_order);
	peer_destroy(b);
}

static void what_gives_way_is_the_last(void **state)
{
	static const uint32_t order[] = {501, 101, 301, 901, 701};
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		in_seg(b, order[i], 100, 0);
	for (uint32_t left = ARRAY_COUNT(order) - 1; left > 0; left--) {
		const struct conn *c = peer_conn(b);
		struct pkt *p = early_first(c);

		b->env.kept_pkts_max = left + 1;
		assert_true(early_gives_way(b->tcp));
		for (uint32_t i = 0; i < left; i++, p = early_after(c, p))
			assert_int_equal(pkt_own(p)->offset, c->rcv.nxt + 100 + 200 * i);
		assert_null(p);
	}
	assert_int_equal(peer_drops(b, DROP_TCP_EARLY_SHORT), ARRAY_COUNT(order) - 1);
	b->env.kept_pkts_max = 1;
	assert_true(early_gives_way(b->tcp));
	assert_null(peer_conn(b)->early);
	assert_false(conn_is(peer_conn(b), CONN_EARLY));
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
		cmocka_unit_test(a_fin_that_comes_again_and_again_is_held_once),
		cmocka_unit_test(text_that_claims_to_be_behind_the_fin_is_never_delivered),
		cmocka_unit_test(what_is_held_between_a_thousand_holes_is_what_a_map_of_bytes_says),
		cmocka_unit_test(a_place_among_thousands_is_found_in_few_steps),
		cmocka_unit_test(the_place_behind_the_last_is_found_sooner),
		cmocka_unit_test(text_for_the_middle_of_two_thousand_holes_is_held),
		cmocka_unit_test(what_gives_way_is_the_last),
		cmocka_unit_test(trimming_releases_whole_segments),
	};

	return run_peer_tests(tests);
}
