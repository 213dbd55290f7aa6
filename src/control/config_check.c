// SPDX-License-Identifier: BSD-3-Clause
// What no single value of a configuration shows: two services on one port, an address in two
// places, a gateway outside every network. Called by config_load after all values were read, also
// when some of them were refused; those are left out here so that one mistake is one finding.
// Nothing is asked of the machine except whether folders to be served exist: a file can be
// checked on another computer than the one it is for (prism doctor FILE looks at the machine).

#include "control/config.h"

#include <string.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "control/config_value.h"
#include "control/schema.h"
#include "core/start.h"
#include "wire/ipv6.h"

#define PREFIX_TEXT_BYTES (ADDR_TEXT_BYTES + 8)

static struct addr addr_of(const struct prism_addr *address)
{
	struct addr addr;

	memcpy(&addr, address, sizeof addr);
	return addr;
}

static uint32_t v4_of(const struct prism_addr *address)
{
	struct addr addr = addr_of(address);

	return be32_get(addr_to_v4(&addr));
}

static bool is_any(const struct prism_addr *address)
{
	struct addr addr = addr_of(address);

	return addr_is_any(&addr);
}

static bool same_address(const struct prism_addr *a, const struct prism_addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static uint32_t mask_of(uint8_t prefix_len)
{
	return prefix_len ? UINT32_MAX << (32 - prefix_len) : 0;
}

static bool is_v4(const struct prism_addr *address)
{
	struct addr addr = addr_of(address);

	return addr_is_v4(&addr);
}

// IPv4's addresses are the end of longer ones, whose beginning they share.
static uint32_t bits_of(const struct prism_prefix *prefix)
{
	return prefix->len + (is_v4(&prefix->addr) ? 96u : 0u);
}

static bool prefix_holds(const struct prism_prefix *prefix, const struct prism_addr *address)
{
	struct addr network = addr_of(&prefix->addr), addr = addr_of(address);

	return is_v4(&prefix->addr) == is_v4(address) &&
	       ipv6_in_prefix(&addr, &network, bits_of(prefix));
}

// What is left of the address when all behind the prefix is zero.
static struct prism_addr network_of(const struct prism_prefix *prefix)
{
	struct addr addr = addr_of(&prefix->addr);
	struct prism_addr out;

	for (uint32_t i = bits_of(prefix); i < 128; i++)
		addr.byte[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	memcpy(&out, &addr, sizeof out);
	return out;
}

static const char *prefix_text(struct config *config, const struct prism_prefix *prefix)
{
	char text[PREFIX_TEXT_BYTES];

	config_prefix_format(prefix, text, sizeof text);
	return config_text(config, "%s", text);
}

static const char *address_text(struct config *config, const struct prism_addr *address)
{
	struct addr addr = addr_of(address);
	char text[ADDR_TEXT_BYTES];

	return config_text(config, "%s", addr_format(&addr, text));
}

// In a network of this port, or of any when port is NULL. Link-local addresses are on every link,
// so it takes a port to say on which.
static bool is_on_link(const struct config *config, const struct prism_port_options *port,
		       const struct prism_addr *address)
{
	struct addr addr = addr_of(address);

	if (ipv6_is_link_local(&addr))
		return port != NULL;
	for (uint32_t p = 0; p < config->options.port_count; p++) {
		const struct prism_port_options *one = &config->options.ports[p];

		for (uint32_t i = 0; (!port || port == one) && i < one->address_count; i++)
			if (prefix_holds(&one->addresses[i], address))
				return true;
	}
	return false;
}

static bool is_ours(const struct config *config, const struct prism_addr *address)
{
	for (uint32_t p = 0; p < config->options.port_count; p++) {
		const struct prism_port_options *port = &config->options.ports[p];

		for (uint32_t i = 0; i < port->address_count; i++)
			if (same_address(&port->addresses[i].addr, address))
				return true;
	}
	return false;
}

// A host must be able to have it: RFC 1122 3.2.1.3, RFC 3021 for /31.
static const char *why_not_host4(const struct prism_prefix *prefix)
{
	uint32_t v4 = v4_of(&prefix->addr), mask = mask_of(prefix->len);

	if (v4 >> 24 == 0 || v4 >> 24 == 127 || v4 >> 28 >= 14)
		return "this range is not for hosts";
	if (prefix->len < 31 && (v4 & ~mask) == 0)
		return "it is the network itself";
	if (prefix->len < 31 && (v4 & ~mask) == ~mask)
		return "it is the network's broadcast address";
	return NULL;
}

// RFC 4291 2.5, 2.6.1; RFC 6164 for /127.
static const char *why_not_host6(const struct prism_prefix *prefix)
{
	struct addr addr = addr_of(&prefix->addr);
	struct prism_addr network = network_of(prefix);

	if (!ipv6_is_host(&addr))
		return "this range is not for hosts";
	if (prefix->len < 127 && same_address(&network, &prefix->addr))
		return "it is the address of all routers of the network";
	return NULL;
}

static void check_host_address(struct config *config, const struct prism_prefix *prefix)
{
	struct place place = config_place(config, prefix);
	const char *why = is_v4(&prefix->addr) ? why_not_host4(prefix) : why_not_host6(prefix);

	if (why)
		diag_hint(diag_add(&config->diags, place, "`%s` cannot be an address of a host: %s",
				   prefix_text(config, prefix), why),
			  "choose another address of the network");
}

// Every address stands once: among ours, and against the kernel's ends.
static void check_address_once(struct config *config, const struct prism_port_options *port,
			       const struct prism_prefix *prefix)
{
	struct place place = config_place(config, prefix);

	for (const struct prism_port_options *p = config->options.ports; p <= port; p++) {
		for (uint32_t i = 0; i < p->address_count; i++) {
			const struct prism_prefix *other = &p->addresses[i];

			if (other == prefix)
				break;
			if (!same_address(&other->addr, &prefix->addr))
				continue;
			diag_hint(diag_add(&config->diags, place,
					   "`%s` is already an address of "
					   "port `%s`",
					   address_text(config, &prefix->addr),
					   p->name ? p->name : "?"),
				  "the first is on line %u; keep one of them",
				  config_place(config, other).line);
			return;
		}
	}
}

static void check_kernel_addresses(struct config *config, const struct prism_port_options *port)
{
	struct diags *diags = &config->diags;

	if (port->kernel_address_count && port->device && strncmp(port->device, "tap:", 4) != 0)
		diag_hint(diag_add(diags, config_place(config, &port->kernel_addresses[0]),
				   "`kernel_addresses` on a port that has no kernel's end"),
			  "only tap: has one; remove the key, or give the interface its address "
			  "with ip addr add");
	for (uint32_t i = 0; i < port->kernel_address_count; i++) {
		const struct prism_prefix *theirs = &port->kernel_addresses[i];

		check_host_address(config, theirs);
		if (is_ours(config, &theirs->addr))
			diag_hint(diag_add(diags, config_place(config, theirs),
					   "`%s` is one of our own `addresses` too",
					   address_text(config, &theirs->addr)),
				  "give the kernel's end another address of the same network");
	}
}

static void check_tap_name(struct config *config, const struct prism_port_options *port)
{
	const char *name = port->device ? port->device + strcspn(port->device, ":") : "";

	if (!port->device || strncmp(port->device, "tap:", 4) != 0)
		return;
	name++;
	size_t len = strcspn(name, ",");
	// linux/if.h IFNAMSIZ is 16 with the final zero.
	if (len > 15 || memchr(name, '/', len) || memchr(name, ' ', len))
		diag_hint(diag_add(&config->diags, config_place(config, &port->device),
				   "`%.*s` cannot be the name of an interface", (int)len, name),
			  "at most 15 characters, without slash and space");
}

// The port whose device it has, or NULL.
static const struct prism_port_options *device_of(const struct config *config,
						  const struct prism_port_options *port)
{
	uint32_t i = options_device_of(&config->options, (uint32_t)(port - config->options.ports));

	return i < PORTS_MAX ? &config->options.ports[i] : NULL;
}

static void check_vlan_unique(struct config *config, const struct prism_port_options *port)
{
	const struct prism_port_options *device = device_of(config, port);

	for (const struct prism_port_options *p = config->options.ports; p < port; p++)
		if (p->device && device_of(config, p) == device && p->vlan_id == port->vlan_id)
			diag_hint(diag_add(&config->diags, config_place(config, &port->vlan_id),
					   "`vlan: %u` is port `%s` on the same device already",
					   port->vlan_id, p->name ? p->name : "?"),
				  "give each port of a device a tag of its own");
}

// Keys that speak of the device, which is another port's.
static void check_vlan(struct config *config, const struct prism_port_options *port)
{
	const struct {
		const char *key;
		const void *field;
		bool given;
	} keys[] = {
		{"mtu", &port->mtu_bytes, port->mtu_bytes},
		{"queue", &port->queue_pkts, port->queue_pkts},
	};

	if (!options_is_vlan(port))
		return;
	for (uint32_t i = 0; i < ARRAY_COUNT(keys); i++)
		if (keys[i].given)
			diag_hint(diag_add(&config->diags, config_place(config, keys[i].field),
					   "`%s` on a port that has no device of its own",
					   keys[i].key),
				  "say it of the port `%s`", port->device + 5);
	if (!device_of(config, port))
		diag_hint(diag_add(&config->diags, config_place(config, &port->device),
				   "no port `%s` with a device of its own comes before it",
				   port->device + 5),
			  "write the name of such a port behind vlan:, and that port first");
	else if (port->vlan_id == 0)
		diag_hint(diag_add(&config->diags, config_place(config, &port->device),
				   "a VLAN without its tag"),
			  "add vlan: with the tag's number, 1 to 4094");
	else
		check_vlan_unique(config, port);
}

static void check_port_unique(struct config *config, const struct prism_port_options *port)
{
	for (const struct prism_port_options *p = config->options.ports; p < port; p++) {
		if (p->name && port->name && strcmp(p->name, port->name) == 0)
			diag_hint(diag_add(&config->diags, config_place(config, &port->name),
					   "two ports are called `%s`", port->name),
				  "the first is on line %u; give this one another name",
				  config_place(config, &p->name).line);
		// Both ends of a pair carry its name, and a device has many VLANs.
		if (p->device && port->device && strcmp(p->device, port->device) == 0 &&
		    strncmp(p->device, "pair:", 5) != 0 && !options_is_vlan(p))
			diag_hint(diag_add(&config->diags, config_place(config, &port->device),
					   "`%s` is already taken by port `%s`", port->device,
					   p->name ? p->name : "?"),
				  "one port a device");
	}
}

// A next hop: of a port's default route, or, when port is NULL, of an entry under routes:.
static void check_next_hop(struct config *config, const struct prism_port_options *port,
			   const struct prism_addr *hop)
{
	struct place place = config_place(config, hop);

	if (is_any(hop))
		return;
	const char *text = address_text(config, hop);
	if (is_ours(config, hop))
		diag_hint(diag_add(&config->diags, place,
				   "`%s` is our own address: packets would go in a circle", text),
			  "name the router's address");
	else if (!is_on_link(config, port, hop))
		diag_hint(diag_add(&config->diags, place, "`%s` is in no network of %s", text,
				   port ? "this port" : "our ports"),
			  "a next hop must be reachable directly; check it and the prefix lengths "
			  "under addresses:");
}

static void check_ip6(struct config *config, const struct prism_port_options *port)
{
	const struct place place = config_place(config, &port->router_advertisements);
	bool speaks = options_speak_ip6(port);

	// RFC 8200 5.
	if (speaks && port->mtu_bytes && port->mtu_bytes < IPV6_MTU_BYTES_MIN)
		diag_hint(diag_add(&config->diags, config_place(config, &port->mtu_bytes),
				   "`mtu: %u` is less than IPv6 needs", port->mtu_bytes),
			  "1280 is the least; raise it, or remove the port's IPv6 addresses");
	if (!speaks && port->router_advertisements == PRISM_RA_OFF)
		diag_hint(diag_add(&config->diags, place,
				   "`router_advertisements: off` on a port that does not speak "
				   "IPv6"),
			  "give the port an IPv6 address under addresses:, or remove this: nobody "
			  "is heard there");
}

static void check_ports(struct config *config)
{
	for (uint32_t p = 0; p < config->options.port_count; p++) {
		const struct prism_port_options *port = &config->options.ports[p];

		check_port_unique(config, port);
		check_vlan(config, port);
		check_tap_name(config, port);
		for (uint32_t i = 0; i < port->address_count; i++) {
			check_host_address(config, &port->addresses[i]);
			check_address_once(config, port, &port->addresses[i]);
		}
		check_kernel_addresses(config, port);
		check_next_hop(config, port, &port->gateway);
		check_ip6(config, port);
	}
	if (config->options.port_count == 0 && config->diags.count == 0)
		diag_hint(diag_add(&config->diags, (struct place){0}, "there is no port%s",
				   config->service_count ? ", so no service can be reached" : ""),
			  "add ports: with - {name: p0, device: tap:prism0, addresses: "
			  "[198.18.0.2/24], kernel_addresses: [198.18.0.1/24]}");
}

static void check_routes(struct config *config)
{
	for (uint32_t i = 0; i < config->options.route_count; i++) {
		const struct prism_route *route = &config->options.routes[i];
		struct prism_prefix network = {network_of(&route->prefix), route->prefix.len};

		if (!same_address(&network.addr, &route->prefix.addr))
			diag_hint(diag_add(&config->diags, config_place(config, &route->prefix),
					   "`%s` has bits set behind its prefix",
					   prefix_text(config, &route->prefix)),
				  "the network is %s", prefix_text(config, &network));
		if (!is_any(&route->via) && is_v4(&route->via) != is_v4(&route->prefix.addr))
			diag_hint(diag_add(&config->diags, config_place(config, &route->via),
					   "`%s` is of another family than its `to`",
					   address_text(config, &route->via)),
				  "a next hop is an address of the family of what lies behind it");
		check_next_hop(config, NULL, &route->via);
	}
}

static void check_http(struct config *config, const struct service_config *service)
{
	struct stat st;

	if (config_refused(config, &service->root))
		return;
	struct place place = config_place(config, &service->root);
	if (!service->root)
		diag_hint(diag_add(&config->diags, config_place(config, &service->type),
				   "an http service needs a `root`"),
			  "name the folder to serve, for example root: www");
	else if (stat(service->root, &st) != 0 || !S_ISDIR(st.st_mode))
		diag_hint(diag_add(&config->diags, place, "there is no folder `%s`", service->root),
			  "create it, or correct the path; it counts from this file's folder");
}

// Keys that only some types know.
static void check_service_keys(struct config *config, const struct service_config *service)
{
	const struct schema_section *section = schema_section_find("services");

	if (!service->type)
		return;
	if (strcmp(service->type, "http") == 0)
		check_http(config, service);
	for (uint32_t i = 0; i < section->field_count; i++) {
		const struct schema_field *field = &section->fields[i];
		const void *value = (const char *)service + field->offset;

		if (field->only && strcmp(field->only, service->type) != 0 &&
		    config_place(config, value).line)
			diag_hint(diag_add(&config->diags, config_place(config, value),
					   "`%s` means nothing to %s", field->key, service->type),
				  "it belongs to %s; remove it here", field->only);
	}
}

static bool addresses_meet(const struct prism_addr *a, const struct prism_addr *b)
{
	return is_any(a) || is_any(b) || same_address(a, b);
}

static void check_service_port(struct config *config, const struct service_config *service)
{
	for (const struct service_config *s = config->services; s < service; s++) {
		if (!service->listen.port || s->listen.port != service->listen.port ||
		    !addresses_meet(&s->listen.addr, &service->listen.addr))
			continue;
		diag_hint(diag_add(&config->diags, config_place(config, &service->listen.port),
				   "two services on port %u", service->listen.port),
			  "%s took it on line %u; choose another port for this one, or give each "
			  "its own address:",
			  s->type ? s->type : "another",
			  config_place(config, &s->listen.port).line);
		return;
	}
}

static void check_services(struct config *config)
{
	for (uint32_t i = 0; i < config->service_count; i++) {
		const struct service_config *service = &config->services[i];

		check_service_keys(config, service);
		check_service_port(config, service);
		if (!is_any(&service->listen.addr) && !is_ours(config, &service->listen.addr))
			diag_hint(diag_add(&config->diags,
					   config_place(config, &service->listen.addr),
					   "`%s` is an address of none of our ports",
					   address_text(config, &service->listen.addr)),
				  "add it under a port's addresses:, or remove this line to listen "
				  "on all");
	}
}

static void check_rebalance(struct config *config)
{
	const uint32_t *workers = &config->options.workers;

	if (config->rebalance && *workers < 2 && !config_refused(config, workers))
		diag_hint(diag_add(&config->diags, config_place(config, &config->rebalance),
				   "`rebalance` with one worker: there is no other to give "
				   "connections to"),
			  "set workers: to 2 or more, or remove this line");
}

void config_check(struct config *config)
{
	check_rebalance(config);
	check_ports(config);
	check_routes(config);
	check_services(config);
	config_check_control(config);
}
