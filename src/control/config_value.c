// SPDX-License-Identifier: BSD-3-Clause
// One value of the configuration: what each kind of schema.h accepts, where it is stored, how it
// is written back. config.c calls it for every key it knows. Each refusal says what was written,
// what is accepted, and with an example.

#include "control/config_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/assert.h"
#include "control/suggest.h"
#include "control/units.h"

// A scalar being read.
struct value {
	struct config *config;
	const struct schema_field *field;
	void *to; // the member
	const char *text;
	struct place place;
};

static void store(void *to, uint8_t width, uint64_t number)
{
	switch (width) {
	case 2:
		*(uint16_t *)to = (uint16_t)number;
		break;
	case 4:
		*(uint32_t *)to = (uint32_t)number;
		break;
	case 8:
		*(uint64_t *)to = number;
		break;
	default:
		ASSERT(!"an integer of the schema has 2, 4 or 8 bytes");
	}
}

static uint64_t fetch(const void *from, uint8_t width)
{
	switch (width) {
	case 2:
		return *(const uint16_t *)from;
	case 4:
		return *(const uint32_t *)from;
	default:
		return *(const uint64_t *)from;
	}
}

static void number_format(const struct schema_field *field, uint64_t number, char *text)
{
	if (field->kind == SCHEMA_TIME)
		units_time_format(number, text);
	else if (field->kind == SCHEMA_SIZE)
		units_size_format(number, text);
	else
		snprintf(text, UNITS_TEXT_BYTES, "%" PRIu64, number);
}

static void refuse_range(struct value *v)
{
	char min[UNITS_TEXT_BYTES], max[UNITS_TEXT_BYTES];

	number_format(v->field, v->field->min, min);
	number_format(v->field, v->field->max, max);
	diag_hint(diag_add(&v->config->diags, v->place, "`%s` is outside the range of `%s`",
			   v->text, v->field->key),
		  "from %s to %s%s are accepted", min, max, v->field->off ? ", or off" : "");
}

static void refuse_number(struct value *v, enum units_result result)
{
	const char *key = v->field->key;
	const char *units = v->field->kind == SCHEMA_TIME ? UNITS_TIME_NAMES : UNITS_SIZE_NAMES;
	struct diags *diags = &v->config->diags;

	if (result == UNITS_TOO_LARGE)
		refuse_range(v);
	else if (result == UNITS_MISSING)
		diag_hint(diag_add(diags, v->place, "`%s` has no unit, and `%s` needs one", v->text,
				   key),
			  "write it with one of %s, for example %s", units, v->field->example);
	else if (result == UNITS_UNKNOWN)
		diag_hint(diag_add(diags, v->place, "wrong unit in `%s` for `%s`", v->text, key),
			  "units are %s, for example %s", units, v->field->example);
	else
		diag_hint(diag_add(diags, v->place, "`%s` is not a %s", v->text,
				   v->field->kind == SCHEMA_NUMBER ? "whole number"
				   : v->field->kind == SCHEMA_TIME ? "time"
								   : "size"),
			  "for example %s: %s", key, v->field->example);
}

static void read_number(struct value *v)
{
	const struct schema_field *f = v->field;
	enum units_result result;
	uint64_t number = 0;

	if (f->off && strcmp(v->text, "off") == 0) {
		store(v->to, f->width, 0);
		return;
	}
	if (f->kind == SCHEMA_TIME)
		result = units_time(v->text, &number);
	else if (f->kind == SCHEMA_SIZE)
		result = units_size(v->text, &number);
	else
		result = units_count(v->text, &number);
	if (result != UNITS_OK)
		refuse_number(v, result);
	else if (number < f->min || number > f->max)
		refuse_range(v);
	else
		store(v->to, f->width, f->scale ? number / f->scale : number);
}

static void read_text(struct value *v)
{
	if (v->text[0] == '\0')
		diag_hint(diag_add(&v->config->diags, v->place, "`%s` is empty", v->field->key),
			  "for example %s: %s", v->field->key, v->field->example);
	else
		*(const char **)v->to = config_text(v->config, "%s", v->text);
}

static void read_name(struct value *v)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";
	size_t len = strlen(v->text);

	if (len == 0 || len > 31 || strspn(v->text, letters) != len)
		diag_hint(diag_add(&v->config->diags, v->place, "`%s` cannot be a %s", v->text,
				   v->field->key),
			  "use 1 to 31 letters, digits, - and _, for example %s: %s", v->field->key,
			  v->field->example);
	else
		read_text(v);
}

