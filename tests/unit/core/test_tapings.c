// SPDX-License-Identifier: BSD-3-Clause
// Captures between the control thread and two workers, here all by one thread, so that each order
// of looks is tried: a worker takes part from its next look on, what is forsaken ends, and nothing
// is taken apart that a worker may have in its hands.
#include "core/tapings.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "core/start.h"
#include "observe/shm.h"
#include "observe/tape_reader.h"

static struct prism prism;
static struct prism_worker worker[2];
static struct port wan;

static int set_up(void **state)
{
	memset(&prism, 0, sizeof(prism));
	memset(worker, 0, sizeof(worker));
	wan = (struct port){.name = "wan", .device = "tap:wan0"};
	prism.options.workers = 2;
	prism.options.instance = "one";
	prism.port[0] = &wan;
	prism.port_count = 1;
	for (uint32_t w = 0; w < 2; w++) {
		prism.worker[w] = &worker[w];
		worker[w].prism = &prism;
		worker[w].env.worker_index = w;
	}
	strcpy(prism.tapings.run_dir, "/tmp/test_tapings.XXXXXX");
	if (!mkdtemp(prism.tapings.run_dir))
		return -1;
	struct shm_config config = {.instance = "one",
				    .run_dir = prism.tapings.run_dir,
				    .worker_count = 2,
				    .port_count = 1};

	prism.shm = shm_create(&config);
	if (!prism.shm)
		return -1;
	strcpy(shm_port(prism.shm, 0)->name, "wan");
	strcpy(shm_port(prism.shm, 0)->device, "tap:wan0");
	return 0;
}

static int tear_down(void **state)
{
	taping_end_all(&prism);
	shm_destroy(prism.shm);
	return rmdir(prism.tapings.run_dir); // fails when a capture left a file
}

static struct taping_wish wish(void)
{
	return (struct taping_wish){.text = "",
				    .points = 1u << TAPE_CAME,
				    .snap_bytes = 100,
				    .ring_bytes = TAPE_RING_BYTES_MIN};
}

static const char *begin(uint32_t points)
{
	struct taping_wish w = wish();

	w.points = points;
	const char *path = taping_begin(&prism, &w);

	assert_non_null(path);
	assert_int_equal(access(path, F_OK), 0);
	return path;
}

// Somebody held it and does no longer.
static void forsake(const char *path)
{
	struct tape_reader *reader = tape_reader_open(path);
	uint32_t count = taping_tend(&prism);

	assert_non_null(reader);
	assert_in_range(count, 1, TAPINGS_MAX);
	tape_reader_close(reader);
}

static void all_look(void)
{
	taping_look(&worker[0]);
	taping_look(&worker[1]);
}

static void a_worker_takes_part_from_its_next_look_on(void **state)
{
	begin(1u << TAPE_CAME | 1u << TAPE_LEFT);
	assert_null(worker[0].env.tapings);
	taping_look(&worker[1]);
	assert_null(worker[0].env.tapings);
	const struct tapings *seen = worker[1].env.tapings;

	assert_non_null(seen);
	assert_int_equal(seen->count, 1);
	assert_int_equal(seen->points, 1u << TAPE_CAME | 1u << TAPE_LEFT);
	assert_true(seen->of[0].taping->all);
	assert_int_equal(seen->of[0].taping->snap_bytes, 100);
	assert_ptr_equal(seen->of[0].tape, tape_of(prism.tapings.place[0].file, 1));
	assert_int_equal(tape_of(prism.tapings.place[0].file, 1)->taken, 1);
	assert_int_equal(tape_of(prism.tapings.place[0].file, 0)->taken, 0);
	taping_look(&worker[0]);
	assert_int_equal(tape_of(prism.tapings.place[0].file, 0)->taken, 1);
	assert_ptr_equal(worker[0].env.tapings->of[0].tape,
			 tape_of(prism.tapings.place[0].file, 0));
}

