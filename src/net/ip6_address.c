// SPDX-License-Identifier: BSD-3-Clause
// Our own IPv6 addresses: how they begin (RFC 4862 5.3, 5.4: link-local, duplicate address
// detection), which of them speaks (RFC 6724 5), which groups they bring with them (RFC 4291 2.8).
// Asked by every input of IPv6; told by nd.c of what others say about them.
//
// Of several workers the first asks whether anybody has an address; all wait as long, and all hear
// what is answered. Deliberately not here: the random delay of RFC 4862 5.4.2, which is for
// machines that start all at once when power comes back, and addresses for the sake of privacy.
#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/time.h"
#include "net/inside.h"
#include "net/ip6.h"
#include "net/nd.h"
#include "observe/trace.h"

// RFC 4861 10, until a router says otherwise.
#define REACHABLE_NS (30 * NS_PER_S)
#define RETRANSMIT_NS NS_PER_S
#define MADE_AGAIN_MAX 3

// Each new address is asked for on the link: whoever forges prefixes makes us ask so often.
#define GIVE_WAY_NS NS_PER_S

// Whoever forges prefixes can have us speak from the addresses that are made of them: he pings
// them. So an address that spoke is kept for so long, as an idle neighbour is (nd_cache.c).
#define SPOKE_NS (600 * NS_PER_S)

// When something is next due of an address. What is past does not count.
static uint64_t address_next_ns(const struct ip6_address *a, uint64_t now_ns)
{
	uint64_t next_ns = a->state == IP6_TENTATIVE ? a->next_ns : TIME_NEVER_NS;

	if (a->preferred_until_ns > now_ns)
		next_ns = MIN(next_ns, a->preferred_until_ns);
	return MIN(next_ns, a->valid_until_ns);
}

void ip6_schedule(struct net *net)
{
	uint64_t next_ns = TIME_NEVER_NS;

	for (uint32_t i = 0; i < PORTS_MAX; i++) {
		const struct ip6_port *p = &net->ip6->port[i];

		if (p->address_count)
			next_ns = MIN(next_ns, nd_router_next_ns(p));
		for (uint32_t k = 0; k < p->address_count; k++)
			next_ns = MIN(next_ns, address_next_ns(&p->address[k], net->env->now_ns));
	}
	if (next_ns != TIME_NEVER_NS)
		wheel_arm(net->wheel, &net->ip6->timer, next_ns);
}

// Paths that wait at the address (path6.c) are found anew.
static void assign(struct net *net, uint16_t port_index, struct ip6_address *a)
{
	struct neighbour *n = neighbour_find(net, port_index, &a->addr);

	a->state = IP6_ASSIGNED;
	net->generation++;
	if (n)
		neighbour_release(net, n);
	if (a == &net->ip6->port[port_index].address[0])
		nd_router_begin(net, port_index);
}

// RFC 4862 5.4.2: asked once, and a second of silence is the answer. First it joins the group in
// which that is heard; RFC 3810 6.1: which is said twice.
static void probe(struct net *net, uint16_t port_index, struct ip6_address *a)
{
	if (net->env->worker_index == 0)
		mld_join(net, port_index, &a->addr);
	if (a->probes == net->config.dad_probes) {
		assign(net, port_index, a);
		return;
	}
	a->probes++;
	a->next_ns = net->env->now_ns + net->ip6->port[port_index].retransmit_ns;
	if (net->env->worker_index == 0)
		nd_probe(net, port_index, &a->addr);
}

// Nobody speaks from one that nothing was ever sent from: whoever forges prefixes, of which one a
// second gives way, does not have all connections looked at each time (tcp/homeless.c).
static void count_loss(struct net *net, const struct ip6_address *a)
{
	net->env->addresses_lost += a->kept_until_ns != 0;
}

// RFC 4862 5.5.4.
void ip6_expire(struct net *net, uint16_t port_index)
{
	struct ip6_port *p = &net->ip6->port[port_index];
	uint32_t kept = 0;

	for (uint32_t k = 0; k < p->address_count; k++)
		if (p->address[k].valid_until_ns > net->env->now_ns)
			p->address[kept++] = p->address[k];
		else
			count_loss(net, &p->address[k]);
	p->address_count = kept;
	net->generation++; // or one of them only answers from now on
}

