// SPDX-License-Identifier: BSD-3-Clause
// What requests and the rest of tcp/ share.
#pragma once

#include "tcp/conn.h"

// Bytes the application may still queue.
uint32_t tcp_room(const struct tcp *tcp, const struct conn *c);
