// SPDX-License-Identifier: BSD-3-Clause
// prism doctor: what this machine can do for Prism, and what stands in the way. machine.c measures,
// doctor_judge.c judges, this prints. Ends with 3 when something fails that is needed: always what
// Prism cannot do without, and with a FILE what that file asks for.

#include <jansson.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/doctor.h"
#include "cli/file.h"

static const char *level_name(enum doctor_level level)
{
	static const char *const names[] = {"OK", "WARN", "FAIL"};

	return names[level];
}

static void print_finding(const struct doctor_finding *f, bool color)
{
	static const char *const colors[] = {"\033[32m", "\033[33m", "\033[1;31m"};

	printf("%s%-4s%s  %-13s %s\n", color ? colors[f->level] : "", level_name(f->level),
	       color ? "\033[0m" : "", f->name, f->fact);
	if (f->remedy[0])
		printf("%20s do: %s\n", "", f->remedy);
}

// doctor_ports' findings stand between those of the machine and those of a file.
static void print_text(const struct doctor *d, uint32_t machine_count)
{
	bool color = cli_color(stdout);

	for (uint32_t i = 0; i < d->count; i++) {
		if (i == machine_count)
			puts("\nports:");
		if (i == machine_count + d->verdict_count)
			puts("\nthis file:");
		print_finding(&d->finding[i], color);
	}
}

static void print_json(const struct doctor *d, bool failed)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < d->count; i++) {
		const struct doctor_finding *f = &d->finding[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "level",
						      level_name(f->level), "name", f->name, "fact",
						      f->fact, "remedy", f->remedy));
	}
	json_t *root = json_pack("{s:b, s:o}", "fit", !failed, "findings", list);
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

int cmd_doctor(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);
	struct doctor doctor = {0};
	struct config *config = NULL;

	if (at < 0)
		return CLI_USAGE;
	if (at < argc) {
		const char *path = file_argument(argc, argv, at);

		config = path ? file_load(path) : NULL;
		if (!config)
			return CLI_USAGE;
	}
	machine_look(&doctor.machine);
	doctor_machine(&doctor);
	uint32_t machine_count = doctor.count;
	doctor_ports(&doctor);
	if (config) {
		doctor_config(&doctor, config);
		config_free(config);
	}
	bool failed = false;
	for (uint32_t i = 0; i < doctor.count; i++)
		failed |= doctor.finding[i].level == DOCTOR_FAIL;
	if (values[0])
		print_json(&doctor, failed);
	else
		print_text(&doctor, machine_count);
	return failed ? CLI_ENVIRONMENT : CLI_OK;
}
