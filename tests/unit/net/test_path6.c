// SPDX-License-Identifier: BSD-3-Clause
// IPv6 paths: where they lead, from which address, and what is refused.
#include <errno.h>

#include "bed6.h"

static struct net_path path_to(struct bed *b, const struct addr *to)
{
	struct net_path path = {0};

	assert_int_equal(net_path_find(b->net, &NOBODY6, to, &path), 0);
	return path;
}

static const struct addr *hop_of(struct bed *b, const struct net_path *path)
{
	return &b->net->neighbours.slot[path->neighbour].addr;
}

static void who_is_on_the_link_is_his_own_next_hop(void **state)
{
	struct bed *b = bed6_create();
	struct net_path path = path_to(b, &PEER6);

	assert_int_equal(path.port_index, 0);
	assert_int_equal(path.mtu_bytes, 1500);
	assert_true(addr_equal(&path.local, &OURS6));
	assert_true(addr_equal(hop_of(b, &path), &PEER6));
	assert_true(net_path_is_ip6(&path));
	path = path_to(b, &LOCAL6);
	assert_true(addr_equal(&path.local, bed6_local(b)));
	bed_destroy(b);
}

static void who_is_not_is_reached_by_the_longest_prefix(void **state)
{
	struct addr wide = {.byte = {0x20, 1, 0xd, 0xb8}}, via = PEER6;
	struct bed *b = bed6_create();
	struct net_path path;

	assert_int_equal(net_path_find(b->net, &NOBODY6, &FAR6, &path), -ENETUNREACH);
	assert_int_equal(err_last()->id, ERR_NO_ROUTE);
	assert_int_equal(path6_add_gateway(b->net, 0, &LOCAL6), 0);
	path = path_to(b, &FAR6);
	assert_true(addr_equal(hop_of(b, &path), &LOCAL6));
	assert_true(addr_equal(&path.local, &OURS6));
	via.byte[15] = 9;
	assert_int_equal(net_add_route(b->net, &wide, 32, &via), 0);
	assert_false(net_path_is_fresh(b->net, &path));
	assert_true(net_path_refresh(b->net, &path));
	assert_true(addr_equal(hop_of(b, &path), &via));
	path = path_to(b, &PEER6);
	assert_true(addr_equal(hop_of(b, &path), &PEER6));
	bed_destroy(b);
}

static void a_link_local_peer_is_on_the_link_of_our_address(void **state)
{
	struct addr other = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x19, [15] = 2}};
	struct bed *b = bed6_create();
	struct net_path path;

	assert_int_equal(ip6_add_address(b->net, 1, &other, 64), 0);
	const struct addr *second = &b->net->ip6->port[1].address[0].addr;

	assert_int_equal(net_path_find(b->net, second, &LOCAL6, &path), 0);
	assert_int_equal(path.port_index, 1);
	assert_int_equal(net_path_find(b->net, bed6_local(b), &LOCAL6, &path), 0);
	assert_int_equal(path.port_index, 0);
	bed_destroy(b);
}

static void no_path_leads_to_what_is_no_host_or_from_what_is_not_ours(void **state)
{
	const struct addr none[] = {{.byte = {[15] = 1}}, OURS6};
	struct bed *b = bed6_create();
	struct addr v4 = addr_from_v4(OURS);
	struct net_path path;

	for (size_t i = 0; i < ARRAY_COUNT(none); i++)
		assert_int_equal(net_path_find(b->net, &NOBODY6, &none[i], &path), -ENETUNREACH);
	assert_int_equal(net_path_find(b->net, &FAR6, &ALL_NODES6, &path), -EADDRNOTAVAIL);
	assert_int_equal(net_path_find(b->net, &FAR6, &PEER6, &path), -EADDRNOTAVAIL);
	assert_int_equal(net_path_find(b->net, &v4, &PEER6, &path), -EADDRNOTAVAIL);
	bed_destroy(b);
}

static void a_gateway_must_be_on_the_link(void **state)
{
	struct bed *b = bed6_create();

	assert_int_equal(path6_add_gateway(b->net, 0, &FAR6), -ENETUNREACH);
	assert_int_equal(err_last()->id, ERR_GATEWAY_OFF_LINK);
	assert_int_equal(path6_add_gateway(b->net, 1, &LOCAL6), -ENETUNREACH); // no IPv6 there
	assert_int_equal(net_add_route(b->net, &NOBODY6, 0, &LOCAL6), -ENETUNREACH);
	assert_int_equal(net_add_route(b->net, &NOBODY6, 129, &PEER6), -EINVAL);
	bed_destroy(b);
}

static void a_full_table_refuses_by_name(void **state)
{
	struct bed *b = bed6_create();
	int error = 0;

	for (uint32_t i = 0; i < IP6_ROUTES_MAX && !error; i++)
		error = net_add_route(b->net, &FAR6, 128, &PEER6);
	assert_int_equal(error, -ENOSPC);
	assert_int_equal(err_last()->id, ERR_ROUTES_FULL);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_on_the_link_is_his_own_next_hop),
		cmocka_unit_test(who_is_not_is_reached_by_the_longest_prefix),
		cmocka_unit_test(a_link_local_peer_is_on_the_link_of_our_address),
		cmocka_unit_test(no_path_leads_to_what_is_no_host_or_from_what_is_not_ours),
		cmocka_unit_test(a_gateway_must_be_on_the_link),
		cmocka_unit_test(a_full_table_refuses_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
