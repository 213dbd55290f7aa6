// SPDX-License-Identifier: BSD-3-Clause
// May I send, how much, build it (RFC 9293 3.8, RFC 5681, RFC 3042, RFC 7323). Called by the flush
// once a turn for each connection that has something to say; calls sendq.c for the bytes and
// net_output for the way. Lost text goes before new text, an ACK alone only when nothing carries
// it.
//
// Nagle's algorithm is off until it is asked for (hold.c): what the application sends in one turn
// is collected anyway and leaves as full segments and one rest (RFC 9293 MUST-17). RFC 9293
// MUST-60: nothing waits for ever. The sender's silly-window avoidance stays (RFC 9293 3.8.6.2.1).
#include "tcp/output.h"

#include "net/segment_out.h"
#include "observe/counter.h"
#include "observe/trace.h"
#include "pkt/pkt.h"
#include "tcp/cc.h"
#include "tcp/ecn.h"
#include "tcp/fast.h"
#include "tcp/hold.h"
#include "tcp/isn.h"
#include "tcp/loss.h"
#include "tcp/open.h"
#include "tcp/pace.h"
#include "tcp/pmtu.h"
#include "tcp/probe.h"
#include "tcp/sack.h"
#include "tcp/scoreboard.h"
#include "tcp/sendq.h"
#include "tcp/show.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/window.h"

#define TCP_PROTOCOL 6

// Puts TCP's header in front of p and sends it. RFC 9293 MUST-2: net_output fills in the checksum.
// RFC 7323 R11
HOT_INLINE void send_segment(struct tcp *tcp, struct conn *c, struct pkt *p, uint64_t offset,
			     uint8_t flags)
{
	uint16_t header_len = (uint16_t)(TCP_HEADER_BYTES + output_options_bytes(c));
	uint32_t text_len = pkt_len(p);
	struct ecn_out ecn = {0};

	if (UNLIKELY(c->ecn_agreed))
		ecn = ecn_leaves(c, offset, text_len);
	uint8_t *at = pkt_prepend(p, header_len);
	uint32_t sum = tcp_header_put(at, (struct tcp_header){
						  .src_port = be16_of(c->local_port),
						  .dst_port = be16_of(c->remote_port),
						  .seq = be32_of((uint32_t)offset),
						  .ack = be32_of((uint32_t)c->rcv.nxt),
						  .data_offset = (uint8_t)(header_len / 4 << 4),
						  .flags = flags | TCP_ACK | ecn.flags,
						  .window = be16_of(window_offer(tcp, c)),
					  });

	if (LIKELY(conn_is(c, CONN_TS)))
		sum += options_write_ts(at + TCP_HEADER_BYTES, isn_ts_now(tcp->env),
					c->rcv.ts_recent);
	window_told(c);
	counter_add(tcp->env, COUNTER_tcp_segs_out, 1);
	net_output_segment(tcp->net, p,
			   (struct net_out){
				   .path = &c->path,
				   .protocol = TCP_PROTOCOL,
				   .dscp = c->dscp, // RFC 9293 MUST-48
				   .ttl = c->ttl,   // RFC 9293 MUST-49
				   .ecn = ecn.field,
				   .dont_fragment = true, // RFC 8899 R1
				   .l4_header_len = header_len,
				   .l4_header_sum = sum,
				   .checksum_offset = TCP_CHECKSUM_OFFSET,
				   .tso_segment_bytes = text_len > c->mss_bytes ? c->mss_bytes : 0,
			   });
}

// Flags of the segment that ends at this offset. RFC 9293 MUST-61: PSH when it empties the queue.
static uint8_t flags_at(const struct conn *c, uint64_t end)
{
	if (end < c->snd.end)
		return 0;
	return conn_is(c, CONN_FIN_QUEUED) ? TCP_PSH | TCP_FIN : TCP_PSH;
}

// A packet of text, with the FIN when that is next. Returns the sequence space that left.
HOT_INLINE uint64_t send_packet(struct tcp *tcp, struct conn *c, struct pkt *p, uint64_t offset,
				uint32_t len)
{
	uint8_t flags = flags_at(c, offset + len);

	send_segment(tcp, c, p, offset, flags);
	if (UNLIKELY(c->paced))
		pace_sent(tcp, c, offset, len);
	return len + ((flags & TCP_FIN) != 0);
}

