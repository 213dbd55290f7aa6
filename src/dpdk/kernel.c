// SPDX-License-Identifier: BSD-3-Clause
// Talking with the kernel about its interfaces, at start and end only. Called by the tap and
// AF_XDP ports and by probe.c. No program is run for it: rtnetlink, ioctl, sysfs and procfs.
// Deliberately not here: anything the data path could wait for.
#include "dpdk/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"

bool kernel_has_interface(const char *name)
{
	return if_nametoindex(name) != 0;
}

bool kernel_is_admin(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {0};

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[CAP_NET_ADMIN / 32].effective >> (CAP_NET_ADMIN % 32) & 1);
}

int kernel_try_tun(void)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

bool kernel_has_default_route(const char *name)
{
	char line[256], interface[IFNAMSIZ];
	unsigned long destination, mask;
	bool found = false;
	FILE *routes = fopen("/proc/net/route", "re");

	if (!routes)
		return false;
	while (!found && fgets(line, sizeof(line), routes))
		found = sscanf(line, "%15s %lx %*x %*x %*d %*d %*d %lx", interface, &destination,
			       &mask) == 3 &&
			destination == 0 && mask == 0 && strcmp(interface, name) == 0;
	fclose(routes);
	return found;
}

// The name of one entry of a directory that begins with prefix, and how many there are.
static uint32_t directory_entries(const char *path, const char *prefix, char name[64])
{
	uint32_t count = 0;
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	for (struct dirent *entry; (entry = readdir(dir));) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(name, 64, "%.63s", entry->d_name);
		count++;
	}
	closedir(dir);
	return count;
}

bool kernel_interface_of_pci(const char *address, char name[64])
{
	char path[160];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/net", address);
	if (directory_entries(path, "", name) > 0)
		return true;
	// virtio puts a bus of its own between the card and the interface.
	char bus_device[64];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
	if (directory_entries(path, "virtio", bus_device) == 0)
		return false;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s/net", address, bus_device);
	return directory_entries(path, "", name) > 0;
}

static int interface_ioctl(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	int result = ioctl(fd, request, ifr) ? -errno : 0;

	close(fd);
	return result;
}

bool kernel_may_be_a_card(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (char *)&info};

	return interface_ioctl(name, SIOCETHTOOL, &ifr) || info.bus_info[0];
}

// Asked by ioctl, which looks into the network namespace we are in; /sys may be another's.
uint32_t kernel_rx_queues(const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (char *)&channels};
	char path[160], any[64];

	if (interface_ioctl(name, SIOCETHTOOL, &ifr) == 0)
		return MAX(channels.rx_count + channels.combined_count, 1u);
	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	return MAX(directory_entries(path, "rx-", any), 1u);
}

int kernel_get_mac(const char *name, uint8_t mac[6])
{
	struct ifreq ifr = {0};
	int result = interface_ioctl(name, SIOCGIFHWADDR, &ifr);

	if (result == 0)
		memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return result;
}

int kernel_set_mac(const char *name, const uint8_t mac[6])
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	return interface_ioctl(name, SIOCSIFHWADDR, &ifr);
}

int kernel_get_mtu(const char *name, uint16_t *mtu_bytes)
{
	struct ifreq ifr = {0};
	int result = interface_ioctl(name, SIOCGIFMTU, &ifr);

	if (result == 0)
		*mtu_bytes = (uint16_t)MIN(ifr.ifr_mtu, UINT16_MAX);
	return result;
}

int kernel_set_mtu(const char *name, uint16_t mtu_bytes)
{
	struct ifreq ifr = {.ifr_mtu = mtu_bytes};

	return interface_ioctl(name, SIOCSIFMTU, &ifr);
}

int kernel_set_up(const char *name)
{
	struct ifreq ifr = {0};
	int result = interface_ioctl(name, SIOCGIFFLAGS, &ifr);

	if (result)
		return result;
	ifr.ifr_flags |= IFF_UP;
	return interface_ioctl(name, SIOCSIFFLAGS, &ifr);
}

struct request {
	struct nlmsghdr header;
	union {
		struct ifaddrmsg address;
		struct ifinfomsg link;
	};
	char attributes[128];
};

// Sends one request and reads the answer into reply. Bytes of the answer, or a negative errno.
static ssize_t netlink_ask(struct request *request, void *reply, size_t room_bytes)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	ssize_t n = send(fd, request, request->header.nlmsg_len, 0);

	if (n >= 0)
		n = recv(fd, reply, room_bytes, 0);
	if (n < 0)
		n = -errno;
	close(fd);
	if (n < (ssize_t)sizeof(struct nlmsghdr))
		return n < 0 ? n : -EIO;
	const struct nlmsghdr *header = reply;

	if (header->nlmsg_type == NLMSG_ERROR)
		return ((const struct nlmsgerr *)NLMSG_DATA(header))->error;
	return n;
}

static void add_attribute(struct request *r, unsigned short type, const void *value, size_t len)
{
	struct rtattr *attribute = (void *)((char *)r + NLMSG_ALIGN(r->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(attribute), value, len);
	r->header.nlmsg_len =
		(uint32_t)(NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

// packet(7): the socket hears of nothing, as it names no protocol.
int kernel_want_groups(const char *name)
{
	const struct packet_mreq all = {.mr_ifindex = (int)if_nametoindex(name),
					.mr_type = PACKET_MR_ALLMULTI};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) == 0)
		return fd;
	int error = -errno;

	close(fd);
	return error;
}

int kernel_add_address(const char *name, const struct addr *addr, uint8_t prefix_len)
{
	bool v4 = addr_is_v4(addr);
	const void *bytes = v4 ? addr->byte + 12 : addr->byte;
	size_t len = v4 ? 4 : 16;
	char reply[1024];
	struct request r = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifaddrmsg)),
			   .nlmsg_type = RTM_NEWADDR,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
		.address = {.ifa_family = v4 ? AF_INET : AF_INET6,
			    .ifa_prefixlen = prefix_len,
			    .ifa_flags = v4 ? 0 : IFA_F_NODAD,
			    .ifa_index = if_nametoindex(name)},
	};

	add_attribute(&r, IFA_LOCAL, bytes, len);
	add_attribute(&r, IFA_ADDRESS, bytes, len);
	return (int)netlink_ask(&r, reply, sizeof(reply));
}

// Finds the attribute of a type among len bytes of them.
static struct rtattr *find_attribute(struct rtattr *a, size_t len, unsigned short type)
{
	unsigned int left = (unsigned int)len;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
	return NULL;
}

uint32_t kernel_xdp_program(const char *name)
{
	static char reply[32768]; // a link's description can be long; start-up is one thread
	struct request r = {
		.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
			   .nlmsg_type = RTM_GETLINK,
			   .nlmsg_flags = NLM_F_REQUEST},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex(name)},
	};
	ssize_t n = netlink_ask(&r, reply, sizeof(reply));

	if (n <= 0)
		return 0;
	struct nlmsghdr *header = (void *)reply;
	struct rtattr *xdp =
		find_attribute(IFLA_RTA(NLMSG_DATA(header)), IFLA_PAYLOAD(header), IFLA_XDP);
	struct rtattr *id =
		xdp ? find_attribute(RTA_DATA(xdp), RTA_PAYLOAD(xdp), IFLA_XDP_PROG_ID) : NULL;

	return id ? *(uint32_t *)RTA_DATA(id) : 0;
}
