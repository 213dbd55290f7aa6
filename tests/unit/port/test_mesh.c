// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/time.h"
#include "pkt/pool.h"
#include "port/mesh.h"

#define WORKERS 3

// Workers of which each has nothing but its hands.
struct bed {
	struct mesh *mesh;
	struct pool *pool;
	struct env env[WORKERS];
	struct counters counters[WORKERS];
};

static struct bed *bed_create(void)
{
	struct bed *b = calloc(1, sizeof(*b));

	b->mesh = mesh_create(WORKERS);
	b->pool = pool_create(&(struct pool_config){"mesh", 2 * MESH_RING_PKTS, 256, -1});
	for (uint32_t i = 0; i < WORKERS; i++)
		b->env[i] = (struct env){.worker_index = i,
					 .worker_count = WORKERS,
					 .counters = &b->counters[i],
					 .hands = mesh_hands(b->mesh, i)};
	return b;
}

static void bed_destroy(struct bed *b)
{
	mesh_destroy(b->mesh);
	assert_int_equal(pool_available(b->pool), pool_capacity(b->pool));
	pool_destroy(b->pool);
	free(b);
}

// Packets of one worker that are neither in his hands nor counted anywhere.
static int64_t unaccounted(const struct bed *b, uint32_t worker, uint32_t made)
{
	return counters_unaccounted(&b->counters[worker]) + made;
}

static void what_is_handed_over_arrives_in_order_with_its_word(void **state)
{
	struct bed *b = bed_create();
	struct pkt *given[100], *taken[100];

	for (uint32_t i = 0; i < 100; i++) {
		given[i] = pkt_alloc(b->pool);
		hands_give(&b->env[0], given[i], 2, mesh_word(HANDED_INPUT, i % 16, 0));
	}
	assert_true(hands_waiting(&b->env[2])); // whole bursts have left
	hands_flush(&b->env[0]);
	assert_int_equal(hands_depth(b->env[2].hands), 100);
	assert_int_equal(hands_take(&b->env[2], 1, taken, 100), 0);
	assert_int_equal(hands_take(&b->env[2], 0, taken, 100), 100);
	for (uint32_t i = 0; i < 100; i++) {
		assert_ptr_equal(taken[i], given[i]);
		assert_int_equal(mesh_port(pkt_word(taken[i])), i % 16);
		assert_int_equal(mesh_what(pkt_word(taken[i])), HANDED_INPUT);
		pkt_consume(&b->env[2], taken[i]);
	}
	assert_false(hands_waiting(&b->env[2]));
	assert_int_equal(unaccounted(b, 0, 100), 0);
	assert_int_equal(unaccounted(b, 2, 0), 0);
	bed_destroy(b);
}

static void a_full_ring_drops_by_name_and_loses_nothing_before_it(void **state)
{
	struct bed *b = bed_create();
	struct pkt *taken[BURST_PKTS];
	uint32_t total = 0, n;

	for (uint32_t i = 0; i < MESH_RING_PKTS + 100; i++)
		hands_give(&b->env[1], pkt_alloc(b->pool), 0, mesh_word(HANDED_INPUT, 0, 1));
	hands_flush(&b->env[1]);
	assert_int_equal(b->counters[1].drop[DROP_WORKER_RING_FULL], 100);
	assert_int_equal(unaccounted(b, 1, MESH_RING_PKTS + 100), 0);
	while ((n = hands_take(&b->env[0], 1, taken, BURST_PKTS))) {
		for (uint32_t i = 0; i < n; i++)
			pkt_consume(&b->env[0], taken[i]);
		total += n;
	}
	assert_int_equal(total, MESH_RING_PKTS);
	assert_int_equal(unaccounted(b, 0, 0), 0);
	bed_destroy(b);
}

static void what_is_on_its_way_at_the_end_is_released(void **state)
{
	struct bed *b = bed_create();

	for (uint32_t i = 0; i < BURST_PKTS + 1; i++) // one burst in the ring, one packet staged
		hands_give(&b->env[0], pkt_alloc(b->pool), 1, mesh_word(HANDED_INPUT, 0, 0));
	bed_destroy(b);
}

