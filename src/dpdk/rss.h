// SPDX-License-Identifier: BSD-3-Clause
// How a card deals out what it receives.
#pragma once

#include "port/port.h"

// Of a device that runs. NULL when it does not tell; free() it.
struct port_rss *rss_learn(uint16_t id);
