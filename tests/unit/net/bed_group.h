// SPDX-License-Identifier: BSD-3-Clause
// Groups on the bench: joining, datagrams to a group, questions about them.
#pragma once

#include <errno.h>

#include "bed6.h"
#include "wire/igmp.h"

#define GROUP IP(239, 1, 2, 3)
#define OTHER_GROUP IP(239, 1, 2, 4)
#define SENDER IP(198, 18, 0, 77)
#define OTHER_SENDER IP(198, 18, 0, 78)

static const struct addr GROUP6 = {.byte = {0xff, 5, [14] = 1, 3}};
static const struct addr ANYBODY = {0};

static inline int join_from(struct bed *b, prism_udp udp, be32 group, be32 source)
{
	const struct udp_group g = {
		.group = addr_from_v4(group),
		.source = source.raw ? addr_from_v4(source) : ANYBODY,
	};

	return udp_join(b->net, udp, &g);
}

static inline int leave_from(struct bed *b, prism_udp udp, be32 group, be32 source)
{
	const struct udp_group g = {
		.group = addr_from_v4(group),
		.source = source.raw ? addr_from_v4(source) : ANYBODY,
	};

	return udp_leave(b->net, udp, &g);
}

static inline int join(struct bed *b, prism_udp udp, be32 group)
{
	return join_from(b, udp, group, (be32){0});
}

static inline int leave(struct bed *b, prism_udp udp, be32 group)
{
	return leave_from(b, udp, group, (be32){0});
}

static inline void to_group(struct frame *f, be32 source, be32 group, uint16_t port)
{
	frame_udp(f, source, group, port, (struct run){"tick", 4});
	ipv4_group_mac(group, f->byte);
}

// What a datagram from source to the group and port becomes: its event, or none.
static inline bool hears(struct bed *b, be32 source, be32 group, struct prism_event *e)
{
	struct frame f;

	to_group(&f, source, group, 7);
	bed_in(b, 0, f.byte, f.len);
	if (udp_deliver(b->net, e, 1) == 0)
		return false;
	assert_int_equal(e->type, PRISM_EVENT_DATAGRAM);
	pkt_free((struct pkt *)e->buf);
	return true;
}

// The router asks: of version 3 with `code` and this robustness; of an older one, eight bytes.
struct question {
	be32 group;
	uint8_t code;
	uint8_t robustness;
	bool older;
	uint8_t ttl;  // 0: 1
	be32 source;  // 0: nobody
	uint16_t len; // 0: of the version
	be32 to;      // 0: as it should be
};

static inline void ask(struct bed *b, struct question q)
{
	be32 all = be32_of(IGMP_ALL_SYSTEMS);
	be32 to = q.to.raw ? q.to : q.group.raw ? q.group : all;
	struct igmp3_query query = {
		.message = {.type = IGMP_QUERY, .response_code = q.code, .group = q.group},
		.flags = q.robustness,
	};
	uint16_t whole = q.older ? sizeof(query.message) : sizeof(query);
	uint16_t len = q.len ? q.len : whole;
	struct frame f;

	query.message.checksum = checksum_finish(checksum_add(0, &query, len));
	struct ipv4_header *ip = frame_ip4(&f, q.source, to, IP_IGMP);

	ip->version_ihl++;
	ip->ttl = q.ttl ? q.ttl : 1;
	if (ipv4_is_multicast(to))
		ipv4_group_mac(to, f.byte);
	frame_add(&f, IGMP_ALERT_OPTION, IGMP_ALERT_BYTES);
	frame_add(&f, &query, len);
	frame_finish(&f);
	bed_in(b, 0, f.byte, f.len);
}

// The n-th message that was sent, its IP header and checksum checked (RFC 3376 4); *len of it.
static inline const void *said(struct bed *b, uint32_t n, be32 to, uint32_t *len)
{
	uint8_t mac[6];

	assert_true(b->port[0].tx_count > n);
	uint32_t frame_len = capture_read(&b->port[0], n, b->out);
	const struct ipv4_header *ip = (const void *)(b->out + 14);
	const uint8_t *m = b->out + 14 + 24;

	ipv4_group_mac(to, mac);
	assert_memory_equal(b->out, mac, 6);
	assert_int_equal(ip->version_ihl, 0x46);
	assert_int_equal(ip->ttl, 1);
	assert_int_equal(ip->tos, 0xc0);
	assert_int_equal(ip->protocol, IP_IGMP);
	assert_int_equal(ip->src.raw, OURS.raw);
	assert_int_equal(ip->dst.raw, to.raw);
	assert_memory_equal(ip + 1, "\x94\4\0\0", 4);
	assert_true(checksum_is_good(checksum_add(0, ip, 24)));
	*len = frame_len - 14 - 24;
	assert_int_equal(be16_get(ip->total_len), *len + 24);
	assert_true(checksum_is_good(checksum_add(0, m, *len)));
	return m;
}

// A report of one record: its type, and sources in order.
static inline void said_record(struct bed *b, uint32_t n, uint8_t type, uint32_t count,
			       const be32 *sources)
{
	uint32_t len;
	const struct igmp3_report *r = said(b, n, be32_of(IGMP_ALL_V3_ROUTERS), &len);
	const struct igmp3_record *record = (const void *)(r + 1);

	assert_int_equal(r->type, IGMP3_REPORT);
	assert_int_equal(be16_get(r->record_count), 1);
	assert_int_equal(record->type, type);
	assert_int_equal(record->group.raw, GROUP.raw);
	assert_int_equal(be16_get(record->source_count), count);
	assert_int_equal(len, sizeof(*r) + sizeof(*record) + count * 4);
	if (count)
		assert_memory_equal(record + 1, sources, count * 4);
}
