// SPDX-License-Identifier: BSD-3-Clause
// What the measurements of sync_bench share: a clock, samples of which the median counts, and lines
// of JSON on standard output for tests/bench/sync/run.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SAMPLES_MAX 4096u

// One sample is a batch of about a thousand operations, in nanoseconds an operation.
struct samples {
	uint32_t count;
	float ns[SAMPLES_MAX];
};

uint64_t bench_now_ns(void);
void bench_pin(int core);
void bench_must(bool good, const char *what);

void samples_add(struct samples *samples, double ns);
// Sorts them. 0 when there are none.
double samples_median(struct samples *samples);
double samples_mean(struct samples *samples);

// "name": {"prism": 1.0, ...} of those that have samples.
void samples_print(const char *name, const char *const *kinds, struct samples *samples,
		   uint32_t count, double (*what)(struct samples *samples));

// ring_rows.c: hand-over between threads, and counters.
void ring_rows(uint32_t rounds);
void counter_rows(uint32_t rounds);
