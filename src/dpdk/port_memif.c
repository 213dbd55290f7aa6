// SPDX-License-Identifier: BSD-3-Clause
// memif:SOCKET shares rings with another process. The server makes the socket and copies packets
// to and from the client's memory; the client may let it read and write the packets themselves
// (zero-copy=yes). A port is open before its peer is there: until then it receives and takes
// nothing.
//
// In zero-copy mode the driver keeps what it sent until it is asked to send again; idle turns ask,
// so that buffers come home when traffic stops.
//
// Between two processes the wire is memory. With checksums=no on both sides nobody computes sums
// that only prove what the memory controller has proven already, as the kernel does on veth.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "dpdk/memif_watch.h"
#include "dpdk/port_dpdk.h"

static const char *const memif_options[] = {"role",   "id",        "bsize",     "rsize", "mac",
					    "secret", "zero-copy", "checksums", NULL};

#define FORM \
	"memif:SOCKET[,role=server|client][,id=N][,bsize=BYTES][,rsize=LOG2][,mac=MAC]" \
	"[,zero-copy=yes][,checksums=no]"

// Empty looks for packets between two at what the peer has read: rare enough to leave its cache
// lines alone, soon enough (some ten microseconds) that nobody waits for buffers.
#define EMPTY_LOOKS 1024

#define RING_LOG2 10 // slots, when rsize does not say

// checksums=no: the peer promised the same.
static void believe(struct pkt **pkts, uint16_t count)
{
	for (uint16_t i = 0; i < count; i++)
		pkts[i]->mbuf.ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
}

static uint16_t memif_receive(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct dpdk_port *p = to_dpdk_port(port);

	if (UNLIKELY(!gate_enter(&p->gate)))
		return 0;
	uint16_t n = ethdev_rx(port, pkts, count);

	if (n == 0 && p->zero_copy && ++p->empty_looks % EMPTY_LOOKS == 0)
		memif_tx_idle(&p->tx, port);
	if (port->flags & PORT_RX_CHECKSUM)
		believe(pkts, n);
	gate_leave(&p->gate);
	return n;
}

static uint16_t memif_send(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct dpdk_port *p = to_dpdk_port(port);

	if (UNLIKELY(!gate_enter(&p->gate))) {
		memif_tx_forget(&p->tx);
		return 0;
	}
	uint16_t n = p->zero_copy ? memif_tx_burst(&p->tx, port, pkts, count)
				  : ethdev_tx(port, pkts, count);

	gate_leave(&p->gate);
	return n;
}

// Only a socket may be in the way; anything else was never ours.
static int check_is_socket(const struct device *d, const char *path)
{
	struct stat st;

	if (lstat(path, &st) || S_ISSOCK(st.st_mode))
		return 0; // what lstat cannot see, connect says
	return err_set(ERR_PORT_SOCKET_PATH, "%s: %s: %s is there and is no socket", d->port_name,
		       d->text, path);
}

// A socket file may be left by a crash (nobody answers: remove it) or belong to somebody.
static int make_way(const struct device *d)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX}, inner;

	strcpy(address.sun_path, d->target);
	inner = address;
	strcat(inner.sun_path, DOOR_INNER_SUFFIX);
	if (check_is_socket(d, address.sun_path) || check_is_socket(d, inner.sun_path))
		return -EINVAL;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set(ERR_OUT_OF_MEMORY, "%s: a socket: %s", d->port_name,
			       strerror(errno));
	int result = connect(fd, (struct sockaddr *)&address, sizeof(address)) ? errno : 0;

	close(fd);
	if (result == 0)
		return err_set(ERR_PORT_SOCKET_IN_USE, "%s: %s: another process serves this socket",
			       d->port_name, d->text);
	if (result != ECONNREFUSED && result != ENOENT)
		return err_set(ERR_PORT_SOCKET_PATH, "%s: %s: %s", d->port_name, d->text,
			       strerror(result));
	if (result == ECONNREFUSED)
		unlink(d->target);
	unlink(inner.sun_path);
	return 0;
}

static int check_path(const struct device *d, bool server)
{
	char directory[128];

	if (strlen(d->target) + strlen(DOOR_INNER_SUFFIX) >= UNIX_PATH_BYTES)
		return err_set(ERR_PORT_SOCKET_PATH, "%s: %s has %zu characters", d->port_name,
			       d->target, strlen(d->target));
	snprintf(directory, sizeof(directory), "%s", d->target);
	char *slash = strrchr(directory, '/');

	if (!slash)
		snprintf(directory, sizeof(directory), ".");
	else
		slash[slash == directory] = '\0';
	if (access(directory, server ? W_OK : X_OK))
		return err_set(ERR_PORT_SOCKET_PATH, "%s: %s: directory %s: %s", d->port_name,
			       d->text, directory, strerror(errno));
	return 0;
}

static bool is_yes_or_no(const char *text)
{
	return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0;
}

