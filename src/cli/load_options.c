// SPDX-License-Identifier: BSD-3-Clause
// The command line of prism load: what to load, and the stack to do it with: --port, --address and
// --gateway, or the ports of a configuration file. Called by load.c; calls the table of options,
// the units and prism_options. Names are not resolved: a stack of our own has no resolver.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/load.h"
#include "control/units.h"

#define RATE_HZ_MAX 1e9 // one a nanosecond, which is what time is counted in
#define CORE_MAX 4095   // as workers: in a configuration file

// The order of load_options in commands.c.
enum {
	OPTION_PORT,
	OPTION_ADDRESS,
	OPTION_GATEWAY,
	OPTION_CONFIG,
	OPTION_CONNECTIONS,
	OPTION_PIPELINE,
	OPTION_NEW_CONNECTION,
	OPTION_DURATION,
	OPTION_WARMUP,
	OPTION_REQUESTS,
	OPTION_RATE,
	OPTION_SIZE,
	OPTION_HOST,
	OPTION_EXPECT_FILE,
	OPTION_CORE,
	OPTION_JSON,
	OPTION_QUIET,
};

static int refuse(const char *option, const char *text, const char *remedy)
{
	return cli_error(CLI_USAGE, NULL, remedy, "`%s` does not fit --%s", text, option);
}

static int count_read(const char *option, const char *text, uint64_t max, uint64_t *value)
{
	if (text && (units_count(text, value) != UNITS_OK || *value == 0 || *value > max))
		return refuse(option, text,
			      "write a whole number within the limits of prism help load");
	return CLI_OK;
}

static int rate_read(const char *text, double *rate_hz)
{
	char *end = NULL;

	*rate_hz = text ? strtod(text, &end) : 0;
	if (text && (end == text || *end || !(*rate_hz > 0 && *rate_hz <= RATE_HZ_MAX)))
		return refuse("rate", text, "write requests a second, 50000");
	return CLI_OK;
}

static int core_read(const char *text, int *core)
{
	uint64_t number = 0;

	if (text && (units_count(text, &number) != UNITS_OK || number > CORE_MAX))
		return refuse("core", text, "write a core's number; lscpu --extended lists them");
	if (text)
		*core = (int)number;
	return CLI_OK;
}

// "198.18.0.2/24", or without a length for a single address.
static bool prefix_read(const char *text, struct prism_prefix *prefix)
{
	char addr[PRISM_ADDR_TEXT_BYTES];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char *end = NULL;
	long bits_max = memchr(text, ':', len) ? 128 : 32;
	long bits = slash ? strtol(slash + 1, &end, 10) : bits_max;

	if (len >= sizeof(addr) || (slash && (*end || end == slash + 1)) || bits < 0 ||
	    bits > bits_max)
		return false;
	memcpy(addr, text, len);
	addr[len] = 0;
	prefix->len = (uint8_t)bits;
	return prism_addr_parse(addr, &prefix->addr) == 0;
}

static int stack_from_port(const char *values[], struct prism_options *stack)
{
	struct prism_port_options *port = &stack->ports[0];

	if (!values[OPTION_PORT] || !values[OPTION_ADDRESS])
		return cli_error(CLI_USAGE, NULL,
				 "give --port DEVICE and --address ADDRESS/BITS, or --config FILE",
				 "no port to send from");
	port->name = "load";
	port->device = values[OPTION_PORT];
	port->address_count = 1;
	stack->port_count = 1;
	if (!prefix_read(values[OPTION_ADDRESS], &port->addresses[0]))
		return refuse("address", values[OPTION_ADDRESS],
			      "write an address and its length, 198.18.0.1/24");
	if (values[OPTION_GATEWAY] && prism_addr_parse(values[OPTION_GATEWAY], &port->gateway) < 0)
		return refuse("gateway", values[OPTION_GATEWAY], "write an address, 198.18.0.254");
	return CLI_OK;
}

static const char *own_name(void)
{
	static char name[32];

	snprintf(name, sizeof(name), "load-%d", (int)getpid());
	return name;
}

static int stack_read(const char *values[], const struct load_options *options,
		      struct prism_options *stack)
{
	PRISM_OPTIONS_INIT(stack);
	int code = CLI_OK;

	if (!values[OPTION_CONFIG])
		code = stack_from_port(values, stack);
	else if (prism_options_load(stack, values[OPTION_CONFIG]) < 0)
		code = cli_last_error(CLI_USAGE);
	if (code != CLI_OK)
		return code;
	// Several may run at once; a file may name its own.
	if (!stack->instance || !values[OPTION_CONFIG])
		stack->instance = own_name();
	stack->connections_max = MAX(stack->connections_max, 2 * options->connections + 16384);
	// Whoever closes first keeps the port for 2 MSL; a generator of connections would be out of
	// ports in a second. Its own segments are never old enough to disturb it.
	stack->time_wait_ns = NS_PER_MS;
	if (strcmp(options->kind, "udp-echo") == 0)
		stack->udp_max = MAX(stack->udp_max, options->connections + 8);
	return core_read(values[OPTION_CORE], &stack->core);
}

