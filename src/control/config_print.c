// SPDX-License-Identifier: BSD-3-Clause
// Writes what the schema's table knows: a JSON Schema for editors, a commented sample that is
// itself valid, and the effective values of a file with where each came from. Called by prism
// config; a test holds that the sample checks and that the schema accepts what the reader accepts.

#include "control/config_print.h"

#include <jansson.h>
#include <string.h>

#include "control/config_value.h"
#include "control/schema.h"

#define VALUE_TEXT_BYTES 512

// An address: strict enough for an editor to underline; prism check knows the rest.
#define IPV4_PATTERN "([0-9]{1,3}\\.){3}[0-9]{1,3}"
#define IPV6_PATTERN "[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*"
#define ADDRESS_PATTERN "^(" IPV4_PATTERN "|" IPV6_PATTERN ")$"
#define PREFIX_PATTERN \
	"^(" IPV4_PATTERN "/([0-9]|[12][0-9]|3[0-2])|" IPV6_PATTERN \
	"/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))$"

static json_t *text_matching(const char *pattern)
{
	return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *words_of(const char *words)
{
	json_t *list = json_array();
	const char *word;
	uint32_t len;

	for (uint32_t i = 0; schema_word(words, i, &word, &len); i++)
		json_array_append_new(list, json_stringn(word, len));
	return json_pack("{s:o}", "enum", list);
}

static json_t *device_schema(void)
{
	char pattern[256] = "^(";

	for (uint32_t i = 0; i < schema_device_count; i++) {
		strcat(pattern, i ? "|" : "");
		strcat(pattern, schema_devices[i].kind);
	}
	strcat(pattern, "):.+");
	return text_matching(pattern);
}

static json_t *time_schema(const struct schema_field *field)
{
	// YAML 1.2's core schema reads off as a text, YAML 1.1 tools as false.
	return text_matching(field->off ? "^(off|0|[0-9]+ *(ns|us|ms|s|min|h))$"
					: "^[0-9]+ *(ns|us|ms|s|min|h)$");
}

static json_t *value_schema(const struct schema_field *field)
{
	switch (field->kind) {
	case SCHEMA_NAME:
		return text_matching("^[A-Za-z0-9_-]{1,31}$");
	case SCHEMA_DEVICE:
		return device_schema();
	case SCHEMA_NUMBER:
		return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum",
				 (json_int_t)field->min, "maximum", (json_int_t)field->max);
	case SCHEMA_TIME:
		return time_schema(field);
	case SCHEMA_SIZE:
		return text_matching("^[0-9]+ *([KMG]i?)?B$");
	case SCHEMA_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case SCHEMA_CHOICE:
	case SCHEMA_WORD:
		return words_of(field->choices);
	case SCHEMA_ADDRESS:
		return text_matching(ADDRESS_PATTERN);
	case SCHEMA_PREFIX:
		return text_matching(PREFIX_PATTERN);
	case SCHEMA_PREFIXES:
		return json_pack("{s:s, s:o, s:i}", "type", "array", "items",
				 text_matching(PREFIX_PATTERN), "maxItems",
				 PRISM_PORT_ADDRESSES_MAX);
	case SCHEMA_WORKERS:
		return json_pack("{s:[{s:s, s:i, s:i}, {s:s, s:{s:s, s:i}, s:i, s:i, s:b}]}",
				 "oneOf", "type", "integer", "minimum", 1, "maximum",
				 PRISM_WORKERS_MAX, "type", "array", "items", "type", "integer",
				 "minimum", 0, "minItems", 1, "maxItems", PRISM_WORKERS_MAX,
				 "uniqueItems", true);
	case SCHEMA_TEXT:
	case SCHEMA_PATH:
		break;
	}
	return json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
}

static json_t *described(json_t *schema, const struct schema_field *field)
{
	char text[VALUE_TEXT_BYTES];

	snprintf(text, sizeof text, "%s%s%s%s%s%s%s%s", field->sentence,
		 field->only ? " (only for " : "", field->only ? field->only : "",
		 field->only ? ")" : "", field->fallback ? "; default: " : "",
		 field->fallback ? field->fallback : "", field->absent ? "; when absent: " : "",
		 field->absent ? field->absent : "");
	json_object_set_new(schema, "description", json_string(text));
	return schema;
}

static json_t *map_schema(const struct schema_section *section)
{
	json_t *properties = json_object(), *required = json_array();

	for (uint32_t i = 0; i < section->field_count; i++) {
		const struct schema_field *field = &section->fields[i];

		json_object_set_new(properties, field->key, described(value_schema(field), field));
		if (field->required)
			json_array_append_new(required, json_string(field->key));
	}
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
			 "required", required, "additionalProperties", 0);
}

