// SPDX-License-Identifier: BSD-3-Clause
// DPDK's memif driver handles its control channel in EAL's interrupt thread, and when a peer goes
// it unmaps the rings under a worker that may be reading them. So that thread is held here, in an
// alarm of ours, while workers use memif ports; it is let go only when a control socket has
// something to say, and only with every memif gate shut. Called by port_memif.c.
//
// The same alarm starts clients whose server was not there yet, and starts them again when it went.
//
// The driver's callbacks lock nothing against a device that another thread starts, stops or closes.
// So all of that is done in that thread too, between two of its events: ports come and go by
// errands, and whoever sends one waits until it is run.
#include "dpdk/memif_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 1024           // control sockets are opened early and number low
#define SOCKETS_MAX 256        // listening and connected, all ports together
#define WAIT_MS 100            // how often a client without a server tries
#define QUIET_MS 1000          // how often other users of the interrupt thread are let in anyway
#define HANDSHAKE_NS 500000000 // a connection that is not up by then is begun anew
#define GAP_US 20              // between two shifts: other events have their turn
#define LEAVE_NS 1000000000    // how long the driver may take to let its peers go

static struct {
	struct dpdk_port *port[PORTS_MAX];
	uint32_t port_count;
	bool on_shift; // an alarm is set for the next
	int wake_fd;   // ends a hold; once made, it stays
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

static bool is_socket_of_port(int fd, const struct dpdk_port *p)
{
	return is_socket_of(fd, p->target) || (!p->client && is_socket_of(fd, p->door.inner_path));
}

static bool is_watched_socket(int fd)
{
	for (uint32_t i = 0; i < watch.port_count; i++)
		if (is_socket_of_port(fd, watch.port[i]))
			return true;
	return false;
}

// Holds the interrupt thread until a control socket speaks, somebody wakes us or time is up.
static void hold(bool somebody_waits)
{
	struct pollfd fds[SOCKETS_MAX] = {{.fd = watch.wake_fd, .events = POLLIN}};
	nfds_t count = 1;
	uint64_t woken;

	for (int fd = 0; fd < FDS_MAX && count < SOCKETS_MAX; fd++)
		if (is_watched_socket(fd))
			fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	if (poll(fds, count, somebody_waits ? WAIT_MS : QUIET_MS) > 0 && fds[0].revents)
		while (read(watch.wake_fd, &woken, sizeof(woken)) < 0 && errno == EINTR)
			;
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

// EAL may still hold an event of the descriptor whose number a new socket has now. The driver then
// reads where nothing is: that must fail, not wait.
static void read_without_waiting(const struct dpdk_port *p)
{
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (is_socket_of(fd, p->target))
			fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static int start_device(struct dpdk_port *p)
{
	int result = rte_eth_dev_start(p->id);

	p->started = result == 0;
	if (p->started && p->client)
		read_without_waiting(p);
	p->retry_ns = now_ns() + (p->started ? HANDSHAKE_NS : 0);
	return result;
}

static void stop_device(struct dpdk_port *p)
{
	if (p->started)
		rte_eth_dev_stop(p->id);
	p->started = false;
	memory_fd_restored(p);
}

// Looks after one port with the gate shut. True when traffic may flow.
static bool tend(struct dpdk_port *p)
{
	if (p->leaving)
		return false;
	if (!p->client)
		memif_door_tend(&p->door);
	memory_fd_restored(p);
	if (connected(p))
		return true;
	if (!p->client || now_ns() < p->retry_ns)
		return false;
	stop_device(p);
	if (memory_fd_restored(p)) // else stopping closed it again
		start_device(p);
	return false;
}

static void remove_port(struct dpdk_port *p)
{
	uint32_t i = 0;

	while (i < watch.port_count && watch.port[i] != p)
		i++;
	if (i < watch.port_count)
		watch.port[i] = watch.port[--watch.port_count];
}

// One shift of the interrupt thread: look after the ports, let workers in, hold, turn them out.
static void shift(void *unused)
{
	bool somebody_waits = false;

	watch.on_shift = watch.port_count > 0;
	if (!watch.on_shift)
		return;
	for (uint32_t i = 0; i < watch.port_count; i++) {
		if (tend(watch.port[i]))
			gate_open(&watch.port[i]->gate);
		else
			somebody_waits = true;
	}
	hold(somebody_waits);
	for (uint32_t i = 0; i < watch.port_count; i++)
		gate_shut(&watch.port[i]->gate);
	rte_eal_alarm_set(GAP_US, shift, unused);
}

// Something to be done between two shifts, with all gates shut.
struct errand {
	bool (*run)(struct errand *errand); // false: not done yet, run it again
	struct dpdk_port *port;
	int result;
	uint64_t until_ns; // when patience ends
	sem_t done;
};

static void run_errand(void *argument)
{
	struct errand *errand = argument;

	if (!errand->run(errand))
		rte_eal_alarm_set(GAP_US, run_errand, errand);
	else
		sem_post(&errand->done);
}

static int run_there(struct errand *errand)
{
	uint64_t one = 1;

	errand->until_ns = now_ns() + LEAVE_NS;
	sem_init(&errand->done, 0, 0);
	if (rte_eal_alarm_set(1, run_errand, errand) == 0) {
		while (write(watch.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		while (sem_wait(&errand->done) < 0 && errno == EINTR)
			;
	} else {
		errand->result = -ENOMEM;
	}
	sem_destroy(&errand->done);
	return errand->result;
}

static bool join(struct errand *errand)
{
	struct dpdk_port *p = errand->port;
	int result = watch.port_count == PORTS_MAX ? -ENFILE : start_device(p);

	if (result == -ENFILE || (result && !p->client)) {
		errand->result = result;
		return true;
	}
	watch.port[watch.port_count++] = p;
	if (!watch.on_shift)
		rte_eal_alarm_set(GAP_US, shift, NULL);
	watch.on_shift = true;
	return true;
}

// First the port's peers, then the device.
static bool leave(struct errand *errand)
{
	struct dpdk_port *p = errand->port;

	p->leaving = true;
	if (!p->client && !memif_door_shut(&p->door) && now_ns() < errand->until_ns)
		return false;
	remove_port(p);
	stop_device(p);
	rte_eth_dev_close(p->id);
	return true;
}

int memif_watch_add(struct dpdk_port *p)
{
	struct errand errand = {.run = join, .port = p};

	if (!gate_ready())
		return -ENOSYS;
	if (watch.wake_fd < 0)
		watch.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch.wake_fd < 0)
		return -errno;
	return run_there(&errand);
}

void memif_watch_remove(struct dpdk_port *p)
{
	struct errand errand = {.run = leave, .port = p};

	run_there(&errand);
}
