// SPDX-License-Identifier: BSD-3-Clause
// The way out: headers, checksums in software and left to the port, packing, segmentation,
// fragments.
#include <rte_mbuf_core.h>

#include "bed.h"

static struct net_path path_to(struct bed *b, be32 to)
{
	struct addr any = {0}, remote = addr_from_v4(to);
	struct net_path path;

	assert_int_equal(net_path_find(b->net, &any, &remote, &path), 0);
	return path;
}

// A TCP header in a fresh packet, and numbered payload behind it in segments of these sizes.
static struct pkt *segments(struct bed *b, const uint16_t *size, uint32_t count)
{
	struct tcp_header tcp = {
		.src_port = be16_of(80), .data_offset = 5 << 4, .checksum = {0xabcd}};
	struct pkt *p = pkt_alloc(b->env.pool[POOL_HEAD]);
	uint8_t next = 1;

	memcpy(pkt_append(p, sizeof(tcp)), &tcp, sizeof(tcp));
	for (uint32_t i = 0; i < count; i++) {
		struct pkt *s = pkt_alloc(b->env.pool[POOL_TX]);
		uint8_t *byte = pkt_append(s, size[i]);

		for (uint16_t k = 0; k < size[i]; k++)
			byte[k] = next++;
		pkt_chain(p, s);
	}
	return p;
}

static struct net_out tcp_out(struct net_path *path)
{
	return (struct net_out){.path = path,
				.protocol = IP_TCP,
				.dont_fragment = true,
				.l4_header_len = 20,
				.checksum_offset = TCP_CHECKSUM_OFFSET};
}

static void check_payload(struct bed *b, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(b->out[54 + i], (uint8_t)(i + 1));
}

static void headers_are_as_asked(void **state)
{
	struct bed *b = bed_create();
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	const uint16_t size[] = {100};

	bed_meet(b, PEER, PEER_MAC);
	out.ttl = 9;
	out.dscp = 46;
	out.ecn = 2;
	net_output(b->net, segments(b, size, 1), &out);
	bed_conserved(b);
	const struct ipv4_header *h = bed_last_ip4(b);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_memory_equal(b->out + 6, b->port[0].port.mac, 6);
	assert_int_equal(h->ttl, 9);
	assert_int_equal(h->tos, 46 << 2 | 2);
	assert_int_equal(be16_get(h->fragment), IPV4_DF);
	assert_int_equal(h->id.raw, 0); // RFC 6864 4.1: atomic
	assert_int_equal(h->src.raw, OURS.raw);
	assert_true(bed_l4_good(h));
	check_payload(b, 100);
	out.dont_fragment = false;
	out.ttl = 0;
	net_output(b->net, segments(b, size, 1), &out);
	bed_conserved(b);
	h = bed_last_ip4(b);
	uint16_t id = be16_get(h->id);
	assert_int_equal(h->ttl, 64);
	assert_int_equal(h->fragment.raw, 0);
	net_output(b->net, segments(b, size, 1), &out);
	bed_conserved(b);
	assert_int_equal(be16_get(bed_last_ip4(b)->id), (uint16_t)(id + 1));
	bed_destroy(b);
}

static void sums_run_over_odd_segments(void **state)
{
	struct bed *b = bed_create();
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	struct rng r;

	rng_seed(&r, test_seed());
	bed_meet(b, PEER, PEER_MAC);
	for (int round = 0; round < 500; round++) {
		uint16_t size[6];
		uint32_t count = (uint32_t)rng_below(&r, 7), len = 0;

		for (uint32_t i = 0; i < count; i++)
			len += size[i] = (uint16_t)rng_below(&r, 240);
		net_output(b->net, segments(b, size, count), &out);
		bed_conserved(b);
		const struct ipv4_header *h = bed_last_ip4(b);
		assert_int_equal(be16_get(h->total_len), 40 + len);
		assert_true(bed_l4_good(h));
		check_payload(b, len);
		bed_clear(b);
	}
	bed_destroy(b);
}

