// SPDX-License-Identifier: BSD-3-Clause
// One table of connections, several workers: what one receives reaches the one whose it is.
#include <errno.h>

#include "crew.h"

#define HTTP 80

static void text(struct seg *s, const char *bytes)
{
	s->text = (struct run){bytes, (uint16_t)strlen(bytes)};
}

// Text that arrives at each worker in turn; only the owner has events, and what he answers leaves.
static void any_worker_may_receive(enum crew_mode mode)
{
	struct crew *c = crew_create(4, mode);
	struct frame f;

	crew_meet(c);
	crew_listen(c, 2, HTTP);
	struct met met = crew_accept(c, 0, 5000, HTTP);
	struct seg s = {5000, HTTP, PEER_ISN + 1, met.next, TCP_ACK, {0}};

	assert_int_equal(met.owner, 2);
	for (uint32_t i = 0; i < 8; i++) {
		text(&s, i % 2 ? "tock" : "tick");
		frame_seg(&f, s);
		crew_in(c, mode == CREW_FEW ? 0 : i % 4, &f);
		s.seq += 4;
	}
	assert_int_equal(c->seen[2].len, 32);
	assert_memory_equal(c->seen[2].bytes, "ticktockticktockticktockticktock", 32);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(c->seen[i].count[PRISM_EVENT_DATA], i == 2 ? 8 : 0);
	crew_clear(c);
	assert_int_equal(prism_tcp_send_copy(c->worker[2], met.conn, "answer", 6), 0);
	crew_turns(c);
	assert_int_equal(be32_get(crew_read_tcp(c, 2)->ack), s.seq);
	assert_int_equal(crew_sent(c), 1);
	crew_at_rest(c);
	assert_int_equal(crew_all_drops(c), 0);
	crew_destroy(c);
}

static void any_worker_may_receive_where_each_has_a_queue(void **state)
{
	any_worker_may_receive(CREW_SPREAD);
}

static void the_only_worker_with_a_queue_receives_and_sends_for_all(void **state)
{
	any_worker_may_receive(CREW_FEW);
}

