// SPDX-License-Identifier: BSD-3-Clause
// A captured segment as a frame to Prism: addresses and MACs of the simulation, the peer's own
// numbers as they were, and those that answer Prism's (ACK, SACK, timestamp echo) moved to Prism's.
// Called by replay.c when a segment's time has come. RFC 9293 3.1, RFC 7323 2 and 3, RFC 2018 3.
#include "sim/replay.h"
#include "tcp/options.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

static void put16(uint8_t *at, uint16_t x)
{
	be16 wire = be16_of(x);

	memcpy(at, &wire, sizeof(wire));
}

static void put32(uint8_t *at, uint32_t x)
{
	be32 wire = be32_of(x);

	memcpy(at, &wire, sizeof(wire));
}

// A number of the captured own direction as Prism counts.
static uint32_t to_prism(const struct replay_under_way *r, uint32_t seq)
{
	return seq - r->own.captured_isn + r->own.isn;
}

// How far back the same text is looked for: more than a flight and all its repetitions.
#define BACK_MAX 8192u

static uint32_t back(uint32_t index)
{
	return index - MIN(index, BACK_MAX);
}

// The same text, or the same acknowledgment without any.
static bool is_same(const struct replay_under_way *r, const struct tcp_segment *captured,
		    const struct tcp_segment *sent)
{
	return captured->seq - r->own.captured_isn == sent->seq - r->own.isn &&
	       captured->len == sent->len && (captured->len || captured->ack == sent->ack);
}

// Prism's timestamp in its nth segment that is the same as the captured one, or in its last one.
static uint32_t stamp_of(const struct replay_under_way *r, const struct tcp_segment *captured,
			 uint32_t nth)
{
	for (uint32_t j = back(r->sent.count); j < r->sent.count; j++)
		if (is_same(r, captured, &r->sent.segment[j]) && nth-- == 0)
			return r->sent.segment[j].ts_value;
	return r->sent.count ? r->sent.segment[r->sent.count - 1].ts_value : 0;
}

// What Prism said in the place of the segment whose timestamp is echoed: of text that was sent
// again, the same transmission. Else its last word.
static uint32_t echo_of(struct replay_under_way *r, const struct tcp_segment *echoing)
{
	const struct segment_list *list = r->config->segments;
	uint32_t end = (uint32_t)(echoing - list->segment), echo = echoing->ts_echo, nth = 0;

	for (uint32_t i = MAX(r->echoed, back(end)); i < end; i++) {
		const struct tcp_segment *s = &list->segment[i];

		if (!replay_is_own(r->config, s) || s->ts_value != echo)
			continue;
		r->echoed = back(i); // echoes go on, and but for reordering not back
		for (uint32_t j = back(i); j < i; j++)
			nth += replay_is_own(r->config, &list->segment[j]) &&
			       list->segment[j].seq == s->seq && list->segment[j].len == s->len &&
			       (s->len || list->segment[j].ack == s->ack);
		return stamp_of(r, s, nth);
	}
	return stamp_of(r, &list->segment[0], UINT32_MAX);
}

// Aligned as they are here, options that were packed tighter may be too many.
static uint32_t sacks_that_fit(const struct tcp_segment *s, uint32_t before_bytes)
{
	return MIN(s->sack_count, (TCP_OPTIONS_BYTES_MAX - 4 - before_bytes) / 8);
}

uint32_t replay_options_bytes(const struct tcp_segment *s)
{
	uint32_t bytes = (s->mss ? 4u : 0) + (s->has_scale ? 4u : 0) +
			 (s->sack_permitted ? 4u : 0) + (s->has_timestamps ? 12u : 0);
	uint32_t sack_count = sacks_that_fit(s, bytes);

	return bytes + (sack_count ? 4 + 8 * sack_count : 0);
}

