// SPDX-License-Identifier: BSD-3-Clause
// The event rung's UDP calls: public names and types over net/udp.h, which does the work. Called by
// the application on the worker's own thread. RFC 768, RFC 1122 4.1.4. A refused buffer stays the
// caller's; one that was taken is released below, whatever becomes of it.
#include <prismnet/udp.h>

#include "api/convert.h"
#include "base/err.h"
#include "core/worker.h"
#include "net/udp.h"

// A received stream buffer that is sent as a datagram leaves the account of its connection once it
// is taken; what it cost is remembered, for then it is gone.
struct charge {
	uint64_t owner; // 0: nobody's
	uint32_t bytes;
};

static inline struct charge disown(struct pkt *p)
{
	struct charge charge = {pkt_own(p)->owner, 0};

	if (UNLIKELY(charge.owner)) {
		charge.bytes = pkt_own(p)->charge_bytes;
		pkt_own(p)->owner = 0;
	}
	return charge;
}

static COLD void settle(struct tcp *tcp, struct pkt *p, struct charge charge, int status)
{
	if (status == 0)
		tcp_uncharge_bytes(tcp, charge.owner, charge.bytes);
	else
		pkt_own(p)->owner = charge.owner;
}

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

int prism_udp_clients_only(struct prism_worker *worker, prism_udp udp)
{
	return udp_clients_only(worker->net, udp);
}

static struct udp_group convert_group(const struct prism_udp_group *g)
{
	return (struct udp_group){.group = convert_addr(&g->group),
				  .source = convert_addr(&g->source),
				  .on = convert_addr(&g->on)};
}

int prism_udp_join(struct prism_worker *worker, prism_udp udp, const struct prism_udp_group *group)
{
	struct udp_group g = convert_group(group);

	return udp_join(worker->net, udp, &g);
}

int prism_udp_leave(struct prism_worker *worker, prism_udp udp, const struct prism_udp_group *group)
{
	struct udp_group g = convert_group(group);

	return udp_leave(worker->net, udp, &g);
}

int prism_udp_group_ttl(struct prism_worker *worker, prism_udp udp, uint32_t ttl)
{
	return udp_group_ttl(worker->net, udp, ttl);
}

int prism_udp_send(struct prism_worker *worker, prism_udp udp, const struct prism_addr *local,
		   const struct prism_endpoint *remote, struct prism_buf *buf)
{
	struct udp_to to = {
		.remote = convert_addr(&remote->addr),
		.remote_port = remote->port,
	};

	struct pkt *p = convert_buf(buf);
	struct charge charge = disown(p);

	if (local)
		to.local = convert_addr(local);
	int status = udp_send(worker->net, udp, &to, p);

	if (UNLIKELY(charge.owner))
		settle(worker->tcp, p, charge, status);
	return status;
}

int prism_udp_reply(struct prism_worker *worker, const struct prism_event *event,
		    struct prism_buf *buf)
{
	struct pkt *p = convert_buf(buf);
	struct charge charge = disown(p);
	int status = udp_reply(worker->net, event, p);

	if (UNLIKELY(charge.owner))
		settle(worker->tcp, p, charge, status);
	return status;
}

int prism_udp_endpoint(struct prism_worker *worker, prism_udp udp, struct prism_endpoint *local)
{
	struct addr addr;
	int error = udp_endpoint(worker->net, udp, &addr, &local->port);

	if (!error)
		local->addr = convert_back(&addr);
	return error;
}
