// SPDX-License-Identifier: BSD-3-Clause
// How connections begin that others open (RFC 9293 3.5, 3.10.7.2; RFC 4987 for the bounded array):
// SYNs to listeners and the handshake's last ACK. Called by input.c. Our own SYNs are connect.c's.
//
// While the array is full, or buffers short, SYNs are answered by cookies (cookie.c): under a flood
// of forged SYNs whoever answers is served. Only where a TIME-WAIT made room for a SYN the oldest
// half-open connection gives way to it (RFC 4987 3.4), for no cookie lies above its numbers.
//
// Text on a SYN is not kept, unless it came with a cookie to a listener who takes it (fast.c): it
// is not acknowledged either, so the peer sends it again (RFC 9293 3.10.7.2 allows to queue it).
#include "tcp/open.h"

#include <errno.h>

#include "observe/counter.h"
#include "pkt/pressure.h"
#include "tcp/ack.h"
#include "tcp/cc.h"
#include "tcp/close.h"
#include "tcp/cookie.h"
#include "tcp/deliver.h"
#include "tcp/early.h"
#include "tcp/ecn.h"
#include "tcp/fast.h"
#include "tcp/flow.h"
#include "tcp/isn.h"
#include "tcp/listener.h"
#include "tcp/output.h"
#include "tcp/routed.h"
#include "tcp/state.h"
#include "tcp/timers.h"
#include "tcp/window.h"

// RFC 9293 MUST-23: at least 3 minutes for a SYN: 1+2+4+8+16+32+60+60 s.
#define SYN_ACK_RETRANSMITS_MAX 7
#define HALF_OPEN_RTO_MAX_NS RTO_NS_MAX

// While the array is more than half full, who was answered three times in seven seconds and said
// nothing makes room, as in Linux: of those that exist most were heard of by then, and who comes
// later has a cookie.
#define SYN_ACK_RETRANSMITS_CROWDED 2
#define SYN_ACK_RETRANSMITS_SHED 1

// The list of all half-open connections, oldest first.
static void line_up(struct tcp *tcp, struct half_open *h)
{
	uint32_t index = (uint32_t)(h - tcp->half_open);

	h->older = tcp->half_open_newest;
	h->newer = NO_INDEX;
	if (h->older == NO_INDEX)
		tcp->half_open_oldest = index;
	else
		tcp->half_open[h->older].newer = index;
	tcp->half_open_newest = index;
}

static void step_out(struct tcp *tcp, const struct half_open *h)
{
	if (h->older == NO_INDEX)
		tcp->half_open_oldest = h->newer;
	else
		tcp->half_open[h->older].newer = h->newer;
	if (h->newer == NO_INDEX)
		tcp->half_open_newest = h->older;
	else
		tcp->half_open[h->newer].older = h->older;
}

// Everything but the table's entry.
static void release(struct tcp *tcp, struct half_open *h)
{
	wheel_stop(tcp->wheel, &h->timer);
	net_path_release(tcp->net, h->path.source_route);
	step_out(tcp, h);
	h->newer = tcp->half_open_free;
	tcp->half_open_free = (uint32_t)(h - tcp->half_open);
	tcp->half_open_count--;
}

static void forget(struct tcp *tcp, struct half_open *h)
{
	const struct flow f = {&h->path.local, &h->path.remote, h->local_port, h->remote_port};

	flow_leave(tcp, &f);
	release(tcp, h);
}

static uint32_t half_open_value(const struct tcp *tcp, const struct half_open *h)
{
	return owner_value(tcp, OWNER_HALF_OPEN, (uint32_t)(h - tcp->half_open));
}

static void arm(struct tcp *tcp, struct half_open *h)
{
	uint64_t delay_ns = MIN(RTO_INITIAL_NS << h->retransmits, HALF_OPEN_RTO_MAX_NS);

	wheel_arm(tcp->wheel, &h->timer, tcp->env->now_ns + delay_ns);
}

// Under pressure who was asked twice is not waited for: whoever tries again has a cookie.
static uint8_t retransmits_max(const struct tcp *tcp)
{
	if (pressure_of(tcp->env) >= PRESSURE_SHED)
		return SYN_ACK_RETRANSMITS_SHED;
	return tcp->half_open_count > tcp->config.half_open_max / 2 ? SYN_ACK_RETRANSMITS_CROWDED
								    : SYN_ACK_RETRANSMITS_MAX;
}

