// SPDX-License-Identifier: BSD-3-Clause
// The DHCP client's states (RFC 2131 4.4): asks for an address, asks the link whether anybody has
// it (RFC 5227 2.1), keeps it as long as a server says. Called by udp.c for what no socket takes,
// by arp.c for what is said of an address, and by its timers; calls lease.c with what it got.
//
// Of several workers the first asks; what another receives he hands to him. Deliberately not here:
// the random delay before the first question (RFC 2131 4.4.1), which is for machines that start all
// at once; asking for the address of the last start; saying at the end that it is free.
#include "net/dhcp.h"

#include <errno.h>

#include "base/mem.h"
#include "base/time.h"
#include "net/arp.h"
#include "net/inside.h"
#include "observe/trace.h"
#include "wire/udp.h"

// RFC 2131 4.1: four seconds, doubled up to 64, a second more or less.
#define RETRY_NS (4 * NS_PER_S)
#define RETRY_DOUBLINGS 4
#define REQUESTS_MAX 4 // then from the beginning (RFC 2131 3.1.5)

// RFC 2131 4.4.5: "down to a minimum of 60 seconds". Nor does a server's word make us ask sooner
// than that, or than half of a short life.
#define RENEW_S_MIN 60u

// RFC 2131 3.1.5: "a minimum of ten seconds" after an address that somebody has; after a refusal it
// says nothing, and who is refused by the server that offered would ask without end. Each time in a
// row it is twice as long, up to 160 s: RFC 5227 2.1.1 wants 60 (RATE_LIMIT_INTERVAL) after ten
// (MAX_CONFLICTS).
#define PAUSE_NS (10 * NS_PER_S)
#define PAUSE_DOUBLINGS 4

// RFC 5227 1.1: PROBE_WAIT, PROBE_NUM, PROBE_MIN, PROBE_MAX, ANNOUNCE_WAIT.
#define PROBE_WAIT_NS NS_PER_S
#define PROBES 3
#define PROBE_NS NS_PER_S
#define PROBE_SPAN_NS NS_PER_S
#define ANNOUNCE_WAIT_NS (2 * NS_PER_S)

// A note that a full ring dropped is made good: soon after a change, and then as long as we are
// here, whatever has become of the lease.
#define TELL_NS NS_PER_S
#define TELL_NS_MAX (30 * NS_PER_S)

static const uint8_t *mac_of(const struct net *net, const struct dhcp *d)
{
	return net->port[d->port_index].port->mac;
}

static void wake(struct net *net, struct dhcp *d, uint64_t at_ns)
{
	wheel_arm(net->wheel, &d->timer, at_ns);
}

static void become(struct dhcp *d, enum dhcp_state state)
{
	d->state = state;
	d->tries = 0;
}

// Whoever does not see the question must not guess its number, so it is not drawn from env's rng,
// whose next numbers follow from those that were seen.
static void draw_xid(struct net *net, struct dhcp *d)
{
	struct {
		uint64_t now_ns;
		uint32_t last, port_index;
		uint8_t mac[8];
	} input = {net->env->now_ns, d->xid.raw, d->port_index, {0}};

	memcpy(input.mac, mac_of(net, d), 6);
	d->xid.raw = (uint32_t)hash_siphash(net->env->secret, &input, sizeof(input));
}

// RFC 2131 table 5: what was chosen of the offers says the same as the question did.
static void count_seconds(const struct net *net, struct dhcp *d)
{
	uint64_t s = (net->env->now_ns - d->begun_ns) / NS_PER_S;

	d->seconds = (uint16_t)MIN(s, UINT64_C(65535));
}

// From nobody to everybody on the port's link; only who renews speaks from his address to his
// server.
static bool find_path(struct net *net, const struct dhcp *d, struct net_path *path)
{
	struct addr local = addr_from_v4(d->offer.addr), server = addr_from_v4(d->server);
	uint32_t generation = net->generation + net->neighbours.slot[d->port_index].generation;

	if (d->state == DHCP_RENEWING)
		return path_find(net, &local, &server, path) == 0;
	*path = (struct net_path){
		.local = addr_from_v4(d->state == DHCP_REBINDING ? d->offer.addr : (be32){0}),
		.remote = addr_from_v4((be32){0xffffffff}),
		.neighbour = d->port_index, // the fixed entry of the port's broadcast address
		.generation = generation,
		.port_index = d->port_index,
		.mtu_bytes = net->port[d->port_index].port->mtu_bytes,
		.tx_segs_max = 1,
	};
	return true;
}

