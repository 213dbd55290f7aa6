// SPDX-License-Identifier: BSD-3-Clause
// The event rung's UDP calls: public names and types over net/udp.h, which does the work.
#include <prismnet/udp.h>

#include "api/convert.h"
#include "base/err.h"
#include "core/worker.h"
#include "net/udp.h"

int prism_udp_open(struct prism_worker *worker, const struct prism_endpoint *local, uint64_t user,
		   prism_udp *udp)
{
	struct addr addr = convert_addr(&local->addr);

	return udp_open(worker->net, &addr, local->port, user, udp);
}

int prism_udp_close(struct prism_worker *worker, prism_udp udp)
{
	return udp_close(worker->net, udp);
}
