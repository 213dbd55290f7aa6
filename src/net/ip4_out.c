// SPDX-License-Identifier: BSD-3-Clause
// The way out: from a transport segment to a frame staged on a port. Called by tcp/, udp.c and
// icmp.c through net_output; calls the neighbour table.
//
// What the port grants is left to it (checksums, segmentation, chains); what it does not is done
// here in software. Datagram ids: a packet that is not to be fragmented is atomic and may have any
// (ip4_whole_id), the rest count per destination (RFC 6864 4.1, 4.2; RFC 7739 5.3).
#include "net/inside.h"
#include "net/segment_out.h"
#include "wire/checksum.h"
#include "wire/udp.h"

bool net_has_room(const struct net *net, const struct net_path *path)
{
	return port_has_room(net->port[path->port_index].port);
}

bool net_has_room_anywhere(const struct net *net)
{
	for (uint32_t i = 0; i < net->port_count; i++)
		if (LIKELY(port_has_room(net->port[i].port)))
			return true;
	return false;
}

bool net_flush(struct net *net)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < net->port_count; i++) {
		port_tx_flush(net->env, net->port[i].port);
		left += net->port[i].port->stage_count;
	}
	return left == 0;
}

uint16_t ip4_next_id(struct net *net, const struct net_path *path, uint8_t protocol)
{
	uint32_t slot = net_slot(net, addr_to_v4(&path->remote),
				 addr_to_v4(&path->local).raw + protocol, IP_ID_SLOTS);

	// RFC 6864 4: no two datagrams under way have the same, whichever worker sent them.
	return (uint16_t)(net->ip_id[slot]++ * ip4_id_step(net) + net->env->worker_index);
}

// A packet with room to append: to, or a new one when to is full, which joins head. NULL without
// buffers.
static struct pkt *room_behind(struct net *net, struct pkt *head, struct pkt *to)
{
	if (pkt_tailroom(to) > 0)
		return to;
	if (to != head)
		pkt_chain(head, to);
	return net_alloc(net, POOL_TX);
}

COLD struct pkt *net_pack(struct net *net, struct pkt *p, const struct net_path *path,
			  uint8_t protocol, uint16_t segs_max)
{
	struct pkt *head = net_alloc(net, POOL_TX), *to = head;

	for (struct pkt *s = p; to && s; s = pkt_next(s)) {
		for (uint16_t done = 0, part; to && done < pkt_seg_len(s); done += part) {
			to = room_behind(net, head, to);
			part = to ? MIN((uint16_t)(pkt_seg_len(s) - done), pkt_tailroom(to)) : 0;
			if (to)
				pkt_copy(net->env, to, pkt_at(s, done), part, COPY_PACK);
		}
	}
	if (to && to != head)
		pkt_chain(head, to);
	if (!to || pkt_seg_count(head) > segs_max) {
		pkt_free(head);
		net_drop_unsent(net, p, path, protocol, to ? DROP_TX_CHAIN : DROP_TX_NO_BUFFERS);
		return NULL;
	}
	pkt_free(p);
	return head;
}

void ip4_send(struct net *net, struct pkt *p, struct ip4_send *s)
{
	const struct net_path *path = s->path;
	const struct net_port *np = &net->port[path->port_index];
	uint8_t header_len = IPV4_HEADER_BYTES;

	if (UNLIKELY(pkt_seg_count(p) > np->tx_segs_max)) {
		p = net_pack(net, p, path, s->protocol, np->tx_segs_max);
		if (!p)
			return;
	}
	const struct ipv4_header h = {
		.version_ihl = IPV4_VERSION_IHL,
		.tos = s->tos,
		.total_len = be16_of((uint16_t)(pkt_len(p) + sizeof(h))),
		.id = be16_of(s->id),
		.fragment = be16_of(s->fragment),
		.ttl = s->ttl,
		.protocol = s->protocol,
		.src = addr_to_v4(&path->local),
		.dst = addr_to_v4(&path->remote),
	};

	if (UNLIKELY(path->source_route)) {
		header_len = source_route_put(net, path, p, h);
	} else {
		s->offload.ip_checksum = (np->port->flags & PORT_TX_IP_CHECKSUM) != 0;
		ipv4_header_put(pkt_prepend(p, sizeof(h)), h, !s->offload.ip_checksum);
	}
	if (s->offload.ip_checksum || s->offload.tcp_checksum || s->offload.udp_checksum) {
		s->offload.l2_len = np->l2_len;
		s->offload.l3_len = header_len;
		pkt_set_tx_offload(p, &s->offload);
	}
	neighbour_send(net, path->neighbour, p);
}

