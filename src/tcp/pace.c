// SPDX-License-Identifier: BSD-3-Clause
// Pacing (RFC 9406 4.3 knows who does): what cwnd and the peer's window let go leaves
// at a rate, in small bursts, so that it does not fill the queue of the narrowest link at once.
// Called by output.c with text that leaves and that would, by timers.c. Who is not paced comes
// through here never, and pays a branch a flush.
//
// The rate is the window over the smoothed round trip, and more: 2 while slow start doubles the
// window, 1.2 after, as Linux, so that it is cwnd that limits and the rate shapes. The first ten
// segments are not held: there is no better guess of a rate than that. A congestion control that
// samples has a rate of its own (rate.h), and its retransmissions are held to it.
//
//	pace_next: when the next packet is due     <= now: it may leave, and due moves on
//	                                           >  now: the timer, a burst later
//
// A burst is what is due in 131 us, or one packet. Time that was not used counts for one burst at
// most. Who has nothing in flight is never held, so no wait outlives the ACKs it waits beside.
// Retransmissions are not held, PRR spaces them; they count, so what follows waits for them.
#include "tcp/pace.h"

#include "base/time.h"
#include "observe/counter.h"
#include "tcp/rate.h"
#include "tcp/timers.h"

// pace_next in 64 ns: differences up to 137 s, and at 100 Gbit/s a segment is two.
#define UNIT_SHIFT 6

#define INITIAL_SEGS 10

static uint32_t now_units(const struct tcp *tcp)
{
	return (uint32_t)(tcp->env->now_ns >> UNIT_SHIFT);
}

static uint64_t round_trip_ns(const struct conn *c)
{
	return c->rtt.srtt_us * NS_PER_US;
}

static bool doubles(const struct conn *c)
{
	return c->cc.cwnd_bytes < c->ssthresh_bytes / 2;
}

// So many bytes in so much time: 200 % or 120 % of cwnd a round trip.
struct pace {
	uint64_t bytes, ns;
};

static struct pace pace_of(const struct conn *c)
{
	uint64_t cwnd_bytes = c->cc.cwnd_bytes;

	if (conn_is(c, CONN_SAMPLED))
		return (struct pace){c->cc_state.sampled.rate->pacing_bytes_s, NS_PER_S};
	return (struct pace){doubles(c) ? 2 * cwnd_bytes : cwnd_bytes + cwnd_bytes / 5,
			     round_trip_ns(c)};
}

static bool has_rate(const struct conn *c)
{
	if (conn_is(c, CONN_SAMPLED))
		return true;
	return c->rtt.srtt_us &&
	       !(c->cc_phase == CC_SLOW_START && c->ssthresh_bytes == UINT32_MAX &&
		 c->cc.cwnd_bytes <= INITIAL_SEGS * (uint32_t)c->mss_bytes);
}

// A segment at a rate that was measured may take longer than a round trip.
static uint64_t wait_ns_max(const struct conn *c)
{
	return conn_is(c, CONN_SAMPLED) ? MAX(round_trip_ns(c), NS_PER_S) : round_trip_ns(c);
}

// How long until it is due. pace_sent writes down wait_ns_max at most, which may have become
// shorter since: what is further away was written down before the clock of 32 bits went round.
static uint64_t wait_ns(const struct tcp *tcp, const struct conn *c)
{
	int32_t units = (int32_t)(c->pace_next - now_units(tcp));
	uint64_t ns = units > 0 ? (uint64_t)units << UNIT_SHIFT : 0;

	return ns > 2 * wait_ns_max(c) ? 0 : ns;
}

bool pace_holds(struct tcp *tcp, struct conn *c)
{
	uint64_t ns = wait_ns(tcp, c);

	if (ns == 0 || conn_outstanding(c) == 0 || !has_rate(c))
		return false;
	counter_add(tcp->env, COUNTER_tcp_pace_waits, 1);
	c->pace_waits = true;
	timers_arm(tcp, c, tcp->env->now_ns + ns + PACE_BURST_NS);
	return true;
}

// A rate without anything to spare loses nothing to the timer's tick.
static uint32_t unused_units_max(const struct conn *c)
{
	uint64_t ns = conn_is(c, CONN_SAMPLED) ? 2 * PACE_BURST_NS : PACE_BURST_NS;

	return (uint32_t)(ns >> UNIT_SHIFT);
}

void pace_sent(struct tcp *tcp, struct conn *c, uint64_t offset, uint32_t len)
{
	uint32_t now = now_units(tcp), burst = unused_units_max(c);
	uint64_t ns, owed_ns;
	struct pace pace;

	if (conn_is(c, CONN_SAMPLED))
		rate_sent(tcp, c, offset, len);
	if (!has_rate(c)) {
		c->pace_next = now;
		return;
	}
	pace = pace_of(c);
	ns = len * pace.ns / pace.bytes;
	if (conn_outstanding(c) == 0) // this is the first
		c->pace_next = now;
	else if (wait_ns(tcp, c) == 0 && now - c->pace_next > burst)
		c->pace_next = now - burst;
	owed_ns = wait_ns(tcp, c);
	if (owed_ns + ns > wait_ns_max(c)) // retransmissions are not held, and add up
		ns = wait_ns_max(c) - MIN(owed_ns, wait_ns_max(c));
	c->pace_next += (uint32_t)(ns >> UNIT_SHIFT);
}

uint32_t pace_packet_bytes(const struct conn *c, uint32_t bytes_max)
{
	uint64_t bytes, mss = c->mss_bytes;
	struct pace pace;

	if (bytes_max <= mss)
		return bytes_max;
	bytes = bytes_max;
	if (has_rate(c)) {
		pace = pace_of(c);
		bytes = MIN(pace.bytes * PACE_BURST_NS / pace.ns, bytes);
	}
	return (uint32_t)MAX(bytes - bytes % mss, mss);
}

uint64_t pace_waiting_bytes(const struct conn *c)
{
	uint64_t edge = MIN(c->snd.una + c->snd.wnd, c->snd.end);

	return edge > c->snd.nxt ? edge - c->snd.nxt : 0;
}

void pace_fires(struct tcp *tcp, struct conn *c)
{
	uint64_t ns = wait_ns(tcp, c);

	if (ns == 0)
		conn_mark(tcp, c);
	else // the token was another's
		timers_arm(tcp, c, tcp->env->now_ns + ns + PACE_BURST_NS);
}

void pace_choose(struct tcp *tcp, struct conn *c, bool paced)
{
	if (conn_is(c, CONN_SAMPLED)) { // who has a rate is paced, and later on as it says here
		c->cc_state.sampled.rate->paced_anyway = paced;
		return;
	}
	c->paced = paced;
	c->pace_waits = false;
	c->pace_next = now_units(tcp);
	conn_mark(tcp, c);
}
