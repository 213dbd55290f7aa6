// SPDX-License-Identifier: BSD-3-Clause
// The words of the script language, each a function: what the peer sends, what the stack must
// send, what the application does and hears, what the counters say.
#include "script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "wire/checksum.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"

static struct peer_conn *conn(struct script *sc)
{
	return &sc->conn[sc->current];
}

static struct prism_worker *worker(struct script *sc)
{
	return sc->world->node[0].worker;
}

static void nothing_unexpected(struct script *sc)
{
	char text[SEG_TEXT_BYTES];

	if (!peer_out(sc))
		return;
	peer_out_describe(sc, peer_out(sc), text);
	script_fail(sc, "the stack had sent, %.6f s before: %s",
		    (double)(sc->world->now_ns - peer_out(sc)->time_ns) / 1e9, text);
}

// Time passes up to this line; whatever the stack sends meanwhile the script must have spoken of.
void script_arrive(struct script *sc)
{
	sc->base_ns += sc->delay_ns;
	peer_run_to(sc, sc->base_ns);
	nothing_unexpected(sc);
}

// ---- the peer

static void make_absolute(const struct script *sc, struct seg *s)
{
	const struct peer_conn *c = &sc->conn[sc->current];

	s->seq += c->peer_isn;
	if (s->ack != SEG_ANY)
		s->ack += c->stack_isn;
	for (uint32_t i = 0; i < s->option_count; i++) {
		struct seg_option *o = &s->option[i];

		if (o->kind == 8)
			o->b = o->b == SEG_LAST ? c->ts_last : o->b + c->ts_first;
		if (o->kind == 34 && o->a == SEG_LAST)
			o->a = sc->cookie;
		for (uint32_t k = 0; k < o->block_count; k++) {
			o->block[k].start += c->stack_isn;
			o->block[k].end += c->stack_isn;
		}
	}
}

static void send_icmp(struct script *sc, const char *rest)
{
	struct seg_ends ends = peer_ends(sc), quoted = ends;
	struct seg s;
	static uint8_t frame[200], quote[SEG_FRAME_BYTES_MAX];
	struct icmp_header *icmp = (void *)(frame + 34);
	struct ipv4_header *ip = (void *)(frame + 14);
	unsigned type, code, mtu_bytes = 0, quoted_len = 0;
	long seq = 0;

	if (sscanf(rest, "icmp %u %u seq %ld len %u mtu %u", &type, &code, &seq, &quoted_len,
		   &mtu_bytes) < 3)
		script_fail(sc, "icmp needs TYPE CODE seq N");
	seg_init(&s);
	s.flags = 0x10;
	s.seq = seq + conn(sc)->stack_isn;
	s.len = quoted_len;
	quoted.src = ends.dst;
	quoted.dst = ends.src;
	quoted.src_port = ends.dst_port;
	quoted.dst_port = ends.src_port;
	seg_build(&s, &quoted, quote);
	uint32_t len = 14 + 20 + 8; // RFC 792: the header and 64 bits

	memcpy(frame, quote, 34);
	memcpy(frame, ends.dst_mac, 6);
	memcpy(frame + 6, ends.src_mac, 6);
	*icmp = (struct icmp_header){
		.type = (uint8_t)type, .code = (uint8_t)code, .rest = be32_of(mtu_bytes)};
	memcpy(frame + 42, quote + 14, len - 14);
	icmp->checksum = checksum_finish(checksum_add(0, icmp, 8 + len - 14));
	ip->src = be32_of(ends.src);
	ip->dst = be32_of(ends.dst);
	ip->protocol = 1;
	ip->total_len = be16_of((uint16_t)(20 + 8 + len - 14));
	ip->checksum = (be16){0};
	ip->checksum = checksum_finish(checksum_add(0, ip, sizeof(*ip)));
	peer_send_frame(sc, frame, 42 + len - 14);
}

static void command_in(struct script *sc, char *rest)
{
	struct seg_ends ends;
	struct seg s;
	static uint8_t frame[SEG_FRAME_BYTES_MAX];

	script_arrive(sc);
	if (strncmp(rest, "icmp", 4) == 0) {
		send_icmp(sc, rest);
		peer_settle(sc);
		return;
	}
	const char *error = seg_parse(rest, &s);

	if (error)
		script_fail(sc, "%s", error);
	ends = peer_ends(sc);
	ends.payload_offset = (uint64_t)(s.seq - 1) + (s.flags & 0x02 ? 1 : 0);
	make_absolute(sc, &s);
	peer_send_frame(sc, frame, seg_build(&s, &ends, frame));
	peer_settle(sc);
}

