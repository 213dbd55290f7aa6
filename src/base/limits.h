// SPDX-License-Identifier: BSD-3-Clause
// Fixed sizes of the house, each defended where it stands. What a user may want to change is in
// the configuration instead.
#pragma once

// Ports one process serves. An array index in every packet's arrival record; 16 covers two
// dual-port cards with four virtual functions each.
#define PORTS_MAX 16

// Threads that drive one instance: a bit each in a word that says who listens on a port.
#define WORKERS_MAX 64

// Packets handled as one batch. 64 descriptors keep the burst's headers (64 lines) inside L1
// while hiding memory latency.
#define BURST_PKTS 64

// Addresses on one port.
#define PORT_ADDRESSES_MAX 8

// What a port may carry: the least every host takes (RFC 791), and jumbo frames as cards have them.
#define MTU_BYTES_MIN 576
#define MTU_BYTES_MAX 9216

// Bytes in front of every packet for headers we have yet to write: ethernet with a VLAN tag (18),
// IPv6 (40), TCP with all options (60) make 118; IPv4 with a source route (60) and a SYN-ACK
// without text (52 at most) 130, of packets that we make. It is also what DPDK drivers leave on
// receive.
#define PKT_HEADROOM_BYTES 128

// The same in packets we make. Ethernet, IPv4 and TCP with timestamps are 66 bytes: with 8 bytes
// more they begin inside the room's second cache line instead of with two bytes in its first.
#define PKT_FRONT_BYTES (PKT_HEADROOM_BYTES + 8)
