// SPDX-License-Identifier: BSD-3-Clause
// What routers say of a link (RFC 4861 6.3): that they lead elsewhere, what is on the link, and
// what addresses hosts may make for themselves (RFC 4862 5.5). Called by nd.c with their
// advertisements, by path6.c for a way, by ip6_address.c when time has passed. Of several workers
// each keeps what all hear; the first asks.
//
// Bounded: so many routers, prefixes and addresses a port. When they are full, what nobody has
// spoken of for longest gives way, but not what is in use: a router that has answered as a
// neighbour, an address that speaks. So whoever forges advertisements puts out nothing that serves,
// and a router that comes is known with the first word it says after him. What the configuration
// says goes before what a router says. Not here: redirects, routes of RFC 4191, names of RFC 8106.
#include "base/time.h"
#include "net/inside.h"
#include "net/nd.h"
#include "wire/icmp6.h"

#define HOP_LIMIT 255

// RFC 4861 10.
#define SOLICIT_NS (4 * NS_PER_S)
#define SOLICITATIONS_MAX 3
#define REACHABLE_MS_MAX 3600000u // RFC 4861 6.2.1
#define RETRANSMIT_MS_MAX 60000u  // above that nobody could be asked three times while one waits

// RFC 4861 6.3.4 has no floors, so that one forged message could keep what we send on the link, or
// end each address's three tries within milliseconds. A path through the internet is rarely longer
// than 30 hops (Linux has the first as accept_ra_min_hop_limit); who needs a second is not asked
// three times in 0.3.
#define HOP_LIMIT_MIN 32u
#define RETRANSMIT_MS_MIN 100u
#define REACHABLE_MS_MIN 1000u

#define TWO_HOURS_NS (7200 * NS_PER_S) // RFC 4862 5.5.3 (e)
#define FOREVER_S UINT32_MAX

static struct ip6_port *port_of(const struct net *net, uint16_t port_index)
{
	return &net->ip6->port[port_index];
}

static uint64_t until_ns(const struct net *net, uint32_t lifetime_s)
{
	return lifetime_s == FOREVER_S ? TIME_NEVER_NS : net->env->now_ns + lifetime_s * NS_PER_S;
}

// RFC 4861 6.3.7
static void solicit(struct net *net, uint16_t port_index)
{
	const struct addr all = IPV6_ALL_ROUTERS;
	struct ip6_port *port = port_of(net, port_index);
	struct pkt *p = net_alloc(net, POOL_CTRL);

	port->solicitations++;
	port->solicit_ns = port->solicitations < SOLICITATIONS_MAX ? net->env->now_ns + SOLICIT_NS
								   : TIME_NEVER_NS;
	if (!p)
		return;
	*(struct icmp6_header *)pkt_append(p, sizeof(struct icmp6_header)) =
		(struct icmp6_header){.type = ICMP6_ROUTER_SOLICITATION};
	nd_add_mac(net, port_index, p, ND_OPTION_SOURCE);
	nd_send(net, p,
		&(struct nd_frame){port_index, HOP_LIMIT, false, &port->address[0].addr, &all,
				   NULL});
}

void nd_router_begin(struct net *net, uint16_t port_index)
{
	struct ip6_port *port = port_of(net, port_index);

	if (net->env->worker_index != 0 || net->config.dad_probes == 0 ||
	    net->port[port_index].no_routers)
		return;
	port->solicitations = 0;
	port->solicit_ns = net->env->now_ns;
}

static void remove_router(struct net *net, struct ip6_port *port, uint32_t index)
{
	port->router_count--;
	memmove(&port->router[index], &port->router[index + 1],
		(port->router_count - index) * sizeof(port->router[0]));
	net->generation++;
}

static void remove_prefix(struct net *net, struct ip6_port *port, uint32_t index)
{
	port->prefix_count--;
	memmove(&port->prefix[index], &port->prefix[index + 1],
		(port->prefix_count - index) * sizeof(port->prefix[0]));
	net->generation++;
}

void nd_router_tick(struct net *net, uint16_t port_index)
{
	struct ip6_port *port = port_of(net, port_index);
	uint64_t now_ns = net->env->now_ns;

	for (uint32_t i = port->router_count; i-- > 0;)
		if (port->router[i].until_ns <= now_ns)
			remove_router(net, port, i);
	for (uint32_t i = port->prefix_count; i-- > 0;)
		if (port->prefix[i].until_ns <= now_ns)
			remove_prefix(net, port, i);
	if (port->solicit_ns <= now_ns)
		solicit(net, port_index);
}

