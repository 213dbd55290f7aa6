// SPDX-License-Identifier: BSD-3-Clause
// Connections as tools see them. Called by tcp.c's flush when it is time, by birth, end and move of
// connections; calls sync/row.h. Reads connections and changes none.
//
// Four rows a millisecond are written anew, in turn, and a few connections that have none get one:
// so ten connections are seen as they were three milliseconds ago, a thousand within a quarter of a
// second, and the cost does not depend on how many there are or what they do. What a segment does
// costs nothing here but where it is sent again. A short life may leave no trace; a connection
// that ended stays in its row until that is looked at.
//
// What is counted (bytes, times, shares of time) counts from when the connection got its row.
// Beyond the rows connections are not shown; who reads sees that all rows are used.
#include "tcp/show.h"

#include "base/mem.h"
#include "sync/row.h"
#include "tcp/hold.h"
#include "tcp/loss.h"
#include "tcp/rtt.h"
#include "tcp/tune.h"

// One look, and how much of it. With everything cold a row costs a third of a microsecond.
#define SHOW_NS (2 * NS_PER_MS)
#define SHOW_ROWS 8u
#define SHOW_WALK 64u  // rows, free ones too
#define SHOW_WORDS 64u // of unshown: 4,096 slots

// Rates are of no shorter time.
#define RATE_NS (100 * NS_PER_MS)

// What is remembered of a row; its worker's alone.
struct shown {
	uint32_t conn; // whose row it is; of free rows the next one
	bool is_open;  // the first offsets are known
	uint64_t handle;
	uint64_t snd_first, rcv_first;      // of text
	uint64_t seen_ns;                   // the last look
	uint64_t measured_ns;               // since when the next rates are measured,
	uint64_t acked_then, received_then; // from here
	struct conn_row row;
};

enum limit { LIMIT_APPLICATION, LIMIT_PEER, LIMIT_NETWORK };

static uint32_t word_count(const struct tcp *tcp)
{
	return (tcp->shared->conn_count + 63) / 64;
}

static size_t shown_bytes(const struct show *s)
{
	return s->row_count * sizeof(*s->shown);
}

static size_t unshown_bytes(const struct tcp *tcp)
{
	return word_count(tcp) * sizeof(uint64_t);
}

bool show_init(struct tcp *tcp)
{
	struct show *s;

	tcp->show_due_ns = TIME_NEVER_NS;
	if (!tcp->env->conn_rows)
		return true;
	s = mem_map("how connections are shown", sizeof(*s));
	if (!s)
		return false;
	tcp->show = s;
	s->row = tcp->env->conn_rows;
	s->row_count = tcp->env->conn_row_count;
	s->free = NO_INDEX;
	s->shown = mem_map("what is shown of connections", shown_bytes(s));
	s->unshown = mem_map("who is not shown yet", unshown_bytes(tcp));
	tcp->show_due_ns = tcp->env->now_ns + SHOW_NS;
	return s->shown && s->unshown;
}

void show_fini(struct tcp *tcp)
{
	struct show *s = tcp->show;

	if (!s)
		return;
	mem_unmap(s->unshown, unshown_bytes(tcp));
	mem_unmap(s->shown, shown_bytes(s));
	mem_unmap(s, sizeof(*s));
	tcp->show = NULL;
}

// Text that the peer sent in order: its FIN is none.
static uint64_t received_end(const struct conn *c)
{
	return c->rcv.nxt - conn_in(c, CLOSE_WAIT | CLOSING | LAST_ACK | TIME_WAIT);
}

static uint64_t acked_end(const struct conn *c)
{
	return MIN(c->snd.una, c->snd.end);
}

// Why no more leaves than does.
static enum limit limit_of(const struct tcp *tcp, const struct conn *c)
{
	uint64_t waiting = c->snd.end - MIN(c->snd.nxt, c->snd.end);

	if (conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO) || (c->backoff && !conn_is(c, CONN_PERSIST)))
		return LIMIT_NETWORK;
	// Whoever has more, and no room for it, waits for what is on its way.
	if (waiting == 0 && conn_is(c, CONN_WANTS_ROOM))
		return LIMIT_NETWORK;
	if (waiting == 0 || hold_waits(tcp, c))
		return LIMIT_APPLICATION;
	if (c->snd.nxt + MIN(waiting, (uint64_t)c->mss_bytes) > c->snd.una + c->snd.wnd)
		return LIMIT_PEER;
	return LIMIT_NETWORK;
}