static void a_damaged_segment_is_dropped_by_whose_it_seemed(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	struct frame f;

	crew_meet(c);
	crew_listen(c, 1, HTTP);
	struct met met = crew_accept(c, 0, 5000, HTTP);
	struct seg s = {5000, HTTP, PEER_ISN + 1, met.next, TCP_ACK, {0}};

	text(&s, "text");
	frame_seg(&f, s);
	f.byte[f.len - 1] ^= 1;
	crew_in(c, 2, &f);
	assert_int_equal(c->counters[1].drop[DROP_TCP_CHECKSUM], 1);
	assert_int_equal(crew_all_drops(c), 1);
	assert_int_equal(c->seen[1].len, 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// The same SYN came to two workers who both listen: the quicker has it, the other drops it.
static void a_syn_that_came_twice_makes_one_connection(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);
	struct seg s = {5000, HTTP, PEER_ISN, 0, TCP_SYN, {0}};
	uint32_t owner = 0;
	struct frame f;

	crew_meet(c);
	crew_listen(c, 0, HTTP);
	crew_listen(c, 1, HTTP);
	frame_seg(&f, s);
	crew_put(c, 0, &f);
	crew_put(c, 1, &f);
	crew_turns(c);
	assert_int_equal(crew_drops(c, DROP_TCP_SYN_AGAIN), 1);
	assert_int_equal(table_count(team_tcp(c->team)->table), 1);
	s = (struct seg){5000, HTTP, PEER_ISN + 1, 0, TCP_ACK, {0}};
	s.ack = be32_get(crew_read_tcp(c, 0)->seq) + 1;
	frame_seg(&f, s);
	crew_in(c, 1, &f);
	assert_int_equal(crew_accepted(c, &owner), 1);
	assert_int_equal(owner, 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// Connects from a worker; the port it was given.
static uint16_t connecting(struct crew *c, uint32_t worker, prism_conn *conn)
{
	struct prism_endpoint remote = at_peer(HTTP), local;

	assert_int_equal(prism_tcp_connect(c->worker[worker], &remote, NULL, 5, conn), 0);
	assert_int_equal(prism_tcp_endpoints(c->worker[worker], *conn, &local, NULL), 0);
	crew_turns(c);
	return local.port;
}

// An ICMP error that quotes the last segment a worker sent.
static void error_about(struct crew *c, uint32_t worker, struct icmp_header icmp, struct frame *f)
{
	const struct ipv4_header *quoted = crew_read_ip4(c, worker);

	frame_icmp(f, PEER, &icmp, quoted, IPV4_HEADER_BYTES + 8);
}

static void port_unreachable_ends_the_connect_of_another_worker(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_conn conn;
	struct frame f;

	crew_meet(c);
	connecting(c, 1, &conn);
	error_about(c, 1,
		    (struct icmp_header){.type = ICMP_UNREACHABLE, .code = ICMP_UNREACHABLE_PORT},
		    &f);
	crew_in(c, 2, &f);
	assert_int_equal(c->seen[1].count[PRISM_EVENT_CLOSED], 1);
	assert_int_equal(c->seen[1].last.reason, PRISM_CLOSE_UNREACHABLE);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_CLOSED], 0);
	assert_int_equal(c->seen[2].count[PRISM_EVENT_CLOSED], 0);
	assert_int_equal(c->counters[1].value[COUNTER_handed_in_pkts], 1);
	crew_at_rest(c);
	crew_destroy(c);
}

static void fragmentation_needed_lowers_the_mtu_of_another_workers_connection(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	static const char page[1400];
	struct icmp_header icmp = {.type = ICMP_UNREACHABLE,
				   .code = ICMP_UNREACHABLE_FRAGMENTATION_NEEDED};
	struct frame f;

	icmp.next_hop.mtu_bytes = be16_of(600);
	crew_meet(c);
	crew_listen(c, 1, HTTP);
	struct met met = crew_accept(c, 2, 5000, HTTP);
	struct conn *conn = conn_of(c->worker[1]->tcp, met.conn.id);

	conn->mss_bytes = 1400; // as if the peer had asked for it
	conn->cc.cwnd_bytes = 14000;
	assert_int_equal(prism_tcp_send_copy(c->worker[1], met.conn, page, 512), 0);
	crew_turns(c);
	struct ipv4_header *quoted = (void *)(c->out + sizeof(struct eth_header));

	crew_read_ip4(c, 1);
	quoted->total_len = be16_of(1440);
	frame_icmp(&f, PEER, &icmp, quoted, IPV4_HEADER_BYTES + 8);
	crew_in(c, 0, &f);
	assert_int_equal(conn->path.mtu_bytes, 600);
	assert_true(conn->mss_bytes <= 560);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

static void a_handle_of_another_workers_names_both(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_listener listener = crew_listen(c, 2, HTTP);
	prism_udp udp = crew_open_udp(c, 1, 53);
	struct prism_endpoint local;

	crew_meet(c);
	struct met met = crew_accept(c, 0, 5000, HTTP);

	assert_int_equal(prism_tcp_close(c->worker[0], met.conn), -EXDEV);
	assert_int_equal(err_last()->id, ERR_OTHER_WORKER);
	assert_non_null(strstr(err_last()->message, "worker 2's, not 0's"));
	assert_int_equal(prism_tcp_send_copy(c->worker[1], met.conn, "x", 1), -EXDEV);
	assert_non_null(strstr(err_last()->message, "worker 2's, not 1's"));
	assert_int_equal(prism_tcp_abort(c->worker[1], met.conn), -EXDEV);
	assert_int_equal(prism_tcp_set_user(c->worker[1], met.conn, 1), -EXDEV);
	assert_int_equal(prism_tcp_endpoints(c->worker[1], met.conn, &local, NULL), -EXDEV);
	assert_int_equal(prism_tcp_unlisten(c->worker[1], listener), -EXDEV);
	assert_int_equal(err_last()->id, ERR_OTHER_WORKER);
	assert_non_null(strstr(err_last()->message, "worker 2's, not 1's"));
	assert_int_equal(prism_udp_close(c->worker[2], udp), -EXDEV);
	assert_int_equal(err_last()->id, ERR_OTHER_WORKER);
	assert_non_null(strstr(err_last()->message, "worker 1's, not 2's"));
	crew_destroy(c);
}

// Whose table of routes its worker has.
static void a_connection_with_a_source_route_stays_with_its_worker(void **state)
{
	struct prism_endpoint remote = at_peer(HTTP);
	struct prism_source_route route = {.gateway = {remote.addr}, .count = 1};
	struct prism_options o;
	struct frame f;
	prism_conn conn;

	crew_options(&o);
	o.source_routes = 1;
	struct crew *c = crew_create_with(&o, 2, CREW_SPREAD);
	struct prism_worker *worker = c->worker[0];
	struct prism_endpoint local;

	crew_meet(c);
	assert_int_equal(prism_tcp_connect_by(worker, &remote, &route, 5, &conn), 0);
	assert_int_equal(prism_tcp_endpoints(worker, conn, &local, NULL), 0);
	crew_turns(c);
	assert_int_equal(ipv4_header_len(crew_read_ip4(c, 0)), 28);
	const struct tcp_header *syn = (const void *)((const uint8_t *)crew_read_ip4(c, 0) +
						      ipv4_header_len(crew_read_ip4(c, 0)));
	frame_seg(&f, (struct seg){HTTP,
				   local.port,
				   PEER_ISN,
				   be32_get(syn->seq) + 1,
				   TCP_SYN | TCP_ACK,
				   {0}});
	crew_in(c, 1, &f);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_CONNECTED], 1);
	assert_int_equal(prism_tcp_move(worker, conn, 1), -ENOTSUP);
	assert_int_equal(err_last()->id, ERR_SOURCE_ROUTE_STAYS);
	crew_at_rest(c);
	crew_destroy(c);
}

