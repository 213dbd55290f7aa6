// SPDX-License-Identifier: BSD-3-Clause
// Writing the ECN field of a header that is whole already.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../seed.h"
#include "base/rand.h"
#include "wire/ecn.h"

static void the_checksum_of_ipv4_stays_good(void **state)
{
	struct rng r;

	rng_seed(&r, test_seed());
	for (uint32_t i = 0; i < 100000; i++) {
		uint8_t frame[60] = {[12] = 8};
		struct ipv4_header *h = (void *)(frame + 14), before;
		enum ecn ecn = (enum ecn)(i & 3);

		for (uint32_t k = 0; k < sizeof(*h); k++)
			frame[14 + k] = rng_below(&r, 4) ? (uint8_t)rng_next(&r) : 0xff;
		h->checksum = be16_of(0);
		h->checksum = checksum_finish(checksum_add(0, h, sizeof(*h)));
		before = *h;
		ecn_write_frame(frame, sizeof(frame), ecn);
		assert_int_equal(ecn_of_frame(frame, sizeof(frame)), ecn);
		assert_true(checksum_is_good(checksum_add(0, h, sizeof(*h))));
		assert_int_equal(h->tos >> 2, before.tos >> 2);
		before.tos = h->tos;
		before.checksum = h->checksum;
		assert_memory_equal(h, &before, sizeof(before));
	}
}

static void nothing_else_of_ipv6_changes(void **state)
{
	for (uint32_t ecn = 0; ecn < 4; ecn++) {
		uint8_t frame[60] = {[12] = 0x86, 0xdd, 0x6a, 0xbc, 0xde, 0xf1};

		ecn_write_frame(frame, sizeof(frame), (enum ecn)ecn);
		assert_int_equal(ecn_of_frame(frame, sizeof(frame)), ecn);
		assert_int_equal(frame[14], 0x6a);
		assert_int_equal(frame[15] & 0xcf, 0xbc & 0xcf);
		assert_int_equal(frame[16], 0xde);
		assert_int_equal(frame[17], 0xf1);
	}
}

static void what_is_not_ip_or_too_short_has_no_field(void **state)
{
	uint8_t arp[60] = {[12] = 8, 6}, cut[33] = {[12] = 8, [15] = 3};
	const uint8_t arp_before[60] = {[12] = 8, 6}, cut_before[33] = {[12] = 8, [15] = 3};

	ecn_write_frame(arp, sizeof(arp), ECN_CE);
	ecn_write_frame(cut, sizeof(cut), ECN_ECT0);
	assert_memory_equal(arp, arp_before, sizeof(arp));
	assert_memory_equal(cut, cut_before, sizeof(cut));
	assert_int_equal(ecn_of_frame(arp, sizeof(arp)), ECN_NOT_ECT);
	assert_int_equal(ecn_of_frame(cut, sizeof(cut)), ECN_NOT_ECT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_of_ipv4_stays_good),
		cmocka_unit_test(nothing_else_of_ipv6_changes),
		cmocka_unit_test(what_is_not_ip_or_too_short_has_no_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
