// SPDX-License-Identifier: BSD-3-Clause
// The timers of a connection (RFC 6298, RFC 9293 3.8): see timers.h for the five of them. The rest
// of tcp/ says what happened; here it is decided what that starts or stops, and what is done when
// time is up. Nothing is transmitted here: the connection is marked, and the flush of this turn
// sends. One token per connection lies in the wheel, lazily re-armed, so that a busy connection
// touches the wheel a few times a second, not with every segment.
#include "tcp/timers.h"

#include "observe/counter.h"
#include "observe/trace.h"
#include "tcp/close.h"
#include "tcp/hold.h"
#include "tcp/loss.h"
#include "tcp/pace.h"
#include "tcp/pmtu.h"
#include "tcp/show.h"
#include "tcp/trouble.h"

// RFC 9293 3.8.3: R1 at least 3 retransmissions, R2 at least 100 s; for a SYN at least 3 minutes
// (RFC 9293 MUST-23).
#define R1_RETRANSMISSIONS 3
#define R2_NS_DEFAULT (100 * NS_PER_S)
#define R2_NS_SYN (180 * NS_PER_S)

// RFC 9293 3.8.4 leaves both to us; as Linux.
#define KEEPALIVE_INTERVAL_S 75
#define KEEPALIVE_PROBES 9

// How long a closed connection waits for the peer's FIN or the next of its text; as Linux.
#define FIN_WAIT_2_NS (60 * NS_PER_S)

#define BACKOFF_MAX 20

// The deadline is not that of a wait any more.
static void forget_reordering(struct tcp *tcp, struct conn *c)
{
	if (UNLIKELY(conn_is(c, CONN_TROUBLE)))
		trouble_of(tcp, c)->rack.rto_ns = TIME_NEVER_NS;
}

COLD void timers_not_alone(struct tcp *tcp, struct conn *c)
{
	uint64_t due_ns = tcp->env->now_ns + rack_probe_timeout_ns(tcp, c);

	if (due_ns >= c->retransmit_ns)
		return;
	c->retransmit_ns = due_ns;
	timers_arm(tcp, c, due_ns);
}

void timers_window_closed(struct tcp *tcp, struct conn *c)
{
	// RFC 9293 MUST-35: also when it shrank to nothing.
	if (c->retransmit_ns != TIME_NEVER_NS)
		return;
	forget_reordering(tcp, c);
	conn_set(c, CONN_PERSIST);
	if (UNLIKELY(conn_is(c, CONN_TUNED)))
		patience_begins(tcp, c);
	c->retransmit_ns = tcp->env->now_ns + rtt_rto_ns(tcp, c);
	timers_arm(tcp, c, c->retransmit_ns);
}

void timers_window_opened(struct tcp *tcp, struct conn *c)
{
	if (!conn_is(c, CONN_PERSIST))
		return;
	forget_reordering(tcp, c);
	conn_unset(c, CONN_PERSIST | CONN_WINDOW_PROBE | CONN_PTO);
	c->retransmit_ns = TIME_NEVER_NS;
	c->backoff = 0;
	c->stalled_ms = 0;
	if (UNLIKELY(conn_is(c, CONN_TUNED)))
		patience_window_opened(tcp, c);
}

COLD void timers_begin_in_trouble(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = trouble_of(tcp, c);

	t->rack.rto_ns = TIME_NEVER_NS;
	t->tlp.is_due = false;
	t->tlp.timeout_ns = tcp->env->now_ns + rtt_rto_ns(tcp, c);
}

COLD void timers_oldest_again(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = trouble_of(tcp, c);
	bool waits = t->rack.rto_ns != TIME_NEVER_NS; // behind that for reordering
	uint64_t *timeout_ns = waits ? &t->rack.rto_ns : &c->retransmit_ns;

	if (!conn_is(c, CONN_PTO))
		*timeout_ns = MAX(*timeout_ns, tcp->env->now_ns + rtt_rto_ns(tcp, c));
}