static void a_relay_sends_through_another_worker_and_keeps_what_does_not_fit(void **state)
{
	struct bed *b = bed_create();
	struct port like = {.index = 5, .mtu_bytes = 1400, .tx_segs_max = 3};
	struct port *relay = relay_open(&like, b->env[2].hands, 0);
	struct pkt *taken[BURST_PKTS];

	assert_int_equal(relay->mtu_bytes, 1400);
	assert_int_equal(port_rx(&b->env[2], relay, taken, BURST_PKTS), 0);
	for (uint32_t i = 0; i < MESH_RING_PKTS + 10; i++)
		port_tx(&b->env[2], relay, pkt_alloc(b->pool));
	port_tx_flush(&b->env[2], relay);
	assert_int_equal(relay->stage_count, 10);
	assert_int_equal(b->counters[2].value[COUNTER_queued_pkts], 10);
	assert_int_equal(b->counters[2].value[COUNTER_tx_pkts], 0);
	assert_int_equal(unaccounted(b, 2, MESH_RING_PKTS + 10), 0);
	assert_int_equal(hands_take(&b->env[0], 2, taken, 1), 1);
	assert_int_equal(mesh_what(pkt_word(taken[0])), HANDED_OUTPUT);
	assert_int_equal(mesh_port(pkt_word(taken[0])), 5);
	pkt_free(taken[0]);
	port_tx_discard(&b->env[2], relay);
	port_close(relay);
	bed_destroy(b);
}

static void who_takes_nothing_for_half_a_second_is_stuck(void **state)
{
	struct bed *b = bed_create();
	struct pkt *taken[2];

	for (uint32_t i = 0; i < 3; i++) {
		b->env[0].now_ns += NS_PER_S; // one who had nothing to take is not stuck
		assert_false(hands_stuck(&b->env[0], 1));
	}
	hands_give(&b->env[0], pkt_alloc(b->pool), 1, mesh_word(HANDED_ARP, 0, 0));
	hands_flush(&b->env[0]);
	assert_false(hands_stuck(&b->env[0], 1));
	b->env[0].now_ns += NS_PER_S / 2;
	assert_false(hands_stuck(&b->env[0], 1));
	b->env[0].now_ns += 1;
	assert_true(hands_stuck(&b->env[0], 1));
	assert_false(hands_stuck(&b->env[0], 2));
	hands_give(&b->env[0], pkt_alloc(b->pool), 1, mesh_word(HANDED_ARP, 0, 0));
	hands_flush(&b->env[0]);
	assert_int_equal(hands_take(&b->env[1], 0, taken, 1), 1); // one of two: it moves
	pkt_free(taken[0]);
	assert_false(hands_stuck(&b->env[0], 1));
	b->env[0].now_ns += NS_PER_S;
	assert_true(hands_stuck(&b->env[0], 1));
	assert_int_equal(hands_take(&b->env[1], 0, taken, 1), 1);
	pkt_free(taken[0]);
	assert_false(hands_stuck(&b->env[0], 1));
	bed_destroy(b);
}

static void the_first_question_does_not_know_how_long_packets_lie_there(void **state)
{
	struct bed *b = bed_create();

	b->env[0].now_ns = 100 * NS_PER_S;
	hands_give(&b->env[0], pkt_alloc(b->pool), 1, mesh_word(HANDED_INPUT, 0, 0));
	hands_flush(&b->env[0]);
	assert_false(hands_stuck(&b->env[0], 1));
	b->env[0].now_ns += NS_PER_S;
	assert_true(hands_stuck(&b->env[0], 1));
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_handed_over_arrives_in_order_with_its_word),
		cmocka_unit_test(a_full_ring_drops_by_name_and_loses_nothing_before_it),
		cmocka_unit_test(what_is_on_its_way_at_the_end_is_released),
		cmocka_unit_test(who_takes_nothing_for_half_a_second_is_stuck),
		cmocka_unit_test(the_first_question_does_not_know_how_long_packets_lie_there),
		cmocka_unit_test(a_relay_sends_through_another_worker_and_keeps_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
