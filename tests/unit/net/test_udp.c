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
	frame_udp(&f, PEER, OURS, 7, (struct run){"hello", 5});
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

// A datagram comes in and its event is taken.
static struct prism_event datagram(struct bed *b, const struct frame *f)
{
	struct prism_event e;

	bed_in(b, 0, f->byte, f->len);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	bed_conserved(b);
	return e;
}

static void release(const struct prism_event *e)
{
	pkt_free((struct pkt *)e->buf);
}

static void checksums_are_checked_and_zero_means_none(void **state)
{
	struct bed *b = bed_create();
	struct frame f;
	struct prism_event e;

	bed_open(b, 7);
	frame_udp(&f, PEER, OURS, 7, (struct run){"hello", 5});
	f.byte[f.len - 1] ^= 0x40;
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_CHECKSUM), 1);
	memset(f.byte + 40, 0, 2);
	e = datagram(b, &f);
	release(&e);
	bed_destroy(b);
}

static void a_sum_of_zero_is_sent_as_all_ones(void **state)
{
	struct bed *b = bed_create();
	uint32_t zeros = 0;
	prism_udp udp = bed_open(b, 7);

	bed_meet(b, PEER, PEER_MAC);
	for (uint32_t word = 0; word < 65536; word++) {
		struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);
		struct udp_to to = {.remote = addr_from_v4(PEER), .remote_port = 9};
		uint16_t half = (uint16_t)word;

		memcpy(pkt_append(p, 2), &half, 2);
		assert_int_equal(udp_send(b->net, udp, &to, p), 0);
		bed_conserved(b);
		capture_read(&b->port[0], 0, b->out);
		assert_memory_not_equal(b->out + 40, "\0\0", 2);
		zeros += b->out[40] == 0xff && b->out[41] == 0xff;
		bed_clear(b);
	}
	assert_int_equal(zeros, 1);
	bed_destroy(b);
}

static void unfinished_checksums_pass_where_agreed(void **state)
{
	for (int agreed = 0; agreed < 2; agreed++) {
		struct bed *b = bed_create_with(agreed ? PORT_RX_PARTIAL_CHECKSUM : 0,
						&(struct net_config){0});
		struct addr peer = addr_from_v4(PEER), ours = addr_from_v4(OURS);
		struct frame f;

		bed_open(b, 7);
		frame_udp(&f, PEER, OURS, 7, (struct run){"hello", 5});
		uint16_t field = checksum_fold(checksum_pseudo(&peer, &ours, IP_UDP, 13));
		memcpy(f.byte + 40, &field, 2);
		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(udp_pending(b->net), agreed);
		assert_int_equal(bed_drops(b, DROP_UDP_CHECKSUM), !agreed);
		bed_destroy(b);
	}
}

static void lengths_must_fit_and_what_is_behind_is_cut(void **state)
{
	struct bed *b = bed_create();
	struct frame f;

	bed_open(b, 7);
	for (uint16_t len = 0; len < 8; len++) {
		frame_udp(&f, PEER, OURS, 7, (struct run){"hello", 5});
		((struct udp_header *)(f.byte + 34))->len = be16_of(len);
		bed_in(b, 0, f.byte, f.len);
	}
	frame_udp(&f, PEER, OURS, 7, (struct run){"hello", 5});
	((struct udp_header *)(f.byte + 34))->len = be16_of(14);
	bed_in(b, 0, f.byte, f.len);
	frame_udp(&f, PEER, OURS, 7, (struct run){NULL, 0});
	f.len--; // seven bytes by IP
	frame_finish(&f);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_LENGTH), 10);
	frame_udp(&f, PEER, OURS, 7, (struct run){"hello", 5});
	frame_add(&f, "more", 4); // inside the IP packet, behind the datagram
	frame_finish(&f);
	struct prism_event e = datagram(b, &f);
	assert_int_equal(e.len, 5);
	release(&e);
	frame_udp(&f, PEER, OURS, 7, (struct run){NULL, 0});
	e = datagram(b, &f); // an empty datagram is one
	assert_int_equal(e.len, 0);
	release(&e);
	bed_destroy(b);
}

