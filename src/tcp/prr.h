// SPDX-License-Identifier: BSD-3-Clause
// How cwnd falls while what is lost is sent again: by what is delivered (RFC 9937).
#pragma once

#include "tcp/loss.h"

// Recovery begins; news is the ACK's that says so.
void prr_begin(const struct tcp *tcp, const struct conn *c, struct trouble *t,
	       const struct loss_news *news);

// An ACK in recovery.
void prr_reduce(struct tcp *tcp, struct conn *c, struct trouble *t, const struct loss_news *news,
		bool newly_lost);
