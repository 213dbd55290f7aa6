// SPDX-License-Identifier: BSD-3-Clause
// tap:NAME makes a network interface; what the kernel sends through it arrives here, and the other
// way round. Each packet is a system call and a copy inside the kernel: for laptops and tests.
//
// The driver gives the kernel's end our MAC address. Two hosts with one address confuse every
// tool, so ours is another: a tap filters nothing, whatever address we announce reaches us.
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "dpdk/kernel.h"
#include "dpdk/port_dpdk.h"

// Of the driver (RTE_PMD_TAP_MAX_QUEUES). The kernel sends a flow to the queue its last packet came
// from, and a new one by a hash.
#define TAP_QUEUES_MAX 16

static const char *const tap_options[] = {"mac", NULL};

static int check_tun(const struct device *d)
{
	int result = kernel_try_tun();

	if (result == 0 && kernel_is_admin())
		return 0;
	if (result == 0)
		return err_set(ERR_PORT_NO_PRIVILEGE, "%s: %s: no CAP_NET_ADMIN", d->port_name,
			       d->text);
	return err_set(result == -EACCES ? ERR_PORT_NO_PRIVILEGE : ERR_PORT_NO_TUN,
		       "%s: %s: /dev/net/tun: %s", d->port_name, d->text, strerror(-result));
}

static int plan_tap(struct plan *plan, const struct device *d, const struct port_config *config)
{
	const char *mac = device_option(d, "mac", NULL);
	struct rte_ether_addr parsed;

	if (strlen(d->target) >= IFNAMSIZ || strpbrk(d->target, "/ "))
		return err_set(ERR_PORT_BAD_DEVICE,
			       "%s: '%s' is no interface name (1 to %d characters)", d->port_name,
			       d->target, IFNAMSIZ - 1);
	if (mac &&
	    (rte_ether_unformat_addr(mac, &parsed) || !rte_is_valid_assigned_ether_addr(&parsed)))
		return err_set(ERR_PORT_BAD_DEVICE, "%s: mac=%s is no unicast MAC address",
			       d->port_name, mac);
	if (kernel_has_interface(d->target))
		return err_set(ERR_PORT_INTERFACE_EXISTS, "%s: %s: interface %s is there already",
			       d->port_name, d->text, d->target);
	int result = check_tun(d);

	if (result)
		return result;
	snprintf(plan->name, sizeof(plan->name), "net_tap_%s", d->target);
	snprintf(plan->args, sizeof(plan->args), "iface=%s%s%s", d->target, mac ? ",mac=" : "",
		 mac ? mac : "");
	snprintf(plan->chosen, sizeof(plan->chosen), "net_tap, interface %s", d->target);
	snprintf(plan->cost, sizeof(plan->cost), "a system call and a kernel copy per packet");
	plan->no_offloads = true;
	plan->queues_max = TAP_QUEUES_MAX;
	plan->flags = PORT_ANSWERS_RETURN;
	return 0;
}

static int started_tap(struct dpdk_port *p, const struct port_config *config)
{
	uint8_t kernel_mac[6];
	char text[ADDR_TEXT_BYTES];

	memcpy(kernel_mac, p->port.mac, 6);
	kernel_mac[5] ^= 1;
	int result = kernel_set_mac(p->target, kernel_mac);

	if (result == 0)
		result = kernel_set_mtu(p->target, p->port.mtu_bytes);
	if (result == 0)
		result = kernel_set_up(p->target);
	if (result)
		return err_set(ERR_PORT_START_FAILED, "%s: %s: interface %s: %s", config->name,
			       config->device, p->target, strerror(-result));
	for (uint32_t i = 0; i < config->kernel_address_count; i++) {
		result = kernel_add_address(p->target, &config->kernel_addresses[i].addr,
					    config->kernel_addresses[i].prefix_len);
		if (result)
			return err_set(ERR_PORT_ADDRESS, "%s: %s/%u on %s: %s", config->name,
				       addr_format(&config->kernel_addresses[i].addr, text),
				       config->kernel_addresses[i].prefix_len, p->target,
				       strerror(-result));
	}
	return 0;
}

const struct kind kind_tap = {.name = "tap",
			      .form = "tap:NAME[,mac=AA:BB:CC:DD:EE:FF]",
			      .options = tap_options,
			      .plan = plan_tap,
			      .started = started_tap,
			      .ops = &ethdev_ops};
