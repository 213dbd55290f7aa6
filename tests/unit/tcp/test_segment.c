// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"
#include "tcp/segment.h"

// RFC 9293 MUST-3
static void a_wrong_checksum_is_dropped_by_name(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	peer_open(b);
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 5, .bad_checksum = true});
	assert_int_equal(peer_drops(b, DROP_TCP_CHECKSUM), 1);
	assert_int_equal(b->received, 0);
	peer_destroy(b);
}

static enum drop read_bytes(struct peer *b, const uint8_t *bytes, uint16_t len)
{
	struct pkt *p = pkt_alloc(b->env.pool[POOL_RX]);
	struct arrival a = {.l4_len = len, .l4_checksum = CHECKSUM_GOOD, .protocol = 6};
	struct segment s;
	enum drop reason;

	memcpy(pkt_append(p, len), bytes, len);
	reason = segment_read(p, &a, &s);
	pkt_free(p);
	return reason;
}

static void short_headers_and_wrong_offsets_have_names(void **state)
{
	struct peer *b = peer_create();
	uint8_t bytes[60] = {[12] = 0x50};

	(void)state;
	assert_int_equal(read_bytes(b, bytes, 19), DROP_TCP_TRUNCATED);
	assert_int_equal(read_bytes(b, bytes, 20), DROP_OK);
	bytes[12] = 0x40;
	assert_int_equal(read_bytes(b, bytes, 20), DROP_TCP_HEADER_LENGTH);
	bytes[12] = 0x60;
	assert_int_equal(read_bytes(b, bytes, 20), DROP_TCP_HEADER_LENGTH);
	assert_int_equal(read_bytes(b, bytes, 24), DROP_OK);
	peer_destroy(b);
}

static void offsets_are_the_nearest_with_these_bits(void **state)
{
	uint64_t base = (UINT64_C(1) << 32) + 0xfffffff0u;

	(void)state;
	assert_int_equal(offset_near(base, 0xfffffff0u), base);
	assert_int_equal(offset_near(base, 5), base + 21);
	assert_int_equal(offset_near(base, 0xffffff00u), base - 0xf0);
	assert_int_equal(offset_near(base + 21, 0xfffffff0u), base);
	assert_int_equal(offset_near(UINT64_C(1) << 32, 0xffffffffu), (UINT64_C(1) << 32) - 1);
	for (uint64_t at = base; at < base + (UINT64_C(1) << 40); at += UINT64_C(0x123456789))
		assert_int_equal(offset_near(at, (uint32_t)(at + 0x7fffffff)), at + 0x7fffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_checksum_is_dropped_by_name),
		cmocka_unit_test(short_headers_and_wrong_offsets_have_names),
		cmocka_unit_test(offsets_are_the_nearest_with_these_bits),
	};

	return run_peer_tests(tests);
}
