// SPDX-License-Identifier: BSD-3-Clause
// An instance's connections as its workers show them: those that match, in an order. Needs the
// shared-memory file only.
#pragma once

#include <jansson.h>

#include "observe/conn_row.h"
#include "observe/shm_reader.h"
#include "see/packet_filter.h"

struct conns_row {
	struct conn_row c;
	uint32_t worker;
};

enum conns_order {
	CONNS_BY_RATE, // received and acknowledged of late, most first
	CONNS_BY_RETRANSMITS,
	CONNS_BY_RTT,
	CONNS_BY_HELD, // received buffers
	CONNS_BY_UNACKED,
	CONNS_BY_ADDRESS, // the peer's
	CONNS_ORDERS,
};

struct conns_wish {
	const struct packet_filter *filter; // NULL: all; of what Prism sends on the connection
	uint32_t states;                    // a bit each, by conn.def's numbers; 0: all
	enum conns_order order;
};

struct conns {
	struct conns_row *row; // those that match
	uint32_t row_count;
	uint32_t matched;                    // row_count, unless the caller makes that less
	bool has_rows;                       // else the instance shows none
	uint64_t shown;                      // whether they match or not
	uint64_t open, half_open, time_wait; // as the workers count them
	uint64_t beyond;                     // have no row, or none yet
	uint64_t unfinished;                 // rows that a worker was stopped in
	uint64_t now_ns;                     // why_now_ns
	bool alive;                          // else now is when it made its last turn
};

// Reads what reader's last shm_reader_refresh and shm_reader_refresh_conns brought. 0, or a
// negative errno with err_set; conns_free either way.
int conns_collect(const struct shm_reader *reader, const struct conns_wish *wish,
		  struct conns *out);
void conns_free(struct conns *conns);

// "ESTAB": as ss writes them.
const char *conns_state(uint64_t state);

// A list of states, as ss takes them ("established,close-wait"), into a bit each. False when one is
// none; *wrong is where it begins.
bool conns_states(const char *list, uint32_t *states, const char **wrong);

// "cubic"; "?" of another version's.
const char *conns_congestion(uint64_t congestion);

// The name of an order, or CONNS_ORDERS.
extern const char *const conns_order_names[CONNS_ORDERS];
enum conns_order conns_order_named(const char *name);

// A new reference. Times are seconds before now_ns.
json_t *conns_json(const struct shm_reader *reader, const struct conns *conns);
