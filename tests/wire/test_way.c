// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../seed.h"
#include "base/bits.h"
#include "base/time.h"
#include "way.h"
#include "wire/ecn.h"

#define LEN 976 // 1000 bytes with preamble, checksum and gap: 8 us at 1 Gbit/s
#define MANY 1000000

static void put_numbered(struct way *way, uint32_t number, uint32_t len, uint64_t now_ns)
{
	uint8_t bytes[2048] = {[12] = 0x08};

	memcpy(bytes, &number, sizeof(number));
	way_put(way, bytes, len, now_ns);
}

// The number of the next frame, or -1.
static int64_t take_numbered(struct way *way, uint64_t now_ns)
{
	struct way_frame *f = way_take(way, now_ns);
	uint32_t number;

	if (!f)
		return -1;
	memcpy(&number, f->bytes, sizeof(number));
	way_give_back(way, f);
	return number;
}

static uint64_t take_all(struct way *way, uint64_t now_ns)
{
	uint64_t count = 0;

	while (take_numbered(way, now_ns) >= 0)
		count++;
	return count;
}

static void assert_conserved(const struct way *way)
{
	const struct way_stats *s = &way->stats;

	assert_int_equal(s->in_frames + s->duplicated,
			 s->out_frames + s->too_long + s->lost_queue + s->lost_random +
				 s->lost_burst + s->lost_corrupt + way->straight.count +
				 way->detour.count);
	assert_int_equal(way->free_count + way->straight.count + way->detour.count,
			 way->config.frames_max);
}

// Puts many frames, one a microsecond, and takes them as they come out.
static struct way *way_after(const struct way_config *config, uint32_t count)
{
	struct way *way = way_create(config);

	assert_non_null(way);
	for (uint32_t i = 0; i < count; i++) {
		put_numbered(way, i, LEN, i * NS_PER_US);
		take_all(way, i * NS_PER_US);
	}
	assert_conserved(way);
	return way;
}

static void assert_about(uint64_t count, double expected, double tolerance)
{
	assert_true((double)count > expected * (1 - tolerance));
	assert_true((double)count < expected * (1 + tolerance));
}

static void perfect_way_gives_all_at_once_in_order(void **state)
{
	struct way *way = way_create(&(struct way_config){0});

	for (uint32_t i = 0; i < 100; i++)
		put_numbered(way, i, 60, 5);
	assert_int_equal(way_next_ns(way), 5);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(take_numbered(way, 5), i);
	assert_int_equal(take_numbered(way, TIME_NEVER_NS), -1);
	assert_int_equal(way_next_ns(way), TIME_NEVER_NS);
	assert_conserved(way);
	way_destroy(way);
}

static void frame_is_due_after_its_bits_and_the_delay(void **state)
{
	struct way *way =
		way_create(&(struct way_config){.rate_bits_s = 1000000000, .delay_ns = 5000});

	put_numbered(way, 1, LEN, 1000);
	put_numbered(way, 2, LEN, 1000);
	assert_int_equal(way_next_ns(way), 1000 + 8000 + 5000);
	assert_int_equal(take_numbered(way, 13999), -1);
	assert_int_equal(take_numbered(way, 14000), 1);
	assert_int_equal(take_numbered(way, 14000), -1);
	assert_int_equal(way_next_ns(way), 1000 + 16000 + 5000);
	assert_int_equal(take_numbered(way, 22000), 2);
	way_destroy(way);
}

static void rate_is_exact_where_a_frame_takes_no_whole_nanoseconds(void **state)
{
	const uint64_t rates[] = {999999937, 123456789, 10000019, 7};

	for (size_t r = 0; r < ARRAY_COUNT(rates); r++) {
		struct way *way = way_create(&(struct way_config){.rate_bits_s = rates[r]});
		uint64_t bits = 0;

		for (uint32_t i = 0; i < 5000; i++) {
			put_numbered(way, i, 60 + i % 1000, 0);
			bits += (60 + i % 1000 + 24) * 8;
		}
		uint64_t whole_ns = (uint64_t)((unsigned __int128)bits * NS_PER_S / rates[r]);

		assert_int_equal(take_all(way, whole_ns - 1), 4999);
		assert_int_equal(take_all(way, whole_ns), 1);
		way_destroy(way);
	}
}

static void short_frames_take_as_long_as_the_shortest(void **state)
{
	struct way *way = way_create(&(struct way_config){.rate_bits_s = 1000000000});

	put_numbered(way, 1, 42, 0);
	assert_int_equal(way_next_ns(way), (60 + 24) * 8);
	way_destroy(way);
}

