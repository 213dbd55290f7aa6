// SPDX-License-Identifier: BSD-3-Clause
// What became of packets and why: the records of an instance's flight recorder, filtered and put
// together into the few sentences that they have in common. Needs the shared-memory file only.
#pragma once

#include <jansson.h>

#include "observe/shm_reader.h"
#include "see/packet_filter.h"
#include "see/packet_head.h"

// Packets with one reason, one kind and one way in. Where they differ in more than a few sources,
// destinations or ports, that many stand together, and head is of the latest.
struct why_group {
	const char *reason; // "TCP_NO_LISTENER"; "" of samples
	const char
		*sentence; // these four from this tool's own list, or "" when it has no such name
	const char *cause;
	const char *remedy;
	const char *source;
	uint64_t pkts;
	uint64_t reason_pkts;                          // of all groups with this reason
	uint64_t first_ns, last_ns;                    // on the workers' clock
	uint64_t journey;                              // of the latest
	uint32_t len;                                  // of the latest, bytes
	uint8_t port;                                  // index, or VERDICT_NO_PORT
	uint8_t way;                                   // enum verdict_way
	struct packet_head head;                       // of the latest
	uint32_t src_count, dst_count, dst_port_count; // that they differ in: 1, or many
};

struct why {
	struct why_group *group; // by reason, then by packets, most first
	uint32_t group_count;
	uint64_t matched, recorded; // records that matched, of all that could be read
	uint64_t lost;              // that were overwritten before
	uint64_t oldest_ns;         // of what could be read
	uint64_t now_ns;            // why_now_ns
	bool alive;                 // else now is when it made its last turn
};

// Reads what reader's last shm_reader_refresh_verdicts brought: what was dropped, or samples of
// what passed. Of a packet that was sampled as it came and then dropped, only the drop is told.
// filter: NULL for all. 0, or a negative errno with err_set; why_free either way.
int why_collect(const struct shm_reader *reader, enum shm_ring ring,
		const struct packet_filter *filter, struct why *out);
void why_free(struct why *why);

// What this tool knows of a reason; empty texts when it has none of that name.
const struct drop_info *why_info(const char *reason);

// The time on the workers' clock: now, of an instance that lives, however stuck; of a dead one,
// that of its last turn.
uint64_t why_now_ns(const struct shm_reader *reader);

// Records of all workers that can be read; adds those overwritten to *lost.
uint64_t why_record_count(const struct shm_reader *reader, enum shm_ring ring, uint64_t *lost);

// Of how many packets that pass one is sampled, as of reader's last shm_reader_refresh; 0: none is.
uint64_t why_sample_one_in(const struct shm_reader *reader);

// The port's name in the configuration, or "".
const char *why_port(const struct shm_reader *reader, uint8_t port);

// A new reference. Times are seconds before now_ns. passed: of the samples.
json_t *why_json(const struct shm_reader *reader, const struct why *why, const struct why *passed);
