// SPDX-License-Identifier: BSD-3-Clause
// Capture files: both formats, both byte orders, and every way to be cut short.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/capture.h"

static uint8_t file[1024];
static size_t file_len;
static bool big_endian;

static void put(const void *bytes, size_t len)
{
	memcpy(file + file_len, bytes, len);
	file_len += len;
}

static void put32(uint32_t x)
{
	if (big_endian)
		x = __builtin_bswap32(x);
	put(&x, sizeof(x));
}

static void put16(uint16_t x)
{
	if (big_endian)
		x = __builtin_bswap16(x);
	put(&x, sizeof(x));
}

// Two packets, "abc" and "defgh" of which the last two bytes were not captured.
static void make_pcap(uint32_t magic)
{
	file_len = 0;
	put32(magic);
	put16(2);
	put16(4);
	for (int i = 0; i < 2; i++)
		put32(0);
	put32(65535);
	put32(LINK_ETHERNET);
	put32(7);
	put32(5);
	put32(3);
	put32(3);
	put("abc", 3);
	put32(8);
	put32(0);
	put32(3);
	put32(5);
	put("def", 3);
}

static void make_pcapng(void)
{
	file_len = 0;
	put32(0x0a0d0d0a);
	put32(28);
	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	put32(28);
	put32(1);
	put32(32);
	put16(LINK_RAW);
	put16(0);
	put32(0);
	put16(9);
	put16(1);
	put("\x09\0\0\0", 4);
	put32(0);
	put32(32);
	put32(6);
	put32(36);
	put32(0);
	put32(1);
	put32(2);
	put32(3);
	put32(5);
	put("def\0", 4);
	put32(36);
}

static struct capture capture;

static bool parse(size_t len)
{
	uint8_t *exact = malloc(len + 1); // so that a byte too far is seen

	memcpy(exact, file, len);
	capture = (struct capture){0};
	bool good = capture_parse(&capture, exact, len);

	capture.bytes = exact;
	return good;
}

static void pcap_gives_packets_with_times_and_lengths(void **state)
{
	static const struct {
		uint32_t magic;
		uint64_t first_ns;
	} kinds[] = {{0xa1b2c3d4, 7000005000}, {0xa1b23c4d, 7000000005}};

	for (int order = 0; order < 2; order++) {
		big_endian = order;
		for (size_t k = 0; k < 2; k++) {
			make_pcap(kinds[k].magic);
			assert_true(parse(file_len));
			assert_int_equal(capture.count, 2);
			assert_int_equal(capture.packet[0].time_ns, kinds[k].first_ns);
			assert_int_equal(capture.packet[0].number, 1);
			assert_int_equal(capture.packet[0].link_type, LINK_ETHERNET);
			assert_memory_equal(capture.packet[0].bytes, "abc", 3);
			assert_int_equal(capture.packet[1].len, 3);
			assert_int_equal(capture.packet[1].wire_len, 5);
			capture_free(&capture);
		}
	}
	big_endian = false;
}

static void pcapng_has_the_interfaces_clock_and_kind(void **state)
{
	for (int order = 0; order < 2; order++) {
		big_endian = order;
		make_pcapng();
		assert_true(parse(file_len));
		assert_int_equal(capture.count, 1);
		assert_int_equal(capture.packet[0].time_ns, (UINT64_C(1) << 32) + 2);
		assert_int_equal(capture.packet[0].link_type, LINK_RAW);
		assert_int_equal(capture.packet[0].wire_len, 5);
		assert_memory_equal(capture.packet[0].bytes, "def", 3);
		capture_free(&capture);
	}
	big_endian = false;
}

// Each prefix is either whole packets, or refused with its packet, its byte and a remedy.
static void every_cut_is_said_with_packet_and_byte(void **state)
{
	for (int ng = 0; ng < 2; ng++) {
		uint32_t good = 0;

		if (ng)
			make_pcapng();
		else
			make_pcap(0xa1b2c3d4);
		for (size_t len = 0; len < file_len; len++) {
			if (parse(len)) {
				good++;
			} else {
				assert_non_null(strstr(capture.error, "packet "));
				assert_non_null(strstr(capture.error, "byte "));
				assert_true(capture.remedy[0] != '\0');
			}
			capture_free(&capture);
		}
		assert_int_equal(good, 2); // between blocks, and between packets
	}
}

static void damage_is_named(void **state)
{
	make_pcapng();
	file[28 + 32 + 8] = 9; // the packet's interface
	assert_false(parse(file_len));
	assert_string_equal(capture.error, "packet 1, byte 60: interface 9 was not described");
	capture_free(&capture);
	make_pcapng();
	file[28 + 32 + 20] = 200; // its length
	assert_false(parse(file_len));
	assert_non_null(strstr(capture.error, "200 bytes in a block with room for 4"));
	capture_free(&capture);
	make_pcapng();
	file[file_len - 4] = 40;
	assert_false(parse(file_len));
	assert_non_null(strstr(capture.error, "two lengths"));
	capture_free(&capture);
	memset(file, 'x', 100);
	assert_false(parse(100));
	assert_non_null(strstr(capture.error, "neither pcap nor pcapng"));
	capture_free(&capture);
}

static void packets_are_put_in_the_order_of_their_times(void **state)
{
	make_pcap(0xa1b2c3d4);
	file[24] = 9; // the first is later than the second
	assert_true(parse(file_len));
	assert_int_equal(capture.packet[0].number, 2);
	assert_int_equal(capture.packet[1].number, 1);
	capture_free(&capture);
}

static void missing_file_is_said(void **state)
{
	assert_false(capture_read(&capture, "/nowhere/at/all.pcap"));
	assert_non_null(strstr(capture.error, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcap_gives_packets_with_times_and_lengths),
		cmocka_unit_test(pcapng_has_the_interfaces_clock_and_kind),
		cmocka_unit_test(every_cut_is_said_with_packet_and_byte),
		cmocka_unit_test(damage_is_named),
		cmocka_unit_test(packets_are_put_in_the_order_of_their_times),
		cmocka_unit_test(missing_file_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
