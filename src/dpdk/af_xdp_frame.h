// SPDX-License-Identifier: BSD-3-Clause
// What AF_XDP makes of a packet of the pool: for port_af_xdp.c, and probe.c, which says how large
// the packets must be.
#pragma once

// What the kernel keeps of each packet, in front of the frame (XDP_PACKET_HEADROOM).
#define AF_XDP_FRONT_BYTES 256

// Of a packet the kernel takes one page at most: the frame, what it keeps, the heads of DPDK's
// packet (some 330 bytes), and up to two lines by which DPDK spreads packets over the memory's
// channels.
#define AF_XDP_MTU_BYTES_MAX 3328