uint64_t nd_router_next_ns(const struct ip6_port *port)
{
	uint64_t next_ns = MIN(port->solicit_ns, port->report_ns);

	for (uint32_t i = 0; i < port->router_count; i++)
		next_ns = MIN(next_ns, port->router[i].until_ns);
	for (uint32_t i = 0; i < port->prefix_count; i++)
		next_ns = MIN(next_ns, port->prefix[i].until_ns);
	return next_ns;
}

const struct addr *nd_router_of(const struct net *net, uint16_t port_index)
{
	const struct ip6_port *port = port_of(net, port_index);

	return port->router_count ? &port->router[0].addr : NULL;
}

uint8_t nd_prefix_len(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct ip6_port *port = port_of(net, port_index);
	uint8_t len = 0;

	for (uint32_t i = 0; i < port->prefix_count; i++)
		if (ipv6_in_prefix(addr, &port->prefix[i].prefix, port->prefix[i].len))
			len = MAX(len, port->prefix[i].len);
	return len;
}

static uint32_t index_of(const struct ip6_port *port, const struct addr *addr)
{
	uint32_t i = 0;

	while (i < port->router_count && !addr_equal(&port->router[i].addr, addr))
		i++;
	return i;
}

bool nd_router_knows(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct ip6_port *port = port_of(net, port_index);

	return index_of(port, addr) < port->router_count;
}

// RFC 4861 6.3.6: those not known to be gone first, the others in turn.
void nd_router_is_silent(struct net *net, const struct neighbour *n)
{
	struct ip6_port *port = port_of(net, n->port_index);
	uint32_t index = index_of(port, &n->addr);

	if (index == port->router_count)
		return;
	struct ip6_router silent = port->router[index];

	silent.answered = false;
	remove_router(net, port, index);
	port->router[port->router_count++] = silent;
}

void nd_router_is_none(struct net *net, const struct neighbour *n)
{
	struct ip6_port *port = port_of(net, n->port_index);
	uint32_t index = index_of(port, &n->addr);

	if (index < port->router_count)
		remove_router(net, port, index);
}

bool nd_router_keep(struct net *net, uint16_t port_index, const struct addr *addr)
{
	struct ip6_port *port = port_of(net, port_index);
	uint32_t index = index_of(port, addr);

	if (index == port->router_count || port->router[index].answered)
		return false;
	port->router[index].answered = true;
	return true;
}

void nd_router_answered(struct net *net, const struct neighbour *n)
{
	if (nd_router_keep(net, n->port_index, &n->addr))
		nd_note_tell(net, n->port_index, ND_NOTE_ANSWERED, &n->addr);
}

// The one that has been silent for longest of those that never answered either; router_count: all
// have.
static uint32_t stalest_router(const struct ip6_port *port)
{
	uint32_t found = port->router_count;

	for (uint32_t i = 0; i < port->router_count; i++) {
		const struct ip6_router *r = &port->router[i];

		if (!r->answered &&
		    (found == port->router_count || r->heard_ns < port->router[found].heard_ns))
			found = i;
	}
	return found;
}

static void add_router(struct net *net, struct ip6_port *port, const struct addr *addr)
{
	if (port->router_count == IP6_ROUTERS_MAX) {
		uint32_t victim = stalest_router(port);

		if (victim == port->router_count)
			return;
		remove_router(net, port, victim);
	}
	port->router[port->router_count++] = (struct ip6_router){.addr = *addr};
	net->generation++;
}

// RFC 4861 6.3.4: a lifetime of zero ends it.
static void take_router(struct net *net, struct ip6_port *port, const struct addr *addr,
			uint32_t lifetime_s)
{
	uint32_t index = index_of(port, addr);

	if (index == port->router_count && lifetime_s)
		add_router(net, port, addr);
	else if (index < port->router_count && lifetime_s == 0)
		remove_router(net, port, index);
	index = index_of(port, addr);
	if (index == port->router_count)
		return;
	port->router[index].until_ns = until_ns(net, lifetime_s);
	port->router[index].heard_ns = net->env->now_ns;
}

