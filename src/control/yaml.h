// SPDX-License-Identifier: BSD-3-Clause
// A YAML file as a tree in which every node knows its place.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/diag.h"

enum yaml_kind { YAML_SCALAR, YAML_MAP, YAML_LIST };

struct yaml_node {
	enum yaml_kind kind;
	struct place place;
	const char *text;              // SCALAR: its value
	bool plain;                    // SCALAR: written without quotes
	struct yaml_node *key;         // of a MAP's child: its key
	struct yaml_node *children;    // MAP and LIST, in the file's order
	struct yaml_node *last;        // of children
	struct yaml_node *next;        // sibling
	struct yaml_node *made_before; // all nodes of a tree, for yaml_free
};

struct yaml {
	char *source;           // the file's text, diagnostics quote it
	struct yaml_node *root; // NULL for an empty file
	struct yaml_node *made_last;
};

// Reads path ("-": standard input). Syntax errors are added to diags, which keeps a reference to
// yaml->source. 0; -errno when the file cannot be read (a finding as well).
int yaml_load(struct yaml *yaml, const char *path, struct diags *diags);
void yaml_free(struct yaml *yaml);

// "a single value", "a list", "a mapping (key: value)", for messages.
const char *yaml_kind_name(const struct yaml_node *node);