// Up to len bytes of text from offset. Returns the sequence space that left, 0 without buffers or
// room on the port.
static COLD uint64_t send_text(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t len)
{
	struct pkt *p;

	if (UNLIKELY(!net_has_room(tcp->net, &c->path)))
		return 0;
	p = sendq_segment(tcp, c, offset, &len, MAX(c->path.tx_segs_max, UINT8_C(2)));
	return p ? send_packet(tcp, c, p, offset, len) : 0;
}

// The same of new text.
HOT_INLINE uint64_t send_new_text(struct tcp *tcp, struct conn *c, uint32_t len)
{
	struct pkt *p;

	if (UNLIKELY(!net_has_room(tcp->net, &c->path)))
		return 0;
	p = sendq_new_segment(tcp, c, &len, MAX(c->path.tx_segs_max, UINT8_C(2)));
	return LIKELY(p) ? send_packet(tcp, c, p, c->snd.nxt, len) : 0;
}

// The FIN alone: its text left before.
static NOINLINE uint64_t send_fin(struct tcp *tcp, struct conn *c)
{
	struct pkt *p = pkt_alloc(tcp->env->pool[POOL_CTRL]);

	if (UNLIKELY(!p))
		return 0;
	send_segment(tcp, c, p, c->snd.end, TCP_FIN);
	return 1;
}

// Text of one packet: a segment, or as many whole ones as the port cuts by itself.
HOT_INLINE uint32_t packet_bytes(const struct conn *c)
{
	uint32_t mss = c->mss_bytes;

	// Not every port that cuts puts CWR on the first piece alone.
	if (LIKELY(c->path.tso_bytes_max <= mss) || UNLIKELY(c->ecn_cwr))
		return mss;
	if (UNLIKELY(c->paced))
		return pace_packet_bytes(c, c->path.tso_bytes_max);
	return c->path.tso_bytes_max - c->path.tso_bytes_max % mss;
}

// What the congestion window leaves. RFC 3042: what was sacked, or a duplicate ACK stands for, has
// left the network, so new text takes its place.
static uint64_t cwnd_room(const struct tcp *tcp, const struct conn *c)
{
	uint64_t cwnd_bytes = c->cc.cwnd_bytes;
	uint64_t in_flight = loss_in_flight(tcp, c);

	return cwnd_bytes > in_flight ? cwnd_bytes - in_flight : 0;
}

static void count_retransmit(struct tcp *tcp, struct conn *c, uint64_t offset, uint64_t space)
{
	counter_add(tcp->env, COUNTER_tcp_retrans_segs, 1);
	show_retransmit(tcp, c);
	trace_add(tcp->env, EVENT_TCP_RETRANSMIT, conn_index(tcp, c), offset, space);
}

// Sends old text again, or the FIN where there is no more text. False without buffers.
static bool send_again(struct tcp *tcp, struct conn *c, struct range *r)
{
	uint64_t text_end = MIN(r->end, c->snd.end), space;

	DCHECK(r->start < text_end || (conn_fin_sent(c) && r->start == c->snd.end));
	space = r->start < text_end ? send_text(tcp, c, r->start, (uint32_t)(text_end - r->start))
				    : send_fin(tcp, c);

	if (!space)
		return false;
	count_retransmit(tcp, c, r->start, space);
	r->end = r->start + space;
	loss_resent(tcp, c, r);
	loss_text_sent(tcp, c, space);
	conn_unset(c, CONN_RTX_NOW);
	timers_segment_sent(tcp, c);
	if (r->start == c->snd.una && conn_is(c, CONN_RECOVERY))
		timers_oldest_again(tcp, c);
	return true;
}

// By its window, or its rate.
static bool is_held(struct tcp *tcp, struct conn *c)
{
	return cwnd_room(tcp, c) < c->mss_bytes || (conn_is(c, CONN_SAMPLED) && pace_holds(tcp, c));
}

