// SPDX-License-Identifier: BSD-3-Clause
// prism check and prism config: what a configuration file says, without starting anything. The
// reading is control/config.c's, the writing control/config_print.c's; here are arguments and exit
// codes. Also what prism run and prism doctor share with them: a file as an argument.

#include <string.h>

#include "cli/cli.h"
#include "cli/file.h"
#include "control/config_print.h"
#include "control/config_value.h"
#include "control/schema.h"

struct config *file_load(const char *path)
{
	struct config *config = config_load(path);

	if (config->diags.count == 0)
		return config;
	diags_print(&config->diags, stderr, cli_color(stderr));
	config_free(config);
	return NULL;
}

const char *file_argument(int argc, char **argv, int at)
{
	if (at + 1 == argc)
		return argv[at];
	cli_error(CLI_USAGE, NULL,
		  at == argc ? "prism config init > prism.yaml writes one to start "
			       "from"
			     : "give one file",
		  at == argc ? "prism %s: which configuration file?"
			     : "prism %s takes one configuration file",
		  argv[0]);
	return NULL;
}

static const char *congestion_control(const struct config *config, char *text, size_t text_bytes)
{
	const struct schema_section *tcp = schema_section_find("tcp");

	config_value_format(schema_field_find(tcp, "congestion_control"), &config->options, text,
			    text_bytes);
	return text;
}

int cmd_check(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);
	const char *path = at < 0 ? NULL : file_argument(argc, argv, at);
	struct config *config = path ? file_load(path) : NULL;
	char name[32];

	if (!config)
		return CLI_USAGE;
	printf("%s: ok, %u port%s, %u service%s, congestion control %s\n", path,
	       config->options.port_count, config->options.port_count == 1 ? "" : "s",
	       config->service_count, config->service_count == 1 ? "" : "s",
	       congestion_control(config, name, sizeof name));
	config_free(config);
	return CLI_OK;
}

static int show(int argc, char **argv, int at)
{
	const char *path = file_argument(argc, argv, at);
	struct config *config = path ? file_load(path) : NULL;

	if (!config)
		return CLI_USAGE;
	config_print_effective(config, stdout);
	config_free(config);
	return CLI_OK;
}

int cmd_config(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values);

	if (at < 0)
		return CLI_USAGE;
	const char *what = at < argc ? argv[at] : "";
	if (strcmp(what, "show") == 0)
		return show(argc, argv, at + 1);
	if (strcmp(what, "schema") == 0 && at + 1 == argc)
		config_print_schema(stdout);
	else if (strcmp(what, "init") == 0 && at + 1 == argc)
		config_print_sample(stdout);
	else
		return cli_error(CLI_USAGE, NULL, "prism config schema, init, or show FILE",
				 "prism config: what of it?");
	return CLI_OK;
}
