// SPDX-License-Identifier: BSD-3-Clause
// SYN cookies: a handshake of which nothing is kept here.
#pragma once

#include "tcp/flow.h"
#include "tcp/options.h"

// The first sequence number of an answer to a SYN whose number was irs, which proves later that the
// peer saw it, and that it takes segments of at least so much text as cookie_read then says.
uint32_t cookie_make(const struct tcp *tcp, const struct flow *f, uint32_t irs, uint16_t mss);

// True when iss was made for this flow and irs lately, one to two minutes; sets *mss.
bool cookie_read(const struct tcp *tcp, const struct flow *f, uint32_t irs, uint32_t iss,
		 uint16_t *mss);

// A timestamp of now or up to 134 ms ago that says which options both have, and whether they agreed
// on marks (ecn.h); and from its echo. The latter returns the latter.
uint32_t cookie_ts_make(const struct env *env, const struct tcp_options *o, bool has_ecn);
bool cookie_ts_read(uint32_t ts_echo, struct tcp_options *o);