// What counts as lost. False without buffers.
static COLD bool send_lost(struct tcp *tcp, struct conn *c)
{
	for (;;) {
		struct range r = loss_next(tcp, c);

		if (r.start == r.end)
			break;
		if (!conn_is(c, CONN_RTX_NOW) && is_held(tcp, c))
			return true;
		if (!send_again(tcp, c, &r))
			return false;
	}
	conn_unset(c, CONN_RTX_NOW);
	return true;
}

static inline void note_text_sent(struct tcp *tcp, struct conn *c)
{
	c->cc.sent_ms = (uint32_t)(tcp->env->now_ns >> 20);
}

// Two segments of new text are acknowledged at once, one may be a delayed ACK later (RFC 5681 4.2).
#define PROBE_SEGS 2

static bool send_new_probe(struct tcp *tcp, struct conn *c, uint64_t edge)
{
	uint64_t before = c->snd.nxt;

	for (int i = 0; i < PROBE_SEGS && c->snd.nxt < edge; i++) {
		uint64_t len = MIN(edge - c->snd.nxt, (uint64_t)c->mss_bytes);
		uint64_t space = send_text(tcp, c, c->snd.nxt, (uint32_t)len);

		if (!space)
			break;
		c->snd.nxt += space;
		loss_text_sent(tcp, c, space);
	}
	if (c->snd.nxt == before)
		return false;
	note_text_sent(tcp, c);
	if (UNLIKELY(c->holds_short) && c->snd.nxt == c->snd.end)
		tuning_of(tcp, c)->held_since_ms = 0; // nothing is held any more
	return true;
}

// RFC 8985 R21
static bool send_old_probe(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	struct range r = scoreboard_tail(tcp, c, t);

	t->tlp.len = (uint16_t)(r.end - r.start);
	return send_again(tcp, c, &r);
}

// RFC 8985 7.3: new text if there is some and the window takes it, the last of the old otherwise.
// RFC 8985 R20
static bool send_probe(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	uint64_t edge = MIN(c->snd.una + c->snd.wnd, c->snd.end);
	bool is_new = edge > c->snd.nxt, in_recovery = conn_is(c, CONN_RECOVERY);

	t->tlp.len = 0;
	if (in_recovery && (!is_new || t->lost.head != NO_INDEX))
		probe_is_oldest(tcp, c, t); // send_lost is next
	else if (is_new ? !send_new_probe(tcp, c, edge) : !send_old_probe(tcp, c, t))
		return false;
	counter_add(tcp->env, COUNTER_tcp_tail_probes, 1);
	t->tlp.flight_bytes = (uint32_t)MIN(conn_outstanding(c), (uint64_t)UINT32_MAX);
	t->tlp.end = c->snd.nxt;
	return true;
}

// False without buffers.
static bool send_probe_if_due(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = conn_is(c, CONN_TROUBLE) ? trouble_of(tcp, c) : NULL;

	if (!t || !t->tlp.is_due)
		return true;
	t->tlp.is_due = false;
	// What it was to ask about may have been answered before it could leave.
	if (timers_probe_first(tcp, c))
		t->tlp.is_due = !send_probe(tcp, c, t);
	return !t->tlp.is_due;
}

// RFC 9293 3.8.6.2.1, MUST-38: a segment is worth sending when it is full, or all there is, or
// half of the largest window the peer ever offered.
static bool worth_sending(const struct conn *c, uint64_t len)
{
	return len >= c->mss_bytes || c->snd.nxt + len == c->snd.end || len >= c->snd.wnd_max / 2;
}

// RFC 5681 4.1: after an idle timeout cwnd says nothing about the network any more. No timeout is
// shorter than the configured minimum, which is tested first because it is at hand.
static inline void restart_after_idle(struct tcp *tcp, struct conn *c)
{
	uint32_t idle_ms = (uint32_t)(tcp->env->now_ns >> 20) - c->cc.sent_ms;
	uint64_t idle_ns = (uint64_t)idle_ms << 20;

	if (UNLIKELY(idle_ns > tcp->config.rto_ns_min) && conn_outstanding(c) == 0 &&
	    idle_ns > rtt_rto_ns(tcp, c))
		cc_after_idle(c);
}