static void expect_icmp(struct script *sc, const struct out_frame *f, const char *rest)
{
	unsigned type, code;

	if (sscanf(rest, "icmp %u %u", &type, &code) != 2)
		script_fail(sc, "icmp needs TYPE CODE");
	if (f->bytes[23] != 1 || f->bytes[34] != type || f->bytes[35] != code)
		script_fail(sc, "the stack sent something else");
	peer_out_take(sc);
}

// Waits for the next frame, at the latest the line's time and slack.
static struct out_frame *wait_out(struct script *sc)
{
	uint64_t earliest_ns = sc->base_ns + sc->delay_ns;

	while (!peer_out(sc) && sc->world->now_ns < earliest_ns + sc->slack_ns) {
		uint64_t next_ns = worker_next_ns(worker(sc));

		peer_run_to(sc,
			    MIN(MAX(next_ns, sc->world->now_ns + 1), earliest_ns + sc->slack_ns));
	}
	struct out_frame *f = peer_out(sc);

	if (!f)
		script_fail(sc, "the stack sent nothing");
	if (f->time_ns < earliest_ns)
		script_fail(sc, "the stack sent %.6f s too early",
			    (double)(earliest_ns - f->time_ns) / 1e9);
	if (f->time_ns > earliest_ns + sc->slack_ns)
		script_fail(sc, "the stack sent %.6f s too late",
			    (double)(f->time_ns - earliest_ns) / 1e9);
	sc->base_ns = f->time_ns;
	return f;
}

static void command_out(struct script *sc, char *rest)
{
	struct seg want, got;
	char text[SEG_TEXT_BYTES];

	peer_settle(sc);
	struct out_frame *f = wait_out(sc);

	if (strncmp(rest, "icmp", 4) == 0) {
		expect_icmp(sc, f, rest);
		return;
	}
	const char *error = seg_parse(rest, &want);

	if (error)
		script_fail(sc, "%s", error);
	peer_out_describe(sc, f, text);
	error = seg_protocol(f->bytes) == SEG_TCP ? peer_read(sc, f, &got) : "it is not TCP";
	if (!error)
		error = seg_differs(&want, &got);
	if (error)
		script_fail(sc, "%s: the stack sent %s", error, text);
	peer_out_take(sc);
}

static void command_silence(struct script *sc, char *rest)
{
	script_arrive(sc);
}

static void command_conn(struct script *sc, char *rest)
{
	sc->current = atoi(rest);
	if (sc->current < 0 || sc->current >= SCRIPT_CONNS)
		script_fail(sc, "connections are 0 to %d", SCRIPT_CONNS - 1);
}

static void command_isn(struct script *sc, char *rest)
{
	conn(sc)->peer_isn = (uint32_t)strtoul(rest, NULL, 0);
}

// ---- the application

static const struct {
	const char *name;
	int number;
} errnos[] = {{"ESTALE", ESTALE},           {"EPIPE", EPIPE},
	      {"EAGAIN", EAGAIN},           {"ENOTCONN", ENOTCONN},
	      {"EADDRINUSE", EADDRINUSE},   {"ENFILE", ENFILE},
	      {"ENETUNREACH", ENETUNREACH}, {"EADDRNOTAVAIL", EADDRNOTAVAIL},
	      {"EINVAL", EINVAL},           {"ENOBUFS", ENOBUFS}};

// Compares a call's result with "-> ENAME", or with success.
void script_check(struct script *sc, const char *rest, int result)
{
	const char *arrow = strstr(rest, "->");
	int want = 0;

	if (arrow)
		arrow += 2 + strspn(arrow + 2, " ");
	for (size_t i = 0; arrow && i < ARRAY_COUNT(errnos); i++)
		if (strcmp(arrow, errnos[i].name) == 0)
			want = -errnos[i].number;
	if (result != want)
		script_fail(sc, "the call gave %d (%s)", result, strerror(-result));
	peer_settle(sc);
}

static void command_listen(struct script *sc, char *rest)
{
	struct prism_endpoint local = {.port = (uint16_t)atoi(rest)};

	script_arrive(sc);
	script_check(sc, rest, prism_tcp_listen(worker(sc), &local, 0, &sc->listener));
}

