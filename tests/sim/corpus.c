// SPDX-License-Identifier: BSD-3-Clause
// The law of conservation over other people's packets: each frame of every capture goes into a
// stack as it is, then addressed to it, then damaged in many ways. The checked stack asserts at
// each turn's end that nothing is unaccounted for and that each drop is in the flight recorder; at
// the end of each file every buffer must be home.
//
//     corpus FOLDER [MUTATIONS]
//
// Prints how many packets there were and how they ended. Prints its seed; PRISM_SEED runs it again.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/fuzz.h"
#include "../seed.h"
#include "base/rand.h"
#include "base/time.h"
#include "sim/capture.h"
#include "wire/checksum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define MUTATIONS_DEFAULT 8

struct corpus {
	struct world *world;
	struct rng rng;
	uint32_t mutations;
	uint64_t files, foreign_files, packets, frames; // frames: sent, in whatever form
	uint64_t rx, tx, consumed;
	uint64_t drop[DROP_COUNT];
};

struct frame {
	uint8_t bytes[FUZZ_FRAME_BYTES];
	uint32_t len;
};

static void give_up(const char *what, const char *name)
{
	fprintf(stderr, "corpus: %s: %s\n", name, what);
	exit(1);
}

// As ethernet: what was captured without it gets a header. False: neither it nor IP.
static bool as_frame(const struct capture_packet *p, struct frame *f)
{
	bool is_frame = p->link_type == LINK_ETHERNET;
	bool is_ip =
		p->link_type == LINK_RAW || p->link_type == LINK_IPV4 || p->link_type == LINK_IPV6;
	uint32_t at = is_frame ? 0 : FUZZ_L3_AT;

	if ((!is_frame && !is_ip) || p->len == 0)
		return false;
	memset(f->bytes, 0, FUZZ_L3_AT);
	f->len = at + MIN(p->len, (uint32_t)sizeof(f->bytes) - at);
	memcpy(f->bytes + at, p->bytes, f->len - at);
	if (is_ip) {
		be16 type = be16_of(p->bytes[0] >> 4 == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);

		memcpy(f->bytes + 12, &type, sizeof(type));
	}
	return true;
}

static void send(struct corpus *c, const struct frame *f)
{
	fuzz_send(c->world, f->bytes, f->len);
	fuzz_settle(c->world, NULL, 0);
	c->frames++;
}

static uint16_t type_of(const struct frame *f)
{
	be16 type = {0};

	if (f->len >= FUZZ_L3_AT)
		memcpy(&type, f->bytes + 12, sizeof(type));
	return be16_get(type);
}

// Where the transport's checksum stands, from its header on; 0: it has none.
static uint32_t checksum_at(uint8_t protocol)
{
	switch (protocol) {
	case IP_TCP:
		return TCP_CHECKSUM_OFFSET;
	case IP_UDP:
		return UDP_CHECKSUM_OFFSET;
	case IP_ICMP:
	case IP_ICMP6:
		return 2;
	default:
		return 0;
	}
}

static void sum_transport(uint8_t *l4, uint32_t len, uint8_t protocol, const struct addr *src,
			  const struct addr *dst)
{
	uint32_t at = checksum_at(protocol);
	be16 sum = {0};

	if (at == 0 || at + sizeof(sum) > len)
		return;
	memcpy(l4 + at, &sum, sizeof(sum));
	sum = checksum_finish(checksum_add(
		protocol == IP_ICMP ? 0 : checksum_pseudo(src, dst, protocol, len), l4, len));
	memcpy(l4 + at, &sum, sizeof(sum));
}

// Half of them for a service that is there.
static void set_port(struct corpus *c, uint8_t *l4, uint32_t len, uint8_t protocol)
{
	be16 port = be16_of(protocol == IP_TCP ? 80 : 9);

	if ((protocol == IP_TCP || protocol == IP_UDP) && len >= 4 && rng_below(&c->rng, 2))
		memcpy(l4 + 2, &port, sizeof(port));
}

static void address_ip4(struct corpus *c, struct frame *f)
{
	struct ipv4_header *h = (void *)(f->bytes + FUZZ_L3_AT);
	uint32_t room = f->len - FUZZ_L3_AT, len = ipv4_header_len(h);

	if (room < sizeof(*h) || len < sizeof(*h) || len > room)
		return;
	h->dst = be32_of(0xc6120001);
	fuzz_fix_ip(f->bytes, f->len);
	struct addr src = addr_from_v4(h->src), dst = addr_from_v4(h->dst);
	uint32_t total = MIN((uint32_t)be16_get(h->total_len), room);
	uint8_t *l4 = f->bytes + FUZZ_L3_AT + len;

	if (total <= len || be16_get(h->fragment) & (IPV4_OFFSET_MASK | IPV4_MF))
		return;
	set_port(c, l4, total - len, h->protocol);
	sum_transport(l4, total - len, h->protocol, &src, &dst);
}

