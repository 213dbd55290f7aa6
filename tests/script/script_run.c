// SPDX-License-Identifier: BSD-3-Clause
// Packet scripts: one stack at 198.18.0.1, the script in the place of its peer at 198.18.0.2, in
// virtual time. script_run [--ipv6] FILE|FOLDER... runs each file in a process of its own and
// prints TAP; over IPv6 the ends are 2001:db8:18::1 and ::2, and what the link carries is 20 bytes
// more, so that segments are as large.
//
// A line is [+SECONDS] COMMAND; seconds count from the moment of the line before. '#' begins a
// comment. Before the first other line: option NAME VALUE. "option family ip4" (or ip6): over that
// alone.
//   < SEGMENT              the peer sends it; words ect0, ect1, ce: its ECN field
//   > SEGMENT              the stack must send it now, +T: at that time and not earlier, nor more
//                          than the tolerance later; +A..B: in between
//   silence                the stack must send nothing for +T
//   < icmp TYPE CODE seq N [len N mtu N]    the peer's error about the stack's segment at N
//   listen PORT | connect | send N [region|copy|buf|borrowed] | close | abort | hold | release
//                          the application; "-> ENAME" says the call is refused so
//   set NAME VALUE         a setting of the connection; set-listener: of the last listener's
//   connect fast N         a fast open with N bytes of text
//   accept [<OPTIONS>]     the handshake of a connection the peer opens, in one word
//   talk N                 the peer's first N bytes one by one, each acknowledged
//   event NAME [...]       the next event of the connection: accepted, connected, data N, eof,
//                          sent, writable, closed REASON
//   conn N                 talk about the N-th connection from now on (peer port 40000 + N)
//   isn N                  the peer's initial sequence number of this connection
//   drop NAME N | counter NAME N | counts HALF_OPEN OPEN TIME_WAIT | buffers home
// Sequence numbers are relative to the initial ones; timestamps of the stack to its first.
// `expect-fail REASON` in a file: it must fail, and says so when it no longer does.
#include "script.h"

#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"

#define IP6_MORE_BYTES 20

static bool over_ip6;

#define TOLERANCE_NS (60 * NS_PER_US) // two ticks of the wheel and the peer's own instant

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

_Noreturn void script_fail(const struct script *sc, const char *format, ...)
{
	va_list args;

	printf("# %s:%d: ", sc->path, sc->line);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n#   at %.6f s: %s\n", (double)(sc->world->now_ns - sc->start_ns) / 1e9, sc->text);
	fflush(stdout);
	if (sc->world->capture)
		pcapng_close(sc->world->capture);
	_exit(1);
}

static uint64_t ns_of(const char *seconds)
{
	return (uint64_t)(strtod(seconds, NULL) * 1e9 + 0.5);
}

// "+0.5 COMMAND", "+0.1..0.2 COMMAND": leaves the command.
static const char *parse_time(struct script *sc, const char *text)
{
	char word[64] = "";

	sc->delay_ns = 0;
	sc->slack_ns = sc->tolerance_ns;
	if (*text != '+')
		return text;
	sscanf(text, "%63s", word);
	char *last = strstr(word, "..");

	if (last)
		*last = '\0';
	sc->delay_ns = ns_of(word + 1);
	if (last)
		sc->slack_ns = ns_of(last + 2) - sc->delay_ns;
	return skip_blanks(text + strcspn(text, " \t"));
}

static void run_line(struct script *sc, const char *line)
{
	char word[32] = "", *rest;

	snprintf(sc->text, sizeof(sc->text), "%s", skip_blanks(line));
	sc->text[strcspn(sc->text, "#\n")] = '\0';
	if (sc->text[0] == '\0')
		return;
	char copy[sizeof(sc->text)];

	snprintf(copy, sizeof(copy), "%s", parse_time(sc, sc->text));
	rest = copy + strlen(copy);
	while (rest > copy && strchr(" \t", rest[-1]))
		*--rest = '\0';
	sscanf(copy, "%31s", word);
	rest = (char *)skip_blanks(copy + strlen(word));
	for (const struct script_command *c = script_commands; c->name; c++) {
		if (strcmp(c->name, word) == 0) {
			c->run(sc, rest);
			return;
		}
	}
	script_fail(sc, "no command is called '%s'", word);
}

static bool is_option(const char *line, char name[32], char value[32])
{
	return sscanf(line, " option %31s %31s", name, value) == 2;
}

