// SPDX-License-Identifier: BSD-3-Clause
// Every kind of port on real devices, in a network namespace of the test's own: packets pass, wrong
// input is refused by name, and opening and closing twenty times leaves nothing behind. Needs root;
// exits 77 with a reason where it cannot run.
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dpdk/kernel.h"
#include "dpdk/xdp_queue.h"
#include "ports.h"

#define TIMES 20

static uint32_t count_entries(const char *path)
{
	uint32_t count = 0;
	DIR *d = opendir(path);

	for (struct dirent *e; d && (e = readdir(d));)
		count++;
	if (d)
		closedir(d);
	return count;
}

static uint32_t buffers_out(void)
{
	return pool_capacity(rx_pool) - pool_available(rx_pool) + pool_capacity(tx_pool) -
	       pool_available(tx_pool);
}

// Opens and closes; afterwards as many descriptors, interfaces and buffers are in use as before.
static void open_and_close(const char *device, uint32_t kept_fds)
{
	port_close(must_open(device)); // the first may load libraries that keep a descriptor
	uint32_t fds = count_entries("/proc/self/fd"), interfaces = count_entries("/sys/class/net");
	uint32_t buffers = buffers_out(), files = count_entries(dir);

	for (int i = 0; i < TIMES; i++)
		port_close(must_open(device));
	assert_int_equal(count_entries("/proc/self/fd"), fds + TIMES * kept_fds);
	assert_int_equal(count_entries("/sys/class/net"), interfaces);
	assert_int_equal(count_entries(dir), files);
	assert_int_equal(buffers_out(), buffers);
}

static void swap_bytes(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[8];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

// Sends every UDP packet back to where it came from for up to a second or until it sent one.
static bool echo_udp_once(struct port *port)
{
	struct pkt *pkts[BURST_PKTS];
	time_t until = time(NULL) + 2;

	while (time(NULL) < until) {
		uint16_t n = port->ops->rx(port, pkts, BURST_PKTS);

		for (uint16_t i = 0; i < n; i++) {
			uint8_t *eth = pkt_data(pkts[i]);
			bool is_udp = eth[12] == 8 && eth[13] == 0 && eth[23] == 17;

			swap_bytes(eth, eth + 6, 6);
			swap_bytes(eth + 26, eth + 30, 4);
			swap_bytes(eth + 34, eth + 36, 2);
			eth[40] = eth[41] = 0; // no UDP checksum: a veth hands over unfinished ones
			if (!is_udp || port->ops->tx(port, &pkts[i], 1) == 0)
				pkt_free(pkts[i]);
			else
				return true;
		}
	}
	return false;
}

static int udp_socket(uint16_t port_number)
{
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port_number)};
	struct timeval patience = {.tv_sec = 1};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof(local)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

// A datagram from the kernel to our_address and back through the port.
static void kernel_gets_its_datagram_back(struct port *port, const char *interface,
					  const char *our_address)
{
	char command[160], text[] = "there and back", got[64] = "";
	struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(7)};
	const uint8_t *m = port->mac;
	int fd = udp_socket(5000);

	snprintf(command, sizeof(command),
		 "ip neigh replace %s lladdr %02x:%02x:%02x:%02x:%02x:%02x dev %s", our_address,
		 m[0], m[1], m[2], m[3], m[4], m[5], interface);
	run(command);
	inet_pton(AF_INET, our_address, &peer.sin_addr);
	assert_int_equal(sendto(fd, text, sizeof(text), 0, (struct sockaddr *)&peer, sizeof(peer)),
			 sizeof(text));
	assert_true(echo_udp_once(port));
	assert_int_equal(recv(fd, got, sizeof(got), 0), sizeof(text));
	assert_string_equal(got, text);
	close(fd);
}

static void tap_carries_packets_both_ways(void **state)
{
	struct port *port = must_open("tap:ptap0");
	uint8_t kernel_mac[6];

	assert_int_equal(kernel_get_mac("ptap0", kernel_mac), 0);
	assert_memory_not_equal(kernel_mac, port->mac, 6);
	kernel_gets_its_datagram_back(port, "ptap0", "198.18.0.2");
	port_close(port);
	assert_false(kernel_has_interface("ptap0"));
}

static void tap_opens_twenty_times_and_leaves_nothing(void **state)
{
	open_and_close("tap:ptap0", 0);
}

static void tap_refuses_a_name_that_is_taken(void **state)
{
	must_refuse("tap:pva", ERR_PORT_INTERFACE_EXISTS);
}

