// SPDX-License-Identifier: BSD-3-Clause
// Running instances by name: the directory their files are in, and whether a process still lives.
// Control path: these calls block on the file system.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define INSTANCE_NAME_BYTES 64
#define INSTANCE_PATH_BYTES 256

// Where instances live: given, or the first of /run/prism, $XDG_RUNTIME_DIR/prism,
// /dev/shm/prism-UID and /tmp/prism-UID that this process may write, made if need be.
// 0 or a negative errno with err_set.
int instance_run_dir(const char *given, char out[INSTANCE_PATH_BYTES]);

// The other end of instance_run_dir: removes the directory if it is empty and was made there.
void instance_leave_dir(const char *dir);

// Letters, digits, '-', '_', '.', not first; 1..63 characters. 0 or a negative errno with err_set.
int instance_check_name(const char *name);

// Calls seen for every instance file in run_dir, or, when NULL, in all places instances may be.
// Returns how many there were.
uint32_t instance_list(const char *run_dir, void (*seen)(void *context, const char *path),
		       void *context);

// The file of an instance: in run_dir, or, when NULL, in the first place that has it.
// 0 or a negative errno with err_set.
int instance_find(const char *run_dir, const char *name, char out[INSTANCE_PATH_BYTES]);

// When a process started, in the kernel's ticks (proc(5), /proc/PID/stat field 22): with the pid
// it names a process for good. 0: there is none, or it is a zombie.
uint64_t instance_process_start(uint32_t pid);
