// SPDX-License-Identifier: BSD-3-Clause
// Samples of what passes a port, for the flight recorder (observe/verdict.h): of each way one
// packet in env->sample_one_in, drawn at random distances, so that nothing that comes in step is
// always drawn or never (RFC 5475 5.2.2). A port counts packets down to the next one. While
// somebody captures (pkt/taping.h) all are looked at here.
#pragma once

#include "port/port.h"

// A burst in which the next one to be drawn is, after it was received.
void sample_received(const struct env *env, struct port *port, struct pkt *const *pkts,
		     uint32_t count);

// The same of count staged packets that were not offered to the device before.
void sample_staged(const struct env *env, struct port *port, uint32_t count);

// Another rate holds from now on, or a capture began or ended.
void sample_again(struct port *port);
