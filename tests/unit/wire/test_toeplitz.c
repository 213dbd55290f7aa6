// SPDX-License-Identifier: BSD-3-Clause
// The hash of receive-side scaling, by the values that Microsoft publishes for whoever makes cards
// ("Verifying the RSS Hash Calculation").
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/be.h"
#include "base/bits.h"
#include "wire/toeplitz.h"

static const uint8_t published_key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
	0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
	0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
	const char *dst, *src;
	uint16_t dst_port, src_port;
	uint32_t addresses, with_ports;
} published[] = {
	{"161.142.100.80", "66.9.149.187", 1766, 2794, 0x323e8fc2, 0x51ccc178},
	{"65.69.140.83", "199.92.111.2", 4739, 14230, 0xd718262a, 0xc626b0ea},
	{"12.22.207.184", "24.19.198.95", 38024, 12898, 0xd2d0a5de, 0x5c2b394a},
	{"209.142.163.6", "38.27.205.30", 2217, 48228, 0x82989176, 0xafc7327f},
	{"202.188.127.2", "153.39.163.191", 1303, 44251, 0x5d1809c5, 0x10e828a2},
};

static void tuple(uint8_t out[TOEPLITZ_TCP4_BYTES], const char *src, const char *dst,
		  uint16_t src_port, uint16_t dst_port)
{
	struct addr s, d;
	be16 port[2] = {be16_of(src_port), be16_of(dst_port)};
	be32 v4[2];

	assert_true(addr_parse(src, &s) && addr_parse(dst, &d));
	v4[0] = addr_to_v4(&s);
	v4[1] = addr_to_v4(&d);
	memcpy(out, v4, 8);
	memcpy(out + 8, port, 4);
}

static void it_gives_the_published_values(void **state)
{
	uint8_t bytes[TOEPLITZ_TCP4_BYTES];

	for (size_t i = 0; i < ARRAY_COUNT(published); i++) {
		tuple(bytes, published[i].src, published[i].dst, published[i].src_port,
		      published[i].dst_port);
		assert_int_equal(toeplitz(published_key, bytes, 8), published[i].addresses);
		assert_int_equal(toeplitz(published_key, bytes, 12), published[i].with_ports);
	}
}

// Two directions of a flow are one under a key of which every 16 bits are the same.
static void a_key_that_repeats_hashes_both_directions_alike(void **state)
{
	uint8_t key[16], out[TOEPLITZ_TCP4_BYTES], back[TOEPLITZ_TCP4_BYTES];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = i % 2 ? 0x5a : 0x6d;
	for (size_t i = 0; i < ARRAY_COUNT(published); i++) {
		tuple(out, published[i].src, published[i].dst, published[i].src_port,
		      published[i].dst_port);
		tuple(back, published[i].dst, published[i].src, published[i].dst_port,
		      published[i].src_port);
		assert_int_equal(toeplitz(key, out, 12), toeplitz(key, back, 12));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_gives_the_published_values),
		cmocka_unit_test(a_key_that_repeats_hashes_both_directions_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
