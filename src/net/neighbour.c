// SPDX-License-Identifier: BSD-3-Clause
// The neighbour table: from the next hop's address to a ready ethernet header, with packets that
// wait for it (RFC 1122 2.3.2). Both families send through it; arp.c tells it who answered. How an
// IPv6 neighbour comes and goes is nd_cache.c's.
//
// Bounded everywhere, so that nobody can lock others out: a full table gives up its least useful
// entry (of a random sample, so that an outsider cannot steer which), a full queue its oldest
// packet, all queues together the oldest of the longest among those that wait longest: who answers
// has long been served. A slot's generation grows when it changes hands; paths that remember it see
// that.
#include "net/neighbour.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/arp.h"
#include "net/inside.h"
#include "net/nd.h"

#define REACHABLE_NS (60 * NS_PER_S) // RFC 1122 2.3.2.1: "on the order of a minute"
#define ASK_NS NS_PER_S              // the same place: at most one request a second; doubles
#define ASK_TRIES 3
#define PROBE_TRIES 2            // unicast polls (ibid., method 2), "typically 2"
#define FAILED_NS (3 * NS_PER_S) // no request in this time after nobody answered
#define SAMPLE 8                 // entries looked at for one to give up

static uint32_t *bucket(struct net *net, uint16_t port_index, const struct addr *addr)
{
	struct neighbours *t = &net->neighbours;

	return &t->head[net_addr_slot(net, addr, port_index, t->head_count)];
}

static struct neighbour *at(struct net *net, uint32_t index)
{
	DCHECK(index < net->neighbours.slot_count);
	return &net->neighbours.slot[index];
}

static uint32_t index_of(const struct net *net, const struct neighbour *n)
{
	return (uint32_t)(n - net->neighbours.slot);
}

static bool is_ip6(const struct neighbour *n)
{
	return n->timer.kind == TIMER_ND;
}

struct neighbour *neighbour_find(struct net *net, uint16_t port_index, const struct addr *addr)
{
	for (uint32_t i = *bucket(net, port_index, addr); i; i = at(net, i)->hash_next) {
		struct neighbour *n = at(net, i);

		if (addr_equal(&n->addr, addr) && n->port_index == port_index)
			return n;
	}
	return NULL;
}

// n has a queue now.
static void begin_to_wait(struct net *net, struct neighbour *n)
{
	struct neighbour *ends = at(net, 0);

	n->waits_longer = ends->waits_longer;
	n->waits_less = 0;
	at(net, ends->waits_longer)->waits_less = index_of(net, n);
	ends->waits_longer = index_of(net, n);
}

static void stop_waiting(struct net *net, struct neighbour *n)
{
	at(net, n->waits_longer)->waits_less = n->waits_less;
	at(net, n->waits_less)->waits_longer = n->waits_longer;
}

static struct pkt *dequeue(struct net *net, struct neighbour *n)
{
	struct pkt *p = n->queue_first;

	n->queue_first = pkt_own(p)->queue_next;
	pkt_own(p)->queue_next = NULL;
	n->queue_count--;
	if (n->queue_count == 0)
		stop_waiting(net, n);
	net->neighbours.queued_pkts--;
	counter_sub(net->env, COUNTER_queued_pkts, 1);
	return p;
}

static void drop_unreachable(struct net *net, struct pkt *p, const struct neighbour *n)
{
	pkt_drop_ip(net->env, p, is_ip6(n) ? DROP_ND_UNREACHABLE : DROP_ARP_UNREACHABLE);
}

static void drop_queue(struct net *net, struct neighbour *n)
{
	while (n->queue_count)
		drop_unreachable(net, dequeue(net, n), n);
}

void neighbour_release(struct net *net, struct neighbour *n)
{
	uint32_t *link = bucket(net, n->port_index, &n->addr);

	drop_queue(net, n);
	wheel_stop(net->wheel, &n->timer);
	while (*link != index_of(net, n))
		link = &at(net, *link)->hash_next;
	*link = n->hash_next;
	n->state = NEIGHBOUR_FREE;
	n->generation++; // paths that remember this slot are stale now
	n->hash_next = net->neighbours.free_first;
	net->neighbours.free_first = index_of(net, n);
}

// Higher: more worth keeping. Whoever only spoke to us (a forged request) was never sent to, and
// goes first, then who failed, who has not answered yet, who is in use; among equals the one used
// last stays.
static uint64_t worth(const struct neighbour *n)
{
	// A group's cost nothing to make again.
	bool failed = n->used_ns == 0 || n->state & (NEIGHBOUR_FAILED | NEIGHBOUR_FIXED);
	uint64_t class = failed ? 0 : n->state == NEIGHBOUR_PENDING ? 1 : 2;

	return class << 62 | n->used_ns >> 2;
}

