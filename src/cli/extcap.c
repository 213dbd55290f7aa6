// SPDX-License-Identifier: BSD-3-Clause
// prism extcap: what Wireshark and tshark ask of a program that brings them interfaces (extcap(4)):
// the ports of all instances that run, and captures of them (capture.c). A link named prism-extcap
// to a two-line script in their extcap folder makes them call it (contrib/wireshark/). Deliberately
// absent: controls in Wireshark's toolbar.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/capture.h"
#include "cli/cli.h"
#include "observe/instance.h"
#include "see/packet_filter.h"

// The order is commands.c's.
enum option {
	INTERFACES,
	DLTS,
	CONFIG,
	CAPTURE,
	INTERFACE,
	FILTER,
	FIFO,
	VERSION,
	AT,
	SNAP,
	RING,
};

// Braces and backslashes end a sentence of theirs.
static void print_plain(const char *text)
{
	for (; *text; text++)
		putchar(strchr("{}\\", *text) ? '_' : *text);
}

static void print_ports(void *context, const char *path)
{
	struct shm_reader *reader = shm_reader_open(path);
	const struct shm_table *ports = reader ? shm_reader_table(reader, "port") : NULL;

	for (uint32_t i = 0; ports && shm_reader_alive(reader) && i < ports->rows; i++) {
		const char *instance = shm_reader_head(reader)->instance;
		const char *name =
			shm_reader_text(reader, ports, i, shm_reader_find(reader, ports, "name"));
		const char *device =
			shm_reader_text(reader, ports, i, shm_reader_find(reader, ports, "device"));

		if (strncmp(device, "vlan:", 5) == 0)
			continue; // its packets are its device's
		printf("interface {value=prism:%s:", instance);
		print_plain(name);
		printf("}{display=Prism %s, port ", instance);
		print_plain(name);
		printf(" (");
		print_plain(device);
		puts(")}");
	}
	shm_reader_close(reader);
}

static int print_interfaces(void)
{
	printf("extcap {version=" PRISM_VERSION "}{display=Prism}\n");
	instance_list(NULL, print_ports, NULL);
	return CLI_OK;
}

static int print_config(void)
{
	printf("arg {number=0}{call=--points}{display=Where}{type=string}{default=" CAPTURE_POINTS
	       "}{tooltip=some of " CAPTURE_POINTS_ALL ", with commas between}\n"
	       "arg {number=1}{call=--snapshot-length}{display=Bytes of each packet}"
	       "{type=unsigned}{range=1,%u}{default=%u}\n"
	       "arg {number=2}{call=--ring}{display=Bytes of each worker's ring}{type=unsigned}"
	       "{range=1,%u}{default=%u}\n",
	       TAPE_SNAP_BYTES_MAX, CAPTURE_SNAP_BYTES, TAPE_RING_BYTES_MAX, CAPTURE_RING_BYTES);
	return CLI_OK;
}

// What is wrong with a filter is said on the output, where they look for it.
static int check_filter(const char *text)
{
	struct packet_filter *filter = packet_filter_create(text);

	if (!filter)
		puts(err_last()->message);
	packet_filter_destroy(filter);
	return CLI_OK;
}

// "prism:INSTANCE:PORT" in two; neither has a colon.
static bool split(char *name, const char **instance, const char **port)
{
	char *colon = strncmp(name, "prism:", 6) == 0 ? strchr(name + 6, ':') : NULL;

	if (!colon)
		return false;
	*colon = '\0';
	*instance = name + 6;
	*port = colon + 1;
	return true;
}

static int begin(const char *const *v)
{
	const char *values[CAPTURE_OPTIONS] = {0};
	char *name = strdup(v[INTERFACE]);
	int code = CLI_USAGE;

	if (name && split(name, &values[CAPTURE_INSTANCE], &values[CAPTURE_INTERFACE])) {
		values[CAPTURE_WRITE] = v[FIFO];
		values[CAPTURE_AT] = v[AT];
		values[CAPTURE_SNAP] = v[SNAP];
		values[CAPTURE_RING] = v[RING];
		values[CAPTURE_QUIET] = "";
		code = capture_with(values, v[FILTER] ? v[FILTER] : "");
	} else {
		cli_error(CLI_USAGE, NULL, "prism extcap --extcap-interfaces lists them",
			  "there is no interface %s", v[INTERFACE]);
	}
	free(name);
	return code;
}

int cmd_extcap(int argc, char **argv)
{
	const char *v[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, v);

	if (at < 0)
		return CLI_USAGE;
	if (v[INTERFACES])
		return print_interfaces();
	if (v[DLTS] && v[INTERFACE]) {
		puts("dlt {number=1}{name=EN10MB}{display=Ethernet}");
		return CLI_OK;
	}
	if (v[CONFIG] && v[INTERFACE])
		return print_config();
	if (v[CAPTURE] && v[INTERFACE] && v[FIFO])
		return begin(v);
	if (v[FILTER])
		return check_filter(v[FILTER]);
	return cli_error(CLI_USAGE, NULL,
			 "let Wireshark call it: see contrib/wireshark; to capture by hand, prism "
			 "capture",
			 "prism extcap is not told what to do");
}
