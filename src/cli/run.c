// SPDX-License-Identifier: BSD-3-Clause
// prism run: opens what the configuration describes, and drives it. This thread is the first
// worker's, the others have one each (run_worker.c). Signals, the live summary and the control
// socket are the monitor's, one more thread, which only reads what the workers publish.

#include "cli/run.h"
#include "cli/run_capture.h"
#include "cli/run_show.h"

#include <errno.h>
#include <fts.h>
#include <prismnet/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "cli/namespace.h"
#include "core/start.h"
#include "observe/instance.h"
#include "observe/shm.h"
#include "sync/cell.h"

// What the files under an http root come to, so that nobody has to say memory.region.
static uint64_t folder_bytes(const char *root)
{
	char *const paths[] = {(char *)(uintptr_t)root, NULL};
	FTS *walk = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	uint64_t bytes = 0;
	FTSENT *entry;

	while (walk && (entry = fts_read(walk)))
		if (entry->fts_info == FTS_F)
			bytes += (uint64_t)entry->fts_statp->st_size;
	if (walk)
		fts_close(walk);
	return bytes;
}

static void plan_region(struct config *config)
{
	uint64_t bytes = 0;

	if (config->options.region_mib)
		return;
	for (uint32_t i = 0; i < config->service_count; i++)
		if (config->services[i].root)
			bytes += folder_bytes(config->services[i].root);
	bytes *= MAX(config->options.workers, 1u); // each worker's service has its own
	// Alignment and the prepared headers of the files fit in an eighth more.
	bytes += bytes / 8;
	if (bytes > UINT64_C(64) << 20)
		config->options.region_mib = (uint32_t)(bytes >> 20) + 1;
}

// Tools see what the workers were told, and which have taken it. 0: none.
static void tell_rate(const struct run *run, uint32_t one_in)
{
	if (run->prism->shm)
		cell_set(&shm_control(run->prism->shm)->sample_one_in, one_in);
}

// The control socket's (control/answer.h).
static int recorder_request(void *context, const char *word)
{
	struct run *run = context;
	char *end;
	unsigned long one_in = strtoul(word, &end, 10);
	bool off = strcmp(word, "off") == 0;

	if (!off && (word[0] < '0' || word[0] > '9' || *end || one_in == 0 ||
		     one_in > PRISM_SAMPLE_ONE_IN_MAX))
		return -ENOENT;
	tell_rate(run, off ? 0 : (uint32_t)one_in);
	return prism_sample(run->prism, off ? PRISM_SAMPLE_NONE : (uint32_t)one_in);
}

static void take_orders(struct run *run)
{
	run->server.answerer.orders = (struct answer_orders){
		.rebalance = rebalance_request,
		.recorder = recorder_request,
		.context = run,
		.show = run_show,
		.make = run_capture,
	};
	run_show_begin();
}

// Tools find it by the instance's name.
static void publish_socket(struct run *run)
{
	char *path = realpath(run->server.path, NULL);

	if (path && run->prism->shm && !shm_set_socket(run->prism->shm, path))
		(void)cli_error(CLI_OK, "its whole path is longer than the address of a socket",
				"let it be in a folder with a shorter name",
				"prism recorder and prism rebalance will not find the control "
				"socket %s",
				path);
	free(path);
}

// Where the file says, or beside the shared memory. NULL: there is to be none.
static const char *socket_of(struct run *run)
{
	const struct prism_options *options = &run->config->options;
	const char *given = run->config->control_socket;
	int len;

	if (given)
		return strcmp(given, "off") == 0 ? NULL : given;
	len = snprintf(run->socket_path, sizeof run->socket_path, "%s/%s.sock", options->run_dir,
		       options->instance);
	if ((size_t)len < sizeof(((struct sockaddr_un *)0)->sun_path))
		return run->socket_path;
	(void)cli_error(CLI_OK, "its path is longer than the address of a socket",
			"name one with a shorter path: control: {socket: PATH}, or off",
			"no control socket %s", run->socket_path);
	return NULL;
}

// Before this process may step into a namespace of its own, where no browser finds it.
static int listen_web(struct run *run)
{
	const struct config_web *web = &run->config->web;
	struct server_web at = {.addr = web->addr,
				.port = (uint16_t)web->port,
				.beyond_loopback = web->beyond_loopback};

	if (!web->port)
		return 0;
	if (config_place(run->config, &web->addr).line == 0)
		prism_addr_parse("127.0.0.1", &at.addr);
	return server_listen_web(&run->server, &at);
}

// After the instance's name is known to be ours: the token lies beside its shared memory.
static int open_web(struct run *run)
{
	const struct prism_options *options = &run->config->options;
	char path[sizeof run->server.token_path];

	if (!run->config->web.port)
		return 0;
	snprintf(path, sizeof path, "%s/%s.token", options->run_dir, options->instance);
	return server_open_web(&run->server, path);
}

// The control socket shows the instance's own shared-memory file.
static int open_server(struct run *run)
{
	const struct prism_options *options = &run->config->options;
	const char *socket = socket_of(run);
	char path[INSTANCE_PATH_BYTES];
	int error = open_web(run);

	if (!socket && !run->config->web.port)
		return error;
	if (!error && socket)
		error = server_open(&run->server, socket);
	if (!error)
		error = instance_find(options->run_dir, options->instance, path);
	if (!error) {
		run->server.answerer.reader = shm_reader_open(path);
		error = run->server.answerer.reader ? 0 : -EIO;
	}
	if (!error)
		take_orders(run);
	if (!error && socket)
		publish_socket(run);
	return error;
}

