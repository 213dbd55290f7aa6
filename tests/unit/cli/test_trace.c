// SPDX-License-Identifier: BSD-3-Clause
// What the trace of a shared-memory file says in words, and as a timeline.
#include "cli/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>
#include <cmocka.h>

#include <prismnet/types.h>

#include "base/time.h"
#include "observe/shm.h"
#include "observe/trace.h"

struct file {
	char run_dir[64];
	struct shm *shm;
	struct env worker[2];
	struct shm_reader *reader;
};

static int begin(void **state)
{
	struct file *f = calloc(1, sizeof(*f));

	strcpy(f->run_dir, "/tmp/test_trace.XXXXXX");
	assert_non_null(mkdtemp(f->run_dir));
	f->shm = shm_create(&(struct shm_config){
		.instance = "one", .run_dir = f->run_dir, .worker_count = 2, .now_ns = NS_PER_S});
	assert_non_null(f->shm);
	for (uint32_t w = 0; w < 2; w++)
		f->worker[w].trace = shm_trace(f->shm, w);
	f->reader = shm_reader_open(shm_path(f->shm));
	assert_non_null(f->reader);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct file *f = *state;

	shm_reader_close(f->reader);
	shm_destroy(f->shm);
	assert_int_equal(rmdir(f->run_dir), 0);
	free(f);
	return 0;
}

// To port or connection 7, at a time since the start.
static void happens(struct env *worker, uint64_t at_ns, enum event event, uint64_t a, uint64_t b)
{
	worker->now_ns = NS_PER_S + at_ns;
	trace_add(worker, event, event == EVENT_SLOW_TURN ? TRACE_NO_SUBJECT : 7, a, b);
}

static struct trace_events read_all(struct file *f, const char *pattern, uint64_t *next)
{
	struct trace_events events;

	assert_int_equal(shm_reader_refresh(f->reader), 0);
	assert_true(trace_events_read(f->reader, pattern, next, &events));
	return events;
}

static void expect_text(struct file *f, const struct trace_event *e, const char *wanted)
{
	char text[TRACE_TEXT_BYTES];

	assert_string_equal(trace_event_text(f->reader, e, text), wanted);
}

static void arguments_are_told_by_what_they_are(void **state)
{
	struct file *f = *state;
	uint64_t next[WORKERS_MAX] = {0};

	happens(&f->worker[0], 1, EVENT_TCP_STATE, 4, 7);
	happens(&f->worker[0], 2, EVENT_TCP_CLOSED, PRISM_CLOSE_DONE, 0);
	happens(&f->worker[0], 3, EVENT_SLOW_TURN, 3200000, 0);
	happens(&f->worker[0], 4, EVENT_DHCP_BOUND, 0x0a000001, 3600);
	happens(&f->worker[0], 5, EVENT_TCP_RTO, 2, 400000000);
	happens(&f->worker[0], 6, (enum event)1000, 2, 3);
	struct trace_events events = read_all(f, NULL, next);

	assert_int_equal(events.count, 6);
	expect_text(f, &events.event[0], "connection went from state ESTAB to CLOSE-WAIT");
	expect_text(f, &events.event[1], "connection ended, reason DONE");
	expect_text(f, &events.event[2],
		    "a turn took 3.2 ms, with what the application did of its events");
	expect_text(f, &events.event[3], "a server gave us address 10.0.0.1 for 3600 seconds");
	expect_text(f, &events.event[4],
		    "retransmission timer fired for the 2. time, next in 400.0 ms");
	assert_string_equal(trace_event_name(f->reader, &events.event[5]), "?");
	expect_text(f, &events.event[5], "");
	trace_events_free(&events);
}

static void workers_stand_together_in_the_order_of_time(void **state)
{
	struct file *f = *state;
	uint64_t next[WORKERS_MAX] = {0};

	for (uint64_t i = 0; i < 10; i++)
		happens(&f->worker[i % 2], i, EVENT_TCP_RETRANSMIT, i, 0);
	struct trace_events events = read_all(f, NULL, next);

	assert_int_equal(events.count, 10);
	for (uint64_t i = 0; i < 10; i++) {
		assert_int_equal(events.event[i].record.a, i);
		assert_int_equal(events.event[i].worker, i % 2);
	}
	trace_events_free(&events);
}

