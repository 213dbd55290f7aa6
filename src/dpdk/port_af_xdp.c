// SPDX-License-Identifier: BSD-3-Clause
// af_xdp:IFACE takes the packets of a queue, or of one for each worker, of an interface that the
// kernel keeps. While the port is open an XDP program on the interface hands all packets of these
// queues to Prism; when it closes they are the kernel's again. The MTU is the interface's: one that
// the configuration sets is set there too, until the port closes. After a crash: ip link set dev
// IFACE xdp off, and mtu.
//
// The driver sends one segment, from memory it shares with the kernel or else by a copy into it.
// Chains are therefore gathered here, straight into that shared memory: the one copy the driver
// would make anyway, whatever the number of segments.
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "dpdk/af_xdp_frame.h"
#include "dpdk/eal_log.h"
#include "dpdk/kernel.h"
#include "dpdk/port_dpdk.h"
#include "dpdk/xdp_queue.h"

#define LINK_BYTES_MAX 18 // ethernet header and a VLAN tag

static const char *const af_xdp_options[] = {"queue", "mode", "busy_budget", "xdp_prog", NULL};

#define FORM "af_xdp:IFACE[,queue=N][,mode=auto|generic][,busy_budget=PKTS][,xdp_prog=FILE]"

// A copy of the chain in one packet of the shared memory, or NULL when there is none.
static struct pkt *gather(struct dpdk_port *p, const struct pkt *chain)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(p->rx_pool);

	if (!m)
		return NULL;
	if (chain->mbuf.pkt_len > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	char *to = rte_pktmbuf_append(m, (uint16_t)chain->mbuf.pkt_len);

	for (; chain; chain = pkt_next(chain)) {
		memcpy(to, pkt_data(chain), pkt_seg_len(chain));
		to += pkt_seg_len(chain);
	}
	return (struct pkt *)m;
}

// Sends a run of at most a burst, chains gathered. A gathered packet that the ring refuses is
// released; its chain stays with the caller.
static uint16_t tx_burst(struct dpdk_port *p, struct pkt **pkts, uint16_t count)
{
	struct rte_mbuf *out[BURST_PKTS];
	uint16_t n = 0, sent;

	for (; n < count; n++) {
		struct pkt *flat = pkts[n];

		if (pkt_seg_count(pkts[n]) > 1)
			flat = gather(p, pkts[n]);
		if (!flat)
			break;
		out[n] = &flat->mbuf;
	}
	sent = rte_eth_tx_burst(p->id, 0, out, n);
	p->unclaimed = true;
	p->empty_looks = 0;
	for (uint16_t i = 0; i < n; i++) {
		if (out[i] == &pkts[i]->mbuf)
			continue;
		if (i < sent)
			pkt_free(pkts[i]);
		else
			rte_pktmbuf_free(out[i]);
	}
	return sent;
}

static uint16_t af_xdp_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	return tx_burst(to_dpdk_port(port), pkts, MIN(count, BURST_PKTS));
}

// Empty looks for packets since something was sent, at the first question what the kernel is done
// with and at the last. It may be done late: a packet is its receiver's until he has read it.
#define EMPTY_LOOKS_MIN (UINT32_C(1) << 10)
#define EMPTY_LOOKS_MAX (UINT32_C(1) << 28)

// The driver keeps what it sent until it sends again; idle turns ask, after twice as many looks
// each time, so that buffers come home when traffic stops.
static uint16_t af_xdp_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct dpdk_port *p = to_dpdk_port(port);
	uint16_t n = ethdev_rx(port, pkts, count);

	if (n == 0 && p->unclaimed && ++p->empty_looks >= EMPTY_LOOKS_MIN &&
	    (p->empty_looks & (p->empty_looks - 1)) == 0) {
		p->unclaimed = p->empty_looks < EMPTY_LOOKS_MAX;
		rte_eth_tx_burst(p->id, 0, NULL, 0);
	}
	return n;
}

