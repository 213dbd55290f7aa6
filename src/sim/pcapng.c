// SPDX-License-Identifier: BSD-3-Clause
// A pcapng writer in three block types: section header, interface description, enhanced packet.
// Called by world.c for a run that failed, of the simulator or of a packet script. Numbers are in
// the byte order of this machine, as the section header says.
#include "sim/pcapng.h"

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

static void put_option(FILE *f, uint16_t code, const void *bytes, uint16_t len)
{
	put16(f, code);
	put16(f, len);
	put_padded(f, bytes, len);
}

static void put_interface(FILE *f, const char *name)
{
	uint16_t name_len = (uint16_t)strlen(name);
	uint32_t block_bytes = 32 + 4 + padded(name_len);

	put32(f, 1);
	put32(f, block_bytes);
	put16(f, 1); // LINKTYPE_ETHERNET
	put16(f, 0);
	put32(f, 0);                      // no snap length
	put_option(f, 2, name, name_len); // if_name
	put_option(f, 9, "\x09", 1);      // if_tsresol: 10^-9 s
	put32(f, 0);                      // opt_endofopt
	put32(f, block_bytes);
}

struct pcapng *pcapng_create(const char *path, const char *const *names, uint32_t count)
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
	for (uint32_t i = 0; i < count; i++)
		put_interface(capture->file, names[i]);
	return capture;
}

bool pcapng_close(struct pcapng *capture)
{
	bool good = ferror(capture->file) == 0;

	good &= fclose(capture->file) == 0;
	free(capture);
	return good;
}

void pcapng_write(struct pcapng *capture, const struct pcapng_frame *frame)
{
	FILE *f = capture->file;
	uint32_t flags = frame->back ? 1 : 2; // inbound, outbound: as the first end sees it
	uint32_t comment_len = (uint32_t)strlen(frame->comment);
	uint32_t options_bytes = 8 + (comment_len ? 4 + padded(comment_len) : 0) + 4;
	uint32_t block_bytes = 32 + padded(frame->len) + options_bytes;

	put32(f, 6);
	put32(f, block_bytes);
	put32(f, frame->interface);
	put32(f, (uint32_t)(frame->time_ns >> 32));
	put32(f, (uint32_t)frame->time_ns);
	put32(f, frame->len);
	put32(f, frame->len);
	put_padded(f, frame->bytes, frame->len);
	put_option(f, 2, &flags, sizeof(flags)); // epb_flags
	if (comment_len)
		put_option(f, 1, frame->comment, (uint16_t)comment_len); // opt_comment
	put32(f, 0);
	put32(f, block_bytes);
}
