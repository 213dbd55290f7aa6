// SPDX-License-Identifier: BSD-3-Clause
// Pools that need no EAL: for the simulator, in the command that also runs on DPDK.
#pragma once

#include <stdbool.h>

#include "pkt/pool.h"

struct rte_mempool;

// A pool of plain heap that pool_get and pool_put handle as any other, or NULL with err_set.
struct rte_mempool *pool_plain_create(const struct pool_config *config);

bool pool_is_plain(const struct rte_mempool *pool);

// All packets must be back.
void pool_plain_destroy(struct rte_mempool *pool);
