// SPDX-License-Identifier: BSD-3-Clause
// Ports without DPDK: the factory of tests, simulator and fuzzers, called by core/start.c. It knows
// `pair:` only and hands it to pair_open.c; every other device is dpdk/port_dpdk.c's, and is
// refused here by name.
#include <string.h>

#include "base/err.h"
#include "port/pair.h"
#include "port/port.h"

int port_open(const struct port_config *config, struct port **port, struct port_report *report)
{
	if (strncmp(config->device, "pair:", strlen("pair:")) == 0)
		return pair_open(config, port, report);
	return err_set(ERR_PORT_NEEDS_DPDK, "%s: %s", config->name, config->device);
}

void port_close(struct port *port)
{
	if (port && port->ops->close)
		port->ops->close(port);
}
