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

#include "base/err.h"
#include "dpdk/eal_log.h"
#include "dpdk/rss.h"
#include "port/pair.h"
#include "port/probe.h"

static const struct kind *const kinds[] = {&kind_tap,  &kind_memif, &kind_af_xdp, &kind_pcap,
					   &kind_vdev, &kind_null,  &kind_ring,   &kind_pci};

// Descriptors a ring when neither configuration nor kind says otherwise: a turn's burst many
// times over.
#define QUEUE_PKTS 1024

uint16_t ethdev_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	const struct dpdk_port *p = to_dpdk_port(port);

	return rte_eth_rx_burst(p->id, p->queue, (struct rte_mbuf **)pkts, count);
}

uint16_t ethdev_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	const struct dpdk_port *p = to_dpdk_port(port);

	return rte_eth_tx_burst(p->id, p->queue, (struct rte_mbuf **)pkts, count);
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
	for (uint16_t i = 0; i < p->device_queues; i++) {
		result = rte_eth_rx_queue_setup(p->id, i, rx_pkts, SOCKET_ID_ANY, NULL, p->rx_pool);
		if (result)
			return failed(config, "receive queue", result);
		result = rte_eth_tx_queue_setup(p->id, i, tx_pkts, SOCKET_ID_ANY, NULL);
		if (result)
			return failed(config, "transmit queue", result);
	}
	return 0;
}

// A queue each way for each worker, as far as the device has them.
static void choose_queues(struct dpdk_port *p, const struct plan *plan,
			  const struct port_config *config, const struct rte_eth_dev_info *info)
{
	uint32_t most = MAX(plan->queues_max, 1u);

	if (!p->kind->plan_queue)
		most = MIN(most, MIN((uint32_t)info->max_rx_queues, info->max_tx_queues));
	p->port.queue_count = (uint16_t)MAX(MIN(most, MAX(config->queues, 1u)), 1u);
	p->device_queues = p->kind->plan_queue ? 1 : p->port.queue_count;
}

// The same hash for both directions of a flow: every 16 bits of the key are the same (Woo and Park,
// Scalable TCP Session Monitoring with Symmetric Receive-side Scaling, 2012).
static uint8_t symmetric_key[52];

static void ask_for_rss(const struct plan *plan, const struct rte_eth_dev_info *info,
			struct rte_eth_conf *conf, struct port_report *report)
{
	uint64_t types =
		info->flow_type_rss_offloads &
		(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
		 RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP);

	if (!plan->rss)
		return;
	if (!types || info->hash_key_size > sizeof(symmetric_key)) {
		list_add(report->refused, "RSS");
		return;
	}
	for (size_t i = 0; i < sizeof(symmetric_key); i++)
		symmetric_key[i] = i % 2 ? 0x5a : 0x6d;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
		.rss_key = info->hash_key_size ? symmetric_key : NULL,
		.rss_key_len = info->hash_key_size,
		.rss_hf = types,
	};
	list_add(report->granted, "RSS by addresses and ports%s",
		 info->hash_key_size ? ", symmetric key" : "");
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
	choose_queues(p, plan, config, &info);
	if (config->queues > 1)
		list_add(p->port.queue_count < config->queues ? report->refused : report->granted,
			 "%u queues each way", config->queues);
	if (p->port.queue_count > 1)
		ask_for_rss(plan, &info, &conf, report);
	conf.rxmode.mtu = plan->mtu_is_ours ? 1500 : p->port.mtu_bytes;
	if (p->port.mtu_bytes + 18 > rte_pktmbuf_data_room_size(p->rx_pool) - RTE_PKTMBUF_HEADROOM)
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
	result = rte_eth_dev_configure(p->id, p->device_queues, p->device_queues, &conf);
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
	return 0;
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