static void command_connect(struct script *sc, char *rest)
{
	struct prism_endpoint remote =
		world_endpoint_of(sc->ip6, 1, (uint16_t)(SCRIPT_PEER_PORT + sc->current));
	struct prism_endpoint local =
		world_endpoint_of(sc->ip6, 0, (uint16_t)(SCRIPT_LOCAL_PORT + sc->current));

	script_arrive(sc);
	conn(sc)->local_port = local.port;
	int error = prism_tcp_connect(worker(sc), &remote, &local, 0, &conn(sc)->conn);

	script_check(sc, rest, error ? error : setting_fast(sc, rest));
}

static int send_buf(struct script *sc, const uint8_t *bytes, uint32_t len)
{
	struct prism_buf *buf = prism_buf_alloc(worker(sc));

	if (!buf || prism_buf_room(buf) < len)
		script_fail(sc, "a buffer does not hold %u bytes", len);
	memcpy(prism_buf_tail(buf), bytes, len);
	prism_buf_grow(buf, len);
	int error = prism_tcp_send(worker(sc), conn(sc)->conn, buf);

	if (error)
		prism_buf_release(worker(sc), buf);
	return error;
}

static void command_send(struct script *sc, char *rest)
{
	struct peer_conn *c = conn(sc);
	const uint8_t *bytes = sc->region + c->sent_bytes;
	char how[16] = "region";
	uint32_t len = 0;
	int error;

	script_arrive(sc);
	if (sscanf(rest, "%u %15[a-z]", &len, how) < 1)
		script_fail(sc, "send needs a number of bytes");
	if (strcmp(how, "buf") == 0)
		error = send_buf(sc, bytes, len);
	else if (strcmp(how, "copy") == 0)
		error = prism_tcp_send_copy(worker(sc), c->conn, bytes, len);
	else if (strcmp(how, "borrowed") == 0)
		error = prism_tcp_send_borrowed(worker(sc), c->conn, bytes, len, ++c->cookie);
	else
		error = prism_tcp_send_region(worker(sc), c->conn, bytes, len);
	if (!error)
		c->sent_bytes += len;
	script_check(sc, rest, error);
}

static void command_event(struct script *sc, char *rest);

static void run_text(struct script *sc, void (*command)(struct script *, char *),
		     const char *format, const char *options)
{
	char text[SCRIPT_LINE_BYTES];

	snprintf(text, sizeof(text), format, options);
	command(sc, text);
	sc->delay_ns = 0;
}

// The three-way handshake of the current connection, the peer's SYN with the options given; after
// it an established connection whose window is 65535.
static void command_accept(struct script *sc, char *rest)
{
	const char *options = *rest ? rest : "<mss 1460>";

	run_text(sc, command_in, "S 0 win 65535 %s", options);
	run_text(sc, command_out, "SA 0 ack 1%s", "");
	run_text(sc, command_in, "A 1 ack 1 win 65535%s", "");
	run_text(sc, command_event, "accepted%s", "");
}

// The peer sends its first N bytes one by one and has each acknowledged: a connection past the
// start of its life, where ACKs are not delayed. The next sequence number is N + 1.
static void command_talk(struct script *sc, char *rest)
{
	int count = atoi(rest);

	for (int i = 1; i <= count; i++) {
		char text[SCRIPT_LINE_BYTES];

		snprintf(text, sizeof(text), "A %d:%d ack 1 win 65535", i, i + 1);
		run_text(sc, command_in, "%s", text);
		snprintf(text, sizeof(text), "A 1 ack %d", i + 1);
		run_text(sc, command_out, "%s", text);
		run_text(sc, command_event, "data 1%s", "");
	}
}

static void command_close(struct script *sc, char *rest)
{
	script_arrive(sc);
	script_check(sc, rest, prism_tcp_close(worker(sc), conn(sc)->conn));
}

static void command_abort(struct script *sc, char *rest)
{
	script_arrive(sc);
	script_check(sc, rest, prism_tcp_abort(worker(sc), conn(sc)->conn));
}

static void command_hold(struct script *sc, char *rest)
{
	sc->hold = true;
}

