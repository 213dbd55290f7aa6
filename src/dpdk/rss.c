// SPDX-License-Identifier: BSD-3-Clause
// What a card says of how it deals out what it receives: key and indirection table of receive-side
// scaling, asked once the device runs. Called by port_dpdk.c for a port of several queues; whoever
// opens connections asks port.h for a local port whose answers come back to his own queue. A card
// that does not tell is no fault: answers are handed over then.
#include "dpdk/rss.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "dpdk/compat.h"
#include "wire/toeplitz.h"

static bool learn_key(uint16_t id, struct port_rss *rss)
{
	struct rte_eth_rss_conf conf = {.rss_key = rss->key, .rss_key_len = sizeof(rss->key)};

	// Without the ports in it all flows of two addresses come to one queue.
	return rte_eth_dev_rss_hash_conf_get(id, &conf) == 0 &&
	       conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_TCP &&
	       conf.rss_key_len >= TOEPLITZ_TCP4_BYTES + 4;
}

static bool learn_table(uint16_t id, uint16_t entries, struct port_rss *rss)
{
	struct rte_eth_rss_reta_entry64 part[PORT_RSS_ENTRIES_MAX / RTE_ETH_RETA_GROUP_SIZE];

	if (entries < RTE_ETH_RETA_GROUP_SIZE || entries > PORT_RSS_ENTRIES_MAX ||
	    !bits_is_pow2(entries))
		return false;
	memset(part, 0, sizeof(part));
	for (uint16_t i = 0; i < entries / RTE_ETH_RETA_GROUP_SIZE; i++)
		part[i].mask = UINT64_MAX;
	if (rte_eth_dev_rss_reta_query(id, part, entries))
		return false;
	for (uint16_t i = 0; i < entries; i++)
		rss->queue[i] = part[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
	rss->entries = entries;
	return true;
}

struct port_rss *rss_learn(uint16_t id)
{
	struct port_rss *rss = calloc(1, sizeof(*rss));
	struct rte_eth_dev_info info;

	if (rss && rte_eth_dev_info_get(id, &info) == 0 && learn_key(id, rss) &&
	    learn_table(id, info.reta_size, rss))
		return rss;
	free(rss);
	return NULL;
}
