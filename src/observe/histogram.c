// SPDX-License-Identifier: BSD-3-Clause
// The reading side of histograms: quantiles, merging. Used by tools and reports, never on the data
// path, whose side (histogram_add) is in the header. A quantile is the upper end of the bucket that
// holds it, so it never flatters.
#include "observe/histogram.h"

#include <string.h>

#include "base/bits.h"

#define LINEAR_COUNT (1u << HISTOGRAM_LINEAR_BITS)

uint64_t histogram_bucket_top(uint32_t bucket)
{
	if (bucket < 2 * LINEAR_COUNT)
		return bucket;
	uint32_t shift = bucket / LINEAR_COUNT - 1;
	uint64_t high_bits = bucket - shift * LINEAR_COUNT;

	return (high_bits << shift) + ((UINT64_C(1) << shift) - 1);
}

uint64_t histogram_quantile(const struct histogram *h, double part)
{
	double wanted = part * (double)h->count;
	uint64_t below = 0;

	if (h->count == 0 || part >= 1)
		return h->max;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += h->bucket[i];
		if (below > 0 && (double)below >= wanted)
			return MIN(histogram_bucket_top(i), h->max);
	}
	return h->max;
}

void histogram_clear(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

void histogram_merge(struct histogram *h, const struct histogram *from)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->bucket[i] += from->bucket[i];
	h->count += from->count;
	h->sum += from->sum;
	h->max = MAX(h->max, from->max);
	h->min = MAX(h->min, from->min);
}
