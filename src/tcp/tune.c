// SPDX-License-Identifier: BSD-3-Clause
// Settings of one connection (RFC 9293 3.9.1, 3.9.2): bounds of their values, and what each
// changes. Called by request.c and by whoever makes connections; what a setting does is in the file
// it is about.
#include "tcp/tune.h"

#include "base/err.h"
#include "tcp/cc.h"
#include "tcp/ecn.h"
#include "tcp/fast.h"
#include "tcp/hold.h"
#include "tcp/output.h"
#include "tcp/pace.h"
#include "tcp/patience.h"
#include "tcp/room.h"
#include "tcp/timers.h"
#include "tcp/window.h"

#define SEND_BYTES_MIN 32768 // PRISM_SEND_BYTES_MIN
#define RECEIVE_BYTES_MIN 4096

struct tuning *tune(struct tcp *tcp, struct conn *c)
{
	struct tuning *t = &tcp->tuning[conn_index(tcp, c)];

	if (conn_is(c, CONN_TUNED))
		return t;
	*t = (struct tuning){.user_timeout_ms = (uint32_t)(tcp->config.user_timeout_ns / NS_PER_MS),
			     .row = t->row};
	conn_set(c, CONN_TUNED);
	return t;
}

#define DAY_S UINT64_C(86400)

// What a setting takes: 0, or from min to max; of a choice, what stands in words.
static const struct bounds {
	const char *name, *zero, *words;
	uint64_t min, max;
} bounds[] = {
	[TCP_SET_KEEPALIVE_S] = {"keep-alive seconds", "off", NULL, 1, UINT16_MAX},
	[TCP_SET_GIVE_UP_S] = {"give-up seconds", "100", NULL, 1, UINT16_MAX},
	[TCP_SET_DSCP] = {"dscp", "best effort", NULL, 1, 63},
	[TCP_SET_TTL] = {"ttl", "64", NULL, 1, UINT8_MAX},
	[TCP_SET_CONGESTION] = {"congestion control", NULL,
				"0 (cubic), 1 (newreno), 2 (none), 3 (bbr)", 0,
				PRISM_CONGESTION_BBR},
	[TCP_SET_ECN] = {"ecn", NULL, "0 (passive), 1 (on), 2 (off)", 0, PRISM_ECN_OFF},
	[TCP_SET_PACING] = {"pacing", NULL, "0 (off), 1 (on)", 0, 1},
	[TCP_SET_USER_TIMEOUT_MS] = {"user timeout milliseconds", "none", NULL, 100, DAY_S * 1000},
	[TCP_SET_KEEPALIVE_INTERVAL_S] = {"keep-alive interval seconds", "75", NULL, 1, UINT16_MAX},
	[TCP_SET_KEEPALIVE_PROBES] = {"keep-alive probes", "9", NULL, 1, CONN_PROBES_MAX},
	[TCP_SET_NO_DELAY] = {"no delay", NULL, "0 (Nagle), 1 (at once)", 0, 1},
	[TCP_SET_CORK] = {"cork", NULL, "0 (off), 1 (on)", 0, 1},
	[TCP_SET_SEND_BYTES] = {"send bytes", "as configured", NULL, SEND_BYTES_MIN, 0},
	[TCP_SET_RECEIVE_BYTES] = {"receive bytes", "as configured", NULL, RECEIVE_BYTES_MIN, 0},
	[TCP_SET_FAST_OPEN] = {"fast open", "off", NULL, 1, UINT16_MAX},
};
static_assert(ARRAY_COUNT(bounds) == TCP_SET_COUNT, "each setting has bounds");

// Memory is had for what is configured, and scales are agreed on by it.
static uint64_t most(const struct tcp *tcp, enum tcp_option option)
{
	if (option == TCP_SET_SEND_BYTES)
		return tcp->config.send_bytes_max;
	return option == TCP_SET_RECEIVE_BYTES ? tcp->config.receive_bytes_max : bounds[option].max;
}

