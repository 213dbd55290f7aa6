// SPDX-License-Identifier: BSD-3-Clause
// UDP: datagrams in and out without a copy, sockets, refusals.
#include <errno.h>

#include "bed.h"

static void echo_turns_the_same_buffer_round(void **state)
{
	struct bed *b = bed_create();
	struct prism_event e;
	struct frame f;

	bed_open(b, 7);
	bed_meet(b, PEER, PEER_MAC);
	frame_udp(&f, PEER, OURS, 7, "hello", 5);
	bed_in(b, 0, f.byte, f.len);
	assert_true(udp_pending(b->net));
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	bed_conserved(b);
	assert_int_equal(e.type, PRISM_EVENT_DATAGRAM);
	assert_int_equal(e.user, 77);
	assert_int_equal(e.len, 5);
	assert_memory_equal(e.data, "hello", 5);
	assert_int_equal(e.peer_port, 5000);
	assert_int_equal(e.local_port, 7);
	const void *data = e.data;
	assert_int_equal(udp_reply(b->net, &e, (struct pkt *)e.buf), 0);
	bed_conserved(b);
	const struct ipv4_header *h = bed_last_ip4(b);
	const struct udp_header *u = (const void *)(h + 1);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_int_equal(h->src.raw, OURS.raw);
	assert_int_equal(h->dst.raw, PEER.raw);
	assert_int_equal(be16_get(h->fragment), IPV4_DF);
	assert_int_equal(be16_get(u->src_port), 7);
	assert_int_equal(be16_get(u->dst_port), 5000);
	assert_true(bed_l4_good(h));
	assert_memory_equal(u + 1, "hello", 5);
	assert_ptr_equal(pkt_data(b->port[0].tx[0]) + 42, data);
	for (int i = COUNTER_copied_bytes_pack; i <= COUNTER_copied_bytes_error; i++)
		assert_int_equal(b->counters.value[i], 0);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_turns_the_same_buffer_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