static void what_the_port_grants_is_left_to_it(void **state)
{
	uint32_t flags =
		PORT_TX_CHAINS | PORT_TX_IP_CHECKSUM | PORT_TX_TCP_CHECKSUM | PORT_TX_UDP_CHECKSUM;
	struct bed *b = bed_create_with(flags, &(struct net_config){0});
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	const uint16_t size[] = {101};

	bed_meet(b, PEER, PEER_MAC);
	net_output(b->net, segments(b, size, 1), &out);
	bed_conserved(b);
	bed_last(b);
	const struct rte_mbuf *m = &b->port[0].tx[0]->mbuf;
	const struct ipv4_header *h = (const void *)(b->out + 14);
	const struct tcp_header *t = (const void *)(h + 1);
	assert_true(m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM);
	assert_true((m->ol_flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM);
	assert_int_equal(m->l2_len, 14);
	assert_int_equal(m->l3_len, 20);
	assert_int_equal(h->checksum.raw, 0);
	assert_int_equal(t->checksum.raw,
			 checksum_fold(checksum_pseudo(&path.local, &path.remote, 6, 121)));
	// The other side of such a wire accepts what is unfinished where that is agreed, only
	// there.
	struct arrival a = {.src = path.local,
			    .dst = path.remote,
			    .l4_offset = 34,
			    .l4_len = 121,
			    .protocol = IP_TCP};
	assert_false(net_checksum_ok(b->port[0].tx[0], &a, TCP_CHECKSUM_OFFSET));
	a.port_flags = PORT_RX_PARTIAL_CHECKSUM;
	assert_true(net_checksum_ok(b->port[0].tx[0], &a, TCP_CHECKSUM_OFFSET));
	a.src.byte[15] ^= 1;
	assert_false(net_checksum_ok(b->port[0].tx[0], &a, TCP_CHECKSUM_OFFSET));
	a.l4_checksum = CHECKSUM_GOOD; // the port's word
	assert_true(net_checksum_ok(b->port[0].tx[0], &a, TCP_CHECKSUM_OFFSET));
	bed_destroy(b);
}

static void a_large_segment_goes_to_a_port_that_cuts(void **state)
{
	uint32_t flags = PORT_TX_CHAINS | PORT_TX_IP_CHECKSUM | PORT_TX_TCP_CHECKSUM | PORT_TX_TSO;
	struct bed *b = bed_create_with(flags, &(struct net_config){0});
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	const uint16_t size[] = {2000, 2000, 1000};

	assert_int_equal(path.tso_bytes_max, 65000);
	bed_meet(b, PEER, PEER_MAC);
	out.tso_segment_bytes = 1460;
	net_output(b->net, segments(b, size, 3), &out);
	bed_conserved(b);
	const struct rte_mbuf *m = &b->port[0].tx[0]->mbuf;
	bed_last(b);
	const struct tcp_header *t = (const void *)(b->out + 34);
	assert_true(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG);
	assert_int_equal(m->tso_segsz, 1460);
	assert_int_equal(m->l4_len, 20);
	assert_int_equal(t->checksum.raw,
			 checksum_fold(checksum_pseudo(&path.local, &path.remote, 6, 0)));
	check_payload(b, 5000);
	out.tso_segment_bytes = 1461; // its pieces would not fit the MTU
	net_output(b->net, segments(b, size, 3), &out);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_IP4_TOO_BIG), 1);
	bed_destroy(b);
}

static void too_large_and_not_to_be_cut_is_dropped(void **state)
{
	struct bed *b = bed_create();
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	const uint16_t size[] = {1461};

	net_output(b->net, segments(b, size, 1), &out);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_IP4_TOO_BIG), 1);
	bed_destroy(b);
}

