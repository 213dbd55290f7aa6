// SPDX-License-Identifier: BSD-3-Clause
// Buffers a service keeps for later, in order. Bounded by what the connection's window lets in:
// what is not released keeps the window closed.
#pragma once

#include <prismnet/buf.h>

struct held {
	struct prism_buf *first, *last;
};

static inline void held_add(struct held *held, struct prism_buf *buf)
{
	prism_buf_set_next(buf, NULL);
	if (held->first)
		prism_buf_set_next(held->last, buf);
	else
		held->first = buf;
	held->last = buf;
}

static inline void held_add_first(struct held *held, struct prism_buf *buf)
{
	prism_buf_set_next(buf, held->first);
	if (!held->first)
		held->last = buf;
	held->first = buf;
}

static inline struct prism_buf *held_take(struct held *held)
{
	struct prism_buf *buf = held->first;

	held->first = prism_buf_next(buf);
	prism_buf_set_next(buf, NULL);
	return buf;
}

static inline void held_release(struct held *held, struct prism_worker *worker)
{
	while (held->first)
		prism_buf_release(worker, held_take(held));
}