static void half_open_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct tcp *tcp = context;
	struct half_open *h = CONTAINER_OF(timer, struct half_open, timer);

	(void)now_ns;
	if (h->retransmits >= retransmits_max(tcp)) {
		counter_add(tcp->env, COUNTER_tcp_attempt_fails, 1);
		forget(tcp, h);
		return;
	}
	h->retransmits++;
	h->wants_cookie = false;
	counter_add(tcp->env, COUNTER_tcp_retrans_segs, 1);
	answer_syn(tcp, h);
	arm(tcp, h);
}

void open_init(struct tcp *tcp)
{
	for (uint32_t i = 0; i < tcp->config.half_open_max; i++) {
		tcp->half_open[i].newer = i + 1 < tcp->config.half_open_max ? i + 1 : NO_INDEX;
		tcp->half_open[i].timer.kind = TIMER_TCP_HALF_OPEN;
	}
	tcp->half_open_free = 0;
	tcp->half_open_oldest = tcp->half_open_newest = NO_INDEX;
	wheel_set_kind(tcp->wheel, TIMER_TCP_HALF_OPEN, half_open_fires, tcp);
}

void open_forget_all(struct tcp *tcp)
{
	for (uint32_t i = 0; i < tcp->config.half_open_max; i++) {
		if (timer_armed(&tcp->half_open[i].timer))
			forget(tcp, &tcp->half_open[i]);
	}
}

// Above all an earlier incarnation sent (RFC 1122 4.2.2.13 (b)). RFC 6528 R5.
static uint32_t isn_above(uint32_t isn, uint32_t floor)
{
	return floor && (int32_t)(isn - floor) <= 0 ? floor : isn;
}

bool open_may_mark(const struct tcp *tcp, const struct listener *l, const struct segment *s)
{
	return ecn_asked(tcp, s) &&
	       listener_setting(l, TCP_SET_ECN, PRISM_ECN_PASSIVE) != PRISM_ECN_OFF;
}

// What of the listener's settings the handshake needs.
static void take_after(struct tcp *tcp, struct half_open *h, const struct listener *l)
{
	h->listener = (uint16_t)(l - tcp->listener);
	h->listener_generation = l->generation;
	h->receive_bytes_max = listener_receive_max(tcp, l);
	h->dscp = (uint8_t)listener_setting(l, TCP_SET_DSCP, 0);
	h->ttl = (uint8_t)listener_setting(l, TCP_SET_TTL, 0);
}

void open_fill(struct tcp *tcp, struct half_open *h, struct segment *s, uint32_t isn_floor)
{
	const struct flow f = {&s->arrival->dst, &s->arrival->src, s->dst_port, s->src_port};
	const struct listener *l = &tcp->listener[h->listener];
	struct tcp_options o;

	take_after(tcp, h, l);
	segment_syn_options(s, &o);
	h->local_port = s->dst_port;
	h->remote_port = s->src_port;
	h->irs = s->raw_seq;
	h->iss = isn_above(flow_isn(tcp, &f), isn_floor);
	h->peer_mss = o.has_mss && o.mss ? o.mss : open_mss_default(&h->path);
	h->has_scale = o.has_scale;
	h->peer_scale = o.scale;
	h->has_ts = o.has_ts;
	h->has_sack = o.has_sack && !tcp->config.sack_off;
	h->has_ecn = open_may_mark(tcp, l, s);
	h->wants_cookie = fast_asks(tcp, l, s, &o);
	h->ts_recent = o.ts_value;
	h->retransmits = 0;
	h->began_ns = tcp->env->now_ns;
}

static struct half_open *free_place(struct tcp *tcp)
{
	if (UNLIKELY(tcp->half_open_free == NO_INDEX)) {
		counter_add(tcp->env, COUNTER_tcp_half_open_evicted, 1);
		forget(tcp, &tcp->half_open[tcp->half_open_oldest]);
	}
	return &tcp->half_open[tcp->half_open_free];
}

// There is a slot, and a way back.
static enum drop has_place(struct tcp *tcp, const struct segment *s, struct net_path *path)
{
	if (UNLIKELY(tcp->conn_free == NO_INDEX))
		return DROP_TCP_CONNECTIONS_FULL;
	enum drop reason = net_path_back(tcp->net, s->pkt, s->arrival, path);

