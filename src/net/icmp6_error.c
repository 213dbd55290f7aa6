// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6 errors that we send (RFC 4443 2.4): who may be told, and what is quoted. Called by the
// inputs of this floor beside the drop of the packet in question, which stays theirs; calls
// net_output. How often is one rate for both families (icmp_error.c). The quotation is a copy,
// entered in the ledger.
#include "net/icmp6.h"

#include "net/icmp.h"
#include "net/inside.h"
#include "net/ip6.h"
#include "wire/icmp6.h"

// RFC 4443 2.4 (c): as much as fits without exceeding what every link carries.
#define QUOTE_BYTES_MAX (IPV6_MTU_BYTES_MIN - IPV6_HEADER_BYTES - sizeof(struct icmp6_header))

// RFC 4443 2.4 (e): never about an error, a group, or a source that is not one host (ip6_input lets
// of those only the unspecified in).
static bool may_be_told(const struct pkt *p, const struct arrival *a,
			const struct icmp6_error *error)
{
	const struct ipv6_header *h = pkt_at(p, a->l3_offset);
	const struct icmp6_header *icmp = pkt_at(p, a->l3_offset + sizeof(*h));

	if (!ipv6_is_host(&a->src) || (a->to_group && !error->to_groups_too))
		return false;
	if (h->next_header != IP_ICMP6)
		return true;
	return pkt_seg_len(p) >= a->l3_offset + sizeof(*h) + sizeof(*icmp) &&
	       icmp->type >= ICMP6_ECHO;
}

COLD void icmp6_send_error(struct net *net, struct pkt *offender, const struct arrival *a,
			   const struct icmp6_error *error)
{
	const struct addr any = {0};

	if (!may_be_told(offender, a, error) || !icmp_within_rate(net))
		return;
	struct net_path *path = path_get(net, a->to_group ? &any : &a->dst, &a->src);
	struct pkt *p = path ? net_alloc(net, POOL_TX) : NULL;

	if (!p)
		return;
	struct icmp6_header *h = pkt_append(p, sizeof(*h));
	uint32_t quote_len =
		MIN((uint32_t)pkt_seg_len(offender) - a->l3_offset, (uint32_t)QUOTE_BYTES_MAX);

	quote_len = MIN(quote_len, (uint32_t)pkt_tailroom(p));
	*h = (struct icmp6_header){.type = error->type, .code = error->code, .rest = error->rest};
	pkt_copy(net->env, p, pkt_at(offender, a->l3_offset), (uint16_t)quote_len, COPY_ERROR);
	net_output(net, p,
		   &(struct net_out){.path = path,
				     .protocol = IP_ICMP6,
				     .checksum_offset = ICMP6_CHECKSUM_OFFSET});
}
