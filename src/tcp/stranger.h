// SPDX-License-Identifier: BSD-3-Clause
// Whose a SYN is.
#pragma once

#include "tcp/conn.h"
#include "tcp/segment.h"

#define STRANGER_NOBODY UINT32_MAX

// The worker who listens where a segment goes; STRANGER_NOBODY: none does. Of several each takes
// what he receives, unless only some have queues.
uint32_t stranger_listener(struct tcp *tcp, const struct arrival *arrival, uint16_t port);

// The worker for a segment of which the table knows nothing: for a SYN who listens, else we.
uint32_t stranger_worker(struct tcp *tcp, const struct pkt *p, const struct arrival *arrival);

// Why a SYN that a TIME-WAIT of ours could end for is of no use to the worker who listens; DROP_OK:
// it will reach him, and if it is us, begin a connection.
enum drop stranger_refusal(struct tcp *tcp, const struct segment *s, uint32_t to);

// A SYN for which a TIME-WAIT of ours ended: begins a connection here or with who listens, of which
// stranger_refusal had nothing to say. Takes it.
void stranger_after_wait(struct tcp *tcp, struct segment *s, uint32_t to, uint32_t isn_floor);
