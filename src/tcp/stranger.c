// SPDX-License-Identifier: BSD-3-Clause
// Whose a SYN is that begins something, where there are several workers: who has the closest
// listener (RFC 9293 MUST-41, MUST-42), asked of sync/claims.h. Called by input.c for a segment
// that the table does not know, and for one that ends a TIME-WAIT (RFC 9293 3.10.7.4, RFC 6191);
// calls open.c, or hands it over. The record of a TIME-WAIT may be with another worker than the
// listener: then the SYN takes along what the record knew, the number that the new connection's
// first must lie above.
#include "tcp/stranger.h"

#include "observe/counter.h"
#include "port/mesh.h"
#include "sync/claims.h"
#include "tcp/listener.h"
#include "tcp/open.h"

uint32_t stranger_listener(struct tcp *tcp, const struct arrival *a, uint16_t port)
{
	uint64_t mask;

	if (!tcp->shared->listening)
		return listener_for(tcp, &a->dst, port) ? tcp->worker : STRANGER_NOBODY;
	mask = net_claimants(tcp->net, tcp->shared->listening, &a->dst, port);
	if (mask == 0)
		return STRANGER_NOBODY;
	if (mask >> tcp->worker & 1 && !net_deals_out(tcp->net, a))
		return tcp->worker;
	return claims_choose(mask, (uint32_t)a->flow_hash);
}

uint32_t stranger_worker(struct tcp *tcp, const struct pkt *p, const struct arrival *a)
{
	const struct tcp_header *h = pkt_at(p, a->l4_offset);
	uint32_t worker = STRANGER_NOBODY;

	uint8_t begins = h->flags & (TCP_SYN | TCP_ACK | TCP_RST);

	// An ACK may bring a cookie back to whom the SYN went.
	if (begins == TCP_SYN || begins == TCP_ACK)
		worker = stranger_listener(tcp, a, be16_get(h->dst_port));
	return worker == STRANGER_NOBODY ? tcp->worker : worker;
}

enum drop stranger_refusal(struct tcp *tcp, const struct segment *s, uint32_t to)
{
	struct net_path path;

	if (to == tcp->worker) {
		enum drop reason = open_refusal(tcp, s, &path);

		// A cookie would not be above the old numbers (open.c).
		if (reason == DROP_OK && !net_path_has_place(tcp->net, &path, 1))
			reason = DROP_SOURCE_ROUTES_FULL;
		return reason;
	}
	return hands_have_room(tcp->env, to) ? DROP_OK : DROP_WORKER_RING_FULL;
}

void stranger_after_wait(struct tcp *tcp, struct segment *s, uint32_t to, uint32_t isn_floor)
{
	if (to == tcp->worker) {
		open_stranger(tcp, s, isn_floor);
		return;
	}
	pkt_own(s->pkt)->offset = isn_floor;
	counter_sub(tcp->env, COUNTER_tcp_segs_in, 1); // who takes it counts it
	hands_give(tcp->env, s->pkt, to,
		   mesh_word(HANDED_SYN, s->arrival->port_index, tcp->worker));
}

void tcp_set_isn_floor(struct tcp *tcp, uint32_t isn_floor)
{
	tcp->isn_floor = isn_floor;
}
