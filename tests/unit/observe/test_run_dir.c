// SPDX-License-Identifier: BSD-3-Clause
// The directory of the shared-memory files: whoever ends last removes it, if Prism made it.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/instance.h"
#include "observe/shm.h"

static char folder[64], run_dir[80];

static int make_folder(void **state)
{
	strcpy(folder, "/tmp/test_run_dir.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(run_dir, sizeof(run_dir), "%s/run", folder);
	return 0;
}

static int remove_folder(void **state)
{
	return rmdir(folder); // fails when a test left something
}

static struct shm *create(const char *instance)
{
	return shm_create(&(struct shm_config){.instance = instance,
					       .run_dir = run_dir,
					       .worker_count = 1,
					       .port_count = 1});
}

static bool there(void)
{
	return access(run_dir, F_OK) == 0;
}

static void last_instance_to_end_removes_the_directory(void **state)
{
	struct shm *first = create("first");
	struct shm *second = create("second");

	assert_non_null(first);
	assert_non_null(second);
	shm_destroy(first);
	assert_true(there());
	shm_destroy(second);
	assert_false(there());
}

static void instance_after_a_killed_one_removes_the_directory(void **state)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		create("one");
		kill(getpid(), SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_true(there());
	shm_destroy(create("one"));
	assert_false(there());
}

static void refused_start_removes_the_directory(void **state)
{
	char name[INSTANCE_NAME_BYTES + 8];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_null(create(name));
	assert_false(there());
	struct shm *shm = create("one");

	assert_null(create("one"));
	assert_true(there());
	shm_destroy(shm);
	assert_false(there());
}

static void directory_that_somebody_else_made_stays(void **state)
{
	static const mode_t modes[] = {0755, 0700, 01777, 01775};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(mkdir(run_dir, 0700), 0);
		assert_int_equal(chmod(run_dir, modes[i]), 0);
		shm_destroy(create("one"));
		assert_int_equal(rmdir(run_dir), 0);
	}
}

static void directory_with_something_in_it_stays(void **state)
{
	char other[sizeof(run_dir) + 8];
	struct shm *shm = create("one");

	snprintf(other, sizeof(other), "%s/other", run_dir);
	assert_int_equal(mkdir(other, 0700), 0);
	shm_destroy(shm);
	assert_int_equal(rmdir(other), 0);
	instance_leave_dir(run_dir);
	assert_false(there());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(last_instance_to_end_removes_the_directory),
		cmocka_unit_test(instance_after_a_killed_one_removes_the_directory),
		cmocka_unit_test(refused_start_removes_the_directory),
		cmocka_unit_test(directory_that_somebody_else_made_stays),
		cmocka_unit_test(directory_with_something_in_it_stays),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
