// SPDX-License-Identifier: BSD-3-Clause
// Reads a configuration file: walks the YAML tree beside the table of schema.c, two levels deep
// (section, then its keys), and collects findings instead of stopping at the first. Called by the
// prism command and by prism_options_load; calls config_value.c for each value and config_check.c
// for what only shows between values. Plain heap: nothing runs yet.

#include "control/config.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/config_value.h"
#include "control/schema.h"
#include "control/suggest.h"

const char *config_text(struct config *config, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	struct config_text *t = malloc(sizeof *t + (size_t)len + 1);
	if (!t)
		abort(); // as yaml.c: a few bytes before anything runs
	va_start(args, format);
	vsnprintf(t->text, (size_t)len + 1, format, args);
	va_end(args);
	t->before = config->text_last;
	config->text_last = t;
	return t->text;
}

void config_set(struct config *config, const void *value, struct place place)
{
	struct config_set *set = malloc(sizeof *set);

	if (!set)
		abort();
	*set = (struct config_set){value, place, false, config->set_last};
	config->set_last = set;
}

bool config_refused(const struct config *config, const void *value)
{
	for (const struct config_set *set = config->set_last; set; set = set->before)
		if (set->value == value && set->refused)
			return true;
	return false;
}

struct place config_place(const struct config *config, const void *value)
{
	for (const struct config_set *set = config->set_last; set; set = set->before)
		if (set->value == value)
			return set->place;
	return (struct place){0};
}

static void *section_base(struct config *config, const struct schema_section *section)
{
	return (char *)config + section->offset;
}

static bool is_repeated(struct config *config, const struct yaml_node *map,
			const struct yaml_node *child)
{
	for (const struct yaml_node *c = map->children; c != child; c = c->next) {
		if (strcmp(c->key->text, child->key->text) != 0)
			continue;
		diag_hint(diag_add(&config->diags, child->key->place, "`%s` is given twice",
				   child->key->text),
			  "the first is on line %u; keep one of them", c->key->place.line);
		return true;
	}
	return false;
}

// section NULL: a key at the top of the file.
static void refuse_unknown(struct config *config, const struct schema_section *section,
			   const struct yaml_node *key)
{
	const struct schema_section *fields = section ? section : schema_section_find("");
	struct suggest suggest = {.word = key->text};

	for (uint32_t i = 0; i < fields->field_count; i++)
		suggest_offer(&suggest, fields->fields[i].key);
	for (uint32_t i = 0; !section && i < schema_section_count; i++)
		if (schema_sections[i].key[0])
			suggest_offer(&suggest, schema_sections[i].key);
	struct diag *d =
		section ? diag_add(&config->diags, key->place, "unknown key `%s` in `%s`",
				   key->text, section->key)
			: diag_add(&config->diags, key->place, "unknown key `%s`", key->text);
	if (suggest.best)
		diag_hint(d, "did you mean `%s`?", suggest.best);
	else
		diag_hint(d, "prism config init lists every key there is");
}

static void require_all(struct config *config, const struct schema_section *section, void *base,
			const struct yaml_node *map)
{
	for (uint32_t i = 0; i < section->field_count; i++) {
		const struct schema_field *field = &section->fields[i];

		if (!field->required ||
		    config_place(config, (char *)base + field->offset).line != 0)
			continue;
		diag_hint(diag_add(&config->diags, map->place,
				   "`%s` is missing from this entry of "
				   "`%s`",
				   field->key, section->key),
			  "for example %s: %s", field->key, field->example);
	}
}

static void read_value(struct config *config, const struct schema_field *field, void *base,
		       const struct yaml_node *node)
{
	uint32_t found_before = config->diags.count;

	config_set(config, (char *)base + field->offset, node->place);
	struct config_set *set = config->set_last;
	config_value_read(config, field, base, node);
	set->refused = config->diags.count != found_before;
}

