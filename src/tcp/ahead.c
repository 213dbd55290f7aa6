// SPDX-License-Identifier: BSD-3-Clause
// Fetching ahead what the segments of a burst will need, so that their cache misses overlap instead
// of coming one after the other. Called by core/stack.c before it processes the burst; changes
// nothing but the caches, and a wrong guess costs nothing else.
//
//   segment ─► bucket of the table ─► connection ─► oldest descriptor ─► its packet
//              tcp_prefetch           tcp_prefetch_conns, one step for the whole burst at a time
#include "pkt/pkt.h"
#include "tcp/conn.h"
#include "tcp/sendq.h"
#include "wire/tcp.h"

// With fewer connections than this all they have is in the cache anyway: some 1.5 KiB each, with
// table, packet and the application's part.
#define CONNS_CACHED 256

void tcp_prefetch(struct tcp *tcp, const struct pkt *p, struct arrival *arrival)
{
	const struct tcp_header *h = pkt_at(p, arrival->l4_offset);
	struct flow_key key;

	if (UNLIKELY(pkt_seg_len(p) < arrival->l4_offset + TCP_HEADER_BYTES))
		return;
	key = tuple_key(&arrival->dst, &arrival->src, be16_get(h->dst_port), be16_get(h->src_port));
	arrival->flow_hash = table_hash(tcp->table, &key);
	table_prefetch(tcp->table, arrival->flow_hash);
}

static void prefetch_lines(const void *memory, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += CACHE_LINE_BYTES)
		bits_prefetch((const char *)memory + i);
}

// The connections these segments are probably for. Returns how many.
static uint32_t guess_conns(const struct tcp *tcp, const uint64_t *hashes, uint32_t count,
			    const struct conn **conns)
{
	uint32_t n = 0, owner;

	for (uint32_t i = 0; i < count; i++) {
		if (!table_guess(tcp->table, hashes[i], &owner) || OWNER_KIND(owner) != OWNER_CONN)
			continue;
		conns[n] = &tcp->conn[OWNER_INDEX(owner)];
		prefetch_lines(conns[n++], sizeof(struct conn));
	}
	return n;
}

void tcp_prefetch_conns(const struct tcp *tcp, const uint64_t *hashes, uint32_t count)
{
	const struct conn *conns[BURST_PKTS];
	uint32_t n;

	if (tcp->conn_count < CONNS_CACHED)
		return;
	n = guess_conns(tcp, hashes, count, conns);
	for (uint32_t i = 0; i < n; i++)
		if (conns[i]->sendq.head != NO_INDEX)
			prefetch_lines(&tcp->desc[conns[i]->sendq.head], sizeof(struct send_desc));
	for (uint32_t i = 0; i < n; i++) {
		const struct send_desc *d = &tcp->desc[conns[i]->sendq.head];

		if (conns[i]->sendq.head != NO_INDEX && !(d->flags & DESC_REGION))
			prefetch_lines(d->pkt, sizeof(struct pkt));
	}
}
