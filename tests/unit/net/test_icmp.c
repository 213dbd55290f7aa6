// SPDX-License-Identifier: BSD-3-Clause
// ICMP: echo in place, errors in and out, what is never answered.
#include <errno.h>

#include "bed.h"

static const struct icmp_header ECHO = {.type = ICMP_ECHO, .echo = {{0x1234}, {0x0100}}};

static void echo_comes_back_in_its_own_buffer(void **state)
{
	struct bed *b = bed_create();
	struct frame f;
	uint8_t data[1400];

	bed_meet(b, PEER, PEER_MAC);
	for (size_t len = 0; len < sizeof(data); len += 93) {
		memset(data, (int)len, sizeof(data));
		frame_icmp(&f, PEER, &ECHO, data, len);
		bed_in(b, 0, f.byte, f.len);
		const struct ipv4_header *h = bed_last_ip4(b);
		const struct icmp_header *icmp = (const void *)(h + 1);
		assert_int_equal(icmp->type, ICMP_ECHO_REPLY);
		assert_int_equal(icmp->echo.id.raw, 0x1234);
		assert_int_equal(icmp->echo.sequence.raw, 0x0100);
		assert_true(bed_l4_good(h));
		assert_int_equal(h->src.raw, OURS.raw);
		assert_int_equal(h->dst.raw, PEER.raw);
		assert_memory_equal(icmp + 1, data, len);
		bed_clear(b);
	}
	for (int i = COUNTER_copied_bytes_pack; i <= COUNTER_copied_bytes_error; i++)
		assert_int_equal(b->counters.value[i], 0);
	bed_destroy(b);
}

static void echo_to_a_broadcast_address_stays_unanswered(void **state)
{
	struct bed *b = bed_create();
	struct frame f;

	bed_meet(b, PEER, PEER_MAC);
	frame_icmp(&f, PEER, &ECHO, "x", 1);
	((struct ipv4_header *)(f.byte + 14))->dst = IP(198, 18, 0, 255);
	frame_finish(&f);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ICMP_GROUP), 1);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

static void echo_from_where_no_route_leads_is_dropped(void **state)
{
	struct bed *b = bed_create();
	struct frame f;

	b->net->routes.count--; // the default route, the shortest, is the last
	b->net->generation++;
	frame_icmp(&f, FAR, &ECHO, "x", 1);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_NO_ROUTE), 1);
	bed_destroy(b);
}

static void damaged_and_unwanted_messages_are_dropped_by_name(void **state)
{
	const uint8_t ignored[] = {
		ICMP_ECHO_REPLY, ICMP_SOURCE_QUENCH, ICMP_REDIRECT, 9, 13, 17, 200};
	struct bed *b = bed_create();
	struct frame f;

	frame_icmp(&f, PEER, &ECHO, "data", 4);
	f.byte[f.len - 1] ^= 1;
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ICMP_CHECKSUM), 1);
	for (uint32_t len = 0; len < 8; len++) {
		frame_icmp(&f, PEER, &ECHO, NULL, 0);
		f.len = 34 + len;
		frame_finish(&f);
		bed_in(b, 0, f.byte, f.len);
	}
	assert_int_equal(bed_drops(b, DROP_ICMP_TRUNCATED), 8);
	for (size_t i = 0; i < ARRAY_COUNT(ignored); i++) {
		struct icmp_header h = {.type = ignored[i]};

		frame_icmp(&f, PEER, &h, "12345678901234567890", 20);
		bed_in(b, 0, f.byte, f.len);
		assert_int_equal(bed_drops(b, DROP_ICMP_IGNORED), i + 1);
	}
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// A packet of ours as a router would quote it.
struct quote {
	struct ipv4_header ip;
	struct tcp_header tcp;
} PACKED;

static struct quote quote_of(uint8_t protocol, uint16_t total_len)
{
	return (struct quote){
		.ip = {.version_ihl = IPV4_VERSION_IHL,
		       .total_len = be16_of(total_len),
		       .fragment = be16_of(IPV4_DF),
		       .ttl = 60,
		       .protocol = protocol,
		       .src = OURS,
		       .dst = FAR},
		.tcp = {.src_port = be16_of(80),
			.dst_port = be16_of(40000),
			.seq = be32_of(0xcafe1234)},
	};
}

