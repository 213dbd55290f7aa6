// SPDX-License-Identifier: BSD-3-Clause
// prism_options_load: the configuration file for programs that use the library. The same reader as
// the prism command's (config.c); services and control are checked and passed over. The whole
// configuration stays behind options->loaded, since the strings in options are its.

#include <prismnet/stack.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "control/config.h"

// What a file does not speak of stays as the caller set it.
static void keep_callers(struct prism_options *loaded, const struct prism_options *callers)
{
	loaded->size = callers->size;
	loaded->run_dir = callers->run_dir;
	loaded->eal_args = callers->eal_args;
	loaded->eal_running = callers->eal_running;
	loaded->no_shared_memory = callers->no_shared_memory;
	loaded->seed = callers->seed;
}

int prism_options_load(struct prism_options *options, const char *path)
{
	struct prism_options loaded, callers = {0};
	char message[ERR_TEXT_BYTES];

	if (options->size < offsetof(struct prism_options, loaded) + sizeof options->loaded ||
	    options->size > sizeof loaded)
		return err_set(ERR_INVALID_ARGUMENT,
			       "options->size is %zu; call PRISM_OPTIONS_INIT"
			       " first",
			       options->size);
	struct config *config = config_load(path);
	if (config->diags.count) {
		bool missing = config->diags.source == NULL;

		diags_first(&config->diags, message, sizeof message);
		config_free(config);
		return missing ? err_set(ERR_CONFIG_UNREADABLE, "%s", message)
			       : err_set(ERR_CONFIG_INVALID, "%s", message);
	}
	memcpy(&callers, options, options->size);
	loaded = config->options;
	keep_callers(&loaded, &callers);
	loaded.loaded = config;
	prism_options_free(options);
	memcpy(options, &loaded, options->size);
	return 0;
}

void prism_options_free(struct prism_options *options)
{
	if (options->loaded)
		config_free(options->loaded);
	prism_options_init(options, options->size);
}
