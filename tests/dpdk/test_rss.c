// SPDX-License-Identifier: BSD-3-Clause
// What a device says of how it deals out, and that our hash is the one DPDK has for it. The device
// is net_null, which keeps a key and a table and deals nothing.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <rte_thash.h>
#include <cmocka.h>

#include "base/rand.h"
#include "dpdk/compat.h"
#include "dpdk/rss.h"
#include "pkt/pool.h"
#include "wire/toeplitz.h"

#define QUEUES 3
#define KEY_BYTES 40

static uint8_t key[KEY_BYTES];

// A running device of several queues that hashes by types; its number.
static uint16_t start_device(const char *name, struct pool *pool, uint64_t types)
{
	struct rte_eth_conf conf = {
		.rxmode = {.mq_mode = RTE_ETH_MQ_RX_RSS},
		.rx_adv_conf = {.rss_conf = {key, KEY_BYTES, types}},
	};
	uint16_t id;

	assert_int_equal(rte_eal_hotplug_add("vdev", name, ""), 0);
	assert_int_equal(compat_port_by_name(name, &id), 0);
	assert_int_equal(rte_eth_dev_configure(id, QUEUES, QUEUES, &conf), 0);
	for (uint16_t i = 0; i < QUEUES; i++) {
		assert_int_equal(rte_eth_rx_queue_setup(id, i, 64, SOCKET_ID_ANY, NULL,
							(struct rte_mempool *)pool),
				 0);
		assert_int_equal(rte_eth_tx_queue_setup(id, i, 64, SOCKET_ID_ANY, NULL), 0);
	}
	assert_int_equal(rte_eth_dev_start(id), 0);
	assert_int_equal(
		rte_eth_dev_rss_hash_update(id, &(struct rte_eth_rss_conf){key, KEY_BYTES, types}),
		0);
	return id;
}

static void stop_device(const char *name, uint16_t id)
{
	rte_eth_dev_stop(id);
	assert_int_equal(rte_eal_hotplug_remove("vdev", name), 0);
}

static void write_table(uint16_t id, uint16_t entries)
{
	struct rte_eth_rss_reta_entry64 part[PORT_RSS_ENTRIES_MAX / RTE_ETH_RETA_GROUP_SIZE] = {0};

	for (uint16_t i = 0; i < entries; i++) {
		part[i / RTE_ETH_RETA_GROUP_SIZE].mask = UINT64_MAX;
		part[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] =
			(uint16_t)(i * 7 % QUEUES);
	}
	assert_int_equal(rte_eth_dev_rss_reta_update(id, part, entries), 0);
}

static void key_and_table_are_learnt_from_the_device(void **state)
{
	struct pool *pool =
		pool_create(&(struct pool_config){"rss", .pkts = 1024, .room_bytes = 256, -1});
	struct rte_eth_dev_info info;
	struct port_rss *rss;
	uint16_t id;

	for (uint32_t i = 0; i < KEY_BYTES; i++)
		key[i] = (uint8_t)(i * 37 + 11);
	id = start_device("net_null_rss", pool, RTE_ETH_RSS_NONFRAG_IPV4_TCP);
	assert_int_equal(rte_eth_dev_info_get(id, &info), 0);
	write_table(id, info.reta_size);
	rss = rss_learn(id);
	assert_non_null(rss);
	assert_memory_equal(rss->key, key, KEY_BYTES);
	assert_int_equal(rss->entries, info.reta_size);
	for (uint16_t i = 0; i < rss->entries; i++)
		assert_int_equal(rss->queue[i], i * 7 % QUEUES);
	free(rss);
	stop_device("net_null_rss", id);
	pool_destroy(pool);
}

// Then all flows between two hosts come to one queue, and no port is better than another.
static void a_device_that_hashes_addresses_alone_is_not_known(void **state)
{
	struct pool *pool =
		pool_create(&(struct pool_config){"rss", .pkts = 1024, .room_bytes = 256, -1});
	uint16_t id = start_device("net_null_rss", pool, RTE_ETH_RSS_IPV4);

	assert_null(rss_learn(id));
	stop_device("net_null_rss", id);
	pool_destroy(pool);
}

static void our_hash_is_dpdks(void **state)
{
	struct rng rng;

	rng_seed(&rng, 1);
	for (uint32_t i = 0; i < 10000; i++) {
		uint32_t host_order[3];
		uint8_t bytes[TOEPLITZ_TCP4_BYTES];

		for (uint32_t k = 0; k < KEY_BYTES; k++)
			key[k] = (uint8_t)rng_next(&rng);
		for (uint32_t k = 0; k < 3; k++) {
			be32 word;

			host_order[k] = (uint32_t)rng_next(&rng);
			word = be32_of(host_order[k]);
			memcpy(bytes + 4 * k, &word, 4);
		}
		assert_int_equal(toeplitz(key, bytes, sizeof(bytes)),
				 rte_softrss(host_order, 3, key));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_and_table_are_learnt_from_the_device),
		cmocka_unit_test(a_device_that_hashes_addresses_alone_is_not_known),
		cmocka_unit_test(our_hash_is_dpdks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