static uint64_t flags_of(const struct conn *c)
{
	static const struct {
		enum conn_flag flag;
		enum conn_shown shown;
	} same[] = {{CONN_TS, CONN_SHOWN_TIMESTAMPS},
		    {CONN_SACK, CONN_SHOWN_SACK},
		    {CONN_RECOVERY, CONN_SHOWN_RECOVERY},
		    {CONN_PERSIST, CONN_SHOWN_PROBING}};
	uint64_t shown = 0;

	for (uint32_t i = 0; i < ARRAY_COUNT(same); i++)
		shown |= conn_is(c, same[i].flag) ? same[i].shown : 0u;
	shown |= c->is_passive ? CONN_SHOWN_PASSIVE : 0u;
	shown |= c->ecn_agreed ? CONN_SHOWN_ECN : 0u;
	return shown | (c->paced ? CONN_SHOWN_PACED : 0u);
}

// What does not change in its life.
static void describe(struct shown *s, const struct conn *c)
{
	s->row.local_port = c->local_port;
	s->row.remote_port = c->remote_port;
	s->row.local = c->path.local;
	s->row.remote = c->path.remote;
}

static void describe_windows(struct tcp *tcp, struct conn_row *row, const struct conn *c)
{
	row->held_bytes = c->rcv.charged;
	uint64_t unacked = c->snd.end - acked_end(c), syn = !conn_in(c, STATES_SYNCHRONIZED);

	row->unacked_bytes = unacked - MIN(unacked, syn);
	row->in_flight_bytes = syn ? 0 : MIN(loss_in_flight(tcp, c), row->unacked_bytes);
	row->peer_window_bytes = c->snd.wnd;
	row->window_bytes = c->rcv.wnd;
	row->mss_bytes = c->mss_bytes;
	row->cwnd_bytes = c->cc.cwnd_bytes;
	row->ssthresh_bytes = c->ssthresh_bytes;
	row->send_scale = c->snd_scale;
	row->receive_scale = c->rcv_scale;
}

static void describe_times(struct tcp *tcp, struct conn_row *row, const struct conn *c)
{
	row->srtt_us = c->rtt.srtt_us;
	row->rttvar_us = c->rtt.rttvar_us;
	row->min_rtt_us = rtt_min_ns(c) / NS_PER_US;
	row->rto_us = rtt_rto_ns(tcp, c) / NS_PER_US;
	row->backoff = c->backoff;
}

// Since the last look, in whatever it was limited by at this one.
static void share_time(struct tcp *tcp, struct shown *s, const struct conn *c)
{
	uint64_t passed_ns = tcp->env->now_ns - s->seen_ns;
	uint64_t *share[] = {[LIMIT_APPLICATION] = &s->row.application_ns,
			     [LIMIT_PEER] = &s->row.peer_ns,
			     [LIMIT_NETWORK] = &s->row.network_ns};

	s->seen_ns = tcp->env->now_ns;
	*share[limit_of(tcp, c)] += passed_ns;
	if (conn_in(c, STATES_RECEIVING) && c->rcv.wnd < c->mss_bytes && c->rcv.charged)
		s->row.unread_ns += passed_ns;
}

static uint64_t a_second(uint64_t bytes, uint64_t ns)
{
	return (uint64_t)((double)bytes * (double)NS_PER_S / (double)ns);
}

static void measure(struct shown *s, const struct conn *c, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - s->measured_ns;

	s->row.acked_bytes = acked_end(c) - s->snd_first;
	s->row.received_bytes = received_end(c) - s->rcv_first;
	if (passed_ns < RATE_NS)
		return;
	s->row.send_rate = a_second(s->row.acked_bytes - s->acked_then, passed_ns);
	s->row.receive_rate = a_second(s->row.received_bytes - s->received_then, passed_ns);
	s->measured_ns = now_ns;
	s->acked_then = s->row.acked_bytes;
	s->received_then = s->row.received_bytes;
}

// Behind the handshake there is text, and time of which somebody has a share.
static void look_at_flow(struct tcp *tcp, struct shown *s, const struct conn *c)
{
	if (!conn_in(c, STATES_SYNCHRONIZED))
		return;
	if (!s->is_open) {
		s->is_open = true;
		s->snd_first = acked_end(c);
		s->rcv_first = received_end(c);
		s->seen_ns = s->measured_ns = s->row.since_ns = tcp->env->now_ns;
	}
	share_time(tcp, s, c);
	measure(s, c, tcp->env->now_ns);
}

static void write_row(struct tcp *tcp, uint32_t index, const struct conn *c)
{
	struct shown *s = &tcp->show->shown[index];

	look_at_flow(tcp, s, c);
	s->row.as_of_ns = tcp->env->now_ns;
	s->row.state = (uint64_t)__builtin_ctz(c->state);
	s->row.flags = flags_of(c);
	s->row.congestion = c->cc_kind;
	s->row.port = c->path.port_index;
	describe_windows(tcp, &s->row, c);
	describe_times(tcp, &s->row, c);
	row_write(&tcp->show->row[index].version, (const uint64_t *)(const void *)&s->row + 1,
		  CONN_ROW_WORDS);
}

