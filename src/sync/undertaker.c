// SPDX-License-Identifier: BSD-3-Clause
// A look at every reader of an epoch: which of them have done nothing for long, whose thread is
// gone, who left meanwhile. Called by the control thread (cli/monitor.c) once a second; calls
// epoch_bury. The argument why no living one is buried is in the header. It does not end threads,
// and knows none: what a number means is the caller's.
#include "sync/undertaker.h"

// True: this visitor has done nothing for long.
static bool silent(struct undertaker *u, uint32_t id, uint64_t visitor, uint64_t seen,
		   uint64_t now_ns)
{
	if (visitor == u->reader[id].visitor && seen == u->reader[id].seen)
		return now_ns - u->reader[id].since_ns >= UNDERTAKER_PATIENCE_NS;
	u->reader[id].visitor = visitor;
	u->reader[id].seen = seen;
	u->reader[id].since_ns = now_ns;
	return false;
}

uint32_t undertaker_look(struct undertaker *u, struct epoch *e, uint64_t now_ns,
			 bool (*gone)(uint32_t thread))
{
	uint32_t joined = atomic_get(&e->joined, ACQUIRE), buried = 0;

	for (uint32_t id = 0; id < joined; id++) {
		struct epoch_reader *reader = &e->reader[id];
		uint64_t visitor = atomic_get(&reader->visitor, ACQUIRE);
		uint64_t seen = atomic_get(&reader->seen, RELAXED);

		if (!silent(u, id, visitor, seen, now_ns) || (uint32_t)visitor == 0 ||
		    !gone((uint32_t)visitor))
			continue;
		if (atomic_get(&reader->visitor, ACQUIRE) != visitor)
			continue; // it left in time
		epoch_bury(e, (int)id);
		buried++;
	}
	return buried;
}
