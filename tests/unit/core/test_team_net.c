// SPDX-License-Identifier: BSD-3-Clause
// What several workers do with fragments, and what they hear of their neighbours.
#include "crew.h"

// An id whose datagrams come together at this worker.
static uint16_t id_for(const struct crew *c, uint32_t worker, uint8_t protocol)
{
	for (uint16_t id = 1;; id++) {
		uint32_t hash = net_flow_hash(c->worker[0]->net, PEER, OURS,
					      (uint32_t)be16_of(id).raw << 8 | protocol);

		if ((uint64_t)hash * c->count >> 32 == worker)
			return id;
	}
}

// The piece [start, start + len) of what a whole frame carries.
static void frame_piece(struct frame *f, const struct frame *whole, uint16_t id, uint32_t start,
			uint32_t len)
{
	const struct ipv4_header *from = (const void *)(whole->byte + 14);
	uint32_t all = whole->len - 34;
	struct ipv4_header *h = frame_ip4(f, PEER, OURS, from->protocol);

	len = MIN(len, all - start);
	h->id = be16_of(id);
	h->fragment = be16_of((uint16_t)(start / 8 | (start + len < all ? IPV4_MF : 0)));
	frame_add(f, whole->byte + 34 + start, len);
	frame_finish(f);
}

static uint8_t payload[3000];

static void fill_payload(void)
{
	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
}

// A datagram of three pieces to port 53, each received by another worker, the last first.
static void pieces_in(struct crew *c, uint16_t id)
{
	struct frame whole, f;

	fill_payload();
	frame_udp(&whole, PEER, OURS, 53, (struct run){payload, sizeof(payload)});
	for (uint32_t i = 3; i-- > 0;) {
		frame_piece(&f, &whole, id, i * 1200, 1200);
		crew_put(c, c->mode == CREW_FEW ? 0 : i, &f);
	}
	crew_turns(c);
}

// At whichever worker the pieces come together, and whoever's the socket is.
static void pieces_reach_a_socket(enum crew_mode mode)
{
	for (uint32_t at = 0; at < 4; at++)
		for (uint32_t owner = 0; owner < 4; owner++) {
			struct crew *c = crew_create(4, mode);

			crew_meet(c);
			crew_open_udp(c, owner, 53);
			pieces_in(c, id_for(c, at, IP_UDP));
			assert_int_equal(c->seen[owner].count[PRISM_EVENT_DATAGRAM], 1);
			assert_int_equal(c->seen[owner].len, sizeof(payload));
			assert_memory_equal(c->seen[owner].bytes, payload, sizeof(payload));
			assert_int_equal(crew_all_drops(c), 0);
			assert_int_equal(crew_sum(c, COUNTER_queued_pkts), 0);
			crew_at_rest(c);
			crew_destroy(c);
		}
}

static void pieces_that_different_workers_receive_reach_a_third_ones_socket(void **state)
{
	pieces_reach_a_socket(CREW_SPREAD);
}

static void pieces_reach_a_socket_by_way_of_the_only_queue(void **state)
{
	pieces_reach_a_socket(CREW_FEW);
}

static void pieces_of_a_segment_reach_the_connection_of_a_third_worker(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);
	struct frame whole, f;

	fill_payload();
	crew_meet(c);
	crew_listen(c, 3, 80);
	struct met met = crew_accept(c, 0, 5000, 80);
	struct seg s = {5000, 80, PEER_ISN + 1, met.next, TCP_ACK, {payload, 2000}};
	uint16_t id = id_for(c, 2, IP_TCP);

	frame_seg(&whole, s);
	for (uint32_t i = 0; i < 2; i++) {
		frame_piece(&f, &whole, id, i * 1024, 1024);
		crew_put(c, i, &f);
	}
	crew_turns(c);
	assert_int_equal(c->seen[3].len, 2000);
	assert_memory_equal(c->seen[3].bytes, payload, 2000);
	assert_int_equal(c->counters[2].value[COUNTER_handed_in_pkts], 2);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// A port that vouches for the checksum of a piece has said nothing of the whole.