static void set_option(struct script *sc, struct world_config *config, const char *name,
		       const char *value)
{
	struct prism_options *o = &config->options;
	struct {
		const char *name;
		uint64_t *field;
	} times[] = {{"time_wait", &o->time_wait_ns},       {"keepalive", &o->keepalive_ns},
		     {"user_timeout", &o->user_timeout_ns}, {"delayed_ack", &o->delayed_ack_ns},
		     {"rto_min", &o->rto_ns_min},           {"tolerance", &sc->tolerance_ns}};
	struct {
		const char *name;
		uint32_t *field;
	} numbers[] = {{"connections_max", &o->connections_max},
		       {"half_open_max", &o->half_open_max},
		       {"send_bytes_max", &o->send_bytes_max},
		       {"receive_bytes_max", &o->receive_bytes_max},
		       {"mss", &o->segment_bytes_max},
		       {"fixed_window", &o->fixed_window_bytes},
		       {"sack_off", &o->sack_off},
		       {"pmtu_probing_off", &o->pmtu_probing_off},
		       {"ecn", (uint32_t *)&o->ecn},
		       {"pacing", &o->pacing},
		       {"rx_pkts", &config->pool_pkts[POOL_RX]},
		       {"tx_pkts", &config->pool_pkts[POOL_TX]},
		       {"head_pkts", &config->pool_pkts[POOL_HEAD]},
		       {"ctrl_pkts", &config->pool_pkts[POOL_CTRL]}};

	for (size_t i = 0; i < ARRAY_COUNT(times); i++)
		if (strcmp(name, times[i].name) == 0)
			*times[i].field = ns_of(value);
	for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
		if (strcmp(name, numbers[i].name) == 0)
			*numbers[i].field = (uint32_t)strtoul(value, NULL, 0);
	if (strcmp(name, "congestion") == 0)
		config->options.congestion = (enum prism_congestion)atoi(value);
	if (strcmp(name, "mtu") == 0)
		config->mtu_bytes = (uint16_t)strtoul(value, NULL, 0);
}

// Options first: the world is made with them.
static void make_world(struct script *sc, FILE *file)
{
	struct world_config config;
	char line[SCRIPT_LINE_BYTES], name[32], value[32];
	char capture[300];

	world_config_init(&config);
	config.node_count = 1;
	config.faults[0] = config.faults[1] = (struct pair_faults){0};
	if (getenv("PRISM_CAPTURE")) {
		snprintf(capture, sizeof(capture), "%s", getenv("PRISM_CAPTURE"));
		config.capture = capture;
	}
	while (fgets(line, sizeof(line), file))
		if (is_option(line, name, value))
			set_option(sc, &config, name, value);
	rewind(file);
	sc->ip6 = config.ip6 = over_ip6;
	config.mtu_bytes = (uint16_t)(config.mtu_bytes + (over_ip6 ? IP6_MORE_BYTES : 0));
	sc->world = world_create(&config);
	sc->start_ns = sc->base_ns = sc->world->now_ns;
}

static void run_file(const char *path)
{
	static struct script sc;
	FILE *file = fopen(path, "r");
	char line[SCRIPT_LINE_BYTES], name[32], value[32], reason[2];

	sc = (struct script){.path = path, .tolerance_ns = TOLERANCE_NS};
	if (!file) {
		perror(path);
		_exit(1);
	}
	pattern_region_init(&sc);
	make_world(&sc, file);
	peer_start(&sc);
	while (fgets(line, sizeof(line), file)) {
		sc.line++;
		if (!is_option(line, name, value) && sscanf(line, " expect-fail %1s", reason) != 1)
			run_line(&sc, line);
	}
	fclose(file);
	peer_end(&sc);
	_exit(0);
}

static bool expected_to_fail(const char *path, char reason[200])
{
	FILE *file = fopen(path, "r");
	char line[SCRIPT_LINE_BYTES];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = sscanf(line, " expect-fail %199[^\n]", reason) == 1;
	if (file)
		fclose(file);
	return found;
}

static bool is_for_us(const char *path)
{
	FILE *file = fopen(path, "r");
	char line[SCRIPT_LINE_BYTES], name[32], value[32];
	bool for_us = true;

	while (file && fgets(line, sizeof(line), file))
		if (is_option(line, name, value) && strcmp(name, "family") == 0)
			for_us = strcmp(value, over_ip6 ? "ip6" : "ip4") == 0;
	if (file)
		fclose(file);
	return for_us;
}

// True when the file did what it was expected to.
static bool run_one(int number, const char *path)
{
	char reason[200];
	bool to_fail = expected_to_fail(path, reason);
	int status = 0;

	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		run_file(path);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("# %s: died of signal %d\n", path, WTERMSIG(status));
	if (!to_fail) {
		printf("%sok %d - %s\n", status ? "not " : "", number, path);
		return status == 0;
	}
	if (status)
		printf("ok %d - %s # expected to fail: %s\n", number, path, reason);
	else
		printf("not ok %d - %s: passes now; remove its expect-fail line\n", number, path);
	return status != 0;
}

// Each argument is a script, or a folder of them.
int main(int argc, char **argv)
{
	int failed = 0, count = 0;
	glob_t files = {0};

	over_ip6 = argc > 1 && strcmp(argv[1], "--ipv6") == 0;
	int first = over_ip6 ? 2 : 1;

	for (int i = first; i < argc; i++) {
		char pattern[4096];
		struct stat st;
		bool folder = stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode);

		snprintf(pattern, sizeof(pattern), folder ? "%s/*.pkt" : "%s", argv[i]);
		glob(pattern, GLOB_NOCHECK | (i > first ? GLOB_APPEND : 0), NULL, &files);
	}
	for (size_t i = 0; i < files.gl_pathc; i++)
		if (is_for_us(files.gl_pathv[i]))
			failed += !run_one(++count, files.gl_pathv[i]);
	printf("1..%d\n", count);
	globfree(&files);
	return failed != 0;
}
