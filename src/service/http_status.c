// SPDX-License-Identifier: BSD-3-Clause
// Two tables: the statuses with their first header bytes (RFC 9110 15), and media types by
// extension (IANA's registry). Called when a root is loaded and by http_answer.c. Content is not
// looked into to guess its type: a name says what it is.
#include "service/http_status.h"

#include <string.h>
#include <strings.h>

#include "base/bits.h"

#define STATUS(number, phrase, page_text) \
	{ \
		number, sizeof("HTTP/1.1 " #number " " phrase "\r\nDate: ") - 1, \
			"HTTP/1.1 " #number " " phrase "\r\nDate: ", page_text \
	}
#define STATUS_PAGE(number, phrase) STATUS(number, phrase, #number " " phrase "\n")

static const struct http_status statuses[] = {
	STATUS(200, "OK", NULL), // first: the one that is looked for
	STATUS(206, "Partial Content", NULL),
	STATUS_PAGE(301, "Moved Permanently"),
	STATUS(304, "Not Modified", NULL),
	STATUS_PAGE(400, "Bad Request"),
	STATUS_PAGE(404, "Not Found"),
	STATUS_PAGE(405, "Method Not Allowed"),
	STATUS_PAGE(408, "Request Timeout"),
	STATUS_PAGE(412, "Precondition Failed"),
	STATUS_PAGE(413, "Content Too Large"),
	STATUS_PAGE(414, "URI Too Long"),
	STATUS_PAGE(416, "Range Not Satisfiable"),
	STATUS_PAGE(431, "Request Header Fields Too Large"),
	STATUS_PAGE(501, "Not Implemented"),
	STATUS_PAGE(503, "Service Unavailable"),
	STATUS_PAGE(505, "HTTP Version Not Supported"),
};

const struct http_status *http_status_find(uint32_t status)
{
	for (size_t i = 0; i < ARRAY_COUNT(statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	return NULL;
}

const struct http_status *http_status_at(uint32_t index)
{
	return index < ARRAY_COUNT(statuses) ? &statuses[index] : NULL;
}

// As registered with IANA; text without a charset would be guessed at, so it is named.
static const struct {
	const char *extension, *type;
} media_types[] = {
	{"html", "text/html; charset=utf-8"},
	{"htm", "text/html; charset=utf-8"},
	{"css", "text/css; charset=utf-8"},
	{"js", "text/javascript; charset=utf-8"},
	{"mjs", "text/javascript; charset=utf-8"},
	{"txt", "text/plain; charset=utf-8"},
	{"md", "text/markdown; charset=utf-8"},
	{"csv", "text/csv; charset=utf-8"},
	{"json", "application/json"},
	{"xml", "application/xml"},
	{"svg", "image/svg+xml"},
	{"png", "image/png"},
	{"jpg", "image/jpeg"},
	{"jpeg", "image/jpeg"},
	{"gif", "image/gif"},
	{"webp", "image/webp"},
	{"avif", "image/avif"},
	{"ico", "image/vnd.microsoft.icon"},
	{"woff", "font/woff"},
	{"woff2", "font/woff2"},
	{"ttf", "font/ttf"},
	{"otf", "font/otf"},
	{"mp3", "audio/mpeg"},
	{"ogg", "audio/ogg"},
	{"wav", "audio/wav"},
	{"mp4", "video/mp4"},
	{"webm", "video/webm"},
	{"pdf", "application/pdf"},
	{"wasm", "application/wasm"},
	{"zip", "application/zip"},
	{"gz", "application/gzip"},
	{"zst", "application/zstd"},
	{"tar", "application/x-tar"},
	{"pcap", "application/vnd.tcpdump.pcap"},
};

const char *http_media_type(const char *name, size_t len)
{
	size_t start = len;

	while (start > 0 && name[start - 1] != '.' && name[start - 1] != '/')
		start--;
	if (start == 0 || name[start - 1] != '.')
		return "application/octet-stream";
	for (size_t i = 0; i < ARRAY_COUNT(media_types); i++)
		if (strlen(media_types[i].extension) == len - start &&
		    strncasecmp(media_types[i].extension, name + start, len - start) == 0)
			return media_types[i].type;
	return "application/octet-stream";
}
