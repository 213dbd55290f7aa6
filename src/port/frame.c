// SPDX-License-Identifier: BSD-3-Clause
// Frames of a pair's wire: packets in, packets out. Called by port/pair.c alone, on what it
// carries. The bytes are copied both times, as a cable between two cards does; that copy is the
// wire's (docs/adr/0006) and in no ledger.
#include "port/frame.h"

#include <string.h>

#include "pkt/pkt.h"
#include "pkt/pool.h"

#define ETH_FRAME_MIN_BYTES 60 // without FCS; shorter frames are padded (IEEE 802.3 3.2.8)
#define ETH_TYPE_OFFSET 12

void frame_gather(struct frame *f, const struct pkt *p)
{
	f->len = 0;
	for (const struct pkt *s = p; s; s = pkt_next(s)) {
		memcpy(f->bytes + f->len, pkt_data(s), pkt_seg_len(s));
		f->len += pkt_seg_len(s);
	}
	if (f->len < ETH_FRAME_MIN_BYTES) {
		memset(f->bytes + f->len, 0, ETH_FRAME_MIN_BYTES - f->len);
		f->len = ETH_FRAME_MIN_BYTES;
	}
}

bool frame_is_arp(const struct frame *f)
{
	return f->bytes[ETH_TYPE_OFFSET] == 0x08 && f->bytes[ETH_TYPE_OFFSET + 1] == 0x06;
}

struct pkt *frame_scatter(struct pool *pool, const struct frame *f)
{
	struct pkt *head = NULL;
	uint32_t done = 0;

	do {
		struct pkt *p = pkt_alloc(pool);

		if (!p) {
			pkt_free(head);
			return NULL;
		}
		uint16_t len = (uint16_t)MIN(f->len - done, (uint32_t)pkt_tailroom(p));

		memcpy(pkt_append(p, len), f->bytes + done, len);
		done += len;
		if (head)
			pkt_chain(head, p);
		else
			head = p;
	} while (done < f->len);
	return head;
}
