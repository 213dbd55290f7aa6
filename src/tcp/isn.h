// SPDX-License-Identifier: BSD-3-Clause
// First sequence numbers and local ports: what an outsider must not guess.
#pragma once

#include "tcp/conn.h"

// What is made of the secret once, at start: where the timestamp clock begins.
void isn_init(struct env *env);

// The first sequence number of a flow with this key in its table.
uint32_t isn_of(const struct env *env, const void *key, size_t bytes);

// The ephemeral port from which the search for a free one to this destination starts.
#define PORT_EPHEMERAL_MIN 16384u
#define PORT_EPHEMERAL_COUNT (65536u - PORT_EPHEMERAL_MIN)
uint32_t isn_port_offset(const struct env *env, const struct addr *local, const struct addr *remote,
			 uint16_t remote_port);

// Timestamp clock: 2^20 ns a tick (RFC 7323 5.4: between 1 ms and 1 s), from an offset nobody
// knows. One for all connections of a worker: uptime stays private, and a tuple that is used again
// goes on with the same clock, which lets TIME-WAIT tell new from old (RFC 6191 R7).
// RFC 7323 R19, R21
static inline uint32_t isn_ts_at(const struct env *env, uint64_t ns)
{
	return (uint32_t)(ns >> 20) + env->ts_offset;
}

static inline uint32_t isn_ts_now(const struct env *env)
{
	return isn_ts_at(env, env->now_ns);
}
