// SPDX-License-Identifier: BSD-3-Clause
// TCP Fast Open, the listener's side (RFC 7413 4.1.2, 4.2, 5). Called by open.c with SYNs that
// have text, by answer.c for cookies, by input.c and close.c when the handshake is over.
//
//	SYN, text, cookie --> good, and fewer are pending than may be: a connection in
//	                      SYN-RECEIVED; the SYN-ACK acknowledges its text, a reply may follow
//	                      anything else: as if there were no text, which comes again
//
// Whoever has no good cookie is given one.
//
// A cookie is a hash of both addresses and the period, under the instance's secret: any worker
// knows it, none remembers it. The period is hashed, so it is a new key each time (RFC 7413 4.1.2);
// that of the period before is good too, and its owner is given the new one.
//
// The SYN may be the copy of an old one, and so may its text (RFC 7413 2.1): a listener is asked to
// take it or it is not. Not here: cookies without a hash, and data without a cookie (RFC 7413 7.3).
#include "tcp/fast.h"

#include "base/hash.h"
#include "observe/counter.h"
#include "pkt/pkt.h"
#include "pkt/pressure.h"
#include "tcp/cc.h"
#include "tcp/deliver.h"

// 4.9 hours; so a cookie lasts five to ten.
#define PERIOD_SHIFT 44

#define COOKIE_BYTES 8

// RFC 7413 5.1: a pending connection that was reset counts on, a minute or two.
#define RESET_PERIOD_SHIFT 36

static uint64_t cookie_of(const struct tcp *tcp, const struct addr *local,
			  const struct addr *remote, uint64_t key_index)
{
	const struct {
		struct addr remote, local;
		uint64_t key_index, words[2]; // 56 bytes: no other input is as long (isn.c)
	} input = {*remote, *local, key_index, {0}};

	return hash_siphash(tcp->env->secret, &input, sizeof(input));
}

static uint64_t key_now(const struct tcp *tcp)
{
	return tcp->env->now_ns >> PERIOD_SHIFT;
}

enum judgement { COOKIE_BAD, COOKIE_AGES, COOKIE_GOOD };

// RFC 7413 R6
static enum judgement judge(const struct tcp *tcp, const struct segment *s,
			    const struct tcp_options *o)
{
	const struct arrival *a = s->arrival;
	uint64_t cookie, key_index = key_now(tcp);

	if (o->fast_len != COOKIE_BYTES)
		return COOKIE_BAD;
	memcpy(&cookie, o->fast, sizeof(cookie));
	if (cookie == cookie_of(tcp, &a->dst, &a->src, key_index))
		return COOKIE_GOOD;
	return cookie == cookie_of(tcp, &a->dst, &a->src, key_index - 1) ? COOKIE_AGES : COOKIE_BAD;
}

void fast_grant(const struct tcp *tcp, const struct net_path *path, struct tcp_options *o)
{
	uint64_t cookie = cookie_of(tcp, &path->local, &path->remote, key_now(tcp));

	o->has_fast = true;
	o->fast_len = COOKIE_BYTES;
	memcpy(o->fast, &cookie, sizeof(cookie));
	counter_add(tcp->env, COUNTER_tcp_fast_cookies_out, 1);
}

// RFC 7413 R4, R7
bool fast_asks(const struct tcp *tcp, const struct listener *l, const struct segment *s,
	       const struct tcp_options *o)
{
	return o->has_fast && listener_setting(l, TCP_SET_FAST_OPEN, 0) &&
	       judge(tcp, s, o) != COOKIE_GOOD;
}

// Of those that were reset while pending: in this period, and in the one before.
static void turn_resets(struct tcp *tcp)
{
	uint32_t index = (uint32_t)(tcp->env->now_ns >> RESET_PERIOD_SHIFT);

	if (index == tcp->fast.reset_index)
		return;
	tcp->fast.resets_before = index == tcp->fast.reset_index + 1 ? tcp->fast.resets : 0;
	tcp->fast.resets = 0;
	tcp->fast.reset_index = index;
}

// RFC 7413 R12, R13
static bool may_be_one_more(struct tcp *tcp, const struct listener *l)
{
	turn_resets(tcp);
	// Of the worker, whatever listener they are of.
	return tcp->fast.pending + tcp->fast.resets + tcp->fast.resets_before <
	       listener_setting(l, TCP_SET_FAST_OPEN, 0);
}

// Whether the SYN is one to begin with, and nothing speaks against it now; *path is the way back.
static bool is_taken(struct tcp *tcp, const struct listener *l, const struct segment *s,
		     const struct tcp_options *o, struct net_path *path)
{
	if (!o->has_fast || s->flags & TCP_FIN ||
	    s->len > open_first_window(listener_receive_max(tcp, l)))
		return false;
	if (judge(tcp, s, o) == COOKIE_BAD) {
		counter_add(tcp->env, COUNTER_tcp_fast_cookies_bad, o->fast_len != 0);
		return false;
	}
	if (!may_be_one_more(tcp, l)) {
		counter_add(tcp->env, COUNTER_tcp_fast_full, 1);
		return false;
	}
	// Its options and a source route's are more than there is room for in front of a packet.
	return pressure_of(tcp->env) < PRESSURE_SHED && !s->arrival->has_route &&
	       open_refusal(tcp, s, path) == DROP_OK;
}

static void deliver(struct tcp *tcp, struct conn *c, struct segment *s)
{
	struct pkt *p = s->pkt;

	pkt_strip(p, s->text_offset);
	if (pkt_len(p) > s->len)
		pkt_truncate(p, s->len); // padding of the link
	deliver_text(tcp, c, p);
	deliver_news(tcp, c, NEWS_ACCEPTED);
}

// RFC 7413 R8, R9, R10
COLD bool fast_takes(struct tcp *tcp, struct listener *l, struct segment *s, uint32_t isn_floor)
{
	struct half_open h = {.listener = (uint16_t)(l - tcp->listener)};
	struct tcp_options o;
	struct conn *c;

	if (LIKELY(!listener_setting(l, TCP_SET_FAST_OPEN, 0)))
		return false;
	segment_syn_options(s, &o);
	if (!is_taken(tcp, l, s, &o, &h.path))
		return false;
	open_fill(tcp, &h, s, isn_floor);
	c = open_conn_of(tcp, &h, OWNER_NONE);
	if (!c)
		return false;
	c->snd.wnd = c->snd.wnd_max = s->wnd; // RFC 7323 2.2: the window of a SYN is never scaled
	tune(tcp, c)->fast = FAST_PENDING;
	tuning_of(tcp, c)->fast_grants = judge(tcp, s, &o) == COOKIE_AGES;
	tcp->fast.pending++;
	cc_init(tcp, c);
	deliver(tcp, c, s);
	conn_set(c, CONN_ACK_NOW);
	conn_mark(tcp, c);
	counter_add(tcp->env, COUNTER_tcp_passive_opens, 1);
	counter_add(tcp->env, COUNTER_tcp_fast_opens_in, 1);
	return true;
}

bool fast_completes(struct tcp *tcp, struct conn *c)
{
	if (LIKELY(!conn_is(c, CONN_TUNED)))
		return false;
	if (!fast_is_pending(tcp, c)) {
		fast_forget(tcp, c); // both opened at once
		return false;
	}
	tuning_of(tcp, c)->fast = FAST_NOT;
	tcp->fast.pending--;
	return true;
}

void fast_ends(struct tcp *tcp, struct conn *c, bool was_reset)
{
	if (!fast_completes(tcp, c) || !was_reset)
		return;
	turn_resets(tcp);
	tcp->fast.resets++;
}