// RFC 8985 7.2: no probe while something is sacked, until recovery begins. The deadline, of either,
// where it was due_ns. RFC 8985 R17
static uint64_t probe_or_timeout(struct tcp *tcp, struct conn *c, struct trouble *t,
				 uint64_t due_ns, bool news)
{
	uint64_t now_ns = tcp->env->now_ns;
	bool is_probe = conn_is(c, CONN_PTO);

	if (!timers_probe_first(tcp, c)) {
		conn_unset(c, CONN_PTO);
		return is_probe ? now_ns + rtt_rto_ns(tcp, c) : due_ns;
	}
	if (!conn_is(c, CONN_RECOVERY) || (!news && !t->tlp.may_begin))
		return due_ns;
	t->tlp.may_begin = false;
	conn_set(c, CONN_PTO);
	return MIN(now_ns + rack_probe_timeout_ns(tcp, c), t->tlp.timeout_ns);
}

// RFC 8985 R13
COLD void timers_may_be_reordered(struct tcp *tcp, struct conn *c, bool news)
{
	struct trouble *t = trouble_of(tcp, c);

	if (c->retransmit_ns == TIME_NEVER_NS || conn_is(c, CONN_PERSIST)) {
		t->rack.rto_ns = TIME_NEVER_NS;
		return;
	}
	if (t->rack.rto_ns != TIME_NEVER_NS) // it waits behind one that may be over
		c->retransmit_ns = t->rack.rto_ns;
	c->retransmit_ns = probe_or_timeout(tcp, c, t, c->retransmit_ns, news);
	t->rack.rto_ns = TIME_NEVER_NS;
	if (t->rack.reorder_ns != TIME_NEVER_NS) {
		t->rack.rto_ns = c->retransmit_ns;
		c->retransmit_ns = t->rack.reorder_ns;
	}
	timers_arm(tcp, c, c->retransmit_ns);
}

// How long the peer was idle before probes begin; 0: they do not.
static uint64_t keepalive_ns(const struct tcp *tcp, const struct conn *c)
{
	return UNLIKELY(conn_is(c, CONN_KEEPALIVE_SET)) ? tuning_of(tcp, c)->keepalive_s * NS_PER_S
							: tcp->config.keepalive_ns;
}

// Between two probes.
static uint64_t interval_ns(const struct tcp *tcp, const struct conn *c)
{
	uint16_t interval_s =
		UNLIKELY(conn_is(c, CONN_TUNED)) ? tuning_of(tcp, c)->keepalive_interval_s : 0;

	return (interval_s ? interval_s : KEEPALIVE_INTERVAL_S) * NS_PER_S;
}

static uint8_t probes_max(const struct tcp *tcp, const struct conn *c)
{
	uint8_t probes = UNLIKELY(conn_is(c, CONN_TUNED)) ? tuning_of(tcp, c)->keepalive_probes : 0;

	return probes ? probes : KEEPALIVE_PROBES;
}

static void keepalive_in(struct tcp *tcp, struct conn *c, uint64_t delay_ns)
{
	c->idle_ns = tcp->env->now_ns + delay_ns;
	timers_arm(tcp, c, c->idle_ns);
}

void timers_peer_heard_slow(struct tcp *tcp, struct conn *c)
{
	if (conn_in(c, FIN_WAIT_2)) // being there is not enough: see timers_text_arrived
		return;
	c->probes = 0;
	// Probes were further apart than the interval may be, so this can be earlier than the
	// token.
	timers_established(tcp, c);
}

// RFC 9293 MUST-25: off unless somebody asked. RFC 9293 MUST-28: then the interval is his; the
// documentation proposes two hours.
void timers_established(struct tcp *tcp, struct conn *c)
{
	uint64_t idle_ns = keepalive_ns(tcp, c);

	c->idle_ns = TIME_NEVER_NS;
	if (idle_ns)
		keepalive_in(tcp, c, idle_ns);
}

