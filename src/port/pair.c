// SPDX-License-Identifier: BSD-3-Clause
// pair: two ports joined by a faulty wire. Called through port_ops, by simulators for its faults.
//
// Each direction keeps the frames under way in slots and their order of arrival in a binary heap
// of slot numbers: insertion and removal are O(log n), and reordering is nothing but a later time.
//
// Deliberately not here: checksum and segmentation offload (a pair grants none, so a stack on it
// does that work in software), threads, and a clock: without now_ns, delays cannot be had.
#include "port/pair.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "pkt/pool.h"
#include "port/frame.h"
#include "wire/ecn.h"

#define FRAMES_DEFAULT 1024
#define MTU_DEFAULT_BYTES 1500
#define ETH_HEADER_BYTES 18   // with one VLAN tag
#define ETH_OVERHEAD_BYTES 24 // preamble 8, FCS 4, gap 12: what a frame costs besides its bytes

// One way of the wire: from one end's tx to the other end's rx.
struct way {
	struct pair_faults faults;
	struct pair_stats stats;
	struct pool *rx_pool; // the receiver's
	uint64_t idle_ns;     // when the last bit of all that was sent has left
	uint64_t last_ns;     // latest arrival so far: jitter does not overtake
	uint64_t order;
	uint32_t count; // frames under way
	uint32_t free_count;
	bool bad;       // a bad time for frames: burst_ppm
	uint32_t *heap; // slots by arrival, heap[0] first
	uint32_t *free; // slots without a frame
	uint8_t *slots;
};

struct end {
	struct port port; // first: port_ops get back to the end by it
	struct pair *pair;
	int index;
	bool open;
};

struct pair {
	struct end end[2];
	struct way way[2]; // way[i] carries what end[i] sends
	struct rng rng;
	const uint64_t *now_ns;
	void (*tap)(void *context, const struct pair_sight *sight);
	void *tap_context;
	void (*closing)(struct pair *pair);
	uint32_t frames_max;
	uint32_t slot_bytes;
	uint32_t frame_bytes_max;
	size_t bytes; // of this whole allocation
};

static uint64_t pair_now(const struct pair *pair)
{
	return pair->now_ns ? *pair->now_ns : 0;
}

static struct frame *frame_at(const struct pair *pair, const struct way *way, uint32_t slot)
{
	return (struct frame *)(void *)(way->slots + (size_t)slot * pair->slot_bytes);
}

static bool earlier(const struct pair *pair, const struct way *way, uint32_t a, uint32_t b)
{
	const struct frame *x = frame_at(pair, way, way->heap[a]);
	const struct frame *y = frame_at(pair, way, way->heap[b]);

	return x->arrival_ns != y->arrival_ns ? x->arrival_ns < y->arrival_ns : x->order < y->order;
}

static void heap_swap(struct way *way, uint32_t a, uint32_t b)
{
	uint32_t slot = way->heap[a];

	way->heap[a] = way->heap[b];
	way->heap[b] = slot;
}

static void heap_push(const struct pair *pair, struct way *way, uint32_t slot)
{
	uint32_t i = way->count++;

	way->heap[i] = slot;
	for (; i > 0 && earlier(pair, way, i, (i - 1) / 2); i = (i - 1) / 2)
		heap_swap(way, i, (i - 1) / 2);
}

static uint32_t heap_pop(const struct pair *pair, struct way *way)
{
	uint32_t first = way->heap[0];

	way->heap[0] = way->heap[--way->count];
	for (uint32_t i = 0, child; (child = 2 * i + 1) < way->count; i = child) {
		if (child + 1 < way->count && earlier(pair, way, child + 1, child))
			child++;
		if (!earlier(pair, way, child, i))
			break;
		heap_swap(way, i, child);
	}
	return first;
}

static void show(const struct pair *pair, int end, const struct frame *f, const char *fate)
{
	if (!pair->tap)
		return;
	struct pair_sight sight = {.now_ns = pair_now(pair),
				   .arrival_ns = f->arrival_ns,
				   .bytes = f->bytes,
				   .len = f->len,
				   .end = end,
				   .fate = fate};

	pair->tap(pair->tap_context, &sight);
}

