// SPDX-License-Identifier: BSD-3-Clause
// What every congestion control shares: where cwnd starts and what idling does to it (RFC 6928,
// RFC 5681 3.1 and 4.1). Called by open.c when a connection is established and by output.c; the
// algorithms are in cc_*.c. Not here: what is lost, which is loss.c's question.
#include "tcp/cc.h"

#define INITIAL_SEGS 10
#define INITIAL_BYTES 14600u

static uint32_t initial_window(const struct conn *c)
{
	uint32_t mss = c->mss_bytes;

	return MIN(INITIAL_SEGS * mss, MAX(2 * mss, INITIAL_BYTES));
}

void cc_init(struct conn *c)
{
	c->cc.cwnd_bytes = conn_is(c, CONN_SYN_RETRANSMITTED) ? c->mss_bytes : initial_window(c);
	c->ssthresh_bytes = UINT32_MAX; // RFC 5681 3.1: arbitrarily high
	c->cc.acked = 0;
}

void cc_after_idle(struct conn *c)
{
	c->cc.cwnd_bytes = MIN(c->cc.cwnd_bytes, initial_window(c));
}

void cc_mss_changed(struct conn *c, uint16_t before)
{
	uint64_t segs = c->cc.cwnd_bytes / before;

	c->cc.cwnd_bytes = (uint32_t)MAX(segs * c->mss_bytes, (uint64_t)c->mss_bytes);
}
