// SPDX-License-Identifier: BSD-3-Clause
// DPDK's memif driver handles its control channel in EAL's interrupt thread, and when a peer goes
// it unmaps the rings under a worker that may be reading them. So that thread is held here while
// workers use memif ports; it is let go only when a control socket has something to say, and only
// with every memif gate shut. Called by port_memif.c.
//
// What brings the thread here is an interrupt source of ours that is always ready. Between two
// shifts it then serves every other source that is ready, once: epoll reports them all. An alarm
// that sets itself anew would not do: EAL calls the alarms that are due until none is, and on a
// slow machine the next one always is, so that the control sockets would never be served.
//
// A shift also starts clients whose server was not there yet, and starts them again when it went.
//
// The driver's callbacks lock nothing against a device that another thread starts, stops or closes.
// So all of that is done in that thread too, between two of its events: ports come and go by
// errands, and whoever sends one waits until it is run.
#define ALLOW_EXPERIMENTAL_API // rte_intr_instance_alloc and its fields: the same since DPDK 21.11

#include "dpdk/memif_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <rte_interrupts.h>
#include <semaphore.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 1024        // control sockets are opened early and number low
#define SOCKETS_MAX 256     // listening and connected, all ports together
#define WAIT_MS 100         // how often a client without a server tries
#define QUIET_MS 1000       // how often other users of the interrupt thread are let in anyway
#define LEAVE_NS 1000000000 // how long the driver may take to let its peers go
// A connection that is not up by then is begun anew, with twice the patience: each message of the
// handshake takes a shift on either side, and on a machine with too much to do a shift takes long.
#define HANDSHAKE_NS 500000000u
#define HANDSHAKE_NS_MAX UINT64_C(8000000000)

struct errand;

static struct {
	struct dpdk_port *port[PORTS_MAX];
	uint32_t port_count;
	struct errand *errand; // to be run; the interrupt thread's
	// Once made, these stay.
	int wake_fd;   // ends a hold
	int source_fd; // readable while there are ports or an errand; brings the thread here
} watch = {.wake_fd = -1, .source_fd = -1};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void event_set(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void event_clear(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
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
	p->retry_ns = now_ns() + (p->started ? p->patience_ns : 0);
	if (p->started)
		p->patience_ns = MIN(2 * p->patience_ns, HANDSHAKE_NS_MAX);
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
	if (connected(p)) {
		p->patience_ns = HANDSHAKE_NS;
		return true;
	}
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

// Something to be done between two shifts, with all gates shut.
struct errand {
	bool (*run)(struct errand *errand); // false: not done yet, run it again
	struct dpdk_port *port;
	int result;
	uint64_t until_ns; // when patience ends
	sem_t done;
};

// True when there is none left.
static bool run_errand(void)
{
	struct errand *errand = watch.errand;

	if (!errand)
		return true;
	if (!errand->run(errand))
		return false;
	watch.errand = NULL;
	sem_post(&errand->done);
	return true;
}

// One shift of the interrupt thread: look after the ports, let workers in, hold, turn them out.
static void shift(void *unused)
{
	bool somebody_waits = false;

	if (!run_errand())
		return; // the driver's callbacks go first
	if (watch.port_count == 0) {
		event_clear(watch.source_fd);
		return;
	}
	for (uint32_t i = 0; i < watch.port_count; i++) {
		if (tend(watch.port[i]))
			gate_open(&watch.port[i]->gate);
		else
			somebody_waits = true;
	}
	hold(somebody_waits);
	for (uint32_t i = 0; i < watch.port_count; i++)
		gate_shut(&watch.port[i]->gate);
}

// An alarm: the one way EAL has to give the interrupt thread something from another.
static void take_errand(void *errand)
{
	event_clear(watch.wake_fd);
	watch.errand = errand;
	event_set(watch.source_fd);
}

static int run_there(struct errand *errand)
{
	errand->until_ns = now_ns() + LEAVE_NS;
	sem_init(&errand->done, 0, 0);
	event_set(watch.wake_fd); // holds are short until the errand is taken
	if (rte_eal_alarm_set(1, take_errand, errand) == 0) {
		while (sem_wait(&errand->done) < 0 && errno == EINTR)
			;
	} else {
		event_clear(watch.wake_fd);
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

static int prepare(void)
{
	struct rte_intr_handle *source;

	if (watch.source_fd >= 0)
		return 0;
	if (watch.wake_fd < 0)
		watch.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	source = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);
	watch.source_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	// EAL calls the callback of this type of source and reads nothing from it.
	if (source && watch.wake_fd >= 0 && watch.source_fd >= 0 &&
	    rte_intr_type_set(source, RTE_INTR_HANDLE_EXT) == 0 &&
	    rte_intr_fd_set(source, watch.source_fd) == 0 &&
	    rte_intr_callback_register(source, shift, NULL) == 0)
		return 0;
	rte_intr_instance_free(source);
	if (watch.source_fd >= 0)
		close(watch.source_fd);
	watch.source_fd = -1;
	return -ENOMEM;
}

int memif_watch_add(struct dpdk_port *p)
{
	struct errand errand = {.run = join, .port = p};

	if (!gate_ready())
		return -ENOSYS;
	if (prepare())
		return -ENOMEM;
	p->patience_ns = HANDSHAKE_NS;
	return run_there(&errand);
}

void memif_watch_remove(struct dpdk_port *p)
{
	struct errand errand = {.run = leave, .port = p};

	run_there(&errand);
}
