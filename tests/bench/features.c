// SPDX-License-Identifier: BSD-3-Clause
// features SEGMENTS [ip6] [newreno|bbr|none] [pacing] [ecn] [sack-off] [second] [loss=PPM]: eight
// connections on which a server sends as fast as windows allow, in one process and virtual time,
// for counting what a feature costs in instructions a segment:
//   valgrind --tool=callgrind --toggle-collect=sender_turn features 20000 pacing
// sender_turn is the server's turn and receiver_turn the client's; nothing else runs in them. The
// first quarter warms up and is not counted. Prints as JSON how many segments the server sent and
// the client received while it counted. A turn of either side is 20 us of virtual time.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/worker.h"
#include "duo.h"

#define EVENTS 256
#define TURN_NS 20000
#define CONNECTIONS 8
#define WINDOW_BYTES 65536
#define REGION_BYTES (1 << 20)

static struct duo duo;
static const uint8_t *region;
static prism_conn accepted[CONNECTIONS];
static uint32_t accepted_count, connected_count;

static void sender_sees(const struct prism_event *e)
{
	if (e->type == PRISM_EVENT_ACCEPTED)
		accepted[accepted_count++] = e->conn;
	duo_must(e->type != PRISM_EVENT_CLOSED, "a connection ended");
}

static void send_all_that_fits(prism_conn conn)
{
	struct prism_worker *w = duo.worker[SERVER];
	uint32_t credit = prism_tcp_credit(w, conn);

	while (credit >= WINDOW_BYTES / 4) {
		duo_must(prism_tcp_send_region(w, conn, region, WINDOW_BYTES / 4) == 0, "send");
		credit -= WINDOW_BYTES / 4;
	}
}

// The names callgrind is told. Applications are in them, too: of both as little as can be.
__attribute__((noinline)) static void sender_turn(void)
{
	struct prism_event events[EVENTS];
	int count = duo_turn(&duo, SERVER, events, EVENTS);

	for (int i = 0; i < count; i++)
		sender_sees(&events[i]);
	for (uint32_t i = 0; i < accepted_count; i++)
		send_all_that_fits(accepted[i]);
}

__attribute__((noinline)) static void receiver_turn(void)
{
	struct prism_event events[EVENTS];
	int count = duo_turn(&duo, CLIENT, events, EVENTS);

	for (int i = 0; i < count; i++) {
		connected_count += events[i].type == PRISM_EVENT_CONNECTED;
		if (events[i].type == PRISM_EVENT_DATA)
			prism_buf_release(duo.worker[CLIENT], events[i].buf);
	}
}

// The same, uncounted: callgrind is not told of it.
__attribute__((noinline)) static void quiet_turns(void)
{
	struct prism_event events[EVENTS];

	for (int side = 0; side < 2; side++) {
		int count = duo_turn(&duo, side, events, EVENTS);

		for (int i = 0; i < count; i++) {
			if (side == SERVER)
				sender_sees(&events[i]);
			connected_count += events[i].type == PRISM_EVENT_CONNECTED;
			if (events[i].type == PRISM_EVENT_DATA)
				prism_buf_release(duo.worker[side], events[i].buf);
		}
	}
	for (uint32_t i = 0; i < accepted_count; i++)
		send_all_that_fits(accepted[i]);
	duo.now_ns += TURN_NS;
}

static uint64_t counter(int side, const char *name)
{
	uint64_t value = 0;

	(void)prism_counter(duo.prism[side], name, &value);
	return value;
}

static void read_word(const char *word, struct prism_options *o, char *device, size_t bytes)
{
	if (strcmp(word, "ip6") == 0)
		duo.ip6 = true;
	else if (strcmp(word, "newreno") == 0)
		o->congestion = PRISM_CONGESTION_NEWRENO;
	else if (strcmp(word, "bbr") == 0)
		o->congestion = PRISM_CONGESTION_BBR;
	else if (strcmp(word, "none") == 0)
		o->congestion = PRISM_CONGESTION_NONE;
	else if (strcmp(word, "pacing") == 0)
		o->pacing = 1;
	else if (strcmp(word, "ecn") == 0)
		o->ecn = PRISM_ECN_ON;
	else if (strcmp(word, "sack-off") == 0)
		o->sack_off = 1;
	else if (strcmp(word, "second") == 0)
		o->workers = 2;
	else if (strncmp(word, "loss=", 5) == 0)
		snprintf(device, bytes, "features,loss_ppm=%d", atoi(word + 5));
	else {
		fprintf(stderr, "features: what is %s?\n", word);
		exit(2);
	}
}

static void open_all(int argc, char **argv)
{
	struct prism_endpoint local = {.port = 80}, remote;
	struct prism_options limits;
	prism_listener listener;
	char device[64] = "features";
	prism_conn conn;

	PRISM_OPTIONS_INIT(&limits);
	limits.send_bytes_max = limits.receive_bytes_max = WINDOW_BYTES;
	for (int i = 2; i < argc; i++)
		read_word(argv[i], &limits, device, sizeof(device));
	duo_open(&duo, device, &limits);
	region = prism_region_alloc(duo.prism[SERVER], REGION_BYTES);
	duo_must(region != NULL, "a region");
	duo_must(prism_tcp_listen(duo.worker[SERVER], &local, 0, &listener) == 0, "listen");
	// IPv6 addresses are tried for a second before they are used (RFC 4862 5.4).
	for (int i = 0; duo.ip6 && i < 150000; i++)
		quiet_turns();
	prism_endpoint_parse(duo.ip6 ? "[" DUO_SERVER6 "]:80" : DUO_SERVER ":80", &remote);
	for (int i = 0; i < CONNECTIONS; i++)
		duo_must(prism_tcp_connect(duo.worker[CLIENT], &remote, NULL, 0, &conn) == 0,
			 "connect");
	for (int i = 0; accepted_count < CONNECTIONS || connected_count < CONNECTIONS; i++) {
		duo_must(i < 1000000, "connections");
		quiet_turns();
	}
}

int main(int argc, char **argv)
{
	uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;

	if (wanted == 0) {
		fprintf(stderr, "usage: features SEGMENTS [FEATURE...], see features.c\n");
		return 2;
	}
	open_all(argc, argv);
	while (counter(SERVER, "tcp_segs_out") < wanted / 4)
		quiet_turns();
	uint64_t out = counter(SERVER, "tcp_segs_out"), in = counter(CLIENT, "tcp_segs_in");
	uint64_t again = counter(SERVER, "tcp_retrans_segs"), acks = counter(SERVER, "tcp_segs_in");
	uint64_t turns = 0;

	while (counter(SERVER, "tcp_segs_out") < out + wanted) {
		sender_turn();
		receiver_turn();
		duo.now_ns += TURN_NS;
		duo_must(turns++ < 100 * wanted, "no progress");
	}
	printf("{\"sent\": %" PRIu64 ", \"received\": %" PRIu64 ", \"again\": %" PRIu64
	       ", \"acks\": %" PRIu64 ", \"turns\": %" PRIu64 "}\n",
	       counter(SERVER, "tcp_segs_out") - out, counter(CLIENT, "tcp_segs_in") - in,
	       counter(SERVER, "tcp_retrans_segs") - again, counter(SERVER, "tcp_segs_in") - acks,
	       turns);
	return 0;
}
