// SPDX-License-Identifier: BSD-3-Clause
// Datagrams over IPv6: into sockets and out of them, and what is refused.
#include <errno.h>

#include "bed6.h"
#include "wire/udp.h"

static void frame6_udp(struct frame *f, uint16_t port, const char *text)
{
	uint16_t len = (uint16_t)(8 + strlen(text));

	frame6(f, &PEER6, &OURS6, IP_UDP);
	struct udp_header *u = frame_add(f, NULL, sizeof(*u));

	frame_add(f, text, strlen(text));
	u->src_port = be16_of(5000);
	u->dst_port = be16_of(port);
	u->len = be16_of(len);
	u->checksum = checksum_finish(checksum_pseudo(&PEER6, &OURS6, IP_UDP, len) +
				      checksum_add(0, u, len));
	frame6_finish(f, 0);
}

static struct udp_header *udp_of(struct frame *f)
{
	return (void *)(f->byte + ICMP6_AT);
}

static struct pkt *datagram(struct bed *b, uint16_t len)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	memset(pkt_append(p, len), 'x', len);
	return p;
}

static void a_datagram_is_heard_and_answered(void **state)
{
	struct bed *b = bed6_create();
	struct prism_event e;
	struct frame f;

	bed6_meet(b);
	bed_open(b, 7);
	frame6_udp(&f, 7, "hello");
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	assert_int_equal(e.type, PRISM_EVENT_DATAGRAM);
	assert_int_equal(e.len, 5);
	assert_memory_equal(e.data, "hello", 5);
	assert_memory_equal(e.peer, &PEER6, 16);
	assert_memory_equal(e.local, &OURS6, 16);
	assert_int_equal(udp_reply(b->net, &e, (struct pkt *)e.buf), 0);
	bed_conserved(b);
	const struct ipv6_header *h = bed6_last(b);
	const struct udp_header *u = (const void *)(h + 1);

	assert_true(bed6_l4_good(h));
	assert_int_equal(h->next_header, IP_UDP);
	assert_int_equal(be16_get(u->src_port), 7);
	assert_int_equal(be16_get(u->dst_port), 5000);
	assert_memory_equal(u + 1, "hello", 5);
	assert_int_equal(b->env.kept_pkts, 0);
	bed_destroy(b);
}

// RFC 8200 8.1
static void without_a_checksum_nothing_is_believed(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	bed_open(b, 7);
	frame6_udp(&f, 7, "hello");
	udp_of(&f)->checksum = (be16){0};
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_NO_CHECKSUM), 1);
	udp_of(&f)->checksum = be16_of(1);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_CHECKSUM), 1);
	frame6_udp(&f, 7, "hello");
	udp_of(&f)->len = be16_of(7);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_LENGTH), 1);
	assert_false(udp_pending(b->net));
	bed_destroy(b);
}

// RFC 4443 3.1, 2.4 (c)
static void a_port_without_a_socket_is_told(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	bed6_meet(b);
	frame6_udp(&f, 7, "hello");
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_NO_SOCKET), 1);
	const struct icmp6_header *h = bed6_last_icmp(b);

	assert_int_equal(h->type, ICMP6_UNREACHABLE);
	assert_int_equal(h->code, ICMP6_PORT);
	assert_memory_equal(h + 1, f.byte + 14, f.len - 14);
	bed_destroy(b);
}

static void a_socket_of_one_address_hears_that_address_alone(void **state)
{
	struct addr v4 = addr_from_v4(OURS);
	struct bed *b = bed6_create();
	prism_udp udp, other;
	struct frame f;

	bed6_meet(b);
	assert_int_equal(udp_open(b->net, &v4, 7, 1, &udp), 0);
	frame6_udp(&f, 7, "hello");
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_NO_SOCKET), 1);
	assert_int_equal(udp_open(b->net, &OURS6, 7, 1, &other), 0);
	bed_in(b, 0, f.byte, f.len);
	assert_true(udp_pending(b->net));
	assert_int_equal(udp_open(b->net, &PEER6, 7, 1, &other), -EADDRNOTAVAIL);
	bed_destroy(b);
}

