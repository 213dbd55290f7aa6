// SPDX-License-Identifier: BSD-3-Clause
// From packets to connections and segments, whatever the link layer and wherever the capture was
// cut.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/dissect.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

// An IPv4 packet from port 1000 to port 80 with a TCP header of 32 bytes and six of payload.
static const uint8_t ip4[] = {0x45, 0,    0,    58,  0,   1,  0x40, 0, 64, 6, 0, 0,
			      10,   0,    0,    1,   10,  0,  0,    2, // IPv4
			      0x03, 0xe8, 0,    80,  0,   0,  0,    5, 0,  0, 0, 9,
			      0x80, 0x18, 0x10, 0,   0,   0,  0,    0,              // TCP
			      1,    1,    8,    10,  0,   0,  0,    7, 0,  0, 0, 6, // timestamps
			      'h',  'e',  'l',  'l', 'o', '!'};

static uint8_t room[256];

static struct capture_packet packet_of(uint32_t link_type, uint32_t l2_bytes)
{
	memset(room, 0, sizeof(room));
	memcpy(room + l2_bytes, ip4, sizeof(ip4));
	return (struct capture_packet){.bytes = room,
				       .number = 1,
				       .len = l2_bytes + (uint32_t)sizeof(ip4),
				       .wire_len = l2_bytes + (uint32_t)sizeof(ip4),
				       .link_type = link_type};
}

static struct flow_list flows;
static struct segment_list segments;

static void dissect(struct capture_packet *packet, uint32_t mss_max)
{
	struct capture capture = {.packet = packet, .count = 1};

	assert_true(dissect_flows(&capture, &flows));
	segments = (struct segment_list){0};
	if (flows.count)
		assert_true(dissect_segments(&capture, &flows.flow[0], mss_max, &segments));
}

static void drop(void)
{
	flow_list_free(&flows);
	free(segments.segment);
}

static void ip_is_found_behind_every_link_layer(void **state)
{
	static const struct {
		uint32_t link_type, l2_bytes;
	} kinds[] = {{LINK_ETHERNET, 14},
		     {LINK_RAW, 0},
		     {LINK_IPV4, 0},
		     {LINK_SLL, 16},
		     {LINK_SLL2, 20}};

	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
		struct capture_packet p = packet_of(kinds[k].link_type, kinds[k].l2_bytes);

		dissect(&p, 1460);
		assert_int_equal(flows.count, 1);
		assert_int_equal(flows.flow[0].port[0], 1000);
		assert_int_equal(flows.flow[0].port[1], 80);
		assert_int_equal(segments.count, 1);
		assert_int_equal(segments.segment[0].len, 6);
		drop();
	}
}

static void vlan_tag_is_passed_over(void **state)
{
	struct capture_packet p = packet_of(LINK_ETHERNET, 18);

	room[12] = 0x81;
	dissect(&p, 1460);
	assert_int_equal(segments.count, 1);
	drop();
}

static void segment_has_its_numbers_and_options(void **state)
{
	struct capture_packet p = packet_of(LINK_RAW, 0);

	dissect(&p, 1460);
	const struct tcp_segment *s = &segments.segment[0];

	assert_int_equal(s->seq, 5);
	assert_int_equal(s->ack, 9);
	assert_int_equal(s->flags, TCP_PSH | TCP_ACK);
	assert_int_equal(s->window_raw, 0x1000);
	assert_true(s->has_timestamps);
	assert_int_equal(s->ts_value, 7);
	assert_int_equal(s->ts_echo, 6);
	assert_true(s->from_opener);
	assert_memory_equal(s->payload, "hello!", 6);
	drop();
}

static void cut_payload_keeps_its_length(void **state)
{
	struct capture_packet p = packet_of(LINK_RAW, 0);

	p.len -= 4;
	dissect(&p, 1460);
	assert_int_equal(segments.segment[0].len, 6);
	assert_int_equal(segments.segment[0].captured_len, 2);
	drop();
}

// A SYN with this number, of a connection between the same two ports each time.
static struct capture_packet syn_of(uint8_t bytes[sizeof(ip4)], uint8_t seq, uint32_t number)
{
	memcpy(bytes, ip4, sizeof(ip4));
	bytes[27] = seq;
	bytes[33] = TCP_SYN;
	return (struct capture_packet){.bytes = bytes,
				       .number = number,
				       .len = sizeof(ip4),
				       .wire_len = sizeof(ip4),
				       .link_type = LINK_RAW};
}

static void new_number_in_a_syn_is_another_connection_on_the_same_ports(void **state)
{
	static uint8_t bytes[4][sizeof(ip4)];
	struct capture_packet packets[] = {syn_of(bytes[0], 1, 1), syn_of(bytes[1], 1, 2),
					   syn_of(bytes[2], 9, 3), syn_of(bytes[3], 9, 4)};
	struct capture capture = {.packet = packets, .count = 4};

	assert_true(dissect_flows(&capture, &flows));
	assert_int_equal(flows.count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(flows.flow[i].segments, 2);
		assert_int_equal(flows.flow[i].first_number, 1 + 2 * i);
		assert_true(dissect_segments(&capture, &flows.flow[i], 1460, &segments));
		assert_int_equal(segments.count, 2);
		assert_int_equal(segments.segment[0].seq, i ? 9 : 1);
		free(segments.segment);
	}
	flow_list_free(&flows);
}

static void thousands_of_connections_are_found_again(void **state)
{
	enum { PORTS = 5000 };
	struct capture_packet *packets = calloc(2 * PORTS, sizeof(*packets));
	uint8_t(*bytes)[sizeof(ip4)] = calloc(2 * PORTS, sizeof(*bytes));

	for (uint32_t i = 0; i < 2 * PORTS; i++) {
		packets[i] = syn_of(bytes[i], 1, i + 1);
		bytes[i][20] = (uint8_t)(i % PORTS >> 8);
		bytes[i][21] = (uint8_t)(i % PORTS);
	}
	struct capture capture = {.packet = packets, .count = 2 * PORTS};

	assert_true(dissect_flows(&capture, &flows));
	assert_int_equal(flows.count, PORTS);
	for (uint32_t i = 0; i < PORTS; i++)
		assert_int_equal(flows.flow[i].segments, 2);
	flow_list_free(&flows);
	free(packets);
	free(bytes);
}

static void every_shorter_packet_is_skipped_or_a_segment(void **state)
{
	for (uint32_t len = 0; len < sizeof(ip4); len++) {
		struct capture_packet p = packet_of(LINK_RAW, 0);
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, ip4, len);
		p.bytes = exact;
		p.len = len;
		dissect(&p, 1460);
		assert_int_equal(flows.count + flows.skipped, 1);
		assert_int_equal(flows.count, len >= 52); // from whole options on
		drop();
		free(exact);
	}
}

static void what_a_card_cuts_later_is_cut_here(void **state)
{
	struct capture_packet p = packet_of(LINK_RAW, 0);

	dissect(&p, 4);
	assert_int_equal(segments.count, 2);
	assert_int_equal(segments.segment[0].len, 4);
	assert_int_equal(segments.segment[0].flags, TCP_ACK);
	assert_int_equal(segments.segment[1].seq, 9);
	assert_int_equal(segments.segment[1].len, 2);
	assert_int_equal(segments.segment[1].flags, TCP_PSH | TCP_ACK);
	assert_memory_equal(segments.segment[1].payload, "o!", 2);
	drop();
}

static void ip6_is_read_too(void **state)
{
	struct capture_packet p = packet_of(LINK_IPV6, 40);
	uint32_t tcp_bytes = (uint32_t)sizeof(ip4) - 20;

	memmove(room + 40, ip4 + 20, tcp_bytes);
	memset(room, 0, 40);
	room[0] = 0x60;
	room[5] = (uint8_t)tcp_bytes;
	room[6] = 6;
	room[23] = 1;
	p.len = p.wire_len = 40 + tcp_bytes;
	dissect(&p, 1460);
	assert_int_equal(segments.count, 1);
	assert_int_equal(segments.segment[0].len, 6);
	assert_false(addr_is_v4(&flows.flow[0].addr[0]));
	drop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ip_is_found_behind_every_link_layer),
		cmocka_unit_test(vlan_tag_is_passed_over),
		cmocka_unit_test(segment_has_its_numbers_and_options),
		cmocka_unit_test(cut_payload_keeps_its_length),
		cmocka_unit_test(new_number_in_a_syn_is_another_connection_on_the_same_ports),
		cmocka_unit_test(thousands_of_connections_are_found_again),
		cmocka_unit_test(every_shorter_packet_is_skipped_or_a_segment),
		cmocka_unit_test(what_a_card_cuts_later_is_cut_here),
		cmocka_unit_test(ip6_is_read_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
