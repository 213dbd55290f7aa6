// SPDX-License-Identifier: BSD-3-Clause
// Connections that change hands where something is short: slots, descriptors, room in the ring; and
// what they wait for meanwhile.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/stack.h"
#include "crew.h"
#include "tcp/move.h"
#include "tcp/room.h"
#include "tcp/sendq.h"

#define PORT 80

static const uint8_t text[8] = "unheard";

// Two workers with few slots and descriptors; the second's listener is on PORT + 1.
static struct crew *small_crew_on(enum crew_mode mode)
{
	struct prism_options o;
	struct crew *c;

	crew_options(&o);
	o.connections_max = 16;
	o.buffers = 32;
	o.send_bytes_max = PRISM_SEND_BYTES_MIN;
	c = crew_create_with(&o, 2, mode);
	crew_meet(c);
	for (uint32_t i = 0; i < 2; i++)
		crew_listen(c, i, (uint16_t)(PORT + i));
	return c;
}

static struct crew *small_crew(void)
{
	return small_crew_on(CREW_SPREAD);
}

static prism_conn accept_at(struct crew *c, uint32_t worker, uint16_t src_port)
{
	uint32_t queue = c->mode == CREW_FEW ? 0 : worker;
	struct met met = crew_accept(c, queue, src_port, (uint16_t)(PORT + worker));

	assert_int_equal(met.owner, worker);
	return met.conn;
}

static struct tcp *tcp_at(const struct crew *c, uint32_t worker)
{
	return c->worker[worker]->tcp;
}

static uint32_t free_conns(const struct tcp *tcp)
{
	uint32_t count = 0;

	for (uint32_t i = tcp->conn_free; i != NO_INDEX; i = tcp->conn[i].flush_next)
		count++;
	return count;
}

static uint32_t free_descs(const struct tcp *tcp)
{
	uint32_t count = 0;

	for (uint32_t i = tcp->desc_free; i != NO_INDEX; i = tcp->desc[i].next)
		count++;
	assert_int_equal(count, tcp->config.send_descs_max - tcp->desc_count);
	return count;
}

// Each has what it began with, and nobody owes anything.
static void assert_even(const struct crew *c)
{
	for (uint32_t i = 0; i < c->count; i++) {
		const struct tcp *tcp = tcp_at(c, i);
		const struct tcp_config *began = &tcp->shared->config;

		assert_int_equal(free_conns(tcp) + tcp->conn_count, began->connections_max);
		assert_int_equal(free_descs(tcp) + tcp->desc_count, tcp->shared->descs_a_worker);
		assert_int_equal(tcp->owing, 0);
		assert_int_equal(tcp->lent_conns, 0);
		assert_int_equal(tcp->lent_descs, 0);
	}
}

// Connections of this worker until it has no slot left; returns how many.
static uint32_t fill_slots(struct crew *c, uint32_t worker, prism_conn *conns)
{
	uint32_t count = tcp_at(c, worker)->config.connections_max;

	for (uint32_t i = 0; i < count; i++)
		conns[i] = accept_at(c, worker, (uint16_t)(5000 + i));
	assert_int_equal(free_conns(tcp_at(c, worker)), 0);
	return count;
}

static void move_to(struct crew *c, prism_conn conn, uint32_t from, uint32_t to)
{
	assert_int_equal(prism_tcp_move(c->worker[from], conn, to), 0);
	crew_turns(c);
}

static bool owned_by(const struct crew *c, prism_conn conn, uint32_t worker)
{
	return conn_of(tcp_at(c, worker), conn.id) != NULL;
}

static void who_has_no_free_slot_gives_one_back_later(void **state)
{
	struct crew *c = small_crew();
	prism_conn conns[64], came = accept_at(c, 0, 4000);

	fill_slots(c, 1, conns);
	move_to(c, came, 0, 1);
	assert_true(owned_by(c, came, 1));
	assert_int_equal(tcp_at(c, 0)->lent_conns, 1);
	assert_int_equal(prism_tcp_abort(c->worker[1], conns[3]), 0);
	crew_turns(c);
	assert_even(c);
	crew_destroy(c);
}