// Relative paths count from the configuration file's folder: it can be started from anywhere.
static void read_path(struct value *v)
{
	const char *slash = strrchr(v->config->path, '/');

	if (v->text[0] == '/' || v->text[0] == '\0' || !slash)
		read_text(v);
	else
		*(const char **)v->to =
			config_text(v->config, "%.*s/%s", (int)(slash - v->config->path),
				    v->config->path, v->text);
}

static void read_device(struct value *v)
{
	struct suggest suggest = {
		.word = config_text(v->config, "%.*s", (int)strcspn(v->text, ":"), v->text)};
	struct diags *diags = &v->config->diags;

	for (uint32_t i = 0; i < schema_device_count; i++) {
		const struct schema_device *device = &schema_devices[i];

		if (strcmp(device->kind, suggest.word) == 0) {
			const char *colon = strchr(v->text, ':');

			if (!colon || colon[1] == '\0')
				diag_hint(
					diag_add(diags, v->place, "`%s` names no device", v->text),
					"write %s:%s", device->kind, device->rest);
			else
				read_text(v);
			return;
		}
		suggest_offer(&suggest, device->kind);
	}
	struct diag *d = diag_add(diags, v->place, "unknown kind of device `%s`", suggest.word);
	if (suggest.best)
		diag_hint(d, "did you mean `%s:`?", suggest.best);
	else
		diag_hint(d, "devices are %s",
			  schema_field_find(schema_section_find("ports"), "device")->sentence);
}

static void read_bool(struct value *v)
{
	if (strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0)
		*(bool *)v->to = v->text[0] == 't';
	else
		diag_hint(diag_add(&v->config->diags, v->place, "`%s` is neither true nor false",
				   v->text),
			  "write %s: true or %s: false", v->field->key, v->field->key);
}

static void read_choice(struct value *v)
{
	struct suggest suggest = {.word = v->text};
	const char *word;
	uint32_t len;

	for (uint32_t i = 0; schema_word(v->field->choices, i, &word, &len); i++) {
		if (strlen(v->text) == len && strncmp(word, v->text, len) == 0) {
			if (v->field->kind == SCHEMA_WORD)
				read_text(v);
			else
				store(v->to, v->field->width, i);
			return;
		}
		suggest_offer(&suggest, config_text(v->config, "%.*s", (int)len, word));
	}
	struct diag *d = diag_add(&v->config->diags, v->place, "`%s` cannot be `%s`", v->field->key,
				  v->text);
	if (suggest.best)
		diag_hint(d, "did you mean `%s`?", suggest.best);
	else
		diag_hint(d, "one of: %s", v->field->choices);
}

// True for an address; otherwise a finding says why not.
static bool address_parse(struct value *v, const char *text, struct addr *addr)
{
	struct diags *diags = &v->config->diags;

	if (!addr_parse(text, addr)) {
		diag_hint(diag_add(diags, v->place, "`%s` is not an address", text),
			  "for example %s: %s", v->field->key, v->field->example);
		return false;
	}
	return true;
}

static void read_address(struct value *v)
{
	struct addr addr;

	if (strchr(v->text, '/'))
		diag_hint(diag_add(&v->config->diags, v->place,
				   "`%s` takes an address without a prefix length", v->field->key),
			  "for example %s: %s", v->field->key, v->field->example);
	else if (address_parse(v, v->text, &addr))
		memcpy(v->to, &addr, sizeof addr);
}

static void read_prefix(struct value *v)
{
	const char *slash = strchr(v->text, '/');
	struct prism_prefix *prefix = v->to;
	struct addr addr;
	uint64_t len = 0;

	if (!slash) {
		if (address_parse(v, v->text, &addr))
			diag_hint(diag_add(&v->config->diags, v->place, "`%s` has no prefix length",
					   v->text),
				  "write the network's size behind it, for example %s/%d", v->text,
				  addr_is_v4(&addr) ? 24 : 64);
		return;
	}
	if (!address_parse(v, config_text(v->config, "%.*s", (int)(slash - v->text), v->text),
			   &addr))
		return;
	if (units_count(slash + 1, &len) != UNITS_OK || len > (addr_is_v4(&addr) ? 32 : 128)) {
		diag_hint(diag_add(&v->config->diags, v->place, "`%s` is not a prefix length of %s",
				   slash + 1, addr_is_v4(&addr) ? "IPv4" : "IPv6"),
			  addr_is_v4(&addr) ? "from 0 to 32 are accepted, for example /24"
					    : "from 0 to 128 are accepted, for example /64");
		return;
	}
	memcpy(&prefix->addr, &addr, sizeof addr);
	prefix->len = (uint8_t)len;
}

