// SPDX-License-Identifier: BSD-3-Clause
// A pcapng writer in four block types: section header, interface description, enhanced packet,
// interface statistics. Called for runs of the simulator and of packet scripts (sim/world.c), and
// by prism capture; never by a worker. Numbers are in the byte order of this machine, as the
// section header says. Blocks are put together in memory and written many at a time; a file that
// could not take them all is cut behind the last that it has whole.
#include "observe/pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum block_type { INTERFACE = 1, STATISTICS = 5, PACKET = 6, SECTION = 0x0a0d0d0a };

enum option {
	END = 0,
	COMMENT = 1,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_FILTER = 11,
	EPB_FLAGS = 2,
	EPB_DROPCOUNT = 4,
	EPB_PACKETID = 5,
	EPB_QUEUE = 6,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
	SHB_USERAPPL = 4,
};

// Blocks are written when there are so many bytes of them, or by a flush.
#define WRITE_BYTES (256u << 10)

struct pcapng {
	int fd;
	uint8_t *buffer; // blocks to be written
	size_t len, room;
	size_t block;     // where the one begins that is being put together
	uint64_t written; // bytes that the file has, of whole blocks
	int error;        // errno of the first failure
};

// Room for so many more; false, and nothing is written any more, when memory is out.
static bool make_room(struct pcapng *c, size_t more)
{
	size_t room = c->room ? c->room : WRITE_BYTES;

	if (c->room >= c->len + more)
		return true;
	while (room < c->len + more)
		room *= 2;
	void *grown = realloc(c->buffer, room);

	if (!grown) {
		c->error = ENOMEM;
		return false;
	}
	c->buffer = grown;
	c->room = room;
	return true;
}

static void put(struct pcapng *c, const void *bytes, size_t len)
{
	if (!make_room(c, len))
		return;
	if (len)
		memcpy(c->buffer + c->len, bytes, len);
	c->len += len;
}

static void put16(struct pcapng *c, uint16_t x)
{
	put(c, &x, sizeof(x));
}

static void put32(struct pcapng *c, uint32_t x)
{
	put(c, &x, sizeof(x));
}

// High half first, whatever the byte order (draft, 4.3).
static void put_time(struct pcapng *c, uint64_t time_ns)
{
	put32(c, (uint32_t)(time_ns >> 32));
	put32(c, (uint32_t)time_ns);
}

static void put_padded(struct pcapng *c, const void *bytes, uint32_t len)
{
	static const uint8_t zero[4];

	put(c, bytes, len);
	put(c, zero, -len & 3u);
}

static void put_option(struct pcapng *c, enum option code, const void *bytes, uint32_t len)
{
	uint16_t kept = (uint16_t)(len < UINT16_MAX - 3u ? len : UINT16_MAX - 3u);

	put16(c, (uint16_t)code);
	put16(c, kept);
	put_padded(c, bytes, kept);
}

static void put_text(struct pcapng *c, enum option code, const char *text)
{
	if (text && text[0])
		put_option(c, code, text, (uint32_t)strlen(text));
}

static void begin_block(struct pcapng *c, enum block_type type)
{
	c->block = c->len;
	put32(c, type);
	put32(c, 0); // its length: end_block
}

// Of so many bytes of the buffer, those of whole blocks.
static size_t whole_blocks(const struct pcapng *c, size_t bytes)
{
	size_t whole = 0;
	uint32_t len;

	while (whole + 8 <= bytes) {
		memcpy(&len, c->buffer + whole + 4, sizeof(len));
		if (len > bytes - whole)
			break;
		whole += len;
	}
	return whole;
}

// Cuts so much off the end. A pipe or a device stays: its reader has what it has.
static void cut_off(const struct pcapng *c, size_t bytes)
{
	off_t end = bytes ? lseek(c->fd, 0, SEEK_CUR) : -1; // also where a file was not empty

	if (end >= 0 && ftruncate(c->fd, end - (off_t)bytes) != 0)
		return;
}

// All of the buffer, or of it what is whole.
static void write_buffer(struct pcapng *c)
{
	size_t done = 0;

	while (done < c->len && !c->error) {
		ssize_t n = write(c->fd, c->buffer + done, c->len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno != EINTR)
			c->error = errno;
	}
	c->written += whole_blocks(c, done);
	cut_off(c, done - whole_blocks(c, done));
	c->len = 0;
}

