// SPDX-License-Identifier: BSD-3-Clause
// Source routes of connections (RFC 9293 3.9.2.1; RFC 1122 4.2.3.8). Called by input.c and open.c
// with segments that came by one; calls net/ for the way back.
//
//	we open:       prism_tcp_connect_by says the way, or there is none; nothing that comes
//	               changes it
//	others open:   the way back, from the SYN on (open.c, by net_path_back)
//	a later one:   that of a segment which the connection expects takes its place
//
// What a connection answers goes its way, whatever way is named by who asks: a forger who guessed
// a port is told nothing by a gateway of his. A connection with a route stays with its worker, who
// has the table of routes (net/source_route.c). No fast open: no room for the options of both.
#include "tcp/routed.h"

#include "tcp/output.h"

static void change_path(struct tcp *tcp, struct conn *c, const struct net_path *path)
{
	uint32_t before = net_path_option_bytes(tcp->net, &c->path);
	uint8_t source_route = c->path.source_route;

	net_path_hold(tcp->net, path->source_route);
	c->path = *path;
	net_path_release(tcp->net, source_route);
	output_header_changed(tcp, c, before);
}

// What begins or ends at rcv.nxt: a number that who does not see the connection has to guess
// exactly, as RFC 5961 3.2 asks of a reset. Who says it again has not heard us, perhaps because the
// old way is no more. With timestamps not an old one (RFC 7323 5.3).
static bool is_expected(const struct conn *c, const struct segment *s)
{
	bool ts_is_good = !conn_is(c, CONN_TS) ||
			  (s->has_ts && (int32_t)(s->ts_value - c->rcv.ts_recent) >= 0);

	return conn_in(c, STATES_SYNCHRONIZED) &&
	       (s->flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK && ts_is_good &&
	       s->ack <= c->snd.nxt && s->ack + c->snd.wnd_max >= c->snd.una &&
	       (s->seq == c->rcv.nxt || s->seq + segment_space(s) == c->rcv.nxt);
}

// RFC 9293 MUST-52, SHLD-24. What is to go to another worker keeps its way until it is there.
COLD void routed_hears(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	struct net_path path;

	if (!c->is_passive || conn_is(c, CONN_MOVING) || !is_expected(c, s))
		return;
	if (net_path_back(tcp->net, s->pkt, s->arrival, &path) == DROP_OK &&
	    path.source_route != c->path.source_route && net_path_has_place(tcp->net, &path, 1))
		change_path(tcp, c, &path);
}

COLD void routed_half_open_hears(struct tcp *tcp, struct half_open *h, const struct segment *s)
{
	struct net_path path;
	uint8_t source_route = h->path.source_route;

	if (net_path_back(tcp->net, s->pkt, s->arrival, &path) != DROP_OK ||
	    !net_path_has_place(tcp->net, &path, 2))
		return;
	net_path_hold(tcp->net, path.source_route);
	h->path = path;
	net_path_release(tcp->net, source_route);
}
