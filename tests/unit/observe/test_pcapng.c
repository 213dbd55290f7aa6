// SPDX-License-Identifier: BSD-3-Clause
// The capture writer, block by block (draft-ietf-opsawg-pcapng 3.1, 4.1 to 4.4), and what of it is
// in a file that could not take all.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/pcapng.h"

static uint32_t word(const uint8_t *bytes, size_t at)
{
	uint32_t w;

	memcpy(&w, bytes + at, sizeof(w));
	return w;
}

static char path[64];

static size_t written(uint8_t *bytes, size_t size)
{
	static const struct pcapng_interface interfaces[] = {
		{.name = "a-b", .link = PCAPNG_ETHERNET}, {.name = "trunk", .link = PCAPNG_RAW}};
	struct pcapng_frame frame = {.interface = 1,
				     .way = PCAPNG_INBOUND,
				     .time_ns = UINT64_C(0x123456789a),
				     .bytes = (const uint8_t *)"hello",
				     .len = 5,
				     .comment = "lost"};

	strcpy(path, "/tmp/prism-pcapng-XXXXXX");
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

// The only interface, on a new file at path.
static struct pcapng *begin(const struct pcapng_interface *interface)
{
	strcpy(path, "/tmp/prism-pcapng-XXXXXX");
	close(mkstemp(path));
	struct pcapng *capture = pcapng_create(path, interface, 1);

	assert_non_null(capture);
	return capture;
}

static const struct pcapng_interface plain = {.name = "wan", .link = PCAPNG_ETHERNET};

// What is in the file, which is removed.
static size_t contents(uint8_t *bytes, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t len = fread(bytes, 1, size, f);

	fclose(f);
	unlink(path);
	return len;
}

// The value of an option of the block at at, whose options begin behind so many bytes.
static const uint8_t *option(const uint8_t *bytes, size_t at, size_t fixed, uint16_t code,
			     uint16_t len)
{
	size_t end = at + word(bytes, at + 4) - 4;

	for (at += fixed; at < end && word(bytes, at) != 0;) {
		uint32_t head = word(bytes, at);

		if ((head & 0xffff) == code) {
			assert_int_equal(head >> 16, len);
			return bytes + at + 4;
		}
		at += 4 + (((head >> 16) + 3) & ~3u);
	}
	return NULL;
}

static void packet_says_its_number_its_queue_and_what_was_missed_before_it(void **state)
{
	uint64_t missed = UINT64_C(0x1122334455667788), id = UINT64_C(0x8877665544332211);
	struct pcapng *capture = begin(&plain);
	struct pcapng_frame frame = {.way = PCAPNG_OUTBOUND,
				     .bytes = (const uint8_t *)"hello you",
				     .len = 9,
				     .wire_len = 1500,
				     .packet_id = id,
				     .dropped = missed,
				     .has_queue = true,
				     .queue = 0};
	uint8_t bytes[1024];
	uint32_t zero = 0;

	assert_true(pcapng_write(capture, &frame));
	uint64_t said = pcapng_bytes(capture);

	assert_true(pcapng_close(capture));
	size_t len = contents(bytes, sizeof(bytes)), at = len - word(bytes, len - 4);

	assert_int_equal(len, said);
	assert_int_equal(word(bytes, at + 20), 9);
	assert_int_equal(word(bytes, at + 24), 1500);
	assert_memory_equal(bytes + at + 28, "hello you\0\0\0", 12);
	assert_int_equal(option(bytes, at, 40, 2, 4)[0], 2); // epb_flags: outbound
	assert_memory_equal(option(bytes, at, 40, 4, 8), &missed, 8);
	assert_memory_equal(option(bytes, at, 40, 5, 8), &id, 8);
	assert_memory_equal(option(bytes, at, 40, 6, 4), &zero, 4);
	assert_null(option(bytes, at, 40, 1, 0));
}

static void packet_says_nothing_that_is_not_known(void **state)
{
	struct pcapng *capture = begin(&plain);
	struct pcapng_frame frame = {.bytes = (const uint8_t *)"hell", .len = 4, .comment = ""};
	uint8_t bytes[1024];

	assert_true(pcapng_write(capture, &frame));
	assert_true(pcapng_close(capture));
	size_t len = contents(bytes, sizeof(bytes)), at = len - word(bytes, len - 4);

	assert_int_equal(len - at, 32 + 4 + 4); // its bytes and the end of its options
	assert_int_equal(word(bytes, at + 24), 4);
	assert_int_equal(word(bytes, at + 32), 0);
}

static void statistics_say_what_came_and_what_was_missed(void **state)
{
	uint64_t received = UINT64_C(0x100000005), missed = 7;
	struct pcapng *capture = begin(&plain);
	uint8_t bytes[1024];

	assert_true(pcapng_statistics(capture, 0, UINT64_C(0x123456789a), received, missed));
	assert_true(pcapng_close(capture));
	size_t len = contents(bytes, sizeof(bytes)), at = len - word(bytes, len - 4);

	assert_int_equal(word(bytes, at), 5);
	assert_int_equal(word(bytes, at + 8), 0);
	assert_int_equal(word(bytes, at + 12), 0x12);
	assert_int_equal(word(bytes, at + 16), 0x3456789a);
	assert_memory_equal(option(bytes, at, 20, 4, 8), &received, 8); // isb_ifrecv
	assert_memory_equal(option(bytes, at, 20, 5, 8), &missed, 8);   // isb_ifdrop
}

static void interface_says_its_snap_length_its_filter_and_what_it_is(void **state)
{
	struct pcapng_interface interface = {.name = "wan",
					     .description = "tap:wan0",
					     .filter = "tcp port 80",
					     .link = PCAPNG_RAW,
					     .snap_bytes = 262};
	uint8_t bytes[1024];

	assert_true(pcapng_close(begin(&interface)));
	contents(bytes, sizeof(bytes));
	size_t at = word(bytes, 4);

	assert_int_equal(word(bytes, at + 8), PCAPNG_RAW);
	assert_int_equal(word(bytes, at + 12), 262);
	assert_memory_equal(option(bytes, at, 16, 2, 3), "wan", 3);
	assert_memory_equal(option(bytes, at, 16, 3, 8), "tap:wan0", 8);
	assert_int_equal(option(bytes, at, 16, 9, 1)[0], 9); // nanoseconds
	assert_memory_equal(option(bytes, at, 16, 11, 12), "\0tcp port 80", 12);
}

static void a_long_filter_is_cut_and_a_missing_one_is_not_there(void **state)
{
	char filter[2000];
	struct pcapng_interface interface = {.name = "wan", .filter = filter, .snap_bytes = 1};
	uint8_t bytes[4096];

	memset(filter, 'x', sizeof(filter));
	filter[sizeof(filter) - 1] = '\0';
	assert_true(pcapng_close(begin(&interface)));
	contents(bytes, sizeof(bytes));
	const uint8_t *kept = option(bytes, word(bytes, 4), 16, 11, 1023);

	assert_int_equal(kept[0], 0);
	assert_memory_equal(kept + 1, filter, 1022);
	filter[0] = '\0';
	assert_true(pcapng_close(begin(&interface)));
	contents(bytes, sizeof(bytes));
	assert_null(option(bytes, word(bytes, 4), 16, 11, 0));
}

static bool write_long(struct pcapng *capture)
{
	static const uint8_t bytes[1000];

	return pcapng_write(capture, &(struct pcapng_frame){.bytes = bytes, .len = 1000});
}

static void a_device_that_is_full_is_an_error_that_stays(void **state)
{
	struct pcapng *capture = pcapng_open(open("/dev/full", O_WRONLY), &plain, 1);

	assert_non_null(capture);
	assert_true(write_long(capture)); // in memory yet
	errno = 0;
	assert_false(pcapng_flush(capture));
	assert_int_equal(errno, ENOSPC);
	errno = 0;
	assert_false(write_long(capture));
	assert_int_equal(errno, ENOSPC);
	assert_false(pcapng_statistics(capture, 0, 1, 2, 3));
	errno = 0;
	assert_false(pcapng_close(capture));
	assert_int_equal(errno, ENOSPC);
}

static void without_a_flush_writing_itself_says_that_it_is_full(void **state)
{
	struct pcapng *capture = pcapng_open(open("/dev/full", O_WRONLY), &plain, 1);
	int written = 0;

	while (write_long(capture))
		written++;
	assert_int_equal(errno, ENOSPC);
	assert_in_range(written, 1, 1000);
	assert_false(pcapng_close(capture));
}

// How many blocks there are from at on, which is to be all of it.
static uint32_t whole_blocks(const uint8_t *bytes, size_t at, size_t len)
{
	uint32_t count = 0;

	for (; at < len; count++) {
		uint32_t block = word(bytes, at + 4);

		assert_in_range(block, 12, len - at);
		assert_int_equal(word(bytes, at + block - 4), block);
		at += block;
	}
	assert_int_equal(at, len);
	return count;
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static uint8_t many_bytes[2 << 20];

static void a_file_that_cannot_take_all_ends_with_the_last_block_that_it_has_whole(void **state)
{
	static const uint32_t limits[] = {100, 5000, 300000, 700001};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct pcapng *capture = begin(&plain);
		bool good = true;

		limit_files(limits[i]);
		for (uint32_t n = 0; n < 1000; n++)
			good = write_long(capture) && good;
		bool closed = pcapng_close(capture);

		limit_files(RLIM_INFINITY);
		assert_false(good);
		assert_false(closed);
		size_t len = contents(many_bytes, sizeof(many_bytes));

		assert_in_range(len, limits[i] < 1036 ? 0 : limits[i] - 1036, limits[i]);
		assert_int_equal(whole_blocks(many_bytes, 0, len) > 3, limits[i] > 2000);
	}
}

// `prism capture -w - >> file`.
static void what_was_in_the_file_before_stays_when_no_more_goes_in(void **state)
{
	strcpy(path, "/tmp/prism-pcapng-XXXXXX");
	int fd = mkstemp(path);

	assert_int_equal(write(fd, many_bytes, 3000), 3000);
	close(fd);
	for (uint32_t round = 0; round < 2; round++) { // once more when there is no room at all
		struct pcapng *capture = pcapng_open(open(path, O_WRONLY | O_APPEND), &plain, 1);

		limit_files(6000);
		for (uint32_t n = 0; n < 10; n++)
			write_long(capture);
		bool closed = pcapng_close(capture);

		limit_files(RLIM_INFINITY);
		assert_false(closed);
	}
	size_t len = contents(many_bytes, sizeof(many_bytes));

	assert_in_range(len, 6000 - 1036, 6000);
	assert_in_range(whole_blocks(many_bytes, 3000, len), 4, 8);
}

static void many_blocks_are_all_there(void **state)
{
	struct pcapng *capture = begin(&plain);

	for (uint32_t n = 0; n < 1000; n++)
		assert_true(write_long(capture));
	uint64_t said = pcapng_bytes(capture);

	assert_true(pcapng_close(capture));
	size_t len = contents(many_bytes, sizeof(many_bytes));

	assert_int_equal(len, said);
	assert_int_equal(whole_blocks(many_bytes, 0, len), 1002);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_block_says_its_length_twice),
		cmocka_unit_test(packet_has_interface_time_bytes_direction_and_comment),
		cmocka_unit_test(interface_carries_the_name_of_its_link),
		cmocka_unit_test(packet_says_its_number_its_queue_and_what_was_missed_before_it),
		cmocka_unit_test(packet_says_nothing_that_is_not_known),
		cmocka_unit_test(statistics_say_what_came_and_what_was_missed),
		cmocka_unit_test(interface_says_its_snap_length_its_filter_and_what_it_is),
		cmocka_unit_test(a_long_filter_is_cut_and_a_missing_one_is_not_there),
		cmocka_unit_test(a_device_that_is_full_is_an_error_that_stays),
		cmocka_unit_test(without_a_flush_writing_itself_says_that_it_is_full),
		cmocka_unit_test(
			a_file_that_cannot_take_all_ends_with_the_last_block_that_it_has_whole),
		cmocka_unit_test(what_was_in_the_file_before_stays_when_no_more_goes_in),
		cmocka_unit_test(many_blocks_are_all_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
