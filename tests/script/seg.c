// SPDX-License-Identifier: BSD-3-Clause
// Segments as text and on the wire. It knows TCP's format a second time, on its own, so that a
// mistake in the stack's reading or writing shows.
#include "seg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "seg_ip.h"
#include "wire/checksum.h"
#include "wire/ecn.h"
#include "wire/tcp.h"

static const char flag_letters[] = "FSRPAUEC";

void seg_init(struct seg *s)
{
	*s = (struct seg){.ack = SEG_ANY,
			  .win = SEG_ANY,
			  .seq = SEG_ANY,
			  .urgent = SEG_ANY,
			  .data_offset = SEG_ANY,
			  .ttl = 64,
			  .cut_bytes = 0};
}

// ---- text

static bool parse_number(const char *text, int64_t *out)
{
	char *end;

	if (!text)
		return false;
	if (strcmp(text, "*") == 0) {
		*out = SEG_ANY;
		return true;
	}
	if (strcmp(text, "last") == 0) {
		*out = SEG_LAST;
		return true;
	}
	*out = strtoll(text, &end, 0);
	return end != text && *end == '\0';
}

// "0:100" or "7"
static bool parse_range(char *text, int64_t *start, int64_t *end)
{
	char *second = text;
	const char *first = strsep(&second, ":");

	return parse_number(first, start) && (!second || parse_number(second, end));
}

static const char *parse_flags(const char *text, struct seg *s)
{
	for (; *text; text++) {
		const char *at = strchr(flag_letters, *text);

		if (*text == '.')
			s->flags |= TCP_ACK;
		else if (at)
			s->flags |= (uint8_t)(1 << (at - flag_letters));
		else if (*text != '0')
			return "flags are letters of FSRPAUEC, '.' for ACK, or 0";
	}
	return NULL;
}

static bool parse_blocks(char *rest, struct seg_option *o)
{
	char *word;

	o->kind = TCP_OPTION_SACK;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (*word == '\0')
			continue;
		if (o->block_count == ARRAY_COUNT(o->block) ||
		    !parse_range(word, &o->block[o->block_count].start,
				 &o->block[o->block_count].end))
			return false;
		o->block_count++;
	}
	return true;
}

// "mss 1460", "ts 100 0", "sack 1:100 200:300", "opt KIND LEN"; "fast", "fast COOKIE"
static bool parse_option(char *text, struct seg *s)
{
	struct seg_option *o = &s->option[s->option_count++];
	int64_t kind;

	while (*text == ' ')
		text++;
	const char *name = strsep(&text, " ");

	*o = (struct seg_option){0};
	if (strcmp(name, "*") == 0) {
		s->option_count--;
		s->options_open = true;
		return true;
	}
	if (strcmp(name, "nop") == 0 || strcmp(name, "eol") == 0) {
		o->kind = name[0] == 'n' ? TCP_OPTION_NOP : TCP_OPTION_END;
		return true;
	}
	if (strcmp(name, "sackOK") == 0) {
		o->kind = TCP_OPTION_SACK_PERMITTED;
		return true;
	}
	if (strcmp(name, "sack") == 0)
		return parse_blocks(text, o);
	if (strcmp(name, "mss") == 0 || strcmp(name, "wscale") == 0) {
		o->kind = name[0] == 'm' ? TCP_OPTION_MSS : TCP_OPTION_WINDOW_SCALE;
		return parse_number(text, &o->a);
	}
	if (strcmp(name, "ts") == 0) {
		o->kind = TCP_OPTION_TIMESTAMPS;
		return parse_number(strsep(&text, " "), &o->a) && parse_number(text, &o->b);
	}
	if (strcmp(name, "fast") == 0) {
		o->kind = TCP_OPTION_FAST_OPEN;
		o->b = text ? 8 : 0;
		return !text || parse_number(text, &o->a);
	}
	if (strcmp(name, "opt") != 0 || !parse_number(strsep(&text, " "), &kind) ||
	    !parse_number(text, &o->a))
		return false;
	o->kind = (uint8_t)kind;
	o->len = (uint8_t)o->a;
	return true;
}

static const char *parse_options(char *text, struct seg *s)
{
	char *one;

	s->options_given = true;
	while ((one = strsep(&text, ",")) != NULL) {
		if (strspn(one, " ") == strlen(one))
			continue;
		if (s->option_count == SEG_OPTIONS_MAX || !parse_option(one, s))
			return "options are mss, wscale, sackOK, sack, ts, fast, nop, eol, opt, *";
	}
	return NULL;
}

