// SPDX-License-Identifier: BSD-3-Clause
// The fast sums against the definition: add 16-bit words, fold, complement.
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../seed.h"
#include "base/rand.h"

// RFC 1071 1 by the letter, over bytes in network order.
static uint16_t naive(const uint8_t *b, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? b[i] : (uint64_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void fill(struct rng *r, uint8_t *b, size_t len)
{
	uint64_t kind = rng_below(r, 8);

	for (size_t i = 0; i < len; i++)
		b[i] = kind == 0 ? 0xff : kind == 1 ? 0 : (uint8_t)rng_next(r);
}

static void sum_equals_the_definition_for_every_length_and_alignment(void **state)
{
	static uint8_t room[64 + 10000];
	struct rng r;

	rng_seed(&r, test_seed());
	for (size_t len = 0; len <= 700; len++)
		for (size_t align = 0; align < 64; align += len <= 300 ? 1 : 7) {
			fill(&r, room + align, len);
			assert_int_equal(
				be16_get(checksum_finish(checksum_add(0, room + align, len))),
				naive(room + align, len));
		}
	for (size_t len = 701; len < 9100; len += 13) {
		fill(&r, room + 3, len);
		assert_int_equal(be16_get(checksum_finish(checksum_add(0, room + 3, len))),
				 naive(room + 3, len));
	}
}

static void a_header_of_twenty_bytes_sums_as_any_run(void **state)
{
	uint8_t b[21];
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 20000; round++) {
		fill(&r, b, sizeof(b));
		assert_int_equal(be16_get(checksum_finish(checksum_header20(b + 1))),
				 naive(b + 1, 20));
	}
}

static void headers_written_from_fields_sum_as_their_bytes(void **state)
{
	struct tcp_header tcp;
	struct ipv4_header ip;
	uint8_t at[TCP_HEADER_BYTES];
	be16 sum;
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 20000; round++) {
		fill(&r, (uint8_t *)&tcp, sizeof(tcp));
		tcp.checksum = tcp.urgent = (be16){0};
		assert_int_equal(be16_get(checksum_finish(tcp_header_put(at, tcp))),
				 naive((uint8_t *)&tcp, sizeof(tcp)));
		assert_memory_equal(at, &tcp, sizeof(tcp));
		fill(&r, (uint8_t *)&ip, sizeof(ip));
		ip.checksum = (be16){0};
		ipv4_header_put(at, ip, false);
		assert_memory_equal(at, &ip, sizeof(ip));
		sum = be16_of(naive((uint8_t *)&ip, sizeof(ip)));
		ip.checksum = sum;
		ipv4_header_put(at, ip, true);
		assert_memory_equal(at, &ip, sizeof(ip));
	}
}

static void bytes_outside_the_run_do_not_count(void **state)
{
	for (size_t len = 0; len <= 300; len++) {
		uint8_t *exact = malloc(len + 1); // so that the sanitizer sees one byte too many
		uint8_t *b = exact + 1;

		memset(exact, 0xa5, len + 1);
		assert_int_equal(be16_get(checksum_finish(checksum_add(0, b, len))), naive(b, len));
		free(exact);
	}
}

static void a_chain_cut_anywhere_has_the_same_sum(void **state)
{
	static uint8_t b[4000];
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 3000; round++) {
		size_t len = rng_below(&r, sizeof(b)), done = 0;
		uint32_t sum = 0;

		fill(&r, b, len);
		while (done < len) {
			size_t part = 1 + rng_below(&r, len - done);

			sum = checksum_add_at(sum, done, b + done, part);
			done += part;
		}
		assert_int_equal(be16_get(checksum_finish(sum)), naive(b, len));
	}
}

static void pseudo_header_is_that_of_each_family(void **state)
{
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 1000; round++) {
		uint32_t s = (uint32_t)rng_next(&r), d = (uint32_t)rng_next(&r);
		uint16_t len = (uint16_t)rng_next(&r);
		uint8_t h4[12] = {s >> 24, s >> 16, s >> 8, s,  d >> 24,  d >> 16,
				  d >> 8,  d,       0,      17, len >> 8, len};
		uint8_t h6[40] = {0};
		struct addr src = addr_from_v4(be32_of(s)), dst = addr_from_v4(be32_of(d));

		assert_int_equal(be16_get(checksum_finish(checksum_pseudo(&src, &dst, 17, len))),
				 naive(h4, sizeof(h4)));
		fill(&r, h6, 32);
		memcpy(&src, h6, 16);
		memcpy(&dst, h6 + 16, 16);
		h6[34] = len >> 8;
		h6[35] = (uint8_t)len;
		h6[39] = 6;
		assert_int_equal(be16_get(checksum_finish(checksum_pseudo(&src, &dst, 6, len))),
				 naive(h6, sizeof(h6)));
	}
}

static void updating_equals_summing_anew(void **state)
{
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 20000; round++) {
		union {
			uint8_t byte[40];
			be16 half[20];
			be32 word[10];
		} m;

		fill(&r, m.byte, sizeof(m.byte));
		m.byte[39] = 1; // a message of zeros alone has two checksums
		be16 sum = checksum_finish(checksum_add(0, m.byte, 40));
		be16 before = m.half[7];
		m.half[7].raw = (uint16_t)rng_next(&r);
		sum = checksum_update16(sum, before, m.half[7]);
		be32 wide = m.word[2];
		m.word[2].raw = rng_below(&r, 4) ? (uint32_t)rng_next(&r) : ~wide.raw;
		sum = checksum_update32(sum, wide, m.word[2]);
		assert_int_equal(be16_get(sum), naive(m.byte, 40));
	}
}

static void a_message_with_its_checksum_is_good_and_a_flipped_bit_is_seen(void **state)
{
	uint8_t b[60];
	struct rng r;

	rng_seed(&r, test_seed());
	for (int round = 0; round < 1000; round++) {
		fill(&r, b, sizeof(b));
		b[0] = b[1] = 0;
		be16 sum = checksum_finish(checksum_add(0, b, sizeof(b)));
		memcpy(b, &sum, 2);
		assert_true(checksum_is_good(checksum_add(0, b, sizeof(b))));
		b[rng_below(&r, sizeof(b))] ^= (uint8_t)(1 << rng_below(&r, 8));
		assert_false(checksum_is_good(checksum_add(0, b, sizeof(b))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sum_equals_the_definition_for_every_length_and_alignment),
		cmocka_unit_test(a_header_of_twenty_bytes_sums_as_any_run),
		cmocka_unit_test(headers_written_from_fields_sum_as_their_bytes),
		cmocka_unit_test(bytes_outside_the_run_do_not_count),
		cmocka_unit_test(a_chain_cut_anywhere_has_the_same_sum),
		cmocka_unit_test(pseudo_header_is_that_of_each_family),
		cmocka_unit_test(updating_equals_summing_anew),
		cmocka_unit_test(a_message_with_its_checksum_is_good_and_a_flipped_bit_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