static void what_a_port_says_of_pieces_is_not_believed_of_the_whole(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct frame whole, f;
	uint16_t id = id_for(c, 1, IP_UDP);

	crew_meet(c);
	crew_open_udp(c, 2, 53);
	frame_udp(&whole, PEER, OURS, 53, (struct run){payload, 2000});
	whole.byte[1000] ^= 0x10;
	for (uint32_t i = 0; i < 2; i++) {
		frame_piece(&f, &whole, id, i * 1024, 1024);
		crew_put(c, 0, &f);
		c->port[0].rx[i]->mbuf.ol_flags |=
			RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	}
	crew_turns(c);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_DATAGRAM], 0);
	assert_int_equal(c->counters[2].drop[DROP_UDP_CHECKSUM], 1);
	assert_int_equal(crew_all_drops(c), 1);
	crew_at_rest(c);
	crew_destroy(c);
}

static void an_overlap_condemns_the_datagram_wherever_its_pieces_came(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);
	const uint32_t start[] = {0, 512, 1024, 2048};
	struct frame whole, f;
	uint16_t id = id_for(c, 3, IP_UDP);

	crew_meet(c);
	crew_open_udp(c, 0, 53);
	frame_udp(&whole, PEER, OURS, 53, (struct run){payload, sizeof(payload)});
	for (uint32_t i = 0; i < 4; i++) {
		frame_piece(&f, &whole, id, start[i], 1024);
		crew_in(c, i, &f);
	}
	assert_int_equal(c->counters[3].drop[DROP_FRAGMENT_OVERLAP], 4);
	assert_int_equal(crew_all_drops(c), 4);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_piece_that_comes_twice_is_a_duplicate_whoever_received_it(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);
	struct frame whole, f;
	uint16_t id = id_for(c, 1, IP_UDP);

	crew_meet(c);
	crew_open_udp(c, 0, 53);
	frame_udp(&whole, PEER, OURS, 53, (struct run){payload, 2000});
	frame_piece(&f, &whole, id, 0, 1024);
	crew_in(c, 0, &f);
	crew_in(c, 1, &f);
	assert_int_equal(crew_drops(c, DROP_FRAGMENT_DUPLICATE), 1);
	frame_piece(&f, &whole, id, 1024, 1024);
	crew_in(c, 0, &f);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 1);
	assert_int_equal(c->seen[0].len, 2000);
	assert_int_equal(crew_all_drops(c), 1);
	crew_destroy(c);
}

static void a_datagram_with_a_hole_times_out_at_one_worker(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct frame whole, f;
	uint16_t id = id_for(c, 2, IP_UDP);

	crew_meet(c);
	frame_udp(&whole, PEER, OURS, 53, (struct run){payload, sizeof(payload)});
	frame_piece(&f, &whole, id, 0, 1024);
	crew_in(c, 0, &f);
	frame_piece(&f, &whole, id, 2048, 1024);
	crew_in(c, 1, &f);
	assert_int_equal(c->counters[2].value[COUNTER_queued_pkts], 2);
	crew_time(c, 31 * NS_PER_S);
	assert_int_equal(c->counters[2].drop[DROP_FRAGMENT_TIMEOUT], 2);
	assert_int_equal(crew_sum(c, COUNTER_queued_pkts), 0);
	crew_destroy(c);
}

static const struct neighbour *peer_at(struct crew *c, uint32_t worker)
{
	struct addr peer = addr_from_v4(PEER);

	return neighbour_find(c->worker[worker]->net, 0, &peer);
}

static void frame_reply(struct frame *f, const uint8_t mac[6])
{
	struct arp_packet *a = frame_arp(f, ARP_REPLY, mac, PEER, OURS);

	memcpy(f->byte, (uint8_t[6]){2, 0, 0, 0, 0x10, 0}, 6);
	memcpy(a->target_mac, f->byte, 6);
}

// A datagram from a worker's socket to the peer.
static void say(struct crew *c, uint32_t worker, prism_udp udp)
{
	struct prism_endpoint to = at_peer(9);
	struct prism_buf *buf = prism_buf_alloc(c->worker[worker]);

	assert_int_equal(prism_buf_append(c->worker[worker], buf, "hello", 5), 0);
	assert_int_equal(prism_udp_send(c->worker[worker], udp, NULL, &to, buf), 0);
}