static void read_section_map(struct config *config, const struct schema_section *section,
			     void *base, const struct yaml_node *map)
{
	if (map->kind != YAML_MAP) {
		diag_hint(diag_add(&config->diags, map->place, "`%s` cannot be %s", section->key,
				   yaml_kind_name(map)),
			  "write %skey: value%s, for example %s: %s", section->list ? "- {" : "",
			  section->list ? ", ...}" : " lines below it", section->fields[0].key,
			  section->fields[0].example);
		return;
	}
	for (const struct yaml_node *child = map->children; child; child = child->next) {
		const struct schema_field *field = schema_field_find(section, child->key->text);

		if (!field)
			refuse_unknown(config, section, child->key);
		else if (!is_repeated(config, map, child))
			read_value(config, field, base, child);
	}
	require_all(config, section, base, map);
}

static void read_section_list(struct config *config, const struct schema_section *section,
			      const struct yaml_node *list)
{
	uint32_t *count = (void *)((char *)config + section->count_offset);

	if (list->kind != YAML_LIST) {
		diag_hint(diag_add(&config->diags, list->place, "`%s` is a list, not %s",
				   section->key, yaml_kind_name(list)),
			  "begin each entry with a dash: - {%s: %s, ...}", section->fields[0].key,
			  section->fields[0].example);
		return;
	}
	for (const struct yaml_node *item = list->children; item; item = item->next) {
		char *base = (char *)section_base(config, section) + *count * section->item_bytes;

		if (*count == section->item_max) {
			diag_hint(diag_add(&config->diags, item->place, "too many `%s`",
					   section->key),
				  "at most %u", section->item_max);
			return;
		}
		for (uint32_t i = 0; i < section->field_count; i++)
			config_value_default(config, &section->fields[i], base);
		(*count)++;
		read_section_map(config, section, base, item);
	}
}

static void read_top(struct config *config, const struct yaml_node *root)
{
	const struct schema_section *top = schema_section_find("");

	for (const struct yaml_node *child = root->children; child; child = child->next) {
		const char *key = child->key->text;
		const struct schema_section *section = key[0] ? schema_section_find(key) : NULL;
		const struct schema_field *field = schema_field_find(top, key);

		if (!section && !field)
			refuse_unknown(config, NULL, child->key);
		else if (is_repeated(config, root, child))
			continue;
		else if (field)
			read_value(config, field, config, child);
		else if (child->kind == YAML_SCALAR && child->plain && !child->text[0])
			continue; // `routes:` with nothing below it
		else if (section->list)
			read_section_list(config, section, child);
		else
			read_section_map(config, section, section_base(config, section), child);
	}
}

static void set_defaults(struct config *config)
{
	prism_options_init(&config->options, sizeof config->options);
	for (uint32_t s = 0; s < schema_section_count; s++) {
		const struct schema_section *section = &schema_sections[s];

		for (uint32_t i = 0; !section->list && i < section->field_count; i++)
			config_value_default(config, &section->fields[i],
					     section_base(config, section));
	}
}

struct config *config_load(const char *path)
{
	struct config *config = calloc(1, sizeof *config);

	if (!config)
		abort();
	config->path = config_text(config, "%s", path);
	config->diags.path = config->path;
	set_defaults(config);
	if (yaml_load(&config->yaml, path, &config->diags) != 0)
		return config;
	const struct yaml_node *root = config->yaml.root;
	if (!root || root->kind != YAML_MAP) {
		diag_hint(diag_add(&config->diags, root ? root->place : (struct place){0},
				   root ? "the file must be a mapping (key: value)"
					: "the file is empty"),
			  "prism config init > FILE writes a commented one to start from");
		return config;
	}
	read_top(config, root);
	config->options.sample_one_in =
		config->sample_one_in ? config->sample_one_in : PRISM_SAMPLE_NONE;
	config_check(config);
	diags_sort(&config->diags);
	return config;
}

void config_free(struct config *config)
{
	while (config->set_last) {
		struct config_set *before = config->set_last->before;

		free(config->set_last);
		config->set_last = before;
	}
	while (config->text_last) {
		struct config_text *before = config->text_last->before;

		free(config->text_last);
		config->text_last = before;
	}
	yaml_free(&config->yaml);
	free(config);
}
