// SPDX-License-Identifier: BSD-3-Clause
// ICMP errors that we send (RFC 1122 3.2.2): who may be told, how often, and what is quoted. Called
// by the inputs of this floor beside the drop of the packet in question, which stays theirs; calls
// net_output. The quotation is a copy, entered in the ledger.
#include "base/time.h"
#include "net/icmp.h"
#include "net/inside.h"
#include "wire/checksum.h"

#define BURST_ERRORS 50     // a bucketful, as Linux's icmp_msgs_burst
#define ERROR_BYTES_MAX 576 // RFC 1812 4.3.2.3: as much as fits without exceeding 576 bytes

// A token bucket measured in time. Each error costs 0, 1 or 2 shares at random, one on average, so
// that nobody can count by it what we answered to others (CVE-2020-25705).
bool icmp_within_rate(struct net *net)
{
	// of all workers together
	uint64_t share_ns =
		NS_PER_S / net->config.icmp_errors_per_s * MAX(net->env->worker_count, 1u);
	uint64_t earned_ns = net->env->now_ns - net->icmp_refilled_ns;
	uint64_t cost_ns = share_ns * rng_below(&net->env->rng, 3);

	net->icmp_refilled_ns = net->env->now_ns;
	net->icmp_tokens = MIN(net->icmp_tokens + earned_ns, share_ns * BURST_ERRORS);
	if (net->icmp_tokens < 2 * share_ns) {
		counter_add(net->env, COUNTER_icmp_withheld_pkts, 1);
		return false;
	}
	net->icmp_tokens -= cost_ns;
	return true;
}

// RFC 1122 3.2.2: never about an ICMP error, a group destination, a later fragment, or a source
// that is not one host (ip4_input lets none of those in).
static bool may_be_told(const struct net *net, const struct pkt *p, const struct arrival *a)
{
	const struct ipv4_header *h = pkt_at(p, a->l3_offset);
	const struct icmp_header *icmp = pkt_at(p, a->l4_offset);

	if (a->to_group || !net_is_ours(net, h->dst) || (be16_get(h->fragment) & IPV4_OFFSET_MASK))
		return false;
	if (a->protocol != IP_ICMP)
		return true;
	return pkt_seg_len(p) >= a->l4_offset + sizeof(*icmp) && icmp->type == ICMP_ECHO;
}

COLD void icmp_send_error(struct net *net, struct pkt *offender, const struct arrival *a,
			  const struct icmp_error *error)
{
	if (!may_be_told(net, offender, a) || !icmp_within_rate(net))
		return;
	struct net_path *path = path_get(net, &a->dst, &a->src);
	struct pkt *p = path ? net_alloc(net, POOL_CTRL) : NULL;

	if (!p)
		return;
	struct icmp_header *h = pkt_append(p, sizeof(*h));
	uint32_t quote_len = MIN((uint32_t)pkt_seg_len(offender) - a->l3_offset,
				 (uint32_t)(ERROR_BYTES_MAX - IPV4_HEADER_BYTES - sizeof(*h)));

	quote_len = MIN(quote_len, (uint32_t)pkt_tailroom(p));
	*h = (struct icmp_header){.type = error->type, .code = error->code};
	h->rest = error->rest;
	pkt_copy(net->env, p, pkt_at(offender, a->l3_offset), (uint16_t)quote_len, COPY_ERROR);
	h->checksum = checksum_finish(net_sum(NULL, p, 0, pkt_len(p)));
	net_output(net, p, &(struct net_out){.path = path, .protocol = IP_ICMP});
}

void icmp_send_unreachable(struct net *net, struct pkt *offender, const struct arrival *arrival,
			   uint8_t code)
{
	struct icmp_error error = {.type = ICMP_UNREACHABLE, .code = code};

	icmp_send_error(net, offender, arrival, &error);
}
