// SPDX-License-Identifier: BSD-3-Clause
// What a world sees of the frames on its links; for world.c.
#pragma once

#include "sim/world.h"

// As the tap of a wire (struct wire).
void world_see(void *wire, const struct pair_sight *sight);

// A hash with one more word.
uint64_t world_mix(uint64_t hash, uint64_t word);
