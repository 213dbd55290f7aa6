// SPDX-License-Identifier: BSD-3-Clause
// ICMPv6: echo, and what errors say about packets of ours.
#include "bed6.h"

// RFC 4443 4.2
static void an_echo_request_comes_back_as_it_was(void **state)
{
	struct bed *b = bed6_create();

	bed6_meet(b);
	bed6_ping(b, &OURS6);
	const struct icmp6_header *h = bed6_last_icmp(b);
	const struct ipv6_header *ip = (const void *)(b->out + 14);

	assert_int_equal(h->type, ICMP6_ECHO_REPLY);
	assert_int_equal(be32_get(h->rest), 7);
	assert_memory_equal(h + 1, "ping", 4);
	assert_true(bed6_is(ip->src, &OURS6));
	assert_true(bed6_is(ip->dst, &PEER6));
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_int_equal(ip->hop_limit, 64);
	bed_destroy(b);
}

static void an_echo_request_to_all_is_answered_from_one_address(void **state)
{
	struct bed *b = bed6_create();

	bed6_meet(b);
	bed6_ping(b, &ALL_NODES6);
	bed6_last_icmp(b);
	assert_true(bed6_is(((const struct ipv6_header *)(b->out + 14))->src, &OURS6));
	bed_destroy(b);
}

static void an_echo_request_over_the_link_is_answered_there(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	frame6_icmp(&f, bed6_local(b), (struct icmp6_header){.type = ICMP6_ECHO},
		    (struct run){"ping", 4});
	memcpy(frame6_ip(&f)->src, &LOCAL6, 16);
	frame6_finish(&f, ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed6_last_icmp(b)->type, ICMP6_NEIGHBOUR_SOLICITATION);
	bed6_told(b, &LOCAL6, ND_SOLICITED, PEER_MAC);
	assert_int_equal(bed6_last_icmp(b)->type, ICMP6_ECHO_REPLY);
	assert_true(bed6_is(((const struct ipv6_header *)(b->out + 14))->src, bed6_local(b)));
	bed_destroy(b);
}

static void who_cannot_be_reached_gets_no_answer(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	frame6_icmp(&f, &OURS6, (struct icmp6_header){.type = ICMP6_ECHO}, (struct run){"x", 1});
	memcpy(frame6_ip(&f)->src, &FAR6, 16);
	frame6_finish(&f, ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_NO_ROUTE), 1);
	bed_destroy(b);
}

static void what_is_no_icmp_is_dropped_by_name(void **state)
{
	struct bed *b = bed6_create();
	struct frame f;

	frame6_icmp(&f, &OURS6, (struct icmp6_header){.type = ICMP6_ECHO}, (struct run){"x", 1});
	f.byte[ICMP6_AT + 2] ^= 1;
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ICMP6_CHECKSUM), 1);
	f.len = ICMP6_AT + 7;
	frame6_finish(&f, 0);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ICMP6_TRUNCATED), 1);
	frame6_icmp(&f, &OURS6, (struct icmp6_header){.type = ICMP6_REDIRECT}, (struct run){0});
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ICMP6_IGNORED), 1);
	frame6_icmp(&f, &OURS6, (struct icmp6_header){.type = ICMP6_ECHO}, (struct run){0});
	memcpy(frame6_ip(&f)->src, &NOBODY6, 16);
	frame6_finish(&f, ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IP6_MARTIAN), 1);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// A segment of ours to FAR6, as an error quotes it.
struct quote {
	struct ipv6_header ip;
	be16 src_port, dst_port;
	be32 seq;
	uint8_t more[1400];
} PACKED;

static struct quote quoted(void)
{
	struct quote q = {.src_port = be16_of(80), .dst_port = be16_of(5000), .seq = be32_of(77)};
	struct ipv6_header h = {.version_class_flow = be32_of(6u << 28),
				.payload_len = be16_of(1460),
				.next_header = IP_TCP};

	ipv6_header_put(&q.ip, &OURS6, &FAR6, h);
	return q;
}

static void error_in(struct bed *b, struct icmp6_header icmp, const struct quote *q, uint16_t len)
{
	struct frame f;

	frame6_icmp(&f, &OURS6, icmp, (struct run){q, len});
	bed_in(b, 0, f.byte, f.len);
}