static void whoever_hears_the_answer_the_asker_sends(enum crew_mode mode)
{
	struct crew *c = crew_create(4, mode);
	prism_udp udp = crew_open_udp(c, 2, 0);
	struct frame f;

	crew_turns(c);
	crew_clear(c);
	say(c, 2, udp);
	crew_turns(c);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(be16_get(crew_read_arp(c, 2)->operation), ARP_REQUEST);
	assert_int_equal(c->counters[2].value[COUNTER_queued_pkts], 1);
	crew_clear(c);
	frame_reply(&f, PEER_MAC);
	crew_in(c, 0, &f);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(crew_read_ip4(c, 2)->protocol, IP_UDP);
	assert_memory_equal(c->out, PEER_MAC, 6);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_reply_that_one_hears_lets_another_send(void **state)
{
	whoever_hears_the_answer_the_asker_sends(CREW_SPREAD);
}

static void a_reply_that_the_only_queue_brings_lets_another_send(void **state)
{
	whoever_hears_the_answer_the_asker_sends(CREW_FEW);
}

static void a_reply_nobody_asked_for_is_one_drop_in_all(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);
	struct frame f;

	crew_turns(c);
	frame_reply(&f, PEER_MAC);
	for (uint32_t i = 0; i < 4; i++) {
		crew_in(c, i, &f);
		assert_int_equal(crew_drops(c, DROP_ARP_UNASKED), i + 1);
		assert_int_equal(crew_all_drops(c), i + 1);
	}
	for (uint32_t i = 0; i < 4; i++)
		assert_null(peer_at(c, i));
	crew_at_rest(c);
	crew_destroy(c);
}

static void what_one_worker_drops_of_arp_makes_no_round(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct frame f;

	crew_turns(c);
	frame_arp(&f, ARP_REPLY, PEER_MAC, FAR, OURS);
	crew_in(c, 1, &f);
	assert_int_equal(c->counters[1].drop[DROP_ARP_OFF_LINK], 1);
	assert_int_equal(crew_sum(c, COUNTER_handed_out_pkts), 0);
	crew_destroy(c);
}

