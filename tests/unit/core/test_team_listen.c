// SPDX-License-Identifier: BSD-3-Clause
// Listeners of several workers: whose a SYN is, whoever receives it; one that ends a TIME-WAIT too.
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

static void closing(struct crew *c, const struct met *met, uint32_t receiver)
{
	struct seg s = {5000, HTTP, PEER_ISN + 1, met->next + 1, TCP_FIN | TCP_ACK, {0}};
	struct frame f;

	assert_int_equal(prism_tcp_close(c->worker[met->owner], met->conn), 0);
	crew_turns(c);
	assert_int_equal(crew_only_seg(c)->flags & TCP_FIN, TCP_FIN);
	crew_clear(c);
	frame_seg(&f, s);
	crew_in(c, receiver, &f);
	assert_int_equal(be32_get(crew_only_seg(c)->ack), PEER_ISN + 2);
	assert_int_equal(c->seen[met->owner].count[PRISM_EVENT_CLOSED], 1);
	assert_int_equal(c->seen[met->owner].last.reason, PRISM_CLOSE_DONE);
	crew_clear(c);
}

static void a_record_in_time_wait_answers_a_fin_that_another_receives(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);
	struct frame f;

	crew_meet(c);
	crew_listen(c, 1, HTTP);
	struct met met = crew_accept(c, 0, 5000, HTTP);
	struct seg fin = {5000, HTTP, PEER_ISN + 1, met.next + 1, TCP_FIN | TCP_ACK, {0}};

	closing(c, &met, 0);
	frame_seg(&f, fin);
	crew_in(c, 0, &f);
	const struct tcp_header *h = crew_only_seg(c);

	assert_int_equal(c->port[1].tx_count, 1);
	assert_int_equal(h->flags, TCP_ACK);
	assert_int_equal(be32_get(h->ack), PEER_ISN + 2);
	assert_int_equal(be32_get(h->seq), met.next + 1);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// As a SYN of the peer's ended the wait: its new connection is accepted, numbered above the old.
static void begins_anew(struct crew *c, uint32_t receiver, const struct met *met)
{
	struct seg s = {5000, HTTP, PEER_ISN + 100, 0, TCP_SYN, {0}};
	struct frame f;

	frame_seg(&f, s);
	crew_in(c, receiver, &f);
	const struct tcp_header *h = crew_only_seg(c);
	uint32_t iss = be32_get(h->seq);

	assert_int_equal(h->flags, TCP_SYN | TCP_ACK);
	assert_true((int32_t)(iss - met->next) > 65000); // above all that the old one sent
	s = (struct seg){5000, HTTP, PEER_ISN + 101, iss + 1, TCP_ACK, {0}};
	frame_seg(&f, s);
	crew_in(c, receiver, &f);
	assert_int_equal(table_count(team_tcp(c->team)->table), 1);
}

static void a_new_syn_takes_the_place_of_another_workers_time_wait(void **state)
{
	struct crew *c = crew_create(2, CREW_FEW);

	crew_meet(c);
	crew_listen(c, 1, HTTP);
	struct met met = crew_accept(c, 0, 5000, HTTP);

	closing(c, &met, 0);
	begins_anew(c, 0, &met);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_ACCEPTED], 2);
	crew_at_rest(c);
	crew_destroy(c);
}

// A connection of worker 1's listener that moved to worker 0, and ended there: who waits now has no
// listener.
static struct met wait_elsewhere(struct crew *c)
{
	struct met met;

	crew_meet(c);
	crew_listen(c, 1, HTTP);
	met = crew_accept(c, 1, 5000, HTTP);
	assert_int_equal(prism_tcp_move(c->worker[1], met.conn, 0), 0);
	crew_turns(c);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_MOVED], 1);
	met.owner = 0;
	crew_clear(c);
	closing(c, &met, 1);
	return met;
}

// RFC 9293 3.10.7.4, RFC 6191: that somebody listens is enough, whoever has the record.
static void a_time_wait_gives_way_to_the_listener_of_another_worker(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct met met = wait_elsewhere(c);
	uint64_t segs = crew_sum(c, COUNTER_tcp_segs_in);

	begins_anew(c, 2, &met);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_ACCEPTED], 2);
	assert_int_equal(crew_sum(c, COUNTER_tcp_segs_in), segs + 2);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// As many as one worker can give another who takes nothing: frames that are none.