static void who_has_no_free_descriptors_gives_them_back_later(void **state)
{
	struct crew *c = small_crew();
	prism_conn conns[64], came = accept_at(c, 0, 4000);
	uint32_t count = fill_slots(c, 1, conns), sent = 0;
	struct tcp *tcp = tcp_at(c, 1);

	for (uint32_t i = 0; free_descs(tcp) >= tcp->descs_a_send; i++) {
		assert_true(i < 64 * count);
		sent += prism_tcp_send_region(c->worker[1], conns[i % count], text, 1) == 0;
	}
	while (prism_tcp_send_region(c->worker[0], came, text, 1) == 0)
		sent++;
	crew_turns(c);
	uint32_t takes = tcp_at(c, 0)->desc_count;

	assert_true(takes > free_descs(tcp));
	move_to(c, came, 0, 1);
	assert_true(owned_by(c, came, 1));
	assert_true(tcp_at(c, 0)->lent_descs > 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(prism_tcp_abort(c->worker[1], conns[i]), 0);
	crew_turns(c);
	assert_even(c);
	assert_int_equal(tcp->desc_count, takes);
	crew_destroy(c);
}

// Packets of worker `from` for the wire, by way of another's queue, until their ring is full. They
// are all there are of their pool.
static void fill_ring(struct crew *c, uint32_t from, uint32_t to)
{
	struct env *env = &c->worker[from]->env;

	while (hands_have_room(env, to)) {
		struct pkt *p = pkt_alloc(env->pool[POOL_TX]);

		assert_non_null(p);
		memset(pkt_append(p, 60), 0, 60);
		counter_add(env, COUNTER_originated_pkts, 1);
		hands_give(env, p, to, mesh_word(HANDED_OUTPUT, 0, from));
	}
}

static void empty_ring(struct crew *c, uint32_t worker)
{
	while (hands_waiting(&c->worker[worker]->env)) {
		crew_turn(c, worker);
		crew_clear(c);
	}
}

static void who_has_no_room_in_the_ring_gives_back_later(void **state)
{
	struct crew *c = small_crew();
	prism_conn came = accept_at(c, 0, 4000);

	assert_int_equal(prism_tcp_send_region(c->worker[0], came, text, 1), 0);
	crew_turns(c);
	assert_int_equal(prism_tcp_move(c->worker[0], came, 1), 0);
	crew_turn(c, 0);
	fill_ring(c, 1, 0);
	crew_turn(c, 1);
	assert_true(owned_by(c, came, 1));
	assert_int_equal(tcp_at(c, 1)->owing, 1);
	empty_ring(c, 0);
	crew_turns(c);
	assert_even(c);
	crew_destroy(c);
}

static void what_goes_the_other_way_takes_the_debt_with_it(void **state)
{
	struct crew *c = small_crew();
	prism_conn conns[64], came = accept_at(c, 0, 4000);

	fill_slots(c, 1, conns);
	move_to(c, came, 0, 1);
	assert_int_equal(tcp_at(c, 1)->debt[0].conns, 1);
	move_to(c, conns[0], 1, 0);
	assert_true(owned_by(c, conns[0], 0));
	assert_int_equal(tcp_at(c, 1)->debt[0].conns, 0);
	assert_int_equal(tcp_at(c, 0)->owing, 0); // it was not lent, it was paid
	assert_int_equal(tcp_at(c, 1)->lent_conns, 0);
	assert_even(c);
	crew_destroy(c);
}

static void a_connection_goes_there_and_back_as_often_as_it_likes(void **state)
{
	struct crew *c = small_crew();
	prism_conn conns[64], came = accept_at(c, 0, 4000);
	uint32_t rounds = 4 * fill_slots(c, 1, conns);

	assert_int_equal(prism_tcp_send_region(c->worker[0], came, text, 1), 0);
	crew_turns(c);
	for (uint32_t i = 0; i < rounds; i++) {
		move_to(c, came, 0, 1);
		assert_true(owned_by(c, came, 1));
		move_to(c, came, 1, 0);
		assert_true(owned_by(c, came, 0));
	}
	assert_even(c);
	crew_destroy(c);
}

// The peer of all slots it gave away pays nothing: half of them stay.
static void moves_to_one_who_gives_nothing_back_end_before_the_last_slot(void **state)
{
	struct crew *c = small_crew();
	prism_conn theirs[64], ours[64];
	uint32_t count = fill_slots(c, 1, theirs), left = 0, half = count / 2;

	for (uint32_t i = 0; i < count; i++) {
		ours[i] = accept_at(c, 0, (uint16_t)(4000 + i));
		move_to(c, ours[i], 0, 1);
		left += owned_by(c, ours[i], 1);
	}
	assert_int_equal(left, half);
	assert_int_equal(tcp_at(c, 0)->lent_conns, half);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(prism_tcp_abort(c->worker[1], theirs[i]), 0);
	crew_time(c, 10 * NS_PER_MS); // those who waited are looked at again
	for (uint32_t i = 0; i < count; i++)
		assert_true(owned_by(c, ours[i], 1));
	assert_int_equal(c->counters[0].value[COUNTER_tcp_moved], count);
	assert_even(c);
	crew_destroy(c);
}

// A turn whose only event is text, which is kept.
static struct prism_buf *hear(struct crew *c, uint32_t worker, prism_conn conn)
{
	struct prism_event events[CREW_EVENTS];

	assert_int_equal(worker_turn(c->worker[worker], c->now_ns, events, CREW_EVENTS), 1);
	assert_int_equal(events[0].type, PRISM_EVENT_DATA);
	assert_int_equal(events[0].conn.id, conn.id);
	return events[0].buf;
}

static bool would_sleep(const struct crew *c, uint32_t worker)
{
	return worker_next_ns(c->worker[worker]) > c->now_ns;
}

static void a_worker_sleeps_while_the_application_has_what_a_move_waits_for(void **state)
{
	struct crew *c = small_crew();
	struct met met = crew_accept(c, 0, 4000, PORT);
	struct prism_buf *buf;
	struct frame f;

	frame_seg(&f, (struct seg){4000, PORT, PEER_ISN + 1, met.next, TCP_ACK, {"hello", 5}});
	crew_put(c, 0, &f);
	buf = hear(c, 0, met.conn);
	assert_int_equal(prism_tcp_move(c->worker[0], met.conn, 1), 0);
	crew_turns(c);
	crew_turns(c);
	assert_true(owned_by(c, met.conn, 0));
	assert_true(would_sleep(c, 0));
	prism_buf_release(c->worker[0], buf);
	assert_false(would_sleep(c, 0));
	crew_turns(c);
	assert_true(owned_by(c, met.conn, 1));
	assert_int_equal(c->seen[1].count[PRISM_EVENT_MOVED], 1);
	crew_destroy(c);
}

static void what_waits_for_news_to_be_taken_leaves_when_they_are(void **state)
{
	struct crew *c = small_crew();
	struct met met = crew_accept(c, 0, 4000, PORT);
	struct prism_event none;
	struct frame f;

	frame_seg(&f, (struct seg){4000, PORT, PEER_ISN + 1, met.next, TCP_ACK | TCP_FIN, {0}});
	crew_put(c, 0, &f);
	worker_turn(c->worker[0], c->now_ns, &none, 0); // the application takes nothing
	assert_int_equal(prism_tcp_move(c->worker[0], met.conn, 1), 0);
	worker_turn(c->worker[0], c->now_ns, &none, 0);
	assert_true(owned_by(c, met.conn, 0));
	crew_turns(c);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_EOF], 1);
	assert_true(owned_by(c, met.conn, 1));
	crew_destroy(c);
}

