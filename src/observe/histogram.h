// SPDX-License-Identifier: BSD-3-Clause
// Counts of values by size, log-linear as HdrHistogram's: 128 buckets for each doubling, so a value
// is known within 1/128 (0.8 %) from 1 ns to centuries, in 59 KiB. One writer; readers of a copy.
#pragma once

#include <stdint.h>

#define HISTOGRAM_LINEAR_BITS 7
#define HISTOGRAM_BUCKETS ((65 - HISTOGRAM_LINEAR_BITS) << HISTOGRAM_LINEAR_BITS)

struct histogram {
	uint64_t count, sum, max;
	uint64_t min; // UINT64_MAX minus the smallest, so that zeroed memory is an empty histogram
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

// Values below 2^8 have a bucket each; above, the eight highest bits choose it.
static inline uint32_t histogram_bucket_of(uint64_t value)
{
	uint32_t high = 63 - (uint32_t)__builtin_clzll(value | 1);
	uint32_t shift = high > HISTOGRAM_LINEAR_BITS ? high - HISTOGRAM_LINEAR_BITS : 0;

	return (shift << HISTOGRAM_LINEAR_BITS) + (uint32_t)(value >> shift);
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
	h->bucket[histogram_bucket_of(value)]++;
	h->count++;
	h->sum += value;
	h->max = value > h->max ? value : h->max;
	h->min = UINT64_MAX - value > h->min ? UINT64_MAX - value : h->min;
}

static inline uint64_t histogram_min(const struct histogram *h)
{
	return h->count ? UINT64_MAX - h->min : 0;
}

// The largest value a bucket stands for.
uint64_t histogram_bucket_top(uint32_t bucket);

// The value that the given part (0..1) of all values does not exceed, within the precision; 1 gives
// the maximum exactly, an empty histogram 0.
uint64_t histogram_quantile(const struct histogram *h, double part);

void histogram_clear(struct histogram *h);

// Adds all of from's values to h.
void histogram_merge(struct histogram *h, const struct histogram *from);
