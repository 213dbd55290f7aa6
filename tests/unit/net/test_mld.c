// SPDX-License-Identifier: BSD-3-Clause
// Multicast listeners: which groups we say we listen to, when, and to whose questions.
#include "bed6.h"

static const struct addr ALL_MLD2 = {.byte = {0xff, 2, [15] = 0x16}};

static const struct mld2_report *last_report(struct bed *b, uint32_t count)
{
	const void *at;

	assert_int_equal(bed6_count(b, ICMP6_MLD2_REPORT, &at), count);
	const struct ipv6_header *ip = (const void *)(b->out + 14);
	struct addr src = addr_from_bytes(ip->src);
	uint32_t len = be16_get(ip->payload_len) - (uint32_t)MLD_ALERT_BYTES;

	// RFC 3810 5: hop limit 1, a router alert, and where it goes
	assert_int_equal(ip->hop_limit, 1);
	assert_memory_equal(ip + 1, "\x3a\0\5\2\0\0\1\0", 8);
	assert_true(bed6_is(ip->dst, &ALL_MLD2));
	assert_memory_equal(b->out, "\x33\x33\0\0\0\x16", 6);
	assert_true(checksum_is_good(checksum_pseudo(&src, &ALL_MLD2, IP_ICMP6, len) +
				     checksum_add(0, at, len)));
	return at;
}

static const struct mld2_record *record(const struct mld2_report *r, uint32_t index)
{
	return (const struct mld2_record *)(r + 1) + index;
}

// RFC 3810 6.1, RFC 4862 5.4.2: before the group is asked in.
static void an_address_joins_its_group_and_says_so_twice(void **state)
{
	struct bed *b = bed6_create_with(PORT_TX_CHAINS, &(struct net_config){0});
	struct addr group = ipv6_solicited_node(&OURS6);

	bed_time(b, 100 * NS_PER_MS);
	const struct mld2_report *r = last_report(b, 2);

	assert_true(bed6_is(((const struct ipv6_header *)(b->out + 14))->src, &NOBODY6));
	assert_int_equal(be16_get(r->record_count), 1);
	assert_int_equal(record(r, 0)->type, GROUP_TO_EXCLUDE);
	assert_true(bed6_is(record(r, 0)->group, &group));
	bed_clear(b);
	bed_time(b, NS_PER_S);
	last_report(b, 2);
	bed_destroy(b);
}

struct question {
	uint16_t delay_ms;
	uint8_t hop_limit;
	const struct addr *src;
	bool alert;
	bool older; // version 1
};

static void ask(struct bed *b, struct question q)
{
	const uint8_t alert[8] = {IP_ICMP6, 0, 5, 2, 0, 0, 1, 0};
	struct mld_query query = {.type = ICMP6_MLD_QUERY, .response_delay = be16_of(q.delay_ms)};
	struct frame f;

	frame6(&f, q.src, &ALL_NODES6, q.alert ? IPV6_HOP_BY_HOP : IP_ICMP6)->hop_limit =
		q.hop_limit;
	if (q.alert)
		frame_add(&f, alert, 8);
	frame_add(&f, &query, sizeof(query));
	frame_add(&f, NULL, q.older ? 0 : 4); // version 2
	frame6_finish(&f, q.alert ? ICMP6_AT + 8 : ICMP6_AT);
	bed_in(b, 0, f.byte, f.len);
}

// RFC 3810 6.2
static void a_question_is_answered_once_with_all_groups(void **state)
{
	struct bed *b = bed6_create();
	struct addr group = ipv6_solicited_node(&OURS6);

	ask(b, (struct question){1000, 1, &LOCAL6, true});
	ask(b, (struct question){1000, 1, &LOCAL6, true});
	assert_int_equal(b->port[0].tx_count, 0);
	bed_time(b, 1100 * NS_PER_MS);
	const struct mld2_report *r = last_report(b, 1);

	assert_true(bed6_is(((const struct ipv6_header *)(b->out + 14))->src, bed6_local(b)));
	assert_int_equal(be16_get(r->record_count), 2);
	assert_int_equal(record(r, 1)->type, GROUP_IS_EXCLUDE);
	assert_true(bed6_is(record(r, 1)->group, &group));
	bed_destroy(b);
}

static const struct addr GROUP6 = {.byte = {0xff, 5, [14] = 1, 3}};

