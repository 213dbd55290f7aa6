// SPDX-License-Identifier: BSD-3-Clause
// Grouping the flight recorder's records. Called by prism why and prism drops; calls
// packet_filter.c and packet_head.c.
//
// A record is put into a class by reason, port and kind of packet. A class whose packets have few
// sources, destinations and ports is told by each of them; of a flood from ten thousand sources one
// wants to hear the number, so what differs too much is counted and then left out of the key.
// Samples of what passed are grouped the same way, by where they came in or left instead of a
// reason.
#include "see/why.h"

#include <errno.h>
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
	uint8_t port, way;
};

struct entries {
	struct entry *entry;
	uint64_t count, most;
};

#define ORDER(a, b) ((a) < (b) ? -1 : (a) > (b))

static int by_class(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = ORDER(x->reason, y->reason);

	order = order ? order : ORDER(x->way, y->way);
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

	if (g->way != VERDICT_DROPPED) {
		g->reason = g->sentence = g->cause = g->remedy = g->source = "";
		return;
	}
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
				.way = last->way,
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
			    .port = v->port,
			    .way = v->way};
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

uint64_t why_record_count(const struct shm_reader *reader, enum shm_ring ring, uint64_t *lost)
{
	uint64_t count = 0, first, end;

	for (uint32_t w = 0; w < shm_reader_head(reader)->worker_count; w++) {
		shm_reader_verdict_range(reader, ring, w, &first, &end);
		count += end - first;
		*lost += first;
	}
	return count;
}

uint64_t why_sample_one_in(const struct shm_reader *reader)
{
	const struct shm_table *workers = shm_reader_table(reader, "worker");

	return shm_reader_u64(reader, workers, 0,
			      shm_reader_find(reader, workers, "sample_one_in"));
}

// Journeys of packets that came and were dropped, in order.
struct journeys {
	uint64_t *number;
	uint64_t count;
};

static int by_number(const void *a, const void *b)
{
	return ORDER(*(const uint64_t *)a, *(const uint64_t *)b);
}

static int find_dropped(const struct shm_reader *reader, struct journeys *out)
{
	uint64_t lost = 0, most = why_record_count(reader, SHM_DROPS, &lost), first, end;

	*out = (struct journeys){.number = calloc(most + 1, sizeof(*out->number))};
	if (!out->number)
		return err_set(ERR_OUT_OF_MEMORY, "%lu records", (unsigned long)most);
	for (uint32_t w = 0; w < shm_reader_head(reader)->worker_count; w++) {
		shm_reader_verdict_range(reader, SHM_DROPS, w, &first, &end);
		for (; first < end && out->count < most; first++) {
			struct verdict v = shm_reader_verdict(reader, SHM_DROPS, w, first);

			if (v.port != VERDICT_NO_PORT) // else it is an answer's
				out->number[out->count++] = v.journey;
		}
	}
	qsort(out->number, out->count, sizeof(*out->number), by_number);
	return 0;
}

static bool was_dropped(const struct journeys *dropped, const struct verdict *v)
{
	return v->journey && v->way == VERDICT_CAME && dropped->count &&
	       bsearch(&v->journey, dropped->number, dropped->count, sizeof(*dropped->number),
		       by_number);
}

static int read_ring(const struct shm_reader *reader, enum shm_ring ring,
		     const struct packet_filter *filter, struct entries *list, struct why *out)
{
	struct journeys dropped = {0};
	uint64_t first, end, most = list->most;

	if (ring == SHM_SAMPLES && find_dropped(reader, &dropped))
		return -ENOMEM;
	for (uint32_t w = 0; w < shm_reader_head(reader)->worker_count; w++) {
		shm_reader_verdict_range(reader, ring, w, &first, &end);
		for (; first < end && out->recorded < most; first++) {
			struct verdict v = shm_reader_verdict(reader, ring, w, first);

			if (ring == SHM_DROPS)
				v.way = VERDICT_DROPPED;
			else if (v.way != VERDICT_LEFT)
				v.way = VERDICT_CAME;
			if (!was_dropped(&dropped, &v))
				add_entry(out, list, filter, &v);
		}
	}
	free(dropped.number);
	return 0;
}

int why_collect(const struct shm_reader *reader, enum shm_ring ring,
		const struct packet_filter *filter, struct why *out)
{
	struct entries list = {0};

	*out = (struct why){.now_ns = why_now_ns(reader),
			    .alive = shm_reader_alive(reader),
			    .oldest_ns = TIME_NEVER_NS};
	list.most = why_record_count(reader, ring, &out->lost);
	list.entry = calloc(list.most + 1, sizeof(*list.entry));
	out->group = calloc(list.most + 1, sizeof(*out->group));
	if (!list.entry || !out->group) {
		free(list.entry);
		return err_set(ERR_OUT_OF_MEMORY, "%lu records", (unsigned long)list.most);
	}
	int error = read_ring(reader, ring, filter, &list, out);

	out->matched = list.count;
	group(reader, out, &list);
	free(list.entry);
	return error;
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
