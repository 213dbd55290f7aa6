// SPDX-License-Identifier: BSD-3-Clause
// The end of the trace in words, for a process that found a bug in itself: no heap, no stdio, no
// lock, only write(2), since any of them may be what broke. Called by base/assert.c as its hook,
// which core/start.c sets; the shared-memory file keeps the whole trace, when there is one.
#include "core/last_words.h"

#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/time.h"

#define EVENTS 16 // of each worker: about a screen

static struct last_words *first;

void last_words_add(struct last_words *words, const char *instance, const struct trace *trace)
{
	*words = (struct last_words){.trace = trace, .next = first};
	memcpy(words->instance, instance, strnlen(instance, sizeof(words->instance) - 1));
	first = words;
}

void last_words_remove(struct last_words *words)
{
	struct last_words **at = &first;

	while (*at && *at != words)
		at = &(*at)->next;
	if (*at)
		*at = words->next;
}

// A line under way; what does not fit is left out.
struct line {
	char text[200];
	size_t len;
};

static void put(struct line *l, const char *text, size_t len)
{
	len = MIN(len, sizeof(l->text) - l->len);
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static void put_text(struct line *l, const char *text)
{
	put(l, text, strlen(text));
}

// At least so many digits.
static void put_number(struct line *l, uint64_t number, int width)
{
	char text[20], *digit = text + sizeof(text);

	do
		*--digit = (char)('0' + number % 10);
	while (--width, (number /= 10) || width > 0);
	put(l, digit, (size_t)(text + sizeof(text) - digit));
}

// %a and %b stand for the arguments (event.def).
static void put_sentence(struct line *l, const struct trace_record *r)
{
	for (const char *s = event_infos[r->event].sentence; *s; s++) {
		bool argument = s[0] == '%' && (s[1] == 'a' || s[1] == 'b');

		if (!argument)
			put(l, s, 1);
		else
			put_number(l, *++s == 'a' ? r->a : r->b, 1);
	}
}

// False when nobody reads.
static bool say(struct line *l)
{
	l->len = MIN(l->len, sizeof(l->text) - 1);
	put(l, "\n", 1);
	return write(STDERR_FILENO, l->text, l->len) == (ssize_t)l->len;
}

static bool say_event(const struct trace_record *r)
{
	struct line l = {.len = 0};

	put_text(&l, "  ");
	put_number(&l, r->time_ns / NS_PER_S, 1);
	put_text(&l, ".");
	put_number(&l, r->time_ns % NS_PER_S, 9);
	put_text(&l, " ");
	if (r->event >= EVENT_COUNT) { // the bug may have been here
		put_text(&l, "no event has the number ");
		put_number(&l, r->event, 1);
		return say(&l);
	}
	put_text(&l, event_infos[r->event].name);
	if (r->subject != TRACE_NO_SUBJECT) {
		put_text(&l, " of ");
		put_number(&l, r->subject, 1);
	}
	put_text(&l, ": ");
	put_sentence(&l, r);
	return say(&l);
}

void last_words_say(void)
{
	for (const struct last_words *w = first; w; w = w->next) {
		uint64_t end = w->trace->written, at = end - MIN(end, (uint64_t)EVENTS);
		struct line l = {.len = 0};

		put_text(&l, "prism: last events of ");
		put_text(&l, w->instance);
		put_text(&l, end ? ":" : ": none");
		bool heard = say(&l);

		for (; heard && at < end; at++)
			heard = say_event(&w->trace->record[at & (TRACE_RECORDS - 1)]);
	}
}
