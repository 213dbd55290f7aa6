// SPDX-License-Identifier: BSD-3-Clause
// Filters of packets as machine code: DPDK converts libpcap's program, checks it and compiles it
// (rte_bpf), or interprets it where it has no compiler. Created by a control thread, run by workers
// for each packet of a capture. See pkt/match.h.
#define ALLOW_EXPERIMENTAL_API // rte_bpf_convert, unchanged from 22.11 to 25.11

#include "pkt/match.h"

#include <pcap/pcap.h>
#include <rte_bpf.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "base/err.h"
#include "base/mem.h"

static_assert(sizeof(struct match_step) == sizeof(struct bpf_insn), "libpcap's layout");

struct match {
	uint64_t (*compiled)(void *); // NULL: it is interpreted
	struct rte_bpf *bpf;
};

static struct rte_bpf *load(const struct match_step *steps, uint32_t count)
{
	struct bpf_program program = {.bf_len = count,
				      .bf_insns = (struct bpf_insn *)(uintptr_t)steps};
	struct rte_bpf_prm *prm = rte_bpf_convert(&program);
	struct rte_bpf *bpf = prm ? rte_bpf_load(prm) : NULL;

	rte_free(prm);
	return bpf;
}

struct match *match_create(const struct match_step *steps, uint32_t count)
{
	struct match *match = mem_map("a filter", sizeof(*match));
	struct rte_bpf_jit jit;

	if (!match)
		return NULL;
	match->bpf = load(steps, count);
	if (!match->bpf) {
		err_set(ERR_FILTER, "DPDK refuses its %u steps: %s", count,
			rte_strerror(rte_errno));
		mem_unmap(match, sizeof(*match));
		return NULL;
	}
	if (rte_bpf_get_jit(match->bpf, &jit) == 0)
		match->compiled = jit.func;
	return match;
}

void match_destroy(struct match *match)
{
	if (!match)
		return;
	rte_bpf_destroy(match->bpf);
	mem_unmap(match, sizeof(*match));
}

bool match_packet(const struct match *match, const struct pkt *p)
{
	void *mbuf = (void *)(uintptr_t)p;

	if (LIKELY(match->compiled))
		return match->compiled(mbuf) != 0;
	return rte_bpf_exec(match->bpf, mbuf) != 0;
}
