// SPDX-License-Identifier: BSD-3-Clause
// The shared-memory file from both sides: what is written is read by name, living and dead
// instances are told apart, and no damage to the file does more than refuse it.
#include "observe/shm.h"

#include <errno.h>
#include <fcntl.h>
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

#include "../../seed.h"
#include "base/err.h"
#include "base/rand.h"
#include "observe/instance.h"
#include "observe/shm_reader.h"

static char run_dir[64];

static int make_run_dir(void **state)
{
	strcpy(run_dir, "/tmp/test_shm.XXXXXX");
	return mkdtemp(run_dir) ? 0 : -1;
}

static int remove_run_dir(void **state)
{
	return rmdir(run_dir); // fails when a test left a file
}

static struct shm *create(const char *instance)
{
	return shm_create(&(struct shm_config){.instance = instance,
					       .run_dir = run_dir,
					       .worker_count = 2,
					       .port_count = 1,
					       .wall_ns = 1111,
					       .now_ns = 2222});
}

static void head_says_who_and_when(void **state)
{
	struct shm *shm = create("one");
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	const struct shm_head *h = shm_reader_head(r);

	assert_int_equal(h->pid, getpid());
	assert_int_equal(h->start_wall_ns, 1111);
	assert_int_equal(h->start_ns, 2222);
	assert_string_equal(h->instance, "one");
	assert_string_equal(h->version, PRISM_VERSION);
	assert_int_equal(h->worker_count, 2);
	assert_int_equal(h->state, SHM_STARTING);
	shm_set_state(shm, SHM_RUNNING);
	assert_int_equal(shm_reader_refresh(r), 0);
	assert_int_equal(h->state, SHM_RUNNING);
	assert_true(shm_reader_alive(r));
	shm_destroy(shm);
	assert_int_equal(shm_reader_refresh(r), 0);
	assert_int_equal(h->state, SHM_ENDED);
	shm_reader_close(r);
}

static void every_counter_and_drop_is_read_by_its_name(void **state)
{
	struct shm *shm = create("one");
	struct shm_reader *r;
	char name[64];

	for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
		shm_counters(shm, 0)->value[i] = 1000 + i;
		shm_counters(shm, 1)->value[i] = 2000;
	}
	for (uint32_t i = 1; i < DROP_COUNT; i++)
		shm_counters(shm, 1)->drop[i] = 50 + i;
	r = shm_reader_open(shm_path(shm));
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		assert_int_equal(shm_reader_sum(r, "counter", counter_infos[i].name), 3000 + i);
	for (uint32_t i = 1; i < DROP_COUNT; i++) {
		snprintf(name, sizeof(name), "drop.%s", drop_infos[i].name);
		assert_int_equal(shm_reader_sum(r, "counter", name), 50 + i);
	}
	assert_int_equal(shm_reader_sum(r, "counter", "nonsense"), 0);
	assert_int_equal(shm_reader_sum(r, "nonsense", "rx_pkts"), 0);
	assert_int_equal(shm_reader_unaccounted(r),
			 counters_unaccounted(shm_counters(shm, 0)) +
				 counters_unaccounted(shm_counters(shm, 1)));
	shm_reader_close(r);
	shm_destroy(shm);
}

static void counter_field_carries_kind_unit_and_sentence(void **state)
{
	struct shm *shm = create("one");
	struct shm_reader *r = shm_reader_open(shm_path(shm));
	const struct shm_table *t = shm_reader_table(r, "counter");

	assert_int_equal(t->field_count, COUNTER_COUNT + DROP_COUNT - 1);
	for (uint32_t i = 0; i < COUNTER_COUNT; i++) {
		const struct shm_field *f = shm_reader_field(r, t, i);
		bool gauge = strcmp(counter_infos[i].kind, "gauge") == 0;

		assert_int_equal(f->kind, gauge ? SHM_GAUGE : SHM_COUNTER);
		assert_string_equal(f->unit, counter_infos[i].unit);
		assert_string_equal(f->sentence, counter_infos[i].sentence);
	}
	assert_null(shm_reader_field(r, t, t->field_count));
	shm_reader_close(r);
	shm_destroy(shm);
}

