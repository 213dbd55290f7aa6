// SPDX-License-Identifier: BSD-3-Clause
// SYN cookies (RFC 4987 3.6): what a half-open connection would hold stands in the sequence number
// and the timestamp of our SYN-ACK, and comes back with the ACK. Called by open.c while its array
// is full. Pure functions of the flow, the secret and the time.
//
//	sequence number   period (5 bits) | MSS (3) | hash of all that, flow, irs (24)
//	timestamp         ... | marks (1) | blocks welcome (1) | peer's window scale (4), 15: none
//
// A guess is right once in 2^24 tries, and opens a connection to an address that the guesser cannot
// hear; the whole period is hashed, so what was right once is not again. While it is good, a copy
// of the client's first segment opens an ended connection anew. A peer that sends no timestamps has
// neither scale, blocks nor marks (RFC 3168); what it says of them in an echo it may say as it
// likes, they are its own. Not here: fast open.
#include "tcp/cookie.h"

#include "base/hash.h"
#include "tcp/isn.h"

// 68.7 s; the number before is good too, so an answer has one to two of them.
#define PERIOD_SHIFT 36

#define HASH_MASK 0xffffffu
#define TS_BITS 6u
#define TS_MASK ((1u << TS_BITS) - 1)
#define NO_SCALE 15u
#define BLOCKS_WELCOME 16u
#define MARKS_AGREED 32u

// The largest that is not above the peer's; the usual ones over Ethernet and tunnels, of both
// families, and the defaults.
static const uint16_t mss_table[8] = {64, 536, 1220, 1340, 1400, 1440, 1460, 8940};

static uint32_t hash_of(const struct tcp *tcp, const struct flow *f, uint32_t irs, uint32_t head,
			uint32_t slot)
{
	const struct {
		struct addr local, remote;
		uint16_t local_port, remote_port;
		uint32_t irs, head, slot; // 48 bytes: no other input is as long (isn.c)
	} input = {*f->local, *f->remote, f->local_port, f->remote_port, irs, head, slot};

	return (uint32_t)hash_siphash(tcp->env->secret, &input, sizeof(input)) & HASH_MASK;
}

static uint32_t mss_index(uint16_t mss)
{
	uint32_t i = ARRAY_COUNT(mss_table) - 1;

	while (i > 0 && mss_table[i] > mss)
		i--;
	return i;
}

static uint32_t period_now(const struct tcp *tcp)
{
	return (uint32_t)(tcp->env->now_ns >> PERIOD_SHIFT);
}

uint32_t cookie_make(const struct tcp *tcp, const struct flow *f, uint32_t irs, uint16_t mss)
{
	uint32_t head = (period_now(tcp) & 31) << 3 | mss_index(mss);

	return head << 24 | hash_of(tcp, f, irs, head, period_now(tcp));
}

bool cookie_read(const struct tcp *tcp, const struct flow *f, uint32_t irs, uint32_t iss,
		 uint16_t *mss)
{
	uint32_t head = iss >> 24, age = (period_now(tcp) - (head >> 3)) & 31;

	if (age > 1 || (iss & HASH_MASK) != hash_of(tcp, f, irs, head, period_now(tcp) - age))
		return false;
	*mss = mss_table[head & 7];
	return true;
}

// Never ahead of the clock, or segments that follow would seem old (RFC 7323 5).
uint32_t cookie_ts_make(const struct env *env, const struct tcp_options *o, bool has_ecn)
{
	uint32_t now = isn_ts_now(env);
	uint32_t told = (now & ~TS_MASK) | (o->has_scale ? o->scale : NO_SCALE);

	told |= (o->has_sack ? BLOCKS_WELCOME : 0u) | (has_ecn ? MARKS_AGREED : 0u);

	return (int32_t)(told - now) > 0 ? told - (TS_MASK + 1) : told;
}

bool cookie_ts_read(uint32_t ts_echo, struct tcp_options *o)
{
	o->has_sack = ts_echo & BLOCKS_WELCOME;
	o->scale = ts_echo & 15;
	o->has_scale = o->scale != NO_SCALE;
	o->scale = o->has_scale ? o->scale : 0;
	return ts_echo & MARKS_AGREED;
}
