// SPDX-License-Identifier: BSD-3-Clause
// prism recorder: how many of the packets that pass a running instance its flight recorder notes,
// and changes it, over the control socket (ask.c). Prints what the instance answers once all its
// workers have the new rate.
#include <inttypes.h>
#include <jansson.h>
#include <prismnet/stack.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cli/ask.h"
#include "cli/cli.h"

// Workers take a new rate within a few of these.
#define LOOK_NS (10 * NS_PER_MS)
#define LOOKS 100

// Packets; 0: none. False when the word is neither a number that can be nor "off".
static bool read_rate(const char *word, uint64_t *one_in)
{
	char *end;

	*one_in = strtoull(word, &end, 10);
	if (strcmp(word, "off") == 0)
		return true;
	return word[0] >= '0' && word[0] <= '9' && !*end && *one_in > 0 &&
	       *one_in <= PRISM_SAMPLE_ONE_IN_MAX;
}

static int print_state(const char *body, bool as_json)
{
	json_t *state = json_loads(body, 0, NULL);
	json_int_t one_in = 0, samples = 0, drops = 0;

	if (json_unpack(state, "{s:I, s:I, s:I}", "sample_one_in", &one_in, "samples", &samples,
			"drops", &drops) != 0) {
		json_decref(state);
		return cli_error(CLI_FAILED, NULL, NULL, "the instance answered: %s", body);
	}
	json_decref(state);
	if (as_json)
		puts(body);
	else if (one_in == 1)
		printf("all packets in and out are noted (%" PRId64
		       " so far), and all drops (%" PRId64 ")\n",
		       (int64_t)samples, (int64_t)drops);
	else if (one_in)
		printf("of packets in and out one in %" PRId64 " is noted (%" PRId64
		       " so far), and all drops (%" PRId64 ")\n",
		       (int64_t)one_in, (int64_t)samples, (int64_t)drops);
	else
		printf("of packets in and out none is noted; all drops are (%" PRId64 " so far)\n",
		       (int64_t)drops);
	return CLI_OK;
}

static bool is_so(const char *body, uint64_t one_in)
{
	json_t *state = json_loads(body, 0, NULL);
	json_int_t now = -1;
	int everywhere = 0;

	(void)json_unpack(state, "{s:I, s:b}", "sample_one_in", &now, "everywhere", &everywhere);
	json_decref(state);
	return everywhere && (uint64_t)now == one_in;
}

// A worker that stands still takes it when it goes on.
static int wait_until_it_is_so(const char *instance, uint64_t one_in, char *answer)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	int code = CLI_OK;

	for (int i = 0; i < LOOKS && code == CLI_OK && !is_so(answer, one_in); i++) {
		nanosleep(&pause, NULL);
		code = ask_instance(instance, "/v1/recorder", "", answer);
	}
	if (code == CLI_OK && !is_so(answer, one_in))
		return cli_error(CLI_FAILED, "a worker of it stands still",
				 "prism doctor says why; the rate holds when it goes on",
				 "the instance did not take the new rate within a second");
	return code;
}

int cmd_recorder(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);
	char answer[ASK_ANSWER_BYTES_MAX];
	uint64_t one_in = 0;

	if (at < 0)
		return CLI_USAGE;
	const char *word = at < argc ? argv[at] : "";

	if (at + 1 < argc || (word[0] && !read_rate(word, &one_in)))
		return cli_error(CLI_USAGE, NULL,
				 "prism recorder [N | off]: one packet in N, 1 to 1073741824",
				 "prism recorder does not know `%s`", argv[argc - 1]);
	char number[24] = "";

	if (one_in)
		snprintf(number, sizeof number, "%" PRIu64, one_in);
	int code = ask_instance(values[1], "/v1/recorder", one_in ? number : word, answer);

	if (code == CLI_OK && word[0])
		code = wait_until_it_is_so(values[1], one_in, answer);
	return code ? code : print_state(answer, values[0] != NULL);
}
