// SPDX-License-Identifier: BSD-3-Clause
// From packets of a capture to TCP connections and their segments: link layer, IPv4 or IPv6, TCP
// with its options (RFC 9293 3.1, RFC 7323, RFC 2018). Called by cli/replay.c on what capture.c
// read. Lengths are IP's, so that segments whose end was not captured keep their place in the
// stream. Deliberately not here: fragments, tunnels, extension headers, and checksums, which cards
// fill in after a capture at the sender saw them.
#include "sim/dissect.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

// Where the IP packet begins; 0 when there is none.
static uint32_t ip_offset(const struct capture_packet *p)
{
	uint32_t at = 0;

	switch (p->link_type) {
	case LINK_ETHERNET:
		at = 14;
		while (p->len >= at + 4 && p->bytes[at - 2] == 0x81 && p->bytes[at - 1] == 0)
			at += 4; // VLAN tags
		break;
	case LINK_SLL:
		at = 16;
		break;
	case LINK_SLL2:
		at = 20;
		break;
	default:
		break;
	}
	return at;
}

static bool link_is_known(uint32_t link_type)
{
	return link_type == LINK_ETHERNET || link_type == LINK_RAW || link_type == LINK_SLL ||
	       link_type == LINK_IPV4 || link_type == LINK_IPV6 || link_type == LINK_SLL2;
}

static uint32_t word_at(const uint8_t *bytes)
{
	be32 x;

	memcpy(&x, bytes, sizeof(x));
	return be32_get(x);
}

static void read_sacks(const uint8_t *option, uint8_t len, struct tcp_segment *s)
{
	for (uint32_t at = 2; at + 8 <= len && s->sack_count < DISSECT_SACKS_MAX; at += 8) {
		s->sack[s->sack_count][0] = word_at(option + at);
		s->sack[s->sack_count++][1] = word_at(option + at + 4);
	}
}

static void read_option(const uint8_t *option, uint8_t len, struct tcp_segment *s)
{
	switch (option[0]) {
	case TCP_OPTION_MSS:
		if (len == 4)
			s->mss = (uint16_t)(option[2] << 8 | option[3]);
		break;
	case TCP_OPTION_WINDOW_SCALE:
		s->has_scale = len == 3;
		s->scale = len == 3 ? option[2] : 0;
		break;
	case TCP_OPTION_SACK_PERMITTED:
		s->sack_permitted = true;
		break;
	case TCP_OPTION_SACK:
		read_sacks(option, len, s);
		break;
	case TCP_OPTION_TIMESTAMPS:
		s->has_timestamps = len == 10;
		s->ts_value = len == 10 ? word_at(option + 2) : 0;
		s->ts_echo = len == 10 ? word_at(option + 6) : 0;
		break;
	default:
		break;
	}
}

