// SPDX-License-Identifier: BSD-3-Clause
// What is fetched ahead shows in no result; so it is only asked to change nothing and to stay
// inside its arrays, whatever the hashes say (the sanitizers look).
#include "peer.h"
#include "tcp/flow.h"

#define CONNS 300 // more than what is taken to be in the cache

static void open_one(struct peer *b, uint16_t port)
{
	peer_seg(b, (struct in){.flags = SYN, .src_port = port});
	while (peer_read(b)) // the last is the answer to the SYN
		;
	peer_seg(b, (struct in){.flags = ACK, .src_port = port, .seq = 1, .ack = 1});
}

static void any_hash_may_be_guessed_at(void **state)
{
	struct tcp_config config = peer_config();
	static const uint8_t region[100];
	struct arrival a[BURST_PKTS];
	const struct arrival *burst[BURST_PKTS];

	(void)state;
	config.connections_max = CONNS;
	config.send_descs_max = CONNS;
	struct peer *b = peer_create_on(&config, PORT_TX_CHAINS);
	struct conn *before = calloc(CONNS, sizeof(*before));

	peer_listen(b);
	for (uint16_t i = 0; i < CONNS; i++) {
		open_one(b, (uint16_t)(6000 + i));
		if (i % 3 == 0)
			peer_host_sends(b, 10, 10);
		if (i % 3 == 1)
			assert_int_equal(tcp_send_region(b->tcp, b->conn, region, 100, NULL), 0);
	}
	peer_turn(b);
	assert_int_equal(b->accepted, CONNS);
	memcpy(before, b->tcp->conn, CONNS * sizeof(*before));
	for (uint32_t first = 0; first < CONNS; first += BURST_PKTS / 2) {
		for (uint32_t i = 0; i < BURST_PKTS; i++) {
			struct flow_key16 key = conn_key(&b->tcp->conn[(first + i) % CONNS]);

			a[i] = (struct arrival){
				.flow_hash = i % 2 ? rng_next(&b->env.rng)
						   : table16_hash(b->tcp->table, &key),
				.has_text = i % 3 == 0,
			};
			burst[i] = &a[i];
		}
		tcp_prefetch(b->tcp, burst, BURST_PKTS);
	}
	assert_memory_equal(before, b->tcp->conn, CONNS * sizeof(*before));
	free(before);
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_hash_may_be_guessed_at),
	};

	return run_peer_tests(tests);
}
