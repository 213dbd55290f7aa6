// SPDX-License-Identifier: BSD-3-Clause
// Ports on DPDK's ethdev: the factory. A table of kinds turns a device string into a DPDK device;
// what follows is the same for all: negotiate offloads, one queue each way, start, report in
// words. On the hot path a port is rte_eth_rx_burst and rte_eth_tx_burst and nothing else.
//
// MBUF_FAST_FREE is never asked for: packets are shared by reference count. What a device refuses
// is done in software by net/, not here.
#include "dpdk/port_dpdk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "dpdk/eal_log.h"
#include "port/pair.h"
#include "port/probe.h"

static const struct kind *const kinds[] = {&kind_tap,  &kind_memif, &kind_af_xdp, &kind_pcap,
					   &kind_vdev, &kind_null,  &kind_ring,   &kind_pci};

// Descriptors a ring when neither configuration nor kind says otherwise: a turn's burst many
// times over.
#define QUEUE_PKTS 1024

uint16_t ethdev_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	return rte_eth_rx_burst(to_dpdk_port(port)->id, 0, (struct rte_mbuf **)pkts, count);
}

uint16_t ethdev_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	return rte_eth_tx_burst(to_dpdk_port(port)->id, 0, (struct rte_mbuf **)pkts, count);
}

const struct port_ops ethdev_ops = {.rx = ethdev_rx, .tx = ethdev_tx, .close = ethdev_close};

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return NULL;
}

static int unknown_kind(const struct device *d)
{
	const char *names[ARRAY_COUNT(kinds) + 2] = {"pair"};

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		names[i + 1] = kinds[i]->name;
	const char *near = device_nearest(d->kind, names);

	return err_set(ERR_PORT_UNKNOWN_DEVICE, "%s: device '%s' is of no known kind%s%s%s",
		       d->port_name, d->text, near ? ", did you mean '" : "", near ? near : "",
		       near ? ":'?" : "");
}

// One offload in words and in bits: what we ask for, and what having it gives.
struct offload {
	const char *word;
	uint64_t tx, rx;
	uint32_t flag;
};

static const struct offload offloads[] = {
	{"tx ip checksum", RTE_ETH_TX_OFFLOAD_IPV4_CKSUM, 0, PORT_TX_IP_CHECKSUM},
	{"tx tcp checksum", RTE_ETH_TX_OFFLOAD_TCP_CKSUM, 0, PORT_TX_TCP_CHECKSUM},
	{"tx udp checksum", RTE_ETH_TX_OFFLOAD_UDP_CKSUM, 0, PORT_TX_UDP_CHECKSUM},
	{"tso", RTE_ETH_TX_OFFLOAD_TCP_TSO, 0, PORT_TX_TSO},
	{"chains", RTE_ETH_TX_OFFLOAD_MULTI_SEGS, 0, PORT_TX_CHAINS},
	{"rx checksums", 0,
	 RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
		 RTE_ETH_RX_OFFLOAD_UDP_CKSUM,
	 PORT_RX_CHECKSUM},
};

static void __attribute__((format(printf, 2, 3))) list_add(char text[160], const char *format, ...)
{
	size_t len = strlen(text);
	va_list list;

	if (len > 0 && len < 158)
		len += (size_t)snprintf(text + len, 160 - len, ", ");
	va_start(list, format);
	vsnprintf(text + len, 160 - len, format, list);
	va_end(list);
}

static void negotiate(struct port *port, const struct plan *plan,
		      const struct rte_eth_dev_info *info, struct rte_eth_conf *conf,
		      struct port_report *report)
{
	port->flags = plan->flags;
	for (size_t i = 0; i < ARRAY_COUNT(offloads); i++) {
		const struct offload *o = &offloads[i];
		bool granted = (info->tx_offload_capa & o->tx) == o->tx &&
			       (info->rx_offload_capa & o->rx) == o->rx;

		if (o->flag & plan->flags)
			granted = true;
		else if (plan->no_offloads && o->flag != PORT_TX_CHAINS)
			granted = false;
		list_add(granted ? report->granted : report->refused, "%s", o->word);
		if (!granted)
			continue;
		port->flags |= o->flag;
		conf->txmode.offloads |= o->tx & info->tx_offload_capa;
		conf->rxmode.offloads |= o->rx & info->rx_offload_capa;
	}
	port->tso_bytes_max = port->flags & PORT_TX_TSO ? 65535 - 14 - 60 - 60 : 0;
	port->tx_segs_max = 1;
	if (port->flags & PORT_TX_CHAINS) {
		uint16_t device_max = info->tx_desc_lim.nb_mtu_seg_max;

		port->tx_segs_max = device_max ? MIN(device_max, 32) : 32;
	}
}