static bool is_over(const struct ip6_address *a, uint64_t now_ns)
{
	return a->valid_until_ns <= now_ns || a->preferred_until_ns <= now_ns;
}

static void port_tick(struct net *net, uint16_t port_index)
{
	struct ip6_port *p = &net->ip6->port[port_index];
	bool over = false;

	for (uint32_t k = 0; k < p->address_count; k++) {
		over |= is_over(&p->address[k], net->env->now_ns);
		if (p->address[k].state == IP6_TENTATIVE &&
		    p->address[k].next_ns <= net->env->now_ns)
			probe(net, port_index, &p->address[k]);
	}
	if (over)
		ip6_expire(net, port_index);
	nd_router_tick(net, port_index);
	mld_tick(net, port_index);
}

static void timer_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct net *net = context;

	for (uint16_t i = 0; i < net->port_count; i++)
		if (net->ip6->port[i].address_count)
			port_tick(net, i);
	ip6_schedule(net);
}

// The one allocation, when the first address comes; at start, as all memory.
static bool begin(struct net *net)
{
	if (net->ip6)
		return true;
	net->ip6 = mem_map("IPv6", sizeof(*net->ip6));
	if (!net->ip6)
		return false;
	net->ip6->timer.kind = TIMER_IP6;
	wheel_set_kind(net->wheel, TIMER_IP6, timer_fires, net);
	nd_init(net);
	return true;
}

void ip6_fini(struct net *net)
{
	if (!net->ip6)
		return;
	wheel_stop(net->wheel, &net->ip6->timer);
	mem_unmap(net->ip6, sizeof(*net->ip6));
	net->ip6 = NULL;
}

static void mark_special(struct ip6 *ip6, const struct addr *addr)
{
	uint8_t octet = addr->byte[15];

	ip6->special[octet / 64] |= UINT64_C(1) << (octet % 64);
}

static struct ip6_address *add(struct net *net, uint16_t port_index, const struct addr *addr,
			       uint8_t len)
{
	struct ip6_port *p = &net->ip6->port[port_index];

	ASSERT(p->address_count < IP6_ADDRESSES_MAX);
	struct ip6_address *a = &p->address[p->address_count++];

	*a = (struct ip6_address){
		.addr = *addr,
		.prefix_len = len,
		.next_ns = net->env->now_ns,
		.preferred_until_ns = TIME_NEVER_NS,
		.valid_until_ns = TIME_NEVER_NS,
	};
	mark_special(net->ip6, addr);
	if (net->config.dad_probes == 0)
		assign(net, port_index, a);
	ip6_schedule(net);
	return a;
}

// RFC 7217 5, of 64 bits behind the prefix. Made of the port's station and number: the same at each
// start and for all workers, and not that of the kernel's end of a tap, which has the same station.
// (It is not a secret, so a peer who knows the station can know the address.)
static struct addr make_address(const struct net *net, uint16_t port_index,
				const struct addr *prefix, uint8_t again)
{
	static const uint8_t no_key[16];
	const struct port *port = net->port[port_index].port;
	struct {
		uint64_t prefix;
		uint8_t mac[6];
		uint8_t number, again;
	} input = {.prefix = prefix->half[0], .number = (uint8_t)port_index, .again = again};

	memcpy(input.mac, port->mac, sizeof(input.mac));
	return (struct addr){
		.half = {prefix->half[0], hash_siphash(no_key, &input, sizeof(input))}};
}

// RFC 4862 5.3.
static void add_link_local(struct net *net, uint16_t port_index)
{
	const struct addr prefix = {.byte = {0xfe, 0x80}};
	struct ip6_port *p = &net->ip6->port[port_index];

	p->hop_limit = IPV6_HOP_LIMIT_DEFAULT;
	p->mtu_bytes = net->port[port_index].port->mtu_bytes;
	p->reachable_ns = REACHABLE_NS;
	p->retransmit_ns = RETRANSMIT_NS;
	p->solicit_ns = p->report_ns = TIME_NEVER_NS;
	p->ask_tokens_ns = NS_PER_S; // all of a second's
	ip6_make_address(net, port_index, &prefix);
}

// Of those that were made and are not in use, the one whose prefix nobody has spoken of for
// longest.
static struct ip6_address *least_useful(struct ip6_port *p, uint64_t now_ns)
{
	struct ip6_address *found = NULL;

