// SPDX-License-Identifier: BSD-3-Clause
// ARP in virtual time: learning, asking, giving up, defending.
#include "arp_bed.h"

static void a_request_for_us_is_answered_in_its_own_buffer(void **state)
{
	struct bed *b = bed_create();
	uint32_t ctrl = pool_available(b->env.pool[POOL_CTRL]);

	arp_in(b, ARP_REQUEST, PEER_MAC, PEER, OURS);
	const struct arp_packet *a = arp_out(b, 0, ARP_REPLY, PEER);
	assert_int_equal(a->sender.raw, OURS.raw);
	assert_memory_equal(a->target_mac, PEER_MAC, 6);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_int_equal(pool_available(b->env.pool[POOL_CTRL]), ctrl);
	want(b, bed_open(b, 100), PEER); // learnt: no question
	assert_int_equal(b->port[0].tx_count, 2);
	bed_last_ip4(b);
	bed_destroy(b);
}

static void a_probe_is_answered_and_teaches_nothing(void **state)
{
	struct bed *b = bed_create();

	arp_in(b, ARP_REQUEST, PEER_MAC, IP(0, 0, 0, 0), OURS);
	arp_out(b, 0, ARP_REPLY, IP(0, 0, 0, 0));
	assert_null(bed_neighbour(b, IP(0, 0, 0, 0)));
	bed_destroy(b);
}

static void packets_wait_for_the_answer_and_leave_in_order(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 100);

	for (int i = 0; i < 3; i++)
		want(b, udp, PEER);
	assert_int_equal(b->port[0].tx_count, 1);
	arp_out(b, 0, ARP_REQUEST, PEER);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 3);
	arp_in(b, ARP_REPLY, PEER_MAC, PEER, OURS);
	assert_int_equal(b->port[0].tx_count, 4);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 0);
	bed_last_ip4(b);
	assert_memory_equal(b->out, PEER_MAC, 6);
	bed_destroy(b);
}

static void silence_is_asked_three_times_and_then_believed(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 100);

	want(b, udp, PEER);
	assert_int_equal(b->port[0].tx_count, 1);
	bed_time(b, 1100 * NS_PER_MS);
	assert_int_equal(b->port[0].tx_count, 2);
	bed_time(b, 2 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 3);
	assert_int_equal(bed_drops(b, DROP_ARP_UNREACHABLE), 0);
	bed_time(b, 4 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 3);
	assert_int_equal(bed_drops(b, DROP_ARP_UNREACHABLE), 1);
	want(b, udp, PEER); // known to be silent
	assert_int_equal(bed_drops(b, DROP_ARP_UNREACHABLE), 2);
	assert_int_equal(b->port[0].tx_count, 3);
	bed_time(b, 4 * NS_PER_S); // forgotten
	want(b, udp, PEER);
	assert_int_equal(b->port[0].tx_count, 4);
	arp_in(b, ARP_REPLY, PEER_MAC, PEER, OURS);
	assert_int_equal(b->port[0].tx_count, 5);
	bed_destroy(b);
}

static void a_used_entry_is_probed_before_it_expires(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 100);

	arp_in(b, ARP_REQUEST, PEER_MAC, PEER, OURS);
	bed_time(b, 30 * NS_PER_S);
	want(b, udp, PEER);
	bed_clear(b);
	bed_time(b, 30500 * NS_PER_MS);
	assert_int_equal(b->port[0].tx_count, 1);
	arp_out(b, 0, ARP_REQUEST, PEER);
	assert_memory_equal(b->out, PEER_MAC, 6); // to it alone
	want(b, udp, PEER);                       // still used meanwhile
	bed_last_ip4(b);
	arp_in(b, ARP_REPLY, PEER_MAC, PEER, OURS);
	bed_clear(b);
	bed_time(b, 10 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 0); // fresh again
	bed_destroy(b);
}

static void a_probed_entry_that_stays_silent_is_forgotten(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 100);

	arp_in(b, ARP_REQUEST, PEER_MAC, PEER, OURS);
	bed_time(b, 30 * NS_PER_S);
	want(b, udp, PEER);
	bed_time(b, 35 * NS_PER_S);
	assert_null(bed_neighbour(b, PEER));
	bed_clear(b);
	want(b, udp, PEER);
	arp_out(b, 0, ARP_REQUEST, PEER);
	assert_memory_equal(b->out, "\xff\xff\xff\xff\xff\xff", 6);
	bed_destroy(b);
}

