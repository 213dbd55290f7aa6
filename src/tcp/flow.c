// SPDX-License-Identifier: BSD-3-Clause
// Flows enter the tables and leave them: which table and what key is decided here, once for all who
// begin, end or move connections. Called by conn.c, open.c, timewait.c, close.c, move.c, request.c
// and tcp.c; calls sync/table.h. The way of a segment has its own, in input.c and ahead.c.
#include "tcp/flow.h"

#include <errno.h>

#include "tcp/isn.h"

static bool is_ip6(const struct flow *f)
{
	return f->remote->half[0] != 0;
}

static struct flow_key16 key16_of(const struct flow *f)
{
	return tuple_key(f->local, f->remote, f->local_port, f->remote_port);
}

static struct flow_key40 key40_of(const struct flow *f)
{
	return tuple_key6(f->local, f->remote, f->local_port, f->remote_port);
}

static int enter(struct tcp *tcp, const struct flow *f, uint32_t *value)
{
	if (UNLIKELY(is_ip6(f))) {
		struct flow_key40 key = key40_of(f);

		return table40_insert(tcp->table6, tcp->worker, &key,
				      table40_hash(tcp->table6, &key), value);
	}
	struct flow_key16 key = key16_of(f);

	return table16_insert(tcp->table, tcp->worker, &key, table16_hash(tcp->table, &key), value);
}

// What was taken out waits for all who read the table. For ourselves we can speak; on another we do
// not wait.
static COLD int enter_after_grace(struct tcp *tcp, const struct flow *f, uint32_t *value)
{
	struct table *table = is_ip6(f) ? tcp->table6 : tcp->table;

	do
		epoch_quiescent(&tcp->shared->epoch, tcp->reader);
	while (epoch_settled(&tcp->shared->epoch) && table_tend(table, tcp->worker));
	return enter(tcp, f, value);
}

int flow_enter(struct tcp *tcp, const struct flow *f, uint32_t *value)
{
	if (UNLIKELY(is_ip6(f) && !tcp->table6))
		return -ENOSPC;
	int result = enter(tcp, f, value);

	return LIKELY(result != -ENOSPC || !tcp->is_alone) ? result
							   : enter_after_grace(tcp, f, value);
}

void flow_leave(struct tcp *tcp, const struct flow *f)
{
	if (UNLIKELY(is_ip6(f))) {
		struct flow_key40 key = key40_of(f);

		table40_remove(tcp->table6, tcp->worker, &key, table40_hash(tcp->table6, &key),
			       NULL);
		return;
	}
	struct flow_key16 key = key16_of(f);

	table16_remove(tcp->table, tcp->worker, &key, table16_hash(tcp->table, &key), NULL);
}

bool flow_replace(struct tcp *tcp, const struct flow *f, uint32_t from, uint32_t to)
{
	if (UNLIKELY(is_ip6(f))) {
		struct flow_key40 key = key40_of(f);

		return table40_replace(tcp->table6, &key, table40_hash(tcp->table6, &key), from,
				       to) == 0;
	}
	struct flow_key16 key = key16_of(f);

	return table16_replace(tcp->table, &key, table16_hash(tcp->table, &key), from, to) == 0;
}

bool flow_find(const struct tcp *tcp, const struct flow *f, uint32_t *value)
{
	if (UNLIKELY(is_ip6(f))) {
		struct flow_key40 key = key40_of(f);

		return tcp->table6 &&
		       table40_find(tcp->table6, &key, table40_hash(tcp->table6, &key), value);
	}
	struct flow_key16 key = key16_of(f);

	return table16_find(tcp->table, &key, table16_hash(tcp->table, &key), value);
}

uint32_t flow_isn(const struct tcp *tcp, const struct flow *f)
{
	if (UNLIKELY(is_ip6(f))) {
		struct flow_key40 key = key40_of(f);

		return isn_of(tcp->env, key.word, sizeof(key.word));
	}
	struct flow_key16 key = key16_of(f);

	return isn_of(tcp->env, key.word, sizeof(key.word));
}
