// SPDX-License-Identifier: BSD-3-Clause
// Configuration files as arguments of subcommands.
#pragma once

#include "control/config.h"

// The file, or NULL after all that is wrong with it was printed.
struct config *file_load(const char *path);

// The one argument from argv[at] on, or NULL after it said what is missing.
const char *file_argument(int argc, char **argv, int at);
