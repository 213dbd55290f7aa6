// SPDX-License-Identifier: BSD-3-Clause
// Segments without text: SYN, ACK, RST (RFC 9293 3.5, 3.10.7). They come from the small control
// reserve, so that a box out of buffers still answers. Called by open.c, close.c, timewait.c and
// output.c; calls net_output.
#include "net/net.h"
#include "observe/counter.h"
#include "pkt/pkt.h"
#include "tcp/ecn.h"
#include "tcp/isn.h"
#include "tcp/output.h"
#include "tcp/sack.h"
#include "tcp/sendq.h"
#include "tcp/timers.h"
#include "tcp/window.h"

#define TCP_PROTOCOL 6

// p begins with room for the header and its options.
static void send(struct tcp *tcp, const struct bare *b, struct pkt *p, const uint8_t *options,
		 uint16_t header_len)
{
	uint8_t *at = pkt_data(p);
	uint32_t options_len = header_len - TCP_HEADER_BYTES;
	uint32_t sum = tcp_header_put(at, (struct tcp_header){
						  .src_port = be16_of(b->local_port),
						  .dst_port = be16_of(b->remote_port),
						  .seq = be32_of(b->seq),
						  .ack = be32_of(b->ack),
						  .data_offset = (uint8_t)(header_len / 4 << 4),
						  .flags = b->flags,
						  .window = be16_of(b->wnd_units),
					  });

	memcpy(at + TCP_HEADER_BYTES, options, options_len);
	counter_add(tcp->env, COUNTER_tcp_segs_out, 1);
	net_output(tcp->net, p,
		   &(struct net_out){
			   .path = b->path,
			   .protocol = TCP_PROTOCOL,
			   .dscp = b->dscp, // RFC 9293 MUST-48
			   .ttl = b->ttl,   // RFC 9293 MUST-49
			   .dont_fragment = true,
			   .l4_header_len = header_len,
			   .l4_header_sum = checksum_add(sum, options, options_len),
			   .checksum_offset = TCP_CHECKSUM_OFFSET, // RFC 9293 MUST-2
		   });
}

bool output_bare(struct tcp *tcp, const struct bare *b)
{
	struct pkt *p = pkt_alloc(tcp->env->pool[POOL_CTRL]);
	uint8_t options[TCP_OPTIONS_BYTES_MAX];
	uint32_t options_len = 0;

	if (UNLIKELY(!p))
		return false;
	if (b->syn) {
		options_len = options_write_syn(options, b->syn);
	} else if (b->has_ts) {
		options_write_ts(options, isn_ts_now(tcp->env), b->ts_echo);
		options_len = TCP_TS_BYTES;
	}
	if (b->blocks_of)
		options_len += sack_write(tcp, b->blocks_of, options + options_len,
					  TCP_OPTIONS_BYTES_MAX - options_len);
	uint16_t header_len = (uint16_t)(TCP_HEADER_BYTES + options_len);

	pkt_append(p, header_len);
	send(tcp, b, p, options, header_len);
	return true;
}

// RFC 7413 4.2.2
COLD bool output_syn(struct tcp *tcp, struct conn *c, const struct bare *b, uint32_t *text_len)
{
	uint8_t options[TCP_OPTIONS_BYTES_MAX];
	struct pkt *p = sendq_segment(tcp, c, c->snd.una + 1, text_len,
				      MAX(c->path.tx_segs_max, UINT8_C(2)));
	uint16_t header_len;

	if (!p)
		return false;
	header_len = (uint16_t)(TCP_HEADER_BYTES + options_write_syn(options, b->syn));
	pkt_prepend(p, header_len);
	send(tcp, b, p, options, header_len);
	return true;
}

// RFC 9293 3.10.7.4, first: without text a segment is acceptable up to the window's edge. A probe's
// octet lies beyond it, and so may text that left before the window shrank.
static uint64_t acceptable_seq(const struct conn *c)
{
	return MIN(c->snd.nxt, c->snd.una + c->snd.wnd);
}

// RFC 7323 R11
static struct bare bare_of(const struct conn *c, uint8_t flags)
{
	return (struct bare){
		.path = (struct net_path *)&c->path,
		.local_port = c->local_port,
		.remote_port = c->remote_port,
		.seq = (uint32_t)acceptable_seq(c),
		.ack = (uint32_t)c->rcv.nxt,
		.flags = flags,
		.dscp = c->dscp,
		.ttl = c->ttl,
		.has_ts = conn_is(c, CONN_TS),
		.ts_echo = c->rcv.ts_recent,
	};
}

bool output_ack(struct tcp *tcp, struct conn *c)
{
	struct bare b = bare_of(c, TCP_ACK | ecn_ack_flags(c)); // RFC 3168 R19

	b.wnd_units = window_offer(tcp, c);
	b.blocks_of = c;
	if (!output_bare(tcp, &b))
		return false;
	window_told(c);
	sack_told(tcp, c);
	return true;
}

void output_reset(struct tcp *tcp, struct conn *c)
{
	struct bare b = bare_of(c, TCP_RST | TCP_ACK);

	counter_add(tcp->env, COUNTER_tcp_out_rsts, 1);
	output_bare(tcp, &b);
}

COLD void output_reset_reply(struct tcp *tcp, const struct segment *s, const struct net_path *by)
{
	struct net_path path;
	struct bare b = {
		.path = &path,
		.local_port = s->dst_port,
		.remote_port = s->src_port,
	};

	if (s->flags & TCP_RST || s->arrival->to_group)
		return;
	if (by) // of the connection that answers (RFC 9293 MUST-52, MUST-53)
		path = *by;
	else if (net_path_back(tcp->net, s->pkt, s->arrival, &path) != DROP_OK)
		return;
	if (s->flags & TCP_ACK) {
		b.seq = s->raw_ack;
		b.flags = TCP_RST;
	} else {
		b.ack = s->raw_seq + segment_space(s);
		b.flags = TCP_RST | TCP_ACK;
	}
	counter_add(tcp->env, COUNTER_tcp_out_rsts, 1);
	output_bare(tcp, &b);
}

// RFC 9293 3.8.4: an old number, so that any peer answers. It carries no text.
COLD void output_keepalive(struct tcp *tcp, struct conn *c)
{
	struct bare b = {
		.path = &c->path,
		.local_port = c->local_port,
		.remote_port = c->remote_port,
		.seq = (uint32_t)c->snd.nxt - 1,
		.ack = (uint32_t)c->rcv.nxt,
		.wnd_units = window_offer(tcp, c),
		.flags = TCP_ACK | ecn_ack_flags(c),
		.dscp = c->dscp,
		.ttl = c->ttl,
		.has_ts = conn_is(c, CONN_TS),
		.ts_echo = c->rcv.ts_recent,
	};

	if (output_bare(tcp, &b))
		conn_unset(c, CONN_PROBE);
}
