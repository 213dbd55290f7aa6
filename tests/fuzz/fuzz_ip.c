// SPDX-License-Identifier: BSD-3-Clause
// IPv4 input with options, fragments and reassembly. The input is packets: a byte of control, a
// length, the packet from its IP header on.
#include <string.h>

#include "base/time.h"
#include "fuzz.h"
#include "wire/ipv4.h"

enum { RAW = 1, AS_TOLD = 2, PASS_TIME = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// As a peer would send it: our address, the right version, the right length.
static void address(uint8_t *frame, uint32_t len)
{
	struct ipv4_header *ip = (void *)(frame + FUZZ_L3_AT);

	if (len < FUZZ_L3_AT + sizeof(*ip))
		return;
	ip->version_ihl = (uint8_t)(0x40 | MAX(5, ip->version_ihl & 15));
	ip->total_len = be16_of((uint16_t)(len - FUZZ_L3_AT));
	ip->src = be32_of(0xc6120002);
	ip->dst = be32_of(0xc6120001);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {data, size};
	struct world *world = fuzz_world();
	uint8_t frame[FUZZ_FRAME_BYTES];

	while (f.left > 2) {
		uint8_t control = fuzz_u8(&f);
		uint32_t len = fuzz_frame(&f, world, 0x0800, frame);

		if (len == 0)
			break;
		if (!(control & AS_TOLD))
			address(frame, len);
		if (!(control & RAW))
			fuzz_fix_ip(frame, len);
		fuzz_send(world, frame, len);
		fuzz_settle(world, NULL, 0);
		if (control & PASS_TIME)
			fuzz_pass(world, (control >> 3) * NS_PER_S);
	}
	fuzz_end(world);
	return 0;
}
