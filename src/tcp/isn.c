// SPDX-License-Identifier: BSD-3-Clause
// First sequence numbers (RFC 6528, keyed SipHash under the worker's secret), where the search for
// a local port begins (RFC 6056 3.3.3) and the timestamp clock (RFC 7323 5.4). Called by open.c,
// request.c and tcp.c; the secret is env's.
#include "tcp/isn.h"

#include "base/hash.h"

// The offset goes over the wire, so it is not the secret but a hash under it, which none of the
// other inputs, 16 or 40 bytes all of them, leads to. Of those of 40 bytes a flow's has its local
// port, which is never 0, where a port's offset has zeros.
void isn_init(struct env *env)
{
	env->ts_offset = (uint32_t)hash_siphash(env->secret, "ts", 2);
}

// RFC 9293 MUST-8: ISN = M + F(tuple, secret). M ticks every 4.096 us.
// RFC 9293 MUST-9: F is SipHash under the worker's secret, so it cannot be computed outside.
// RFC 6528 R1, R2, R3
uint32_t isn_of(const struct env *env, const void *key, size_t bytes)
{
	return (uint32_t)(env->now_ns >> 12) + (uint32_t)hash_siphash(env->secret, key, bytes);
}

// RFC 6056 R4
uint32_t isn_port_offset(const struct env *env, const struct addr *local, const struct addr *remote,
			 uint16_t remote_port)
{
	struct {
		struct addr local, remote;
		uint64_t port;
	} input = {*local, *remote, remote_port};

	return (uint32_t)hash_siphash(env->secret, &input, sizeof(input));
}