static void ports_pools_and_workers_are_read_by_name(void **state)
{
	struct shm *shm = create("one");
	struct shm_reader *r;

	strcpy(shm_port(shm, 0)->name, "p0");
	strcpy(shm_port(shm, 0)->device, "tap:prism0");
	memcpy(shm_port(shm, 0)->mac, "\2\0\0\0\0\7", 6);
	cell_set(&shm_port_totals(shm, 0, 0)->rx_pkts, 3);
	cell_set(&shm_port_totals(shm, 1, 0)->rx_pkts, 4);
	cell_set(&shm_pool(shm, 1, POOL_CTRL)->available_pkts, 9);
	cell_set(&shm_worker(shm, 1)->heartbeat_ns, 77);
	cell_set(&shm_flow_table(shm)->waiting, 5);
	r = shm_reader_open(shm_path(shm));
	const struct shm_table *port = shm_reader_table(r, "port");
	const struct shm_table *pool = shm_reader_table(r, "pool");
	const struct shm_table *worker = shm_reader_table(r, "worker");
	const struct shm_table *flows = shm_reader_table(r, "flow_table");

	assert_int_equal(flows->rows, 1);
	assert_int_equal(shm_reader_u64(r, flows, 0, shm_reader_find(r, flows, "waiting")), 5);
	assert_int_equal(port->rows, 1);
	assert_string_equal(shm_reader_text(r, port, 0, shm_reader_find(r, port, "name")), "p0");
	assert_string_equal(shm_reader_text(r, port, 0, shm_reader_find(r, port, "device")),
			    "tap:prism0");
	assert_memory_equal(shm_reader_mac(r, port, 0, shm_reader_find(r, port, "mac")),
			    "\2\0\0\0\0\7", 6);
	assert_string_equal(shm_reader_text(r, port, 1, shm_reader_find(r, port, "name")), "");
	assert_int_equal(shm_reader_sum(r, "port_totals", "rx_pkts"), 7);
	assert_int_equal(pool->rows, 2 * pool->rows_per_worker);
	assert_int_equal(shm_reader_u64(r, pool, pool->rows_per_worker + POOL_CTRL,
					shm_reader_find(r, pool, "available_pkts")),
			 9);
	assert_int_equal(shm_reader_u64(r, worker, 1, shm_reader_find(r, worker, "heartbeat_ns")),
			 77);
	assert_int_equal(shm_reader_u64(r, worker, 2, shm_reader_find(r, worker, "heartbeat_ns")),
			 0);
	shm_reader_close(r);
	shm_destroy(shm);
}

static void workers_share_no_cache_line(void **state)
{
	struct shm *shm = create("one");

	assert_int_equal((uintptr_t)shm_counters(shm, 1) % CACHE_LINE_BYTES, 0);
	assert_true((char *)shm_counters(shm, 1) - (char *)shm_counters(shm, 0) >=
		    (long)sizeof(struct counters));
	assert_int_equal((uintptr_t)shm_trace(shm, 1) % CACHE_LINE_BYTES, 0);
	assert_int_equal((uintptr_t)shm_pool(shm, 1, POOL_RX) % CACHE_LINE_BYTES, 0);
	assert_int_equal((uintptr_t)shm_port_totals(shm, 1, 0) % CACHE_LINE_BYTES, 0);
	shm_destroy(shm);
}

static void second_instance_of_a_name_is_refused_while_the_first_lives(void **state)
{
	struct shm *shm = create("one");

	err_clear();
	assert_null(create("one"));
	assert_int_equal(err_last()->id, ERR_INSTANCE_RUNNING);
	assert_int_equal(shm_refuse_running("one", run_dir), -EEXIST);
	assert_int_equal(shm_refuse_running("two", run_dir), 0);
	shm_destroy(shm);
	shm = create("one");
	assert_non_null(shm);
	shm_destroy(shm);
}

static void dead_instance_is_read_and_then_replaced(void **state)
{
	char path[INSTANCE_PATH_BYTES];
	struct shm_reader *r;
	int status;
	pid_t child = fork();

	if (child == 0) {
		struct shm *shm = create("one");

		shm_set_state(shm, SHM_RUNNING);
		cell_set(&shm_counters(shm, 0)->value[COUNTER_rx_pkts], 42);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_int_equal(instance_find(run_dir, "one", path), 0);
	r = shm_reader_open(path);
	assert_non_null(r);
	assert_false(shm_reader_alive(r));
	assert_int_equal(shm_reader_head(r)->state, SHM_RUNNING);
	assert_int_equal(shm_reader_sum(r, "counter", "rx_pkts"), 42);
	shm_reader_close(r);
	struct shm *shm = create("one");

	assert_non_null(shm);
	r = shm_reader_open(path);
	assert_true(shm_reader_alive(r));
	assert_int_equal(shm_reader_sum(r, "counter", "rx_pkts"), 0);
	shm_reader_close(r);
	shm_destroy(shm);
}

static void note(void *context, const char *path)
{
	strcat(strcat(context, strrchr(path, '/') + 1), " ");
}

static void instances_are_listed_and_found(void **state)
{
	char names[128] = "", path[INSTANCE_PATH_BYTES];
	struct shm *shm = create("one");

	assert_int_equal(instance_list(run_dir, note, names), 1);
	assert_string_equal(names, "one.shm ");
	assert_int_equal(instance_find(run_dir, "one", path), 0);
	assert_string_equal(path, shm_path(shm));
	assert_int_equal(instance_find(run_dir, "two", path), -ENOENT);
	shm_destroy(shm);
	assert_int_equal(instance_list(run_dir, note, names), 0);
	assert_int_equal(instance_list("/nowhere", note, names), 0);
}

static void bad_names_and_directories_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"a/b",
		"../x",
		".x",
		"a b",
		"\xc3\xa4",
		"0123456789012345678901234567890123456789012345678901234567890123"};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		err_clear();
		assert_null(create(bad[i]));
		assert_int_equal(err_last()->id, ERR_INSTANCE_NAME);
	}
	err_clear();
	assert_null(shm_create(&(struct shm_config){
		.instance = "one", .run_dir = "/proc/no/such", .worker_count = 1}));
	assert_int_equal(err_last()->id, ERR_RUN_DIR);
}

