// SPDX-License-Identifier: BSD-3-Clause
// What workers tell each other of routers and of addresses that these let us make, beside what all
// hear on the link: each asks routers of his own, and has connections of his own, but what gives
// way when there is too much must be the same for all. Notes go round as what is heard does
// (net/round.c). Called by nd_router.c, ip6_address.c and path6.c.
//
// The first worker alone decides which address gives way, and says which there are, each second
// while there are too many; so whoever missed a note is told with the next, and answers with what
// he uses. One that a router answered is told once.
#include "net/inside.h"
#include "net/nd.h"

struct note {
	uint32_t what;  // enum nd_note
	uint32_t count; // of addresses
	struct addr addr[IP6_MADE_MAX];
};

static void tell(struct net *net, uint16_t port_index, const struct note *note)
{
	struct pkt *p = net->env->hands ? net_alloc(net, POOL_CTRL) : NULL;

	if (!p)
		return;
	*(struct note *)pkt_append(p, sizeof(*note)) = *note;
	counter_add(net->env, COUNTER_originated_pkts, 1);
	round_send(net, p, mesh_word(HANDED_ND_NOTE, port_index, net->env->worker_index), DROP_OK);
}

void nd_note_tell(struct net *net, uint16_t port_index, enum nd_note what, const struct addr *addr)
{
	struct note note = {.what = what, .count = 1, .addr = {*addr}};

	tell(net, port_index, &note);
}

bool nd_note_tell_made(struct net *net, uint16_t port_index)
{
	struct ip6_port *port = &net->ip6->port[port_index];
	struct note note = {.what = ND_NOTE_MADE};

	if (net->env->worker_index != 0 || port->tell_made_ns > net->env->now_ns)
		return false;
	for (uint32_t k = 1; k < port->address_count; k++)
		if (port->address[k].is_made)
			note.addr[note.count++] = port->address[k].addr;
	if (note.count < IP6_MADE_MAX) // nothing had to give way
		return false;
	port->tell_made_ns = net->env->now_ns + ND_TELL_NS;
	tell(net, port_index, &note);
	return true;
}

static bool is_in(const struct note *note, const struct addr *addr)
{
	for (uint32_t i = 0; i < note->count; i++)
		if (addr_equal(&note->addr[i], addr))
			return true;
	return false;
}

// What the first worker does not have is not ours.
static void keep_only(struct net *net, uint16_t port_index, const struct note *note)
{
	struct ip6_port *port = &net->ip6->port[port_index];
	bool gone = false;

	for (uint32_t k = 1; k < port->address_count; k++) {
		struct ip6_address *a = &port->address[k];

		if (!a->is_made || is_in(note, &a->addr))
			continue;
		a->valid_until_ns = net->env->now_ns;
		gone = true;
	}
	if (gone)
		ip6_expire(net, port_index);
}

// Who decides may have missed it, or we that he asked: then what we use stays.
static void say_what_is_used(struct net *net, uint16_t port_index)
{
	struct ip6_port *port = &net->ip6->port[port_index];

	for (uint32_t k = 1; k < port->address_count; k++)
		if (port->address[k].is_made && port->address[k].kept_until_ns == TIME_NEVER_NS)
			nd_note_tell(net, port_index, ND_NOTE_SPEAKS, &port->address[k].addr);
}

void nd_note_hear(struct net *net, struct pkt *p, uint16_t word)
{
	const struct note *note = pkt_at(p, 0);
	uint16_t port_index = mesh_port(word);
	struct ip6_address *own = ip6_find(net, &note->addr[0]); // of whatever port

	switch ((enum nd_note)note->what) {
	case ND_NOTE_ANSWERED:
		nd_router_keep(net, port_index, &note->addr[0]);
		break;
	case ND_NOTE_SPEAKS:
		if (own)
			own->kept_until_ns = TIME_NEVER_NS;
		break;
	case ND_NOTE_DOUBTED:
		ip6_doubt_made(net, port_index);
		break;
	case ND_NOTE_MADE:
		say_what_is_used(net, port_index);
		keep_only(net, port_index, note);
	}
	round_send(net, p, word, DROP_OK);
}
