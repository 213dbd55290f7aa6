// SPDX-License-Identifier: BSD-3-Clause
// Defaults of struct prism_options, for core/start.c, and what no stack can be made of. A zero in
// any field means the default too, so that a caller built against an older, shorter struct gets
// what it would have got. Whether values go together is judged in control/, for a file; a program's
// are refused here only where memory would be read or sized by them.
#include <inttypes.h>
#include <string.h>

#include "base/addr.h"
#include "base/bits.h"
#include "base/err.h"
#include "base/time.h"
#include "core/start.h"

// IEEE 802.1Q: 4095 is reserved.
#define VLAN_ID_MAX 4094

#define DEFAULT(field, value) \
	do { \
		if (!o->field) \
			o->field = (value); \
	} while (0)

// A record and its place in the table are about 100 bytes: of a million connections a quarter may
// wait, of few all.
static uint32_t time_wait_default(uint32_t connections_max)
{
	return MAX(MIN(connections_max, 16384u), connections_max / 4);
}

void options_fill(struct prism_options *o, const struct prism_options *given)
{
	memset(o, 0, sizeof(*o));
	o->core = -1;
	for (uint32_t i = 0; i < WORKERS_MAX; i++)
		o->cores[i] = -1;
	memcpy(o, given, MIN(given->size, sizeof(*o)));
	o->size = sizeof(*o);
	o->cores[0] = (int16_t)MIN(o->core, INT16_MAX);
	DEFAULT(workers, 1);
	for (uint32_t i = 0; i < PORTS_MAX; i++)
		DEFAULT(ports[i].name, "port");
	DEFAULT(instance, "prism");
	DEFAULT(connections_max, 16384);
	DEFAULT(half_open_max, 4096);
	DEFAULT(time_wait_max, time_wait_default(o->connections_max));
	DEFAULT(listeners_max, 64);
	DEFAULT(udp_max, 64);
	DEFAULT(buffers, 16384);
	DEFAULT(timers_max, 4096);
	DEFAULT(send_bytes_max, 4u << 20);
	DEFAULT(receive_bytes_max, 1u << 20);
	DEFAULT(time_wait_ns, 60 * NS_PER_S);
	DEFAULT(delayed_ack_ns, 40 * NS_PER_MS);
	DEFAULT(rto_ns_min, 200 * NS_PER_MS);
	DEFAULT(region_mib, 64);
	DEFAULT(fixed_window_bytes, 1u << 20);
	DEFAULT(sample_one_in, 1024);
}

bool options_speak_ip6(const struct prism_port_options *port)
{
	if (port->router_advertisements == PRISM_RA_ON)
		return true;
	for (uint32_t i = 0; i < port->address_count; i++) {
		struct addr addr = addr_from_bytes(&port->addresses[i].addr);

		if (!addr_is_v4(&addr))
			return true;
	}
	return false;
}

#define VLAN_DEVICE "vlan:"

bool options_is_vlan(const struct prism_port_options *port)
{
	return port->device && strncmp(port->device, VLAN_DEVICE, strlen(VLAN_DEVICE)) == 0;
}

uint32_t options_device_of(const struct prism_options *o, uint32_t index)
{
	const char *device = o->ports[index].device;

	if (!options_is_vlan(&o->ports[index]))
		return index;
	for (uint32_t i = 0; i < index; i++)
		if (!options_is_vlan(&o->ports[i]) && o->ports[i].name &&
		    strcmp(o->ports[i].name, device + strlen(VLAN_DEVICE)) == 0)
			return i;
	return PORTS_MAX;
}

static int refuse(const char *field, uint32_t value, uint32_t min, uint32_t max)
{
	return err_set(ERR_INVALID_ARGUMENT, "%s is %u; it takes %u to %u", field, value, min, max);
}

static int refuse_port(uint32_t index, const char *field, uint32_t value, uint32_t max)
{
	return err_set(ERR_INVALID_ARGUMENT, "ports[%u].%s is %u; it takes at most %u", index,
		       field, value, max);
}

// What a device has, a VLAN of it does not choose.
static int check_vlan(const struct prism_options *o, uint32_t index)
{
	const struct prism_port_options *port = &o->ports[index];
	uint32_t device = options_device_of(o, index);

	if (device == PORTS_MAX)
		return err_set(ERR_INVALID_ARGUMENT,
			       "ports[%u].device is \"%s\": no port of that name with a device of "
			       "its own comes before it",
			       index, port->device);
	if (port->vlan_id == 0 || port->mtu_bytes || port->queue_pkts || port->kernel_address_count)
		return err_set(
			ERR_INVALID_ARGUMENT,
			"ports[%u] is a VLAN: it has a vlan_id, and no mtu_bytes, queue_pkts "
			"or kernel_addresses of its own",
			index);
	for (uint32_t i = 0; i < index; i++)
		if (options_device_of(o, i) == device && o->ports[i].vlan_id == port->vlan_id)
			return err_set(ERR_INVALID_ARGUMENT,
				       "ports[%u].vlan_id is %u, which ports[%u] has on the same "
				       "device",
				       index, port->vlan_id, i);
	return 0;
}

