// SPDX-License-Identifier: BSD-3-Clause
// The way of datagrams (RFC 768, RFC 1122 4.1): in, into a bounded queue, out as events whose
// buffers are the very ones that arrived; and back, a header written in front of the payload.
// Called by core/stack.c (input), core/worker.c (deliver) and api/ (send, reply).
//
// The way of an echo touches no route and no neighbour lookup: the path comes from a cache that
// one compare proves fresh.
#include "net/udp.h"

#include <errno.h>

#include "base/err.h"
#include "net/icmp.h"
#include "net/inside.h"
#include "wire/checksum.h"
#include "wire/udp.h"

// Room in front of the payload for all headers.
#define HEADERS_BYTES (ETH_HEADER_BYTES_MAX + IPV4_HEADER_BYTES + sizeof(struct udp_header))

static enum drop check(const struct pkt *p, const struct arrival *a, const struct udp_header *h)
{
	uint32_t contiguous = pkt_seg_len(p) - a->l4_offset;

	if (UNLIKELY(a->l4_len < sizeof(*h) || contiguous < sizeof(*h)))
		return DROP_UDP_LENGTH;
	uint16_t len = be16_get(h->len);

	return UNLIKELY(len < sizeof(*h) || len > a->l4_len) ? DROP_UDP_LENGTH : DROP_OK;
}

static COLD void no_socket(struct net *net, struct pkt *p, const struct arrival *a)
{
	icmp_send_unreachable(net, p, a, ICMP_UNREACHABLE_PORT); // RFC 1122 4.1.3.1
	pkt_drop(net->env, p, DROP_UDP_NO_SOCKET);
}

// Waits for udp_deliver.
static void enqueue(struct net *net, struct pkt *p, const struct arrival *a,
		    const struct udp_socket *s)
{
	struct udp *u = &net->udp;
	const struct udp_header *h = pkt_at(p, a->l4_offset);

	if (UNLIKELY(u->news_first + u->news_count == u->news_max)) {
		pkt_drop(net->env, p, DROP_UDP_QUEUE_FULL);
		return;
	}
	if (pkt_short(net->env)) {
		pkt_drop(net->env, p, DROP_UDP_SHORT);
		return;
	}
	struct udp_news *n = &u->news[u->news_first + u->news_count++];

	n->peer = a->src;
	n->local = a->dst;
	n->pkt = p;
	n->generation = s->generation;
	n->socket_index = (uint16_t)(s - u->socket);
	n->peer_port = be16_get(h->src_port);
	n->error = 0;
	pkt_own(p)->owner = 0;
	pkt_keep(net->env, p);
	pkt_strip(p, (uint16_t)(a->l4_offset + sizeof(*h)));
	counter_add(net->env, COUNTER_queued_pkts, 1);
}

// Two servers that answer whatever comes, brought together by one forged datagram, never stop
// (CVE-1999-0103). Servers speak from well-known ports, or from the one this socket has.
static inline bool from_server(const struct udp_socket *s, uint16_t port)
{
	return port < 1024 || port == s->port;
}

void udp_input(struct net *net, struct pkt *p, struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	enum drop reason = check(p, a, h);

	if (UNLIKELY(reason != DROP_OK)) {
		pkt_drop(net->env, p, reason);
		return;
	}
	if (UNLIKELY(be16_get(h->len) < a->l4_len)) {
		a->l4_len = be16_get(h->len);
		pkt_truncate(p, (uint32_t)a->l4_offset + a->l4_len);
	}
	// RFC 1122 4.1.3.4: a sum of zero says that there is none.
	if (h->checksum.raw != 0 && UNLIKELY(!net_checksum_ok(p, a, UDP_CHECKSUM_OFFSET))) {
		pkt_drop(net->env, p, DROP_UDP_CHECKSUM);
		return;
	}
	const struct udp_socket *s = udp_lookup(net, &a->dst, be16_get(h->dst_port));

	if (UNLIKELY(!s))
		no_socket(net, p, a);
	else if (UNLIKELY(s->clients_only && from_server(s, be16_get(h->src_port))))
		pkt_drop(net->env, p, DROP_UDP_LOOP);
	else
		enqueue(net, p, a, s);
}

static struct prism_event event_of(const struct net *net, const struct udp_news *n,
				   const struct udp_socket *s)
{
	struct prism_event e = {
		.type = n->pkt ? PRISM_EVENT_DATAGRAM : PRISM_EVENT_UDP_ERROR,
		.user = s->user,
		.udp = udp_handle_of(net, s),
		.buf = (struct prism_buf *)n->pkt,
		.reason = n->error,
		.peer_port = n->peer_port,
		.peer = (const struct prism_addr *)&n->peer,
	};

	if (n->pkt) {
		e.data = pkt_data(n->pkt);
		e.len = pkt_seg_len(n->pkt);
		e.local_port = s->port;
		e.local = (const struct prism_addr *)&n->local;
	}
	return e;
}