static void a_worker_sleeps_while_the_ring_is_full_and_looks_again(void **state)
{
	struct crew *c = small_crew();
	prism_conn conn = accept_at(c, 0, 4000);

	c->stopped[1] = true;
	fill_ring(c, 0, 1);
	assert_int_equal(prism_tcp_move(c->worker[0], conn, 1), 0);
	crew_turns(c);
	assert_true(owned_by(c, conn, 0));
	assert_true(would_sleep(c, 0));
	assert_true(worker_next_ns(c->worker[0]) <= c->now_ns + 2 * NS_PER_MS);
	crew_time(c, 10 * NS_PER_MS);
	assert_true(owned_by(c, conn, 0));
	empty_ring(c, 1);
	c->stopped[1] = false;
	crew_time(c, 10 * NS_PER_MS);
	assert_true(owned_by(c, conn, 1));
	assert_even(c);
	crew_destroy(c);
}

// The new owner has the queue: what he sends would be first on the wire.
static void what_was_sent_goes_before_the_connection(void **state)
{
	struct crew *c = crew_create(2, CREW_FEW);
	struct pkt *pkts[4];

	crew_meet(c);
	crew_listen(c, 1, PORT);
	struct met met = crew_accept(c, 0, 4000, PORT);

	assert_int_equal(met.owner, 1);
	assert_int_equal(prism_tcp_send_copy(c->worker[1], met.conn, text, sizeof(text)), 0);
	assert_int_equal(prism_tcp_move(c->worker[1], met.conn, 0), 0);
	crew_turn(c, 1);
	assert_int_equal(hands_take(&c->worker[0]->env, 1, pkts, 4), 2);
	assert_int_equal(mesh_what(pkt_word(pkts[0])), HANDED_OUTPUT);
	assert_int_equal(mesh_what(pkt_word(pkts[1])), HANDED_CONN);
	stack_handed(c->worker[0], pkts, 2);
	crew_turns(c);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_MOVED], 1);
	assert_int_equal(crew_sent(c), 1);
	crew_destroy(c);
}

