// SPDX-License-Identifier: BSD-3-Clause
// The configuration file as the prism command uses it: what a stack is opened with, and what runs
// on it. What may stand in the file is the table in control/schema.c.
#pragma once

#include <prismnet/stack.h>

#include "control/diag.h"
#include "control/yaml.h"
#include "service/service.h"

struct schema_field;

// A list item's address in YAML is enough for one screen of services; each is one listener.
#define CONFIG_SERVICES_MAX 32

enum config_idle { IDLE_SLEEP, IDLE_POLL };

// A value the file gave, and where. Everything else is a default.
struct config_set {
	const void *value; // inside struct config
	struct place place;
	bool refused; // it was wrong, so the member holds its default
	struct config_set *before;
};

// Texts the configuration owns.
struct config_text {
	struct config_text *before;
	char text[];
};

// The kernel's TCP port that answers as the control socket does.
struct config_web {
	uint32_t port;          // 0: none
	struct prism_addr addr; // where none was given: 127.0.0.1
	bool beyond_loopback;
};

struct config {
	struct prism_options options;
	struct service_config services[CONFIG_SERVICES_MAX];
	uint32_t service_count;
	enum config_idle idle;
	bool rebalance;             // connections of a busy worker go to an idle one
	const char *control_socket; // NULL: none
	struct config_web web;
	uint32_t sample_one_in; // packets; 0: none

	const char *path;
	struct diags diags; // all findings
	struct yaml yaml;
	struct config_set *set_last;
	struct config_text *text_last;
};

// Reads and checks a file. Never NULL; it is fit for use when diags.count is 0.
struct config *config_load(const char *path);
void config_free(struct config *config);

// The file gave this value at place.
void config_set(struct config *config, const void *value, struct place place);

// Where the file gave this value (a pointer into config); line 0 when it did not.
struct place config_place(const struct config *config, const void *value);

// The file gave this value, but it could not be taken: nothing more should be said about it.
bool config_refused(const struct config *config, const void *value);

// For config_check and the reader: a copy of text that lives as long as config.
const char *config_text(struct config *config, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

// What no single value shows: contradictions between values. Adds to config->diags.
void config_check(struct config *config);
void config_check_control(struct config *config); // its part of control:
