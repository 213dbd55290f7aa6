// SPDX-License-Identifier: BSD-3-Clause
// Connections, filtered and put in order. Called by prism conns; calls packet_filter.c, by whose
// words a connection is chosen as the packets are that Prism sends on it: one is made up, with its
// addresses and ports. Rows are of the workers' own time each; nothing waits for all of them.
#include "see/conns.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "see/why.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

#define STATES 11
#define HAVE_ROWS 0x3fcu // SYN-SENT to LAST-ACK: the others are no connections, or counted only

// As ss writes and takes them; by conn.def's numbers.
static const struct {
	const char *shown, *asked;
} states[STATES] = {
	{"CLOSED", "closed"},         {"LISTEN", "listening"},      {"SYN-SENT", "syn-sent"},
	{"SYN-RECV", "syn-recv"},     {"ESTAB", "established"},     {"FIN-WAIT-1", "fin-wait-1"},
	{"FIN-WAIT-2", "fin-wait-2"}, {"CLOSE-WAIT", "close-wait"}, {"CLOSING", "closing"},
	{"LAST-ACK", "last-ack"},     {"TIME-WAIT", "time-wait"}};

const char *const conns_order_names[CONNS_ORDERS] = {
	[CONNS_BY_RATE] = "rate",       [CONNS_BY_RETRANSMITS] = "retransmits",
	[CONNS_BY_RTT] = "rtt",         [CONNS_BY_HELD] = "held",
	[CONNS_BY_UNACKED] = "unacked", [CONNS_BY_ADDRESS] = "address",
};

const char *conns_state(uint64_t state)
{
	return state < STATES ? states[state].shown : "?";
}

const char *conns_congestion(uint64_t congestion)
{
	static const char *const names[] = {"cubic", "newreno", "none", "bbr"};

	return congestion < ARRAY_COUNT(names) ? names[congestion] : "?";
}

enum conns_order conns_order_named(const char *name)
{
	enum conns_order order = CONNS_BY_RATE;

	while (order < CONNS_ORDERS && strcmp(name, conns_order_names[order]) != 0)
		order++;
	return order;
}

static bool is_word(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && strncasecmp(word, text, len) == 0;
}

bool conns_states(const char *list, uint32_t *bits, const char **wrong)
{
	*bits = 0;
	for (;;) {
		size_t len = strcspn(list, ",");
		uint32_t found = 0;

		for (uint32_t i = 0; i < STATES; i++)
			if (is_word(states[i].shown, list, len) ||
			    is_word(states[i].asked, list, len))
				found = (1u << i) & HAVE_ROWS;
		*bits |= found;
		if (!found) {
			*wrong = list;
			return false;
		}
		if (!list[len])
			return true;
		list += len + 1;
	}
}

static uint32_t put(uint8_t *to, uint32_t at, const void *bytes, size_t len)
{
	memcpy(to + at, bytes, len);
	return at + (uint32_t)len;
}

static uint32_t put_ip(uint8_t *to, const struct conn_row *c)
{
	if (addr_is_v4(&c->remote)) {
		struct ipv4_header h = {
			.version_ihl = IPV4_VERSION_IHL,
			.total_len = be16_of(IPV4_HEADER_BYTES + TCP_HEADER_BYTES),
			.ttl = IPV4_TTL_DEFAULT,
			.protocol = IP_TCP,
			.src = addr_to_v4(&c->local),
			.dst = addr_to_v4(&c->remote),
		};

		return put(to, 0, &h, sizeof(h));
	}
	struct ipv6_header h = {
		.version_class_flow = be32_of(UINT32_C(6) << 28),
		.payload_len = be16_of(TCP_HEADER_BYTES),
		.next_header = IP_TCP,
		.hop_limit = IPV4_TTL_DEFAULT,
	};

	memcpy(h.src, c->local.byte, sizeof(h.src));
	memcpy(h.dst, c->remote.byte, sizeof(h.dst));
	return put(to, 0, &h, sizeof(h));
}

static bool matches(const struct conns_wish *wish, const struct conn_row *c)
{
	struct verdict v = {.head_kind = VERDICT_HEAD_IP};
	struct tcp_header h = {
		.src_port = be16_of((uint16_t)c->local_port),
		.dst_port = be16_of((uint16_t)c->remote_port),
		.data_offset = TCP_HEADER_BYTES / 4 << 4,
		.flags = TCP_ACK,
	};

	if (wish->states && (c->state >= STATES || !(wish->states >> c->state & 1)))
		return false;
	if (!wish->filter)
		return true;
	v.head_bytes = (uint8_t)put(v.head, put_ip(v.head, c), &h, sizeof(h));
	v.len = v.head_bytes;
	return packet_filter_matches(wish->filter, &v);
}

