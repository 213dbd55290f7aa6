// SPDX-License-Identifier: BSD-3-Clause
// Device strings, taken apart and checked. Called by port_dpdk.c and by the kinds of port, which
// say what options they know; every refusal names the port, shows the form and guesses what was
// meant.
#include "dpdk/device.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/err.h"

// Copies from begin up to end; false when it does not fit.
static bool take(char *out, size_t room_bytes, const char *begin, const char *end)
{
	size_t len = (size_t)(end - begin);

	if (len >= room_bytes)
		return false;
	memcpy(out, begin, len);
	out[len] = '\0';
	return true;
}

static bool take_option(struct device *d, const char *begin, const char *end)
{
	const char *equals = memchr(begin, '=', (size_t)(end - begin));

	if (d->option_count == DEVICE_OPTIONS_MAX || !equals)
		return false;
	uint32_t i = d->option_count++;

	return take(d->option[i].key, sizeof(d->option[i].key), begin, equals) &&
	       take(d->option[i].value, sizeof(d->option[i].value), equals + 1, end);
}

int device_parse_kind(struct device *d, const char *port_name, const char *text)
{
	const char *colon = strchr(text, ':');

	*d = (struct device){.port_name = port_name, .text = text};
	if (!colon || !take(d->kind, sizeof(d->kind), text, colon))
		return err_set(ERR_PORT_BAD_DEVICE, "%s: device '%s' is not KIND:NAME", port_name,
			       text);
	return 0;
}

int device_parse(struct device *d)
{
	const char *begin = d->text + strlen(d->kind) + 1, *end = begin + strcspn(begin, ",");

	if (!take(d->target, sizeof(d->target), begin, end))
		return err_set(ERR_PORT_BAD_DEVICE, "%s: the name in '%s' has over %zu characters",
			       d->port_name, d->text, sizeof(d->target) - 1);
	while (*end) {
		begin = end + 1;
		end = begin + strcspn(begin, ",");
		if (!take_option(d, begin, end))
			return err_set(ERR_PORT_BAD_DEVICE, "%s: '%.*s' in '%s' is not KEY=VALUE",
				       d->port_name, (int)(end - begin), begin, d->text);
	}
	return 0;
}

int device_check_options(const struct device *d, const char *const *known, const char *form)
{
	for (uint32_t i = 0; i < d->option_count; i++) {
		const char *const *k = known;

		while (*k && strcmp(*k, d->option[i].key) != 0)
			k++;
		if (*k)
			continue;
		const char *near = device_nearest(d->option[i].key, known);

		return err_set(ERR_PORT_BAD_DEVICE, "%s: %s: has no option '%s'%s%s%s; write %s",
			       d->port_name, d->kind, d->option[i].key,
			       near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "",
			       form);
	}
	if (!d->target[0])
		return err_set(ERR_PORT_BAD_DEVICE, "%s: '%s' names nothing; write %s",
			       d->port_name, d->text, form);
	return 0;
}

const char *device_option(const struct device *d, const char *key, const char *fallback)
{
	for (uint32_t i = 0; i < d->option_count; i++)
		if (strcmp(d->option[i].key, key) == 0)
			return d->option[i].value;
	return fallback;
}

int device_number(const struct device *d, const char *key, uint32_t range[2], uint32_t *value)
{
	const char *text = device_option(d, key, NULL);
	char *end;

	if (!text)
		return 0;
	unsigned long long number = strtoull(text, &end, 10);

	if (end == text || *end || number < range[0] || number > range[1])
		return err_set(ERR_PORT_BAD_DEVICE,
			       "%s: %s=%s in '%s' is not a number from %u to %u", d->port_name, key,
			       text, d->text, range[0], range[1]);
	*value = (uint32_t)number;
	return 0;
}

// Edits from a to b (Levenshtein), one row at a time; words here are short.
static uint32_t edits(const char *a, const char *b)
{
	uint32_t row[32];
	size_t len = MIN(strlen(b), ARRAY_COUNT(row) - 1);

	for (size_t j = 0; j <= len; j++)
		row[j] = (uint32_t)j;
	for (size_t i = 0; a[i]; i++) {
		uint32_t diagonal = row[0];

		row[0] = (uint32_t)i + 1;
		for (size_t j = 1; j <= len; j++) {
			uint32_t replace = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(row[j], row[j - 1]) + 1;
			row[j] = MIN(row[j], replace);
		}
	}
	return row[len];
}

const char *device_nearest(const char *text, const char *const *words)
{
	const char *best = NULL;
	uint32_t best_edits = 3; // further away is another word, not a misspelling

	for (; *words; words++) {
		uint32_t n = edits(text, *words);

		if (n < best_edits && n < strlen(*words)) {
			best_edits = n;
			best = *words;
		}
	}
	return best;
}
