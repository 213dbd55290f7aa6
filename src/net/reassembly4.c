// SPDX-License-Identifier: BSD-3-Clause
// Fragments of IPv4 (RFC 791 3.2): what their headers say, and the header of the datagram that they
// were. Called by ip4_input for a packet that has an offset or of which more comes; what is kept
// until all are here, and what is refused among them, is reassembly.c's.
#include "net/inside.h"

static enum drop check(const struct pkt *p, const struct arrival *a,
		       const struct reassembly_piece *f)
{
	if (a->l4_len == 0 || (f->more && a->l4_len % 8 != 0) ||
	    f->start + a->l4_len > IPV4_BYTES_MAX - IPV4_HEADER_BYTES)
		return DROP_FRAGMENT_MALFORMED;
	return f->start == 0 && !net_transport_is_whole(p, a) ? DROP_FRAGMENT_TINY : DROP_OK;
}

// The first fragment's header becomes the datagram's: it may go on to another worker, who reads it
// anew. (One whose options make it longer than a datagram can be stays a fragment, and ends as
// one.)
static void make_whole(struct pkt *p, const struct arrival *a)
{
	struct ipv4_header *h = pkt_at(p, a->l3_offset);
	uint32_t len = (uint32_t)ipv4_header_len(h) + a->l4_len;

	if (len > IPV4_BYTES_MAX)
		return;
	h->total_len = be16_of((uint16_t)len);
	h->fragment = be16_of(0);
	h->tos = a->tos; // a mark on another piece
	h->checksum = be16_of(0);
	h->checksum = checksum_finish(checksum_add(0, h, ipv4_header_len(h)));
}

struct pkt *reassembly4_add(struct net *net, struct pkt *p, struct arrival *a)
{
	const struct ipv4_header *h = pkt_at(p, a->l3_offset);
	const struct reassembly_piece f = {
		.id = h->id.raw,
		.start = (be16_get(h->fragment) & IPV4_OFFSET_MASK) * 8u,
		.protocol = h->protocol,
		.more = be16_get(h->fragment) & IPV4_MF,
	};
	enum drop reason = check(p, a, &f);

	if (reason != DROP_OK) {
		pkt_drop(net->env, p, reason);
		return NULL;
	}
	p = reassembly_add(net, p, a, &f);
	if (p)
		make_whole(p, a);
	return p;
}
