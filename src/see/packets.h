// SPDX-License-Identifier: BSD-3-Clause
// The packets of a capture, one after the other, each with what became of it: a packet that came
// and was dropped in the same turn is one packet with a reason.
#pragma once

#include "observe/tape_reader.h"

struct packet {
	struct tape_record record; // of one that was dropped at once: point TAPE_CAME, its reason
	const uint8_t *bytes;      // record.bytes of them
	uint32_t worker;
	uint64_t lost; // of this worker's, overwritten before this one since the one before
};

struct packets;

// Takes the reader. NULL with err_set.
struct packets *packets_create(struct tape_reader *reader);
void packets_destroy(struct packets *packets);

// The next, not later than until_ns; valid until the next call. NULL: none now, or the tape is
// damaged, with *error a negative errno and err_set, else 0. A turn that is not
// over by until_ns may be told in two parts, a drop apart from its packet.
const struct packet *packets_next(struct packets *packets, uint64_t until_ns, int *error);

// As tape_reader_stop.
void packets_stop(struct packets *packets);

// Those lost that no packet was told behind: at the end.
uint64_t packets_lost_at_end(struct packets *packets);

const struct tape_reader *packets_reader(const struct packets *packets);
