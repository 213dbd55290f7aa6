// SPDX-License-Identifier: BSD-3-Clause
// A reader of capture files (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng 3 and 4): the whole
// file in memory, checked length by length, packets as views of it. Called by cli/replay.c; what
// the packets hold is dissect.c's. A file that ends in the middle of something is refused with the
// number of the packet and its place, since what would follow is not known.
#include "sim/capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

#define FILE_BYTES_MAX (UINT64_C(1) << 30)
#define INTERFACES_MAX 256
#define PACKET_BYTES_MAX (1 << 18) // as libpcap's MAXIMUM_SNAPLEN

struct interface {
	uint32_t link_type;
	uint64_t units_per_s;
};

struct reader {
	struct capture *capture;
	const uint8_t *bytes;
	size_t len, at;
	bool swapped;
	struct interface interface[INTERFACES_MAX];
	uint32_t interface_count;
};

static bool refuse(struct reader *r, size_t at, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool refuse(struct reader *r, size_t at, const char *remedy, const char *format, ...)
{
	struct capture *c = r->capture;
	va_list args;
	int n = snprintf(c->error, sizeof(c->error), "packet %u, byte %zu: ", c->count + 1, at);

	va_start(args, format);
	vsnprintf(c->error + n, sizeof(c->error) - (size_t)n, format, args);
	va_end(args);
	snprintf(c->remedy, sizeof(c->remedy), "%s", remedy);
	return false;
}

#define CUT "the file was cut off, or is still being written: capture again, or copy it whole"
#define BROKEN "the file is damaged; tshark -r FILE -w NEW keeps what can be read"

static uint16_t get16(const struct reader *r, size_t at)
{
	uint16_t x;

	memcpy(&x, r->bytes + at, sizeof(x));
	return r->swapped ? __builtin_bswap16(x) : x;
}

static uint32_t get32(const struct reader *r, size_t at)
{
	uint32_t x;

	memcpy(&x, r->bytes + at, sizeof(x));
	return r->swapped ? __builtin_bswap32(x) : x;
}

static uint64_t to_ns(uint64_t units, uint64_t units_per_s)
{
	return (uint64_t)((unsigned __int128)units * NS_PER_S / units_per_s);
}

static bool add(struct reader *r, const struct capture_packet *packet)
{
	struct capture *c = r->capture;

	if (packet->len > PACKET_BYTES_MAX)
		return refuse(r, packet->offset, BROKEN, "a packet of %u bytes", packet->len);
	if (c->count == c->count_max) {
		uint32_t count_max = c->count_max ? 2 * c->count_max : 1024;
		void *grown = realloc(c->packet, count_max * sizeof(*c->packet));

		if (!grown)
			return refuse(r, packet->offset, "use a smaller file", "out of memory");
		c->packet = grown;
		c->count_max = count_max;
	}
	c->packet[c->count] = *packet;
	c->packet[c->count].number = c->count + 1;
	c->count++;
	return true;
}

// ---- pcap

#define PCAP_HEADER_BYTES 24
#define PCAP_RECORD_BYTES 16

static bool parse_pcap(struct reader *r, uint64_t units_per_s)
{
	if (r->len < PCAP_HEADER_BYTES)
		return refuse(r, r->len, CUT, "the file ends within its header");
	uint32_t link_type = get32(r, 20) & 0xffff;

	for (r->at = PCAP_HEADER_BYTES; r->at < r->len;) {
		size_t at = r->at, left = r->len - at;

		if (left < PCAP_RECORD_BYTES)
			return refuse(r, at, CUT, "the file ends within a packet's header");
		struct capture_packet p = {.time_ns = get32(r, at) * NS_PER_S +
						      to_ns(get32(r, at + 4), units_per_s),
					   .offset = at,
					   .bytes = r->bytes + at + PCAP_RECORD_BYTES,
					   .len = get32(r, at + 8),
					   .wire_len = get32(r, at + 12),
					   .link_type = link_type};

		if (p.len > left - PCAP_RECORD_BYTES)
			return refuse(r, at, CUT, "%u bytes are said to follow, and %zu do", p.len,
				      left - PCAP_RECORD_BYTES);
		if (!add(r, &p))
			return false;
		r->at += PCAP_RECORD_BYTES + p.len;
	}
	return true;
}

// ---- pcapng

enum block_type {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_SIMPLE = 3,
	BLOCK_PACKET = 6,
};

#define BLOCK_BYTES_MIN 12
#define SECTION_ORDER 0x1a2b3c4d
#define OPTION_TSRESOL 9

// 10^-n, or 2^-n with the upper bit set (4.2); what does not fit 64 bits is not a clock.
static uint64_t units_of(uint8_t resolution)
{
	uint64_t units_per_s = 1;

	for (int i = 0; i < (resolution & 0x7f) && units_per_s < UINT64_C(1) << 60; i++)
		units_per_s *= resolution & 0x80 ? 2 : 10;
	return units_per_s;
}

static bool take_section(struct reader *r, size_t at, uint32_t block_bytes)
{
	if (block_bytes < 28)
		return refuse(r, at, BROKEN, "a section header of %u bytes", block_bytes);
	r->interface_count = 0;
	return true;
}

static bool take_interface(struct reader *r, size_t at, uint32_t block_bytes)
{
	struct interface *i = &r->interface[r->interface_count];

	if (block_bytes < 20)
		return refuse(r, at, BROKEN, "an interface description of %u bytes", block_bytes);
	if (r->interface_count == INTERFACES_MAX)
		return refuse(r, at, "split the file", "more than %d interfaces", INTERFACES_MAX);
	*i = (struct interface){get16(r, at + 8), 1000000};
	for (size_t o = at + 16, end = at + block_bytes - 4; o + 4 <= end;) {
		uint16_t code = get16(r, o), len = get16(r, o + 2);

		if (code == 0 || o + 4 + len > end)
			break;
		if (code == OPTION_TSRESOL && len == 1)
			i->units_per_s = units_of(r->bytes[o + 4]);
		o += 4 + ((size_t)len + 3) / 4 * 4;
	}
	r->interface_count++;
	return true;
}

static bool take_packet(struct reader *r, size_t at, uint32_t block_bytes)
{
	if (block_bytes < 32)
		return refuse(r, at, BROKEN, "a packet block of %u bytes", block_bytes);
	uint32_t index = get32(r, at + 8), len = get32(r, at + 20);

	if (index >= r->interface_count)
		return refuse(r, at, BROKEN, "interface %u was not described", index);
	if (len > block_bytes - 32)
		return refuse(r, at, BROKEN, "%u bytes in a block with room for %u", len,
			      block_bytes - 32);
	const struct interface *i = &r->interface[index];
	uint64_t units = (uint64_t)get32(r, at + 12) << 32 | get32(r, at + 16);
	struct capture_packet p = {.time_ns = to_ns(units, i->units_per_s),
				   .offset = at,
				   .bytes = r->bytes + at + 28,
				   .len = len,
				   .wire_len = get32(r, at + 24),
				   .link_type = i->link_type};

	return add(r, &p);
}

// Without a time (4.4): all at once.
static bool take_simple(struct reader *r, size_t at, uint32_t block_bytes)
{
	if (block_bytes < 16 || r->interface_count == 0)
		return refuse(r, at, BROKEN, "a simple packet block of %u bytes", block_bytes);
	uint32_t wire_len = get32(r, at + 8), room = block_bytes - 16;
	struct capture_packet p = {.offset = at,
				   .bytes = r->bytes + at + 12,
				   .len = wire_len < room ? wire_len : room,
				   .wire_len = wire_len,
				   .link_type = r->interface[0].link_type};

	return add(r, &p);
}

static bool take_block(struct reader *r, size_t at, uint32_t type, uint32_t block_bytes)
{
	switch (type) {
	case BLOCK_SECTION:
		return take_section(r, at, block_bytes);
	case BLOCK_INTERFACE:
		return take_interface(r, at, block_bytes);
	case BLOCK_PACKET:
		return take_packet(r, at, block_bytes);
	case BLOCK_SIMPLE:
		return take_simple(r, at, block_bytes);
	default:
		return true; // names, statistics, and what is to come
	}
}

static bool parse_pcapng(struct reader *r)
{
	while (r->at < r->len) {
		size_t at = r->at, left = r->len - at;

		if (left < BLOCK_BYTES_MIN)
			return refuse(r, at, CUT, "the file ends within a block's header");
		uint32_t type = get32(r, at);

		if (type == BLOCK_SECTION) {
			r->swapped = false;
			r->swapped = get32(r, at + 8) != SECTION_ORDER;
			if (get32(r, at + 8) != SECTION_ORDER)
				return refuse(r, at, BROKEN, "a section of no known byte order");
		}
		uint32_t block_bytes = get32(r, at + 4);

		if (block_bytes < BLOCK_BYTES_MIN || block_bytes % 4)
			return refuse(r, at, BROKEN, "a block of %u bytes", block_bytes);
		if (block_bytes > left)
			return refuse(r, at, CUT, "a block of %u bytes, and %zu follow",
				      block_bytes, left);
		if (get32(r, at + block_bytes - 4) != block_bytes)
			return refuse(r, at, BROKEN, "a block's two lengths are %u and %u",
				      block_bytes, get32(r, at + block_bytes - 4));
		if (!take_block(r, at, type, block_bytes))
			return false;
		r->at += block_bytes;
	}
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct capture_packet *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static bool parse(struct reader *r)
{
	static const struct {
		uint32_t magic;
		uint64_t units_per_s;
		bool swapped;
	} kinds[] = {{0xa1b2c3d4, 1000000, false},
		     {0xd4c3b2a1, 1000000, true},
		     {0xa1b23c4d, 1000000000, false},
		     {0x4d3cb2a1, 1000000000, true}};
	uint32_t magic = r->len >= 4 ? get32(r, 0) : 0;

	if (magic == BLOCK_SECTION)
		return parse_pcapng(r);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (magic != kinds[i].magic)
			continue;
		r->swapped = kinds[i].swapped;
		return parse_pcap(r, kinds[i].units_per_s);
	}
	return refuse(r, 0, "give a file of tcpdump, Wireshark or prism sim --capture",
		      "neither pcap nor pcapng");
}

static bool cannot(struct capture *capture, const char *what, const char *remedy)
{
	snprintf(capture->error, sizeof(capture->error), "cannot be read: %s", what);
	snprintf(capture->remedy, sizeof(capture->remedy), "%s", remedy);
	return false;
}

bool capture_parse(struct capture *capture, const uint8_t *bytes, size_t len)
{
	struct reader *r = calloc(1, sizeof(*r));
	bool good = false;

	if (!r)
		return cannot(capture, "out of memory", "use a smaller file");
	r->capture = capture;
	r->bytes = bytes;
	r->len = len;
	good = parse(r);
	free(r);
	if (good && capture->count)
		qsort(capture->packet, capture->count, sizeof(*capture->packet), by_time);
	return good;
}

bool capture_read(struct capture *capture, const char *path)
{
	FILE *f = fopen(path, "rbe");
	long size;

	*capture = (struct capture){0};
	if (!f)
		return cannot(capture, strerror(errno), "check the name");
	if (fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0 || (uint64_t)size > FILE_BYTES_MAX) {
		fclose(f);
		return cannot(capture, "no file, or larger than 1 GiB",
			      "cut out the connection: tshark -r FILE -Y 'tcp.stream == 0' -w NEW");
	}
	rewind(f);
	capture->bytes = malloc((size_t)size + 1);
	size_t len = capture->bytes ? fread(capture->bytes, 1, (size_t)size, f) : 0;

	fclose(f);
	if (len != (size_t)size)
		return cannot(capture, "it could not be read whole", "try again");
	return capture_parse(capture, capture->bytes, len);
}

void capture_free(struct capture *capture)
{
	free(capture->packet);
	free(capture->bytes);
	*capture = (struct capture){0};
}
