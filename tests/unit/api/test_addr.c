// SPDX-License-Identifier: BSD-3-Clause
// Endpoints as text: what is accepted, and that a refusal leaves the caller's struct alone.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <prismnet/addr.h>

static void an_address_and_a_port_are_read(void **state)
{
	struct prism_endpoint e;
	char text[PRISM_ADDR_TEXT_BYTES];

	(void)state;
	assert_int_equal(prism_endpoint_parse("198.18.0.2:80", &e), 0);
	assert_int_equal(e.port, 80);
	assert_string_equal(prism_addr_format(&e.addr, text), "198.18.0.2");
	assert_int_equal(prism_endpoint_parse("[2001:db8::1]:443", &e), 0);
	assert_int_equal(e.port, 443);
	assert_string_equal(prism_addr_format(&e.addr, text), "2001:db8::1");
}

static void nonsense_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {"",
					  ":",
					  ":80",
					  "198.18.0.2",
					  "198.18.0.2:",
					  "198.18.0.2:x",
					  "198.18.0.2:65536",
					  "198.18.0.2:-1",
					  "198.18.0:80",
					  "198.18.0.2: 80",
					  "[::1:80",
					  "host:80"};
	struct prism_endpoint e, before;

	(void)state;
	memset(&e, 0x5a, sizeof(e));
	before = e;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(prism_endpoint_parse(bad[i], &e), -EINVAL);
		assert_memory_equal(&e.addr, &before.addr, sizeof(e.addr));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_and_a_port_are_read),
		cmocka_unit_test(nonsense_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