// The frame must fit the driver and, where it cannot scatter, one packet of the pool.
static int choose_mtu(struct dpdk_port *p, const struct plan *plan,
		      const struct port_config *config, const struct rte_eth_dev_info *info)
{
	uint16_t mtu_bytes = config->mtu_bytes ? config->mtu_bytes
			     : plan->mtu_bytes ? plan->mtu_bytes
					       : 1500;
	uint32_t mtu_bytes_max = UINT16_MAX - 64;

	if (!plan->mtu_is_ours && info->max_mtu)
		mtu_bytes_max = MIN(mtu_bytes_max, info->max_mtu);
	if (plan->mtu_bytes_max)
		mtu_bytes_max = MIN(mtu_bytes_max, plan->mtu_bytes_max);
	if (mtu_bytes < 68 || mtu_bytes > mtu_bytes_max)
		return err_set(ERR_PORT_MTU, "%s: mtu %u with %s; it takes 68 to %u", config->name,
			       mtu_bytes, config->device, mtu_bytes_max);
	p->port.mtu_bytes = mtu_bytes;
	return 0;
}

static int failed(const struct port_config *config, const char *step, int result)
{
	return err_set(ERR_PORT_START_FAILED, "%s: %s: %s: %s (%s)", config->name, config->device,
		       step, eal_log_first_error(), strerror(-result));
}

static int set_up_queues(struct dpdk_port *p, const struct plan *plan,
			 const struct port_config *config, const struct rte_eth_dev_info *info)
{
	uint16_t rx_pkts = config->queue_pkts ? config->queue_pkts
			   : plan->queue_pkts ? plan->queue_pkts
					      : QUEUE_PKTS;
	uint16_t tx_pkts = rx_pkts;
	int result = rte_eth_dev_adjust_nb_rx_tx_desc(p->id, &rx_pkts, &tx_pkts);

	if (result)
		return failed(config, "ring sizes", result);
	result = rte_eth_rx_queue_setup(p->id, 0, rx_pkts, SOCKET_ID_ANY, NULL, p->rx_pool);
	if (result)
		return failed(config, "receive queue", result);
	result = rte_eth_tx_queue_setup(p->id, 0, tx_pkts, SOCKET_ID_ANY, NULL);
	return result ? failed(config, "transmit queue", result) : 0;
}

static int configure(struct dpdk_port *p, const struct plan *plan, const struct port_config *config,
		     struct port_report *report)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int result = rte_eth_dev_info_get(p->id, &info);

	if (result)
		return failed(config, "device facts", result);
	result = choose_mtu(p, plan, config, &info);
	if (result)
		return result;
	negotiate(&p->port, plan, &info, &conf, report);
	conf.rxmode.mtu = plan->mtu_is_ours ? 1500 : p->port.mtu_bytes;
	if (p->port.mtu_bytes + 18 > rte_pktmbuf_data_room_size(p->rx_pool) - RTE_PKTMBUF_HEADROOM)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
	result = rte_eth_dev_configure(p->id, 1, 1, &conf);
	if (result)
		return failed(config, "configure", result);
	if (!plan->mtu_is_ours && config->mtu_bytes) {
		p->mtu_bytes_before = plan->mtu_bytes;
		result = rte_eth_dev_set_mtu(p->id, config->mtu_bytes);
		if (result)
			return err_set(ERR_PORT_MTU, "%s: mtu %u with %s: %s", config->name,
				       config->mtu_bytes, config->device, strerror(-result));
	}
	return set_up_queues(p, plan, config, &info);
}

static int start(struct dpdk_port *p, const struct plan *plan, const struct port_config *config)
{
	struct rte_ether_addr mac;
	int result = p->kind->start ? p->kind->start(p, plan) : rte_eth_dev_start(p->id);

	if (result)
		return failed(config, "start", result);
	if (!p->kind->start)
		p->started = true;
	result = rte_eth_macaddr_get(p->id, &mac);
	if (result)
		return failed(config, "MAC address", result);
	memcpy(p->port.mac, mac.addr_bytes, sizeof(p->port.mac));
	return p->kind->started ? p->kind->started(p, config) : 0;
}

