// SPDX-License-Identifier: BSD-3-Clause
// Programs of classic BPF, checked and interpreted: all of what match.h does on the ground for
// tests, and in production what no compiler is to be trusted with (dpdk/match.c).
#pragma once

#include "pkt/match.h"

#define STEPS_MAX 4096 // as kernels have it

// It ends whatever the packet is, and touches nothing but that and its own sixteen words.
bool steps_are_good(const struct match_step *steps, uint32_t count);

// What a good program returns of this packet: 0 is no, and so are bytes that it does not have.
uint32_t steps_run(const struct match_step *steps, const struct pkt *p);
