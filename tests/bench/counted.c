// SPDX-License-Identifier: BSD-3-Clause
// counted WHAT CONNECTIONS OPERATIONS [MORE]: a service and its clients in one process, for
// counting the server's instructions. WHAT is http (keep-alive), http-new (a connection each),
// tcp-echo or udp-echo, with messages of 64 bytes, or udp-drop, the same to a port where nobody
// listens. The first quarter of the operations warms up; what follows runs inside counted_turn and
// nowhere else:
//   valgrind --tool=callgrind --toggle-collect=counted_turn counted http 64 10000
// Prints what was counted as JSON. MORE is idle or serves: the server has a second worker, without
// a queue, who serves nobody or half of the connections, and only the first one's turns are
// counted; unrecorded or one-in-N: no flight recorder, or one that samples one packet in N (0:
// none); captured-BYTES: so much of each packet in and out is captured; page-BYTES: its page is as
// long instead of 64 bytes. Turns alternate, so a burst is as long as there are connections.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "core/worker.h"
#include "duo.h"
#include "service/service.h"

#define EVENTS 256
#define TURN_NS 20000 // of virtual time
#define PAGE "page-"
#define MESSAGE_BYTES 64

struct client {
	struct handler handler;
	union {
		prism_conn conn;
		prism_udp udp;
	};
	uint32_t got_bytes;
};

static struct duo duo;
static struct client *clients;
static struct prism_endpoint target;
static bool is_http, is_udp, is_new, is_drop;
static struct prism_worker *second[2]; // workers of both sides, or NULL; the client's is idle
static char request[256];
static uint32_t request_bytes, answer_bytes, client_count;
static uint64_t operations;
static size_t page_bytes = 64;

static void send_one(struct client *c)
{
	struct prism_worker *w = duo.worker[CLIENT];
	struct prism_buf *buf = prism_buf_alloc(w);

	duo_must(buf != NULL, "a buffer");
	duo_must(prism_buf_append(w, buf, request, request_bytes) == 0, "a request");
	int status = is_udp ? prism_udp_send(w, c->udp, NULL, &target, buf)
			    : prism_tcp_send(w, c->conn, buf);

	duo_must(status == 0, "send");
}

static void begin(struct client *c)
{
	int status = prism_tcp_connect(duo.worker[CLIENT], &target, NULL,
				       handler_cookie(&c->handler), &c->conn);

	duo_must(status == 0, "connect");
}

static void data_arrives(struct client *c, const struct prism_event *event)
{
	c->got_bytes += event->len;
	prism_buf_release(duo.worker[CLIENT], event->buf);
	if (answer_bytes == 0 || c->got_bytes < answer_bytes)
		return;
	c->got_bytes = 0;
	operations++;
	if (!is_new)
		send_one(c);
}

static void on_event(struct handler *handler, const struct prism_event *event)
{
	struct client *c = CONTAINER_OF(handler, struct client, handler);

	switch (event->type) {
	case PRISM_EVENT_CONNECTED:
		send_one(c);
		break;
	case PRISM_EVENT_DATA:
	case PRISM_EVENT_DATAGRAM:
		data_arrives(c, event);
		break;
	case PRISM_EVENT_EOF:
		(void)prism_tcp_close(duo.worker[CLIENT], c->conn);
		break;
	case PRISM_EVENT_CLOSED:
		duo_must(is_new, "a connection ended");
		if (answer_bytes > 0)
			begin(c);
		break;
	default:
		break;
	}
}

static void turn(struct prism_worker *worker)
{
	struct prism_event events[EVENTS];
	int count = worker_turn(worker, duo.now_ns, events, EVENTS);

	for (int i = 0; i < count; i++)
		handler_dispatch(&events[i]);
}

// The name callgrind is told.
__attribute__((noinline)) static void counted_turn(void)
{
	turn(duo.worker[SERVER]);
}

static void turn_others(void)
{
	if (second[SERVER])
		turn(second[SERVER]);
	turn(duo.worker[CLIENT]);
	if (second[CLIENT])
		turn(second[CLIENT]);
	duo.now_ns += TURN_NS;
}

