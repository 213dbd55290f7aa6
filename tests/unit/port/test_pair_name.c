// SPDX-License-Identifier: BSD-3-Clause
// Pairs by name: pair:NAME, opened by two stacks of one process.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "pkt/pool.h"
#include "port/pair.h"

static void second_opener_of_a_name_gets_the_other_end(void **state)
{
	struct pool_config pool_config = {.name = "test", .pkts = 64, .room_bytes = 2048};
	struct pool *pool = pool_create(&pool_config);
	struct port_config config = {.name = "p0", .device = "pair:x,seed=3", .rx_pool = pool};
	struct port *a, *b, *c;
	struct port_report report;
	struct pkt *p = pkt_alloc(pool);

	assert_int_equal(port_open(&config, &a, &report), 0);
	config.name = "p1";
	config.device = "pair:x";
	assert_int_equal(port_open(&config, &b, &report), 0);
	assert_string_equal(b->name, "p1");
	assert_string_equal(report.chosen, "a wire inside this process, end 1 of pair x");
	memset(pkt_append(p, 100), 1, 100);
	assert_int_equal(a->ops->tx(a, &p, 1), 1);
	assert_int_equal(b->ops->rx(b, &p, 1), 1);
	pkt_free(p);
	port_close(a);
	port_close(b);
	// The name is free again, and this is a new wire.
	assert_int_equal(port_open(&config, &c, &report), 0);
	assert_int_equal(port_open(&config, &a, &report), 0);
	assert_int_equal(c->ops->rx(c, &p, 1), 0);
	port_close(c);
	port_close(a);
	pool_destroy(pool);
}

static void end_that_nobody_met_closes_and_frees_its_name(void **state)
{
	struct port_config config = {.name = "p0", .device = "pair:lonely"};
	struct port *a, *b;
	struct port_report report;

	assert_int_equal(port_open(&config, &a, &report), 0);
	port_close(a);
	assert_int_equal(port_open(&config, &b, &report), 0);
	assert_string_equal(report.chosen, "a wire inside this process, end 0 of pair lonely");
	port_close(b);
}

static void nonsense_after_the_name_is_refused_by_name(void **state)
{
	const char *devices[] = {"pair:",
				 "pair:x,loss=3",
				 "pair:x,loss_ppm=",
				 "pair:x,loss_ppm=2000000",
				 "pair:x,loss_ppm=1x",
				 "pair:a-name-that-is-far-too-long-for-anyone"};
	struct port *port;
	struct port_report report;

	for (size_t i = 0; i < ARRAY_COUNT(devices); i++) {
		struct port_config config = {.name = "p0", .device = devices[i]};

		assert_int_equal(port_open(&config, &port, &report), -EINVAL);
		assert_int_equal(err_last()->id, ERR_PAIR_OPTION);
	}
	struct port_config config = {.name = "p0", .device = "tap:x"};

	assert_int_equal(port_open(&config, &port, &report), -ENODEV);
	assert_int_equal(err_last()->id, ERR_PORT_NEEDS_DPDK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_opener_of_a_name_gets_the_other_end),
		cmocka_unit_test(end_that_nobody_met_closes_and_frees_its_name),
		cmocka_unit_test(nonsense_after_the_name_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
