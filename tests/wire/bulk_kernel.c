// SPDX-License-Identifier: BSD-3-Clause
// A bulk transfer over the kernel's sockets: a thread a flow, blocking calls, default settings of
// the socket but for CUBIC, whatever the machine's default is. Called by bulk.c.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/time.h"
#include "bulk.h"
#include "sync/cell.h"

#define BUFFER_BYTES (256 * 1024)
#define LOOK_US 20000

struct kernel_flow {
	const struct bulk_plan *plan;
	struct bulk_flow *flow;
	pthread_t thread;
	int fd;
	uint64_t over; // cell
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static void note_info(struct kernel_flow *k)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	if (getsockopt(k->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return;
	k->flow->retransmits = info.tcpi_total_retrans;
	k->flow->mss = info.tcpi_snd_mss;
	k->flow->reorderings = info.tcpi_reordering;
	k->flow->rtt_us = info.tcpi_rtt;
}

static void send_all(struct kernel_flow *k)
{
	struct bulk_flow *f = k->flow;
	char rest[64];

	while (f->bytes < k->plan->bytes) {
		size_t len = MIN(k->plan->bytes - f->bytes, (uint64_t)BULK_RUN_BYTES);
		ssize_t n = send(k->fd, bulk_pattern(f->bytes), len, MSG_NOSIGNAL);

		if (n < 0) {
			f->reason = (uint32_t)errno;
			return;
		}
		f->bytes += (uint64_t)n;
	}
	shutdown(k->fd, SHUT_WR);
	f->complete = recv(k->fd, rest, sizeof(rest), 0) == 0;
}

// Ends a flow whose time is over by a reset.
static void cut(struct kernel_flow *k)
{
	struct linger now = {.l_onoff = 1};

	setsockopt(k->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(k->fd);
	k->fd = -1;
}

static void receive_all(struct kernel_flow *k)
{
	struct timeval look = {.tv_usec = LOOK_US}; // a silent flow's time passes too
	uint8_t *buffer = malloc(BUFFER_BYTES);
	ssize_t n = -1;

	must(buffer, "memory");
	setsockopt(k->fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look));
	while (bulk_in_time(k->plan, k->flow)) {
		n = recv(k->fd, buffer, BUFFER_BYTES, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n > 0 && !bulk_heard(k->plan, k->flow, buffer, (uint32_t)n))
			break;
	}
	k->flow->complete = n == 0 && k->flow->bytes == k->plan->bytes;
	k->flow->reason = n < 0 ? (uint32_t)errno : 0;
	free(buffer);
	if (n != 0)
		cut(k);
	else
		shutdown(k->fd, SHUT_WR);
}

static void *carry(void *argument)
{
	struct kernel_flow *k = argument;

	if (k->plan->sends)
		send_all(k);
	else
		receive_all(k);
	cell_set(&k->over, 1);
	return NULL;
}

static int new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	must(fd >= 0, "socket");
	// By socket: only the first namespace may change the default to it.
	must(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) == 0, "cubic");
	return fd;
}

static int listen_on(const struct sockaddr_in *address)
{
	int fd = new_socket(), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	must(bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0, "bind");
	must(listen(fd, BULK_FLOWS_MAX) == 0, "listen");
	return fd;
}

static int open_flow(const struct bulk_plan *plan, const struct sockaddr_in *address, int listener)
{
	int fd = plan->opens ? new_socket() : accept(listener, NULL, NULL);

	must(fd >= 0, "accept");
	if (plan->opens)
		must(connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0,
		     "connect");
	return fd;
}

static bool all_over(struct kernel_flow *k, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (!cell_get(&k[i].over))
			return false;
	return true;
}

int bulk_kernel(const struct bulk_plan *plan, struct bulk_flow *flows)
{
	struct kernel_flow k[BULK_FLOWS_MAX] = {0};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(plan->port)};
	uint8_t *bytes = malloc(BULK_PATTERN_BYTES);
	char line[16];

	must(bytes, "memory");
	bulk_pattern_write(bytes);
	must(inet_pton(AF_INET, plan->address, &address.sin_addr) == 1, "address");
	int listener = plan->opens ? -1 : listen_on(&address);

	puts("ready");
	fflush(stdout);
	for (uint64_t i = 0; i < plan->flow_count; i++) {
		k[i].plan = plan;
		k[i].flow = &flows[i];
		k[i].fd = open_flow(plan, &address, listener);
		must(pthread_create(&k[i].thread, NULL, carry, &k[i]) == 0, "thread");
	}
	while (!all_over(k, plan->flow_count) && !bulk_told())
		usleep(LOOK_US / 2);
	for (uint64_t i = 0; i < plan->flow_count; i++) {
		note_info(&k[i]);
		if (!cell_get(&k[i].over))
			shutdown(k[i].fd, SHUT_RDWR);
		pthread_join(k[i].thread, NULL);
	}
	bulk_report(plan, flows);
	while (fgets(line, sizeof(line), stdin))
		;
	free(bytes);
	return 0;
}
