// SPDX-License-Identifier: BSD-3-Clause
// The table of everything a configuration file may say. config.c reads by it, config_print.c
// writes the JSON Schema, the commented sample and the effective values from it; a key that is not
// here does not exist. Defaults are those of <prismnet/stack.h>; a test holds the two together.

#include "control/schema.h"

#include <string.h>

#include "control/config.h"

#define WHERE(type, member) \
	.offset = offsetof(struct type, member), \
	.width = sizeof(((struct type *)0)->member)
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const struct schema_field top_fields[] = {
	{.key = "instance", .kind = SCHEMA_NAME, WHERE(config, options.instance),
	 .fallback = "prism", .example = "hello",
	 .sentence = "names this instance's shared memory and runtime files"},
	{.key = "workers", .kind = SCHEMA_WORKERS, WHERE(config, options.core), .fallback = "1",
	 .example = "1",
	 .sentence = "a count, or a list of cpus to pin to: [2]; one worker for now"},
	{.key = "idle", .kind = SCHEMA_CHOICE, WHERE(config, idle), .choices = "sleep poll",
	 .fallback = "sleep", .example = "sleep",
	 .sentence = "sleep gives the core back when nothing happens; poll never does, and answers "
		     "some microseconds sooner"},
};

static const struct schema_field port_fields[] = {
	{.key = "name", .kind = SCHEMA_NAME, WHERE(prism_port_options, name), .required = true,
	 .example = "p0", .sentence = "how messages and tools call it"},
	{.key = "device", .kind = SCHEMA_DEVICE, WHERE(prism_port_options, device),
	 .required = true, .example = "tap:prism0",
	 .sentence = "tap:, af_xdp:, memif:, pci:, pcap:, pair: or vdev:, and its name"},
	{.key = "addresses", .kind = SCHEMA_PREFIXES, WHERE(prism_port_options, addresses),
	 .count_offset = offsetof(struct prism_port_options, address_count), .absent = "none",
	 .example = "[198.18.0.2/24]", .sentence = "our addresses, each with its prefix length"},
	{.key = "kernel_addresses", .kind = SCHEMA_PREFIXES,
	 WHERE(prism_port_options, kernel_addresses),
	 .count_offset = offsetof(struct prism_port_options, kernel_address_count),
	 .absent = "none", .example = "[198.18.0.1/24]",
	 .sentence = "tap only: addresses given to the kernel's end"},
	{.key = "gateway", .kind = SCHEMA_ADDRESS, WHERE(prism_port_options, gateway),
	 .absent = "none", .example = "198.18.0.1",
	 .sentence = "where packets to other networks go"},
	{.key = "mtu", .kind = SCHEMA_NUMBER, WHERE(prism_port_options, mtu_bytes), .min = 576,
	 .max = 9216, .absent = "the device's own", .example = "1500",
	 .sentence = "largest packet in bytes, ethernet header not counted"},
	{.key = "vlan", .kind = SCHEMA_NUMBER, WHERE(prism_port_options, vlan_id), .min = 1,
	 .max = 4094, .absent = "untagged", .example = "100", .sentence = "802.1Q tag"},
	{.key = "queue", .kind = SCHEMA_NUMBER, WHERE(prism_port_options, queue_pkts), .min = 32,
	 .max = 32768, .absent = "the driver's choice", .example = "1024",
	 .sentence = "packets a ring of the device holds"},
	{.key = "allow_default_route_device", .kind = SCHEMA_BOOL,
	 WHERE(prism_port_options, allow_default_route_device), .fallback = "false",
	 .example = "false",
	 .sentence = "take a card although this machine's own default route uses it"},
};

static const struct schema_field route_fields[] = {
	{.key = "to", .kind = SCHEMA_PREFIX, WHERE(prism_route, prefix), .required = true,
	 .example = "203.0.113.0/24", .sentence = "the network"},
	{.key = "via", .kind = SCHEMA_ADDRESS, WHERE(prism_route, via), .required = true,
	 .example = "198.18.0.1", .sentence = "the next hop, in a network of one of the ports"},
};

