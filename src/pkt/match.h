// SPDX-License-Identifier: BSD-3-Clause
// Filters of packets, as libpcap compiles them: programs that are checked once and interpreted for
// each packet.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pkt/pkt.h"

struct match;

// An instruction of classic BPF (S. McCanne, V. Jacobson, "The BSD Packet Filter", USENIX 1993):
// the layout of libpcap's struct bpf_insn.
struct match_step {
	uint16_t code;
	uint8_t jump_true, jump_false;
	uint32_t k;
};

// NULL with err_set: it is not such a program, or memory is out. Copies it. A control thread's.
struct match *match_create(const struct match_step *steps, uint32_t count);
void match_destroy(struct match *match);

// The program says yes to this packet, whatever segments it has. Any thread's.
bool match_packet(const struct match *match, const struct pkt *p);
