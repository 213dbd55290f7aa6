// SPDX-License-Identifier: BSD-3-Clause
// Groups of packets as JSON, for prism why --json: what was dropped, and beside it the samples of
// what passed, in the same words. Called by cli/why.c; where a group has many addresses or ports
// there is null in their place, and how many.
#include "see/why.h"

#include "base/time.h"

static double seconds_before(uint64_t time_ns, uint64_t now_ns)
{
	return now_ns > time_ns ? (double)(now_ns - time_ns) / (double)NS_PER_S : 0;
}

// NULL in JSON: they have none, or many.
static json_t *addr_json(const struct packet_head *head, const struct addr *addr, uint32_t count)
{
	char text[ADDR_TEXT_BYTES];

	return head->has_addr && count == 1 ? json_string(addr_format(addr, text)) : json_null();
}

static const char *const ways[] = {"dropped", "in", "out"}; // by enum verdict_way

static json_t *group_json(const struct shm_reader *reader, const struct why *why,
			  const struct why_group *g)
{
	char kind[PACKET_KIND_BYTES];
	bool one_port = g->head.has_ports && g->dst_port_count == 1;

	return json_pack(
		"{s:s, s:s, s:I, s:s, s:i, s:s, s:o, s:I, s:o, s:I, s:o, s:I, s:f, s:f, s:s, s:s, "
		"s:s, s:s}",
		"way", ways[g->way], "reason", g->reason, "packets", (json_int_t)g->pkts, "port",
		why_port(reader, g->port), "vlan", (int)g->head.vlan_id, "kind",
		packet_head_kind(&g->head, kind), "source",
		addr_json(&g->head, &g->head.src, g->src_count), "sources",
		(json_int_t)g->src_count, "destination",
		addr_json(&g->head, &g->head.dst, g->dst_count), "destinations",
		(json_int_t)g->dst_count, "destination_port",
		one_port ? json_integer(g->head.dst_port) : json_null(), "destination_ports",
		(json_int_t)g->dst_port_count, "first_s_ago",
		seconds_before(g->first_ns, why->now_ns), "last_s_ago",
		seconds_before(g->last_ns, why->now_ns), "sentence", g->sentence, "cause", g->cause,
		"remedy", g->remedy, "rfc", g->source);
}

static json_t *groups_json(const struct shm_reader *reader, const struct why *why)
{
	json_t *groups = json_array();

	for (uint32_t i = 0; i < why->group_count; i++)
		json_array_append_new(groups, group_json(reader, why, &why->group[i]));
	return groups;
}

static json_t *passed_json(const struct shm_reader *reader, const struct why *passed)
{
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:o}", "sample_one_in", (json_int_t)why_sample_one_in(reader),
		"matched", (json_int_t)passed->matched, "recorded", (json_int_t)passed->recorded,
		"overwritten", (json_int_t)passed->lost, "groups", groups_json(reader, passed));
}

json_t *why_json(const struct shm_reader *reader, const struct why *why, const struct why *passed)
{
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:f, s:o, s:o}", "instance",
			 shm_reader_head(reader)->instance, "alive", why->alive, "matched",
			 (json_int_t)why->matched, "recorded", (json_int_t)why->recorded,
			 "overwritten", (json_int_t)why->lost, "since_s_ago",
			 why->recorded ? seconds_before(why->oldest_ns, why->now_ns) : 0.0,
			 "groups", groups_json(reader, why), "passed", passed_json(reader, passed));
}
