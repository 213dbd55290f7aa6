// SPDX-License-Identifier: BSD-3-Clause
// UDP sockets: how many, their handles, whom they hear.
#include <errno.h>

#include "bed.h"

// RFC 6056 R9
static void sockets_run_out_by_name_and_ports_are_chosen(void **state)
{
	struct bed *b = bed_create_with(0, &(struct net_config){.udp_max = 5});
	struct addr any = {0}, local;
	prism_udp udp[6];
	uint16_t port;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(udp_open(b->net, &any, 0, 0, &udp[i]), 0);
		assert_int_equal(udp_endpoint(b->net, udp[i], &local, &port), 0);
		assert_true(port >= 49152);
	}
	assert_int_equal(udp_open(b->net, &any, 0, 0, &udp[5]), -ENFILE);
	assert_int_equal(err_last()->id, ERR_SOCKETS_FULL);
	assert_int_equal(udp_close(b->net, udp[2]), 0);
	assert_int_equal(udp_open(b->net, &any, 0, 0, &udp[5]), 0);
	bed_destroy(b);
}

static void stale_and_invented_handles_are_refused(void **state)
{
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7), again;
	const uint64_t invented[] = {
		0, 1, UINT64_MAX, udp.id ^ 1, udp.id ^ (1ull << 32), udp.id | 1ull << 56};
	struct udp_to to = {.remote = addr_from_v4(PEER), .remote_port = 9};
	struct pkt *p = pkt_alloc(b->env.pool[POOL_TX]);
	struct addr local;
	uint16_t port;

	for (size_t i = 0; i < ARRAY_COUNT(invented); i++) {
		prism_udp h = {invented[i]};
		struct prism_event e = {.udp = h};

		assert_int_equal(udp_send(b->net, h, &to, p), -ESTALE);
		assert_int_equal(udp_reply(b->net, &e, p), -ESTALE);
		assert_int_equal(udp_close(b->net, h), -ESTALE);
		assert_int_equal(udp_endpoint(b->net, h, &local, &port), -ESTALE);
	}
	assert_int_equal(udp_close(b->net, udp), 0);
	again = bed_open(b, 7);
	assert_int_not_equal(again.id, udp.id);
	assert_int_equal(udp_send(b->net, udp, &to, p), -ESTALE);
	pkt_free(p);
	bed_destroy(b);
}

static void release(const struct prism_event *e)
{
	pkt_free((struct pkt *)e->buf);
}

// A datagram to socket 7 from a port.
static void from_port(struct bed *b, uint16_t port)
{
	struct frame f;

	frame_udp(&f, PEER, OURS, 7, (struct run){"x", 1});
	struct udp_header *u = (void *)(f.byte + 34);

	u->src_port = be16_of(port);
	u->checksum.raw = 0;
	bed_in(b, 0, f.byte, f.len);
}

static uint32_t deliver_all(struct bed *b)
{
	struct prism_event e;
	uint32_t count = 0;

	for (; udp_deliver(b->net, &e, 1) == 1; count++)
		release(&e);
	return count;
}

static void a_service_for_clients_hears_no_servers(void **state)
{
	static const uint16_t servers[] = {7, 19, 53, 1023, 0};
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(servers); i++)
		from_port(b, servers[i]);
	assert_int_equal(deliver_all(b), ARRAY_COUNT(servers)); // unless asked, all are heard
	assert_int_equal(udp_clients_only(b->net, udp), 0);
	for (size_t i = 0; i < ARRAY_COUNT(servers); i++)
		from_port(b, servers[i]);
	assert_int_equal(deliver_all(b), 0);
	assert_int_equal(bed_drops(b, DROP_UDP_LOOP), ARRAY_COUNT(servers));
	from_port(b, 1024);
	assert_int_equal(deliver_all(b), 1);
	assert_int_equal(udp_close(b->net, udp), 0);
	assert_int_equal(udp_clients_only(b->net, udp), -ESTALE);
	bed_destroy(b);
}

static void a_service_for_clients_hears_no_broadcast(void **state)
{
	const be32 groups[] = {IP(198, 18, 0, 255), IP(255, 255, 255, 255)};
	struct bed *b = bed_create();
	prism_udp udp = bed_open(b, 7);
	struct frame f;

	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		for (size_t i = 0; i < ARRAY_COUNT(groups); i++) {
			frame_udp(&f, PEER, groups[i], 7, (struct run){"x", 1});
			bed_in(b, 0, f.byte, f.len);
			memset(f.byte, 0xff, 6); // the same in a frame for everybody
			bed_in(b, 0, f.byte, f.len);
		}
		assert_int_equal(deliver_all(b), asked ? 0 : 4);
		assert_int_equal(bed_drops(b, DROP_UDP_TO_GROUP), asked ? 4 : 0);
		assert_int_equal(udp_clients_only(b->net, udp), 0);
	}
	from_port(b, 1024);
	assert_int_equal(deliver_all(b), 1);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sockets_run_out_by_name_and_ports_are_chosen),
		cmocka_unit_test(stale_and_invented_handles_are_refused),
		cmocka_unit_test(a_service_for_clients_hears_no_servers),
		cmocka_unit_test(a_service_for_clients_hears_no_broadcast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
