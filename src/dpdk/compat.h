// SPDX-License-Identifier: BSD-3-Clause
// Everything that differs between DPDK 22.11 and 25.11, and the only place that may say so. Files
// of dpdk/ include this instead of rte_ headers, and use no call that changed between those
// releases except by the names below. (pkt/pkt.h needs rte_mbuf_core.h alone, which did not.)
//
// Deliberately not used anywhere, because their signatures moved: pcapng, telemetry dictionaries,
// control threads, per-queue statistics, coremasks (-c).
#pragma once

#include <rte_config.h>

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(22, 11, 0, 0)
#error "Prism needs DPDK 22.11 or later"
#endif

// 22.11 to 24.07 refuse --in-memory together with --no-huge; plain memory asks for --no-shconf on
// every release instead, which leaves as little behind.
#define COMPAT_PLAIN_MEMORY_ARGS "--no-huge", "--no-shconf"

// The pool that no stopped thread blocks: a plugin of its own, librte_mempool_stack, on x86 with
// 16-byte compare-and-swap and on ARM.
#define COMPAT_LOCK_FREE_POOL "lf_stack"
// What rte_mempool_create_empty chooses before anybody else can: librte_mempool_ring.
#define COMPAT_FIRST_POOL "ring_mp_mc"

// Since 26.11 the call takes the size of the buffer.
static inline int compat_port_by_name(const char *name, uint16_t *port_id)
{
	return rte_eth_dev_get_port_by_name(name, port_id);
}

// The bytes of an mbuf that drivers register fields in begin where 22.11 put them; should a later
// release move them, pkt/pkt.h's static_assert fails first.
#define COMPAT_TIMESTAMP_FIELD_NAME RTE_MBUF_DYNFIELD_TIMESTAMP_NAME
