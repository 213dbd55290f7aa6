// SPDX-License-Identifier: BSD-3-Clause
// Samples and their medians. A batch that another process interrupted is one sample among hundreds:
// the median does not see it, the mean, which is in the JSON too, does.
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bits.h"
#include "base/time.h"

uint64_t bench_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void bench_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

void bench_must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "sync_bench: %s\n", what);
	exit(1);
}

void samples_add(struct samples *samples, double ns)
{
	if (samples->count < SAMPLES_MAX)
		samples->ns[samples->count++] = (float)ns;
}

static int by_value(const void *x, const void *y)
{
	float a = *(const float *)x, b = *(const float *)y;

	return (a > b) - (a < b);
}

double samples_median(struct samples *samples)
{
	if (samples->count == 0)
		return 0;
	qsort(samples->ns, samples->count, sizeof(float), by_value);
	return samples->ns[samples->count / 2];
}

double samples_mean(struct samples *samples)
{
	double sum = 0;

	for (uint32_t i = 0; i < samples->count; i++)
		sum += samples->ns[i];
	return samples->count ? sum / samples->count : 0;
}

void samples_print(const char *name, const char *const *kinds, struct samples *samples,
		   uint32_t count, double (*what)(struct samples *samples))
{
	const char *between = "";

	printf("\"%s\": {", name);
	for (uint32_t kind = 0; kind < count; kind++) {
		if (samples[kind].count == 0)
			continue;
		printf("%s\"%s\": %.3f", between, kinds[kind], what(&samples[kind]));
		between = ", ";
	}
	printf("}");
}
