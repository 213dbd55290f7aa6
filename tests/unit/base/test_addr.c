// SPDX-License-Identifier: BSD-3-Clause
// Text forms of addresses, against the examples of RFC 5952 and RFC 4291.
#include "base/addr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"

static const char *round_trip(const char *text)
{
	static char out[ADDR_TEXT_BYTES];
	struct addr a;

	assert_true(addr_parse(text, &a));
	return addr_format(&a, out);
}

static void ipv4_is_dotted_decimal_and_lies_mapped(void **state)
{
	struct addr a, b = addr_from_v4_octets(198, 18, 0, 2);

	assert_true(addr_parse("198.18.0.2", &a));
	assert_true(addr_equal(&a, &b));
	assert_true(addr_is_v4(&a));
	assert_int_equal(be32_get(addr_to_v4(&a)), 0xc6120002);
	assert_string_equal(round_trip("198.18.0.2"), "198.18.0.2");
	assert_string_equal(round_trip("0.0.0.0"), "0.0.0.0");
	assert_string_equal(round_trip("255.255.255.255"), "255.255.255.255");
	assert_string_equal(round_trip("::ffff:192.0.2.1"), "192.0.2.1");
}

static void ipv6_is_written_as_rfc5952_wants(void **state)
{
	static const struct {
		const char *text, *canonical;
	} pairs[] = {
		{"2001:0db8:0000:0000:0001:0000:0000:0001",
		 "2001:db8::1:0:0:1"},                           // 4.2.3, first of equals
		{"2001:0db8::0001", "2001:db8::1"},              // 4.1
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},       // 4.2.1
		{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, // 4.2.2
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},         // 4.2.3, the longest
		{"2001:DB8::A", "2001:db8::a"},                  // 4.3
		{"0:0:0:0:0:0:0:0", "::"},
		{"::1", "::1"},
		{"fe80::", "fe80::"},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
		{"0:0:1:2:3:4:0:0", "::1:2:3:4:0:0"},
		{"1:0:0:2:3:4:5:6", "1::2:3:4:5:6"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};

	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++)
		assert_string_equal(round_trip(pairs[i].text), pairs[i].canonical);
}

static void nonsense_is_refused_and_leaves_the_target_alone(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"1.2.3.4 ",
		"01.2.3.4",
		"1:2",
		":::",
		"g::",
		"1::2::3",
		"1:2:3:4:5:6:7:8:9",
		"2001:db8::1/64",
		"-1.2.3.4",
		"12345::",
	};
	struct addr a;

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		memset(&a, 0x5a, sizeof(a));
		assert_false(addr_parse(bad[i], &a));
		for (size_t k = 0; k < sizeof(a.byte); k++)
			assert_int_equal(a.byte[k], 0x5a);
	}
}

static void any_is_all_zero_in_either_family(void **state)
{
	struct addr a;

	assert_true(addr_parse("::", &a));
	assert_true(addr_is_any(&a));
	assert_true(addr_parse("0.0.0.0", &a));
	assert_true(addr_is_any(&a));
	assert_true(addr_parse("::1", &a));
	assert_false(addr_is_any(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_is_dotted_decimal_and_lies_mapped),
		cmocka_unit_test(ipv6_is_written_as_rfc5952_wants),
		cmocka_unit_test(nonsense_is_refused_and_leaves_the_target_alone),
		cmocka_unit_test(any_is_all_zero_in_either_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