static void read_workers(struct value *v)
{
	uint64_t count;

	if (units_count(v->text, &count) != UNITS_OK)
		diag_hint(diag_add(&v->config->diags, v->place,
				   "`%s` is neither a count nor a list of cpus", v->text),
			  "write workers: 2, or workers: [2, 3] to pin two to cpus 2 and 3");
	else if (count == 0 || count > PRISM_WORKERS_MAX)
		diag_hint(diag_add(&v->config->diags, v->place, "%s workers", v->text),
			  "from 1 to %d are accepted", PRISM_WORKERS_MAX);
	else
		v->config->options.workers = (uint32_t)count;
}

static void read_scalar(struct value *v)
{
	static void (*const read_by_kind[])(struct value *) = {
		[SCHEMA_TEXT] = read_text,       [SCHEMA_NAME] = read_name,
		[SCHEMA_DEVICE] = read_device,   [SCHEMA_PATH] = read_path,
		[SCHEMA_NUMBER] = read_number,   [SCHEMA_TIME] = read_number,
		[SCHEMA_SIZE] = read_number,     [SCHEMA_BOOL] = read_bool,
		[SCHEMA_CHOICE] = read_choice,   [SCHEMA_ADDRESS] = read_address,
		[SCHEMA_PREFIX] = read_prefix,   [SCHEMA_PREFIXES] = read_prefix,
		[SCHEMA_WORKERS] = read_workers, [SCHEMA_WORD] = read_choice,
	};

	read_by_kind[v->field->kind](v);
}

static void read_prefixes(struct config *config, const struct schema_field *field, void *base,
			  const struct yaml_node *list)
{
	struct prism_prefix *prefixes = (void *)((char *)base + field->offset);
	uint32_t *count = (void *)((char *)base + field->count_offset);

	for (const struct yaml_node *item = list->children; item; item = item->next) {
		struct value v = {config, field, &prefixes[*count], item->text, item->place};

		if (item->kind != YAML_SCALAR) {
			diag_add(&config->diags, item->place, "%s where an address belongs",
				 yaml_kind_name(item));
		} else if (*count == PRISM_PORT_ADDRESSES_MAX) {
			diag_hint(
				diag_add(&config->diags, item->place, "too many `%s`", field->key),
				"a port takes %d", PRISM_PORT_ADDRESSES_MAX);
			return;
		} else {
			uint32_t found_before = config->diags.count;

			read_scalar(&v);
			if (config->diags.count == found_before)
				config_set(config, &prefixes[(*count)++], item->place);
		}
	}
}

static bool cpu_is_listed(const struct prism_options *o, int cpu)
{
	for (uint32_t i = 0; i < o->workers; i++)
		if (o->cores[i] == cpu)
			return true;
	return false;
}

static void read_cpu(struct config *config, const struct yaml_node *item)
{
	struct prism_options *o = &config->options;
	uint64_t cpu;

	if (item->kind != YAML_SCALAR || units_count(item->text, &cpu) != UNITS_OK || cpu > 4095)
		diag_hint(diag_add(&config->diags, item->place, "not the number of a cpu"),
			  "lscpu --extended lists them");
	else if (cpu_is_listed(o, (int)cpu))
		diag_hint(
			diag_add(&config->diags, item->place, "cpu %s is listed twice", item->text),
			"two workers on one cpu take it from each other; list each once");
	else if (o->workers == PRISM_WORKERS_MAX)
		diag_hint(diag_add(&config->diags, item->place, "too many workers"),
			  "at most %d are accepted", PRISM_WORKERS_MAX);
	else
		o->cores[o->workers++] = (int16_t)cpu;
}

// workers: [2, 3]
static void read_cpu_list(struct config *config, const struct yaml_node *list)
{
	struct prism_options *o = &config->options;

	if (!list->children)
		diag_hint(diag_add(&config->diags, list->place, "no cpu is listed"),
			  "list one for each worker: workers: [0]");
	o->workers = 0;
	for (const struct yaml_node *item = list->children; item; item = item->next)
		read_cpu(config, item);
	o->core = o->workers ? o->cores[0] : -1;
}