static void wrong_device_strings_are_refused_by_name(void **state)
{
	must_refuse("tpa:x", ERR_PORT_UNKNOWN_DEVICE);
	assert_non_null(strstr(err_last()->message, "did you mean 'tap:'"));
	must_refuse("eth0", ERR_PORT_BAD_DEVICE);
	must_refuse("tap:x,mca=02:00:00:00:00:01", ERR_PORT_BAD_DEVICE);
	assert_non_null(strstr(err_last()->message, "did you mean 'mac'"));
	must_refuse("tap:x,mac=zz", ERR_PORT_BAD_DEVICE);
	must_refuse("tap:a-name-longer-than-the-kernel-takes", ERR_PORT_BAD_DEVICE);
	must_refuse("tap:", ERR_PORT_BAD_DEVICE);
	must_refuse("memif:/nowhere/at/all.sock", ERR_PORT_SOCKET_PATH);
	must_refuse("memif:/tmp/x.sock,role=master", ERR_PORT_BAD_DEVICE);
	must_refuse("memif:/tmp/x.sock,zero-copy=yes", ERR_PORT_BAD_DEVICE);
	must_refuse("memif:/tmp/x.sock,rsize=99", ERR_PORT_BAD_DEVICE);
	must_refuse("af_xdp:nosuch0", ERR_PORT_NO_INTERFACE);
	must_refuse("af_xdp:pva,queue=77", ERR_PORT_BAD_DEVICE);
	must_refuse("pcap:/nowhere.pcap", ERR_PORT_NO_FILE);
	must_refuse("pcap:", ERR_PORT_BAD_DEVICE);
	must_refuse("pci:01:00", ERR_PORT_BAD_DEVICE);
	must_refuse("pci:0000:7f:1f.7", ERR_PORT_NO_CARD);
	must_refuse("vdev:net_nosuch0", ERR_PORT_START_FAILED);
}

static void the_card_of_the_default_route_is_refused(void **state)
{
	run("ip route add default via 198.19.0.9 dev pvb");
	assert_true(kernel_has_default_route("pvb"));
	must_refuse("af_xdp:pvb", ERR_PORT_DEFAULT_ROUTE);
	run("ip route del default");
}

static void af_xdp_carries_packets_both_ways(void **state)
{
	struct port *port = must_open("af_xdp:pva");

	assert_true(kernel_xdp_program("pva") != 0);
	assert_true(port->flags & PORT_RX_PARTIAL_CHECKSUM);
	kernel_gets_its_datagram_back(port, "pvb", "198.19.0.2");
	port_close(port);
	assert_int_equal(kernel_xdp_program("pva"), 0);
}

// DPDK 22.11's driver does not return the buffers it gave to the kernel, so each time has a pool of
// its own, as a stack that is opened again has; libxdp 1.3 keeps two descriptors of its maps.
static void af_xdp_opens_twenty_times_and_leaves_nothing(void **state)
{
	struct pool *shared = rx_pool;
	uint32_t fds = count_entries("/proc/self/fd");

	for (int i = 0; i < TIMES; i++) {
		struct pool_config config = {
			.name = "own", .pkts = 8191, .room_bytes = 2176, .numa_node = -1};

		rx_pool = pool_create(&config);
		assert_non_null(rx_pool);
		port_close(must_open("af_xdp:pva"));
		pool_destroy(rx_pool);
		assert_int_equal(kernel_xdp_program("pva"), 0);
	}
	rx_pool = shared;
	assert_true(count_entries("/proc/self/fd") <= fds + 2 * TIMES);
}

// Somebody else's socket on a queue of an interface.
static int take_queue(const char *interface, uint32_t queue)
{
	static uint8_t memory[64][2048] __attribute__((aligned(4096)));
	int fd = socket(AF_XDP, SOCK_RAW, 0), ring = 64;
	struct xdp_umem_reg umem = {
		.addr = (uintptr_t)memory, .len = sizeof(memory), .chunk_size = sizeof(memory[0])};
	struct sockaddr_xdp at = {.sxdp_family = AF_XDP,
				  .sxdp_ifindex = if_nametoindex(interface),
				  .sxdp_queue_id = queue};

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)), 0);
	for (int option = XDP_RX_RING; option <= XDP_UMEM_COMPLETION_RING; option++)
		if (option != XDP_UMEM_REG)
			assert_int_equal(setsockopt(fd, SOL_XDP, option, &ring, sizeof(ring)), 0);
	// The kernel frees a queue a little after its last user went.
	for (int tries = 0; bind(fd, (struct sockaddr *)&at, sizeof(at)); tries++) {
		assert_int_equal(errno, EBUSY);
		assert_true(tries < 200);
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	}
	return fd;
}

static uint32_t count_af_xdp(void)
{
	uint32_t count = 0;

	for (int fd = 0; fd < 1024; fd++) {
		int domain = 0;
		socklen_t len = sizeof(domain);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0)
			count += domain == AF_XDP;
	}
	return count;
}

static int open_two_queues(const char *device, struct port **port)
{
	struct port_report report;
	struct port_config config = {
		.name = "p0", .device = device, .rx_pool = rx_pool, .queues = 2};

	return port_open(&config, port, &report);
}

static void make_two_queues(void)
{
	run("ip link add qva numrxqueues 2 numtxqueues 2 type veth peer name qvb numrxqueues 2 "
	    "numtxqueues 2; ip link set qva up; ip link set qvb up");
}

