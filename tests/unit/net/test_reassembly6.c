// SPDX-License-Identifier: BSD-3-Clause
// Fragments of IPv6: joined in whatever order, refused where they lie, told where it is asked.
#include "bed6.h"
#include "wire/ecn.h"

#define ID 0xabcd1234

// A TCP segment of so many bytes of text, cut from a pattern.
static uint8_t segment[2400];

static void make_segment(void)
{
	struct tcp_header tcp = {.data_offset = 5 << 4};

	for (size_t i = 0; i < sizeof(segment); i++)
		segment[i] = (uint8_t)(i * 7 + i / 256);
	memcpy(segment, &tcp, sizeof(tcp));
}

struct piece {
	uint32_t start, len;
	bool more;
	enum ecn ecn;
};

static void frame6_piece(struct frame *f, struct piece piece, uint32_t id)
{
	uint16_t offset = (uint16_t)(piece.start | (piece.more ? IPV6_FRAGMENT_MORE : 0));
	struct ipv6_fragment h = {
		.next_header = IP_TCP, .offset = be16_of(offset), .id = be32_of(id)};

	frame6(f, &PEER6, &OURS6, IPV6_FRAGMENT);
	frame_add(f, &h, sizeof(h));
	frame_add(f, segment + piece.start, piece.len);
	frame6_finish(f, 0);
	ecn_write6(frame6_ip(f), piece.ecn);
}

static void piece_in(struct bed *b, struct piece piece)
{
	struct frame f;

	frame6_piece(&f, piece, ID);
	bed_in(b, 0, f.byte, f.len);
}

static struct bed *create(void)
{
	make_segment();
	return bed6_create();
}

static void check_whole(const struct bed *b)
{
	assert_int_equal(b->tcp_count, 1);
	assert_int_equal(b->tcp_last.l4_len, sizeof(segment));
	assert_int_equal(b->tcp_last.protocol, IP_TCP);
	assert_memory_equal(b->tcp_bytes, segment, sizeof(segment));
}

static void pieces_become_a_packet_in_any_order(void **state)
{
	const struct piece piece[] = {{0, 800, true}, {800, 800, true}, {1600, 800, false}};
	const uint8_t order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
				     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
		struct bed *b = create();

		for (size_t k = 0; k < 3; k++)
			piece_in(b, piece[order[i][k]]);
		check_whole(b);
		bed_destroy(b);
	}
}

// RFC 6946 4: it is the whole packet, whatever waits under the same id.
static void an_atomic_fragment_waits_for_nobody(void **state)
{
	struct bed *b = create();

	piece_in(b, (struct piece){0, 800, true});
	piece_in(b, (struct piece){0, 500, false});
	assert_int_equal(b->tcp_count, 1);
	assert_int_equal(b->tcp_last.l4_len, 500);
	assert_int_equal(b->tcp_last.l4_offset, 14 + 40 + 8);
	piece_in(b, (struct piece){800, 1600, false});
	assert_int_equal(b->tcp_count, 2);
	assert_memory_equal(b->tcp_bytes, segment, sizeof(segment));
	bed_destroy(b);
}

// RFC 3168 R1
static void a_mark_on_any_piece_is_one_on_the_packet(void **state)
{
	for (uint32_t marked = 0; marked < 4; marked++) {
		struct bed *b = create();

		for (uint32_t i = 0; i < 3; i++)
			piece_in(b, (struct piece){i * 800, 800, i < 2,
						   i == marked ? ECN_CE : ECN_ECT0});
		check_whole(b);
		const struct ipv6_header *h = (const void *)(b->tcp_frame + b->tcp_last.l3_offset);

		assert_int_equal(ecn_of(b->tcp_last.tos), marked < 3 ? ECN_CE : ECN_ECT0);
		assert_int_equal(ipv6_class(h), b->tcp_last.tos);
		bed_destroy(b);
	}
}

// RFC 3168 R2
static void a_mark_beside_a_piece_that_takes_none_condemns_the_packet(void **state)
{
	struct bed *b = create();

	piece_in(b, (struct piece){0, 800, true, ECN_NOT_ECT});
	piece_in(b, (struct piece){800, 800, true, ECN_CE});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_ECN), 2);
	assert_int_equal(b->tcp_count, 0);
	bed_destroy(b);
}

// RFC 5722 3: "it must silently discard" all of them, those that have yet to come too.
static void an_overlap_condemns_the_packet(void **state)
{
	struct bed *b = create();

	piece_in(b, (struct piece){0, 800, true});
	piece_in(b, (struct piece){792, 800, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_OVERLAP), 2);
	piece_in(b, (struct piece){800, 1600, false});
	piece_in(b, (struct piece){0, 800, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_OVERLAP), 4);
	assert_int_equal(b->tcp_count, 0);
	assert_int_equal(b->port[0].tx_count, 0);
	bed_destroy(b);
}

static void the_same_piece_twice_is_no_overlap(void **state)
{
	struct bed *b = create();

	piece_in(b, (struct piece){0, 800, true});
	piece_in(b, (struct piece){0, 800, true});
	piece_in(b, (struct piece){800, 1600, false});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_DUPLICATE), 1);
	check_whole(b);
	bed_destroy(b);
}