static void queue_holds_its_bytes_and_no_more(void **state)
{
	uint64_t seed = test_seed(), now_ns = 0;
	struct rng rng;
	struct way *way =
		way_create(&(struct way_config){.rate_bits_s = 100000000, .queue_bytes = 10000});

	rng_seed(&rng, seed);
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t lost_before = way->stats.lost_queue;
		uint32_t len = 60 + (uint32_t)rng_below(&rng, 1400);
		uint64_t before = way_queued_bytes(way, now_ns);

		put_numbered(way, i, len, now_ns);
		assert_true(way_queued_bytes(way, now_ns) <= 10000);
		assert_int_equal(way->stats.lost_queue - lost_before,
				 before && before + len + 24 > 10000);
		take_all(way, now_ns);
		now_ns += rng_below(&rng, 110000);
	}
	assert_true(way->stats.lost_queue > 1000);
	assert_true(way->stats.queue_bytes_max <= 10000 && way->stats.queue_bytes_max > 9900);
	assert_conserved(way);
	way_destroy(way);
}

static void queue_marks_what_can_be_marked_before_it_is_full(void **state)
{
	struct way *way = way_create(&(struct way_config){
		.rate_bits_s = 100000000, .queue_bytes = 10000, .mark_bytes = 5000});
	const enum ecn want[10] = {[6] = ECN_CE, [8] = ECN_CE};

	for (uint32_t i = 0; i < 12; i++) {
		uint8_t ip[LEN] = {[12] = 0x08, [14] = 0x45};

		// Odd ones take no marks; of two that are behind as much each has another ECT.
		ip[15] = i % 2 ? ECN_NOT_ECT : i == 8 ? ECN_ECT1 : ECN_ECT0;
		way_put(way, ip, sizeof(ip), 0);
	}
	for (uint32_t i = 0; i < 10; i++) {
		struct way_frame *f = way_take(way, NS_PER_S);

		assert_int_equal(ecn_of_frame(f->bytes, f->len) == ECN_CE, want[i] == ECN_CE);
		way_give_back(way, f);
	}
	assert_int_equal(way->stats.marked, 2);
	assert_int_equal(way->stats.lost_queue, 2);
	assert_conserved(way);
	way_destroy(way);
}

static void idle_line_takes_a_frame_longer_than_its_queue(void **state)
{
	struct way *way =
		way_create(&(struct way_config){.rate_bits_s = 1000000, .queue_bytes = 100});

	put_numbered(way, 1, LEN, 0);
	put_numbered(way, 2, LEN, 0);
	assert_int_equal(way->stats.lost_queue, 1);
	assert_int_equal(take_all(way, 8000000), 1);
	way_destroy(way);
}

static void order_is_kept_under_loss_duplicates_and_a_clock_that_steps_back(void **state)
{
	struct way *way = way_create(&(struct way_config){.rate_bits_s = 300000000,
							  .queue_bytes = 30000,
							  .delay_ns = 700000,
							  .loss_ppm = 50000,
							  .duplicate_ppm = 50000,
							  .seed = 3});
	int64_t last = -1, got;

	for (uint32_t i = 0; i < 100000; i++) {
		put_numbered(way, i, 60 + i % 1300, i * 20000 - i % 7);
		while ((got = take_numbered(way, i * 20000)) >= 0) {
			assert_true(got >= last);
			last = got;
		}
	}
	assert_true(last > 99000);
	assert_conserved(way);
	way_destroy(way);
}

static void random_loss_converges(void **state)
{
	const uint64_t losses_ppm[] = {1000, 10000, 50000};

	for (size_t i = 0; i < ARRAY_COUNT(losses_ppm); i++) {
		struct way *way = way_after(&(struct way_config){.loss_ppm = losses_ppm[i],
								 .rate_bits_s = 100000000000,
								 .seed = 11 + i},
					    MANY);

		assert_about(way->stats.lost_random, (double)losses_ppm[i] * MANY / 1e6, 0.12);
		assert_int_equal(way->stats.lost_burst, 0);
		way_destroy(way);
	}
}

static void same_seed_loses_the_same_frames(void **state)
{
	struct way_config config = {.loss_ppm = 100000, .seed = 5};
	struct way *a = way_create(&config), *b = way_create(&config);

	for (uint32_t i = 0; i < 1000; i++) {
		put_numbered(a, i, LEN, i);
		put_numbered(b, i, 60, 10 * i);
	}
	for (int64_t got = 0; got >= 0;) {
		got = take_numbered(a, TIME_NEVER_NS);
		assert_int_equal(got, take_numbered(b, TIME_NEVER_NS));
	}
	way_destroy(a);
	way_destroy(b);
}

// 1 % enter and 25 % leave: 1 / 26 of all frames, in runs of 4.
static void burst_loss_converges_in_share_and_length(void **state)
{
	struct way *way = way_create(&(struct way_config){.bad_enter_ppm = 10000,
							  .bad_leave_ppm = 250000,
							  .bad_loss_ppm = 1000000,
							  .seed = 13});
	uint64_t runs = 0;
	int64_t last = -1, got;

	for (uint32_t i = 0; i < MANY; i++) {
		put_numbered(way, i, LEN, i);
		got = take_numbered(way, i);
		if (got < 0)
			continue;
		runs += got > last + 1;
		last = got;
	}
	assert_about(way->stats.lost_burst, MANY / 26.0, 0.05);
	assert_about(way->stats.lost_burst, 4.0 * (double)runs, 0.05);
	assert_int_equal(way->stats.lost_random, 0);
	assert_conserved(way);
	way_destroy(way);
}

