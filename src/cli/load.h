// SPDX-License-Identifier: BSD-3-Clause
// prism load: a load generator on our own stack, for files of this command only.
//
// load.c keeps the time and decides who may send; a kind (http, tcp-echo, udp-echo) knows how to
// send and what must come back; load_report.c says what happened.
#pragma once

#include "observe/histogram.h"
#include "service/service.h"

#define LOAD_HOST_BYTES 256
#define LOAD_PATH_BYTES 2048

struct load_options {
	const char *kind; // "http", "tcp-echo", "udp-echo"
	struct prism_endpoint target;
	char host[LOAD_HOST_BYTES]; // Host header
	char path[LOAD_PATH_BYTES];
	uint32_t connections;
	uint32_t pipeline;    // requests without an answer, a connection
	bool new_connection;  // connect, request, reply, close
	uint64_t duration_ns; // of the measurement
	uint64_t warmup_ns;
	uint64_t requests;   // end after so many, 0: by time
	double rate_hz;      // requests a second whether answered or not, 0: as fast as they are
	uint32_t size_bytes; // echo: of a message
	const char *expect_file; // http: the body that must come
	bool json, quiet;
};

enum load_error {
	LOAD_ERROR_CONNECT, // refused, unreachable, no answer
	LOAD_ERROR_RESET,   // the connection broke while an answer was due
	LOAD_ERROR_CLOSED,  // the server closed while an answer was due
	LOAD_ERROR_PARSE,   // not HTTP
	LOAD_ERROR_STATUS,  // 400 or above, or not the first one's
	LOAD_ERROR_BODY,    // other bytes, or another length
	LOAD_ERROR_LOST,    // no answer in time
	LOAD_ERROR_SEND,    // the stack refused to send
	LOAD_ERROR_NO_PORT, // no local port was free: tried again
	LOAD_ERRORS,
};

extern const char *const load_error_names[LOAD_ERRORS];

struct load_stats {
	uint64_t requests;                   // answered
	uint64_t sent_bytes, received_bytes; // payload
	uint64_t connections;                // established
	uint64_t error[LOAD_ERRORS];
	struct histogram *latency_ns;
};

enum load_phase {
	LOAD_FIRST, // one request, to see what comes back
	LOAD_WARMUP,
	LOAD_MEASURE,
	LOAD_FINISH, // nothing new is sent; what is under way may end
};

enum load_conn_state {
	LOAD_CONN_CLOSED,
	LOAD_CONN_CONNECTING,
	LOAD_CONN_OPEN,
	LOAD_CONN_CLOSING,
};

struct load;

// What a kind puts first in its connections.
struct load_conn {
	struct handler handler;
	struct load *load;
	union {
		prism_conn conn;
		prism_udp udp;
	};
	struct load_conn *ready_next;
	uint64_t *sent_ns; // ring by number: when each request under way was due; 0: none is
	uint64_t next;     // number of the next request
	uint32_t index;
	uint32_t outstanding; // requests under way
	uint8_t state;        // enum load_conn_state
	bool ready;           // on the list of those that may send
};

struct load_kind {
	const char *name;
	size_t conn_bytes; // sizeof the connection, struct load_conn first
	// 0, or a negative errno after it said what is wrong.
	int (*start)(struct load *load);
	void (*stop)(struct load *load);
	// Begins a connection. 0 or a negative errno.
	int (*open)(struct load_conn *c);
	// Sends one to pipeline requests, the last count numbers before next.
	void (*send)(struct load_conn *c, uint32_t count);
	// Now and then: gives up what waited too long. May be NULL.
	void (*check)(struct load_conn *c, uint64_t now_ns);
};

extern const struct load_kind load_http, load_tcp_echo, load_udp_echo;

struct load {
	const struct load_options *options;
	const struct load_kind *kind;
	struct prism *prism;
	struct prism_worker *worker;
	void *own; // the kind's
	char *conns;
	uint64_t *rings;
	uint32_t ring_mask; // slots of a ring, less one: a power of two, at least pipeline
	struct load_conn *ready_first, *ready_last;
	uint32_t connecting;
	uint64_t begin_again_ns; // none is begun before: our stack had refused one
	bool refusal_said;       // and why is on stderr
	enum load_phase phase;
	bool first_done;  // LOAD_FIRST is over
	uint64_t issued;  // requests sent in this phase's pace
	uint64_t pace_ns; // when the pace began
	uint64_t outstanding;
	uint64_t begin_ns, end_ns, stopped_ns; // of the measurement
	uint32_t buffers_idle;                 // free in all pools after the first request
	uint32_t buffers_out;                  // of those, not free again at the end
	struct load_stats stats;               // of the measurement
};

static inline struct load_conn *load_conn_at(const struct load *load, uint32_t index)
{
	return (struct load_conn *)(void *)(load->conns + index * load->kind->conn_bytes);
}

// The connection can take requests.
void load_conn_ready(struct load_conn *c);

// A request under way is answered; errors in the answer are counted apart. False when no request
// of this number is under way.
bool load_answered(struct load_conn *c, uint64_t number);

// Gives up requests that were due before a time.
void load_give_up(struct load_conn *c, uint64_t before_ns);

static inline uint64_t load_oldest(const struct load_conn *c)
{
	return c->next - c->outstanding;
}

// The connection is over. Requests under way count as this error, or are sent again elsewhere
// (retry) when the server said it would close.
void load_conn_over(struct load_conn *c, enum load_error error, bool retry);

void load_error_count(struct load *load, enum load_error error);

// Received and sent payload, for the report.
static inline void load_count_bytes(struct load *load, uint64_t sent_bytes, uint64_t received_bytes)
{
	load->stats.sent_bytes += sent_bytes;
	load->stats.received_bytes += received_bytes;
}

// load_options.c: 0, or an exit code after it said what is wrong.
int load_options_read(int argc, char **argv, struct load_options *options,
		      struct prism_options *stack);

// load_report.c
void load_progress(const struct load *load, uint64_t now_ns);
void load_report(const struct load *load);
uint64_t load_error_sum(const struct load *load);
