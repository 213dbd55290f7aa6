// SPDX-License-Identifier: BSD-3-Clause
/// Errors in words. Calls return a negative errno; what happened, why and what to do is here.
#pragma once

#include <prismnet/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

struct prism_error {
	const char *name; ///< "PORT_UNKNOWN_DEVICE", for prism explain; "" when nothing was refused
	int number;       ///< positive errno
	const char *message; ///< the place and the facts of this case
	const char *cause;   ///< the likely reason
	const char *remedy;  ///< what to do
};

/// The last refusal on this thread; its texts live until the next refused call on it.
/// Thread: any.   Blocks: never.
PRISM_API struct prism_error prism_last_error(void);

/// Writes "what: message (NAME)\n  cause: ...\n  remedy: ...\n" to stderr.
/// Thread: any.   Blocks: as stderr does.
PRISM_API void prism_error_print(const char *what);

#ifdef __cplusplus
}
#endif