static const struct schema_field service_fields[] = {
	{.key = "type", .kind = SCHEMA_WORD, WHERE(service_config, type), .required = true,
	 .choices = "http echo discard", .example = "http",
	 .sentence = "http serves files; echo and discard speak TCP and UDP"},
	{.key = "port", .kind = SCHEMA_NUMBER, WHERE(service_config, listen.port), .required = true,
	 .min = 1, .max = 65535, .example = "80", .sentence = "where it listens"},
	{.key = "address", .kind = SCHEMA_ADDRESS, WHERE(service_config, listen.addr),
	 .absent = "all of ours", .example = "198.18.0.2",
	 .sentence = "one of the ports' addresses to listen on"},
	{.key = "connections", .kind = SCHEMA_NUMBER, WHERE(service_config, connections_max),
	 .min = 1, .max = 16777216, .fallback = "16384", .example = "16384",
	 .sentence = "at most so many at once; more are reset"},
	{.key = "root", .kind = SCHEMA_PATH, WHERE(service_config, root), .only = "http",
	 .absent = "none", .example = "www",
	 .sentence = "the folder to serve, relative to this file; loaded once, at start"},
	{.key = "index", .kind = SCHEMA_TEXT, WHERE(service_config, index), .only = "http",
	 .fallback = "index.html", .example = "index.html",
	 .sentence = "the file a folder's own address serves"},
	{.key = "file_max", .kind = SCHEMA_SIZE, WHERE(service_config, file_bytes_max),
	 .only = "http", .min = 1, .max = 64 * GIB, .fallback = "1GiB", .example = "1GiB",
	 .sentence = "a larger file under root refuses the start"},
	{.key = "body_max", .kind = SCHEMA_SIZE, WHERE(service_config, body_bytes_max),
	 .only = "http", .min = 1, .max = GIB, .fallback = "64KiB", .example = "64KiB",
	 .sentence = "longest request body that is read (and ignored)"},
	{.key = "request_timeout", .kind = SCHEMA_TIME, WHERE(service_config, request_timeout_ns),
	 .only = "http", .min = 100 * MS, .max = 3600 * S, .fallback = "10s", .example = "10s",
	 .sentence = "from a request's first byte to its last"},
	{.key = "idle_timeout", .kind = SCHEMA_TIME, WHERE(service_config, idle_timeout_ns),
	 .only = "http", .min = 100 * MS, .max = 3600 * S, .fallback = "60s", .example = "60s",
	 .sentence = "silence between requests after which a connection is closed"},
	{.key = "stall_timeout", .kind = SCHEMA_TIME, WHERE(service_config, stall_timeout_ns),
	 .only = "http", .min = 100 * MS, .max = 3600 * S, .fallback = "30s", .example = "30s",
	 .sentence = "a reader that takes nothing for so long is closed"},
};

static const struct schema_field control_fields[] = {
	{.key = "socket", .kind = SCHEMA_PATH, WHERE(config, control_socket), .absent = "none",
	 .example = "/run/prism/hello.sock",
	 .sentence = "HTTP over a UNIX socket: /v1/stats, /v1/ports, /metrics"},
};

static const struct schema_field limit_fields[] = {
	{.key = "connections", .kind = SCHEMA_NUMBER, WHERE(prism_options, connections_max),
	 .min = 1, .max = 16777216, .fallback = "16384", .example = "16384",
	 .sentence = "TCP connections, established and later"},
	{.key = "half_open", .kind = SCHEMA_NUMBER, WHERE(prism_options, half_open_max), .min = 1,
	 .max = 1048576, .fallback = "4096", .example = "4096",
	 .sentence = "TCP connections whose handshake is under way"},
	{.key = "listeners", .kind = SCHEMA_NUMBER, WHERE(prism_options, listeners_max), .min = 1,
	 .max = 65535, .fallback = "64", .example = "64", .sentence = "listening TCP ports"},
	{.key = "udp", .kind = SCHEMA_NUMBER, WHERE(prism_options, udp_max), .min = 1, .max = 65535,
	 .fallback = "64", .example = "64", .sentence = "UDP sockets"},
	{.key = "buffers", .kind = SCHEMA_NUMBER, WHERE(prism_options, buffers), .min = 1024,
	 .max = 16777216, .fallback = "16384", .example = "16384",
	 .sentence = "receive packets; transmit gets as many"},
	{.key = "timers", .kind = SCHEMA_NUMBER, WHERE(prism_options, timers_max), .min = 1,
	 .max = 16777216, .fallback = "4096", .example = "4096",
	 .sentence = "timers of the application"},
};

static const struct schema_field tcp_fields[] = {
	{.key = "send_buffer", .kind = SCHEMA_SIZE, WHERE(prism_options, send_bytes_max),
	 .min = 4 * KIB, .max = GIB, .fallback = "4MiB", .example = "4MiB",
	 .sentence = "unsent and unacknowledged bytes a connection may hold"},
	{.key = "receive_buffer", .kind = SCHEMA_SIZE, WHERE(prism_options, receive_bytes_max),
	 .min = 4 * KIB, .max = GIB, .fallback = "1MiB", .example = "1MiB",
	 .sentence = "window and unreleased bytes of a connection"},
	{.key = "mss", .kind = SCHEMA_NUMBER, WHERE(prism_options, segment_bytes_max), .min = 88,
	 .max = 9176, .absent = "what the MTU allows", .example = "1460",
	 .sentence = "cap on a segment's payload in bytes"},
	{.key = "time_wait", .kind = SCHEMA_TIME, WHERE(prism_options, time_wait_ns), .min = MS,
	 .max = 240 * S, .fallback = "60s", .example = "60s",
	 .sentence = "how long a closed connection's addresses are kept from reuse (2 MSL)"},
	{.key = "keepalive", .kind = SCHEMA_TIME, .off = true, WHERE(prism_options, keepalive_ns),
	 .min = S, .max = 86400 * S, .fallback = "off", .example = "off",
	 .sentence = "silence after which the peer is probed, or off"},
	{.key = "delayed_ack", .kind = SCHEMA_TIME, WHERE(prism_options, delayed_ack_ns),
	 .min = MS, .max = 500 * MS, .fallback = "40ms", .example = "40ms",
	 .sentence = "how long an acknowledgment may wait (RFC 9293 3.8.6.3: at most 500ms)"},
	{.key = "rto_min", .kind = SCHEMA_TIME, WHERE(prism_options, rto_ns_min), .min = MS,
	 .max = 60 * S, .fallback = "200ms", .example = "200ms",
	 .sentence = "shortest retransmission timeout (RFC 6298 says 1s, Linux 200ms)"},
};

