// SPDX-License-Identifier: BSD-3-Clause
// prism explain: the long text of any name Prism prints, from the one list each kind has. Drop
// reasons, errors, counters and events come from their .def files; close reasons from the public
// header. Names are compared case aside and with or without the prefix they carry in C or in tools.

#include <prismnet/types.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "cli/cli.h"
#include "cli/explain.h"
#include "control/suggest.h"
#include "observe/counter.h"
#include "observe/trace.h"

static const struct {
	const char *name, *sentence, *cause, *remedy;
} close_infos[] = {
	[PRISM_CLOSE_NONE] = {"NONE", "the connection is not closed", "", ""},
	[PRISM_CLOSE_DONE] = {"DONE", "both sides closed in order", "", ""},
	[PRISM_CLOSE_RESET] = {"RESET", "the peer sent a reset",
			       "its program ended or crashed, or a firewall stepped in",
			       "look at the peer's log; capture at the peer"},
	[PRISM_CLOSE_ABORTED] = {"ABORTED", "prism_tcp_abort was called here", "", ""},
	[PRISM_CLOSE_REFUSED] = {"REFUSED", "a connect was answered with a reset",
				 "nothing listens on that port",
				 "start the server, or check "
				 "address and port"},
	[PRISM_CLOSE_TIMEOUT] = {"TIMEOUT", "retransmissions ran out (RFC 9293 3.8.3)",
				 "the peer or the path went away",
				 "ping the peer; look at the drop "
				 "reasons on both sides"},
	[PRISM_CLOSE_CONNECT_TIMEOUT] = {"CONNECT_TIMEOUT",
					 "the handshake did not complete in time",
					 "the peer is down, or a firewall drops silently",
					 "ping the peer; check routes and firewalls"},
	[PRISM_CLOSE_KEEPALIVE] = {"KEEPALIVE", "the peer did not answer keep-alive probes",
				   "the peer went away without a word", ""},
	[PRISM_CLOSE_UNREACHABLE] = {"UNREACHABLE", "ICMP said so while connecting",
				     "a router has no route to the peer, or the peer no such port",
				     "check the address and the routes"},
	[PRISM_CLOSE_NO_MEMORY] = {"NO_MEMORY", "no buffers or connection slots",
				   "more at once than the limits allow",
				   "raise limits.connections or limits.buffers"},
	[PRISM_CLOSE_LINGER] = {"LINGER", "closed here, and the peer did not finish in time",
				"the peer keeps its side open", ""},
	[PRISM_CLOSE_SHUTDOWN] = {"SHUTDOWN", "the stack was closed", "", ""},
	[PRISM_CLOSE_ADDRESS_GONE] =
		{"ADDRESS_GONE", "the address it spoke from is not ours any more",
		 "a DHCP server's lease ended or was of another address from then "
		 "on, or the life of an IPv6 address that a router let us make",
		 "see why the server or the router did not go on; what must not end "
		 "speaks from an entry of addresses:"},
	[PRISM_CLOSE_USER_TIMEOUT] =
		{"USER_TIMEOUT", "the peer took nothing for as long as the user timeout says",
		 "the peer or the path went away, or its program reads no more",
		 "ping the peer; raise tcp.user_timeout, or "
		 "PRISM_TCP_USER_TIMEOUT_MS of that connection"},
};
#define CLOSE_COUNT (sizeof close_infos / sizeof close_infos[0])

const char *explain_close_name(uint64_t reason)
{
	return reason < CLOSE_COUNT ? close_infos[reason].name : "?";
}

static struct explanation of_drop(uint32_t i)
{
	const struct drop_info *d = &drop_infos[i];

	return (struct explanation){"drop reason", d->name,   d->sentence, d->cause,
				    d->remedy,     d->source, ""};
}

static struct explanation of_err(uint32_t i)
{
	const struct err_info *e = &err_infos[i];

	return (struct explanation){"error",   e->name, e->sentence,        e->cause,
				    e->remedy, "",      strerror(e->number)};
}

static struct explanation of_counter(uint32_t i)
{
	const struct counter_info *c = &counter_infos[i];

