// SPDX-License-Identifier: BSD-3-Clause
// prism capture: asks an instance to copy packets that match a filter (run_capture.c), and takes
// them from its tape into a pcapng file or lines. It only reads: however slow it is, workers do not
// notice, and what it missed is counted. While this process holds the tape the capture goes on;
// when it ends, however it does, the instance ends the capture.
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/ask.h"
#include "cli/capture.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "control/stats.h"
#include "control/units.h"
#include "observe/pcapng.h"

#define LOOK_NS (5 * NS_PER_MS)
// A worker that did not publish for so long writes nothing now: the others are not kept waiting.
#define STALE_NS (100 * NS_PER_MS)
#define ALIVE_EVERY 20 // looks
// In so long every worker that turns ends its turn, and looks for new captures.
#define BEATS_NS (20 * NS_PER_MS)
// So long is waited for the workers to begin.
#define BEGIN_NS NS_PER_S

static volatile sig_atomic_t interrupted;

struct capture {
	const char *const *values;
	struct shm_reader *reader;
	struct packets *packets;
	const struct tape_head *head;
	struct capture_files files;
	uint64_t count, count_max, lost;
	uint64_t untold;              // of those lost
	uint64_t duration_ns, end_ns; // on the kernel's clock, 0: no end
	int port;                     // index, -1: all
	bool ended;                   // by its instance, or with it
	bool stopped;                 // told to: what is on the tape is the rest
};

static uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void pause_for(uint64_t ns)
{
	const struct timespec wait = {.tv_nsec = (long)ns};

	nanosleep(&wait, NULL); // a signal ends it
}

static int bad_value(const char *option, const char *value, const char *remedy)
{
	return cli_error(CLI_USAGE, NULL, remedy, "--%s does not take `%s`", option, value);
}

#define MEGA 1000000

// As tcpdump: a bare number is of millions of bytes.
static bool read_size(const char *text, uint64_t *bytes)
{
	if (units_count(text, bytes) == UNITS_OK) {
		*bytes = *bytes < UINT64_MAX / MEGA ? *bytes * MEGA : UINT64_MAX;
		return true;
	}
	return units_size(text, bytes) == UNITS_OK;
}

static int read_values(struct capture *c)
{
	const char *const *v = c->values;
	uint64_t number = 0;

	if (v[CAPTURE_COUNT] &&
	    (units_count(v[CAPTURE_COUNT], &c->count_max) != UNITS_OK || !c->count_max))
		return bad_value("count", v[CAPTURE_COUNT], "write how many packets, at least 1");
	if (v[CAPTURE_SIZE] &&
	    (!read_size(v[CAPTURE_SIZE], &c->files.bytes_max) || !c->files.bytes_max))
		return bad_value("file-size", v[CAPTURE_SIZE], "write a size, for example 100MiB");
	if (v[CAPTURE_FILES] &&
	    (units_count(v[CAPTURE_FILES], &number) != UNITS_OK || !number || number > 100000))
		return bad_value("files", v[CAPTURE_FILES],
				 "write how many files to keep, 1 to 100000");
	c->files.count_max = (uint32_t)number;
	if (v[CAPTURE_FILES] && !v[CAPTURE_SIZE])
		return cli_error(CLI_USAGE, NULL, "add -C SIZE", "--files needs --file-size");
	if ((v[CAPTURE_SIZE] || v[CAPTURE_FILES]) &&
	    (!v[CAPTURE_WRITE] || strcmp(v[CAPTURE_WRITE], "-") == 0))
		return cli_error(CLI_USAGE, NULL, "add -w FILE", "--file-size needs a file");
	if (v[CAPTURE_DURATION] && !cli_time("duration", v[CAPTURE_DURATION], &c->duration_ns))
		return CLI_USAGE;
	if (v[CAPTURE_JSON] && v[CAPTURE_WRITE])
		return cli_error(CLI_USAGE, NULL, "leave one of them out",
				 "--json prints packets, and --write writes them to a file");
	c->files.path = v[CAPTURE_WRITE];
	return CLI_OK;
}