static void source_routes_that_are_none_are_refused(void **state)
{
	struct prism_endpoint remote = at_peer(HTTP);
	struct prism_source_route route = {.gateway = {remote.addr, {{0x20, 1}}}, .count = 10};
	struct crew *c = crew_create(2, CREW_SPREAD);
	struct prism_worker *worker = c->worker[0];
	struct prism_options o;
	prism_conn conn;

	assert_int_equal(prism_tcp_connect_by(worker, &remote, &route, 5, &conn), -EINVAL);
	route.count = 1;
	assert_int_equal(prism_tcp_connect_by(worker, &remote, &route, 5, &conn), -EACCES);
	assert_int_equal(err_last()->id, ERR_SOURCE_ROUTES_OFF);
	crew_destroy(c);
	crew_options(&o);
	o.source_routes = 1;
	c = crew_create_with(&o, 2, CREW_SPREAD);
	route.count = 2; // the second is IPv6's
	assert_int_equal(prism_tcp_connect_by(c->worker[0], &remote, &route, 5, &conn), -EINVAL);
	remote.addr = route.gateway[1];
	route.count = 1;
	assert_int_equal(prism_tcp_connect_by(c->worker[0], &remote, &route, 5, &conn), -EINVAL);
	crew_destroy(c);
}

static void a_stale_handle_is_stale_to_all(void **state)
{
	struct crew *c = crew_create(3, CREW_SPREAD);
	prism_listener listener = crew_listen(c, 2, HTTP);
	prism_udp udp = crew_open_udp(c, 1, 53);

	crew_meet(c);
	struct met met = crew_accept(c, 0, 5000, HTTP);

	assert_int_equal(prism_tcp_abort(c->worker[2], met.conn), 0);
	crew_turns(c);
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(prism_tcp_close(c->worker[i], met.conn), -ESTALE);
		assert_int_equal(prism_tcp_close(c->worker[i], (prism_conn){0}), -ESTALE);
		assert_int_equal(prism_tcp_close(c->worker[i], (prism_conn){~UINT64_C(0)}),
				 -ESTALE);
		assert_int_equal(prism_udp_close(c->worker[i], (prism_udp){~UINT64_C(0)}), -ESTALE);
		assert_int_equal(prism_tcp_unlisten(c->worker[i], (prism_listener){~UINT64_C(0)}),
				 -ESTALE);
	}
	assert_int_equal(prism_tcp_unlisten(c->worker[2], listener), 0);
	assert_int_equal(prism_tcp_unlisten(c->worker[2], listener), -ESTALE);
	assert_int_equal(prism_udp_close(c->worker[1], udp), 0);
	assert_int_equal(prism_udp_close(c->worker[1], udp), -ESTALE);
	crew_destroy(c);
}

