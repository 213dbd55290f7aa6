// SPDX-License-Identifier: BSD-3-Clause
// A small web site on disk, loaded into plain memory, for tests.
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/http_root.h"

static char site_directory[64];
static void *site_region;

static void site_file_of(const char *name, const char *text, time_t modified_s)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", site_directory, name);
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
	utimensat(AT_FDCWD, path, (struct timespec[2]){{modified_s, 0}, {modified_s, 0}}, 0);
}

static void site_file(const char *name, const char *text)
{
	site_file_of(name, text, 784111777); // Sun, 06 Nov 1994 08:49:37 GMT
}

static void site_make(void)
{
	char path[256];

	strcpy(site_directory, "/tmp/prism-site-XXXXXX");
	if (!mkdtemp(site_directory))
		abort();
	snprintf(path, sizeof(path), "%s/docs", site_directory);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/empty dir", site_directory);
	mkdir(path, 0755);
	site_file("index.html", "<h1>hello</h1>\n");
	site_file("ten", "0123456789");
	site_file("empty.css", "");
	site_file(".secret", "no");
	site_file("docs/index.html", "docs\n");
	site_file("docs/a b.txt", "blank\n");
}

static void site_remove(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", site_directory);
	if (system(command) != 0)
		abort();
	free(site_region);
	site_region = NULL;
}

__attribute__((unused)) static void *site_region_alloc(void *context, size_t bytes)
{
	(void)context;
	site_region = malloc(bytes);
	return site_region;
}

__attribute__((unused)) static int site_load(uint64_t file_bytes_max, struct http_root **root)
{
	const struct http_root_config config = {.directory = site_directory,
						.index = "index.html",
						.file_bytes_max = file_bytes_max,
						.region_alloc = site_region_alloc};

	return http_root_load(&config, root);
}