void config_print_schema(FILE *out)
{
	json_t *root = map_schema(schema_section_find(""));
	json_t *properties = json_object_get(root, "properties");

	for (uint32_t i = 0; i < schema_section_count; i++) {
		const struct schema_section *section = &schema_sections[i];

		if (!section->key[0])
			continue;
		json_t *schema = map_schema(section);
		if (section->list)
			schema = json_pack("{s:s, s:o, s:i}", "type", "array", "items", schema,
					   "maxItems", (int)section->item_max);
		json_object_set_new(schema, "description", json_string(section->sentence));
		json_object_set_new(properties, section->key, schema);
	}
	json_array_append_new(json_object_get(root, "required"), json_string("ports"));
	json_object_set_new(json_object_get(properties, "ports"), "minItems", json_integer(1));
	json_object_set_new(root, "$schema",
			    json_string("https://json-schema.org/draft/2020-12/schema"));
	json_object_set_new(root, "title", json_string("Prism configuration"));
	json_dumpf(root, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(root);
}

// What the sample sets; the rest of it is in comments.
static bool sample_sets(const struct schema_section *section, const struct schema_field *field)
{
	static const char *const keys[] = {
		":instance",
		"ports:name",
		"ports:device",
		"ports:addresses",
		"ports:kernel_addresses",
		"services:type",
		"services:port",
	};
	char key[64];

	snprintf(key, sizeof key, "%s:%s", section->key, field->key);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

// A sample must check without any folder being there, so its service is echo.
static const char *sample_value(const struct schema_section *section,
				const struct schema_field *field)
{
	if (strcmp(section->key, "services") != 0)
		return field->example;
	if (strcmp(field->key, "type") == 0)
		return "echo";
	return strcmp(field->key, "port") == 0 ? "7" : field->example;
}

static void print_sample_field(const struct schema_section *section,
			       const struct schema_field *field, uint32_t index, FILE *out)
{
	char line[VALUE_TEXT_BYTES];
	bool set = sample_sets(section, field);
	const char *lead = !section->key[0] ? "" : !section->list ? "  " : index ? "    " : "  - ";

	snprintf(line, sizeof line, "%s%s%s: %s", set ? "" : "#", lead, field->key,
		 sample_value(section, field));
	fprintf(out, "%-44s # %s", line, field->sentence);
	if (field->only)
		fprintf(out, " (%s)", field->only);
	if (!set && field->absent)
		fprintf(out, "; when absent: %s", field->absent);
	fputc('\n', out);
}

static void print_section_comment(const struct schema_section *section, FILE *out)
{
	fprintf(out, "\n# %s\n", section->sentence);
	if (strcmp(section->key, "ports") == 0)
		for (uint32_t i = 0; i < schema_device_count; i++) {
			char device[64];

			snprintf(device, sizeof device, "%s:%s", schema_devices[i].kind,
				 schema_devices[i].rest);
			fprintf(out, "#   %-34s %s\n", device, schema_devices[i].sentence);
		}
}

void config_print_sample(FILE *out)
{
	fputs("# A Prism configuration with every key there is. Lines behind # are defaults or\n"
	      "# examples; remove the # to set them. prism check FILE reads it, prism run FILE\n"
	      "# starts it.\n",
	      out);
	for (uint32_t s = 0; s < schema_section_count; s++) {
		const struct schema_section *section = &schema_sections[s];
		bool sets = false;

		for (uint32_t i = 0; i < section->field_count; i++)
			sets |= sample_sets(section, &section->fields[i]);
		print_section_comment(section, out);
		if (section->key[0])
			fprintf(out, "%s%s:\n", sets ? "" : "#", section->key);
		for (uint32_t i = 0; i < section->field_count; i++)
			print_sample_field(section, &section->fields[i], i, out);
	}
}

static void print_effective_field(struct config *config, const struct schema_field *field,
				  const void *base, const char *lead, FILE *out)
{
	char value[VALUE_TEXT_BYTES], line[VALUE_TEXT_BYTES + 64];
	struct place place = config_place(config, (const char *)base + field->offset);

	config_value_format(field, base, value, sizeof value);
	if (!value[0]) {
		snprintf(line, sizeof line, "#%s%s:", lead, field->key);
		fprintf(out, "%-44s # absent: %s\n", line, field->absent ? field->absent : "");
		return;
	}
	snprintf(line, sizeof line, "%s%s: %s", lead, field->key, value);
	if (place.line)
		fprintf(out, "%-44s # %s:%u\n", line, config->path, place.line);
	else
		fprintf(out, "%-44s # default\n", line);
}

static bool concerns(const struct schema_section *section, const struct schema_field *field,
		     const void *base)
{
	if (!field->only || strcmp(section->key, "services") != 0)
		return true;
	return strcmp(((const struct service_config *)base)->type, field->only) == 0;
}

static void print_effective_map(struct config *config, const struct schema_section *section,
				const void *base, FILE *out)
{
	bool first = true;

	for (uint32_t i = 0; i < section->field_count; i++) {
		const char *lead = !section->key[0] ? ""
				   : !section->list ? "  "
				   : first          ? "  - "
						    : "    ";

		if (!concerns(section, &section->fields[i], base))
			continue;
		print_effective_field(config, &section->fields[i], base, lead, out);
		first = false;
	}
}

void config_print_effective(struct config *config, FILE *out)
{
	for (uint32_t s = 0; s < schema_section_count; s++) {
		const struct schema_section *section = &schema_sections[s];
		const char *base = (const char *)config + section->offset;
		uint32_t count = 1;

		if (section->list)
			count = *(const uint32_t *)((const char *)config + section->count_offset);
		if (section->key[0])
			fprintf(out, "%s:%s\n", section->key, count ? "" : " []");
		for (uint32_t i = 0; i < count; i++)
			print_effective_map(config, section, base + i * section->item_bytes, out);
	}
}
