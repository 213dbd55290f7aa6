// SPDX-License-Identifier: BSD-3-Clause
// Connections whose own address is not ours any more (homeless.c).
#pragma once

#include "tcp/conn.h"

// True: an address was lost, and not all connections have been looked at since.
static inline bool homeless_due(const struct tcp *tcp)
{
	return tcp->homeless.done != tcp->env->addresses_lost;
}

// Looks at some of them.
void homeless_end_some(struct tcp *tcp);

// Of one that came from another worker, who may not have heard of it.
void homeless_came(struct tcp *tcp, struct conn *c);