static void a_tape_says_what_was_wished_and_which_ports_there_are(void **state)
{
	struct taping_wish w = wish();

	w.text = "tcp port 80";
	struct tape_reader *reader = tape_reader_open(taping_begin(&prism, &w));
	const struct tape_head *head = tape_reader_head(reader);

	assert_int_equal(head->worker_count, 2);
	assert_int_equal(head->points, 1u << TAPE_CAME);
	assert_int_equal(head->snap_bytes, 100);
	assert_string_equal(head->instance, "one");
	assert_string_equal(head->filter, "tcp port 80");
	assert_int_equal(head->port_count, 1);
	assert_string_equal(head->port[0].name, "wan");
	assert_string_equal(head->port[0].device, "tap:wan0");
	assert_true(head->wall_ns > UINT64_C(1600000000000000000));
	tape_reader_close(reader);
}

static void who_looks_again_and_finds_no_change_does_nothing(void **state)
{
	worker[0].port[0] = &wan;
	worker[0].port_count = 1;
	begin(1u << TAPE_CAME);
	wan.rx_until = 9;
	taping_look(&worker[0]);
	assert_int_equal(wan.rx_until, 0); // all are looked at now
	wan.rx_until = 9;
	taping_look(&worker[0]);
	assert_int_equal(wan.rx_until, 9);
	assert_int_equal(worker[0].env.tapings->count, 1);
}

static void one_that_nobody_holds_yet_is_waited_for(void **state)
{
	const char *path = begin(1u << TAPE_CAME);

	all_look();
	for (int i = 0; i < 3; i++)
		assert_int_equal(taping_tend(&prism), 1);
	all_look();
	assert_int_equal(worker[0].env.tapings->count, 1);
	struct tape_reader *reader = tape_reader_open(path);

	assert_non_null(reader);
	assert_int_equal(taping_tend(&prism), 1);
	tape_reader_close(reader);
}

static void one_that_nobody_holds_any_more_goes_when_every_worker_has_left_it(void **state)
{
	const char *path = begin(1u << TAPE_CAME);
	char kept[320];

	snprintf(kept, sizeof(kept), "%s", path);
	all_look();
	forsake(path);
	assert_int_equal(worker[0].env.tapings->count, 1);
	assert_int_equal(taping_tend(&prism), 1); // told, and no one has looked
	taping_look(&worker[0]);
	assert_null(worker[0].env.tapings);
	assert_int_equal(taping_tend(&prism), 1);
	assert_non_null(worker[1].env.tapings->of[0].taping->file); // still there for this one
	assert_int_equal(access(kept, F_OK), -1);                   // but nobody finds it
	taping_look(&worker[1]);
	assert_null(worker[1].env.tapings);
	assert_int_equal(taping_tend(&prism), 0);
}

static void who_reads_learns_of_the_end(void **state)
{
	struct tape_reader *reader = tape_reader_open(begin(1u << TAPE_CAME));

	assert_non_null(reader);
	assert_true(tape_reader_is_fed(reader));
	tape_end(prism.tapings.place[0].file);
	assert_false(tape_reader_is_fed(reader));
	tape_reader_close(reader);
}

static void rings_of_all_workers_together_have_a_bound(void **state)
{
	struct taping_wish w = wish();

	w.ring_bytes = TAPE_RING_BYTES_MAX / 2 + 1; // for each of two
	assert_null(taping_begin(&prism, &w));
	assert_int_equal(err_last()->id, ERR_TAPE);
}

// It was begun and ended between two looks of a worker that stood still.
static void a_worker_that_never_saw_it_is_asked_all_the_same(void **state)
{
	forsake(begin(1u << TAPE_CAME));
	assert_int_equal(taping_tend(&prism), 1);
	taping_look(&worker[0]);
	assert_int_equal(taping_tend(&prism), 1);
	taping_look(&worker[1]);
	assert_null(worker[1].env.tapings);
	assert_int_equal(taping_tend(&prism), 0);
}

static void a_worker_that_is_not_there_is_not_asked(void **state)
{
	prism.worker[1] = NULL;
	forsake(begin(1u << TAPE_CAME));
	taping_tend(&prism);
	taping_look(&worker[0]);
	assert_int_equal(taping_tend(&prism), 0);
}

