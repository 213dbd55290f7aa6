// SPDX-License-Identifier: BSD-3-Clause
// Forged frames, each kind from as many senders as there are: what a flood is made of. Pure
// functions of a seed; flood.c sends them.
#pragma once

#include "base/addr.h"
#include "base/rand.h"

#define FORGED_BYTES_MAX 640

// Whom they are for.
struct forge {
	struct rng rng;
	uint8_t dst_mac[6];
	struct addr to;
	uint16_t port;
};

// Writes one frame; its length in bytes.
typedef uint32_t forge_fn(struct forge *forge, uint8_t *frame);

struct forge_kind {
	const char *name, *what;
	forge_fn *make;
	bool is_ip6;
};

// By its name, or NULL; and by its place in the list, NULL behind the last.
const struct forge_kind *forge_find(const char *name);
const struct forge_kind *forge_at(uint32_t index);
