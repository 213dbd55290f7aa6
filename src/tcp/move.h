// SPDX-License-Identifier: BSD-3-Clause
// A connection changes hands.
#pragma once

#include "tcp/conn.h"

// What a worker owes another: as many slots and descriptors as came from him with connections.
struct debt {
	uint32_t conns, descs;
};

// Of a connection with CONN_MOVING that has sent what it may: it leaves if nothing of it waits
// here. What ends the waiting marks it (conn_look_again), or a timer, when it waits for others.
void move_step(struct tcp *tcp, struct conn *c);

// Something is owed (tcp->owing): gives of it what there is.
void move_pay(struct tcp *tcp);
