// SPDX-License-Identifier: BSD-3-Clause
// What to do with a segment, in the RFC's order (RFC 9293 3.10.7), the usual case first. Called by
// core/stack.c for every TCP packet; calls open.c, ack.c, early.c, close.c. Nothing leaves
// from here but resets, TIME-WAIT's ACKs, and those of a burst that leaves more runs than an ACK
// can tell of (sack.c): what is owed to the peer is marked and leaves in tcp_flush, one ACK per
// connection and burst (RFC 9293 MUST-58, MUST-59), up to three for a gap.
//
// Urgent data: the flag and pointer are accepted and ignored (RFC 6093 advises against the
// mechanism); the octets are ordinary text.
#include "observe/counter.h"
#include "tcp/ack.h"
#include "tcp/close.h"
#include "tcp/conn.h"
#include "tcp/deliver.h"
#include "tcp/early.h"
#include "tcp/ecn.h"
#include "tcp/fast.h"
#include "tcp/flow.h"
#include "tcp/open.h"
#include "tcp/output.h"
#include "tcp/routed.h"
#include "tcp/run.h"
#include "tcp/sack.h"
#include "tcp/segment.h"
#include "tcp/state.h"
#include "tcp/stranger.h"
#include "tcp/text.h"
#include "tcp/timers.h"
#include "tcp/timewait.h"
#include "tcp/tune.h"

// RFC 7323 5.5: a TS.Recent older than this may have wrapped.
#define TS_RECENT_VALID_S (24u * 24 * 3600)

// Two ends that disagree about their numbers answer each other's ACKs for ever: what has no text is
// answered twice a second at most, as Linux does. Text is no part of it, and waits for its ACK.
#define STRAY_MS 500

static void owe_ack(struct tcp *tcp, struct conn *c)
{
	conn_set(c, CONN_ACK_NOW);
	conn_mark(tcp, c);
}

// The same for what is not acceptable.
static void owe_stray(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	uint32_t now_ms = (uint32_t)(tcp->env->now_ns / NS_PER_MS);

	if (segment_space(s) == 0) {
		if (now_ms - c->stray_ms < STRAY_MS)
			return;
		c->stray_ms = now_ms;
	}
	owe_ack(tcp, c);
}

// Of the peer's clock, whose ticks are milliseconds mostly.
#define SILENCE_TICKS 100

// A full segment of one who was silent that long: had he a timeout, he sends one at a time now, and
// waits for the ACK of each.
static inline void end_silence(struct conn *c, const struct segment *s)
{
	if (UNLIKELY(s->ts_value - c->rcv.ts_recent >= SILENCE_TICKS) && s->len >= c->mss_bytes)
		c->quick_acks = CONN_QUICK_ACKS;
}

// RFC 7323 4.3, (2) and (3): the first segment after our last ACK sets the echo. RFC 7323 R3, R17.
static inline void take_timestamp(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	if (s->seq > c->rcv.nxt - c->rcv.unacked)
		return;
	end_silence(c, s);
	c->rcv.ts_recent = s->ts_value;
	c->ts_recent_s = (uint32_t)(tcp->env->now_ns / NS_PER_S);
}

static inline bool ts_is_old(const struct conn *c, const struct segment *s)
{
	return (int32_t)(s->ts_value - c->rcv.ts_recent) < 0;
}

// The packet's view becomes its text.
static inline struct pkt *text_of(const struct segment *s)
{
	text_view(s->pkt, s->text_offset, s->len);
	return s->pkt;
}

// What came early was not asked for: it may use two of the three, so that it does not make greedy
// whoever waits for the segment in front of it.
static inline bool early_pins_too_much(const struct tcp *tcp, const struct conn *c)
{
	return c->rcv.charged > 2 * (uint64_t)tuned_receive_max(tcp, c);
}

// Why text in order is not kept, although what came early, whoever's it is, gives way to it.
static enum drop refusal(struct tcp *tcp, const struct conn *c)
{
	if (UNLIKELY(text_pins_too_much(tcp, c)) && pkt_half_held(tcp->env))
		return DROP_TCP_RECEIVE_FULL;
	if (text_has_no_buffer(tcp, c))
		early_gives_way(tcp);
	return text_has_no_buffer(tcp, c) ? DROP_TCP_TEXT_SHORT : DROP_OK;
}

