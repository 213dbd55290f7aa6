// SPDX-License-Identifier: BSD-3-Clause
// A peer whose segments come by source routes, and what goes back by them. By GONE they came
// through R1 and NEAR, by GONE_NEAR through NEAR alone.
#pragma once

#include "net/inside.h"
#include "peer.h"

#define R1 198, 51, 100, 1
#define NEAR 198, 18, 0, 7 // a gateway on the link
#define SENDER 198, 18, 0, 1

// Gone by R1, then NEAR; and what goes back to the sender by NEAR, then R1.
static const uint8_t GONE[] = {1, 131, 11, 12, R1, NEAR};
static const uint8_t BACK[] = {1, 131, 11, 4, R1, SENDER};
// Gone by NEAR alone.
static const uint8_t GONE_NEAR[] = {1, 131, 7, 8, NEAR};
static const uint8_t BACK_NEAR[] = {1, 131, 7, 4, SENDER};

static inline int take_routes(void **state)
{
	(void)state;
	peer_source_routes = true;
	return 0;
}

static inline int take_none(void **state)
{
	(void)state;
	peer_source_routes = false;
	return 0;
}

// NEAR makes itself known.
static inline void meet_near(struct peer *b)
{
	const uint8_t near[] = {NEAR};
	uint8_t frame[42] = {2, 0, 0, 0, 0x10, 0, 2, 0, 0, 0, 0x20, 7, 8, 6};
	struct arp_packet *a = (void *)(frame + 14);

	*a = (struct arp_packet){be16_of(1), be16_of(ETH_TYPE_IPV4), 6, 4, be16_of(ARP_REQUEST)};
	memcpy(a->sender_mac, frame + 6, 6);
	memcpy(&a->sender, near, sizeof(near));
	a->target = be32_of(0xc6120002);
	assert_true(capture_put(&b->port, b->env.pool[POOL_RX], frame, sizeof(frame)));
	peer_walk(b);
}

static inline struct peer *start(void)
{
	struct peer *b = peer_create();

	meet_near(b);
	peer_clear(b);
	return b;
}

// A segment that came by this route.
static inline void seg_by(struct peer *b, struct in in, const uint8_t *option, uint8_t len)
{
	in.ip_options = option;
	in.ip_options_len = len;
	peer_seg(b, in);
}

static inline void expect_by(const struct peer *b, const uint8_t *option, uint8_t len)
{
	const uint8_t near[] = {NEAR};

	assert_int_equal(b->out.ip_options_len, len);
	assert_memory_equal(b->out.ip_options, option, len);
	if (len)
		assert_memory_equal(&b->out.dst, near, sizeof(near));
}

#define expect_back(b) expect_by(b, BACK, sizeof(BACK))
#define expect_near(b) expect_by(b, BACK_NEAR, sizeof(BACK_NEAR))
#define expect_direct(b) expect_by(b, NULL, 0)

static inline void open_by(struct peer *b, const uint8_t *option, uint8_t len)
{
	peer_listen(b);
	seg_by(b, (struct in){.flags = SYN, .options = SYN_OPTIONS_MSS, .options_len = 4}, option,
	       len);
	expect(b, SYN | ACK, 0, 1, 0);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1});
	assert_int_equal(peer_state(b), ESTABLISHED);
}

static inline uint32_t users(const struct peer *b)
{
	uint32_t sum = 0;

	for (uint32_t i = 1; i <= SOURCE_ROUTES_MAX; i++)
		sum += b->net->source_routes->place[i].users;
	return sum;
}

static inline struct source_route by_near(void)
{
	const uint8_t near[] = {NEAR};
	struct source_route route = {.count = 1};

	memcpy(&route.hop[0], near, sizeof(near));
	return route;
}

static inline struct tcp_tuple to_sender(void)
{
	return (struct tcp_tuple){
		.remote = addr_from_v4_octets(SENDER), .remote_port = 5000, .local_port = 80};
}
