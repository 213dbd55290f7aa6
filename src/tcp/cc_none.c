// SPDX-License-Identifier: BSD-3-Clause
// No congestion control: the window is the configuration's, from the first segment on and whatever
// is lost. For a network of one's own that is known to carry it; it breaks RFC 9293 3.8.2 on
// purpose and is never chosen by itself. Called through cc_ops by ack.c and loss.c.
//
// cc.c puts the window into ssthresh, to which every recovery returns.
#include "tcp/cc.h"

static void nothing(struct conn *c, const struct cc_sample *s)
{
	(void)c;
	(void)s;
}

static void back_to_window(struct conn *c, const struct cc_sample *s)
{
	(void)s;
	c->cc.cwnd_bytes = c->ssthresh_bytes;
}

static void taken_back(struct conn *c)
{
	c->cc.cwnd_bytes = c->ssthresh_bytes;
}

const struct cc_ops cc_none = {
	.name = "none",
	.fixed = true,
	.on_ack = nothing,
	.on_loss = nothing,
	.on_mark = nothing,
	.on_rto = back_to_window,
	.on_recovered = back_to_window,
	.on_spurious = taken_back,
};
