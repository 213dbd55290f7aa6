// SPDX-License-Identifier: BSD-3-Clause
// A connection changes hands.
#pragma once

#include "tcp/conn.h"

// Of a connection with CONN_MOVING that has sent what it may: it leaves if nothing of it waits
// here; else it is marked again.
void move_step(struct tcp *tcp, struct conn *c);
