// SPDX-License-Identifier: BSD-3-Clause
#include "control/stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/instance.h"
#include "observe/shm.h"

static char run_dir[64];

static int make_run_dir(void **state)
{
	(void)state;
	strcpy(run_dir, "/tmp/test_stats.XXXXXX");
	return mkdtemp(run_dir) ? 0 : -1;
}

static int remove_run_dir(void **state)
{
	(void)state;
	return rmdir(run_dir); // fails when a test left a file
}

static struct shm *create(void)
{
	return shm_create(&(struct shm_config){
		.instance = "one", .run_dir = run_dir, .worker_count = 1, .port_count = 1});
}

static void an_instance_that_ended_in_order_is_not_called_dead(void **state)
{
	struct shm *shm = create();
	struct shm_reader *r = shm_reader_open(shm_path(shm));

	(void)state;
	assert_int_equal(stats_look(r), STATS_STARTING);
	shm_destroy(shm);
	assert_int_equal(shm_reader_refresh(r), 0);
	assert_int_equal(stats_look(r), STATS_ENDED);
	assert_string_equal(stats_state_name(STATS_ENDED), "ended");
	shm_reader_close(r);
}

static void one_whose_process_is_gone_is(void **state)
{
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(create() ? 0 : 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	char path[INSTANCE_PATH_BYTES];

	assert_int_equal(instance_find(run_dir, "one", path), 0);
	struct shm_reader *r = shm_reader_open(path);

	assert_non_null(r);
	assert_int_equal(stats_look(r), STATS_DEAD);
	assert_string_equal(stats_state_name(STATS_DEAD), "dead");
	shm_reader_close(r);
	shm_destroy(create()); // takes its place, and cleans up
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_that_ended_in_order_is_not_called_dead),
		cmocka_unit_test(one_whose_process_is_gone_is),
	};

	return cmocka_run_group_tests(tests, make_run_dir, remove_run_dir);
}