static int check_interface(const struct device *d, const struct port_config *config, uint32_t queue)
{
	uint32_t queue_count = kernel_rx_queues(d->target), program;

	if (!kernel_has_interface(d->target))
		return err_set(ERR_PORT_NO_INTERFACE, "%s: %s: no interface %s here", d->port_name,
			       d->text, d->target);
	if (kernel_has_default_route(d->target) && !config->allow_default_route_device)
		return err_set(ERR_PORT_DEFAULT_ROUTE,
			       "%s: %s: the default route leaves through %s", d->port_name, d->text,
			       d->target);
	if (queue >= queue_count)
		return err_set(ERR_PORT_BAD_DEVICE, "%s: %s: %s has %u queues, counted from 0",
			       d->port_name, d->text, d->target, queue_count);
	program = kernel_xdp_program(d->target);
	if (program)
		return err_set(ERR_PORT_XDP_PRESENT, "%s: %s: program %u is on %s", d->port_name,
			       d->text, program, d->target);
	if (geteuid() != 0)
		return err_set(ERR_PORT_NO_PRIVILEGE,
			       "%s: %s: user %u may not attach an XDP program", d->port_name,
			       d->text, (unsigned int)geteuid());
	return 0;
}

// What the queues from `queue` on are; what the others mean.
static void describe_af_xdp(struct plan *plan, const struct device *d, uint32_t queue)
{
	uint32_t queue_count = kernel_rx_queues(d->target), last = queue + plan->queues_max - 1;
	char others[112] = "", range[32] = "";

	if (queue_count > plan->queues_max)
		snprintf(others, sizeof(others),
			 "; %s has %u queues, %u of them Prism's (ethtool -L %s combined %u)",
			 d->target, queue_count, plan->queues_max, d->target, plan->queues_max);
	if (last > queue)
		snprintf(range, sizeof(range), " to %u", last);
	snprintf(plan->chosen, sizeof(plan->chosen), "net_af_xdp, %s queue %u%s, busy polling",
		 d->target, queue, range);
	snprintf(plan->cost, sizeof(plan->cost), "a system call per burst%s", others);
}

// The driver opens several queues only where the kernel calls them combined, which veth does not:
// so each is a device of its own. The first brings the XDP program, which serves all.
static void plan_queue(struct plan *plan, uint32_t index)
{
	uint32_t queue = plan->queue_first + index;

	snprintf(plan->name, sizeof(plan->name), "net_af_xdp_%s_%u", plan->interface, queue);
	snprintf(plan->args, sizeof(plan->args),
		 "iface=%s,start_queue=%u,queue_count=1,busy_budget=%u,force_copy=%d%s%s",
		 plan->interface, queue, plan->busy_budget, plan->force_copy,
		 plan->program ? ",xdp_prog=" : "", plan->program ? plan->program : "");
}

// DPDK 22.11's driver does not always close its socket, and the kernel keeps the queue taken as
// long as it is open. So those that a port brought are remembered, and closed here if the driver
// did not: all that were not there before it was opened.
#define FDS_LOOKED_AT 1024
static uint64_t there_before[FDS_LOOKED_AT / 64];

static bool is_af_xdp(int fd)
{
	int domain = 0;
	socklen_t len = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_XDP;
}

static void remember_others(void)
{
	memset(there_before, 0, sizeof(there_before));
	for (int fd = 0; fd < FDS_LOOKED_AT; fd++)
		there_before[fd / 64] |= (uint64_t)is_af_xdp(fd) << (fd % 64);
}

// The interface's own MTU, and what the packets of the pool can hold.
static int plan_mtu(struct plan *plan, const struct device *d, const struct port_config *config)
{
	const struct rte_mempool *pool = (const struct rte_mempool *)config->rx_pool;
	long page_bytes = sysconf(_SC_PAGESIZE);

	kernel_get_mtu(d->target, &plan->mtu_bytes);
	plan->mtu_bytes_max = AF_XDP_MTU_BYTES_MAX;
	if (!pool)
		return 0; // nothing is opened
	uint32_t bytes = rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);
	uint32_t room_bytes = rte_pktmbuf_data_room_size((struct rte_mempool *)(uintptr_t)pool);

	if (bytes > page_bytes)
		return err_set(ERR_PORT_MTU,
			       "%s: %s: the mtu of another port makes packets %u bytes large, of "
			       "which the kernel takes a page",
			       d->port_name, d->text, bytes);
	room_bytes -= RTE_PKTMBUF_HEADROOM + AF_XDP_FRONT_BYTES + LINK_BYTES_MAX;
	plan->mtu_bytes_max = MIN(plan->mtu_bytes_max, room_bytes);
	return 0;
}