static void an_unused_entry_is_forgotten_silently(void **state)
{
	struct bed *b = bed_create();

	bed_meet(b, PEER, PEER_MAC);
	bed_time(b, 61 * NS_PER_S);
	assert_null(bed_neighbour(b, PEER));
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

static void what_nobody_asked_is_not_learnt(void **state)
{
	struct bed *b = bed_create();

	arp_in(b, ARP_REPLY, EVIL_MAC, PEER, OURS);
	assert_int_equal(bed_drops(b, DROP_ARP_UNASKED), 1);
	assert_null(bed_neighbour(b, PEER));
	bed_meet(b, PEER, PEER_MAC);
	arp_in(b, ARP_REPLY, EVIL_MAC, PEER, OURS);
	assert_int_equal(bed_drops(b, DROP_ARP_UNASKED), 2);
	want(b, bed_open(b, 100), PEER);
	bed_last_ip4(b);
	assert_memory_equal(b->out, PEER_MAC, 6);
	bed_destroy(b);
}

static void hearsay_makes_us_ask_but_not_believe(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 100);

	bed_meet(b, PEER, PEER_MAC);
	arp_in(b, ARP_REQUEST, EVIL_MAC, PEER, PEER); // gratuitous: the address moved?
	assert_int_equal(bed_drops(b, DROP_ARP_NOT_OURS), 1);
	arp_out(b, 0, ARP_REQUEST, PEER);
	assert_memory_equal(b->out, "\xff\xff\xff\xff\xff\xff", 6);
	want(b, udp, PEER);
	bed_last_ip4(b);
	assert_memory_equal(b->out, PEER_MAC, 6);
	arp_in(b, ARP_REPLY, EVIL_MAC, PEER, OURS); // it did
	want(b, udp, PEER);
	bed_last_ip4(b);
	assert_memory_equal(b->out, EVIL_MAC, 6);
	bed_destroy(b);
}

