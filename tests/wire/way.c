// SPDX-License-Identifier: BSD-3-Clause
// One direction of the wire, see way.h. Called by wire.c with the time of the clock and by
// test_way.c with times of its own.
#include "way.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/time.h"
#include "wire/ecn.h"

#define FRAMES_DEFAULT 65536
#define MTU_DEFAULT_BYTES 1500
#define ETH_HEADER_BYTES 14
#define ETH_OVERHEAD_BYTES 24  // preamble 8, FCS 4, gap 12: what a frame costs besides its bytes
#define ETH_FRAME_MIN_BYTES 60 // without FCS: shorter ones take as long
#define ETH_TYPE_OFFSET 12

struct way *way_create(const struct way_config *config)
{
	struct way *way = calloc(1, sizeof(*way));

	if (!way)
		return NULL;
	way->config = *config;
	if (!way->config.frames_max)
		way->config.frames_max = FRAMES_DEFAULT;
	if (!way->config.mtu_bytes)
		way->config.mtu_bytes = MTU_DEFAULT_BYTES;
	uint32_t count = (uint32_t)way->config.frames_max;

	way->slot_bytes = (uint32_t)bits_round_up(sizeof(struct way_frame) + ETH_HEADER_BYTES +
							  way->config.mtu_bytes,
						  CACHE_LINE_BYTES);
	way->memory = malloc((size_t)count * way->slot_bytes);
	way->free = malloc(3 * (size_t)count * sizeof(uint32_t));
	if (!way->memory || !way->free || !bits_is_pow2(count)) {
		way_destroy(way);
		return NULL;
	}
	way->straight.slots = way->free + count;
	way->detour.slots = way->straight.slots + count;
	for (; way->free_count < count; way->free_count++)
		way->free[way->free_count] = count - 1 - way->free_count;
	rng_seed(&way->rng, config->seed);
	return way;
}

void way_destroy(struct way *way)
{
	if (!way)
		return;
	free(way->memory);
	free(way->free);
	free(way);
}

static struct way_frame *frame_at(const struct way *way, uint32_t slot)
{
	return (struct way_frame *)(void *)(way->memory + (size_t)slot * way->slot_bytes);
}

static const struct way_frame *lane_first(const struct way *way, const struct way_lane *lane)
{
	return lane->count ? frame_at(way, lane->slots[lane->head]) : NULL;
}

static void lane_add(const struct way *way, struct way_lane *lane, uint32_t slot)
{
	uint32_t mask = (uint32_t)way->config.frames_max - 1;

	lane->slots[(lane->head + lane->count++) & mask] = slot;
}

uint64_t way_queued_bytes(const struct way *way, uint64_t now_ns)
{
	if (way->idle_ns <= now_ns)
		return 0;
	unsigned __int128 bits =
		(unsigned __int128)(way->idle_ns - now_ns) * way->config.rate_bits_s / NS_PER_S;

	return (uint64_t)((bits + 7) / 8);
}

// When the last bit of the frame has left the line, if there is room to wait for it. A line that
// is idle takes any frame.
static bool leave_at(struct way *way, uint32_t len, uint64_t now_ns, uint64_t *leave_ns)
{
	uint64_t wire_bytes = MAX(len, (uint32_t)ETH_FRAME_MIN_BYTES) + ETH_OVERHEAD_BYTES;
	uint64_t rate = way->config.rate_bits_s;
	uint64_t waiting = rate ? way_queued_bytes(way, now_ns) : 0;

	*leave_ns = now_ns;
	if (!rate)
		return true;
	if (way->config.queue_bytes && waiting && waiting + wire_bytes > way->config.queue_bytes)
		return false;
	if (way->idle_ns < now_ns) {
		way->idle_ns = now_ns;
		way->idle_rest = 0;
	}
	uint64_t parts = wire_bytes * 8 * NS_PER_S + way->idle_rest;

	way->idle_ns += parts / rate;
	way->idle_rest = parts % rate;
	way->stats.queue_bytes_max = MAX(way->stats.queue_bytes_max, waiting + wire_bytes);
	*leave_ns = way->idle_ns;
	return true;
}

static bool chance(struct way *way, uint64_t ppm)
{
	return ppm && rng_chance_ppm(&way->rng, (uint32_t)ppm);
}