	return reason == DROP_NO_ROUTE ? DROP_TCP_NO_PATH : reason;
}

enum drop open_refusal(struct tcp *tcp, const struct segment *s, struct net_path *path)
{
	bool is_short = pkt_short(tcp->env) && !early_gives_way(tcp);

	return is_short ? DROP_TCP_SYN_SHORT : has_place(tcp, s, path);
}

// Those who have not shown that they exist take at most half of the places for source routes.
static bool is_crowded(const struct tcp *tcp, const struct net_path *path)
{
	return tcp->half_open_free == NO_INDEX || pressure_of(tcp->env) >= PRESSURE_SHED ||
	       !net_path_has_place(tcp->net, path, 2);
}

// RFC 9293 3.10.7.2, third: a SYN for a listener.
static enum drop syn_arrives(struct tcp *tcp, struct listener *l, struct segment *s,
			     uint32_t isn_floor)
{
	struct net_path path;
	uint32_t value;
	enum drop reason = open_refusal(tcp, s, &path);
	int result;

	if (reason != DROP_OK)
		return reason;
	// A cookie cannot be above what an earlier connection sent.
	if (UNLIKELY(is_crowded(tcp, &path)) && isn_floor == 0) {
		answer_by_cookie(tcp, l, s, &path);
		return DROP_OK;
	}
	if (UNLIKELY(!net_path_has_place(tcp->net, &path, 1)))
		return DROP_SOURCE_ROUTES_FULL;
	struct half_open *h = free_place(tcp);

	h->path = path;
	const struct flow f = {&h->path.local, &h->path.remote, s->dst_port, s->src_port};

	value = half_open_value(tcp, h);
	result = flow_enter(tcp, &f, &value);
	if (result == -EEXIST) // another worker was given the same SYN, and was quicker
		return DROP_TCP_SYN_AGAIN;
	if (result)
		return DROP_TCP_CONNECTIONS_FULL;
	tcp->half_open_free = h->newer;
	tcp->half_open_count++;
	line_up(tcp, h);
	net_path_hold(tcp->net, h->path.source_route); // RFC 9293 MUST-53
	h->listener = (uint16_t)(l - tcp->listener);
	open_fill(tcp, h, s, isn_floor);
	answer_syn(tcp, h);
	arm(tcp, h);
	return DROP_OK;
}

struct conn *open_conn_of(struct tcp *tcp, const struct half_open *h, uint32_t instead_of)
{
	const struct listener *l = &tcp->listener[h->listener];
	struct tcp_options o = {
		.has_mss = true,
		.mss = h->peer_mss,
		.has_scale = h->has_scale,
		.scale = h->peer_scale,
		.has_ts = h->has_ts,
		.ts_value = h->ts_recent,
		.has_sack = h->has_sack,
	};
	struct conn_birth birth = {
		.path = (struct net_path *)&h->path,
		.local_port = h->local_port,
		.remote_port = h->remote_port,
		.state = SYN_RECEIVED,
		.instead_of = instead_of,
	};
	struct conn *c = conn_create(tcp, &birth);

	if (!c)
		return NULL;
	conn_start_send(c, h->iss);
	conn_start_receive(c, h->irs);
	c->is_passive = true;
	listener_tunes(tcp, l, c);
	open_agree(tcp, c, &o);
	if (h->has_ecn)
		ecn_agree(tcp, c);
	c->user = l->user;
	return c;
}

// The handshake's last ACK: a connection is born, in the table's place of its value so far. NULL
// where it has none there and another worker's has come.
static struct conn *promote(struct tcp *tcp, struct half_open *h, struct segment *s,
			    uint32_t instead_of)
{
	struct conn *c = open_conn_of(tcp, h, instead_of);

	if (!c)
		return NULL;
	c->snd.una = c->snd.nxt = c->snd.end;
	c->snd.wnd = s->wnd << c->snd_scale;
	c->snd.wnd_max = c->snd.wnd;
	if (h->retransmits)
		conn_set(c, CONN_SYN_RETRANSMITTED);
	else if (h->began_ns)
		rtt_sample(c, tcp->env->now_ns - h->began_ns);
	conn_enter(tcp, c, ESTABLISHED);
	open_established(tcp, c);
	counter_add(tcp->env, COUNTER_tcp_passive_opens, 1);
	deliver_news(tcp, c, NEWS_ACCEPTED);
	return c;
}

