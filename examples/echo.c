// SPDX-License-Identifier: BSD-3-Clause
// A TCP echo server without a copy: what arrives is sent back in the buffer it came in.
//   cc echo.c $(pkg-config --cflags --libs prismnet) -o echo && sudo ./echo echo.yaml
//   nc 198.18.0.2 7
#include <prismnet/prism.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct peer {
	struct prism_buf *first, *last; // arrived, not sent yet; unreleased, so its window closes
	bool eof;                       // it has said all
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = number;
}

static void echo(struct prism_worker *w, prism_conn conn, struct peer *p)
{
	while (p->first) {
		struct prism_buf *next = prism_buf_next(p->first);

		if (prism_tcp_send(w, conn, p->first) < 0)
			return; // no room: WRITABLE follows; or it is over: CLOSED does
		p->first = next;
	}
	if (p->eof)
		prism_tcp_close(w, conn);
}

static void handle(struct prism_worker *w, const struct prism_event *e)
{
	struct peer *p = (struct peer *)(uintptr_t)e->user;

	if (e->type == PRISM_EVENT_ACCEPTED) {
		p = calloc(1, sizeof(*p));
		if (!p || prism_tcp_set_user(w, e->conn, (uintptr_t)p) < 0)
			abort();
	} else if (e->type == PRISM_EVENT_CLOSED) {
		for (struct prism_buf *next; p->first; p->first = next) {
			next = prism_buf_next(p->first);
			prism_buf_release(w, p->first);
		}
		free(p);
	} else {
		if (e->type == PRISM_EVENT_DATA) {
			prism_buf_set_next(e->buf, NULL);
			if (p->first)
				prism_buf_set_next(p->last, e->buf);
			else
				p->first = e->buf;
			p->last = e->buf;
		}
		p->eof |= e->type == PRISM_EVENT_EOF;
		echo(w, e->conn, p);
	}
}

int main(int argc, char **argv)
{
	struct prism_options options;
	struct prism_endpoint local = {.port = 7}; // on every address of ours
	struct prism_event events[64];
	prism_listener listener;

	signal(SIGINT, on_signal);
	PRISM_OPTIONS_INIT(&options);
	if (prism_options_load(&options, argc > 1 ? argv[1] : "echo.yaml") < 0)
		return prism_error_print("echo"), 1;
	struct prism *prism = prism_open(&options);

	if (!prism || prism_tcp_listen(prism_worker_get(prism, 0), &local, 0, &listener) < 0)
		return prism_error_print("echo"), 1;
	printf("%slistening on port 7; Ctrl-C ends it\n", prism_report(prism));
	fflush(stdout); // into a file too
	while (!stop) {
		int count = prism_poll(prism_worker_get(prism, 0), events, 64);

		for (int i = 0; i < count; i++)
			handle(prism_worker_get(prism, 0), &events[i]);
	}
	prism_close(prism); // no interface and no file stays
	return 0;
}