static const struct {
	const char *name;
	enum ecn ecn;
} marks[] = {{"ect0", ECN_ECT0}, {"ect1", ECN_ECT1}, {"ce", ECN_CE}};

static const char *parse_field(struct seg *s, const char *name, char **rest)
{
	struct {
		const char *name;
		int64_t *field;
	} fields[] = {{"ack", &s->ack},          {"win", &s->win},       {"urg", &s->urgent},
		      {"doff", &s->data_offset}, {"cut", &s->cut_bytes}, {"ttl", &s->ttl},
		      {"tos", &s->tos}};
	int64_t number;

	if (strcmp(name, "bad-checksum") == 0) {
		s->bad_checksum = true;
		return NULL;
	}
	if (strcmp(name, "from") == 0 && parse_number(strsep(rest, " "), &number)) {
		s->src_last = (uint8_t)number;
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_COUNT(marks); i++) {
		if (strcmp(name, marks[i].name) == 0) {
			s->tos = ecn_with((uint8_t)s->tos, marks[i].ecn);
			return NULL;
		}
	}
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++)
		if (strcmp(name, fields[i].name) == 0)
			return parse_number(strsep(rest, " "), fields[i].field)
				       ? NULL
				       : "a number is missing";
	return "a word is not one of ack, win, urg, doff, cut, ttl, tos, ect0, ect1, ce, from, "
	       "bad-checksum";
}

const char *seg_parse(char *text, struct seg *s)
{
	char *options = strchr(text, '<');
	const char *error;
	char *word;

	seg_init(s);
	if (options) {
		char *end = strchr(options, '>');

		if (!end)
			return "the options have no end";
		*end = '\0';
		error = parse_options(options + 1, s);
		if (error)
			return error;
		memset(options, ' ', (size_t)(end - options + 1)); // words may follow
	}
	error = parse_flags(strsep(&text, " "), s);
	if (error)
		return error;
	word = strsep(&text, " ");
	int64_t end = SEG_ANY;

	if (!word || !parse_range(word, &s->seq, &end))
		return "the sequence number, or START:END, is missing";
	s->len = end == SEG_ANY ? 0 : (uint32_t)(end - s->seq);
	while ((word = strsep(&text, " ")) != NULL) {
		if (*word == '\0')
			continue;
		error = parse_field(s, word, &text);
		if (error)
			return error;
	}
	return NULL;
}

static int put_option(char *text, size_t size, const struct seg_option *o)
{
	int n = 0;

	switch (o->kind) {
	case TCP_OPTION_MSS:
		return snprintf(text, size, "mss %ld,", o->a);
	case TCP_OPTION_WINDOW_SCALE:
		return snprintf(text, size, "wscale %ld,", o->a);
	case TCP_OPTION_SACK_PERMITTED:
		return snprintf(text, size, "sackOK,");
	case TCP_OPTION_TIMESTAMPS:
		return snprintf(text, size, "ts %ld %ld,", o->a, o->b);
	case TCP_OPTION_FAST_OPEN:
		return snprintf(text, size, o->b ? "fast %ld," : "fast,", o->a);
	case TCP_OPTION_SACK:
		n = snprintf(text, size, "sack");
		for (uint32_t i = 0; i < o->block_count; i++)
			n += snprintf(text + n, size - (size_t)n, " %ld:%ld", o->block[i].start,
				      o->block[i].end);
		return n + snprintf(text + n, size - (size_t)n, ",");
	default:
		return snprintf(text, size, "opt %u %u,", o->kind, o->len);
	}
}

void seg_format(const struct seg *s, char text[SEG_TEXT_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < 8; i++)
		if (s->flags >> i & 1)
			text[n++] = flag_letters[i];
	n += (size_t)snprintf(text + n, SEG_TEXT_BYTES - n, s->len ? " %ld:%ld" : " %ld", s->seq,
			      s->seq + s->len);
	if (s->flags & TCP_ACK)
		n += (size_t)snprintf(text + n, SEG_TEXT_BYTES - n, " ack %ld", s->ack);
	if (s->tos)
		n += (size_t)snprintf(text + n, SEG_TEXT_BYTES - n, " tos %ld", s->tos);
	n += (size_t)snprintf(text + n, SEG_TEXT_BYTES - n, " win %ld <", s->win);
	for (uint32_t i = 0; i < s->option_count; i++)
		n += (size_t)put_option(text + n, SEG_TEXT_BYTES - n - 2, &s->option[i]);
	text[n++] = '>';
	text[n] = '\0';
}