int tune_check(const struct tcp *tcp, enum tcp_option option, uint64_t value)
{
	const struct bounds *b;

	if ((unsigned)option >= TCP_SET_COUNT)
		return err_set(ERR_INVALID_ARGUMENT, "option %d; the last is %d", (int)option,
			       TCP_SET_COUNT - 1);
	b = &bounds[option];
	if (value <= most(tcp, option) && (value == 0 || value >= b->min))
		return 0;
	if (b->words)
		return err_set(ERR_INVALID_ARGUMENT, "%s %llu; it takes %s", b->name,
			       (unsigned long long)value, b->words);
	return err_set(ERR_INVALID_ARGUMENT, "%s %llu; it takes 0 (%s), or %llu to %llu", b->name,
		       (unsigned long long)value, b->zero, (unsigned long long)b->min,
		       (unsigned long long)most(tcp, option));
}

// A window that is larger now, and room for who was refused, are told.
static void set_bytes(struct tcp *tcp, struct conn *c, enum tcp_option option, uint32_t bytes)
{
	struct tuning *t = tune(tcp, c);

	if (option == TCP_SET_SEND_BYTES) {
		t->send_bytes_max = bytes;
		if (conn_is(c, CONN_WANTS_ROOM))
			room_acked(tcp, c);
		return;
	}
	t->receive_bytes_max = bytes;
	if (window_update_due(tcp, c)) {
		conn_set(c, CONN_ACK_NOW);
		conn_mark(tcp, c);
	}
}

void tune_set(struct tcp *tcp, struct conn *c, enum tcp_option option, uint64_t value)
{
	switch (option) {
	case TCP_SET_KEEPALIVE_S: // RFC 9293 MUST-24, MUST-27
		tune(tcp, c)->keepalive_s = (uint16_t)value;
		conn_set(c, CONN_KEEPALIVE_SET);
		timers_keepalive_changed(tcp, c);
		return;
	case TCP_SET_GIVE_UP_S: // RFC 9293 MUST-21
		c->r2_s = (uint16_t)value;
		return;
	case TCP_SET_DSCP: // RFC 9293 MUST-48
		c->dscp = value & 63;
		return;
	case TCP_SET_TTL: // RFC 9293 MUST-49
		c->ttl = (uint8_t)value;
		return;
	case TCP_SET_CONGESTION: // without a record for bbr what the configuration says goes on
		cc_choose(tcp, c, (enum prism_congestion)value);
		conn_mark(tcp, c); // a larger window lets more out
		return;
	case TCP_SET_ECN:
		ecn_choose(c, (enum prism_ecn)value);
		return;
	case TCP_SET_PACING:
		pace_choose(tcp, c, value);
		return;
	case TCP_SET_USER_TIMEOUT_MS: // RFC 9293 MUST-21
		patience_choose(tcp, c, (uint32_t)value);
		return;
	case TCP_SET_KEEPALIVE_INTERVAL_S:
		tune(tcp, c)->keepalive_interval_s = (uint16_t)value;
		timers_keepalive_changed(tcp, c);
		return;
	case TCP_SET_KEEPALIVE_PROBES:
		tune(tcp, c)->keepalive_probes = (uint8_t)value;
		return;
	case TCP_SET_NO_DELAY:
		hold_choose_nagle(tcp, c, value == 0);
		return;
	case TCP_SET_CORK:
		hold_choose_cork(tcp, c, value);
		return;
	case TCP_SET_SEND_BYTES:
	case TCP_SET_RECEIVE_BYTES:
		set_bytes(tcp, c, option, (uint32_t)value);
		return;
	case TCP_SET_FAST_OPEN: // RFC 7413 R19
		fast_choose(tcp, c, value);
		return;
	case TCP_SET_COUNT:
		break;
	}
	ASSERT(option < TCP_SET_COUNT);
}
