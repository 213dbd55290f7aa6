// SPDX-License-Identifier: BSD-3-Clause
// The TCP connections of a capture.
#pragma once

#include "base/addr.h"
#include "sim/capture.h"

#define DISSECT_SACKS_MAX 4

// A segment as it was captured, or the part of one that a card had not cut yet.
struct tcp_segment {
	uint64_t time_ns;
	uint32_t number; // of the packet
	bool from_opener;
	uint8_t flags;
	uint32_t seq, ack, len;
	uint16_t window_raw; // as on the wire, not scaled
	const uint8_t *payload;
	uint32_t captured_len; // of len, bytes that are there; the rest was not captured
	uint16_t mss;          // 0: not said
	bool has_scale, sack_permitted, has_timestamps;
	uint8_t scale;
	uint32_t ts_value, ts_echo;
	uint32_t sack_count;
	uint32_t sack[DISSECT_SACKS_MAX][2];
};

struct tcp_flow {
	struct addr addr[2]; // of who opened, and of the other
	uint16_t port[2];
	bool has_syn;
	uint32_t isn;          // of the opener's SYN
	uint32_t first_number; // packet
	uint32_t first, end;   // places in the capture: from end on others have these ports
	uint32_t segments;
	uint64_t bytes; // of payload, what was sent again included
};

struct flow_list {
	struct tcp_flow *flow;
	uint32_t count, count_max;
	uint32_t *slot; // by addresses and ports, the latest flow's index and 1
	uint32_t slot_mask;
	uint32_t at;      // place in the capture
	uint32_t skipped; // packets that are not TCP, or fragments, or too short to tell
};

struct segment_list {
	struct tcp_segment *segment;
	uint32_t count, count_max;
};

// All connections, in the order in which they begin. False without memory; flow_list_free either
// way.
bool dissect_flows(const struct capture *capture, struct flow_list *list);
void flow_list_free(struct flow_list *list);

// The segments of one of them; longer ones than mss_max cut into such pieces.
bool dissect_segments(const struct capture *capture, const struct tcp_flow *flow, uint32_t mss_max,
		      struct segment_list *list);

// Reads an IP packet that holds TCP; false when it does not. addr and port: source, destination.
bool dissect_ip(const uint8_t *bytes, uint32_t len, struct tcp_segment *segment,
		struct addr addr[2], uint16_t port[2]);
