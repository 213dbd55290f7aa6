// SPDX-License-Identifier: BSD-3-Clause
// BBR behind the table of congestion controls, and the records it keeps (bbr.h). Called through
// cc_ops by cc.c, ack.c, loss.c, rate.c and ecn.c, by close.c and move.c when a connection ends
// here. Who finds no record is CUBIC's (cc.c).
//
// A mark (RFC 3168) is congestion, says the draft (3.6), and not how much: here it is as a loss in
// its round, and ends Startup and a probe as too many losses do. A departure: while what is lost is
// repaired there is no PRR (RFC 9937); the draft has the model's bounds and its rate do that.
#include "base/time.h"
#include "observe/counter.h"
#include "tcp/bbr.h"

// Of an instance of which BBR is not the congestion control: one record for so many connections.
#define CONNS_A_RECORD 256
#define RECORDS_MIN 64u

uint32_t bbr_records(const struct tcp_config *config)
{
	uint32_t share = config->connections_max / CONNS_A_RECORD;

	if (config->congestion == PRISM_CONGESTION_BBR)
		return config->connections_max;
	return MIN(MAX(share, RECORDS_MIN), config->connections_max);
}

// Memory that no connection needed yet is not touched: beyond bbr_fresh all are free.
bool bbr_has_record(const struct tcp *tcp)
{
	return tcp->bbr_free != NO_INDEX || tcp->bbr_fresh < bbr_records(&tcp->config);
}

static struct bbr_record *take(struct tcp *tcp, struct conn *c)
{
	uint32_t index = tcp->bbr_free;
	struct bbr_record *record;

	if (UNLIKELY(!bbr_has_record(tcp))) {
		counter_add(tcp->env, COUNTER_tcp_bbr_full, 1);
		return NULL;
	}
	if (index == NO_INDEX)
		index = tcp->bbr_fresh++;
	record = &tcp->bbr[index];
	if (index == tcp->bbr_free)
		tcp->bbr_free = record->next;
	c->cc_phase = CC_SAMPLED;
	c->cc_state.sampled = (struct cc_sampled){.rate = &record->rate};
	conn_set(c, CONN_SAMPLED);
	rate_begin(&record->rate, tcp->env->now_ns);
	record->rate.paced_anyway = c->paced;
	c->paced = true;
	return record;
}

static void give_back(struct tcp *tcp, struct conn *c, struct bbr_record *record)
{
	record->next = tcp->bbr_free;
	tcp->bbr_free = (uint32_t)(record - tcp->bbr);
	c->paced = record->rate.paced_anyway;
	c->pace_waits = false;
	conn_unset(c, CONN_SAMPLED);
}

static struct bbr_event event_of(struct conn *c, const struct rate_sample *sample, uint64_t now_ns)
{
	struct bbr_record *record = bbr_record_of(c);

	return (struct bbr_event){.c = c,
				  .rate = &record->rate,
				  .bbr = &record->bbr,
				  .sample = sample,
				  .now_ns = now_ns};
}

// ---- a connection comes to it, and goes

static bool bbr_comes(struct tcp *tcp, struct conn *c)
{
	struct bbr_record *record = take(tcp, c);

	if (!record)
		return false;
	bbr_begin(record, c, tcp->env->now_ns, (uint32_t)rng_next(&tcp->env->rng));
	return true;
}

// The window it had goes on, as that of congestion avoidance.
static COLD void bbr_goes(struct tcp *tcp, struct conn *c)
{
	give_back(tcp, c, bbr_record_of(c));
	cc_steady(tcp, c);
}

COLD void bbr_leave(struct tcp *tcp, struct conn *c, struct bbr_copy *copy)
{
	struct bbr_record *record = bbr_record_of(c);
	const struct rate *r = &record->rate;

	*copy = (struct bbr_copy){.bbr = record->bbr,
				  .delivered_bytes = r->delivered_bytes,
				  .lost_bytes = r->lost_bytes,
				  .limited_bytes = r->limited_bytes,
				  .min_rtt_ns = r->min_rtt_ns,
				  .pacing_bytes_s = r->pacing_bytes_s,
				  .marked_end = c->cc_state.sampled.end};
	give_back(tcp, c, record);
}

