// SPDX-License-Identifier: BSD-3-Clause
// Drops by reason and origin. Called by prism drops; calls packet_head.c. How many is the
// counters', for ever; whence is the flight recorder's, of those that it still has: their sources
// are cut to networks, sorted and summed. Reasons go by the names the file itself carries, so that
// an instance of another version is told of, too.
#include "see/drops.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/time.h"
#include "see/packet_head.h"
#include "see/why.h"

#define PREFIX4_BITS 24
#define PREFIX6_BITS 64

struct sighting {
	uint16_t reason;
	struct drops_from from; // pkts: once sightings are summed
};

static int by_place(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	if (x->reason != y->reason)
		return x->reason < y->reason ? -1 : 1;
	if (x->from.port != y->from.port)
		return x->from.port < y->from.port ? -1 : 1;
	if (x->from.has_prefix != y->from.has_prefix)
		return x->from.has_prefix ? -1 : 1;
	return memcmp(&x->from.prefix, &y->from.prefix, sizeof(struct addr));
}

static int more_first(const void *a, const void *b)
{
	const struct drops_row *x = a, *y = b;

	if (x->pkts != y->pkts)
		return x->pkts > y->pkts ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

static struct addr prefix_of(const struct addr *src)
{
	struct addr out = *src;

	if (addr_is_v4(src))
		out.byte[15] = 0; // 24 bits of 32
	else
		out.half[1] = 0; // 64 of 128
	return out;
}

static struct sighting sight(const struct verdict *v)
{
	struct packet_head head;
	struct sighting s = {.reason = v->reason, .from.port = v->port};

	packet_head_read((enum verdict_head)v->head_kind, v->head, v->head_bytes, &head);
	s.from.has_prefix = head.has_addr;
	if (head.has_addr)
		s.from.prefix = prefix_of(&head.src);
	return s;
}

static struct drops_row *row_of(struct drops *d, uint16_t reason)
{
	uint16_t row = reason < DROPS_REASONS_MAX ? d->row_of[reason] : 0;

	return row ? &d->row[row - 1] : NULL;
}

// Keeps the largest, most first.
static void add_from(struct drops_row *row, const struct drops_from *from)
{
	uint32_t at = MIN(row->from_count, (uint32_t)DROPS_FROM);

	row->from_count++;
	while (at > 0 && row->from[at - 1].pkts < from->pkts) {
		if (at < DROPS_FROM)
			row->from[at] = row->from[at - 1];
		at--;
	}
	if (at < DROPS_FROM)
		row->from[at] = *from;
}

static void sum_up(struct drops *d, struct sighting *s, uint64_t count)
{
	uint64_t first = 0;

	if (count)
		qsort(s, count, sizeof(*s), by_place);
	for (uint64_t i = 0; i < count; i++) {
		if (i + 1 < count && by_place(&s[i], &s[i + 1]) == 0)
			continue;
		struct drops_row *row = row_of(d, s[i].reason);

		s[i].from.pkts = i + 1 - first;
		if (row)
			add_from(row, &s[i].from);
		first = i + 1;
	}
}

static void add_rows(const struct shm_reader *reader, struct drops *out)
{
	const struct shm_field *field;

	for (uint32_t reason = DROP_OK + 1;
	     reason < DROPS_REASONS_MAX && (field = shm_reader_drop(reader, reason)); reason++) {
		uint64_t pkts = shm_reader_sum(reader, "counter", field->name);

		if (!pkts)
			continue;
		const char *name = field->name + strlen("drop.");

		out->row_of[reason] = (uint16_t)(out->row_count + 1);
		out->row[out->row_count++] = (struct drops_row){.reason = name,
								.sentence = field->sentence,
								.remedy = why_info(name)->remedy,
								.pkts = pkts};
	}
}

// Returns how many there are.
static uint64_t add_sightings(const struct shm_reader *reader, struct drops *out,
			      struct sighting *list, uint64_t most)
{
	uint64_t count = 0, first, end;

	for (uint32_t w = 0; w < shm_reader_head(reader)->worker_count; w++) {
		shm_reader_verdict_range(reader, SHM_DROPS, w, &first, &end);
		for (; first < end && count < most; first++) {
			struct verdict v = shm_reader_verdict(reader, SHM_DROPS, w, first);
			struct drops_row *row = row_of(out, v.reason);

			list[count++] = sight(&v);
			if (!row)
				continue;
			row->recorded++;
			row->last_ns = MAX(row->last_ns, v.time_ns);
		}
	}
	return count;
}

int drops_collect(const struct shm_reader *reader, struct drops *out)
{
	struct sighting *list;
	uint64_t lost = 0;

	memset(out, 0, sizeof(*out));
	out->now_ns = why_now_ns(reader);
	add_rows(reader, out);
	uint64_t most = why_record_count(reader, SHM_DROPS, &lost);

	list = calloc(most + 1, sizeof(*list));
	if (!list)
		return err_set(ERR_OUT_OF_MEMORY, "%lu records", (unsigned long)most);
	sum_up(out, list, add_sightings(reader, out, list, most));
	free(list);
	qsort(out->row, out->row_count, sizeof(*out->row), more_first);
	memset(out->row_of, 0, sizeof(out->row_of)); // they are in another order now
	return 0;
}

const char *drops_from_text(const struct shm_reader *reader, const struct drops_from *from,
			    char text[DROPS_FROM_BYTES])
{
	const char *port = why_port(reader, from->port);
	char addr[ADDR_TEXT_BYTES] = "no IP";

	if (from->has_prefix)
		addr_format(&from->prefix, addr);
	snprintf(text, DROPS_FROM_BYTES, "%s%s%s%.32s", addr,
		 !from->has_prefix           ? ""
		 : addr_is_v4(&from->prefix) ? "/24"
					     : "/64",
		 port[0] ? " on " : "", port);
	return text;
}

static json_t *from_json(const struct shm_reader *reader, const struct drops_row *row)
{
	json_t *list = json_array();
	char text[ADDR_TEXT_BYTES];

	for (uint32_t i = 0; i < MIN(row->from_count, (uint32_t)DROPS_FROM); i++) {
		const struct drops_from *f = &row->from[i];
		int bits = addr_is_v4(&f->prefix) ? PREFIX4_BITS : PREFIX6_BITS;

		json_array_append_new(
			list, json_pack("{s:o, s:i, s:s, s:I}", "network",
					f->has_prefix ? json_string(addr_format(&f->prefix, text))
						      : json_null(),
					"bits", f->has_prefix ? bits : 0, "port",
					why_port(reader, f->port), "packets", (json_int_t)f->pkts));
	}
	return list;
}

json_t *drops_json(const struct shm_reader *reader, const struct drops *d)
{
	json_t *rows = json_array();

	for (uint32_t i = 0; i < d->row_count; i++) {
		const struct drops_row *r = &d->row[i];
		json_t *last =
			r->last_ns ? json_real((double)(d->now_ns - MIN(r->last_ns, d->now_ns)) /
					       (double)NS_PER_S)
				   : json_null();

		json_array_append_new(
			rows, json_pack("{s:s, s:I, s:I, s:o, s:I, s:o, s:s, s:s}", "reason",
					r->reason, "packets", (json_int_t)r->pkts, "recorded",
					(json_int_t)r->recorded, "last_s_ago", last, "origins",
					(json_int_t)r->from_count, "from", from_json(reader, r),
					"sentence", r->sentence, "remedy", r->remedy));
	}
	return json_pack("{s:s, s:o}", "instance", shm_reader_head(reader)->instance, "drops",
			 rows);
}