static COLD void evict(struct net *net)
{
	struct neighbours *t = &net->neighbours;
	uint32_t span = t->slot_count - NEIGHBOUR_FIRST;
	struct neighbour *victim = NULL;

	for (uint32_t i = 0; i < SAMPLE; i++) {
		uint32_t pick = NEIGHBOUR_FIRST + (uint32_t)rng_below(&net->env->rng, span);

		if (!victim || worth(at(net, pick)) < worth(victim))
			victim = at(net, pick);
	}
	neighbour_release(net, victim);
}

static void write_header(const struct net_port *np, struct neighbour *n, const uint8_t mac[6])
{
	struct eth_header *h = (void *)n->header;
	be16 type = be16_of(is_ip6(n) ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);

	memcpy(h->dst, mac, 6);
	memcpy(h->src, np->port->mac, 6);
	h->type = type;
	if (np->vlan_id) {
		h->type = be16_of(ETH_TYPE_VLAN);
		struct vlan_tag *tag = (void *)(h + 1);

		*tag = (struct vlan_tag){be16_of(np->vlan_id), type};
	}
	n->header_len = np->l2_len;
}

// Who listens to a group has its ethernet address.
static void begin(struct net *net, struct neighbour *n)
{
	uint8_t mac[6];

	n->state = NEIGHBOUR_NEW;
	n->timer.kind = addr_is_v4(&n->addr) ? TIMER_ARP : TIMER_ND;
	if (!net_is_multicast(&n->addr))
		return;
	if (addr_is_v4(&n->addr))
		ipv4_group_mac(addr_to_v4(&n->addr), mac);
	else
		ipv6_group_mac(&n->addr, mac);
	n->state = NEIGHBOUR_FIXED;
	write_header(&net->port[n->port_index], n, mac);
}

uint32_t neighbour_get(struct net *net, uint16_t port_index, const struct addr *addr)
{
	struct neighbours *t = &net->neighbours;
	struct neighbour *n = neighbour_find(net, port_index, addr);

	if (n)
		return index_of(net, n);
	if (t->free_first == 0)
		evict(net);
	n = at(net, t->free_first);
	uint32_t *head = bucket(net, port_index, addr);

	t->free_first = n->hash_next;
	n->addr = *addr;
	n->is_router = false;
	n->port_index = port_index;
	begin(net, n);
	n->tries = 0;
	n->used_ns = 0;
	n->hash_next = *head;
	*head = index_of(net, n);
	return *head;
}

void neighbour_add_port(struct net *net, uint16_t port_index)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct neighbour *n = at(net, port_index);

	n->port_index = port_index;
	n->state = NEIGHBOUR_FIXED;
	write_header(&net->port[port_index], n, everybody);
}

void neighbour_set_mac(struct net *net, struct neighbour *n, const uint8_t mac[6])
{
	write_header(&net->port[n->port_index], n, mac);
}

void neighbour_become(struct net *net, struct neighbour *n, enum neighbour_state state, uint64_t ns)
{
	n->state = state;
	n->tries = 0;
	wheel_arm(net->wheel, &n->timer, net->env->now_ns + ns);
}

void neighbour_fail(struct net *net, struct neighbour *n)
{
	drop_queue(net, n);
	neighbour_become(net, n, NEIGHBOUR_FAILED, FAILED_NS);
}

void neighbour_send_queue(struct net *net, struct neighbour *n)
{
	while (n->queue_count)
		neighbour_send(net, index_of(net, n), dequeue(net, n));
}

static void ask_everybody(struct net *net, struct neighbour *n)
{
	arp_request(net, n->port_index, addr_to_v4(&n->addr), NULL);
	wheel_arm(net->wheel, &n->timer, net->env->now_ns + (ASK_NS << n->tries));
	n->tries++;
}

static void ask_itself(struct net *net, struct neighbour *n)
{
	arp_request(net, n->port_index, addr_to_v4(&n->addr), n->header);
	wheel_arm(net->wheel, &n->timer, net->env->now_ns + ASK_NS);
	n->tries++;
}

void neighbour_confirm(struct net *net, struct neighbour *n, const uint8_t mac[6])
{
	neighbour_set_mac(net, n, mac);
	neighbour_become(net, n, NEIGHBOUR_REACHABLE, REACHABLE_NS);
	neighbour_send_queue(net, n);
}

void neighbour_doubt(struct net *net, struct neighbour *n)
{
	if (n->state != NEIGHBOUR_REACHABLE)
		return;
	neighbour_become(net, n, NEIGHBOUR_PROBING, ASK_NS);
	n->tries = PROBE_TRIES; // the next step is to ask everybody, or to forget
	arp_request(net, n->port_index, addr_to_v4(&n->addr), NULL);
}