static uint64_t weight(const struct conn_row *c, enum conns_order order)
{
	switch (order) {
	case CONNS_BY_RATE:
		return c->send_rate + c->receive_rate;
	case CONNS_BY_RETRANSMITS:
		return c->retransmits;
	case CONNS_BY_RTT:
		return c->srtt_us;
	case CONNS_BY_HELD:
		return c->held_bytes;
	case CONNS_BY_UNACKED:
		return c->unacked_bytes;
	case CONNS_BY_ADDRESS:
	case CONNS_ORDERS:
		break;
	}
	return 0;
}

static int by_peer(const struct conn_row *a, const struct conn_row *b)
{
	int order = memcmp(&a->remote, &b->remote, sizeof(a->remote));

	if (order)
		return order;
	if (a->remote_port != b->remote_port)
		return a->remote_port < b->remote_port ? -1 : 1;
	return a->handle < b->handle ? -1 : a->handle > b->handle;
}

static int in_order(const void *a, const void *b, void *order)
{
	const struct conns_row *x = a, *y = b;
	uint64_t left = weight(&x->c, *(enum conns_order *)order);
	uint64_t right = weight(&y->c, *(enum conns_order *)order);

	if (left != right)
		return left > right ? -1 : 1;
	return by_peer(&x->c, &y->c);
}

// Those of one worker that match.
static void add_worker(const struct shm_reader *reader, const struct conns_wish *wish,
		       uint32_t worker, struct conns *out)
{
	const struct shm_table *t = shm_reader_table(reader, "worker");
	uint64_t open = shm_reader_u64(reader, t, worker, shm_reader_find(reader, t, "conns_open"));
	uint32_t rows = shm_reader_conn_rows(reader), used = 0;
	struct conns_row *row = out->row;

	for (uint32_t i = 0; i < rows; i++) {
		struct conn_row c;
		bool unfinished;
		bool taken = shm_reader_conn(reader, worker, i, &c, &unfinished);

		used += taken || unfinished;
		out->unfinished += unfinished;
		out->shown += taken;
		if (taken && matches(wish, &c))
			row[out->row_count++] = (struct conns_row){.c = c, .worker = worker};
	}
	if (open > used)
		out->beyond += open - used;
}

static int by_handle(const void *a, const void *b)
{
	const struct conn_row *x = &((const struct conns_row *)a)->c;
	const struct conn_row *y = &((const struct conns_row *)b)->c;

	if (x->handle != y->handle)
		return x->handle < y->handle ? -1 : 1;
	return x->as_of_ns > y->as_of_ns ? -1 : x->as_of_ns < y->as_of_ns;
}

// One that goes from a worker to another while both are read has two rows: the later one counts.
static void forget_doubles(struct conns *conns)
{
	uint32_t kept = 0;

	qsort(conns->row, conns->row_count, sizeof(*conns->row), by_handle);
	for (uint32_t i = 0; i < conns->row_count; i++)
		if (kept == 0 || conns->row[kept - 1].c.handle != conns->row[i].c.handle)
			conns->row[kept++] = conns->row[i];
	conns->shown -= conns->row_count - kept;
	conns->row_count = kept;
}

// What a worker wrote since it told the time is of now.
static void set_now(struct conns *conns)
{
	for (uint32_t i = 0; i < conns->row_count; i++)
		conns->now_ns = MAX(conns->now_ns, conns->row[i].c.as_of_ns);
}

int conns_collect(const struct shm_reader *reader, const struct conns_wish *wish, struct conns *out)
{
	uint32_t workers = shm_reader_head(reader)->worker_count;
	enum conns_order order = wish->order;

	*out = (struct conns){
		.now_ns = why_now_ns(reader),
		.alive = shm_reader_alive(reader),
		.open = shm_reader_sum(reader, "worker", "conns_open"),
		.half_open = shm_reader_sum(reader, "worker", "conns_half_open"),
		.time_wait = shm_reader_sum(reader, "worker", "conns_time_wait"),
	};
	out->row = calloc((size_t)workers * shm_reader_conn_rows(reader) + 1, sizeof(*out->row));
	if (!out->row)
		return err_set(ERR_OUT_OF_MEMORY, "rows of %u workers", workers);
	for (uint32_t w = 0; w < workers; w++)
		add_worker(reader, wish, w, out);
	forget_doubles(out);
	set_now(out);
	out->matched = out->row_count;
	out->has_rows = shm_reader_conn_rows(reader) != 0;
	qsort_r(out->row, out->row_count, sizeof(*out->row), in_order, &order);
	return 0;
}

void conns_free(struct conns *conns)
{
	free(conns->row);
	conns->row = NULL;
}
