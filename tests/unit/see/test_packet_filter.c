// SPDX-License-Identifier: BSD-3-Clause
// Filters over recorded heads: frames and bare IP packets by the same words.
#include "see/packet_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "heads.h"

static const struct heads_flow web = {.protocol = IP_TCP, .src_port = 1000, .dst_port = 80};

static struct verdict of_kind(enum verdict_head kind)
{
	struct heads_flow f = web;
	struct verdict v = {.len = 60, .head_kind = (uint8_t)kind};

	f.src = addr_from_v4_octets(10, 0, 0, 5);
	f.dst = addr_from_v4_octets(10, 0, 0, 6);
	v.head_bytes = (uint8_t)(kind == VERDICT_HEAD_FRAME ? heads_frame(v.head, 0, &f)
							    : heads_ip(v.head, &f));
	return v;
}

static bool matches(const char *text, const struct verdict *v)
{
	struct packet_filter *filter = packet_filter_create(text);
	bool is = packet_filter_matches(filter, v);

	assert_non_null(filter);
	packet_filter_destroy(filter);
	return is;
}

static void a_frame_and_a_bare_packet_match_the_same_words(void **state)
{
	struct verdict frame = of_kind(VERDICT_HEAD_FRAME), ip = of_kind(VERDICT_HEAD_IP);
	static const struct {
		const char *text;
		bool matches;
	} cases[] = {{"tcp port 80", true},
		     {"host 10.0.0.5", true},
		     {"src net 10.0.0.0/24", true},
		     {"dst host 10.0.0.5", false},
		     {"udp", false},
		     {"ip6", false},
		     {"greater 60", true},
		     {"greater 61", false}};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		assert_int_equal(matches(cases[i].text, &frame), cases[i].matches);
		assert_int_equal(matches(cases[i].text, &ip), cases[i].matches);
	}
}

static void what_only_ethernet_has_matches_frames_only(void **state)
{
	struct verdict frame = of_kind(VERDICT_HEAD_FRAME), ip = of_kind(VERDICT_HEAD_IP);

	assert_true(matches("ether dst 02:00:00:00:00:00", &frame));
	assert_false(matches("ether dst 02:00:00:00:00:00", &ip));
}

static void a_tag_is_looked_through_unless_the_filter_speaks_of_it(void **state)
{
	struct heads_flow f = web;
	struct verdict v = {.len = 64, .head_kind = VERDICT_HEAD_FRAME};

	f.src = addr_from_v4_octets(10, 0, 0, 5);
	f.dst = addr_from_v4_octets(10, 0, 0, 6);
	v.head_bytes = (uint8_t)heads_frame(v.head, 7, &f);
	assert_true(matches("host 10.0.0.5 and tcp port 80", &v));
	assert_false(matches("not tcp", &v));
	assert_true(matches("vlan 7 and host 10.0.0.5", &v));
	assert_false(matches("vlan 8", &v));
	assert_false(matches("less 60", &v)); // the frame is as long as it is
	assert_true(matches("less 64", &v));
}

static void what_is_no_packet_matches_nothing(void **state)
{
	struct verdict v = of_kind(VERDICT_HEAD_TRANSPORT);

	assert_false(matches("tcp", &v));
	assert_false(matches("greater 1", &v));
}

static void what_lies_behind_the_head_does_not_match(void **state)
{
	struct verdict v = of_kind(VERDICT_HEAD_FRAME);

	assert_false(matches("tcp[13] & 2 != 0", &v)); // flags, beyond the ports recorded here
}

static void a_filter_with_a_mistake_is_refused_with_its_text(void **state)
{
	assert_null(packet_filter_create("tcp prot 80"));
	assert_int_equal(err_last()->id, ERR_FILTER);
	assert_non_null(strstr(err_last()->message, "tcp prot 80"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_and_a_bare_packet_match_the_same_words),
		cmocka_unit_test(what_only_ethernet_has_matches_frames_only),
		cmocka_unit_test(a_tag_is_looked_through_unless_the_filter_speaks_of_it),
		cmocka_unit_test(what_is_no_packet_matches_nothing),
		cmocka_unit_test(what_lies_behind_the_head_does_not_match),
		cmocka_unit_test(a_filter_with_a_mistake_is_refused_with_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