static void who_looks_again_gets_what_is_new_and_hears_what_is_gone(void **state)
{
	struct file *f = *state;
	uint64_t next[WORKERS_MAX] = {0};

	happens(&f->worker[0], 1, EVENT_TCP_STATE, 4, 7);
	struct trace_events events = read_all(f, NULL, next);

	assert_int_equal(events.count, 1);
	trace_events_free(&events);
	happens(&f->worker[1], 2, EVENT_TCP_CLOSED, 1, 0);
	events = read_all(f, NULL, next);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.event[0].worker, 1);
	assert_int_equal(events.lost, 0);
	trace_events_free(&events);
	for (uint64_t i = 0; i < TRACE_RECORDS + 100; i++)
		happens(&f->worker[0], 3 + i, EVENT_TCP_RETRANSMIT, i, 0);
	events = read_all(f, NULL, next);
	assert_int_equal(events.count + events.lost, TRACE_RECORDS + 100);
	assert_in_range(events.lost, 100, 120);
	assert_int_equal(events.event[events.count - 1].record.a, TRACE_RECORDS + 99);
	trace_events_free(&events);
}

static void a_pattern_leaves_the_others_out(void **state)
{
	struct file *f = *state;
	uint64_t next[WORKERS_MAX] = {0};

	happens(&f->worker[0], 1, EVENT_TCP_STATE, 4, 7);
	happens(&f->worker[0], 2, EVENT_SLOW_TURN, 4000000, 0);
	happens(&f->worker[1], 3, EVENT_TCP_CLOSED, 1, 0);
	struct trace_events events = read_all(f, "tcp_*", next);

	assert_int_equal(events.count, 2);
	assert_int_equal(events.event[0].record.event, EVENT_TCP_STATE);
	assert_int_equal(events.event[1].record.event, EVENT_TCP_CLOSED);
	trace_events_free(&events);
}

static const json_t *member(const json_t *list, size_t index, const char *name)
{
	return json_object_get(json_array_get(list, index), name);
}

static void a_timeline_has_a_thread_a_worker_spans_and_instants(void **state)
{
	struct file *f = *state;
	uint64_t next[WORKERS_MAX] = {0};
	char *text = NULL;
	size_t len;

	happens(&f->worker[1], 1500, EVENT_TCP_STATE, 4, 7);
	happens(&f->worker[0], 2000000, EVENT_SLOW_TURN, 300500, 0);
	struct trace_events events = read_all(f, NULL, next);
	FILE *out = open_memstream(&text, &len);

	assert_true(trace_write_timeline(f->reader, &events, out));
	fclose(out);
	json_t *root = json_loads(text, 0, NULL);
	const json_t *list = json_object_get(root, "traceEvents");

	assert_int_equal(json_array_size(list), 1 + 2 + 2);
	assert_string_equal(json_string_value(member(list, 0, "ph")), "M");
	assert_string_equal(json_string_value(member(list, 2, "name")), "thread_name");
	assert_string_equal(json_string_value(member(list, 3, "ph")), "i");
	assert_int_equal(json_integer_value(member(list, 3, "tid")), 1);
	assert_true(json_real_value(member(list, 3, "ts")) == 1.5);
	assert_int_equal(json_integer_value(json_object_get(member(list, 3, "args"), "subject")),
			 7);
	assert_string_equal(json_string_value(member(list, 4, "ph")), "X");
	assert_true(json_real_value(member(list, 4, "ts")) == 2000);
	assert_true(json_real_value(member(list, 4, "dur")) == 300.5);
	assert_null(json_object_get(member(list, 4, "args"), "subject"));
	json_decref(root);
	free(text);
	trace_events_free(&events);
}

// A disk that is full.
static void a_file_that_takes_no_more_is_said(void **state)
{
	struct file *f = *state;
	uint64_t next[WORKERS_MAX] = {0};
	FILE *full = fopen("/dev/full", "w");

	happens(&f->worker[0], 1, EVENT_TCP_STATE, 4, 7);
	struct trace_events events = read_all(f, NULL, next);

	assert_non_null(full);
	assert_false(trace_write_timeline(f->reader, &events, full));
	fclose(full);
	trace_events_free(&events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
		T(arguments_are_told_by_what_they_are),
		T(workers_stand_together_in_the_order_of_time),
		T(who_looks_again_gets_what_is_new_and_hears_what_is_gone),
		T(a_pattern_leaves_the_others_out),
		T(a_timeline_has_a_thread_a_worker_spans_and_instants),
		T(a_file_that_takes_no_more_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
