// SPDX-License-Identifier: BSD-3-Clause
// The connection table while another thread reads it and stands still: the worker waits for nobody.
#include "peer.h"

static struct epoch *epoch;
static int visitor;

static void stand_still_in_the_table(struct peer *b)
{
	epoch = tcp_epoch(b->tcp);
	visitor = epoch_visit(epoch, 1);
	assert_true(visitor >= 0);
	epoch_online(epoch, visitor);
}

// A handshake that is given up at once: its key's slot waits for the visitor.
static void come_and_go(struct peer *b, uint16_t port)
{
	peer_seg(b, (struct in){.flags = SYN, .src_port = port});
	if (!peer_read(b))
		return;
	peer_seg(b, (struct in){.flags = RST, .seq = 1, .src_port = port});
}

static void use_up_the_table(struct peer *b)
{
	for (uint16_t port = 6000; port < 6200; port++)
		come_and_go(b, port);
	assert_true(peer_drops(b, DROP_TCP_CONNECTIONS_FULL) > 100);
}

static void a_full_table_is_a_named_drop_until_the_visitor_leaves(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	stand_still_in_the_table(b);
	use_up_the_table(b);
	epoch_leave(epoch, visitor);
	uint64_t drops = peer_drops(b, DROP_TCP_CONNECTIONS_FULL);

	for (uint16_t port = 6200; port < 6400; port++)
		come_and_go(b, port);
	assert_int_equal(peer_drops(b, DROP_TCP_CONNECTIONS_FULL), drops);
	peer_destroy(b);
}

// What is in the table stays in it under another owner: that needs no new slot.
static void a_full_table_ends_no_connection_that_is_under_way(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_listen(b);
	peer_seg(b, (struct in){.flags = SYN});
	expect(b, SYN | ACK, 0, 1, 0);
	stand_still_in_the_table(b);
	for (uint16_t port = 6000; port < 6200; port++) { // one half-open stays
		uint32_t iss = b->host_iss;

		come_and_go(b, port);
		b->host_iss = iss;
	}
	assert_true(peer_drops(b, DROP_TCP_CONNECTIONS_FULL) > 100);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1}); // from half open to established
	assert_int_equal(b->accepted, 1);
	tcp_close(b->tcp, b->conn);
	peer_turn(b);
	expect(b, FIN | ACK, 1, 1, 0);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2}); // and to TIME-WAIT
	expect(b, ACK, 2, 2, 0);
	peer_time(b, 40 * NS_PER_S);
	peer_seg(b, (struct in){.flags = FIN | ACK, .seq = 1, .ack = 2}); // which begins anew
	expect(b, ACK, 2, 2, 0);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_table_is_a_named_drop_until_the_visitor_leaves),
		cmocka_unit_test(a_full_table_ends_no_connection_that_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