// Header prediction: in order, nothing unusual, nothing waiting.
static inline bool is_expected(const struct conn *c, const struct segment *s)
{
	return c->state == ESTABLISHED &&
	       (s->flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_URG | TCP_ACK | SEGMENT_ECN)) ==
		       TCP_ACK &&
	       s->seq == c->rcv.nxt && s->len <= c->rcv.wnd &&
	       s->ack - c->snd.una <= c->snd.nxt - c->snd.una && !conn_is(c, CONN_EARLY) &&
	       s->has_ts == conn_is(c, CONN_TS) && !(s->has_ts && ts_is_old(c, s));
}

// RFC 9293 3.10.7.4, first: is any of it in the window? Without text the edge is in it: whoever has
// filled the window has no other number.
static bool in_window(const struct conn *c, const struct segment *s)
{
	uint64_t edge = c->rcv.nxt + c->rcv.wnd;
	uint64_t end = s->seq + segment_space(s);

	if (end == s->seq)
		return s->seq >= c->rcv.nxt && s->seq <= edge;
	return s->seq < edge && end > c->rcv.nxt;
}

// RFC 9293 MUST-66: with a window of zero nothing but a segment at rcv.nxt is looked at, but of
// that one ACK and RST are.
static bool closed_window_probe(const struct conn *c, const struct segment *s)
{
	return c->rcv.wnd == 0 && s->seq == c->rcv.nxt;
}

// RFC 7323 5.3: R1 to R3. RFC 7323 R1, R12, R18, R20.
static enum drop check_timestamp(struct tcp *tcp, struct conn *c, struct segment *s)
{
	uint32_t age_s = (uint32_t)(tcp->env->now_ns / NS_PER_S) - c->ts_recent_s;

	if (!conn_is(c, CONN_TS) || s->flags & TCP_RST)
		return DROP_OK;
	if (!s->has_ts) // RFC 7323 3.2
		return DROP_TCP_NO_TIMESTAMP;
	if (ts_is_old(c, s) && age_s < TS_RECENT_VALID_S) {
		owe_stray(tcp, c, s);
		return DROP_TCP_PAWS;
	}
	return DROP_OK;
}

// fourth: RFC 5961 4.2. A SYN at its old place is the peer's answer sent again. RFC 5961 R5.
static enum drop syn_in_connection(struct tcp *tcp, struct conn *c)
{
	if (close_challenge_allowed(tcp))
		owe_ack(tcp, c);
	return DROP_TCP_SYN_CHALLENGED;
}

// In a simultaneous open both SYNs cross; the SYN-ACK that answers ours repeats the peer's SYN,
// which we have (RFC 9293 3.5, figure 7). What it says of marks is its answer, and no echo.
static void skip_known_syn(struct conn *c, struct segment *s)
{
	if (conn_in(c, SYN_RECEIVED) && s->flags & TCP_SYN && s->seq + 1 == c->rcv.nxt) {
		if (!ecn_is_yes(s))
			c->ecn_quiet = true;
		s->flags &= (uint16_t) ~(TCP_SYN | SEGMENT_ECN);
		s->seq++;
	}
}

// first to fourth. DROP_OK: go on. RFC 7323 R2.
static enum drop check_segment(struct tcp *tcp, struct conn *c, struct segment *s)
{
	enum drop reason;

	skip_known_syn(c, s);
	reason = check_timestamp(tcp, c, s);
	if (reason != DROP_OK)
		return reason;
	if (s->flags & TCP_RST) // second, before first: RFC 5961 3.2 has its own window test
		return DROP_OK;
	if (s->flags & TCP_SYN) // fourth, irrespective of the number: RFC 5961 4.2
		return syn_in_connection(tcp, c);
	if (!in_window(c, s) && !closed_window_probe(c, s)) { // first
		owe_stray(tcp, c, s);
		if (s->seq >= c->rcv.nxt)
			return DROP_TCP_OUTSIDE_WINDOW;
		sack_duplicate(tcp, c, s->seq, s->seq + s->len); // RFC 2883 4.1
		return DROP_TCP_OLD_DATA;
	}
	// third, security: obsolete
	if (!(s->flags & TCP_ACK)) // fifth
		return DROP_TCP_NO_ACK;
	return DROP_OK;
}

