// SPDX-License-Identifier: BSD-3-Clause
// The kinds of port that need little more than a name: capture files, any DPDK device string, the
// null and ring devices, and cards. What they share is in port_dpdk.c, which calls the plan of the
// kind when a port is opened; a plan turns our options into DPDK's and starts nothing.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "dpdk/kernel.h"
#include "dpdk/port_dpdk.h"

// pcap:IN[,OUT]: the second name has no '=', so the string is taken apart here.
static int plan_pcap(struct plan *plan, const struct device *d, const struct port_config *config)
{
	const char *in = d->text + strlen("pcap:"), *comma = strchr(in, ',');
	int in_len = comma ? (int)(comma - in) : (int)strlen(in);
	const char *out = comma ? comma + 1 : NULL;
	static uint32_t serial;
	char path[256];

	snprintf(path, sizeof(path), "%.*s", in_len, in);
	if ((in_len == 0 && !out) || (out && (!*out || strchr(out, ','))))
		return err_set(ERR_PORT_BAD_DEVICE, "%s: '%s'; write pcap:IN[,OUT]", d->port_name,
			       d->text);
	if (in_len > 0 && access(path, R_OK))
		return err_set(ERR_PORT_NO_FILE, "%s: %s: %s", d->port_name, path, strerror(errno));
	snprintf(plan->name, sizeof(plan->name), "net_pcap%u", serial++);
	snprintf(plan->args, sizeof(plan->args), "%s%s%s%s%s", in_len ? "rx_pcap=" : "", path,
		 in_len && out ? "," : "", out ? "tx_pcap=" : "", out ? out : "");
	snprintf(plan->chosen, sizeof(plan->chosen), "net_pcap, %.70s to %.70s",
		 in_len ? path : "nothing", out ? out : "nowhere");
	plan->mtu_is_ours = true;
	plan->flags = PORT_TX_CHAINS;
	return 0;
}

// vdev:NAME,ARGS as DPDK writes them.
static int plan_vdev(struct plan *plan, const struct device *d, const struct port_config *config)
{
	const char *text = d->text + strlen(d->kind) + 1;
	int name_len = (int)strcspn(text, ",");

	if (name_len == 0 || name_len >= (int)sizeof(plan->name))
		return err_set(ERR_PORT_BAD_DEVICE, "%s: '%s'; write vdev:NAME[,ARGUMENTS]",
			       d->port_name, d->text);
	snprintf(plan->name, sizeof(plan->name), "%.*s", name_len, text);
	snprintf(plan->args, sizeof(plan->args), "%s", text[name_len] ? text + name_len + 1 : "");
	snprintf(plan->chosen, sizeof(plan->chosen), "%.150s", text);
	return 0;
}

// null: swallows and makes empty packets; ring: hands back what it is given.
static int plan_made(struct plan *plan, const struct device *d, const struct port_config *config)
{
	const char *text = d->text + strlen(d->kind) + 1;
	int name_len = (int)strcspn(text, ",");

	snprintf(plan->name, sizeof(plan->name), "net_%s_%.*s", d->kind, MIN(name_len, 40), text);
	snprintf(plan->args, sizeof(plan->args), "%s", text[name_len] ? text + name_len + 1 : "");
	snprintf(plan->chosen, sizeof(plan->chosen), "%s", plan->name);
	plan->mtu_is_ours = true;
	plan->flags = PORT_TX_CHAINS;
	return 0;
}

static int plan_pci(struct plan *plan, const struct device *d, const struct port_config *config)
{
	unsigned int domain, bus, slot, function;
	char interface[64];
	int end = 0;

	if (sscanf(d->target, "%x:%x:%x.%x%n", &domain, &bus, &slot, &function, &end) != 4 ||
	    d->target[end])
		return err_set(ERR_PORT_BAD_DEVICE, "%s: '%s'; write pci:0000:01:00.0",
			       d->port_name, d->text);
	snprintf(plan->name, sizeof(plan->name), "%04x:%02x:%02x.%x", domain, bus, slot, function);
	if (!config->allow_default_route_device && kernel_interface_of_pci(plan->name, interface) &&
	    kernel_has_default_route(interface))
		return err_set(ERR_PORT_DEFAULT_ROUTE,
			       "%s: %s is %s, which carries the default route", d->port_name,
			       plan->name, interface);
	snprintf(plan->chosen, sizeof(plan->chosen), "the whole card %s", plan->name);
	plan->pci = true;
	plan->queues_max = WORKERS_MAX;
	plan->rss = true;
	return 0;
}

static const char *const no_options[] = {NULL};

// Frames to all groups: IPv6 finds its neighbours by them, and sockets join some while it runs. Of
// a card that cannot, the port is none the worse: only these are not heard.
static int started_card(struct dpdk_port *p, const struct port_config *config)
{
	(void)config;
	(void)rte_eth_allmulticast_enable(p->id);
	return 0;
}

const struct kind kind_pcap = {.name = "pcap", .plan = plan_pcap, .ops = &ethdev_ops};
const struct kind kind_vdev = {
	.name = "vdev", .plan = plan_vdev, .started = started_card, .ops = &ethdev_ops};
const struct kind kind_null = {.name = "null", .plan = plan_made, .ops = &ethdev_ops};
const struct kind kind_ring = {.name = "ring", .plan = plan_made, .ops = &ethdev_ops};
const struct kind kind_pci = {.name = "pci",
			      .form = "pci:ADDRESS",
			      .options = no_options,
			      .plan = plan_pci,
			      .started = started_card,
			      .ops = &ethdev_ops};
