// SPDX-License-Identifier: BSD-3-Clause
// Scenario files as prism sim reads them: whatever the text is, each finding has its words, and
// what is accepted reads back from what it is written as.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "sim/plan_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct plan plan;
static struct plan_file file;

// Reads what the file in memory holds; true when it is fit for use.
static bool read_from(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	plan_read(&file, path, &plan);
	for (uint32_t i = 0; i < MIN(file.diags.count, (uint32_t)DIAG_MAX); i++)
		if (!file.diags.item[i].message[0])
			abort();
	return file.diags.count == 0;
}

// The plan as text, in a file in memory. *fd is the caller's to close.
static size_t write_to(char *text, size_t room, int *fd)
{
	*fd = memfd_create("plan", MFD_CLOEXEC);
	FILE *out = fmemopen(text, room, "w");

	plan_write(&plan, out);
	size_t len = (size_t)ftell(out);

	if (fclose(out) || write(*fd, text, len) != (ssize_t)len)
		abort();
	return len;
}

#define TEXT_BYTES_MAX (1 << 20)

static void reads_back(void)
{
	static char once[TEXT_BYTES_MAX], twice[TEXT_BYTES_MAX];
	int fd, again;
	size_t len = write_to(once, sizeof(once), &fd);

	plan_file_free(&file);
	if (!read_from(fd) || write_to(twice, sizeof(twice), &again) != len ||
	    memcmp(once, twice, len) != 0)
		abort();
	close(fd);
	close(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("scenario", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (read_from(fd))
		reads_back();
	plan_file_free(&file);
	close(fd);
	return 0;
}
