// SPDX-License-Identifier: BSD-3-Clause
// Both ways at once over a wire that loses, doubles, reorders and corrupts: whatever happens,
// what arrives is a prefix of what was sent; and once the wire heals, all of it arrives and both
// sides end. A short run of what the simulator does at length; PRISM_SEED chooses another one.
#include "duo.h"

#define SEEDS 40

static void each_seed(void (*run)(uint64_t seed))
{
	const char *seed = getenv("PRISM_SEED");

	for (uint64_t i = 1; !seed && i <= SEEDS; i++)
		run(i);
	if (seed)
		run(strtoull(seed, NULL, 0));
}

static struct duo *start(uint64_t seed, struct tcp_config *config)
{
	struct rng rng;

	rng_seed(&rng, seed);
	struct pair_faults f = {
		.delay_ns = rng_below(&rng, 20 * NS_PER_MS),
		.jitter_ns = rng_below(&rng, NS_PER_MS),
		.reorder_ns = rng_below(&rng, 5 * NS_PER_MS),
		.loss_ppm = (uint32_t)rng_below(&rng, 100000),
		.duplicate_ppm = (uint32_t)rng_below(&rng, 50000),
		.reorder_ppm = (uint32_t)rng_below(&rng, 100000),
		.corrupt_ppm = (uint32_t)rng_below(&rng, 20000),
	};

	config->receive_bytes_max = 4096u << rng_below(&rng, 9);
	config->send_bytes_max = 8192u << rng_below(&rng, 8);
	struct duo *d = duo_create_with(config, &f);

	for (int i = 0; i < 2; i++) {
		rng_seed(&d->host[i].env.rng, rng_next(&rng));
		d->host[i].app.to_send = 1 + rng_below(&rng, 400000);
		d->host[i].app.step_bytes = (uint32_t)(1 + rng_below(&rng, 2048));
	}
	return d;
}

static void check_prefix(struct duo *d, uint64_t seed)
{
	for (int i = 0; i < 2; i++) {
		if (!d->host[i].app.in_order)
			fail_msg("PRISM_SEED=%lu: host %d got other bytes than were sent",
				 (unsigned long)seed, i);
	}
}

static void finish(struct duo *d, uint64_t seed)
{
	duo_set_faults(d, &(struct pair_faults){.delay_ns = NS_PER_MS});
	for (int i = 0; i < 2; i++)
		d->host[i].app.close_when_sent = true;
	duo_run(d, 400 * NS_PER_S);
	for (int i = 0; i < 2; i++) {
		if (d->host[i].app.received != d->host[1 - i].app.to_send)
			fail_msg("PRISM_SEED=%lu: host %d received %lu of %lu", (unsigned long)seed,
				 i, (unsigned long)d->host[i].app.received,
				 (unsigned long)d->host[1 - i].app.to_send);
		if (d->host[i].app.reason != PRISM_CLOSE_DONE)
			fail_msg("PRISM_SEED=%lu: host %d closed for reason %u",
				 (unsigned long)seed, i, d->host[i].app.reason);
	}
	check_prefix(d, seed);
}

static void one_run(uint64_t seed)
{
	struct tcp_config config = duo_config();
	struct duo *d = start(seed, &config);

	duo_listen(d, 1, 80);
	duo_connect(d, 0, 0, 80);
	for (int step = 0; step < 20; step++) {
		duo_run(d, NS_PER_S);
		check_prefix(d, seed);
	}
	finish(d, seed);
	duo_destroy(d);
}

static void a_bad_wire_delays_and_never_changes(void **state)
{
	(void)state;
	each_seed(one_run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_wire_delays_and_never_changes),
		DUO_TEST_IP6(a_bad_wire_delays_and_never_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