static void command_release(struct script *sc, char *rest)
{
	uint32_t count = *rest ? (uint32_t)atoi(rest) : sc->held_count;

	script_arrive(sc);
	count = MIN(count, sc->held_count);
	for (uint32_t i = 0; i < count; i++)
		prism_buf_release(worker(sc), sc->held[i]);
	sc->held_count -= count;
	memmove(sc->held, sc->held + count, sc->held_count * sizeof(sc->held[0]));
	peer_settle(sc);
}

static const char *const event_names[] = {
	[PRISM_EVENT_ACCEPTED] = "accepted", [PRISM_EVENT_CONNECTED] = "connected",
	[PRISM_EVENT_DATA] = "data",         [PRISM_EVENT_EOF] = "eof",
	[PRISM_EVENT_SENT] = "sent",         [PRISM_EVENT_WRITABLE] = "writable",
	[PRISM_EVENT_CLOSED] = "closed"};

static const char *const reason_names[] = {
	[PRISM_CLOSE_DONE] = "done",           [PRISM_CLOSE_RESET] = "reset",
	[PRISM_CLOSE_ABORTED] = "aborted",     [PRISM_CLOSE_REFUSED] = "refused",
	[PRISM_CLOSE_TIMEOUT] = "timeout",     [PRISM_CLOSE_CONNECT_TIMEOUT] = "connect-timeout",
	[PRISM_CLOSE_KEEPALIVE] = "keepalive", [PRISM_CLOSE_UNREACHABLE] = "unreachable",
	[PRISM_CLOSE_NO_MEMORY] = "no-memory", [PRISM_CLOSE_LINGER] = "linger",
	[PRISM_CLOSE_SHUTDOWN] = "shutdown",   [PRISM_CLOSE_ADDRESS_GONE] = "address-gone",
	[PRISM_CLOSE_USER_TIMEOUT] = "user-timeout"};

static struct script_event *next_event(struct script *sc)
{
	if (sc->event_count == 0)
		script_fail(sc, "no event came");
	struct script_event *e = &sc->event[sc->event_first];

	if (e->conn != sc->current)
		script_fail(sc, "the next event is of connection %d", e->conn);
	return e;
}

static void event_done(struct script *sc)
{
	sc->event_first++;
	if (--sc->event_count == 0)
		sc->event_first = 0;
}

// Bytes may come in any number of events.
static void expect_data(struct script *sc, uint32_t len)
{
	while (len > 0) {
		struct script_event *e = next_event(sc);

		if (e->type != PRISM_EVENT_DATA || e->len > len)
			script_fail(sc, "the event is %s, %u bytes", event_names[e->type], e->len);
		len -= e->len;
		event_done(sc);
	}
}

static void command_event(struct script *sc, char *rest)
{
	char name[16] = "", more[24] = "";

	if (sc->delay_ns)
		sc->base_ns += sc->delay_ns;
	peer_run_to(sc, sc->base_ns);
	sscanf(rest, "%15s %23s", name, more);
	if (strcmp(name, "none") == 0) {
		if (sc->event_count)
			script_fail(sc, "the event is %s",
				    event_names[sc->event[sc->event_first].type]);
		return;
	}
	if (strcmp(name, "data") == 0) {
		expect_data(sc, (uint32_t)atoi(more));
		return;
	}
	struct script_event *e = next_event(sc);

	if (strcmp(event_names[e->type], name) != 0)
		script_fail(sc, "the event is %s, %u bytes, reason %s", event_names[e->type],
			    e->len, e->reason ? reason_names[e->reason] : "none");
	if (e->type == PRISM_EVENT_CLOSED && strcmp(reason_names[e->reason], more) != 0)
		script_fail(sc, "it closed for the reason: %s", reason_names[e->reason]);
	event_done(sc);
}

const struct script_command script_commands[] = {
	{"<", command_in},
	{">", command_out},
	{"silence", command_silence},
	{"conn", command_conn},
	{"isn", command_isn},
	{"listen", command_listen},
	{"connect", command_connect},
	{"accept", command_accept},
	{"talk", command_talk},
	{"send", command_send},
	{"close", command_close},
	{"abort", command_abort},
	{"set", command_set},
	{"set-listener", command_set_listener},
	{"hold", command_hold},
	{"release", command_release},
	{"event", command_event},
	{"drop", command_drop},
	{"counter", command_counter},
	{"counts", command_counts},
	{"buffers", command_buffers},
	{NULL, NULL},
};
