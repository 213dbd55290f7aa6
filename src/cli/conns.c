// SPDX-License-Identifier: BSD-3-Clause
// prism conns: connections, in the columns of ss -tin, with what limits each. Prints what
// see/conns.c finds in the shared-memory file, so it works on a running, a stuck and a dead
// instance, and costs the instance nothing.
#include <inttypes.h>
#include <prismnet/error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "control/stats.h"
#include "see/conns.h"
#include "see/why.h"

// What was asked for.
struct question {
	struct conns_wish wish;
	const char *filter; // as it was written, or ""
	uint32_t most;      // connections; 0: all
	bool json, brief;
};

static const char *socket_text(const struct addr *addr, uint64_t port,
			       char text[ADDR_TEXT_BYTES + 24])
{
	char bare[ADDR_TEXT_BYTES];

	snprintf(text, ADDR_TEXT_BYTES + 24, addr_is_v4(addr) ? "%s:%" PRIu64 : "[%s]:%" PRIu64,
		 addr_format(addr, bare), port);
	return text;
}

static void print_bytes(const char *name, uint64_t bytes)
{
	char text[HUMAN_BYTES];

	printf(" %s:%s", name, human_count((double)bytes, text));
}

static void print_rate(const char *name, uint64_t bytes_s)
{
	char text[HUMAN_BYTES];

	if (bytes_s)
		printf(" %s:%sbit/s", name, human_count(8 * (double)bytes_s, text));
}

static void print_ms(uint64_t us)
{
	if (us < 10000)
		printf("%.3f", (double)us / 1000);
	else
		printf("%" PRIu64, us / 1000);
}

static void print_times(const struct conn_row *c)
{
	printf(" rto:");
	print_ms(c->rto_us);
	if (c->srtt_us) {
		printf("ms rtt:");
		print_ms(c->srtt_us);
		printf("/");
		print_ms(c->rttvar_us);
		printf("ms minrtt:");
		print_ms(c->min_rtt_us);
	}
	printf("ms");
}

static void print_flags(const struct conn_row *c)
{
	printf(" %s", conns_congestion(c->congestion));
	if (c->flags & CONN_SHOWN_TIMESTAMPS)
		printf(" ts");
	if (c->flags & CONN_SHOWN_SACK)
		printf(" sack");
	if (c->flags & CONN_SHOWN_ECN)
		printf(" ecn");
	if (c->flags & CONN_SHOWN_PACED)
		printf(" paced");
	if (c->flags & CONN_SHOWN_RECOVERY)
		printf(" recovery");
	if (c->flags & CONN_SHOWN_PROBING)
		printf(" probing");
	if (c->backoff)
		printf(" backoff:%" PRIu64, c->backoff);
	printf(" wscale:%" PRIu64 ",%" PRIu64, c->send_scale, c->receive_scale);
}

static void print_windows(const struct conn_row *c)
{
	print_bytes("mss", c->mss_bytes);
	print_bytes("cwnd", c->cwnd_bytes);
	if (c->ssthresh_bytes != UINT32_MAX)
		print_bytes("ssthresh", c->ssthresh_bytes);
	print_bytes("in_flight", c->in_flight_bytes);
	print_bytes("snd_wnd", c->peer_window_bytes);
	print_bytes("rcv_wnd", c->window_bytes);
}

static void print_traffic(const struct conn_row *c)
{
	print_bytes("acked", c->acked_bytes);
	print_bytes("received", c->received_bytes);
	print_rate("send", c->send_rate);
	print_rate("receive", c->receive_rate);
	if (c->retransmits || c->timeouts)
		printf(" retrans:%" PRIu64 " timeouts:%" PRIu64, c->retransmits, c->timeouts);
}

// A share of less than half a percent is none.
static void print_share(const char *by, uint64_t ns, double all_ns, const char **between)
{
	double pct = all_ns > 0 ? 100 * (double)ns / all_ns : 0;

	if (pct < 0.5)
		return;
	printf("%s%s %.0f %%", *between, by, pct);
	*between = ", ";
}

static void print_limits(const struct conn_row *c)
{
	double all_ns = (double)c->application_ns + (double)c->peer_ns + (double)c->network_ns;
	const char *between = " limited by: ";

	print_share("application", c->application_ns, all_ns, &between);
	print_share("peer's window", c->peer_ns, all_ns, &between);
	print_share("network", c->network_ns, all_ns, &between);
	print_share("unread data", c->unread_ns, all_ns, &between);
}

static void print_details(const struct conns *conns, const struct conns_row *row)
{
	const struct conn_row *c = &row->c;
	uint64_t age_ns = conns->now_ns - MIN(c->as_of_ns, conns->now_ns);

	printf("\t");
	print_flags(c);
	print_times(c);
	print_windows(c);
	printf("\n\t");
	print_traffic(c);
	print_limits(c);
	printf(" handle:%#" PRIx64 " as of %.1f ms ago\n", c->handle, (double)age_ns / NS_PER_MS);
}

static void print_conn(const struct conns *conns, const struct conns_row *row, bool brief)
{
	char local[ADDR_TEXT_BYTES + 24], remote[ADDR_TEXT_BYTES + 24];
	const struct conn_row *c = &row->c;

	printf("%-10s %9" PRIu64 " %9" PRIu64 "  %-24s %-24s %u\n", conns_state(c->state),
	       c->held_bytes, c->unacked_bytes, socket_text(&c->local, c->local_port, local),
	       socket_text(&c->remote, c->remote_port, remote), row->worker);
	if (!brief)
		print_details(conns, row);
}