static bool may_be_cookie(const struct tcp *tcp, const struct segment *s)
{
	return tcp->env->now_ns < tcp->cookies_until_ns &&
	       (s->flags & (TCP_ACK | TCP_RST | TCP_SYN)) == TCP_ACK;
}

// An ACK with a cookie finds no place. Text comes again and may find one then; without, it comes
// once, and who waits for us to begin would wait for ever.
static COLD void cookie_refused(struct tcp *tcp, const struct segment *s, enum drop reason)
{
	if (reason == DROP_TCP_CONNECTIONS_FULL && segment_space(s) == 0)
		output_reset_reply(tcp, s, NULL);
	pkt_drop(tcp->env, s->pkt, reason ? reason : DROP_TCP_CONNECTIONS_FULL);
}

// True: the ACK brings a cookie back. *c is the connection the segment goes on to; NULL: it has no
// place, and was taken. Its SYN was answered: memory that ran short since does not count.
static bool cookie_comes_back(struct tcp *tcp, struct listener *l, struct segment *s,
			      struct conn **c)
{
	const struct flow f = {&s->arrival->dst, &s->arrival->src, s->dst_port, s->src_port};
	struct half_open h = {.local_port = s->dst_port,
			      .remote_port = s->src_port,
			      .iss = s->raw_ack - 1,
			      .irs = s->raw_seq - 1,
			      .has_ts = s->has_ts,
			      .ts_recent = s->ts_value};
	struct tcp_options o = {0};
	enum drop reason;

	take_after(tcp, &h, l);
	if (!cookie_read(tcp, &f, h.irs, h.iss, &h.peer_mss))
		return false;
	if (s->has_ts)
		h.has_ecn = cookie_ts_read(s->ts_echo, &o) && tcp->config.ecn != PRISM_ECN_OFF;
	h.has_scale = o.has_scale;
	h.peer_scale = o.scale;
	h.has_sack = o.has_sack;
	reason = has_place(tcp, s, &h.path);
	if (reason == DROP_OK && !net_path_has_place(tcp->net, &h.path, 1))
		reason = DROP_SOURCE_ROUTES_FULL;
	if (reason == DROP_OK)
		*c = promote(tcp, &h, s, OWNER_NONE);
	if (*c)
		counter_add(tcp->env, COUNTER_tcp_cookies_in, 1);
	else
		cookie_refused(tcp, s, reason);
	return true;
}

struct conn *open_stranger(struct tcp *tcp, struct segment *s, uint32_t isn_floor)
{
	struct conn *c = NULL;
	struct listener *l;
	enum drop reason;

	// RFC 9293 MUST-57: SYNs to groups are dropped silently; all else to a group is not TCP.
	// RFC 9293 MUST-63: invalid sources were dropped as martians by net/ip4.c.
	if (s->arrival->to_group) {
		pkt_drop(tcp->env, s->pkt, DROP_TCP_TO_GROUP);
		return NULL;
	}
	l = listener_for(tcp, &s->arrival->dst, s->dst_port);
	if (l && may_be_cookie(tcp, s) && cookie_comes_back(tcp, l, s, &c))
		return c;
	if (!l || s->flags & (TCP_ACK | TCP_RST)) {
		// RFC 9293 3.10.7.1: CLOSED; 3.10.7.2: first RST, second ACK in LISTEN
		output_reset_reply(tcp, s, NULL);
		pkt_drop(tcp->env, s->pkt, l ? DROP_TCP_NO_CONNECTION : DROP_TCP_NO_LISTENER);
		return NULL;
	}
	if (!(s->flags & TCP_SYN)) { // RFC 9293 3.10.7.2, fourth
		pkt_drop(tcp->env, s->pkt, DROP_TCP_NO_CONNECTION);
		return NULL;
	}
	if (s->len && fast_takes(tcp, l, s, isn_floor))
		return NULL;
	reason = syn_arrives(tcp, l, s, isn_floor);
	if (reason != DROP_OK)
		pkt_drop(tcp->env, s->pkt, reason);
	else
		pkt_consume(tcp->env, s->pkt);
	return NULL;
}