// An address that was made of it is in use. Of it and no longer or shorter one that holds the
// address too: there are more prefixes than such addresses, so one of them is always free to give
// way.
static bool is_used(const struct net *net, const struct ip6_port *port,
		    const struct ip6_prefix *prefix)
{
	static_assert(IP6_PREFIXES_MAX > IP6_MADE_MAX, "a prefix is left for who comes");
	for (uint32_t k = 1; k < port->address_count; k++) {
		const struct ip6_address *a = &port->address[k];

		if (a->is_made && a->kept_until_ns > net->env->now_ns &&
		    a->prefix_len == prefix->len &&
		    ipv6_in_prefix(&a->addr, &prefix->prefix, prefix->len))
			return true;
	}
	return false;
}

// Of those that are not used when there are such, the one that nobody has spoken of for longest.
// (Who is of a prefix that gave way is reached by way of a router.)
static uint32_t stalest_prefix(const struct net *net, const struct ip6_port *port)
{
	uint32_t found = 0;
	bool found_used = true;

	for (uint32_t i = 0; i < port->prefix_count; i++) {
		bool used = is_used(net, port, &port->prefix[i]);

		if (used > found_used)
			continue;
		if (used < found_used || port->prefix[i].heard_ns < port->prefix[found].heard_ns)
			found = i;
		found_used = used;
	}
	return found;
}

static void take_on_link(struct net *net, struct ip6_port *port, const struct addr *prefix,
			 const struct nd_option_prefix *o)
{
	uint32_t valid_s = be32_get(o->valid_s), i = 0;

	while (i < port->prefix_count &&
	       (port->prefix[i].len != o->len || !addr_equal(&port->prefix[i].prefix, prefix)))
		i++;
	if (valid_s == 0) {
		if (i < port->prefix_count)
			remove_prefix(net, port, i);
		return;
	}
	if (i == port->prefix_count) {
		if (i == IP6_PREFIXES_MAX)
			remove_prefix(net, port, stalest_prefix(net, port));
		i = port->prefix_count++;
		port->prefix[i] = (struct ip6_prefix){.prefix = *prefix, .len = o->len};
		net->generation++;
	}
	port->prefix[i].until_ns = until_ns(net, valid_s);
	port->prefix[i].heard_ns = net->env->now_ns;
}

static struct ip6_address *made_of(struct ip6_port *port, const struct addr *prefix)
{
	for (uint32_t k = 1; k < port->address_count; k++)
		if (port->address[k].is_made && port->address[k].addr.half[0] == prefix->half[0])
			return &port->address[k];
	return NULL;
}

// RFC 4862 5.5.3 (e): who forges a short life does not end an address with it.
static uint64_t valid_until_ns(const struct net *net, const struct ip6_address *a, uint32_t valid_s)
{
	uint64_t now_ns = net->env->now_ns, told_ns = until_ns(net, valid_s);

	if (told_ns > now_ns + TWO_HOURS_NS || told_ns > a->valid_until_ns)
		return told_ns;
	return MIN(a->valid_until_ns, now_ns + TWO_HOURS_NS);
}

// RFC 4862 5.5.3
static void take_autonomous(struct net *net, uint16_t port_index, const struct addr *prefix,
			    const struct nd_option_prefix *o)
{
	uint32_t valid_s = be32_get(o->valid_s), preferred_s = be32_get(o->preferred_s);
	struct ip6_address *a = made_of(port_of(net, port_index), prefix);
	bool is_new = !a;

	if (preferred_s > valid_s || o->len != 64 || (is_new && valid_s == 0))
		return;
	if (is_new)
		a = ip6_make_address(net, port_index, prefix);
	if (!a)
		return;
	a->valid_until_ns = is_new ? until_ns(net, valid_s) : valid_until_ns(net, a, valid_s);
	a->preferred_until_ns = until_ns(net, preferred_s);
	a->heard_ns = net->env->now_ns;
}

