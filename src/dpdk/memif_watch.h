// SPDX-License-Identifier: BSD-3-Clause
// Keeps memif's control channel and its data path apart, and clients trying to connect.
#pragma once

#include <stdbool.h>

#include "dpdk/port_dpdk.h"

// Takes over a port whose gate is shut: starts it, opens the gate whenever traffic is safe. 0 or
// -errno; a client whose server is not there yet is no error.
int memif_watch_add(struct dpdk_port *p);

// Stops and closes its device; its gate is shut from then on.
void memif_watch_remove(struct dpdk_port *p);
