// SPDX-License-Identifier: BSD-3-Clause
// The root directory of an http service, read once at start: first a walk that lists and checks
// every file, then one region for all bodies, then the reading. A directory with an index file
// gets two more names: "/d/" is the index, "/d" a redirect to it (relative links need the slash).
//
// Nothing is opened after start: a request's path is looked up in a table of what was found, so no
// path, however written, leads anywhere else. Changes on disk are seen at the next start.
// Called by http.c at start; calls the file system, which the data path never does.
#include "service/http_root.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/hash.h"
#include "service/http_date.h"
#include "service/http_status.h"

#define PAGES_MAX 32
#define HEAD_TEXT_BYTES 512         // all header lines but Location
#define REDIRECT_PATH_BYTES_MAX 400 // its head, three bytes a byte at the worst, fits a buffer

struct http_root {
	struct http_file *files;
	uint32_t file_count, file_capacity;
	uint32_t *table; // index + 1, 0 empty; at most half full
	uint32_t table_mask;
	uint64_t bytes;
	struct http_file pages[PAGES_MAX]; // in the order of http_status_at
	char directory[PATH_MAX];          // resolved
};

static const uint8_t no_key[16]; // names are the operator's; ETags want the same value every start

static uint32_t slot_of(const struct http_root *root, const char *path, size_t len)
{
	return (uint32_t)hash_siphash(no_key, path, len) & root->table_mask;
}

const struct http_file *http_root_find(const struct http_root *root, const char *path, size_t len)
{
	for (uint32_t slot = slot_of(root, path, len); root->table[slot];
	     slot = (slot + 1) & root->table_mask) {
		const struct http_file *file = &root->files[root->table[slot] - 1];

		if (file->path_len == len && memcmp(file->path, path, len) == 0)
			return file;
	}
	return NULL;
}

const struct http_file *http_root_page(const struct http_root *root, uint32_t status)
{
	for (uint32_t i = 0; http_status_at(i); i++)
		if (http_status_at(i)->status == status)
			return &root->pages[i];
	return NULL;
}

uint32_t http_root_file_count(const struct http_root *root)
{
	return root->file_count;
}

uint64_t http_root_bytes(const struct http_root *root)
{
	return root->bytes;
}

// A new file of this path; NULL with err_set. Text for its head is behind its path.
static struct http_file *file_add(struct http_root *root, const char *path, size_t len)
{
	if (root->file_count == root->file_capacity) {
		uint32_t capacity = MAX(2 * root->file_capacity, 64u);
		struct http_file *files = realloc(root->files, capacity * sizeof(*files));

		if (!files)
			goto fail;
		root->files = files;
		root->file_capacity = capacity;
	}
	char *text = malloc(len + HEAD_TEXT_BYTES + 3 * REDIRECT_PATH_BYTES_MAX);

	if (!text)
		goto fail;
	struct http_file *file = &root->files[root->file_count++];

	memcpy(text, path, len);
	*file = (struct http_file){
		.path = text, .path_len = (uint32_t)len, .status = 200, .head = text + len};
	return file;
fail:
	err_set(ERR_OUT_OF_MEMORY, "the list of files under %s", root->directory);
	return NULL;
}

static int file_list(struct http_root *root, const char *on_disk, const struct stat *st,
		     const struct http_root_config *config)
{
	const char *path = on_disk + strlen(root->directory);

	if ((uint64_t)st->st_size > config->file_bytes_max)
		return err_set(ERR_SERVICE_FILE_SIZE, "%s has %lld bytes, the limit is %llu",
			       on_disk, (long long)st->st_size,
			       (unsigned long long)config->file_bytes_max);
	struct http_file *file = file_add(root, path, strlen(path));

	if (!file)
		return -ENOMEM;
	file->body_bytes = (uint64_t)st->st_size;
	file->modified_s = st->st_mtime < 0 ? 0 : (uint64_t)st->st_mtime;
	return 0;
}

static int link_list(struct http_root *root, const char *on_disk,
		     const struct http_root_config *config)
{
	char target[PATH_MAX];
	struct stat st;
	size_t len = strlen(root->directory);

	if (!realpath(on_disk, target) || stat(target, &st) < 0)
		return err_set(ERR_SERVICE_FILE_UNREADABLE, "%s: %s", on_disk, strerror(errno));
	if (strncmp(target, root->directory, len) != 0 || target[len] != '/')
		return err_set(ERR_SERVICE_FILE_SPECIAL, "%s is a link to %s, outside the root",
			       on_disk, target);
	if (!S_ISREG(st.st_mode))
		return err_set(ERR_SERVICE_FILE_SPECIAL, "%s is a link to %s, not a file", on_disk,
			       target);
	return file_list(root, on_disk, &st, config);
}