// The first queue was opened before the second could not be, which finds no buffers: it is given
// back.
static void af_xdp_leaves_no_queue_taken_when_the_next_fails(void **state)
{
	struct pool_config config = {
		.name = "few", .pkts = 3000, .room_bytes = 2176, .numa_node = -1};
	struct pool *shared = rx_pool;
	struct port *port;

	make_two_queues();
	rx_pool = pool_create(&config);
	assert_non_null(rx_pool);
	assert_true(open_two_queues("af_xdp:qva", &port) < 0);
	assert_string_equal(err_infos[err_last()->id].name, err_infos[ERR_PORT_START_FAILED].name);
	assert_int_equal(count_af_xdp(), 0);
	assert_int_equal(kernel_xdp_program("qva"), 0);
	assert_int_equal(xdp_queue_await("qva", 0), 0);
	pool_destroy(rx_pool);
	rx_pool = shared;
	run("ip link del qva");
}

static void af_xdp_names_the_queue_that_is_taken_and_leaves_it_alone(void **state)
{
	struct port *port;
	int other;

	make_two_queues();
	other = take_queue("qva", 1);
	assert_int_equal(open_two_queues("af_xdp:qva", &port), -EBUSY);
	assert_string_equal(err_infos[err_last()->id].name, err_infos[ERR_PORT_QUEUE_IN_USE].name);
	assert_non_null(strstr(err_last()->message, "queue 1 of qva"));
	assert_int_equal(count_af_xdp(), 1);
	assert_int_equal(kernel_xdp_program("qva"), 0);
	assert_int_equal(xdp_queue_busy("qva", 0), 0);
	assert_int_equal(xdp_queue_busy("qva", 1), -EBUSY);
	close(other);
	run("ip link del qva");
}

static void *leave_later(void *argument)
{
	nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
	close(*(int *)argument);
	return NULL;
}

static void af_xdp_waits_until_another_has_left_the_queues(void **state)
{
	static int other; // the thread's, too
	struct port *port;
	pthread_t thread;

	make_two_queues();
	other = take_queue("qva", 1);
	assert_int_equal(xdp_queue_busy("qva", 0), 0);
	assert_int_equal(xdp_queue_busy("qva", 1), -EBUSY);
	assert_int_equal(xdp_queue_busy("qva", 0), 0); // to have asked took nothing
	assert_int_equal(pthread_create(&thread, NULL, leave_later, &other), 0);
	if (open_two_queues("af_xdp:qva", &port))
		fail_msg("%s", err_last()->message);
	pthread_join(thread, NULL);
	assert_int_equal(xdp_queue_busy("qva", 0), -EBUSY);
	port_close(port);
	assert_int_equal(xdp_queue_await("qva", 0), 0);
	run("ip link del qva");
}

static void memif_opens_twenty_times_and_leaves_nothing(void **state)
{
	char device[128];

	snprintf(device, sizeof(device), "memif:%s/m.sock,role=client", dir);
	open_and_close(device, 0);
	// DPDK 22.11's driver never closes a listening socket, whose name it does remove.
	snprintf(device, sizeof(device), "memif:%s/m.sock", dir);
	open_and_close(device, 1);
}

static void pcap_null_and_ring_open_twenty_times(void **state)
{
	char device[128];

	snprintf(device, sizeof(device), "pcap:,%s/out.pcap", dir);
	open_and_close(device, 0);
	open_and_close("null:0", 0);
}

static const char *why_not(void)
{
	if (geteuid() != 0)
		return "needs root: it makes network interfaces";
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		return "the kernel gives no network namespace";
	// sysfs shows the namespace it was mounted in. Only /sys is made private: in a chroot
	// the root is no mount point.
	if (mount("none", "/sys", NULL, MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL))
		return "sysfs cannot be mounted for the namespace";
	return NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tap_carries_packets_both_ways),
		cmocka_unit_test(tap_opens_twenty_times_and_leaves_nothing),
		cmocka_unit_test(tap_refuses_a_name_that_is_taken),
		cmocka_unit_test(wrong_device_strings_are_refused_by_name),
		cmocka_unit_test(the_card_of_the_default_route_is_refused),
		cmocka_unit_test(af_xdp_carries_packets_both_ways),
		cmocka_unit_test(af_xdp_opens_twenty_times_and_leaves_nothing),
		cmocka_unit_test(af_xdp_leaves_no_queue_taken_when_the_next_fails),
		cmocka_unit_test(af_xdp_names_the_queue_that_is_taken_and_leaves_it_alone),
		cmocka_unit_test(af_xdp_waits_until_another_has_left_the_queues),
		cmocka_unit_test(memif_opens_twenty_times_and_leaves_nothing),
		cmocka_unit_test(pcap_null_and_ring_open_twenty_times),
	};
	const char *reason = why_not();

	if (reason) {
		printf("skipped: %s\n", reason);
		return 77;
	}
	if (!mkdtemp(dir))
		return 1;
	start_platform("ports");
	run("ip link set lo up; ip link add pva type veth peer name pvb; ip link set pva up;"
	    "ip link set pvb up; ip addr add 198.19.0.1/24 dev pvb");
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	run(command);
	return failed;
}