static int plan_memif(struct plan *plan, const struct device *d, const struct port_config *config)
{
	const char *role = device_option(d, "role", "server");
	const char *zero_copy = device_option(d, "zero-copy", "no");
	const char *mac = device_option(d, "mac", NULL), *secret = device_option(d, "secret", NULL);
	const char *checksums = device_option(d, "checksums", "yes");
	bool server = strcmp(role, "server") == 0;
	uint32_t id = 0, room_bytes = 2048, ring_log2 = RING_LOG2;
	int result = 0;

	if ((!server && strcmp(role, "client") != 0) || !is_yes_or_no(zero_copy) ||
	    !is_yes_or_no(checksums))
		return err_set(ERR_PORT_BAD_DEVICE, "%s: '%s'; write %s", d->port_name, d->text,
			       FORM);
	if (server && zero_copy[0] == 'y')
		return err_set(ERR_PORT_BAD_DEVICE,
			       "%s: '%s': zero-copy is the client's; give this side role=client",
			       d->port_name, d->text);
	if (device_number(d, "id", (uint32_t[]){0, UINT32_MAX}, &id) ||
	    device_number(d, "bsize", (uint32_t[]){256, UINT16_MAX}, &room_bytes) ||
	    device_number(d, "rsize", (uint32_t[]){5, 14}, &ring_log2))
		return -EINVAL;
	plan->client = !server;
	plan->zero_copy = zero_copy[0] == 'y';
	plan->ring_slots = 1u << ring_log2;
	result = check_path(d, server);
	if (result == 0 && server)
		result = make_way(d);
	if (result)
		return result;
	static uint32_t serial; // two ports may share a socket; their DPDK devices need two names

	snprintf(plan->name, sizeof(plan->name), "net_memif%u", serial++);
	snprintf(plan->args, sizeof(plan->args),
		 "role=%s,id=%u,bsize=%u,rsize=%u,socket=%s%s,socket-abstract=no,zero-copy=%s"
		 "%s%s%s%s",
		 role, id, room_bytes, ring_log2, d->target, server ? DOOR_INNER_SUFFIX : "",
		 zero_copy, mac ? ",mac=" : "", mac ? mac : "", secret ? ",secret=" : "",
		 secret ? secret : "");
	snprintf(plan->chosen, sizeof(plan->chosen), "net_memif, %s of %.90s, id %u%s%s", role,
		 d->target, id, zero_copy[0] == 'y' ? ", zero copy" : "",
		 checksums[0] == 'n' ? ", no checksums" : "");
	snprintf(plan->cost, sizeof(plan->cost), "%s",
		 zero_copy[0] == 'y' ? ""
				     : "this side copies each packet to or from shared memory");
	plan->mtu_is_ours = true;
	plan->flags = PORT_RX_IN_MEMORY | PORT_TX_CHEAP;
	if (checksums[0] == 'n')
		plan->flags |= PORT_TX_IP_CHECKSUM | PORT_TX_TCP_CHECKSUM | PORT_TX_UDP_CHECKSUM |
			       PORT_RX_CHECKSUM;
	return 0;
}

// Zero copy hands packet memory to the peer by its file.
static int keep_memory_file(struct dpdk_port *p)
{
	const struct rte_mempool_memhdr *chunk = STAILQ_FIRST(&p->rx_pool->mem_list);

	p->memory_fd = rte_memseg_get_fd(rte_mem_virt2memseg(chunk->addr, NULL));
	p->memory_fd_kept = p->memory_fd < 0 ? -1 : fcntl(p->memory_fd, F_DUPFD_CLOEXEC, 0);
	return p->memory_fd_kept < 0 ? -ENOTSUP : 0;
}

// A server listens from now on; a client may have to wait for its server.
static int start_memif(struct dpdk_port *p, const struct plan *plan)
{
	int result;

	p->client = plan->client;
	p->zero_copy = plan->zero_copy;
	p->memory_fd = p->memory_fd_kept = -1;
	p->gate.shut = 1;
	memif_tx_init(&p->tx, plan->ring_slots);
	if (p->zero_copy) {
		result = keep_memory_file(p);
		if (result)
			return result;
	}
	p->has_door = !p->client;
	result = p->client ? 0 : memif_door_open(&p->door, p->target);
	if (result == 0)
		result = memif_watch_add(p);
	p->watched = result == 0;
	return result;
}

static void close_memif(struct dpdk_port *p)
{
	if (p->watched)
		memif_watch_remove(p);
	if (p->has_door)
		memif_door_close(&p->door);
	memif_tx_forget(&p->tx);
}

// Stopping, the driver closed the file of packet memory under the number that EAL knows; the next
// port will want it there.
static void memif_closed(struct dpdk_port *p)
{
	if (!p->zero_copy || p->memory_fd_kept < 0)
		return;
	int fd = fcntl(p->memory_fd, F_GETFD) < 0
			 ? fcntl(p->memory_fd_kept, F_DUPFD_CLOEXEC, p->memory_fd)
			 : p->memory_fd;

	if (fd >= 0 && fd != p->memory_fd)
		close(fd);
	close(p->memory_fd_kept);
}

static const struct port_ops memif_ops = {
	.rx = memif_receive, .tx = memif_send, .close = ethdev_close};

const struct kind kind_memif = {.name = "memif",
				.form = FORM,
				.options = memif_options,
				.plan = plan_memif,
				.start = start_memif,
				.closing = close_memif,
				.closed = memif_closed,
				.ops = &memif_ops};