// Of what is in flight it is not known any more when it left: it measures nothing.
COLD void bbr_join(struct tcp *tcp, struct conn *c, const struct bbr_copy *copy)
{
	struct bbr_record *record = take(tcp, c);
	struct rate *r;

	if (!record) {
		c->cc_kind = PRISM_CONGESTION_CUBIC;
		cc_steady(tcp, c);
		return;
	}
	r = &record->rate;
	record->bbr = copy->bbr;
	r->delivered_bytes = copy->delivered_bytes;
	r->lost_bytes = copy->lost_bytes;
	r->limited_bytes = copy->limited_bytes;
	r->min_rtt_ns = copy->min_rtt_ns;
	r->pacing_bytes_s = copy->pacing_bytes_s;
	c->cc_state.sampled.end = copy->marked_end;
}

// ---- what happens

// Where there is no sample.
static const struct rate_sample nothing;

static void bbr_on_ack(struct conn *c, const struct cc_sample *s)
{
	struct bbr_event e = event_of(c, s->rate, s->now_ns);

	bbr_update(&e);
}

static void bbr_on_segment_lost(struct conn *c, const struct rate_sample *s, uint64_t offset)
{
	struct bbr_event e = event_of(c, s, s->now_ns);

	bbr_loss_found(&e, offset);
}

// Where a probe for the tail has repaired it, no segment was found lost.
static void bbr_on_loss(struct conn *c, const struct cc_sample *s)
{
	struct bbr_event e = event_of(c, &nothing, s->now_ns);

	bbr_loss_note(&e);
}

// 5.6.4.4
static void bbr_on_rto(struct conn *c, const struct cc_sample *s)
{
	bbr_on_loss(c, s);
	c->cc.cwnd_bytes = c->mss_bytes;
}

// bbr_update sees it.
static void bbr_on_recovered(struct conn *c, const struct cc_sample *s)
{
	(void)c;
	(void)s;
}

static void bbr_on_spurious(struct conn *c)
{
	struct bbr_event e = event_of(c, &nothing, 0);

	bbr_loss_was_none(&e);
}

static void bbr_on_mark(struct conn *c, const struct cc_sample *s)
{
	struct bbr_event e = event_of(c, &nothing, s->now_ns);

	c->cc_state.sampled.end = c->snd.nxt;
	bbr_loss_note(&e);
	if (e.bbr->state == BBR_STARTUP && !e.bbr->full_reached)
		bbr_leave_startup(&e);
	else if (e.bbr->probe_sample)
		bbr_probe_too_high(&e, (uint32_t)s->in_flight_bytes, false);
	e.bbr->undo = false; // a mark is no loss that may turn out to be none
}

// 5.4.1
static void bbr_on_restart(struct conn *c, uint64_t now_ns)
{
	struct bbr_event e = event_of(c, &nothing, now_ns);

	e.bbr->idle_restart = true;
	e.bbr->extra_since_ns = now_ns;
	if (bbr_is_probe_bw(e.bbr))
		bbr_send_set_rate(&e, 100);
	else if (e.bbr->state == BBR_PROBE_RTT)
		bbr_path_probe_rtt_may_end(&e);
}

const struct cc_ops cc_bbr = {
	.name = "bbr",
	.begin = bbr_comes,
	.end = bbr_goes,
	.on_ack = bbr_on_ack,
	.on_loss = bbr_on_loss,
	.on_mark = bbr_on_mark,
	.on_rto = bbr_on_rto,
	.on_recovered = bbr_on_recovered,
	.on_spurious = bbr_on_spurious,
	.on_segment_lost = bbr_on_segment_lost,
	.on_restart = bbr_on_restart,
};
