// SPDX-License-Identifier: BSD-3-Clause
// Connections whose own address is not ours any more.
#include "net/inside.h"
#include "peer.h"

// The host has another address from now on.
static void move_away(struct peer *b)
{
	b->net->port[0].address[0].addr = be32_of(0xc6120003);
	b->net->generation++;
	b->env.addresses_lost++;
}

static void a_connection_ends_by_name_when_its_address_goes(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_host_sends(b, 1000, 1000);
	expect(b, ACK, 1, 1, 1000);
	move_away(b);
	assert_true(tcp_busy(b->tcp));
	peer_turn(b);
	assert_int_equal(b->closed, 1);
	assert_int_equal(b->reason, PRISM_CLOSE_ADDRESS_GONE);
	assert_int_equal(peer_count(b, COUNTER_tcp_estab_resets), 1);
	expect_nothing(b); // it is not ours to speak from
	assert_false(tcp_busy(b->tcp));
	peer_destroy(b);
}

static void a_connection_under_way_ends_too(void **state)
{
	struct peer *b = peer_create();
	const struct tcp_tuple tuple = {.remote = addr_from_v4_octets(198, 18, 0, 1),
					.remote_port = 9};

	(void)state;
	assert_int_equal(tcp_connect(b->tcp, &tuple, 1, &b->conn), 0);
	peer_turn(b);
	assert_true(peer_read(b));
	move_away(b);
	peer_turn(b);
	assert_int_equal(b->reason, PRISM_CLOSE_ADDRESS_GONE);
	assert_int_equal(peer_count(b, COUNTER_tcp_attempt_fails), 1);
	peer_destroy(b);
}

static void one_whose_address_stays_goes_on(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	b->env.addresses_lost++; // another one
	peer_turn(b);
	assert_false(tcp_busy(b->tcp));
	assert_int_equal(peer_state(b), ESTABLISHED);
	peer_host_sends(b, 10, 10);
	expect(b, ACK, 1, 1, 10);
	peer_destroy(b);
}

// Many slots are looked at in many turns, and who comes last is found as well, also when something
// more is lost meanwhile.
static void all_are_found_in_the_end(void **state)
{
	struct tcp_config config = peer_config();

	(void)state;
	config.connections_max = 5000;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);

	peer_open(b);
	b->tcp->homeless.hand = (conn_index(b->tcp, peer_conn(b)) + 1) % 5000;
	b->env.addresses_lost++;
	tcp_flush(b->tcp);
	move_away(b);
	for (uint32_t turn = 0; turn < 3; turn++) {
		tcp_flush(b->tcp);
		assert_true(tcp_busy(b->tcp));
		peer_deliver(b);
		assert_int_equal(b->closed, 0);
	}
	tcp_flush(b->tcp); // the fifth thousand: its slot
	peer_deliver(b);
	assert_int_equal(b->reason, PRISM_CLOSE_ADDRESS_GONE);
	peer_turn(b);
	assert_false(tcp_busy(b->tcp));
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_ends_by_name_when_its_address_goes),
		cmocka_unit_test(a_connection_under_way_ends_too),
		cmocka_unit_test(one_whose_address_stays_goes_on),
		cmocka_unit_test(all_are_found_in_the_end),
	};

	return run_peer_tests(tests);
}