static int check_port(const struct prism_options *o, uint32_t index)
{
	const struct prism_port_options *port = &o->ports[index];

	if (!port->device)
		return err_set(ERR_INVALID_ARGUMENT, "ports[%u].device is not given", index);
	if (port->address_count > PORT_ADDRESSES_MAX)
		return refuse_port(index, "address_count", port->address_count, PORT_ADDRESSES_MAX);
	if (port->kernel_address_count > PORT_ADDRESSES_MAX)
		return refuse_port(index, "kernel_address_count", port->kernel_address_count,
				   PORT_ADDRESSES_MAX);
	if (port->router_advertisements > PRISM_RA_OFF)
		return refuse_port(index, "router_advertisements", port->router_advertisements,
				   PRISM_RA_OFF);
	if (port->vlan_id > VLAN_ID_MAX)
		return refuse_port(index, "vlan_id", port->vlan_id, VLAN_ID_MAX);
	if (port->mtu_bytes && (port->mtu_bytes < MTU_BYTES_MIN || port->mtu_bytes > MTU_BYTES_MAX))
		return err_set(ERR_INVALID_ARGUMENT, "ports[%u].mtu_bytes is %u; it takes %u to %u",
			       index, port->mtu_bytes, MTU_BYTES_MIN, MTU_BYTES_MAX);
	return options_is_vlan(port) ? check_vlan(o, index) : 0;
}

// What memory is sized by or read by; at most what a configuration file may say.
static const struct {
	const char *field;
	size_t offset;
	uint32_t min, max;
} ranges[] = {
#define RANGE(field, min, max) \
	{ \
#field, offsetof(struct prism_options, field), min, max \
	}
	RANGE(connections_max, 1, 1u << 24),
	RANGE(half_open_max, 1, 1u << 20),
	RANGE(time_wait_max, 1, 1u << 24),
	RANGE(listeners_max, 1, UINT16_MAX),
	RANGE(buffers, 1, 1u << 24),
	RANGE(timers_max, 1, 1u << 24),
	RANGE(send_bytes_max, PRISM_SEND_BYTES_MIN, 1u << 30),
	RANGE(receive_bytes_max, 1, 1u << 30),
	RANGE(route_count, 0, PRISM_ROUTES_MAX),
	RANGE(memory_mib, 0, 1u << 20),
	RANGE(region_mib, 0, 1u << 20),
	RANGE(workers, 1, WORKERS_MAX),
	RANGE(congestion, 0, PRISM_CONGESTION_BBR),
	RANGE(sack_off, 0, 1),
	RANGE(source_routes, 0, 1),
	RANGE(ecn, 0, PRISM_ECN_OFF),
	RANGE(pacing, 0, 1),
	RANGE(pmtu_probing_off, 0, 1),
	RANGE(fixed_window_bytes, 1, 1u << 30),
#undef RANGE
};

// Times are added to now: a very long one would lie in the past.
static const struct {
	const char *field;
	size_t offset;
	uint64_t least_ns, most_ns; // of what is not 0
} times[] = {
#define TIME(field, least_ns, most_ns) \
	{ \
#field, offsetof(struct prism_options, field), least_ns, most_ns \
	}
	TIME(time_wait_ns, 1, 240 * NS_PER_S),
	TIME(keepalive_ns, NS_PER_S, 86400 * NS_PER_S),
	TIME(user_timeout_ns, 100 * NS_PER_MS, 86400 * NS_PER_S),
	TIME(delayed_ack_ns, 1, 500 * NS_PER_MS), // RFC 9293 MUST-40
	TIME(rto_ns_min, 1, 60 * NS_PER_S),
#undef TIME
};

static int check_times(const struct prism_options *o)
{
	for (size_t i = 0; i < ARRAY_COUNT(times); i++) {
		uint64_t ns;

		memcpy(&ns, (const char *)o + times[i].offset, sizeof(ns));
		if (ns && (ns < times[i].least_ns || ns > times[i].most_ns))
			return err_set(ERR_INVALID_ARGUMENT,
				       "%s is %" PRIu64 "; it takes %" PRIu64 " to %" PRIu64
				       ", or 0",
				       times[i].field, ns, times[i].least_ns, times[i].most_ns);
	}
	return 0;
}

bool options_sample_is_good(uint32_t one_in)
{
	return one_in == PRISM_SAMPLE_NONE || (one_in > 0 && one_in <= PRISM_SAMPLE_ONE_IN_MAX);
}

int options_check(const struct prism_options *o)
{
	int error = 0;

	if (o->port_count == 0 || o->port_count > PORTS_MAX)
		return err_set(ERR_NO_PORTS, "%u ports", o->port_count);
	if (!options_sample_is_good(o->sample_one_in))
		return err_set(ERR_INVALID_ARGUMENT,
			       "sample_one_in is %u; it takes 1 to 2^30, or PRISM_SAMPLE_NONE",
			       o->sample_one_in);
	for (uint32_t i = 0; i < o->port_count && !error; i++)
		error = check_port(o, i);
	for (size_t i = 0; i < ARRAY_COUNT(ranges) && !error; i++) {
		uint32_t value;

		memcpy(&value, (const char *)o + ranges[i].offset, sizeof(value));
		if (value < ranges[i].min || value > ranges[i].max)
			error = refuse(ranges[i].field, value, ranges[i].min, ranges[i].max);
	}
	return error ? error : check_times(o);
}