static void free_row(struct tcp *tcp, uint32_t index)
{
	struct show *show = tcp->show;
	struct shown *s = &show->shown[index];

	row_write_one(&show->row[index].version, CONN_ROW_HANDLE, 0);
	tcp->tuning[s->conn].row = 0;
	s->handle = 0;
	s->conn = show->free;
	show->free = index;
}

static bool is_still_there(const struct tcp *tcp, const struct shown *s)
{
	const struct conn *c = &tcp->conn[s->conn];

	return conn_worker(c) == tcp->worker && conn_handle(tcp, c) == s->handle &&
	       !conn_in(c, CLOSED);
}

static void look_again(struct tcp *tcp)
{
	struct show *show = tcp->show;
	uint32_t looked = 0;

	for (uint32_t i = MIN(SHOW_WALK, show->used); i > 0 && looked < SHOW_ROWS; i--) {
		uint32_t index = show->row_next++;
		struct shown *s = &show->shown[index];

		if (show->row_next >= show->used)
			show->row_next = 0;
		looked += s->handle != 0;
		if (s->handle && is_still_there(tcp, s))
			write_row(tcp, index, &tcp->conn[s->conn]);
		else if (s->handle)
			free_row(tcp, index);
	}
}

static bool has_row_left(const struct show *show)
{
	return show->free != NO_INDEX || show->used < show->row_count;
}

static uint32_t take_row(struct show *show)
{
	uint32_t index = show->free;

	if (index == NO_INDEX)
		return show->used++;
	show->free = show->shown[index].conn;
	return index;
}

// The slot may have a row of a connection before.
static void give_row(struct tcp *tcp, uint32_t conn)
{
	struct show *show = tcp->show;
	struct tuning *t = &tcp->tuning[conn];
	const struct conn *c = &tcp->conn[conn];
	uint32_t index = t->row ? t->row - 1u : take_row(show);
	struct shown *s = &show->shown[index];

	t->row = (uint16_t)(index + 1);
	*s = (struct shown){.conn = conn, .handle = conn_handle(tcp, c)};
	s->row.handle = s->handle;
	s->row.since_ns = tcp->env->now_ns;
	describe(s, c);
	write_row(tcp, index, c);
}

static void give_rows(struct tcp *tcp)
{
	struct show *show = tcp->show;
	uint32_t count = word_count(tcp), given = 0;

	for (uint32_t i = MIN(SHOW_WORDS, count); i > 0 && given < SHOW_ROWS; i--) {
		uint64_t *word = &show->unshown[show->word_next];

		for (; *word && given < SHOW_ROWS && has_row_left(show); given++) {
			uint32_t bit = (uint32_t)__builtin_ctzll(*word);

			*word &= *word - 1;
			give_row(tcp, show->word_next * 64 + bit);
		}
		if (given < SHOW_ROWS && ++show->word_next == count)
			show->word_next = 0;
	}
}

// Each row is one slot's, and each slot's is one row.
#ifdef PRISM_DCHECK
static void check(const struct tcp *tcp)
{
	const struct show *show = tcp->show;

	for (uint32_t i = 0; i < show->used; i++) {
		const struct shown *s = &show->shown[i];

		ASSERT((show->row[i].handle != 0) == (s->handle != 0));
		ASSERT(!s->handle || tcp->tuning[s->conn].row == i + 1);
	}
}
#else
static void check(const struct tcp *tcp)
{
}
#endif

COLD void show_some(struct tcp *tcp)
{
	tcp->show_due_ns = tcp->env->now_ns + SHOW_NS;
	look_again(tcp);
	if (has_row_left(tcp->show))
		give_rows(tcp);
	check(tcp);
}

void show_left(struct tcp *tcp, uint32_t index)
{
	uint16_t row = tcp->tuning[index].row;

	show_ended(tcp, index);
	if (tcp->show && row)
		free_row(tcp, row - 1u);
}

// NULL: it has no row. One of a connection before, which is emptied at the next look, does no harm.
static struct shown *shown_of(const struct tcp *tcp, const struct conn *c)
{
	uint16_t row = tcp->show ? tcp->tuning[conn_index(tcp, c)].row : 0;

	return row ? &tcp->show->shown[row - 1] : NULL;
}

COLD void show_retransmit(struct tcp *tcp, const struct conn *c)
{
	struct shown *s = shown_of(tcp, c);

	if (s)
		s->row.retransmits++;
}

COLD void show_timeout(struct tcp *tcp, const struct conn *c)
{
	struct shown *s = shown_of(tcp, c);

	if (s)
		s->row.timeouts++;
}