// The array was full when the SYN came first, and had a place when it came again: the ACK that
// answers the cookie is as good as one that answers us, and agrees on what the cookie said.
static COLD bool answers_cookie(const struct tcp *tcp, struct half_open *h, const struct segment *s)
{
	const struct flow f = {&h->path.local, &h->path.remote, h->local_port, h->remote_port};
	uint32_t iss = s->raw_ack - 1;
	uint16_t mss;

	if (!may_be_cookie(tcp, s) || !cookie_read(tcp, &f, h->irs, iss, &mss))
		return false;
	h->iss = iss;
	h->has_scale &= h->has_ts;
	h->has_sack &= h->has_ts;
	h->has_ecn &= h->has_ts;
	h->began_ns = 0; // which of the two SYNs it was that arrived is not known
	return true;
}

static bool listener_is_open(const struct tcp *tcp, const struct half_open *h)
{
	const struct listener *l = &tcp->listener[h->listener];

	return l->open && l->generation == h->listener_generation;
}

// RFC 9293 3.10.7.4 in SYN-RECEIVED, passive. Takes the segment unless it says DROP_OK.
// RFC 5961 R1, R2, R3, R5
static enum drop half_open_refuses(struct tcp *tcp, struct half_open *h, struct segment *s)
{
	uint32_t ahead = s->raw_seq - (h->irs + 1);
	uint32_t window_bytes = open_first_window(h->receive_bytes_max);

	if (s->flags & TCP_SYN && s->raw_seq == h->irs && !(s->flags & TCP_ACK)) {
		// The same SYN again: our answer was lost. It may not ask any more (RFC 3168
		// 6.1.1.1).
		h->has_ecn &= ecn_asked(tcp, s);
		h->wants_cookie = false; // RFC 7413 4.2.1: what is lost may be lost for it
		routed_half_open(tcp, h, s);
		answer_syn(tcp, h);
		return DROP_TCP_SYN_AGAIN;
	}
	if (s->flags & TCP_RST) { // second; RFC 5961 3.2. MUST-11: passive, so back to LISTEN
		if (ahead == 0) {
			counter_add(tcp->env, COUNTER_tcp_attempt_fails, 1);
			forget(tcp, h);
			return DROP_TCP_HALF_OPEN_RESET;
		}
		if (ahead < window_bytes && close_challenge_allowed(tcp))
			answer_segment(tcp, h);
		return ahead < window_bytes ? DROP_TCP_RST_CHALLENGED : DROP_TCP_RST_OUTSIDE_WINDOW;
	}
	if (h->has_ts && s->has_ts && (int32_t)(s->ts_value - h->ts_recent) < 0) {
		if (close_challenge_allowed(tcp)) // RFC 7323 5.3, R1
			answer_segment(tcp, h);
		return DROP_TCP_PAWS;
	}
	if (ahead >= window_bytes || s->flags & TCP_SYN) { // first; fourth: RFC 5961 4.2
		if (close_challenge_allowed(tcp))
			answer_segment(tcp, h);
		return s->flags & TCP_SYN ? DROP_TCP_SYN_CHALLENGED : DROP_TCP_OUTSIDE_WINDOW;
	}
	if (!(s->flags & TCP_ACK))
		return DROP_TCP_NO_ACK;
	if (s->raw_ack != h->iss + 1 && !answers_cookie(tcp, h, s)) { // fifth, SYN-RECEIVED
		output_reset_reply(tcp, s, &h->path);
		return DROP_TCP_ACK_UNACCEPTABLE;
	}
	if (!listener_is_open(tcp, h)) {
		output_reset_reply(tcp, s, &h->path);
		forget(tcp, h);
		return DROP_TCP_NO_LISTENER;
	}
	routed_half_open(tcp, h, s);
	// Pools and table are finite: the peer will try again, and the SYN-ACK's timer goes on.
	return tcp->conn_free == NO_INDEX ? DROP_TCP_CONNECTIONS_FULL : DROP_OK;
}

struct conn *open_half(struct tcp *tcp, uint32_t index, struct segment *s)
{
	struct half_open *h = &tcp->half_open[index];
	enum drop reason = half_open_refuses(tcp, h, s);

	if (UNLIKELY(reason != DROP_OK)) {
		pkt_drop(tcp->env, s->pkt, reason);
		return NULL;
	}
	struct conn *c = promote(tcp, h, s, half_open_value(tcp, h));

	ASSERT(c); // there is a slot (half_open_refuses), and its place in the table is h's
	release(tcp, h);
	return c;
}
