// SPDX-License-Identifier: BSD-3-Clause
// Listeners of several workers: whose a SYN is, whoever receives it.
#include "crew.h"

#define HTTP 80

static void unlisten_takes_the_claim_back_and_a_syn_is_reset(void **state)
{
	struct crew *c = crew_create(4, CREW_FEW);
	struct seg s = {5001, HTTP, PEER_ISN, 0, TCP_SYN, {0}};
	prism_listener listener;
	struct frame f;

	crew_meet(c);
	listener = crew_listen(c, 2, HTTP);
	assert_int_equal(claims_on(team_tcp(c->team)->listening, HTTP), 1u << 2);
	assert_int_equal(crew_accept(c, 0, 5000, HTTP).owner, 2);
	assert_int_equal(prism_tcp_unlisten(c->worker[2], listener), 0);
	assert_int_equal(claims_on(team_tcp(c->team)->listening, HTTP), 0);
	frame_seg(&f, s);
	crew_in(c, 0, &f);
	const struct tcp_header *h = crew_only_seg(c);

	assert_int_equal(h->flags, TCP_RST | TCP_ACK);
	assert_int_equal(be32_get(h->ack), PEER_ISN + 1);
	assert_int_equal(c->counters[0].drop[DROP_TCP_NO_LISTENER], 1);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_claim_goes_with_its_listener_alone(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);
	prism_listener any = crew_listen(c, 1, HTTP);
	prism_listener one = crew_listen_at(c, 1, at(OURS, HTTP));
	const struct claims *claims = team_tcp(c->team)->listening;

	assert_int_equal(claims_of(claims, HTTP, CLAIMS_ANY), 2);
	assert_int_equal(claims_of(claims, HTTP, 1), 2);
	assert_int_equal(prism_tcp_unlisten(c->worker[1], any), 0);
	assert_int_equal(claims_of(claims, HTTP, CLAIMS_ANY), 0);
	assert_int_equal(claims_of(claims, HTTP, 1), 2);
	assert_int_equal(prism_tcp_unlisten(c->worker[1], one), 0);
	assert_int_equal(claims_on(claims, HTTP), 0);
	crew_destroy(c);
}

// Who accepts what the peer opens to an address, received by each in turn; they are the same.
static uint32_t who_accepts(struct crew *c, be32 address)
{
	static uint16_t src_port = 6000;
	uint32_t owner = CREW_MAX, first = CREW_MAX;

	for (uint32_t i = 0; i < (c->mode == CREW_FEW ? 1 : c->count); i++, src_port++) {
		struct seg s = {src_port, HTTP, PEER_ISN, 0, TCP_SYN, {0}};
		struct frame f;

		crew_clear(c);
		memset(c->seen, 0, sizeof(c->seen));
		frame_seg_to(&f, address, s);
		crew_in(c, i, &f);
		s.seq++;
		s.ack = be32_get(crew_only_seg(c)->seq) + 1;
		s.flags = TCP_ACK;
		frame_seg_to(&f, address, s);
		crew_in(c, i, &f);
		assert_int_equal(crew_accepted(c, &owner), 1);
		first = i ? first : owner;
		assert_int_equal(owner, first);
	}
	return owner;
}

// One port, two addresses, a worker for each: nobody refuses what is the other's.
static void listeners_on_one_port_are_told_apart_by_address(enum crew_mode mode)
{
	struct crew *c = crew_create_at_two(3, mode);

	crew_meet(c);
	crew_listen_at(c, 1, at(OURS, HTTP));
	crew_listen_at(c, 2, at(OURS_TOO, HTTP));
	assert_int_equal(who_accepts(c, OURS), 1);
	assert_int_equal(who_accepts(c, OURS_TOO), 2);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void two_addresses_on_one_port_are_two_workers(void **state)
{
	listeners_on_one_port_are_told_apart_by_address(CREW_SPREAD);
}

static void two_addresses_on_one_port_are_two_workers_behind_one_queue(void **state)
{
	listeners_on_one_port_are_told_apart_by_address(CREW_FEW);
}

// RFC 9293 MUST-41, MUST-42: whoever receives it, himself with a listener for any address too.
static void who_listens_on_the_address_itself_goes_before_who_listens_on_any(enum crew_mode mode)
{
	struct crew *c = crew_create_at_two(3, mode);

	crew_meet(c);
	crew_listen(c, 0, HTTP);
	prism_listener one = crew_listen_at(c, 2, at(OURS_TOO, HTTP));

	assert_int_equal(who_accepts(c, OURS), 0);
	assert_int_equal(who_accepts(c, OURS_TOO), 2);
	assert_int_equal(prism_tcp_unlisten(c->worker[2], one), 0);
	assert_int_equal(who_accepts(c, OURS_TOO), 0);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void the_closest_listener_of_all_workers_answers(void **state)
{
	who_listens_on_the_address_itself_goes_before_who_listens_on_any(CREW_SPREAD);
}

static void the_closest_listener_answers_behind_one_queue(void **state)
{
	who_listens_on_the_address_itself_goes_before_who_listens_on_any(CREW_FEW);
}

static void an_address_that_nobody_listens_on_is_refused_by_who_receives(void **state)
{
	struct crew *c = crew_create_at_two(3, CREW_SPREAD);
	struct seg s = {5001, HTTP, PEER_ISN, 0, TCP_SYN, {0}};
	struct frame f;

	crew_meet(c);
	crew_listen_at(c, 1, at(OURS, HTTP));
	frame_seg_to(&f, OURS_TOO, s);
	crew_in(c, 2, &f);
	assert_int_equal(crew_only_seg(c)->flags, TCP_RST | TCP_ACK);
	assert_int_equal(c->counters[2].drop[DROP_TCP_NO_LISTENER], 1);
	assert_int_equal(crew_sum(c, COUNTER_handed_out_pkts), 0);
	crew_destroy(c);
}

// Who half opened it was told of nobody's end: the handshake's last ACK comes too late.
static void unlisten_in_the_middle_of_a_handshake_resets_it(void **state)
{
	struct crew *c = crew_create(3, CREW_FEW);
	struct seg s = {5000, HTTP, PEER_ISN, 0, TCP_SYN, {0}};
	prism_listener listener;
	struct frame f;

	crew_meet(c);
	listener = crew_listen(c, 2, HTTP);
	frame_seg(&f, s);
	crew_in(c, 0, &f);
	uint32_t next = be32_get(crew_only_seg(c)->seq) + 1;

	assert_int_equal(prism_tcp_unlisten(c->worker[2], listener), 0);
	crew_clear(c);
	s = (struct seg){5000, HTTP, PEER_ISN + 1, next, TCP_ACK, {0}};
	frame_seg(&f, s);
	crew_in(c, 0, &f);
	assert_int_equal(crew_only_seg(c)->flags & TCP_RST, TCP_RST);
	assert_int_equal(c->counters[2].drop[DROP_TCP_NO_LISTENER], 1);
	assert_int_equal(table_count(team_tcp(c->team)->table), 0);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_claim_goes_with_its_listener_alone),
		cmocka_unit_test(unlisten_takes_the_claim_back_and_a_syn_is_reset),
		cmocka_unit_test(two_addresses_on_one_port_are_two_workers),
		cmocka_unit_test(two_addresses_on_one_port_are_two_workers_behind_one_queue),
		cmocka_unit_test(the_closest_listener_of_all_workers_answers),
		cmocka_unit_test(the_closest_listener_answers_behind_one_queue),
		cmocka_unit_test(an_address_that_nobody_listens_on_is_refused_by_who_receives),
		cmocka_unit_test(unlisten_in_the_middle_of_a_handshake_resets_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
