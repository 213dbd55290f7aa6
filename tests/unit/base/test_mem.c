// SPDX-License-Identifier: BSD-3-Clause
// Mapped memory: zeroed, aligned, writable to the end, refused by name.
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void check_map(size_t bytes, size_t align)
{
	uint8_t *memory = mem_map("test", bytes);

	assert_non_null(memory);
	assert_int_equal((uintptr_t)memory % align, 0);
	for (size_t i = 0; i < bytes; i += 511)
		assert_int_equal(memory[i], 0);
	memset(memory, 1, bytes);
	mem_unmap(memory, bytes);
}

static void memory_is_zeroed_and_page_aligned(void **state)
{
	check_map(1, 4096);
	check_map(4096, 4096);
	check_map(100001, 4096);
}

static void two_mib_and_more_is_aligned_for_huge_pages(void **state)
{
	check_map((size_t)2 << 20, (size_t)2 << 20);
	check_map(((size_t)2 << 20) + 1, (size_t)2 << 20);
	check_map((size_t)7 << 20, (size_t)2 << 20);
}

static void what_cannot_be_had_is_refused_by_name(void **state)
{
	err_clear();
	assert_null(mem_map("moon", SIZE_MAX / 2));
	assert_int_equal(err_last()->id, ERR_OUT_OF_MEMORY);
	assert_non_null(strstr(err_last()->message, "moon"));
	err_clear();
	assert_null(mem_map("overflow", SIZE_MAX));
	assert_int_equal(err_last()->id, ERR_OUT_OF_MEMORY);
	err_clear();
	assert_null(mem_map("nothing", 0));
	assert_int_equal(err_last()->id, ERR_OUT_OF_MEMORY);
}

static void unmapping_nothing_is_allowed(void **state)
{
	mem_unmap(NULL, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_page_aligned),
		cmocka_unit_test(two_mib_and_more_is_aligned_for_huge_pages),
		cmocka_unit_test(what_cannot_be_had_is_refused_by_name),
		cmocka_unit_test(unmapping_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
