// SPDX-License-Identifier: BSD-3-Clause
// A connection that is nothing but its samples and BBR, and a path: a link of some rate with a
// queue in front of it, and a round trip. Segments leave as rate and window allow, in the test's
// own time. What is lost is heard of with the ACK behind it, and not sent again.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "tcp/bbr.h"
#include "tcp/rtt.h"
#include "tcp/sendq.h"

#define MSS 1448u
#define PATH_PKTS 16384

struct path {
	struct env env;
	struct tcp tcp;
	struct conn c;
	struct bbr_record record;
	uint64_t link_bytes_s, rtt_ns;
	uint64_t queue_bytes;
	uint32_t lose_ppm; // of segments, evenly
	uint64_t losses_due;
	uint64_t lost_bytes; // of which the next ACK tells
	uint64_t link_free_ns, send_ns;
	bool idle; // the application has nothing to say
	uint32_t first, count;
	struct {
		uint64_t offset, sent_ns, heard_ns;
		bool lost;
	} pkt[PATH_PKTS];
};

static inline struct bbr *path_bbr(struct path *p)
{
	return &p->record.bbr;
}

static inline void path_init(struct path *p, uint64_t link_bytes_s, uint64_t rtt_ns)
{
	*p = (struct path){
		.link_bytes_s = link_bytes_s, .rtt_ns = rtt_ns, .queue_bytes = UINT64_C(1) << 40};
	p->env.now_ns = 100 * NS_PER_S;
	p->tcp.env = &p->env;
	p->c.state = ESTABLISHED;
	p->c.mss_bytes = MSS;
	p->c.snd.una = p->c.snd.nxt = UINT64_C(1) << 32;
	p->c.snd.end = UINT64_C(1) << 60;
	p->c.cc_kind = PRISM_CONGESTION_BBR;
	p->c.cc_phase = CC_SAMPLED;
	p->c.paced = true;
	p->c.cc_state.sampled.rate = &p->record.rate;
	conn_set(&p->c, CONN_SAMPLED | CONN_SACK);
	rate_begin(&p->record.rate, p->env.now_ns);
	p->c.cc.cwnd_bytes = cc_initial_window(&p->c);
	p->c.rtt.srtt_us = (uint32_t)(rtt_ns / NS_PER_US);
	bbr_begin(&p->record, &p->c, p->env.now_ns, 1);
}

static inline bool path_may_send(const struct path *p)
{
	return !p->idle && conn_outstanding(&p->c) + MSS <= p->c.cc.cwnd_bytes;
}

static inline void path_send(struct path *p)
{
	uint64_t now_ns = p->env.now_ns, begins_ns = MAX(now_ns, p->link_free_ns);
	uint32_t at = (p->first + p->count++) % PATH_PKTS;

	assert_true(p->count < PATH_PKTS);
	rate_sent(&p->tcp, &p->c, p->c.snd.nxt, MSS);
	p->pkt[at].offset = p->c.snd.nxt;
	p->pkt[at].sent_ns = now_ns;
	p->losses_due += p->lose_ppm;
	p->pkt[at].lost = p->losses_due >= 1000000 ||
			  (begins_ns - now_ns) * p->link_bytes_s / NS_PER_S > p->queue_bytes;
	p->losses_due %= 1000000;
	if (!p->pkt[at].lost)
		p->link_free_ns = begins_ns + MSS * NS_PER_S / p->link_bytes_s;
	p->pkt[at].heard_ns = MAX(p->link_free_ns, now_ns) + p->rtt_ns;
	p->c.snd.nxt += MSS;
	p->send_ns = MAX(p->send_ns, now_ns) + MSS * NS_PER_S / p->record.rate.pacing_bytes_s;
}

static inline void path_tell_loss(struct path *p)
{
	struct send_desc d = {
		.offset = p->pkt[p->first].offset, .len = MSS, .sent_ns = p->pkt[p->first].sent_ns};

	rate_lost(&p->tcp, &p->c, &d);
	conn_set(&p->c, CONN_RECOVERY);
	p->lost_bytes += MSS;
}

static inline void path_ack(struct path *p)
{
	struct cc_sample s = {.now_ns = p->env.now_ns,
			      .sent_ns = p->pkt[p->first].sent_ns,
			      .acked_bytes = (uint32_t)(MSS + p->lost_bytes)};

	rtt_sample(&p->c, s.now_ns - s.sent_ns);
	p->c.snd.una += s.acked_bytes;
	p->lost_bytes = 0;
	rate_arrived(&p->tcp, &p->c, MSS);
	rate_acked(&p->tcp, &p->c, &s);
}

// What is next: a segment leaves, or one is heard of.
static inline void path_step(struct path *p)
{
	uint64_t heard_ns = p->count ? p->pkt[p->first].heard_ns : UINT64_MAX;
	uint64_t send_ns = path_may_send(p) ? MAX(p->send_ns, p->env.now_ns) : UINT64_MAX;

	assert_true(heard_ns != UINT64_MAX || send_ns != UINT64_MAX);
	p->env.now_ns = MIN(heard_ns, send_ns);
	if (send_ns < heard_ns) {
		path_send(p);
		return;
	}
	if (p->pkt[p->first].lost)
		path_tell_loss(p);
	else
		path_ack(p);
	p->first = (p->first + 1) % PATH_PKTS;
	p->count--;
}

static inline void path_run(struct path *p, uint64_t ns)
{
	uint64_t end_ns = p->env.now_ns + ns;

	while (p->env.now_ns < end_ns)
		path_step(p);
}

// Until it is in this state; ten seconds are enough for all of them.
static inline void path_reach(struct path *p, enum bbr_state state)
{
	uint64_t end_ns = p->env.now_ns + 10 * NS_PER_S;

	while (path_bbr(p)->state != state) {
		assert_true(p->env.now_ns < end_ns);
		path_step(p);
	}
}

// And out of it.
static inline enum bbr_state path_leave(struct path *p)
{
	uint64_t end_ns = p->env.now_ns + 10 * NS_PER_S;
	uint8_t state = path_bbr(p)->state;

	while (path_bbr(p)->state == state) {
		assert_true(p->env.now_ns < end_ns);
		path_step(p);
	}
	return path_bbr(p)->state;
}
