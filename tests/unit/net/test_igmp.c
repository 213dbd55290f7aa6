// SPDX-License-Identifier: BSD-3-Clause
// What is said of groups to IPv4's routers and switches, when, and in which version's words.
#include "bed_group.h"

// RFC 3376 R2, R6, R7
static void a_change_is_said_at_once_and_again_within_a_second(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	assert_int_equal(join(b, udp, GROUP), 0);
	bed_conserved(b);
	said_record(b, 0, GROUP_TO_EXCLUDE, 0, NULL);
	bed_time(b, NS_PER_S + NS_PER_MS);
	assert_int_equal(b->port[0].tx_count, 2);
	said_record(b, 1, GROUP_TO_EXCLUDE, 0, NULL);
	bed_time(b, 10 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 2);
	assert_int_equal(leave(b, udp, GROUP), 0);
	bed_time(b, 10 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 4);
	said_record(b, 2, GROUP_TO_INCLUDE, 0, NULL);
	said_record(b, 3, GROUP_TO_INCLUDE, 0, NULL);
	assert_int_equal(b->net->groups.count, 0);
	bed_destroy(b);
}

// RFC 3376 R8, R1
static void senders_that_come_and_go_are_allowed_and_blocked(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	const be32 one[] = {SENDER}, two[] = {OTHER_SENDER};

	assert_int_equal(join_from(b, udp, GROUP, SENDER), 0);
	bed_time(b, 2 * NS_PER_S);
	said_record(b, 0, GROUP_ALLOW, 1, one);
	said_record(b, 1, GROUP_ALLOW, 1, one);
	assert_int_equal(join_from(b, udp, GROUP, OTHER_SENDER), 0);
	bed_time(b, 2 * NS_PER_S);
	said_record(b, 2, GROUP_ALLOW, 1, two);
	assert_int_equal(leave_from(b, udp, GROUP, SENDER), 0);
	bed_time(b, 2 * NS_PER_S);
	said_record(b, 4, GROUP_BLOCK, 1, one);
	assert_int_equal(join(b, udp, GROUP), 0);
	bed_time(b, 2 * NS_PER_S);
	said_record(b, 6, GROUP_TO_EXCLUDE, 0, NULL);
	assert_int_equal(leave(b, udp, GROUP), 0);
	bed_time(b, 2 * NS_PER_S);
	said_record(b, 8, GROUP_TO_INCLUDE, 1, two);
	assert_int_equal(leave_from(b, udp, GROUP, OTHER_SENDER), 0);
	bed_time(b, 2 * NS_PER_S);
	said_record(b, 10, GROUP_BLOCK, 1, two);
	assert_int_equal(b->port[0].tx_count, 12);
	bed_destroy(b);
}

// RFC 3376 R9
static void a_change_before_the_last_was_repeated_has_it_repeated_first(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	assert_int_equal(join(b, udp, GROUP), 0);
	assert_int_equal(leave(b, udp, GROUP), 0);
	assert_int_equal(join(b, udp, GROUP), 0);
	bed_time(b, 3 * NS_PER_S);
	said_record(b, 0, GROUP_TO_EXCLUDE, 0, NULL);
	said_record(b, 1, GROUP_TO_EXCLUDE, 0, NULL);
	said_record(b, 2, GROUP_TO_INCLUDE, 0, NULL);
	said_record(b, 3, GROUP_TO_INCLUDE, 0, NULL);
	said_record(b, 4, GROUP_TO_EXCLUDE, 0, NULL);
	said_record(b, 5, GROUP_TO_EXCLUDE, 0, NULL);
	assert_int_equal(b->port[0].tx_count, 6);
	bed_destroy(b);
}

// RFC 3376 R5, R10
static void a_question_is_answered_in_its_time_with_all_groups(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	uint32_t len;

	assert_int_equal(join(b, udp, GROUP), 0);
	assert_int_equal(join_from(b, udp, OTHER_GROUP, SENDER), 0);
	bed_time(b, 2 * NS_PER_S);
	bed_clear(b);
	ask(b, (struct question){.code = 20});
	ask(b, (struct question){.code = 20});
	assert_int_equal(b->port[0].tx_count, 0);
	bed_time(b, 2 * NS_PER_S + NS_PER_MS);
	assert_int_equal(b->port[0].tx_count, 1);
	const struct igmp3_report *r = said(b, 0, be32_of(IGMP_ALL_V3_ROUTERS), &len);

	assert_int_equal(be16_get(r->record_count), 2);
	assert_int_equal(len, sizeof(*r) + 2 * sizeof(struct igmp3_record) + 4);
	bed_destroy(b);
}

