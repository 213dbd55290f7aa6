// SPDX-License-Identifier: BSD-3-Clause
// The straight line: ethernet -> ip -> tcp | udp | icmp. Called by core/worker.c with a burst;
// calls net/ and tcp/, which return and never call back up.
//
// The burst goes through in two stages so that memory latency overlaps: first every packet's
// headers are read and what TCP will need is fetched ahead, then every packet is processed. Inside
// a burst order is kept per protocol, which is all that TCP and UDP ask for.
#include "core/stack.h"

#include "net/arp.h"
#include "net/dhcp.h"
#include "net/eth.h"
#include "net/icmp.h"
#include "net/icmp6.h"
#include "net/igmp.h"
#include "net/ip4.h"
#include "net/ip6.h"
#include "net/nd.h"
#include "net/udp.h"
#include "port/mesh.h"
#include "wire/ipv4.h"

// Packets ahead whose headers are being loaded while one is read.
#define AHEAD_PKTS 8

// Headers and the beginning of the text: what another core or a card has just written.
static inline void fetch_headers(const struct pkt *p)
{
	const uint8_t *data = pkt_data(p);

	bits_prefetch(data);
	bits_prefetch(data + CACHE_LINE_BYTES);
	bits_prefetch(data + 2 * CACHE_LINE_BYTES);
}

static enum next read_headers(struct prism_worker *w, struct pkt **p, struct arrival *a,
			      uint16_t port_index)
{
	enum next next = eth_input(w->net, port_index, *p, a);

	if (next == NEXT_IP4)
		next = ip4_input(w->net, p, a);
	else if (next == NEXT_IP6)
		next = ip6_input(w->net, p, a);
	if (next == NEXT_TCP)
		tcp_read_flow(w->tcp, *p, a);
	else if (next == NEXT_TCP6)
		tcp_read_flow6(w->tcp, *p, a);
	return next;
}

// An error is for whoever sent what it quotes.
static COLD void icmp_report(struct prism_worker *w, struct pkt *p, const struct arrival *a,
			     const struct icmp_report *r)
{
	uint32_t to = r->protocol == IP_TCP ? tcp_icmp_error(w->tcp, r) : udp_icmp_error(w->net, r);

	if (to == w->env.worker_index)
		pkt_consume(&w->env, p);
	else
		net_hand(w->net, p, a, to);
}

static void process(struct prism_worker *w, struct pkt *p, struct arrival *a, enum next next)
{
	struct icmp_report report;

	switch (next) {
	case NEXT_TCP:
	case NEXT_TCP6:
		tcp_input(w->tcp, p, a);
		break;
	case NEXT_UDP:
		udp_input(w->net, p, a);
		break;
	case NEXT_ARP:
		arp_input(w->net, p, a);
		break;
	case NEXT_ICMP:
		if (icmp_input(w->net, p, a, &report))
			icmp_report(w, p, a, &report);
		break;
	case NEXT_ICMP6:
		if (icmp6_input(w->net, p, a, &report))
			icmp_report(w, p, a, &report);
		break;
	case NEXT_UDP6:
		udp6_input(w->net, p, a);
		break;
	case NEXT_IGMP:
		igmp_input(w->net, p, a);
		break;
	case NEXT_IP4:
	case NEXT_IP6:
	case NEXT_DONE:
		break;
	}
}

// What TCP fetches ahead for: each segment but text that follows text of its flow, which is told so
// (tcp/run.c) and needs nothing more. *last: the one before, or NULL.
static inline void add_segment(const struct arrival **segs, uint32_t *count, struct arrival **last,
			       struct arrival *a)
{
	struct arrival *before = *last;

	*last = a;
	if (before && UNLIKELY(before->flow_hash == a->flow_hash) && before->has_text &&
	    a->has_text) {
		before->in_run |= RUN_LEADS;
		a->in_run = RUN_FOLLOWS;
		return;
	}
	segs[(*count)++] = a;
}

void stack_input(struct prism_worker *w, uint16_t port_index, struct pkt **pkts, uint16_t count)
{
	struct arrival arrival[BURST_PKTS];
	enum next next[BURST_PKTS];
	const struct arrival *segs[BURST_PKTS], *segs6[BURST_PKTS];
	struct arrival *last = NULL, *last6 = NULL;
	uint32_t seg_count = 0, seg6_count = 0;

	for (uint16_t i = 0; i < MIN(count, AHEAD_PKTS); i++)
		fetch_headers(pkts[i]);
	for (uint16_t i = 0; i < count; i++) {
		if (i + AHEAD_PKTS < count)
			fetch_headers(pkts[i + AHEAD_PKTS]);
		next[i] = read_headers(w, &pkts[i], &arrival[i], port_index);
		if (next[i] == NEXT_TCP)
			add_segment(segs, &seg_count, &last, &arrival[i]);
		else if (next[i] == NEXT_TCP6)
			add_segment(segs6, &seg6_count, &last6, &arrival[i]);
	}
	if (seg_count)
		tcp_prefetch(w->tcp, segs, seg_count);
	if (seg6_count)
		tcp_prefetch6(w->tcp, segs6, seg6_count);
	for (uint16_t i = 0; i < count; i++)
		process(w, pkts[i], &arrival[i], next[i]);
}

static COLD void hear(struct prism_worker *w, struct pkt *p)
{
	uint16_t word = pkt_word(p);
	struct arrival a;

	enum next next = eth_input(w->net, mesh_port(word), p, &a);

	if (next == NEXT_ARP)
		arp_hear(w->net, p, &a, word);
	if (next == NEXT_IP4)
		igmp_hear(w->net, p, &a, word);
	if (next == NEXT_IP6 && ip6_input(w->net, &p, &a) == NEXT_ICMP6)
		nd_hear(w->net, p, &a, word);
}

// What the record of the TIME-WAIT knew stands in the packet's own fields.
static COLD void take_syn(struct prism_worker *w, struct pkt *p)
{
	tcp_set_isn_floor(w->tcp, (uint32_t)pkt_own(p)->offset);
	stack_input(w, mesh_port(pkt_word(p)), &p, 1);
	tcp_set_isn_floor(w->tcp, 0);
}

void stack_handed(struct prism_worker *w, struct pkt **pkts, uint32_t count)
{
	for (uint32_t i = 0, end; i < count; i = end) {
		uint16_t word = pkt_word(pkts[i]);
		enum handed what = mesh_what(word);

		end = i + 1;
		if (what == HANDED_OUTPUT) {
			port_tx(&w->env, w->port[mesh_port(word)], pkts[i]);
		} else if (what == HANDED_CONN || what == HANDED_BACK) {
			tcp_note(w->tcp, pkts[i], word);
		} else if (what == HANDED_LEASE) {
			lease_hear(w->net, pkts[i], word);
		} else if (what == HANDED_ND_NOTE) {
			nd_note_hear(w->net, pkts[i], word);
		} else if (what == HANDED_SYN) {
			take_syn(w, pkts[i]);
		} else if (what != HANDED_INPUT) {
			hear(w, pkts[i]);
		} else {
			while (end < count && mesh_what(pkt_word(pkts[end])) == HANDED_INPUT &&
			       mesh_port(pkt_word(pkts[end])) == mesh_port(word))
				end++;
			stack_input(w, mesh_port(word), pkts + i, (uint16_t)(end - i));
		}
	}
}