// Nobody answers: one each, every turn.
static void send_all(void)
{
	for (uint32_t i = 0; i < client_count; i++)
		send_one(&clients[i]);
	operations += client_count;
}

static uint64_t run(uint64_t wanted, bool counts)
{
	uint64_t end = operations + wanted, turns = 0;

	for (; operations < end; turns++) {
		duo_must(turns < 1000 * wanted + 100000, "no progress");
		if (is_drop)
			send_all();
		if (counts)
			counted_turn();
		else
			turn(duo.worker[SERVER]);
		turn_others();
	}
	return turns;
}

// What one answer comes to: all that arrives after one request.
static void learn(void)
{
	struct client *c = &clients[0];

	if (is_udp)
		send_one(c);
	else
		begin(c);
	for (uint32_t still = 0, before = 0; still < 100; still++, before = c->got_bytes) {
		turn(duo.worker[SERVER]);
		turn_others();
		still = c->got_bytes == before ? still : 0;
	}
	duo_must(c->got_bytes > 0, "no answer");
	answer_bytes = c->got_bytes;
	c->got_bytes = 0;
}

static const char *make_site(void)
{
	static char folder[] = "/tmp/prism-counted-XXXXXX";
	char path[64], *page = malloc(page_bytes);

	duo_must(page != NULL, "memory");
	memset(page, 'x', page_bytes);
	duo_must(mkdtemp(folder) != NULL, "a folder");
	snprintf(path, sizeof(path), "%s/index.html", folder);
	FILE *f = fopen(path, "w");

	duo_must(f != NULL, path);
	fwrite(page, 1, page_bytes, f);
	fclose(f);
	free(page);
	return folder;
}

static void remove_site(const char *folder)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/index.html", folder);
	unlink(path);
	rmdir(folder);
}

static void make_request(const char *what)
{
	is_http = strncmp(what, "http", 4) == 0;
	is_new = strcmp(what, "http-new") == 0;
	is_drop = strcmp(what, "udp-drop") == 0;
	is_udp = is_drop || strcmp(what, "udp-echo") == 0;
	memset(request, 'm', MESSAGE_BYTES);
	request_bytes = MESSAGE_BYTES;
	if (is_http)
		request_bytes = (uint32_t)snprintf(
			request, sizeof(request),
			"GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: prism-load\r\n"
			"Accept: */*\r\n%s\r\n",
			DUO_SERVER, is_new ? "Connection: close\r\n" : "");
}

static void start_service(struct prism_worker *worker, const char *root)
{
	struct service *service;
	struct service_config config = {
		.type = is_http ? "http" : "echo", .listen.port = 80, .root = root};

	duo_must(service_start(duo.prism[SERVER], worker, &config, &service) == 0, "service");
}

static void start_clients(uint32_t connections)
{
	clients = calloc(connections, sizeof(*clients));
	client_count = connections;
	duo_must(clients != NULL, "memory");
	for (uint32_t i = 0; i < connections; i++) {
		struct prism_endpoint any = {.port = 0};

		clients[i].handler.on_event = on_event;
		if (is_udp)
			duo_must(prism_udp_open(duo.worker[CLIENT], &any,
						handler_cookie(&clients[i].handler),
						&clients[i].udp) == 0,
				 "a socket");
	}
}

#define ONE_IN "one-in-"
#define CAPTURED "captured-"
#define RING_BYTES (4u << 20)

// A tape in plain memory, as a capture of everything has one of each worker.
static void capture(struct prism_worker *worker, uint32_t snap_bytes)
{
	static struct taping taping = {.all = true, .points = 1u << TAPE_CAME | 1u << TAPE_LEFT};
	struct tapings tapings = {.points = taping.points, .count = 1};
	struct tape *tape = calloc(1, sizeof(*tape) + RING_BYTES);

	duo_must(tape != NULL, "memory");
	taping.snap_bytes = snap_bytes;
	tape->ring_bytes = RING_BYTES;
	tapings.of[0].taping = &taping;
	tapings.of[0].tape = tape;
	worker_tape(worker, &tapings);
}

