// SPDX-License-Identifier: BSD-3-Clause
// The state diagram.
#pragma once

#include "tcp/conn.h"

// True when RFC 9293 3.3.2 (figure 5) leads from one state to the other.
bool state_may_follow(enum state from, enum state to);

// "ESTABLISHED"
const char *state_name(enum state state);

// The only writer of c->state.
void conn_enter(struct tcp *tcp, struct conn *c, enum state to);
