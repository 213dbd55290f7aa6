// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>

#include "bed.h"

#define R1 IP(203, 0, 113, 1)
#define R2 IP(198, 51, 100, 1)

static struct bed *bed_routed(void)
{
	struct bed *b =
		bed_create_with(PORT_TX_CHAINS, &(struct net_config){.source_routes = true});

	bed_meet(b, PEER, PEER_MAC);
	return b;
}

// A packet from FAR to us with these option bytes, and a protocol's few bytes.
static struct frame with_option(const uint8_t *option, uint8_t len, uint8_t protocol)
{
	struct tcp_header tcp = {.data_offset = 5 << 4};
	struct icmp_header icmp = {.type = ICMP_ECHO};
	struct frame f;

	frame_ip4(&f, FAR, OURS, protocol)->version_ihl = (uint8_t)(0x40 | (5 + len / 4));
	frame_add(&f, option, len);
	icmp.checksum = checksum_finish(checksum_add(0, &icmp, sizeof(icmp)));
	if (protocol == IP_TCP)
		frame_add(&f, &tcp, sizeof(tcp));
	else
		frame_add(&f, &icmp, sizeof(icmp));
	frame_finish(&f);
	return f;
}

// R1, R2, then PEER were gone through.
static const uint8_t GONE[] = {1, 131, 15, 16, 203, 0, 113, 1, 198, 51, 100, 1, 198, 18, 0, 1};
// What goes back to FAR: dst is PEER.
static const uint8_t BACK[] = {1, 131, 15, 4, 198, 51, 100, 1, 203, 0, 113, 1, 203, 0, 113, 5};

// The path back of a packet with this option.
static enum drop way_back(struct bed *b, const uint8_t *option, uint8_t len, struct net_path *path)
{
	struct frame f = with_option(option, len, IP_TCP);
	struct pkt *p = pkt_alloc(b->env.pool[POOL_RX]);
	struct arrival a = {.src = addr_from_v4(FAR),
			    .dst = addr_from_v4(OURS),
			    .l3_offset = 14,
			    .has_route = true};

	memcpy(pkt_append(p, (uint16_t)f.len), f.byte, f.len);
	enum drop reason = net_path_back(b->net, p, &a, path);

	pkt_free(p);
	return reason;
}

static void send_by(struct bed *b, struct net_path *path, uint16_t len, bool dont_fragment)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	memset(pkt_append(p, len), 0, len);
	net_output(b->net, p,
		   &(struct net_out){
			   .path = path, .protocol = IP_TCP, .dont_fragment = dont_fragment});
	bed_conserved(b);
}

// What was sent as number i went by GONE's route back.
static void expect_back(struct bed *b, uint32_t i)
{
	const struct ipv4_header *h = (const void *)(b->out + 14);

	capture_read(&b->port[0], i, b->out);
	assert_int_equal(ipv4_header_len(h), 20 + sizeof(BACK));
	assert_true(checksum_is_good(checksum_add(0, h, ipv4_header_len(h))));
	assert_int_equal(h->dst.raw, PEER.raw);
	assert_int_equal(h->src.raw, OURS.raw);
	assert_memory_equal(h + 1, BACK, sizeof(BACK));
}

static void a_route_that_was_gone_is_taken(void **state)
{
	struct bed *b = bed_routed();
	struct frame f = with_option(GONE, sizeof(GONE), IP_TCP);

	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->tcp_count, 1);
	assert_true(b->tcp_last.has_route);
	assert_int_equal(b->tcp_last.l4_offset, 34 + sizeof(GONE));
	f = with_option((const uint8_t[]){1, 1, 1, 1}, 4, IP_TCP);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->tcp_count, 2);
	assert_false(b->tcp_last.has_route);
	bed_destroy(b);
}

static void a_route_that_goes_on_ends_here_and_the_sender_is_told(void **state)
{
	const uint8_t onward[] = {1, 131, 7, 4, 203, 0, 113, 1};
	struct bed *b = bed_routed();
	struct frame f = with_option(onward, sizeof(onward), IP_TCP);

	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IP4_SOURCE_ROUTE), 1);
	assert_int_equal(b->port[0].tx_count, 1);
	const struct icmp_header *icmp = (const void *)(bed_last_ip4(b) + 1);
	assert_int_equal(icmp->type, ICMP_UNREACHABLE);
	assert_int_equal(icmp->code, ICMP_UNREACHABLE_SOURCE_ROUTE_FAILED);
	bed_destroy(b);
}

