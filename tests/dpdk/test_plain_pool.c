// SPDX-License-Identifier: BSD-3-Clause
// DPDK's ground without EAL: pools of plain heap, drawn from and returned to by production's code.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "pkt/pool_heap.h"

#define PKTS 16

static struct pool *create(void)
{
	struct pool_config config = {
		.name = "plain", .pkts = PKTS, .room_bytes = 2048, .numa_node = -1, .plain = true};
	struct pool *pool = pool_create(&config);

	assert_non_null(pool);
	return pool;
}

static void packets_are_had_and_given_back_without_eal(void **state)
{
	struct pool *pool = create();
	struct pkt *pkts[PKTS];

	assert_int_equal(pool_capacity(pool), PKTS);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(pool_get(pool, pkts, PKTS), 0);
		assert_int_equal(pool_available(pool), 0);
		assert_null(pkt_alloc(pool));
		for (int i = 0; i < PKTS; i++) {
			assert_int_equal(pkt_seg_count(pkts[i]), 1);
			assert_int_equal(pkt_refs(pkts[i]), 1);
			memset(pkt_append(pkts[i], 2048 - PKT_HEADROOM_BYTES), i,
			       2048 - PKT_HEADROOM_BYTES);
		}
		for (int i = 0; i < PKTS; i++) {
			assert_int_equal(*pkt_data(pkts[i]), i);
			pkt_free(pkts[i]);
		}
		assert_int_equal(pool_available(pool), PKTS);
	}
	pool_destroy(pool);
}

static void references_hold_their_source(void **state)
{
	struct pool *pool = create();
	struct pkt *source = pkt_alloc(pool);

	memcpy(pkt_append(source, 5), "hello", 5);
	struct pkt *ref = pkt_slice(pool, source, 1, 3);

	pkt_free(source);
	assert_int_equal(pool_available(pool), PKTS - 2);
	assert_memory_equal(pkt_data(ref), "ell", 3);
	pkt_free(ref);
	assert_int_equal(pool_available(pool), PKTS);
	pool_destroy(pool);
}

static void requests_are_refused_by_chance_when_asked_to(void **state)
{
	struct pool *pool = create();
	struct pkt *p;
	int refused = 0;

	pool_heap_fail(500000, 1);
	for (int i = 0; i < 1000; i++) {
		refused += (p = pkt_alloc(pool)) == NULL;
		pkt_free(p);
	}
	assert_in_range(refused, 400, 600);
	pool_heap_fail(0, 0);
	pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_had_and_given_back_without_eal),
		cmocka_unit_test(references_hold_their_source),
		cmocka_unit_test(requests_are_refused_by_chance_when_asked_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