static void reordered_frames_are_overtaken_and_come_later(void **state)
{
	struct way *way = way_create(&(struct way_config){
		.delay_ns = 1000, .reorder_ppm = 100000, .reorder_ns = 5500, .seed = 17});
	uint64_t overtaken = 0;
	int64_t last = -1, got;

	for (uint32_t i = 0; i < 100000; i++) {
		put_numbered(way, i, LEN, i * NS_PER_US);
		while ((got = take_numbered(way, i * NS_PER_US)) >= 0) {
			// 1 us a frame: 1 behind, or 5.5 more.
			assert_true(i - got == 1 || i - got == 7);
			overtaken += got < last;
			last = MAX(last, got);
		}
	}
	assert_about(way->stats.reordered, 10000, 0.05);
	assert_about(overtaken, 10000, 0.05);
	take_all(way, TIME_NEVER_NS);
	assert_int_equal(way->stats.out_frames, 100000);
	assert_conserved(way);
	way_destroy(way);
}

static void duplicates_converge(void **state)
{
	struct way *way = way_after(&(struct way_config){.duplicate_ppm = 20000, .seed = 19}, MANY);

	assert_about(way->stats.duplicated, 0.02 * MANY, 0.05);
	assert_int_equal(way->stats.out_frames, MANY + way->stats.duplicated);
	way_destroy(way);
}

static uint32_t bits_that_differ(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < len; i++)
		count += (uint32_t)__builtin_popcount(a[i] ^ b[i]);
	return count;
}

static void corruption_flips_one_bit_but_not_of_arp(void **state)
{
	struct way *way = way_create(&(struct way_config){.corrupt_ppm = 100000, .seed = 23});
	uint8_t ip[200] = {[12] = 0x08}, arp[60] = {[12] = 0x08, [13] = 0x06};
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < 100000; i++) {
		way_put(way, ip, sizeof(ip), i);
		struct way_frame *f = way_take(way, i);
		uint32_t bits = bits_that_differ(f->bytes, ip, sizeof(ip));

		assert_true(bits <= 1);
		wrong += bits;
		way_give_back(way, f);
		way_put(way, arp, sizeof(arp), i);
		f = way_take(way, i);
		if (!f)
			continue;
		assert_int_equal(bits_that_differ(f->bytes, arp, sizeof(arp)), 0);
		way_give_back(way, f);
	}
	assert_int_equal(way->stats.corrupted, wrong);
	assert_about(wrong, 10000, 0.05);
	assert_about(way->stats.lost_corrupt, 10000, 0.05);
	assert_conserved(way);
	way_destroy(way);
}

static void frames_beyond_the_mtu_are_lost_and_counted(void **state)
{
	struct way *way = way_create(&(struct way_config){.mtu_bytes = 1000});

	put_numbered(way, 1, 1014, 0);
	put_numbered(way, 2, 1015, 0);
	assert_int_equal(way->stats.too_long, 1);
	assert_int_equal(take_numbered(way, 0), 1);
	assert_int_equal(take_numbered(way, 0), -1);
	assert_conserved(way);
	way_destroy(way);
}

static void way_without_room_loses_as_a_full_queue(void **state)
{
	struct way *way = way_create(&(struct way_config){.delay_ns = 1000, .frames_max = 8});

	for (uint32_t i = 0; i < 10; i++)
		put_numbered(way, i, LEN, 0);
	assert_int_equal(way->stats.lost_queue, 2);
	assert_int_equal(take_all(way, 1000), 8);
	assert_conserved(way);
	way_destroy(way);
	assert_null(way_create(&(struct way_config){.frames_max = 7}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perfect_way_gives_all_at_once_in_order),
		cmocka_unit_test(frame_is_due_after_its_bits_and_the_delay),
		cmocka_unit_test(rate_is_exact_where_a_frame_takes_no_whole_nanoseconds),
		cmocka_unit_test(short_frames_take_as_long_as_the_shortest),
		cmocka_unit_test(queue_holds_its_bytes_and_no_more),
		cmocka_unit_test(queue_marks_what_can_be_marked_before_it_is_full),
		cmocka_unit_test(idle_line_takes_a_frame_longer_than_its_queue),
		cmocka_unit_test(order_is_kept_under_loss_duplicates_and_a_clock_that_steps_back),
		cmocka_unit_test(random_loss_converges),
		cmocka_unit_test(same_seed_loses_the_same_frames),
		cmocka_unit_test(burst_loss_converges_in_share_and_length),
		cmocka_unit_test(reordered_frames_are_overtaken_and_come_later),
		cmocka_unit_test(duplicates_converge),
		cmocka_unit_test(corruption_flips_one_bit_but_not_of_arp),
		cmocka_unit_test(frames_beyond_the_mtu_are_lost_and_counted),
		cmocka_unit_test(way_without_room_loses_as_a_full_queue),
	};

	return cmocka_run_group_tests_name("wire_way", tests, NULL, NULL);
}
