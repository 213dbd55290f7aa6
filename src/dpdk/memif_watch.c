// SPDX-License-Identifier: BSD-3-Clause
// DPDK's memif driver handles its control channel in EAL's interrupt thread, and when a peer goes
// it unmaps the rings under a worker that may be reading them. So that thread is held here, in an
// alarm of ours, while workers use memif ports; it is let go only when a control socket has
// something to say, and only with every memif gate shut. Called by port_memif.c.
//
// The same alarm starts clients whose server was not there yet, and starts them again when it went.
#include "dpdk/memif_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

#define FDS_MAX 1024           // control sockets are opened early and number low
#define SOCKETS_MAX 64         // listening and connected, all ports together
#define WAIT_MS 100            // how often a client without a server tries
#define QUIET_MS 1000          // how often other users of the interrupt thread are let in anyway
#define HANDSHAKE_NS 500000000 // a connection that is not up by then is begun anew

static struct {
	struct dpdk_port *port[PORTS_MAX];
	uint32_t port_count;
	int wake_fd;
} watch = {.wake_fd = -1};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// True when fd is a memif socket on path: listening, accepted or connected.
static bool is_socket_of(int fd, const char *path)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);
	int type = 0;
	socklen_t type_len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) || type != SOCK_SEQPACKET)
		return false;
	if (getsockname(fd, (struct sockaddr *)&address, &len) || address.sun_family != AF_UNIX)
		return false;
	if (strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0)
		return true;
	len = sizeof(address);
	memset(&address, 0, sizeof(address));
	return getpeername(fd, (struct sockaddr *)&address, &len) == 0 &&
	       strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0;
}

static bool is_watched_socket(int fd)
{
	for (uint32_t i = 0; i < watch.port_count; i++)
		if (is_socket_of(fd, watch.port[i]->target))
			return true;
	return false;
}

// Holds the interrupt thread until a control socket speaks, somebody wakes us or time is up.
static void hold(bool somebody_waits)
{
	struct pollfd fds[SOCKETS_MAX] = {{.fd = watch.wake_fd, .events = POLLIN}};
	nfds_t count = 1;

	for (int fd = 0; fd < FDS_MAX && count < SOCKETS_MAX; fd++)
		if (is_watched_socket(fd))
			fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	poll(fds, count, somebody_waits ? WAIT_MS : QUIET_MS);
}

static bool connected(const struct dpdk_port *p)
{
	struct rte_eth_link link;

	return p->started && rte_eth_link_get_nowait(p->id, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

// The driver closes the descriptor of packet memory once it has handed it to a peer; the next peer
// will be given it again, so it is put back under its number. False: the number is another's now.
static bool memory_fd_restored(const struct dpdk_port *p)
{
	struct stat ours, theirs;

	if (p->memory_fd < 0)
		return true;
	if (fcntl(p->memory_fd, F_GETFD) < 0) {
		int fd = fcntl(p->memory_fd_kept, F_DUPFD_CLOEXEC, p->memory_fd);

		if (fd >= 0 && fd != p->memory_fd)
			close(fd);
		return fd == p->memory_fd;
	}
	return fstat(p->memory_fd, &theirs) == 0 && fstat(p->memory_fd_kept, &ours) == 0 &&
	       ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev;
}

// Looks after one port with the gate shut. True when traffic may flow.
static bool tend(struct dpdk_port *p)
{
	memory_fd_restored(p);
	if (connected(p))
		return true;
	if (!p->client || now_ns() < p->retry_ns)
		return false;
	if (p->started)
		rte_eth_dev_stop(p->id);
	p->started = false;
	if (!memory_fd_restored(p)) // stopping closed it again
		return false;
	p->started = rte_eth_dev_start(p->id) == 0;
	p->retry_ns = now_ns() + (p->started ? HANDSHAKE_NS : 0);
	return false;
}

// One shift of the interrupt thread: look after the ports, let workers in, hold, turn them out.
static void shift(void *unused)
{
	bool somebody_waits = false;

	for (uint32_t i = 0; i < watch.port_count; i++) {
		if (tend(watch.port[i]))
			gate_open(&watch.port[i]->gate);
		else
			somebody_waits = true;
	}
	hold(somebody_waits);
	for (uint32_t i = 0; i < watch.port_count; i++)
		gate_shut(&watch.port[i]->gate);
	rte_eal_alarm_set(1, shift, unused);
}

static int begin(void)
{
	uint64_t drained;

	if (watch.port_count == 0)
		return 0;
	if (watch.wake_fd < 0)
		watch.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch.wake_fd < 0)
		return -errno;
	while (read(watch.wake_fd, &drained, sizeof(drained)) > 0)
		;
	return rte_eal_alarm_set(1, shift, NULL);
}

// All gates are shut afterwards.
static void end(void)
{
	uint64_t one = 1;

	if (watch.port_count == 0)
		return;
	while (write(watch.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	rte_eal_alarm_cancel(shift, NULL); // returns when no shift runs any more
}

int memif_watch_add(struct dpdk_port *p)
{
	end();
	if (watch.port_count == PORTS_MAX || !gate_ready()) {
		begin();
		return watch.port_count == PORTS_MAX ? -ENFILE : -ENOSYS;
	}
	watch.port[watch.port_count++] = p;
	return begin();
}

void memif_watch_remove(struct dpdk_port *p)
{
	uint32_t i = 0;

	end();
	memory_fd_restored(p);
	while (i < watch.port_count && watch.port[i] != p)
		i++;
	if (i < watch.port_count)
		watch.port[i] = watch.port[--watch.port_count];
	if (watch.port_count == 0 && watch.wake_fd >= 0) {
		close(watch.wake_fd);
		watch.wake_fd = -1;
	}
	begin();
}