static void print_summary(const struct conns *conns, const struct question *q, uint32_t printed)
{
	if (!conns->has_rows)
		puts("this instance does not show its connections");
	else if (conns->row_count == 0)
		printf("no connection%s\n", conns->shown ? " matches" : "");
	if (printed < conns->row_count)
		printf("and %u more: -m says how many to print\n", conns->row_count - printed);
	printf("%" PRIu64 " open, %" PRIu64 " half-open, %" PRIu64 " in TIME-WAIT\n", conns->open,
	       conns->half_open, conns->time_wait);
	if (conns->has_rows && conns->beyond)
		printf("%" PRIu64 " of them have no row, or none yet: there are %d\n",
		       conns->beyond, CONN_ROWS);
	if (conns->unfinished)
		printf("%" PRIu64 " rows were left unfinished: their worker was stopped in them\n",
		       conns->unfinished);
	if (!conns->alive)
		puts("this instance has ended: times are before its last turn");
}

static void print_text(const struct conns *conns, const struct question *q)
{
	uint32_t most = q->most ? MIN(q->most, conns->row_count) : conns->row_count;

	if (most)
		printf("%-10s %9s %9s  %-24s %-24s %s\n", "State", "Recv-Q", "Send-Q",
		       "Local Address:Port", "Peer Address:Port", "Worker");
	for (uint32_t i = 0; i < most; i++)
		print_conn(conns, &conns->row[i], q->brief);
	print_summary(conns, q, most);
}

static void print_json(const struct shm_reader *reader, struct conns *conns,
		       const struct question *q)
{
	if (q->most)
		conns->row_count = MIN(q->most, conns->row_count);
	json_t *object = conns_json(reader, conns);

	json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

static int look(struct shm_reader *reader, const struct question *q)
{
	struct conns conns = {0};
	int code = CLI_OK;

	if (shm_reader_refresh(reader) || shm_reader_refresh_conns(reader) ||
	    conns_collect(reader, &q->wish, &conns))
		code = cli_last_error(CLI_FAILED);
	else if (q->json)
		print_json(reader, &conns, q);
	else
		print_text(&conns, q);
	conns_free(&conns);
	return code;
}

// Until the instance ends, or nobody reads.
static int repeat(struct shm_reader *reader, const struct question *q, uint64_t interval_ns)
{
	struct timespec wait = {.tv_sec = (time_t)(interval_ns / NS_PER_S),
				.tv_nsec = (long)(interval_ns % NS_PER_S)};
	int code = look(reader, q);

	while (code == CLI_OK && fflush(stdout) == 0 && shm_reader_alive(reader)) {
		nanosleep(&wait, NULL);
		puts("");
		code = look(reader, q);
	}
	return code;
}

static bool take_states(const char *list, struct question *q)
{
	const char *wrong;

	if (conns_states(list, &q->wish.states, &wrong))
		return true;
	cli_error(CLI_USAGE, NULL,
		  "established, syn-sent, fin-wait-1, fin-wait-2, close-wait, closing, last-ack; "
		  "several with a comma between",
		  "there is no state `%.*s`", (int)strcspn(wrong, ","), wrong);
	return false;
}

static bool take_order(const char *name, struct question *q)
{
	q->wish.order = conns_order_named(name);
	if (q->wish.order != CONNS_ORDERS)
		return true;
	cli_error(CLI_USAGE, NULL, "rate, retransmits, rtt, held, unacked or address",
		  "connections have no order `%s`", name);
	return false;
}

static bool take_most(const char *text, struct question *q)
{
	char *end;
	unsigned long most = strtoul(text, &end, 10);

	q->most = (uint32_t)most;
	if (text[0] >= '0' && text[0] <= '9' && !*end && most >= 1 && most <= UINT32_MAX)
		return true;
	cli_error(CLI_USAGE, NULL, "write a count from 1, for example -m 20",
		  "`%s` is no number of connections", text);
	return false;
}

int cmd_conns(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values), code;
	struct question q = {.filter = ""};
	uint64_t interval_ns = 0;
	char text[CLI_FILTER_BYTES];

	if (at < 0 || (values[2] && !cli_time("interval", values[2], &interval_ns)) ||
	    (values[3] && !take_states(values[3], &q)) ||
	    (values[4] && !take_order(values[4], &q)) || (values[5] && !take_most(values[5], &q)) ||
	    !cli_join(argv + at, argc - at, text))
		return CLI_USAGE;
	q.json = values[0];
	q.brief = values[6];
	q.filter = text;
	struct packet_filter *filter = text[0] ? packet_filter_create(text) : NULL;
	if (text[0] && !filter)
		return cli_last_error(CLI_USAGE);
	q.wish.filter = filter;
	struct shm_reader *reader = stats_open(values[1]);
	if (!reader)
		code = cli_last_error(CLI_FAILED);
	else
		code = interval_ns ? repeat(reader, &q, interval_ns) : look(reader, &q);
	shm_reader_close(reader);
	packet_filter_destroy(filter);
	return code;
}
