// SPDX-License-Identifier: BSD-3-Clause
// What a listener answers: a SYN-ACK that is remembered in the array of half-open connections, or
// one that says itself all there would be to remember (cookie.c), and the ACK to what does not fit
// (RFC 9293 3.5, 3.10.7.4; RFC 4987 3.6). Called by open.c, which decides which; calls control.c.
#include "observe/counter.h"
#include "tcp/cookie.h"
#include "tcp/ecn.h"
#include "tcp/fast.h"
#include "tcp/flow.h"
#include "tcp/listener.h"
#include "tcp/open.h"
#include "tcp/output.h"

// So long after the last cookie an ACK of nobody may be the answer to one: two of its periods.
#define COOKIE_LIFE_NS (140 * NS_PER_S)

bool answer_syn(struct tcp *tcp, struct half_open *h)
{
	struct tcp_options o = open_options(tcp, &h->path);

	// RFC 7323 1.3, 2.2, RFC 2018 2: an answer carries only what the SYN had.
	o.has_scale = h->has_scale;
	o.has_ts = h->has_ts;
	o.has_sack = h->has_sack;
	o.ts_echo = h->ts_recent;
	if (UNLIKELY(h->wants_cookie))
		fast_grant(tcp, &h->path, &o);
	return output_bare(tcp, &(struct bare){
					.path = &h->path,
					.syn = &o,
					.local_port = h->local_port,
					.remote_port = h->remote_port,
					.seq = h->iss,
					.ack = h->irs + 1,
					.wnd_units = open_first_window(h->receive_bytes_max),
					.flags = TCP_SYN | TCP_ACK | (h->has_ecn ? TCP_ECE : 0),
					.dscp = h->dscp,
					.ttl = h->ttl,
				});
}

void answer_segment(struct tcp *tcp, struct half_open *h)
{
	output_bare(tcp, &(struct bare){
				 .path = &h->path,
				 .local_port = h->local_port,
				 .remote_port = h->remote_port,
				 .seq = h->iss + 1,
				 .ack = h->irs + 1,
				 .wnd_units = (uint16_t)(open_first_window(h->receive_bytes_max) >>
							 (h->has_scale ? tcp->rcv_scale : 0)),
				 .flags = TCP_ACK,
				 .dscp = h->dscp,
				 .ttl = h->ttl,
				 .has_ts = h->has_ts,
				 .ts_echo = h->ts_recent,
			 });
}

// The SYN-ACK says all that we would have to remember, and we remember only that there are such.
void answer_by_cookie(struct tcp *tcp, const struct listener *l, const struct segment *s,
		      struct net_path *path)
{
	const struct flow f = {&path->local, &path->remote, s->dst_port, s->src_port};
	struct tcp_options peer, o = open_options(tcp, path);
	uint16_t peer_mss;
	bool has_ecn;

	segment_syn_options(s, &peer);
	peer_mss = peer.has_mss && peer.mss ? peer.mss : open_mss_default(path);
	o.has_ts = peer.has_ts;
	o.ts_echo = peer.ts_value;
	o.has_scale = peer.has_scale && peer.has_ts;
	o.has_sack &= peer.has_sack && peer.has_ts;
	peer.has_scale = o.has_scale;
	peer.has_sack = o.has_sack;
	has_ecn = peer.has_ts && open_may_mark(tcp, l, s);
	if (UNLIKELY(fast_asks(tcp, l, s, &peer)))
		fast_grant(tcp, path, &o);
	o.ts_value = cookie_ts_make(tcp->env, &peer, has_ecn);
	tcp->cookies_until_ns = tcp->env->now_ns + COOKIE_LIFE_NS;
	counter_add(tcp->env, COUNTER_tcp_cookies_out, 1);
	output_bare(tcp, &(struct bare){
				 .path = path,
				 .syn = &o,
				 .local_port = s->dst_port,
				 .remote_port = s->src_port,
				 .seq = cookie_make(tcp, &f, s->raw_seq, peer_mss),
				 .ack = s->raw_seq + 1,
				 .wnd_units = open_first_window(listener_receive_max(tcp, l)),
				 .flags = TCP_SYN | TCP_ACK | (has_ecn ? TCP_ECE : 0),
				 .dscp = (uint8_t)listener_setting(l, TCP_SET_DSCP, 0),
				 .ttl = (uint8_t)listener_setting(l, TCP_SET_TTL, 0),
			 });
}