static void close_server(struct run *run)
{
	server_close(&run->server);
	if (run->server.answerer.reader)
		shm_reader_close(run->server.answerer.reader);
}

static void say_web(const struct server *server)
{
	char text[PRISM_ADDR_TEXT_BYTES];

	if (!server->web.daemon)
		return;
	prism_addr_format(&server->web_at.addr, text);
	bool ip6 = strchr(text, ':') != NULL;
	printf("metrics: http://%s%s%s:%u/metrics; what changes the instance takes the token in "
	       "%s\n",
	       ip6 ? "[" : "", text, ip6 ? "]" : "", server->web_at.port, server->token_path);
}

static void say_services(const struct run *run)
{
	const struct prism_options *options = &run->config->options;
	struct prism_addr addr = {0};
	char text[PRISM_ADDR_TEXT_BYTES];

	for (uint32_t i = 0; i < options->port_count; i++)
		if (options->ports[i].address_count)
			addr = options->ports[i].addresses[0].addr;
	for (uint32_t i = 0; i < run->workers[0].service_count; i++) {
		const struct service_config *service =
			service_config_of(run->workers[0].services[i]);
		static const struct prism_addr any;
		bool everywhere = memcmp(&service->listen.addr, &any, sizeof any) == 0;

		prism_addr_format(everywhere ? &addr : &service->listen.addr, text);
		// RFC 3986 3.2.2: an IPv6 address stands in brackets.
		bool ip6 = strchr(text, ':') != NULL;
		const char *open = ip6 ? "[" : "", *close = ip6 ? "]" : "";

		if (everywhere && memcmp(&addr, &any, sizeof any) == 0)
			printf("%s: port %u of the address that the link gives; prism stats --json "
			       "tells which\n",
			       service->type, service->listen.port);
		else if (strcmp(service->type, "http") == 0 && service->listen.port == 80)
			printf("http: try  curl http://%s%s%s/\n", open, text, close);
		else if (strcmp(service->type, "http") == 0)
			printf("http: try  curl http://%s%s%s:%u/\n", open, text, close,
			       service->listen.port);
		else
			printf("%s: %s port %u, TCP and UDP\n", service->type, text,
			       service->listen.port);
	}
	say_web(&run->server);
	printf("watch it: %s top        stop it: Ctrl-C\n", program_invocation_name);
}

static void say_namespace(void)
{
	printf("no privilege for tap here, so this runs in a network namespace of its own; for "
	       "curl, ping and nc step in (prism top works outside):\n"
	       "  nsenter -t %d -U -n --preserve-credentials\n",
	       (int)getpid());
}

// From an open stack to its end.
static int run_open(struct run *run)
{
	int code = CLI_OK;

	if (workers_prepare(run) != 0 || open_server(run) != 0)
		code = cli_last_error(CLI_ENVIRONMENT);
	tell_rate(run, run->config->sample_one_in);
	rebalance_begin(run);
	if (code == CLI_OK)
		code = monitor_start(run);
	if (code == CLI_OK) {
		if (!run->quiet)
			say_services(run);
		fflush(stdout);
		code = workers_drive(run);
		monitor_stop(run);
	}
	close_server(run);
	workers_finish(run);
	return code;
}

static int run_stack(struct run *run)
{
	bool inside = namespace_needed(run->config);
	int code = listen_web(run) == 0 ? CLI_OK : cli_last_error(CLI_ENVIRONMENT);

	if (code == CLI_OK && inside)
		code = namespace_enter();
	if (code == CLI_OK)
		code = monitor_prepare(run);
	if (code != CLI_OK)
		return code;
	// Naps end when they should, not up to 50 us later (prctl(2), PR_SET_TIMERSLACK).
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	plan_region(run->config);
	run->prism = prism_open(&run->config->options);
	if (!run->prism)
		return cli_last_error(CLI_ENVIRONMENT);
	if (!run->quiet)
		fputs(prism_report(run->prism), stdout);
	if (!run->quiet && inside)
		say_namespace();
	code = run_open(run);
	prism_close(run->prism);
	return code;
}

static int run_config(struct run *run)
{
	char run_dir[INSTANCE_PATH_BYTES];
	int code;

	// Where this user's tools look: inside a namespace the user's name is gone.
	if (instance_run_dir(NULL, run_dir) != 0)
		return cli_last_error(CLI_ENVIRONMENT);
	run->config->options.run_dir = run_dir;
	code = run_stack(run);
	run->config->options.run_dir = NULL;
	instance_leave_dir(run_dir);
	return code;
}

int cmd_run(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	struct run run = {.signal_fd = -1, .wake_fd = -1};
	int at = cli_options(argc, argv, values);

	if (at < 0 || (values[0] && !cli_time("duration", values[0], &run.duration_ns)))
		return CLI_USAGE;
	run.quiet = values[1] != NULL;
	const char *path = file_argument(argc, argv, at);
	run.config = path ? file_load(path) : NULL;
	if (!run.config)
		return CLI_USAGE;
	int code = run_config(&run);
	config_free(run.config);
	return code;
}