static void address_ip6(struct corpus *c, struct frame *f)
{
	struct ipv6_header *h = (void *)(f->bytes + FUZZ_L3_AT);
	struct prism_addr ours = world_endpoint_of(true, 0, 0).addr;
	uint32_t room = f->len - FUZZ_L3_AT;

	if (room < sizeof(*h))
		return;
	memcpy(h->dst, ours.byte, sizeof(h->dst));
	struct addr src = addr_from_bytes(h->src), dst = addr_from_bytes(h->dst);
	uint32_t len = MIN((uint32_t)be16_get(h->payload_len), room - (uint32_t)sizeof(*h));
	uint8_t *l4 = f->bytes + FUZZ_L3_AT + sizeof(*h);

	set_port(c, l4, len, h->next_header);
	sum_transport(l4, len, h->next_header, &src, &dst);
}

// To our station, and to our address with sums that are right.
static void address(struct corpus *c, struct frame *f)
{
	if (f->len < FUZZ_L3_AT)
		return;
	memcpy(f->bytes, pair_port(c->world->pair, 0)->mac, 6);
	if (type_of(f) == ETH_TYPE_IPV4)
		address_ip4(c, f);
	else if (type_of(f) == ETH_TYPE_IPV6)
		address_ip6(c, f);
}

// Bits, bytes and lengths; mostly in the headers, where they matter.
static void damage(struct corpus *c, struct frame *f)
{
	uint32_t times = 1 + (uint32_t)rng_below(&c->rng, 4);

	for (uint32_t i = 0; i < times && f->len; i++) {
		uint32_t end = rng_below(&c->rng, 4) ? MIN(f->len, 80u) : f->len;
		uint32_t at = (uint32_t)rng_below(&c->rng, end);

		if (rng_below(&c->rng, 8) == 0)
			f->len = at;
		else if (rng_below(&c->rng, 2))
			f->bytes[at] ^= (uint8_t)(1u << rng_below(&c->rng, 8));
		else
			f->bytes[at] = (uint8_t)rng_next(&c->rng);
	}
}

static void feed_packet(struct corpus *c, const struct capture_packet *p)
{
	struct frame plain, f;

	if (!as_frame(p, &plain))
		return;
	c->packets++;
	send(c, &plain);
	f = plain;
	address(c, &f);
	send(c, &f);
	for (uint32_t i = 0; i < c->mutations; i++) {
		f = plain;
		if (i % 2 == 0) // what is damaged behind right sums is found by them
			address(c, &f);
		damage(c, &f);
		if (i % 2)
			address(c, &f);
		if (f.len)
			send(c, &f);
	}
}

static void add_up(struct corpus *c)
{
	const struct counters *n = &c->world->node[0].counters;

	c->rx += n->value[COUNTER_rx_pkts];
	c->tx += n->value[COUNTER_tx_pkts];
	c->consumed += n->value[COUNTER_consumed_pkts];
	for (int i = 0; i < DROP_COUNT; i++)
		c->drop[i] += n->drop[i];
}

static void feed_file(struct corpus *c, const char *folder, const char *name)
{
	struct capture capture = {0};
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (!capture_read(&capture, path) || capture.count == 0) {
		c->foreign_files++; // the suite has damaged files, too
		capture_free(&capture);
		return;
	}
	c->files++;
	c->world = fuzz_world_of(true);
	for (uint32_t i = 0; i < capture.count; i++)
		feed_packet(c, &capture.packet[i]);
	fuzz_pass(c->world, 120 * NS_PER_S); // fragments, neighbours and connections give up
	add_up(c);
	if (c->world->failure)
		give_up(c->world->failure, name);
	fuzz_end(c->world);
	capture_free(&capture);
}

static int is_capture(const struct dirent *entry)
{
	return strstr(entry->d_name, ".pcap") != NULL;
}

static void report(const struct corpus *c)
{
	uint64_t drops = 0, reasons = 0;

	for (int i = 0; i < DROP_COUNT; i++) {
		drops += c->drop[i];
		reasons += c->drop[i] != 0;
		if (c->drop[i])
			printf("%10" PRIu64 " %s\n", c->drop[i], drop_infos[i].name);
	}
	printf("%" PRIu64 " captures (%" PRIu64 " that hold no packets of a known kind), %" PRIu64
	       " packets in %" PRIu64 " forms: %" PRIu64 " received, %" PRIu64 " sent, %" PRIu64
	       " consumed, %" PRIu64 " dropped for %" PRIu64
	       " reasons, each recorded; unaccounted 0\n",
	       c->files, c->foreign_files, c->packets, c->frames, c->rx, c->tx, c->consumed, drops,
	       reasons);
}

int main(int argc, char **argv)
{
	static struct corpus c;
	struct dirent **entries;

	if (argc < 2) {
		fputs("usage: corpus FOLDER [MUTATIONS]\n", stderr);
		return 2;
	}
	int count = scandir(argv[1], &entries, is_capture, alphasort);

	if (count <= 0)
		give_up("no captures there", argv[1]);
	c.mutations = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : MUTATIONS_DEFAULT;
	rng_seed(&c.rng, test_seed());
	for (int i = 0; i < count; i++) {
		feed_file(&c, argv[1], entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	report(&c);
	return 0;
}
