// SPDX-License-Identifier: BSD-3-Clause
// Running without root: a user and network namespace of our own.
#pragma once

#include <stdbool.h>

struct config;

// The configuration makes interfaces, and this process may not.
bool namespace_needed(const struct config *config);

// Moves this process, which has one thread, into new user and network namespaces where it is root
// and the loopback is up. 0, or an exit code after it said what is wrong.
int namespace_enter(void);

// Whether the kernel lets this user make them, tried in a child. 0 or the errno.
int namespace_try(void);

// CAP_NET_ADMIN and the like, by number (linux/capability.h), in the effective set.
bool namespace_has_capability(int capability);
