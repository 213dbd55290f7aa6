// SPDX-License-Identifier: BSD-3-Clause
// A script under way: the stack, the peer's side of each connection, what came out and is still to
// be expected.
#pragma once

#include <prismnet/prism.h>

#include "seg.h"
#include "seg_ip.h"
#include "sim/world.h"

#define SCRIPT_LINE_BYTES 512
#define SCRIPT_CONNS 64
#define SCRIPT_OUT_MAX 1024
#define SCRIPT_EVENTS_MAX 4096
#define SCRIPT_PEER_PORT 40000
#define SCRIPT_LOCAL_PORT 50000 // of connections the stack opens
#define SCRIPT_HELD_MAX 1024

// The peer's knowledge of one connection.
struct peer_conn {
	prism_conn conn;
	bool isn_known, ts_known;
	uint16_t local_port;
	uint32_t peer_isn, stack_isn;
	uint32_t ts_first, ts_last;
	uint64_t sent_bytes, received_bytes; // by the application
	uint64_t cookie;
};

struct out_frame {
	uint64_t time_ns;
	uint32_t len;
	uint8_t bytes[SEG_FRAME_BYTES_MAX];
};

struct script_event {
	int conn;
	uint32_t type, len, reason;
};

struct script {
	const char *path;
	int line;
	char text[SCRIPT_LINE_BYTES];
	struct world *world;
	uint64_t start_ns, base_ns, delay_ns, slack_ns, tolerance_ns;
	int current; // connection
	struct peer_conn conn[SCRIPT_CONNS];
	struct out_frame out[SCRIPT_OUT_MAX];
	uint32_t out_first, out_count;
	struct script_event event[SCRIPT_EVENTS_MAX];
	uint32_t event_first, event_count;
	bool hold; // received buffers are kept until `release`
	struct prism_buf *held[SCRIPT_HELD_MAX];
	uint32_t held_count;
	int64_t cookie; // of fast open, the last that the stack gave
	uint8_t *region;
	prism_listener listener; // the last
	bool ip6;                // everything goes over IPv6
};

_Noreturn void script_fail(const struct script *sc, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

struct script_command {
	const char *name;
	void (*run)(struct script *sc, char *rest);
};
extern const struct script_command script_commands[]; // ends with a NULL name

// numbers.c
void command_drop(struct script *sc, char *rest);
void command_counter(struct script *sc, char *rest);
void command_counts(struct script *sc, char *rest);
void command_buffers(struct script *sc, char *rest);

// Time passes up to this line. What a call gave is what the line says, or success.
void script_arrive(struct script *sc);
void script_check(struct script *sc, const char *rest, int result);

// setting.c
void command_set(struct script *sc, char *rest);
void command_set_listener(struct script *sc, char *rest);
// "fast N": the connect that was just made is a fast open, with N bytes of text.
int setting_fast(struct script *sc, const char *rest);

// peer.c
void pattern_region_init(struct script *sc);
void peer_start(struct script *sc);
void peer_end(struct script *sc);

// peer_nd.c. What the peer's link layer needs over IPv6: true when the frame was one of its.
bool peer_nd_takes(struct script *sc, const uint8_t *frame, uint32_t len);

// The stack knows the peer from now on.
void peer_nd_meet(struct script *sc);

void peer_send_frame(struct script *sc, const uint8_t *bytes, uint32_t len);

// Lets time pass to base + delay; the stack works as it falls due.
void peer_run_to(struct script *sc, uint64_t time_ns);

// Turns at the current time until nothing more happens.
void peer_settle(struct script *sc);
struct seg_ends peer_ends(const struct script *sc);
// The oldest frame not expected yet, or NULL; take removes it.
struct out_frame *peer_out(struct script *sc);
void peer_out_take(struct script *sc);
void peer_out_describe(struct script *sc, const struct out_frame *f, char text[SEG_TEXT_BYTES]);
// Reads f's segment with numbers relative to the connection. NULL or what is wrong.
const char *peer_read(struct script *sc, const struct out_frame *f, struct seg *s);
