// SPDX-License-Identifier: BSD-3-Clause
// Drops by reason, and where the latest of them came from: counters for how many, the flight
// recorder for whence. Needs the shared-memory file only.
#pragma once

#include <jansson.h>

#include "base/addr.h"
#include "observe/shm_reader.h"

#define DROPS_FROM 3

// Of an instance of another version, too.
#define DROPS_REASONS_MAX 1024

// Who sent what was dropped: a network, as far as sources have it in common (24 bits of IPv4, 64 of
// IPv6).
struct drops_from {
	struct addr prefix; // the rest is 0
	bool has_prefix;    // else it was no IP packet
	uint8_t port;       // index, or VERDICT_NO_PORT
	uint64_t pkts;      // of those recorded
};

struct drops_row {
	const char *reason;
	const char *sentence, *remedy; // the remedy from this tool's own list, or ""
	uint64_t pkts;                 // ever
	uint64_t recorded;             // of them, those still to be read in the flight recorder
	uint64_t last_ns;              // of those, on the workers' clock; 0: none is left
	uint32_t from_count; // different origins; the first DROPS_FROM are told, most first
	struct drops_from from[DROPS_FROM];
};

struct drops {
	struct drops_row row[DROPS_REASONS_MAX]; // those that happened, most packets first
	uint32_t row_count;
	uint64_t now_ns;                    // why_now_ns
	uint16_t row_of[DROPS_REASONS_MAX]; // by the instance's number of a reason; 0: none, else +
					    // 1
};

// Reads reader's last copies (shm_reader_refresh, shm_reader_refresh_verdicts). 0, or a negative
// errno with err_set.
int drops_collect(const struct shm_reader *reader, struct drops *out);

// "10.0.0.0/24 on p0". Returns text.
#define DROPS_FROM_BYTES (ADDR_TEXT_BYTES + 48)
const char *drops_from_text(const struct shm_reader *reader, const struct drops_from *from,
			    char text[DROPS_FROM_BYTES]);

// A new reference. Times are seconds before now.
json_t *drops_json(const struct shm_reader *reader, const struct drops *drops);
