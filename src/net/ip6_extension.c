// SPDX-License-Identifier: BSD-3-Clause
// Extension headers (RFC 8200 4), walked in their order and only so far: at most EXTENSIONS_MAX of
// them, and all of them in the first buffer (RFC 8504 5.3 lets a host limit both). Called by ip6.c,
// again behind a fragment header; what goes wrong is named here and told by ip6.c. Pure.
//
// No option is known that would ask anything of a host, so each is skipped or refused as its two
// top bits say; no routing header is followed (RFC 5095: type 0 must not be).
#include "net/inside.h"
#include "net/ip6.h"
#include "wire/icmp6.h"

#define EXTENSIONS_MAX 8

static enum drop problem(struct ip6_walk *w, const struct arrival *a, uint8_t code, uint32_t at,
			 enum drop reason)
{
	w->error_code = code;
	w->error_at = at - a->l3_offset;
	return reason;
}

// RFC 8200 4.2: what the sender wants done with an option that is not known.
static enum drop check_option(const struct pkt *p, const struct arrival *a, uint32_t at,
			      struct ip6_walk *w)
{
	uint8_t type = *(const uint8_t *)pkt_at(p, at);
	enum ipv6_unknown unknown = (enum ipv6_unknown)(type >> 6);

	if (unknown == IPV6_UNKNOWN_SKIP)
		return DROP_OK;
	w->error_to_groups = unknown == IPV6_UNKNOWN_REPORT;
	if (unknown == IPV6_UNKNOWN_DISCARD ||
	    (unknown == IPV6_UNKNOWN_REPORT_UNICAST && a->to_group))
		return DROP_IP6_OPTION_SILENT;
	return problem(w, a, ICMP6_UNKNOWN_OPTION, at, DROP_IP6_OPTION);
}

static enum drop check_options(const struct pkt *p, const struct arrival *a, uint32_t end,
			       struct ip6_walk *w)
{
	uint32_t len;

	for (uint32_t at = w->at + sizeof(struct ipv6_extension); at < end; at += len) {
		const uint8_t *option = pkt_at(p, at);

		len = 1;
		if (option[0] == IPV6_OPTION_PAD1)
			continue;
		len = at + 1 < end ? option[1] + 2u : end;
		if (at + len > end)
			return problem(w, a, ICMP6_BAD_FIELD, at, DROP_IP6_EXTENSION);
		enum drop reason = check_option(p, a, at, w);

		if (reason != DROP_OK)
			return reason;
	}
	return DROP_OK;
}

// RFC 8200 4.4: a type that is not known is skipped when nothing is left of its way.
static enum drop check_routing(const struct pkt *p, const struct arrival *a, struct ip6_walk *w)
{
	const struct ipv6_routing *h = pkt_at(p, w->at);

	if (h->segments_left == 0)
		return DROP_OK;
	return problem(w, a, ICMP6_BAD_FIELD, w->at + offsetof(struct ipv6_routing, type),
		       DROP_IP6_ROUTING);
}

static bool is_extension(uint8_t next)
{
	return next == IPV6_HOP_BY_HOP || next == IPV6_ROUTING || next == IPV6_DESTINATION;
}

enum drop ip6_walk_extensions(const struct pkt *p, const struct arrival *a, struct ip6_walk *w)
{
	uint32_t end = MIN(w->end, (uint32_t)pkt_seg_len(p));

	for (uint32_t count = 0; is_extension(w->next); count++) {
		const struct ipv6_extension *h = pkt_at(p, w->at);
		enum drop reason = DROP_OK;

		if (count == EXTENSIONS_MAX)
			return DROP_IP6_EXTENSIONS_MANY;
		// RFC 8200 4.3: hop-by-hop options stand first, or are no header at all.
		if (w->next == IPV6_HOP_BY_HOP && count > 0)
			return problem(w, a, ICMP6_UNKNOWN_NEXT_HEADER, w->named_at,
				       DROP_IP6_EXTENSION);
		if (w->at + sizeof(*h) > end || w->at + ipv6_extension_len(h) > end)
			return DROP_IP6_EXTENSION_CUT;
		if (w->next == IPV6_ROUTING)
			reason = check_routing(p, a, w);
		else
			reason = check_options(p, a, w->at + ipv6_extension_len(h), w);
		if (reason != DROP_OK)
			return reason;
		w->next = h->next_header;
		w->named_at = w->at;
		w->at += ipv6_extension_len(h);
	}
	return DROP_OK;
}
