// SPDX-License-Identifier: BSD-3-Clause
// First sequence numbers (RFC 6528, keyed SipHash under the worker's secret), where the search for
// a local port begins (RFC 6056 3.3.3) and the timestamp clock (RFC 7323 5.4). Called by open.c and
// output.c; the secret is env's.
#include "tcp/isn.h"

#include <string.h>

#include "base/hash.h"

// RFC 9293 MUST-8: ISN = M + F(tuple, secret). M ticks every 4.096 us.
// RFC 9293 MUST-9: F is SipHash under the worker's secret, so it cannot be computed outside.
uint32_t isn_of(const struct env *env, const struct flow_key *key)
{
	return (uint32_t)(env->now_ns >> 12) +
	       (uint32_t)hash_siphash(env->secret, key->word, sizeof(key->word));
}

uint32_t isn_port_offset(const struct env *env, const struct addr *local, const struct addr *remote,
			 uint16_t remote_port)
{
	struct {
		struct addr local, remote;
		uint64_t port;
	} input = {*local, *remote, remote_port};

	return (uint32_t)hash_siphash(env->secret, &input, sizeof(input));
}

// One offset for all connections of a worker: uptime stays private, and a tuple that is used again
// goes on with the same clock, which lets TIME-WAIT tell new from old (RFC 6191 2).
uint32_t isn_ts_now(const struct env *env)
{
	uint32_t offset;

	memcpy(&offset, env->secret, sizeof(offset));
	return (uint32_t)(env->now_ns >> 20) + (offset ^ 0x5bd1e995u);
}
