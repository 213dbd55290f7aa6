// SPDX-License-Identifier: BSD-3-Clause
// IPv6 input: extension headers, fragments, ICMPv6, neighbour discovery, routers, listeners, with
// time and a connection of ours in between. The input is packets: a byte of control, a length, the
// packet from its IP header on.
#include <string.h>

#include "base/time.h"
#include "fuzz.h"
#include "wire/checksum.h"
#include "wire/icmp6.h"
#include "wire/ipv6.h"

enum { RAW = 1, AS_TOLD = 2, PASS_TIME = 4, CONNECT = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// As somebody on the link would send it: from one of a few, to us or a group, the length right.
static void address(uint8_t *frame, uint32_t len, uint8_t who)
{
	static const struct addr groups[] = {{.byte = {0xff, 2, [15] = 1}},
					     {.byte = {0xff, 2, [11] = 1, 0xff, [15] = 1}}};
	struct ipv6_header *ip = (void *)(frame + FUZZ_L3_AT);
	struct prism_endpoint peer = world_endpoint_of(true, 1, 0),
			      us = world_endpoint_of(true, 0, 0);

	if (len < FUZZ_L3_AT + sizeof(*ip))
		return;
	ip->version_class_flow.raw = (ip->version_class_flow.raw & ~0xf0u) | 0x60;
	ip->payload_len = be16_of((uint16_t)(len - FUZZ_L3_AT - sizeof(*ip)));
	memcpy(ip->src, &peer.addr, 16);
	ip->src[15] = (uint8_t)(2 + (who & 3));
	if (who & 4)
		memcpy(ip->src, "\xfe\x80\0\0\0\0\0\0", 8);
	memcpy(ip->dst, &us.addr, 16);
	if (who & 8)
		memcpy(ip->dst, &groups[who >> 4 & 1], 16);
	if (who & 8)
		memcpy(frame, "\x33\x33", 2);
}

// The checksum of an ICMPv6 message right behind the header.
static void sum(uint8_t *frame, uint32_t len)
{
	struct ipv6_header *ip = (void *)(frame + FUZZ_L3_AT);
	struct icmp6_header *h = (void *)(ip + 1);
	uint32_t message_len = len - FUZZ_L3_AT - (uint32_t)sizeof(*ip);

	if (len < FUZZ_L3_AT + sizeof(*ip) + sizeof(*h) || ip->next_header != IP_ICMP6)
		return;
	struct addr src = addr_from_bytes(ip->src), dst = addr_from_bytes(ip->dst);

	h->checksum = (be16){0};
	h->checksum = checksum_finish(checksum_pseudo(&src, &dst, IP_ICMP6, message_len) +
				      checksum_add(0, h, message_len));
}

static void connect_somewhere(struct world *world, uint8_t host)
{
	struct prism_endpoint remote = world_endpoint_of(true, 1, 99);
	prism_conn conn;

	remote.addr.byte[15] = (uint8_t)(2 + (host & 3));
	if (prism_tcp_connect(world->node[0].worker, &remote, NULL, 0, &conn) == 0)
		fuzz_settle(world, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {data, size};
	struct world *world = fuzz_world_of(true);
	uint8_t frame[FUZZ_FRAME_BYTES];

	while (f.left > 3) {
		uint8_t control = fuzz_u8(&f), who = fuzz_u8(&f);
		uint32_t len = fuzz_frame(&f, world, 0x86dd, frame);

		if (len == 0)
			break;
		if (control & CONNECT)
			connect_somewhere(world, who);
		if (!(control & AS_TOLD))
			address(frame, len, who);
		if (!(control & RAW))
			sum(frame, len);
		fuzz_send(world, frame, len);
		fuzz_settle(world, NULL, 0);
		if (control & PASS_TIME)
			fuzz_pass(world, (control >> 4) * 4 * NS_PER_S);
	}
	fuzz_end(world);
	return 0;
}
