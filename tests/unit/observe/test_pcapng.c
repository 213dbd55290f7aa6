// SPDX-License-Identifier: BSD-3-Clause
// The capture writer, block by block (draft-ietf-opsawg-pcapng 3.1, 4.1 to 4.3).
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/pcapng.h"

static uint32_t word(const uint8_t *bytes, size_t at)
{
	uint32_t w;

	memcpy(&w, bytes + at, sizeof(w));
	return w;
}

static size_t written(uint8_t *bytes, size_t size)
{
	static const struct pcapng_interface interfaces[] = {
		{.name = "a-b", .link = PCAPNG_ETHERNET}, {.name = "trunk", .link = PCAPNG_RAW}};
	char path[] = "/tmp/prism-pcapng-XXXXXX";
	struct pcapng_frame frame = {.interface = 1,
				     .way = PCAPNG_INBOUND,
				     .time_ns = UINT64_C(0x123456789a),
				     .bytes = (const uint8_t *)"hello",
				     .len = 5,
				     .comment = "lost"};

	close(mkstemp(path));
	struct pcapng *capture = pcapng_create(path, interfaces, 2);

	assert_non_null(capture);
	pcapng_write(capture, &frame);
	pcapng_close(capture);
	FILE *f = fopen(path, "rb");
	size_t len = fread(bytes, 1, size, f);

	fclose(f);
	unlink(path);
	return len;
}

static void each_block_says_its_length_twice(void **state)
{
	static const uint32_t types[] = {0x0a0d0d0a, 1, 1, 6};
	uint8_t bytes[1024];
	size_t len = written(bytes, sizeof(bytes)), at = 0;

	for (size_t i = 0; i < 4; i++) {
		uint32_t block_bytes = word(bytes, at + 4);

		assert_int_equal(word(bytes, at), types[i]);
		assert_int_equal(block_bytes % 4, 0);
		assert_int_equal(word(bytes, at + block_bytes - 4), block_bytes);
		at += block_bytes;
	}
	assert_int_equal(at, len);
}

static void packet_has_interface_time_bytes_direction_and_comment(void **state)
{
	uint8_t bytes[1024];
	size_t len = written(bytes, sizeof(bytes));
	size_t at = len - word(bytes, len - 4);

	assert_int_equal(word(bytes, at + 8), 1);
	assert_int_equal(word(bytes, at + 12), 0x12);
	assert_int_equal(word(bytes, at + 16), 0x3456789a);
	assert_int_equal(word(bytes, at + 20), 5);
	assert_memory_equal(bytes + at + 28, "hello\0\0\0", 8);
	assert_int_equal(word(bytes, at + 36), 4 << 16 | 2); // epb_flags
	assert_int_equal(word(bytes, at + 40), 1);           // inbound
	assert_int_equal(word(bytes, at + 44), 4 << 16 | 1); // opt_comment
	assert_memory_equal(bytes + at + 48, "lost", 4);
}

static void interface_carries_the_name_of_its_link(void **state)
{
	uint8_t bytes[1024];

	written(bytes, sizeof(bytes));
	size_t at = word(bytes, 4);

	assert_int_equal(word(bytes, at + 16), 3 << 16 | 2); // if_name
	assert_memory_equal(bytes + at + 20, "a-b", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_block_says_its_length_twice),
		cmocka_unit_test(packet_has_interface_time_bytes_direction_and_comment),
		cmocka_unit_test(interface_carries_the_name_of_its_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
