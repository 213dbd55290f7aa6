// SPDX-License-Identifier: BSD-3-Clause
// The flight recorder's writer: a dropped packet's first bytes, as they came, with its reason.
#include "pkt/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pkt/pool.h"

#define RECORDS 4

struct fixture {
	struct counters counters;
	struct env env;
	struct pool *pool;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->env = (struct env){.now_ns = 77, .counters = &f->counters, .verdict_mask = RECORDS - 1};
	f->env.verdicts =
		aligned_alloc(64, sizeof(struct verdicts) + RECORDS * sizeof(struct verdict));
	memset(f->env.verdicts, 0, sizeof(struct verdicts) + RECORDS * sizeof(struct verdict));
	f->pool = pool_create(&(struct pool_config){"pool", 8, 2048, -1});
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(pool_available(f->pool), 8);
	pool_destroy(f->pool);
	free(f->env.verdicts);
	free(f);
	return 0;
}

// Bytes 0, 1, 2, ...
static struct pkt *numbered(struct fixture *f, uint16_t len)
{
	struct pkt *p = pkt_alloc(f->pool);
	uint8_t *to = pkt_append(p, len);

	for (uint16_t i = 0; i < len; i++)
		to[i] = (uint8_t)i;
	return p;
}

static const struct verdict *only(const struct fixture *f)
{
	assert_int_equal(f->env.verdicts->written, 1);
	return verdict_records(f->env.verdicts);
}

static void a_received_frame_is_recorded_as_it_came(void **state)
{
	struct fixture *f = *state;
	struct pkt *p = numbered(f, 200);

	pkt_set_origin(p, pkt_origin_base(9, 3, 5));
	pkt_strip(p, 34); // as floors do that read headers
	pkt_drop(&f->env, p, DROP_TCP_CHECKSUM);
	const struct verdict *v = only(f);

	assert_int_equal(v->time_ns, 77);
	assert_int_equal(v->reason, DROP_TCP_CHECKSUM);
	assert_int_equal(v->port, 5);
	assert_int_equal(v->journey, 9 << 16 | 3 << 8 | 5);
	assert_int_equal(v->head_kind, VERDICT_HEAD_FRAME);
	assert_int_equal(v->len, 200);
	assert_int_equal(v->head_bytes, VERDICT_HEAD_BYTES);
	for (int i = 0; i < VERDICT_HEAD_BYTES; i++)
		assert_int_equal(v->head[i], i);
}

static void a_chain_is_as_long_as_all_of_it(void **state)
{
	struct fixture *f = *state;
	struct pkt *p = numbered(f, 60);

	pkt_set_origin(p, pkt_origin_base(1, 0, 0));
	pkt_chain(p, numbered(f, 1000));
	pkt_strip(p, 14);
	pkt_drop(&f->env, p, DROP_FRAGMENT_TIMEOUT);
	assert_int_equal(only(f)->len, 1060);
	assert_int_equal(only(f)->head_bytes, 60); // of the first segment
}

static void what_was_made_here_begins_as_who_drops_it_says(void **state)
{
	struct fixture *f = *state;
	static const uint8_t kinds[] = {VERDICT_HEAD_TRANSPORT, VERDICT_HEAD_IP,
					VERDICT_HEAD_FRAME};

	pkt_drop(&f->env, numbered(f, 20), DROP_NO_ROUTE);
	pkt_drop_ip(&f->env, numbered(f, 20), DROP_ARP_UNREACHABLE);
	pkt_drop_frame(&f->env, numbered(f, 20), DROP_TX_RING_FULL);
	for (int i = 0; i < 3; i++) {
		const struct verdict *v = verdict_records(f->env.verdicts) + i;

		assert_int_equal(v->head_kind, kinds[i]);
		assert_int_equal(v->port, VERDICT_NO_PORT);
		assert_int_equal(v->journey, 0);
		assert_int_equal(v->head_bytes, 20);
		assert_int_equal(v->head[19], 19);
	}
}