// Those from plan->queue_first on that are to be opened: before that where to ask takes nothing, on
// cards only when they were not to be had.
static int await_queues(const struct plan *plan, const struct device *d)
{
	if (plan->tries == 0 && kernel_may_be_a_card(plan->interface))
		return 0;
	for (uint32_t i = 0; i < plan->queues_max; i++)
		if (xdp_queue_await(plan->interface, plan->queue_first + i))
			return err_set(ERR_PORT_QUEUE_IN_USE, "%s: %s: queue %u of %s is taken",
				       d->port_name, d->text, plan->queue_first + i,
				       plan->interface);
	return 0;
}

static int plan_af_xdp(struct plan *plan, const struct device *d, const struct port_config *config)
{
	static const char *const modes[] = {"auto", "generic", NULL};
	const char *mode = device_option(d, "mode", "auto"),
		   *program = device_option(d, "xdp_prog", NULL);
	uint32_t queue = 0, busy_budget = 64;
	int result = 0;

	if (strcmp(mode, modes[0]) != 0 && strcmp(mode, modes[1]) != 0)
		return err_set(ERR_PORT_BAD_DEVICE, "%s: mode=%s in '%s'; write %s", d->port_name,
			       mode, d->text, FORM);
	if (strlen(d->target) >= IFNAMSIZ)
		return err_set(ERR_PORT_NO_INTERFACE, "%s: %s: the name is too long", d->port_name,
			       d->text);
	if (device_number(d, "queue", (uint32_t[]){0, 1023}, &queue) ||
	    device_number(d, "busy_budget", (uint32_t[]){0, 1024}, &busy_budget))
		return -EINVAL;
	result = check_interface(d, config, queue);
	if (result == 0)
		result = plan_mtu(plan, d, config);
	if (result)
		return result;
	plan->queues_max = (uint16_t)MIN(kernel_rx_queues(d->target) - queue,
					 MAX((uint32_t)config->queues, 1u));
	plan->interface = d->target;
	plan->program = program;
	plan->queue_first = queue;
	plan->busy_budget = busy_budget;
	plan->force_copy = mode[0] == 'g';
	if (config->rx_pool && await_queues(plan, d))
		return -EBUSY;
	plan_queue(plan, 0);
	remember_others();
	eal_log_capture_bpf();
	describe_af_xdp(plan, d, queue);
	// veth hands over what the kernel left unfinished; real cards never do, and lose nothing by
	// it.
	plan->flags = PORT_RX_PARTIAL_CHECKSUM | PORT_TX_CHAINS;
	plan->no_offloads = true;
	return 0;
}

static void find_own(struct dpdk_port *p)
{
	for (int fd = 0; fd < FDS_LOOKED_AT && p->socket_count < WORKERS_MAX; fd++)
		if (!(there_before[fd / 64] >> (fd % 64) & 1) && is_af_xdp(fd))
			p->socket_fd[p->socket_count++] = fd;
}

static int started_af_xdp(struct dpdk_port *p, const struct port_config *config)
{
	(void)config;
	find_own(p);
	// IPv6 finds its neighbours by them, and sockets join some while it runs.
	p->groups_fd = MAX(kernel_want_groups(p->target), 0);
	return 0;
}

// With mtu: the port's was the interface's, unless somebody has changed that meanwhile.
static void restore_mtu(const struct dpdk_port *p)
{
	uint16_t mtu_bytes;

	if (p->mtu_bytes_before && kernel_get_mtu(p->target, &mtu_bytes) == 0 &&
	    mtu_bytes == p->port.mtu_bytes)
		kernel_set_mtu(p->target, p->mtu_bytes_before);
}

static void closed_af_xdp(struct dpdk_port *p)
{
	restore_mtu(p);
	if (p->groups_fd)
		close(p->groups_fd);
	if (p->socket_count == 0) // a queue could not be opened: those before it were
		find_own(p);
	for (uint16_t i = 0; i < p->socket_count; i++)
		if (is_af_xdp(p->socket_fd[i]))
			close(p->socket_fd[i]);
}

static const struct port_ops af_xdp_ops = {.rx = af_xdp_rx, .tx = af_xdp_tx, .close = ethdev_close};

const struct kind kind_af_xdp = {.name = "af_xdp",
				 .form = FORM,
				 .options = af_xdp_options,
				 .plan = plan_af_xdp,
				 .plan_queue = plan_queue,
				 .started = started_af_xdp,
				 .closed = closed_af_xdp,
				 .ops = &af_xdp_ops};