// Its socket was closed meanwhile.
static COLD void forget(struct net *net, const struct udp_news *n)
{
	if (!n->pkt)
		return;
	pkt_unkeep(net->env, n->pkt);
	pkt_drop(net->env, n->pkt, DROP_UDP_CLOSED);
}

int udp_deliver(struct net *net, struct prism_event *events, int count)
{
	struct udp *u = &net->udp;
	uint32_t dequeued_pkts = 0, consumed_pkts = 0;
	int written = 0;

	if (u->news_count == 0)
		return 0;
	for (; u->news_count && written < count; u->news_count--) {
		const struct udp_news *n = &u->news[u->news_first++];
		const struct udp_socket *s = &u->socket[n->socket_index];

		dequeued_pkts += n->pkt != NULL;
		if (UNLIKELY(s->generation != n->generation)) {
			forget(net, n);
			continue;
		}
		consumed_pkts += n->pkt != NULL;
		events[written++] = event_of(net, n, s);
	}
	if (u->news_count == 0)
		u->news_first = 0; // the first lines are the warm ones
	counter_sub(net->env, COUNTER_queued_pkts, dequeued_pkts);
	counter_add(net->env, COUNTER_consumed_pkts, consumed_pkts);
	return written;
}

bool udp_pending(const struct net *net)
{
	return net->udp.news_count != 0;
}

// p itself when headers can be written in front of it: the room is there and nobody else's;
// else a fresh packet with p behind it. NULL without buffers, p is untouched then.
static struct pkt *with_headroom(struct net *net, struct pkt *p)
{
	if (LIKELY(pkt_is_direct(p) && pkt_refs(p) == 1 && pkt_headroom(p) >= HEADERS_BYTES))
		return p;
	struct pkt *head = net_alloc(net, POOL_HEAD);

	if (head)
		pkt_chain(head, p);
	return head;
}

// Sends p, payload only, from the socket over path to a port. 0 and p is taken, or an error.
static int send_over(struct net *net, const struct udp_socket *s, struct net_path *path,
		     uint16_t remote_port, struct pkt *p)
{
	uint32_t len = pkt_len(p) + sizeof(struct udp_header);

	if (UNLIKELY(pkt_len(p) > UDP_PAYLOAD_BYTES_MAX))
		return err_set(ERR_DATAGRAM_TOO_LARGE, "%u bytes", pkt_len(p));
	struct pkt *head = with_headroom(net, p);

	if (UNLIKELY(!head))
		return err_set(ERR_NO_BUFFERS, "a header for a datagram");
	pkt_unkeep(net->env, p);
	p = head;
	struct udp_header h = {be16_of(s->port), be16_of(remote_port), be16_of((uint16_t)len), {0}};
	struct net_out out = {
		.path = path,
		.protocol = IP_UDP,
		// What fits goes whole, so that a smaller MTU on the way is reported (RFC 1191);
		// what does not is cut here.
		.dont_fragment = len + IPV4_HEADER_BYTES <= path->mtu_bytes,
		.l4_header_len = sizeof(h),
		.checksum_offset = UDP_CHECKSUM_OFFSET,
	};

	memcpy(pkt_prepend(p, sizeof(h)), &h, sizeof(h));
	path_sent(net, &path->remote, len + IPV4_HEADER_BYTES);
	net_output(net, p, &out);
	return 0;
}

static COLD int no_path(struct net *net, const struct addr *local, const struct addr *remote)
{
	struct net_path path;
	int error = net_path_find(net, local, remote, &path); // for its words

	return error ? error : err_set(ERR_NO_ROUTE, "udp");
}

int udp_send(struct net *net, prism_udp udp, const struct udp_to *to, struct pkt *p)
{
	const struct udp_socket *s = udp_socket_of(net, udp);

	if (UNLIKELY(!s))
		return err_set(ERR_STALE_HANDLE, "udp %llx", (unsigned long long)udp.id);
	const struct addr *local = addr_is_any(&to->local) ? &s->local : &to->local;
	struct net_path *path = path_get(net, local, &to->remote);

	if (UNLIKELY(!path))
		return no_path(net, local, &to->remote);
	return send_over(net, s, path, to->remote_port, p);
}

int udp_reply(struct net *net, const struct prism_event *event, struct pkt *p)
{
	const struct udp_socket *s = udp_socket_of(net, event->udp);
	struct addr local, remote;

	if (UNLIKELY(!s))
		return err_set(ERR_STALE_HANDLE, "udp %llx", (unsigned long long)event->udp.id);
	if (UNLIKELY(event->type != PRISM_EVENT_DATAGRAM))
		return err_set(ERR_INVALID_ARGUMENT, "udp_reply to an event that is no datagram");
	memcpy(&local, event->local, sizeof(local));
	memcpy(&remote, event->peer, sizeof(remote));
	// A datagram to a broadcast address is answered from an address of our own.
	struct net_path *path = path_get(net, &local, &remote);

	if (UNLIKELY(!path) && !net_is_local(net, &local))
		path = path_get(net, &s->local, &remote);
	if (UNLIKELY(!path))
		return no_path(net, &local, &remote);
	return send_over(net, s, path, event->peer_port, p);
}
