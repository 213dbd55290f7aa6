// SPDX-License-Identifier: BSD-3-Clause
// One value of a scenario, read and written. Called by plan_read.c and plan_write.c for every key
// of plan_fields.c; numbers with units are control/units.c's, but for shares and rates, which only
// scenarios have. Each refusal says what was written, what is accepted, and with an example.
#include "sim/field.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "control/suggest.h"
#include "control/units.h"

// A scalar being read.
struct value {
	const struct field *field;
	void *to; // the member
	const struct yaml_node *node;
	const struct plan *plan;
	struct diags *diags;
};

static void store(const struct field *f, void *to, uint64_t number)
{
	switch (f->width) {
	case 2:
		*(uint16_t *)to = (uint16_t)number;
		break;
	case 4:
		*(uint32_t *)to = (uint32_t)number;
		break;
	default:
		ASSERT(f->width == 8);
		*(uint64_t *)to = number;
	}
}

static uint64_t fetch(const struct field *f, const void *base)
{
	const void *from = (const char *)base + f->offset;

	switch (f->width) {
	case 1:
		return *(const bool *)from;
	case 2:
		return *(const uint16_t *)from;
	case 4:
		return *(const uint32_t *)from;
	default:
		return *(const uint64_t *)from;
	}
}

const char *field_word(const char *words, uint32_t index, int *len)
{
	for (; index > 0 && words; index--) {
		words = strchr(words, ' ');
		words = words ? words + 1 : NULL;
	}
	*len = words ? (int)strcspn(words, " ") : 0;
	return words;
}

bool field_is_word(const char *words, const char *word)
{
	const char *at;
	int len;

	for (uint32_t i = 0; words && (at = field_word(words, i, &len)); i++)
		if (strlen(word) == (size_t)len && strncmp(at, word, (size_t)len) == 0)
			return true;
	return false;
}

const struct field *field_find(const struct fields *fields, const char *key)
{
	for (uint32_t i = 0; i < fields->count; i++)
		if (strcmp(fields->field[i].key, key) == 0)
			return &fields->field[i];
	return NULL;
}

// ---- shares and rates

static const struct {
	const char *name;
	uint64_t factor;
} rate_units[] = {{"Gbit", 1000000000}, {"Mbit", 1000000}, {"kbit", 1000}, {"bit", 1}};

static enum units_result read_rate(const char *text, uint64_t *bits_s)
{
	char *end;
	uint64_t number = strtoull(text, &end, 10);

	if (end == text || *text == '-')
		return UNITS_NOT_A_NUMBER;
	if (*end == '\0')
		return number ? UNITS_MISSING : UNITS_OK;
	for (size_t i = 0; i < ARRAY_COUNT(rate_units); i++) {
		if (strncmp(end, rate_units[i].name, strlen(rate_units[i].name)) != 0)
			continue;
		end += strlen(rate_units[i].name);
		if (*end && strcmp(end, "/s") != 0)
			return UNITS_UNKNOWN;
		return __builtin_mul_overflow(number, rate_units[i].factor, bits_s)
			       ? UNITS_TOO_LARGE
			       : UNITS_OK;
	}
	return UNITS_UNKNOWN;
}

// "0.1%": up to four digits behind the point, as a millionth has.
static enum units_result read_ppm(const char *text, uint64_t *ppm)
{
	char *end;
	uint64_t number = strtoull(text, &end, 10);
	uint64_t scale = 10000;

	if (end == text || *text == '-')
		return UNITS_NOT_A_NUMBER;
	if (strcmp(end, "ppm") == 0 || (number == 0 && *end == '\0')) {
		*ppm = number;
		return UNITS_OK;
	}
	if (number > UINT32_MAX)
		return UNITS_TOO_LARGE;
	*ppm = number * scale;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++) {
			scale /= 10;
			*ppm += (uint64_t)(*end - '0') * scale;
		}
	if (*end == '\0')
		return UNITS_MISSING;
	return strcmp(end, "%") == 0 ? UNITS_OK : UNITS_UNKNOWN;
}

static void format_rate(uint64_t bits_s, char *text)
{
	size_t i = 0;

	while (rate_units[i].factor > 1 && (bits_s == 0 || bits_s % rate_units[i].factor))
		i++;
	snprintf(text, FIELD_TEXT_BYTES, "%" PRIu64 "%s", bits_s / rate_units[i].factor,
		 rate_units[i].name);
}

