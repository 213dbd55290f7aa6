// SPDX-License-Identifier: BSD-3-Clause
// Reads a scenario: walks the YAML tree beside the tables of plan_fields.c and collects findings
// instead of stopping at the first. Hosts come first, then links, whatever their order in the file,
// since the rest names them. Called by cli/sim.c and tests; calls field.c for each value and
// plan_check.c for what only shows between values.
#include <stdlib.h>
#include <string.h>

#include "control/suggest.h"
#include "sim/field.h"
#include "sim/plan_file.h"

// The tables whose keys may stand in one mapping, and keys that are read elsewhere.
#define PARTS_MAX 2
struct part {
	const struct fields *fields;
	void *base;
};
struct keys {
	const char *section;
	struct part part[PARTS_MAX];
	const char *others; // words with a space between, or NULL
	const struct part
		*kind; // its first key, read already, decides which others there are; or NULL
};

static const struct yaml_node *child_of(const struct yaml_node *map, const char *key)
{
	for (const struct yaml_node *n = map->kind == YAML_MAP ? map->children : NULL; n;
	     n = n->next)
		if (strcmp(n->key->text, key) == 0)
			return n;
	return NULL;
}

static void refuse_unknown(struct plan_file *f, const struct keys *keys,
			   const struct yaml_node *key)
{
	struct suggest suggest = {.word = key->text};
	char word[16][PLAN_NAME_BYTES];
	const char *at;
	int len;

	for (int p = 0; p < PARTS_MAX && keys->part[p].fields; p++)
		for (uint32_t i = 0; i < keys->part[p].fields->count; i++)
			suggest_offer(&suggest, keys->part[p].fields->field[i].key);
	for (uint32_t i = 0; keys->others && (at = field_word(keys->others, i, &len)); i++) {
		snprintf(word[i], sizeof(word[i]), "%.*s", len, at);
		suggest_offer(&suggest, word[i]);
	}
	struct diag *d = diag_add(&f->diags, key->place, "unknown key `%s`%s%s%s", key->text,
				  keys->section[0] ? " in `" : "", keys->section,
				  keys->section[0] ? "`" : "");

	if (suggest.best)
		diag_hint(d, "did you mean `%s`?", suggest.best);
	else
		diag_hint(d, "prism sim --keys lists every key there is");
}

static bool is_repeated(struct plan_file *f, const struct yaml_node *map,
			const struct yaml_node *child)
{
	const struct yaml_node *first = child_of(map, child->key->text);

	if (first == child)
		return false;
	diag_hint(diag_add(&f->diags, child->key->place, "`%s` is given twice", child->key->text),
		  "the first is on line %u; keep one of them", first->key->place.line);
	return true;
}

// A key that this kind of application or event does not have.
static bool is_elsewhere(struct plan_file *f, const struct part *of, const struct field *field,
			 const struct yaml_node *child)
{
	const struct field *kind = of ? &of->fields->field[0] : NULL;
	char text[FIELD_TEXT_BYTES];

	if (!kind || !field->only ||
	    field_is_word(field->only, field_format(kind, of->base, f->plan, text)))
		return false;
	diag_hint(diag_add(&f->diags, child->key->place, "`%s` means nothing with %s: %s",
			   field->key, kind->key, text),
		  "it is for %s: %s", kind->key, field->only);
	return true;
}

static void read_key(struct plan_file *f, const struct keys *keys, const struct yaml_node *map,
		     const struct yaml_node *child)
{
	if (is_repeated(f, map, child))
		return;
	for (int p = 0; p < PARTS_MAX && keys->part[p].fields; p++) {
		const struct part *part = &keys->part[p];
		const struct field *field = field_find(part->fields, child->key->text);

		if (!field)
			continue;
		if (keys->kind && field == &keys->kind->fields->field[0])
			return;
		if (!is_elsewhere(f, keys->kind, field, child))
			field_read(field, part->base, child, f->plan, &f->diags);
		return;
	}
	if (!field_is_word(keys->others, child->key->text))
		refuse_unknown(f, keys, child->key);
}

static bool is_map(struct plan_file *f, const struct keys *keys, const struct yaml_node *node)
{
	if (node->kind == YAML_MAP)
		return true;
	diag_hint(diag_add(&f->diags, node->place, "`%s` cannot be %s", keys->section,
			   yaml_kind_name(node)),
		  "write {key: value, ...}; prism sim --keys lists every key there is");
	return false;
}

