// SPDX-License-Identifier: BSD-3-Clause
// Filters of packets as machine code: DPDK converts libpcap's program, checks it and compiles it
// (rte_bpf). What it compiles wrongly, or not at all, is interpreted (pkt/steps.c): slower, and
// right. Created by a control thread, run by workers for each packet of a capture. See pkt/match.h.
#define ALLOW_EXPERIMENTAL_API // rte_bpf_convert, unchanged from 22.11 to 25.11

#include "pkt/match.h"

#include <pcap/pcap.h>
#include <rte_bpf.h>
#include <rte_malloc.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "pkt/steps.h"

static_assert(sizeof(struct match_step) == sizeof(struct bpf_insn), "libpcap's layout");

struct match {
	uint64_t (*compiled)(void *); // NULL: it is interpreted
	struct rte_bpf *bpf;          // or NULL
	uint32_t count;
	struct match_step steps[];
};

#define OFFSET_MAX UINT16_MAX // no packet is longer, but those of TSO by a head

// It puts what this one loads where a load's offset may come from, and that may be any number.
// rte_pktmbuf_read adds it to the load's size in 32 bits: what wraps there, it reads, outside of
// the packet. And what is negative to the compiled code's signed comparison is read at once.
static bool makes_any_offset(const struct match_step *s)
{
	return s->code == (BPF_MISC | BPF_TAX) || s->code == (BPF_LDX | BPF_MEM) ||
	       (s->code == (BPF_LDX | BPF_IMM) && s->k > OFFSET_MAX);
}

static bool is_load(const struct match_step *s)
{
	return (BPF_CLASS(s->code) == BPF_LD || BPF_CLASS(s->code) == BPF_LDX) &&
	       (BPF_MODE(s->code) == BPF_ABS || BPF_MODE(s->code) == BPF_IND ||
		BPF_MODE(s->code) == BPF_MSH);
}

// DPDK's compiler for x86 is right about it, and so is libpcap, as they do not agree on all. A test
// with a small mask (tcp[tcpflags] & tcp-syn != 0) it gives one byte where the processor takes
// four (emit_tst_imm in bpf_jit_x86.c, from 18.05 on), and runs into what is behind. Shifts are
// modulo 32 to the processor.
static bool compiles_well(const struct match_step *s)
{
	if (is_load(s))
		return s->k <= OFFSET_MAX;
	if (s->code == (BPF_JMP | BPF_JSET | BPF_K))
		return s->k > INT8_MAX;
	if (s->code == (BPF_ALU | BPF_LSH | BPF_K) || s->code == (BPF_ALU | BPF_RSH | BPF_K))
		return s->k < 32;
	return s->code != (BPF_ALU | BPF_LSH | BPF_X) && s->code != (BPF_ALU | BPF_RSH | BPF_X);
}

static bool all_compile_well(const struct match_step *steps, uint32_t count)
{
	bool any_offset = false, loads_there = false;

	for (uint32_t i = 0; i < count; i++) {
		if (!compiles_well(&steps[i]))
			return false;
		any_offset |= makes_any_offset(&steps[i]);
		loads_there |= is_load(&steps[i]) && BPF_MODE(steps[i].code) == BPF_IND;
	}
	return !(any_offset && loads_there);
}

static void compile(struct match *match)
{
	struct bpf_program program = {.bf_len = match->count,
				      .bf_insns = (struct bpf_insn *)(void *)match->steps};
	struct rte_bpf_prm *prm = rte_bpf_convert(&program);
	struct rte_bpf_jit jit;

	match->bpf = prm ? rte_bpf_load(prm) : NULL;
	rte_free(prm);
	if (match->bpf && rte_bpf_get_jit(match->bpf, &jit) == 0)
		match->compiled = jit.func;
}

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
	if (all_compile_well(steps, count))
		compile(match);
	return match;
}

void match_destroy(struct match *match)
{
	if (!match)
		return;
	rte_bpf_destroy(match->bpf);
	mem_unmap(match, sizeof(*match) + match->count * sizeof(match->steps[0]));
}

bool match_packet(const struct match *match, const struct pkt *p)
{
	if (LIKELY(match->compiled))
		return match->compiled((void *)(uintptr_t)p) != 0;
	return steps_run(match->steps, p) != 0;
}
