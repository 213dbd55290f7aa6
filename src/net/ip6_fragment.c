// SPDX-License-Identifier: BSD-3-Clause
// Fragmentation of IPv6 on the way out (RFC 8200 4.5), by its source as always. Called by
// ip6_output for packets larger than the path's MTU that may be cut; TCP's never are. No payload is
// copied: fragment.c cuts references to it.
#include "net/inside.h"

#include "base/hash.h"
#include "net/ip6.h"

#define HEADERS_BYTES (IPV6_HEADER_BYTES + sizeof(struct ipv6_fragment))

// One piece, len bytes at offset of the packet, of which more come.
struct piece {
	struct pkt *pkt;
	uint32_t offset;
	bool more;
};

static void send_piece(struct net *net, const struct net_out *out, be32 id,
		       const struct piece *piece)
{
	struct net_out as_fragment = *out;
	struct ipv6_fragment *h = pkt_prepend(piece->pkt, sizeof(*h));

	*h = (struct ipv6_fragment){
		.next_header = out->protocol,
		.offset =
			be16_of((uint16_t)(piece->offset | (piece->more ? IPV6_FRAGMENT_MORE : 0))),
		.id = id,
	};
	as_fragment.protocol = IPV6_FRAGMENT;
	counter_add(net->env, COUNTER_originated_pkts, 1);
	ip6_send(net, piece->pkt, &as_fragment, &(struct pkt_tx_offload){0});
}

// RFC 7739 5.2: nobody can tell the next, nor from many of them what the worker's numbers at random
// are. 32 bytes: no other input to the secret is as long (isn.c).
static be32 next_id(struct net *net, const struct net_out *out)
{
	const struct {
		struct addr remote;
		uint64_t count, worker;
	} input = {out->path->remote, net->ip6->fragmented++, net->env->worker_index};

	return (be32){(uint32_t)hash_siphash(net->env->secret, &input, sizeof(input))};
}

void ip6_send_fragments(struct net *net, struct pkt *p, const struct net_out *out)
{
	uint32_t len = pkt_len(p), step = (out->path->mtu_bytes - (uint32_t)HEADERS_BYTES) & ~7u;
	struct fragment_cursor cursor = {p, 0};
	be32 id = next_id(net, out);

	if (out->dont_fragment || out->tso_segment_bytes || len > UINT16_MAX) {
		net_drop_unsent(net, p, out->path, out->protocol, DROP_IP6_TOO_BIG);
		return;
	}
	if (out->checksum_offset)
		ip4_fill_checksum(net, p, out); // cards do not sum over fragments
	for (uint32_t done = 0; done < len; done += step) {
		uint32_t part = MIN(step, len - done);
		struct piece piece = {fragment_cut(net, &cursor, part), done, done + part < len};

		if (!piece.pkt) {
			net_drop_unsent(net, p, out->path, out->protocol, DROP_TX_NO_BUFFERS);
			return;
		}
		send_piece(net, out, id, &piece);
	}
	pkt_consume(net->env, p); // it lives on in its fragments
}
