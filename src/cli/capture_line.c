// SPDX-License-Identifier: BSD-3-Clause
// The lines of prism capture: when, at which port and point, who to whom, how long, and of a
// dropped packet why; and the names of points, which its command line and its requests have, too.
// Called by capture.c, capture_file.c and run_capture.c; see/packet_head.c reads what a packet
// begins with.
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "cli/capture.h"
#include "see/packet_head.h"
#include "see/why.h"

static const char *const names[TAPE_POINTS] = {"rx", "tx", "drop", "deliver"};

const char *capture_point_name(enum tape_point point)
{
	return names[point];
}

bool capture_points(const char *text, uint32_t *points, const char **wrong)
{
	*points = 0;
	for (const char *at = text; *at; at += *at == ',') {
		size_t len = strcspn(at, ",");
		uint32_t i = 0;

		while (i < TAPE_POINTS &&
		       (strlen(names[i]) != len || strncmp(at, names[i], len) != 0))
			i++;
		*wrong = at;
		if (i == TAPE_POINTS)
			return false;
		*points |= 1u << i;
		at += len;
	}
	*wrong = text;
	return *points != 0;
}

const char *capture_comment(const struct shm_reader *reader, const struct packet *packet,
			    char text[CAPTURE_COMMENT_BYTES])
{
	const struct shm_field *field = NULL;

	if (packet->record.reason)
		field = shm_reader_drop(reader, packet->record.reason);
	text[0] = '\0';
	if (field)
		snprintf(text, CAPTURE_COMMENT_BYTES, "%s: %s", field->name + strlen("drop."),
			 field->sentence);
	else if (packet->record.point == TAPE_DELIVERED)
		snprintf(text, CAPTURE_COMMENT_BYTES, "delivered to the application");
	return text;
}

uint64_t capture_wall_ns(const struct tape_head *head, uint64_t time_ns)
{
	return head->wall_ns + time_ns - head->clock_ns;
}

static const char *port_name(const struct tape_head *head, const struct packet *packet)
{
	return packet->record.port < head->port_count ? head->port[packet->record.port].name : "-";
}

static void print_end(const struct packet_head *h, const struct addr *addr, uint16_t port)
{
	char text[ADDR_TEXT_BYTES];

	if (!h->has_ports)
		printf(" %s", addr_format(addr, text));
	else if (addr_is_v4(addr))
		printf(" %s:%u", addr_format(addr, text), port);
	else
		printf(" [%s]:%u", addr_format(addr, text), port);
}

void capture_line(const struct tape_head *head, const struct shm_reader *reader,
		  const struct packet *packet)
{
	const struct tape_record *record = &packet->record;
	uint64_t wall_ns = capture_wall_ns(head, record->time_ns);
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	char when[16], kind[PACKET_KIND_BYTES], flags[PACKET_FLAGS_BYTES];
	char comment[CAPTURE_COMMENT_BYTES];
	struct packet_head h;
	struct tm tm;

	packet_head_read((enum verdict_head)record->head_kind, packet->bytes, record->bytes, &h);
	strftime(when, sizeof(when), "%H:%M:%S", localtime_r(&seconds, &tm));
	if (packet->lost)
		printf("... %" PRIu64 " packets were overwritten before they were read\n",
		       packet->lost);
	printf("%s.%06" PRIu64 " %s %s %s", when, wall_ns % NS_PER_S / NS_PER_US,
	       port_name(head, packet), capture_point_name((enum tape_point)record->point),
	       packet_head_kind(&h, kind));
	if (h.has_addr) {
		print_end(&h, &h.src, h.src_port);
		printf(" >");
		print_end(&h, &h.dst, h.dst_port);
	}
	if (h.has_flags)
		printf(" [%s]", packet_head_flags(&h, flags));
	printf(" length %u", record->len);
	if (capture_comment(reader, packet, comment)[0])
		printf("  %s%s", record->reason ? "dropped: " : "", comment);
	putchar('\n');
}

void capture_line_json(const struct tape_head *head, const struct shm_reader *reader,
		       const struct packet *packet)
{
	const struct tape_record *record = &packet->record;
	const struct shm_field *reason =
		record->reason ? shm_reader_drop(reader, record->reason) : NULL;
	char kind[PACKET_KIND_BYTES], src[ADDR_TEXT_BYTES], dst[ADDR_TEXT_BYTES];
	char flags[PACKET_FLAGS_BYTES];
	struct packet_head h;

	packet_head_read((enum verdict_head)record->head_kind, packet->bytes, record->bytes, &h);
	json_t *json = json_pack(
		"{s:I, s:s, s:s, s:i, s:I, s:s, s:i, s:i, s:I}", "time_ns",
		(json_int_t)capture_wall_ns(head, record->time_ns), "port", port_name(head, packet),
		"point", capture_point_name((enum tape_point)record->point), "worker",
		(int)packet->worker, "journey", (json_int_t)record->journey, "kind",
		packet_head_kind(&h, kind), "len", (int)record->len, "captured", (int)record->bytes,
		"lost_before", (json_int_t)packet->lost);

	if (h.has_addr) {
		json_object_set_new(json, "src", json_string(addr_format(&h.src, src)));
		json_object_set_new(json, "dst", json_string(addr_format(&h.dst, dst)));
	}
	if (h.has_ports) {
		json_object_set_new(json, "src_port", json_integer(h.src_port));
		json_object_set_new(json, "dst_port", json_integer(h.dst_port));
	}
	if (h.has_flags)
		json_object_set_new(json, "flags", json_string(packet_head_flags(&h, flags)));
	if (reason)
		json_object_set_new(json, "reason", json_string(reason->name + strlen("drop.")));
	json_dumpf(json, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(json);
}
