// SPDX-License-Identifier: BSD-3-Clause
// How fast the network delivers what a connection sends: a sample with each ACK that says that
// something arrived (draft-ietf-ccwg-bbr-06 4.1). Kept of those alone whose congestion control asks
// (CONN_SAMPLED), in its record.
//
//	left under mark i                 delivered
//	|────────────────────────────────►|     bytes delivered meanwhile, over the longer of
//	 delivered so far, since when      now   how long they took to arrive and to leave
//
// The draft writes down for each packet what was known when it left. Here a mark is made for each
// fortieth of what is outstanding, or each packet where that is less, and what leaves until the
// next belongs to it: its interval began a little earlier, with as much more delivered in it. Marks
// are in order of both time and offset, so the one of a packet is found by either.
#pragma once

#include "tcp/cc.h"

#define RATE_MARKS 64 // a power of two

struct rate_mark {
	uint64_t sent_ns;
	uint32_t offset;          // snd.nxt, its low 32 bits, as of the next two
	uint32_t delivered_bytes; // before
	uint32_t lost_bytes;
	uint32_t in_flight_bytes : 31; // this packet included
	uint32_t app_limited : 1;
	uint32_t since_delivered; // from delivered_ns to sent_ns, in 64 ns; RATE_LONG: or longer
	uint32_t since_first;     // from first_sent_ns
};
#define RATE_LONG UINT32_MAX

// 137 Gbit/s: times a second in nanoseconds it has room in 64 bits.
#define RATE_BYTES_S_MAX (UINT64_C(1) << 34)

struct rate {
	// Of all that left since the record was taken.
	uint64_t delivered_bytes; // the draft's C.delivered
	uint64_t delivered_ns;    // when that last grew
	uint64_t lost_bytes;      // C.lost
	uint64_t first_sent_ns;   // when the latest that was delivered left
	uint64_t limited_bytes;   // C.app_limited: until so much is delivered; 0: it is not
	uint64_t min_rtt_ns;      // of the connection; 0: none yet
	uint64_t pacing_bytes_s;  // what the congestion control wants of pace.c
	bool paced_anyway;        // the application wants pacing, whatever the congestion control
	bool filled;              // cwnd was full after a packet; the congestion control resets it

	// Marks made, free-running; the ring has those from first on.
	uint32_t first, made;
	uint32_t since_bytes; // left under the last one
	uint32_t newest;      // of what was delivered
	// Of the ACK at work.
	uint32_t ack_bytes; // newly delivered
	bool has_mark;
	uint32_t ack_mark;
	uint64_t rtt_ns; // 0: none
	struct rate_mark mark[RATE_MARKS];
};

// What one ACK, or one loss, says.
struct rate_sample {
	uint64_t now_ns;
	uint64_t rate_bytes_s;    // 0: it does not say
	uint64_t delivered_bytes; // over the interval of the sample
	uint64_t prior_bytes;     // were delivered when what was delivered now left
	uint64_t rtt_ns;          // 0: none
	uint64_t in_flight_bytes; // after it
	uint32_t bytes;           // newly delivered, or lost
	uint32_t sent_bytes;      // in flight when it left, itself included; 0: not known
	uint32_t lost_bytes;      // since it left
	bool has_mark;            // what left when is known: prior, sent, lost, app_limited
	bool app_limited;
};

// A record begins; nothing of before is known.
void rate_begin(struct rate *r, uint64_t now_ns);

// Text is leaving: snd.nxt and the scoreboard are as before.
void rate_sent(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t len);

// A descriptor, out of order or in trouble, has arrived as an ACK at work says; / is lost.
struct send_desc;
void rate_delivered(const struct tcp *tcp, struct conn *c, const struct send_desc *d);
void rate_lost(struct tcp *tcp, struct conn *c, const struct send_desc *d);
// So much is, whatever it was.
void rate_lost_bytes(const struct tcp *tcp, struct conn *c, uint32_t bytes);

// So many bytes have arrived, as the ACK at work says for the first time; una is where it is, and
// what is lost was not looked for yet.
void rate_arrived(struct tcp *tcp, struct conn *c, uint32_t bytes);

// The ACK has been taken. Fills in the sample's rate and asks the congestion control.
void rate_acked(struct tcp *tcp, struct conn *c, struct cc_sample *s);

// Samples of what leaves now say nothing of the network's limit, until what is in flight is gone.
void rate_limit(struct rate *r, uint64_t in_flight_bytes);
