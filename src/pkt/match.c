// SPDX-License-Identifier: BSD-3-Clause
// The machine of S. McCanne and V. Jacobson ("The BSD Packet Filter", USENIX 1993) over a packet's
// segments: two registers, sixteen words, jumps forward only. Created by core/tapings.c on a
// control thread, run by pkt/taping.c on the workers'. Where a packet ends, how far a shift goes
// and what a division by nothing gives is as in libpcap's bpf_filter, which test_match.c asks.
//
// Why not DPDK's compiler (rte_bpf): it is wrong where it may not be. Its JIT takes its jumps for
// final when the size of all did not change, its converter loads bytes and words from [a + k] for
// [x + k], a test with a mask below 128 gets too short an operand, and an offset that wraps in 32
// bits is read: endless loops and segmentation faults of a worker, by filters as people write them.
#include "pkt/match.h"

#include <pcap/pcap.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

#define STEPS_MAX 4096 // as kernels have it

static_assert(sizeof(struct match_step) == sizeof(struct bpf_insn), "libpcap's layout");

struct match {
	uint32_t count;
	struct match_step steps[];
};

struct machine {
	uint32_t a, x;
	uint32_t words[BPF_MEMWORDS];
	const struct pkt *pkt;
};

static const uint16_t codes[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_H | BPF_ABS,
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_LD | BPF_H | BPF_IND,
	BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_B | BPF_MSH,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LDX | BPF_IMM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_SUB | BPF_K,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_MOD | BPF_K,
	BPF_ALU | BPF_MOD | BPF_X,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_ALU | BPF_XOR | BPF_X,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_RSH | BPF_X,
	BPF_ALU | BPF_NEG,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JSET | BPF_X,
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
};

static bool is_known(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_COUNT(codes); i++)
		if (codes[i] == code)
			return true;
	return false;
}

static bool uses_memory(uint16_t code)
{
	return code == BPF_ST || code == BPF_STX || code == (BPF_LD | BPF_MEM) ||
	       code == (BPF_LDX | BPF_MEM);
}

// With so many steps behind it.
static bool is_good(const struct match_step *s, uint32_t behind)
{
	if (!is_known(s->code) || (uses_memory(s->code) && s->k >= BPF_MEMWORDS))
		return false;
	if (s->code == (BPF_ALU | BPF_DIV | BPF_K) || s->code == (BPF_ALU | BPF_MOD | BPF_K))
		return s->k != 0;
	if (s->code == (BPF_JMP | BPF_JA))
		return s->k < behind;
	if (BPF_CLASS(s->code) == BPF_JMP)
		return s->jump_true < behind && s->jump_false < behind;
	return true;
}

// It ends whatever the packet is, and touches nothing but that and its own sixteen words.
static bool are_good(const struct match_step *steps, uint32_t count)
{
	if (count == 0 || count > STEPS_MAX || BPF_CLASS(steps[count - 1].code) != BPF_RET)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!is_good(&steps[i], count - 1 - i))
			return false;
	return true;
}

struct match *match_create(const struct match_step *steps, uint32_t count)
{
	struct match *match = NULL;

