// SPDX-License-Identifier: BSD-3-Clause
// Finding instances: candidate directories, names, processes. Called when an instance starts and by
// tools.
//
// All default places are in memory (tmpfs) save the last: writing back a file on a disk
// write-protects its pages, and the worker's next store to a counter would wait in a fault.
#include "observe/instance.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/err.h"

#define PLACES 4

// The i-th default place; false when it does not exist here.
static bool place(int i, char out[INSTANCE_PATH_BYTES])
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	int len = 0;

	switch (i) {
	case 0:
		len = snprintf(out, INSTANCE_PATH_BYTES, "/run/prism");
		break;
	case 1:
		if (runtime_dir && runtime_dir[0] == '/')
			len = snprintf(out, INSTANCE_PATH_BYTES, "%s/prism", runtime_dir);
		break;
	case 2:
		len = snprintf(out, INSTANCE_PATH_BYTES, "/dev/shm/prism-%u", geteuid());
		break;
	default:
		len = snprintf(out, INSTANCE_PATH_BYTES, "/tmp/prism-%u", geteuid());
	}
	return len > 0 && len < INSTANCE_PATH_BYTES;
}

// A directory made here carries the sticky bit, which means nothing else where only the owner
// writes: by it whoever ends last, after a kill too, knows that the directory is Prism's to remove.
static int make_dir(const char *dir, mode_t mode)
{
	return mkdir(dir, mode | S_ISVTX) < 0 && errno != EEXIST ? -errno : 0;
}

// A directory of ours, or of root, that we may write. Somebody else's in /tmp is a trap.
static bool usable(const char *dir)
{
	struct stat st;

	if (make_dir(dir, strncmp(dir, "/run/prism", 10) == 0 ? 0755 : 0700) < 0)
		return false;
	if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return false;
	return access(dir, W_OK | X_OK) == 0;
}

static int use_given(const char *given, char out[INSTANCE_PATH_BYTES])
{
	if (strlen(given) >= INSTANCE_PATH_BYTES - INSTANCE_NAME_BYTES - 8)
		return err_set(ERR_RUN_DIR, "%s: the path is too long", given);
	if (make_dir(given, 0755) < 0)
		return err_set(ERR_RUN_DIR, "%s: %s", given, strerror(errno));
	if (access(given, W_OK | X_OK) < 0)
		return err_set(ERR_RUN_DIR, "%s: %s", given, strerror(errno));
	strcpy(out, given);
	return 0;
}

int instance_run_dir(const char *given, char out[INSTANCE_PATH_BYTES])
{
	if (given)
		return use_given(given, out);
	for (int i = 0; i < PLACES; i++) {
		if (place(i, out) && usable(out))
			return 0;
	}
	return err_set(ERR_RUN_DIR, "tried /run/prism, $XDG_RUNTIME_DIR/prism, /dev/shm, /tmp");
}

void instance_leave_dir(const char *dir)
{
	struct stat st;

	if (lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	    (st.st_mode & (S_ISVTX | S_IWGRP | S_IWOTH)) == S_ISVTX)
		rmdir(dir); // fails when there is still something in it
}

int instance_check_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= INSTANCE_NAME_BYTES || name[0] == '.')
		return err_set(ERR_INSTANCE_NAME, "\"%.80s\"", name);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c > 126 || (!isalnum(c) && !strchr("-_.", c)))
			return err_set(ERR_INSTANCE_NAME, "\"%s\"", name);
	}
	return 0;
}

static bool is_instance_file(const char *name)
{
	size_t len = strlen(name);

	return name[0] != '.' && len > 4 && strcmp(name + len - 4, ".shm") == 0;
}

static uint32_t list_dir(const char *dir, void (*seen)(void *context, const char *path),
			 void *context)
{
	char path[INSTANCE_PATH_BYTES + NAME_MAX];
	const struct dirent *entry;
	uint32_t count = 0;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d))) {
		if (!is_instance_file(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		seen(context, path);
		count++;
	}
	if (d)
		closedir(d);
	return count;
}

uint32_t instance_list(const char *run_dir, void (*seen)(void *context, const char *path),
		       void *context)
{
	char dir[INSTANCE_PATH_BYTES];
	uint32_t count = 0;

	if (run_dir)
		return list_dir(run_dir, seen, context);
	for (int i = 0; i < PLACES; i++) {
		if (place(i, dir))
			count += list_dir(dir, seen, context);
	}
	return count;
}

static bool path_exists(const char *dir, const char *name, char out[INSTANCE_PATH_BYTES])
{
	int len = snprintf(out, INSTANCE_PATH_BYTES, "%s/%s.shm", dir, name);

	return len < INSTANCE_PATH_BYTES && access(out, F_OK) == 0;
}

int instance_find(const char *run_dir, const char *name, char out[INSTANCE_PATH_BYTES])
{
	char dir[INSTANCE_PATH_BYTES];
	int error = instance_check_name(name);

	if (error)
		return error;
	if (run_dir && path_exists(run_dir, name, out))
		return 0;
	for (int i = 0; !run_dir && i < PLACES; i++) {
		if (place(i, dir) && path_exists(dir, name, out))
			return 0;
	}
	return err_set(ERR_SHM_MISSING, "no %s.shm in %s", name,
		       run_dir ? run_dir : "the usual places");
}

uint64_t instance_process_start(uint32_t pid)
{
	char path[64], text[1024], state;
	unsigned long long ticks;
	int fd;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	// The name, field 2, is in parentheses and may hold anything, more parentheses too.
	const char *after_name = strrchr(text, ')');

	if (!after_name ||
	    sscanf(after_name + 1,
		   " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s"
		   " %*s %*s %llu",
		   &state, &ticks) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : ticks;
}
