// SPDX-License-Identifier: BSD-3-Clause
// What both sides of a handshake say and agree on: options, MSS, windows (RFC 9293 3.7.1, RFC
// 7323 1.3 and 2.2, RFC 2018 2), and what begins when they have. Called by open.c for connections
// that others open, by connect.c for ours; calls output.c for the MSS, cc.c, timers.c. Not here:
// who says what when.
#include "tcp/cc.h"
#include "tcp/isn.h"
#include "tcp/open.h"
#include "tcp/output.h"
#include "tcp/timers.h"
#include "tcp/window.h"

uint16_t open_first_window(uint32_t receive_bytes_max)
{
	return (uint16_t)MIN(receive_bytes_max, UINT32_C(65535));
}

// RFC 9293 MUST-15: 576 or 1280 octets less the fixed headers.
uint16_t open_mss_default(const struct net_path *path)
{
	return net_path_is_ip6(path) ? TCP_MSS_DEFAULT_IPV6 : TCP_MSS_DEFAULT;
}

// RFC 7323 R4, R14
struct tcp_options open_options(const struct tcp *tcp, const struct net_path *path)
{
	return (struct tcp_options){
		.has_mss = true, // RFC 9293 MUST-14, MUST-65: on SYNs only
		.mss = output_mss_to_offer(tcp, path),
		.has_scale = true,
		.scale = tcp->rcv_scale,
		.has_ts = true,
		.ts_value = isn_ts_now(tcp->env),
		.has_sack = !tcp->config.sack_off,
	};
}

// RFC 9293 MUST-16: less the options of the IP header, which the peer does not know of.
static uint16_t peer_mss(const struct tcp *tcp, const struct conn *c, const struct tcp_options *o)
{
	uint32_t mss = o->has_mss && o->mss ? o->mss : open_mss_default(&c->path);

	return (uint16_t)(mss - MIN(mss, net_path_option_bytes(tcp->net, &c->path)));
}

// Windows and options both sides agreed on. RFC 2018 R2; RFC 7323 R4, R10, R13.
void open_agree(struct tcp *tcp, struct conn *c, const struct tcp_options *o)
{
	if (o->has_ts) {
		conn_set(c, CONN_TS);
		c->rcv.ts_recent = o->ts_value;
		c->ts_recent_s = (uint32_t)(tcp->env->now_ns / NS_PER_S);
	}
	if (o->has_sack && !tcp->config.sack_off)
		conn_set(c, CONN_SACK);
	c->snd_scale = o->has_scale ? o->scale : 0;
	c->rcv_scale = o->has_scale ? tcp->rcv_scale : 0;
	output_set_mss(tcp, c, peer_mss(tcp, c, o));
	c->rcv.wnd = open_first_window(window_limit(tcp, c));
}

void open_established(struct tcp *tcp, struct conn *c)
{
	cc_init(tcp, c);
	timers_ack_advanced(tcp, c);
	timers_established(tcp, c);
}
