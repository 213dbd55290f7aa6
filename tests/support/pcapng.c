// SPDX-License-Identifier: BSD-3-Clause
// A pcapng writer in three block types: section header, interface description, enhanced packet.
// Called by the simulator and the script runner for a run that failed.
#include "pcapng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pcapng {
	FILE *file;
};

static void put16(FILE *f, uint16_t x)
{
	fwrite(&x, sizeof(x), 1, f);
}

static void put32(FILE *f, uint32_t x)
{
	fwrite(&x, sizeof(x), 1, f);
}

static uint32_t padded(uint32_t len)
{
	return (len + 3) & ~3u;
}

static void put_padded(FILE *f, const void *bytes, uint32_t len)
{
	static const uint8_t zero[4];

	fwrite(bytes, len, 1, f);
	fwrite(zero, padded(len) - len, 1, f);
}

static void put_section(FILE *f)
{
	put32(f, 0x0a0d0d0a);
	put32(f, 28);
	put32(f, 0x1a2b3c4d); // byte order
	put16(f, 1);          // version 1.0
	put16(f, 0);
	put32(f, UINT32_MAX); // section length unknown
	put32(f, UINT32_MAX);
	put32(f, 28);
}

static void put_interface(FILE *f)
{
	put32(f, 1);
	put32(f, 32);
	put16(f, 1); // LINKTYPE_ETHERNET
	put16(f, 0);
	put32(f, 0); // no snap length
	put16(f, 9); // if_tsresol: 10^-9 s
	put16(f, 1);
	put32(f, 9);
	put32(f, 0); // opt_endofopt
	put32(f, 32);
}

struct pcapng *pcapng_create(const char *path)
{
	struct pcapng *capture = calloc(1, sizeof(*capture));

	if (!capture)
		return NULL;
	capture->file = fopen(path, "wb");
	if (!capture->file) {
		free(capture);
		return NULL;
	}
	put_section(capture->file);
	put_interface(capture->file);
	put_interface(capture->file);
	return capture;
}

void pcapng_close(struct pcapng *capture)
{
	if (!capture)
		return;
	fclose(capture->file);
	free(capture);
}

void pcapng_write(struct pcapng *capture, const struct pcapng_frame *frame)
{
	FILE *f = capture->file;
	uint32_t comment_len = (uint32_t)strlen(frame->comment);
	uint32_t options_bytes = comment_len ? 4 + padded(comment_len) + 4 : 0;
	uint32_t block_bytes = 32 + padded(frame->len) + options_bytes;

	put32(f, 6);
	put32(f, block_bytes);
	put32(f, frame->interface);
	put32(f, (uint32_t)(frame->time_ns >> 32));
	put32(f, (uint32_t)frame->time_ns);
	put32(f, frame->len);
	put32(f, frame->len);
	put_padded(f, frame->bytes, frame->len);
	if (comment_len) {
		put16(f, 1); // opt_comment
		put16(f, (uint16_t)comment_len);
		put_padded(f, frame->comment, comment_len);
		put32(f, 0);
	}
	put32(f, block_bytes);
}
