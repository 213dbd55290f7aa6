// SPDX-License-Identifier: BSD-3-Clause
// What one hears of a neighbour is news to all workers, each of whom has neighbours of his own: the
// packet goes round, from one to the next (port/mesh.h). Called by arp.c and nd.c, by each worker
// that heard it; what he makes of it is theirs. So does a note of lease.c.
#include "net/inside.h"

void round_send(struct net *net, struct pkt *p, uint16_t word, enum drop reason)
{
	const struct env *env = net->env;
	enum handed what = mesh_what(word);
	uint32_t next = env->worker_index;

	do
		next = (next + 1) % MAX(env->worker_count, 1u);
	while (env->hands && next != mesh_from(word) && hands_stuck(env, next));
	if (env->hands && next != mesh_from(word))
		hands_give(env, p, next, word);
	else if (what == HANDED_ARP_USED || what == HANDED_ND_USED || what == HANDED_LEASE)
		pkt_consume(env, p);
	else
		pkt_drop(env, p, reason);
}