static void send(struct net *net, struct dhcp *d, enum dhcp_type type)
{
	struct net_path path;
	struct pkt *p = find_path(net, d, &path) ? dhcp_write(net, d, type) : NULL;

	if (!p)
		return; // as if it were lost on the way
	const uint16_t len = (uint16_t)(pkt_len(p) + sizeof(struct udp_header));

	*(struct udp_header *)pkt_prepend(p, sizeof(struct udp_header)) = (struct udp_header){
		be16_of(DHCP_CLIENT_PORT), be16_of(DHCP_SERVER_PORT), be16_of(len), {0}};
	if (type == DHCP_REQUEST)
		d->asked_ns = net->env->now_ns;
	net_output(net, p,
		   &(struct net_out){.path = &path,
				     .protocol = IP_UDP,
				     .l4_header_len = sizeof(struct udp_header),
				     .checksum_offset = UDP_CHECKSUM_OFFSET});
}

static uint64_t retry_ns(struct net *net, const struct dhcp *d)
{
	uint64_t ns = RETRY_NS << MIN(d->tries, RETRY_DOUBLINGS);

	return net->env->now_ns + ns - NS_PER_S + rng_below(&net->env->rng, 2 * NS_PER_S);
}

static void discover(struct net *net, struct dhcp *d)
{
	if (d->state != DHCP_SELECTING) {
		become(d, DHCP_SELECTING);
		d->begun_ns = net->env->now_ns;
		draw_xid(net, d);
	}
	count_seconds(net, d);
	send(net, d, DHCP_DISCOVER);
	wake(net, d, retry_ns(net, d));
	d->tries = (uint8_t)MIN(d->tries + 1, RETRY_DOUBLINGS);
}

// The server, or somebody on the link, does not let us have the address.
static void pause_before_asking(struct net *net, struct dhcp *d)
{
	become(d, DHCP_INIT);
	wake(net, d, net->env->now_ns + (PAUSE_NS << d->setbacks));
	d->setbacks = (uint8_t)MIN(d->setbacks + 1, PAUSE_DOUBLINGS);
}

static void request(struct net *net, struct dhcp *d)
{
	if (d->tries == REQUESTS_MAX) {
		discover(net, d);
		return;
	}
	send(net, d, DHCP_REQUEST);
	wake(net, d, retry_ns(net, d));
	d->tries++;
}

static uint64_t after_s(const struct dhcp *d, uint32_t s)
{
	return s == DHCP_FOREVER_S ? TIME_NEVER_NS : d->asked_ns + s * NS_PER_S;
}

// Here, and at the other workers'.
static void change(struct net *net, struct dhcp *d, const struct lease *lease)
{
	lease_change(net, d->port_index, lease);
	d->tell_ns = TELL_NS;
	if (net->env->hands)
		wheel_arm(net->wheel, &d->tell_timer, net->env->now_ns + d->tell_ns);
}

static void tell_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct net *net = context;
	struct dhcp *d = CONTAINER_OF(timer, struct dhcp, tell_timer);

	lease_tell(net, d->port_index);
	d->tell_ns = MIN(2 * d->tell_ns, TELL_NS_MAX);
	wheel_arm(net->wheel, timer, now_ns + d->tell_ns);
}

static void bind(struct net *net, struct dhcp *d)
{
	bool is_new = net->port[d->port_index].lease.addr.raw != d->offer.addr.raw;

	become(d, DHCP_BOUND);
	d->setbacks = 0;
	d->renew_ns = after_s(d, d->renew_s);
	d->rebind_ns = after_s(d, d->rebind_s);
	d->end_ns = after_s(d, d->life_s);
	change(net, d, &d->offer);
	if (d->renew_ns != TIME_NEVER_NS)
		wake(net, d, d->renew_ns);
	else if (timer_armed(&d->timer)) // for another question
		wheel_stop(net->wheel, &d->timer);
	if (!is_new)
		return;
	counter_add(net->env, COUNTER_dhcp_leases, 1);
	trace_add(net->env, EVENT_DHCP_BOUND, d->port_index, be32_get(d->offer.addr), d->life_s);
	net_announce(net); // RFC 5227 2.3
}

