// SPDX-License-Identifier: BSD-3-Clause
// The clock: it follows the kernel's and never goes back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/time.h"
#include "core/clock.h"

static void it_follows_the_kernel_s_clock(void **state)
{
	struct clock clock;
	uint64_t ours_ns, kernel_ns;

	(void)state;
	clock_init(&clock);
	ours_ns = clock_ns(&clock);
	kernel_ns = clock_kernel_ns();
	nanosleep(&(struct timespec){0, 50 * NS_PER_MS}, NULL);
	ours_ns = clock_ns(&clock) - ours_ns;
	kernel_ns = clock_kernel_ns() - kernel_ns;
	// A preemption between two readings may part them; ten milliseconds are far more than that,
	// a wrong scale is far more than ten milliseconds out of fifty.
	assert_true(ours_ns > kernel_ns - 10 * NS_PER_MS && ours_ns < kernel_ns + 10 * NS_PER_MS);
}

static void it_never_goes_back(void **state)
{
	struct clock clock;
	uint64_t last_ns = 0;

	(void)state;
	clock_init(&clock);
	for (int i = 0; i < 100000; i++) {
		uint64_t now_ns = clock_ns(&clock);

		assert_true(now_ns >= last_ns);
		last_ns = now_ns;
	}
}

static void without_a_counter_the_kernel_s_clock_serves(void **state)
{
	struct clock clock = {0};
	uint64_t before_ns = clock_kernel_ns();
	uint64_t now_ns = clock_ns(&clock);

	(void)state;
	assert_true(now_ns >= before_ns && now_ns <= clock_kernel_ns());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_follows_the_kernel_s_clock),
		cmocka_unit_test(it_never_goes_back),
		cmocka_unit_test(without_a_counter_the_kernel_s_clock_serves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
