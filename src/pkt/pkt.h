// SPDX-License-Identifier: BSD-3-Clause
// The packet: an rte_mbuf from the card to the application and back. This file wraps the handful
// of buffer operations that everything above uses; nothing else outside dpdk/ says rte_.
//
// A packet is a chain of one or more segments; most are one. Ownership: whoever holds the pointer
// owns one reference. A function that *takes* a packet leaves the caller without it.
//
// Three kinds of segment:
//   direct    its bytes are its own room (all that ports receive; staged sends)
//   reference its bytes are another packet's, which it holds by count (pkt_ref_buffer)
//   region    its bytes are registered memory that outlives it (pkt_ref_region)
// Payload is never copied but by pkt_copy, which writes the ledger.
#pragma once

#include <rte_mbuf_core.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/env.h"
#include "base/limits.h"
#include "observe/counter.h"

// Prism's own 32 bytes of a packet, in the dynamic-field area of the second cache line. dpdk/
// reserves that place at start, so that no driver uses it too.
struct pkt_own {
	union {
		struct pkt *queue_next; // link in whatever queue holds the packet
		struct pkt *left;       // while it came early: those before it (early.c)
	};
	union {
		uint64_t owner;    // handle of the connection charged for it, or 0
		struct pkt *right; // while it came early: those behind it
	};
	uint64_t offset;       // stream offset of its first payload byte; a reference's own iova
	uint32_t charge_bytes; // what the owner pays for it (true size)
	uint16_t room_bytes;   // a reference's own room, put back when it is released
	uint8_t flags;         // free for the holder
	uint8_t kept_pkts;     // what pkt_keep counted for it, 0: not counted
};

struct pkt {
	struct rte_mbuf mbuf;
};

#define PKT_OWN_OFFSET 96
static_assert(sizeof(struct pkt) == 128, "a packet's head is two cache lines");
static_assert(offsetof(struct rte_mbuf, dynfield1) <= PKT_OWN_OFFSET &&
		      PKT_OWN_OFFSET + sizeof(struct pkt_own) == sizeof(struct rte_mbuf),
	      "Prism's fields fill the end of the mbuf");

static inline struct pkt_own *pkt_own(struct pkt *p)
{
	return (struct pkt_own *)((char *)p + PKT_OWN_OFFSET);
}

// First byte of the first segment.
static inline uint8_t *pkt_data(const struct pkt *p)
{
	return (uint8_t *)p->mbuf.buf_addr + p->mbuf.data_off;
}

static inline void *pkt_at(const struct pkt *p, uint32_t offset)
{
	return pkt_data(p) + offset;
}

// Bytes in all segments.
static inline uint32_t pkt_len(const struct pkt *p)
{
	return p->mbuf.pkt_len;
}

// Bytes in this segment.
static inline uint16_t pkt_seg_len(const struct pkt *p)
{
	return p->mbuf.data_len;
}

static inline uint16_t pkt_seg_count(const struct pkt *p)
{
	return p->mbuf.nb_segs;
}

static inline struct pkt *pkt_next(const struct pkt *p)
{
	return (struct pkt *)p->mbuf.next;
}

static inline uint16_t pkt_headroom(const struct pkt *p)
{
	return p->mbuf.data_off;
}

static inline uint16_t pkt_tailroom(const struct pkt *p)
{
	return (uint16_t)(p->mbuf.buf_len - p->mbuf.data_off - p->mbuf.data_len);
}

static inline bool pkt_is_direct(const struct pkt *p)
{
	return (p->mbuf.ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL)) == 0;
}

static inline bool pkt_is_region(const struct pkt *p)
{
	return p->mbuf.ol_flags & RTE_MBUF_F_EXTERNAL;
}

// What is to be done with it, while it changes hands between workers (port/mesh.h).
static inline void pkt_set_word(struct pkt *p, uint16_t word)
{
	p->mbuf.port = word;
}

static inline uint16_t pkt_word(const struct pkt *p)
{
	return p->mbuf.port;
}

// Where a received packet came from and which one it was, in the eight bytes in which drivers leave
// its hash: noted by the way in (port_rx) for whoever records what became of it. 0 of what was made
// here, as nobody else writes them.
//
//   bits 0-15   where its frame begins in the buffer     16-23  index of the port
//   24-31       the worker that received it              32-63  its number there, from 1
static inline uint64_t pkt_origin(const struct pkt *p)
{
	uint64_t origin;

	memcpy(&origin, &p->mbuf.hash, sizeof(origin));
	return origin;
}

// The origin without the place of its frame: base, for the first of a burst, and
// base + PKT_ORIGIN_NEXT for the one behind it.
#define PKT_ORIGIN_NEXT (UINT64_C(1) << 32)

static inline uint64_t pkt_origin_base(uint32_t number, uint32_t worker, uint16_t port)
{
	return (uint64_t)number << 32 | (uint64_t)worker << 24 | (uint64_t)port << 16;
}

