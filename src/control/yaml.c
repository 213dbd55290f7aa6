// SPDX-License-Identifier: BSD-3-Clause
// A YAML file as a tree. libfyaml parses; its events are put together here rather than by its
// document API, because that one merges repeated keys away before their second place can be shown.
// Called by control/config.c alone. Deliberately absent: anchors, aliases, tags, directives and
// several documents; a configuration that needs them is refused by name.

#include "control/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

// The configuration nests four deep; the rest is for foreign files and their messages.
#define DEPTH_MAX 32
#define FILE_BYTES_MAX (1 << 20)

struct builder {
	struct yaml *yaml;
	struct diags *diags;
	struct yaml_node *open[DEPTH_MAX]; // containers around the next node
	uint32_t depth;
	struct yaml_node *key; // read, its value comes next
	bool failed;
};

const char *yaml_kind_name(const struct yaml_node *node)
{
	static const char *const names[] = {"a single value", "a mapping (key: value)", "a list"};

	return names[node->kind];
}

static struct place place_of(struct fy_event *event)
{
	const struct fy_mark *start = fy_event_start_mark(event), *end = fy_event_end_mark(event);
	struct place place = {1, 1, 1};

	if (!start)
		return place;
	place.line = (uint32_t)start->line + 1;
	place.column = (uint32_t)start->column + 1;
	if (end && end->line == start->line && end->column > start->column)
		place.len = (uint32_t)(end->column - start->column);
	return place;
}

static struct yaml_node *node_new(struct builder *b, enum yaml_kind kind, struct place place)
{
	struct yaml_node *node = calloc(1, sizeof *node);

	if (!node)
		abort(); // a few hundred bytes before anything runs: nothing sensible is left to do
	node->kind = kind;
	node->place = place;
	node->made_before = b->yaml->made_last;
	b->yaml->made_last = node;
	return node;
}

static void refuse(struct builder *b, struct place place, const char *what, const char *help)
{
	diag_hint(diag_add(b->diags, place, "%s", what), "%s", help);
	b->failed = true;
}

// A finished key or value takes its place in the container around it.
static void attach(struct builder *b, struct yaml_node *node)
{
	struct yaml_node *parent = b->depth ? b->open[b->depth - 1] : NULL;

	if (!parent) {
		b->yaml->root = node;
		return;
	}
	if (parent->kind == YAML_MAP && !b->key) {
		if (node->kind != YAML_SCALAR)
			refuse(b, node->place, "a key must be a single word", "write key: value");
		b->key = node;
		return;
	}
	node->key = b->key;
	b->key = NULL;
	if (parent->last)
		parent->last->next = node;
	else
		parent->children = node;
	parent->last = node;
}

static void begin(struct builder *b, enum yaml_kind kind, struct fy_event *event)
{
	struct yaml_node *node = node_new(b, kind, place_of(event));

	attach(b, node);
	if (b->depth == DEPTH_MAX)
		refuse(b, node->place, "nested too deeply", "the configuration needs four levels");
	else
		b->open[b->depth++] = node;
}

static void scalar(struct builder *b, struct fy_event *event)
{
	struct yaml_node *node = node_new(b, YAML_SCALAR, place_of(event));
	struct fy_token *token = event->scalar.value;
	const char *text = token ? fy_token_get_text0(token) : NULL;

	node->text = strdup(text ? text : "");
	node->plain = !token || fy_token_scalar_style(token) == FYSS_PLAIN;
	attach(b, node);
}

static void take(struct builder *b, struct fy_event *event)
{
	switch (event->type) {
	case FYET_SCALAR:
		scalar(b, event);
		break;
	case FYET_MAPPING_START:
		begin(b, YAML_MAP, event);
		break;
	case FYET_SEQUENCE_START:
		begin(b, YAML_LIST, event);
		break;
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		b->depth--;
		break;
	case FYET_ALIAS:
		refuse(b, place_of(event), "aliases (*name) are not supported",
		       "write the value out");
		break;
	case FYET_DOCUMENT_START:
		if (b->yaml->root)
			refuse(b, place_of(event), "a second document begins here",
			       "remove the --- line and what follows it");
		break;
	default:
		break;
	}
}

static const char *syntax_hint(const char *found)
{
	if (strstr(found, "nested block mapping"))
		return "a colon at the end of a value, or with a space behind it, begins another: "
		       "go on with what belongs behind it (tap:NAME), or write quotes around the "
		       "value";
	return "check the indentation (spaces, no tabs) and that brackets and quotes are closed";
}

