// SPDX-License-Identifier: BSD-3-Clause
// An arriving segment, decoded: header, checksum, options (RFC 9293 3.1, RFC 1122 4.2.2.7). Called
// by input.c first of all; says by name why something is not a segment. Calls net/ for the
// checksum. Not here: 64-bit offsets of a connection, which input.c makes with offset_near.
#include "tcp/segment.h"

#include "net/net.h"
#include "observe/counter.h"
#include "wire/ecn.h"

static COLD bool read_options(struct segment *s, const uint8_t *bytes, uint32_t len)
{
	struct tcp_options o;

	if (!options_read(bytes, len, s->flags & TCP_SYN, &o))
		return false;
	s->has_ts = o.has_ts;
	s->ts_value = o.ts_value;
	s->ts_echo = o.ts_echo;
	s->sack_count = o.sack_count;
	for (uint32_t i = 0; i < o.sack_count; i++)
		s->sack[i] = o.sack[i];
	return true;
}

enum drop segment_read(struct pkt *p, const struct arrival *a, struct segment *s)
{
	const struct tcp_header *h = pkt_at(p, a->l4_offset);
	uint32_t header_len, options_len;
	const uint8_t *options = (const uint8_t *)(h + 1);

	if (UNLIKELY(a->l4_len < TCP_HEADER_BYTES ||
		     pkt_seg_len(p) < a->l4_offset + TCP_HEADER_BYTES))
		return DROP_TCP_TRUNCATED;
	header_len = tcp_header_len(h);
	if (UNLIKELY(header_len < TCP_HEADER_BYTES || header_len > a->l4_len ||
		     pkt_seg_len(p) < a->l4_offset + header_len))
		return DROP_TCP_HEADER_LENGTH;
	if (UNLIKELY(!net_checksum_ok(p, a, TCP_CHECKSUM_OFFSET))) // RFC 9293 MUST-3
		return DROP_TCP_CHECKSUM;
	s->pkt = p;
	s->arrival = a;
	s->raw_seq = be32_get(h->seq);
	s->raw_ack = be32_get(h->ack);
	s->len = a->l4_len - header_len;
	s->wnd = be16_get(h->window); // RFC 9293 MUST-1: unsigned
	s->ports = (uint32_t)be16_get(h->dst_port) << 16 | be16_get(h->src_port);
	s->text_offset = (uint16_t)(a->l4_offset + header_len);
	s->flags = (uint16_t)(h->flags | (ecn_of(a->tos) == ECN_CE ? SEGMENT_CE : 0));
	s->has_ts = false;
	s->sack_count = 0;
	options_len = header_len - TCP_HEADER_BYTES;
	if (options_len == 0)
		return DROP_OK;
	if (LIKELY(options_are_ts_only(options, options_len))) {
		s->has_ts = true;
		options_read_ts(options, &s->ts_value, &s->ts_echo);
		return DROP_OK;
	}
	return read_options(s, options, options_len) ? DROP_OK : DROP_TCP_OPTION_LENGTH;
}

void segment_syn_options(const struct segment *s, struct tcp_options *out)
{
	const uint8_t *header = pkt_at(s->pkt, s->arrival->l4_offset);
	uint32_t len = s->text_offset - s->arrival->l4_offset - TCP_HEADER_BYTES;

	ASSERT(options_read(header + TCP_HEADER_BYTES, len, true, out));
}