// ---- wire

static uint8_t *put32(uint8_t *at, int64_t x)
{
	be32 be = be32_of((uint32_t)x);

	memcpy(at, &be, sizeof(be));
	return at + sizeof(be);
}

static uint8_t *build_option(uint8_t *at, const struct seg_option *o)
{
	*at++ = o->kind;
	switch (o->kind) {
	case TCP_OPTION_END:
	case TCP_OPTION_NOP:
		return at;
	case TCP_OPTION_MSS:
		*at++ = 4;
		*at++ = (uint8_t)(o->a >> 8);
		*at++ = (uint8_t)o->a;
		return at;
	case TCP_OPTION_WINDOW_SCALE:
		*at++ = 3;
		*at++ = (uint8_t)o->a;
		return at;
	case TCP_OPTION_SACK_PERMITTED:
		*at++ = 2;
		return at;
	case TCP_OPTION_TIMESTAMPS:
		*at++ = 10;
		return put32(put32(at, o->a), o->b);
	case TCP_OPTION_FAST_OPEN:
		*at++ = (uint8_t)(2 + o->b);
		return o->b ? put32(put32(at, o->a >> 32), o->a) : at;
	case TCP_OPTION_SACK:
		*at++ = (uint8_t)(2 + 8 * o->block_count);
		for (uint32_t i = 0; i < o->block_count; i++)
			at = put32(put32(at, o->block[i].start), o->block[i].end);
		return at;
	default:
		*at++ = o->len;
		for (int i = 2; i < o->len; i++)
			*at++ = 0;
		return at;
	}
}

static uint32_t build_tcp(const struct seg *s, const struct seg_ends *ends, uint8_t *at)
{
	struct tcp_header *h = (void *)at;
	uint8_t *end = at + TCP_HEADER_BYTES;

	for (uint32_t i = 0; i < s->option_count; i++)
		end = build_option(end, &s->option[i]);
	while ((end - at) % 4 != 0)
		*end++ = 0;
	*h = (struct tcp_header){
		.src_port = be16_of(ends->src_port),
		.dst_port = be16_of(ends->dst_port),
		.seq = be32_of((uint32_t)s->seq),
		.ack = be32_of(s->ack == SEG_ANY ? 0 : (uint32_t)s->ack),
		.data_offset = (uint8_t)((end - at) / 4 << 4),
		.flags = s->flags,
		.window = be16_of(s->win == SEG_ANY ? 65535 : (uint16_t)s->win),
		.urgent = be16_of(s->urgent == SEG_ANY ? 0 : (uint16_t)s->urgent),
	};
	if (s->data_offset != SEG_ANY)
		h->data_offset = (uint8_t)(s->data_offset << 4);
	for (uint32_t i = 0; i < s->len; i++)
		*end++ = seg_byte(ends->payload_offset + i);
	struct addr src = seg_addr(ends->ip6, ends->src), dst = seg_addr(ends->ip6, ends->dst);
	uint32_t len = (uint32_t)(end - at);

	h->checksum =
		checksum_finish(checksum_add(checksum_pseudo(&src, &dst, SEG_TCP, len), at, len));
	if (s->bad_checksum)
		h->checksum.raw ^= 0x0100;
	return len;
}

uint32_t seg_build(const struct seg *s, const struct seg_ends *ends, uint8_t *frame)
{
	uint32_t at = seg_l4_at(ends->ip6), len = build_tcp(s, ends, frame + at);

	seg_put_ip(s, ends, frame, len);
	return at + len - (uint32_t)s->cut_bytes;
}

static uint32_t get32(const uint8_t *at)
{
	be32 be;

	memcpy(&be, at, sizeof(be));
	return be32_get(be);
}

