// SPDX-License-Identifier: BSD-3-Clause
// Asks the kernel for a queue as an AF_XDP socket does, in a way that it mostly refuses: with
// zero-copy. That the queue is another's it says first (EBUSY), that the driver has no zero-copy
// next, and then nothing was taken. DPDK's driver is not asked over and over instead: each refusal
// costs it buffers (22.11 does not return those it filled the queue with).
#include "dpdk/xdp_queue.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/time.h"

#define FRAME_BYTES 4096u // a page: the least memory that the kernel takes

// A second in all, a twentieth at a time.
#define TRIES 20
static const struct timespec moment = {.tv_nsec = NS_PER_S / TRIES};

// Memory and rings as small as can be: what the kernel asks for before it looks at the queue.
static int give_memory(int fd, void *memory)
{
	static const int rings[] = {XDP_RX_RING, XDP_TX_RING, XDP_UMEM_FILL_RING,
				    XDP_UMEM_COMPLETION_RING};
	const struct xdp_umem_reg umem = {
		.addr = (uintptr_t)memory, .len = FRAME_BYTES, .chunk_size = FRAME_BYTES};
	const int slots = 1;
	int result = setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem));

	for (size_t i = 0; result == 0 && i < ARRAY_COUNT(rings); i++)
		result = setsockopt(fd, SOL_XDP, rings[i], &slots, sizeof(slots));
	return result;
}

enum answer { FREE, TAKEN, OURS };

static enum answer ask(int fd, const char *interface, uint32_t queue)
{
	const struct sockaddr_xdp at = {.sxdp_family = AF_XDP,
					.sxdp_flags = XDP_ZEROCOPY,
					.sxdp_ifindex = if_nametoindex(interface),
					.sxdp_queue_id = queue};
	void *memory =
		mmap(NULL, FRAME_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	enum answer answer = FREE;

	if (memory == MAP_FAILED)
		return FREE;
	if (give_memory(fd, memory) == 0) {
		if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0)
			answer = OURS;
		else if (errno == EBUSY)
			answer = TAKEN;
	}
	munmap(memory, FRAME_BYTES);
	return answer;
}

int xdp_queue_busy(const char *interface, uint32_t queue)
{
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	enum answer answer;

	if (fd < 0)
		return 0;
	answer = ask(fd, interface, queue);
	close(fd);
	if (answer == OURS) // what we had a moment ago is freed a little later, too
		nanosleep(&moment, NULL);
	return answer == TAKEN ? -EBUSY : 0;
}

int xdp_queue_await(const char *interface, uint32_t queue)
{
	int result = xdp_queue_busy(interface, queue);

	for (int tries = 1; result && tries < TRIES; tries++) {
		nanosleep(&moment, NULL);
		result = xdp_queue_busy(interface, queue);
	}
	return result;
}
