// SPDX-License-Identifier: BSD-3-Clause
// The answers this server gives, in RFC 9110 15's words.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct http_status {
	uint16_t status;
	uint16_t line_len;
	const char *line; // "HTTP/1.1 200 OK\r\nDate: "
	const char *page; // "404 Not Found\n", NULL for those with a file's body or none
};

// NULL for a status that is not used here.
const struct http_status *http_status_find(uint32_t status);
const struct http_status *http_status_at(uint32_t index); // NULL after the last

// The media type of a file's name, by its extension; "application/octet-stream" by default.
const char *http_media_type(const char *name, size_t len);