static void read_option(const uint8_t *at, struct seg_option *o)
{
	*o = (struct seg_option){.kind = at[0], .len = at[1]};
	if (o->kind == TCP_OPTION_MSS)
		o->a = at[2] << 8 | at[3];
	else if (o->kind == TCP_OPTION_WINDOW_SCALE)
		o->a = at[2];
	else if (o->kind == TCP_OPTION_TIMESTAMPS) {
		o->a = get32(at + 2);
		o->b = get32(at + 6);
	} else if (o->kind == TCP_OPTION_FAST_OPEN && (o->b = o->len - 2) == 8)
		o->a = (int64_t)((uint64_t)get32(at + 2) << 32 | get32(at + 6));
	if (o->kind != TCP_OPTION_SACK)
		return;
	for (int i = 2; i + 8 <= o->len && o->block_count < ARRAY_COUNT(o->block); i += 8) {
		o->block[o->block_count].start = get32(at + i);
		o->block[o->block_count++].end = get32(at + i + 4);
	}
}

static const char *read_options(const uint8_t *at, const uint8_t *end, struct seg *s)
{
	while (at < end && *at != TCP_OPTION_END) {
		if (*at == TCP_OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at + at[1] > end)
			return "its options run over their end";
		if (s->option_count < SEG_OPTIONS_MAX)
			read_option(at, &s->option[s->option_count++]);
		at += at[1];
	}
	return NULL;
}

const char *seg_read(const uint8_t *frame, uint32_t len, struct seg *s, struct seg_ends *ends,
		     const uint8_t **payload)
{
	const struct tcp_header *h = (const void *)(frame + seg_l4_at(seg_is_ip6(frame)));
	uint32_t tcp_len = 0;
	const char *error;

	seg_init(s);
	error = seg_get_ip(frame, len, s, ends, &tcp_len);
	if (error)
		return error;
	if (tcp_len < TCP_HEADER_BYTES)
		return "it is too short";
	uint32_t header_len = tcp_header_len(h);
	struct addr src = seg_addr(ends->ip6, ends->src), dst = seg_addr(ends->ip6, ends->dst);

	if (!checksum_is_good(
		    checksum_add(checksum_pseudo(&src, &dst, SEG_TCP, tcp_len), h, tcp_len)))
		return "its TCP checksum is wrong";
	if (header_len < TCP_HEADER_BYTES || header_len > tcp_len)
		return "its data offset is wrong";
	ends->src_port = be16_get(h->src_port);
	ends->dst_port = be16_get(h->dst_port);
	s->flags = h->flags;
	s->seq = be32_get(h->seq);
	s->ack = be32_get(h->ack);
	s->win = be16_get(h->window);
	s->urgent = be16_get(h->urgent);
	s->len = tcp_len - header_len;
	*payload = (const uint8_t *)h + header_len;
	return read_options((const uint8_t *)h + TCP_HEADER_BYTES, *payload, s);
}

// ---- comparison

static bool same(int64_t want, int64_t got)
{
	return want == SEG_ANY || want == got;
}

static bool same_option(const struct seg_option *want, const struct seg_option *got)
{
	if (!same(want->a, got->a) || !same(want->b, got->b) ||
	    want->block_count != got->block_count)
		return false;
	for (uint32_t i = 0; i < want->block_count; i++)
		if (want->block[i].start != got->block[i].start ||
		    want->block[i].end != got->block[i].end)
			return false;
	return true;
}

static const struct seg_option *find_option(const struct seg *s, uint8_t kind)
{
	for (uint32_t i = 0; i < s->option_count; i++)
		if (s->option[i].kind == kind)
			return &s->option[i];
	return NULL;
}

static const char *options_differ(const struct seg *want, const struct seg *got)
{
	if (!want->options_given)
		return NULL;
	for (uint32_t i = 0; i < want->option_count; i++) {
		const struct seg_option *o = find_option(got, want->option[i].kind);

		if (!o)
			return "an option is missing";
		if (!same_option(&want->option[i], o))
			return "an option has another value";
	}
	return want->options_open || want->option_count == got->option_count
		       ? NULL
		       : "there are more options";
}

const char *seg_differs(const struct seg *want, const struct seg *got)
{
	// Where a script does not ask for PSH, to push or not is the sender's choice.
	if ((want->flags ^ got->flags) & ~(want->flags & TCP_PSH ? 0 : TCP_PSH))
		return "flags";
	if (!same(want->seq, got->seq))
		return "sequence number";
	if (want->len != got->len)
		return "length";
	if ((got->flags & TCP_ACK) && !same(want->ack, got->ack))
		return "acknowledgment number";
	if (!same(want->win, got->win))
		return "window";
	if (!same(want->tos, got->tos))
		return "type of service, or ECN field";
	return options_differ(want, got);
}