static void what_could_not_be_sent_keeps_its_connection(void **state)
{
	struct crew *c = small_crew();
	prism_conn conn = accept_at(c, 0, 4000);

	c->port[0].tx_room = 0;
	assert_int_equal(prism_tcp_send_copy(c->worker[0], conn, text, sizeof(text)), 0);
	assert_int_equal(prism_tcp_move(c->worker[0], conn, 1), 0);
	crew_time(c, 5 * NS_PER_MS);
	assert_true(owned_by(c, conn, 0));
	c->port[0].tx_room = UINT32_MAX;
	crew_time(c, 5 * NS_PER_MS);
	assert_true(owned_by(c, conn, 1));
	crew_destroy(c);
}

static void what_came_early_goes_with_its_connection(void **state)
{
	struct crew *c = small_crew();
	struct met met = crew_accept(c, 0, 4000, PORT);
	struct seg s = {4000, PORT, 0, met.next, TCP_ACK, {0}};
	struct frame f;

	for (uint32_t i = sizeof(text); i-- > 0;) { // the last byte first
		uint32_t owner = i == 0;

		if (owner == 1)
			move_to(c, met.conn, 0, 1);
		assert_int_equal(c->worker[owner]->env.kept_pkts, sizeof(text) - 1 - i);
		assert_int_equal(c->worker[!owner]->env.kept_pkts, 0);
		s.seq = PEER_ISN + 1 + i;
		s.text = (struct run){&text[i], 1};
		frame_seg(&f, s);
		crew_in(c, 0, &f);
	}
	assert_int_equal(c->seen[1].len, sizeof(text));
	assert_memory_equal(c->seen[1].bytes, text, sizeof(text));
	assert_int_equal(c->worker[1]->env.kept_pkts, 0);
	crew_destroy(c);
}

// Text that a worker sends goes straight into the ring, in which what he owes has its place.
static void what_is_paid_is_not_crowded_out_by_what_is_sent(void **state)
{
	struct crew *c = small_crew_on(CREW_FEW);
	prism_conn conns[64], came = accept_at(c, 0, 4000);
	struct pkt *p;

	fill_slots(c, 1, conns);
	move_to(c, came, 0, 1);
	assert_int_equal(tcp_at(c, 0)->lent_conns, 1);
	fill_ring(c, 1, 0);
	for (uint32_t i = 1; i < 6; i++)
		assert_int_equal(prism_tcp_send_region(c->worker[1], conns[i], text, 8), 0);
	assert_int_equal(prism_tcp_abort(c->worker[1], conns[0]), 0);
	crew_turn(c, 1);
	crew_turn(c, 1);
	assert_int_equal(tcp_at(c, 1)->owing, 1); // there is no room
	assert_int_equal(hands_take(&c->worker[0]->env, 1, &p, 1), 1);
	stack_handed(c->worker[0], &p, 1);
	crew_turn(c, 1);
	assert_int_equal(tcp_at(c, 1)->owing, 0); // for this one there was
	empty_ring(c, 0);
	crew_turns(c);
	assert_int_equal(crew_drops(c, DROP_WORKER_RING_FULL), 0);
	assert_even(c);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_no_free_slot_gives_one_back_later),
		cmocka_unit_test(who_has_no_free_descriptors_gives_them_back_later),
		cmocka_unit_test(who_has_no_room_in_the_ring_gives_back_later),
		cmocka_unit_test(what_goes_the_other_way_takes_the_debt_with_it),
		cmocka_unit_test(a_connection_goes_there_and_back_as_often_as_it_likes),
		cmocka_unit_test(moves_to_one_who_gives_nothing_back_end_before_the_last_slot),
		cmocka_unit_test(a_worker_sleeps_while_the_application_has_what_a_move_waits_for),
		cmocka_unit_test(what_waits_for_news_to_be_taken_leaves_when_they_are),
		cmocka_unit_test(a_worker_sleeps_while_the_ring_is_full_and_looks_again),
		cmocka_unit_test(what_was_sent_goes_before_the_connection),
		cmocka_unit_test(what_could_not_be_sent_keeps_its_connection),
		cmocka_unit_test(what_came_early_goes_with_its_connection),
		cmocka_unit_test(what_is_paid_is_not_crowded_out_by_what_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
