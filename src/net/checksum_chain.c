// SPDX-License-Identifier: BSD-3-Clause
// The Internet checksum over packets of several segments (RFC 1071), and the verdict on a received
// one. Called by every transport's input and by net_output where the port does not sum; calls
// wire/checksum. One segment, the usual case, costs no walk.
#include "net/inside.h"
#include "pkt/seal.h"
#include "port/port.h"
#include "wire/checksum.h"

// Of a part of one segment, as of a run at an even offset.
static uint32_t sum_segment(const struct seals *seals, const struct pkt *p, uint32_t offset,
			    uint32_t len)
{
	uint32_t known;

	if (pkt_is_region(p) && seals_sum(seals, pkt_at(p, offset), len, &known))
		return known;
	return checksum_add(0, pkt_at(p, offset), len);
}

static NOINLINE uint32_t sum_segments(const struct seals *seals, const struct pkt *p,
				      uint32_t offset, uint32_t len)
{
	uint32_t sum = 0, done = 0;

	while (offset >= pkt_seg_len(p)) {
		offset -= pkt_seg_len(p);
		p = pkt_next(p);
	}
	for (; done < len; p = pkt_next(p), offset = 0) {
		uint32_t part = MIN(len - done, pkt_seg_len(p) - offset);

		sum = checksum_join(sum, done, sum_segment(seals, p, offset, part));
		done += part;
	}
	return sum;
}

uint32_t net_sum(const struct seals *seals, const struct pkt *p, uint32_t offset, uint32_t len)
{
	DCHECK(offset + len <= pkt_len(p));
	if (LIKELY(offset + len <= pkt_seg_len(p)))
		return checksum_add(0, pkt_at(p, offset), len);
	return sum_segments(seals, p, offset, len);
}

static NOINLINE bool other_is_good(const struct pkt *p, const struct arrival *a,
				   uint16_t checksum_offset)
{
	uint32_t pseudo = checksum_pseudo(&a->src, &a->dst, a->protocol, a->l4_len);

	if (checksum_is_good(pseudo + net_sum(NULL, p, a->l4_offset, a->l4_len)))
		return true;
	if (!(a->port_flags & PORT_RX_PARTIAL_CHECKSUM)) // its peer may hand over unfinished ones
		return false;
	uint16_t field; // holds the pseudo-header's sum while the rest is left to a card

	memcpy(&field, pkt_at(p, (uint32_t)a->l4_offset + checksum_offset), sizeof(field));
	return field == checksum_fold(pseudo);
}

// A port's BAD is not believed but checked: some cannot tell a sum of zero (RFC 768).
bool net_checksum_ok(const struct pkt *p, const struct arrival *a, uint16_t checksum_offset)
{
	return a->l4_checksum == CHECKSUM_GOOD || LIKELY(net_checksum_plain(p, a)) ||
	       other_is_good(p, a, checksum_offset);
}
