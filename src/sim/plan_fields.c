// SPDX-License-Identifier: BSD-3-Clause
// What may stand in a scenario: the one table that reading, writing, `prism sim --keys` and
// shrinking go by. Called by plan_read.c, plan_write.c and shrink.c. Sentences are lower case
// without a full stop, as everywhere in Prism's lists.
#include "base/time.h"
#include "sim/field.h"

#define WHERE(type, member) \
	.offset = offsetof(struct type, member), .width = sizeof(((struct type *)0)->member)
#define NUMBER(name, type, member, low, high) \
	.key = name, .kind = FIELD_NUMBER, WHERE(type, member), .min = (low), .max = (high)
#define TIME(name, type, member, low, high) \
	.key = name, .kind = FIELD_TIME, WHERE(type, member), .min = (low), .max = (high)
#define SIZE(name, type, member, low, high) \
	.key = name, .kind = FIELD_SIZE, WHERE(type, member), .min = (low), .max = (high)
#define PPM(name, type, member) .key = name, .kind = FIELD_PPM, WHERE(type, member), .max = 1000000
#define RATE(name, type, member) \
	.key = name, .kind = FIELD_RATE, WHERE(type, member), .max = UINT64_C(1000000000000)
#define BOOL(name, type, member) .key = name, .kind = FIELD_BOOL, WHERE(type, member)
#define CHOICE(name, type, member, words) \
	.key = name, .kind = FIELD_CHOICE, WHERE(type, member), .choices = words
#define NAMED(name, what, type, member) .key = name, .kind = FIELD_##what, WHERE(type, member)
#define SAY(text, words) .example = text, .sentence = words

#define HOUR (3600 * NS_PER_S)
#define GIB (UINT64_C(1) << 30)

static const struct field host[] = {
	{NUMBER("workers", plan_host, workers, 1, WORLD_WORKERS_MAX), SAY("2", "of this host")},
	{BOOL("few_queues", plan_host, few_queues),
	 SAY("true", "only the first worker has a queue; else any packet comes to any worker")},
	{CHOICE("ecn", plan_host, ecn, "passive on off"),
	 SAY("on", "whether it asks for congestion marks and agrees to them (RFC 3168)")},
};

static const struct field faults[] = {
	{RATE("rate", pair_faults, rate_bits_s), SAY("100Mbit", "bits a second; 0: any")},
	{TIME("delay", pair_faults, delay_ns, 0, HOUR), SAY("5ms", "one way")},
	{TIME("jitter", pair_faults, jitter_ns, 0, HOUR),
	 SAY("1ms", "a frame waits up to so much longer; order is kept")},
	{SIZE("queue", pair_faults, queue_bytes, 0, GIB),
	 SAY("64KiB", "waiting for the rate; more is lost. 0: no limit")},
	{SIZE("mark", pair_faults, mark_bytes, 0, GIB),
	 SAY("16KiB", "behind so many waiting bytes congestion is marked (RFC 3168). 0: never")},
	{PPM("mangle", pair_faults, mangle_ppm), SAY("1%", "frames whose mark becomes anything")},
	{PPM("loss", pair_faults, loss_ppm), SAY("0.1%", "frames lost at random")},
	{PPM("burst", pair_faults, burst_ppm),
	 SAY("0.1%", "frames with which a bad time begins (Gilbert-Elliott)")},
	{PPM("burst_end", pair_faults, burst_end_ppm),
	 SAY("20%", "frames of a bad time with which it ends")},
	{PPM("burst_loss", pair_faults, burst_loss_ppm),
	 SAY("50%", "frames of a bad time that are lost")},
	{PPM("duplicate", pair_faults, duplicate_ppm), SAY("0.1%", "frames that come twice")},
	{PPM("reorder", pair_faults, reorder_ppm), SAY("1%", "frames that others overtake")},
	{TIME("reorder_delay", pair_faults, reorder_ns, 0, HOUR),
	 SAY("2ms", "what such a frame waits")},
	{PPM("corrupt", pair_faults, corrupt_ppm), SAY("0.01%", "frames with wrong bits")},
	{PPM("refuse", pair_faults, refuse_ppm),
	 SAY("1%", "transmit calls that find the card's ring full")},
	{SIZE("mtu", pair_faults, mtu_bytes, 0, 9216),
	 SAY("1280B", "what this link carries when it is less than mtu: of all")},
};

