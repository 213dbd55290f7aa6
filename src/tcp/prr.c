// SPDX-License-Identifier: BSD-3-Clause
// Proportional rate reduction (RFC 9937): in recovery cwnd comes down to ssthresh in the measure in
// which the network delivers, and is what is in flight and what may leave now. Called by loss.c.
// Not here: ssthresh, which is cc_*.c's.
#include "tcp/prr.h"

// RFC 9937 6.1. What was sacked before does not count as delivered in it; what ACKs of this turn
// let out before does, since nothing has taken its place. RFC 9937 R1, R2.
void prr_begin(const struct tcp *tcp, const struct conn *c, struct trouble *t,
	       const struct loss_news *news)
{
	uint64_t before = conn_outstanding(c) + news->acked_bytes;
	uint64_t let_out = MAX(loss_flight_bytes(tcp, c, news->acked_bytes), before) - before;
	uint64_t flight = conn_outstanding(c) + news->delivered_bytes + let_out;

	t->prr.out = 0;
	t->prr.delivered = let_out;
	t->prr.flight = flight - MIN(flight - 1, (uint64_t)t->sacked_bytes);
}

// RFC 9937 6.2; RFC 9937 R4, R5, R6, R7; RFC 6582 R6
void prr_reduce(struct tcp *tcp, struct conn *c, struct trouble *t, const struct loss_news *news,
		bool newly_lost)
{
	uint64_t in_flight = loss_in_flight(tcp, c), more = 0;
	uint64_t target_bytes = c->ssthresh_bytes, mss = c->mss_bytes;

	if (news->delivered_bytes == 0)
		return;
	t->prr.delivered += news->delivered_bytes;
	if (in_flight > target_bytes) {
		uint64_t due =
			(t->prr.delivered * target_bytes + t->prr.flight - 1) / t->prr.flight;

		more = due - MIN(due, t->prr.out);
	} else {
		more = t->prr.delivered - MIN(t->prr.delivered, t->prr.out);
		more = MAX(more, (uint64_t)news->delivered_bytes);
		if (news->acked_bytes && !newly_lost)
			more += mss;
		more = MIN(more, target_bytes - in_flight);
	}
	c->cc.cwnd_bytes = (uint32_t)MAX(in_flight + more, mss);
}