// Zeros at the end are a hole: most of a file is records that nobody has written.
static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");
	size_t written = len;

	assert_non_null(file);
	while (written && ((const char *)bytes)[written - 1] == 0)
		written--;
	assert_int_equal(fwrite(bytes, 1, written, file), written);
	assert_int_equal(fflush(file), 0);
	assert_int_equal(ftruncate(fileno(file), (off_t)len), 0);
	assert_int_equal(fclose(file), 0);
}

static enum err open_error(const char *path)
{
	err_clear();
	struct shm_reader *r = shm_reader_open(path);

	shm_reader_close(r);
	return r ? ERR_NONE : err_last()->id;
}

static void foreign_files_are_refused_by_name(void **state)
{
	char path[128], zero[sizeof(struct shm_head)] = {0};

	snprintf(path, sizeof(path), "%s/x.shm", run_dir);
	assert_int_equal(open_error(path), ERR_SHM_MISSING);
	write_file(path, "", 0);
	assert_int_equal(open_error(path), ERR_SHM_FOREIGN);
	write_file(path, "hello", 5);
	assert_int_equal(open_error(path), ERR_SHM_FOREIGN);
	write_file(path, zero, sizeof(zero));
	assert_int_equal(open_error(path), ERR_SHM_FOREIGN);
	assert_int_equal(open_error(run_dir), ERR_SHM_FOREIGN);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(open_error(path), ERR_SHM_FOREIGN);
	unlink(path);
}

// Touches all a reader offers; AddressSanitizer and the kernel watch.
static uint64_t read_everything(struct shm_reader *r)
{
	static const char *const names[] = {"worker",      "flow_table", "counter", "port",
					    "port_totals", "pool",       "event"};
	const struct shm_field *f;
	uint64_t sum = 0, first, end;

	for (size_t n = 0; n < ARRAY_COUNT(names); n++) {
		const struct shm_table *t = shm_reader_table(r, names[n]);

		for (uint32_t i = 0; (f = shm_reader_field(r, t, i)); i++) {
			for (uint32_t row = 0; row < MIN(t->rows, 50u); row++)
				sum += shm_reader_u64(r, t, row, f) +
				       strlen(shm_reader_text(r, t, row, f)) +
				       shm_reader_mac(r, t, row, f)[5] + strlen(f->sentence);
		}
	}
	for (uint32_t worker = 0; worker < 3; worker++) {
		shm_reader_trace_range(r, worker, &first, &end);
		for (; first < end; first++)
			sum += shm_reader_trace(r, worker, first)->a;
		shm_reader_verdict_range(r, SHM_DROPS, worker, &first, &end);
		for (; first < end; first++) {
			struct verdict v = shm_reader_verdict(r, SHM_DROPS, worker, first);

			assert_true(v.head_bytes <= VERDICT_HEAD_BYTES);
			sum += v.len + (shm_reader_drop(r, v.reason) != NULL);
		}
	}
	return sum + (uint64_t)shm_reader_unaccounted(r) + (uint64_t)shm_reader_alive(r);
}

static size_t image_of_instance(char **image)
{
	struct shm *shm = create("one");
	FILE *file = fopen(shm_path(shm), "r");
	size_t bytes;

	fseek(file, 0, SEEK_END);
	bytes = (size_t)ftell(file);
	rewind(file);
	*image = malloc(bytes);
	assert_non_null(*image);
	assert_int_equal(fread(*image, 1, bytes, file), bytes);
	fclose(file);
	shm_destroy(shm);
	return bytes;
}

