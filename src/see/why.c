// SPDX-License-Identifier: BSD-3-Clause
// Grouping the flight recorder's records. Called by prism why and prism drops; calls
// packet_filter.c and packet_head.c.
//
// A record is put into a class by reason, port and kind of packet. A class whose packets have few
// sources, destinations and ports is told by each of them; of a flood from ten thousand sources one
// wants to hear the number, so what differs too much is counted and then left out of the key.
#include "see/why.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/time.h"

// Sources, destinations or ports that are told one by one.
#define FEW 4

struct entry {
	struct packet_head head;
	uint64_t time_ns, journey;
	uint32_t len;
	uint16_t reason;
	uint8_t port;
};

struct entries {
	struct entry *entry;
	uint64_t count;
};

#define ORDER(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_class(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = ORDER(x->reason, y->reason);

	order = order ? order : ORDER(x->port, y->port);
	order = order ? order : ORDER(x->head.ether_type, y->head.ether_type);
	order = order ? order : ORDER(x->head.vlan_id, y->head.vlan_id);
	order = order ? order : ORDER(x->head.has_ports, y->head.has_ports);
	return order ? order : ORDER(x->head.protocol, y->head.protocol);
}

static int by_src(const void *a, const void *b)
{
	return memcmp(&((const struct entry *)a)->head.src, &((const struct entry *)b)->head.src,
		      sizeof(struct addr));
}

static int by_dst(const void *a, const void *b)
{
	return memcmp(&((const struct entry *)a)->head.dst, &((const struct entry *)b)->head.dst,
		      sizeof(struct addr));
}

static int by_dst_port(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return ORDER(x->head.dst_port, y->head.dst_port);
}

// Within a class, once what differs too much is out of the heads: the latest of a group last.
static int by_group(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = by_src(a, b);

	order = order ? order : by_dst(a, b);
	order = order ? order : by_dst_port(a, b);
	return order ? order : ORDER(x->time_ns, y->time_ns);
}

static int most_first(const void *a, const void *b)
{
	const struct why_group *x = a, *y = b;
	int order = ORDER(y->reason_pkts, x->reason_pkts);

	order = order ? order : strcmp(x->reason, y->reason);
	order = order ? order : ORDER(y->pkts, x->pkts);
	return order ? order : ORDER(y->last_ns, x->last_ns);
}

// How many different ones there are; sorts them by it.
static uint32_t distinct(struct entry *e, uint64_t count, int (*order)(const void *, const void *))
{
	uint32_t different = 1;

	qsort(e, count, sizeof(*e), order);
	for (uint64_t i = 1; i < count; i++)
		different += order(&e[i - 1], &e[i]) != 0;
	return different;
}

const struct drop_info *why_info(const char *name)
{
	static const struct drop_info none = {"", "", "", "", ""};

	for (uint32_t i = DROP_OK + 1; i < DROP_COUNT; i++)
		if (strcmp(drop_infos[i].name, name) == 0)
			return &drop_infos[i];
	return &none;
}

static void name_reason(const struct shm_reader *reader, uint16_t reason, struct why_group *g)
{
	const struct shm_field *field = shm_reader_drop(reader, reason);
	const struct drop_info *info;

	g->reason = field ? field->name + strlen("drop.") : "of an unknown number";
	info = why_info(g->reason);
	g->sentence = info->name[0] || !field ? info->sentence : field->sentence;
	g->cause = info->cause;
	g->remedy = info->remedy;
	g->source = info->source;
}

// The place of a head, among those that the class tells by one.
struct differs {
	uint32_t src, dst, dst_port;
};

static void add_group(const struct shm_reader *reader, struct why *why, const struct entry *first,
		      const struct entry *last, const struct differs *differs)
{
	struct why_group *g = &why->group[why->group_count++];

	*g = (struct why_group){.pkts = (uint64_t)(last - first) + 1,
				.first_ns = first->time_ns,
				.last_ns = last->time_ns,
				.journey = last->journey,
				.len = last->len,
				.port = last->port,
				.head = last->head,
				.src_count = differs->src > FEW ? differs->src : 1,
				.dst_count = differs->dst > FEW ? differs->dst : 1,
				.dst_port_count = differs->dst_port > FEW ? differs->dst_port : 1};
	name_reason(reader, first->reason, g);
}

static void add_class(const struct shm_reader *reader, struct why *why, struct entry *e,
		      uint64_t count)
{
	struct differs differs = {distinct(e, count, by_src), distinct(e, count, by_dst),
				  distinct(e, count, by_dst_port)};
	uint64_t first = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct packet_head *h = &e[i].head;

		if (differs.src > FEW)
			h->src = (struct addr){0};
		if (differs.dst > FEW)
			h->dst = (struct addr){0};
		if (differs.dst_port > FEW)
			h->dst_port = 0;
	}
	qsort(e, count, sizeof(*e), by_group);
	for (uint64_t i = 0; i < count; i++) {
		bool ends = i + 1 == count || by_src(&e[i], &e[i + 1]) ||
			    by_dst(&e[i], &e[i + 1]) || by_dst_port(&e[i], &e[i + 1]);

		if (!ends)
			continue;
		add_group(reader, why, &e[first], &e[i], &differs);
		first = i + 1;
	}
}