void timers_keepalive_changed(struct tcp *tcp, struct conn *c)
{
	c->probes = 0;
	if (conn_in(c, STATES_SENDING)) // in FIN-WAIT-2 the deadline is another one's
		timers_established(tcp, c);
}

void timers_fin_wait_2(struct tcp *tcp, struct conn *c)
{
	keepalive_in(tcp, c, FIN_WAIT_2_NS);
}

void timers_closed(struct tcp *tcp, struct conn *c)
{
	c->retransmit_ns = c->ack_ns = c->idle_ns = TIME_NEVER_NS;
	c->pace_waits = false;
	if (timer_armed(&c->timer))
		wheel_stop(tcp->wheel, &c->timer);
}

static uint64_t r2_ns(const struct conn *c)
{
	if (conn_in(c, SYN_SENT | SYN_RECEIVED))
		return R2_NS_SYN;
	return c->r2_s ? c->r2_s * NS_PER_S : R2_NS_DEFAULT; // RFC 9293 MUST-21
}

// RFC 9293 MUST-22: SYNs are handled as text is, with a longer R2.
// RFC 9293 MUST-20: more than R2 without an answer, so the connection is closed.
static bool gave_up(struct tcp *tcp, struct conn *c)
{
	uint32_t now_ms = (uint32_t)(tcp->env->now_ns / NS_PER_MS) | 1; // never 0
	uint64_t waited_ns;

	if (patience_rules(tcp, c))
		return false;
	if (c->stalled_ms == 0) {
		// Waiting began when the segment that timed out now was sent.
		c->stalled_ms = now_ms - (uint32_t)(rtt_rto_ns(tcp, c) / NS_PER_MS);
		c->stalled_ms |= 1;
	}
	waited_ns = (uint32_t)(now_ms - c->stalled_ms) * NS_PER_MS;
	if (waited_ns < r2_ns(c))
		return false;
	if (conn_in(c, SYN_SENT | SYN_RECEIVED))
		close_now(tcp, c, c->reason ? c->reason : PRISM_CLOSE_CONNECT_TIMEOUT);
	else
		close_now(tcp, c, PRISM_CLOSE_TIMEOUT);
	return true;
}

// RFC 6298 R12
static void back_off(struct tcp *tcp, struct conn *c)
{
	if (c->backoff < BACKOFF_MAX)
		c->backoff++;
	c->retransmit_ns = tcp->env->now_ns + rtt_rto_ns(tcp, c);
}

// RFC 9293 3.8.6.1, MUST-36: one octet goes out although the window is closed; intervals double.
// RFC 9293 MUST-37: as long as probes are answered this goes on for ever.
static void persist_fires(struct tcp *tcp, struct conn *c)
{
	if (gave_up(tcp, c))
		return;
	counter_add(tcp->env, COUNTER_tcp_zero_window_probes, 1);
	back_off(tcp, c);
	conn_set(c, CONN_WINDOW_PROBE);
	conn_mark(tcp, c);
}

static bool may_be_reordered(const struct tcp *tcp, const struct conn *c)
{
	return conn_is(c, CONN_TROUBLE) && trouble_of(tcp, c)->rack.rto_ns != TIME_NEVER_NS;
}

static COLD void reordering_fires(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = trouble_of(tcp, c);

	c->retransmit_ns = t->rack.rto_ns;
	t->rack.rto_ns = TIME_NEVER_NS;
	loss_reorder_timeout(tcp, c);
}

// RFC 8985 7.3: the timeout is next, whether a probe leaves or not. RFC 8985 R22.
static COLD void probe_fires(struct tcp *tcp, struct conn *c)
{
	conn_unset(c, CONN_PTO);
	c->retransmit_ns = tcp->env->now_ns + rtt_rto_ns(tcp, c);
	loss_probe_timeout(tcp, c);
}