// The address is not ours any more.
static void lose(struct net *net, struct dhcp *d)
{
	if (net->port[d->port_index].lease.addr.raw == 0)
		return;
	counter_sub(net->env, COUNTER_dhcp_leases, 1);
	trace_add(net->env, EVENT_DHCP_LOST, d->port_index, be32_get(d->offer.addr), 0);
	change(net, d, &(struct lease){0});
}

// RFC 5227 2.1.1
static void probe(struct net *net, struct dhcp *d)
{
	if (d->tries > PROBES) {
		bind(net, d);
		return;
	}
	if (d->tries++ == PROBES) {
		wake(net, d, net->env->now_ns + ANNOUNCE_WAIT_NS - PROBE_NS);
		return;
	}
	arp_probe(net, d->port_index, d->offer.addr);
	wake(net, d,
	     net->env->now_ns + PROBE_NS +
		     (d->tries < PROBES ? rng_below(&net->env->rng, PROBE_SPAN_NS) : 0));
}

// RFC 2131 4.4.5: again after half of what is left, but not each minute.
static void ask_again(struct net *net, struct dhcp *d, uint64_t until_ns)
{
	uint64_t now_ns = net->env->now_ns;
	uint64_t half_ns = until_ns == TIME_NEVER_NS ? 0 : (until_ns - now_ns) / 2;

	count_seconds(net, d);
	send(net, d, DHCP_REQUEST);
	wake(net, d, MIN(until_ns, now_ns + MAX(half_ns, RENEW_S_MIN * NS_PER_S)));
}

// Each of the two asks by a number of its own.
static void ask_in_state(struct net *net, struct dhcp *d, enum dhcp_state state, uint64_t until_ns)
{
	if (d->state != state) {
		become(d, state);
		draw_xid(net, d);
	}
	ask_again(net, d, until_ns);
}

static void renew(struct net *net, struct dhcp *d)
{
	uint64_t now_ns = net->env->now_ns;

	if (now_ns >= d->end_ns) {
		lose(net, d);
		discover(net, d);
	} else if (now_ns >= d->rebind_ns) {
		ask_in_state(net, d, DHCP_REBINDING, d->end_ns);
	} else {
		if (d->state == DHCP_BOUND)
			d->begun_ns = now_ns;
		ask_in_state(net, d, DHCP_RENEWING, d->rebind_ns);
	}
}

static void timer_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct net *net = context;
	struct dhcp *d = CONTAINER_OF(timer, struct dhcp, timer);

	switch (d->state) {
	case DHCP_REQUESTING:
		request(net, d);
		break;
	case DHCP_PROBING:
		probe(net, d);
		break;
	case DHCP_BOUND:
	case DHCP_RENEWING:
	case DHCP_REBINDING:
		renew(net, d);
		break;
	default:
		discover(net, d);
	}
}

int dhcp_begin(struct net *net, uint16_t port_index)
{
	if (net->env->worker_index != 0)
		return 0;
	if (!net->dhcp) {
		net->dhcp = mem_map("DHCP clients", PORTS_MAX * sizeof(*net->dhcp));
		if (!net->dhcp)
			return -ENOMEM;
		wheel_set_kind(net->wheel, TIMER_DHCP, timer_fires, net);
		wheel_set_kind(net->wheel, TIMER_LEASE, tell_fires, net);
	}
	net->dhcp[port_index] = (struct dhcp){
		.port_index = port_index,
		.state = DHCP_INIT,
		.timer.kind = TIMER_DHCP,
		.tell_timer.kind = TIMER_LEASE,
	};
	wake(net, &net->dhcp[port_index], net->env->now_ns);
	return 0;
}

const char *dhcp_state_name(const struct net *net, uint16_t port_index)
{
	static const char *const names[] = {
		[DHCP_INIT] = "waits",           [DHCP_SELECTING] = "looks for a server",
		[DHCP_REQUESTING] = "requests",  [DHCP_PROBING] = "probes",
		[DHCP_BOUND] = "bound",          [DHCP_RENEWING] = "renews",
		[DHCP_REBINDING] = "asks again",
	};

	return net->dhcp ? names[net->dhcp[port_index].state] : NULL;
}

void dhcp_fini(struct net *net)
{
	if (!net->dhcp)
		return;
	for (uint32_t i = 0; i < PORTS_MAX; i++) {
		wheel_stop(net->wheel, &net->dhcp[i].timer);
		wheel_stop(net->wheel, &net->dhcp[i].tell_timer);
	}
	mem_unmap(net->dhcp, PORTS_MAX * sizeof(*net->dhcp));
	net->dhcp = NULL;
}

