// SPDX-License-Identifier: BSD-3-Clause
// A port on an ethdev: what all kinds share, and what each kind adds.
#pragma once

#include "dpdk/compat.h"
#include "dpdk/device.h"
#include "dpdk/memif_door.h"
#include "dpdk/memif_tx.h"
#include "port/port.h"
#include "sync/gate.h"

struct dpdk_port;

// How a kind of device string becomes an ethdev. Filled in by the kind, read by port_dpdk.c.
struct plan {
	uint32_t tries;      // in vain, before this one
	bool pci;            // probed by EAL at start; otherwise made now on the vdev bus
	char name[64];       // of the DPDK device
	char args[512];      // its arguments
	char chosen[160];    // for the report
	char cost[200];      // what choosing this kind costs
	uint32_t flags;      // port flags the kind has by itself
	bool mtu_is_ours;    // the driver knows nothing of an MTU
	bool no_offloads;    // the driver does them in software, no better than Prism
	uint16_t queue_pkts; // descriptors when the configuration says nothing
	uint16_t queues_max; // that Prism uses of the kind, 0: 1
	bool rss;            // the driver deals packets out by a hash that it is told

	// af_xdp alone
	const char *interface, *program;
	uint32_t queue_first, busy_budget;
	bool force_copy;
	uint16_t mtu_bytes;     // the device's own, 0: 1500
	uint32_t mtu_bytes_max; // what the kind takes, 0: whatever the driver says

	// memif alone
	bool client;
	bool zero_copy;
	uint32_t ring_slots;
};

struct kind {
	const char *name;
	const char *form; // shown when the string is wrong
	const char *const
		*options; // NULL-terminated; NULL: everything after the colon is the target
	int (*plan)(struct plan *plan, const struct device *device,
		    const struct port_config *config);
	// Where each queue is a device of its own: name and arguments of one. May be NULL.
	void (*plan_queue)(struct plan *plan, uint32_t index);
	// Starts the device where rte_eth_dev_start alone is not the way. May be NULL.
	int (*start)(struct dpdk_port *p, const struct plan *plan);
	// Once the device runs: the kernel's end, addresses. May be NULL.
	int (*started)(struct dpdk_port *p, const struct port_config *config);
	// Before the device goes. May be NULL.
	void (*closing)(struct dpdk_port *p);
	// After it went: what the driver leaves behind. May be NULL.
	void (*closed)(struct dpdk_port *p);
	const struct port_ops *ops;
};

struct dpdk_port {
	struct port port;
	uint16_t id;    // ethdev's
	uint16_t queue; // of it
	uint16_t device_queues;
	bool started;
	bool pci;
	const struct kind *kind;
	struct rte_mempool *rx_pool;
	char name[64];    // of the DPDK device
	char target[128]; // of the device string

	// af_xdp alone
	int socket_fd[WORKERS_MAX]; // the driver's, of the first sockets_count queues
	uint16_t socket_count;
	bool unclaimed; // the kernel may not be done with what was sent
	int groups_fd;  // as long as it is open all groups come; 0: they are not asked for
	uint16_t mtu_bytes_before; // the interface's, 0: it was not changed

	// memif alone
	bool client;
	bool zero_copy;
	bool watched;
	bool leaving;
	bool has_door;
	int memory_fd;          // of packet memory, the number EAL knows; -1 without zero copy
	int memory_fd_kept;     // a duplicate of it
	uint64_t retry_ns;      // when a client without a server tries again
	uint64_t patience_ns;   // how long its next handshake may take
	struct memif_door door; // a server's
	uint32_t empty_looks;
	struct memif_tx tx; // with zero copy
	struct gate gate;
};

static inline struct dpdk_port *to_dpdk_port(struct port *port)
{
	return CONTAINER_OF(port, struct dpdk_port, port);
}

uint16_t ethdev_rx(struct port *port, struct pkt **pkts, uint16_t count);
uint16_t ethdev_tx(struct port *port, struct pkt **pkts, uint16_t count);
void ethdev_close(struct port *port);

extern const struct port_ops ethdev_ops;
extern const struct kind kind_tap, kind_memif, kind_af_xdp, kind_pcap, kind_vdev, kind_null,
	kind_ring, kind_pci;
