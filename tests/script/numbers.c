// SPDX-License-Identifier: BSD-3-Clause
// The words of the script language that look at numbers: drops by reason, counters, connections by
// state, buffers out. Called by the runner through script_commands.
#include <stdio.h>
#include <string.h>

#include "script.h"

static void check_number(struct script *sc, const char *what, uint64_t want, uint64_t got)
{
	if (want != got)
		script_fail(sc, "%s is %lu", what, got);
}

void command_drop(struct script *sc, char *rest)
{
	char name[40] = "";
	uint64_t want = 0;

	sscanf(rest, "%39s %lu", name, &want);
	for (int i = 1; i < DROP_COUNT; i++) {
		if (strcmp(drop_infos[i].name, name) == 0) {
			check_number(sc, name, want, sc->world->node[0].counters.drop[i]);
			return;
		}
	}
	script_fail(sc, "no drop reason is called %s", name);
}

void command_counter(struct script *sc, char *rest)
{
	char name[40] = "";
	uint64_t want = 0;

	sscanf(rest, "%39s %lu", name, &want);
	for (int i = 0; i < COUNTER_COUNT; i++) {
		if (strcmp(counter_infos[i].name, name) == 0) {
			check_number(sc, name, want, sc->world->node[0].counters.value[i]);
			return;
		}
	}
	script_fail(sc, "no counter is called %s", name);
}

void command_counts(struct script *sc, char *rest)
{
	struct prism_conn_counts counts;
	uint32_t half_open, open, time_wait;

	peer_run_to(sc, sc->base_ns += sc->delay_ns);
	prism_conn_count(sc->world->node[0].worker, &counts);
	if (sscanf(rest, "%u %u %u", &half_open, &open, &time_wait) != 3)
		script_fail(sc, "counts needs HALF_OPEN OPEN TIME_WAIT");
	check_number(sc, "half-open", half_open, counts.half_open);
	check_number(sc, "open", open, counts.open);
	check_number(sc, "time-wait", time_wait, counts.time_wait);
}

void command_buffers(struct script *sc, char *rest)
{
	check_number(sc, "buffers out", 0, world_buffers_out(sc->world, 0));
}
