// SPDX-License-Identifier: BSD-3-Clause
// For tests of filters: programs as libpcap makes them from text, and small frames to try them on.
#pragma once

#include <pcap/pcap.h>
#include <string.h>

#include "base/bits.h"
#include "pkt/match.h"
#include "pkt/pkt.h"

#define FRAME_HEADS_BYTES 54 // ethernet, IPv4 and TCP

// Of packets that begin with an ethernet header (DLT_EN10MB) or an IP header (DLT_RAW).
static inline void filter_compile(const char *text, int link, struct bpf_program *out)
{
	pcap_t *dead = pcap_open_dead(link, 1 << 18);

	if (pcap_compile(dead, out, text, 1, PCAP_NETMASK_UNKNOWN) != 0)
		fail_msg("%s: %s", text, pcap_geterr(dead));
	pcap_close(dead);
}

static inline struct match *filter_match(const char *text, int link)
{
	struct bpf_program program;

	filter_compile(text, link, &program);
	struct match *match =
		match_create((const struct match_step *)program.bf_insns, program.bf_len);

	if (!match)
		fail_msg("%s of %u steps is refused", text, program.bf_len);
	pcap_freecode(&program);
	return match;
}

// An IPv4 packet of so many bytes from 10.0.0.1 to 10.0.0.2 and this port, of a protocol whose
// header begins with ports; what follows are the bytes' own places.
static inline void write_ip(uint8_t *to, uint16_t len, uint8_t protocol, uint16_t port)
{
	static const uint8_t head[] = {0x45, 0,  0, 0, 0, 0,  0, 0, 64, 0,    0,
				       0,    10, 0, 0, 1, 10, 0, 0, 2,  0x9c, 0x40};

	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)i;
	memcpy(to, head, MIN(sizeof(head), (size_t)len));
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	to[9] = protocol;
	to[22] = (uint8_t)(port >> 8);
	to[23] = (uint8_t)port;
	if (protocol == 6)
		to[32] = 0x50;
}

static inline void write_frame(uint8_t *to, uint16_t len, uint8_t protocol, uint16_t port)
{
	static const uint8_t ethernet[14] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};

	memcpy(to, ethernet, sizeof(ethernet));
	write_ip(to + sizeof(ethernet), (uint16_t)(len - sizeof(ethernet)), protocol, port);
}

// A packet of these bytes, the first of them in a segment of their own when cut is not 0.
static inline struct pkt *pkt_of(struct pool *pool, const uint8_t *bytes, uint32_t len,
				 uint32_t cut)
{
	uint32_t first = cut ? MIN(cut, len) : len;
	struct pkt *p = pkt_alloc(pool);

	assert_non_null(p);
	memcpy(pkt_append(p, (uint16_t)first), bytes, first);
	if (first == len)
		return p;
	struct pkt *rest = pkt_alloc(pool);

	assert_non_null(rest);
	memcpy(pkt_append(rest, (uint16_t)(len - first)), bytes + first, len - first);
	pkt_chain(p, rest);
	return p;
}
