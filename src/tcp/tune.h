// SPDX-License-Identifier: BSD-3-Clause
// What one connection has otherwise than the configuration says, apart from its line: a record
// for each slot, at the same place in the memory of all workers, so that it moves with it. Looked
// at where CONN_TUNED says so. Who is not tuned pays the test of a flag that is at hand.
#pragma once

#include "tcp/conn.h"

// RFC 7413 (fast.h)
enum fast_state {
	FAST_NOT,
	FAST_PENDING, // another opened it so, and the handshake is not complete
	FAST_ASKED,   // we are to open it so; its SYN has not left
	FAST_SENT,    // it has, with a cookie or the wish for one
};

struct tuning {
	uint32_t user_timeout_ms;   // 0: none (patience.h)
	uint32_t waits_since_ms;    // for the peer, and nothing moves; 0: nothing waits
	uint32_t send_bytes_max;    // 0: the configured
	uint32_t receive_bytes_max; // 0: the configured
	union {
		uint32_t held_since_ms;   // text is held (hold.h); 0: none is
		uint32_t fast_text_bytes; // of a connect, until it is open: that its SYN had
	};
	uint16_t keepalive_s;          // with CONN_KEEPALIVE_SET; 0: off
	uint16_t keepalive_interval_s; // 0: 75
	uint8_t keepalive_probes;      // 0: 9
	uint8_t nagle : 1;             // RFC 9293 3.7.4
	uint8_t corked : 1;
	uint8_t fast : 2;        // enum fast_state
	uint8_t fast_grants : 1; // its SYN-ACK brings a cookie
	uint16_t row;            // in which the slot is shown, and one more; 0: in none (show.c)
};

static_assert(sizeof(struct tuning) <= 28, "an idle connection stays small");

static inline struct tuning *tuning_of(const struct tcp *tcp, const struct conn *c)
{
	DCHECK(conn_is(c, CONN_TUNED));
	return &tcp->tuning[conn_index(tcp, c)];
}

// Bytes that it may have queued, and that it may offer its peer or hold for it.
static inline uint32_t tuned_send_max(const struct tcp *tcp, const struct conn *c)
{
	uint32_t bytes = UNLIKELY(conn_is(c, CONN_TUNED)) ? tuning_of(tcp, c)->send_bytes_max : 0;

	return LIKELY(bytes == 0) ? tcp->config.send_bytes_max : bytes;
}

static inline uint32_t tuned_receive_max(const struct tcp *tcp, const struct conn *c)
{
	uint32_t bytes =
		UNLIKELY(conn_is(c, CONN_TUNED)) ? tuning_of(tcp, c)->receive_bytes_max : 0;

	return LIKELY(bytes == 0) ? tcp->config.receive_bytes_max : bytes;
}

// Its record, which begins as the configuration says.
struct tuning *tune(struct tcp *tcp, struct conn *c);

// 0, or -EINVAL with err_set that says what the setting takes.
int tune_check(const struct tcp *tcp, enum tcp_option option, uint64_t value);

// After tune_check.
void tune_set(struct tcp *tcp, struct conn *c, enum tcp_option option, uint64_t value);
