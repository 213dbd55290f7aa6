// SPDX-License-Identifier: BSD-3-Clause
// The end of a worker that found a bug in itself: one line on stderr, the hook, abort. Reached from
// any floor through ASSERT; uses write(2) alone, so that it works whatever state the heap and
// stdio are in.
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bits.h"

static void (*failure_hook)(void);

void assert_set_hook(void (*hook)(void))
{
	failure_hook = hook;
}

// Decimal digits of a line number, at the end of text.
static struct iovec decimal(char text[12], unsigned number)
{
	char *digit = text + 12;

	do
		*--digit = (char)('0' + number % 10);
	while (number /= 10);
	return (struct iovec){digit, (size_t)(text + 12 - digit)};
}

static struct iovec words(const char *text)
{
	return (struct iovec){(char *)(uintptr_t)text, strlen(text)};
}

COLD void assert_failed(const char *file, int line, const char *condition)
{
	void (*hook)(void) = failure_hook;
	char number[12];
	struct iovec message[] = {words("prism: bug: "),
				  words(file),
				  words(":"),
				  decimal(number, (unsigned)line),
				  words(": assertion failed: "),
				  words(condition),
				  words("\n")};

	if (writev(STDERR_FILENO, message, ARRAY_COUNT(message)) < 0)
		abort();
	failure_hook = NULL; // a hook that fails itself must not come back here
	if (hook)
		hook();
	abort();
}
