// SPDX-License-Identifier: BSD-3-Clause
// Multicast and several workers: who listens, whoever receives; what is said of it, and by whom.
#include "crew.h"
#include "wire/igmp.h"

#define GROUP IP(239, 1, 2, 3)
#define FEED 5000

static const struct udp_group FEED_GROUP = {
	.group = {.byte = {[10] = 0xff, 0xff, 239, 1, 2, 3}},
};

static void to_group(struct frame *f, uint16_t port)
{
	frame_udp(f, PEER, GROUP, port, (struct run){"tick", 4});
	ipv4_group_mac(GROUP, f->byte);
}

static void join(struct crew *c, uint32_t worker, prism_udp udp)
{
	assert_int_equal(udp_join(c->worker[worker]->net, udp, &FEED_GROUP), 0);
}

// Worker 0 has a socket on the port, too, that did not join.
static void who_joined_gets_what_any_worker_receives(enum crew_mode mode)
{
	struct crew *c = crew_create(3, mode);
	prism_udp udp = crew_open_udp(c, 1, FEED);
	struct frame f;

	crew_open_udp(c, 0, FEED);
	join(c, 1, udp);
	crew_turns(c);
	for (uint32_t i = 0; i < 3; i++) {
		to_group(&f, FEED);
		crew_in(c, mode == CREW_FEW ? 0 : i, &f);
	}
	assert_int_equal(c->seen[1].count[PRISM_EVENT_DATAGRAM], 3);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_DATAGRAM], 0);
	assert_int_equal(crew_all_drops(c), 0);
	to_group(&f, FEED + 1);
	crew_in(c, 0, &f);
	assert_int_equal(crew_drops(c, DROP_UDP_NOT_JOINED), 1);
	assert_int_equal(udp_leave(c->worker[1]->net, udp, &FEED_GROUP), 0);
	to_group(&f, FEED);
	crew_in(c, 0, &f);
	assert_int_equal(crew_drops(c, DROP_IP4_MULTICAST), 1);
	crew_at_rest(c);
	crew_destroy(c);
}

static void who_joined_gets_what_any_queue_brings(void **state)
{
	who_joined_gets_what_any_worker_receives(CREW_SPREAD);
}

static void who_joined_gets_what_the_only_queue_brings(void **state)
{
	who_joined_gets_what_any_worker_receives(CREW_FEW);
}

// Each what he wants: a sender that one does not want may be another's.
static void workers_that_want_different_senders_get_theirs(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);
	be32 sender[2] = {PEER, IP(198, 18, 0, 77)};
	struct frame f;

	for (uint32_t i = 0; i < 2; i++) {
		struct udp_group g = FEED_GROUP;
		prism_udp udp = crew_open_udp(c, i, FEED);

		g.source = addr_from_v4(sender[i]);
		assert_int_equal(udp_join(c->worker[i]->net, udp, &g), 0);
	}
	for (uint32_t i = 0; i < 2; i++)
		for (uint32_t at = 0; at < 2; at++) {
			frame_udp(&f, sender[i], GROUP, FEED, (struct run){"tick", 4});
			ipv4_group_mac(GROUP, f.byte);
			crew_in(c, at, &f);
		}
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(c->seen[i].count[PRISM_EVENT_DATAGRAM], 2);
	assert_int_equal(crew_all_drops(c), 0);
	crew_destroy(c);
}

// 64 groups of a worker have their claims, whatever the group's number.
static void as_many_groups_as_there_may_be_are_claimed(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);

	for (uint32_t i = 0; i < 2; i++) {
		prism_udp udp = crew_open_udp(c, i, FEED);

		for (uint8_t k = 0; k < GROUPS_MAX; k++) {
			struct udp_group g = {.group = addr_from_v4_octets(239, 0, 0, k)};

			assert_int_equal(udp_join(c->worker[i]->net, udp, &g), 0);
		}
		assert_int_equal(udp_close(c->worker[i]->net, udp), 0);
	}
	crew_destroy(c);
}

static void workers_that_joined_share_the_flows(void **state)
{
	struct crew *c = crew_create(2, CREW_FEW);
	struct frame f;

	for (uint32_t i = 0; i < 2; i++)
		join(c, i, crew_open_udp(c, i, FEED));
	crew_turns(c);
	for (uint16_t port = 2000; port < 2100; port++) {
		to_group(&f, FEED);
		struct udp_header *u = (void *)(f.byte + 34);

		u->src_port = be16_of(port);
		u->checksum.raw = 0; // none
		crew_in(c, 0, &f);
	}
	uint32_t first = c->seen[0].count[PRISM_EVENT_DATAGRAM];

	assert_int_equal(first + c->seen[1].count[PRISM_EVENT_DATAGRAM], 100);
	assert_true(first > 10 && first < 90);
	assert_int_equal(crew_all_drops(c), 0);
	crew_destroy(c);
}

// The records in the reports that left, of a type.
static uint32_t said(struct crew *c, uint8_t type)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < c->count; i++)
		for (uint32_t n = 0; n < c->port[i].tx_count; n++) {
			capture_read(&c->port[i], n, c->out);
			const struct igmp3_report *r = (const void *)(c->out + 14 + 24);
			const struct igmp3_record *record = (const void *)(r + 1);

			count += r->type == IGMP3_REPORT && record->type == type;
		}
	crew_clear(c);
	return count;
}

static void ask(struct crew *c, uint32_t worker)
{
	struct igmp3_query query = {.message = {.type = IGMP_QUERY, .response_code = 1}};
	be32 all = be32_of(IGMP_ALL_SYSTEMS);
	struct frame f;

	query.message.checksum = checksum_finish(checksum_add(0, &query, sizeof(query)));
	frame_ip4(&f, PEER, all, IP_IGMP)->ttl = 1;
	ipv4_group_mac(all, f.byte);
	frame_add(&f, &query, sizeof(query));
	frame_finish(&f);
	crew_in(c, worker, &f);
}

static void a_question_comes_to_all_who_listen_and_the_last_says_that_he_left(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_udp udp[2];

	for (uint32_t i = 0; i < 2; i++) {
		udp[i] = crew_open_udp(c, i, FEED);
		join(c, i, udp[i]);
	}
	crew_time(c, 2 * NS_PER_S);
	assert_int_equal(said(c, GROUP_TO_EXCLUDE), 4);
	ask(c, 2);
	crew_time(c, NS_PER_S);
	assert_int_equal(said(c, GROUP_IS_EXCLUDE), 2);
	assert_int_equal(udp_leave(c->worker[0]->net, udp[0], &FEED_GROUP), 0);
	crew_time(c, 2 * NS_PER_S);
	assert_int_equal(said(c, GROUP_TO_INCLUDE), 0);
	assert_int_equal(udp_close(c->worker[1]->net, udp[1]), 0);
	crew_time(c, 2 * NS_PER_S);
	assert_int_equal(said(c, GROUP_TO_INCLUDE), 2);
	crew_at_rest(c);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_joined_gets_what_any_queue_brings),
		cmocka_unit_test(who_joined_gets_what_the_only_queue_brings),
		cmocka_unit_test(workers_that_want_different_senders_get_theirs),
		cmocka_unit_test(as_many_groups_as_there_may_be_are_claimed),
		cmocka_unit_test(workers_that_joined_share_the_flows),
		cmocka_unit_test(a_question_comes_to_all_who_listen_and_the_last_says_that_he_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
