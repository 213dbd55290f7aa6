// SPDX-License-Identifier: BSD-3-Clause
// Who listens, of one worker: opened and closed by request.c, asked by open.c and stranger.c. Which
// workers listen at all stands in sync/claims.h.
#pragma once

#include "tcp/conn.h"
#include "tcp/tune.h"

struct listener {
	struct addr local; // any: all of ours
	uint16_t port;
	bool open;
	uint16_t next; // of the same chain, NO_LISTENER: the last
	uint32_t generation;
	uint64_t user;
	uint32_t set;                  // settings its connections begin with, a bit each
	uint32_t value[TCP_SET_COUNT]; // what each of these is
};
static_assert(TCP_SET_COUNT <= 32, "a bit for each setting");
#define NO_LISTENER UINT16_MAX

// What its connections begin with; otherwise: where it was not said.
static inline uint32_t listener_setting(const struct listener *l, enum tcp_option option,
					uint32_t otherwise)
{
	return UNLIKELY(l->set >> option & 1) ? l->value[option] : otherwise;
}

// What its connections offer their peers and hold for them.
static inline uint32_t listener_receive_max(const struct tcp *tcp, const struct listener *l)
{
	uint32_t bytes = listener_setting(l, TCP_SET_RECEIVE_BYTES, 0);

	return LIKELY(bytes == 0) ? tcp->config.receive_bytes_max : bytes;
}

// The settings of its connections become this one's, which is new.
static inline void listener_tunes(struct tcp *tcp, const struct listener *l, struct conn *c)
{
	for (uint32_t left = l->set; UNLIKELY(left); left &= left - 1) {
		enum tcp_option option = (enum tcp_option)__builtin_ctz(left);

		tune_set(tcp, c, option, l->value[option]);
	}
}

// The first of the open listeners among which those of this port are, or NULL.
static inline struct listener *listener_first(struct tcp *tcp, uint16_t port)
{
	uint16_t index = tcp->listener_chain[port % LISTENER_CHAINS];

	return index == NO_LISTENER ? NULL : &tcp->listener[index];
}

static inline struct listener *listener_next(struct tcp *tcp, const struct listener *l)
{
	return l->next == NO_LISTENER ? NULL : &tcp->listener[l->next];
}

// Whose a SYN to this address and port is, or NULL.
static inline struct listener *listener_for(struct tcp *tcp, const struct addr *local,
					    uint16_t port)
{
	struct listener *any = NULL;

	for (struct listener *l = listener_first(tcp, port); l; l = listener_next(tcp, l)) {
		if (l->port != port)
			continue;
		// RFC 9293 MUST-41, MUST-42: the closest answers, whatever else is on the port
		if (addr_equal(&l->local, local))
			return l;
		if (addr_is_any(&l->local))
			any = l;
	}
	return any;
}