// Each doubts what he knows, asks, and learns from the answer to whoever's question.
static void a_neighbour_that_changed_is_learnt_anew_by_all(void **state)
{
	static const uint8_t new_mac[6] = {2, 0, 0, 0, 0x20, 2};
	struct crew *c = crew_create(4, CREW_FEW);
	struct frame f;

	crew_meet(c);
	frame_arp(&f, ARP_REQUEST, new_mac, PEER, PEER);
	crew_in(c, 0, &f);
	assert_int_equal(crew_sent(c), 4);
	assert_int_equal(crew_drops(c, DROP_ARP_NOT_OURS), 1);
	for (uint32_t i = 0; i < 4; i++)
		assert_memory_equal(peer_at(c, i)->header, PEER_MAC, 6); // not on its word
	frame_reply(&f, new_mac);
	crew_in(c, 0, &f);
	for (uint32_t i = 0; i < 4; i++) {
		assert_memory_equal(peer_at(c, i)->header, new_mac, 6);
		assert_int_equal(peer_at(c, i)->state, NEIGHBOUR_REACHABLE);
	}
	assert_int_equal(crew_all_drops(c), 1);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_request_for_us_is_answered_once(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);
	struct frame f;

	crew_turns(c);
	crew_clear(c);
	frame_arp(&f, ARP_REQUEST, PEER_MAC, PEER, OURS);
	crew_in(c, 3, &f);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(be16_get(crew_read_arp(c, 3)->operation), ARP_REPLY);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void whoever_asks_one_of_us_is_known_to_all(void **state)
{
	struct crew *c = crew_create(4, CREW_FEW);
	prism_udp udp = crew_open_udp(c, 2, 0);
	struct frame f;

	crew_turns(c);
	frame_arp(&f, ARP_REQUEST, PEER_MAC, PEER, OURS);
	crew_in(c, 0, &f);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(peer_at(c, i)->state, NEIGHBOUR_REACHABLE);
	crew_clear(c);
	say(c, 2, udp); // needs no question of its own
	crew_turns(c);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(crew_read_ip4(c, 2)->protocol, IP_UDP);
	crew_at_rest(c);
	crew_destroy(c);
}

// The round passes by one who does not take what comes.
static void news_of_a_neighbour_passes_by_a_stopped_worker(void **state)
{
	struct crew *c = crew_create(4, CREW_FEW);
	prism_udp udp = crew_open_udp(c, 3, 0);
	struct frame f;

	crew_turns(c);
	c->stopped[1] = true;
	say(c, 3, udp);
	crew_turns(c);
	frame_reply(&f, PEER_MAC);
	for (uint32_t asked = 0; asked < 2; asked++) {
		crew_clear(c);
		crew_in(c, 0, &f);
		crew_time(c, NS_PER_S + NS_PER_MS); // it asks again
	}
	assert_non_null(peer_at(c, 3));
	assert_int_equal(peer_at(c, 3)->state, NEIGHBOUR_REACHABLE);
	crew_destroy(c);
}

// Who asks for us is believed (RFC 826), by all: one whose old address another worker has would
// not be reached by him for as long as a minute.
static void who_asks_from_a_new_address_is_learnt_by_all_who_know_him(void **state)
{
	static const uint8_t new_mac[6] = {2, 0, 0, 0, 0x20, 2};
	struct crew *c = crew_create(4, CREW_FEW);
	struct frame f;

	crew_meet(c);
	frame_arp(&f, ARP_REQUEST, new_mac, PEER, OURS);
	crew_in(c, 0, &f);
	assert_int_equal(crew_sent(c), 1);
	for (uint32_t i = 0; i < 4; i++) {
		assert_memory_equal(peer_at(c, i)->header, new_mac, 6);
		assert_int_equal(peer_at(c, i)->state, NEIGHBOUR_REACHABLE);
	}
	assert_int_equal(crew_all_drops(c), 0);
	crew_clear(c);
	crew_in(c, 0, &f); // again: no news
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(crew_sum(c, COUNTER_handed_in_pkts), 3);
	crew_at_rest(c);
	crew_destroy(c);
}

static void who_asks_in_many_names_does_not_take_all_buffers(void **state)
{
	struct crew *c = crew_create(2, CREW_FEW);
	struct frame f;

	crew_turns(c);
	c->stopped[1] = true;
	for (uint32_t i = 0; i < 2 * CREW_CTRL_PKTS; i++) {
		frame_arp(&f, ARP_REQUEST, PEER_MAC, IP(198, 18, 0, 3 + i % 250), OURS);
		f.byte[27] = f.byte[11] = (uint8_t)(i / 250); // of the sender's MAC
		crew_put(c, 0, &f);
		crew_turn(c, 0);
		crew_clear(c);
	}
	assert_int_equal(pool_available(c->pool[POOL_CTRL]), CREW_CTRL_PKTS / 2);
	c->stopped[1] = false;
	crew_turns(c);
	crew_destroy(c);
}

// Addresses are announced by one worker, not by all.
static void the_crew_announces_itself_once(void **state)
{
	struct crew *c = crew_create(4, CREW_SPREAD);

	crew_turns(c);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(c->port[0].tx_count, 1);
	crew_time(c, 3 * NS_PER_S);
	assert_int_equal(crew_sent(c), 2);
	crew_destroy(c);
}

static void an_echo_is_answered_by_who_receives_it(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct icmp_header icmp = {.type = ICMP_ECHO};
	struct frame f;

	crew_meet(c);
	frame_icmp(&f, PEER, &icmp, "ping", 4);
	crew_in(c, 1, &f);
	assert_int_equal(crew_sent(c), 1);
	assert_int_equal(crew_read_ip4(c, 1)->protocol, IP_ICMP);
	assert_int_equal(crew_sum(c, COUNTER_handed_out_pkts), 0);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_that_different_workers_receive_reach_a_third_ones_socket),
		cmocka_unit_test(pieces_reach_a_socket_by_way_of_the_only_queue),
		cmocka_unit_test(pieces_of_a_segment_reach_the_connection_of_a_third_worker),
		cmocka_unit_test(what_a_port_says_of_pieces_is_not_believed_of_the_whole),
		cmocka_unit_test(an_overlap_condemns_the_datagram_wherever_its_pieces_came),
		cmocka_unit_test(a_piece_that_comes_twice_is_a_duplicate_whoever_received_it),
		cmocka_unit_test(a_datagram_with_a_hole_times_out_at_one_worker),
		cmocka_unit_test(a_reply_that_one_hears_lets_another_send),
		cmocka_unit_test(a_reply_that_the_only_queue_brings_lets_another_send),
		cmocka_unit_test(a_reply_nobody_asked_for_is_one_drop_in_all),
		cmocka_unit_test(what_one_worker_drops_of_arp_makes_no_round),
		cmocka_unit_test(a_neighbour_that_changed_is_learnt_anew_by_all),
		cmocka_unit_test(a_request_for_us_is_answered_once),
		cmocka_unit_test(whoever_asks_one_of_us_is_known_to_all),
		cmocka_unit_test(news_of_a_neighbour_passes_by_a_stopped_worker),
		cmocka_unit_test(who_asks_from_a_new_address_is_learnt_by_all_who_know_him),
		cmocka_unit_test(who_asks_in_many_names_does_not_take_all_buffers),
		cmocka_unit_test(the_crew_announces_itself_once),
		cmocka_unit_test(an_echo_is_answered_by_who_receives_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
