// SPDX-License-Identifier: BSD-3-Clause
// raw_load DEVICE CORE BYTES IN_FLIGHT SECONDS: keeps IN_FLIGHT packets of BYTES on the way to a
// raw_echo and prints packets/s and the round trip's p50 and p99. Each packet carries the time it
// left. Round trips are kept to the nanosecond, up to a tenth of a millisecond.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "pkt/pool.h"
#include "raw.h"

#define BUCKETS 100000u
#define STAMP_OFFSET 46 // behind ethernet, IPv4 and UDP headers and four bytes to spare

struct load {
	struct raw raw;
	struct clock clock;
	uint16_t packet_bytes;
	uint32_t in_flight, in_flight_max;
	uint64_t received;
	uint64_t bucket[BUCKETS];
};

static void write_packet(struct pkt *p, uint16_t len, uint64_t now_ns)
{
	static const uint8_t head[42] = {
		2,    0,  0, 0,  0,   1,  2, 0, 0,    0,    0, 2, 8, 0, // ethernet
		0x45, 0,  0, 50, 0,   0,  0, 0, 64,   17,   0, 0,       // IPv4, UDP
		198,  18, 0, 1,  198, 18, 0, 2, 0x12, 0x34, 0, 7, 0, 30,
		0,    0 // 198.18.0.1 to .2, port 7
	};
	uint8_t *at = pkt_append(p, len);

	memcpy(at, head, sizeof(head));
	memcpy(at + STAMP_OFFSET, &now_ns, sizeof(now_ns));
}

static void send_more(struct load *l, uint64_t now_ns)
{
	struct pkt *pkts[BURST_PKTS];
	struct port *port = l->raw.port;
	uint16_t n = (uint16_t)MIN(l->in_flight_max - l->in_flight, (uint32_t)BURST_PKTS);

	if (n == 0 || pool_get(l->raw.pool, pkts, n))
		return;
	for (uint16_t i = 0; i < n; i++)
		write_packet(pkts[i], l->packet_bytes, now_ns);
	uint16_t sent = port->ops->tx(port, pkts, n);

	l->in_flight += sent;
	for (; sent < n; sent++)
		pkt_free(pkts[sent]);
}

static void receive(struct load *l, uint64_t now_ns)
{
	struct pkt *pkts[BURST_PKTS];
	struct port *port = l->raw.port;
	uint16_t n = port->ops->rx(port, pkts, BURST_PKTS);

	for (uint16_t i = 0; i < n; i++) {
		uint64_t stamp_ns;

		memcpy(&stamp_ns, pkt_data(pkts[i]) + STAMP_OFFSET, sizeof(stamp_ns));
		l->bucket[MIN(now_ns - stamp_ns, BUCKETS - 1)]++;
		pkt_free(pkts[i]);
	}
	l->in_flight -= MIN(l->in_flight, n);
	l->received += n;
}

static uint64_t percentile_ns(const struct load *l, double part)
{
	uint64_t wanted = (uint64_t)(part * (double)l->received), seen = 0;
	uint64_t i = 0;

	while (i < BUCKETS - 1 && (seen += l->bucket[i]) <= wanted)
		i++;
	return i;
}

// Until the echo answers: a memif peer may still be connecting.
static bool warm_up(struct load *l)
{
	uint64_t until_ns = clock_ns(&l->clock) + 5000000000u, full_turns = 0;

	while (l->received < 1000 && clock_ns(&l->clock) < until_ns && !raw_stopped()) {
		send_more(l, clock_ns(&l->clock));
		receive(l, clock_ns(&l->clock));
		// What was sent before the echo was ready is lost.
		if (l->in_flight == l->in_flight_max && ++full_turns % 100000 == 0)
			l->in_flight = 0;
	}
	return l->received >= 1000;
}

int main(int argc, char **argv)
{
	static struct load l;

	if (argc != 6) {
		fprintf(stderr, "usage: raw_load DEVICE CORE BYTES IN_FLIGHT SECONDS\n");
		return 2;
	}
	l.packet_bytes = (uint16_t)MAX(atoi(argv[3]), 64);
	l.in_flight_max = (uint32_t)atoi(argv[4]);
	raw_open(&l.raw, argv[1], atoi(argv[2]));
	clock_init(&l.clock);
	if (!warm_up(&l)) {
		fprintf(stderr, "raw_load: nobody echoes\n");
		raw_close(&l.raw);
		return 1;
	}
	memset(l.bucket, 0, sizeof(l.bucket));
	l.received = 0;
	uint64_t start_ns = clock_ns(&l.clock), now_ns = start_ns;
	uint64_t end_ns = start_ns + (uint64_t)(atof(argv[5]) * 1e9);

	while (now_ns < end_ns && !raw_stopped()) {
		send_more(&l, now_ns);
		now_ns = clock_ns(&l.clock);
		receive(&l, now_ns);
	}
	printf("{\"pkts_per_s\": %.0f, \"p50_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64 "}\n",
	       (double)l.received * 1e9 / (double)(now_ns - start_ns), percentile_ns(&l, 0.5),
	       percentile_ns(&l, 0.99));
	raw_close(&l.raw);
	return 0;
}
