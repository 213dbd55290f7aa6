// SPDX-License-Identifier: BSD-3-Clause
// Path MTU discovery by what arrives, for paths on which ICMP does not (RFC 8899; for TCP RFC 4821
// 7). Called by timers.c when text is not acknowledged time after time, by output.c for a probe, by
// loss.c for what became of it.
//
//	full size ── second timeout ──► base ── ACK ──► search ── nothing left between ──► found
//	                                 └─ fourth, IPv4 ──► least         low, high
//
// Only a connection that timed out searches: who hears ICMP, or has no trouble, pays nothing. The
// first probe is as large as segments were, for it may have been an outage and not the size; then
// each halves what is left between what passed and what did not. A probe is text that waits anyway,
// in one packet larger than the rest. One that is lost alone is sent again in small ones and is no
// sign of congestion; after three of a size that size is too large.
//
// Its parts may be found lost one after the other, each with an ACK of its own: so it is remembered
// until una is beyond it. What is lost of it a second time is a loss like others.
//
// The search stands in the record of trouble, which stays for as long as it goes on. Without SACK a
// lost probe would cost a timeout, so then there is no search and the base stays.
#include "tcp/pmtu.h"

#include "observe/counter.h"
#include "observe/trace.h"
#include "tcp/cc.h"
#include "tcp/loss.h"
#include "tcp/output.h"
#include "tcp/scoreboard.h"

// RFC 8899 5.1.2: of IP packets. RFC 8899 R5, R6, R12
#define BASE4_BYTES 1200u
#define BASE6_BYTES 1280u // nothing less is lost for its size (RFC 8200 5)
#define LEAST4_BYTES 576u // what every host takes (RFC 791 3.1)

#define TIMEOUTS_TO_BASE 2u // one may be a loss
#define TIMEOUTS_TO_LEAST 4u
#define TRIES 3u         // RFC 8899 5.1.2: MAX_PROBES. RFC 8899 R7
#define CLOSE_ENOUGH 16u // what could be won is less than a probe costs
#define SEGS_BEHIND 2u   // a probe with nothing behind it is missed late (RFC 4821 7.4)

// Less an option of the IP header, as full_bytes.
static uint32_t smaller_size(const struct tcp *tcp, const struct conn *c, uint32_t timeouts)
{
	bool ip6 = net_path_is_ip6(&c->path);

	if (ip6)
		return BASE6_BYTES;
	return (timeouts >= TIMEOUTS_TO_LEAST ? LEAST4_BYTES : BASE4_BYTES) -
	       net_path_option_bytes(tcp->net, &c->path);
}

static void note(struct tcp *tcp, const struct conn *c, uint32_t before)
{
	trace_add(tcp->env, EVENT_TCP_PATH_MTU, conn_index(tcp, c), before, c->full_bytes);
}

static void probe_failed(struct tcp *tcp, struct trouble *t)
{
	counter_add(tcp->env, COUNTER_tcp_mtu_probes_lost, 1);
	if (++t->pmtu.tries >= TRIES) {
		t->pmtu.high = t->pmtu.size - 1;
		t->pmtu.tries = 0;
		t->pmtu.halves = true;
	}
	t->pmtu.size = 0;
}

// RFC 8899 4.3, 5.2: what was sent until now may be too large. RFC 8899 R8, R9
COLD void pmtu_timed_out(struct tcp *tcp, struct conn *c)
{
	uint32_t timeouts = c->backoff + 1u, size = smaller_size(tcp, c, timeouts);
	uint16_t before = c->full_bytes, mss = c->mss_bytes;
	struct trouble *t;

	if (!conn_is(c, CONN_TROUBLE) || !conn_in(c, STATES_SYNCHRONIZED))
		return;
	t = trouble_of(tcp, c);
	if (t->pmtu.size)
		probe_failed(tcp, t);
	t->pmtu.len = 0;
	if (tcp->config.pmtu_off || timeouts < TIMEOUTS_TO_BASE || conn_outstanding(c) < mss ||
	    before <= size)
		return;
	output_set_full(tcp, c, (uint16_t)size);
	cc_mss_changed(c, mss);
	loss_resend_all(tcp, c);
	if (conn_is(c, CONN_SACK) && t->pmtu.high == 0)
		t->pmtu.high = before;
	counter_add(tcp->env, COUNTER_tcp_mtu_doubts, 1);
	note(tcp, c, before);
}

static bool is_calm(const struct conn *c, const struct trouble *t)
{
	return !conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO) && c->backoff == 0 &&
	       t->lost.head == NO_INDEX && t->resent.head == NO_INDEX;
}

// RFC 8899 5.3.2. RFC 8899 R9, R10
static uint32_t next_size(const struct conn *c, struct trouble *t)
{
	uint32_t low = c->full_bytes, high = MIN(t->pmtu.high, c->path.mtu_bytes);

	if (high < low + CLOSE_ENOUGH) {
		t->pmtu.high = 0;
		return 0;
	}
	return t->pmtu.halves ? (low + high + 1) / 2 : high;
}

// RFC 8899 R13, R14
COLD uint32_t pmtu_probe_bytes(struct conn *c, struct trouble *t, uint64_t room_bytes)
{
	uint64_t edge = MIN(c->snd.una + c->snd.wnd, c->snd.end);
	uint32_t size, bytes;

	if (t->pmtu.high == 0 || t->pmtu.len || !is_calm(c, t) || c->ecn_cwr)
		return 0;
	size = next_size(c, t);
	if (size == 0)
		return 0;
	bytes = size - (c->full_bytes - c->mss_bytes);
	if (room_bytes < bytes || edge < c->snd.nxt + bytes + SEGS_BEHIND * c->mss_bytes)
		return 0;
	return bytes;
}

COLD void pmtu_probe_sent(const struct conn *c, struct trouble *t, uint32_t bytes)
{
	if (bytes <= c->mss_bytes) // cut short: it had too many pieces for the port
		return;
	t->pmtu.size = (uint16_t)(bytes + c->full_bytes - c->mss_bytes);
	t->pmtu.start = c->snd.nxt;
	t->pmtu.len = (uint16_t)bytes;
}

static void probe_passed(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	uint16_t before = c->full_bytes;

	output_set_full(tcp, c, t->pmtu.size);
	// What a loss meanwhile left was counted in smaller ones.
	c->cc.cwnd_bytes = MAX(c->cc.cwnd_bytes, (uint32_t)c->mss_bytes);
	c->ssthresh_bytes = MAX(c->ssthresh_bytes, 2u * c->mss_bytes);
	t->pmtu.size = t->pmtu.tries = 0;
	counter_add(tcp->env, COUNTER_tcp_mtu_probes_passed, 1);
	note(tcp, c, before);
}

// What is lost of the last probe that was not sent again.
COLD uint32_t pmtu_lost_bytes(const struct tcp *tcp, const struct conn *c, const struct trouble *t)
{
	return scoreboard_lost_in(tcp, c, t, t->pmtu.start, t->pmtu.start + t->pmtu.len);
}

// RFC 8899 R2, R4
COLD bool pmtu_heard(struct tcp *tcp, struct conn *c, struct trouble *t, uint32_t newly_lost,
		     uint32_t lost_before)
{
	uint32_t lost = pmtu_lost(tcp, c, t);

	if (lost && t->pmtu.size)
		probe_failed(tcp, t);
	if (c->snd.una < t->pmtu.start + t->pmtu.len)
		return newly_lost && lost_before + newly_lost <= lost;
	if (t->pmtu.size)
		probe_passed(tcp, c, t);
	t->pmtu.len = 0;
	return false;
}
