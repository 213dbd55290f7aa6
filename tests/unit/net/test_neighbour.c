// SPDX-License-Identifier: BSD-3-Clause
// The neighbour table: what waits, what gives way, and whom nobody can lock out.
#include "arp_bed.h"

static void a_full_queue_gives_up_its_oldest(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 100);

	for (int i = 0; i < NEIGHBOUR_QUEUE_PKTS_MAX + 3; i++)
		want(b, udp, PEER);
	assert_int_equal(bed_drops(b, DROP_ARP_QUEUE_FULL), 3);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], NEIGHBOUR_QUEUE_PKTS_MAX);
	bed_destroy(b);
}

static void all_queues_together_are_bounded(void **state)
{
	struct bed *b =
		bed_create_with(PORT_TX_CHAINS, &(struct net_config){.neighbour_pkts_max = 4});
	prism_udp udp = bed_open(b, 100);

	for (uint8_t i = 0; i < 10; i++)
		want(b, udp, IP(198, 18, 0, 100 + i));
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 4);
	assert_int_equal(bed_drops(b, DROP_ARP_QUEUE_FULL), 6);
	want(b, udp, IP(198, 18, 0, 109)); // has one waiting: the newer one stays
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 4);
	assert_int_equal(bed_neighbour(b, IP(198, 18, 0, 109))->queue_count, 1);
	bed_destroy(b);
}

// Packets for stations that do not exist fill all the room there is.
static void those_that_never_answer_lock_nobody_out(void **state)
{
	struct bed *b =
		bed_create_with(PORT_TX_CHAINS, &(struct net_config){.neighbour_pkts_max = 4});
	prism_udp udp = bed_open(b, 100);

	for (uint8_t i = 0; i < 10; i++)
		want(b, udp, IP(198, 18, 0, 100 + i));
	assert_int_equal(b->port[0].tx_count, 10); // each is asked for
	want(b, udp, PEER);
	assert_int_equal(b->port[0].tx_count, 11);
	arp_out(b, 10, ARP_REQUEST, PEER);
	arp_in(b, ARP_REPLY, PEER_MAC, PEER, OURS);
	assert_int_equal(b->port[0].tx_count, 12);
	bed_last_ip4(b);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 3);
	bed_destroy(b);
}

static void a_newcomer_takes_a_place_of_the_longest_queue(void **state)
{
	struct bed *b =
		bed_create_with(PORT_TX_CHAINS, &(struct net_config){.neighbour_pkts_max = 6});
	prism_udp udp = bed_open(b, 100);
	static const uint8_t hosts[] = {101, 102, 102, 102, 102, 103, 104, 105, 106};

	for (size_t i = 0; i < sizeof(hosts); i++)
		want(b, udp, IP(198, 18, 0, hosts[i]));
	for (uint8_t host = 101; host <= 106; host++)
		assert_int_equal(bed_neighbour(b, IP(198, 18, 0, host))->queue_count, 1);
	want(b, udp, IP(198, 18, 0, 107)); // all are equally long: who waits longest
	assert_int_equal(bed_neighbour(b, IP(198, 18, 0, 101))->queue_count, 0);
	assert_int_equal(bed_neighbour(b, IP(198, 18, 0, 107))->queue_count, 1);
	bed_destroy(b);
}

static void forged_requests_do_not_lock_out_peers(void **state)
{
	struct bed *b = bed_create_with(PORT_TX_CHAINS, &(struct net_config){.neighbours_max = 64});
	prism_udp udp = bed_open(b, 100);
	uint32_t kept = 0;

	bed_meet(b, PEER, PEER_MAC);
	want(b, udp, PEER);
	for (uint32_t i = 0; i < 5000; i++) {
		b->env.now_ns += NS_PER_MS;
		if (i % 10 == 0)
			want(b, udp, PEER); // in use, so the forged ones are to go
		arp_in(b, ARP_REQUEST, EVIL_MAC, IP(198, 18, 0, 3 + i % 250), OURS);
		kept += bed_neighbour(b, PEER) &&
			bed_neighbour(b, PEER)->state == NEIGHBOUR_REACHABLE;
		bed_clear(b);
	}
	assert_true(kept > 4900);
	bed_clear(b);
	want(b, udp, IP(198, 18, 0, 254)); // and a new one gets in
	assert_non_null(bed_neighbour(b, IP(198, 18, 0, 254)));
	bed_destroy(b);
}

// Asked a moment ago, and not heard of yet: those that only spoke to us go before him.
static void forged_requests_do_not_push_out_who_is_being_asked(void **state)
{
	struct bed *b = bed_create_with(PORT_TX_CHAINS, &(struct net_config){.neighbours_max = 64});

	want(b, bed_open(b, 100), PEER);
	for (uint32_t i = 0; i < 5000; i++) {
		arp_in(b, ARP_REQUEST, EVIL_MAC, IP(198, 18, 0, 3 + i % 250), OURS);
		bed_clear(b);
	}
	arp_in(b, ARP_REPLY, PEER_MAC, PEER, OURS);
	assert_int_equal(b->port[0].tx_count, 1);
	bed_last_ip4(b);
	assert_memory_equal(b->out, PEER_MAC, 6);
	bed_destroy(b);
}

static void a_stale_path_is_found_anew(void **state)
{
	struct bed *b = bed_create_with(PORT_TX_CHAINS, &(struct net_config){.neighbours_max = 8});
	struct addr any = {0}, to = addr_from_v4(PEER);
	struct net_path path;

	assert_int_equal(net_path_find(b->net, &any, &to, &path), 0);
	uint32_t before = path.generation;
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.generation, before);
	for (uint8_t i = 0; i < 40; i++) // its slot goes to others
		arp_in(b, ARP_REQUEST, EVIL_MAC, IP(198, 18, 0, 100 + i), OURS);
	assert_null(bed_neighbour(b, PEER));
	assert_true(net_path_refresh(b->net, &path));
	assert_ptr_equal(bed_neighbour(b, PEER), &b->net->neighbours.slot[path.neighbour]);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_queue_gives_up_its_oldest),
		cmocka_unit_test(all_queues_together_are_bounded),
		cmocka_unit_test(those_that_never_answer_lock_nobody_out),
		cmocka_unit_test(a_newcomer_takes_a_place_of_the_longest_queue),
		cmocka_unit_test(forged_requests_do_not_lock_out_peers),
		cmocka_unit_test(forged_requests_do_not_push_out_who_is_being_asked),
		cmocka_unit_test(a_stale_path_is_found_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