static inline void pkt_set_origin(struct pkt *p, uint64_t base)
{
	uint64_t origin = base | p->mbuf.data_off;

	static_assert(sizeof(p->mbuf.hash) == sizeof(origin), "the hash has room for it");
	memcpy(&p->mbuf.hash, &origin, sizeof(origin));
}

// Whoever takes a chain apart: only its first segment has one.
static inline void pkt_forget_origin(struct pkt *p)
{
	memset(&p->mbuf.hash, 0, sizeof(p->mbuf.hash));
}

// How many owners this segment's bytes have. Who owns one and reads 1 is alone, and may do as it
// likes: write, or free. Others owned it before, on other threads perhaps, and gave theirs back
// with a release in release_count; acquire here puts all their accesses before ours. Relaxed would
// not: a branch on what was read orders nothing in C11, and loads on no weak processor.
static inline uint16_t pkt_refs(const struct pkt *p)
{
	return __atomic_load_n(&p->mbuf.refcnt, __ATOMIC_ACQUIRE);
}

// One more owner of this segment's bytes. Alone, nobody else can count meanwhile; and what earlier
// owners did came before (pkt_refs), so the plain store, which ends the chain of their releases,
// loses nothing: whoever gets the new reference gets it from us.
static inline void pkt_hold(struct pkt *p)
{
	if (LIKELY(pkt_refs(p) == 1))
		__atomic_store_n(&p->mbuf.refcnt, 2, __ATOMIC_RELAXED);
	else
		__atomic_add_fetch(&p->mbuf.refcnt, 1, __ATOMIC_ACQ_REL);
}

// Makes room for len bytes in front and returns their address. The headroom must be there.
static inline void *pkt_prepend(struct pkt *p, uint16_t len)
{
	ASSERT(pkt_headroom(p) >= len);
	p->mbuf.data_off = (uint16_t)(p->mbuf.data_off - len);
	p->mbuf.data_len = (uint16_t)(p->mbuf.data_len + len);
	p->mbuf.pkt_len += len;
	return pkt_data(p);
}

// Adds len bytes at the end of a one-segment packet and returns their address.
static inline void *pkt_append(struct pkt *p, uint16_t len)
{
	ASSERT(pkt_seg_count(p) == 1 && pkt_tailroom(p) >= len);
	void *tail = pkt_data(p) + p->mbuf.data_len;
	p->mbuf.data_len = (uint16_t)(p->mbuf.data_len + len);
	p->mbuf.pkt_len += len;
	return tail;
}

// Forgets the first len bytes, all of which lie in the first segment.
static inline void pkt_strip(struct pkt *p, uint16_t len)
{
	ASSERT(p->mbuf.data_len >= len);
	p->mbuf.data_off = (uint16_t)(p->mbuf.data_off + len);
	p->mbuf.data_len = (uint16_t)(p->mbuf.data_len - len);
	p->mbuf.pkt_len -= len;
}

// Sets the view of a one-segment packet to len bytes at offset from the start of its buffer.
static inline void pkt_set_view(struct pkt *p, uint16_t buffer_offset, uint16_t len)
{
	p->mbuf.data_off = buffer_offset;
	p->mbuf.data_len = len;
	p->mbuf.pkt_len = len;
	p->mbuf.nb_segs = 1;
	p->mbuf.next = NULL;
}

// For whoever builds a chain segment by segment: links next behind last, and says on the head what
// the whole chain has.
static inline void pkt_link(struct pkt *last, struct pkt *next)
{
	last->mbuf.next = &next->mbuf;
}

static inline void pkt_set_chain(struct pkt *head, uint16_t seg_count, uint32_t len)
{
	head->mbuf.nb_segs = seg_count;
	head->mbuf.pkt_len = len;
}

// Forgets what was said about checksums on the way in and asked for on an earlier way out.
static inline void pkt_clear_offload(struct pkt *p)
{
	p->mbuf.ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
}

// What holding this segment really costs: its head and its whole buffer.
static inline uint32_t pkt_true_bytes(const struct pkt *p)
{
	return (uint32_t)sizeof(struct pkt) + p->mbuf.buf_len;
}

// The account of received packets that are held above the ports: by the application, in a queue,
// or sent on and not acknowledged. Whoever begins to hold one keeps it, whoever ends it unkeeps it;
// the segments of a long chain count as 255 at most.
static inline void pkt_keep(struct env *env, struct pkt *p)
{
	uint8_t pkts = (uint8_t)MIN(pkt_seg_count(p), (uint16_t)UINT8_MAX);

	pkt_own(p)->kept_pkts = pkts;
	env->kept_pkts += pkts;
}

static inline void pkt_unkeep(struct env *env, struct pkt *p)
{
	DCHECK(env->kept_pkts >= pkt_own(p)->kept_pkts);
	env->kept_pkts -= pkt_own(p)->kept_pkts;
	pkt_own(p)->kept_pkts = 0;
}

static inline bool pkt_is_kept(struct pkt *p)
{
	return pkt_own(p)->kept_pkts != 0;
}

// How much of POOL_RX may be held: an eighth of what the ports' rings leave is reserved, so that
// acknowledgments, and what they set free, always find a buffer to arrive in.
static inline uint32_t pkt_keep_max(uint32_t spare_pkts)
{
	return spare_pkts - spare_pkts / 8;
}

