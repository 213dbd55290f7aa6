// SPDX-License-Identifier: BSD-3-Clause
// The routing table against a naive search for the longest prefix; and what net_add_* refuse.
#include <errno.h>

#include "bed.h"

// The index of the first of the longest prefixes that hold a, or -1.
static int naive(const struct route *all, uint32_t count, uint32_t a)
{
	int best = -1;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t beyond = 32u - all[i].len;
		bool match = beyond == 32 || a >> beyond == all[i].prefix >> beyond;

		if (match && (best < 0 || all[i].len > all[best].len))
			best = (int)i;
	}
	return best;
}

static void longest_prefix_wins_as_a_naive_search_says(void **state)
{
	static struct routes t;
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 200; round++) {
		struct route all[60];
		uint32_t count = 1 + (uint32_t)rng_below(&r, 60);

		memset(&t, 0, sizeof(t));
		for (uint32_t i = 0; i < count; i++) {
			// Few distinct bits, so that prefixes nest.
			all[i] = (struct route){.prefix = (uint32_t)rng_next(&r) & 0xe0e0e0e0,
						.len = (uint8_t)rng_below(&r, 33),
						.port_index = (uint16_t)i};
			assert_true(route_add(&t, &all[i]));
		}
		for (int probe = 0; probe < 200; probe++) {
			uint32_t a = (uint32_t)rng_next(&r) & 0xe0e0e0e0;
			int best = naive(all, count, a);

			const struct route *found = route_find(&t, be32_of(a));
			assert_int_equal(found ? (int)found->port_index : -1, best);
		}
	}
}

static void a_full_table_refuses(void **state)
{
	static struct routes t;
	struct route r = {.len = 32};

	memset(&t, 0, sizeof(t));
	for (uint32_t i = 0; i < ROUTES_MAX; i++)
		assert_true(route_add(&t, &r));
	assert_false(route_add(&t, &r));
	assert_int_equal(t.count, ROUTES_MAX);
}

static struct net_path path_to(struct bed *b, be32 to, int expected)
{
	struct addr any = {0}, remote = addr_from_v4(to);
	struct net_path path = {0};

	assert_int_equal(net_path_find(b->net, &any, &remote, &path), expected);
	return path;
}

static be32 hop_of(struct bed *b, const struct net_path *path)
{
	return addr_to_v4(&b->net->neighbours.slot[path->neighbour].addr);
}

static void a_path_names_port_source_and_next_hop(void **state)
{
	struct bed *b = bed_create();
	struct addr prefix = addr_from_v4_octets(203, 0, 113, 0),
		    via = addr_from_v4_octets(198, 19, 9, 9);
	struct net_path path = path_to(b, PEER, 0);

	assert_int_equal(path.port_index, 0);
	assert_int_equal(addr_to_v4(&path.local).raw, OURS.raw);
	assert_int_equal(hop_of(b, &path).raw, PEER.raw);
	assert_int_equal(path.mtu_bytes, 1500);
	path = path_to(b, IP(198, 19, 77, 1), 0); // connected on port 1
	assert_int_equal(path.port_index, 1);
	assert_int_equal(addr_to_v4(&path.local).raw, IP(198, 19, 0, 2).raw);
	path = path_to(b, FAR, 0); // by the default gateway
	assert_int_equal(path.port_index, 0);
	assert_int_equal(hop_of(b, &path).raw, PEER.raw);
	struct net_path old = path;
	assert_int_equal(net_add_route(b->net, &prefix, 24, &via), 0);
	path = path_to(b, FAR, 0); // by the more specific route
	assert_int_equal(path.port_index, 1);
	assert_int_equal(hop_of(b, &path).raw, IP(198, 19, 9, 9).raw);
	assert_true(net_path_refresh(b->net, &old)); // the one from before learns of it
	assert_int_equal(old.port_index, 1);
	assert_int_equal(addr_to_v4(&old.local).raw, OURS.raw); // but keeps its source
	bed_destroy(b);
}

