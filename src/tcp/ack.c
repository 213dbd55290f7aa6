// SPDX-License-Identifier: BSD-3-Clause
// What an acknowledgment changes (RFC 9293 3.10.7.4, fifth; RFC 5681; RFC 7323 4). Called by
// input.c and open.c; calls sendq.c (release), rtt.c (measure), loss.c and cc_*.c (what may fly),
// timers.c. More to send is left to the flush.
#include "tcp/ack.h"

#include "tcp/cc.h"
#include "tcp/deliver.h"
#include "tcp/isn.h"
#include "tcp/loss.h"
#include "tcp/rate.h"
#include "tcp/room.h"
#include "tcp/rtt.h"
#include "tcp/sendq.h"
#include "tcp/timers.h"

// Timestamps measure also what was retransmitted, in ticks of 2^20 ns (RFC 7323 4.1). A precise
// time of our own is better when there is one.
static uint64_t measure_ns(const struct tcp *tcp, const struct conn *c, const struct segment *s,
			   uint64_t sent_ns)
{
	uint64_t srtt_ns = c->rtt.srtt_us * NS_PER_US;
	uint32_t ticks;

	if (LIKELY(sent_ns))
		return MAX(tcp->env->now_ns - sent_ns, UINT64_C(1));
	if (!conn_is(c, CONN_TS) || !s->has_ts || s->ts_echo == 0)
		return 0;
	ticks = isn_ts_now(tcp->env) - s->ts_echo;
	// Less than two ticks say nothing of what takes less than that.
	if (ticks > INT32_MAX || (ticks <= 1 && c->rtt.srtt_us && srtt_ns < UINT64_C(2) << 20))
		return 0;
	return (uint64_t)MAX(ticks, 1u) << 20;
}

// At least 1 where something was measured.
static uint32_t rtt_us(uint64_t rtt_ns)
{
	return (uint32_t)MIN((rtt_ns + NS_PER_US - 1) / NS_PER_US, (uint64_t)UINT32_MAX);
}

static void owe_sent(struct tcp *tcp, struct conn *c, bool cookie)
{
	if (cookie)
		deliver_news(tcp, c, NEWS_SENT);
	if (UNLIKELY(conn_is(c, CONN_WANTS_ROOM)))
		room_acked(tcp, c);
}

// What this ACK was to whom it concerns that something may fly.
static struct cc_sample sample_of(const struct tcp *tcp, uint32_t acked_bytes, uint64_t rtt_ns,
				  bool after_rto)
{
	return (struct cc_sample){
		.now_ns = tcp->env->now_ns,
		.acked_bytes = acked_bytes,
		.rtt_us = rtt_us(rtt_ns),
		.after_rto = after_rto,
	};
}

// Of who asks for samples, whether the window was used or not.
static COLD void rate_is_sampled(struct tcp *tcp, struct conn *c, struct cc_sample sample,
				 uint64_t sent_ns, bool in_trouble)
{
	sample.sent_ns = sent_ns;
	if (sent_ns)
		rtt_keep_min(c, sample.rtt_us);
	if (!in_trouble)
		rate_arrived(tcp, c, sample.acked_bytes);
	rate_acked(tcp, c, &sample);
}

// RFC 6298 R7; RFC 7323 R15; RFC 9438 R15
HOT_INLINE void advance(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	uint32_t acked_bytes = (uint32_t)(s->ack - c->snd.una);
	bool in_trouble = UNLIKELY(loss_concerns(c, s)), is_free = true;
	bool after_rto = in_trouble && conn_is(c, CONN_AFTER_RTO);
	struct loss_news news;

	c->dupacks = 0;
	if (UNLIKELY(in_trouble))
		loss_ack_comes(tcp, c, s, &news);
	struct sendq_acked acked = sendq_ack(tcp, c, s->ack);
	uint64_t rtt_ns = measure_ns(tcp, c, s, acked.sent_ns);

	c->snd.una = s->ack;
	if (rtt_ns)
		rtt_sample(c, rtt_ns);
	if (UNLIKELY(in_trouble))
		is_free = !loss_ack_came(tcp, c, s, &news);
	if (UNLIKELY(conn_is(c, CONN_SAMPLED))) {
		rate_is_sampled(tcp, c, sample_of(tcp, acked_bytes, rtt_ns, after_rto),
				acked.sent_ns, in_trouble);
	} else if (LIKELY(is_free) && !conn_is(c, CONN_APP_LIMITED)) {
		// RFC 9438 5.8, RFC 7661: a window that was not used is not known to be good.
		struct cc_sample sample = sample_of(tcp, acked_bytes, rtt_ns, after_rto);

		if (LIKELY(acked.sent_ns))
			rtt_keep_min(c, sample.rtt_us);
		cc_of(c)->on_ack(c, &sample);
	}
	timers_ack_advanced(tcp, c);
	owe_sent(tcp, c, acked.cookie);
	if (c->snd.nxt < c->snd.end || UNLIKELY(conn_is(c, CONN_FIN_QUEUED)))
		conn_mark(tcp, c);
}

void ack_advance(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	advance(tcp, c, s);
}

// RFC 5681 2: outstanding data, no text, no SYN or FIN, the same ack, the same window. A closed
// window says no to probes by the very same ACK, and nothing is lost.
static bool is_duplicate(const struct conn *c, const struct segment *s)
{
	return s->ack == c->snd.una && conn_outstanding(c) && s->len == 0 &&
	       !(s->flags & (TCP_SYN | TCP_FIN)) && s->wnd == c->snd.wnd && s->wnd != 0;
}

// The window opened: what was probed with is sent again with what follows it.
static COLD void window_opened(struct tcp *tcp, struct conn *c)
{
	timers_window_opened(tcp, c);
	if (conn_outstanding(c)) {
		loss_resend_all(tcp, c);
		timers_segment_sent(tcp, c);
	}
	conn_mark(tcp, c);
}

// RFC 7323 R9
void ack_update_window(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	bool was_closed,
		newer = c->snd.wl1 < s->seq || (c->snd.wl1 == s->seq && s->ack >= c->snd.una);

	if (!newer)
		return;
	c->snd.wl1 = s->seq;
	if (LIKELY(s->wnd == c->snd.wnd))
		return;
	was_closed = c->snd.wnd == 0;
	// RFC 9293 MUST-34: a window that shrinks is obeyed; text beyond it stays outstanding.
	if (s->wnd > c->snd.wnd && c->snd.nxt < c->snd.end)
		conn_mark(tcp, c);
	c->snd.wnd = s->wnd;
	c->snd.wnd_max = MAX(c->snd.wnd_max, s->wnd);
	if (UNLIKELY(was_closed) && conn_is(c, CONN_TUNED))
		patience_window_opened(tcp, c);
	if (UNLIKELY(was_closed) && (conn_is(c, CONN_PERSIST) || c->backoff))
		window_opened(tcp, c);
}

void ack_process(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	if (s->ack > c->snd.una)
		advance(tcp, c, s);
	else if (is_duplicate(c, s))
		loss_ack_again(tcp, c, s, true);
	else if (UNLIKELY(s->sack_count) && conn_is(c, CONN_SACK) && conn_outstanding(c))
		loss_ack_again(tcp, c, s, false);
	// RFC 9293 MUST-37: it answers, so it is there. RFC 6429 4: resources may end patience, and
	// do where nobody is left to lose it: after close, R2 runs whatever a closed window
	// answers.
	if (UNLIKELY(conn_is(c, CONN_PERSIST) || s->wnd == 0) && !conn_is(c, CONN_FIN_QUEUED))
		c->stalled_ms = 0;
	ack_update_window(tcp, c, s);
}