// A handle is looked at while whose connection it was clears the slot: he has done with one field
// and not with the other.
static void a_slot_that_is_being_cleared_is_nobodys(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);

	crew_meet(c);
	crew_listen(c, 1, HTTP);
	struct met met = crew_accept(c, 0, 5000, HTTP);
	struct tcp *tcp = c->worker[1]->tcp;
	struct conn *conn = conn_of(tcp, met.conn.id);
	uint32_t flags = conn->flags;

	conn->flags = 0;
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(prism_tcp_set_user(c->worker[i], met.conn, 1), -EXDEV);
	conn->flags = flags;
	assert_int_equal(prism_tcp_set_user(c->worker[1], met.conn, 1), 0);
	crew_destroy(c);
}

static void between_two_workers_a_connection_is_neithers(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);

	crew_meet(c);
	crew_listen(c, 1, HTTP);
	struct met met = crew_accept(c, 0, 5000, HTTP);

	assert_int_equal(prism_tcp_move(c->worker[1], met.conn, 0), 0);
	c->stopped[0] = true;
	crew_turns(c);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(prism_tcp_close(c->worker[i], met.conn), -EXDEV);
		assert_non_null(strstr(err_last()->message, "on its way"));
	}
	c->stopped[0] = false;
	crew_turns(c);
	assert_int_equal(c->seen[0].count[PRISM_EVENT_MOVED], 1);
	assert_int_equal(prism_tcp_close(c->worker[1], met.conn), -EXDEV);
	assert_int_equal(prism_tcp_abort(c->worker[0], met.conn), 0);
	crew_destroy(c);
}

// Packets of worker `from` for the wire, by way of another's queue.
static void hand_output(struct crew *c, uint32_t from, uint32_t to, uint32_t count)
{
	struct env *env = &c->worker[from]->env;

	for (uint32_t i = 0; i < count; i++) {
		struct pkt *p = pkt_alloc(env->pool[POOL_CTRL]);

		assert_non_null(p);
		memset(pkt_append(p, 60), 0, 60);
		counter_add(env, COUNTER_originated_pkts, 1);
		hands_give(env, p, to, mesh_word(HANDED_OUTPUT, 0, from));
	}
	hands_flush(env);
}

static void at_the_end_a_connection_arrives_behind_all_that_was_handed_before(void **state)
{
	struct crew *c = crew_create(2, CREW_SPREAD);

	crew_meet(c);
	crew_listen(c, 0, HTTP);
	struct met met = crew_accept(c, 0, 5000, HTTP);

	assert_int_equal(prism_tcp_send_copy(c->worker[0], met.conn, "unheard", 7), 0);
	crew_turns(c);
	assert_int_equal(prism_tcp_move(c->worker[0], met.conn, 1), 0);
	c->stopped[1] = true;
	hand_output(c, 0, 1, 3 * BURST_PKTS);
	crew_turns(c);
	assert_int_equal(c->counters[0].value[COUNTER_tcp_moved], 1);
	crew_clear(c);
	for (uint32_t i = 0; i < 2 * c->count; i++)
		worker_settle(c->worker[i % c->count]);
	crew_at_rest(c);
	worker_transmit(c->worker[1]);
	assert_int_equal(crew_sent(c), 3 * BURST_PKTS);
	crew_destroy(c); // where it arrived it is reset, and what it held is released
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_worker_may_receive_where_each_has_a_queue),
		cmocka_unit_test(the_only_worker_with_a_queue_receives_and_sends_for_all),
		cmocka_unit_test(a_damaged_segment_is_dropped_by_whose_it_seemed),
		cmocka_unit_test(a_syn_that_came_twice_makes_one_connection),
		cmocka_unit_test(port_unreachable_ends_the_connect_of_another_worker),
		cmocka_unit_test(fragmentation_needed_lowers_the_mtu_of_another_workers_connection),
		cmocka_unit_test(a_handle_of_another_workers_names_both),
		cmocka_unit_test(a_connection_with_a_source_route_stays_with_its_worker),
		cmocka_unit_test(source_routes_that_are_none_are_refused),
		cmocka_unit_test(a_stale_handle_is_stale_to_all),
		cmocka_unit_test(a_slot_that_is_being_cleared_is_nobodys),
		cmocka_unit_test(between_two_workers_a_connection_is_neithers),
		cmocka_unit_test(at_the_end_a_connection_arrives_behind_all_that_was_handed_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