// fifth, SYN-RECEIVED of a simultaneous open, or of one that was fast
static enum drop completes_handshake(struct tcp *tcp, struct conn *c, struct segment *s)
{
	fast_text_counts(tcp, c, s->ack);
	if (s->ack <= c->snd.una || s->ack > c->snd.nxt) {
		output_reset_reply(tcp, s, &c->path);
		return DROP_TCP_ACK_UNACCEPTABLE;
	}
	c->snd.una = c->snd.una + 1;
	c->snd.wnd = s->wnd;
	c->snd.wnd_max = MAX(c->snd.wnd_max, s->wnd);
	c->snd.wl1 = s->seq;
	conn_enter(tcp, c, ESTABLISHED);
	open_established(tcp, c);
	if (!fast_completes(tcp, c))
		deliver_news(tcp, c, NEWS_CONNECTED);
	if (conn_is(c, CONN_FIN_QUEUED)) { // closed before it was open
		conn_enter(tcp, c, FIN_WAIT_1);
		conn_mark(tcp, c);
	}
	return DROP_OK;
}

// fifth. RFC 5961 5.2: an ACK far behind is as suspicious as one ahead. RFC 5961 R6, R7.
static enum drop check_ack(struct tcp *tcp, struct conn *c, struct segment *s)
{
	if (conn_in(c, SYN_RECEIVED))
		return completes_handshake(tcp, c, s);
	if (s->ack > c->snd.nxt || s->ack + c->snd.wnd_max < c->snd.una) {
		if (close_challenge_allowed(tcp))
			owe_ack(tcp, c);
		return DROP_TCP_ACK_UNACCEPTABLE;
	}
	return DROP_OK;
}

// seventh: only what is new and inside the window stays. Returns the packet, or NULL when nothing
// of it does (it is taken then).
static struct pkt *trim_to_window(struct tcp *tcp, struct conn *c, struct segment *s)
{
	uint64_t edge = c->rcv.nxt + c->rcv.wnd;
	uint64_t end = s->seq + s->len;
	struct pkt *p = text_of(s);

	if (end > edge) {
		s->flags &= (uint16_t)~TCP_FIN; // it lies beyond
		if (edge <= s->seq || edge <= c->rcv.nxt) {
			pkt_drop(tcp->env, p, DROP_TCP_OUTSIDE_WINDOW);
			return NULL;
		}
		pkt_truncate(p, (uint32_t)(edge - s->seq));
		end = edge;
	}
	if (s->seq < c->rcv.nxt) {
		if (end <= c->rcv.nxt && !(s->flags & TCP_FIN && end == c->rcv.nxt)) {
			pkt_drop(tcp->env, p, DROP_TCP_OLD_DATA);
			return NULL;
		}
		sack_duplicate(tcp, c, s->seq, c->rcv.nxt);
		p = early_trim_front(p, (uint32_t)(c->rcv.nxt - s->seq));
		s->seq = c->rcv.nxt;
	}
	s->len = (uint32_t)(end - s->seq);
	return p;
}

// RFC 2018 R6
static void text_is_early(struct tcp *tcp, struct conn *c, struct pkt *p, const struct segment *s)
{
	if (c->early_acks < CONN_EARLY_ACKS_MAX)
		c->early_acks++;
	conn_set(c, CONN_EARLY_ACKS);
	if (early_pins_too_much(tcp, c))
		pkt_drop(tcp->env, p, DROP_TCP_RECEIVE_FULL);
	else if (pkt_early_short(tcp->env) && !early_has_place(tcp, c, p))
		pkt_drop(tcp->env, p, DROP_TCP_EARLY_SHORT);
	else
		early_add(tcp, c, p, s->seq, s->flags & TCP_FIN);
}

