// SPDX-License-Identifier: BSD-3-Clause
// Captured answers and Prism's side by side. Both are in order; where they do not go together, the
// nearest place ahead at which they do again tells which ones have no counterpart. Called by
// replay.c when the run is over. Numbers are compared relative to the first of their direction.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sim/replay.h"
#include "wire/tcp.h"

// How far ahead a counterpart is looked for: more than a flight that was sent again.
#define AHEAD_MAX 64

// What makes two segments counterparts.
#define KEY_FLAGS (TCP_SYN | TCP_FIN | TCP_RST)

static uint32_t own_seq(const struct replay_under_way *r, const struct tcp_segment *s,
			bool captured)
{
	return s->seq - (captured ? r->own.captured_isn : r->own.isn);
}

static uint32_t own_ack(const struct replay_under_way *r, const struct tcp_segment *s)
{
	return s->flags & TCP_ACK ? s->ack - r->peer.isn : 0;
}

static bool go_together(const struct replay_under_way *r, const struct tcp_segment *captured,
			const struct tcp_segment *sent)
{
	return ((captured->flags ^ sent->flags) & KEY_FLAGS) == 0 && captured->len == sent->len &&
	       own_seq(r, captured, true) == own_seq(r, sent, false) &&
	       (captured->len || own_ack(r, captured) == own_ack(r, sent));
}

// ---- how two counterparts differ

static void say(struct replay_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct replay_line *line, const char *format, ...)
{
	size_t len = strlen(line->how);
	va_list args;

	if (len && len + 2 < sizeof(line->how))
		len += (size_t)snprintf(line->how + len, sizeof(line->how) - len, ", ");
	va_start(args, format);
	vsnprintf(line->how + len, sizeof(line->how) - len, format, args);
	va_end(args);
}

static void compare_sacks(const struct replay_under_way *r, const struct tcp_segment *a,
			  const struct tcp_segment *b, struct replay_line *line)
{
	bool same = a->sack_count == b->sack_count;

	for (uint32_t i = 0; same && i < a->sack_count; i++)
		same = a->sack[i][0] == b->sack[i][0] && a->sack[i][1] == b->sack[i][1];
	if (same)
		return;
	if (b->sack_count)
		say(line, "%u SACK blocks not %u, the first %u-%u", b->sack_count, a->sack_count,
		    b->sack[0][0] - r->peer.isn, b->sack[0][1] - r->peer.isn);
	else
		say(line, "no SACK block");
}

static void compare_time(const struct replay_under_way *r, const struct tcp_segment *captured,
			 const struct tcp_segment *sent, struct replay_line *line)
{
	int64_t late_ns =
		(int64_t)(sent->time_ns - r->base_ns) - (int64_t)(captured->time_ns - r->first_ns);

	if (late_ns > (int64_t)r->config->tolerance_ns)
		say(line, "%.3f ms later", (double)late_ns / 1e6);
	else if (-late_ns > (int64_t)r->config->tolerance_ns)
		say(line, "%.3f ms earlier", (double)-late_ns / 1e6);
}

static void compare_options(const struct tcp_segment *a, const struct tcp_segment *b,
			    struct replay_line *line)
{
	if (a->mss != b->mss)
		say(line, "MSS %u not %u", b->mss, a->mss);
	if (a->has_scale != b->has_scale || a->scale != b->scale)
		say(line, "window scale %d not %d", b->has_scale ? b->scale : -1,
		    a->has_scale ? a->scale : -1);
	if (a->sack_permitted != b->sack_permitted)
		say(line, "SACK %s", b->sack_permitted ? "permitted" : "not permitted");
	if (a->window_raw != b->window_raw)
		say(line, "window %u not %u", b->window_raw, a->window_raw);
}

static void compare(const struct replay_under_way *r, const struct tcp_segment *captured,
		    const struct tcp_segment *sent, struct replay_line *line)
{
	uint8_t changed = captured->flags ^ sent->flags;

	if (own_seq(r, captured, true) != own_seq(r, sent, false))
		say(line, "seq %u not %u", own_seq(r, sent, false), own_seq(r, captured, true));
	if (captured->len != sent->len)
		say(line, "len %u not %u", sent->len, captured->len);
	if (own_ack(r, captured) != own_ack(r, sent))
		say(line, "ack %u not %u", own_ack(r, sent), own_ack(r, captured));
	if (changed)
		say(line, "flags %02x not %02x", sent->flags, captured->flags);
	compare_sacks(r, captured, sent, line);
	if (captured->has_timestamps != sent->has_timestamps)
		say(line, "%s timestamps", sent->has_timestamps ? "with" : "without");
	compare_time(r, captured, sent, line);
	if (r->config->strict)
		compare_options(captured, sent, line);
}

