// SPDX-License-Identifier: BSD-3-Clause
// Drops by reason: how many from the counters, whence from the recorder.
#include "see/drops.h"

#include "file.h"

static void drop_from(struct file *f, uint16_t reason, uint8_t net, uint32_t count)
{
	struct heads_flow flow = file_flow(net, 1, 80);
	struct verdict v = heads_verdict(reason, &flow);

	for (uint32_t i = 0; i < count; i++)
		file_drop(f, i % 2, NS_PER_S, &v);
}

static struct drops *collect(struct file *f)
{
	struct drops *d = calloc(1, sizeof(*d));

	file_read(f);
	assert_int_equal(drops_collect(f->reader, d), 0);
	return d;
}

static void rows_are_reasons_that_happened_most_first(void **state)
{
	struct file *f = *state;

	drop_from(f, DROP_TCP_CHECKSUM, 1, 2);
	drop_from(f, DROP_UDP_NO_SOCKET, 1, 5);
	struct drops *d = collect(f);

	assert_int_equal(d->row_count, 2);
	assert_string_equal(d->row[0].reason, "UDP_NO_SOCKET");
	assert_int_equal(d->row[0].pkts, 5);
	assert_int_equal(d->row[0].recorded, 5);
	assert_int_equal(d->now_ns - d->row[0].last_ns, NS_PER_S);
	assert_string_equal(d->row[1].remedy, drop_infos[DROP_TCP_CHECKSUM].remedy);
	free(d);
}

static void networks_are_the_largest_and_the_rest_is_counted(void **state)
{
	struct file *f = *state;
	char text[DROPS_FROM_BYTES];

	for (uint8_t net = 1; net <= 6; net++)
		drop_from(f, DROP_TCP_CHECKSUM, net, net == 2 ? 50 : net);
	struct drops *d = collect(f);
	const struct drops_row *row = &d->row[0];

	assert_int_equal(row->from_count, 6);
	assert_int_equal(row->from[0].pkts, 50);
	assert_int_equal(row->from[1].pkts, 6);
	assert_int_equal(row->from[2].pkts, 5);
	assert_string_equal(drops_from_text(f->reader, &row->from[0], text), "10.0.2.0/24 on p0");
	free(d);
}

static void what_the_recorder_has_no_more_is_still_counted(void **state)
{
	struct file *f = *state;

	shm_counters(f->shm, 1)->drop[DROP_NO_ROUTE] = 1000;
	struct drops *d = collect(f);

	assert_int_equal(d->row_count, 1);
	assert_int_equal(d->row[0].pkts, 1000);
	assert_int_equal(d->row[0].recorded, 0);
	assert_int_equal(d->row[0].from_count, 0);
	json_t *json = drops_json(f->reader, d);
	const json_t *row = json_array_get(json_object_get(json, "drops"), 0);

	assert_true(json_is_null(json_object_get(row, "last_s_ago")));
	json_decref(json);
	free(d);
}

static void what_was_no_ip_packet_has_no_network(void **state)
{
	struct file *f = *state;
	struct verdict v = {.reason = DROP_ETH_TRUNCATED,
			    .head_kind = VERDICT_HEAD_FRAME,
			    .head_bytes = 5,
			    .port = VERDICT_NO_PORT};
	char text[DROPS_FROM_BYTES];

	file_drop(f, 0, 0, &v);
	struct drops *d = collect(f);

	assert_string_equal(drops_from_text(f->reader, &d->row[0].from[0], text), "no IP");
	free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, file_set_up, file_tear_down)
		T(rows_are_reasons_that_happened_most_first),
		T(networks_are_the_largest_and_the_rest_is_counted),
		T(what_the_recorder_has_no_more_is_still_counted),
		T(what_was_no_ip_packet_has_no_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
