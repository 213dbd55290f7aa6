// SPDX-License-Identifier: BSD-3-Clause
// An arriving segment, decoded: the only place where 32-bit sequence numbers come in.
#pragma once

#include "base/env.h"
#include "port/arrival.h"
#include "sync/table.h"
#include "tcp/options.h"

// Above TCP's flags: congestion was met on the way (RFC 3168), as the IP header says.
#define SEGMENT_CE 0x100

struct segment {
	struct pkt *pkt;
	const struct arrival *arrival;
	uint32_t raw_seq, raw_ack; // as on the wire
	uint64_t seq, ack;         // stream offsets near what the connection expects
	uint32_t len;              // SEG.LEN without SYN and FIN: bytes of text
	uint32_t wnd;              // as on the wire until input.c scales it
	union {                    // written and, for the flow's key, read in one
		uint32_t ports;
		struct {
			uint16_t src_port, dst_port;
		};
	};
	uint16_t text_offset; // from pkt_data
	uint16_t flags;       // TCP_FIN ..., SEGMENT_CE
	bool has_ts;
	uint8_t sack_count;
	uint32_t ts_value, ts_echo;
	struct sack_edges sack[SACK_OPTION_BLOCKS_MAX];
};

// Fills in all but seq and ack. DROP_OK, or why the segment is not one.
enum drop segment_read(struct pkt *p, const struct arrival *a, struct segment *s);

// The options of a SYN. The segment was read already, so they are whole.
void segment_syn_options(const struct segment *s, struct tcp_options *out);

// The stream offset with these low 32 bits that lies nearest to near.
HOT_INLINE uint64_t offset_near(uint64_t near, uint32_t wire)
{
	return near + (uint64_t)(int64_t)(int32_t)(wire - (uint32_t)near);
}

// SEG.LEN as the RFC counts it: SYN and FIN take one each.
HOT_INLINE uint32_t segment_space(const struct segment *s)
{
	return s->len + ((s->flags & TCP_SYN) != 0) + ((s->flags & TCP_FIN) != 0);
}