static void no_path_leads_to_what_is_not_a_host(void **state)
{
	const be32 none[] = {IP(0, 0, 0, 0), IP(127, 0, 0, 1), IP(240, 0, 0, 1), OURS,
			     IP(198, 19, 0, 2)};
	struct bed *b = bed_create();
	struct addr v6 = {.byte = {0x20, 1, 0xd, 0xb8, [15] = 1}}, any = {0},
		    foreign = addr_from_v4(FAR);
	struct addr peer = addr_from_v4(PEER);
	struct net_path path;

	for (size_t i = 0; i < ARRAY_COUNT(none); i++) {
		path_to(b, none[i], -ENETUNREACH);
		assert_int_equal(err_last()->id, ERR_NO_ROUTE);
	}
	assert_int_equal(net_path_find(b->net, &any, &v6, &path), -ENETUNREACH); // no address of it
	assert_int_equal(err_last()->id, ERR_NO_ROUTE);
	assert_int_equal(net_path_find(b->net, &foreign, &peer, &path), -EADDRNOTAVAIL);
	assert_int_equal(err_last()->id, ERR_ADDRESS_NOT_OURS);
	bed_destroy(b);
}

static void broadcasts_need_no_neighbour(void **state)
{
	struct bed *b = bed_create();
	struct addr from = addr_from_v4_octets(198, 19, 0, 2),
		    all = addr_from_v4(IP(255, 255, 255, 255));
	struct net_path path = path_to(b, IP(255, 255, 255, 255), 0);

	assert_int_equal(path.port_index, 0);
	assert_int_equal(b->net->neighbours.slot[path.neighbour].state, NEIGHBOUR_FIXED);
	assert_int_equal(net_path_find(b->net, &from, &all, &path), 0); // by the port of the source
	assert_int_equal(path.port_index, 1);
	path = path_to(b, IP(198, 19, 255, 255), 0);
	assert_int_equal(path.port_index, 1);
	assert_memory_equal(b->net->neighbours.slot[path.neighbour].header,
			    "\xff\xff\xff\xff\xff\xff", 6);
	bed_destroy(b);
}

static void a_group_is_not_one_host(void **state)
{
	const be32 groups[] = {IP(224, 0, 0, 1), IP(255, 255, 255, 255), IP(198, 18, 0, 255),
			       IP(198, 19, 255, 255)};
	const be32 hosts[] = {PEER, FAR, OURS, IP(198, 19, 0, 255)};
	struct addr v6 = {.byte = {0xff, 2, [15] = 1}};
	struct bed *b = bed_create();

	for (size_t i = 0; i < ARRAY_COUNT(groups); i++) {
		struct addr group = addr_from_v4(groups[i]), host = addr_from_v4(hosts[i]);

		assert_true(net_is_group(b->net, &group));
		assert_false(net_is_group(b->net, &host));
	}
	assert_true(net_is_group(b->net, &v6));
	bed_destroy(b);
}

// RFC 1112 6.2: by the first port, unless a route or the source says another.
static void a_groups_path_ends_on_the_link_that_a_route_names(void **state)
{
	struct bed *b = bed_create();
	struct addr via = addr_from_v4_octets(198, 19, 0, 9);
	struct addr groups = addr_from_v4_octets(239, 0, 0, 0);
	struct net_path path = path_to(b, IP(239, 1, 2, 3), 0);

	assert_int_equal(path.port_index, 0);
	assert_int_equal(hop_of(b, &path).raw, IP(239, 1, 2, 3).raw);
	assert_int_equal(net_add_route(b->net, &groups, 8, &via), 0);
	path = path_to(b, IP(239, 1, 2, 3), 0);
	assert_int_equal(path.port_index, 1);
	assert_int_equal(hop_of(b, &path).raw, IP(239, 1, 2, 3).raw);
	assert_int_equal(path_to(b, IP(232, 1, 2, 3), 0).port_index, 0);
	bed_destroy(b);
}