	return (struct explanation){c->kind, c->name, c->sentence, "", "", "", c->unit};
}

static struct explanation of_event(uint32_t i)
{
	const struct event_info *e = &event_infos[i];

	return (struct explanation){"trace event", e->name, e->sentence, "", "", "", ""};
}

static struct explanation of_close(uint32_t i)
{
	return (struct explanation){"close reason",
				    close_infos[i].name,
				    close_infos[i].sentence,
				    close_infos[i].cause,
				    close_infos[i].remedy,
				    "",
				    ""};
}

static struct explanation of_unaccounted(uint32_t i)
{
	return (struct explanation){"gauge",
				    "unaccounted",
				    "packets received or made here that were neither sent, nor "
				    "used, nor queued, nor dropped for a reason",
				    "a bug in Prism: this is 0 at the end of every turn",
				    "report it, with the output of prism stats --json",
				    "",
				    "packets"};
}

static const struct {
	struct explanation (*of)(uint32_t index);
	uint32_t from, to;
} kinds[] = {
	{of_drop, DROP_OK + 1, DROP_COUNT},
	{of_err, ERR_NONE + 1, ERR_COUNT},
	{of_close, 1, CLOSE_COUNT},
	{of_counter, 0, COUNTER_COUNT},
	{of_event, EVENT_NONE + 1, EVENT_COUNT},
	{of_unaccounted, 0, 1},
};

bool explain_at(uint32_t n, struct explanation *out)
{
	for (uint32_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		uint32_t count = kinds[k].to - kinds[k].from;

		if (n < count) {
			*out = kinds[k].of(kinds[k].from + n);
			return true;
		}
		n -= count;
	}
	return false;
}

// Names as tools print them: with "drop." or a C prefix in front.
static const char *bare(const char *name)
{
	static const char *const prefixes[] = {"drop.",    "DROP_",        "ERR_",  "EVENT_",
					       "COUNTER_", "PRISM_CLOSE_", "prism_"};

	for (uint32_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
		if (strncasecmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return name + strlen(prefixes[i]);
	return name;
}

static void print(const struct explanation *e)
{
	bool color = cli_color(stdout);

	printf("%s%s%s (%s%s%s)\n  what:   %s\n", color ? "\033[1m" : "", e->name,
	       color ? "\033[0m" : "", e->kind, e->unit[0] ? ", " : "", e->unit, e->sentence);
	if (e->cause[0])
		printf("  why:    %s\n", e->cause);
	if (e->remedy[0])
		printf("  do:     %s\n", strcmp(e->remedy, "none") ? e->remedy : "nothing");
	if (e->source[0])
		printf("  source: %s\n", e->source);
}

uint32_t explain_print(const char *name)
{
	struct explanation e;
	uint32_t found = 0;

	for (uint32_t n = 0; explain_at(n, &e); n++) {
		if (strcasecmp(e.name, name) != 0 && strcasecmp(e.name, bare(name)) != 0)
			continue;
		print(&e);
		found++;
	}
	return found;
}

static int unknown_name(const char *name)
{
	struct suggest suggest = {.word = bare(name)};
	char remedy[160] = "prism explain --list names all";
	struct explanation e;

	for (uint32_t n = 0; explain_at(n, &e); n++)
		suggest_offer(&suggest, e.name);
	if (suggest.best)
		snprintf(remedy, sizeof remedy, "did you mean `%s`?", suggest.best);
	return cli_error(CLI_FAILED, NULL, remedy, "there is nothing called `%s`", name);
}

int cmd_explain(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values), code = CLI_OK;
	struct explanation e;

	if (at < 0)
		return CLI_USAGE;
	if (!values[0] && at == argc)
		return cli_error(CLI_USAGE, NULL, "prism explain --list names all",
				 "prism explain: which name?");
	for (uint32_t n = 0; values[0] && explain_at(n, &e); n++)
		puts(e.name);
	for (; at < argc; at++)
		if (explain_print(argv[at]) == 0)
			code = unknown_name(argv[at]);
	return code;
}
