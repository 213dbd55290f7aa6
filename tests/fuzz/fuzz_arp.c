// SPDX-License-Identifier: BSD-3-Clause
// ARP: whatever a station on the link may say, with time and a datagram of ours in between, so
// that entries are pending, confirmed, doubted and aged.
#include <string.h>

#include "base/time.h"
#include "fuzz.h"
#include "wire/arp.h"

enum { RAW = 1, BROADCAST = 2, CONNECT = 4, PASS_TIME = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void make_sane(uint8_t *frame, uint32_t len)
{
	struct arp_packet *arp = (void *)(frame + FUZZ_L3_AT);

	if (len < FUZZ_L3_AT + sizeof(*arp))
		return;
	arp->hardware = be16_of(1);
	arp->protocol = be16_of(0x0800);
	arp->hardware_len = 6;
	arp->protocol_len = 4;
	arp->operation = be16_of((uint16_t)(1 + (be16_get(arp->operation) & 1)));
	arp->sender = be32_of(0xc6120000 | (be32_get(arp->sender) & 7));
	arp->target = be32_of(0xc6120000 | (be32_get(arp->target) & 7));
}

static void connect_somewhere(struct world *world, uint8_t host)
{
	struct prism_endpoint remote = world_endpoint(0, 99);
	prism_conn conn;

	remote.addr.byte[15] = (uint8_t)(2 + (host & 7));
	if (prism_tcp_connect(world->node[0].worker, &remote, NULL, 0, &conn) == 0)
		fuzz_settle(world, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {data, size};
	struct world *world = fuzz_world();
	uint8_t frame[FUZZ_FRAME_BYTES];

	while (f.left > 2) {
		uint8_t control = fuzz_u8(&f);
		uint32_t len = fuzz_frame(&f, world, 0x0806, frame);

		if (len == 0)
			break;
		if (control & CONNECT)
			connect_somewhere(world, control >> 4);
		if (control & BROADCAST)
			memset(frame, 0xff, 6);
		if (!(control & RAW))
			make_sane(frame, len);
		fuzz_send(world, frame, len);
		fuzz_settle(world, NULL, 0);
		if (control & PASS_TIME)
			fuzz_pass(world, (control >> 4) * 10 * NS_PER_S);
	}
	fuzz_end(world);
	return 0;
}
