// SPDX-License-Identifier: BSD-3-Clause
// The kernel's network interfaces: facts from sysfs and procfs, settings by rtnetlink and ioctl.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

bool kernel_has_interface(const char *name);

// CAP_NET_ADMIN over this network namespace: interfaces may be made and changed.
bool kernel_is_admin(void);

// 0, or a negative errno when /dev/net/tun does not open.
int kernel_try_tun(void);

// True when a default route of this network namespace leaves through the interface.
bool kernel_has_default_route(const char *name);

// The interface a PCI card appears as, or false when the kernel does not drive it.
bool kernel_interface_of_pci(const char *address, char name[64]);

// False when it is known that nothing but the kernel's code is behind the interface (veth).
bool kernel_may_be_a_card(const char *name);

// Receive queues of the interface, at least 1.
uint32_t kernel_rx_queues(const char *name);

// The id of the XDP program on the interface, 0 for none.
uint32_t kernel_xdp_program(const char *name);

// Each 0 or a negative errno, without err_set.
int kernel_get_mac(const char *name, uint8_t mac[6]);
int kernel_set_mac(const char *name, const uint8_t mac[6]);
int kernel_get_mtu(const char *name, uint16_t *mtu_bytes);
int kernel_set_mtu(const char *name, uint16_t mtu_bytes);
int kernel_set_up(const char *name);
// Asks the interface for all ethernet groups, as long as the descriptor that it gives is open.
int kernel_want_groups(const char *name);

int kernel_add_address(const char *name, const struct addr *addr, uint8_t prefix_len);
