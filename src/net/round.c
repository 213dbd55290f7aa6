// SPDX-License-Identifier: BSD-3-Clause
// What one hears of a neighbour is news to all workers, each of whom has neighbours of his own: the
// packet goes round, from one to the next (port/mesh.h). Called by arp.c and nd.c, by each worker
// that heard it; what he makes of it is theirs. So do notes of lease.c and nd_note.c.
#include "base/time.h"
#include "net/inside.h"

// A frame that goes round costs every worker a look at it, and may be forged as fast as the link
// carries frames. So many a second are a small part of a core's time, and more than all neighbours
// of a full table answer; so many at once lie in the smallest ring there is. Who misses one asks
// again.
#define ROUNDS_PER_S 8192u
#define ROUNDS_AT_ONCE 1024u
#define ROUND_NS (NS_PER_S / ROUNDS_PER_S)

static bool is_note(enum handed what)
{
	return what == HANDED_LEASE || what == HANDED_ND_NOTE;
}

// False, counted: more came than go round. Notes are few, and ours.
static bool may_begin(struct net *net, enum handed what)
{
	uint64_t now_ns = net->env->now_ns;
	uint64_t due_ns = MAX(net->round_due_ns, now_ns);

	if (is_note(what))
		return true;
	if (due_ns - now_ns > (ROUNDS_AT_ONCE - 1) * ROUND_NS) {
		counter_add(net->env, COUNTER_rounds_withheld_pkts, 1);
		return false;
	}
	net->round_due_ns = due_ns + ROUND_NS;
	return true;
}

void round_send(struct net *net, struct pkt *p, uint16_t word, enum drop reason)
{
	const struct env *env = net->env;
	enum handed what = mesh_what(word);
	uint32_t next = env->worker_index;
	bool goes_on = env->hands && (next != mesh_from(word) || may_begin(net, what));

	do
		next = (next + 1) % MAX(env->worker_count, 1u);
	while (goes_on && next != mesh_from(word) && hands_stuck(env, next));
	if (goes_on && next != mesh_from(word))
		hands_give(env, p, next, word);
	else if (reason == DROP_OK || what == HANDED_ARP_USED || what == HANDED_ND_USED)
		pkt_consume(env, p);
	else
		pkt_drop(env, p, reason);
}
