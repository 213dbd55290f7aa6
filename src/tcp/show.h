// SPDX-License-Identifier: BSD-3-Clause
// Connections as tools see them: a row each in the shared-memory file (observe/conn_row.h), written
// by its worker from time to time.
#pragma once

#include "observe/conn_row.h"
#include "tcp/conn.h"

struct shown;

struct show {
	struct conn_row *row; // of this worker, in the file
	struct shown *shown;  // what is remembered of each
	uint64_t *unshown;    // a bit for each slot: the connection is ours and has no row yet
	uint32_t row_count;   // 0: nobody can see
	uint32_t used;        // rows from here on were never used
	uint32_t free;        // first free one of those before; NO_INDEX
	uint32_t row_next;    // to be looked at next
	uint32_t word_next;   // of unshown
};

// False without memory. Rows are env's; without them nothing is shown.
bool show_init(struct tcp *tcp);
void show_fini(struct tcp *tcp);

static inline bool show_is_due(const struct tcp *tcp)
{
	return tcp->env->now_ns >= tcp->show_due_ns;
}

// Some rows are written anew, some connections get one.
void show_some(struct tcp *tcp);

// A connection is ours from now on: it was made here, or came.
static inline void show_came(struct tcp *tcp, uint32_t index)
{
	if (LIKELY(tcp->show))
		tcp->show->unshown[index / 64] |= UINT64_C(1) << index % 64;
}

// Its slot is empty. The row, if it has one, is emptied when it is looked at next.
static inline void show_ended(struct tcp *tcp, uint32_t index)
{
	if (LIKELY(tcp->show))
		tcp->show->unshown[index / 64] &= ~(UINT64_C(1) << index % 64);
}

// Another worker will show it.
void show_left(struct tcp *tcp, uint32_t index);

// Counted in its row if it has one.
void show_retransmit(struct tcp *tcp, const struct conn *c);
void show_timeout(struct tcp *tcp, const struct conn *c);