// False when it could not be kept. Takes p.
static bool text_is_next(struct tcp *tcp, struct conn *c, struct pkt *p)
{
	enum drop reason;

	if (text_pins_too_much(tcp, c) && deliver_packed(tcp, c, p))
		return true;
	reason = refusal(tcp, c);
	if (reason != DROP_OK) {
		pkt_drop(tcp->env, p, reason);
		return false;
	}
	deliver_text(tcp, c, p);
	return true;
}

// Text or FIN, anywhere in the window: RFC 9293 3.10.7.4, seventh and eighth.
static void text_or_fin(struct tcp *tcp, struct conn *c, struct segment *s)
{
	struct pkt *p;
	bool fin;

	owe_ack(tcp, c); // trimmed, early, filling a hole or ending: the peer should know at once
	// What came early is given up for what comes in order: it would wait for that for ever.
	if (s->seq <= c->rcv.nxt && refusal(tcp, c) != DROP_OK)
		early_clear(tcp, c, DROP_TCP_RECEIVE_FULL);
	p = trim_to_window(tcp, c, s);
	if (!p)
		return;
	fin = s->flags & TCP_FIN;
	if (s->seq > c->rcv.nxt) {
		text_is_early(tcp, c, p, s);
		return;
	}
	c->early_acks = 0; // an ACK of more says it all
	if (s->len) {
		if (!text_is_next(tcp, c, p))
			return;
		timers_text_arrived(tcp, c);
	} else {
		pkt_consume(tcp->env, p);
	}
	fin |= early_drain(tcp, c);
	sack_advanced(tcp, c);
	if (fin)
		close_fin_received(tcp, c);
}

static void input_established(struct tcp *tcp, struct conn *c, struct segment *s)
{
	if (s->has_ts)
		take_timestamp(tcp, c, s);
	ack_process(tcp, c, s);
	timers_peer_heard(tcp, c);
	if (s->len == 0)
		pkt_consume(tcp->env, s->pkt);
	else if (UNLIKELY(text_pins_too_much(tcp, c) || text_has_no_buffer(tcp, c)))
		text_or_fin(tcp, c, s);
	else
		text_arrives(tcp, c, text_of(s));
	if (UNLIKELY(s->arrival->in_run & RUN_LEADS))
		run_begins(tcp, c, s);
}

// The RFC's eight steps for all that is not the usual case.
static COLD void input_general(struct tcp *tcp, struct conn *c, struct segment *s)
{
	enum drop reason = check_segment(tcp, c, s);

	if (reason == DROP_OK && s->flags & TCP_RST)
		reason = close_reset_received(tcp, c, s);
	else if (reason == DROP_OK)
		reason = check_ack(tcp, c, s);
	if (reason != DROP_OK) {
		pkt_drop(tcp->env, s->pkt, reason);
		return;
	}
	if (conn_in(c, CLOSED)) { // the reset was good
		pkt_consume(tcp->env, s->pkt);
		return;
	}
	if (s->flags & SEGMENT_ECN)
		ecn_hears(tcp, c, s);
	if (s->has_ts && conn_is(c, CONN_TS)) // what is old passed because TS.Recent is older
		take_timestamp(tcp, c, s);
	timers_peer_heard(tcp, c);
	if (s->ack >= c->snd.una)
		ack_process(tcp, c, s);
	if (conn_fin_acked(c) && !close_fin_acked(tcp, c)) {
		pkt_consume(tcp->env, s->pkt);
		return;
	}
	// sixth, URG: ignored
	if (segment_space(s) == 0 || !conn_in(c, STATES_RECEIVING)) {
		pkt_consume(tcp->env, s->pkt);
		return;
	}
	text_or_fin(tcp, c, s);
}

static void input_conn(struct tcp *tcp, struct conn *c, struct segment *s)
{
	if (UNLIKELY(conn_in(c, SYN_SENT))) {
		open_syn_sent(tcp, c, s);
		conn_check(tcp, c);
		return;
	}
	s->seq = offset_near(c->rcv.nxt, s->raw_seq);
	s->ack = offset_near(c->snd.una, s->raw_ack);
	if (LIKELY(!(s->flags & TCP_SYN)))
		s->wnd <<= c->snd_scale;
	if (UNLIKELY(s->arrival->has_route))
		routed_hears(tcp, c, s);
	if (LIKELY(is_expected(c, s)))
		input_established(tcp, c, s);
	else
		input_general(tcp, c, s);
	conn_check(tcp, c);
}