static int entry_list(struct http_root *root, FTS *walk, FTSENT *entry,
		      const struct http_root_config *config)
{
	if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
		fts_set(walk, entry, FTS_SKIP);
		return 0;
	}
	switch (entry->fts_info) {
	case FTS_D:
	case FTS_DP:
		return 0;
	case FTS_F:
		return file_list(root, entry->fts_path, entry->fts_statp, config);
	case FTS_SL:
	case FTS_SLNONE:
		return link_list(root, entry->fts_path, config);
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return err_set(ERR_SERVICE_FILE_UNREADABLE, "%s: %s", entry->fts_path,
			       strerror(entry->fts_errno));
	default:
		return err_set(ERR_SERVICE_FILE_SPECIAL, "%s is a device, socket or pipe",
			       entry->fts_path);
	}
}

static int files_list(struct http_root *root, const struct http_root_config *config)
{
	char *paths[] = {root->directory, NULL};
	FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;
	int status = 0;

	if (!walk)
		return err_set(ERR_SERVICE_ROOT, "%s: %s", root->directory, strerror(errno));
	while (status == 0 && (entry = fts_read(walk)))
		status = entry_list(root, walk, entry, config);
	fts_close(walk);
	return status;
}

static uint64_t bodies_bytes(const struct http_root *root)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < root->file_count; i++)
		bytes += bits_round_up(root->files[i].body_bytes, CACHE_LINE_BYTES);
	for (uint32_t i = 0; http_status_at(i); i++)
		bytes += CACHE_LINE_BYTES;
	return bytes;
}

static int file_read(const struct http_root *root, const struct http_file *file, uint8_t *to)
{
	char name[2 * PATH_MAX];

	snprintf(name, sizeof(name), "%s%.*s", root->directory,
		 (int)MIN(file->path_len, PATH_MAX - 1u), file->path);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	uint64_t done = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && done < file->body_bytes) {
		n = read(fd, to + done, file->body_bytes - done);
		if (n > 0)
			done += (uint64_t)n;
	}
	int reason = errno;

	if (fd >= 0)
		close(fd);
	if (n < 0)
		return err_set(ERR_SERVICE_FILE_UNREADABLE, "%s: %s", name, strerror(reason));
	if (done < file->body_bytes)
		return err_set(ERR_SERVICE_FILE_UNREADABLE, "%s: became shorter while it was read",
			       name);
	return 0;
}

// Everything in a response that depends on the file alone. Content-Length comes first, so that a
// range can replace it and a 304 leave it out.
static void head_write(struct http_file *file, const char *type)
{
	char *out = (char *)(uintptr_t)file->head;
	int len = snprintf(out, HEAD_TEXT_BYTES, "Content-Length: %llu\r\n",
			   (unsigned long long)file->body_bytes);
	char date[HTTP_DATE_BYTES];

	file->length_len = (uint16_t)len;
	if (file->etag[0]) {
		http_date_write(date, file->modified_s);
		len += snprintf(out + len, HEAD_TEXT_BYTES - (size_t)len,
				"ETag: %.*s\r\nLast-Modified: %.*s\r\nAccept-Ranges: bytes\r\n",
				HTTP_ETAG_BYTES, file->etag, HTTP_DATE_BYTES, date);
	}
	len += snprintf(out + len, HEAD_TEXT_BYTES - (size_t)len, "Content-Type: %s\r\n\r\n", type);
	file->head_len = (uint32_t)len;
}

static int files_read(struct http_root *root, uint8_t **at)
{
	for (uint32_t i = 0; i < root->file_count; i++) {
		struct http_file *file = &root->files[i];
		char etag[HTTP_ETAG_BYTES + 1];
		int status = file_read(root, file, *at);

		if (status < 0)
			return status;
		snprintf(etag, sizeof(etag), "\"%016llx\"",
			 (unsigned long long)hash_siphash(no_key, *at, file->body_bytes));
		memcpy(file->etag, etag, HTTP_ETAG_BYTES);
		file->body = *at;
		head_write(file, http_media_type(file->path, file->path_len));
		root->bytes += file->body_bytes;
		*at += bits_round_up(file->body_bytes, CACHE_LINE_BYTES);
	}
	return 0;
}

static int pages_make(struct http_root *root, uint8_t **at)
{
	for (uint32_t i = 0; http_status_at(i) && i < PAGES_MAX; i++) {
		struct http_file *page = &root->pages[i];
		const struct http_status *status = http_status_at(i);
		char *text = malloc(HEAD_TEXT_BYTES);

		if (!text)
			return err_set(ERR_OUT_OF_MEMORY, "the pages of http errors");
		*page = (struct http_file){.status = status->status, .head = text, .body = *at};
		page->body_bytes = status->page ? strlen(status->page) : 0;
		memcpy(*at, status->page ? status->page : "", page->body_bytes);
		head_write(page, "text/plain; charset=utf-8");
		*at += CACHE_LINE_BYTES;
	}
	return 0;
}