// The number to count a frame under that is lost on the line, or NULL.
static uint64_t *lost(struct way *way)
{
	const struct way_config *c = &way->config;

	if (c->bad_enter_ppm && chance(way, way->bad ? c->bad_leave_ppm : c->bad_enter_ppm))
		way->bad = !way->bad;
	if (way->bad && chance(way, c->bad_loss_ppm))
		return &way->stats.lost_burst;
	return chance(way, c->loss_ppm) ? &way->stats.lost_random : NULL;
}

static bool is_arp(const uint8_t *bytes, uint32_t len)
{
	return len > ETH_TYPE_OFFSET + 1 && bytes[ETH_TYPE_OFFSET] == 0x08 &&
	       bytes[ETH_TYPE_OFFSET + 1] == 0x06;
}

static void flip_one(struct way *way, struct way_frame *f)
{
	uint64_t bit = rng_below(&way->rng, (uint64_t)f->len * 8);

	f->bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	way->stats.corrupted++;
}

// As a router with a queue that grows would: rather than drop it later.
static bool is_to_mark(const struct way *way, const uint8_t *bytes, uint32_t len)
{
	enum ecn ecn = ecn_of_frame(bytes, len);

	return way->config.mark_bytes && (ecn == ECN_ECT0 || ecn == ECN_ECT1) &&
	       way_queued_bytes(way, way->last_ns) > way->config.mark_bytes;
}

static struct way_frame *send_along(struct way *way, const uint8_t *bytes, uint32_t len,
				    uint64_t leave_ns)
{
	bool late = chance(way, way->config.reorder_ppm);

	if (way->free_count == 0) { // longer inside than frames_max can hold: as a full queue
		way->stats.lost_queue++;
		return NULL;
	}
	uint32_t slot = way->free[--way->free_count];
	struct way_frame *f = frame_at(way, slot);

	f->slot = slot;
	f->len = len;
	f->due_ns = leave_ns + way->config.delay_ns + (late ? way->config.reorder_ns : 0);
	memcpy(f->bytes, bytes, len);
	way->stats.reordered += late;
	lane_add(way, late ? &way->detour : &way->straight, slot);
	return f;
}

void way_put(struct way *way, const uint8_t *bytes, uint32_t len, uint64_t now_ns)
{
	uint64_t leave_ns, *reason;
	struct way_frame *f;
	bool wrong, to_mark;

	way->last_ns = MAX(way->last_ns, now_ns);
	way->stats.in_frames++;
	way->stats.in_bytes += len;
	if (len > way->config.mtu_bytes + ETH_HEADER_BYTES) {
		way->stats.too_long++;
		return;
	}
	to_mark = is_to_mark(way, bytes, len);
	if (!leave_at(way, len, way->last_ns, &leave_ns)) {
		way->stats.lost_queue++;
		return;
	}
	reason = lost(way);
	if (reason) {
		(*reason)++;
		return;
	}
	wrong = chance(way, way->config.corrupt_ppm);
	if (wrong && is_arp(bytes, len)) {
		way->stats.lost_corrupt++;
		return;
	}
	f = send_along(way, bytes, len, leave_ns);
	if (f && to_mark) {
		ecn_write_frame(f->bytes, f->len, ECN_CE);
		way->stats.marked++;
	}
	if (f && wrong)
		flip_one(way, f);
	if (chance(way, way->config.duplicate_ppm)) {
		way->stats.duplicated++;
		send_along(way, bytes, len, leave_ns);
	}
}

uint64_t way_next_ns(const struct way *way)
{
	const struct way_frame *straight = lane_first(way, &way->straight);
	const struct way_frame *detour = lane_first(way, &way->detour);
	uint64_t next_ns = straight ? straight->due_ns : TIME_NEVER_NS;

	return detour ? MIN(next_ns, detour->due_ns) : next_ns;
}

struct way_frame *way_take(struct way *way, uint64_t now_ns)
{
	const struct way_frame *straight = lane_first(way, &way->straight);
	uint64_t next_ns = way_next_ns(way);

	if (next_ns > now_ns || next_ns == TIME_NEVER_NS)
		return NULL;
	struct way_lane *lane =
		straight && straight->due_ns == next_ns ? &way->straight : &way->detour;
	struct way_frame *f = frame_at(way, lane->slots[lane->head]);

	lane->head = (lane->head + 1) & ((uint32_t)way->config.frames_max - 1);
	lane->count--;
	way->stats.out_frames++;
	way->stats.out_bytes += f->len;
	return f;
}

void way_give_back(struct way *way, struct way_frame *frame)
{
	way->free[way->free_count++] = frame->slot;
}
