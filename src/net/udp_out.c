// SPDX-License-Identifier: BSD-3-Clause
// Datagrams on their way out (RFC 768, RFC 1122 4.1): headers written in front of the payload where
// it lies. Called by api/ through udp.h.
//
// The way of an echo touches no route and no neighbour lookup: the path comes from a cache that one
// compare proves fresh. A plain datagram, which is nearly every one, gets its three headers in one
// go; what differs between two of a path is lengths, ports and sums. The rest is net_output's.
#include <errno.h>

#include "base/err.h"
#include "net/inside.h"
#include "net/udp.h"
#include "wire/checksum.h"
#include "wire/udp.h"

// Room in front of the payload for all headers.
#define HEADERS_BYTES (ETH_HEADER_BYTES_MAX + IPV4_HEADER_BYTES + sizeof(struct udp_header))

// p itself when headers can be written in front of it: the room is there and nobody else's;
// else a fresh packet with p behind it. NULL without buffers, p is untouched then.
HOT_INLINE struct pkt *with_headroom(struct net *net, struct pkt *p)
{
	if (LIKELY(pkt_is_direct(p) && pkt_refs(p) == 1 && pkt_headroom(p) >= HEADERS_BYTES))
		return p;
	struct pkt *head = net_alloc(net, POOL_HEAD);

	if (head)
		pkt_chain(head, p);
	return head;
}

static bool is_plain(const struct net *net, const struct net_path *path, const struct pkt *p)
{
	return net_is_plain(net, path, p) && pkt_seg_count(p) == 1 &&
	       pkt_len(p) + sizeof(struct udp_header) + IPV4_HEADER_BYTES <= path->mtu_bytes;
}

// The same bytes that net_output would put before p.
HOT_INLINE void send_plain(struct net *net, const struct net_path *path, const be16 port[2],
			   struct pkt *p)
{
	struct ipv4_header ip = net_plain_header(path, IP_UDP);
	struct udp_header udp = {
		port[0], port[1], be16_of((uint16_t)(pkt_len(p) + sizeof(udp))), {0}};
	uint64_t sum = checksum_add(0, pkt_data(p), pkt_len(p));

	ip.id = be16_of(ip4_whole_id(net, IP_UDP));
	sum += (uint64_t)ip.src.raw + ip.dst.raw + port[0].raw + port[1].raw + 2 * udp.len.raw +
	       be16_of(IP_UDP).raw;
	udp.checksum = checksum_finish(checksum_from_words(sum));
	if (UNLIKELY(udp.checksum.raw == 0))
		udp.checksum.raw = 0xffff; // RFC 768: zero would say that there is none
	uint8_t *at = pkt_prepend(p, PLAIN_HEADERS_BYTES + sizeof(udp));

	udp_header_put(at + PLAIN_HEADERS_BYTES, udp);
	counter_add(net->env, COUNTER_originated_pkts, 1);
	net_send_plain(net, path, p, ip);
}

static void send_other(struct net *net, const struct udp_socket *s, struct net_path *path,
		       const be16 port[2], struct pkt *p)
{
	bool to_group = ipv4_is_multicast(addr_to_v4(&path->remote));
	uint32_t len = pkt_len(p) + sizeof(struct udp_header);
	struct udp_header h = {port[0], port[1], be16_of((uint16_t)len), {0}};
	struct net_out out = {
		.path = path,
		.protocol = IP_UDP,
		// What fits goes whole, so that a smaller MTU on the way is reported (RFC 1191);
		// what does not is cut here. Of what went to a group nobody reports anything.
		.dont_fragment = len + IPV4_HEADER_BYTES <= path->mtu_bytes && !to_group,
		.ttl = to_group ? s->group_ttl : 0,
		.l4_header_len = sizeof(h),
		.checksum_offset = UDP_CHECKSUM_OFFSET,
	};

	memcpy(pkt_prepend(p, sizeof(h)), &h, sizeof(h));
	net_output(net, p, &out);
}

// Sends p, payload only, from the socket over a fresh path. 0 and p is taken, or an error.
HOT_INLINE int send_over(struct net *net, const struct udp_socket *s, struct net_path *path,
			 uint16_t remote_port, struct pkt *p)
{
	const be16 port[2] = {be16_of(s->port), be16_of(remote_port)};

	if (UNLIKELY(pkt_len(p) > UDP_PAYLOAD_BYTES_MAX))
		return err_set(ERR_DATAGRAM_TOO_LARGE, "%u bytes", pkt_len(p));
	if (UNLIKELY(net_path_is_ip6(path)))
		return udp6_send(net, s, path, port, p);
	struct pkt *head = with_headroom(net, p);

	if (UNLIKELY(!head))
		return err_set(ERR_NO_BUFFERS, "a header for a datagram");
	pkt_unkeep(net->env, p);
	path_sent(net, &path->remote,
		  pkt_len(head) + (uint32_t)sizeof(struct udp_header) + IPV4_HEADER_BYTES);
	if (LIKELY(is_plain(net, path, head)))
		send_plain(net, path, port, head);
	else
		send_other(net, s, path, port, head);
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
		return udp_refuse(net, udp);
	const struct addr *local = addr_is_any(&to->local) ? &s->local : &to->local;
	struct net_path *path = path_get(net, local, &to->remote);

	if (UNLIKELY(!path))
		return no_path(net, local, &to->remote);
	return send_over(net, s, path, to->remote_port, p);
}

int udp_reply(struct net *net, const struct prism_event *event, struct pkt *p)
{
	const struct udp_socket *s = udp_socket_of(net, event->udp);

	if (UNLIKELY(!s))
		return udp_refuse(net, event->udp);
	if (UNLIKELY(event->type != PRISM_EVENT_DATAGRAM))
		return err_set(ERR_INVALID_ARGUMENT, "udp_reply to an event that is no datagram");
	const struct addr local = addr_from_bytes(event->local);
	const struct addr remote = addr_from_bytes(event->peer);
	// A datagram to a broadcast address is answered from an address of our own.
	struct net_path *path = path_get(net, &local, &remote);

	if (UNLIKELY(!path) && !net_is_local(net, &local))
		path = path_get(net, &s->local, &remote);
	if (UNLIKELY(!path))
		return no_path(net, &local, &remote);
	return send_over(net, s, path, event->peer_port, p);
}
