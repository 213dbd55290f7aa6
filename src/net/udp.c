// SPDX-License-Identifier: BSD-3-Clause
// The way of datagrams in (RFC 768, RFC 1122 4.1): into a bounded queue, and on as events whose
// buffers are the very ones that arrived. Called by core/stack.c (input) and core/worker.c
// (deliver). The way out is udp_out.c's.
#include "net/udp.h"

#include "net/icmp.h"
#include "net/inside.h"
#include "pkt/taping.h"
#include "wire/udp.h"

enum drop udp_check(const struct pkt *p, const struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	uint32_t contiguous = pkt_seg_len(p) - a->l4_offset;

	if (UNLIKELY(a->l4_len < sizeof(*h) || contiguous < sizeof(*h)))
		return DROP_UDP_LENGTH;
	uint16_t len = be16_get(h->len);

	return UNLIKELY(len < sizeof(*h) || len > a->l4_len) ? DROP_UDP_LENGTH : DROP_OK;
}

static COLD void no_socket(struct net *net, struct pkt *p, const struct arrival *a)
{
	if (!(a->to_group && net_is_multicast(&a->dst)) && dhcp_input(net, p, a))
		return;
	icmp_send_unreachable(net, p, a, ICMP_UNREACHABLE_PORT); // RFC 1122 4.1.3.1
	pkt_drop(net->env, p, udp_why_nobody(net, a));
}

enum drop udp_why_nobody(const struct net *net, const struct arrival *a)
{
	return a->to_group && group_is_heard(net, a->port_index, &a->dst) ? DROP_UDP_NOT_JOINED
									  : DROP_UDP_NO_SOCKET;
}

// Field by field into the application's array: an event made elsewhere would be copied.
static void write_event(const struct udp_news *n, struct prism_event *e)
{
	const struct udp_socket *s = n->socket;
	struct pkt *p = n->pkt;

	e->type = LIKELY(p) ? PRISM_EVENT_DATAGRAM : PRISM_EVENT_UDP_ERROR;
	e->len = LIKELY(p) ? pkt_seg_len(p) : 0;
	e->user = s->user;
	e->udp.id = s->id;
	e->data = LIKELY(p) ? pkt_data(p) : NULL;
	e->buf = (struct prism_buf *)p;
	e->cookie = 0;
	e->reason = n->error;
	e->peer_port = n->peer_port;
	e->local_port = s->port;
	e->peer = (const struct prism_addr *)&n->peer;
	e->local = (const struct prism_addr *)&n->local;
}

// Straight into the application's array while this turn has room there and nothing waits; else it
// waits for udp_deliver.
HOT_INLINE void hand_over(struct net *net, struct pkt *p, const struct arrival *a,
			  struct udp_socket *s)
{
	struct udp *u = &net->udp;
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	bool at_once = u->turn_count < u->turn_max && u->news_count == 0;

	if (UNLIKELY(!at_once && u->news_first + u->news_count == u->news_max)) {
		pkt_drop(net->env, p, DROP_UDP_QUEUE_FULL);
		return;
	}
	if (pkt_short(net->env)) {
		pkt_drop(net->env, p, DROP_UDP_SHORT);
		return;
	}
	struct udp_news *n =
		at_once ? &u->at_once[u->turn_count] : &u->news[u->news_first + u->news_count++];

	addr_copy(&n->peer, &a->src);
	addr_copy(&n->local, &a->dst);
	n->pkt = p;
	n->socket = s;
	n->peer_port = be16_get(h->src_port);
	n->error = 0;
	pkt_own(p)->owner = 0;
	pkt_keep(net->env, p);
	pkt_strip(p, (uint16_t)(a->l4_offset + sizeof(*h)));
	if (at_once) {
		write_event(n, &u->turn[u->turn_count++]);
		if (tape_wants(net->env, TAPE_DELIVERED))
			tape_delivered(net->env, p);
	}
	counter_add(net->env, at_once ? COUNTER_consumed_pkts : COUNTER_queued_pkts, 1);
}

// Two servers that answer whatever comes, brought together by one forged datagram, never stop
// (CVE-1999-0103). Servers speak from well-known ports, or from the one this socket has.
// One datagram to a whole network would be answered by all of it, to whoever its sender claims to
// be.
static inline enum drop unheard(const struct udp_socket *s, const struct arrival *a, uint16_t port)
{
	if (!s->clients_only)
		return DROP_OK;
	if (UNLIKELY(a->to_group))
		return DROP_UDP_TO_GROUP;
	return UNLIKELY(port < 1024 || port == s->port) ? DROP_UDP_LOOP : DROP_OK;
}

// What goes to a group is for who joined it; to all nodes of a link, for whoever has the port.
static NOINLINE struct udp_socket *group_receiver(struct net *net, const struct arrival *a,
						  uint16_t port)
{
	struct udp_socket *s = group_socket(net, a, port);

	return s || group_is_heard(net, a->port_index, &a->dst) ? s
								: udp_lookup(net, &a->dst, port);
}