static const struct schema_field memory_fields[] = {
	{.key = "mode", .kind = SCHEMA_CHOICE, WHERE(prism_options, memory),
	 .choices = "auto hugepages plain", .fallback = "auto", .example = "auto",
	 .sentence = "auto takes huge pages where there are enough, and says so"},
	{.key = "size", .kind = SCHEMA_SIZE, WHERE(prism_options, memory_mib), .scale = MIB,
	 .min = 16 * MIB, .max = 1024 * GIB, .absent = "what the limits need",
	 .example = "512MiB", .sentence = "packet memory"},
	{.key = "region", .kind = SCHEMA_SIZE, WHERE(prism_options, region_mib), .scale = MIB,
	 .min = MIB, .max = 1024 * GIB, .absent = "what the services' files need, 64MiB at least",
	 .example = "64MiB", .sentence = "of it, for bytes sent by reference: files"},
};

#define FIELDS(table) .fields = table, .field_count = COUNT_OF(table)
#define OPTIONS offsetof(struct config, options)

const struct schema_section schema_sections[] = {
	{.key = "", FIELDS(top_fields), .sentence = "what runs"},
	{.key = "ports", .list = true, .offset = offsetof(struct config, options.ports),
	 .item_bytes = sizeof(struct prism_port_options), .item_max = PRISM_PORTS_MAX,
	 .count_offset = offsetof(struct config, options.port_count), FIELDS(port_fields),
	 .sentence = "where packets come from and go to"},
	{.key = "routes", .list = true, .offset = offsetof(struct config, options.routes),
	 .item_bytes = sizeof(struct prism_route), .item_max = PRISM_ROUTES_MAX,
	 .count_offset = offsetof(struct config, options.route_count), FIELDS(route_fields),
	 .sentence = "networks behind other routers; the longest prefix wins"},
	{.key = "services", .list = true, .offset = offsetof(struct config, services),
	 .item_bytes = sizeof(struct service_config), .item_max = CONFIG_SERVICES_MAX,
	 .count_offset = offsetof(struct config, service_count), FIELDS(service_fields),
	 .sentence = "what answers on our addresses"},
	{.key = "control", FIELDS(control_fields),
	 .sentence = "how tools reach a running instance"},
	{.key = "limits", .offset = OPTIONS, FIELDS(limit_fields),
	 .sentence = "how many; all memory is had at start"},
	{.key = "tcp", .offset = OPTIONS, FIELDS(tcp_fields),
	 .sentence = "how connections behave"},
	{.key = "memory", .offset = OPTIONS, FIELDS(memory_fields),
	 .sentence = "where packets live"},
};
const uint32_t schema_section_count = COUNT_OF(schema_sections);

const struct schema_device schema_devices[] = {
	{"tap", "INTERFACE", "a new interface of the kernel's; needs next to no privileges"},
	{"af_xdp", "INTERFACE", "an existing interface, shared with the kernel"},
	{"memif", "SOCKET[,role=server|client]", "shared memory with another process"},
	{"pci", "ADDRESS", "a whole card through VFIO"},
	{"pcap", "IN[,OUT]", "capture files, in and out"},
	{"pair", "NAME", "two ports of one process, joined"},
	{"vdev", "DEVICE[,OPTION=VALUE]", "any other DPDK virtual device"},
};
const uint32_t schema_device_count = COUNT_OF(schema_devices);

const struct schema_section *schema_section_find(const char *key)
{
	for (uint32_t i = 0; i < schema_section_count; i++)
		if (strcmp(schema_sections[i].key, key) == 0)
			return &schema_sections[i];
	return NULL;
}

const struct schema_field *schema_field_find(const struct schema_section *section, const char *key)
{
	for (uint32_t i = 0; i < section->field_count; i++)
		if (strcmp(section->fields[i].key, key) == 0)
			return &section->fields[i];
	return NULL;
}

bool schema_word(const char *words, uint32_t n, const char **word, uint32_t *len)
{
	for (; n > 0; n--) {
		words = strchr(words, ' ');
		if (!words)
			return false;
		words++;
	}
	*word = words;
	*len = (uint32_t)strcspn(words, " ");
	return true;
}
