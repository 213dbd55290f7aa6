// SPDX-License-Identifier: BSD-3-Clause
// The files of prism capture: pcapng, an interface for each port and one for packets that were on
// their way out and have no frame yet. They get an ethernet header that says nothing: libpcap reads
// no file with interfaces of several kinds. One file, or a row of them each of so many bytes, named
// as tcpdump does with -C and -W. Called by capture.c.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/capture.h"
#include "cli/cli.h"
#include "observe/pcapng.h"
#include "wire/eth.h"

#define MADE_TYPE 0x88b5 // for local experiments (IEEE 802, clause 9.2.3)

static int refuse(const char *path, const char *what)
{
	int error = errno;

	if (error == EPIPE)
		return CAPTURE_LEFT;
	return cli_error(
		CLI_FAILED, strerror(error),
		error == ENOSPC ? "what is in the file is whole; make room, or let -C and -W bound "
				  "what is kept"
				: "name another place with -w",
		"%s cannot be %s", path, what);
}

// Interfaces: of the ports by index, then the one of packets without frame.
static uint32_t interface_of(const struct capture_files *files, const struct packet *packet)
{
	const struct tape_record *record = &packet->record;

	return record->head_kind == VERDICT_HEAD_FRAME && record->port < files->head->port_count
		       ? record->port
		       : files->head->port_count;
}

static uint32_t describe(const struct tape_head *head, struct pcapng_interface *out)
{
	uint32_t n = 0;

	for (; n < head->port_count; n++)
		out[n] = (struct pcapng_interface){.name = head->port[n].name,
						   .description = head->port[n].device};
	out[n++] = (struct pcapng_interface){
		.name = "unframed",
		.description = "dropped before they had a port and a frame; ethernet is made up"};
	for (uint32_t i = 0; i < n; i++) {
		out[i].link = PCAPNG_ETHERNET;
		out[i].filter = head->filter;
		out[i].snap_bytes = head->snap_bytes;
	}
	return n;
}

// A header in front of what has none, and as much as fits behind it.
static void put_frame(struct capture_files *files, const struct packet *packet,
		      struct pcapng_frame *frame)
{
	struct eth_header *eth = (void *)files->made;
	uint32_t len = MIN((uint32_t)(sizeof(files->made) - sizeof(*eth)), packet->record.bytes);
	bool is_ip = packet->record.head_kind == VERDICT_HEAD_IP && len > 0;
	uint16_t type = !is_ip                       ? MADE_TYPE
			: packet->bytes[0] >> 4 == 6 ? ETH_TYPE_IPV6
						     : ETH_TYPE_IPV4;

	memset(eth, 0, sizeof(*eth));
	eth->type = be16_of(type);
	memcpy(files->made + sizeof(*eth), packet->bytes, len);
	frame->bytes = files->made;
	frame->len = MIN(len + (uint32_t)sizeof(*eth), files->head->snap_bytes);
	frame->wire_len = packet->record.len + (uint32_t)sizeof(*eth);
}

// The name of the file that is next: FILE, FILE1, FILE2, as tcpdump has them; with so many at most
// FILE0 to FILE9 with as many digits as the last one needs.
static char *name_next(const struct capture_files *files)
{
	char *name = NULL;
	int n;

	if (files->bytes_max && files->count_max)
		n = asprintf(&name, "%s%0*u", files->path,
			     snprintf(NULL, 0, "%u", files->count_max - 1),
			     files->count % files->count_max);
	else if (files->count)
		n = asprintf(&name, "%s%u", files->path, files->count);
	else
		n = asprintf(&name, "%s", files->path);
	return n < 0 ? NULL : name;
}

static int open_next(struct capture_files *files)
{
	struct pcapng_interface interfaces[PORTS_MAX + 1];
	uint32_t n = describe(files->head, interfaces);
	char *name = name_next(files);
	int code = CLI_OK, fd = -1;

	if (!name)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	if (strcmp(files->path, "-") == 0) {
		fd = dup(STDOUT_FILENO);
		files->file = fd >= 0 ? pcapng_open(fd, interfaces, n) : NULL;
	} else {
		files->file = pcapng_create(name, interfaces, n);
	}
	if (!files->file || !pcapng_flush(files->file))
		code = refuse(name, "written");
	files->count++;
	free(name);
	return code;
}

int capture_files_open(struct capture_files *files, const struct tape_head *head)
{
	files->head = head;
	if (files->path && strcmp(files->path, "-") == 0 && isatty(STDOUT_FILENO))
		return cli_error(CLI_USAGE, NULL, "let a program read it, or name a file",
				 "a capture is not written to a terminal");
	return open_next(files);
}

// Statistics end a file (draft-ietf-opsawg-pcapng 4.4).
static int close_one(struct capture_files *files)
{
	bool good = true;

	if (!files->file)
		return CLI_OK;
	for (uint32_t i = 0; i < files->head->port_count; i++)
		good &= pcapng_statistics(files->file, i, files->last_ns, files->pkts[i],
					  i == 0 ? files->lost : 0);
	good &= pcapng_close(files->file);
	files->file = NULL;
	memset(files->pkts, 0, sizeof(files->pkts));
	files->lost = 0;
	return good ? CLI_OK : refuse(files->path, "written");
}

static enum pcapng_way way_of(const struct tape_record *record)
{
	if (record->point == TAPE_LEFT)
		return PCAPNG_OUTBOUND;
	return record->port == VERDICT_NO_PORT ? PCAPNG_OUTBOUND : PCAPNG_INBOUND;
}

int capture_files_write(struct capture_files *files, const struct shm_reader *reader,
			const struct packet *packet)
{
	const struct tape_record *record = &packet->record;
	char comment[CAPTURE_COMMENT_BYTES];
	struct pcapng_frame frame = {
		.interface = interface_of(files, packet),
		.way = way_of(record),
		.time_ns = capture_wall_ns(files->head, record->time_ns),
		.bytes = packet->bytes,
		.len = record->bytes,
		.wire_len = record->len,
		.comment = capture_comment(reader, packet, comment),
		.packet_id = record->journey,
		.dropped = packet->lost,
		.has_queue = true,
		.queue = packet->worker,
	};
	int code = CLI_OK;

	if (record->head_kind != VERDICT_HEAD_FRAME)
		put_frame(files, packet, &frame);
	if (files->bytes_max && pcapng_bytes(files->file) >= files->bytes_max)
		code = close_one(files);
	if (code == CLI_OK && !files->file)
		code = open_next(files);
	if (code != CLI_OK)
		return code;
	files->pkts[frame.interface]++;
	files->lost += packet->lost;
	files->last_ns = frame.time_ns;
	return pcapng_write(files->file, &frame) ? CLI_OK : refuse(files->path, "written");
}

int capture_files_flush(struct capture_files *files)
{
	return pcapng_flush(files->file) ? CLI_OK : refuse(files->path, "written");
}

int capture_files_close(struct capture_files *files)
{
	return close_one(files);
}