// A size as the instance takes it, in bytes.
static int add_size(char *target, const char *name, const char *value, uint64_t most)
{
	char text[24];
	uint64_t bytes;

	if (units_size(value, &bytes) != UNITS_OK && units_count(value, &bytes) != UNITS_OK)
		bytes = 0;
	if (bytes == 0 || bytes > most)
		return bad_value(name, value,
				 "write bytes, or a size such as 64KiB; at most 128KiB "
				 "of a packet and 1GiB of a ring");
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	return query_add(target, CLI_FILTER_BYTES, name, text) ? CLI_OK : CLI_FAILED;
}

static int make_query(const struct capture *c, const char *filter, char *query)
{
	const char *const *v = c->values;
	const char *wrong;
	uint32_t points;
	int code = CLI_OK;

	query[0] = '\0';
	if (v[CAPTURE_AT] && !capture_points(v[CAPTURE_AT], &points, &wrong))
		return bad_value("points", v[CAPTURE_AT],
				 "there are " CAPTURE_POINTS_ALL
				 "; write some with commas between");
	if (v[CAPTURE_SNAP] && strcmp(v[CAPTURE_SNAP], "0") != 0) // as tcpdump: all
		code = add_size(query, "snap", v[CAPTURE_SNAP], TAPE_SNAP_BYTES_MAX);
	if (code == CLI_OK && v[CAPTURE_RING])
		code = add_size(query, "ring", v[CAPTURE_RING], TAPE_RING_BYTES_MAX);
	if (code == CLI_OK && (!query_add(query, CLI_FILTER_BYTES, "points",
					  v[CAPTURE_AT] ? v[CAPTURE_AT] : CAPTURE_POINTS) ||
			       !query_add(query, CLI_FILTER_BYTES, "filter", filter) ||
			       strlen(query) > CAPTURE_QUERY_BYTES_MAX))
		return cli_error(CLI_USAGE, NULL, "make it shorter", "the filter is too long");
	return code;
}

// The instance begins, this process holds the tape.
static int begin(struct capture *c, const char *query)
{
	char answer[ASK_ANSWER_BYTES_MAX], *target;
	const char *path = "";

	if (asprintf(&target, "/v1/capture?%s", query) < 0)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	int code = ask_to_make(shm_reader_head(c->reader)->instance, target, answer);

	free(target);
	if (code != CLI_OK)
		return code;
	json_t *json = json_loads(answer, 0, NULL);
	bool good = json_unpack(json, "{s:s}", "tape", &path) == 0;
	struct tape_reader *tape = good ? tape_reader_open(path) : NULL;

	json_decref(json);
	if (!good)
		return cli_error(CLI_FAILED, NULL, NULL, "the instance answered: %s", answer);
	c->packets = tape ? packets_create(tape) : NULL;
	if (!c->packets)
		return cli_last_error(CLI_FAILED);
	c->head = tape_reader_head(tape);
	return CLI_OK;
}

static int find_port(struct capture *c)
{
	const char *name = c->values[CAPTURE_INTERFACE];
	char names[PORTS_MAX * 34] = "";

	c->port = -1;
	for (uint32_t i = 0; name && i < c->head->port_count; i++) {
		if (strcmp(c->head->port[i].name, name) == 0)
			c->port = (int)i;
		if (c->port == (int)i && strncmp(c->head->port[i].device, "vlan:", 5) == 0)
			return cli_error(CLI_USAGE, "its packets come and leave by its device",
					 "name that port, and add vlan NUMBER to the filter",
					 "%s is %s", name, c->head->port[i].device);
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s",
			 i ? ", " : "", c->head->port[i].name);
	}
	if (!name || c->port >= 0)
		return CLI_OK;
	return cli_error(CLI_USAGE, NULL, NULL, "there is no port %s; instance %s has %s", name,
			 c->head->instance, names);
}

