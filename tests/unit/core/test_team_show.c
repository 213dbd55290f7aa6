// SPDX-License-Identifier: BSD-3-Clause
// What several workers show of connections: each its own, and one that moves goes along.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/stack.h"
#include "crew.h"
#include "observe/conn_row.h"
#include "tcp/show.h"
#include "tcp/tune.h"

#define PORT 80

static struct crew *listening_crew(uint32_t connections_max)
{
	struct prism_options o;
	struct crew *c;

	crew_options(&o);
	o.connections_max = connections_max;
	c = crew_create_with(&o, 2, CREW_SPREAD);
	crew_meet(c);
	for (uint32_t i = 0; i < 2; i++)
		crew_listen(c, i, (uint16_t)(PORT + i));
	return c;
}

static prism_conn accept_at(struct crew *c, uint32_t worker, uint16_t src_port)
{
	struct met met = crew_accept(c, worker, src_port, (uint16_t)(PORT + worker));

	assert_int_equal(met.owner, worker);
	return met.conn;
}

// Rows of this worker with the handle; 0: with any.
static uint32_t rows_with(const struct crew *c, uint32_t worker, uint64_t handle)
{
	const struct show *show = c->worker[worker]->tcp->show;
	uint32_t count = 0;

	for (uint32_t i = 0; i < show->row_count; i++)
		count += show->row[i].handle && (!handle || show->row[i].handle == handle);
	return count;
}

static void pass(struct crew *c)
{
	for (int i = 0; i < 4; i++)
		crew_time(c, NS_PER_MS);
}

static void who_moves_is_shown_by_the_new_worker_alone(void **state)
{
	struct crew *c = listening_crew(64);
	prism_conn conn = accept_at(c, 0, 4000), stays = accept_at(c, 0, 4001);

	pass(c);
	assert_int_equal(rows_with(c, 0, conn.id), 1);
	assert_int_equal(rows_with(c, 1, 0), 0);
	assert_int_equal(prism_tcp_move(c->worker[0], conn, 1), 0);
	crew_turns(c);
	assert_int_equal(rows_with(c, 0, conn.id), 0); // at once
	pass(c);
	assert_int_equal(rows_with(c, 1, conn.id), 1);
	assert_int_equal(rows_with(c, 0, stays.id), 1);
	assert_int_equal(prism_tcp_move(c->worker[1], conn, 0), 0);
	crew_turns(c);
	pass(c);
	assert_int_equal(rows_with(c, 0, conn.id), 1);
	assert_int_equal(rows_with(c, 1, 0), 0);
	crew_destroy(c);
}

// A slot of the second worker's, whose connection has just ended and still has a row, is what he
// pays with for the one that comes.
static void a_slot_that_is_paid_with_takes_no_row_along(void **state)
{
	struct crew *c = listening_crew(64);
	prism_conn comes = accept_at(c, 0, 4000), other = accept_at(c, 1, 4001);
	prism_conn ended = accept_at(c, 1, 4002);
	struct tcp *second = c->worker[1]->tcp;
	uint32_t slot = (uint32_t)(ended.id & ((1u << HANDLE_INDEX_BITS) - 1));

	pass(c);
	assert_int_equal(rows_with(c, 1, 0), 2);
	assert_int_equal(prism_tcp_abort(c->worker[1], ended), 0);
	crew_turns(c);
	assert_int_equal(second->conn_free, slot);
	assert_int_not_equal(second->tuning[slot].row, 0);
	assert_int_equal(prism_tcp_move(c->worker[0], comes, 1), 0);
	crew_turns(c);
	assert_int_equal(c->worker[0]->tcp->conn_free, slot);
	assert_int_equal(second->tuning[slot].row, 0);
	prism_conn next = accept_at(c, 0, 4003);

	assert_int_equal(next.id & ((1u << HANDLE_INDEX_BITS) - 1), slot);
	pass(c);
	assert_int_equal(rows_with(c, 0, next.id), 1);
	assert_int_equal(rows_with(c, 0, 0), 1);
	assert_int_equal(rows_with(c, 1, comes.id), 1);
	assert_int_equal(rows_with(c, 1, other.id), 1);
	assert_int_equal(rows_with(c, 1, 0), 2);
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_moves_is_shown_by_the_new_worker_alone),
		cmocka_unit_test(a_slot_that_is_paid_with_takes_no_row_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
