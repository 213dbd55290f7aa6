// SPDX-License-Identifier: BSD-3-Clause
// What may stand in a configuration file: one table that drives reading, defaults, units, ranges,
// the JSON Schema, the commented sample and the list of effective values.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum schema_kind {
	SCHEMA_TEXT,     // const char *
	SCHEMA_NAME,     // const char *: letters, digits, '-', '_'
	SCHEMA_DEVICE,   // const char *: KIND:REST
	SCHEMA_PATH,     // const char *: relative to the file's folder
	SCHEMA_NUMBER,   // an integer of width bytes
	SCHEMA_TIME,     // an integer of width bytes, nanoseconds
	SCHEMA_SIZE,     // an integer of width bytes, bytes / scale
	SCHEMA_BOOL,     // bool
	SCHEMA_CHOICE,   // an enum, the index into choices
	SCHEMA_WORD,     // const char *: one of choices
	SCHEMA_ADDRESS,  // struct prism_addr
	SCHEMA_PREFIX,   // struct prism_prefix
	SCHEMA_PREFIXES, // struct prism_prefix[], and uint32_t at count_offset
	SCHEMA_WORKERS,  // of prism_options: workers, core, cores
};

struct schema_field {
	const char *key;
	enum schema_kind kind;
	bool required;
	bool off;        // TIME: "off" is 0
	uint8_t width;   // bytes of the integer
	uint32_t offset; // in the section's struct
	uint32_t count_offset;
	uint32_t scale;    // SIZE: stored in units of so many bytes, 0 as 1
	uint64_t min, max; // accepted, both included; in the stored kind's base unit (1, ns, bytes)
	const char *choices;  // CHOICE, WORD: words with a space between
	const char *only;     // services: the types that know this key, NULL for all
	const char *fallback; // the value when the key is absent, as text; NULL: none
	const char *absent;   // what it means that it is absent, when there is no fallback
	const char *example;  // for the sample
	const char *sentence;
};

struct schema_section {
	const char *key;     // "" for the values at the top of the file
	bool list;           // a list of mappings; else one mapping
	uint32_t offset;     // in struct config: of the struct, or of the array's first
	uint32_t item_bytes; // list: one item
	uint32_t item_max;
	uint32_t count_offset; // list: of the uint32_t count, in struct config
	const struct schema_field *fields;
	uint32_t field_count;
	const char *sentence;
};

extern const struct schema_section schema_sections[];
extern const uint32_t schema_section_count;

// Device kinds: "tap", what follows the colon, what it is for.
struct schema_device {
	const char *kind, *rest, *sentence;
};

extern const struct schema_device schema_devices[];
extern const uint32_t schema_device_count;

const struct schema_section *schema_section_find(const char *key);
const struct schema_field *schema_field_find(const struct schema_section *section, const char *key);

// The n-th word of a list of words with a space between, as offset and length; false at the end.
bool schema_word(const char *words, uint32_t n, const char **word, uint32_t *len);