void config_value_read(struct config *config, const struct schema_field *field, void *base,
		       const struct yaml_node *node)
{
	struct value v = {config, field, (char *)base + field->offset, node->text, node->place};

	if (node->kind == YAML_LIST && field->kind == SCHEMA_PREFIXES)
		read_prefixes(config, field, base, node);
	else if (node->kind == YAML_LIST && field->kind == SCHEMA_WORKERS)
		read_cpu_list(config, node);
	else if (node->kind != YAML_SCALAR || field->kind == SCHEMA_PREFIXES)
		diag_hint(diag_add(&config->diags, node->place, "`%s` cannot be %s", field->key,
				   yaml_kind_name(node)),
			  "for example %s: %s", field->key, field->example);
	else if (node->plain && node->text[0] == '\0')
		diag_hint(diag_add(&config->diags, node->key ? node->key->place : node->place,
				   "`%s` has no value", field->key),
			  "for example %s: %s", field->key, field->example);
	else
		read_scalar(&v);
}

void config_value_default(struct config *config, const struct schema_field *field, void *base)
{
	struct value v = {config, field, (char *)base + field->offset, field->fallback, {0}};

	if (field->fallback)
		read_scalar(&v);
}

void config_prefix_format(const struct prism_prefix *prefix, char *text, size_t text_bytes)
{
	char addr_text[ADDR_TEXT_BYTES];
	struct addr addr;

	memcpy(&addr, &prefix->addr, sizeof addr);
	snprintf(text, text_bytes, "%s/%u", addr_format(&addr, addr_text), prefix->len);
}

static void prefixes_format(const struct schema_field *field, const void *base, char *text,
			    size_t text_bytes)
{
	const struct prism_prefix *prefixes = (const void *)((const char *)base + field->offset);
	uint32_t count = *(const uint32_t *)((const char *)base + field->count_offset);
	size_t at = 0;

	for (uint32_t i = 0; i < count && at < text_bytes; i++) {
		char one[ADDR_TEXT_BYTES + 8];

		config_prefix_format(&prefixes[i], one, sizeof one);
		at += (size_t)snprintf(text + at, text_bytes - at, "%s%s", i ? ", " : "[", one);
	}
	if (count && at < text_bytes)
		snprintf(text + at, text_bytes - at, "]");
}

static void address_format(const void *from, char *text, size_t text_bytes)
{
	char addr_text[ADDR_TEXT_BYTES];
	struct addr addr;

	memcpy(&addr, from, sizeof addr);
	if (!addr_is_any(&addr))
		snprintf(text, text_bytes, "%s", addr_format(&addr, addr_text));
}

void config_value_format(const struct schema_field *field, const void *base, char *text,
			 size_t text_bytes)
{
	const void *from = (const char *)base + field->offset;
	char number[UNITS_TEXT_BYTES];
	const char *word;
	uint32_t len;
	uint64_t value;

	text[0] = '\0';
	switch (field->kind) {
	case SCHEMA_TEXT:
	case SCHEMA_NAME:
	case SCHEMA_DEVICE:
	case SCHEMA_PATH:
	case SCHEMA_WORD:
		if (*(const char *const *)from)
			snprintf(text, text_bytes, "%s", *(const char *const *)from);
		break;
	case SCHEMA_NUMBER:
	case SCHEMA_TIME:
	case SCHEMA_SIZE:
		value = fetch(from, field->width);
		number_format(field, value * (field->scale ? field->scale : 1), number);
		if (value || field->off)
			snprintf(text, text_bytes, "%s", value ? number : "off");
		break;
	case SCHEMA_BOOL:
		snprintf(text, text_bytes, "%s", *(const bool *)from ? "true" : "false");
		break;
	case SCHEMA_CHOICE:
		if (schema_word(field->choices, (uint32_t)fetch(from, field->width), &word, &len))
			snprintf(text, text_bytes, "%.*s", (int)len, word);
		break;
	case SCHEMA_ADDRESS:
		address_format(from, text, text_bytes);
		break;
	case SCHEMA_PREFIX:
		config_prefix_format(from, text, text_bytes);
		break;
	case SCHEMA_PREFIXES:
		prefixes_format(field, base, text, text_bytes);
		break;
	case SCHEMA_WORKERS:
		snprintf(text, text_bytes, *(const int *)from < 0 ? "1" : "[%d]",
			 *(const int *)from);
		break;
	}
}