static void error_in(struct bed *b, const struct icmp_header *h, const struct quote *q, size_t len)
{
	struct frame f;

	frame_icmp(&f, PEER, h, q, len);
	bed_in(b, 0, f.byte, f.len);
}

static void an_error_about_a_segment_is_reported_to_tcp(void **state)
{
	struct bed *b = bed_create();
	struct quote q = quote_of(IP_TCP, 40);
	struct icmp_header h = {.type = ICMP_UNREACHABLE, .code = ICMP_UNREACHABLE_HOST};

	error_in(b, &h, &q, 28); // the eight bytes that RFC 792 promises
	assert_int_equal(b->report_count, 1);
	const struct icmp_report *r = &b->report;
	assert_int_equal(addr_to_v4(&r->local).raw, OURS.raw);
	assert_int_equal(addr_to_v4(&r->remote).raw, FAR.raw);
	assert_int_equal(r->protocol, IP_TCP);
	assert_int_equal(r->type, ICMP_UNREACHABLE);
	assert_int_equal(r->code, ICMP_UNREACHABLE_HOST);
	assert_int_equal(r->local_port, 80);
	assert_int_equal(r->remote_port, 40000);
	assert_int_equal(r->seq, 0xcafe1234);
	assert_int_equal(r->mtu_bytes, 0);
	bed_destroy(b);
}

static void fragmentation_needed_carries_the_next_mtu(void **state)
{
	const struct {
		uint16_t says, sent, expected; // expected 0: not believed
	} cases[] = {{1400, 1500, 1400}, {0, 1500, 1492}, {0, 1492, 1006},
		     {0, 100, 68},       {1500, 1500, 0}, {9000, 1500, 0}};
	struct bed *b = bed_create();

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct quote q = quote_of(IP_TCP, cases[i].sent);
		struct icmp_header h = {.type = ICMP_UNREACHABLE,
					.code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED};
		uint32_t reports = b->report_count;
		uint64_t drops = bed_drops(b, DROP_ICMP_QUOTE);

		h.next_hop.mtu_bytes = be16_of(cases[i].says);
		error_in(b, &h, &q, sizeof(q));
		assert_int_equal(b->report_count, reports + (cases[i].expected != 0));
		assert_int_equal(bed_drops(b, DROP_ICMP_QUOTE), drops + (cases[i].expected == 0));
		if (cases[i].expected)
			assert_int_equal(b->report.mtu_bytes, cases[i].expected);
	}
	bed_destroy(b);
}

static void a_quote_of_nothing_we_sent_is_dropped(void **state)
{
	struct bed *b = bed_create();
	struct icmp_header h = {.type = ICMP_TIME_EXCEEDED};
	struct quote q = quote_of(IP_TCP, 40);
	uint64_t count = 0;

	for (size_t len = 0; len < 28; len++)
		error_in(b, &h, &q, len);
	assert_int_equal(bed_drops(b, DROP_ICMP_QUOTE), count += 28);
	q.ip.src = PEER;
	error_in(b, &h, &q, sizeof(q));
	assert_int_equal(bed_drops(b, DROP_ICMP_QUOTE), ++count);
	q = quote_of(IP_ICMP, 40);
	error_in(b, &h, &q, sizeof(q));
	assert_int_equal(bed_drops(b, DROP_ICMP_QUOTE), ++count);
	q = quote_of(IP_TCP, 40);
	q.ip.fragment = be16_of(100);
	error_in(b, &h, &q, sizeof(q));
	assert_int_equal(bed_drops(b, DROP_ICMP_QUOTE), ++count);
	q = quote_of(IP_TCP, 40);
	q.ip.version_ihl = 0x4f; // more header than is quoted
	error_in(b, &h, &q, sizeof(q));
	assert_int_equal(bed_drops(b, DROP_ICMP_QUOTE), ++count);
	assert_int_equal(b->report_count, 0);
	bed_destroy(b);
}

