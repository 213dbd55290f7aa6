// SPDX-License-Identifier: BSD-3-Clause
// What of a lease a port takes beside its configuration, and what is left when it goes.
#include "bed_dhcp.h"

// The server offers this; the client answers nothing, and the reason is counted.
static void is_refused(struct bed *b, struct said w, enum drop reason)
{
	uint64_t before = bed_drops(b, reason);

	bed_clear(b);
	bed_say(b, w);
	assert_int_equal(bed_drops(b, reason), before + 1);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	assert_int_equal(b->port[0].tx_count, 0);
}

static struct said offer_of(be32 yours, uint8_t prefix_len)
{
	struct said w = offer();

	w.yours = yours;
	w.prefix_len = prefix_len;
	return w;
}

static void a_network_that_overlaps_a_configured_one_is_refused(void **state)
{
	struct bed *b = bed_dhcp_beside();

	is_refused(b, offer_of(IP(198, 19, 7, 50), 24), DROP_DHCP_OVERLAP); // within port 1's
	is_refused(b, offer_of(IP(198, 19, 7, 50), 16), DROP_DHCP_OVERLAP); // the same
	is_refused(b, offer_of(IP(198, 30, 0, 1), 8), DROP_DHCP_OVERLAP);   // around both
	is_refused(b, offer_of(GIVEN, 26), DROP_DHCP_OVERLAP); // a part of the port's own
	assert_int_equal(bed_drops(b, DROP_DHCP_OVERLAP), 4);
	bed_say(b, offer()); // beside the configured address, in its network
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	bed_destroy(b);
}

static void a_network_that_a_configured_route_leads_to_is_refused(void **state)
{
	struct bed *b = bed_dhcp_beside();
	const struct addr ten = addr_from_v4_octets(10, 0, 0, 0),
			  via = addr_from_v4_octets(198, 19, 9, 9);

	assert_int_equal(net_add_route(b->net, &ten, 8, &via), 0);
	is_refused(b, offer_of(IP(10, 1, 2, 3), 24), DROP_DHCP_OVERLAP);
	is_refused(b, offer_of(IP(10, 1, 2, 3), 8), DROP_DHCP_OVERLAP);
	bed_say(b, offer_of(IP(11, 1, 2, 3), 24)); // the default route is in nobody's way
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	bed_destroy(b);
}

static void an_address_that_is_ours_or_a_gateways_is_refused(void **state)
{
	struct bed *b = bed_dhcp_beside();

	struct said w = offer_of(PEER, 24); // gateway: of port 0

	w.router = IP(198, 18, 0, 9);
	is_refused(b, w, DROP_DHCP_TAKEN);
	is_refused(b, offer_of(OURS, 24), DROP_DHCP_TAKEN);
	assert_int_equal(bed_drops(b, DROP_DHCP_TAKEN), 2);
	bed_destroy(b);
}

static void a_network_of_less_than_eight_bits_is_refused(void **state)
{
	struct bed *b = bed_dhcp();

	is_refused(b, offer_of(GIVEN, 7), DROP_DHCP_MASK);
	is_refused(b, offer_of(GIVEN, 1), DROP_DHCP_MASK);
	bed_destroy(b);
}

static void a_router_that_is_no_one_host_is_refused(void **state)
{
	struct bed *b = bed_dhcp_beside();
	const be32 nobody[] = {
		IP(198, 18, 0, 255), IP(198, 18, 0, 0),     GIVEN, OURS, IP(224, 0, 0, 1),
		IP(127, 0, 0, 1),    IP(255, 255, 255, 255)};
	struct said w = offer();

	for (uint32_t i = 0; i < ARRAY_COUNT(nobody); i++) {
		w.router = nobody[i];
		is_refused(b, w, DROP_DHCP_ROUTER);
	}
	bed_destroy(b);
}

// What was offered is looked at again when it is acknowledged, and when it is renewed.
static void an_acknowledgment_of_another_network_is_refused(void **state)
{
	struct bed *b = bed_dhcp_beside();
	struct said w = ack();

	w.prefix_len = 8;
	bed_say(b, offer());
	bed_say(b, w);
	assert_int_equal(bed_drops(b, DROP_DHCP_OVERLAP), 1);
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	bed_say(b, ack());
	bed_time(b, AFTER_PROBES_NS);
	bed_time(b, 1810 * NS_PER_S);
	assert_int_equal(client(b)->state, DHCP_RENEWING);
	bed_say(b, w);
	assert_int_equal(bed_drops(b, DROP_DHCP_OVERLAP), 2);
	assert_int_equal(lease_of(b->net, 0)->prefix_len, 24);
	bed_say(b, ack());
	assert_int_equal(client(b)->state, DHCP_BOUND);
	bed_destroy(b);
}

static void a_lease_that_ends_leaves_the_configured_network(void **state)
{
	struct bed *b = bed_dhcp_beside();
	const struct addr any = {0}, peer = addr_from_v4(IP(198, 18, 0, 9));
	struct net_path path;

	bed_bind(b, 3600);
	bed_time(b, 3700 * NS_PER_S);
	assert_false(net_is_ours(b->net, GIVEN));
	assert_int_equal(net_path_find(b->net, &any, &peer, &path), 0);
	assert_true(addr_to_v4(&path.local).raw == OURS.raw);
	for (uint32_t i = 0; i < b->net->routes.count; i++)
		assert_false(b->net->routes.route[i].is_leased);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_that_overlaps_a_configured_one_is_refused),
		cmocka_unit_test(a_network_that_a_configured_route_leads_to_is_refused),
		cmocka_unit_test(an_address_that_is_ours_or_a_gateways_is_refused),
		cmocka_unit_test(a_network_of_less_than_eight_bits_is_refused),
		cmocka_unit_test(a_router_that_is_no_one_host_is_refused),
		cmocka_unit_test(an_acknowledgment_of_another_network_is_refused),
		cmocka_unit_test(a_lease_that_ends_leaves_the_configured_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