// ---- lines

static struct replay_line *add(struct replay *replay, enum replay_kind kind)
{
	if (replay->count == replay->count_max) {
		uint32_t count_max = replay->count_max ? 2 * replay->count_max : 1024;
		void *grown = realloc(replay->line, count_max * sizeof(*replay->line));

		if (!grown)
			return NULL;
		replay->line = grown;
		replay->count_max = count_max;
	}
	struct replay_line *line = &replay->line[replay->count++];

	*line = (struct replay_line){.kind = kind};
	return line;
}

static bool add_captured(struct replay_under_way *r, enum replay_kind kind,
			 const struct tcp_segment *s, const struct tcp_segment *sent)
{
	struct replay_line *line = add(r->replay, kind);

	if (!line)
		return false;
	line->segment = *s;
	line->time_ns = s->time_ns - r->first_ns;
	line->seq = kind == REPLAY_FED ? s->seq - r->peer.isn : own_seq(r, s, true);
	line->ack = s->flags & TCP_ACK
			    ? s->ack - (kind == REPLAY_FED ? r->own.captured_isn : r->peer.isn)
			    : 0;
	if (sent)
		compare(r, s, sent, line);
	if (line->how[0])
		line->kind = REPLAY_DIFFERS;
	return true;
}

static bool add_extra(struct replay_under_way *r, const struct tcp_segment *s)
{
	struct replay_line *line = add(r->replay, REPLAY_EXTRA);

	if (!line)
		return false;
	line->segment = *s;
	line->time_ns = s->time_ns - r->base_ns;
	line->seq = own_seq(r, s, false);
	line->ack = own_ack(r, s);
	return true;
}

// The captured answers alone.
static bool own_segments(const struct replay_under_way *r, struct segment_list *own)
{
	const struct segment_list *list = r->config->segments;

	own->segment = calloc(list->count + 1, sizeof(*own->segment));
	for (uint32_t i = 0; own->segment && i < list->count; i++)
		if (replay_is_own(r->config, &list->segment[i]))
			own->segment[own->count++] = list->segment[i];
	return own->segment != NULL;
}

// How many captured or sent ones to pass over until the next two go together.
static void find_next(const struct replay_under_way *r, const struct segment_list *own, uint32_t i,
		      uint32_t j, uint32_t skip[2])
{
	for (uint32_t d = 0; d < AHEAD_MAX; d++) {
		for (uint32_t a = 0; a <= d; a++) {
			if (i + a >= own->count || j + d - a >= r->sent.count ||
			    !go_together(r, &own->segment[i + a], &r->sent.segment[j + d - a]))
				continue;
			skip[0] = a;
			skip[1] = d - a;
			return;
		}
	}
	// Nowhere: they stand for each other.
	skip[0] = skip[1] = 0;
}

static bool match(struct replay_under_way *r, const struct segment_list *own)
{
	bool good = true;
	uint32_t i = 0, j = 0, skip[2];

	while (good && i < own->count && j < r->sent.count) {
		find_next(r, own, i, j, skip);
		for (; good && skip[0]; skip[0]--, i++)
			good = add_captured(r, REPLAY_MISSING, &own->segment[i], NULL);
		for (; good && skip[1]; skip[1]--, j++)
			good = add_extra(r, &r->sent.segment[j]);
		good = good &&
		       add_captured(r, REPLAY_SAME, &own->segment[i++], &r->sent.segment[j++]);
	}
	for (; good && i < own->count; i++)
		good = add_captured(r, REPLAY_MISSING, &own->segment[i], NULL);
	for (; good && j < r->sent.count; j++)
		good = add_extra(r, &r->sent.segment[j]);
	return good;
}

// What comes in before what goes out at the same time; else as the capture has them.
static int by_time(const void *a, const void *b)
{
	const struct replay_line *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if ((x->kind == REPLAY_EXTRA) != (y->kind == REPLAY_EXTRA))
		return x->kind == REPLAY_EXTRA ? 1 : -1;
	if (x->segment.number != y->segment.number)
		return x->segment.number < y->segment.number ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

bool replay_compare(struct replay_under_way *r)
{
	const struct segment_list *list = r->config->segments;
	struct segment_list own = {0};
	bool good = own_segments(r, &own) && match(r, &own);

	free(own.segment);
	for (uint32_t i = 0; good && i < list->count; i++)
		if (!replay_is_own(r->config, &list->segment[i]))
			good = add_captured(r, REPLAY_FED, &list->segment[i], NULL);
	if (!good)
		return false;
	qsort(r->replay->line, r->replay->count, sizeof(*r->replay->line), by_time);
	for (uint32_t i = 0; i < r->replay->count; i++)
		r->replay->kinds[r->replay->line[i].kind]++;
	return true;
}