static void send_to_far(struct bed *b, prism_udp udp, uint16_t len)
{
	const struct udp_to to = {.remote = addr_from_v4(FAR), .remote_port = 40000};
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);

	memset(pkt_append(p, len), 0, len);
	assert_int_equal(udp_send(b->net, udp, &to, p), 0);
}

static uint16_t mtu_to_far(struct bed *b)
{
	struct addr any = {0}, far = addr_from_v4(FAR);
	struct net_path path;

	assert_int_equal(net_path_find(b->net, &any, &far, &path), 0);
	return path.mtu_bytes;
}

// RFC 5927 7.2: who sees none of our packets knows our ports, not what we sent.
static void only_what_was_sent_can_have_been_too_big(void **state)
{
	struct bed *b = bed_create();
	struct quote q = quote_of(IP_UDP, 1500);
	struct icmp_header h = {.type = ICMP_UNREACHABLE,
				.code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED};
	prism_udp udp = bed_open(b, 80);
	struct prism_event e;

	h.next_hop.mtu_bytes = be16_of(1000);
	error_in(b, &h, &q, 28); // nothing was sent
	assert_int_equal(mtu_to_far(b), 1500);
	send_to_far(b, udp, 1000 - 28);
	error_in(b, &h, &q, 28); // nothing that large
	assert_int_equal(mtu_to_far(b), 1500);
	assert_int_equal(udp_deliver(b->net, &e, 1), 0);
	send_to_far(b, udp, 1000 - 27);
	error_in(b, &h, &q, 28);
	assert_int_equal(mtu_to_far(b), 1000);
	h.next_hop.mtu_bytes = be16_of(100);
	error_in(b, &h, &q, 28); // nobody's MTU
	assert_int_equal(mtu_to_far(b), 552);
	bed_time(b, 601 * NS_PER_S); // RFC 1191 6.3
	assert_int_equal(mtu_to_far(b), 1500);
	bed_destroy(b);
}

static void an_error_about_a_datagram_becomes_an_event(void **state)
{
	struct bed *b = bed_create();
	struct quote q = quote_of(IP_UDP, 1500);
	struct icmp_header h = {.type = ICMP_UNREACHABLE, .code = ICMP_UNREACHABLE_PORT};
	prism_udp udp = bed_open(b, 80);
	struct prism_event e;

	error_in(b, &h, &q, 28);
	assert_int_equal(b->report_count, 0);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	assert_int_equal(e.type, PRISM_EVENT_UDP_ERROR);
	assert_int_equal(e.udp.id, udp.id);
	assert_int_equal(e.user, 77);
	assert_int_equal(e.reason, ECONNREFUSED);
	assert_int_equal(e.peer_port, 40000);
	struct addr any = {0}, far = addr_from_v4(FAR);
	assert_memory_equal(e.peer, &far, 16);
	assert_int_equal(udp_reply(b->net, &e, NULL), -EINVAL); // there is nothing to answer
	h = (struct icmp_header){.type = ICMP_UNREACHABLE,
				 .code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED};
	h.next_hop.mtu_bytes = be16_of(1300);
	q.tcp.src_port = be16_of(81); // no such socket: forged, changes nothing
	error_in(b, &h, &q, 28);
	assert_false(udp_pending(b->net));
	struct net_path path;
	assert_int_equal(net_path_find(b->net, &any, &far, &path), 0);
	assert_int_equal(path.mtu_bytes, 1500);
	q.tcp.src_port = be16_of(80);
	send_to_far(b, udp, 1400);
	error_in(b, &h, &q, 28);
	assert_int_equal(udp_deliver(b->net, &e, 1), 1);
	assert_int_equal(e.reason, EMSGSIZE);
	assert_true(net_path_refresh(b->net, &path));
	assert_int_equal(path.mtu_bytes, 1300);
	const struct {
		uint8_t type, code, number;
	} kinds[] = {{3, 0, ENETUNREACH},   {3, 1, EHOSTUNREACH},  {3, 2, ECONNREFUSED},
		     {3, 13, EHOSTUNREACH}, {11, 0, EHOSTUNREACH}, {12, 0, EPROTO}};
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		h = (struct icmp_header){.type = kinds[i].type, .code = kinds[i].code};
		error_in(b, &h, &q, 28);
		assert_int_equal(udp_deliver(b->net, &e, 1), 1);
		assert_int_equal(e.reason, kinds[i].number);
	}
	bed_destroy(b);
}

