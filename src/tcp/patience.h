// SPDX-License-Identifier: BSD-3-Clause
// The user timeout: how long a connection waits for its peer to take what it was given. Called by
// timers.h, where what is sent and acknowledged is said; of connections that have none a flag is
// tested and nothing else.
#pragma once

#include "tcp/tune.h"

// Text, FIN or SYN waits for the peer, which has not taken all or lets nothing leave.
void patience_begins(struct tcp *tcp, struct conn *c);

// The peer acknowledged something; una is already its new value.
void patience_progress(struct tcp *tcp, struct conn *c);

// The window is open again.
void patience_window_opened(struct tcp *tcp, struct conn *c);

// It has a user timeout, so R2 (RFC 9293 3.8.3) is not asked.
static inline bool patience_rules(const struct tcp *tcp, const struct conn *c)
{
	return UNLIKELY(conn_is(c, CONN_TUNED)) && tuning_of(tcp, c)->user_timeout_ms;
}

// The connection's token fired: the connection ends, or comes again when its time is up.
void patience_fires(struct tcp *tcp, struct conn *c);

// Keep-alive probes were not answered for so long that the user timeout ends the connection,
// however many are left (RFC 9293 3.8.4 and RFC 5482 4.2 leave it to us; as Linux).
bool patience_ends_probing(const struct tcp *tcp, const struct conn *c, uint64_t silent_ns);

void patience_choose(struct tcp *tcp, struct conn *c, uint32_t user_timeout_ms);