// RFC 1122 3.2.1.8 (c): one is enough.
static void what_is_no_route_is_refused(void **state)
{
	const uint8_t bad[][8] = {
		{131, 6, 8, 1, 1, 1, 1, 1},   // half an address
		{131, 7, 3, 1, 1, 1, 1, 1},   // a pointer into itself
		{131, 7, 6, 1, 1, 1, 1, 1},   // between two addresses
		{131, 2, 1, 1, 1, 1, 1, 1},   // no pointer
		{131, 3, 4, 137, 3, 4, 1, 1}, // two
		{131, 3, 4, 131, 3, 4, 1, 1}, // twice
	};
	struct bed *b = bed_routed();

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct frame f = with_option(bad[i], 8, IP_TCP);

		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(bed_drops(b, DROP_IP4_OPTIONS), i + 1);
		assert_int_equal(b->port[0].tx_count, i + 1); // a parameter problem
	}
	assert_int_equal(b->tcp_count, 0);
	bed_destroy(b);
}

static void the_way_back_is_the_route_reversed(void **state)
{
	struct bed *b = bed_routed();
	struct net_path path;

	assert_int_equal(way_back(b, GONE, sizeof(GONE), &path), DROP_OK);
	assert_int_equal(addr_to_v4(&path.remote).raw, FAR.raw);
	assert_int_equal(path.mtu_bytes, 1500 - sizeof(BACK));
	send_by(b, &path, 60, true);
	expect_back(b, 0);
	bed_destroy(b);
}

// RFC 1122 3.2.1.8 (c), case B: who wrote the route began with himself.
static void a_sender_at_the_routes_head_is_no_gateway(void **state)
{
	const uint8_t option[] = {1, 131, 11, 12, 203, 0, 113, 5, 198, 18, 0, 1};
	const uint8_t back[] = {1, 131, 7, 4, 203, 0, 113, 5};
	const uint8_t alone[] = {1, 131, 7, 8, 203, 0, 113, 5};
	struct bed *b = bed_routed();
	struct net_path path;

	assert_int_equal(way_back(b, option, sizeof(option), &path), DROP_OK);
	send_by(b, &path, 60, true);
	bed_last(b);
	assert_memory_equal(b->out + 34, back, sizeof(back));
	assert_int_equal(way_back(b, alone, sizeof(alone), &path), DROP_OK);
	assert_int_equal(path.source_route, 0);
	bed_destroy(b);
}

static void a_strict_route_stays_strict_and_begins_on_the_link(void **state)
{
	const uint8_t near[] = {1, 137, 7, 8, 198, 18, 0, 1},
		      far[] = {1, 137, 7, 8, 203, 0, 113, 1};
	struct bed *b = bed_routed();
	struct net_path path;

	assert_int_equal(way_back(b, near, sizeof(near), &path), DROP_OK);
	send_by(b, &path, 60, true);
	bed_last(b);
	assert_int_equal(b->out[35], IPV4_OPTION_SSRR);
	assert_int_equal(way_back(b, far, sizeof(far), &path), DROP_NO_ROUTE);
	bed_destroy(b);
}

// RFC 791 3.1: the option is copied.
static void each_fragment_has_the_route(void **state)
{
	struct bed *b = bed_routed();
	struct net_path path;

	assert_int_equal(way_back(b, GONE, sizeof(GONE), &path), DROP_OK);
	send_by(b, &path, 2000, false);
	assert_int_equal(b->port[0].tx_count, 2);
	expect_back(b, 0);
	expect_back(b, 1);
	send_by(b, &path, (uint16_t)(1500 - 20 - sizeof(BACK)), true);
	assert_int_equal(b->port[0].tx_count, 3);
	assert_int_equal(bed_last(b), 1514);
	send_by(b, &path, (uint16_t)(1500 - 20 - sizeof(BACK) + 1), true);
	assert_int_equal(bed_drops(b, DROP_IP4_TOO_BIG), 1);
	bed_destroy(b);
}

static void a_path_that_went_stale_keeps_its_route(void **state)
{
	const struct addr net = addr_from_v4_octets(192, 0, 2, 0), via = addr_from_v4(PEER);
	struct bed *b = bed_routed();
	struct net_path path;

	assert_int_equal(way_back(b, GONE, sizeof(GONE), &path), DROP_OK);
	assert_int_equal(net_add_route(b->net, &net, 24, &via), 0);
	send_by(b, &path, 60, true);
	expect_back(b, 0);
	bed_destroy(b);
}

// RFC 1122 3.2.2.6
static void an_echo_goes_back_by_the_way_it_came(void **state)
{
	struct bed *b = bed_routed();
	struct frame f = with_option(GONE, sizeof(GONE), IP_ICMP);

	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->port[0].tx_count, 1);
	expect_back(b, 0);
	assert_int_equal(b->out[34 + sizeof(BACK)], ICMP_ECHO_REPLY);
	bed_destroy(b);
}

