// SPDX-License-Identifier: BSD-3-Clause
// A bulk transfer over the kernel's sockets or Prism's public API, by the same plan: one side sends
// a known pattern on each flow, the other compares every byte. Either side may open.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BULK_FLOWS_MAX 16
#define BULK_RUN_BYTES 65536 // the longest run of the pattern that can be had at once
#define BULK_BINS UINT64_C(256)
#define BULK_BIN_NS (100 * NS_PER_MS)

struct bulk_plan {
	const char *config; // Prism's configuration file; NULL: the kernel's sockets
	const char *address;
	uint64_t port;
	uint64_t bytes;    // a flow
	uint64_t limit_ns; // the receiver ends a flow that long after its first byte
	uint64_t flow_count;
	bool opens, sends;
};

// One flow, as its end here saw it.
struct bulk_flow {
	uint64_t bytes; // sent or received
	uint64_t first_ns, last_ns;
	uint64_t silence_ns_max;                        // between two arrivals
	uint64_t wrong;                                 // runs that were not what was sent
	uint64_t bin_bytes[BULK_BINS];                  // received in each tenth of a second
	uint64_t retransmits, mss, reorderings, rtt_us; // sender on the kernel's sockets
	uint32_t reason;                                // Prism's close reason, or an errno
	bool complete, over;
};

// The pattern from this offset on, BULK_RUN_BYTES of it.
const uint8_t *bulk_pattern(uint64_t offset);
#define BULK_PATTERN_BYTES (65537 + BULK_RUN_BYTES)
void bulk_pattern_write(uint8_t *to);

// Bytes arrived. False when the flow's time is over.
bool bulk_heard(const struct bulk_plan *plan, struct bulk_flow *flow, const void *data,
		uint32_t len);
bool bulk_in_time(const struct bulk_plan *plan, const struct bulk_flow *flow);

// True once somebody wrote a line, or closed: whoever started this wants the report.
bool bulk_told(void);
uint64_t bulk_now_ns(void);

// How long in all this end could not run although it wanted to, in pieces of a millisecond and
// more.
extern uint64_t bulk_stalled_ns;

// Carry out the plan. 0, or 1 with a message on stderr.
int bulk_kernel(const struct bulk_plan *plan, struct bulk_flow *flows);
int bulk_prism(const struct bulk_plan *plan, struct bulk_flow *flows);

// One line of JSON.
void bulk_report(const struct bulk_plan *plan, const struct bulk_flow *flows);
