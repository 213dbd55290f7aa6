// SPDX-License-Identifier: BSD-3-Clause
// Filters of packets on the ground for tests: libpcap's own interpreter over the first bytes of a
// packet. See match.h, whose callers are core/tapings.c and pkt/taping.c; what production does is
// dpdk/match.c.
#include "pkt/match.h"

#include <pcap/pcap.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define STEPS_MAX 4096 // as kernels have it

#define HEAD_BYTES 512 // of a packet, that a program may look into here

static_assert(sizeof(struct match_step) == sizeof(struct bpf_insn), "libpcap's layout");

struct match {
	uint32_t count;
	struct bpf_insn steps[];
};

struct match *match_create(const struct match_step *steps, uint32_t count)
{
	struct match *match = NULL;

	if (count <= STEPS_MAX && bpf_validate((const struct bpf_insn *)steps, (int)count))
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
	uint8_t head[HEAD_BYTES];
	uint32_t len = 0;

	for (const struct pkt *s = p; s && len < sizeof(head); s = pkt_next(s)) {
		uint32_t n = MIN((uint32_t)pkt_seg_len(s), (uint32_t)sizeof(head) - len);

		memcpy(head + len, pkt_data(s), n);
		len += n;
	}
	return bpf_filter(match->steps, head, pkt_len(p), len) != 0;
}
