// SPDX-License-Identifier: BSD-3-Clause
// UDP and ICMP behind a sound IP header: lengths, checksums, errors about datagrams and segments
// that were or were not ours.
#include <string.h>

#include "base/time.h"
#include "fuzz.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#define L4_AT 34
#define PROTOCOL_ICMP 1
#define PROTOCOL_UDP 17

enum { ICMP = 1, KEEP_CHECKSUM = 2, PORT_OPEN = 4, QUOTE_OURS = 8, PASS_TIME = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void wrap_ip(uint8_t *frame, uint32_t len, uint8_t protocol)
{
	struct ipv4_header *ip = (void *)(frame + FUZZ_L3_AT);

	*ip = (struct ipv4_header){.version_ihl = 0x45,
				   .total_len = be16_of((uint16_t)(len - FUZZ_L3_AT)),
				   .ttl = 64,
				   .protocol = protocol,
				   .src = be32_of(0xc6120002),
				   .dst = be32_of(0xc6120001)};
	fuzz_fix_ip(frame, len);
}

static void fix_udp(uint8_t *frame, uint32_t len, uint8_t control)
{
	struct udp_header *udp = (void *)(frame + L4_AT);
	struct addr src = addr_from_v4(be32_of(0xc6120002)),
		    dst = addr_from_v4(be32_of(0xc6120001));
	uint32_t udp_len = len - L4_AT;

	if (udp_len < sizeof(*udp))
		return;
	if (control & PORT_OPEN)
		udp->dst_port = be16_of(9);
	if (control & KEEP_CHECKSUM)
		return;
	udp->len = be16_of((uint16_t)udp_len);
	udp->checksum = (be16){0};
	udp->checksum = checksum_finish(
		checksum_add(checksum_pseudo(&src, &dst, PROTOCOL_UDP, udp_len), udp, udp_len));
}

static void fix_icmp(uint8_t *frame, uint32_t len, uint8_t control)
{
	struct icmp_header *icmp = (void *)(frame + L4_AT);
	struct ipv4_header *quoted = (void *)(icmp + 1);

	if (len < L4_AT + sizeof(*icmp))
		return;
	if ((control & QUOTE_OURS) && len >= L4_AT + sizeof(*icmp) + sizeof(*quoted)) {
		quoted->version_ihl = 0x45;
		quoted->src = be32_of(0xc6120001);
		quoted->dst = be32_of(0xc6120002);
	}
	if (control & KEEP_CHECKSUM)
		return;
	icmp->checksum = (be16){0};
	icmp->checksum = checksum_finish(checksum_add(0, icmp, len - L4_AT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {data, size};
	struct world *world = fuzz_world();
	uint8_t frame[FUZZ_FRAME_BYTES];

	while (f.left > 2) {
		uint8_t control = fuzz_u8(&f);
		uint32_t len = fuzz_frame(&f, world, 0x0800, frame);

		if (len < L4_AT)
			break;
		wrap_ip(frame, len, control & ICMP ? PROTOCOL_ICMP : PROTOCOL_UDP);
		if (control & ICMP)
			fix_icmp(frame, len, control);
		else
			fix_udp(frame, len, control);
		fuzz_send(world, frame, len);
		fuzz_settle(world, NULL, 0);
		if (control & PASS_TIME)
			fuzz_pass(world, (control >> 5) * NS_PER_S);
	}
	fuzz_end(world);
	return 0;
}
