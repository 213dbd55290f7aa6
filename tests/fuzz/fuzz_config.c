// SPDX-License-Identifier: BSD-3-Clause
// Configuration files as prism run reads them: whatever the text is, it is taken or refused in
// words, and nothing is looked at that is not there.
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bits.h"
#include "control/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[32];
	int fd = memfd_create("config", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	struct config *config = config_load(path);

	for (uint32_t i = 0; i < MIN(config->diags.count, (uint32_t)DIAG_MAX); i++)
		if (!config->diags.item[i].message[0])
			abort();
	config_free(config);
	close(fd);
	return 0;
}