// The quoted header's destination is the next gateway while the route is not at its end.
static void an_error_is_about_the_last_of_the_route(void **state)
{
	const struct icmp_header icmp = {.type = ICMP_TIME_EXCEEDED};
	uint8_t quote[20 + sizeof(BACK) + 8] = {0x49, 0, 0, 44, 0, 0, 0, 0, 1, IP_TCP};
	struct ipv4_header *h = (void *)quote;
	struct bed *b = bed_routed();
	struct frame f;

	h->src = OURS;
	h->dst = PEER;
	memcpy(quote + 20, BACK, sizeof(BACK));
	frame_icmp(&f, R2, &icmp, quote, sizeof(quote));
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->report_count, 1);
	assert_int_equal(addr_to_v4(&b->report.remote).raw, FAR.raw);
	quote[20 + 3] = 16; // it was gone: the destination is the last
	h->dst = IP(203, 0, 113, 6);
	frame_icmp(&f, R2, &icmp, quote, sizeof(quote));
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(addr_to_v4(&b->report.remote).raw, IP(203, 0, 113, 6).raw);
	bed_destroy(b);
}

static struct source_route by(be32 gateway)
{
	return (struct source_route){.hop = {gateway}, .count = 1};
}

static void routes_that_nobody_holds_make_room(void **state)
{
	const struct addr any = {0}, far = addr_from_v4(FAR);
	struct bed *b = bed_routed();
	struct net_path path[SOURCE_ROUTES_MAX], one;

	for (uint32_t i = 0; i < SOURCE_ROUTES_MAX; i++) {
		struct source_route route = {.hop = {PEER, be32_of(0xc0000201 + i)}, .count = 2};

		assert_int_equal(net_path_find_by(b->net, &any, &far, &route, &path[i]), 0);
		assert_int_equal(net_path_has_place(b->net, &path[i], 2),
				 i < SOURCE_ROUTES_MAX / 2);
		net_path_hold(b->net, path[i].source_route);
		assert_true(net_path_has_place(b->net, &path[i], 2)); // it has one
	}
	struct source_route more = by(IP(192, 0, 2, 77)),
			    equal = {.hop = {PEER, IP(192, 0, 2, 1)}, .count = 2};
	assert_int_equal(net_path_find_by(b->net, &any, &far, &more, &one), -ENOSPC);
	assert_int_equal(err_last()->id, ERR_SOURCE_ROUTES_FULL);
	assert_int_equal(net_path_find_by(b->net, &any, &far, &equal, &one), 0);
	assert_int_equal(one.source_route, path[0].source_route);
	net_path_release(b->net, path[9].source_route);
	assert_int_equal(net_path_find_by(b->net, &any, &far, &more, &one), 0);
	assert_int_equal(one.source_route, path[9].source_route);
	bed_destroy(b);
}

// RFC 1122 3.2.2.6: what is answered at once needs no place of its own.
static void an_answer_goes_back_although_all_places_are_in_use(void **state)
{
	const struct addr any = {0}, far = addr_from_v4(FAR);
	struct bed *b = bed_routed();
	struct net_path path;

	for (uint32_t i = 0; i < SOURCE_ROUTES_MAX; i++) {
		struct source_route route = {.hop = {PEER, be32_of(0xc0000201 + i)}, .count = 2};

		assert_int_equal(net_path_find_by(b->net, &any, &far, &route, &path), 0);
		net_path_hold(b->net, path.source_route);
	}
	assert_int_equal(way_back(b, GONE, sizeof(GONE), &path), DROP_OK);
	assert_false(net_path_has_place(b->net, &path, 1));
	struct frame f = with_option(GONE, sizeof(GONE), IP_ICMP);
	bed_in(b, 0, f.byte, f.len);
	expect_back(b, 0);
	bed_destroy(b);
}

static void gateways_that_are_no_hosts_are_refused_by_name(void **state)
{
	const be32 bad[] = {IP(0, 0, 0, 0), IP(224, 0, 0, 1), IP(198, 18, 0, 255), IP(127, 0, 0, 1),
			    OURS};
	const struct addr any = {0}, far = addr_from_v4(FAR),
			  group = addr_from_v4_octets(224, 1, 1, 1);
	struct bed *b = bed_routed();
	struct source_route route = by(PEER), none = {.count = 0}, many = {.count = 10};
	struct net_path path;

	assert_int_equal(net_path_find_by(b->net, &any, &group, &route, &path), -EINVAL);
	assert_int_equal(net_path_find_by(b->net, &any, &far, &none, &path), -EINVAL);
	assert_int_equal(net_path_find_by(b->net, &any, &far, &many, &path), -EINVAL);
	route.count = 2;
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		const struct addr to = addr_from_v4(bad[i]);

		route.hop[1] = bad[i];
		assert_int_equal(net_path_find_by(b->net, &any, &far, &route, &path), -EINVAL);
		route.hop[1] = R1;
		assert_int_equal(net_path_find_by(b->net, &any, &to, &route, &path), -EINVAL);
	}
	bed_destroy(b);
	b = bed_create();
	route = by(PEER);
	assert_int_equal(net_path_find_by(b->net, &any, &far, &route, &path), -EACCES);
	assert_int_equal(err_last()->id, ERR_SOURCE_ROUTES_OFF);
	bed_destroy(b);
}

