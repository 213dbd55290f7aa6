// SPDX-License-Identifier: BSD-3-Clause
// What DPDK says: caught, kept, and passed on when it matters.
#pragma once

// From now on DPDK's lines come here instead of to stdout and syslog. 0 or -errno.
int eal_log_capture(void);

// The libraries under the AF_XDP driver, when it has loaded them, log here as well. Prism itself
// does not link them.
void eal_log_capture_bpf(void);

// Between hold and release lines are kept back: whoever called DPDK is about to know whether it
// worked. A success passes warnings on to stderr, tagged "dpdk:"; a failure has quoted them.
void eal_log_hold(void);
void eal_log_release(int failed);

// The first error since the last hold ("" without one): the cause; what follows it are only the
// layers above giving up.
const char *eal_log_first_error(void);
