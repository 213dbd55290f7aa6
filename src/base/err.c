// SPDX-License-Identifier: BSD-3-Clause
// The last refusal of a request, a slot per thread, and the list of names made from err.def.
// Called by every create and by the public API; the control path only.
//
// Deliberately not here: printing. Who asked decides what to do with the words.
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

const struct err_info err_infos[ERR_COUNT] = {
	[ERR_NONE] = {"NONE", 0, "nothing was refused", "", ""},
#define ERR(name, number, sentence, cause, remedy) \
	[ERR_##name] = {#name, number, sentence, cause, remedy},
#include "base/err.def"
#undef ERR
};

static _Thread_local struct err_last last;

int err_set(enum err id, const char *format, ...)
{
	va_list arguments;

	ASSERT(id > ERR_NONE && id < ERR_COUNT);
	last.id = id;
	va_start(arguments, format);
	vsnprintf(last.message, sizeof(last.message), format, arguments);
	va_end(arguments);
	return -err_infos[id].number;
}

int err_set_bare(enum err id)
{
	last.id = id;
	last.message[0] = '\0';
	return -err_infos[id].number;
}

const struct err_last *err_last(void)
{
	return &last;
}

void err_clear(void)
{
	last.id = ERR_NONE;
	last.message[0] = '\0';
}