// More than so many bytes wait for the rate.
static bool waiting_more(const struct way *way, uint64_t now_ns, uint32_t bytes)
{
	uint64_t start_ns = MAX(way->idle_ns, now_ns);

	return (unsigned __int128)(start_ns - now_ns) * way->faults.rate_bits_s >
	       (unsigned __int128)bytes * 8 * NS_PER_S;
}

// When the last bit of a frame of len bytes has left, if it may wait so long.
static bool leave_at(struct way *way, uint64_t now_ns, uint32_t len, uint64_t *leave_ns)
{
	const struct pair_faults *faults = &way->faults;
	uint64_t start_ns = MAX(way->idle_ns, now_ns);

	*leave_ns = now_ns;
	if (!faults->rate_bits_s)
		return true;
	if (faults->queue_bytes && waiting_more(way, now_ns, faults->queue_bytes))
		return false;
	uint64_t bits = (uint64_t)(len + ETH_OVERHEAD_BYTES) * 8;

	*leave_ns = start_ns + bits * NS_PER_S / faults->rate_bits_s;
	way->idle_ns = *leave_ns;
	return true;
}

// All flipped bits lie in one byte: every 16-bit checksum sees that.
static void corrupt(struct pair *pair, struct frame *f)
{
	uint8_t flips = (uint8_t)(1 + rng_below(&pair->rng, 255));

	f->bytes[rng_below(&pair->rng, f->len)] ^= flips;
}

// What a router on the way writes into the ECN field, the good one and the bad one.
static void mark(struct pair *pair, struct way *way, struct frame *f)
{
	const struct pair_faults *faults = &way->faults;
	enum ecn ecn = ecn_of_frame(f->bytes, f->len);

	if (faults->mark_bytes && (ecn == ECN_ECT0 || ecn == ECN_ECT1) &&
	    waiting_more(way, pair_now(pair), faults->mark_bytes)) {
		ecn_write_frame(f->bytes, f->len, ECN_CE);
		way->stats.marked++;
	}
	if (faults->mangle_ppm && rng_chance_ppm(&pair->rng, faults->mangle_ppm)) {
		ecn_write_frame(f->bytes, f->len, (enum ecn)rng_below(&pair->rng, 4));
		way->stats.mangled++;
	}
}

static void lose(const struct pair *pair, struct way *way, uint32_t slot, const char *fate)
{
	show(pair, (int)(way - pair->way), frame_at(pair, way, slot), fate);
	way->free[way->free_count++] = slot;
}

// Puts the frame in slot under way: time of arrival, corruption, order.
static void launch(struct pair *pair, struct way *way, uint32_t slot, const char *fate)
{
	const struct pair_faults *faults = &way->faults;
	struct frame *f = frame_at(pair, way, slot);
	uint64_t leave_ns;

	mark(pair, way, f);
	if (!leave_at(way, pair_now(pair), f->len, &leave_ns)) {
		way->stats.lost_queue++;
		lose(pair, way, slot, "queue full");
		return;
	}
	if (rng_chance_ppm(&pair->rng, faults->corrupt_ppm)) {
		if (frame_is_arp(f)) {
			way->stats.lost_corrupt++;
			lose(pair, way, slot, "lost");
			return;
		}
		corrupt(pair, f);
		way->stats.corrupted++;
		fate = "corrupted";
	}
	f->arrival_ns = leave_ns + faults->delay_ns + rng_below(&pair->rng, faults->jitter_ns);
	if (rng_chance_ppm(&pair->rng, faults->reorder_ppm)) {
		f->arrival_ns += faults->reorder_ns;
		way->stats.reordered++;
		fate = "reordered";
	} else {
		f->arrival_ns = MAX(f->arrival_ns, way->last_ns);
		way->last_ns = f->arrival_ns;
	}
	f->order = way->order++;
	heap_push(pair, way, slot);
	show(pair, (int)(way - pair->way), f, fate);
}

static void duplicate(struct pair *pair, struct way *way, const struct frame *original)
{
	if (way->free_count == 0)
		return;
	uint32_t slot = way->free[--way->free_count];
	struct frame *f = frame_at(pair, way, slot);

	f->len = original->len;
	memcpy(f->bytes, original->bytes, original->len);
	way->stats.duplicated++;
	launch(pair, way, slot, "duplicate");
}

