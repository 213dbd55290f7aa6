// SPDX-License-Identifier: BSD-3-Clause
// Room to queue text in, and who waits for it. A send is refused for one of three reasons:
//
//   its own bytes     send_bytes_max of this connection are queued: an ACK on it makes room
//   its own share     it holds much, and little is left to all: an ACK on it makes room
//   descriptors       none are left: whoever frees some makes room
//
// Who waits for the last may have nothing outstanding, so no ACK of his will come: he stands in a
// circle and is told in the order he came. Nothing is reserved for him: if others are quicker, he
// is refused and waits again. Called by request.c (refusals), ack.c, close.c and deliver.c.
#include "tcp/room.h"

#include "pkt/pool.h"
#include "tcp/deliver.h"

// An eighth of the packets is left to datagrams and to those who hold one that was refused.
static uint32_t tx_pkts(const struct tcp *tcp)
{
	uint32_t all = pool_capacity(tcp->env->pool[POOL_TX]) / tcp->shared->worker_count;

	return MAX(all / 8 * 7, 1u);
}

void room_init(struct tcp *tcp, uint32_t descs)
{
	tcp->cost_max = descs;
	tcp->tx_cost = MIN(descs / tx_pkts(tcp) + 1, (uint32_t)UINT16_MAX);
	tcp->cost_free = ROOM_PKTS_FREE * tcp->tx_cost;
	tcp->share_shift = 32u - (uint32_t)__builtin_clz(descs);
}

static void leave(struct tcp *tcp, uint32_t i)
{
	struct room_link *link = &tcp->waiting[i];

	if (link->next == i)
		return;
	tcp->waiting[link->prev].next = link->next;
	tcp->waiting[link->next].prev = link->prev;
	*link = (struct room_link){i, i};
	tcp->waiting_count--;
}

// Behind all others, or where it stands already.
static void join(struct tcp *tcp, uint32_t i)
{
	struct room_link *link = &tcp->waiting[i], *first = &tcp->waiting[tcp->waiting_first];

	if (link->next != i)
		return;
	*link = (struct room_link){tcp->waiting_first, first->prev};
	tcp->waiting[link->prev].next = i;
	first->prev = i;
	tcp->waiting_count++;
}

COLD void room_refused(struct tcp *tcp, struct conn *c)
{
	if (room_has_descs(tcp))
		conn_set(c, CONN_WANTS_ROOM);
	else
		join(tcp, conn_index(tcp, c));
}

COLD void room_acked(struct tcp *tcp, struct conn *c)
{
	if (c->snd.end - MIN(c->snd.una, c->snd.end) >= tuned_send_max(tcp, c) ||
	    !room_has_share(tcp, c))
		return;
	conn_unset(c, CONN_WANTS_ROOM);
	if (room_has_descs(tcp))
		deliver_news(tcp, c, NEWS_WRITABLE);
	else
		join(tcp, conn_index(tcp, c));
}

bool room_leave(struct tcp *tcp, struct conn *c)
{
	bool waited = room_waits(tcp, c);

	leave(tcp, conn_index(tcp, c));
	return waited;
}

void room_forget(struct tcp *tcp, struct conn *c)
{
	conn_unset(c, CONN_WANTS_ROOM);
	leave(tcp, conn_index(tcp, c));
}

COLD void room_deliver(struct tcp *tcp)
{
	uint32_t free = tcp->config.send_descs_max - tcp->desc_count;

	for (uint32_t n = free / tcp->descs_a_send; n && tcp->waiting_count; n--) {
		uint32_t i = tcp->waiting[tcp->waiting_first].next;

		leave(tcp, i);
		deliver_news(tcp, &tcp->conn[i], NEWS_WRITABLE);
	}
}
