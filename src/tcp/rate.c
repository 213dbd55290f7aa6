// SPDX-License-Identifier: BSD-3-Clause
// Samples of the delivery rate (rate.h; draft-ietf-ccwg-bbr-06 4.1, here: the draft). Called by
// pace.c with text that leaves, by rack.c with what was delivered or lost out of order, by ack.c
// and loss.c when an ACK has been taken; calls the congestion control.
//
// What was sent again and may be the original measures nothing: rack.c does not tell of it (the
// draft 4.1.3.5 allows that). Where an ACK fills a hole, and all it delivers left before what was
// delivered already, there is no sample: a departure; bytes count all the same.
#include "tcp/rate.h"

#include "base/time.h"
#include "tcp/loss.h"
#include "tcp/sendq.h"

// Marks of a flight. In a round trip in which it doubles, those of what is outstanding are 56.
#define MARKS_A_FLIGHT 40

#define UNIT_SHIFT 6

// When something left, or where: what was sent once left in the stream's order.
struct departure {
	bool again;
	uint64_t sent_ns;
	uint32_t last; // its last byte, the low 32 bits
};

static struct rate *rate_of(const struct conn *c)
{
	DCHECK(conn_is(c, CONN_SAMPLED));
	return c->cc_state.sampled.rate;
}

static struct rate_mark *mark_at(struct rate *r, uint32_t index)
{
	return &r->mark[index & (RATE_MARKS - 1)];
}

static uint32_t units(uint64_t from_ns, uint64_t to_ns)
{
	uint64_t units = (to_ns - MIN(from_ns, to_ns)) >> UNIT_SHIFT;

	return (uint32_t)MIN(units, (uint64_t)RATE_LONG);
}

static bool left_under_or_later(const struct rate_mark *m, const struct departure *d)
{
	return d->again ? m->sent_ns <= d->sent_ns : (int32_t)(d->last - m->offset) >= 0;
}

// The last mark that was there when it left. False: it is gone, or there was none.
static bool find(struct rate *r, const struct departure *d, uint32_t *index)
{
	uint32_t low = 0, high = r->made - r->first; // below low they are, from high on not

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (left_under_or_later(mark_at(r, r->first + middle), d))
			low = middle + 1;
		else
			high = middle;
	}
	*index = r->first + low - 1;
	return low > 0;
}

// ---- what leaves

void rate_begin(struct rate *r, uint64_t now_ns)
{
	*r = (struct rate){.delivered_ns = now_ns, .first_sent_ns = now_ns, .limited_bytes = 1};
}

void rate_limit(struct rate *r, uint64_t in_flight_bytes)
{
	r->limited_bytes = MAX(r->delivered_bytes + in_flight_bytes, UINT64_C(1));
}

// A mark says the same of what leaves now, as far as a fortieth matters.
static bool goes_on(struct rate *r, const struct conn *c)
{
	return r->made != r->first &&
	       mark_at(r, r->made - 1)->app_limited == (r->limited_bytes != 0) &&
	       r->since_bytes < conn_outstanding(c) / MARKS_A_FLIGHT;
}

static void make_mark(struct rate *r, const struct conn *c, uint64_t now_ns, uint64_t in_flight)
{
	if (r->made - r->first == RATE_MARKS)
		r->first++;
	*mark_at(r, r->made) = (struct rate_mark){
		.sent_ns = now_ns,
		.offset = (uint32_t)c->snd.nxt,
		.delivered_bytes = (uint32_t)r->delivered_bytes,
		.lost_bytes = (uint32_t)r->lost_bytes,
		.in_flight_bytes = (uint32_t)MIN(in_flight, (uint64_t)INT32_MAX) & INT32_MAX,
		.app_limited = r->limited_bytes != 0,
		.since_delivered = units(r->delivered_ns, now_ns),
		.since_first = units(r->first_sent_ns, now_ns),
	};
	r->made++;
	r->since_bytes = 0;
}

// The draft 4.1.2.4: behind end there is nothing to send, though the window would take it.
static bool runs_out(const struct tcp *tcp, const struct conn *c, uint64_t end, uint64_t in_flight)
{
	return end >= c->snd.end && in_flight < c->cc.cwnd_bytes &&
	       (!conn_is(c, CONN_TROUBLE) || trouble_of(tcp, c)->lost.head == NO_INDEX);
}

// The draft 4.1.2.2. Lost bytes that leave again are in flight from now on, as new ones are.
void rate_sent(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t len)
{
	struct rate *r = rate_of(c);
	uint64_t now_ns = tcp->env->now_ns, in_flight = loss_in_flight(tcp, c);
	bool idle = in_flight == 0;

	if (conn_outstanding(c) == 0)
		r->first = r->made;
	if (idle)
		r->first_sent_ns = r->delivered_ns = now_ns;
	if (idle && r->limited_bytes)
		cc_of(c)->on_restart(c, now_ns);
	in_flight += len;
	if (idle || !goes_on(r, c))
		make_mark(r, c, now_ns, in_flight);
	r->since_bytes += len;
	r->filled |= in_flight + c->mss_bytes > c->cc.cwnd_bytes;
	if (runs_out(tcp, c, offset + len, in_flight))
		rate_limit(r, in_flight);
}

// ---- what arrives

static void note(struct rate *r, const struct departure *d)
{
	uint32_t index;

	if (!find(r, d, &index))
		return;
	if (!r->has_mark || (int32_t)(index - r->ack_mark) > 0)
		r->ack_mark = index;
	r->has_mark = true;
}