static uint8_t *put_options(struct replay_under_way *r, const struct tcp_segment *s, uint8_t *at)
{
	const uint8_t *start = at;

	if (s->mss) {
		*at++ = TCP_OPTION_MSS;
		*at++ = 4;
		put16(at, s->mss);
		at += 2;
	}
	if (s->has_scale) {
		memcpy(at, (uint8_t[]){TCP_OPTION_NOP, TCP_OPTION_WINDOW_SCALE, 3, s->scale}, 4);
		at += 4;
	}
	if (s->sack_permitted) {
		memcpy(at,
		       (uint8_t[]){TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_SACK_PERMITTED, 2},
		       4);
		at += 4;
	}
	if (s->has_timestamps) {
		memcpy(at, (uint8_t[]){TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_TIMESTAMPS, 10},
		       4);
		put32(at + 4, s->ts_value);
		put32(at + 8, s->ts_echo ? echo_of(r, s) : 0);
		at += 12;
	}
	uint32_t sack_count = sacks_that_fit(s, (uint32_t)(at - start));

	if (sack_count) {
		memcpy(at,
		       (uint8_t[]){TCP_OPTION_NOP, TCP_OPTION_NOP, TCP_OPTION_SACK,
				   (uint8_t)(2 + 8 * sack_count)},
		       4);
		at += 4;
	}
	for (uint32_t i = 0; i < sack_count; i++, at += 8) {
		put32(at, to_prism(r, s->sack[i][0]));
		put32(at + 4, to_prism(r, s->sack[i][1]));
	}
	return at;
}

// The TCP header, options and payload. Returns their length.
static uint32_t put_tcp(struct replay_under_way *r, const struct tcp_segment *s, uint8_t *at)
{
	const uint16_t *port = r->config->port;
	uint8_t *payload = put_options(r, s, at + TCP_HEADER_BYTES);
	uint32_t header_bytes = (uint32_t)(payload - at);
	struct tcp_header h = {.src_port = be16_of(port[!s->from_opener]),
			       .dst_port = be16_of(port[s->from_opener]),
			       .seq = be32_of(s->seq),
			       .data_offset = (uint8_t)(header_bytes / 4 << 4),
			       .flags = s->flags,
			       .window = be16_of(s->window_raw)};

	if (s->flags & TCP_ACK)
		h.ack = be32_of(to_prism(r, s->ack));
	memcpy(at, &h, sizeof(h));
	memcpy(payload, s->payload, s->captured_len);
	memset(payload + s->captured_len, 0, s->len - s->captured_len);
	return header_bytes + s->len;
}

static uint8_t *put_ip(const struct replay_under_way *r, uint32_t tcp_bytes, uint8_t *at,
		       struct addr addr[2])
{
	for (int i = 0; i < 2; i++) {
		struct prism_endpoint end = world_endpoint_of(r->config->ip6, !i, 0);

		addr[i] = addr_from_bytes(&end.addr);
	}
	if (!r->config->ip6) {
		struct ipv4_header h = {.version_ihl = IPV4_VERSION_IHL,
					.total_len =
						be16_of((uint16_t)(IPV4_HEADER_BYTES + tcp_bytes)),
					.fragment = be16_of(IPV4_DF),
					.ttl = IPV4_TTL_DEFAULT,
					.protocol = IP_TCP,
					.src = addr_to_v4(&addr[0]),
					.dst = addr_to_v4(&addr[1])};

		ipv4_header_put(at, h, true);
		return at + IPV4_HEADER_BYTES;
	}
	struct ipv6_header *h = (void *)at;

	*h = (struct ipv6_header){.version_class_flow = be32_of(6u << 28),
				  .payload_len = be16_of((uint16_t)tcp_bytes),
				  .next_header = IP_TCP,
				  .hop_limit = IPV6_HOP_LIMIT_DEFAULT};
	memcpy(h->src, &addr[0], 16);
	memcpy(h->dst, &addr[1], 16);
	return at + IPV6_HEADER_BYTES;
}

uint32_t replay_frame(struct replay_under_way *r, const struct tcp_segment *s,
		      uint8_t frame[REPLAY_FRAME_BYTES_MAX])
{
	uint8_t tcp[REPLAY_FRAME_BYTES_MAX];
	struct eth_header *eth = (void *)frame;
	struct addr addr[2];
	uint32_t tcp_bytes = put_tcp(r, s, tcp);

	memcpy(eth->dst, r->world->hosts.mac[0], 6);
	memcpy(eth->src, r->world->hosts.mac[1], 6);
	eth->type = be16_of(r->config->ip6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	uint8_t *at = put_ip(r, tcp_bytes, frame + sizeof(*eth), addr);
	uint32_t sum = checksum_add(checksum_pseudo(&addr[0], &addr[1], IP_TCP, tcp_bytes), tcp,
				    tcp_bytes);
	be16 checksum = checksum_finish(sum);

	memcpy(tcp + TCP_CHECKSUM_OFFSET, &checksum, sizeof(checksum));
	memcpy(at, tcp, tcp_bytes);
	return (uint32_t)(at - frame) + tcp_bytes;
}