// Each frame of a good time may begin a bad one, and of a bad one a good one.
static bool burst_takes(struct pair *pair, struct way *way)
{
	const struct pair_faults *faults = &way->faults;

	if (!faults->burst_ppm)
		return false;
	if (rng_chance_ppm(&pair->rng, way->bad ? faults->burst_end_ppm : faults->burst_ppm))
		way->bad = !way->bad;
	return way->bad && rng_chance_ppm(&pair->rng, faults->burst_loss_ppm);
}

// Why the wire loses this frame whatever it carries, and where that is counted; NULL: it does not.
static const char *loss_of(struct pair *pair, struct way *way, const struct frame *f,
			   uint64_t **count)
{
	const struct pair_faults *faults = &way->faults;

	if (faults->down) {
		*count = &way->stats.lost_down;
		return "down";
	}
	if (faults->mtu_bytes && f->len > ETH_HEADER_BYTES - 4u + faults->mtu_bytes) {
		*count = &way->stats.lost_too_long;
		return "too long";
	}
	if (burst_takes(pair, way)) {
		*count = &way->stats.lost_burst;
		return "lost";
	}
	*count = &way->stats.lost_random;
	return rng_chance_ppm(&pair->rng, faults->loss_ppm) ? "lost" : NULL;
}

static void send_one(struct pair *pair, struct way *way, const struct pkt *p)
{
	uint64_t *count;

	way->stats.sent++;
	if (pkt_len(p) > pair->frame_bytes_max) {
		way->stats.lost_too_long++;
		return;
	}
	if (way->free_count == 0) {
		way->stats.lost_queue++;
		return;
	}
	uint32_t slot = way->free[--way->free_count];
	struct frame *f = frame_at(pair, way, slot);

	frame_gather(f, p);
	const char *fate = loss_of(pair, way, f, &count);

	if (fate) {
		(*count)++;
		lose(pair, way, slot, fate);
		return;
	}
	if (rng_chance_ppm(&pair->rng, way->faults.duplicate_ppm))
		duplicate(pair, way, f);
	launch(pair, way, slot, "");
}

bool pair_inject(struct pair *pair, int end, const void *bytes, uint32_t len)
{
	struct way *way = &pair->way[!end];

	way->stats.sent++;
	if (way->free_count == 0 || len > pair->frame_bytes_max || way->faults.down) {
		way->stats.lost_queue++;
		return false;
	}
	uint32_t slot = way->free[--way->free_count];
	struct frame *f = frame_at(pair, way, slot);

	memcpy(f->bytes, bytes, len);
	f->len = len;
	launch(pair, way, slot, "");
	return true;
}

static uint16_t pair_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct end *end = port->driver;
	struct pair *pair = end->pair;
	struct way *way = &pair->way[end->index];
	uint16_t taken = count;

	if (rng_chance_ppm(&pair->rng, way->faults.refuse_ppm))
		taken = (uint16_t)rng_below(&pair->rng, count);
	for (uint16_t i = 0; i < taken; i++) {
		send_one(pair, way, pkts[i]);
		pkt_free(pkts[i]);
	}
	return taken;
}

static uint16_t pair_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct end *end = port->driver;
	struct pair *pair = end->pair;
	struct way *way = &pair->way[!end->index];
	uint64_t now_ns = pair_now(pair);
	uint16_t n = 0;

	while (n < count && way->count > 0) {
		struct frame *f = frame_at(pair, way, way->heap[0]);

		if (f->arrival_ns > now_ns)
			break;
		pkts[n] = frame_scatter(way->rx_pool, f);
		if (!pkts[n])
			break; // waits in the card until buffers return
		n++;
		way->stats.delivered++;
		way->free[way->free_count++] = heap_pop(pair, way);
	}
	return n;
}

static void pair_close(struct port *port)
{
	struct end *end = port->driver;
	struct pair *pair = end->pair;

	if (pair->closing)
		pair->closing(pair);
	end->open = false;
	if (!pair->end[!end->index].open)
		pair_destroy(pair);
}

static const struct port_ops pair_ops = {.rx = pair_rx, .tx = pair_tx, .close = pair_close};

// Joins two texts into size bytes, cutting what does not fit.
static void text_put(char *out, size_t size, const char *first, const char *second)
{
	size_t n = 0;

	for (; *first && n + 1 < size; first++)
		out[n++] = *first;
	for (; *second && n + 1 < size; second++)
		out[n++] = *second;
	out[n] = '\0';
}

