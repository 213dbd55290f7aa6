// SPDX-License-Identifier: BSD-3-Clause
// Whether a queue of an interface is free for AF_XDP. The kernel frees one a little after its last
// user went (after a restart, say), and tells nobody when.
#pragma once

#include <stdint.h>

// -EBUSY: it is another's. 0: it is free, or this user may not know. Takes nothing where the card's
// driver has no zero-copy. Where it has, the queue is taken and given back, so ask only when it was
// not to be had.
int xdp_queue_busy(const char *interface, uint32_t queue);

// The same once it is free, or after a second.
int xdp_queue_await(const char *interface, uint32_t queue);