static void port_unreachable_quotes_what_fits_and_enters_the_ledger(void **state)
{
	struct bed *b = bed_create();
	struct frame f;
	uint8_t data[1000];

	bed_meet(b, PEER, PEER_MAC);
	memset(data, 'q', sizeof(data));
	frame_udp(&f, PEER, OURS, 9, (struct run){data, sizeof(data)});
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_NO_SOCKET), 1);
	const struct ipv4_header *h = bed_last_ip4(b);
	const struct icmp_header *icmp = (const void *)(h + 1);
	assert_int_equal(be16_get(h->total_len), 576); // RFC 1812 4.3.2.3
	assert_int_equal(icmp->type, ICMP_UNREACHABLE);
	assert_int_equal(icmp->code, ICMP_UNREACHABLE_PORT);
	assert_true(bed_l4_good(h));
	assert_memory_equal(icmp + 1, f.byte + 14, 548);
	assert_int_equal(b->counters.value[COUNTER_copied_bytes_error], 548);
	bed_destroy(b);
}

static void what_must_not_provoke_an_error_does_not(void **state)
{
	struct bed *b = bed_create();
	struct frame f;

	bed_meet(b, PEER, PEER_MAC);
	frame_udp(&f, PEER, IP(198, 18, 0, 255), 9, (struct run){"x", 1}); // broadcast
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_UDP_NO_SOCKET), 1);
	assert_int_equal(b->port[0].tx_count, 0);
	struct icmp_header h = {.type = ICMP_UNREACHABLE};
	frame_icmp(&f, PEER, &h, "12345678", 8); // an error with a bad option in its header
	memmove(f.byte + 38, f.byte + 34, f.len - 34);
	memcpy(f.byte + 34, "\x07\x00\x00\x00", 4);
	f.byte[14] = 0x46;
	f.len += 4;
	frame_finish(&f);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IP4_OPTIONS), 1);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

static void errors_are_limited_in_rate(void **state)
{
	struct bed *b =
		bed_create_with(PORT_TX_CHAINS, &(struct net_config){.icmp_errors_per_s = 100});
	struct frame f;

	bed_meet(b, PEER, PEER_MAC);
	frame_udp(&f, PEER, OURS, 9, (struct run){"x", 1});
	for (int i = 0; i < 1000; i++)
		bed_in(b, 0, f.byte, f.len);
	uint32_t burst = b->port[0].tx_count;
	assert_in_range(burst, 30, 80); // 50 shares, each error costs one on average
	assert_int_equal(b->counters.value[COUNTER_icmp_withheld_pkts], 1000 - burst);
	assert_int_equal(bed_drops(b, DROP_UDP_NO_SOCKET), 1000);
	bed_clear(b);
	for (int i = 0; i < 10000; i++) { // ten seconds of a thousand a second
		b->env.now_ns += NS_PER_MS;
		bed_in(b, 0, f.byte, f.len);
	}
	assert_in_range(b->port[0].tx_count, 850, 1150);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_comes_back_in_its_own_buffer),
		cmocka_unit_test(echo_to_a_broadcast_address_stays_unanswered),
		cmocka_unit_test(echo_from_where_no_route_leads_is_dropped),
		cmocka_unit_test(damaged_and_unwanted_messages_are_dropped_by_name),
		cmocka_unit_test(an_error_about_a_segment_is_reported_to_tcp),
		cmocka_unit_test(fragmentation_needed_carries_the_next_mtu),
		cmocka_unit_test(only_what_was_sent_can_have_been_too_big),
		cmocka_unit_test(a_quote_of_nothing_we_sent_is_dropped),
		cmocka_unit_test(an_error_about_a_datagram_becomes_an_event),
		cmocka_unit_test(port_unreachable_quotes_what_fits_and_enters_the_ledger),
		cmocka_unit_test(what_must_not_provoke_an_error_does_not),
		cmocka_unit_test(errors_are_limited_in_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
