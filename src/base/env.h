// SPDX-License-Identifier: BSD-3-Clause
// What a worker hands to everything below it: the time of this turn, randomness, where to count,
// where to trace, where buffers come from. Nothing below core/ has any other source for these.
#pragma once

#include <stdint.h>

#include "base/rand.h"

struct conn_row; // observe/conn_row.h
struct counters; // observe/counter.h: this worker's block, in shared memory or not
struct trace;    // observe/trace.h
struct verdicts; // observe/verdict.h
struct tapings; // pkt/taping.h
struct pool;     // pkt/pool.h
struct seals;    // pkt/seal.h
struct hands;    // port/mesh.h

// Pools are split so that a box out of buffers still answers (house rule: the control reserve).
enum pool_kind {
	POOL_RX,   // whole packets, filled by ports
	POOL_TX,   // payload made here: staged sends, replies with a body
	POOL_HEAD, // small: headers of data segments, references to payload
	POOL_CTRL, // small reserve: ACK, RST, ARP, ICMP errors
	POOL_KINDS,
};

struct env {
	uint64_t now_ns; // the only clock anyone below may use; set once a turn
	uint32_t worker_index;
	uint32_t worker_count; // of the instance, this one included
	uint32_t ts_offset;    // where TCP's timestamp clock began: isn_init
	struct rng rng;
	struct counters *counters;
	struct trace *trace;
	struct verdicts *verdicts;  // NULL: what became of packets is counted only
	struct verdicts *samples;   // NULL: no packet that passes is recorded
	uint64_t verdict_mask;      // records of each ring, less one
	struct tapings *tapings;  // that take copies of packets; NULL: there are none
	uint32_t sample_one_in;     // packets, of those that pass, one is recorded; 0: none
	struct conn_row *conn_rows; // in which connections are shown; NULL: in none
	uint32_t conn_row_count;
	struct pool *pool[POOL_KINDS];
	uint32_t kept_pkts;     // received packets held above the ports: pkt_keep, pkt_unkeep
	uint32_t kept_pkts_max; // what may be held; the rest of POOL_RX lets ACKs arrive
	struct {
		uint32_t low_pkts, span_pkts; // held_level is that of low to low + span held
		uint8_t level;                // enum pressure (pkt/pressure.h)
		uint8_t held_level, least_level;
	} pressure;
	const struct seals *seals;  // bytes whose sums are known; NULL: none
	struct hands *hands;        // to the other workers; NULL: there are none
	uint32_t addresses_lost;    // that were ours and are not any more (tcp/homeless.h)
	uint32_t addresses_doubted; // times that those routers let us make were asked for
	uint8_t secret[16];         // from the kernel at start; keys hashes, ISNs and port choice
};
