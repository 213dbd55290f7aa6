// SPDX-License-Identifier: BSD-3-Clause
// How long a cache line takes from one core to the other and back, in nanoseconds. Two stacks over
// shared memory pay it with every packet, and a hypervisor that moves virtual processors about
// changes it under a running bench from some 60 (one shared cache) to some 350 (two): a row is read
// beside what this printed before it.
//
// line_trip CORE CORE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TRIPS 100000u

static _Alignas(64) atomic_uint ball; // odd: thrown, even: returned

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void stand_on(const char *core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(atoi(core), &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		fprintf(stderr, "line_trip: core %s: not one of this process's cores\n", core);
		exit(2);
	}
}

static void *return_balls(void *core)
{
	stand_on(core);
	for (unsigned i = 0; i < TRIPS; i++) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 1)
			;
		atomic_store_explicit(&ball, 2 * i + 2, memory_order_release);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t other;
	double start_ns;

	if (argc != 3) {
		fprintf(stderr, "usage: line_trip CORE CORE\n");
		return 2;
	}
	stand_on(argv[1]);
	if (pthread_create(&other, NULL, return_balls, argv[2]))
		return 1;
	start_ns = now_ns();
	for (unsigned i = 0; i < TRIPS; i++) {
		atomic_store_explicit(&ball, 2 * i + 1, memory_order_release);
		while (atomic_load_explicit(&ball, memory_order_acquire) != 2 * i + 2)
			;
	}
	printf("%.0f\n", (now_ns() - start_ns) / TRIPS);
	pthread_join(other, NULL);
	return 0;
}
