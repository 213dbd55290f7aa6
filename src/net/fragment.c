// SPDX-License-Identifier: BSD-3-Clause
// Fragmentation on the way out (RFC 791 3.2). Called by net_output for packets larger than the
// path's MTU that may be cut; TCP's never are. No payload is copied: each fragment is a fresh
// header buffer and references to a stretch of the datagram, whose segments may be of any kind.
#include "net/inside.h"

struct pkt *fragment_cut(struct net *net, struct fragment_cursor *c, uint32_t len)
{
	struct pkt *head = net_alloc(net, POOL_HEAD);

	while (head && len) {
		uint16_t part = (uint16_t)MIN(len, (uint32_t)pkt_seg_len(c->segment) - c->offset);

		if (part == 0) {
			*c = (struct fragment_cursor){pkt_next(c->segment), 0};
			continue;
		}
		struct pkt *piece =
			pkt_slice(net->env->pool[POOL_HEAD], c->segment, c->offset, part);

		if (!piece) {
			counter_add(net->env, COUNTER_unmade_pkts, 1);
			pkt_free(head);
			return NULL;
		}
		pkt_chain(head, piece);
		c->offset = (uint16_t)(c->offset + part);
		len -= part;
	}
	return head;
}

void ip4_send_fragments(struct net *net, struct pkt *p, const struct net_out *out)
{
	uint32_t len = pkt_len(p), step = (out->path->mtu_bytes - IPV4_HEADER_BYTES) & ~7u;
	struct fragment_cursor cursor = {p, 0};
	uint16_t id = ip4_next_id(net, out->path, out->protocol);

	if (out->dont_fragment || out->tso_segment_bytes ||
	    len > IPV4_BYTES_MAX - IPV4_HEADER_BYTES) {
		net_drop_unsent(net, p, out->path, out->protocol, DROP_IP4_TOO_BIG);
		return;
	}
	if (out->checksum_offset)
		ip4_fill_checksum(net, p, out); // cards do not sum over fragments
	for (uint32_t done = 0; done < len; done += step) {
		uint32_t part = MIN(step, len - done);
		struct pkt *piece = fragment_cut(net, &cursor, part);

		if (!piece) {
			net_drop_unsent(net, p, out->path, out->protocol, DROP_TX_NO_BUFFERS);
			return;
		}
		struct ip4_send s = {
			.path = out->path,
			.protocol = out->protocol,
			.ttl = out->ttl ? out->ttl : IPV4_TTL_DEFAULT,
			.tos = (uint8_t)(out->dscp << 2 | out->ecn),
			.id = id,
			.fragment = (uint16_t)(done / 8 | (done + part < len ? IPV4_MF : 0)),
		};
		counter_add(net->env, COUNTER_originated_pkts, 1);
		ip4_send(net, piece, &s);
	}
	pkt_consume(net->env, p); // it lives on in its fragments
}