static void start(uint32_t connections, const char *more)
{
	struct prism_options limits;

	if (more && strncmp(more, PAGE, strlen(PAGE)) == 0)
		page_bytes = strtoul(more + strlen(PAGE), NULL, 10);
	const char *root = is_http ? make_site() : NULL;

	PRISM_OPTIONS_INIT(&limits);
	limits.connections_max = 20000;
	limits.udp_max = connections + 8;
	limits.time_wait_ns = 1000000;
	bool two = more && (strcmp(more, "idle") == 0 || strcmp(more, "serves") == 0);
	bool unrecorded = more && strcmp(more, "unrecorded") == 0;

	bool sampled = more && strncmp(more, ONE_IN, strlen(ONE_IN)) == 0;

	if (sampled)
		limits.sample_one_in = (uint32_t)atoi(more + strlen(ONE_IN));
	if (unrecorded || (sampled && limits.sample_one_in == 0))
		limits.sample_one_in = PRISM_SAMPLE_NONE;
	limits.workers = two ? 2 : 1;
	duo_open(&duo, "counted", &limits);
	prism_endpoint_parse(is_drop ? DUO_SERVER ":81" : DUO_SERVER ":80", &target);
	if (unrecorded)
		duo.worker[SERVER]->env.verdicts = NULL;
	if (more && strncmp(more, CAPTURED, strlen(CAPTURED)) == 0)
		capture(duo.worker[SERVER], (uint32_t)atoi(more + strlen(CAPTURED)));
	start_service(duo.worker[SERVER], root);
	for (int i = 0; i < 2 && two; i++)
		second[i] = prism_worker_get(duo.prism[i], 1);
	if (two && strcmp(more, "serves") == 0)
		start_service(second[SERVER], root);
	if (is_http)
		remove_site(root);
	start_clients(connections);
}

static uint64_t counter(const char *name)
{
	uint64_t value = 0;

	(void)prism_counter(duo.prism[SERVER], name, &value);
	return value;
}

int main(int argc, char **argv)
{
	const char *more = argc == 5 ? argv[4] : NULL;

	if (argc < 4 || argc > 5 ||
	    (more && strcmp(more, "idle") != 0 && strcmp(more, "serves") != 0 &&
	     strcmp(more, "unrecorded") != 0 && strncmp(more, ONE_IN, strlen(ONE_IN)) != 0 &&
	     strncmp(more, CAPTURED, strlen(CAPTURED)) != 0 &&
	     strncmp(more, PAGE, strlen(PAGE)) != 0)) {
		fprintf(stderr,
			"usage: counted http|http-new|tcp-echo|udp-echo|udp-drop "
			"CONNECTIONS OPERATIONS [idle|serves|unrecorded|one-in-N|captured-BYTES|"
			"page-BYTES]\n");
		return 2;
	}
	uint32_t connections = (uint32_t)atoi(argv[2]);
	uint64_t wanted = strtoull(argv[3], NULL, 10);

	make_request(argv[1]);
	start(connections, more);
	if (!is_drop)
		learn();
	for (uint32_t i = 0; i < connections && !is_drop; i++) {
		if (is_udp || (i == 0 && !is_new))
			send_one(&clients[i]);
		else
			begin(&clients[i]);
	}
	run(wanted / 4, false);
	uint64_t before = operations, rx = counter("rx_pkts"), tx = counter("tx_pkts");
	uint64_t handed = counter("handed_out_pkts");
	uint64_t turns = run(wanted, true);

	printf("{\"operations\": %" PRIu64 ", \"turns\": %" PRIu64 ", \"rx_pkts\": %" PRIu64
	       ", \"tx_pkts\": %" PRIu64 ", \"handed_pkts\": %" PRIu64 "}\n",
	       operations - before, turns, counter("rx_pkts") - rx, counter("tx_pkts") - tx,
	       counter("handed_out_pkts") - handed);
	return 0;
}
