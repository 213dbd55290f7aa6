// SPDX-License-Identifier: BSD-3-Clause
// The names of counters and drop reasons, made from their lists, and the conservation law: what
// came in or was made here is transmitted, consumed, queued or dropped under a name.
// Read by tools and tests; the data path uses only the inlines of the header.
#include "observe/counter.h"

const struct counter_info counter_infos[COUNTER_COUNT] = {
#define COUNTER(name, kind, unit, sentence) [COUNTER_##name] = {#name, #kind, unit, sentence},
#include "observe/counter.def"
#undef COUNTER
};

const struct drop_info drop_infos[DROP_COUNT] = {
	[DROP_OK] = {"OK", "not dropped", "", "", ""},
#define DROP(name, sentence, cause, remedy, source) \
	[DROP_##name] = {#name, sentence, cause, remedy, source},
#include "observe/drop.def"
#undef DROP
};

int64_t counters_unaccounted(const struct counters *c)
{
	uint64_t in = cell_get(&c->value[COUNTER_rx_pkts]) +
		      cell_get(&c->value[COUNTER_originated_pkts]) +
		      cell_get(&c->value[COUNTER_handed_in_pkts]);
	uint64_t out = cell_get(&c->value[COUNTER_tx_pkts]) +
		       cell_get(&c->value[COUNTER_consumed_pkts]) +
		       cell_get(&c->value[COUNTER_queued_pkts]) +
		       cell_get(&c->value[COUNTER_handed_out_pkts]);

	return (int64_t)(in - out - counters_drops(c));
}

uint64_t counters_drops(const struct counters *c)
{
	uint64_t sum = 0;

	for (int reason = 0; reason < DROP_COUNT; reason++)
		sum += cell_get(&c->drop[reason]);
	return sum;
}
