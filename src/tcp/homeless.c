// SPDX-License-Identifier: BSD-3-Clause
// Connections end whose own address is not ours any more: a DHCP server's lease is over, or the
// life of an address that a router let us make. Nothing could be sent from it, and nothing comes to
// it; left alone, an idle connection would stay for ever, and another one die in silence after
// minutes. Called by tcp_flush while env says that an address was lost, and by move.c.
//
// The peer is told nothing: whose address it is now, is not ours to speak from (RFC 2131 4.4.5,
// RFC 4862 5.5.4). Not here: handshakes that are not complete, and TIME-WAIT, which end in seconds
// by themselves; listeners, which hear again when the address comes back.
#include "tcp/homeless.h"

#include "tcp/close.h"

// Slots looked at in a turn, so that a million connections do not stop the ports.
#define HOMELESS_SLOTS 1024u

// An address that a router let us make gives way to another's only when nobody uses it.
static void end_if_homeless(struct tcp *tcp, struct conn *c)
{
	if (conn_in(c, CLOSED))
		return;
	if (net_is_local(tcp->net, &c->path.local)) {
		net_address_used(tcp->net, &c->path.local);
		return;
	}
	if (conn_in(c, ESTABLISHED | CLOSE_WAIT))
		counter_add(tcp->env, COUNTER_tcp_estab_resets, 1);
	close_now(tcp, c, PRISM_CLOSE_ADDRESS_GONE);
}

// Whatever is lost meanwhile begins a round of its own: the hand goes on where it is.
COLD void homeless_end_some(struct tcp *tcp)
{
	uint32_t count = tcp->shared->conn_count;

	if (tcp->homeless.seen != homeless_rounds(tcp)) {
		tcp->homeless.seen = homeless_rounds(tcp);
		tcp->homeless.left = count;
	}
	for (uint32_t n = MIN(tcp->homeless.left, HOMELESS_SLOTS); n; n--) {
		struct conn *c = &tcp->conn[tcp->homeless.hand];

		tcp->homeless.hand = (tcp->homeless.hand + 1) % count;
		tcp->homeless.left--;
		if (conn_worker(c) == tcp->worker)
			end_if_homeless(tcp, c);
	}
	if (tcp->homeless.left == 0)
		tcp->homeless.done = tcp->homeless.seen;
}

void homeless_came(struct tcp *tcp, struct conn *c)
{
	end_if_homeless(tcp, c);
}
