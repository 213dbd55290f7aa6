// SPDX-License-Identifier: BSD-3-Clause
// Request target to path, in one pass: escapes are decoded first and the result is cut into
// segments, so an escaped "%2e%2e%2f" climbs no further than a plain "../". Climbing above the
// root is refused; anything else leads to a name that is in the table of files or is not.
// Called by http_answer.c.
#include "service/http_path.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Takes one decoded byte off the front. Negative when it may not stand in a path.
static int byte_next(const char **at, const char *end)
{
	unsigned char c = (unsigned char)*(*at)++;

	if (c == '%') {
		if (end - *at < 2)
			return -1;
		int high = hex_value((*at)[0]), low = hex_value((*at)[1]);

		if (high < 0 || low < 0)
			return -1;
		c = (unsigned char)(high << 4 | low);
		*at += 2;
	}
	return c < 0x20 || c == 0x7f ? -1 : c;
}

// Skips "http://authority" (RFC 9112 3.2.2: a server must accept it). False for other forms.
static bool origin_skip(const char **at, const char *end)
{
	if (*at < end && **at == '/')
		return true;
	if (end - *at < 8 || strncasecmp(*at, "http://", 7) != 0)
		return false;
	*at += 7;
	while (*at < end && **at != '/' && **at != '?')
		(*at)++;
	return true;
}

// The segment after the last slash of out[0..len) is complete: drops it if empty or ".", drops
// its parent too for "..". Returns the new length, 0 above the root.
static size_t segment_close(char *out, size_t len)
{
	size_t start = len;

	while (out[start - 1] != '/')
		start--;
	size_t segment_len = len - start;

	if (segment_len == 0 || (segment_len == 1 && out[start] == '.'))
		return start;
	if (segment_len != 2 || out[start] != '.' || out[start + 1] != '.') {
		out[len] = '/';
		return len + 1;
	}
	if (start == 1)
		return 0;
	start--;
	while (out[start - 1] != '/')
		start--;
	return start;
}

size_t http_path_resolve(const char *target, size_t len, char *out)
{
	const char *at = target, *end = target + len;
	size_t out_len = 1;

	if (!origin_skip(&at, end))
		return 0;
	out[0] = '/';
	while (at < end && *at != '?' && *at != '#') {
		int byte = byte_next(&at, end);

		if (byte < 0)
			return 0;
		if (byte == '/')
			out_len = segment_close(out, out_len);
		else
			out[out_len++] = (char)byte;
		if (out_len == 0)
			return 0;
	}
	// A last "." or ".." names a directory too.
	if (out[out_len - 1] == '.') {
		size_t closed_len = segment_close(out, out_len);

		if (closed_len <= out_len)
			return closed_len;
	}
	return out_len;
}