	for (uint32_t k = 1; k < p->address_count; k++) {
		struct ip6_address *a = &p->address[k];

		if (a->is_made && a->kept_until_ns <= now_ns &&
		    (!found || a->heard_ns < found->heard_ns))
			found = a;
	}
	return found;
}

// All spoke, some perhaps long ago: paths are kept by who uses them (net_path), and only the first
// time is seen here. So all paths are found anew, connections that are silent are asked for by
// tcp/homeless.c, and what has sent nothing when that is over is in nobody's use.
void ip6_doubt_made(struct net *net, uint16_t port_index)
{
	struct ip6_port *p = &net->ip6->port[port_index];
	uint64_t now_ns = net->env->now_ns;

	for (uint32_t k = 1; k < p->address_count; k++)
		p->address[k].kept_until_ns = MIN(p->address[k].kept_until_ns, now_ns + SPOKE_NS);
	net->generation++;
	net->env->addresses_doubted++;
}

static void doubt_all(struct net *net, uint16_t port_index)
{
	struct ip6_port *p = &net->ip6->port[port_index];
	const struct addr none = {0};

	if (p->doubt_ns > net->env->now_ns)
		return;
	p->doubt_ns = net->env->now_ns + SPOKE_NS;
	ip6_doubt_made(net, port_index);
	nd_note_tell(net, port_index, ND_NOTE_DOUBTED, &none);
}

void ip6_speaks(struct net *net, uint16_t port_index, struct ip6_address *a)
{
	if (a->kept_until_ns == TIME_NEVER_NS)
		return;
	a->kept_until_ns = TIME_NEVER_NS;
	if (a->is_made)
		nd_note_tell(net, port_index, ND_NOTE_SPEAKS, &a->addr);
}

void net_address_used(struct net *net, const struct addr *local)
{
	for (uint16_t i = 0; net->ip6 && i < net->port_count; i++) {
		struct ip6_address *a = ip6_find_on(net, i, local);

		if (a && a->is_made)
			ip6_speaks(net, i, a);
	}
}

// Whoever forges prefixes fills the table, but a router of the link has its address with the first
// word that it says after him.
static void make_room(struct net *net, uint16_t port_index)
{
	struct ip6_port *p = &net->ip6->port[port_index];
	uint64_t now_ns = net->env->now_ns;
	// Of several workers one decides for all, who hear from the others what they speak from.
	bool may = p->give_way_ns <= now_ns && net->env->worker_index == 0;
	struct ip6_address *a = may ? least_useful(p, now_ns) : NULL;

	if (may && !a)
		doubt_all(net, port_index);
	if (!a)
		return;
	a->valid_until_ns = now_ns;
	p->give_way_ns = now_ns + GIVE_WAY_NS;
	p->tell_made_ns = now_ns;
	ip6_expire(net, port_index);
}

// Of routers' prefixes: the first, which is link-local, is made too.
static uint32_t made_count(const struct ip6_port *p)
{
	uint32_t count = 0;

	for (uint32_t k = 1; k < p->address_count; k++)
		count += p->address[k].is_made;
	return count;
}

struct ip6_address *ip6_make_address(struct net *net, uint16_t port_index,
				     const struct addr *prefix)
{
	struct addr addr = make_address(net, port_index, prefix, 0);
	struct ip6_port *p = &net->ip6->port[port_index];

	if (made_count(p) == IP6_MADE_MAX)
		make_room(net, port_index);
	if (made_count(p) == IP6_MADE_MAX)
		return NULL;
	struct ip6_address *a = add(net, port_index, &addr, 64);

	a->is_made = true;
	return a;
}

// RFC 7217 6: IDGEN_RETRIES. True: it is another now.
static bool make_again(struct net *net, uint16_t port_index, struct ip6_address *a)
{
	if (!a->is_made || a->made_again == MADE_AGAIN_MAX)
		return false;
	count_loss(net, a);
	a->addr = make_address(net, port_index, &a->addr, ++a->made_again);
	a->kept_until_ns = 0;
	mark_special(net->ip6, &a->addr);
	a->probes = 0;
	a->next_ns = net->env->now_ns;
	ip6_schedule(net);
	return true;
}