// The draft 5.5.7: of several the shortest.
static void note_rtt(struct rate *r, uint64_t rtt_ns)
{
	rtt_ns = MAX(rtt_ns, UINT64_C(1));
	r->rtt_ns = r->rtt_ns ? MIN(r->rtt_ns, rtt_ns) : rtt_ns;
}

static struct departure departure_of(const struct send_desc *d)
{
	return (struct departure){.again = d->flags & DESC_RETRANSMITTED,
				  .sent_ns = d->sent_ns,
				  .last = (uint32_t)(d->offset + d->len - 1)};
}

void rate_delivered(const struct tcp *tcp, struct conn *c, const struct send_desc *d)
{
	struct rate *r = rate_of(c);
	struct departure departure = departure_of(d);

	note(r, &departure);
	if (!(d->flags & DESC_PARTS) && !sendq_left_now(tcp, d->sent_ns))
		note_rtt(r, tcp->env->now_ns - d->sent_ns);
}

// The draft 4.1.2.3, GenerateRateSample. An interval shorter than any round trip is that of
// something that was sent again for nothing.
static void measure(const struct rate *r, const struct rate_mark *m, uint64_t now_ns,
		    struct rate_sample *s)
{
	uint64_t began_ns = m->sent_ns - ((uint64_t)m->since_delivered << UNIT_SHIFT);
	uint64_t interval_ns = MAX(now_ns - began_ns, (uint64_t)m->since_first << UNIT_SHIFT);

	s->delivered_bytes = (uint32_t)r->delivered_bytes - m->delivered_bytes;
	s->prior_bytes = r->delivered_bytes - s->delivered_bytes;
	s->lost_bytes = (uint32_t)r->lost_bytes - m->lost_bytes;
	s->sent_bytes = m->in_flight_bytes;
	s->app_limited = m->app_limited;
	s->has_mark = true;
	if (m->since_delivered == RATE_LONG || m->since_first == RATE_LONG || interval_ns == 0 ||
	    interval_ns < r->min_rtt_ns)
		return;
	s->rate_bytes_s = MIN(s->delivered_bytes * NS_PER_S / interval_ns, RATE_BYTES_S_MAX);
}

static void take_newest(struct rate *r, uint64_t now_ns, struct rate_sample *s)
{
	struct rate_mark *m = mark_at(r, r->ack_mark);

	if (!r->has_mark || (int32_t)(r->ack_mark - r->newest) < 0)
		return;
	r->newest = r->ack_mark;
	measure(r, m, now_ns, s);
	r->first_sent_ns = m->sent_ns;
}

static void take_rtt(struct rate *r, struct rate_sample *s)
{
	s->rtt_ns = r->rtt_ns;
	if (r->rtt_ns)
		r->min_rtt_ns = MIN(r->min_rtt_ns ? r->min_rtt_ns : UINT64_MAX, r->rtt_ns);
}

void rate_arrived(struct tcp *tcp, struct conn *c, uint32_t bytes)
{
	struct rate *r = rate_of(c);
	uint64_t after = loss_in_flight(tcp, c), before = after + bytes;

	// As it was when the ACK came; of a full window that it covers whole, as it is now.
	if (runs_out(tcp, c, c->snd.nxt, conn_outstanding(c) ? before : after))
		rate_limit(r, before);
	if (bytes == 0)
		return;
	r->ack_bytes += bytes;
	r->delivered_bytes += bytes;
	r->delivered_ns = tcp->env->now_ns;
	if (r->limited_bytes && r->delivered_bytes > r->limited_bytes)
		r->limited_bytes = 0;
}

void rate_acked(struct tcp *tcp, struct conn *c, struct cc_sample *s)
{
	struct rate *r = rate_of(c);
	struct departure edge = {.last = (uint32_t)c->snd.una - 1};
	struct rate_sample sample = {.now_ns = s->now_ns,
				     .in_flight_bytes = loss_in_flight(tcp, c),
				     .bytes = r->ack_bytes};

	if (s->acked_bytes)
		note(r, &edge);
	if (s->sent_ns)
		note_rtt(r, s->now_ns - s->sent_ns);
	take_rtt(r, &sample);
	if (r->ack_bytes)
		take_newest(r, s->now_ns, &sample);
	r->ack_bytes = 0;
	r->has_mark = false;
	r->rtt_ns = 0;
	s->rate = &sample;
	cc_of(c)->on_ack(c, s);
}

// ---- what is lost

void rate_lost_bytes(const struct tcp *tcp, struct conn *c, uint32_t bytes)
{
	struct rate_sample s = {.now_ns = tcp->env->now_ns, .bytes = bytes};

	rate_of(c)->lost_bytes += bytes;
	if (bytes)
		cc_of(c)->on_segment_lost(c, &s, 0);
}

// The draft 5.5.10.2: what was in flight when it left, and what of that is lost.
void rate_lost(struct tcp *tcp, struct conn *c, const struct send_desc *d)
{
	struct rate *r = rate_of(c);
	struct departure departure = departure_of(d);
	struct rate_sample s = {.now_ns = tcp->env->now_ns,
				.in_flight_bytes = loss_in_flight(tcp, c),
				.bytes = d->len};
	uint32_t index;

	r->lost_bytes += d->len;
	if (find(r, &departure, &index))
		measure(r, mark_at(r, index), tcp->env->now_ns, &s);
	cc_of(c)->on_segment_lost(c, &s, d->offset);
}