// What libfyaml found. Its places count lines from 1 and columns from 1.
static void report_syntax(struct diags *diags, struct fy_diag *fy)
{
	struct fy_diag_error *error;
	uint32_t before = diags->count;
	void *at = NULL;

	while ((error = fy_diag_errors_iterate(fy, &at))) {
		struct place place = {(uint32_t)(error->line > 0 ? error->line : 1),
				      (uint32_t)(error->column > 0 ? error->column : 1), 1};

		diag_hint(diag_add(diags, place, "not valid YAML: %s", error->msg), "%s",
			  syntax_hint(error->msg));
		break; // what follows the first one is mostly its echo
	}
	if (diags->count == before)
		diag_add(diags, (struct place){0}, "not valid YAML");
}

static char *read_all(FILE *file)
{
	char *text = malloc(FILE_BYTES_MAX + 1);
	size_t len = text ? fread(text, 1, FILE_BYTES_MAX + 1, file) : 0;

	if (!text || ferror(file) || len > FILE_BYTES_MAX) {
		if (!ferror(file))
			errno = EFBIG;
		free(text);
		return NULL;
	}
	text[len] = '\0';
	return text;
}

static int read_source(struct yaml *yaml, const char *path, struct diags *diags)
{
	bool from_stdin = strcmp(path, "-") == 0;
	FILE *file = from_stdin ? stdin : fopen(path, "re");
	int error;

	yaml->source = file ? read_all(file) : NULL;
	error = yaml->source ? 0 : errno;
	if (file && !from_stdin)
		fclose(file);
	if (error) {
		diag_hint(diag_add(diags, (struct place){0}, "cannot be read: %s", strerror(error)),
			  "prism config init > FILE writes a commented one to start from");
		return error == ENOENT ? -ENOENT : -EIO;
	}
	diags->source = yaml->source;
	return 0;
}

// Whether something ends with these bytes.
static bool ends_with(const char *begin, const char *end, const char *bytes)
{
	size_t len = strlen(bytes);

	return (size_t)(end - begin) >= len && memcmp(end - len, bytes, len) == 0;
}

// What YAML 1.1 breaks lines by, and a byte order mark.
static bool begins_line(const char *source, const char *at)
{
	static const char *const breaks[] = {"\n",           "\r",           "\xc2\x85",
					     "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf"};

	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++)
		if (ends_with(source, at, breaks[i]))
			return true;
	return at == source;
}

// Directives (%YAML, %TAG) before libfyaml sees them: of one that is none it reads on for ever
// (0.7.12).
static bool has_directive(struct builder *b)
{
	const char *source = b->yaml->source;
	uint32_t line = 1;

	for (const char *at = source; *at; at++) {
		if (*at == '%' && begins_line(source, at)) {
			refuse(b, (struct place){line, 1, 1},
			       "a line that begins with % is a YAML directive; none is supported",
			       "remove it, or put spaces in front of it");
			return true;
		}
		line += *at == '\n';
	}
	return false;
}

// Quotes inside quotes, written twice each: where several stand side by side, and more than once,
// libfyaml loses memory (0.7.12). Nothing in a configuration has them.
#define QUOTES_MAX 3

static bool has_quotes_in_a_row(struct builder *b)
{
	struct place place = {1, 0, 1};
	uint32_t quotes = 0;

	for (const char *at = b->yaml->source; *at; at++) {
		place.column++;
		quotes = *at == '\'' ? quotes + 1 : 0;
		if (quotes > QUOTES_MAX) {
			refuse(b, place, "four quotes in a row, or more",
			       "a value has none inside");
			return true;
		}
		if (*at == '\n')
			place = (struct place){place.line + 1, 0, 1};
	}
	return false;
}

int yaml_load(struct yaml *yaml, const char *path, struct diags *diags)
{
	struct builder builder = {.yaml = yaml, .diags = diags};
	struct fy_diag_cfg diag_cfg;
	struct fy_event *event;

	memset(yaml, 0, sizeof *yaml);
	int error = read_source(yaml, path, diags);
	if (error)
		return error;
	if (has_directive(&builder) || has_quotes_in_a_row(&builder))
		return -EINVAL;

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.level = FYET_MAX; // nothing to stderr: errors are collected
	struct fy_diag *fy = fy_diag_create(&diag_cfg);
	fy_diag_set_collect_errors(fy, true);
	struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET, .diag = fy};
	struct fy_parser *parser = fy_parser_create(&cfg);

	fy_parser_set_string(parser, yaml->source, strlen(yaml->source));
	while (!builder.failed && (event = fy_parser_parse(parser))) {
		take(&builder, event);
		fy_parser_event_free(parser, event);
	}
	if (!builder.failed && fy_parser_get_stream_error(parser))
		report_syntax(diags, fy);
	fy_parser_destroy(parser);
	fy_diag_destroy(fy);
	return diags->count ? -EINVAL : 0;
}

void yaml_free(struct yaml *yaml)
{
	struct yaml_node *node = yaml->made_last;

	while (node) {
		struct yaml_node *before = node->made_before;

		free((char *)(uintptr_t)node->text);
		free(node);
		node = before;
	}
	free(yaml->source);
	memset(yaml, 0, sizeof *yaml);
}
