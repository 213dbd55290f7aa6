// SPDX-License-Identifier: BSD-3-Clause
// An end of the wire, see line.h. Called by wire.c.
//
// TPACKET_V2 for what comes: a frame costs no system call, and its stamp is the time at which the
// other end sent it, however late this program looks. sendmmsg for what goes: the transmit ring
// would save a copy and cost one, since an AF_XDP receiver on veth wants frames in one piece.
// Forwarding TCP at full speed on one core took 3.75 us a frame so, the kernel's receiver behind it
// included, and for 64 of them less than 1 ms in all but one pass of a thousand; recvmmsg instead
// of the ring 4.2 us and up to 2.1 ms, a pair of taps instead of packet sockets 3.4 us and 2.2 ms.
// Taps have no stamps either, and Prism's device would not be the kernel's.
#include "line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/time.h"

#define SLOTS 16384 // a fifth of a second of full frames at 1 Gbit/s, should this program sleep
#define BLOCK_BYTES (1u << 20)
#define SLOT_FRONT_BYTES 128 // tpacket2_hdr, sockaddr_ll and what aligns them, generously
#define SEND_BUFFER_BYTES (8 << 20)
#define TRIES_MAX 100

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static int open_ring(struct line *line, uint64_t mtu_bytes)
{
	int version = TPACKET_V2;

	line->slot_bytes = (uint32_t)bits_ceil_pow2(SLOT_FRONT_BYTES + mtu_bytes);
	line->slot_count = SLOTS;
	struct tpacket_req request = {
		.tp_block_size = BLOCK_BYTES,
		.tp_block_nr = SLOTS / (BLOCK_BYTES / line->slot_bytes),
		.tp_frame_size = line->slot_bytes,
		.tp_frame_nr = SLOTS,
	};

	if (setsockopt(line->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) ||
	    setsockopt(line->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)))
		return -1;
	line->ring = mmap(NULL, (size_t)SLOTS * line->slot_bytes, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, line->fd, 0);
	return line->ring == MAP_FAILED ? -1 : 0;
}

int line_open(struct line *line, const char *name, uint64_t mtu_bytes, const char **step)
{
	int one = 1, buffer_bytes = SEND_BUFFER_BYTES;
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETH_P_ALL),
				      .sll_ifindex = (int)if_nametoindex(name)};

	*line = (struct line){.fd = -1};
	*step = "interface";
	if (!address.sll_ifindex)
		return -1;
	*step = "packet socket";
	line->fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (line->fd < 0)
		return -1;
	*step = "receive ring";
	if (open_ring(line, mtu_bytes))
		return -1;
	*step = "socket options";
	if (setsockopt(line->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(line->fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)))
		return -1;
	line->clock_offset_ns =
		(int64_t)clock_ns(CLOCK_MONOTONIC) - (int64_t)clock_ns(CLOCK_REALTIME);
	*step = "bind";
	return bind(line->fd, (struct sockaddr *)&address, sizeof(address));
}

void line_close(struct line *line)
{
	struct tpacket_stats stats;
	socklen_t len = sizeof(stats);

	if (getsockopt(line->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
		line->stats.missed = stats.tp_drops;
	munmap(line->ring, (size_t)line->slot_count * line->slot_bytes);
	close(line->fd);
}

// Stamps are of the clock on the wall, which may be set: never later than now.
static uint64_t stamp_of(const struct line *line, const struct tpacket2_hdr *head, uint64_t now_ns)
{
	uint64_t stamp_ns = (uint64_t)head->tp_sec * NS_PER_S + head->tp_nsec;

	return MIN(stamp_ns + (uint64_t)line->clock_offset_ns, now_ns);
}

static void hand_over(struct line *line, const struct tpacket2_hdr *head, struct way *way,
		      uint64_t now_ns)
{
	if (head->tp_status & TP_STATUS_CSUMNOTREADY) {
		line->stats.unsummed++;
		return;
	}
	// Cut by the ring, it is too long for the way, which looks no further.
	way_put(way, (const uint8_t *)head + head->tp_mac, head->tp_len,
		stamp_of(line, head, now_ns));
}

uint32_t line_receive(struct line *line, struct way *way)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint32_t count = 0;

	for (; count < LINE_BATCH; count++) {
		uint8_t *slot = line->ring + (size_t)line->next * line->slot_bytes;
		struct tpacket2_hdr *head = (void *)slot;

		if (!(__atomic_load_n(&head->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		hand_over(line, head, way, now_ns);
		__atomic_store_n(&head->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		line->next = (line->next + 1) % line->slot_count;
	}
	return count;
}

void line_send(struct line *line, struct way_frame **frames, uint32_t count)
{
	struct mmsghdr messages[LINE_BATCH] = {0};
	struct iovec parts[LINE_BATCH];
	uint32_t sent = 0, tries = 0;

	for (uint32_t i = 0; i < count; i++) {
		parts[i] = (struct iovec){frames[i]->bytes, frames[i]->len};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (sent < count && tries < TRIES_MAX) {
		int n = sendmmsg(line->fd, messages + sent, count - sent, MSG_DONTWAIT);

		if (n > 0)
			sent += (uint32_t)n;
		else
			tries++;
		if (n <= 0 && errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
			break;
	}
	line->stats.refused += count - sent;
}