static const struct field app[] = {
	{CHOICE("type", plan_app, type, "bulk request short idle"),
	 SAY("bulk", "what it does: see docs/simulator.md")},
	{NAMED("from", HOST, plan_app, from), SAY("a", "the host that opens")},
	{NAMED("to", HOST, plan_app, to), SAY("b", "the host that listens")},
	{NUMBER("connections", plan_app, connections, 1, PLAN_CONNECTIONS_MAX),
	 SAY("10", "how many")},
	{CHOICE("family", plan_app, family, "ip4 ip6 both"), SAY("both", "both: by turns")},
	{TIME("start", plan_app, start_ns, 0, 24 * HOUR), SAY("1s", "when the first begins")},
	{TIME("spread", plan_app, spread_ns, 0, 24 * HOUR),
	 SAY("1s", "each begins up to so much later")},
	{TIME("every", plan_app, every_ns, 0, 24 * HOUR),
	 SAY("10ms", "each begins so much after the one before")},
	{TIME("for", plan_app, idle_ns, 1, 24 * HOUR), .only = "idle",
	 SAY("60s", "how long nothing is said")},
	{NUMBER("rounds", plan_app, rounds, 1, 1000000), .only = "request",
	 SAY("10", "requests on a connection, one after the other")},
	{SIZE("request", plan_app, request_bytes, 1, GIB), .only = "request short",
	 SAY("100B", "of each")},
	{SIZE("response", plan_app, response_bytes, 1, GIB), .only = "request short",
	 SAY("10KiB", "to each")},
	{BOOL("simultaneous", plan_app, simultaneous),
	 SAY("true", "both sides open (RFC 9293 3.5)")},
};

static const struct field side[] = {
	{SIZE("send", plan_side, send_bytes, 0, 1024 * GIB), .only = "bulk",
	 SAY("1MiB", "what this side sends")},
	{CHOICE("call", plan_side, call, "copy buf region borrowed echo"),
	 SAY("region", "which call of the API sends; echo sends back what comes")},
	{SIZE("chunk", plan_side, chunk_bytes, 1, 1 << 20), SAY("16KiB", "a send call's at most")},
	{TIME("hold", plan_side, hold_ns, 0, HOUR),
	 SAY("10ms", "received buffers are kept up to so long")},
	{TIME("pause", plan_side, pause_ns, 0, 24 * HOUR),
	 SAY("5s", "once, in the middle of sending")},
	{CHOICE("close", plan_side, close, "when_sent on_eof when_done abort"),
	 SAY("when_sent", "when it closes, all being sent; abort: resets, see abort")},
	{SIZE("abort", plan_side, abort_bytes, 0, 1024 * GIB),
	 SAY("1MiB", "close: abort resets after so much was sent and received")},
};

static const struct field event[] = {
	{CHOICE("do", plan_event, deed, "down one_way partition mtu loss"),
	 SAY("down", "what happens")},
	{TIME("at", plan_event, at_ns, 0, 24 * HOUR), SAY("2s", "when it begins")},
	{TIME("until", plan_event, until_ns, 0, 24 * HOUR), SAY("4s", "when it ends; else never")},
	{NAMED("link", LINK, plan_event, link), .only = "down one_way mtu loss",
	 SAY("a-b", "where")},
	{NAMED("from", END, plan_event, from), .only = "one_way",
	 SAY("a", "the end of the link that is not heard any more")},
	{NAMED("hosts", HOSTS, plan_event, hosts), .only = "partition",
	 SAY("[a]", "do not reach the others, nor the others them")},
	{SIZE("mtu", plan_event, mtu_bytes, 68, 9216), .only = "mtu",
	 SAY("1280B", "longer packets are lost")},
	{PPM("loss", plan_event, loss_ppm), .only = "loss", SAY("30%", "frames lost at random")},
};