static void a_buffer_that_others_hold_gets_its_headers_in_front(void **state)
{
	struct udp_to to = {.remote = PEER6, .remote_port = 9};
	struct bed *b = bed6_create();
	prism_udp udp = bed_open(b, 7);
	struct pkt *p = datagram(b, 30);

	bed6_meet(b);
	pkt_hold(p);
	assert_int_equal(udp_send(b->net, udp, &to, p), 0);
	bed_conserved(b);
	assert_true(bed6_l4_good(bed6_last(b)));
	assert_int_equal(pkt_seg_count(b->port[0].tx[0]), 2);
	pkt_free(p);
	to.remote = FAR6;
	p = datagram(b, 30);
	assert_int_equal(udp_send(b->net, udp, &to, p), -ENETUNREACH);
	pkt_free(p);
	bed_destroy(b);
}

static void error_in(struct bed *b, const struct frame *sent, struct icmp6_header icmp)
{
	struct frame f;

	frame6_icmp(&f, &OURS6, icmp, (struct run){sent->byte + 14, (uint16_t)(sent->len - 14)});
	bed_in(b, 0, f.byte, f.len);
}

// RFC 8201 4: what is too big for a path was sent there.
static void a_report_lowers_the_mtu_of_a_path_that_was_used(void **state)
{
	const struct icmp6_header too_big = {ICMP6_TOO_BIG, 0, {0}, be32_of(1300)};
	struct udp_to to = {.remote = PEER6, .remote_port = 9};
	struct bed *b = bed6_create();
	prism_udp udp = bed_open(b, 7);
	struct frame sent = {.len = 0};
	struct net_path path;
	struct prism_event e;

	bed6_meet(b);
	assert_int_equal(udp_send(b->net, udp, &to, datagram(b, 1400)), 0);
	bed_conserved(b);
	sent.len = capture_read(&b->port[0], 0, sent.byte);
	error_in(b, &sent, too_big);
	assert_int_equal(net_path_find(b->net, &NOBODY6, &PEER6, &path), 0);
	assert_int_equal(path.mtu_bytes, 1300);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	assert_int_equal(e.type, PRISM_EVENT_UDP_ERROR);
	assert_int_equal(e.reason, EMSGSIZE);
	net_lower_mtu(b->net, &PEER6, 1400); // never up again
	net_lower_mtu(b->net, &PEER6, 500);  // and never below what every link carries
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.mtu_bytes, 1280);
	bed_time(b, 601 * NS_PER_S);
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.mtu_bytes, 1500);
	bed_destroy(b);
}

static void a_report_about_what_was_never_sent_changes_nothing(void **state)
{
	const struct icmp6_header too_big = {ICMP6_TOO_BIG, 0, {0}, be32_of(1300)};
	struct bed *b = bed6_create();
	struct net_path path;
	struct frame forged;

	bed_open(b, 7);
	frame6_udp(&forged, 5000, "hello");
	memcpy(frame6_ip(&forged)->src, &OURS6, 16);
	memcpy(frame6_ip(&forged)->dst, &PEER6, 16);
	frame6_ip(&forged)->payload_len = be16_of(1400);
	udp_of(&forged)->src_port = be16_of(7);
	error_in(b, &forged, too_big);
	assert_int_equal(net_path_find(b->net, &NOBODY6, &PEER6, &path), 0);
	assert_int_equal(path.mtu_bytes, 1500);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_is_heard_and_answered),
		cmocka_unit_test(without_a_checksum_nothing_is_believed),
		cmocka_unit_test(a_port_without_a_socket_is_told),
		cmocka_unit_test(a_socket_of_one_address_hears_that_address_alone),
		cmocka_unit_test(a_buffer_that_others_hold_gets_its_headers_in_front),
		cmocka_unit_test(a_report_lowers_the_mtu_of_a_path_that_was_used),
		cmocka_unit_test(a_report_about_what_was_never_sent_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