static void take_prefix(struct net *net, uint16_t port_index, const struct nd_option_prefix *o)
{
	struct addr prefix = addr_from_bytes(o->prefix);

	if (o->words != sizeof(*o) / 8 || o->len > 128 || ipv6_is_link_local(&prefix) ||
	    !ipv6_is_host(&prefix))
		return;
	for (uint32_t i = o->len; i < 128; i++) // RFC 4861 4.6.2: what is behind is ignored
		prefix.byte[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	if (o->flags & ND_PREFIX_ON_LINK && o->len)
		take_on_link(net, port_of(net, port_index), &prefix, o);
	if (o->flags & ND_PREFIX_AUTONOMOUS)
		take_autonomous(net, port_index, &prefix, o);
}

static void take_mtu(struct net *net, uint16_t port_index, const struct nd_option_mtu *o)
{
	uint16_t port_mtu_bytes = net->port[port_index].port->mtu_bytes;
	uint32_t mtu_bytes = be32_get(o->mtu_bytes);

	if (o->words != 1 || mtu_bytes < IPV6_MTU_BYTES_MIN || mtu_bytes > port_mtu_bytes ||
	    mtu_bytes == port_of(net, port_index)->mtu_bytes)
		return;
	port_of(net, port_index)->mtu_bytes = (uint16_t)mtu_bytes;
	net->generation++;
}

static void take_mac(struct net *net, const struct arrival *a, const struct nd_option_mac *o)
{
	if (o->words != 1 || eth_is_group(o->mac))
		return;
	(void)nd_learn(net, a->port_index, &a->src, o->mac);
	neighbour_find(net, a->port_index, &a->src)->is_router = true;
}

// RFC 4861 6.3.4
static void take_options(struct net *net, const struct pkt *p, const struct arrival *a)
{
	uint32_t end = (uint32_t)a->l4_offset + a->l4_len;

	for (uint32_t at = a->l4_offset + (uint32_t)sizeof(struct nd_advertisement); at < end;) {
		const struct nd_option *o = pkt_at(p, at);

		if (o->type == ND_OPTION_SOURCE)
			take_mac(net, a, (const void *)o);
		else if (o->type == ND_OPTION_PREFIX)
			take_prefix(net, a->port_index, (const void *)o);
		else if (o->type == ND_OPTION_MTU)
			take_mtu(net, a->port_index, (const void *)o);
		at += o->words * 8u;
	}
}

// RFC 4861 6.1.2
static enum drop check(const struct pkt *p, const struct arrival *a)
{
	const struct ipv6_header *ip = pkt_at(p, a->l3_offset);
	const struct nd_advertisement *h = pkt_at(p, a->l4_offset);
	bool whole;

	if (ip->hop_limit != HOP_LIMIT)
		return DROP_ND_FAR;
	if (!ipv6_is_link_local(&a->src))
		return DROP_ND_NOT_ROUTER;
	if (h->code != 0 || a->l4_len < sizeof(*h))
		return DROP_ND_MALFORMED;
	(void)nd_find_option(p, a, sizeof(*h), 0, &whole);
	return whole ? DROP_OK : DROP_ND_MALFORMED;
}

// What is the same, word for word, says nothing new to the others but how long it holds.
static bool goes_round(const struct net *net, const struct pkt *p, const struct arrival *a)
{
	static const uint8_t no_key[16]; // who makes two alike puts the second off for a second
	struct ip6_port *port = port_of(net, a->port_index);
	uint64_t hash = hash_siphash(no_key, pkt_at(p, a->l4_offset), a->l4_len);
	uint32_t index = index_of(port, &a->src);

	if (index == port->router_count)
		return true;
	struct ip6_router *r = &port->router[index];

	if (r->told_hash == hash && r->tell_ns > net->env->now_ns)
		return false;
	r->told_hash = hash;
	r->tell_ns = net->env->now_ns + ND_TELL_NS;
	return true;
}

enum drop nd_advertised(struct net *net, const struct pkt *p, const struct arrival *a,
			struct nd_round *round)
{
	const struct nd_advertisement *h = pkt_at(p, a->l4_offset);
	struct ip6_port *port = port_of(net, a->port_index);
	enum drop reason = check(p, a);

	if (reason == DROP_OK && net->port[a->port_index].no_routers)
		reason = DROP_ND_ROUTERS_OFF;
	if (reason != DROP_OK)
		return reason;
	uint32_t reachable_ms = be32_get(h->reachable_ms), ask_ms = be32_get(h->retransmit_ms);

	if (h->hop_limit)
		port->hop_limit = (uint8_t)MAX(h->hop_limit, HOP_LIMIT_MIN);
	if (reachable_ms && reachable_ms <= REACHABLE_MS_MAX)
		port->reachable_ns = MAX(reachable_ms, REACHABLE_MS_MIN) * NS_PER_MS;
	if (ask_ms && ask_ms <= RETRANSMIT_MS_MAX)
		port->retransmit_ns = MAX(ask_ms, RETRANSMIT_MS_MIN) * NS_PER_MS;
	port->solicit_ns = TIME_NEVER_NS; // RFC 4861 6.3.7
	take_router(net, port, &a->src, be16_get(h->lifetime_s));
	take_options(net, p, a);
	round->begins_anew = nd_note_tell_made(net, a->port_index);
	round->is_news = goes_round(net, p, a);
	ip6_schedule(net);
	return DROP_OK;
}