static void an_exact_address_comes_before_any(void **state)
{
	struct bed *b = bed_create();
	struct addr ours = addr_from_v4(OURS), foreign = addr_from_v4(FAR), any = {0}, local;
	struct frame f;
	prism_udp exact, other, all = bed_open(b, 7);
	uint16_t port;

	assert_int_equal(udp_open(b->net, &ours, 7, 88, &exact), 0);
	frame_udp(&f, PEER, OURS, 7, (struct run){"x", 1});
	struct prism_event e = datagram(b, &f);
	assert_int_equal(e.udp.id, exact.id);
	assert_int_equal(e.user, 88);
	release(&e);
	frame_udp(&f, PEER, IP(198, 19, 0, 2), 7, (struct run){"x", 1});
	e = datagram(b, &f);
	assert_int_equal(e.udp.id, all.id);
	release(&e);
	assert_int_equal(udp_open(b->net, &ours, 7, 0, &other), -EADDRINUSE);
	assert_int_equal(udp_open(b->net, &any, 7, 0, &other), -EADDRINUSE);
	assert_int_equal(udp_open(b->net, &foreign, 7, 0, &other), -EADDRNOTAVAIL);
	assert_int_equal(udp_endpoint(b->net, exact, &local, &port), 0);
	assert_true(addr_equal(&local, &ours));
	assert_int_equal(port, 7);
	assert_int_equal(udp_close(b->net, exact), 0);
	frame_udp(&f, PEER, OURS, 7, (struct run){"x", 1});
	e = datagram(b, &f);
	assert_int_equal(e.udp.id, all.id);
	release(&e);
	bed_destroy(b);
}

static void a_closed_socket_forgets_what_was_not_delivered(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct prism_event e;
	struct frame f;

	frame_udp(&f, PEER, OURS, 7, (struct run){"x", 1});
	bed_in(b, 0, f.byte, f.len);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(udp_close(b->net, udp), 0);
	bed_open(b, 7); // the same slot and port, but another socket
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_UDP_CLOSED), 2);
	release(&e);
	bed_destroy(b);
}

static void datagrams_are_refused_by_name_while_buffers_are_short(void **state)
{
	struct bed *b = bed_create();
	struct prism_event e;
	struct frame f;

	(void)state;
	bed_open(b, 7);
	b->env.kept_pkts_max = 1;
	frame_udp(&f, PEER, OURS, 7, (struct run){"x", 1});
	bed_in(b, 0, f.byte, f.len);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_SHORT), 1);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	assert_int_equal(udp_reply(b->net, &e, (struct pkt *)e.buf), 0);
	assert_int_equal(b->env.kept_pkts, 0);
	bed_destroy(b);
}

static void a_full_queue_drops_by_name_and_events_keep_order(void **state)
{
	struct bed *b = bed_create_with(0, &(struct net_config){.udp_queue_pkts = 10});
	struct prism_event e[4];
	struct frame f;
	uint8_t next = 0;

	bed_open(b, 7);
	for (uint8_t i = 0; i < 12; i++) {
		frame_udp(&f, PEER, OURS, 7, (struct run){&i, 1});
		bed_in(b, 0, f.byte, f.len);
	}
	assert_int_equal(bed_drops(b, DROP_UDP_QUEUE_FULL), 2);
	for (int n; (n = udp_deliver(b->net, e, 4)) > 0;) {
		bed_conserved(b);
		for (int i = 0; i < n; i++, next++) {
			assert_int_equal(*(const uint8_t *)e[i].data, next);
			release(&e[i]);
		}
	}
	assert_int_equal(next, 10);
	assert_false(udp_pending(b->net));
	bed_destroy(b);
}

static void a_turn_takes_half_of_its_events_at_once_and_order_is_kept(void **state)
{
	struct bed *b = bed_create();
	struct prism_event e[5];
	struct frame f;

	(void)state;
	bed_open(b, 7);
	udp_turn_begin(b->net, e, 4);
	for (uint8_t i = 0; i < 5; i++) {
		frame_udp(&f, PEER, OURS, 7, (struct run){&i, 1});
		bed_in(b, 0, f.byte, f.len);
	}
	assert_int_equal(udp_turn_end(b->net), 2);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 3);
	assert_int_equal(udp_deliver(b->net, e + 2, 3), 3);
	bed_conserved(b);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(*(const uint8_t *)e[i].data, i);
		assert_memory_equal(e[i].peer, e[0].peer, sizeof(*e[i].peer));
		release(&e[i]);
	}
	udp_turn_begin(b->net, e, 1);
	assert_int_equal(udp_turn_end(b->net), 0);
	bed_destroy(b);
}

static void what_cannot_be_sent_stays_the_callers(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);
	struct udp_to to = {.remote = addr_from_v4_octets(127, 0, 0, 1), .remote_port = 9};

	assert_int_equal(udp_send(b->net, udp, &to, p), -ENETUNREACH);
	to.remote = addr_from_v4(PEER);
	to.local = addr_from_v4(FAR);
	assert_int_equal(udp_send(b->net, udp, &to, p), -EADDRNOTAVAIL);
	to.local = (struct addr){0};
	for (int i = 0; i < 33; i++) {
		struct pkt *more = pkt_alloc(b->env.pool[POOL_TX]);

		pkt_append(more, 2000);
		pkt_chain(p, more);
	}
	assert_int_equal(udp_send(b->net, udp, &to, p), -EMSGSIZE);
	pkt_free(p);
	bed_conserved(b);
	assert_int_equal(b->counters.value[COUNTER_originated_pkts], 0);
	bed_destroy(b);
}