static int find_device(struct dpdk_port *p, const struct plan *plan,
		       const struct port_config *config)
{
	int result = plan->pci ? 0 : rte_eal_hotplug_add("vdev", plan->name, plan->args);

	if (result)
		return failed(config, "open", result);
	if (compat_port_by_name(plan->name, &p->id)) {
		if (plan->pci)
			return err_set(ERR_PORT_NO_CARD, "%s: %s: DPDK found no such card",
				       config->name, config->device);
		return failed(config, "open", -ENODEV);
	}
	return 0;
}

static int choose_kind(struct dpdk_port *p, struct device *d, const struct port_config *config)
{
	int result = device_parse_kind(d, config->name, config->device);

	if (result)
		return result;
	p->kind = find_kind(d->kind);
	if (!p->kind)
		return unknown_kind(d);
	if (!p->kind->options)
		return 0;
	result = device_parse(d);
	return result ? result : device_check_options(d, p->kind->options, p->kind->form);
}

int probe_port(const char *name, const char *device, bool allow_default_route_device)
{
	const struct port_config config = {
		.name = name,
		.device = device,
		.allow_default_route_device = allow_default_route_device,
	};
	struct dpdk_port p = {0};
	struct plan plan = {0};
	struct device parts;

	if (strncmp(device, "pair:", strlen("pair:")) == 0)
		return 0;
	int result = choose_kind(&p, &parts, &config);

	return result ? result : p.kind->plan(&plan, &parts, &config);
}

static int open_ethdev(struct dpdk_port *p, const struct port_config *config,
		       struct port_report *report)
{
	struct plan plan = {0};
	struct device device;
	int result = choose_kind(p, &device, config);

	if (result)
		return result;
	p->port.ops = p->kind->ops; // started() may choose others
	snprintf(p->target, sizeof(p->target), "%s", device.target);
	result = p->kind->plan(&plan, &device, config);
	if (result)
		return result;
	p->pci = plan.pci;
	eal_log_hold();
	result = find_device(p, &plan, config);
	if (result == 0) {
		snprintf(p->name, sizeof(p->name), "%s", plan.name);
		result = configure(p, &plan, config, report);
	}
	if (result == 0)
		result = start(p, &plan, config);
	eal_log_release(result);
	snprintf(report->chosen, sizeof(report->chosen), "%s", plan.chosen);
	snprintf(report->cost, sizeof(report->cost), "%s", plan.cost);
	return result;
}

static int open_once(const struct port_config *config, struct port **port,
		     struct port_report *report)
{
	struct dpdk_port *p = aligned_alloc(CACHE_LINE_BYTES, sizeof(*p));

	if (!p)
		return err_set(ERR_OUT_OF_MEMORY, "port %s", config->name);
	memset(p, 0, sizeof(*p));
	*report = (struct port_report){0};
	p->socket_fd = -1;
	p->rx_pool = (struct rte_mempool *)config->rx_pool;
	snprintf(p->port.name, sizeof(p->port.name), "%s", config->name);
	snprintf(p->port.device, sizeof(p->port.device), "%s", config->device);
	int result = open_ethdev(p, config, report);

	if (result)
		ethdev_close(&p->port);
	else
		*port = &p->port;
	return result;
}

int port_open(const struct port_config *config, struct port **port, struct port_report *report)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	bool af_xdp = strncmp(config->device, "af_xdp:", strlen("af_xdp:")) == 0;
	int result = -EBUSY;

	if (strncmp(config->device, "pair:", strlen("pair:")) == 0)
		return pair_open(config, port, report);
	// The kernel frees an AF_XDP queue a little after its last user went (a restart, say), and
	// does not tell when: a second's patience.
	for (int tries = af_xdp ? 20 : 1; tries > 0; tries--) {
		result = open_once(config, port, report);
		if (result == 0 || err_last()->id != ERR_PORT_START_FAILED)
			break;
		if (tries > 1)
			nanosleep(&pause, NULL);
	}
	return result;
}

void ethdev_close(struct port *port)
{
	struct dpdk_port *p = to_dpdk_port(port);

	eal_log_hold();
	if (p->name[0] && p->kind->closing)
		p->kind->closing(p);
	if (p->started)
		rte_eth_dev_stop(p->id);
	if (p->name[0] && p->pci)
		rte_eth_dev_close(p->id);
	else if (p->name[0])
		rte_eal_hotplug_remove("vdev", p->name);
	if (p->name[0] && p->kind->closed)
		p->kind->closed(p);
	eal_log_release(0);
	free(p);
}

void port_close(struct port *port)
{
	if (port && port->ops->close)
		port->ops->close(port);
}