// True: it was another worker's, and is on its way to him. owner: OWNER_NONE when nobody's.
static NOINLINE bool hand_to_owner(struct tcp *tcp, struct pkt *p, const struct arrival *a,
				   uint32_t owner)
{
	uint32_t to = owner == OWNER_NONE ? stranger_worker(tcp, p, a) : owner_worker(tcp, owner);

	// On its way here: by way of the one it left what comes now stays behind it.
	if (to == tcp->worker && owner != OWNER_NONE && owner_kind(owner) == OWNER_CONN) {
		const struct conn *c = &tcp->conn[owner_index(tcp, owner)];

		to = LIKELY(conn_worker(c) == tcp->worker) ? to : c->flush_next;
	}
	if (to == tcp->worker)
		return false;
	net_hand(tcp->net, p, a, to);
	return true;
}

// By the ports in front of the checksum's verdict: a damaged one finds nobody, or is dropped by who
// it finds.
static NOINLINE uint32_t find_owner6(const struct tcp *tcp, const struct pkt *p,
				     const struct arrival *a)
{
	const struct tcp_header *h = pkt_at(p, a->l4_offset);
	struct flow_key40 key =
		tuple_key6(&a->dst, &a->src, be16_get(h->dst_port), be16_get(h->src_port));
	uint32_t owner;

	return table40_find(tcp->table6, &key, a->flow_hash, &owner) ? owner : OWNER_NONE;
}

static inline uint32_t find_owner(const struct tcp *tcp, const struct pkt *p,
				  const struct arrival *a)
{
	const struct tcp_header *h = pkt_at(p, a->l4_offset);

	if (UNLIKELY(arrival_is_ip6(a)))
		return find_owner6(tcp, p, a);
	struct flow_key16 key =
		tuple_key(&a->dst, &a->src, be16_get(h->dst_port), be16_get(h->src_port));
	uint32_t owner;

	return LIKELY(table16_find(tcp->table, &key, a->flow_hash, &owner)) ? owner : OWNER_NONE;
}

static COLD void input_half_open(struct tcp *tcp, uint32_t index, struct segment *s)
{
	struct conn *c = open_half(tcp, index, s);

	if (c)
		input_conn(tcp, c, s);
}

static COLD void input_stranger(struct tcp *tcp, struct segment *s)
{
	struct conn *c = open_stranger(tcp, s, tcp->isn_floor);

	if (c)
		input_conn(tcp, c, s);
}

void tcp_input(struct tcp *tcp, struct pkt *p, const struct arrival *arrival)
{
	struct segment s;
	enum drop reason;
	uint32_t owner = OWNER_NONE;

	if (UNLIKELY(arrival->in_run) && run_input(tcp, p, arrival))
		return;
	if (LIKELY(arrival->flow_hash)) // else there is no whole header, as segment_read will say
		owner = find_owner(tcp, p, arrival);
	if (UNLIKELY(!tcp->is_alone) && arrival->flow_hash && hand_to_owner(tcp, p, arrival, owner))
		return;
	counter_add(tcp->env, COUNTER_tcp_segs_in, 1);
	reason = segment_read(p, arrival, &s);
	if (UNLIKELY(reason != DROP_OK))
		pkt_drop(tcp->env, p, reason);
	else if (UNLIKELY(owner == OWNER_NONE))
		input_stranger(tcp, &s);
	else if (LIKELY(owner_kind(owner) == OWNER_CONN))
		input_conn(tcp, &tcp->conn[owner_index(tcp, owner)], &s);
	else if (owner_kind(owner) == OWNER_TIME_WAIT)
		timewait_input(tcp, owner_index(tcp, owner), &s);
	else
		input_half_open(tcp, owner_index(tcp, owner), &s);
}