int ip6_begin_port(struct net *net, uint16_t port_index)
{
	const struct port *port = net->port[port_index].port;

	if (port->mtu_bytes < IPV6_MTU_BYTES_MIN) // RFC 8200 5
		return err_set(ERR_MTU_BELOW_IPV6, "port %s has %u", port->name, port->mtu_bytes);
	if (!begin(net))
		return -ENOMEM;
	if (net->ip6->port[port_index].address_count == 0)
		add_link_local(net, port_index);
	return 0;
}

int ip6_add_address(struct net *net, uint16_t port_index, const struct addr *addr, uint8_t len)
{
	const char *port_name = net->port[port_index].port->name;
	char text[ADDR_TEXT_BYTES];

	if (len > 128 || !ipv6_is_host(addr))
		return err_set(ERR_ADDRESS_NOT_HOST, "%s/%u on port %s", addr_format(addr, text),
			       len, port_name);
	int error = ip6_begin_port(net, port_index);

	if (error)
		return error;
	if (ip6_find_on(net, port_index, addr)) // the link-local one, named by hand
		return 0;
	add(net, port_index, addr, len)->place = ++net->ip6->place_count;
	return path6_add_link(net, port_index, addr, len);
}

struct ip6_address *ip6_find_on(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	struct ip6_port *p = &net->ip6->port[port_index];

	for (uint32_t k = 0; k < p->address_count; k++)
		if (addr_equal(&p->address[k].addr, addr))
			return &p->address[k];
	return NULL;
}

struct ip6_address *ip6_find(const struct net *net, const struct addr *addr)
{
	for (uint16_t i = 0; net->ip6 && i < net->port_count; i++) {
		struct ip6_address *a = ip6_find_on(net, i, addr);

		if (a)
			return a;
	}
	return NULL;
}

bool ip6_is_ours(const struct net *net, const struct addr *addr)
{
	const struct ip6_address *a = ip6_find(net, addr);

	return a && a->state == IP6_ASSIGNED;
}

bool ip6_is_joined(const struct net *net, uint16_t port_index, const struct addr *group)
{
	const struct ip6_port *p = &net->ip6->port[port_index];
	const struct addr all_nodes = IPV6_ALL_NODES;

	if (addr_equal(group, &all_nodes))
		return true;
	for (uint32_t k = 0; k < p->address_count; k++) {
		struct addr solicited = ipv6_solicited_node(&p->address[k].addr);

		if (addr_equal(group, &solicited))
			return true;
	}
	return false;
}

// RFC 4862 5.4.5: it is not used, and somebody has to know.
COLD void ip6_is_duplicate(struct net *net, uint16_t port_index, struct ip6_address *a)
{
	net->generation++;
	trace_add(net->env, EVENT_IP6_DUPLICATE, port_index, __builtin_bswap64(a->addr.half[0]),
		  __builtin_bswap64(a->addr.half[1]));
	if (!make_again(net, port_index, a))
		a->state = IP6_DUPLICATE;
}

// Of two that may speak to remote, true when a does it better: RFC 6724 5, rules 2 (scope), 3 (not
// one that is to be avoided) and 8 (longest matching prefix). Before all: one that is certainly
// ours.
static bool is_better(const struct ip6_address *a, const struct ip6_address *b,
		      const struct addr *remote, uint64_t now_ns)
{
	bool local = ipv6_is_link_local(remote) || ipv6_is_link_group(remote);
	bool avoid_a = a->preferred_until_ns <= now_ns, avoid_b = b->preferred_until_ns <= now_ns;

	if ((a->state == IP6_ASSIGNED) != (b->state == IP6_ASSIGNED))
		return a->state == IP6_ASSIGNED;
	if (ipv6_is_link_local(&a->addr) != ipv6_is_link_local(&b->addr))
		return ipv6_is_link_local(&a->addr) == local;
	if (avoid_a != avoid_b)
		return avoid_b;
	return ipv6_common_bits(&a->addr, remote) > ipv6_common_bits(&b->addr, remote);
}

struct ip6_address *ip6_source(const struct net *net, uint16_t port_index,
			       const struct addr *remote)
{
	struct ip6_port *p = &net->ip6->port[port_index];
	struct ip6_address *best = NULL;

	for (uint32_t k = 0; k < p->address_count; k++) {
		struct ip6_address *a = &p->address[k];

		if (a->state != IP6_DUPLICATE &&
		    (!best || is_better(a, best, remote, net->env->now_ns)))
			best = a;
	}
	return best;
}
