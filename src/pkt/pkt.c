// SPDX-License-Identifier: BSD-3-Clause
// Packets: references, chains, release. Called from every floor above; calls the pool.
//
// A reference keeps the room it had as a direct packet in its own fields (iova in own.offset,
// room in own.room_bytes), so that it can become one again when it is released, whichever
// allocator it came from. A driver that frees a reference by itself does the same through DPDK.
#include "pkt/pkt.h"

#include <rte_mbuf.h>

#include "pkt/pool.h"
#include "pkt/record.h"

static struct pkt *from_mbuf(struct rte_mbuf *m)
{
	return (struct pkt *)m;
}

struct pkt *pkt_alloc(struct pool *pool)
{
	struct pkt *p;

	if (UNLIKELY(pool_get(pool, &p, 1)))
		return NULL;
	p->mbuf.data_off = PKT_FRONT_BYTES;
	return p;
}

static void become_direct(struct pkt *p)
{
	p->mbuf.buf_addr = (char *)p + sizeof(*p);
	p->mbuf.buf_iova = pkt_own(p)->offset;
	p->mbuf.buf_len = pkt_own(p)->room_bytes;
	p->mbuf.data_off = PKT_HEADROOM_BYTES;
	p->mbuf.data_len = 0;
	p->mbuf.ol_flags = 0;
}

// Drops one count; true when it was the last. Every other owner's accesses are then behind us: its
// own decrement released them, and we acquired it, in pkt_refs when we were alone already, in the
// decrement when we came last together. The pool hands the packet on with a release of its own.
static bool release_count(struct pkt *p)
{
	if (LIKELY(pkt_refs(p) == 1))
		return true;
	if (__atomic_sub_fetch(&p->mbuf.refcnt, 1, __ATOMIC_ACQ_REL) != 0)
		return false;
	__atomic_store_n(&p->mbuf.refcnt, 1, __ATOMIC_RELAXED); // as the pool wants it
	return true;
}

static void put_last(struct pkt *p)
{
	p->mbuf.next = NULL;
	p->mbuf.nb_segs = 1;
	pool_put(&p, 1);
}

void pkt_free_seg(struct pkt *p)
{
	if (!release_count(p))
		return;
	if (UNLIKELY(!pkt_is_direct(p))) {
		struct pkt *source = NULL;

		if (p->mbuf.ol_flags & RTE_MBUF_F_INDIRECT)
			source = from_mbuf(rte_mbuf_from_indirect(&p->mbuf));
		become_direct(p);
		if (source && release_count(source))
			put_last(source);
	}
	put_last(p);
}

void pkt_free(struct pkt *p)
{
	while (p) {
		struct pkt *next = pkt_next(p);

		pkt_free_seg(p);
		p = next;
	}
}

void pkt_chain(struct pkt *head, struct pkt *tail)
{
	struct pkt *last = head;

	while (pkt_next(last))
		last = pkt_next(last);
	last->mbuf.next = &tail->mbuf;
	head->mbuf.nb_segs = (uint16_t)(head->mbuf.nb_segs + tail->mbuf.nb_segs);
	head->mbuf.pkt_len += tail->mbuf.pkt_len;
	tail->mbuf.pkt_len = tail->mbuf.data_len;
	tail->mbuf.nb_segs = 1;
}

void pkt_truncate(struct pkt *p, uint32_t len)
{
	uint32_t left = len;
	struct pkt *s = p;
	uint16_t count = 1;

	if (len >= pkt_len(p))
		return;
	for (; left > pkt_seg_len(s); s = pkt_next(s), count++)
		left -= pkt_seg_len(s);
	s->mbuf.data_len = (uint16_t)left;
	pkt_free(pkt_next(s));
	s->mbuf.next = NULL;
	p->mbuf.nb_segs = count;
	p->mbuf.pkt_len = len;
}

// Points p at foreign bytes; what it needs to become direct again stays in its own fields.
static void point_at(struct pkt *p, void *buffer, uint64_t iova, uint16_t buffer_len)
{
	pkt_own(p)->offset = p->mbuf.buf_iova;
	pkt_own(p)->room_bytes = p->mbuf.buf_len;
	p->mbuf.buf_addr = buffer;
	p->mbuf.buf_iova = iova;
	p->mbuf.buf_len = buffer_len;
}