// RFC 3810 6.1: of sockets' groups, as of our own
static void a_socket_that_joins_and_leaves_says_so_twice(void **state)
{
	struct bed *b = bed6_create();
	prism_udp udp = bed_open(b, 7);
	const struct udp_group g = {.group = GROUP6, .source = PEER6};

	bed_time(b, NS_PER_S);
	bed_clear(b);
	assert_int_equal(udp_join(b->net, udp, &g), 0);
	bed_time(b, 2 * NS_PER_S);
	const struct mld2_report *r = last_report(b, 2);

	assert_int_equal(be16_get(r->record_count), 1);
	assert_int_equal(record(r, 0)->type, GROUP_ALLOW);
	assert_int_equal(be16_get(record(r, 0)->source_count), 1);
	assert_true(bed6_is(record(r, 0)->group, &GROUP6));
	assert_memory_equal(record(r, 0) + 1, &PEER6, 16);
	bed_clear(b);
	assert_int_equal(udp_leave(b->net, udp, &g), 0);
	bed_time(b, 2 * NS_PER_S);
	r = last_report(b, 2);
	assert_int_equal(record(r, 0)->type, GROUP_BLOCK);
	bed_destroy(b);
}

static void a_question_is_answered_with_sockets_groups_too(void **state)
{
	struct bed *b = bed6_create();
	prism_udp udp = bed_open(b, 7);
	const struct udp_group g = {.group = GROUP6};

	assert_int_equal(udp_join(b->net, udp, &g), 0);
	bed_time(b, 2 * NS_PER_S);
	bed_clear(b);
	ask(b, (struct question){1000, 1, &LOCAL6, true});
	bed_time(b, 1100 * NS_PER_MS);
	assert_int_equal(bed6_count(b, ICMP6_MLD2_REPORT, NULL), 2);
	bed_destroy(b);
}

// RFC 3810 8.2.1
static void a_router_of_version_1_is_spoken_to_in_its_words(void **state)
{
	struct bed *b = bed6_create();
	prism_udp udp = bed_open(b, 7);
	const struct udp_group g = {.group = GROUP6};
	const void *at;

	bed_time(b, NS_PER_S);
	bed_clear(b);
	ask(b, (struct question){100, 1, &LOCAL6, true, .older = true});
	bed_time(b, NS_PER_S);
	assert_int_equal(bed6_count(b, ICMP6_MLD1_REPORT, NULL), 2); // our addresses'
	assert_int_equal(bed6_count(b, ICMP6_MLD2_REPORT, NULL), 0);
	bed_clear(b);
	assert_int_equal(udp_join(b->net, udp, &g), 0);
	bed_conserved(b);
	assert_int_equal(bed6_count(b, ICMP6_MLD1_REPORT, &at), 1);
	assert_true(bed6_is(((const struct mld_query *)at)->group, &GROUP6));
	assert_true(bed6_is(((const struct ipv6_header *)(b->out + 14))->dst, &GROUP6));
	assert_int_equal(udp_leave(b->net, udp, &g), 0);
	bed_conserved(b);
	assert_int_equal(bed6_count(b, ICMP6_MLD1_REPORT, NULL), 2); // for the last time, first
	assert_int_equal(bed6_count(b, ICMP6_MLD1_DONE, &at), 1);
	assert_memory_equal(((const struct ipv6_header *)(b->out + 14))->dst,
			    "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	bed_time(b, 300 * NS_PER_S);
	bed_clear(b);
	assert_int_equal(udp_join(b->net, udp, &g), 0);
	bed_conserved(b);
	last_report(b, 1);
	bed_destroy(b);
}

static void a_question_from_elsewhere_is_not_answered(void **state)
{
	struct bed *b = bed6_create();

	ask(b, (struct question){0, 255, &LOCAL6, true});
	ask(b, (struct question){0, 1, &PEER6, true});
	ask(b, (struct question){0, 1, &LOCAL6, false});
	assert_int_equal(bed_drops(b, DROP_MLD_MALFORMED), 3);
	bed_time(b, NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_joins_its_group_and_says_so_twice),
		cmocka_unit_test(a_question_is_answered_once_with_all_groups),
		cmocka_unit_test(a_socket_that_joins_and_leaves_says_so_twice),
		cmocka_unit_test(a_question_is_answered_with_sockets_groups_too),
		cmocka_unit_test(a_router_of_version_1_is_spoken_to_in_its_words),
		cmocka_unit_test(a_question_from_elsewhere_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