// Until then all workers have written what they took. A beat is told before its own turn begins:
// that turn is not over yet.
static uint64_t settled_ns(const struct capture *c)
{
	const struct shm_table *workers = shm_reader_table(c->reader, "worker");
	const struct shm_field *field = shm_reader_find(c->reader, workers, "heartbeat_ns");
	uint64_t newest = 0, least = UINT64_MAX;

	if (shm_reader_refresh(c->reader) != 0)
		return 0;
	for (uint32_t w = 0; workers && w < workers->rows; w++)
		newest = MAX(newest, shm_reader_u64(c->reader, workers, w, field));
	for (uint32_t w = 0; workers && w < workers->rows; w++) {
		uint64_t beat_ns = shm_reader_u64(c->reader, workers, w, field);

		if (beat_ns + STALE_NS >= newest)
			least = MIN(least, beat_ns);
	}
	return least ? least - 1 : 0;
}

// What was lost before a packet that is not wanted is told with the next that is.
static int take(struct capture *c, const struct packet *read)
{
	struct packet packet = *read;

	c->lost += packet.lost;
	c->untold += packet.lost;
	if (c->port >= 0 && packet.record.port != c->port)
		return CLI_OK;
	packet.lost = c->untold;
	c->untold = 0;
	c->count++;
	if (c->files.path)
		return capture_files_write(&c->files, c->reader, &packet);
	if (c->values[CAPTURE_JSON])
		capture_line_json(c->head, c->reader, &packet);
	else
		capture_line(c->head, c->reader, &packet);
	return CLI_OK;
}

// Whoever is told that it captures may rely on it.
static void await_workers(const struct capture *c)
{
	const struct tape_reader *tape = packets_reader(c->packets);
	uint64_t end_ns = clock_now_ns() + BEGIN_NS;
	uint32_t awaited;

	while ((awaited = tape_reader_awaited(tape)) && !interrupted && clock_now_ns() < end_ns)
		pause_for(NS_PER_MS);
	if (awaited && !interrupted)
		fprintf(stderr,
			"prism: %u of %u workers do not turn now, and copy nothing until they do\n",
			awaited, c->head->worker_count);
}

static bool is_full(const struct capture *c)
{
	return c->count_max && c->count >= c->count_max;
}

// Told to end, or its time is up.
static bool is_over(const struct capture *c)
{
	return interrupted || (c->end_ns && clock_now_ns() >= c->end_ns);
}

// Lines reach whoever reads them. As the files' flush.
static int flush_lines(void)
{
	struct pollfd out = {STDOUT_FILENO, 0, 0};
	int error = fflush(stdout) != 0 ? errno : 0;

	if (!error && !ferror(stdout))
		return CLI_OK;
	if (error == EPIPE || (poll(&out, 1, 0) > 0 && out.revents & POLLERR))
		return CAPTURE_LEFT; // printf may have met it, and nobody knows its errno any more
	return cli_error(CLI_FAILED, error ? strerror(error) : NULL, NULL,
			 "the output cannot be written");
}

// Lines are asked after each whether it is over: a terminal may be slower than what comes.
static int take_all(struct capture *c, uint64_t until_ns)
{
	const struct packet *packet;
	int code = CLI_OK, error = 0;

	while (code == CLI_OK && !is_full(c) &&
	       (c->files.path || c->ended || c->stopped || !is_over(c)) &&
	       (packet = packets_next(c->packets, until_ns, &error)))
		code = take(c, packet);
	if (code == CLI_OK && error)
		code = cli_last_error(CLI_FAILED);
	if (code == CLI_OK)
		code = c->files.path ? capture_files_flush(&c->files) : flush_lines();
	return code;
}

