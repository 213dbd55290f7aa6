// SPDX-License-Identifier: BSD-3-Clause
// Buffers of the public API: a buffer is a packet under another name. Giving one back tells the
// connection that paid for it, which opens its window. Each call checks nothing but its arguments
// and goes on to pkt/pkt.h; no byte is copied but by prism_buf_append, which says so.
#include <prismnet/buf.h>

#include "api/convert.h"
#include "base/err.h"
#include "core/worker.h"
#include "pkt/pool.h"

struct prism_buf *prism_buf_alloc(struct prism_worker *worker)
{
	struct pkt *p = pkt_alloc(worker->env.pool[POOL_TX]);

	if (UNLIKELY(!p))
		err_set(ERR_NO_BUFFERS, "the transmit pool (%u packets)",
			pool_capacity(worker->env.pool[POOL_TX]));
	return convert_pkt(p);
}

uint32_t prism_buf_room(const struct prism_buf *buf)
{
	const struct pkt *p = convert_const_buf(buf);

	// Behind a datagram of several runs is its last run's room, not the first's.
	return LIKELY(pkt_seg_count(p) == 1) ? pkt_tailroom(p) : 0;
}

void *prism_buf_data(const struct prism_buf *buf)
{
	return pkt_data(convert_const_buf(buf));
}

uint32_t prism_buf_len(const struct prism_buf *buf)
{
	return pkt_seg_len(convert_const_buf(buf));
}

struct prism_buf *prism_buf_more(const struct prism_buf *buf)
{
	return convert_pkt(pkt_next(convert_const_buf(buf)));
}

struct prism_buf *prism_buf_next(const struct prism_buf *buf)
{
	return convert_pkt(pkt_own((struct pkt *)(uintptr_t)buf)->queue_next);
}

void prism_buf_set_next(struct prism_buf *buf, struct prism_buf *next)
{
	pkt_own(convert_buf(buf))->queue_next = convert_buf(next);
}

void *prism_buf_tail(const struct prism_buf *buf)
{
	const struct pkt *p = convert_const_buf(buf);

	return pkt_data(p) + pkt_seg_len(p);
}

void prism_buf_grow(struct prism_buf *buf, uint32_t len)
{
	ASSERT(len <= pkt_tailroom(convert_buf(buf))); // pkt_append asserts that it is one run
	pkt_append(convert_buf(buf), (uint16_t)len);
}

int prism_buf_append(struct prism_worker *worker, struct prism_buf *buf, const void *bytes,
		     uint32_t len)
{
	if (len > prism_buf_room(buf))
		return err_set(ERR_NO_BUFFERS, "%u bytes behind %u in one buffer with room for %u",
			       len, prism_buf_len(buf), prism_buf_room(buf));
	pkt_copy(&worker->env, convert_buf(buf), bytes, (uint16_t)len, COPY_API);
	return 0;
}

void prism_buf_strip(struct prism_buf *buf, uint32_t len)
{
	ASSERT(len <= prism_buf_len(buf));
	pkt_strip(convert_buf(buf), (uint16_t)len);
}

void prism_buf_cut(struct prism_buf *buf, uint32_t len)
{
	pkt_truncate(convert_buf(buf), len);
}

void prism_buf_release(struct prism_worker *worker, struct prism_buf *buf)
{
	struct pkt *p = convert_buf(buf);

	if (pkt_own(p)->owner)
		tcp_uncharge(worker->tcp, p);
	else
		pkt_unkeep(&worker->env, p);
	pkt_free(p);
}
