// SPDX-License-Identifier: BSD-3-Clause
// Filters of packets on the ground for tests: interpreted (pkt/steps.c), as those are in production
// that DPDK does not compile well (dpdk/match.c). See match.h, whose callers are core/tapings.c and
// pkt/taping.c.
#include "pkt/match.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "pkt/steps.h"

struct match {
	uint32_t count;
	struct match_step steps[];
};

struct match *match_create(const struct match_step *steps, uint32_t count)
{
	struct match *match = NULL;

	if (steps_are_good(steps, count))
		match = mem_map("a filter", sizeof(*match) + count * sizeof(*steps));
	else
		err_set(ERR_FILTER, "a program of %u steps", count);
	if (!match)
		return NULL;
	match->count = count;
	memcpy(match->steps, steps, count * sizeof(*steps));
	return match;
}

void match_destroy(struct match *match)
{
	if (match)
		mem_unmap(match, sizeof(*match) + match->count * sizeof(match->steps[0]));
}

bool match_packet(const struct match *match, const struct pkt *p)
{
	return steps_run(match->steps, p) != 0;
}
