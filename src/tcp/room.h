// SPDX-License-Identifier: BSD-3-Clause
// Room to queue text in, and who waits for it.
#pragma once

#include "tcp/conn.h"

// Of the circle of those who wait for descriptors: 0 is its start, index + 1 a connection, which
// points at itself while it does not wait.
struct room_link {
	uint32_t next, prev;
};

// The largest send finds its descriptors. Fewer are as good as none: so a refusal never depends on
// what was asked for, and who is told finds what he needs.
static inline bool room_has_descs(const struct tcp *tcp)
{
	return tcp->config.send_descs_max - tcp->desc_count >= tcp->descs_a_send;
}

// Bytes the application may still queue.
static inline uint32_t room_bytes(const struct tcp *tcp, const struct conn *c)
{
	uint64_t used = c->snd.end - MIN(c->snd.una, c->snd.end);

	if (UNLIKELY(!room_has_descs(tcp)) || used >= tcp->config.send_bytes_max)
		return 0;
	return (uint32_t)(tcp->config.send_bytes_max - used);
}

void room_init(struct tcp *tcp);

// A send was refused: WRITABLE is owed.
void room_refused(struct tcp *tcp, struct conn *c);

// The peer acknowledged text of a connection that was refused (CONN_WANTS_ROOM).
void room_acked(struct tcp *tcp, struct conn *c);

// Nothing will be sent any more: nothing is owed.
void room_forget(struct tcp *tcp, struct conn *c);

// Somebody waits for descriptors, and there are some.
static inline bool room_due(const struct tcp *tcp)
{
	return UNLIKELY(tcp->waiting_count) && room_has_descs(tcp);
}

static inline bool room_waits(const struct tcp *tcp, const struct conn *c)
{
	uint32_t i = conn_index(tcp, c) + 1;

	return tcp->waiting[i].next != i;
}

// The longest waiting are told, as many as will find descriptors.
void room_deliver(struct tcp *tcp);
