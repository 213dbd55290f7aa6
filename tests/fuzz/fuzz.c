// SPDX-License-Identifier: BSD-3-Clause
// One stack in virtual time under a fuzzer. Every check of the stack's own (DCHECK), conservation
// after each turn and the return of every buffer are what a target relies on to see a mistake.
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

// A frame or a passage of time may lead to this many turns; more is a stack that does not rest.
#define TURNS_MAX 5000

uint8_t fuzz_u8(struct fuzz *f)
{
	if (f->left == 0)
		return 0;
	f->left--;
	return *f->at++;
}

uint16_t fuzz_u16(struct fuzz *f)
{
	uint16_t high = fuzz_u8(f);

	return (uint16_t)(high << 8 | fuzz_u8(f));
}

uint32_t fuzz_u32(struct fuzz *f)
{
	uint32_t high = fuzz_u16(f);

	return high << 16 | fuzz_u16(f);
}

uint32_t fuzz_bytes(struct fuzz *f, void *to, uint32_t len)
{
	uint32_t n = (uint32_t)MIN((size_t)len, f->left);

	memcpy(to, f->at, n);
	f->at += n;
	f->left -= n;
	return n;
}

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "fuzz: %s\n", what);
	abort();
}

// The peer has asked for our address before anything else, so that its own is known and answers
// leave at once.
static void introduce(struct world *world)
{
	uint8_t frame[60] = {0};
	struct arp_packet *arp = (void *)(frame + FUZZ_L3_AT);
	const uint8_t *mac = pair_port(world->pair, 1)->mac;

	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	frame[12] = 0x08;
	frame[13] = 0x06;
	*arp = (struct arp_packet){.hardware = be16_of(1),
				   .protocol = be16_of(0x0800),
				   .hardware_len = 6,
				   .protocol_len = 4,
				   .operation = be16_of(1),
				   .sender = be32_of(0xc6120002),
				   .target = be32_of(0xc6120001)};
	memcpy(arp->sender_mac, mac, 6);
	fuzz_send(world, frame, sizeof(frame));
	fuzz_settle(world, NULL, 0);
}

struct world *fuzz_world(void)
{
	return fuzz_world_of(false);
}

struct world *fuzz_world_of(bool ip6)
{
	struct world_config config;
	struct prism_endpoint tcp = {.port = 80}, udp = {.port = 9};
	prism_listener listener;
	prism_udp socket;

	world_config_init(&config);
	config.node_count = 1;
	config.ip6 = ip6;
	config.frames_max = 64;
	config.faults[0] = config.faults[1] = (struct pair_faults){0};
	config.options.connections_max = 8;
	config.options.half_open_max = 4;
	config.options.listeners_max = 2;
	config.options.udp_max = 2;
	config.options.buffers = 64;
	config.options.timers_max = 4;
	config.options.source_routes = 1;
	config.options.receive_bytes_max = 65536;
	config.options.send_bytes_max = 65536;
	for (int kind = 0; kind < POOL_KINDS; kind++)
		config.pool_pkts[kind] = 64;
	struct world *world = world_create(&config);

	if (prism_tcp_listen(world->node[0].worker, &tcp, 0, &listener) ||
	    prism_udp_open(world->node[0].worker, &udp, 0, &socket))
		broken("the stack refuses to listen");
	fuzz_settle(world, NULL, 0);
	introduce(world);
	return world;
}

static void release(void *context, int node, const struct prism_event *e)
{
	struct world *world = context;

	if (e->buf)
		prism_buf_release(world->node[node].worker, e->buf);
}

uint32_t fuzz_settle(struct world *world, uint8_t *last_frame, uint32_t bytes_max)
{
	struct port *port = pair_port(world->pair, 1);
	uint32_t last_len = 0;
	int turns = 0;
	bool busy;

	do {
		struct pkt *p;

		busy = world_turn(world, release, world);
		busy |= worker_next_ns(world->node[0].worker) <= world->now_ns;
		while (port->ops->rx(port, &p, 1) == 1) {
			last_len = MIN(pkt_seg_len(p), bytes_max);
			if (last_len)
				memcpy(last_frame, pkt_data(p), last_len);
			pkt_free(p);
		}
		if (world->failure)
			broken(world->failure);
	} while (busy && ++turns < TURNS_MAX);
	if (busy)
		broken("the stack does not come to rest");
	return last_len;
}

void fuzz_pass(struct world *world, uint64_t ns)
{
	uint64_t end_ns = world->now_ns + ns;
	int steps = 0;

	while (world->now_ns < end_ns && ++steps < TURNS_MAX) {
		if (!world_step(world, end_ns, release, world))
			broken(world->failure);
		fuzz_settle(world, NULL, 0);
	}
}

void fuzz_send(struct world *world, const uint8_t *frame, uint32_t len)
{
	struct port *port = pair_port(world->pair, 1);
	struct pkt *p = pkt_alloc(world->node[1].pool[POOL_TX]);

	memcpy(pkt_append(p, (uint16_t)len), frame, len);
	port->ops->tx(port, &p, 1);
}

void fuzz_end(struct world *world)
{
	fuzz_settle(world, NULL, 0);
	if (!world_destroy(world))
		broken("a buffer did not come home");
}

uint32_t fuzz_frame(struct fuzz *f, struct world *world, uint16_t eth_type, uint8_t *frame)
{
	if (f->left < 2)
		return 0;
	uint32_t len = fuzz_u16(f) % (FUZZ_FRAME_BYTES - FUZZ_L3_AT + 1);

	memcpy(frame, pair_port(world->pair, 0)->mac, 6);
	memcpy(frame + 6, pair_port(world->pair, 1)->mac, 6);
	frame[12] = (uint8_t)(eth_type >> 8);
	frame[13] = (uint8_t)eth_type;
	memset(frame + FUZZ_L3_AT, 0, len);
	fuzz_bytes(f, frame + FUZZ_L3_AT, len);
	return FUZZ_L3_AT + len;
}

void fuzz_fix_ip(uint8_t *frame, uint32_t len)
{
	struct ipv4_header *ip = (void *)(frame + FUZZ_L3_AT);
	uint32_t header_len = (uint32_t)(frame[FUZZ_L3_AT] & 15) * 4;

	if (header_len < sizeof(*ip) || FUZZ_L3_AT + header_len > len)
		return;
	ip->checksum = (be16){0};
	ip->checksum = checksum_finish(checksum_add(0, ip, header_len));
}