// RFC 2131 4.4.5: half and seven eighths of the life, unless the server says otherwise and sense.
static void take_times(struct dhcp *d, const struct dhcp_reply *r)
{
	uint32_t life_s = r->life_s;
	uint32_t renew_s = MAX(r->renew_s, MIN(RENEW_S_MIN, life_s / 2));
	bool told = r->renew_s && renew_s < r->rebind_s && r->rebind_s < life_s;

	d->life_s = life_s;
	d->renew_s = told ? renew_s : life_s / 2;
	d->rebind_s = told ? r->rebind_s : life_s - life_s / 8;
	if (life_s == DHCP_FOREVER_S)
		d->renew_s = d->rebind_s = DHCP_FOREVER_S;
}

// Another server may yet make one that can be taken.
static enum drop offered(struct net *net, struct dhcp *d, const struct dhcp_reply *r)
{
	enum drop reason = lease_refusal(net, d->port_index, &r->lease);

	if (reason != DROP_OK)
		return reason;
	d->offer = r->lease;
	d->server = r->server;
	become(d, DHCP_REQUESTING);
	request(net, d);
	return DROP_OK;
}

static enum drop acknowledged(struct net *net, struct dhcp *d, const struct dhcp_reply *r)
{
	bool is_held = net->port[d->port_index].lease.addr.raw == r->lease.addr.raw;
	enum drop reason = lease_refusal(net, d->port_index, &r->lease);

	if (d->state != DHCP_REBINDING && r->server.raw != d->server.raw)
		return DROP_DHCP_UNASKED; // another server than the one that was asked
	if (r->lease.addr.raw != d->offer.addr.raw)
		return DROP_DHCP_UNASKED;
	if (reason != DROP_OK)
		return reason;
	d->offer = r->lease;
	d->server = r->server;
	take_times(d, r);
	if (is_held) {
		bind(net, d);
	} else {
		become(d, DHCP_PROBING);
		wake(net, d, net->env->now_ns + rng_below(&net->env->rng, PROBE_WAIT_NS));
	}
	return DROP_OK;
}

static enum drop take(struct net *net, struct dhcp *d, const struct dhcp_reply *r)
{
	bool asks = d->state == DHCP_REQUESTING || d->state == DHCP_RENEWING ||
		    d->state == DHCP_REBINDING;

	if (d->state == DHCP_SELECTING && r->type == DHCP_OFFER)
		return offered(net, d, r);
	if (asks && r->type == DHCP_ACK)
		return acknowledged(net, d, r);
	if (!asks || r->type != DHCP_NAK ||
	    (d->state != DHCP_REBINDING && r->server.raw != d->server.raw))
		return DROP_DHCP_UNASKED;
	if (d->state == DHCP_REQUESTING) {
		pause_before_asking(net, d);
		return DROP_OK;
	}
	lose(net, d);
	discover(net, d);
	return DROP_OK;
}

bool dhcp_input(struct net *net, struct pkt *p, const struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	struct dhcp_reply r;

	if (!net->port[a->port_index].has_dhcp || be16_get(h->dst_port) != DHCP_CLIENT_PORT)
		return false;
	if (!net->dhcp) { // the first worker asks
		net_hand(net, p, a, 0);
		return true;
	}
	struct dhcp *d = &net->dhcp[a->port_index];
	enum drop reason = be16_get(h->src_port) == DHCP_SERVER_PORT
				   ? dhcp_read(p, a, d, mac_of(net, d), &r)
				   : DROP_DHCP_MALFORMED;

	if (reason == DROP_OK)
		reason = take(net, d, &r);
	if (reason == DROP_OK)
		pkt_consume(net->env, p);
	else
		pkt_drop(net->env, p, reason);
	return true;
}

// RFC 2131 3.1.5, RFC 5227 2.1.1
void dhcp_heard(struct net *net, uint16_t port_index, be32 addr)
{
	struct dhcp *d = net->dhcp ? &net->dhcp[port_index] : NULL;

	if (!d || d->state != DHCP_PROBING || d->offer.addr.raw != addr.raw)
		return;
	trace_add(net->env, EVENT_ARP_CONFLICT, port_index, be32_get(addr), 0);
	send(net, d, DHCP_DECLINE);
	pause_before_asking(net, d);
}