static void format_ppm(uint64_t ppm, char *text)
{
	if (ppm % 1000)
		snprintf(text, FIELD_TEXT_BYTES, "%" PRIu64 "ppm", ppm);
	else
		snprintf(text, FIELD_TEXT_BYTES, "%" PRIu64 "%s%s%%", ppm / 10000,
			 ppm % 10000 ? "." : "",
			 ppm % 10000 ? (char[]){(char)('0' + ppm / 1000 % 10), '\0'} : "");
}

// ---- numbers

static void format_number(const struct field *f, uint64_t number, char *text)
{
	char unit[UNITS_TEXT_BYTES];

	switch (f->kind) {
	case FIELD_TIME:
		snprintf(text, FIELD_TEXT_BYTES, "%s", units_time_format(number, unit));
		break;
	case FIELD_SIZE:
		snprintf(text, FIELD_TEXT_BYTES, "%s", units_size_format(number, unit));
		break;
	case FIELD_PPM:
		format_ppm(number, text);
		break;
	case FIELD_RATE:
		format_rate(number, text);
		break;
	default:
		snprintf(text, FIELD_TEXT_BYTES, "%" PRIu64, number);
	}
}

static const char *units_of(enum field_kind kind)
{
	switch (kind) {
	case FIELD_TIME:
		return UNITS_TIME_NAMES;
	case FIELD_SIZE:
		return UNITS_SIZE_NAMES;
	case FIELD_PPM:
		return "% or ppm";
	case FIELD_RATE:
		return "bit, kbit, Mbit or Gbit";
	default:
		return "none";
	}
}

static void refuse_number(const struct value *v, enum units_result result)
{
	const struct field *f = v->field;
	char min[FIELD_TEXT_BYTES], max[FIELD_TEXT_BYTES];
	const char *what = result == UNITS_MISSING        ? "has no unit"
			   : result == UNITS_UNKNOWN      ? "has a wrong unit"
			   : result == UNITS_NOT_A_NUMBER ? "is not a number"
							  : "is outside the range";
	struct diag *d =
		diag_add(v->diags, v->node->place, "`%s` %s for `%s`", v->node->text, what, f->key);

	format_number(f, f->min, min);
	format_number(f, f->max, max);
	if (result == UNITS_OK || result == UNITS_TOO_LARGE)
		diag_hint(d, "from %s to %s are accepted", min, max);
	else
		diag_hint(d, "units: %s; for example %s: %s", units_of(f->kind), f->key,
			  f->example);
}

static void read_number(const struct value *v)
{
	const char *text = v->node->text;
	enum units_result result;
	uint64_t number = 0;

	switch (v->field->kind) {
	case FIELD_TIME:
		result = units_time(text, &number);
		break;
	case FIELD_SIZE:
		result = strcmp(text, "0") == 0 ? UNITS_OK : units_size(text, &number);
		break;
	case FIELD_PPM:
		result = read_ppm(text, &number);
		break;
	case FIELD_RATE:
		result = read_rate(text, &number);
		break;
	default:
		result = units_count(text, &number);
	}
	if (result != UNITS_OK || number < v->field->min || number > v->field->max)
		refuse_number(v, result);
	else
		store(v->field, v->to, number);
}

// ---- words and names

static void read_bool(const struct value *v)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};

	for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
		if (strcmp(v->node->text, words[i]) != 0)
			continue;
		*(bool *)v->to = i & 1;
		return;
	}
	diag_hint(
		diag_add(v->diags, v->node->place, "`%s` is neither true nor false", v->node->text),
		"for example %s: true", v->field->key);
}

static void refuse_name(const struct value *v, const struct yaml_node *node,
			const struct suggest *suggest, const char *what)
{
	struct diag *d = diag_add(v->diags, node->place, "there is no %s `%s`", what, node->text);

	if (suggest->best)
		diag_hint(d, "did you mean `%s`?", suggest->best);
	else
		diag_hint(d, "for example %s: %s", v->field->key, v->field->example);
}

static void read_choice(const struct value *v)
{
	struct suggest suggest = {.word = v->node->text};
	char words[16][PLAN_NAME_BYTES];
	const char *word;
	int len;

	for (uint32_t i = 0; (word = field_word(v->field->choices, i, &len)); i++) {
		snprintf(words[i], sizeof(words[i]), "%.*s", len, word);
		suggest_offer(&suggest, words[i]);
		if (strcmp(words[i], v->node->text) != 0)
			continue;
		store(v->field, v->to, i);
		return;
	}
	struct diag *d = diag_add(v->diags, v->node->place, "`%s` is not a value of `%s`",
				  v->node->text, v->field->key);

	if (suggest.best)
		diag_hint(d, "did you mean `%s`?", suggest.best);
	else
		diag_hint(d, "one of: %s", v->field->choices);
}

