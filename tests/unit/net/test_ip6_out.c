// SPDX-License-Identifier: BSD-3-Clause
// IPv6 on the way out: its header, checksums that the port finishes, packets that do not fit.
#include "bed6.h"

// Sends a TCP segment of so many bytes of payload to the peer.
static void send_segment(struct bed *b, uint32_t text_len, const struct net_out *how)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);
	struct net_out out = *how;
	struct net_path path;

	assert_int_equal(net_path_find(b->net, &NOBODY6, &PEER6, &path), 0);
	*(struct tcp_header *)pkt_append(p, 20) = (struct tcp_header){.data_offset = 5 << 4};
	memset(pkt_append(p, (uint16_t)text_len), 'x', text_len);
	out.path = &path;
	out.protocol = IP_TCP;
	out.l4_header_len = 20;
	out.checksum_offset = TCP_CHECKSUM_OFFSET;
	net_output(b->net, p, &out);
	bed_conserved(b);
}

static void a_segment_leaves_with_class_hop_limit_and_checksum(void **state)
{
	struct bed *b = bed6_create();

	bed6_meet(b);
	send_segment(b, 100, &(struct net_out){.dscp = 46, .ecn = 1, .ttl = 9});
	const struct ipv6_header *h = bed6_last(b);

	assert_int_equal(ipv6_class(h), 46 << 2 | 1);
	assert_int_equal(h->hop_limit, 9);
	assert_int_equal(h->next_header, IP_TCP);
	assert_true(bed6_l4_good(h));
	bed_destroy(b);
}

static void what_the_path_does_not_carry_is_not_sent(void **state)
{
	struct bed *b = bed6_create();

	bed6_meet(b);
	send_segment(b, 1440, &(struct net_out){.dont_fragment = true});
	assert_int_equal(b->port[0].tx_count, 1);
	send_segment(b, 1441, &(struct net_out){.dont_fragment = true});
	assert_int_equal(bed_drops(b, DROP_IP6_TOO_BIG), 1);
	const struct verdict *v = bed_verdict(b); // which has a header that the packet had not yet
	struct ipv6_header h;

	assert_int_equal(v->reason, DROP_IP6_TOO_BIG);
	assert_int_equal(v->head_kind, VERDICT_HEAD_IP);
	memcpy(&h, v->head, sizeof(h));
	assert_int_equal(h.next_header, IP_TCP);
	assert_memory_equal(h.dst, PEER6.byte, sizeof(h.dst));
	assert_int_equal(b->port[0].tx_count, 1);
	bed_destroy(b);
}

static void a_port_that_sums_gets_the_sum_of_the_pseudo_header(void **state)
{
	struct bed *b = bed6_create_with(PORT_TX_CHAINS | PORT_TX_TCP_CHECKSUM,
					 &(struct net_config){.no_dad = true});

	bed6_meet(b);
	send_segment(b, 100, &(struct net_out){.dont_fragment = true});
	const struct pkt *p = b->port[0].tx[0];
	const struct tcp_header *tcp = pkt_at(p, 14 + 40);

	assert_int_equal(tcp->checksum.raw,
			 checksum_fold(checksum_pseudo(&OURS6, &PEER6, IP_TCP, 120)));
	assert_int_equal(p->mbuf.l3_len, 40);
	assert_true(p->mbuf.ol_flags & RTE_MBUF_F_TX_IPV6);
	assert_true(p->mbuf.ol_flags & RTE_MBUF_F_TX_TCP_CKSUM);
	assert_false(p->mbuf.ol_flags & (RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM));
	bed_destroy(b);
}

static void a_chain_is_packed_for_a_port_that_takes_none(void **state)
{
	struct bed *b = bed6_create_with(0, &(struct net_config){.no_dad = true});
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]), *q = pkt_alloc(b->env.pool[POOL_TX]);
	struct net_path path;

	bed6_meet(b);
	assert_int_equal(net_path_find(b->net, &NOBODY6, &PEER6, &path), 0);
	*(struct tcp_header *)pkt_append(p, 20) = (struct tcp_header){.data_offset = 5 << 4};
	memcpy(pkt_append(q, 5), "hello", 5);
	pkt_chain(p, q);
	net_output(b->net, p,
		   &(struct net_out){.path = &path,
				     .protocol = IP_TCP,
				     .l4_header_len = 20,
				     .checksum_offset = TCP_CHECKSUM_OFFSET});
	bed_conserved(b);
	assert_int_equal(pkt_seg_count(b->port[0].tx[0]), 1);
	assert_true(bed6_l4_good(bed6_last(b)));
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_leaves_with_class_hop_limit_and_checksum),
		cmocka_unit_test(what_the_path_does_not_carry_is_not_sent),
		cmocka_unit_test(a_port_that_sums_gets_the_sum_of_the_pseudo_header),
		cmocka_unit_test(a_chain_is_packed_for_a_port_that_takes_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
