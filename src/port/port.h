// SPDX-License-Identifier: BSD-3-Clause
// A port: where packets come from and go to. On the hot path it is two calls, rx and tx.
//
// pair and the test ports live here; tap, af_xdp, memif, pci, pcap and vdev are dpdk/'s. Nobody
// above knows which one it has; what differs is said in the capabilities.
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/bits.h"
#include "base/env.h"
#include "base/limits.h"
#include "pkt/pkt.h"

struct port;

struct port_ops {
	// Up to count packets into pkts; the caller owns them. Never blocks.
	uint16_t (*rx)(struct port *port, struct pkt **pkts, uint16_t count);
	// Takes the first n of count packets and returns n. Never blocks.
	uint16_t (*tx)(struct port *port, struct pkt **pkts, uint16_t count);
	// Ends the port and releases all it holds. May be NULL.
	void (*close)(struct port *port);
};

enum port_flag {
	PORT_TX_IP_CHECKSUM = 1 << 0,  // granted: the port fills in the IPv4 header checksum
	PORT_TX_TCP_CHECKSUM = 1 << 1, // granted: TCP checksum from the pseudo-header sum
	PORT_TX_UDP_CHECKSUM = 1 << 2,
	PORT_TX_TSO = 1 << 3,
	PORT_TX_CHAINS = 1 << 4,           // packets of several segments may be sent as they are
	PORT_RX_CHECKSUM = 1 << 5,         // received packets say whether their checksums were good
	PORT_RX_PARTIAL_CHECKSUM = 1 << 6, // the peer may hand over unfinished checksums (veth)
	PORT_RX_IN_MEMORY = 1 << 7,        // an empty rx costs a look into memory, no system call
	PORT_RELAY = 1 << 8,               // it sends by way of another worker's queue (mesh.h)
	PORT_FEW_QUEUES = 1 << 9, // fewer than workers: who receives deals new flows out to all
	PORT_ANSWERS_RETURN = 1 << 10, // a flow's answers come to the queue it last left by
	PORT_TX_CHEAP = 1 << 11,       // a tx costs so little that there may be several a turn
};

// How a device deals received segments out to its queues: by their Toeplitz hash under key
// (wire/toeplitz.h), the low bits of which are the index of an entry.
#define PORT_RSS_ENTRIES_MAX 2048

struct port_rss {
	uint8_t key[52];
	uint32_t entries; // a power of two
	uint16_t queue[PORT_RSS_ENTRIES_MAX];
};

// Packets waiting for tx between two flushes, a power of two. A full turn's output fits many times
// over. TCP stops making packets for a port whose stage has less than PORT_ROOM_PKTS left, so that
// a full device means waiting, not loss; the rest of the stage is for what cannot wait.
#define PORT_STAGE_PKTS 1024
#define PORT_ROOM_PKTS 256

// From a port with PORT_TX_CHEAP so many leave in the middle of a turn when one more comes: the
// other side begins while we go on. So it is after a full burst behind one that was not; anything
// else is cheaper by one call for all (docs/adr/0021).
#define PORT_EARLY_PKTS 32

struct port {
	const struct port_ops *ops;
	void *driver; // the implementation's own
	uint32_t flags;
	uint16_t index;             // in the stack's array, set by whoever adds it
	uint16_t queue_count;       // of the device, one for each worker it has one for; 0 means 1
	struct port **queues;       // of queue_count ports, this one first; NULL: it has one queue
	uint16_t queue_index;       // which of them this is
	const struct port_rss *rss; // of the device, NULL: not known
	uint16_t mtu_bytes;
	uint16_t tso_bytes_max; // payload bytes of one TSO packet, 0 without TSO
	uint16_t tx_segs_max;   // segments one packet may have, at least 1
	uint8_t mac[6];
	char name[32];   // the configuration's name
	char device[96]; // "tap:prism0"

	uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
	uint32_t rx_until, tx_until; // packets before the next that somebody wants (sample.h)
	uint32_t rx_next, tx_next;   // that is sampled, while all are captured
	uint32_t stage_first;        // the oldest staged packet: an index into stage
	uint32_t stage_count;        // packets staged, a ring from stage_first on
	uint32_t stage_less;   // places of it not used: a smaller stage is full, and leaves, sooner
	bool was_full;         // the last look at the device found a whole burst
	uint32_t early_pkts;   // that left since the last flush
	uint32_t queued_count; // of them, those the queued gauge knows of: refused by the device
	struct pkt *stage[PORT_STAGE_PKTS];
	uint32_t stage_bytes[PORT_STAGE_PKTS]; // their lengths: once sent, a packet is not ours to
					       // ask
};

// Queues of a device are ports of their own, for a worker each: this one is the first, and closing
// it closes them all. NULL when there are not so many.
static inline struct port *port_queue(struct port *port, uint32_t index)
{
	if (index == 0)
		return port;
	return index < port->queue_count ? port->queues[index] : NULL;
}

// True when a sender that can wait may stage more.
static inline bool port_has_room(const struct port *port)
{
	return port->stage_count <= PORT_STAGE_PKTS - PORT_ROOM_PKTS;
}

// Receives a burst and counts it.
uint16_t port_rx(const struct env *env, struct port *port, struct pkt **pkts, uint16_t count);

// Takes one packet for transmission, at the end of the turn at the latest; when the stage is full
// it is flushed, and what the device still refuses is dropped as DROP_TX_RING_FULL.
void port_tx(const struct env *env, struct port *port, struct pkt *p);

// Hands what is staged, at least one packet, to the device. Returns how many it took; what a full
// device refuses stays, counted as queued, and is offered again by the next flush.
uint32_t port_tx_staged(const struct env *env, struct port *port);

// The same, if there is any; counts what left early, too.
static inline uint32_t port_tx_flush(const struct env *env, struct port *port)
{
	uint32_t early = port->early_pkts;

	port->early_pkts = 0;
	return early + (port->stage_count ? port_tx_staged(env, port) : 0);
}

// Drops what is still staged; before the port is closed.
void port_tx_discard(const struct env *env, struct port *port);

struct port_config {
	const char *name;
	const char *device;   // "tap:prism0", "memif:/run/x.sock,role=client", "pair:a", ...
	uint16_t mtu_bytes;   // 0 for the device's own
	uint16_t queue_pkts;  // descriptors a ring, 0 for the default
	uint16_t queues;      // each way, one a worker; 0: 1. The device may have fewer
	struct pool *rx_pool; // where received packets come from
	bool allow_default_route_device; // take a card even when the machine's default route uses
					 // it
	struct {
		struct addr addr;
		uint8_t prefix_len;
	} kernel_addresses[PORT_ADDRESSES_MAX]; // tap only: the kernel's end
	uint32_t kernel_address_count;
};

// What the start-up line says of a port.
struct port_report {
	char chosen[160];  // driver and mode: "net_tap, interface prism0"
	char granted[160]; // offloads asked and granted
	char refused[160]; // asked and refused
	char cost[200];    // what that costs, in words
};

// Opens any device string: the factory of the linked platform (dpdk/port_dpdk.c, or
// port/port_heap.c, which knows pair only). 0 or a negative errno with err_set.
int port_open(const struct port_config *config, struct port **port, struct port_report *report);
void port_close(struct port *port);
