// SPDX-License-Identifier: BSD-3-Clause
// Runs: of the segments that one burst brings of one connection, the first is looked at in full,
// and those behind it only for what they add: the next text. The same ACK, window and options' form
// mean that nothing else is said, so neither table, acknowledgment, window nor timer is asked
// again. Called by input.c for text that core/stack.c saw to be between text of one flow.
//
// This is what receive offload (GRO, LRO) is for, without the packet it would make: an event is one
// run of bytes in the buffer it came in, so what is joined would be taken apart again (docs/adr).
// One ACK a burst, one flush and one window update are tcp_flush's.
//
// What does not go on in the same way ends the run, and is looked at in full: another flag than
// PSH, a mark (RFC 3168), a gap, more than the window, no buffers, a wrong checksum.
#include "tcp/run.h"

#include "net/net.h"
#include "observe/counter.h"
#include "tcp/text.h"
#include "wire/tcp.h"

COLD void run_begins(struct tcp *tcp, struct conn *c, const struct segment *s)
{
	const struct arrival *a = s->arrival;

	// What came before, and said more later, may have had its window taken instead.
	if (c->snd.wl1 != s->seq)
		return;
	tcp->run = (struct text_run){
		.conn = c,
		.src = a->src,
		.dst = a->dst,
		.ports = s->ports,
		.ack = s->raw_ack,
		.wnd = s->wnd,
		.header_len = (uint16_t)(s->text_offset - a->l4_offset),
		.tos = a->tos,
	};
}

// The same connection says the same again, of what is not text.
static bool says_nothing_new(const struct text_run *run, const struct arrival *a,
			     const struct tcp_header *h)
{
	uint32_t ports = (uint32_t)be16_get(h->dst_port) << 16 | be16_get(h->src_port);

	return addr_equal(&a->src, &run->src) && addr_equal(&a->dst, &run->dst) &&
	       ports == run->ports && a->tos == run->tos && (h->flags & ~TCP_PSH) == TCP_ACK &&
	       be32_get(h->ack) == run->ack && tcp_header_len(h) == run->header_len &&
	       (uint32_t)be16_get(h->window) << run->conn->snd_scale == run->wnd;
}

// Timestamps or nothing, as the first had, and not older than what was heard (RFC 7323 5.3).
static bool options_are_usual(const struct conn *c, const struct tcp_header *h)
{
	uint32_t len = tcp_header_len(h) - TCP_HEADER_BYTES, value, echo;
	const uint8_t *options = (const uint8_t *)(h + 1);

	if (len == 0) // as of the first, which was expected
		return true;
	if (!conn_is(c, CONN_TS) || !options_are_ts_only(options, len))
		return false;
	options_read_ts(options, &value, &echo);
	return (int32_t)(value - c->rcv.ts_recent) >= 0;
}

// Text at rcv.nxt, in the window, for which there is room. Nothing but segments of the run came
// since its first, so the connection is in the state in which that was taken.
static bool is_next(const struct tcp *tcp, const struct conn *c, const struct tcp_header *h,
		    uint32_t len)
{
	DCHECK(c->state == ESTABLISHED && !conn_is(c, CONN_EARLY));
	return be32_get(h->seq) == (uint32_t)c->rcv.nxt && len <= c->rcv.wnd &&
	       !text_pins_too_much(tcp, c) && !text_has_no_buffer(tcp, c);
}

static bool goes_on(const struct tcp *tcp, const struct pkt *p, const struct arrival *a)
{
	const struct tcp_header *h = pkt_at(p, a->l4_offset);
	const struct text_run *run = &tcp->run;

	return !a->has_route && pkt_seg_len(p) >= a->l4_offset + (uint32_t)run->header_len &&
	       says_nothing_new(run, a, h) && options_are_usual(run->conn, h) &&
	       is_next(tcp, run->conn, h, a->l4_len - (uint32_t)run->header_len) &&
	       net_checksum_ok(p, a, TCP_CHECKSUM_OFFSET);
}

NOINLINE bool run_input(struct tcp *tcp, struct pkt *p, const struct arrival *a)
{
	struct conn *c = tcp->run.conn;

	if (!c || !(a->in_run & RUN_FOLLOWS) || !goes_on(tcp, p, a)) {
		tcp->run.conn = NULL;
		return false;
	}
	text_view(p, (uint16_t)(a->l4_offset + tcp->run.header_len),
		  a->l4_len - (uint32_t)tcp->run.header_len);
	counter_add(tcp->env, COUNTER_tcp_segs_in, 1);
	counter_add(tcp->env, COUNTER_tcp_run_segs, 1);
	c->snd.wl1 = c->rcv.nxt; // RFC 9293 3.10.7.4: newer, with the window that is known
	text_arrives(tcp, c, p);
	if (!(a->in_run & RUN_LEADS))
		tcp->run.conn = NULL;
	conn_check(tcp, c);
	return true;
}
