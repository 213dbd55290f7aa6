// SPDX-License-Identifier: BSD-3-Clause
// A client that goes by a gateway of its choice: sends a text to a server that echoes it, and says
// whether it came back as it was.
//
//   by_gateway FILE.yaml ADDRESS:PORT GATEWAY
#include <prismnet/prism.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 100000

struct talk {
	struct prism_worker *worker;
	prism_conn conn;
	char *text; // in a region
	size_t received;
	bool is_same, is_over;
};

static void handle(struct talk *t, const struct prism_event *e)
{
	switch (e->type) {
	case PRISM_EVENT_CONNECTED:
		if (prism_tcp_send_region(t->worker, e->conn, t->text, TEXT_BYTES) != 0)
			t->is_over = true;
		break;
	case PRISM_EVENT_DATA:
		t->is_same &= t->received + e->len <= TEXT_BYTES &&
			      memcmp(t->text + t->received, e->data, e->len) == 0;
		t->received += e->len;
		prism_buf_release(t->worker, e->buf);
		if (t->received >= TEXT_BYTES)
			prism_tcp_close(t->worker, e->conn);
		break;
	case PRISM_EVENT_EOF:
		prism_tcp_close(t->worker, e->conn);
		break;
	case PRISM_EVENT_CLOSED:
		printf("%zu bytes came back%s, reason %u\n", t->received,
		       t->is_same ? "" : ", not as they were", e->reason);
		t->is_over = true;
		break;
	default:
		break;
	}
}

static int talk(struct prism *prism, const struct prism_endpoint *remote,
		const struct prism_source_route *route)
{
	struct talk t = {.worker = prism_worker_get(prism, 0), .is_same = true};
	struct prism_event events[64];

	t.text = prism_region_alloc(prism, TEXT_BYTES);
	if (!t.text || prism_tcp_connect_by(t.worker, remote, route, 0, &t.conn) < 0)
		return prism_error_print("by_gateway"), 1;
	for (size_t i = 0; i < TEXT_BYTES; i++)
		t.text[i] = (char)(i * 7 + i / 256);
	while (!t.is_over) {
		int count = prism_poll(t.worker, events, 64);

		for (int i = 0; i < count; i++)
			handle(&t, &events[i]);
	}
	return t.is_same && t.received == TEXT_BYTES ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct prism_source_route route = {.count = 1};
	struct prism_options options;
	struct prism_endpoint remote;

	if (argc != 4 || prism_endpoint_parse(argv[2], &remote) < 0 ||
	    prism_addr_parse(argv[3], &route.gateway[0]) < 0)
		return fprintf(stderr, "usage: by_gateway FILE.yaml ADDRESS:PORT GATEWAY\n"), 2;
	PRISM_OPTIONS_INIT(&options);
	if (prism_options_load(&options, argv[1]) < 0)
		return prism_error_print("by_gateway"), 1;
	struct prism *prism = prism_open(&options);
	if (!prism)
		return prism_error_print("by_gateway"), 1;
	int code = talk(prism, &remote, &route);

	prism_close(prism);
	prism_options_free(&options);
	return code;
}