struct pkt *pkt_ref_buffer(struct pool *pool, struct pkt *source, uint16_t buffer_offset,
			   uint16_t len)
{
	struct pkt *p = pkt_alloc(pool);

	if (UNLIKELY(!p))
		return NULL;
	DCHECK(pkt_is_direct(source));
	DCHECK(buffer_offset + len <= source->mbuf.buf_len);
	pkt_hold(source);
	point_at(p, source->mbuf.buf_addr, source->mbuf.buf_iova, source->mbuf.buf_len);
	p->mbuf.priv_size = source->mbuf.priv_size;
	p->mbuf.ol_flags = RTE_MBUF_F_INDIRECT;
	pkt_set_view(p, buffer_offset, len);
	return p;
}

static void region_stays(void *buffer, void *opaque)
{
	(void)buffer;
	(void)opaque;
}

struct pkt *pkt_ref_region(struct pool *pool, const void *bytes, uint16_t len)
{
	struct pkt *p = pkt_alloc(pool);

	if (UNLIKELY(!p))
		return NULL;
	// The count a driver drops when it frees an external buffer lies in the packet's own room,
	// idle as long as it points elsewhere: no line is shared, and no 16-bit count can overflow.
	struct rte_mbuf_ext_shared_info *info = (void *)((char *)p + sizeof(*p));

	*info = (struct rte_mbuf_ext_shared_info){.free_cb = region_stays, .refcnt = 1};
	point_at(p, (void *)(uintptr_t)bytes, (uint64_t)(uintptr_t)bytes, len);
	p->mbuf.shinfo = info;
	p->mbuf.ol_flags = RTE_MBUF_F_EXTERNAL;
	pkt_set_view(p, 0, len);
	return p;
}

struct pkt *pkt_slice(struct pool *pool, struct pkt *s, uint16_t offset, uint16_t len)
{
	struct pkt *source = s;

	if (s->mbuf.ol_flags & RTE_MBUF_F_EXTERNAL)
		return pkt_ref_region(pool, pkt_at(s, offset), len);
	if (s->mbuf.ol_flags & RTE_MBUF_F_INDIRECT) // one buffer, so one offset for both
		source = from_mbuf(rte_mbuf_from_indirect(&s->mbuf));
	return pkt_ref_buffer(pool, source, (uint16_t)(s->mbuf.data_off + offset), len);
}

static enum counter ledger(enum copy_reason why)
{
	switch (why) {
	case COPY_PACK:
		return COUNTER_copied_bytes_pack;
	case COPY_API:
		return COUNTER_copied_bytes_api;
	case COPY_ERROR:
		break;
	}
	return COUNTER_copied_bytes_error;
}

bool pkt_copy(const struct env *env, struct pkt *to, const void *from, uint16_t len,
	      enum copy_reason why)
{
	if (pkt_tailroom(to) < len)
		return false;
	memcpy(pkt_append(to, len), from, len);
	counter_add(env, ledger(why), len);
	return true;
}

static COLD void drop(const struct env *env, struct pkt *p, enum drop reason,
		      const struct record_head *head)
{
	ASSERT(reason > DROP_OK && reason < DROP_COUNT);
	drop_count(env, reason);
	if (env->verdicts)
		record_drop(env, p, reason, head);
	pkt_free(p);
}

COLD void pkt_drop(const struct env *env, struct pkt *p, enum drop reason)
{
	drop(env, p, reason, &(struct record_head){.kind = VERDICT_HEAD_TRANSPORT});
}

COLD void pkt_drop_ip(const struct env *env, struct pkt *p, enum drop reason)
{
	drop(env, p, reason, &(struct record_head){.kind = VERDICT_HEAD_IP});
}

COLD void pkt_drop_frame(const struct env *env, struct pkt *p, enum drop reason)
{
	drop(env, p, reason, &(struct record_head){.kind = VERDICT_HEAD_FRAME});
}

COLD void pkt_drop_unsent(const struct env *env, struct pkt *p, enum drop reason,
			  const void *header, uint16_t len)
{
	drop(env, p, reason, &(struct record_head){VERDICT_HEAD_IP, len, header});
}

void pkt_consume(const struct env *env, struct pkt *p)
{
	counter_add(env, COUNTER_consumed_pkts, 1);
	pkt_free(p);
}

void pkt_set_tx_offload(struct pkt *p, const struct pkt_tx_offload *o)
{
	struct rte_mbuf *m = &p->mbuf;

	m->l2_len = o->l2_len;
	m->l3_len = o->l3_len;
	m->l4_len = o->l4_len;
	m->tso_segsz = o->tso_segment_bytes;
	m->ol_flags |= o->is_ip6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	if (o->ip_checksum)
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (o->tcp_checksum)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	if (o->udp_checksum)
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
	if (o->tso_segment_bytes)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (o->is_ip6 ? 0 : RTE_MBUF_F_TX_IP_CKSUM);
}
