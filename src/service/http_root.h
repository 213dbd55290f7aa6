// SPDX-License-Identifier: BSD-3-Clause
// What an http service serves: every file under its root, read once at start into memory that can
// be sent by reference, with the part of the response header that never changes.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HTTP_ETAG_BYTES 18 // "\"0123456789abcdef\""

struct http_file {
	const char *path; // "/a/b.html"; pages of http itself have none
	uint32_t path_len;
	uint16_t status;     // 200, or 301 for a directory's name without its slash
	uint16_t length_len; // bytes of head that are the Content-Length line
	const char *head;    // header lines from Content-Length on, empty line included
	uint32_t head_len;
	const uint8_t *body;
	uint64_t body_bytes;
	uint64_t modified_s; // unix time
	char etag[HTTP_ETAG_BYTES];
};

struct http_root_config {
	const char *directory;
	const char *index; // a directory's file
	uint64_t file_bytes_max;
	// Where bodies lie: prism_region_alloc, or malloc in tests. NULL with an error set.
	void *(*region_alloc)(void *context, size_t bytes);
	// Told once they will not change: prism_region_seal, or NULL. A negative errno ends the
	// start.
	int (*region_seal)(void *context, const void *bytes, size_t len);
	void *context;
};

struct http_root;

// 0, or a negative errno with err_set naming the file: one too big, special (device, socket, pipe),
// a link leading out, or one that cannot be read. Names beginning with '.' are not served.
int http_root_load(const struct http_root_config *config, struct http_root **root);
void http_root_free(struct http_root *root);

// By normal path (http_path_resolve). NULL when there is none.
const struct http_file *http_root_find(const struct http_root *root, const char *path, size_t len);

// The body of an answer that is not a file: "404 Not Found\n". The status must be in http_status.
const struct http_file *http_root_page(const struct http_root *root, uint32_t status);

uint32_t http_root_file_count(const struct http_root *root);
uint64_t http_root_bytes(const struct http_root *root);
