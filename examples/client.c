// SPDX-License-Identifier: BSD-3-Clause
// A TCP client: connects, asks for a page and prints the answer until the server closes.
//
//   cc client.c $(pkg-config --cflags --libs prismnet) -o client
//   sudo ./client echo.yaml 198.18.0.1:8000       # python3 -m http.server is there
#include <prismnet/prism.h>
#include <stdio.h>

static const char request[] = "GET / HTTP/1.0\r\n\r\n";

// False when the conversation is over.
static bool handle(struct prism_worker *w, const struct prism_event *e)
{
	switch (e->type) {
	case PRISM_EVENT_CONNECTED:
		// A few bytes of ordinary memory are copied; see prism_tcp_send_region for the
		// others.
		return prism_tcp_send_copy(w, e->conn, request, sizeof(request) - 1) == 0;
	case PRISM_EVENT_DATA:
		fwrite(e->data, 1, e->len, stdout);
		prism_buf_release(w, e->buf); // opens the window again
		return true;
	case PRISM_EVENT_EOF:
		prism_tcp_close(w, e->conn);
		return true;
	case PRISM_EVENT_CLOSED:
		if (e->reason != PRISM_CLOSE_DONE)
			fprintf(stderr, "client: closed, reason %u\n", e->reason);
		return false;
	default:
		return true;
	}
}

int main(int argc, char **argv)
{
	struct prism_options options;
	struct prism_endpoint remote;
	struct prism_event events[64];
	prism_conn conn;
	bool going = true;

	if (argc != 3 || prism_endpoint_parse(argv[2], &remote) < 0)
		return fprintf(stderr, "usage: client FILE.yaml ADDRESS:PORT\n"), 2;
	PRISM_OPTIONS_INIT(&options);
	if (prism_options_load(&options, argv[1]) < 0)
		return prism_error_print("client"), 1;
	struct prism *prism = prism_open(&options);

	if (!prism || prism_tcp_connect(prism_worker_get(prism, 0), &remote, NULL, 0, &conn) < 0)
		return prism_error_print("client"), 1;
	while (going) {
		int count = prism_poll(prism_worker_get(prism, 0), events, 64);

		for (int i = 0; i < count; i++)
			going = handle(prism_worker_get(prism, 0), &events[i]) && going;
	}
	prism_close(prism);
	prism_options_free(&options);
	return 0;
}