static bool end_block(struct pcapng *c)
{
	uint32_t len = (uint32_t)(c->len - c->block) + 4;

	put32(c, len);
	if (!c->error)
		memcpy(c->buffer + c->block + 4, &len, sizeof(len));
	if (!c->error && c->len >= WRITE_BYTES)
		write_buffer(c);
	if (c->error)
		c->len = 0;
	errno = c->error;
	return c->error == 0;
}

static void put_section(struct pcapng *c)
{
	begin_block(c, SECTION);
	put32(c, 0x1a2b3c4d); // byte order
	put16(c, 1);          // version 1.0
	put16(c, 0);
	put32(c, UINT32_MAX); // section length unknown
	put32(c, UINT32_MAX);
	put_text(c, SHB_USERAPPL, "Prism " PRISM_VERSION);
	put_option(c, END, NULL, 0);
	end_block(c);
}

static void put_interface(struct pcapng *c, const struct pcapng_interface *i)
{
	begin_block(c, INTERFACE);
	put16(c, (uint16_t)i->link);
	put16(c, 0);
	put32(c, i->snap_bytes);
	put_text(c, IF_NAME, i->name);
	put_text(c, IF_DESCRIPTION, i->description);
	put_option(c, IF_TSRESOL, "\x09", 1); // 10^-9 s
	if (i->filter && i->filter[0]) {
		char text[1024];
		int n = snprintf(text + 1, sizeof(text) - 1, "%s", i->filter);

		text[0] = 0; // in libpcap's language (draft, 4.2)
		put_option(c, IF_FILTER, text,
			   n < (int)sizeof(text) - 1 ? (uint32_t)n + 1 : sizeof(text) - 1);
	}
	put_option(c, END, NULL, 0);
	end_block(c);
}

struct pcapng *pcapng_open(int fd, const struct pcapng_interface *interfaces, uint32_t count)
{
	struct pcapng *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->fd = fd;
	put_section(c);
	for (uint32_t i = 0; i < count; i++)
		put_interface(c, &interfaces[i]);
	return c;
}

struct pcapng *pcapng_create(const char *path, const struct pcapng_interface *interfaces,
			     uint32_t count)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct pcapng *c = fd >= 0 ? pcapng_open(fd, interfaces, count) : NULL;

	if (fd >= 0 && !c)
		close(fd);
	return c;
}

static void put_numbers(struct pcapng *c, const struct pcapng_frame *frame)
{
	uint32_t flags = frame->way;

	if (flags)
		put_option(c, EPB_FLAGS, &flags, sizeof(flags));
	if (frame->dropped)
		put_option(c, EPB_DROPCOUNT, &frame->dropped, sizeof(frame->dropped));
	if (frame->packet_id)
		put_option(c, EPB_PACKETID, &frame->packet_id, sizeof(frame->packet_id));
	if (frame->has_queue)
		put_option(c, EPB_QUEUE, &frame->queue, sizeof(frame->queue));
}

bool pcapng_write(struct pcapng *c, const struct pcapng_frame *frame)
{
	begin_block(c, PACKET);
	put32(c, frame->interface);
	put_time(c, frame->time_ns);
	put32(c, frame->len);
	put32(c, frame->wire_len ? frame->wire_len : frame->len);
	put_padded(c, frame->bytes, frame->len);
	put_numbers(c, frame);
	put_text(c, COMMENT, frame->comment);
	put_option(c, END, NULL, 0);
	return end_block(c);
}

bool pcapng_statistics(struct pcapng *c, uint32_t interface, uint64_t time_ns, uint64_t received,
		       uint64_t missed)
{
	begin_block(c, STATISTICS);
	put32(c, interface);
	put_time(c, time_ns);
	put_option(c, ISB_IFRECV, &received, sizeof(received));
	put_option(c, ISB_IFDROP, &missed, sizeof(missed));
	put_option(c, END, NULL, 0);
	return end_block(c);
}

bool pcapng_flush(struct pcapng *c)
{
	if (!c->error)
		write_buffer(c);
	errno = c->error;
	return c->error == 0;
}

int pcapng_fd(const struct pcapng *c)
{
	return c->fd;
}

uint64_t pcapng_bytes(const struct pcapng *c)
{
	return c->written + c->len;
}

bool pcapng_close(struct pcapng *c)
{
	bool good = pcapng_flush(c);
	int error = c->error;

	if (close(c->fd) != 0 && good) {
		error = errno;
		good = false;
	}
	free(c->buffer);
	free(c);
	errno = error;
	return good;
}