// RFC 3376 R11, R12
static void a_question_about_one_group_is_answered_for_it_alone(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	assert_int_equal(join(b, udp, GROUP), 0);
	assert_int_equal(join(b, udp, OTHER_GROUP), 0);
	bed_time(b, 2 * NS_PER_S);
	bed_clear(b);
	ask(b, (struct question){.group = GROUP, .code = 10, .source = PEER});
	bed_time(b, NS_PER_S + NS_PER_MS);
	assert_int_equal(b->port[0].tx_count, 1);
	said_record(b, 0, GROUP_IS_EXCLUDE, 0, NULL);
	bed_destroy(b);
}

static void who_has_no_group_has_nothing_to_say(void **state)
{
	struct bed *b = bed_create();

	ask(b, (struct question){.code = 1});
	bed_time(b, NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// RFC 3376 R4
static void a_link_that_loses_more_is_told_more_often(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	ask(b, (struct question){.code = 1, .robustness = 4});
	bed_time(b, NS_PER_S);
	assert_int_equal(join(b, udp, GROUP), 0);
	bed_time(b, 5 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 4);
	bed_clear(b);
	ask(b, (struct question){.code = 1});
	bed_time(b, NS_PER_S);
	bed_clear(b);
	assert_int_equal(leave(b, udp, GROUP), 0);
	bed_time(b, 8 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 2);
	bed_destroy(b);
}

static void said_older(struct bed *b, uint32_t n, uint8_t type, be32 to)
{
	uint32_t len;
	const struct igmp_message *m = said(b, n, to, &len);

	assert_int_equal(len, sizeof(*m));
	assert_int_equal(m->type, type);
	assert_int_equal(m->group.raw, GROUP.raw);
}

// RFC 3376 R14, R15, R16
static void a_router_of_version_2_is_spoken_to_in_its_words_while_it_is_there(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	ask(b, (struct question){.code = 100, .older = true});
	assert_int_equal(join(b, udp, GROUP), 0);
	bed_conserved(b);
	said_older(b, 0, IGMP2_REPORT, GROUP);
	bed_time(b, 11 * NS_PER_S); // repeated, and the answer to the question
	assert_int_equal(b->port[0].tx_count, 3);
	said_older(b, 2, IGMP2_REPORT, GROUP);
	assert_int_equal(leave(b, udp, GROUP), 0);
	bed_conserved(b);
	said_older(b, 3, IGMP2_LEAVE, IP(224, 0, 0, 2));
	bed_time(b, 250 * NS_PER_S);
	bed_clear(b);
	assert_int_equal(join(b, udp, GROUP), 0);
	bed_conserved(b);
	said_record(b, 0, GROUP_TO_EXCLUDE, 0, NULL);
	bed_destroy(b);
}

// RFC 3376 R15
static void to_a_router_of_version_1_nobody_leaves(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	ask(b, (struct question){.code = 0, .older = true});
	assert_int_equal(join(b, udp, GROUP), 0);
	bed_time(b, 2 * NS_PER_S);
	said_older(b, 0, IGMP1_REPORT, GROUP);
	bed_time(b, 10 * NS_PER_S);
	bed_clear(b);
	assert_int_equal(leave(b, udp, GROUP), 0);
	bed_time(b, 5 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// What is far off chooses its TTL to be 1 here, but not where routers take it.
static void who_is_not_on_the_link_changes_nothing(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	ask(b, (struct question){.older = true, .source = FAR, .to = OURS});
	ask(b, (struct question){.older = true, .source = PEER, .to = OURS});
	ask(b, (struct question){.code = 1, .source = PEER, .to = OURS});
	assert_int_equal(bed_drops(b, DROP_IGMP_MALFORMED), 3);
	assert_int_equal(join(b, udp, GROUP), 0);
	ask(b, (struct question){.older = true, .source = FAR, .to = GROUP});
	assert_int_equal(bed_drops(b, DROP_IGMP_MALFORMED), 4);
	ask(b, (struct question){.group = GROUP, .older = true, .source = PEER});
	bed_conserved(b);
	said_record(b, 0, GROUP_TO_EXCLUDE, 0, NULL);
	bed_time(b, 20 * NS_PER_S); // about one group: heard, and no change of version
	said_record(b, b->port[0].tx_count - 1, GROUP_IS_EXCLUDE, 0, NULL);
	bed_destroy(b);
}

// RFC 3376 7.1
static void questions_of_a_length_between_versions_are_of_none(void **state)
{
	struct bed *b = bed_create();

	for (uint16_t len = 9; len < 12; len++)
		ask(b, (struct question){.code = 1, .len = len});
	assert_int_equal(bed_drops(b, DROP_IGMP_MALFORMED), 3);
	bed_destroy(b);
}

// Its address may be of another network than ours.
static void whoever_asks_all_systems_is_a_router_of_the_link(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	assert_int_equal(join(b, udp, GROUP), 0);
	bed_time(b, 2 * NS_PER_S);
	bed_clear(b);
	ask(b, (struct question){.code = 10, .source = FAR});
	bed_time(b, NS_PER_S + NS_PER_MS);
	said_record(b, 0, GROUP_IS_EXCLUDE, 0, NULL);
	bed_destroy(b);
}

// However often it is asked for.
static void answers_are_few(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	assert_int_equal(join(b, udp, GROUP), 0);
	bed_time(b, 2 * NS_PER_S);
	bed_clear(b);
	for (int i = 0; i < 1000; i++) {
		ask(b, (struct question){.code = 0});
		bed_time(b, NS_PER_MS);
	}
	assert_in_range(b->port[0].tx_count, 5, 200);
	bed_destroy(b);
}

// RFC 3376 R17
static void questions_from_elsewhere_or_broken_are_not_answered(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct igmp_message report = {.type = IGMP2_REPORT, .group = GROUP};
	struct frame f;

	assert_int_equal(join(b, udp, GROUP), 0);
	bed_time(b, 2 * NS_PER_S);
	bed_clear(b);
	ask(b, (struct question){.code = 1, .ttl = 2});
	assert_int_equal(bed_drops(b, DROP_IGMP_MALFORMED), 1);
	frame_ip4(&f, PEER, GROUP, IP_IGMP)->ttl = 1;
	frame_add(&f, &report, 4);
	ipv4_group_mac(GROUP, f.byte);
	frame_finish(&f);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IGMP_MALFORMED), 2);
	frame_add(&f, (const uint8_t *)&report + 4, 4);
	frame_finish(&f);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IGMP_CHECKSUM), 1);
	report.checksum = checksum_finish(checksum_add(0, &report, sizeof(report)));
	memcpy(f.byte + 14 + 20, &report, sizeof(report));
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IGMP_IGNORED), 1);
	bed_time(b, 10 * NS_PER_S);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