// The reserve is reached: nothing new is begun with received packets.
static inline bool pkt_short(const struct env *env)
{
	return UNLIKELY(env->kept_pkts >= env->kept_pkts_max);
}

// Who holds more than his share stops here.
static inline bool pkt_half_held(const struct env *env)
{
	return env->kept_pkts >= env->kept_pkts_max / 2;
}

// Before that, what could be sent again without loss of order gives way: a sixteenth before the
// step that sheds, so that it alone neither leads there nor stays there; and one buffer earlier
// even in the smallest pool, for the segment that all this text waits for.
static inline bool pkt_early_short(const struct env *env)
{
	return env->kept_pkts + 1 >=
	       env->kept_pkts_max - env->kept_pkts_max / 8 - env->kept_pkts_max / 16;
}

// Half of the reserve is gone too: nothing is kept, whoever it is for.
static inline bool pkt_exhausted(const struct env *env)
{
	return env->kept_pkts >= env->kept_pkts_max + env->kept_pkts_max / 16;
}

// Puts the chain tail behind the chain head; takes tail.
void pkt_chain(struct pkt *head, struct pkt *tail);

// Cuts the packet to len bytes in all, releasing segments that fall away whole.
void pkt_truncate(struct pkt *p, uint32_t len);

// A new packet with PKT_FRONT_BYTES in front for headers, or NULL when the pool is empty.
struct pkt *pkt_alloc(struct pool *pool);

// Releases this one segment (not what is chained behind it).
void pkt_free_seg(struct pkt *p);

// Releases the whole chain.
void pkt_free(struct pkt *p);

// A packet out of pool whose bytes are len bytes of source, at an offset from the start of its
// buffer, whatever its view is now. Holds source. NULL when the pool is empty.
struct pkt *pkt_ref_buffer(struct pool *pool, struct pkt *source, uint16_t buffer_offset,
			   uint16_t len);

// The same at an offset from the data of a segment of any kind: refers to what that refers to.
struct pkt *pkt_slice(struct pool *pool, struct pkt *segment, uint16_t offset, uint16_t len);

// A packet whose bytes are memory from pool_region_alloc, which outlives every packet.
struct pkt *pkt_ref_region(struct pool *pool, const void *bytes, uint16_t len);

enum copy_reason { COPY_PACK, COPY_API, COPY_ERROR };

// The only function that copies payload: appends len bytes to a one-segment packet and enters
// them into the copy ledger under why. False (nothing done) when the tailroom is too small.
bool pkt_copy(const struct env *env, struct pkt *to, const void *from, uint16_t len,
	      enum copy_reason why);

// Drops: counts the reason, records it (pkt/record.h) and releases the packet. Every packet that
// ends without being transmitted, consumed or queued ends here.
void pkt_drop(const struct env *env, struct pkt *p, enum drop reason);

// The same of one on its way out, in whatever buffer: it has its IP header already, or its ethernet
// header too.
void pkt_drop_ip(const struct env *env, struct pkt *p, enum drop reason);
void pkt_drop_frame(const struct env *env, struct pkt *p, enum drop reason);

// The same of one that has no IP header yet: the record begins with this one, of len bytes.
void pkt_drop_unsent(const struct env *env, struct pkt *p, enum drop reason, const void *header,
		     uint16_t len);

// The packet did its work (its content was acted upon): counts and releases.
void pkt_consume(const struct env *env, struct pkt *p);

// What a port said about the checksums of a received packet.
enum pkt_checksum { CHECKSUM_UNKNOWN, CHECKSUM_GOOD, CHECKSUM_BAD };

static inline enum pkt_checksum pkt_l4_checksum(const struct pkt *p)
{
	uint64_t flags = p->mbuf.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;

	if (flags == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		return CHECKSUM_GOOD;
	return flags == RTE_MBUF_F_RX_L4_CKSUM_BAD ? CHECKSUM_BAD : CHECKSUM_UNKNOWN;
}

static inline bool pkt_l4_is_good(const struct pkt *p)
{
	return (p->mbuf.ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static inline enum pkt_checksum pkt_ip_checksum(const struct pkt *p)
{
	uint64_t flags = p->mbuf.ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK;

	if (flags == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		return CHECKSUM_GOOD;
	return flags == RTE_MBUF_F_RX_IP_CKSUM_BAD ? CHECKSUM_BAD : CHECKSUM_UNKNOWN;
}

// What the port is asked to finish on transmit; only what its capabilities grant.
struct pkt_tx_offload {
	uint8_t l2_len;
	uint8_t l3_len;
	uint8_t l4_len;
	bool tcp_checksum; // the field holds the pseudo-header sum
	bool udp_checksum;
	bool ip_checksum;           // the field holds zero
	bool is_ip6;                // else IPv4
	uint16_t tso_segment_bytes; // payload bytes a segment, 0 for no segmentation
};

void pkt_set_tx_offload(struct pkt *p, const struct pkt_tx_offload *o);
