// SPDX-License-Identifier: BSD-3-Clause
// Fragments of IPv6 (RFC 8200 4.5): what their headers say, and the headers of the packet that they
// were. Called by ip6_input where the walk comes to a fragment header, once a packet; what is kept
// until all are here is reassembly.c's, and refuses overlaps (RFC 5722 3).
//
// A fragment that is the whole packet is taken by itself, whatever others of its id say (RFC 6946
// 4).
#include "net/icmp6.h"
#include "net/inside.h"
#include "net/ip6.h"
#include "wire/ecn.h"
#include "wire/icmp6.h"

#define PAYLOAD_BYTES_MAX 65535u

// RFC 8200 4.5: the sender is told of what cannot be.
static COLD struct pkt *refuse(struct net *net, struct pkt *p, const struct arrival *a,
			       enum drop reason, struct icmp6_error problem)
{
	problem.type = ICMP6_PARAMETER_PROBLEM;
	icmp6_send_error(net, p, a, &problem);
	pkt_drop(net->env, p, reason);
	return NULL;
}

// RFC 7112 5, RFC 8200 4.5: the first fragment has all headers, the transport's included.
static bool first_is_whole(const struct pkt *p, const struct arrival *a, struct ip6_walk w)
{
	struct arrival first = *a;

	if (ip6_walk_extensions(p, a, &w) != DROP_OK || w.at >= w.end)
		return w.next == IPV6_NO_NEXT;
	first.l4_offset = (uint16_t)w.at;
	first.l4_len = (uint16_t)(w.end - w.at);
	first.protocol = w.next;
	return net_transport_is_whole(p, &first);
}

// Takes the fragment header out, so that who reads the packet anew finds it whole: what stands in
// front of it moves over it.
static void make_whole(struct pkt *p, struct arrival *a, struct ip6_walk *w)
{
	const uint16_t len = sizeof(struct ipv6_fragment);
	uint8_t *data = pkt_data(p);

	*w = ip6_walk_begin(p, a);
	ASSERT(ip6_walk_extensions(p, a, w) == DROP_OK); // as when it came
	w->next = ((const struct ipv6_fragment *)(data + w->at))->next_header;
	data[w->named_at] = w->next;
	memmove(data + len, data, w->at);
	pkt_strip(p, len);
	a->l4_offset = (uint16_t)w->at;
	w->end = w->at + a->l4_len;
	struct ipv6_header *h = pkt_at(p, a->l3_offset);

	h->payload_len = be16_of((uint16_t)(w->end - a->l3_offset - sizeof(*h)));
	ecn_write6(h, ecn_of(a->tos)); // a mark on another piece
}

// All fragments of a packet come together at one worker, whoever receives them. True: this one is
// on its way to him.
static bool hand_fragment(struct net *net, struct pkt *p, const struct arrival *a, uint32_t id)
{
	const be32 src = {a->src.word[3]}, dst = {a->dst.word[3]};
	uint32_t hash = net_flow_hash(net, src, dst, id);
	uint32_t to = (uint32_t)((uint64_t)hash * net->env->worker_count >> 32);

	if (to == net->env->worker_index)
		return false;
	net_hand(net, p, a, to);
	return true;
}

// A piece of a packet, its lengths in the arrival.
static struct pkt *add_piece(struct net *net, struct pkt *p, struct arrival *a,
			     const struct reassembly_piece *f, struct ip6_walk *w)
{
	// Without the fragment header, which is not part of the whole (RFC 8200 4.5).
	uint32_t in_front = a->l4_offset - a->l3_offset - (uint32_t)sizeof(struct ipv6_header) -
			    (uint32_t)sizeof(struct ipv6_fragment);
	const uint32_t length_field = offsetof(struct ipv6_header, payload_len);

	if (a->l4_len == 0 || (f->more && a->l4_len % 8 != 0))
		return refuse(net, p, a, DROP_FRAGMENT_MALFORMED,
			      (struct icmp6_error){.code = ICMP6_BAD_FIELD,
						   .rest = be32_of(length_field)});
	if (in_front + f->start + a->l4_len > PAYLOAD_BYTES_MAX)
		return refuse(
			net, p, a, DROP_FRAGMENT_MALFORMED,
			(struct icmp6_error){.code = ICMP6_BAD_FIELD,
					     .rest = be32_of(a->l4_offset - a->l3_offset - 6u)});
	if (f->start == 0 && !first_is_whole(p, a, *w))
		return refuse(net, p, a, DROP_FRAGMENT_TINY,
			      (struct icmp6_error){.code = ICMP6_INCOMPLETE_CHAIN});
	p = reassembly_add(net, p, a, f);
	if (p)
		make_whole(p, a, w);
	return p;
}

struct pkt *reassembly6_add(struct net *net, struct pkt *p, struct arrival *a, struct ip6_walk *w)
{
	const struct ipv6_fragment *h = pkt_at(p, w->at);
	uint32_t end = MIN(w->end, (uint32_t)pkt_seg_len(p));

	if (w->at + sizeof(*h) > end) {
		pkt_drop(net->env, p, DROP_IP6_EXTENSION_CUT);
		return NULL;
	}
	const struct reassembly_piece f = {
		.id = be32_get(h->id),
		.start = be16_get(h->offset) & IPV6_FRAGMENT_OFFSET_MASK,
		.more = be16_get(h->offset) & IPV6_FRAGMENT_MORE,
	};
	bool atomic = f.start == 0 && !f.more;

	if (!atomic && net->env->hands && hand_fragment(net, p, a, f.id))
		return NULL;
	w->named_at = w->at;
	w->next = h->next_header;
	w->at += (uint32_t)sizeof(*h);
	if (atomic)
		return p;
	a->l4_offset = (uint16_t)w->at;
	a->l4_len = (uint16_t)(w->end - w->at);
	return add_piece(net, p, a, &f, w);
}