// New text, as far as both windows go. False without buffers.
HOT_INLINE bool send_window(struct tcp *tcp, struct conn *c)
{
	uint32_t packet_max = packet_bytes(c);
	uint64_t edge = c->snd.una + c->snd.wnd;

	while (c->snd.nxt < c->snd.end) {
		uint64_t len = MIN(c->snd.end, edge) - c->snd.nxt, space;

		if (edge <= c->snd.nxt)
			break;
		if (UNLIKELY(c->paced) && pace_holds(tcp, c))
			break;
		len = MIN(len, cwnd_room(tcp, c));
		len = MIN(len, (uint64_t)packet_max);
		if (len > c->mss_bytes && len < packet_max && c->snd.nxt + len != c->snd.end)
			len -= len % c->mss_bytes;
		if (UNLIKELY(c->holds_short) && c->snd.nxt + len == c->snd.end)
			len = hold_what_is_short(tcp, c, len);
		if (len == 0 || !worth_sending(c, len))
			break;
		space = send_new_text(tcp, c, (uint32_t)len);
		if (!space)
			return false;
		c->snd.nxt += space;
		loss_text_sent(tcp, c, space);
	}
	return true;
}

HOT_INLINE bool send_new(struct tcp *tcp, struct conn *c)
{
	uint64_t before = c->snd.nxt;
	bool sent_all;

	restart_after_idle(tcp, c);
	sent_all = send_window(tcp, c);
	if (c->snd.nxt != before) {
		timers_segment_sent(tcp, c);
		note_text_sent(tcp, c);
	}
	return sent_all;
}

// RFC 9293 MUST-36: one octet beyond a closed window. It counts as sent; its timer goes on.
// RFC 9293 3.8.6.2.1: of a window too small to be worth it, all of it, now that time has passed.
static COLD bool send_window_probe(struct tcp *tcp, struct conn *c)
{
	uint64_t window_bytes = MIN(MAX(c->snd.wnd, 1u), c->mss_bytes);
	uint64_t space;

	if (c->snd.una >= c->snd.end) {
		conn_unset(c, CONN_WINDOW_PROBE);
		return true;
	}
	space = send_text(tcp, c, c->snd.una, (uint32_t)MIN(window_bytes, c->snd.end - c->snd.una));
	if (!space)
		return false;
	c->snd.nxt = MAX(c->snd.nxt, c->snd.una + space);
	conn_unset(c, CONN_WINDOW_PROBE);
	return true;
}

// One packet larger than the others (pmtu.c), and so whole.
static COLD bool send_mtu_probe(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = trouble_of(tcp, c);
	uint32_t bytes = pmtu_probe_bytes(c, t, cwnd_room(tcp, c));
	uint16_t mss = c->mss_bytes;

	if (bytes == 0)
		return true;
	c->mss_bytes = (uint16_t)bytes;
	bytes = (uint32_t)send_text(tcp, c, c->snd.nxt, bytes);
	c->mss_bytes = mss;
	if (bytes == 0)
		return false;
	pmtu_probe_sent(c, t, bytes);
	c->snd.nxt += bytes;
	loss_text_sent(tcp, c, bytes);
	timers_segment_sent(tcp, c);
	note_text_sent(tcp, c);
	return true;
}

static bool fin_due(const struct conn *c)
{
	return conn_is(c, CONN_FIN_QUEUED) && c->snd.nxt == c->snd.end;
}

// RFC 9293 3.8.6.3: at least every second full segment, SHLD-18; the rest waits a little for a
// reply to carry it.
static bool ack_due(const struct conn *c)
{
	return conn_is(c, CONN_ACK_NOW) || c->rcv.unacked >= 2u * c->mss_bytes;
}

