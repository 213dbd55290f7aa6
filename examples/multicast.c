// SPDX-License-Identifier: BSD-3-Clause
// Multicast, received and sent: one worker that joins a group, for whoever sends or for one sender,
// prints what comes, and answers with the same to the whole group when it is told to; but not what
// comes from the group's own port number, which is another's answer.
//
//   cc multicast.c $(pkg-config --cflags --libs prismnet) -o multicast
//   sudo ./multicast echo.yaml 239.1.2.3 5000 [from ADDRESS] [answer]
#include <prismnet/prism.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t over;

static void end(int signal_number)
{
	(void)signal_number;
	over = 1;
}

static int usage(void)
{
	fputs("multicast CONFIG GROUP PORT [from ADDRESS] [answer]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct prism_options options;
	struct prism_udp_group group = {0};
	struct prism_endpoint local = {0}, to = {0};
	struct prism_event events[64];
	int answers = argc > 4 && strcmp(argv[argc - 1], "answer") == 0;
	prism_udp udp;

	PRISM_OPTIONS_INIT(&options);
	if (argc < 4 || prism_addr_parse(argv[2], &group.group) < 0)
		return usage();
	if (argc > 5 &&
	    (strcmp(argv[4], "from") != 0 || prism_addr_parse(argv[5], &group.source) < 0))
		return usage();
	local.port = (uint16_t)atoi(argv[3]);
	to = (struct prism_endpoint){.addr = group.group, .port = local.port};
	if (prism_options_load(&options, argv[1]) < 0)
		return prism_error_print("multicast"), 1;
	struct prism *prism = prism_open(&options);

	if (!prism)
		return prism_error_print("multicast"), 1;
	struct prism_worker *w = prism_worker_get(prism, 0);

	if (prism_udp_open(w, &local, 0, &udp) < 0 || prism_udp_join(w, udp, &group) < 0)
		return prism_error_print("multicast"), 1;
	signal(SIGTERM, end);
	signal(SIGINT, end);
	printf("%s", prism_report(prism));
	printf("joined %s port %u\n", argv[2], local.port);
	fflush(stdout);
	while (!over) {
		int count = prism_poll(w, events, 64);

		for (int i = 0; i < count; i++) {
			if (events[i].type != PRISM_EVENT_DATAGRAM)
				continue;
			printf("%.*s\n", (int)events[i].len, (const char *)events[i].data);
			fflush(stdout);
			if (!answers || events[i].peer_port == local.port ||
			    prism_udp_send(w, udp, NULL, &to, events[i].buf) < 0)
				prism_buf_release(w, events[i].buf);
		}
	}
	if (prism_udp_leave(w, udp, &group) < 0)
		prism_error_print("multicast");
	for (int i = 0; i < 1000; i++)
		prism_poll(w, events, 64); // says that it left
	prism_close(prism);
	return 0;
}
