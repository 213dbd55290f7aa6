// SPDX-License-Identifier: BSD-3-Clause
// raw_echo DEVICE [CORE] [swap]: sends back every packet it receives, with "swap" after exchanging
// MAC addresses, IPv4 addresses and ports. No stack: the limit of the wire under a benchmark.
// Ends on SIGINT or SIGTERM and prints packets/s while busy.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "raw.h"

static void swap_bytes(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t t[8];

	memcpy(t, a, n);
	memcpy(a, b, n);
	memcpy(b, t, n);
}

static void swap_ends(struct pkt *p)
{
	uint8_t *eth = pkt_data(p);

	swap_bytes(eth, eth + 6, 6);
	if (pkt_seg_len(p) < 14 + 20 + 4 || eth[12] != 0x08 || eth[13] != 0x00)
		return;
	uint8_t *ip = eth + 14;
	uint8_t *l4 = ip + (ip[0] & 15) * 4;

	swap_bytes(ip + 12, ip + 16, 4);
	swap_bytes(l4, l4 + 2, 2);
}

static void echo(struct raw *raw, bool swap)
{
	struct pkt *pkts[BURST_PKTS];
	struct port *port = raw->port;
	uint16_t n = port->ops->rx(port, pkts, BURST_PKTS), sent = 0;

	for (uint16_t i = 0; swap && i < n; i++)
		swap_ends(pkts[i]);
	// A full ring empties when the peer reads; a peer that is gone does not.
	for (int tries = 0; sent < n && tries < 1000; tries++)
		sent = (uint16_t)(sent + port->ops->tx(port, pkts + sent, (uint16_t)(n - sent)));
	port->tx_pkts += sent;
	for (; sent < n; sent++)
		pkt_free(pkts[sent]);
}

int main(int argc, char **argv)
{
	static struct raw raw;

	if (argc < 2) {
		fprintf(stderr, "usage: raw_echo DEVICE [CORE] [swap]\n");
		return 2;
	}
	raw_open(&raw, argv[1], argc > 2 ? atoi(argv[2]) : -1);
	while (!raw_stopped())
		echo(&raw, argc > 3);
	printf("echoed %" PRIu64 " packets\n", raw.port->tx_pkts);
	raw_close(&raw);
	return 0;
}