static void a_lowered_mtu_holds_for_ten_minutes(void **state)
{
	struct bed *b = bed_create();
	struct addr far = addr_from_v4(FAR), v6 = {.byte = {0x20, 1}};
	struct net_path path = path_to(b, FAR, 0);

	net_lower_mtu(b->net, &far, 1400);
	net_lower_mtu(b->net, &v6, 1400); // nothing to remember
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.mtu_bytes, 1400);
	assert_int_equal(path_to(b, PEER, 0).mtu_bytes, 1500);
	net_lower_mtu(b->net, &far, 68); // not below the floor
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.mtu_bytes, 552);
	bed_time(b, 599 * NS_PER_S);
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.mtu_bytes, 552);
	bed_time(b, 2 * NS_PER_S);
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.mtu_bytes, 1500);
	net_lower_mtu(b->net, &far, 9000); // nothing above the port's
	assert_int_equal(path_to(b, FAR, 0).mtu_bytes, 1500);
	bed_destroy(b);
}

// RFC 1191 3: "a host MUST NOT increase its estimate of the Path MTU in response to the contents of
// a Datagram Too Big message"
static void no_report_raises_an_mtu_or_costs_a_path(void **state)
{
	struct bed *b = bed_create();
	struct addr far = addr_from_v4(FAR);
	struct net_path path;

	net_lower_mtu(b->net, &far, 1000);
	path = path_to(b, FAR, 0);
	for (uint32_t mtu_bytes = 1000; mtu_bytes < 1500; mtu_bytes += 100) {
		net_lower_mtu(b->net, &far, mtu_bytes);
		assert_true(net_path_is_fresh(b->net, &path));
		assert_int_equal(path_to(b, FAR, 0).mtu_bytes, 1000);
	}
	net_lower_mtu(b->net, &far, 999);
	assert_false(net_path_is_fresh(b->net, &path));
	assert_int_equal(path_to(b, FAR, 0).mtu_bytes, 999);
	bed_destroy(b);
}

static void what_cannot_be_configured_is_refused_by_name(void **state)
{
	struct bed *b = bed_create();
	struct addr v6 = {.byte = {0x20, 1, 0xd, 0xb8, [15] = 1}}, group = {.byte = {0xff, 2}},
		    all = addr_from_v4(IP(0, 0, 0, 0));
	struct addr far = addr_from_v4(FAR), peer = addr_from_v4(PEER);
	struct net_port_config c = {.address_count = 1};
	struct capture_port third;

	capture_init(&third, 2, 0);
	c.addresses[0].addr = group;
	c.addresses[0].prefix_len = 64;
	assert_int_equal(net_add_port(b->net, &third.port, &c), -EINVAL);
	assert_int_equal(err_last()->id, ERR_ADDRESS_NOT_HOST);
	assert_int_equal(net_add_route(b->net, &v6, 64, &peer), -EINVAL);
	assert_int_equal(err_last()->id, ERR_ADDRESS_NOT_HOST);
	assert_int_equal(net_add_route(b->net, &v6, 64, &v6), -ENETUNREACH);
	assert_int_equal(net_add_route(b->net, &all, 0, &far),
			 -ENETUNREACH); // behind a gateway itself
	assert_int_equal(err_last()->id, ERR_GATEWAY_OFF_LINK);
	int error = 0;
	for (uint32_t i = 0; i < ROUTES_MAX && !error; i++)
		error = net_add_route(b->net, &far, 32, &peer);
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(err_last()->id, ERR_ROUTES_FULL);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_wins_as_a_naive_search_says),
		cmocka_unit_test(a_full_table_refuses),
		cmocka_unit_test(a_path_names_port_source_and_next_hop),
		cmocka_unit_test(no_path_leads_to_what_is_not_a_host),
		cmocka_unit_test(broadcasts_need_no_neighbour),
		cmocka_unit_test(a_group_is_not_one_host),
		cmocka_unit_test(a_groups_path_ends_on_the_link_that_a_route_names),
		cmocka_unit_test(a_lowered_mtu_holds_for_ten_minutes),
		cmocka_unit_test(no_report_raises_an_mtu_or_costs_a_path),
		cmocka_unit_test(what_cannot_be_configured_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
