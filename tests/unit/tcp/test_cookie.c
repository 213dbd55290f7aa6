// SPDX-License-Identifier: BSD-3-Clause
#include "peer.h"
#include "tcp/cookie.h"
#include "tcp/isn.h"

static const struct addr *local(void)
{
	static struct addr a;

	a = addr_from_v4_octets(198, 18, 0, 2);
	return &a;
}

static struct flow flow_from(const struct addr *remote, uint16_t port)
{
	return (struct flow){local(), remote, 80, port};
}

static void a_cookie_is_good_for_its_flow_and_number_alone(void **state)
{
	struct peer *b = peer_create();
	struct addr remote = addr_from_v4_octets(198, 18, 0, 1);
	struct addr other = addr_from_v4_octets(198, 18, 0, 3);
	struct flow f = flow_from(&remote, 5000), g = flow_from(&remote, 5001),
		    h = flow_from(&other, 5000);
	uint32_t iss = cookie_make(b->tcp, &f, 77, 1460);
	uint16_t mss = 0;

	(void)state;
	assert_true(cookie_read(b->tcp, &f, 77, iss, &mss));
	assert_int_equal(mss, 1460);
	assert_false(cookie_read(b->tcp, &f, 78, iss, &mss));
	assert_false(cookie_read(b->tcp, &g, 77, iss, &mss));
	assert_false(cookie_read(b->tcp, &h, 77, iss, &mss));
	assert_false(cookie_read(b->tcp, &f, 77, iss ^ 1, &mss));
	assert_false(cookie_read(b->tcp, &f, 77, iss ^ 1 << 24, &mss)); // another MSS
	peer_destroy(b);
}

static void a_cookie_ends_after_one_to_two_minutes(void **state)
{
	struct peer *b = peer_create();
	struct addr remote = addr_from_v4_octets(198, 18, 0, 1);
	struct flow f = flow_from(&remote, 5000);
	uint32_t iss = cookie_make(b->tcp, &f, 1, 1460);
	uint16_t mss;

	(void)state;
	b->env.now_ns += 68 * NS_PER_S;
	assert_true(cookie_read(b->tcp, &f, 1, iss, &mss));
	b->env.now_ns += 70 * NS_PER_S;
	assert_false(cookie_read(b->tcp, &f, 1, iss, &mss));
	peer_destroy(b);
}

static void an_mss_is_never_made_larger(void **state)
{
	struct peer *b = peer_create();
	struct addr remote = addr_from_v4_octets(198, 18, 0, 1);
	struct flow f = flow_from(&remote, 5000);

	(void)state;
	for (uint32_t asked = 64; asked < 10000; asked += 3) {
		uint32_t iss = cookie_make(b->tcp, &f, asked, (uint16_t)asked);
		uint16_t mss = 0;

		assert_true(cookie_read(b->tcp, &f, asked, iss, &mss));
		assert_in_range(mss, 64, asked);
		assert_true(asked < 536 || mss >= 536);
	}
	peer_destroy(b);
}

// One in 2^24 of random numbers would be good, times two periods.
static void numbers_at_random_are_no_cookies(void **state)
{
	struct peer *b = peer_create();
	struct addr remote = addr_from_v4_octets(198, 18, 0, 1);
	struct flow f = flow_from(&remote, 5000);
	uint32_t good = 0;
	struct rng rng;
	uint16_t mss;

	(void)state;
	rng_seed(&rng, 3);
	for (uint32_t i = 0; i < 200000; i++)
		good += cookie_read(b->tcp, &f, 9, (uint32_t)rng_next(&rng), &mss);
	assert_in_range(good, 0, 2);
	peer_destroy(b);
}

static void a_timestamp_brings_the_options_back_and_is_not_ahead(void **state)
{
	struct peer *b = peer_create();

	(void)state;
	for (uint32_t scale = 0; scale <= TCP_SCALE_MAX + 1; scale++) {
		for (uint32_t flags = 0; flags < 4; flags++) {
			bool sack = flags & 1, ecn = flags & 2;
			struct tcp_options o = {.has_scale = scale <= TCP_SCALE_MAX,
						.scale = (uint8_t)scale,
						.has_sack = sack},
					   back = {0};
			uint32_t ts, now = isn_ts_now(&b->env);

			b->env.now_ns += 17 * NS_PER_MS;
			now = isn_ts_now(&b->env);
			ts = cookie_ts_make(&b->env, &o, ecn);
			assert_int_equal(cookie_ts_read(ts, &back), ecn);
			assert_in_range(now - ts, 0, 127);
			assert_int_equal(back.has_scale, o.has_scale);
			assert_int_equal(back.scale, o.has_scale ? scale : 0);
			assert_int_equal(back.has_sack, sack);
		}
	}
	peer_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_is_good_for_its_flow_and_number_alone),
		cmocka_unit_test(a_cookie_ends_after_one_to_two_minutes),
		cmocka_unit_test(an_mss_is_never_made_larger),
		cmocka_unit_test(numbers_at_random_are_no_cookies),
		cmocka_unit_test(a_timestamp_brings_the_options_back_and_is_not_ahead),
	};

	return run_peer_tests(tests);
}