static void read_options(const uint8_t *bytes, uint32_t len, struct tcp_segment *s)
{
	for (uint32_t at = 0; at < len && bytes[at] != TCP_OPTION_END;) {
		if (bytes[at] == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (at + 2 > len || bytes[at + 1] < 2 || at + bytes[at + 1] > len)
			break;
		read_option(bytes + at, bytes[at + 1], s);
		at += bytes[at + 1];
	}
}

// bytes: what was captured from the TCP header on; tcp_bytes: what IP says there is.
static bool read_tcp(const uint8_t *bytes, uint32_t len, uint32_t tcp_bytes, struct tcp_segment *s,
		     uint16_t port[2])
{
	struct tcp_header tcp;

	if (len < sizeof(tcp))
		return false;
	memcpy(&tcp, bytes, sizeof(tcp));
	uint32_t header_bytes = tcp_header_len(&tcp);

	if (header_bytes < TCP_HEADER_BYTES || header_bytes > tcp_bytes || header_bytes > len)
		return false;
	port[0] = be16_get(tcp.src_port);
	port[1] = be16_get(tcp.dst_port);
	s->flags = tcp.flags;
	s->seq = be32_get(tcp.seq);
	s->ack = be32_get(tcp.ack);
	s->window_raw = be16_get(tcp.window);
	s->len = tcp_bytes - header_bytes;
	s->payload = bytes + header_bytes;
	s->captured_len = MIN(s->len, len - header_bytes);
	read_options(bytes + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES, s);
	return true;
}

static bool read_ip4(const uint8_t *bytes, uint32_t len, struct tcp_segment *s, struct addr addr[2],
		     uint16_t port[2])
{
	struct ipv4_header ip;

	if (len < sizeof(ip))
		return false;
	memcpy(&ip, bytes, sizeof(ip));
	uint32_t header_bytes = ipv4_header_len(&ip), total_bytes = be16_get(ip.total_len);

	if (total_bytes == 0)
		total_bytes = len; // a card will segment it: the field was not filled in yet
	if (ip.protocol != IP_TCP || header_bytes < IPV4_HEADER_BYTES || header_bytes > len ||
	    header_bytes > total_bytes || be16_get(ip.fragment) & (IPV4_MF | IPV4_OFFSET_MASK))
		return false;
	addr[0] = addr_from_v4(ip.src);
	addr[1] = addr_from_v4(ip.dst);
	return read_tcp(bytes + header_bytes, MIN(len, total_bytes) - header_bytes,
			total_bytes - header_bytes, s, port);
}

static bool read_ip6(const uint8_t *bytes, uint32_t len, struct tcp_segment *s, struct addr addr[2],
		     uint16_t port[2])
{
	struct ipv6_header ip;

	if (len < sizeof(ip))
		return false;
	memcpy(&ip, bytes, sizeof(ip));
	uint32_t tcp_bytes = be16_get(ip.payload_len), left = len - (uint32_t)sizeof(ip);

	if (ip.next_header != IP_TCP)
		return false;
	if (tcp_bytes == 0)
		tcp_bytes = left;
	addr[0] = addr_from_bytes(ip.src);
	addr[1] = addr_from_bytes(ip.dst);
	return read_tcp(bytes + sizeof(ip), MIN(left, tcp_bytes), tcp_bytes, s, port);
}

bool dissect_ip(const uint8_t *bytes, uint32_t len, struct tcp_segment *segment,
		struct addr addr[2], uint16_t port[2])
{
	if (len == 0)
		return false;
	if (bytes[0] >> 4 == 4)
		return read_ip4(bytes, len, segment, addr, port);
	return bytes[0] >> 4 == 6 && read_ip6(bytes, len, segment, addr, port);
}

static bool read_packet(const struct capture_packet *p, struct tcp_segment *s, struct addr addr[2],
			uint16_t port[2])
{
	uint32_t at = ip_offset(p);

	*s = (struct tcp_segment){.time_ns = p->time_ns, .number = p->number};
	return link_is_known(p->link_type) && at < p->len &&
	       dissect_ip(p->bytes + at, p->len - at, s, addr, port);
}

// 0: from its opener, 1: to it, -1: another connection's.
static int side_of(const struct tcp_flow *flow, const struct addr addr[2], const uint16_t port[2])
{
	for (int s = 0; s < 2; s++)
		if (addr_equal(&flow->addr[s], &addr[0]) && addr_equal(&flow->addr[!s], &addr[1]) &&
		    flow->port[s] == port[0] && flow->port[!s] == port[1])
			return s;
	return -1;
}

static bool opens(const struct tcp_segment *s)
{
	return (s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

// ---- flows by addresses and ports

// The same for both directions. Nobody chooses them to hurt us: it is our own file.
static uint32_t slot_of(const struct addr addr[2], const uint16_t port[2])
{
	static const uint8_t key[16] = "prism replay";
	struct {
		struct addr addr;
		uint16_t port;
	} end[2] = {{addr[0], port[0]}, {addr[1], port[1]}};

	return (uint32_t)(hash_siphash(key, &end[0], sizeof(struct addr) + sizeof(uint16_t)) +
			  hash_siphash(key, &end[1], sizeof(struct addr) + sizeof(uint16_t)));
}

// The slot of these addresses and ports, or the free one where they belong.
static uint32_t *slot_find(const struct flow_list *list, const struct addr addr[2],
			   const uint16_t port[2])
{
	uint32_t i = slot_of(addr, port) & list->slot_mask;

	while (list->slot[i] && side_of(&list->flow[list->slot[i] - 1], addr, port) < 0)
		i = (i + 1) & list->slot_mask;
	return &list->slot[i];
}

// Room for one more flow, and twice as many slots as flows.
static bool grow(struct flow_list *list)
{
	uint32_t count_max = list->count_max ? 2 * list->count_max : 64;

	if (list->count < list->count_max)
		return true;
	void *grown = realloc(list->flow, count_max * sizeof(*list->flow));

	if (grown)
		list->flow = grown;
	uint32_t *slot = grown ? calloc(2 * (size_t)count_max, sizeof(*slot)) : NULL;

	if (!slot)
		return false;
	free(list->slot);
	list->slot = slot;
	list->slot_mask = 2 * count_max - 1;
	list->count_max = count_max;
	for (uint32_t i = 0; i < list->count; i++)
		*slot_find(list, list->flow[i].addr, list->flow[i].port) = i + 1;
	return true;
}

static struct tcp_flow *flow_add(struct flow_list *list, const struct tcp_segment *s,
				 const struct addr addr[2], const uint16_t port[2])
{
	// Who answers a SYN that was not captured did not open.
	int opener = (s->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);

	if (!grow(list))
		return NULL;
	struct tcp_flow *flow = &list->flow[list->count++];
	uint32_t *slot = slot_find(list, addr, port);

	if (*slot)
		list->flow[*slot - 1].end = list->at;
	*slot = list->count;
	*flow = (struct tcp_flow){.addr = {addr[opener], addr[!opener]},
				  .port = {port[opener], port[!opener]},
				  .first_number = s->number,
				  .first = list->at,
				  .end = UINT32_MAX};
	return flow;
}

// The flow this segment is of: a known one, unless it begins a new one on the same ports.
static struct tcp_flow *flow_of(struct flow_list *list, const struct tcp_segment *s,
				const struct addr addr[2], const uint16_t port[2])
{
	uint32_t index = list->count ? *slot_find(list, addr, port) : 0;
	struct tcp_flow *flow = index ? &list->flow[index - 1] : NULL;

	if (!flow || (opens(s) && flow->has_syn && s->seq != flow->isn))
		return flow_add(list, s, addr, port);
	return flow;
}

void flow_list_free(struct flow_list *list)
{
	free(list->flow);
	free(list->slot);
	*list = (struct flow_list){0};
}

bool dissect_flows(const struct capture *capture, struct flow_list *list)
{
	struct tcp_segment s;
	struct addr addr[2];
	uint16_t port[2];

	*list = (struct flow_list){0};
	for (uint32_t i = 0; i < capture->count; i++) {
		list->at = i;
		if (!read_packet(&capture->packet[i], &s, addr, port)) {
			list->skipped++;
			continue;
		}
		struct tcp_flow *flow = flow_of(list, &s, addr, port);

		if (!flow)
			return false;
		if (opens(&s)) {
			flow->has_syn = true;
			flow->isn = s.seq;
		}
		flow->segments++;
		flow->bytes += s.len;
	}
	return true;
}

static bool segment_add(struct segment_list *list, const struct tcp_segment *s)
{
	if (list->count == list->count_max) {
		uint32_t count_max = list->count_max ? 2 * list->count_max : 1024;
		void *grown = realloc(list->segment, count_max * sizeof(*list->segment));

		if (!grown)
			return false;
		list->segment = grown;
		list->count_max = count_max;
	}
	list->segment[list->count++] = *s;
	return true;
}

// What a card cut after the capture saw it, or put together before: PSH and FIN are the last
// piece's.
static bool add_pieces(struct segment_list *list, const struct tcp_segment *s, uint32_t mss_max)
{
	for (uint32_t done = 0; s->len - done > mss_max; done += mss_max) {
		struct tcp_segment piece = *s;

		piece.seq += done;
		piece.len = mss_max;
		piece.flags &= (uint8_t) ~(TCP_PSH | TCP_FIN);
		piece.payload += MIN(done, s->captured_len);
		piece.captured_len = MIN(mss_max, s->captured_len - MIN(done, s->captured_len));
		if (!segment_add(list, &piece))
			return false;
	}
	struct tcp_segment last = *s;
	uint32_t before = s->len ? (s->len - 1) / mss_max * mss_max : 0;

	last.seq += before;
	last.len -= before;
	last.payload += MIN(before, s->captured_len);
	last.captured_len -= MIN(before, s->captured_len);
	return segment_add(list, &last);
}

bool dissect_segments(const struct capture *capture, const struct tcp_flow *flow, uint32_t mss_max,
		      struct segment_list *list)
{
	struct tcp_segment s;
	struct addr addr[2];
	uint16_t port[2];

	*list = (struct segment_list){0};
	for (uint32_t i = 0; i < capture->count; i++) {
		if (!read_packet(&capture->packet[i], &s, addr, port))
			continue;
		int side = side_of(flow, addr, port);

		if (side < 0 || i < flow->first || i >= flow->end)
			continue;
		s.from_opener = side == 0;
		if (!add_pieces(list, &s, mss_max))
			return false;
	}
	return true;
}
