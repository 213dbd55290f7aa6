// SPDX-License-Identifier: BSD-3-Clause
// An application that already runs DPDK: it called rte_eal_init itself, and Prism joins in.
//
//   with_eal --no-huge -m 256 --no-pci --no-shconf -- tap:eal0 198.18.9.2 198.18.9.1
//
// echoes on port 7 of the first address; the second is the kernel's end.
#include <prismnet/prism.h>
#include <rte_eal.h>
#include <stdio.h>

static void echo(struct prism_worker *w, const struct prism_event *e)
{
	if (e->type == PRISM_EVENT_DATA && prism_tcp_send(w, e->conn, e->buf) != 0)
		prism_buf_release(w, e->buf);
	if (e->type == PRISM_EVENT_EOF)
		prism_tcp_close(w, e->conn);
}

int main(int argc, char **argv)
{
	int used = rte_eal_init(argc, argv);
	struct prism_options o;
	struct prism_event event[64];
	prism_listener listener;

	if (used < 0 || argc - used < 4) {
		fprintf(stderr,
			"usage: with_eal EAL-ARGUMENTS -- DEVICE OUR-ADDRESS KERNEL-ADDRESS\n");
		return 2;
	}
	PRISM_OPTIONS_INIT(&o);
	o.eal_running = true;
	o.buffers = 2048;
	o.ports[0] = (struct prism_port_options){.name = "p0", .device = argv[used + 1]};
	o.ports[0].addresses[0].len = o.ports[0].kernel_addresses[0].len = 24;
	o.ports[0].address_count = o.ports[0].kernel_address_count = o.port_count = 1;
	if (prism_addr_parse(argv[used + 2], &o.ports[0].addresses[0].addr) ||
	    prism_addr_parse(argv[used + 3], &o.ports[0].kernel_addresses[0].addr)) {
		fprintf(stderr, "with_eal: not an address\n");
		return 2;
	}
	struct prism *p = prism_open(&o);

	if (!p || prism_tcp_listen(prism_worker_get(p, 0), &(struct prism_endpoint){.port = 7}, 0,
				   &listener)) {
		prism_error_print("with_eal");
		return 1;
	}
	fputs(prism_report(p), stdout);
	for (struct prism_worker *w = prism_worker_get(p, 0);;) {
		int n = prism_poll(w, event, 64);

		for (int i = 0; i < n; i++)
			echo(w, &event[i]);
	}
}
