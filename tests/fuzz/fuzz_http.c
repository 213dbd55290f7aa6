// SPDX-License-Identifier: BSD-3-Clause
// Any bytes, cut anywhere, through the whole of http but its connections. Beside finding what
// crashes: however the bytes are cut, the answers are the same. The first input byte chooses the
// cuts.
#include <stdlib.h>

#include "../unit/service/site.h"
#include "base/assert.h"
#include "service/http_input.h"

static struct http_site site;

#define ANSWERS_MAX 256

static struct http_site *site_get(void)
{
	if (!site.root) {
		site_make();
		ASSERT(site_load(1000, &site.root) == 0);
		site.memo = calloc(1, sizeof(*site.memo));
		site.body_bytes_max = 50;
		// All is in memory now.
		void *bodies = site_region;

		site_region = NULL;
		site_remove();
		site_region = bodies;
	}
	return &site;
}

// Feeds pieces of at most piece_bytes; writes the statuses and returns how many.
static uint32_t run(const uint8_t *data, size_t len, size_t piece_bytes,
		    uint16_t statuses[ANSWERS_MAX])
{
	static struct http_input input;
	uint32_t count = 0;
	struct http_answer a = {.status = 0};
	char head[4096];

	http_input_init(&input);
	for (size_t at = 0; at < len && !(a.status && a.close);) {
		size_t n = len - at < piece_bytes ? len - at : piece_bytes;
		size_t taken = http_input_next(&input, site_get(), (const char *)data + at, n, &a);

		ASSERT(taken > 0 && taken <= n);
		at += taken;
		if (a.status == 0)
			continue;
		ASSERT(a.file && a.first + a.body_bytes <= a.file->body_bytes);
		ASSERT(http_answer_head_bytes(&a) <= sizeof(head));
		ASSERT(http_answer_write(&a, "Sun, 06 Nov 1994 08:49:37 GMT", head) <=
		       http_answer_head_bytes(&a));
		if (count < ANSWERS_MAX)
			statuses[count++] = a.status;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint16_t whole[ANSWERS_MAX], cut[ANSWERS_MAX];

	if (len < 2)
		return 0;
	uint32_t count = run(data + 1, len - 1, SIZE_MAX, whole);

	ASSERT(count == run(data + 1, len - 1, (size_t)data[0] + 1, cut));
	ASSERT(memcmp(whole, cut, count * sizeof(whole[0])) == 0);
	return 0;
}