static void read_map(struct plan_file *f, const struct keys *keys, const struct yaml_node *map)
{
	if (!is_map(f, keys, map))
		return;
	for (const struct yaml_node *child = map->children; child; child = child->next)
		read_key(f, keys, map, child);
}

// The entries of a list, or NULL after it said what is wrong.
static const struct yaml_node *entries(struct plan_file *f, const struct yaml_node *list,
				       uint32_t count_max)
{
	uint32_t count = 0;

	if (list->kind != YAML_LIST) {
		diag_hint(diag_add(&f->diags, list->place, "`%s` is a list, not %s",
				   list->key->text, yaml_kind_name(list)),
			  "begin each entry with a dash");
		return NULL;
	}
	for (const struct yaml_node *n = list->children; n; n = n->next) {
		if (++count <= count_max)
			continue;
		diag_hint(diag_add(&f->diags, n->place, "too many `%s`", list->key->text),
			  "at most %u", count_max);
		return NULL;
	}
	return list->children;
}

static void read_name(struct plan_file *f, const struct yaml_node *node, char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_";
	size_t len = node && node->kind == YAML_SCALAR ? strlen(node->text) : 0;

	if (len && len < PLAN_NAME_BYTES && strspn(node->text, letters) == len)
		strcpy(name, node->text);
	else
		diag_hint(diag_add(&f->diags, node ? node->place : (struct place){0},
				   "a name is missing, or cannot be one"),
			  "use 1 to %d letters, digits, - and _", PLAN_NAME_BYTES - 1);
}

static void read_hosts(struct plan_file *f, const struct yaml_node *list)
{
	f->plan->host_count = 0;
	for (const struct yaml_node *n = entries(f, list, PLAN_HOSTS_MAX); n; n = n->next) {
		struct plan_host *host = &f->plan->host[f->plan->host_count];
		struct keys keys = {"hosts", {{&fields_host, host}}, "name"};
		const struct yaml_node *name = n->kind == YAML_MAP ? child_of(n, "name") : n;

		*host = (struct plan_host){.workers = 1};
		f->host_place[f->plan->host_count++] = n->place;
		read_name(f, name ? name : n, host->name);
		if (n->kind == YAML_MAP)
			read_map(f, &keys, n);
	}
}

static void read_switches(struct plan_file *f, const struct yaml_node *list)
{
	for (const struct yaml_node *n = entries(f, list, PLAN_SWITCHES_MAX); n; n = n->next)
		read_name(f, n, f->plan->switches[f->plan->switch_count++]);
}

static void read_between(struct plan_file *f, struct plan_link *link, const struct yaml_node *n)
{
	const struct yaml_node *between = child_of(n, "between");
	const struct yaml_node *a = between ? between->children : NULL;
	struct field end = {.key = "between", .kind = FIELD_END, .width = 4, .example = "[a, b]"};

	if (!a || !a->next || a->next->next) {
		diag_hint(diag_add(&f->diags, between ? between->place : n->place,
				   "a link joins two hosts or switches"),
			  "for example between: [a, b]");
		return;
	}
	field_read(&end, &link->end[0], a, f->plan, &f->diags);
	field_read(&end, &link->end[1], a->next, f->plan, &f->diags);
}

static void read_links(struct plan_file *f, const struct yaml_node *list)
{
	f->plan->link_count = 0;
	for (const struct yaml_node *n = entries(f, list, PLAN_LINKS_MAX); n; n = n->next) {
		struct plan_link *link = &f->plan->link[f->plan->link_count];
		struct keys keys = {
			"links", {{&fields_faults, &link->faults[0]}}, "between name back"};
		struct keys back = {"back", {{&fields_faults, &link->faults[1]}}, NULL};

		plan_link_init(link);
		f->link_place[f->plan->link_count++] = n->place;
		read_map(f, &keys, n);
		if (n->kind != YAML_MAP)
			continue;
		read_between(f, link, n);
		link->faults[1] = link->faults[0];
		if (child_of(n, "back"))
			read_map(f, &back, child_of(n, "back"));
		if (child_of(n, "name"))
			read_name(f, child_of(n, "name"), link->name);
		else
			snprintf(link->name, sizeof(link->name), "%s-%s",
				 plan_end_name(f->plan, link->end[0]),
				 plan_end_name(f->plan, link->end[1]));
	}
}

