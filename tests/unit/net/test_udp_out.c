// SPDX-License-Identifier: BSD-3-Clause
// UDP's way out: what is built in one go is what the general way builds, and who decides which.
#include "bed.h"

// A plain datagram is built in one go, one of two pieces by the general way; the wire sees no
// difference.
static void one_piece_or_two_the_wire_sees_the_same(void **state)
{
	struct bed *b = bed_create();
	struct udp_to to = {.remote = addr_from_v4(PEER)};
	prism_udp udp = bed_open(b, 7);
	static uint8_t text[1472], first[1514];
	struct rng r;

	rng_seed(&r, test_seed());
	bed_meet(b, PEER, PEER_MAC);
	for (int i = 0; i < 2000; i++) {
		uint16_t len = (uint16_t)(1 + rng_below(&r, sizeof(text))), cut = len / 2;
		struct pkt *whole = pkt_alloc(b->env.pool[POOL_TX]);
		struct pkt *head = pkt_alloc(b->env.pool[POOL_TX]);
		struct pkt *tail = pkt_alloc(b->env.pool[POOL_TX]);

		for (uint16_t k = 0; k < len; k++)
			text[k] = (uint8_t)rng_next(&r);
		to.remote_port = (uint16_t)(1 + rng_below(&r, 65535));
		memcpy(pkt_append(whole, len), text, len);
		memcpy(pkt_append(head, cut), text, cut);
		memcpy(pkt_append(tail, (uint16_t)(len - cut)), text + cut, len - cut);
		pkt_chain(head, tail);
		assert_int_equal(udp_send(b->net, udp, &to, whole), 0);
		bed_conserved(b);
		assert_int_equal(bed_last(b), len + 42);
		memcpy(first, b->out, len + 42u);
		assert_int_equal(udp_send(b->net, udp, &to, head), 0);
		bed_conserved(b);
		assert_true(bed_l4_good(bed_last_ip4(b)));
		assert_memory_equal(first, b->out, len + 42u);
		bed_clear(b);
	}
	bed_destroy(b);
}

static struct pkt *hello(struct bed *b)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	memcpy(pkt_append(p, 5), "hello", 5);
	return p;
}

static void a_neighbour_is_asked_for_before_anything_is_sent(void **state)
{
	struct bed *b = bed_create();
	struct udp_to to = {.remote = addr_from_v4(PEER), .remote_port = 9};
	prism_udp udp = bed_open(b, 7);
	struct frame f;

	assert_int_equal(udp_send(b->net, udp, &to, hello(b)), 0);
	bed_conserved(b);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 1);
	frame_arp(&f, ARP_REPLY, PEER_MAC, PEER, OURS);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 0);
	assert_true(bed_l4_good(bed_last_ip4(b)));
	bed_destroy(b);
}

static void a_port_that_sums_gets_the_pseudo_headers_sum(void **state)
{
	struct bed *b = bed_create_with(PORT_TX_UDP_CHECKSUM, &(struct net_config){0});
	struct udp_to to = {.remote = addr_from_v4(PEER), .remote_port = 9};
	struct addr ours = addr_from_v4(OURS);
	prism_udp udp = bed_open(b, 7);

	bed_meet(b, PEER, PEER_MAC);
	assert_int_equal(udp_send(b->net, udp, &to, hello(b)), 0);
	bed_conserved(b);
	const struct udp_header *h = (const void *)(bed_last_ip4(b) + 1);
	assert_int_equal(h->checksum.raw,
			 checksum_fold(checksum_pseudo(&ours, &to.remote, IP_UDP, 13)));
	bed_destroy(b);
}

static void a_tag_is_written_where_the_port_has_one(void **state)
{
	struct bed *b = bed_create();
	be32 remote = IP(198, 19, 0, 1);
	struct udp_to to = {.remote = addr_from_v4(remote), .remote_port = 9};
	prism_udp udp = bed_open(b, 7);
	struct neighbour *n;

	n = &b->net->neighbours.slot[neighbour_get(b->net, 1, &to.remote)];
	neighbour_confirm(b->net, n, PEER_MAC);
	assert_int_equal(udp_send(b->net, udp, &to, hello(b)), 0);
	bed_conserved(b);
	assert_int_equal(b->port[1].tx_count, 1);
	const struct eth_header *h = pkt_at(b->port[1].tx[0], 0);
	assert_int_equal(be16_get(h->type), ETH_TYPE_VLAN);
	assert_int_equal(pkt_len(b->port[1].tx[0]), 18 + 28 + 5);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_piece_or_two_the_wire_sees_the_same),
		cmocka_unit_test(a_neighbour_is_asked_for_before_anything_is_sent),
		cmocka_unit_test(a_port_that_sums_gets_the_pseudo_headers_sum),
		cmocka_unit_test(a_tag_is_written_where_the_port_has_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