// Text that cannot go: is it the window (probe), or the network (ACKs will come)? And where neither
// text nor the peer's window fills half of cwnd, it is not cwnd that limits (RFC 9438 5.8).
static inline void wait_for_window(struct tcp *tcp, struct conn *c)
{
	if (c->snd.nxt < c->snd.end && conn_outstanding(c) == 0 && !hold_waits(tcp, c))
		timers_window_closed(tcp, c);
	uint64_t used = loss_in_flight(tcp, c) + (c->pace_waits ? pace_waiting_bytes(c) : 0);

	if (2 * used < c->cc.cwnd_bytes)
		conn_set(c, CONN_APP_LIMITED);
	else
		conn_unset(c, CONN_APP_LIMITED);
}

static bool send_fin_if_due(struct tcp *tcp, struct conn *c)
{
	if (!send_fin(tcp, c))
		return false;
	c->snd.nxt++;
	timers_segment_sent(tcp, c);
	return true;
}

// RFC 5681 4.2: each segment beyond a gap is answered, in a burst as well: a sender whose window
// that burst has filled hears no other duplicates. The first ACK of a number is none.
static bool answer_early(struct tcp *tcp, struct conn *c)
{
	if (c->early_acks && c->rcv.unacked && !output_ack(tcp, c))
		return false;
	for (; c->early_acks; c->early_acks--) {
		if (!output_ack(tcp, c))
			return false;
	}
	conn_unset(c, CONN_EARLY_ACKS);
	return true;
}

static COLD bool run_trouble(struct tcp *tcp, struct conn *c)
{
	if (conn_is(c, CONN_EARLY_ACKS) && !answer_early(tcp, c))
		return false;
	if (c->path.mtu_bytes < c->full_bytes)
		output_mtu_changed(tcp, c);
	if (conn_is(c, CONN_PROBE))
		output_keepalive(tcp, c);
	if (conn_is(c, CONN_WINDOW_PROBE) && !send_window_probe(tcp, c))
		return false;
	if (!send_probe_if_due(tcp, c))
		return false;
	if (!send_lost(tcp, c))
		return false;
	return !conn_is(c, CONN_TROUBLE) || send_mtu_probe(tcp, c);
}

static inline bool in_trouble(const struct conn *c)
{
	return conn_is(c, CONN_PROBE | CONN_WINDOW_PROBE | CONN_RTX_NOW | CONN_EARLY_ACKS |
				  CONN_TROUBLE) ||
	       c->path.mtu_bytes < c->full_bytes;
}

HOT_INLINE bool send_all(struct tcp *tcp, struct conn *c)
{
	if (UNLIKELY(c->paced))
		c->pace_waits = false;
	if (UNLIKELY(in_trouble(c)) && !run_trouble(tcp, c))
		return false;
	if (c->snd.nxt < c->snd.end && !send_new(tcp, c))
		return false;
	return LIKELY(!fin_due(c)) || send_fin_if_due(tcp, c);
}

// What no segment carried: at once, or a little later.
static bool send_ack(struct tcp *tcp, struct conn *c)
{
	if (c->rcv.unacked == 0 && !conn_is(c, CONN_ACK_NOW))
		return true;
	if (ack_due(c))
		return output_ack(tcp, c);
	timers_ack_delayed(tcp, c);
	return true;
}

// SYN or SYN-ACK; behind that of a fast open, text. RFC 7413 R11
static COLD bool run_handshake(struct tcp *tcp, struct conn *c)
{
	return !conn_in(c, SYN_SENT | SYN_RECEIVED) ||
	       (open_send_syn(tcp, c) && (!fast_is_pending(tcp, c) || send_all(tcp, c)));
}

bool output_run(struct tcp *tcp, struct conn *c)
{
	bool sent;

	if (UNLIKELY(!net_has_room(tcp->net, &c->path)))
		return false;
	if (UNLIKELY(!conn_in(c, STATES_SYNCHRONIZED)))
		return run_handshake(tcp, c);
	sent = send_all(tcp, c);
	wait_for_window(tcp, c);
	sent &= send_ack(tcp, c);
	// Where text carried the ACK what came twice is not told any more: it would be old.
	if (UNLIKELY(conn_is(c, CONN_TROUBLE)) && c->rcv.unacked == 0 && !conn_is(c, CONN_ACK_NOW))
		sack_passed_over(tcp, c);
	return sent;
}
