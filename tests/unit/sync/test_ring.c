// SPDX-License-Identifier: BSD-3-Clause
// The ring: alone against a counter, and between two threads. Run it under ThreadSanitizer too:
//   meson setup build-tsan -Db_sanitize=thread -Db_lundef=false
//   meson test -C build-tsan sync/ring
#include "sync/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../seed.h"
#include "base/err.h"
#include "base/rand.h"

#define BURST 37

static void *item(uint64_t number)
{
	return (void *)(uintptr_t)number;
}

static void items_come_out_in_order_and_full_and_empty_are_said(void **state)
{
	struct ring *r = ring_spsc_create(4);
	void *in[] = {item(1), item(2), item(3), item(4), item(5)}, *out[5];

	assert_int_equal(ring_spsc_take(r, out, 5), 0);
	assert_int_equal(ring_spsc_put(r, in, 5), 4);
	assert_int_equal(ring_spsc_count(r), 4);
	assert_int_equal(ring_spsc_put(r, in, 1), 0);
	assert_int_equal(ring_spsc_take(r, out, 3), 3);
	assert_ptr_equal(out[0], item(1));
	assert_ptr_equal(out[2], item(3));
	assert_int_equal(ring_spsc_put(r, in + 4, 1), 1);
	assert_int_equal(ring_spsc_take(r, out, 5), 2);
	assert_ptr_equal(out[0], item(4));
	assert_ptr_equal(out[1], item(5));
	assert_int_equal(ring_spsc_count(r), 0);
	ring_spsc_destroy(r);
}

static void random_bursts_agree_with_a_count(void **state)
{
	struct rng rng;

	rng_seed(&rng, test_seed());
	for (uint32_t capacity = 1; capacity <= 64; capacity *= 2) {
		struct ring *r = ring_spsc_create(capacity);
		uint64_t put = 0, taken = 0;
		void *items[BURST];

		for (int step = 0; step < 20000; step++) {
			uint32_t count = (uint32_t)rng_below(&rng, BURST + 1);
			uint32_t expected =
				(uint32_t)MIN((uint64_t)count, capacity - (put - taken));

			for (uint32_t i = 0; i < count; i++)
				items[i] = item(put + i);
			assert_int_equal(ring_spsc_put(r, items, count), expected);
			put += expected;
			count = (uint32_t)rng_below(&rng, BURST + 1);
			expected = (uint32_t)MIN((uint64_t)count, put - taken);
			assert_int_equal(ring_spsc_take(r, items, count), expected);
			for (uint32_t i = 0; i < expected; i++)
				assert_ptr_equal(items[i], item(taken + i));
			taken += expected;
			assert_int_equal(ring_spsc_count(r), put - taken);
		}
		ring_spsc_destroy(r);
	}
}

static void other_sizes_than_powers_of_two_are_refused(void **state)
{
	err_clear();
	assert_null(ring_spsc_create(0));
	assert_int_equal(err_last()->id, ERR_INVALID_ARGUMENT);
	assert_null(ring_spsc_create(3));
}

// Two threads. Messages are reused after they come back through a second ring, so that both
// directions of ordering matter: what is written before put is seen after take, and a slot or a
// message is written again only after it was read.
#define MESSAGES 64
#define HAND_OVERS 1000000

struct message {
	uint64_t number;
	uint64_t check;
};

struct pair {
	struct ring *there, *back;
	struct message message[MESSAGES];
	uint64_t seed;
	uint64_t errors; // the consumer's
};

static void *consume(void *context)
{
	struct pair *p = context;
	void *items[BURST];
	uint64_t next = 0;
	struct rng rng;

	rng_seed(&rng, p->seed + 1);
	while (next < HAND_OVERS) {
		uint32_t count =
			ring_spsc_take(p->there, items, 1 + (uint32_t)rng_below(&rng, BURST));

		for (uint32_t i = 0; i < count; i++, next++) {
			struct message *m = items[i];

			p->errors += m->number != next || m->check != ~next;
			m->number = m->check = 0;
		}
		for (uint32_t done = 0; done < count;)
			done += ring_spsc_put(p->back, items + done, count - done);
		if (count == 0)
			sched_yield();
	}
	return NULL;
}

static void two_threads_hand_over_whole_messages_in_order(void **state)
{
	static struct pair p;
	void *spare[MESSAGES];
	uint32_t spare_count = MESSAGES;
	uint64_t next = 0;
	pthread_t thread;
	struct rng rng;

	p = (struct pair){
		.there = ring_spsc_create(32), .back = ring_spsc_create(64), .seed = test_seed()};
	rng_seed(&rng, p.seed);
	for (int i = 0; i < MESSAGES; i++)
		spare[i] = &p.message[i];
	assert_int_equal(pthread_create(&thread, NULL, consume, &p), 0);
	while (next < HAND_OVERS) {
		uint32_t count =
			(uint32_t)MIN(MIN(rng_below(&rng, BURST), HAND_OVERS - next), spare_count);
		void **burst = &spare[spare_count - count];

		for (uint32_t i = 0; i < count; i++)
			*(struct message *)burst[i] = (struct message){next + i, ~(next + i)};
		uint32_t put = ring_spsc_put(p.there, burst, count);

		next += put;
		for (uint32_t i = put; i < count; i++) // those not put stay spare
			burst[i - put] = burst[i];
		spare_count -= put;
		spare_count += ring_spsc_take(p.back, spare + spare_count, MESSAGES - spare_count);
		if (put == 0)
			sched_yield();
	}
	pthread_join(thread, NULL);
	spare_count += ring_spsc_take(p.back, spare + spare_count, MESSAGES - spare_count);
	assert_int_equal(p.errors, 0);
	assert_int_equal(spare_count, MESSAGES);
	assert_int_equal(ring_spsc_count(p.there), 0);
	ring_spsc_destroy(p.there);
	ring_spsc_destroy(p.back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_out_in_order_and_full_and_empty_are_said),
		cmocka_unit_test(random_bursts_agree_with_a_count),
		cmocka_unit_test(other_sizes_than_powers_of_two_are_refused),
		cmocka_unit_test(two_threads_hand_over_whole_messages_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