// CAPTURE_LEFT when the output is a pipe without a reader.
static int pause_a_little(const struct capture *c)
{
	struct pollfd out = {c->files.path ? pcapng_fd(c->files.file) : STDOUT_FILENO, 0, 0};

	pause_for(LOOK_NS);
	return poll(&out, 1, 0) > 0 && out.revents & POLLERR ? CAPTURE_LEFT : CLI_OK;
}

// What was written before it was over, and the end of that turn; workers go on.
static int take_rest(struct capture *c)
{
	pause_for(BEATS_NS);
	packets_stop(c->packets);
	c->stopped = true;
	int code = take_all(c, UINT64_MAX);
	uint64_t lost = packets_lost_at_end(c->packets);

	c->lost += lost;
	c->untold += lost;
	return code;
}

static int follow(struct capture *c)
{
	int code = CLI_OK;

	for (uint32_t looks = 1; code == CLI_OK && !is_full(c); looks++) {
		c->ended =
			looks % ALIVE_EVERY == 0 && !tape_reader_is_fed(packets_reader(c->packets));
		if (c->ended)
			return take_all(c, UINT64_MAX);
		if (is_over(c))
			return take_rest(c);
		code = take_all(c, settled_ns(c));
		if (code == CLI_OK && !is_over(c))
			code = pause_a_little(c);
	}
	return code;
}

static void summarize(const struct capture *c)
{
	fflush(stdout);
	if (c->ended)
		fprintf(stderr, "prism: instance %s has ended\n", c->head->instance);
	if (!c->values[CAPTURE_QUIET])
		fprintf(stderr, "prism: %" PRIu64 " packets captured, %" PRIu64 " lost%s\n",
			c->count, c->lost,
			c->lost ? "; a larger --ring, a filter or a smaller -s loses fewer" : "");
}

// The first signal ends the capture, and a sleep; a write goes on where it was, since a stream
// loses what it was interrupted at. The second ends the process, which may be writing to somebody
// who does not read.
static void on_signal(int number)
{
	interrupted = 1;
}

static void take_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal,
					 .sa_flags = (int)SA_RESETHAND | SA_RESTART};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int run(struct capture *c, const char *filter)
{
	static char query[CLI_FILTER_BYTES];
	int code = make_query(c, filter, query);

	take_signals();
	if (code == CLI_OK)
		code = begin(c, query);
	if (code == CLI_OK)
		code = find_port(c);
	if (code == CLI_OK && c->files.path)
		code = capture_files_open(&c->files, c->head);
	if (code != CLI_OK)
		return code == CAPTURE_LEFT ? CLI_OK : code;
	await_workers(c);
	if (!c->values[CAPTURE_QUIET])
		fprintf(stderr, "prism: capturing at %s of %s; Ctrl-C ends it\n",
			c->values[CAPTURE_AT] ? c->values[CAPTURE_AT] : CAPTURE_POINTS,
			c->head->instance);
	if (c->values[CAPTURE_DURATION])
		c->end_ns = clock_now_ns() + c->duration_ns;
	code = follow(c);
	c->files.lost += c->untold;
	int closed = capture_files_close(&c->files); // whatever happened: what it has is good

	code = code == CLI_OK ? closed : code;
	summarize(c);
	return code == CAPTURE_LEFT ? CLI_OK : code;
}

int capture_with(const char *const values[CAPTURE_OPTIONS], const char *filter)
{
	struct capture capture = {.values = values};
	int code = read_values(&capture);

	if (code != CLI_OK)
		return code;
	capture.reader = stats_open(values[CAPTURE_INSTANCE]);
	if (!capture.reader)
		return cli_last_error(CLI_FAILED);
	code = run(&capture, filter);
	packets_destroy(capture.packets);
	shm_reader_close(capture.reader);
	return code;
}

int cmd_capture(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	static char filter[CLI_FILTER_BYTES];
	int at = cli_options(argc, argv, values);

	if (at < 0 || !cli_join(argv + at, argc - at, filter))
		return CLI_USAGE;
	return capture_with(values, filter);
}