static void a_port_without_chains_gets_one_piece_and_the_ledger_says_so(void **state)
{
	struct bed *b = bed_create_with(0, &(struct net_config){0});
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	const uint16_t size[] = {700, 1, 701};

	assert_int_equal(path.tx_segs_max, 1);
	bed_meet(b, PEER, PEER_MAC);
	net_output(b->net, segments(b, size, 3), &out);
	bed_conserved(b);
	assert_int_equal(pkt_seg_count(b->port[0].tx[0]), 1);
	assert_true(bed_l4_good(bed_last_ip4(b)));
	check_payload(b, 1402);
	assert_int_equal(b->counters.value[COUNTER_copied_bytes_pack], 1422);
	bed_destroy(b);
}

static void more_segments_than_the_port_takes_are_packed(void **state)
{
	struct bed *b = bed_create();
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	uint16_t size[20];

	for (int i = 0; i < 20; i++)
		size[i] = 50;
	bed_meet(b, PEER, PEER_MAC);
	net_output(b->net, segments(b, size, 7), &out); // eight segments: as they are
	bed_conserved(b);
	assert_int_equal(b->counters.value[COUNTER_copied_bytes_pack], 0);
	net_output(b->net, segments(b, size, 20), &out);
	bed_conserved(b);
	assert_int_equal(pkt_seg_count(b->port[0].tx[1]), 1);
	assert_true(bed_l4_good(bed_last_ip4(b)));
	check_payload(b, 1000);
	bed_destroy(b);
}

// The flight recorder says where the last drop was to go, though it had no IP header yet.
static void check_unsent(struct bed *b, enum drop reason, be32 to)
{
	const struct verdict *v = bed_verdict(b);
	struct ipv4_header h;

	assert_int_equal(v->reason, reason);
	assert_int_equal(v->head_kind, VERDICT_HEAD_IP);
	memcpy(&h, v->head, sizeof(h));
	assert_int_equal(h.version_ihl, IPV4_VERSION_IHL);
	assert_int_equal(h.protocol, IP_TCP);
	assert_int_equal(h.src.raw, OURS.raw);
	assert_int_equal(h.dst.raw, to.raw);
	assert_int_equal(be16_get(h.total_len), v->len);
}

static void what_no_packing_makes_fit_is_dropped(void **state)
{
	struct bed *b = bed_create_with(0, &(struct net_config){0});
	const uint16_t size[] = {1500, 1500, 1500};

	b->port[0].port.mtu_bytes = 9000;
	struct net_path path = path_to(b, PEER);
	struct net_out out = tcp_out(&path);
	net_output(b->net, segments(b, size, 3), &out);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_TX_CHAIN), 1);
	check_unsent(b, DROP_TX_CHAIN, PEER);
	struct pkt *all[8192];
	uint32_t count = pool_available(b->env.pool[POOL_TX]) - 2;
	assert_int_equal(pool_get(b->env.pool[POOL_TX], all, count), 0);
	net_output(b->net, segments(b, size, 2), &out); // packing needs two more
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_TX_NO_BUFFERS), 1);
	pool_put(all, count);
	bed_destroy(b);
}

static void without_a_route_it_is_dropped(void **state)
{
	struct bed *b = bed_create();
	struct net_path path = path_to(b, FAR);
	struct net_out out = tcp_out(&path);

	b->net->routes.count--; // the default route
	b->net->generation++;
	net_output(b->net, segments(b, NULL, 0), &out);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_NO_ROUTE), 1);
	check_unsent(b, DROP_NO_ROUTE, FAR);
	bed_destroy(b);
}