// RFC 3376 R3
static void long_delays_are_a_mantissa_and_an_exponent(void **state)
{
	assert_int_equal(igmp_code(0), 0);
	assert_int_equal(igmp_code(127), 127);
	assert_int_equal(igmp_code(128), 16 << 3);
	assert_int_equal(igmp_code(0xff), 31 << 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_said_at_once_and_again_within_a_second),
		cmocka_unit_test(senders_that_come_and_go_are_allowed_and_blocked),
		cmocka_unit_test(a_change_before_the_last_was_repeated_has_it_repeated_first),
		cmocka_unit_test(a_question_is_answered_in_its_time_with_all_groups),
		cmocka_unit_test(a_question_about_one_group_is_answered_for_it_alone),
		cmocka_unit_test(who_has_no_group_has_nothing_to_say),
		cmocka_unit_test(a_link_that_loses_more_is_told_more_often),
		cmocka_unit_test(a_router_of_version_2_is_spoken_to_in_its_words_while_it_is_there),
		cmocka_unit_test(to_a_router_of_version_1_nobody_leaves),
		cmocka_unit_test(who_is_not_on_the_link_changes_nothing),
		cmocka_unit_test(questions_of_a_length_between_versions_are_of_none),
		cmocka_unit_test(whoever_asks_all_systems_is_a_router_of_the_link),
		cmocka_unit_test(answers_are_few),
		cmocka_unit_test(questions_from_elsewhere_or_broken_are_not_answered),
		cmocka_unit_test(long_delays_are_a_mantissa_and_an_exponent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
