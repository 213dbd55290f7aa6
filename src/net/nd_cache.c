// SPDX-License-Identifier: BSD-3-Clause
// The life of an IPv6 neighbour (RFC 4861 7.3.2), in entries of the neighbour table. nd.c tells it
// what was heard; neighbour.c when something is to be sent. (The RFC's INCOMPLETE is called PENDING
// here, as IPv4's, and its PROBE is PROBING.)
//
//   NEW --send--> PENDING --answer--> REACHABLE --30 s--> STALE --send--> DELAY
//                    |                    ^                 ^               | 5 s
//          3 unanswered                   +---answer--------|---------- PROBING
//                    v                                      |               | 3 unanswered
//                 FAILED --3 s--> (free)    unasked news ---+               v
//                                                                        (free)
//
// Deliberately not here: word from TCP that a neighbour is reachable (RFC 4861 7.3.1), which spares
// a solicitation in half a minute and costs a store for every ACK.
#include "base/time.h"
#include "net/inside.h"
#include "net/nd.h"

// RFC 4861 10.
#define DELAY_NS (5 * NS_PER_S)
#define ASK_TRIES 3
#define PROBE_TRIES 3

// RFC 6583 7: whoever speaks to us in the names of a whole network of ours makes us ask for each.
// So many new neighbours are asked for a second, up to three times each; and as many at once, as
// when a server that was down comes back to its clients.
#define ASKS_PER_S 256u
#define ASK_COST_NS (NS_PER_S / ASKS_PER_S)

// An entry that nobody sends to is forgotten after a while, as the table is for those in use.
#define STALE_NS (600 * NS_PER_S)

// RFC 4861 6.3.2: so that neighbours do not all ask at the same moment.
static uint64_t reachable_ns(struct net *net, const struct neighbour *n)
{
	uint64_t base_ns = net->ip6->port[n->port_index].reachable_ns;

	return base_ns / 2 + rng_below(&net->env->rng, base_ns);
}

static uint64_t retransmit_ns(const struct net *net, const struct neighbour *n)
{
	return net->ip6->port[n->port_index].retransmit_ns;
}

static bool mac_is(const struct neighbour *n, const uint8_t mac[6])
{
	return eth_equal(n->header, mac);
}

static bool is_known(const struct neighbour *n)
{
	return !(n->state & (NEIGHBOUR_NEW | NEIGHBOUR_PENDING | NEIGHBOUR_FAILED));
}

// Next hops of routes are few, and without them nothing goes anywhere.
bool nd_may_ask(struct net *net, const struct neighbour *n)
{
	struct ip6_port *port = &net->ip6->port[n->port_index];
	uint64_t earned_ns = net->env->now_ns - port->ask_refilled_ns;

	port->ask_refilled_ns = net->env->now_ns;
	port->ask_tokens_ns = MIN(port->ask_tokens_ns + MIN(earned_ns, NS_PER_S), NS_PER_S);
	if (path6_is_hop(net, n->port_index, &n->addr))
		return true;
	if (port->ask_tokens_ns < ASK_COST_NS)
		return false;
	port->ask_tokens_ns -= ASK_COST_NS;
	return true;
}

void nd_ask_everybody(struct net *net, struct neighbour *n)
{
	(void)nd_solicit(net, n->port_index, &n->addr, NULL);
	wheel_arm(net->wheel, &n->timer, net->env->now_ns + retransmit_ns(net, n));
	n->tries++;
}

static void ask_itself(struct net *net, struct neighbour *n)
{
	(void)nd_solicit(net, n->port_index, &n->addr, n->header);
	wheel_arm(net->wheel, &n->timer, net->env->now_ns + retransmit_ns(net, n));
	n->tries++;
}

// RFC 4861 7.3.3: the first packet to a neighbour not lately heard of is sent; five seconds later
// it must have spoken.
bool nd_try(struct net *net, struct neighbour *n)
{
	if (n->state != NEIGHBOUR_STALE)
		return false;
	neighbour_become(net, n, NEIGHBOUR_DELAY, DELAY_NS);
	return true;
}

static void timer_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct net *net = context;
	struct neighbour *n = CONTAINER_OF(timer, struct neighbour, timer);

	(void)now_ns;
	if (n->state == NEIGHBOUR_PENDING && n->tries < ASK_TRIES) {
		nd_ask_everybody(net, n);
	} else if (n->state == NEIGHBOUR_PENDING) {
		nd_router_is_silent(net, n);
		neighbour_fail(net, n);
	} else if (n->state == NEIGHBOUR_REACHABLE) {
		neighbour_become(net, n, NEIGHBOUR_STALE, STALE_NS);
	} else if (n->state == NEIGHBOUR_DELAY) {
		neighbour_become(net, n, NEIGHBOUR_PROBING, 0);
		ask_itself(net, n);
	} else if (n->state == NEIGHBOUR_PROBING && n->tries < PROBE_TRIES) {
		ask_itself(net, n);
	} else {
		if (n->state == NEIGHBOUR_PROBING)
			nd_router_is_silent(net, n);
		neighbour_release(net, n);
	}
}

void nd_init(struct net *net)
{
	wheel_set_kind(net->wheel, TIMER_ND, timer_fires, net);
}

static void become_stale(struct net *net, struct neighbour *n, const uint8_t mac[6])
{
	neighbour_set_mac(net, n, mac);
	neighbour_become(net, n, NEIGHBOUR_STALE, STALE_NS);
	neighbour_send_queue(net, n);
}

bool nd_learn(struct net *net, uint16_t port_index, const struct addr *addr, const uint8_t mac[6])
{
	struct neighbour *n = &net->neighbours.slot[neighbour_get(net, port_index, addr)];

	if (is_known(n) && mac_is(n, mac))
		return false;
	become_stale(net, n, mac);
	return true;
}

// RFC 4861 7.2.5, of an entry that has no station's address yet.
static void first_answer(struct net *net, struct neighbour *n, const struct nd_answer *a)
{
	if (!a->mac)
		return;
	if (!a->solicited) {
		become_stale(net, n, a->mac);
		return;
	}
	neighbour_set_mac(net, n, a->mac);
	neighbour_become(net, n, NEIGHBOUR_REACHABLE, reachable_ns(net, n));
	neighbour_send_queue(net, n);
}

// RFC 4861 7.2.5, of one that has.
static void later_answer(struct net *net, struct neighbour *n, const struct nd_answer *a)
{
	bool differs = a->mac && !mac_is(n, a->mac);

	if (differs && !a->override) {
		// I: whoever does not want to replace the other only makes us doubt it.
		if (n->state == NEIGHBOUR_REACHABLE)
			neighbour_become(net, n, NEIGHBOUR_STALE, STALE_NS);
		return;
	}
	if (differs)
		neighbour_set_mac(net, n, a->mac);
	if (a->solicited)
		neighbour_become(net, n, NEIGHBOUR_REACHABLE, reachable_ns(net, n));
	else if (differs)
		neighbour_become(net, n, NEIGHBOUR_STALE, STALE_NS);
}

void nd_answer(struct net *net, struct neighbour *n, const struct nd_answer *a)
{
	// What says of itself that it answers need not: only who was asked is believed to be there.
	bool was_asked = n->state & (NEIGHBOUR_PENDING | NEIGHBOUR_PROBING);

	if (!is_known(n))
		first_answer(net, n, a);
	else
		later_answer(net, n, a);
	if (n->is_router && !a->is_router)
		nd_router_is_none(net, n);
	else if (was_asked && n->state == NEIGHBOUR_REACHABLE && a->is_router)
		nd_router_answered(net, n);
	n->is_router = a->is_router;
}