// Whatever stood in front of it before.
static void an_answer_in_a_received_buffer_begins_where_it_begins(void **state)
{
	struct fixture *f = *state;

	for (uint16_t shorter = 0; shorter <= 8; shorter += 4) {
		struct pkt *p = numbered(f, 100);

		pkt_set_origin(p, pkt_origin_base(1, 0, 2));
		pkt_strip(p, shorter);
		pkt_drop_frame(&f->env, p, DROP_TX_RING_FULL);
		const struct verdict *v = verdict_records(f->env.verdicts) + shorter / 4;

		assert_int_equal(v->port, VERDICT_NO_PORT); // it was on its way out
		assert_int_equal(v->journey, 1 << 16 | 2);  // and is known again
		assert_int_equal(v->head_kind, VERDICT_HEAD_FRAME);
		assert_int_equal(v->len, 100 - shorter);
		assert_int_equal(v->head[0], shorter);
	}
}

static void what_has_no_header_yet_gets_one_in_the_record_alone(void **state)
{
	struct fixture *f = *state;
	static const uint8_t header[20] = "a header of twenty.";
	struct pkt *p = numbered(f, 200), *same = p;

	pkt_hold(p); // others have its bytes, too
	pkt_drop_unsent(&f->env, p, DROP_NO_ROUTE, header, sizeof(header));
	assert_int_equal(only(f)->head_kind, VERDICT_HEAD_IP);
	assert_int_equal(only(f)->len, 220);
	assert_int_equal(only(f)->head_bytes, VERDICT_HEAD_BYTES);
	assert_memory_equal(only(f)->head, header, sizeof(header));
	assert_int_equal(only(f)->head[20], 0);
	assert_int_equal(only(f)->head[VERDICT_HEAD_BYTES - 1], VERDICT_HEAD_BYTES - 21);
	assert_int_equal(pkt_len(same), 200);
	pkt_free(same);
}

static void a_reference_into_a_frame_is_not_taken_for_the_frame(void **state)
{
	struct fixture *f = *state;
	struct pkt *source = numbered(f, 200);

	pkt_set_origin(source, pkt_origin_base(1, 0, 2));
	struct pkt *part = pkt_slice(f->pool, source, 100, 50);

	pkt_drop(&f->env, part, DROP_NO_ROUTE);
	assert_int_equal(only(f)->port, VERDICT_NO_PORT);
	assert_int_equal(only(f)->head_bytes, 50);
	assert_int_equal(only(f)->head[0], 100);
	pkt_free(source);
}

static void the_ring_goes_on_with_its_oldest_record(void **state)
{
	struct fixture *f = *state;

	for (uint16_t i = 1; i <= RECORDS + 2; i++)
		pkt_drop(&f->env, numbered(f, i), DROP_NO_ROUTE);
	assert_int_equal(f->env.verdicts->written, RECORDS + 2);
	assert_int_equal(verdict_records(f->env.verdicts)[0].len, RECORDS + 1);
	assert_int_equal(verdict_records(f->env.verdicts)[1].len, RECORDS + 2);
	assert_int_equal(verdict_records(f->env.verdicts)[2].len, 3);
}

static void without_a_ring_drops_are_counted_all_the_same(void **state)
{
	struct fixture *f = *state;
	struct verdicts *ring = f->env.verdicts;

	f->env.verdicts = NULL;
	pkt_drop(&f->env, numbered(f, 20), DROP_NO_ROUTE);
	f->env.verdicts = ring;
	assert_int_equal(f->counters.drop[DROP_NO_ROUTE], 1);
	assert_int_equal(ring->written, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_received_frame_is_recorded_as_it_came),
		T(a_chain_is_as_long_as_all_of_it),
		T(what_was_made_here_begins_as_who_drops_it_says),
		T(an_answer_in_a_received_buffer_begins_where_it_begins),
		T(what_has_no_header_yet_gets_one_in_the_record_alone),
		T(a_reference_into_a_frame_is_not_taken_for_the_frame),
		T(the_ring_goes_on_with_its_oldest_record),
		T(without_a_ring_drops_are_counted_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