// The time in a state is over.
static void timer_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct net *net = context;
	struct neighbour *n = CONTAINER_OF(timer, struct neighbour, timer);

	if (timer == &net->announce_timer) {
		arp_announce_again(net);
	} else if (n->state == NEIGHBOUR_PENDING && n->tries < ASK_TRIES) {
		ask_everybody(net, n);
	} else if (n->state == NEIGHBOUR_PENDING) {
		neighbour_fail(net, n);
	} else if (n->state == NEIGHBOUR_REACHABLE && n->used_ns &&
		   n->used_ns + REACHABLE_NS > now_ns) {
		neighbour_become(net, n, NEIGHBOUR_PROBING, 0);
		ask_itself(net, n);
	} else if (n->state == NEIGHBOUR_PROBING && n->tries < PROBE_TRIES) {
		ask_itself(net, n);
	} else {
		neighbour_release(net, n);
	}
}

static void enqueue(struct net *net, struct neighbour *n, struct pkt *p)
{
	pkt_own(p)->queue_next = NULL;
	if (n->queue_count) {
		pkt_own(n->queue_last)->queue_next = p;
	} else {
		n->queue_first = p;
		begin_to_wait(net, n);
	}
	n->queue_last = p;
	n->queue_count++;
	net->neighbours.queued_pkts++;
	counter_add(net->env, COUNTER_queued_pkts, 1);
}

// Somebody waits: whose oldest packet gives way to that of one who has none.
static struct neighbour *longest_queue(struct net *net)
{
	struct neighbour *longest = NULL;
	uint32_t i = at(net, 0)->waits_less;

	for (uint32_t steps = 0; steps < SAMPLE && i; steps++, i = at(net, i)->waits_less)
		if (!longest || at(net, i)->queue_count > longest->queue_count)
			longest = at(net, i);
	return longest;
}

static COLD void wait_for_answer(struct net *net, struct neighbour *n, struct pkt *p)
{
	bool full = net->neighbours.queued_pkts >= net->config.neighbour_pkts_max;
	struct neighbour *loser = n;

	if (n->state == NEIGHBOUR_FAILED) {
		drop_unreachable(net, p, n);
		return;
	}
	if (n->state == NEIGHBOUR_NEW && is_ip6(n) && !nd_may_ask(net, n)) {
		n->used_ns = 0; // nothing is lost with it
		pkt_drop_ip(net->env, p, DROP_ND_ASKED_MANY);
		return;
	}
	if (n->state == NEIGHBOUR_NEW) { // asked whether or not the packet finds a place
		neighbour_become(net, n, NEIGHBOUR_PENDING, ASK_NS);
		if (is_ip6(n))
			nd_ask_everybody(net, n);
		else
			ask_everybody(net, n);
	}
	if (n->queue_count == 0 && full)
		loser = longest_queue(net);
	// RFC 1122 2.3.2.2: the latest packet is the one to keep.
	if (n->queue_count == NEIGHBOUR_QUEUE_PKTS_MAX || full)
		pkt_drop_ip(net->env, dequeue(net, loser),
			    is_ip6(loser) ? DROP_ND_QUEUE_FULL : DROP_ARP_QUEUE_FULL);
	enqueue(net, n, p);
}

void neighbour_send(struct net *net, uint32_t index, struct pkt *p)
{
	struct neighbour *n = at(net, index);

	n->used_ns = net->env->now_ns;
	if (UNLIKELY(!(n->state & NEIGHBOUR_SENDABLE)) && !nd_try(net, n)) {
		wait_for_answer(net, n, p);
		return;
	}
	uint8_t *h = pkt_prepend(p, n->header_len);

	memcpy(h, n->header, sizeof(struct eth_header));
	if (n->header_len > sizeof(struct eth_header))
		memcpy(h + sizeof(struct eth_header), n->header + sizeof(struct eth_header),
		       sizeof(struct vlan_tag));
	port_tx(net->env, net->port[n->port_index].port, p);
}

bool neighbours_init(struct net *net)
{
	struct neighbours *t = &net->neighbours;

	t->slot_count = NEIGHBOUR_FIRST + net->config.neighbours_max;
	t->head_count = (uint32_t)bits_ceil_pow2(t->slot_count);
	t->slot = mem_map("the neighbour table", t->slot_count * sizeof(*t->slot));
	t->head = mem_map("the neighbour table's hash", t->head_count * sizeof(*t->head));
	if (!t->slot || !t->head)
		return false;
	for (uint32_t i = t->slot_count - 1; i >= NEIGHBOUR_FIRST; i--) {
		t->slot[i].timer.kind = TIMER_ARP;
		t->slot[i].hash_next = t->free_first;
		t->free_first = i;
	}
	net->announce_timer.kind = TIMER_ARP;
	wheel_set_kind(net->wheel, TIMER_ARP, timer_fires, net);
	return true;
}

void neighbours_fini(struct net *net)
{
	struct neighbours *t = &net->neighbours;

	for (uint32_t i = NEIGHBOUR_FIRST; t->slot && t->head && i < t->slot_count; i++)
		if (t->slot[i].state != NEIGHBOUR_FREE)
			neighbour_release(net, &t->slot[i]);
	if (t->slot)
		mem_unmap(t->slot, t->slot_count * sizeof(*t->slot));
	if (t->head)
		mem_unmap(t->head, t->head_count * sizeof(*t->head));
}
