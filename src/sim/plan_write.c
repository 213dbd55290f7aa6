// SPDX-License-Identifier: BSD-3-Clause
// Writes a plan as a scenario that reads back to the same plan, leaving out what is a default, and
// the list of all keys. Called by cli/sim.c, for a run that was shrunk and for --keys; goes by the
// tables of plan_fields.c.
#include <string.h>

#include "sim/field.h"
#include "sim/plan_file.h"

// What a mapping under way has in front of its next key.
struct writer {
	FILE *out;
	const struct plan *plan;
	const char *gap;
	char kind[FIELD_TEXT_BYTES]; // of the entry: keys of other kinds mean nothing
};

static void write_key(struct writer *w, const char *key, const char *value)
{
	fprintf(w->out, "%s%s: %s", w->gap, key, value);
	w->gap = ", ";
}

// Those that differ from the default.
static void write_fields(struct writer *w, const struct fields *fields, const void *base,
			 const void *fallback)
{
	char text[FIELD_TEXT_BYTES];

	for (uint32_t i = 0; i < fields->count; i++) {
		const struct field *f = &fields->field[i];

		if (!field_equal(f, base, fallback) &&
		    (!f->only || field_is_word(f->only, w->kind)))
			write_key(w, f->key, field_format(f, base, w->plan, text));
	}
}

static bool all_equal(const struct fields *fields, const void *a, const void *b)
{
	for (uint32_t i = 0; i < fields->count; i++)
		if (!field_equal(&fields->field[i], a, b))
			return false;
	return true;
}

static void write_section(const struct plan *plan, const struct fields *fields, const void *base,
			  const void *fallback, FILE *out)
{
	struct writer w = {out, plan, "", ""};

	if (all_equal(fields, base, fallback))
		return;
	fprintf(out, "%s: {", fields->section);
	write_fields(&w, fields, base, fallback);
	fputs("}\n", out);
}

static void write_hosts(const struct plan *plan, FILE *out)
{
	const struct plan_host fallback = {.workers = 1};

	fputs("hosts:\n", out);
	for (uint32_t i = 0; i < plan->host_count; i++) {
		struct writer w = {out, plan, "", ""};

		fputs("  - {", out);
		write_key(&w, "name", plan->host[i].name);
		write_fields(&w, &fields_host, &plan->host[i], &fallback);
		fputs("}\n", out);
	}
	for (uint32_t i = 0; i < plan->switch_count; i++)
		fprintf(out, "%s%s%s", i ? ", " : "switches: [", plan->switches[i],
			i + 1 == plan->switch_count ? "]\n" : "");
}

static void write_links(const struct plan *plan, FILE *out)
{
	struct plan_link fallback;

	plan_link_init(&fallback);
	fputs("links:\n", out);
	for (uint32_t i = 0; i < plan->link_count; i++) {
		const struct plan_link *link = &plan->link[i];
		struct writer w = {out, plan, "", ""};
		char between[2 * PLAN_NAME_BYTES + 8];

		snprintf(between, sizeof(between), "[%s, %s]", plan_end_name(plan, link->end[0]),
			 plan_end_name(plan, link->end[1]));
		fputs("  - {", out);
		write_key(&w, "name", link->name);
		write_key(&w, "between", between);
		write_fields(&w, &fields_faults, &link->faults[0], &fallback.faults[0]);
		if (!all_equal(&fields_faults, &link->faults[0], &link->faults[1])) {
			fprintf(out, "%sback: {", w.gap);
			w.gap = "";
			write_fields(&w, &fields_faults, &link->faults[1], &link->faults[0]);
			fputs("}", out);
		}
		fputs("}\n", out);
	}
}

static void write_apps(const struct plan *plan, FILE *out)
{
	fputs("applications:\n", out);
	for (uint32_t i = 0; i < plan->app_count; i++) {
		const struct plan_app *app = &plan->app[i];
		struct writer w = {out, plan, "", ""};
		struct plan_app fallback;
		char text[FIELD_TEXT_BYTES];

		plan_app_init(&fallback, app->type);
		field_format(&fields_app.field[0], app, plan, w.kind);
		fputs("  - {", out);
		for (uint32_t k = 0; k < 3; k++) // type, from, to
			write_key(&w, fields_app.field[k].key,
				  field_format(&fields_app.field[k], app, plan, text));
		fallback.from = app->from;
		fallback.to = app->to;
		write_fields(&w, &fields_app, app, &fallback);
		write_fields(&w, &fields_side, &app->side[0], &fallback.side[0]);
		if (!all_equal(&fields_side, &app->side[1], &fallback.side[1])) {
			fprintf(out, "%sanswer: {", w.gap);
			w.gap = "";
			write_fields(&w, &fields_side, &app->side[1], &fallback.side[1]);
			fputs("}", out);
		}
		fputs("}\n", out);
	}
}

static void write_events(const struct plan *plan, FILE *out)
{
	if (plan->event_count)
		fputs("events:\n", out);
	for (uint32_t i = 0; i < plan->event_count; i++) {
		struct writer w = {out, plan, "", ""};

		field_format(&fields_event.field[0], &plan->event[i], plan, w.kind);
		fputs("  - {", out);
		for (uint32_t k = 0; k < fields_event.count; k++) {
			const struct field *f = &fields_event.field[k];
			char text[FIELD_TEXT_BYTES];

			if ((!f->only || field_is_word(f->only, w.kind)) &&
			    (strcmp(f->key, "until") != 0 || plan->event[i].until_ns))
				write_key(&w, f->key, field_format(f, &plan->event[i], plan, text));
		}
		fputs("}\n", out);
	}
}

void plan_write(const struct plan *plan, FILE *out)
{
	static struct plan fallback; // its size is not a stack's
	char text[FIELD_TEXT_BYTES];

	plan_init(&fallback);
	for (uint32_t i = 0; i < fields_top.count; i++) {
		const struct field *f = &fields_top.field[i];

		if (!field_equal(f, plan, &fallback))
			fprintf(out, "%s: %s\n", f->key, field_format(f, plan, plan, text));
	}
	write_hosts(plan, out);
	write_links(plan, out);
	write_apps(plan, out);
	write_events(plan, out);
	write_section(plan, &fields_tcp, &plan->options, &fallback.options, out);
	write_section(plan, &fields_hardship, plan, &fallback, out);
	write_section(plan, &fields_expect, &plan->expect, &fallback.expect, out);
}

static void write_table(const struct fields *fields, FILE *out)
{
	for (uint32_t i = 0; i < fields->count; i++) {
		const struct field *f = &fields->field[i];
		char example[64];

		snprintf(example, sizeof(example), "%s: %s", f->key, f->example);
		fprintf(out, "  %-28s # %s", example, f->sentence);
		if (f->only)
			fprintf(out, " (only: %s)", f->only);
		if (f->choices)
			fprintf(out, "; one of: %s", f->choices);
		fputc('\n', out);
	}
}

void plan_write_keys(FILE *out)
{
	static const struct fields *const sections[] = {
		&fields_top,   &fields_host, &fields_faults,   &fields_app,   &fields_side,
		&fields_event, &fields_tcp,  &fields_hardship, &fields_expect};

	for (size_t i = 0; i < ARRAY_COUNT(sections); i++) {
		fprintf(out, "%s%s%s# %s\n", i ? "\n" : "", sections[i]->section,
			sections[i]->section[0] ? ": " : "", sections[i]->sentence);
		write_table(sections[i], out);
	}
	fputs("\nswitches: [s]                  # join more than two hosts\n"
	      "links: also name: and between: [a, s]\n",
	      out);
}
