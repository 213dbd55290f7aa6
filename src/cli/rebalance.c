// SPDX-License-Identifier: BSD-3-Clause
// prism rebalance: asks a running instance, over its control socket (ask.c), whether connections go
// from a busy worker to an idle one, and changes it. Prints what the instance answers, in words or
// as it came.
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ask.h"
#include "cli/cli.h"

static int print_state(const char *body, bool as_json)
{
	json_t *state = json_loads(body, 0, NULL);
	json_int_t orders = 0, connections = 0;
	int on = 0;

	if (json_unpack(state, "{s:b, s:I, s:I}", "on", &on, "orders", &orders, "connections",
			&connections) != 0) {
		json_decref(state);
		return cli_error(CLI_FAILED, NULL, NULL, "the instance answered: %s", body);
	}
	if (as_json)
		puts(body);
	else
		printf("rebalance is %s: %" PRId64 " orders, %" PRId64
		       " connections given to another worker\n",
		       on ? "on" : "off", (int64_t)orders, (int64_t)connections);
	json_decref(state);
	return CLI_OK;
}

int cmd_rebalance(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);
	char answer[ASK_ANSWER_BYTES_MAX];

	if (at < 0)
		return CLI_USAGE;
	const char *word = at < argc ? argv[at] : "";

	if (at + 1 < argc || (word[0] && strcmp(word, "on") != 0 && strcmp(word, "off") != 0 &&
			      strcmp(word, "now") != 0))
		return cli_error(CLI_USAGE, NULL, "prism rebalance [on | off | now]",
				 "prism rebalance does not know `%s`", argv[argc - 1]);
	int code = ask_instance(values[1], "/v1/rebalance", word, answer);

	return code ? code : print_state(answer, values[0] != NULL);
}