// "http://198.18.0.2:80/path", "198.18.0.2:7", "[2001:db8:18::2]:7".
static int target_read(const char *text, struct load_options *options)
{
	bool http = strcmp(options->kind, "http") == 0;
	const char *at = http && strncmp(text, "http://", 7) == 0 ? text + 7 : text;
	size_t len = strcspn(at, "/");
	char authority[LOAD_HOST_BYTES + 8];

	if (len == 0 || len >= LOAD_HOST_BYTES || strlen(at + len) >= LOAD_PATH_BYTES ||
	    (!http && at[len]))
		goto fail;
	memcpy(authority, at, len);
	authority[len] = 0;
	memcpy(options->host, authority, len + 1);
	memcpy(options->path, at[len] ? at + len : "/", strlen(at[len] ? at + len : "/") + 1);
	// Of an IPv6 address the colons stand in brackets (RFC 3986 3.2.2).
	if (!strchr(authority[0] == '[' ? strcspn(authority, "]") + authority : authority, ':'))
		strcat(authority, http ? ":80" : ":7");
	if (prism_endpoint_parse(authority, &options->target) == 0)
		return CLI_OK;
fail:
	return cli_error(CLI_USAGE, NULL,
			 http ? "write an address, not a name: http://198.18.0.2:80/path"
			      : "write an address and a port: 198.18.0.2:7",
			 "`%s` is not a target for %s", text, options->kind);
}

static int numbers_read(const char *values[], struct load_options *options)
{
	uint64_t connections = 64, pipeline = 1, size_bytes = 64;

	options->duration_ns = 10 * NS_PER_S;
	if (count_read("connections", values[OPTION_CONNECTIONS], 1000000, &connections) ||
	    count_read("pipeline", values[OPTION_PIPELINE], 1024, &pipeline) ||
	    count_read("requests", values[OPTION_REQUESTS], UINT64_MAX, &options->requests))
		return CLI_USAGE;
	if (values[OPTION_DURATION] &&
	    !cli_time("duration", values[OPTION_DURATION], &options->duration_ns))
		return CLI_USAGE;
	if (values[OPTION_REQUESTS] && !values[OPTION_DURATION])
		options->duration_ns = 3600 * NS_PER_S;
	if (values[OPTION_WARMUP] &&
	    !cli_time("warmup", values[OPTION_WARMUP], &options->warmup_ns))
		return CLI_USAGE;
	if (rate_read(values[OPTION_RATE], &options->rate_hz))
		return CLI_USAGE;
	if (values[OPTION_SIZE] && units_count(values[OPTION_SIZE], &size_bytes) != UNITS_OK &&
	    units_size(values[OPTION_SIZE], &size_bytes) != UNITS_OK)
		return refuse("size", values[OPTION_SIZE], "write bytes, 64 or 16KiB");
	bool udp = strcmp(options->kind, "udp-echo") == 0;

	if (udp ? size_bytes < 8 || size_bytes > 1472 : size_bytes == 0 || size_bytes > (64 << 20))
		return refuse("size", values[OPTION_SIZE],
			      "udp-echo takes 8 to 1472 bytes, tcp-echo 1 byte to 64MiB");
	options->connections = (uint32_t)connections;
	options->size_bytes = (uint32_t)size_bytes;
	options->new_connection = values[OPTION_NEW_CONNECTION] != NULL;
	options->pipeline = options->new_connection ? 1 : (uint32_t)pipeline;
	if (udp && options->new_connection)
		return cli_error(CLI_USAGE, NULL, "leave --new-connection out",
				 "UDP has no connections");
	return CLI_OK;
}

static bool kind_known(const char *kind)
{
	static const char *const kinds[] = {"http", "tcp-echo", "udp-echo"};

	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (strcmp(kinds[i], kind) == 0)
			return true;
	return false;
}

// Said now, not once the ports are open. It is read later: it may be a pipe.
static int expect_file_check(const char *path)
{
	struct stat st;
	int error = 0;

	if (access(path, R_OK) || stat(path, &st))
		error = errno;
	else if (S_ISDIR(st.st_mode))
		error = EISDIR;
	return error ? cli_error(CLI_USAGE, strerror(error), "name a readable file",
				 "--expect-file %s", path)
		     : CLI_OK;
}

int load_options_read(int argc, char **argv, struct load_options *options,
		      struct prism_options *stack)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);

	if (at < 0)
		return CLI_USAGE;
	if (argc - at != 2 || !kind_known(argv[at]))
		return cli_error(CLI_USAGE, NULL, "prism load http http://198.18.0.2/ --port ...",
				 "what to load is a kind (http, tcp-echo, udp-echo) and a target");
	options->kind = argv[at];
	options->expect_file = values[OPTION_EXPECT_FILE];
	options->json = values[OPTION_JSON] != NULL;
	options->quiet = values[OPTION_QUIET] != NULL;
	int code = target_read(argv[at + 1], options);

	if (code == CLI_OK)
		code = numbers_read(values, options);
	if (code == CLI_OK && options->expect_file)
		code = expect_file_check(options->expect_file);
	if (code != CLI_OK)
		return code;
	if (values[OPTION_HOST]) {
		if (strlen(values[OPTION_HOST]) >= LOAD_HOST_BYTES)
			return refuse("host", values[OPTION_HOST],
				      "write a name of at most 255 bytes");
		memcpy(options->host, values[OPTION_HOST], strlen(values[OPTION_HOST]) + 1);
	}
	return stack_read(values, options, stack);
}
