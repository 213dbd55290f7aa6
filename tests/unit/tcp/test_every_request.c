// SPDX-License-Identifier: BSD-3-Clause
// Each request for a packet refused in turn, for every one of a connection's life: neighbours asked
// for, handshake, text both ways over a wire that loses some, end. Whichever it is, all arrives.
#include "duo.h"

#include "pkt/pool_heap.h"

#define BYTES 60000u

static void live(uint64_t n)
{
	struct tcp_config config = duo_config();
	struct pair_faults bad = {.delay_ns = NS_PER_MS, .loss_ppm = 30000};
	struct duo *d = duo_create_with(&config, &bad);

	duo_listen(d, 1, 80);
	pool_heap_fail_nth(n);
	duo_connect(d, 0, 0, 80);
	for (int i = 0; i < 2; i++)
		d->host[i].app.to_send = BYTES;
	for (int i = 0; i < 2; i++)
		d->host[i].app.close_when_sent = true;
	duo_run(d, 300 * NS_PER_S);
	for (int i = 0; i < 2; i++) {
		const struct app *a = &d->host[i].app;

		if (!a->in_order || a->received != BYTES || a->reason != PRISM_CLOSE_DONE)
			fail_msg("request %lu refused: host %d received %lu of %u, closed for %u",
				 (unsigned long)n, i, (unsigned long)a->received, BYTES, a->reason);
	}
	duo_destroy(d);
}

static void each_request_in_turn_may_be_refused(void **state)
{
	uint64_t count;

	(void)state;
	live(UINT64_MAX);
	count = pool_heap_fail_nth(0);
	assert_in_range(count, 100, 10000);
	for (uint64_t n = 1; n <= count; n++)
		live(n);
	pool_heap_fail_nth(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_in_turn_may_be_refused),
		DUO_TEST_IP6(each_request_in_turn_may_be_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