static void shared_and_foreign_buffers_get_a_header_of_their_own(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct udp_to to = {.remote = addr_from_v4(PEER), .remote_port = 9};
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]), *all[8192];

	bed_meet(b, PEER, PEER_MAC);
	memcpy(pkt_append(p, 6), "shared", 6);
	struct pkt *ref = pkt_slice(b->env.pool[POOL_TX], p, 0, 6);
	assert_int_equal(udp_send(b->net, udp, &to, ref), 0); // a reference
	bed_conserved(b);
	bed_last(b);
	assert_memory_equal(b->out + 42, "shared", 6);
	assert_true(bed_l4_good(bed_last_ip4(b)));
	pkt_hold(p);
	assert_int_equal(pool_get(b->env.pool[POOL_HEAD], all, 8191), 0);
	assert_int_equal(udp_send(b->net, udp, &to, p), -ENOBUFS);
	pool_put(all, 8191);
	assert_int_equal(udp_send(b->net, udp, &to, p), 0); // two owners
	bed_conserved(b);
	assert_int_equal(pkt_headroom(p), PKT_FRONT_BYTES); // nothing was written in front of it
	pkt_free_seg(p);
	bed_destroy(b);
}

static void a_broadcast_is_delivered_and_answered_from_our_own_address(void **state)
{
	struct bed *b = bed_create();
	struct frame f;

	bed_open(b, 7);
	bed_meet(b, PEER, PEER_MAC);
	frame_udp(&f, PEER, IP(198, 18, 0, 255), 7, (struct run){"who?", 4});
	memset(f.byte, 0xff, 6);
	struct prism_event e = datagram(b, &f);
	assert_int_equal(udp_reply(b->net, &e, (struct pkt *)e.buf), 0);
	bed_conserved(b);
	assert_int_equal(bed_last_ip4(b)->src.raw, OURS.raw);
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);
	struct udp_to to = {.remote = addr_from_v4(IP(198, 18, 0, 255)), .remote_port = 9};
	assert_int_equal(udp_send(b->net, e.udp, &to, p), 0);
	bed_conserved(b);
	bed_last_ip4(b);
	assert_memory_equal(b->out, "\xff\xff\xff\xff\xff\xff", 6);
	bed_destroy(b);
}

static void a_large_datagram_echoes_as_fragments_without_a_copy(void **state)
{
	struct bed *b = bed_create();
	static uint8_t data[3000];
	static struct frame f, piece;
	struct prism_event e;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 5);
	bed_open(b, 7);
	bed_meet(b, PEER, PEER_MAC);
	frame_udp(&f, PEER, OURS, 7, (struct run){data, sizeof(data)});
	for (uint32_t start = 0; start < 3008; start += 1480) {
		uint32_t part = MIN(1480u, 3008 - start);
		struct ipv4_header *h = frame_ip4(&piece, PEER, OURS, IP_UDP);

		h->fragment = be16_of((uint16_t)(start / 8 | (start + part < 3008 ? IPV4_MF : 0)));
		frame_add(&piece, f.byte + 34 + start, part);
		frame_finish(&piece);
		bed_in(b, 0, piece.byte, piece.len);
	}
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	assert_int_equal(e.len, 1472); // the first run; the rest is chained behind buf
	assert_int_equal(pkt_len((struct pkt *)e.buf), 3000);
	assert_int_equal(udp_reply(b->net, &e, (struct pkt *)e.buf), 0);
	bed_conserved(b);
	assert_int_equal(b->port[0].tx_count, 3);
	bed_last(b);
	assert_memory_equal(b->out + 34, data + 2952, 48);
	for (int i = COUNTER_copied_bytes_pack; i <= COUNTER_copied_bytes_error; i++)
		assert_int_equal(b->counters.value[i], 0);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_turns_the_same_buffer_round),
		cmocka_unit_test(checksums_are_checked_and_zero_means_none),
		cmocka_unit_test(a_sum_of_zero_is_sent_as_all_ones),
		cmocka_unit_test(unfinished_checksums_pass_where_agreed),
		cmocka_unit_test(lengths_must_fit_and_what_is_behind_is_cut),
		cmocka_unit_test(an_exact_address_comes_before_any),
		cmocka_unit_test(a_closed_socket_forgets_what_was_not_delivered),
		cmocka_unit_test(datagrams_are_refused_by_name_while_buffers_are_short),
		cmocka_unit_test(a_full_queue_drops_by_name_and_events_keep_order),
		cmocka_unit_test(a_turn_takes_half_of_its_events_at_once_and_order_is_kept),
		cmocka_unit_test(what_cannot_be_sent_stays_the_callers),
		cmocka_unit_test(shared_and_foreign_buffers_get_a_header_of_their_own),
		cmocka_unit_test(a_broadcast_is_delivered_and_answered_from_our_own_address),
		cmocka_unit_test(a_large_datagram_echoes_as_fragments_without_a_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
