// SPDX-License-Identifier: BSD-3-Clause
// Source routes of connections (RFC 9293 3.9.2.1; RFC 1122 4.2.3.8). Called by core/stack.c with
// segments that came by one; calls input.c, as for any other, when it has seen to the route.
//
//	we open:       prism_tcp_connect_by says the way, and nothing that comes changes it
//	others open:   the way back, from the SYN on (open.c, by net_path_back)
//	a later one:   that of a segment in the window takes its place
//
// Resets and what a TIME-WAIT answers go the same way. A connection with a route stays with its
// worker, who has the table of routes (net/source_route.c); such segments are in no header
// prediction and cost the others nothing.
#include "net/net.h"
#include "tcp/flow.h"
#include "tcp/open.h"
#include "tcp/output.h"
#include "tcp/segment.h"

// Path from now on; what may not be fragmented any more is sent again in smaller segments.
static void change_path(struct tcp *tcp, struct conn *c, const struct net_path *path)
{
	uint32_t before = net_path_option_bytes(tcp->net, &c->path);
	struct net_path old = c->path;

	net_path_hold(tcp->net, path);
	c->path = *path;
	net_path_release(tcp->net, &old);
	conn_unset(c, CONN_MOVING);
	output_header_changed(tcp, c, before);
}

// As for RFC 5961 5.2: a segment that a blind forger would have had to guess.
static bool is_in_place(const struct conn *c, const struct segment *s)
{
	uint64_t seq = offset_near(c->rcv.nxt, s->raw_seq);
	uint64_t ack = offset_near(c->snd.una, s->raw_ack);

	return conn_in(c, STATES_SYNCHRONIZED) && (s->flags & (TCP_ACK | TCP_SYN)) == TCP_ACK &&
	       seq >= c->rcv.nxt && seq <= c->rcv.nxt + c->rcv.wnd && ack <= c->snd.nxt &&
	       ack + c->snd.wnd_max >= c->snd.una;
}

// RFC 9293 MUST-52, SHLD-24
static void conn_hears(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	struct net_path path;

	if (!is_in_place(c, s) ||
	    (c->path.source_route && net_source_route_is_chosen(tcp->net, &c->path)))
		return;
	if (net_path_back(tcp->net, s->pkt, s->arrival, &path) == DROP_OK &&
	    path.source_route != c->path.source_route)
		change_path(tcp, c, &path);
}

// The SYN again, or the ACK that completes the handshake.
static void half_open_hears(struct tcp *tcp, struct half_open *h, const struct segment *s)
{
	bool again = s->flags & TCP_SYN && s->raw_seq == h->irs;
	bool completes = s->flags & TCP_ACK && s->raw_seq == h->irs + 1 && s->raw_ack == h->iss + 1;
	struct net_path path, old = h->path;

	if (!again && !completes)
		return;
	if (net_path_back(tcp->net, s->pkt, s->arrival, &path) != DROP_OK)
		return;
	net_path_hold(tcp->net, &path);
	h->path = path;
	net_path_release(tcp->net, &old);
}

COLD void tcp_input_routed(struct tcp *tcp, struct pkt *p, const struct arrival *arrival)
{
	struct segment s;
	uint32_t owner, index;

	if (arrival->flow_hash && segment_read(p, arrival, &s) == DROP_OK) {
		const struct flow f = {&arrival->dst, &arrival->src, s.dst_port, s.src_port};
		bool is_ours = flow_find(tcp, &f, &owner) && owner_is_us(tcp, owner);

		index = is_ours ? owner_index(tcp, owner) : 0;
		if (is_ours && owner_kind(owner) == OWNER_HALF_OPEN)
			half_open_hears(tcp, &tcp->half_open[index], &s);
		else if (is_ours && owner_kind(owner) == OWNER_CONN &&
			 conn_worker(&tcp->conn[index]) == tcp->worker)
			conn_hears(tcp, &tcp->conn[index], &s);
	}
	tcp_input(tcp, p, arrival);
}
