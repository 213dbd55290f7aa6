// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"

static bool read(const uint8_t *bytes, uint32_t len, bool syn, struct tcp_options *o)
{
	uint8_t *copy = malloc(len ? len : 1); // so that an overrun is seen
	bool good;

	memcpy(copy, bytes, len);
	good = options_read(copy, len, syn, o);
	free(copy);
	return good;
}
#define READ(syn, ...) \
	read((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), syn, &o)

// RFC 9293 MUST-4, MUST-5: end, no-operation and MSS are understood. MUST-64: at any byte.
static void the_basic_options_are_read_wherever_they_stand(void **state)
{
	struct tcp_options o;

	(void)state;
	assert_true(READ(true, 1, 1, 1, 2, 4, 0x05, 0xb4, 0));
	assert_true(o.has_mss);
	assert_int_equal(o.mss, 1460);
	assert_true(READ(true, 0, 2, 4, 5)); // behind the end nothing counts
	assert_false(o.has_mss);
	assert_true(READ(true, 3, 3, 7, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 4, 2));
	assert_true(o.has_scale && o.has_ts);
	assert_int_equal(o.scale, 7);
	assert_int_equal(o.ts_value, 5);
	assert_int_equal(o.ts_echo, 6);
}

// RFC 9293 MUST-6, MUST-68: what is not known is skipped by its length.
static void unknown_options_are_skipped(void **state)
{
	struct tcp_options o;

	(void)state;
	assert_true(READ(true, 253, 5, 1, 2, 3, 2, 4, 2, 0));
	assert_int_equal(o.mss, 512);
}

// RFC 9293 MUST-7
static void impossible_lengths_are_noticed(void **state)
{
	struct tcp_options o;

	(void)state;
	assert_false(READ(true, 2, 0));
	assert_false(READ(true, 253, 1));
	assert_false(READ(true, 2));
	assert_false(READ(true, 2, 4, 1));
	assert_false(READ(true, 2, 3, 1));
	assert_false(READ(true, 8, 9, 1, 1, 1, 1, 1, 1, 1));
	assert_false(READ(true, 3, 4, 1, 1));
	assert_false(READ(true, 1, 253));
}

// RFC 9293 MUST-65; RFC 7323 2.2 and 2.3; RFC 7323 R6, R7
static void some_options_belong_to_syns_and_scales_end_at_14(void **state)
{
	struct tcp_options o;

	(void)state;
	assert_true(READ(false, 2, 4, 1, 1, 3, 3, 5, 4, 2));
	assert_false(o.has_mss || o.has_scale);
	assert_true(READ(true, 3, 3, 15));
	assert_int_equal(o.scale, 14);
}

// RFC 9293 MUST-69: what we write fills whole words, and reads back.
static void what_is_written_reads_back(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct tcp_options in = {.has_mss = true,
					 .mss = 9000,
					 .has_scale = i & 1,
					 .scale = i & 1 ? 9 : 0,
					 .has_ts = i & 2,
					 .ts_value = i & 2 ? 77 : 0,
					 .ts_echo = i & 2 ? 88 : 0};
		struct tcp_options out;
		uint8_t bytes[TCP_SYN_OPTIONS_BYTES];
		uint32_t len = options_write_syn(bytes, &in);

		assert_int_equal(len % 4, 0);
		assert_true(read(bytes, len, true, &out));
		assert_int_equal(out.has_mss, in.has_mss);
		assert_int_equal(out.mss, in.mss);
		assert_int_equal(out.has_scale, in.has_scale);
		assert_int_equal(out.scale, in.scale);
		assert_int_equal(out.has_ts, in.has_ts);
		assert_int_equal(out.ts_value, in.ts_value);
		assert_int_equal(out.ts_echo, in.ts_echo);
	}
}

// RFC 7413 R1, R2, R3
static void a_cookie_of_fast_open_has_four_to_sixteen_octets(void **state)
{
	struct tcp_options in = {
		.has_mss = true, .mss = 1460, .has_scale = true, .has_ts = true, .has_fast = true};
	uint8_t bytes[TCP_OPTIONS_BYTES_MAX];
	struct tcp_options o;

	(void)state;
	assert_true(READ(true, 34, 2));
	assert_true(o.has_fast);
	assert_int_equal(o.fast_len, 0);
	assert_true(READ(true, 34, 4, 1, 2));
	assert_false(o.has_fast);
	assert_true(READ(true, 34, 7, 1, 2, 3, 4, 5));
	assert_false(o.has_fast);
	assert_true(READ(false, 34, 6, 1, 2, 3, 4));
	assert_false(o.has_fast);
	for (uint8_t len = 0; len <= 16; len = (uint8_t)(len < 4 ? 4 : len + 2)) {
		in.fast_len = len;
		memset(in.fast, 'c', len);
		uint32_t written = options_write_syn(bytes, &in);

		assert_int_equal(written % 4, 0);
		assert_in_range(written, 24, TCP_OPTIONS_BYTES_MAX);
		assert_true(read(bytes, written, true, &o));
		assert_true(o.has_fast);
		assert_int_equal(o.fast_len, len);
		assert_memory_equal(o.fast, in.fast, len);
	}
}

static void a_segment_with_a_lying_option_is_dropped_by_name(void **state)
{
	static const uint8_t bad[4] = {8, 40, 0, 0};
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK,
				.seq = 1,
				.ack = 1,
				.len = 5,
				.options = bad,
				.options_len = 4});
	assert_int_equal(peer_drops(b, DROP_TCP_OPTION_LENGTH), 1);
	assert_int_equal(b->received, 0);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_basic_options_are_read_wherever_they_stand),
		cmocka_unit_test(unknown_options_are_skipped),
		cmocka_unit_test(impossible_lengths_are_noticed),
		cmocka_unit_test(some_options_belong_to_syns_and_scales_end_at_14),
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(a_cookie_of_fast_open_has_four_to_sixteen_octets),
		cmocka_unit_test(a_segment_with_a_lying_option_is_dropped_by_name),
	};

	return run_peer_tests(tests);
}
