// SPDX-License-Identifier: BSD-3-Clause
// Errors in words, for applications: the public face of base/err.h, where the refused request left
// them. Called by applications after a call was refused, never on the data path. stderr is written
// only by prism_error_print, because it is asked to.
#include <prismnet/error.h>

#include <stdio.h>

#include "base/err.h"

struct prism_error prism_last_error(void)
{
	const struct err_last *last = err_last();
	const struct err_info *info = &err_infos[last->id];

	if (last->id == ERR_NONE)
		return (struct prism_error){"", 0, "", "", ""};
	return (struct prism_error){info->name, info->number, last->message, info->cause,
				    info->remedy};
}

void prism_error_print(const char *what)
{
	struct prism_error e = prism_last_error();

	fprintf(stderr, "%s: %s (%s)\n  cause: %s\n  remedy: %s\n", what, e.message, e.name,
		e.cause, e.remedy);
}