// A datagram of these segments as fragments, put together again by a plain array.
static void fragments_carry_the_datagram(void **state)
{
	struct bed *b = bed_create();
	struct net_path path = path_to(b, PEER);
	static uint8_t whole[70000];
	struct rng r;

	rng_seed(&r, test_seed());
	bed_meet(b, PEER, PEER_MAC);
	for (int round = 0; round < 100; round++) {
		struct net_out out = {.path = &path,
				      .protocol = IP_UDP,
				      .l4_header_len = 8,
				      .checksum_offset = UDP_CHECKSUM_OFFSET};
		uint32_t count = 2 + (uint32_t)rng_below(&r, 20), len = 20, got = 0;
		uint16_t size[22];

		for (uint32_t i = 0; i < count; i++)
			len += size[i] = (uint16_t)(1 + rng_below(&r, 2000));
		if (len <= 1480)
			continue;
		struct pkt *p = segments(b, size, count);
		net_output(b->net, p, &out);
		bed_conserved(b);
		for (uint32_t i = 0; i < b->port[0].tx_count; i++) {
			uint32_t n = capture_read(&b->port[0], i, b->out);
			const struct ipv4_header *h = (const void *)(b->out + 14);

			assert_true(n <= 1514 && checksum_is_good(checksum_add(0, h, 20)));
			assert_int_equal((be16_get(h->fragment) & IPV4_OFFSET_MASK) * 8u, got);
			memcpy(whole + got, b->out + 34, n - 34);
			got += n - 34;
			assert_int_equal((be16_get(h->fragment) & IPV4_MF) != 0, got < len);
		}
		assert_int_equal(got, len);
		assert_true(
			checksum_is_good(checksum_pseudo(&path.local, &path.remote, IP_UDP, len) +
					 checksum_add(0, whole, len)));
		bed_clear(b);
	}
	bed_destroy(b);
}

static void fragments_need_buffers(void **state)
{
	struct bed *b = bed_create();
	struct net_path path = path_to(b, PEER);
	struct net_out out = {.path = &path, .protocol = IP_UDP};
	const uint16_t size[] = {1500, 1500, 1500};
	struct pkt *all[8192], *p = segments(b, size, 3);
	uint32_t count = pool_available(b->env.pool[POOL_HEAD]) - 4;

	bed_meet(b, PEER, PEER_MAC);
	assert_int_equal(pool_get(b->env.pool[POOL_HEAD], all, count), 0);
	net_output(b->net, p, &out);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_TX_NO_BUFFERS), 1);
	pool_put(all, count);
	bed_destroy(b);
}

static void slices_of_references_and_regions_refer_to_the_source(void **state)
{
	struct bed *b = bed_create();
	struct pool *pool = b->env.pool[POOL_HEAD];
	uint8_t *region = pool_region_alloc(64);
	struct pkt *direct = pkt_alloc(pool);

	memcpy(pkt_append(direct, 10), "0123456789", 10);
	memcpy(region, "abcdefghij", 10);
	struct pkt *ref = pkt_slice(pool, direct, 2, 6), *slice = pkt_slice(pool, ref, 1, 3);
	assert_memory_equal(pkt_data(slice), "345", 3);
	pkt_free(ref);
	pkt_free(direct); // the slice alone holds the bytes now
	assert_memory_equal(pkt_data(slice), "345", 3);
	pkt_free(slice);
	ref = pkt_ref_region(pool, region, 10);
	slice = pkt_slice(pool, ref, 4, 2);
	pkt_free(ref);
	assert_memory_equal(pkt_data(slice), "ef", 2);
	pkt_free(slice);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_as_asked),
		cmocka_unit_test(sums_run_over_odd_segments),
		cmocka_unit_test(what_the_port_grants_is_left_to_it),
		cmocka_unit_test(a_large_segment_goes_to_a_port_that_cuts),
		cmocka_unit_test(too_large_and_not_to_be_cut_is_dropped),
		cmocka_unit_test(a_port_without_chains_gets_one_piece_and_the_ledger_says_so),
		cmocka_unit_test(more_segments_than_the_port_takes_are_packed),
		cmocka_unit_test(what_no_packing_makes_fit_is_dropped),
		cmocka_unit_test(without_a_route_it_is_dropped),
		cmocka_unit_test(fragments_carry_the_datagram),
		cmocka_unit_test(fragments_need_buffers),
		cmocka_unit_test(slices_of_references_and_regions_refer_to_the_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
