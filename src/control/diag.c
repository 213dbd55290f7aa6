// SPDX-License-Identifier: BSD-3-Clause
// Diagnostics of one text file. control/config*.c adds findings while it reads and checks; the
// prism command prints them all at once, prism_options_load takes the first. The shape is the one
// compilers use, so that editors jump to the place.

#include "control/diag.h"

#include <stdarg.h>
#include <string.h>

struct diag *diag_add(struct diags *diags, struct place place, const char *format, ...)
{
	// Past the end the last entry is overwritten into a scratch slot nobody prints.
	static _Thread_local struct diag overflow;
	struct diag *d = diags->count < DIAG_MAX ? &diags->item[diags->count] : &overflow;
	va_list args;

	diags->count++;
	d->place = place;
	d->hint[0] = '\0';
	va_start(args, format);
	vsnprintf(d->message, sizeof d->message, format, args);
	va_end(args);
	return d;
}

void diag_hint(struct diag *diag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(diag->hint, sizeof diag->hint, format, args);
	va_end(args);
}

static uint32_t kept(const struct diags *diags)
{
	return diags->count < DIAG_MAX ? diags->count : DIAG_MAX;
}

static bool stands_before(const struct diag *a, const struct diag *b)
{
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line;
	return a->place.column < b->place.column;
}

// Insertion sort: at most DIAG_MAX entries, and stable, so findings at one place keep their order.
void diags_sort(struct diags *diags)
{
	for (uint32_t i = 1; i < kept(diags); i++) {
		struct diag moving = diags->item[i];
		uint32_t j = i;

		for (; j > 0 && stands_before(&moving, &diags->item[j - 1]); j--)
			diags->item[j] = diags->item[j - 1];
		diags->item[j] = moving;
	}
}

static const char *line_start(const char *source, uint32_t line)
{
	for (uint32_t at = 1; at < line && source; at++) {
		source = strchr(source, '\n');
		source = source ? source + 1 : NULL;
	}
	return source;
}

static void print_line(const struct diags *diags, const struct diag *d, FILE *out, bool color)
{
	const char *text = d->place.line ? line_start(diags->source, d->place.line) : NULL;

	if (!text)
		return;
	int len = (int)strcspn(text, "\r\n");
	fprintf(out, "%5u | %.*s\n      | ", d->place.line, len, text);
	// Tabs are repeated so that the caret stands under its column whatever the tab width is.
	for (int i = 0; i + 1 < (int)d->place.column; i++)
		fputc(i < len && text[i] == '\t' ? '\t' : ' ', out);
	fputs(color ? "\033[1;31m^" : "^", out);
	for (uint32_t i = 1; i < d->place.len && (int)(d->place.column - 1 + i) < len; i++)
		fputc('~', out);
	fputs(color ? "\033[0m\n" : "\n", out);
}

void diags_print(const struct diags *diags, FILE *out, bool color)
{
	const char *bold = color ? "\033[1m" : "", *red = color ? "\033[1;31m" : "";
	const char *plain = color ? "\033[0m" : "";

	for (uint32_t i = 0; i < kept(diags); i++) {
		const struct diag *d = &diags->item[i];

		fprintf(out, "%s%s:", bold, diags->path);
		if (d->place.line)
			fprintf(out, "%u:%u:", d->place.line, d->place.column);
		fprintf(out, "%s %serror:%s %s\n", plain, red, plain, d->message);
		print_line(diags, d, out, color);
		if (d->hint[0])
			fprintf(out, "  help: %s\n", d->hint);
	}
	if (diags->count > DIAG_MAX)
		fprintf(out, "%s: and %u more\n", diags->path, diags->count - DIAG_MAX);
}

void diags_first(const struct diags *diags, char *text, size_t text_bytes)
{
	const struct diag *d = &diags->item[0];
	const char *gap = d->hint[0] ? "; " : "";

	if (d->place.line)
		snprintf(text, text_bytes, "%s:%u:%u: %s%s%s", diags->path, d->place.line,
			 d->place.column, d->message, gap, d->hint);
	else
		snprintf(text, text_bytes, "%s: %s%s%s", diags->path, d->message, gap, d->hint);
}
