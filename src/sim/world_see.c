// SPDX-License-Identifier: BSD-3-Clause
// What a world sees of the frames on its links: the hash that tells one run from another, the
// capture, and the router that tells of what did not fit. Called by port/pair.c for every frame
// that enters a wire, by way of world.c.
#include "sim/world_see.h"

#include <string.h>

#include "base/hash.h"
#include "sim/too_big.h"

uint64_t world_mix(uint64_t hash, uint64_t word)
{
	return hash_fold(hash ^ word, UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t mix_bytes(uint64_t hash, const uint8_t *bytes, uint32_t len)
{
	uint64_t word = 0;

	for (; len >= sizeof(word); bytes += sizeof(word), len -= (uint32_t)sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash = world_mix(hash, word);
	}
	word = len;
	memcpy((uint8_t *)&word + 1, bytes, len);
	return world_mix(hash, word);
}

// A router on the way says so, if this world has one.
static void tell_too_big(const struct wire *wire, const struct pair_sight *sight)
{
	uint8_t answer[TOO_BIG_BYTES_MAX];
	uint16_t mtu_bytes = pair_faults(wire->pair, sight->end)->mtu_bytes;
	uint32_t len = mtu_bytes ? too_big_answer(sight->bytes, sight->len, mtu_bytes, answer) : 0;

	if (len)
		pair_inject(wire->pair, sight->end, answer, len);
}

static bool is_lost(const struct pair_sight *sight)
{
	static const char *const fates[] = {"lost", "down", "queue full", "too long"};

	for (size_t i = 0; i < ARRAY_COUNT(fates); i++)
		if (strcmp(sight->fate, fates[i]) == 0)
			return true;
	return false;
}

// All links, as frames enter them; or one node's, as that node sees it: what it sends when it sends
// it, what it receives when that arrives.
static void capture_frame(const struct world *world, const struct wire *wire,
			  const struct pair_sight *sight)
{
	struct pcapng_frame frame = {
		.interface = wire->index,
		.way = sight->end ? PCAPNG_INBOUND : PCAPNG_OUTBOUND, // as the first end sees it
		.time_ns = sight->now_ns,
		.bytes = sight->bytes,
		.len = sight->len,
		.comment = sight->fate,
	};

	if (world->capture_at) {
		uint32_t node = world->capture_at - 1;
		bool sends = wire->end[sight->end] == node,
		     receives = wire->end[!sight->end] == node;

		if (!sends && (!receives || is_lost(sight)))
			return;
		if (sends && strcmp(sight->fate, "duplicate") == 0)
			return; // the wire's doing, further on
		frame.interface = 0;
		frame.way = sends ? PCAPNG_OUTBOUND : PCAPNG_INBOUND;
		frame.time_ns = sends ? sight->now_ns : sight->arrival_ns;
	}
	pcapng_write(world->capture, &frame);
}

void world_see(void *context, const struct pair_sight *sight)
{
	const struct wire *wire = context;
	struct world *world = wire->world;

	world->hash = world_mix(world->hash, sight->arrival_ns);
	world->hash = world_mix(world->hash, (uint64_t)(sight->end + 1) + 2 * wire->index);
	world->hash = mix_bytes(world->hash, sight->bytes, sight->len);
	if (world->capture)
		capture_frame(world, wire, sight);
	if (world->tells_too_big && strcmp(sight->fate, "too long") == 0)
		tell_too_big(wire, sight);
}