static const struct field tcp[] = {
	{SIZE("send_buffer", prism_options, send_bytes_max, PRISM_SEND_BYTES_MIN, GIB),
	 SAY("4MiB", "unsent and unacknowledged bytes a connection may hold")},
	{SIZE("receive_buffer", prism_options, receive_bytes_max, 4096, GIB),
	 SAY("1MiB", "window and unreleased bytes of a connection")},
	{SIZE("mss", prism_options, segment_bytes_max, 88, 9176),
	 SAY("1460B", "cap on a segment's payload")},
	{TIME("time_wait", prism_options, time_wait_ns, NS_PER_MS, 240 * NS_PER_S),
	 SAY("30s", "how long a closed connection's addresses are kept from reuse")},
	{TIME("keepalive", prism_options, keepalive_ns, 0, 86400 * NS_PER_S),
	 SAY("10s", "silence after which the peer is probed; 0: never")},
	{TIME("user_timeout", prism_options, user_timeout_ns, 0, 86400 * NS_PER_S),
	 SAY("30s", "how long a peer may take nothing; 0: what is sent 100s")},
	{TIME("delayed_ack", prism_options, delayed_ack_ns, 0, 500 * NS_PER_MS),
	 SAY("40ms", "how long an acknowledgment may wait")},
	{TIME("rto_min", prism_options, rto_ns_min, 0, 60 * NS_PER_S),
	 SAY("200ms", "shortest retransmission timeout")},
	{CHOICE("sack", prism_options, sack_off, "on off"),
	 SAY("on", "selective acknowledgments (RFC 2018)")},
	{CHOICE("congestion_control", prism_options, congestion, "cubic newreno none bbr"),
	 SAY("cubic", "how a sender finds its speed")},
	{CHOICE("pmtu_probing", prism_options, pmtu_probing_off, "on off"),
	 SAY("off", "smaller packets where large ones are lost and nobody says so")},
	{CHOICE("pacing", prism_options, pacing, "off on"),
	 SAY("on", "a window leaves over a round trip and not at once")},
	{SIZE("fixed_window", prism_options, fixed_window_bytes, 0, GIB),
	 SAY("1MiB", "with congestion_control none: bytes in flight")},
};

static const struct field hardship[] = {
	{PPM("stalls", plan, stall_ppm),
	 SAY("0.1%", "steps after which a worker gets no turn for a while")},
	{PPM("no_buffer", plan, fail_ppm), SAY("1%", "requests for a buffer that are refused")},
	{PPM("moves", plan, move_ppm),
	 SAY("1%", "chances that a connection goes to another worker of its host")},
	{NUMBER("buffers", plan, buffers, 0, 1 << 20), SAY("128", "in each pool; 0: plenty")},
	{SIZE("receive_room", plan, room_bytes, 0, 9216),
	 SAY("256B", "of a received buffer; 0: a whole frame fits")},
};

static const struct field expect[] = {
	{RATE("goodput_min", plan_expect, goodput_bits_s_min),
	 SAY("10Mbit", "all connections together, from the first to the end of the last")},
	{TIME("stall_max", plan_expect, stall_ns_max, 0, 24 * HOUR),
	 SAY("10s", "no connection that waits for bytes goes longer without any")},
	{TIME("finish", plan_expect, finish_ns_max, 0, 24 * HOUR),
	 SAY("60s", "all connections have ended by then")},
	{NUMBER("retransmits_max", plan_expect, retransmits_max, 0, UINT64_MAX),
	 SAY("100", "segments sent again, at most")},
	{CHOICE("orderly", plan_expect, orderly, "mild yes no"),
	 SAY("yes", "every connection ends in order; mild: unless faults are severe")},
};

static const struct field top[] = {
	{SIZE("mtu", plan, mtu_bytes, 296, 9216), SAY("1500B", "of every host")},
	{TIME("heal", plan, heal_ns, 0, 24 * HOUR),
	 SAY("20s", "faults and events end then, and all must come to its end")},
	{BOOL("icmp", plan, icmp), SAY("true", "senders are told what a lowered MTU loses")},
	{BOOL("swarm", plan, swarm),
	 SAY("true", "each seed draws which faults, events and API calls are on at all")},
};

#define FIELDS(name, table, text) \
	const struct fields fields_##table = {name, table, ARRAY_COUNT(table), text}

FIELDS("hosts", host, "each a whole Prism with one port; a name alone will do");
FIELDS("links", faults, "what a link does to frames; back: what differs the other way");
FIELDS("applications", app, "what uses connections");
FIELDS("applications", side, "what the opening side does; below answer: the listening one");
FIELDS("events", event, "what happens when");
FIELDS("tcp", tcp, "as in prism.yaml(5)");
FIELDS("hardship", hardship, "what befalls hosts");
FIELDS("expect", expect, "what must come of it");
FIELDS("", top, "what is simulated");
