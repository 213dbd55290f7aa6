// SPDX-License-Identifier: BSD-3-Clause
// DPDK's memif driver greets whoever connects to its socket, and when the greeting fails, because
// he is gone already, it closes a descriptor that EAL goes on to watch: EAL then ends the process.
// A probe is enough, or a peer killed at the wrong moment. So the driver's socket has no name that
// others could find; peers connect here, and each is joined to the driver by a connection of ours,
// which is there until the driver has closed its end. Control messages are few and small (some ten
// when a peer comes, one when it goes); packets do not pass here.
//
// Called by memif_watch.c in the interrupt thread, by port_memif.c to open and close.
#include "dpdk/memif_door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_BYTES_MAX 256 // the protocol's are 128
#define BACKLOG 16

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int open_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = open_socket();

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG)) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

int memif_door_open(struct memif_door *d, const char *path)
{
	*d = (struct memif_door){.listen_fd = -1, .inner_fd = -1};
	for (uint32_t i = 0; i < DOOR_PEERS_MAX; i++)
		d->peer[i] = (struct door_peer){-1, -1, false};
	snprintf(d->path, sizeof(d->path), "%s", path);
	snprintf(d->inner_path, sizeof(d->inner_path), "%s" DOOR_INNER_SUFFIX, path);
	d->inner_fd = open(d->inner_path, O_PATH | O_CLOEXEC);
	if (d->inner_fd < 0)
		return -errno;
	unlink(d->inner_path);
	int fd = listen_at(path);

	if (fd < 0)
		return fd;
	d->listen_fd = fd;
	return 0;
}

void memif_door_close(struct memif_door *d)
{
	for (uint32_t i = 0; i < DOOR_PEERS_MAX; i++) {
		close_fd(&d->peer[i].outer_fd);
		close_fd(&d->peer[i].inner_fd);
	}
	close_fd(&d->inner_fd);
	if (d->listen_fd >= 0)
		unlink(d->path);
	close_fd(&d->listen_fd);
}

static void close_passed(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at < c->cmsg_len; at += sizeof(int)) {
			int fd;

			memcpy(&fd, (uint8_t *)c + at, sizeof(fd));
			close(fd);
		}
	}
}

enum carried { CARRIED, NOTHING_THERE, AT_END };

// One message with the descriptor it may bring.
static enum carried carry(int from, int to)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(4 * sizeof(int))];
	uint8_t bytes[MESSAGE_BYTES_MAX];
	struct iovec run = {bytes, sizeof(bytes)};
	struct msghdr m = {.msg_iov = &run,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? NOTHING_THERE : AT_END;
	if (n == 0)
		return AT_END;
	run.iov_len = (size_t)n;
	n = sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	close_passed(&m);
	return n < 0 ? AT_END : CARRIED;
}

// The driver's end sees the end of the stream and closes; only then is ours closed.
static void show_out(struct door_peer *p)
{
	if (p->outer_fd < 0)
		return;
	close_fd(&p->outer_fd);
	shutdown(p->inner_fd, SHUT_WR);
}

static void drain(struct door_peer *p)
{
	uint8_t bytes[MESSAGE_BYTES_MAX];
	ssize_t n;

	do
		n = recv(p->inner_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (n > 0);
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_fd(&p->inner_fd);
}

static void serve(struct door_peer *p)
{
	enum carried in = CARRIED, out = CARRIED;

	while (p->outer_fd >= 0 && in == CARRIED) {
		in = carry(p->outer_fd, p->inner_fd);
		p->spoke |= in == CARRIED;
	}
	while (p->outer_fd >= 0 && out == CARRIED)
		out = carry(p->inner_fd, p->outer_fd);
	if (in == AT_END || out == AT_END)
		show_out(p);
	if (p->outer_fd < 0)
		drain(p);
}

// A connection to the driver. Its name is gone, its place in the file system is held.
static int connect_inside(const struct memif_door *d)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = open_socket();

	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", d->inner_fd);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		close_fd(&fd);
	return fd;
}

// A free slot; when there is none, whoever said nothing yet has to make room for the next.
static struct door_peer *free_slot(struct memif_door *d)
{
	for (uint32_t i = 0; i < DOOR_PEERS_MAX; i++)
		if (d->peer[i].inner_fd < 0)
			return &d->peer[i];
	for (uint32_t i = 0; i < DOOR_PEERS_MAX; i++)
		if (!d->peer[i].spoke)
			show_out(&d->peer[i]);
	return NULL;
}

void memif_door_tend(struct memif_door *d)
{
	for (uint32_t i = 0; i < DOOR_PEERS_MAX; i++)
		if (d->peer[i].inner_fd >= 0)
			serve(&d->peer[i]);
	for (int i = 0; i < BACKLOG; i++) {
		struct door_peer peer = {-1, -1, false}, *slot;
		peer.outer_fd = accept4(d->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (peer.outer_fd < 0)
			break;
		slot = free_slot(d);
		if (slot)
			peer.inner_fd = connect_inside(d);
		if (peer.inner_fd >= 0)
			*slot = peer;
		else
			close_fd(&peer.outer_fd); // he tries again
	}
}

bool memif_door_shut(struct memif_door *d)
{
	bool empty = true;

	for (uint32_t i = 0; i < DOOR_PEERS_MAX; i++) {
		struct door_peer *p = &d->peer[i];

		if (p->inner_fd < 0)
			continue;
		show_out(p);
		drain(p);
		empty &= p->inner_fd < 0;
	}
	return empty;
}
