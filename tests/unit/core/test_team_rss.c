// SPDX-License-Identifier: BSD-3-Clause
// Connections that workers open on a card whose hash is known: answers come to their own queue.
#include "crew.h"

#include "wire/toeplitz.h"

#define HTTP 80
#define SRC_ADDRESS 26 // in a frame: both addresses and both ports stand together there

static struct port_rss rss;

// A card with a queue for each worker, as port_dpdk.c asks for it.
static struct crew *crew_on_card(uint32_t count, uint32_t entries)
{
	struct crew *c = crew_create(count, CREW_SPREAD);

	rss = (struct port_rss){.entries = entries};
	for (size_t i = 0; i < sizeof(rss.key); i++)
		rss.key[i] = i % 2 ? 0x5a : 0x6d;
	for (uint32_t i = 0; i < entries; i++)
		rss.queue[i] = (uint16_t)(i % count);
	for (uint32_t i = 0; i < count; i++) {
		c->port[i].port.rss = &rss;
		c->port[i].port.queue_index = (uint16_t)i;
	}
	crew_meet(c);
	return c;
}

// The queue that the card puts a frame into.
static uint32_t dealt_to(const struct frame *f)
{
	uint32_t hash = toeplitz(rss.key, f->byte + SRC_ADDRESS, TOEPLITZ_TCP4_BYTES);

	return rss.queue[hash & (rss.entries - 1)];
}

// One connection, to its handshake's end and past it; where the peer's segments came in.
static uint32_t connect_once(struct crew *c, uint32_t worker, uint16_t remote_port)
{
	struct prism_endpoint remote = at_peer(remote_port);
	prism_conn conn;
	struct frame f;

	crew_clear(c);
	memset(&c->seen[worker], 0, sizeof(c->seen[worker]));
	assert_int_equal(prism_tcp_connect(c->worker[worker], &remote, NULL, 5, &conn), 0);
	crew_turns(c);
	const struct tcp_header *h = crew_only_seg(c);
	struct seg s = {remote_port,          be16_get(h->src_port), PEER_ISN,
			be32_get(h->seq) + 1, TCP_SYN | TCP_ACK,     {0}};

	frame_seg(&f, s);
	uint32_t queue = dealt_to(&f);

	crew_in(c, queue, &f);
	assert_int_equal(c->seen[worker].count[PRISM_EVENT_CONNECTED], 1);
	assert_int_equal(prism_tcp_abort(c->worker[worker], conn), 0);
	crew_turns(c);
	return queue;
}

static void answers_come_to_the_worker_who_connects(void **state)
{
	for (uint32_t count = 2; count <= CREW_MAX; count++) {
		struct crew *c = crew_on_card(count, 128);

		for (uint32_t i = 0; i < 400; i++)
			assert_int_equal(connect_once(c, i % count, (uint16_t)(HTTP + i / 8)),
					 i % count);
		assert_int_equal(crew_sum(c, COUNTER_handed_in_pkts), 0);
		assert_int_equal(crew_all_drops(c), 0);
		crew_destroy(c);
	}
}

// Ports are taken in their order all the same (RFC 6056 R5): none is met twice in a round.
static void ports_that_are_passed_over_are_left_to_the_others(void **state)
{
	static uint8_t taken[65536];
	struct crew *c = crew_on_card(2, 128);
	struct prism_endpoint remote = at_peer(HTTP), local;

	for (uint32_t i = 0; i < 60; i++) {
		struct prism_worker *w = c->worker[i % 2];
		prism_conn conn;

		assert_int_equal(prism_tcp_connect(w, &remote, NULL, 5, &conn), 0);
		assert_int_equal(prism_tcp_endpoints(w, conn, &local, NULL), 0);
		assert_int_equal(taken[local.port]++, 0);
	}
	crew_destroy(c);
}

// Whoever has no entry of the table connects as well; what is answered comes by way of another.
static void a_worker_to_whose_queue_nothing_comes_is_handed_his_answers(void **state)
{
	struct crew *c = crew_on_card(2, 128);

	memset(rss.queue, 0, sizeof(rss.queue));
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(connect_once(c, 1, HTTP), 0);
	assert_int_equal(c->counters[1].value[COUNTER_handed_in_pkts], 20);
	assert_int_equal(crew_all_drops(c), 0);
	crew_at_rest(c);
	crew_destroy(c);
}

// An address and port that the application chose are its own, whatever comes of it.
static void a_local_port_that_was_asked_for_is_taken(void **state)
{
	struct crew *c = crew_on_card(2, 128);
	struct prism_endpoint remote = at_peer(HTTP), local;

	for (uint16_t port = 3000; port < 3016; port++) {
		struct prism_endpoint asked = at(OURS, port);
		prism_conn conn;

		assert_int_equal(prism_tcp_connect(c->worker[0], &remote, &asked, 5, &conn), 0);
		assert_int_equal(prism_tcp_endpoints(c->worker[0], conn, &local, NULL), 0);
		assert_int_equal(local.port, port);
	}
	crew_destroy(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_come_to_the_worker_who_connects),
		cmocka_unit_test(ports_that_are_passed_over_are_left_to_the_others),
		cmocka_unit_test(a_worker_to_whose_queue_nothing_comes_is_handed_his_answers),
		cmocka_unit_test(a_local_port_that_was_asked_for_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