static void flipped_bytes_never_crash_a_reader(void **state)
{
	uint64_t sum = 0;
	uint32_t refused = 0;
	struct rng rng;
	char *image, path[128];
	size_t bytes = image_of_instance(&image);
	// Head and descriptions, where every byte may lead astray.
	size_t interesting = sizeof(struct shm_head) + 100 * sizeof(struct shm_field);

	rng_seed(&rng, test_seed());
	snprintf(path, sizeof(path), "%s/x.shm", run_dir);
	for (int round = 0; round < 600; round++) {
		uint64_t flips = 1 + rng_below(&rng, 8);
		uint64_t place[8];
		char saved[8];

		for (uint64_t i = 0; i < flips; i++) {
			place[i] = rng_below(&rng, round % 2 ? sizeof(struct shm_head)
							     : MIN(interesting, bytes));
			saved[i] = image[place[i]];
			image[place[i]] = (char)(rng_below(&rng, 4) ? rng_next(&rng) : 0xff);
		}
		write_file(path, image, bytes);
		for (uint64_t i = flips; i-- > 0;)
			image[place[i]] = saved[i];
		struct shm_reader *r = shm_reader_open(path);

		refused += !r;
		if (r)
			sum += read_everything(r);
		shm_reader_close(r);
	}
	assert_in_range(refused, 100, 580);
	print_message("# %u of 600 refused, sum %lx\n", refused, (unsigned long)sum);
	unlink(path);
	free(image);
}

static void truncated_file_is_refused_at_any_length(void **state)
{
	char *image, path[128];
	size_t bytes = image_of_instance(&image);

	snprintf(path, sizeof(path), "%s/x.shm", run_dir);
	for (size_t len = 0; len < bytes; len += 1 + len / 3) {
		write_file(path, image, len);
		enum err error = open_error(path);

		assert_true(error == ERR_SHM_FOREIGN || error == ERR_SHM_DAMAGED);
	}
	unlink(path);
	free(image);
}

static void file_that_changes_under_a_reader_does_it_no_harm(void **state)
{
	char *image, path[128];
	size_t bytes = image_of_instance(&image);

	snprintf(path, sizeof(path), "%s/x.shm", run_dir);
	write_file(path, image, bytes);
	struct shm_reader *r = shm_reader_open(path);

	assert_non_null(r);
	memset(image, 0xff, bytes);
	int fd = open(path, O_WRONLY);

	assert_int_equal(write(fd, image, bytes), bytes);
	assert_int_equal(shm_reader_refresh(r), 0);
	assert_int_equal(shm_reader_refresh_verdicts(r, SHM_DROPS), 0);
	read_everything(r);
	assert_int_equal(ftruncate(fd, 5000), 0);
	assert_int_equal(shm_reader_refresh_verdicts(r, SHM_DROPS), -EBADMSG);
	assert_int_equal(shm_reader_refresh(r), -EBADMSG);
	read_everything(r);
	close(fd);
	shm_reader_close(r);
	unlink(path);
	free(image);
}

static void process_start_tells_a_process_from_none(void **state)
{
	pid_t child = fork();

	assert_true(instance_process_start((uint32_t)getpid()) > 0);
	if (child == 0)
		_exit(0);
	siginfo_t info;

	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT); // a zombie now
	assert_int_equal(instance_process_start((uint32_t)child), 0);
	waitpid(child, NULL, 0);
	assert_int_equal(instance_process_start((uint32_t)child), 0);
	assert_int_equal(instance_process_start(UINT32_MAX), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_says_who_and_when),
		cmocka_unit_test(every_counter_and_drop_is_read_by_its_name),
		cmocka_unit_test(counter_field_carries_kind_unit_and_sentence),
		cmocka_unit_test(ports_pools_and_workers_are_read_by_name),
		cmocka_unit_test(workers_share_no_cache_line),
		cmocka_unit_test(second_instance_of_a_name_is_refused_while_the_first_lives),
		cmocka_unit_test(dead_instance_is_read_and_then_replaced),
		cmocka_unit_test(instances_are_listed_and_found),
		cmocka_unit_test(bad_names_and_directories_are_refused),
		cmocka_unit_test(foreign_files_are_refused_by_name),
		cmocka_unit_test(flipped_bytes_never_crash_a_reader),
		cmocka_unit_test(truncated_file_is_refused_at_any_length),
		cmocka_unit_test(file_that_changes_under_a_reader_does_it_no_harm),
		cmocka_unit_test(process_start_tells_a_process_from_none),
	};

	return cmocka_run_group_tests(tests, make_run_dir, remove_run_dir);
}
