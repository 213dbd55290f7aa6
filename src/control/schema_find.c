// SPDX-License-Identifier: BSD-3-Clause
// Looking things up in the table of schema.c: sections and fields by their keys, the words of a
// choice by their number. Called by whoever reads, checks, prints or explains a configuration;
// calls nothing.
#include <string.h>

#include "control/schema.h"

const struct schema_section *schema_section_find(const char *key)
{
	for (uint32_t i = 0; i < schema_section_count; i++)
		if (strcmp(schema_sections[i].key, key) == 0)
			return &schema_sections[i];
	return NULL;
}

const struct schema_field *schema_field_find(const struct schema_section *section, const char *key)
{
	for (uint32_t i = 0; i < section->field_count; i++)
		if (strcmp(section->fields[i].key, key) == 0)
			return &section->fields[i];
	return NULL;
}

bool schema_word(const char *words, uint32_t n, const char **word, uint32_t *len)
{
	for (; n > 0; n--) {
		words = strchr(words, ' ');
		if (!words)
			return false;
		words++;
	}
	*word = words;
	*len = (uint32_t)strcspn(words, " ");
	return true;
}