static void talk_among_others_is_dropped_by_name(void **state)
{
	struct bed *b = bed_create();

	arp_in(b, ARP_REQUEST, PEER_MAC, PEER, IP(198, 18, 0, 77));
	assert_int_equal(bed_drops(b, DROP_ARP_NOT_OURS), 1);
	assert_null(bed_neighbour(b, PEER));
	arp_in(b, ARP_REQUEST, PEER_MAC, IP(10, 0, 0, 1), OURS);
	assert_int_equal(bed_drops(b, DROP_ARP_OFF_LINK), 1);
	arp_in(b, ARP_REQUEST, b->port[0].port.mac, OURS, OURS); // our announcement, come back
	assert_int_equal(bed_drops(b, DROP_ARP_NOT_OURS), 2);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

static void malformed_packets_are_dropped_by_name(void **state)
{
	struct bed *b = bed_create();
	struct frame f;
	uint64_t count = 0;

	for (int spoil = 0; spoil < 8; spoil++) {
		struct arp_packet *a = frame_arp(&f, ARP_REQUEST, PEER_MAC, PEER, OURS);

		switch (spoil) {
		case 0:
			a->hardware = be16_of(6);
			break;
		case 1:
			a->protocol = be16_of(ETH_TYPE_IPV6);
			break;
		case 2:
			a->hardware_len = 8;
			break;
		case 3:
			a->protocol_len = 16;
			break;
		case 4:
			a->operation = be16_of(3);
			break;
		case 5:
			a->sender_mac[0] |= 1;
			break;
		case 6:
			f.len--;
			break;
		case 7:
			f.len = 14;
			break;
		}
		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(bed_drops(b, DROP_ARP_MALFORMED), ++count);
	}
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

static void a_conflict_is_seen_and_defended_once_in_ten_seconds(void **state)
{
	struct bed *b = bed_create();

	for (int i = 0; i < 5; i++)
		arp_in(b, ARP_REQUEST, EVIL_MAC, OURS, OURS);
	assert_int_equal(bed_drops(b, DROP_ARP_CONFLICT), 5);
	assert_int_equal(b->port[0].tx_count, 1);
	const struct arp_packet *a = arp_out(b, 0, ARP_REQUEST, OURS);
	assert_int_equal(a->sender.raw, OURS.raw);
	assert_int_equal(b->trace.record[0].event, EVENT_ARP_CONFLICT);
	bed_time(b, 9 * NS_PER_S);
	arp_in(b, ARP_REPLY, EVIL_MAC, OURS, PEER);
	assert_int_equal(b->port[0].tx_count, 1);
	bed_time(b, 2 * NS_PER_S);
	arp_in(b, ARP_REPLY, EVIL_MAC, OURS, PEER);
	assert_int_equal(b->port[0].tx_count, 2);
	bed_destroy(b);
}

// The address announced last.
static be32 announced(struct bed *b)
{
	uint32_t count = b->port[0].tx_count;

	assert_true(count > 0);
	assert_int_equal(capture_read(&b->port[0], count - 1, b->out), 42);
	const struct arp_packet *a = (const void *)(b->out + 14);

	assert_int_equal(a->sender.raw, a->target.raw);
	return a->sender;
}

// RFC 5227 2.4 (c): ten seconds are of one address. Here both conflicts come at such times that the
// one would use up what the other may.
static void each_address_is_defended_once_in_ten_seconds(void **state)
{
	const be32 too = IP(198, 19, 0, 2);
	struct bed *b = bed_create();

	for (uint32_t i = 1; i <= 3; i++) {
		arp_in(b, ARP_REQUEST, EVIL_MAC, OURS, OURS);
		assert_int_equal(b->port[0].tx_count, 2 * i - 1);
		assert_int_equal(announced(b).raw, OURS.raw);
		bed_time(b, NS_PER_S);
		arp_in(b, ARP_REQUEST, EVIL_MAC, too, too);
		arp_in(b, ARP_REQUEST, EVIL_MAC, OURS, OURS);
		assert_int_equal(b->port[0].tx_count, 2 * i);
		assert_int_equal(announced(b).raw, too.raw);
		bed_time(b, 9 * NS_PER_S);
	}
	assert_int_equal(bed_drops(b, DROP_ARP_CONFLICT), 9);
	bed_destroy(b);
}

// Two ports may be on one link: what the one announces the other hears.
static void what_another_port_of_ours_says_is_no_conflict(void **state)
{
	const be32 too = IP(198, 19, 0, 2);
	struct bed *b = bed_create();

	arp_in(b, ARP_REQUEST, b->port[1].port.mac, too, too);
	assert_int_equal(bed_drops(b, DROP_ARP_NOT_OURS), 1);
	assert_int_equal(bed_drops(b, DROP_ARP_CONFLICT), 0);
	assert_int_equal(b->port[0].tx_count, 0);
	arp_in(b, ARP_REQUEST, EVIL_MAC, too, too);
	assert_int_equal(bed_drops(b, DROP_ARP_CONFLICT), 1);
	bed_destroy(b);
}

static void addresses_are_announced_twice(void **state)
{
	struct bed *b = bed_create();

	net_announce(b->net);
	bed_conserved(b);
	arp_out(b, 0, ARP_REQUEST, OURS);
	assert_int_equal(b->port[1].tx_count, 1);
	bed_time(b, 10 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 2);
	assert_int_equal(b->port[1].tx_count, 2);
	bed_destroy(b);
}

static void an_empty_control_pool_is_counted(void **state)
{
	struct bed *b = bed_create();
	struct pkt *all[8192];

	assert_int_equal(pool_get(b->env.pool[POOL_CTRL], all, 8192), 0);
	want(b, bed_open(b, 100), PEER);
	assert_int_equal(b->counters.value[COUNTER_unmade_pkts], 1);
	pool_put(all, 8192);
	bed_time(b, 1100 * NS_PER_MS); // asked again
	assert_int_equal(b->port[0].tx_count, 1);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_for_us_is_answered_in_its_own_buffer),
		cmocka_unit_test(a_probe_is_answered_and_teaches_nothing),
		cmocka_unit_test(packets_wait_for_the_answer_and_leave_in_order),
		cmocka_unit_test(silence_is_asked_three_times_and_then_believed),
		cmocka_unit_test(a_used_entry_is_probed_before_it_expires),
		cmocka_unit_test(a_probed_entry_that_stays_silent_is_forgotten),
		cmocka_unit_test(an_unused_entry_is_forgotten_silently),
		cmocka_unit_test(what_nobody_asked_is_not_learnt),
		cmocka_unit_test(hearsay_makes_us_ask_but_not_believe),
		cmocka_unit_test(talk_among_others_is_dropped_by_name),
		cmocka_unit_test(malformed_packets_are_dropped_by_name),
		cmocka_unit_test(a_conflict_is_seen_and_defended_once_in_ten_seconds),
		cmocka_unit_test(each_address_is_defended_once_in_ten_seconds),
		cmocka_unit_test(what_another_port_of_ours_says_is_no_conflict),
		cmocka_unit_test(addresses_are_announced_twice),
		cmocka_unit_test(an_empty_control_pool_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
