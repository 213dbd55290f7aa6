// SPDX-License-Identifier: BSD-3-Clause
// How large a segment may be (RFC 9293 3.7.1): by the path's MTU, by what the peer said in its SYN,
// by what was found out since (pmtu.c). Called where options are agreed on, by output.c when the
// path's MTU fell, and by pmtu.c. What is in flight is sent again in segments that fit.
#include "tcp/cc.h"
#include "tcp/loss.h"
#include "tcp/output.h"

// RFC 9293 3.7.1: MTU less the fixed headers of IP and TCP.
static uint32_t fixed_headers(const struct net_path *path)
{
	return (addr_is_v4(&path->remote) ? 20 : 40) + TCP_HEADER_BYTES;
}

static uint32_t mss_of(const struct tcp *tcp, const struct net_path *path, uint32_t mtu_bytes)
{
	uint32_t mss = mtu_bytes - fixed_headers(path);

	return tcp->config.mss_max ? MIN(mss, (uint32_t)tcp->config.mss_max) : mss;
}

// RFC 9293 MUST-67: what can be received, by the MTU of the interface. RFC 6691 2: whatever options
// we send.
uint16_t output_mss_to_offer(const struct tcp *tcp, const struct net_path *path)
{
	return (uint16_t)mss_of(tcp, path, path->mtu_bytes + net_path_option_bytes(tcp->net, path));
}

void output_set_mss(const struct tcp *tcp, struct conn *c, uint16_t peer_mss)
{
	uint32_t mss = MIN((uint32_t)peer_mss, mss_of(tcp, &c->path, c->path.mtu_bytes));

	mss = MAX(mss, UINT32_C(64));
	c->mss_bytes = (uint16_t)(mss - output_options_bytes(c));
	c->full_bytes = (uint16_t)(mss + fixed_headers(&c->path));
}

COLD void output_set_full(const struct tcp *tcp, struct conn *c, uint16_t packet_bytes)
{
	output_set_mss(tcp, c, (uint16_t)(packet_bytes - fixed_headers(&c->path)));
}

COLD void output_mtu_changed(struct tcp *tcp, struct conn *c)
{
	uint16_t before = c->mss_bytes;

	if (!conn_in(c, STATES_SYNCHRONIZED))
		return;
	output_set_mss(tcp, c, (uint16_t)(before + output_options_bytes(c)));
	if (c->mss_bytes >= before)
		return;
	cc_mss_changed(c, before);
	if (conn_outstanding(c)) {
		loss_resend_all(tcp, c);
		conn_set(c, CONN_RTX_NOW);
	}
	conn_mark(tcp, c);
}

COLD void output_header_changed(struct tcp *tcp, struct conn *c, uint32_t option_bytes_before)
{
	uint16_t before = c->mss_bytes;
	uint32_t more = net_path_option_bytes(tcp->net, &c->path) - option_bytes_before;

	output_set_mss(tcp, c, (uint16_t)(before + output_options_bytes(c) - more));
	if (c->mss_bytes < before)
		cc_mss_changed(c, before);
	// What a loss left was counted in smaller ones.
	c->cc.cwnd_bytes = MAX(c->cc.cwnd_bytes, (uint32_t)c->mss_bytes);
	c->ssthresh_bytes = MAX(c->ssthresh_bytes, 2u * c->mss_bytes);
}
