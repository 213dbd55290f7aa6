// SPDX-License-Identifier: BSD-3-Clause
// The file of tapes, made and ended by core/tapings.c on the control thread; what a worker does
// with it is tape_write.c. A reader holds the file with flock(2), shared, which the kernel lets go
// of however he ends; nobody waits for that lock, the control thread only asks whether anybody has
// it.
#include "observe/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "observe/instance.h"
#include "sync/cell.h"

struct tape_file {
	struct tape_head *head; // the mapping
	int fd;
	char path[2 * INSTANCE_PATH_BYTES];
};

// From a multiple of this on things lie in the file.
#define PLACE_BYTES 4096u

static uint64_t power_of_two(uint64_t bytes)
{
	uint64_t power = TAPE_RING_BYTES_MIN;

	while (power < bytes && power < TAPE_RING_BYTES_MAX)
		power *= 2;
	return power;
}

static void fill_head(struct tape_head *head, const struct tape_config *c)
{
	memcpy(head->magic, TAPE_MAGIC, sizeof(head->magic));
	head->layout = TAPE_LAYOUT;
	head->worker_count = c->worker_count;
	head->ring_bytes = power_of_two(c->ring_bytes);
	head->rings_offset = bits_round_up(sizeof(*head), PLACE_BYTES);
	head->ring_stride = bits_round_up(sizeof(struct tape) + head->ring_bytes, PLACE_BYTES);
	head->file_bytes = head->rings_offset + c->worker_count * head->ring_stride;
	head->wall_ns = c->wall_ns;
	head->clock_ns = c->clock_ns;
	head->pid = (uint32_t)getpid();
	head->pid_start_ticks = instance_process_start(head->pid);
	head->points = c->points;
	head->snap_bytes = c->snap_bytes;
	head->port_count = c->port_count;
	snprintf(head->version, sizeof(head->version), "%s", PRISM_VERSION);
	snprintf(head->instance, sizeof(head->instance), "%s", c->instance);
	snprintf(head->filter, sizeof(head->filter), "%s", c->filter);
	memcpy(head->port, c->port, sizeof(head->port));
}

// The new file with all its space taken, its pages touched.
static int map_file(struct tape_file *file, const struct tape_head *head)
{
	void *memory = MAP_FAILED;
	int error;

	unlink(file->path); // of one that died
	file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (file->fd < 0)
		return -errno;
	error = posix_fallocate(file->fd, 0, (off_t)head->file_bytes);
	if (!error) {
		memory = mmap(NULL, head->file_bytes, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_POPULATE, file->fd, 0);
		error = errno;
	}
	if (memory == MAP_FAILED) {
		unlink(file->path);
		close(file->fd);
		return -error;
	}
	file->head = memory;
	*file->head = *head;
	return 0;
}

struct tape_file *tape_create(const struct tape_config *config)
{
	struct tape_file *file = mem_map("a tape", sizeof(*file));
	struct tape_head *head = mem_map("a tape's head", sizeof(*head));
	int error = file && head ? 0 : -ENOMEM;

	if (!error) {
		fill_head(head, config);
		snprintf(file->path, sizeof(file->path), "%s/%s-%u.tape", config->run_dir,
			 config->instance, config->number);
		error = map_file(file, head);
		if (error)
			err_set(ERR_TAPE, "%s, %lu bytes: %s", file->path,
				(unsigned long)head->file_bytes, strerror(-error));
	}
	for (uint32_t w = 0; !error && w < config->worker_count; w++)
		tape_of(file, w)->ring_bytes = head->ring_bytes;
	if (head)
		mem_unmap(head, sizeof(*head));
	if (error && file)
		mem_unmap(file, sizeof(*file));
	return error ? NULL : file;
}

void tape_end(struct tape_file *file)
{
	cell_set(&file->head->ended, 1);
	unlink(file->path);
}

void tape_destroy(struct tape_file *file)
{
	if (!cell_get(&file->head->ended)) // else the name may be the next one's
		tape_end(file);
	munmap(file->head, file->head->file_bytes);
	close(file->fd);
	mem_unmap(file, sizeof(*file));
}

const char *tape_path(const struct tape_file *file)
{
	return file->path;
}

struct tape *tape_of(struct tape_file *file, uint32_t worker)
{
	ASSERT(worker < file->head->worker_count);
	return (struct tape *)(void *)((char *)file->head + file->head->rings_offset +
				       worker * file->head->ring_stride);
}

bool tape_is_forsaken(const struct tape_file *file)
{
	if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
		return false;
	flock(file->fd, LOCK_UN);
	return true;
}