	if (are_good(steps, count))
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

// Big endian, over the ends of segments. False when the packet ends before.
static NOINLINE bool gather(const struct pkt *p, uint64_t at, uint32_t bytes, uint32_t *out)
{
	uint32_t value = 0;

	if (at + bytes > pkt_len(p))
		return false;
	for (uint32_t i = 0; i < bytes; i++, at++) {
		for (; p && at >= pkt_seg_len(p); p = pkt_next(p))
			at -= pkt_seg_len(p);
		if (!p)
			return false;
		value = value << 8 | pkt_data(p)[at];
	}
	*out = value;
	return true;
}

// The same of what is nearly always in the first segment.
static inline bool read_pkt(const struct pkt *p, uint64_t at, uint32_t bytes, uint32_t *out)
{
	if (UNLIKELY(at + bytes > pkt_seg_len(p)))
		return gather(p, at, bytes, out);
	const uint8_t *from = pkt_data(p) + at;

	if (bytes == 1)
		*out = from[0];
	else if (bytes == 2)
		*out = (uint32_t)from[0] << 8 | from[1];
	else
		*out = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 |
		       from[3];
	return true;
}

static uint32_t size_of(uint16_t code)
{
	return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

static bool load(const struct machine *m, const struct match_step *s, uint32_t *out)
{
	switch (BPF_MODE(s->code)) {
	case BPF_ABS:
		return read_pkt(m->pkt, s->k, size_of(s->code), out);
	case BPF_IND:
		return read_pkt(m->pkt, (uint64_t)m->x + s->k, size_of(s->code), out);
	case BPF_MSH: // the length of an IPv4 header
		if (!read_pkt(m->pkt, s->k, 1, out))
			return false;
		*out = (*out & 0xf) << 2;
		return true;
	case BPF_LEN:
		*out = pkt_len(m->pkt);
		return true;
	case BPF_MEM:
		*out = m->words[s->k];
		return true;
	default: // BPF_IMM
		*out = s->k;
		return true;
	}
}

static uint32_t operand(const struct machine *m, const struct match_step *s)
{
	return BPF_SRC(s->code) == BPF_X ? m->x : s->k;
}

// False when it divides by nothing.
static bool reckon(struct machine *m, const struct match_step *s)
{
	uint32_t by = operand(m, s);

	switch (BPF_OP(s->code)) {
	case BPF_ADD:
		m->a += by;
		break;
	case BPF_SUB:
		m->a -= by;
		break;
	case BPF_MUL:
		m->a *= by;
		break;
	case BPF_DIV:
	case BPF_MOD:
		if (by == 0)
			return false;
		m->a = BPF_OP(s->code) == BPF_DIV ? m->a / by : m->a % by;
		break;
	case BPF_AND:
		m->a &= by;
		break;
	case BPF_OR:
		m->a |= by;
		break;
	case BPF_XOR:
		m->a ^= by;
		break;
	case BPF_LSH:
		m->a = by < 32 ? m->a << by : 0;
		break;
	case BPF_RSH:
		m->a = by < 32 ? m->a >> by : 0;
		break;
	default: // BPF_NEG
		m->a = -m->a;
		break;
	}
	return true;
}

// How many steps are passed over.
static uint32_t jump(const struct machine *m, const struct match_step *s)
{
	uint32_t with = operand(m, s);
	bool yes;

	switch (BPF_OP(s->code)) {
	case BPF_JA:
		return s->k;
	case BPF_JEQ:
		yes = m->a == with;
		break;
	case BPF_JGT:
		yes = m->a > with;
		break;
	case BPF_JGE:
		yes = m->a >= with;
		break;
	default: // BPF_JSET
		yes = m->a & with;
		break;
	}
	return yes ? s->jump_true : s->jump_false;
}

// What it returns: 0 is no, and so are bytes that the packet does not have.
static uint32_t run(const struct match_step *s, const struct pkt *p)
{
	struct machine m = {.pkt = p};
	bool good = true;

	for (; good; s++) {
		switch (BPF_CLASS(s->code)) {
		case BPF_LD:
			good = load(&m, s, &m.a);
			break;
		case BPF_LDX:
			good = load(&m, s, &m.x);
			break;
		case BPF_ST:
			m.words[s->k] = m.a;
			break;
		case BPF_STX:
			m.words[s->k] = m.x;
			break;
		case BPF_ALU:
			good = reckon(&m, s);
			break;
		case BPF_JMP:
			s += jump(&m, s);
			break;
		case BPF_MISC:
			if (BPF_MISCOP(s->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		default: // BPF_RET
			return BPF_RVAL(s->code) == BPF_A ? m.a : s->k;
		}
	}
	return 0;
}

bool match_packet(const struct match *match, const struct pkt *p)
{
	return run(match->steps, p) != 0;
}