static void an_error_names_the_connection_it_is_about(void **state)
{
	static const struct {
		uint8_t type, code, as_type, as_code;
	} said[] = {
		{ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, ICMP_UNREACHABLE, ICMP_UNREACHABLE_NET},
		{ICMP6_UNREACHABLE, ICMP6_PROHIBITED, ICMP_UNREACHABLE, ICMP_UNREACHABLE_HOST},
		{ICMP6_UNREACHABLE, ICMP6_PORT, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PORT},
		{ICMP6_UNREACHABLE, 99, ICMP_UNREACHABLE, ICMP_UNREACHABLE_HOST},
		{ICMP6_TIME_EXCEEDED, 0, ICMP_TIME_EXCEEDED, 0},
		{ICMP6_PARAMETER_PROBLEM, 0, ICMP_PARAMETER_PROBLEM, 0},
		{ICMP6_PARAMETER_PROBLEM, 1, ICMP_UNREACHABLE, ICMP_UNREACHABLE_PROTOCOL},
	};
	struct bed *b = bed6_create();
	struct quote q = quoted();

	for (uint32_t i = 0; i < ARRAY_COUNT(said); i++) {
		error_in(b, (struct icmp6_header){said[i].type, said[i].code}, &q, 48);
		assert_int_equal(b->report_count, i + 1);
		assert_int_equal(b->report.type, said[i].as_type);
		assert_int_equal(b->report.code, said[i].as_code);
		assert_true(addr_equal(&b->report.local, &OURS6));
		assert_true(addr_equal(&b->report.remote, &FAR6));
		assert_int_equal(b->report.local_port, 80);
		assert_int_equal(b->report.remote_port, 5000);
		assert_int_equal(b->report.seq, 77);
		assert_int_equal(b->report.protocol, IP_TCP);
	}
	bed_destroy(b);
}

// RFC 8201 4
static void a_path_says_what_it_carries_but_never_less_than_all_do(void **state)
{
	struct bed *b = bed6_create();
	struct quote q = quoted();

	error_in(b, (struct icmp6_header){ICMP6_TOO_BIG, 0, {0}, be32_of(1400)}, &q, 1000);
	assert_int_equal(b->report_count, 1);
	assert_int_equal(b->report.mtu_bytes, 1400);
	assert_int_equal(b->report.code, ICMP_UNREACHABLE_FRAGMENTATION_NEEDED);
	error_in(b, (struct icmp6_header){ICMP6_TOO_BIG, 0, {0}, be32_of(1279)}, &q, 1000);
	error_in(b, (struct icmp6_header){ICMP6_TOO_BIG, 0, {0}, be32_of(1500)}, &q, 1000);
	assert_int_equal(b->report_count, 1);
	assert_int_equal(bed_drops(b, DROP_ICMP6_QUOTE), 2);
	bed_destroy(b);
}

static void an_error_about_nothing_of_ours_is_dropped(void **state)
{
	struct bed *b = bed6_create();
	struct quote q = quoted();
	struct icmp6_header icmp = {ICMP6_UNREACHABLE};

	error_in(b, icmp, &q, 47);
	error_in(b, icmp, &q, 39);
	memcpy(q.ip.src, &PEER6, 16);
	error_in(b, icmp, &q, 48);
	q = quoted();
	q.ip.next_header = IP_ICMP6;
	error_in(b, icmp, &q, 48);
	q = quoted();
	q.ip.version_class_flow = be32_of(4u << 28);
	error_in(b, icmp, &q, 48);
	assert_int_equal(bed_drops(b, DROP_ICMP6_QUOTE), 5);
	assert_int_equal(b->report_count, 0);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_request_comes_back_as_it_was),
		cmocka_unit_test(an_echo_request_to_all_is_answered_from_one_address),
		cmocka_unit_test(an_echo_request_over_the_link_is_answered_there),
		cmocka_unit_test(who_cannot_be_reached_gets_no_answer),
		cmocka_unit_test(what_is_no_icmp_is_dropped_by_name),
		cmocka_unit_test(an_error_names_the_connection_it_is_about),
		cmocka_unit_test(a_path_says_what_it_carries_but_never_less_than_all_do),
		cmocka_unit_test(an_error_about_nothing_of_ours_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