void ip4_fill_checksum(const struct net *net, struct pkt *p, const struct net_out *out)
{
	uint16_t summed = out->l4_header_sum ? out->l4_header_len : 0;
	uint32_t sum =
		checksum_pseudo(&out->path->local, &out->path->remote, out->protocol, pkt_len(p));
	void *place = pkt_at(p, out->checksum_offset);
	be16 field = {0};

	sum += out->l4_header_sum + net_sum(net->env->seals, p, summed, pkt_len(p) - summed);
	if (!summed) { // the sum has what is in the field
		memcpy(&field, place, sizeof(field));
		sum += (uint16_t)~field.raw;
	}
	field = checksum_finish(sum);
	if (out->protocol == IP_UDP && field.raw == 0)
		field.raw = 0xffff; // RFC 768: zero would say that there is none
	memcpy(place, &field, sizeof(field));
}

void net_fill_checksum(const struct net *net, struct pkt *p, const struct net_out *out,
		       struct pkt_tx_offload *offload)
{
	// A card that knows of no source route would sum the gateway's address.
	uint32_t flags = UNLIKELY(out->path->source_route)
				 ? 0
				 : net->port[out->path->port_index].port->flags;

	offload->tcp_checksum = out->protocol == IP_TCP && (flags & PORT_TX_TCP_CHECKSUM);
	offload->udp_checksum = out->protocol == IP_UDP && (flags & PORT_TX_UDP_CHECKSUM);
	if (!offload->tcp_checksum && !offload->udp_checksum) {
		ip4_fill_checksum(net, p, out);
		return;
	}
	// A card that cuts adds each piece's length itself.
	uint32_t len = out->tso_segment_bytes ? 0 : pkt_len(p);
	uint16_t field = checksum_fold(
		checksum_pseudo(&out->path->local, &out->path->remote, out->protocol, len));

	memcpy(pkt_at(p, out->checksum_offset), &field, sizeof(field));
}

static bool fits(const struct pkt *p, const struct net_out *out)
{
	const struct net_path *path = out->path;
	uint32_t bytes = pkt_len(p) + IPV4_HEADER_BYTES;

	if (LIKELY(bytes <= path->mtu_bytes))
		return true;
	return out->tso_segment_bytes && bytes <= IPV4_BYTES_MAX &&
	       pkt_len(p) - out->l4_header_len <= path->tso_bytes_max &&
	       (uint32_t)out->tso_segment_bytes + out->l4_header_len + IPV4_HEADER_BYTES <=
		       path->mtu_bytes;
}

void net_output(struct net *net, struct pkt *p, const struct net_out *out)
{
	struct net_path *path = out->path;

	counter_add(net->env, COUNTER_originated_pkts, 1);
	if (UNLIKELY(!net_path_is_fresh(net, path)) && !net_path_refresh(net, path)) {
		net_drop_unsent(net, p, path, out->protocol, DROP_NO_ROUTE);
		return;
	}
	if (UNLIKELY(net_path_is_ip6(path))) {
		ip6_output(net, p, out);
		return;
	}
	if (UNLIKELY(!fits(p, out))) {
		ip4_send_fragments(net, p, out);
		return;
	}
	if (LIKELY(out->l4_header_sum && out->dont_fragment && net_is_plain(net, path, p))) {
		net_output_plain(net, p, out);
		return;
	}
	struct ip4_send s = {
		.path = path,
		.protocol = out->protocol,
		.ttl = out->ttl ? out->ttl : IPV4_TTL_DEFAULT,
		.tos = (uint8_t)(out->dscp << 2 | out->ecn),
		.id = out->dont_fragment ? ip4_whole_id(net, out->protocol)
					 : ip4_next_id(net, path, out->protocol),
		.fragment = out->dont_fragment ? IPV4_DF : 0,
		.offload = {.l4_len = (uint8_t)out->l4_header_len,
			    .tso_segment_bytes = out->tso_segment_bytes},
	};

	if (out->checksum_offset)
		net_fill_checksum(net, p, out, &s.offload);
	ip4_send(net, p, &s);
}