// Groups come by reason, as the classes do.
static void sum_reasons(struct why *why)
{
	uint32_t first = 0;

	for (uint32_t i = 0; i < why->group_count; i++) {
		if (strcmp(why->group[i].reason, why->group[first].reason) != 0)
			first = i;
		why->group[first].reason_pkts += why->group[i].pkts;
	}
	for (uint32_t i = 1; i < why->group_count; i++)
		if (!why->group[i].reason_pkts)
			why->group[i].reason_pkts = why->group[i - 1].reason_pkts;
}

static void group(const struct shm_reader *reader, struct why *why, struct entries *list)
{
	uint64_t first = 0;

	if (list->count)
		qsort(list->entry, list->count, sizeof(*list->entry), by_class);
	for (uint64_t i = 0; i < list->count; i++) {
		if (i + 1 < list->count && by_class(&list->entry[i], &list->entry[i + 1]) == 0)
			continue;
		add_class(reader, why, &list->entry[first], i + 1 - first);
		first = i + 1;
	}
	sum_reasons(why);
	if (why->group_count)
		qsort(why->group, why->group_count, sizeof(*why->group), most_first);
}

static void add_entry(struct why *why, struct entries *list, const struct packet_filter *filter,
		      const struct verdict *v)
{
	struct entry *e = &list->entry[list->count];

	why->recorded++;
	why->oldest_ns = MIN(why->oldest_ns, v->time_ns);
	if (filter && !packet_filter_matches(filter, v))
		return;
	*e = (struct entry){.time_ns = v->time_ns,
			    .journey = v->journey,
			    .len = v->len,
			    .reason = v->reason,
			    .port = v->port};
	packet_head_read((enum verdict_head)v->head_kind, v->head, v->head_bytes, &e->head);
	list->count++;
}

// The workers' clock counts as this one does (core/clock.c).
static uint64_t kernel_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

// A heartbeat older than this is a stuck worker's. The workers' counter may have gone away from the
// kernel's clock, by less than that a day.
#define STUCK_NS (2 * NS_PER_S)

uint64_t why_now_ns(const struct shm_reader *reader)
{
	const struct shm_table *workers = shm_reader_table(reader, "worker");
	const struct shm_field *field = shm_reader_find(reader, workers, "heartbeat_ns");
	uint64_t latest_ns = 0, kernel_ns = kernel_now_ns();

	for (uint32_t w = 0; workers && w < workers->rows; w++)
		latest_ns = MAX(latest_ns, shm_reader_u64(reader, workers, w, field));
	if (shm_reader_alive(reader) && kernel_ns > latest_ns + STUCK_NS)
		return kernel_ns;
	return latest_ns;
}

uint64_t why_record_count(const struct shm_reader *reader, uint64_t *lost)
{
	uint64_t count = 0, first, end;

	for (uint32_t w = 0; w < shm_reader_head(reader)->worker_count; w++) {
		shm_reader_verdict_range(reader, w, &first, &end);
		count += end - first;
		*lost += first;
	}
	return count;
}

int why_collect(const struct shm_reader *reader, const struct packet_filter *filter,
		struct why *out)
{
	struct entries list = {0};
	uint64_t first, end;

	*out = (struct why){.now_ns = why_now_ns(reader),
			    .alive = shm_reader_alive(reader),
			    .oldest_ns = TIME_NEVER_NS};
	uint64_t most = why_record_count(reader, &out->lost);

	list.entry = calloc(most + 1, sizeof(*list.entry));
	out->group = calloc(most + 1, sizeof(*out->group));
	if (!list.entry || !out->group) {
		free(list.entry);
		return err_set(ERR_OUT_OF_MEMORY, "%lu records", (unsigned long)most);
	}
	for (uint32_t w = 0; w < shm_reader_head(reader)->worker_count; w++) {
		shm_reader_verdict_range(reader, w, &first, &end);
		for (; first < end && out->recorded < most; first++) {
			struct verdict v = shm_reader_verdict(reader, w, first);

			add_entry(out, &list, filter, &v);
		}
	}
	out->matched = list.count;
	group(reader, out, &list);
	free(list.entry);
	return 0;
}

void why_free(struct why *why)
{
	free(why->group);
	why->group = NULL;
}

const char *why_port(const struct shm_reader *reader, uint8_t port)
{
	const struct shm_table *ports = shm_reader_table(reader, "port");

	if (port == VERDICT_NO_PORT || !ports || port >= ports->rows)
		return "";
	return shm_reader_text(reader, ports, port, shm_reader_find(reader, ports, "name"));
}

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

static json_t *group_json(const struct shm_reader *reader, const struct why *why,
			  const struct why_group *g)
{
	char kind[PACKET_KIND_BYTES];
	bool one_port = g->head.has_ports && g->dst_port_count == 1;

	return json_pack(
		"{s:s, s:I, s:s, s:i, s:s, s:o, s:I, s:o, s:I, s:o, s:I, s:f, s:f, s:s, s:s, s:s, "
		"s:s}",
		"reason", g->reason, "packets", (json_int_t)g->pkts, "port",
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

json_t *why_json(const struct shm_reader *reader, const struct why *why)
{
	json_t *groups = json_array();

	for (uint32_t i = 0; i < why->group_count; i++)
		json_array_append_new(groups, group_json(reader, why, &why->group[i]));
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:f, s:o}", "instance",
			 shm_reader_head(reader)->instance, "alive", why->alive, "matched",
			 (json_int_t)why->matched, "recorded", (json_int_t)why->recorded,
			 "overwritten", (json_int_t)why->lost, "since_s_ago",
			 why->recorded ? seconds_before(why->oldest_ns, why->now_ns) : 0.0,
			 "groups", groups);
}
