// SPDX-License-Identifier: BSD-3-Clause
// Explicit congestion notification (RFC 3168 6.1): what both sides of a handshake say, and what an
// agreed connection makes of a mark and of its echo. Called by open.c and connect.c for the
// handshake, by input.c for segments that say anything of it, which so are no usual ones; what
// leaves is marked in output.c. How much less an echo leaves in flight is cc_*.c's (RFC 8511).
//
// A window is reduced at once, not by PRR: nothing is missing, so ACKs go on and what is too much
// drains within a part of a round trip. It is reduced once, for marks and losses together.
//
// Whoever rewrites the field on the way does so on SYNs too, mostly: one that arrives as CE agrees
// to nothing. Not here: accurate feedback (RFC 9768), ECT on what is no new text (RFC 8311).
#include "tcp/ecn.h"

#include "observe/counter.h"
#include "tcp/cc.h"
#include "tcp/loss.h"
#include "tcp/trouble.h"

// RFC 3168 R4, R8
bool ecn_asked(const struct tcp *tcp, const struct segment *s)
{
	return tcp->config.ecn != PRISM_ECN_OFF && (s->flags & SEGMENT_ECN) == (TCP_ECE | TCP_CWR);
}

void ecn_agree(struct tcp *tcp, struct conn *c)
{
	c->ecn_agreed = true;
	counter_add(tcp->env, COUNTER_tcp_ecn_agreed, 1);
}

// RFC 3168 6.1.1.2: who answers with both has only echoed what he does not know. RFC 3168 R5, R7.
void ecn_answered(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	bool asked = c->ecn_agreed;

	c->ecn_agreed = false;
	if (asked && ecn_is_yes(s))
		ecn_agree(tcp, c);
}

// RFC 3168 6.1.1.1: there are networks that lose a SYN with these flags. Who has sent one without
// sends no ECT any more, and goes on listening. RFC 3168 R3, R6, R10.
uint8_t ecn_syn_flags(struct tcp *tcp, struct conn *c, bool again)
{
	if (!c->ecn_agreed)
		return 0;
	if (conn_in(c, SYN_SENT) && again && !c->ecn_quiet) {
		c->ecn_quiet = true;
		counter_add(tcp->env, COUNTER_tcp_ecn_fallbacks, 1);
	}
	if (c->ecn_quiet)
		return 0;
	return conn_in(c, SYN_SENT) ? TCP_ECE | TCP_CWR : TCP_ECE;
}

// What the echo is of was answered already: by less in flight for a mark or a loss of the same
// window, of which the peer has not heard yet. RFC 3168 R12.
static bool is_old_news(const struct conn *c, const struct segment *s)
{
	return c->ecn_cwr || conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO) ||
	       conn_outstanding(c) == 0 || cc_window_was_marked(c, s->ack);
}

static void echo_comes(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	struct cc_sample sample = {
		.in_flight_bytes = loss_flight_bytes(tcp, c, 0),
		.now_ns = tcp->env->now_ns,
	};

	counter_add(tcp->env, COUNTER_tcp_ecn_echoes_in, 1);
	// That there was a mark makes what was reduced meanwhile right, whatever is found out about
	// the loss it was reduced for.
	if (conn_is(c, CONN_TROUBLE))
		trouble_of(tcp, c)->undo.una = 0;
	if (is_old_news(c, s))
		return;
	ecn_reduced(c);
	if (cc_of(c)->fixed) // marked before it was
		return;
	counter_add(tcp->env, COUNTER_tcp_ecn_reductions, 1);
	cc_of(c)->on_mark(c, &sample);
}

// First CWR, then CE: one segment may bring both. RFC 3168 R17, R18, R21, R23.
COLD void ecn_hears(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	if (!c->ecn_agreed)
		return;
	if (s->flags & TCP_CWR)
		c->ecn_echo = false;
	if (s->flags & SEGMENT_CE && s->len) {
		counter_add(tcp->env, COUNTER_tcp_ecn_marks_in, 1);
		c->ecn_echo = true;
	}
	if (s->flags & TCP_ECE && s->ack >= c->snd.una)
		echo_comes(tcp, c, s);
}

// RFC 3168 6.1.5 and 6.1.6: neither what left before, nor what asks a closed window: a mark would
// not be heard of if it were lost later. Without congestion control nothing would come of it.
// RFC 3168 R11, R15, R16, R20, R22.
struct ecn_out ecn_leaves(struct conn *c, uint64_t offset, uint32_t len)
{
	struct ecn_out out = {.flags = ecn_ack_flags(c)};

	if (len == 0 || offset < c->snd.nxt || conn_is(c, CONN_WINDOW_PROBE))
		return out;
	out.flags |= c->ecn_cwr ? TCP_CWR : 0;
	c->ecn_cwr = false;
	if (!c->ecn_quiet && c->cc_kind != PRISM_CONGESTION_NONE)
		out.field = ECN_ECT0;
	return out;
}

// Before the SYN has left: whether it asks. Later the only choice is to send no ECT any more, which
// needs nobody's consent.
void ecn_choose(struct conn *c, enum prism_ecn choice)
{
	if (conn_in(c, SYN_SENT) && c->snd.nxt == c->snd.una)
		c->ecn_agreed = choice == PRISM_ECN_ON;
	else if (choice == PRISM_ECN_OFF)
		c->ecn_quiet = true;
}