static void end_init(struct pair *pair, int index, const struct pair_config *config)
{
	struct end *end = &pair->end[index];
	struct port *port = &end->port;
	uint64_t hash =
		0xcbf29ce484222325u; // FNV-1a of the name, so that pairs differ in their MACs

	for (const char *c = config->name; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
	*end = (struct end){.pair = pair, .index = index, .open = true};
	port->ops = &pair_ops;
	port->driver = end;
	port->flags = PORT_TX_CHAINS;
	port->mtu_bytes = config->mtu_bytes ? config->mtu_bytes : MTU_DEFAULT_BYTES;
	port->tx_segs_max = 64;
	port->mac[0] = 0x02; // locally administered
	for (int i = 1; i < 5; i++)
		port->mac[i] = (uint8_t)(hash >> (8 * i));
	port->mac[5] = (uint8_t)index;
	text_put(port->name, sizeof(port->name), "", config->name);
	text_put(port->device, sizeof(port->device), "pair:", config->name);
}

static void way_init(struct way *way, const struct pair_config *config, int index,
		     uint32_t frames_max)
{
	way->faults = config->faults[index];
	way->rx_pool = config->rx_pool[!index];
	way->free_count = frames_max;
	for (uint32_t i = 0; i < frames_max; i++)
		way->free[i] = frames_max - 1 - i;
}

struct pair *pair_create(const struct pair_config *config)
{
	uint32_t frames_max = config->frames_max ? config->frames_max : FRAMES_DEFAULT;
	uint32_t mtu_bytes = config->mtu_bytes ? config->mtu_bytes : MTU_DEFAULT_BYTES;
	uint32_t slot_bytes = (uint32_t)bits_round_up(
		sizeof(struct frame) + ETH_HEADER_BYTES + mtu_bytes, CACHE_LINE_BYTES);
	size_t head_bytes = bits_round_up(sizeof(struct pair), CACHE_LINE_BYTES);
	size_t way_bytes = frames_max * (size_t)slot_bytes;
	size_t index_bytes = frames_max * 2 * sizeof(uint32_t);
	size_t bytes = head_bytes + 2 * (way_bytes + index_bytes);
	struct pair *pair = mem_map("a pair of ports", bytes);

	if (!pair)
		return NULL;
	uint8_t *at = (uint8_t *)pair + head_bytes;

	pair->bytes = bytes;
	pair->frames_max = frames_max;
	pair->slot_bytes = slot_bytes;
	pair->frame_bytes_max = ETH_HEADER_BYTES + mtu_bytes;
	pair->now_ns = config->now_ns;
	pair->closing = config->closing;
	rng_seed(&pair->rng, config->seed);
	for (int i = 0; i < 2; i++) {
		struct way *way = &pair->way[i];

		way->slots = at;
		way->heap = (uint32_t *)(void *)(at + way_bytes);
		way->free = way->heap + frames_max;
		at += way_bytes + index_bytes;
		way_init(way, config, i, frames_max);
		end_init(pair, i, config);
	}
	return pair;
}

void pair_destroy(struct pair *pair)
{
	if (pair)
		mem_unmap(pair, pair->bytes);
}

struct port *pair_port(struct pair *pair, int end)
{
	return &pair->end[end].port;
}

void pair_set_faults(struct pair *pair, int end, const struct pair_faults *faults)
{
	pair->way[end].faults = *faults;
}

const struct pair_faults *pair_faults(const struct pair *pair, int end)
{
	return &pair->way[end].faults;
}

void pair_set_tap(struct pair *pair, void (*tap)(void *context, const struct pair_sight *sight),
		  void *context)
{
	pair->tap = tap;
	pair->tap_context = context;
}

void pair_set_rx_pool(struct pair *pair, int end, struct pool *pool)
{
	pair->way[!end].rx_pool = pool;
}

uint64_t pair_next_ns(const struct pair *pair)
{
	uint64_t next_ns = TIME_NEVER_NS;

	for (int i = 0; i < 2; i++)
		if (pair->way[i].count > 0)
			next_ns = MIN(
				next_ns,
				frame_at(pair, &pair->way[i], pair->way[i].heap[0])->arrival_ns);
	return next_ns;
}

const struct pair_stats *pair_stats(const struct pair *pair, int end)
{
	return &pair->way[end].stats;
}

uint32_t pair_in_flight(const struct pair *pair, int end)
{
	return pair->way[end].count;
}