// RFC 6298 5.4 to 5.7; RFC 6298 R11, R12
static void retransmission_fires(struct tcp *tcp, struct conn *c)
{
	if (gave_up(tcp, c))
		return;
	counter_add(tcp->env, COUNTER_tcp_rtos, 1);
	show_timeout(tcp, c);
	if (conn_in(c, SYN_SENT | SYN_RECEIVED))
		conn_set(c, CONN_SYN_RETRANSMITTED | CONN_RTX_NOW);
	else
		loss_timeout(tcp, c);
	pmtu_timed_out(tcp, c);
	back_off(tcp, c);
	trace_add(tcp->env, EVENT_TCP_RTO, conn_index(tcp, c), c->backoff,
		  c->retransmit_ns - tcp->env->now_ns);
	// RFC 9293 3.8.3: at R1 tell the network layer that the path may be bad.
	if (c->backoff == R1_RETRANSMISSIONS)
		c->path.generation = 0;
	conn_mark(tcp, c);
}

// No probe was answered, as many as there may be or for as long as the connection waits.
static bool probes_end(const struct tcp *tcp, const struct conn *c)
{
	uint64_t silent_ns = keepalive_ns(tcp, c) + c->probes * interval_ns(tcp, c);

	return c->probes >= probes_max(tcp, c) ||
	       (c->probes && patience_ends_probing(tcp, c, silent_ns));
}

// RFC 9293 MUST-26: only after an interval in which nothing came, and while nothing is outstanding:
// text has timers of its own, and R2. MUST-29: one lost probe is no proof of anything.
static void idle_fires(struct tcp *tcp, struct conn *c)
{
	if (conn_in(c, FIN_WAIT_2)) {
		close_now(tcp, c, PRISM_CLOSE_LINGER);
		return;
	}
	if (conn_outstanding(c) || c->snd.nxt < c->snd.end) {
		timers_established(tcp, c);
		return;
	}
	if (probes_end(tcp, c)) {
		close_abort(tcp, c, PRISM_CLOSE_KEEPALIVE);
		return;
	}
	c->probes++;
	counter_add(tcp->env, COUNTER_tcp_keepalive_probes, 1);
	conn_set(c, CONN_PROBE);
	conn_mark(tcp, c);
	keepalive_in(tcp, c, interval_ns(tcp, c));
}

static void ack_fires(struct tcp *tcp, struct conn *c)
{
	c->ack_ns = TIME_NEVER_NS;
	conn_set(c, CONN_ACK_NOW);
	conn_mark(tcp, c);
}

static void fire(void *context, struct timer *timer, uint64_t now_ns)
{
	struct tcp *tcp = context;
	struct conn *c = CONTAINER_OF(timer, struct conn, timer);
	uint64_t earliest;

	if (c->ack_ns <= now_ns)
		ack_fires(tcp, c);
	if (c->retransmit_ns <= now_ns) {
		if (conn_is(c, CONN_PERSIST))
			persist_fires(tcp, c);
		else if (may_be_reordered(tcp, c)) // in front of what it is earlier than
			reordering_fires(tcp, c);
		else if (conn_is(c, CONN_PTO))
			probe_fires(tcp, c);
		else
			retransmission_fires(tcp, c);
	}
	if (c->idle_ns <= now_ns)
		idle_fires(tcp, c);
	if (UNLIKELY(c->pace_waits))
		pace_fires(tcp, c);
	if (UNLIKELY(c->holds_short) && !conn_in(c, CLOSED))
		hold_fires(tcp, c);
	if (UNLIKELY(conn_is(c, CONN_TUNED)) && !conn_in(c, CLOSED))
		patience_fires(tcp, c);
	conn_look_again(tcp, c); // it may be what the token was armed for
	earliest = conn_earliest_ns(c);
	if (earliest != TIME_NEVER_NS)
		timers_arm(tcp, c, earliest);
	conn_check(tcp, c);
}

void timers_init(struct tcp *tcp)
{
	wheel_set_kind(tcp->wheel, TIMER_TCP, fire, tcp);
}