// A way back that begins at everybody's address would make many answer one.
static void a_way_by_no_host_is_no_route(void **state)
{
	const uint8_t bad[][4] = {{255, 255, 255, 255}, {198, 18, 0, 255}, {224, 0, 0, 1},
				  {127, 0, 0, 1},       {198, 18, 0, 2},   {0, 0, 0, 0}};
	struct bed *b = bed_routed();

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		uint8_t option[] = {1, 131, 11, 12, 203, 0, 113, 1, 0, 0, 0, 0};

		memcpy(option + 8, bad[i], 4);
		struct frame f = with_option(option, sizeof(option), IP_ICMP);
		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(bed_drops(b, DROP_IP4_OPTIONS), i + 1);
	}
	bed_destroy(b);
}

// The largest headers there are find room, behind a tag too; and a card is not asked to sum, which
// would sum the gateway's address.
static void nine_gateways_and_a_tag_fit_in_front_of_a_syn_ack(void **state)
{
	const uint32_t flags = PORT_TX_CHAINS | PORT_TX_TCP_CHECKSUM | PORT_TX_IP_CHECKSUM;
	const struct addr any = {0}, far = addr_from_v4(FAR);
	struct source_route route = {.count = SOURCE_ROUTE_HOPS_MAX};
	struct bed *b = bed_create_with(flags, &(struct net_config){.source_routes = true});
	const struct addr near = addr_from_v4_octets(198, 19, 0, 1);
	struct net_path path;

	for (uint32_t i = 0; i < SOURCE_ROUTE_HOPS_MAX; i++)
		route.hop[i] = i ? be32_of(0xc0000200 + i) : addr_to_v4(&near);
	neighbour_confirm(b->net, &b->net->neighbours.slot[neighbour_get(b->net, 1, &near)],
			  PEER_MAC);
	assert_int_equal(net_path_find_by(b->net, &any, &far, &route, &path), 0);
	assert_int_equal(path.mtu_bytes, 1500 - 40);
	struct pkt *p = pkt_alloc(b->env.pool[POOL_CTRL]);
	struct tcp_header *h = pkt_append(p, 52);

	memset(h, 0, 52);
	h->data_offset = 13 << 4;
	net_output(b->net, p,
		   &(struct net_out){.path = &path,
				     .protocol = IP_TCP,
				     .dont_fragment = true,
				     .l4_header_len = 52,
				     .checksum_offset = TCP_CHECKSUM_OFFSET});
	bed_conserved(b);
	assert_int_equal(b->port[1].tx_count, 1);
	assert_int_equal(capture_read(&b->port[1], 0, b->out), 18 + 60 + 52);
	const struct ipv4_header *ip = (const void *)(b->out + 18);
	assert_int_equal(ipv4_header_len(ip), 60);
	assert_true(checksum_is_good(checksum_add(0, ip, 60)));
	assert_memory_equal(b->out + 18 + 56, &(be32){addr_to_v4(&far).raw}, 4);
	assert_true(checksum_is_good(checksum_pseudo(&path.local, &far, IP_TCP, 52) +
				     checksum_add(0, b->out + 78, 52)));
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_route_that_was_gone_is_taken),
		cmocka_unit_test(a_route_that_goes_on_ends_here_and_the_sender_is_told),
		cmocka_unit_test(what_is_no_route_is_refused),
		cmocka_unit_test(the_way_back_is_the_route_reversed),
		cmocka_unit_test(a_sender_at_the_routes_head_is_no_gateway),
		cmocka_unit_test(a_strict_route_stays_strict_and_begins_on_the_link),
		cmocka_unit_test(each_fragment_has_the_route),
		cmocka_unit_test(a_path_that_went_stale_keeps_its_route),
		cmocka_unit_test(an_echo_goes_back_by_the_way_it_came),
		cmocka_unit_test(an_error_is_about_the_last_of_the_route),
		cmocka_unit_test(routes_that_nobody_holds_make_room),
		cmocka_unit_test(gateways_that_are_no_hosts_are_refused_by_name),
		cmocka_unit_test(an_answer_goes_back_although_all_places_are_in_use),
		cmocka_unit_test(a_way_by_no_host_is_no_route),
		cmocka_unit_test(nine_gateways_and_a_tag_fit_in_front_of_a_syn_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