// Location: with every byte escaped that a URI may not hold as it is (RFC 3986 2).
static void redirect_write(struct http_file *file, const struct http_file *page)
{
	char *out = (char *)(uintptr_t)file->head;
	int len = snprintf(out, HEAD_TEXT_BYTES, "Content-Length: %llu\r\nLocation: ",
			   (unsigned long long)page->body_bytes);

	for (uint32_t i = 0; i < file->path_len; i++) {
		unsigned char c = (unsigned char)file->path[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("/-._~", c);

		len += sprintf(out + len, plain ? "%c" : "%%%02X", c);
	}
	len += sprintf(out + len, "/\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
	file->head_len = (uint32_t)len;
	file->status = 301;
	file->body = page->body;
	file->body_bytes = page->body_bytes;
}

// The other two names of the directory whose index file this is.
static int directory_add(struct http_root *root, uint32_t index, size_t dir_len)
{
	struct http_file *alias = file_add(root, root->files[index].path, dir_len);

	if (!alias)
		return -ENOMEM;
	const struct http_file *file = &root->files[index];
	const char *path = alias->path;

	memcpy((char *)(uintptr_t)alias->head, file->head, file->head_len);
	const char *head = alias->head;

	*alias = *file;
	alias->path = path;
	alias->path_len = (uint32_t)dir_len;
	alias->head = head;
	if (dir_len == 1 || dir_len > REDIRECT_PATH_BYTES_MAX)
		return 0;
	struct http_file *redirect = file_add(root, path, dir_len - 1);

	if (!redirect)
		return -ENOMEM;
	redirect_write(redirect, http_root_page(root, 301));
	return 0;
}

static int directories_add(struct http_root *root, const char *index_name)
{
	uint32_t on_disk_count = root->file_count;
	size_t name_len = strlen(index_name);

	for (uint32_t i = 0; i < on_disk_count; i++) {
		const struct http_file *file = &root->files[i];
		size_t dir_len = file->path_len - name_len; // slash included

		if (file->path_len <= name_len || file->path[dir_len - 1] != '/' ||
		    memcmp(file->path + dir_len, index_name, name_len) != 0)
			continue;
		int status = directory_add(root, i, dir_len);

		if (status < 0)
			return status;
	}
	return 0;
}

static int table_make(struct http_root *root)
{
	uint32_t slots = (uint32_t)bits_ceil_pow2(2 * (uint64_t)root->file_count + 2);

	root->table = calloc(slots, sizeof(*root->table));
	if (!root->table)
		return err_set(ERR_OUT_OF_MEMORY, "the table of %u files", root->file_count);
	root->table_mask = slots - 1;
	for (uint32_t i = 0; i < root->file_count; i++) {
		uint32_t slot = slot_of(root, root->files[i].path, root->files[i].path_len);

		while (root->table[slot])
			slot = (slot + 1) & root->table_mask;
		root->table[slot] = i + 1;
	}
	return 0;
}

static int root_fill(struct http_root *root, const struct http_root_config *config)
{
	int status = files_list(root, config);

	if (status < 0)
		return status;
	uint8_t *bodies = config->region_alloc(config->context, bodies_bytes(root));

	const uint8_t *first = bodies;

	if (!bodies)
		return -ENOMEM;
	status = pages_make(root, &bodies);
	if (status == 0)
		status = files_read(root, &bodies);
	if (status == 0)
		status = directories_add(root, config->index);
	if (status == 0)
		status = table_make(root);
	if (status == 0 && config->region_seal)
		status = config->region_seal(config->context, first, (size_t)(bodies - first));
	return status;
}

int http_root_load(const struct http_root_config *config, struct http_root **out)
{
	struct http_root *root = calloc(1, sizeof(*root));
	struct stat st;

	if (!root)
		return err_set(ERR_OUT_OF_MEMORY, "http root");
	int status = 0;

	if (!config->directory || !*config->directory)
		status = err_set(ERR_SERVICE_ROOT, "no root is given");
	else if (!realpath(config->directory, root->directory) || stat(root->directory, &st) < 0)
		status = err_set(ERR_SERVICE_ROOT, "%s: %s", config->directory, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		status = err_set(ERR_SERVICE_ROOT, "%s is not a directory", config->directory);
	else
		status = root_fill(root, config);
	if (status < 0) {
		http_root_free(root);
		return status;
	}
	*out = root;
	return 0;
}

void http_root_free(struct http_root *root)
{
	if (!root)
		return;
	for (uint32_t i = 0; i < root->file_count; i++)
		free((char *)(uintptr_t)root->files[i].path);
	for (uint32_t i = 0; i < PAGES_MAX; i++)
		free((char *)(uintptr_t)root->pages[i].head);
	free(root->files);
	free(root->table);
	free(root);
}