static bool host_index(const struct value *v, const struct yaml_node *node, uint32_t *index)
{
	const struct plan *plan = v->plan;
	struct suggest suggest = {.word = node->text};

	for (*index = 0; *index < plan->host_count; ++*index) {
		if (strcmp(plan->host[*index].name, node->text) == 0)
			return true;
		suggest_offer(&suggest, plan->host[*index].name);
	}
	for (uint32_t i = 0; v->field->kind == FIELD_END && i < plan->switch_count; i++) {
		*index = WORLD_SWITCH + i;
		if (strcmp(plan->switches[i], node->text) == 0)
			return true;
		suggest_offer(&suggest, plan->switches[i]);
	}
	refuse_name(v, node, &suggest, v->field->kind == FIELD_END ? "host or switch" : "host");
	return false;
}

static void read_host(const struct value *v)
{
	uint32_t index;

	if (host_index(v, v->node, &index))
		store(v->field, v->to, index);
}

static void read_link(const struct value *v)
{
	const struct plan *plan = v->plan;
	struct suggest suggest = {.word = v->node->text};

	for (uint32_t i = 0; i < plan->link_count; i++) {
		suggest_offer(&suggest, plan->link[i].name);
		if (strcmp(plan->link[i].name, v->node->text) != 0)
			continue;
		store(v->field, v->to, i);
		return;
	}
	refuse_name(v, v->node, &suggest, "link");
}

static void read_hosts(const struct value *v)
{
	uint32_t bits = 0, index;

	for (const struct yaml_node *n = v->node->children; n; n = n->next) {
		if (n->kind != YAML_SCALAR || !host_index(v, n, &index))
			return;
		bits |= 1u << index;
	}
	store(v->field, v->to, bits);
}

void field_read(const struct field *field, void *base, const struct yaml_node *node,
		const struct plan *plan, struct diags *diags)
{
	struct value v = {field, (char *)base + field->offset, node, plan, diags};
	enum yaml_kind wanted = field->kind == FIELD_HOSTS ? YAML_LIST : YAML_SCALAR;

	if (node->kind != wanted) {
		diag_hint(diag_add(diags, node->place, "`%s` cannot be %s", field->key,
				   yaml_kind_name(node)),
			  "for example %s: %s", field->key, field->example);
		return;
	}
	switch (field->kind) {
	case FIELD_BOOL:
		read_bool(&v);
		break;
	case FIELD_CHOICE:
		read_choice(&v);
		break;
	case FIELD_HOST:
	case FIELD_END:
		read_host(&v);
		break;
	case FIELD_LINK:
		read_link(&v);
		break;
	case FIELD_HOSTS:
		read_hosts(&v);
		break;
	default:
		read_number(&v);
	}
}

static void format_hosts(const struct plan *plan, uint64_t bits, char *text)
{
	int len = snprintf(text, FIELD_TEXT_BYTES, "[");

	for (uint32_t i = 0; i < plan->host_count; i++)
		if (bits >> i & 1)
			len += snprintf(text + len, FIELD_TEXT_BYTES - (size_t)len, "%s%s",
					len > 1 ? ", " : "", plan->host[i].name);
	snprintf(text + len, FIELD_TEXT_BYTES - (size_t)len, "]");
}

const char *field_format(const struct field *f, const void *base, const struct plan *plan,
			 char text[FIELD_TEXT_BYTES])
{
	uint64_t number = fetch(f, base);
	const char *word;
	int len;

	switch (f->kind) {
	case FIELD_BOOL:
		return strcpy(text, number ? "true" : "false");
	case FIELD_CHOICE:
		word = field_word(f->choices, (uint32_t)number, &len);
		snprintf(text, FIELD_TEXT_BYTES, "%.*s", len, word ? word : "");
		break;
	case FIELD_HOST:
	case FIELD_END:
		snprintf(text, FIELD_TEXT_BYTES, "%s", plan_end_name(plan, (uint32_t)number));
		break;
	case FIELD_LINK:
		snprintf(text, FIELD_TEXT_BYTES, "%s", plan->link[number].name);
		break;
	case FIELD_HOSTS:
		format_hosts(plan, number, text);
		break;
	default:
		format_number(f, number, text);
	}
	return text;
}

bool field_equal(const struct field *field, const void *a, const void *b)
{
	return fetch(field, a) == fetch(field, b);
}