// A whole datagram; false when it has no socket, and is not taken then.
HOT_INLINE bool take(struct net *net, struct pkt *p, const struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	uint16_t port = be16_get(h->dst_port);
	struct udp_socket *s = LIKELY(!a->to_group) ? udp_lookup(net, &a->dst, port)
						    : group_receiver(net, a, port);
	enum drop reason;

	if (UNLIKELY(!s))
		return false;
	reason = unheard(s, a, be16_get(h->src_port));
	if (UNLIKELY(reason != DROP_OK))
		pkt_drop(net->env, p, reason);
	else
		hand_over(net, p, a, s);
	return true;
}

// True: it is another worker's, and on its way to him.
static NOINLINE bool hand_to_claimant(struct net *net, struct pkt *p, const struct arrival *a,
				      uint64_t claimants)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	struct icmp_report flow = {.local = a->dst,
				   .remote = a->src,
				   .local_port = be16_get(h->dst_port),
				   .remote_port = be16_get(h->src_port)};
	uint32_t to = udp_worker_for(net, claimants, &flow, net_deals_out(net, a));

	if (to == net->env->worker_index)
		return false;
	net_hand(net, p, a, to);
	return true;
}

// udp_claimants; mostly of the first address there is.
static inline uint64_t claimants(const struct net *net, const struct addr *local, uint16_t port)
{
	const struct net_port *first = &net->port[0];

	if (LIKELY(first->configured_count && addr_is_v4(local) &&
		   first->address[0].addr.raw == addr_to_v4(local).raw))
		return claims_for(net->config.udp_claims, port, 1);
	return udp_claimants(net, local, port);
}

HOT_INLINE bool hand_to_worker(struct net *net, struct pkt *p, const struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	uint16_t port = be16_get(h->dst_port);
	uint64_t who = UNLIKELY(a->to_group) && group_is_claimed(net, a->port_index, &a->dst)
			       ? group_claimants(net, a, port)
			       : claimants(net, &a->dst, port);

	return who != UINT64_C(1) << net->env->worker_index && hand_to_claimant(net, p, a, who);
}

NOINLINE bool udp_hand_to_worker(struct net *net, struct pkt *p, const struct arrival *a)
{
	return hand_to_worker(net, p, a);
}

void udp_input(struct net *net, struct pkt *p, struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	enum drop reason = udp_check(p, a);

	if (UNLIKELY(reason != DROP_OK)) {
		pkt_drop(net->env, p, reason);
		return;
	}
	if (UNLIKELY(net->config.udp_claims) && hand_to_worker(net, p, a))
		return;
	if (UNLIKELY(be16_get(h->len) < a->l4_len)) {
		a->l4_len = be16_get(h->len);
		pkt_truncate(p, (uint32_t)a->l4_offset + a->l4_len);
	}
	// RFC 1122 4.1.3.4: a sum of zero says that there is none.
	if (h->checksum.raw != 0 && a->l4_checksum != CHECKSUM_GOOD &&
	    UNLIKELY(!net_checksum_plain(p, a)) && !net_checksum_ok(p, a, UDP_CHECKSUM_OFFSET)) {
		pkt_drop(net->env, p, DROP_UDP_CHECKSUM);
		return;
	}
	if (UNLIKELY(!take(net, p, a)))
		no_socket(net, p, a);
}

bool udp_take(struct net *net, struct pkt *p, const struct arrival *a)
{
	return take(net, p, a);
}

static NOINLINE int deliver_news(struct net *net, struct prism_event *events, int count)
{
	struct udp *u = &net->udp;
	uint32_t dequeued_pkts = 0;
	int written = 0;

	for (; u->news_count && written < count; u->news_count--) {
		const struct udp_news *n = &u->news[u->news_first++];

		dequeued_pkts += n->pkt != NULL;
		if (LIKELY(n->socket))
			write_event(n, &events[written++]);
		if (n->socket && n->pkt && tape_wants(net->env, TAPE_DELIVERED))
			tape_delivered(net->env, n->pkt);
	}
	if (u->news_count == 0)
		u->news_first = 0; // the first lines are the warm ones
	counter_sub(net->env, COUNTER_queued_pkts, dequeued_pkts);
	counter_add(net->env, COUNTER_consumed_pkts, dequeued_pkts);
	return written;
}

void udp_turn_begin(struct net *net, struct prism_event *events, int count)
{
	net->udp.turn = events;
	net->udp.turn_count = 0;
	net->udp.turn_max = MIN(count / 2, UDP_AT_ONCE_MAX);
}

int udp_turn_end(struct net *net)
{
	net->udp.turn_max = 0;
	return net->udp.turn_count;
}

int udp_deliver(struct net *net, struct prism_event *events, int count)
{
	return net->udp.news_count ? deliver_news(net, events, count) : 0;
}

bool udp_pending(const struct net *net)
{
	return net->udp.news_count != 0;
}
