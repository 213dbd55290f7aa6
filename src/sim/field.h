// SPDX-License-Identifier: BSD-3-Clause
// One value of a scenario: text in, a member of a struct out, and back. What keys there are is
// sim/plan_fields.c's table.
#pragma once

#include "control/diag.h"
#include "control/yaml.h"
#include "sim/plan.h"

enum field_kind {
	FIELD_NUMBER, // an integer of width bytes
	FIELD_TIME,   // uint64_t, nanoseconds
	FIELD_SIZE,   // an integer of width bytes, bytes
	FIELD_PPM,    // uint32_t: "0.1%" or "1000ppm"
	FIELD_RATE,   // uint64_t, bits a second: "100Mbit"
	FIELD_BOOL,   // bool
	FIELD_CHOICE, // uint32_t: the index into choices
	FIELD_HOST,   // uint32_t: of plan.host
	FIELD_END,    // uint32_t: a host or a switch
	FIELD_LINK,   // uint32_t: of plan.link
	FIELD_HOSTS,  // uint32_t: a bit each
};

struct field {
	const char *key;
	enum field_kind kind;
	uint8_t width;
	uint32_t offset;     // in the section's struct
	uint64_t min, max;   // of numbers, both included
	const char *choices; // words with a space between
	const char *only; // what the first key of the entry must say for this one to mean anything
	const char *example;
	const char *sentence;
};

struct fields {
	const char *section; // as in the file
	const struct field *field;
	uint32_t count;
	const char *sentence;
};

extern const struct fields fields_host, fields_faults, fields_app, fields_side, fields_event,
	fields_tcp, fields_hardship, fields_expect, fields_top;

// Reads node into field's member of the struct at base; names are looked up in plan. What is wrong
// is added to diags.
void field_read(const struct field *field, void *base, const struct yaml_node *node,
		const struct plan *plan, struct diags *diags);

// The member as it stands in a file. Returns text.
#define FIELD_TEXT_BYTES 512
const char *field_format(const struct field *field, const void *base, const struct plan *plan,
			 char text[FIELD_TEXT_BYTES]);

// Both structs have the same there.
bool field_equal(const struct field *field, const void *a, const void *b);

// The field called key, or NULL.
const struct field *field_find(const struct fields *fields, const char *key);

// "bulk", the index-th of words; its length. NULL at the end.
const char *field_word(const char *words, uint32_t index, int *len);

// Words holds word.
bool field_is_word(const char *words, const char *word);
