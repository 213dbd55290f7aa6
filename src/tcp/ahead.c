// SPDX-License-Identifier: BSD-3-Clause
// Fetching ahead what the segments of a burst will need, so that their cache misses overlap instead
// of coming one after the other. Called by core/stack.c before it processes the burst; changes
// nothing but the caches, and a wrong guess costs nothing else.
//
//   segment ─► bucket of the table ─► connection ─► oldest descriptor ─► its packet
//
// One step for the whole burst at a time, in loops as short as can be: a prefetch whose address is
// not in the TLB keeps its place in the processor's reorder buffer until the walk is done, so only
// as many overlap as fit in there with what stands between them.
#include "pkt/pkt.h"
#include "tcp/flow.h"
#include "tcp/sendq.h"
#include "wire/tcp.h"

// With fewer keys than this all that belongs to them is in the cache anyway: some 1.5 KiB of a
// connection, with table, packet and the application's part.
#define KEYS_CACHED 256

// Buckets that are looked at for a key: of a full table one key in a hundred lies further on.
#define GUESS_ROUNDS 4

// Of a burst: the connections its segments are probably for.
struct guesses {
	const struct conn *conn[BURST_PKTS];
	uint32_t count;
};

void tcp_read_flow(const struct tcp *tcp, const struct pkt *p, struct arrival *arrival)
{
	const struct tcp_header *h = pkt_at(p, arrival->l4_offset);
	struct flow_key16 key;

	arrival->has_text = false;
	if (UNLIKELY(pkt_seg_len(p) < arrival->l4_offset + TCP_HEADER_BYTES))
		return;
	key = tuple_key(&arrival->dst, &arrival->src, be16_get(h->dst_port), be16_get(h->src_port));
	arrival->flow_hash = table16_hash(tcp->table, &key);
	arrival->has_text = arrival->l4_len > tcp_header_len(h);
}

void tcp_read_flow6(const struct tcp *tcp, const struct pkt *p, struct arrival *arrival)
{
	const struct tcp_header *h = pkt_at(p, arrival->l4_offset);
	struct flow_key40 key;

	arrival->has_text = false;
	if (UNLIKELY(!tcp->table6 || pkt_seg_len(p) < arrival->l4_offset + TCP_HEADER_BYTES))
		return;
	key = tuple_key6(&arrival->dst, &arrival->src, be16_get(h->dst_port),
			 be16_get(h->src_port));
	arrival->flow_hash = table40_hash(tcp->table6, &key);
	arrival->has_text = arrival->l4_len > tcp_header_len(h);
}

static void prefetch_lines(const void *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += CACHE_LINE_BYTES)
		bits_prefetch((const char *)memory + i);
}

static void guess_is(const struct tcp *tcp, const struct arrival *a, uint32_t owner,
		     struct guesses *g)
{
	const struct conn *c = &tcp->conn[owner_index(tcp, owner)];

	if (owner_kind(owner) != OWNER_CONN || UNLIKELY(!owner_is_us(tcp, owner)))
		return;
	prefetch_lines(c, CONN_ACK_BYTES);
	if (a->has_text)
		prefetch_lines((const char *)c + CONN_ACK_BYTES, sizeof(*c) - CONN_ACK_BYTES);
	g->conn[g->count++] = c;
}

// Which table is a constant wherever this is inlined, so the loops of each family ask no question.
HOT_INLINE enum guess guess(const struct tcp *tcp, bool is_ip6, uint64_t hash, uint32_t round,
			    uint32_t *owner)
{
	return is_ip6 ? table40_guess(tcp->table6, hash, round, owner)
		      : table16_guess(tcp->table, hash, round, owner);
}

// What is not in its first bucket is looked for in the next, all of the burst at a time.
HOT_INLINE void guess_conns(const struct tcp *tcp, bool is_ip6,
			    const struct arrival *const *arrivals, uint32_t count,
			    struct guesses *g)
{
	const struct arrival *further[BURST_PKTS];
	uint32_t owner;

	for (uint32_t round = 0; round < GUESS_ROUNDS && count > 0; round++) {
		uint32_t left = 0;

		for (uint32_t i = 0; i < count; i++) {
			const struct arrival *a = arrivals[i];
			enum guess said = guess(tcp, is_ip6, a->flow_hash, round, &owner);

			if (LIKELY(said == GUESS_VALUE))
				guess_is(tcp, a, owner, g);
			else if (said == GUESS_ON_NEXT)
				further[left++] = a;
		}
		arrivals = further;
		count = left;
	}
}

// What an ACK finishes; and where text waits for it, or something was lost, what sending looks at.
static void prefetch_sent(const struct tcp *tcp, const struct guesses *g)
{
	for (uint32_t i = 0; i < g->count; i++) {
		const struct conn *c = g->conn[i];

		if (c->sendq.head != NO_INDEX)
			bits_prefetch(&tcp->desc[c->sendq.head]);
		if (c->snd.nxt < c->snd.end || UNLIKELY(conn_is(c, CONN_IN_TROUBLE)))
			prefetch_lines(&c->cc_state, sizeof(*c) - CONN_ACK_BYTES);
	}
	for (uint32_t i = 0; i < g->count; i++) {
		const struct send_desc *d = &tcp->desc[g->conn[i]->sendq.head];

		if (g->conn[i]->sendq.head != NO_INDEX && !(d->flags & DESC_REGION))
			prefetch_lines(d->pkt, sizeof(struct pkt));
	}
}

void tcp_prefetch(const struct tcp *tcp, const struct arrival *const *arrivals, uint32_t count)
{
	struct guesses g;

	if (table_count(tcp->table) < KEYS_CACHED)
		return;
	g.count = 0;
	for (uint32_t i = 0; i < count; i++)
		table16_prefetch(tcp->table, arrivals[i]->flow_hash);
	guess_conns(tcp, false, arrivals, count, &g);
	prefetch_sent(tcp, &g);
}

void tcp_prefetch6(const struct tcp *tcp, const struct arrival *const *arrivals, uint32_t count)
{
	struct guesses g;

	if (!tcp->table6 || table_count(tcp->table6) < KEYS_CACHED)
		return;
	g.count = 0;
	for (uint32_t i = 0; i < count; i++)
		table40_prefetch(tcp->table6, arrivals[i]->flow_hash);
	guess_conns(tcp, true, arrivals, count, &g);
	prefetch_sent(tcp, &g);
}
