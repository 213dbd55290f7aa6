// SPDX-License-Identifier: BSD-3-Clause
// A TCP echo server without a copy: what arrives is sent back in the buffer it came in.
//
//   cc echo.c $(pkg-config --cflags --libs prismnet) -o echo && sudo ./echo echo.yaml
//   nc 198.18.0.2 7
#include <errno.h>
#include <prismnet/prism.h>
#include <stdio.h>

static void handle(struct prism_worker *w, const struct prism_event *e)
{
	if (e->type == PRISM_EVENT_DATA) {
		int status = prism_tcp_send(w, e->conn, e->buf);

		if (status < 0)
			prism_buf_release(w, e->buf); // still ours
		if (status == -EAGAIN)
			prism_tcp_abort(w, e->conn); // it sends 4 MiB and reads nothing
	} else if (e->type == PRISM_EVENT_EOF) {
		prism_tcp_close(w, e->conn); // after what is still queued
	}
}

int main(int argc, char **argv)
{
	struct prism_options options;
	struct prism_endpoint local = {.port = 7}; // on every address of ours
	struct prism_event events[64];
	prism_listener listener;

	PRISM_OPTIONS_INIT(&options);
	if (prism_options_load(&options, argc > 1 ? argv[1] : "echo.yaml") < 0)
		return prism_error_print("echo"), 1;
	struct prism *prism = prism_open(&options);

	if (!prism)
		return prism_error_print("echo"), 1;
	struct prism_worker *w = prism_worker_get(prism, 0);

	if (prism_tcp_listen(w, &local, 0, &listener) < 0)
		return prism_error_print("echo"), 1;
	printf("%s", prism_report(prism));
	for (;;) {
		int count = prism_poll(w, events, 64);

		for (int i = 0; i < count; i++)
			handle(w, &events[i]);
	}
}
