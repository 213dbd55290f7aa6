// SPDX-License-Identifier: BSD-3-Clause
// Connections whose own address is not ours any more (homeless.c).
#pragma once

#include "tcp/conn.h"

// How often all connections were to be looked at.
static inline uint32_t homeless_rounds(const struct tcp *tcp)
{
	return tcp->env->addresses_lost + tcp->env->addresses_doubted;
}

// True: an address was lost, or is asked for, and not all have been looked at since.
static inline bool homeless_due(const struct tcp *tcp)
{
	return tcp->homeless.done != homeless_rounds(tcp);
}

// Looks at some of them.
void homeless_end_some(struct tcp *tcp);

// Of one that came from another worker, who may not have heard of it.
void homeless_came(struct tcp *tcp, struct conn *c);