static void fill_ring(struct crew *c, struct pool *pool, uint32_t from, uint32_t to)
{
	const struct env *env = &c->worker[from]->env;

	while (hands_have_room(env, to)) {
		hands_give(env, pkt_alloc(pool), to, mesh_word(HANDED_INPUT, 0, from));
		counter_add(env, COUNTER_originated_pkts, 1);
	}
}

// What is dropped on its way comes again: then the record must still know the old numbers.
static void a_time_wait_goes_on_while_who_listens_is_stopped_and_his_ring_full(void **state)
{
	struct pool_config small = {"no frames", 2 * MESH_RING_PKTS, 256, -1};
	struct seg s = {5000, HTTP, PEER_ISN + 100, 0, TCP_SYN, {0}};
	struct pool *pool = pool_create(&small);
	struct crew *c = crew_create(2, CREW_SPREAD);
	struct met met = wait_elsewhere(c);
	struct frame f;

	c->stopped[1] = true;
	fill_ring(c, pool, 0, 1);
	frame_seg(&f, s);
	crew_in(c, 0, &f);
	assert_int_equal(c->counters[0].drop[DROP_WORKER_RING_FULL], 1);
	assert_int_equal(table_count(team_tcp(c->team)->table), 1);
	c->stopped[1] = false;
	while (hands_waiting(&c->worker[1]->env))
		crew_turn(c, 1);
	begins_anew(c, 0, &met);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_ACCEPTED], 2);
	assert_int_equal(c->counters[0].drop[DROP_WORKER_RING_FULL], 1);
	crew_at_rest(c);
	crew_destroy(c);
	assert_int_equal(pool_available(pool), pool_capacity(pool));
	pool_destroy(pool);
}

// RFC 9293 MUST-13
static void a_time_wait_goes_on_when_no_worker_listens(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct seg s = {5000, HTTP, PEER_ISN + 100, 0, TCP_SYN, {0}};
	struct frame f;

	crew_meet(c);
	prism_listener listener = crew_listen(c, 1, HTTP);
	struct met met = crew_accept(c, 1, 5000, HTTP);

	closing(c, &met, 1);
	assert_int_equal(prism_tcp_unlisten(c->worker[1], listener), 0);
	crew_listen_at(c, 2, at(OURS, HTTP + 1));
	frame_seg(&f, s);
	crew_in(c, 2, &f);
	assert_int_equal(crew_only_seg(c)->flags, TCP_ACK);
	assert_int_equal(c->counters[1].drop[DROP_TCP_TIME_WAIT], 1);
	assert_int_equal(table_count(team_tcp(c->team)->table), 1);
	crew_at_rest(c);
	crew_destroy(c);
}

// The listener is taken back while the SYN is on its way to it.
static void a_syn_that_ended_a_time_wait_is_refused_where_nobody_listens_any_more(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);
	struct seg s = {5000, HTTP, PEER_ISN + 100, 0, TCP_SYN, {0}};
	prism_listener listener;
	struct met met;
	struct frame f;

	crew_meet(c);
	listener = crew_listen(c, 1, HTTP);
	met = crew_accept(c, 1, 5000, HTTP);
	assert_int_equal(prism_tcp_move(c->worker[1], met.conn, 0), 0);
	crew_turns(c);
	met.owner = 0;
	crew_clear(c);
	closing(c, &met, 0);
	frame_seg(&f, s);
	crew_put(c, 0, &f);
	crew_turn(c, 0);
	assert_int_equal(prism_tcp_unlisten(c->worker[1], listener), 0);
	crew_turns(c);
	assert_int_equal(crew_only_seg(c)->flags, TCP_RST | TCP_ACK);
	assert_int_equal(c->counters[1].drop[DROP_TCP_NO_LISTENER], 1);
	assert_int_equal(table_count(team_tcp(c->team)->table), 0);
	crew_at_rest(c);
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
		cmocka_unit_test(a_record_in_time_wait_answers_a_fin_that_another_receives),
		cmocka_unit_test(a_new_syn_takes_the_place_of_another_workers_time_wait),
		cmocka_unit_test(a_time_wait_gives_way_to_the_listener_of_another_worker),
		cmocka_unit_test(
			a_time_wait_goes_on_while_who_listens_is_stopped_and_his_ring_full),
		cmocka_unit_test(a_time_wait_goes_on_when_no_worker_listens),
		cmocka_unit_test(
			a_syn_that_ended_a_time_wait_is_refused_where_nobody_listens_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
