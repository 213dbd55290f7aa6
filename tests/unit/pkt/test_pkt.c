// SPDX-License-Identifier: BSD-3-Clause
// Packets: references hold what they point at, releases put everything back, copies are ledgered.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pkt/pkt.h"
#include "pkt/pool.h"

struct fixture {
	struct counters counters;
	struct env env;
	struct pool *big, *small;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.env.counters = &f.counters;
	f.big = pool_create(&(struct pool_config){"big", 8, 2048, -1});
	f.small = pool_create(&(struct pool_config){"small", 8, 256, -1});
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pool_available(f->big), 8);
	assert_int_equal(pool_available(f->small), 8);
	pool_destroy(f->big);
	pool_destroy(f->small);
	return 0;
}

static void a_new_packet_is_empty_with_headroom(void **state)
{
	struct fixture *f = *state;
	struct pkt *p = pkt_alloc(f->big);

	assert_int_equal(pkt_len(p), 0);
	assert_int_equal(pkt_headroom(p), PKT_FRONT_BYTES);
	assert_int_equal(pkt_tailroom(p), 2048 - pkt_headroom(p));
	pkt_free(p);
}

static void an_empty_pool_gives_nothing_and_all_or_none(void **state)
{
	struct fixture *f = *state;
	struct pkt *p[9];

	assert_int_equal(pool_get(f->big, p, 9), -1);
	assert_int_equal(pool_available(f->big), 8);
	assert_int_equal(pool_get(f->big, p, 8), 0);
	assert_null(pkt_alloc(f->big));
	pool_put(p, 8);
}

static void a_reference_outlives_its_source(void **state)
{
	struct fixture *f = *state;
	struct pkt *source = pkt_alloc(f->big);

	memcpy(pkt_append(source, 5), "hello", 5);
	struct pkt *ref = pkt_slice(f->small, source, 1, 3);

	pkt_free(source);
	assert_int_equal(pool_available(f->big), 7);
	assert_int_equal(pkt_len(ref), 3);
	assert_memory_equal(pkt_data(ref), "ell", 3);
	pkt_free(ref);
	assert_int_equal(pool_available(f->big), 8);
}

static void a_released_reference_is_a_direct_packet_again(void **state)
{
	struct fixture *f = *state;
	struct pkt *source = pkt_alloc(f->big);
	struct pkt *ref;

	pkt_append(source, 100);
	ref = pkt_slice(f->small, source, 0, 100);
	assert_false(pkt_is_direct(ref));
	pkt_hold(ref); // so that the release below leaves the packet to look at
	pkt_free_seg(ref);
	pkt_free(ref);
	ref = pkt_alloc(f->small);
	assert_true(pkt_is_direct(ref));
	assert_int_equal(ref->mbuf.buf_len, 256);
	pkt_free(ref);
	pkt_free(source);
}

static void a_chain_of_head_reference_and_region_goes_back_whole(void **state)
{
	struct fixture *f = *state;
	struct pkt *head = pkt_alloc(f->small);
	struct pkt *source = pkt_alloc(f->big);
	char *region = pool_region_alloc(1000);

	pkt_append(head, 20);
	pkt_append(source, 500);
	pkt_chain(head, pkt_slice(f->small, source, 0, 500));
	pkt_chain(head, pkt_ref_region(f->small, region, 1000));
	assert_int_equal(pkt_len(head), 1520);
	assert_int_equal(pkt_seg_count(head), 3);
	assert_ptr_equal(pkt_data(pkt_next(pkt_next(head))), region);
	pkt_free(head);
	assert_int_equal(pool_available(f->small), 8);
	pkt_free(source);
}

static void truncating_releases_what_falls_away(void **state)
{
	struct fixture *f = *state;
	struct pkt *head = pkt_alloc(f->small);
	struct pkt *tail = pkt_alloc(f->small);

	pkt_append(head, 100);
	pkt_append(tail, 50);
	pkt_chain(head, tail);
	pkt_truncate(head, 120);
	assert_int_equal(pkt_len(head), 120);
	assert_int_equal(pkt_seg_len(pkt_next(head)), 20);
	pkt_truncate(head, 100);
	assert_int_equal(pkt_seg_count(head), 1);
	assert_int_equal(pool_available(f->small), 7);
	pkt_free(head);
}

static void copies_are_entered_into_the_ledger_by_reason(void **state)
{
	struct fixture *f = *state;
	struct pkt *p = pkt_alloc(f->small);

	assert_true(pkt_copy(&f->env, p, "abcdef", 6, COPY_PACK));
	assert_true(pkt_copy(&f->env, p, "gh", 2, COPY_API));
	assert_int_equal(f->counters.value[COUNTER_copied_bytes_pack], 6);
	assert_int_equal(f->counters.value[COUNTER_copied_bytes_api], 2);
	assert_memory_equal(pkt_data(p), "abcdefgh", 8);
	pkt_free(p);
}

static void a_copy_that_does_not_fit_is_refused_whole(void **state)
{
	struct fixture *f = *state;
	struct pkt *p = pkt_alloc(f->small);
	char big[200] = {0};

	assert_false(pkt_copy(&f->env, p, big, sizeof(big), COPY_API));
	assert_int_equal(pkt_len(p), 0);
	assert_int_equal(f->counters.value[COUNTER_copied_bytes_api], 0);
	pkt_free(p);
}

static void dropping_counts_the_reason_and_releases(void **state)
{
	struct fixture *f = *state;

	pkt_drop(&f->env, pkt_alloc(f->small), DROP_TX_RING_FULL);
	assert_int_equal(f->counters.drop[DROP_TX_RING_FULL], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_new_packet_is_empty_with_headroom),
		T(an_empty_pool_gives_nothing_and_all_or_none),
		T(a_reference_outlives_its_source),
		T(a_released_reference_is_a_direct_packet_again),
		T(a_chain_of_head_reference_and_region_goes_back_whole),
		T(truncating_releases_what_falls_away),
		T(copies_are_entered_into_the_ledger_by_reason),
		T(a_copy_that_does_not_fit_is_refused_whole),
		T(dropping_counts_the_reason_and_releases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
