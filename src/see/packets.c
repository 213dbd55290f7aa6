// SPDX-License-Identifier: BSD-3-Clause
// Puts the records of a tape together to packets. Called by prism capture. What a worker wrote in
// one turn is gathered first: a drop among it is told with the packet as it came, when that is
// there too.
#include "see/packets.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

// Packets that a turn may have had; more are told as two turns.
#define TURN_PKTS_MAX 4096

struct packets {
	struct tape_reader *reader;
	uint64_t lost[WORKERS_MAX]; // that were told
	struct packet *turn;        // TURN_PKTS_MAX; bytes point into bytes
	uint32_t count, told;
	uint8_t *bytes;
	size_t used, room;
	struct packet ahead; // the first of the next turn: its bytes are the reader's
	bool has_ahead;
};

struct packets *packets_create(struct tape_reader *reader)
{
	struct packets *p = calloc(1, sizeof(*p));

	if (p)
		p->turn = calloc(TURN_PKTS_MAX, sizeof(*p->turn));
	if (p && p->turn) {
		p->reader = reader;
		return p;
	}
	free(p);
	tape_reader_close(reader);
	err_set(ERR_OUT_OF_MEMORY, "packets of a capture");
	return NULL;
}

void packets_destroy(struct packets *p)
{
	if (!p)
		return;
	tape_reader_close(p->reader);
	free(p->turn);
	free(p->bytes);
	free(p);
}

const struct tape_reader *packets_reader(const struct packets *p)
{
	return p->reader;
}

void packets_stop(struct packets *p)
{
	tape_reader_stop(p->reader);
}

uint64_t packets_lost_at_end(struct packets *p)
{
	uint64_t lost = 0;

	for (uint32_t w = 0; w < tape_reader_head(p->reader)->worker_count; w++) {
		lost += tape_reader_lost(p->reader, w) - p->lost[w];
		p->lost[w] = tape_reader_lost(p->reader, w);
	}
	return lost;
}

// The next record, or the one that was read too far. False when there is none.
static bool read_one(struct packets *p, uint64_t until_ns, struct packet *out, int *error)
{
	const struct tape_record *record;

	*error = 0;
	if (p->has_ahead) {
		*out = p->ahead;
		p->has_ahead = false;
		return true;
	}
	record = tape_reader_next(p->reader, until_ns, &out->worker, error);
	if (!record)
		return false;
	out->record = *record;
	out->bytes = tape_record_bytes(record);
	uint64_t lost = tape_reader_lost(p->reader, out->worker);

	out->lost = lost - p->lost[out->worker];
	p->lost[out->worker] = lost;
	return true;
}

static bool same_turn(const struct packet *a, const struct packet *b)
{
	return a->worker == b->worker && a->record.time_ns == b->record.time_ns;
}

// The packet as it came, among those of the same turn.
static struct packet *find_arrival(struct packets *p, const struct packet *drop)
{
	for (uint32_t i = p->count; i-- > 0 && drop->record.journey;) {
		struct packet *other = &p->turn[i];

		if (other->record.point == TAPE_CAME && !other->record.reason &&
		    other->record.journey == drop->record.journey)
			return other;
	}
	return NULL;
}

static bool keep_bytes(struct packets *p, const struct packet *packet)
{
	size_t need = p->used + packet->record.bytes;

	if (need > p->room) {
		size_t room = MAX(need, 2 * p->room);
		uint8_t *grown = realloc(p->bytes, room);

		if (!grown)
			return false;
		for (uint32_t i = 0; i < p->count; i++)
			p->turn[i].bytes = grown + (p->turn[i].bytes - p->bytes);
		p->bytes = grown;
		p->room = room;
	}
	memcpy(p->bytes + p->used, packet->bytes, packet->record.bytes);
	return true;
}

static int add(struct packets *p, const struct packet *packet)
{
	bool dropped = packet->record.point == TAPE_DROPPED;
	struct packet *arrival = dropped ? find_arrival(p, packet) : NULL;

	if (arrival) {
		arrival->record.reason = packet->record.reason;
		arrival->lost += packet->lost;
		return 0;
	}
	if (!keep_bytes(p, packet))
		return err_set(ERR_OUT_OF_MEMORY, "packets of a capture");
	p->turn[p->count] = *packet;
	p->turn[p->count++].bytes = p->bytes + p->used;
	p->used += packet->record.bytes;
	return 0;
}

static int gather(struct packets *p, uint64_t until_ns)
{
	struct packet packet;
	int error = 0;

	p->count = p->told = 0;
	p->used = 0;
	while (!error && p->count < TURN_PKTS_MAX && read_one(p, until_ns, &packet, &error)) {
		if (p->count && !same_turn(&p->turn[0], &packet)) {
			p->ahead = packet;
			p->has_ahead = true;
			return 0;
		}
		error = add(p, &packet);
	}
	return error;
}

const struct packet *packets_next(struct packets *p, uint64_t until_ns, int *error)
{
	*error = 0;
	if (p->told == p->count)
		*error = gather(p, until_ns);
	return p->told < p->count ? &p->turn[p->told++] : NULL;
}
