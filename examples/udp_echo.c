// SPDX-License-Identifier: BSD-3-Clause
// A UDP echo server without a copy. Addresses and ports swap, the payload is not touched.
//
//   cc udp_echo.c $(pkg-config --cflags --libs prismnet) -o udp_echo && sudo ./udp_echo echo.yaml
//   nc -u 198.18.0.2 7
#include <prismnet/prism.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct prism_options options;
	struct prism_endpoint local = {.port = 7};
	struct prism_event events[64];
	prism_udp udp;

	PRISM_OPTIONS_INIT(&options);
	if (prism_options_load(&options, argc > 1 ? argv[1] : "echo.yaml") < 0)
		return prism_error_print("udp_echo"), 1;
	struct prism *prism = prism_open(&options);

	if (!prism || prism_udp_open(prism_worker_get(prism, 0), &local, 0, &udp) < 0)
		return prism_error_print("udp_echo"), 1;
	printf("%s", prism_report(prism));
	struct prism_worker *w = prism_worker_get(prism, 0);

	for (;;) {
		int count = prism_poll(w, events, 64);

		for (int i = 0; i < count; i++)
			if (events[i].type == PRISM_EVENT_DATAGRAM &&
			    prism_udp_reply(w, &events[i], events[i].buf) < 0)
				prism_buf_release(w, events[i].buf);
	}
}
