// SPDX-License-Identifier: BSD-3-Clause
// flood IFACE KIND TO MAC: sends forged frames (forge.h) into an interface of a namespace, as fast
// as it takes them or at a rate, and says as JSON how many. tests/netns/flood.py is its user.
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/time.h"
#include "forge.h"

#define BATCH 32
#define NAP_NS (200 * NS_PER_US)

struct flood {
	const struct forge_kind *kind;
	struct forge forge;
	const char *interface;
	uint64_t rate_pps; // 0: as many as go
	uint64_t seconds;
	uint64_t sent, refused;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	stopped = number;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static int usage(void)
{
	fprintf(stderr, "usage: flood IFACE KIND TO MAC [--port N] [--rate PPS] [--seconds S] "
			"[--seed N]\nKINDs:\n");
	for (uint32_t i = 0; forge_at(i); i++)
		fprintf(stderr, "  %-10s %s\n", forge_at(i)->name, forge_at(i)->what);
	return 2;
}

static bool read_address(struct flood *flood, const char *text)
{
	be32 v4;

	if (flood->kind->is_ip6)
		return inet_pton(AF_INET6, text, flood->forge.to.byte) == 1;
	if (inet_pton(AF_INET, text, &v4) != 1)
		return false;
	flood->forge.to = addr_from_v4(v4);
	return true;
}

static bool read_mac(uint8_t mac[6], const char *text)
{
	char end;

	return sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx%c", &mac[0], &mac[1], &mac[2], &mac[3],
		      &mac[4], &mac[5], &end) == 6;
}

static bool read_options(struct flood *flood, int count, char **words)
{
	uint64_t seed = 1, port = 80;

	for (int i = 0; i + 1 < count; i += 2) {
		uint64_t value = strtoull(words[i + 1], NULL, 10);

		if (strcmp(words[i], "--rate") == 0)
			flood->rate_pps = value;
		else if (strcmp(words[i], "--seconds") == 0)
			flood->seconds = value;
		else if (strcmp(words[i], "--seed") == 0)
			seed = value;
		else if (strcmp(words[i], "--port") == 0)
			port = value;
		else
			return false;
	}
	flood->forge.port = (uint16_t)port;
	rng_seed(&flood->forge.rng, seed);
	return count % 2 == 0;
}

static int open_interface(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_ifindex = (int)if_nametoindex(name)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	if (fd < 0 || !address.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "flood: %s: %s\n", name, strerror(errno));
		return -1;
	}
	return fd;
}

// How many may leave now.
static uint32_t due(const struct flood *flood, uint64_t passed_ns)
{
	uint64_t count;

	if (flood->rate_pps == 0)
		return BATCH;
	count = (uint64_t)((double)passed_ns / 1e9 * (double)flood->rate_pps);
	return (uint32_t)MIN(count - MIN(count, flood->sent + flood->refused), (uint64_t)BATCH);
}

static void send_batch(struct flood *flood, int fd, uint32_t count)
{
	static uint8_t frame[BATCH][FORGED_BYTES_MAX];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	int sent;

	for (uint32_t i = 0; i < count; i++) {
		parts[i].iov_base = frame[i];
		parts[i].iov_len = flood->kind->make(&flood->forge, frame[i]);
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(fd, messages, count, 0);
	flood->sent += sent > 0 ? (uint64_t)sent : 0;
	flood->refused += count - (sent > 0 ? (uint64_t)sent : 0);
}

static void run(struct flood *flood, int fd)
{
	const struct timespec nap = {0, NAP_NS};
	uint64_t begin_ns = now_ns(), passed_ns = 0;

	while (!stopped && passed_ns < flood->seconds * NS_PER_S) {
		uint32_t count = due(flood, passed_ns);

		if (count)
			send_batch(flood, fd, count);
		else
			nanosleep(&nap, NULL);
		passed_ns = now_ns() - begin_ns;
	}
	printf("{\"sent\": %lu, \"refused\": %lu, \"seconds\": %.3f}\n", flood->sent,
	       flood->refused, (double)passed_ns / 1e9);
}

int main(int argc, char **argv)
{
	struct flood flood = {.seconds = 600};
	int fd;

	if (argc < 5)
		return usage();
	flood.interface = argv[1];
	flood.kind = forge_find(argv[2]);
	if (!flood.kind || !read_address(&flood, argv[3]) ||
	    !read_mac(flood.forge.dst_mac, argv[4]) || !read_options(&flood, argc - 5, argv + 5))
		return usage();
	fd = open_interface(flood.interface);
	if (fd < 0)
		return 1;
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	run(&flood, fd);
	close(fd);
	return 0;
}
