// SPDX-License-Identifier: BSD-3-Clause
// What the programs that test ports on real devices share: a platform, two pools, opening.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "pkt/pool.h"
#include "port/platform.h"
#include "port/port.h"

static struct pool *rx_pool, *tx_pool;
static char dir[] = "/tmp/prism-ports-XXXXXX";

static void run(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void start_platform(const char *instance)
{
	struct platform_config config = {.instance = instance, .memory_mib = 96, .main_core = -1};
	struct platform_report report;
	struct pool_config rx = {.name = "rx", .pkts = 12287, .room_bytes = 2176, .numa_node = -1};
	struct pool_config tx = {.name = "tx", .pkts = 4095, .room_bytes = 2176, .numa_node = -1};

	if (platform_start(&config, &report)) {
		fprintf(stderr, "%s\n", err_last()->message);
		abort();
	}
	rx_pool = pool_create(&rx);
	tx_pool = pool_create(&tx);
	if (!rx_pool || !tx_pool)
		abort();
}

static int open_port(const char *device, struct port **port)
{
	struct port_report report;
	struct port_config config = {.name = "p0", .device = device, .rx_pool = rx_pool};

	config.kernel_addresses[0].addr = addr_from_v4_octets(198, 18, 0, 1);
	config.kernel_addresses[0].prefix_len = 24;
	config.kernel_address_count = strncmp(device, "tap:", 4) == 0;
	return port_open(&config, port, &report);
}

static struct port *must_open(const char *device)
{
	struct port *port;

	if (open_port(device, &port))
		fail_msg("%s: %s", device, err_last()->message);
	return port;
}

static void must_refuse(const char *device, enum err id)
{
	struct port *port;

	assert_true(open_port(device, &port) < 0);
	assert_string_equal(err_infos[err_last()->id].name, err_infos[id].name);
}