// The kind first: it decides which keys there are, and defaults.
static void read_kind(struct plan_file *f, const struct part *part, const struct yaml_node *n)
{
	const struct field *kind = &part->fields->field[0];

	if (child_of(n, kind->key))
		field_read(kind, part->base, child_of(n, kind->key), f->plan, &f->diags);
}

static void read_apps(struct plan_file *f, const struct yaml_node *list)
{
	for (const struct yaml_node *n = entries(f, list, PLAN_APPS_MAX); n; n = n->next) {
		struct plan_app *app = &f->plan->app[f->plan->app_count];
		const struct part kind = {&fields_app, app};
		struct keys keys = {
			"applications", {kind, {&fields_side, &app->side[0]}}, "answer", &kind};
		struct keys answer = {"answer", {{&fields_side, &app->side[1]}}, NULL, &kind};

		plan_app_init(app, APP_BULK);
		f->app_place[f->plan->app_count++] = n->place;
		read_kind(f, &kind, n);
		plan_app_init(app, app->type);
		read_map(f, &keys, n);
		if (child_of(n, "answer"))
			read_map(f, &answer, child_of(n, "answer"));
	}
}

static void read_events(struct plan_file *f, const struct yaml_node *list)
{
	for (const struct yaml_node *n = entries(f, list, PLAN_EVENTS_MAX); n; n = n->next) {
		struct plan_event *event = &f->plan->event[f->plan->event_count];
		const struct part kind = {&fields_event, event};
		struct keys keys = {"events", {kind}, NULL, &kind};

		plan_event_init(event);
		f->event_place[f->plan->event_count++] = n->place;
		read_kind(f, &kind, n);
		read_map(f, &keys, n);
	}
}

static void read_section(struct plan_file *f, const struct fields *fields, void *base,
			 const struct yaml_node *node)
{
	struct keys keys = {fields->section, {{fields, base}}, NULL};

	read_map(f, &keys, node);
}

static void read_top(struct plan_file *f, const struct yaml_node *root)
{
	static void (*const lists[])(struct plan_file *, const struct yaml_node *) = {
		read_hosts, read_switches, read_links, read_apps, read_events};
	static const char *const names[] = {"hosts", "switches", "links", "applications", "events"};
	struct plan *plan = f->plan;
	const struct {
		const struct fields *fields;
		void *base;
	} sections[] = {{&fields_tcp, &plan->options},
			{&fields_hardship, plan},
			{&fields_expect, &plan->expect}};
	struct keys keys = {"",
			    {{&fields_top, plan}},
			    "hosts switches links applications events tcp hardship expect"};

	read_map(f, &keys, root);
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		if (child_of(root, names[i]))
			lists[i](f, child_of(root, names[i]));
	for (size_t i = 0; i < ARRAY_COUNT(sections); i++) {
		const struct yaml_node *node = child_of(root, sections[i].fields->section);

		if (node)
			read_section(f, sections[i].fields, sections[i].base, node);
	}
}

void plan_read(struct plan_file *f, const char *path, struct plan *plan)
{
	memset(f, 0, sizeof(*f));
	f->plan = plan;
	f->diags.path = path;
	plan_init(plan);
	if (yaml_load(&f->yaml, path, &f->diags) != 0) {
		if (!f->yaml.source)
			diag_hint(&f->diags.item[0],
				  "examples/sim holds some to start from, and "
				  "prism sim --keys lists what may stand in one");
		return;
	}
	const struct yaml_node *root = f->yaml.root;

	if (!root || root->kind != YAML_MAP) {
		diag_hint(diag_add(&f->diags, root ? root->place : (struct place){0},
				   root ? "the file must be a mapping (key: value)"
					: "the file is empty"),
			  "prism sim --keys lists what may stand in one");
		return;
	}
	read_top(f, root);
	if (f->diags.count == 0)
		plan_check(f);
	diags_sort(&f->diags);
}

void plan_file_free(struct plan_file *f)
{
	yaml_free(&f->yaml);
}
