// SPDX-License-Identifier: BSD-3-Clause
// What the control socket shows: the same as the commands, by queries as forms send them.
#include "cli/run_show.h"

#include "../see/file.h"
#include "base/err.h"
#include "observe/conn_row.h"

#include <jansson.h>

static json_t *shows(struct file *f, const char *path, const char *query)
{
	bool bad;
	char *text = run_show(f->reader, path, query, &bad);
	json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	assert_false(bad);
	assert_non_null(json);
	free(text);
	return json;
}

static void refuses(struct file *f, const char *path, const char *query, const char *word)
{
	bool bad;

	assert_null(run_show(f->reader, path, query, &bad));
	assert_true(bad);
	assert_non_null(strstr(err_last()->message, word));
}

static json_int_t number(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static void drop(struct file *f, uint16_t dst_port, uint32_t count)
{
	struct heads_flow flow = file_flow(1, 1, dst_port);
	struct verdict v = heads_verdict(DROP_TCP_NO_LISTENER, &flow);

	for (uint32_t i = 0; i < count; i++)
		file_drop(f, 0, 0, &v);
}

static void a_filter_comes_as_forms_send_it(void **state)
{
	struct file *f = *state;

	drop(f, 81, 3);
	drop(f, 82, 2);
	json_t *json = shows(f, "/v1/why", "filter=tcp+dst%20port%2081");

	assert_int_equal(number(json, "matched"), 3);
	json_decref(json);
	json = shows(f, "/v1/why", "x=1&filter=tcp%20dst%20port%2082&y");
	assert_int_equal(number(json, "matched"), 2);
	json_decref(json);
	json = shows(f, "/v1/why", "");
	assert_int_equal(number(json, "matched"), 5);
	json_decref(json);
	json = shows(f, "/v1/drops", "");
	assert_int_equal(number(json_array_get(json_object_get(json, "drops"), 0), "packets"), 5);
	json_decref(json);
}

static void connections_are_chosen_by_state_order_and_filter(void **state)
{
	struct file *f = *state;
	struct conn_row *rows = shm_conn_rows(f->shm, 0);

	for (uint32_t i = 0; i < 2; i++)
		rows[i] = (struct conn_row){.handle = 1 + i,
					    .state = i ? 7 : 4,
					    .local = addr_from_v4_octets(198, 18, 0, 2),
					    .remote = addr_from_v4_octets(10, 0, 0, 1),
					    .local_port = 80,
					    .remote_port = 5000 + i};
	json_t *json = shows(f, "/v1/conns", "state=close-wait");
	const json_t *list = json_object_get(json, "connections");

	assert_int_equal(json_array_size(list), 1);
	assert_int_equal(number(json_array_get(list, 0), "remote_port"), 5001);
	json_decref(json);
	json = shows(f, "/v1/conns", "order=address&filter=dst+port+5000");
	assert_int_equal(number(json, "matched"), 1);
	assert_int_equal(number(json, "shown"), 2);
	json_decref(json);
}

static void what_is_wrong_with_a_query_is_said(void **state)
{
	struct file *f = *state;
	static char longest[5000] = "filter=";
	bool bad;

	refuses(f, "/v1/why", "filter=tcp%20prot%2080", "tcp prot 80");
	refuses(f, "/v1/why", "filter=%4", "filter");
	refuses(f, "/v1/why", "filter=%zz", "filter");
	refuses(f, "/v1/why", "filter=tcp%00", "filter");
	refuses(f, "/v1/conns", "state=open", "`open`");
	refuses(f, "/v1/conns", "order=size", "`size`");
	memset(longest + 7, 'x', sizeof(longest) - 8);
	refuses(f, "/v1/why", longest, "too long");
	assert_null(run_show(f->reader, "/v1/else", "", &bad));
	assert_false(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, file_set_up, file_tear_down)
		T(a_filter_comes_as_forms_send_it),
		T(connections_are_chosen_by_state_order_and_filter),
		T(what_is_wrong_with_a_query_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
