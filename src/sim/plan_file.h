// SPDX-License-Identifier: BSD-3-Clause
// Scenarios as files: YAML to a plan and back.
#pragma once

#include <stdio.h>

#include "control/diag.h"
#include "control/yaml.h"
#include "sim/plan.h"

// A file being read, and where in it what stands.
struct plan_file {
	struct plan *plan;
	struct diags diags; // all findings
	struct yaml yaml;   // diags quotes it
	struct place host_place[PLAN_HOSTS_MAX], link_place[PLAN_LINKS_MAX];
	struct place app_place[PLAN_APPS_MAX], event_place[PLAN_EVENTS_MAX];
};

// Reads path ("-": standard input) into plan; it is fit for use when file->diags.count is 0.
void plan_read(struct plan_file *file, const char *path, struct plan *plan);
void plan_file_free(struct plan_file *file);

// What no single value shows: links that join nothing, applications that never end (plan_check.c).
void plan_check(struct plan_file *file);

// The plan as a file that reads back to it; what is a default is left out.
void plan_write(const struct plan *plan, FILE *out);

// Every key, its default, an example and what it means.
void plan_write_keys(FILE *out);