static void told(struct bed *b, uint8_t code, uint32_t at)
{
	const struct icmp6_header *h = bed6_last_icmp(b);

	assert_int_equal(h->type, ICMP6_PARAMETER_PROBLEM);
	assert_int_equal(h->code, code);
	assert_int_equal(be32_get(h->rest), at);
	bed_clear(b);
}

// RFC 8200 4.5
static void what_cannot_be_a_piece_is_told(void **state)
{
	struct bed *b = create();
	struct frame f;

	bed6_meet(b);
	piece_in(b, (struct piece){0, 801, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_MALFORMED), 1);
	told(b, ICMP6_BAD_FIELD, 4);
	frame6_piece(&f, (struct piece){0, 800, false}, ID);
	((struct ipv6_fragment *)(f.byte + ICMP6_AT))->offset = be16_of(65528);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_MALFORMED), 2);
	told(b, ICMP6_BAD_FIELD, 42);
	frame6_piece(&f, (struct piece){0, 0, true}, ID);
	f.len -= 4;
	frame6_finish(&f, 0);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IP6_EXTENSION_CUT), 1);
	bed_destroy(b);
}

// RFC 7112 5
static void the_first_piece_has_the_whole_transport_header(void **state)
{
	struct bed *b = create();

	bed6_meet(b);
	piece_in(b, (struct piece){0, 16, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_TINY), 1);
	told(b, ICMP6_INCOMPLETE_CHAIN, 0);
	bed_destroy(b);
}

// RFC 8200 4.5: "an ICMP Time Exceeded -- Fragment Reassembly Time Exceeded message"
static void time_is_over_for_a_packet_with_a_hole(void **state)
{
	struct bed *b = create();
	struct frame f;

	bed6_meet(b);
	piece_in(b, (struct piece){0, 800, true});
	frame6_piece(&f, (struct piece){800, 800, true}, ID + 1);
	bed_in(b, 0, f.byte, f.len);
	bed_time(b, 61 * NS_PER_S);
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_TIMEOUT), 2);
	const struct icmp6_header *h = bed6_last_icmp(b);

	assert_int_equal(b->port[0].tx_count, 1); // of the one whose first piece is there
	assert_int_equal(h->type, ICMP6_TIME_EXCEEDED);
	assert_int_equal(h->code, ICMP6_EXCEEDED_REASSEMBLY);
	bed_destroy(b);
}

// The headers in front stay, and name what the fragment header named.
static void headers_in_front_and_behind_are_walked(void **state)
{
	static const uint8_t before[8] = {IPV6_FRAGMENT, 0, 1, 4}, behind[8] = {IP_TCP, 0, 1, 4};
	const struct ipv6_fragment h[2] = {
		{IPV6_DESTINATION, 0, be16_of(IPV6_FRAGMENT_MORE), be32_of(ID)},
		{IPV6_DESTINATION, 0, be16_of(808), be32_of(ID)}};
	struct bed *b = create();
	struct frame f;

	for (int i = 0; i < 2; i++) {
		frame6(&f, &PEER6, &OURS6, IPV6_DESTINATION);
		frame_add(&f, before, 8);
		frame_add(&f, &h[i], sizeof(h[i]));
		if (i == 0)
			frame_add(&f, behind, 8);
		frame_add(&f, segment + i * 800, i ? 1600 : 800);
		frame6_finish(&f, 0);
		bed_in(b, 0, f.byte, f.len);
	}
	check_whole(b);
	assert_int_equal(b->tcp_last.l4_offset, 14 + 40 + 8 + 8);
	bed_destroy(b);
}

static void only_one_fragment_header_is_understood(void **state)
{
	const struct ipv6_fragment h[2] = {{IPV6_FRAGMENT, 0, be16_of(0), be32_of(ID)},
					   {IP_TCP, 0, be16_of(0), be32_of(ID)}};
	struct bed *b = create();
	struct frame f;

	bed6_meet(b);
	frame6(&f, &PEER6, &OURS6, IPV6_FRAGMENT);
	frame_add(&f, h, sizeof(h));
	frame_add(&f, segment, 100);
	frame6_finish(&f, 0);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_IP6_PROTOCOL), 1);
	told(b, ICMP6_UNKNOWN_NEXT_HEADER, 40);
	bed_destroy(b);
}

static void both_families_share_the_bounds(void **state)
{
	struct bed *b = create();
	struct frame f;

	for (uint32_t i = 0; i < 200; i++) {
		frame6_piece(&f, (struct piece){0, 800, true}, i);
		memcpy(frame6_ip(&f)->src + 12, &i, 4);
		bed_in(b, 0, f.byte, f.len);
	}
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_EVICTED), 200 - 64);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_become_a_packet_in_any_order),
		cmocka_unit_test(an_atomic_fragment_waits_for_nobody),
		cmocka_unit_test(a_mark_on_any_piece_is_one_on_the_packet),
		cmocka_unit_test(a_mark_beside_a_piece_that_takes_none_condemns_the_packet),
		cmocka_unit_test(an_overlap_condemns_the_packet),
		cmocka_unit_test(the_same_piece_twice_is_no_overlap),
		cmocka_unit_test(what_cannot_be_a_piece_is_told),
		cmocka_unit_test(the_first_piece_has_the_whole_transport_header),
		cmocka_unit_test(time_is_over_for_a_packet_with_a_hole),
		cmocka_unit_test(headers_in_front_and_behind_are_walked),
		cmocka_unit_test(only_one_fragment_header_is_understood),
		cmocka_unit_test(both_families_share_the_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