// A port for a further queue: the same device under another number, or a device of its own.
static int make_queue(struct dpdk_port *p, struct plan *plan, const struct port_config *config,
		      uint16_t index)
{
	struct dpdk_port *q = aligned_alloc(CACHE_LINE_BYTES, sizeof(*q));
	struct port_report report = {0};
	int result;

	if (!q)
		return err_set(ERR_OUT_OF_MEMORY, "port %s", p->port.name);
	*q = *p;
	q->port.queues = NULL;
	q->port.queue_index = index;
	p->port.queues[index] = &q->port;
	if (!p->kind->plan_queue) {
		q->queue = index;
		return 0;
	}
	q->started = false;
	q->name[0] = '\0';
	p->kind->plan_queue(plan, index);
	result = find_device(q, plan, config);
	if (result)
		return result;
	snprintf(q->name, sizeof(q->name), "%s", plan->name);
	result = configure(q, plan, config, &report);
	if (result == 0 && (result = rte_eth_dev_start(q->id)) != 0)
		return failed(config, "start of a queue", result);
	q->started = result == 0;
	return result;
}

static int make_queues(struct dpdk_port *p, struct plan *plan, const struct port_config *config)
{
	uint16_t count = p->port.queue_count;
	int result = 0;

	if (count == 1)
		return 0;
	p->port.queues = calloc(count, sizeof(struct port *));
	if (!p->port.queues)
		return err_set(ERR_OUT_OF_MEMORY, "port %s", p->port.name);
	p->port.queues[0] = &p->port;
	if (plan->rss)
		p->port.rss = rss_learn(p->id);
	for (uint16_t i = 1; i < count && result == 0; i++)
		result = make_queue(p, plan, config, i);
	return result;
}

static void close_queues(struct dpdk_port *p)
{
	for (uint16_t i = p->port.queue_count; p->port.queues && i-- > 1;) {
		struct dpdk_port *q = p->port.queues[i] ? to_dpdk_port(p->port.queues[i]) : NULL;

		if (q && p->kind->plan_queue && q->started)
			rte_eth_dev_stop(q->id);
		if (q && p->kind->plan_queue && q->name[0])
			rte_eal_hotplug_remove("vdev", q->name);
		free(q);
	}
	free(p->port.queues);
	free((void *)(uintptr_t)p->port.rss);
	p->port.queues = NULL;
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

static int open_ethdev(struct dpdk_port *p, const struct port_config *config, uint32_t tries,
		       struct port_report *report)
{
	struct plan plan = {.tries = tries};
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
	if (result == 0)
		result = make_queues(p, &plan, config);
	if (result == 0 && p->kind->started)
		result = p->kind->started(p, config);
	eal_log_release(result);
	snprintf(report->chosen, sizeof(report->chosen), "%s", plan.chosen);
	snprintf(report->cost, sizeof(report->cost), "%s", plan.cost);
	return result;
}

// Each that the kernel refuses costs receive buffers, which DPDK 22.11's driver does not return.
#define AF_XDP_TRIES 3

static int open_once(const struct port_config *config, uint32_t tries, struct port **port,
		     struct port_report *report)
{
	struct dpdk_port *p = aligned_alloc(CACHE_LINE_BYTES, sizeof(*p));

	if (!p)
		return err_set(ERR_OUT_OF_MEMORY, "port %s", config->name);
	memset(p, 0, sizeof(*p));
	*report = (struct port_report){0};
	p->rx_pool = (struct rte_mempool *)config->rx_pool;
	snprintf(p->port.name, sizeof(p->port.name), "%s", config->name);
	snprintf(p->port.device, sizeof(p->port.device), "%s", config->device);
	int result = open_ethdev(p, config, tries, report);

	if (result)
		ethdev_close(&p->port);
	else
		*port = &p->port;
	return result;
}

int port_open(const struct port_config *config, struct port **port, struct port_report *report)
{
	bool af_xdp = strncmp(config->device, "af_xdp:", strlen("af_xdp:")) == 0;
	int result;

	if (strncmp(config->device, "pair:", strlen("pair:")) == 0)
		return pair_open(config, port, report);
	result = open_once(config, 0, port, report);
	// A queue may be another's still, who has just gone: see xdp_queue.h.
	for (uint32_t tries = 1; af_xdp && result && tries < AF_XDP_TRIES; tries++) {
		if (err_last()->id != ERR_PORT_START_FAILED)
			break;
		result = open_once(config, tries, port, report);
	}
	return result;
}

void ethdev_close(struct port *port)
{
	struct dpdk_port *p = to_dpdk_port(port);

	eal_log_hold();
	close_queues(p);
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