static void of_two_the_other_goes_on(void **state)
{
	const char *first = begin(1u << TAPE_CAME);

	begin(1u << TAPE_LEFT);
	all_look();
	assert_int_equal(worker[0].env.tapings->count, 2);
	assert_int_equal(worker[0].env.tapings->points, 1u << TAPE_CAME | 1u << TAPE_LEFT);
	forsake(first);
	assert_int_equal(taping_tend(&prism), 2);
	all_look();
	assert_int_equal(taping_tend(&prism), 1);
	assert_int_equal(worker[0].env.tapings->count, 1);
	assert_int_equal(worker[0].env.tapings->points, 1u << TAPE_LEFT);
	assert_ptr_equal(worker[0].env.tapings->of[0].tape,
			 tape_of(prism.tapings.place[1].file, 0));
	begin(1u << TAPE_DROPPED); // in the place of the first, and waited for as that was
	all_look();
	assert_int_equal(taping_tend(&prism), 2);
	all_look();
	assert_int_equal(worker[1].env.tapings->count, 2);
	assert_int_equal(worker[1].env.tapings->points, 1u << TAPE_LEFT | 1u << TAPE_DROPPED);
}

static void there_are_eight_and_the_ninth_is_refused_until_one_is_gone(void **state)
{
	const char *path[TAPINGS_MAX];
	struct taping_wish w = wish();

	for (uint32_t i = 0; i < TAPINGS_MAX; i++)
		path[i] = begin(1u << TAPE_CAME);
	all_look();
	assert_int_equal(worker[0].env.tapings->count, TAPINGS_MAX);
	assert_null(taping_begin(&prism, &w));
	assert_int_equal(err_last()->id, ERR_CAPTURES_MANY);
	forsake(path[3]);
	assert_null(taping_begin(&prism, &w)); // the workers have it yet
	assert_int_equal(err_last()->id, ERR_CAPTURES_MANY);
	all_look();
	assert_non_null(taping_begin(&prism, &w));
	assert_int_equal(taping_tend(&prism), TAPINGS_MAX);
}

static void what_cannot_begin_leaves_nothing(void **state)
{
	static const struct match_step yes = {6, 0, 0, 1}, none = {0xffff, 0, 0, 0};
	struct taping_wish w = wish();
	char dir[256];

	w.frame = &yes;
	w.frame_count = 1;
	w.ip = &none;
	w.ip_count = 1;
	assert_null(taping_begin(&prism, &w));
	assert_int_equal(err_last()->id, ERR_FILTER);
	assert_int_equal(prism.tapings.change, 0); // no worker was told
	strcpy(dir, prism.tapings.run_dir);
	strcat(prism.tapings.run_dir, "/none");
	w.ip = &yes;
	assert_null(taping_begin(&prism, &w));
	assert_int_equal(err_last()->id, ERR_TAPE);
	prism.tapings.run_dir[0] = '\0'; // no shared memory
	assert_null(taping_begin(&prism, &w));
	assert_int_equal(err_last()->id, ERR_TAPE);
	strcpy(prism.tapings.run_dir, dir);
	assert_int_equal(taping_tend(&prism), 0);
	assert_non_null(taping_begin(&prism, &w));
	assert_false(prism.tapings.place[0].all);
	assert_non_null(prism.tapings.place[0].ip);
}

static void tapes_of_one_that_died_are_removed(void **state)
{
	char path[320], other[320];

	snprintf(path, sizeof(path), "%s/one-8.tape", prism.tapings.run_dir);
	snprintf(other, sizeof(other), "%s/other-1.tape", prism.tapings.run_dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	close(open(other, O_CREAT | O_WRONLY, 0600));
	taping_clean(&prism);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(unlink(other), 0); // another's is not ours to remove
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_worker_takes_part_from_its_next_look_on),
		T(a_tape_says_what_was_wished_and_which_ports_there_are),
		T(who_looks_again_and_finds_no_change_does_nothing),
		T(one_that_nobody_holds_yet_is_waited_for),
		T(one_that_nobody_holds_any_more_goes_when_every_worker_has_left_it),
		T(who_reads_learns_of_the_end),
		T(rings_of_all_workers_together_have_a_bound),
		T(a_worker_that_never_saw_it_is_asked_all_the_same),
		T(a_worker_that_is_not_there_is_not_asked),
		T(of_two_the_other_goes_on),
		T(there_are_eight_and_the_ninth_is_refused_until_one_is_gone),
		T(what_cannot_begin_leaves_nothing),
		T(tapes_of_one_that_died_are_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
