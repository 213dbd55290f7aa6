// SPDX-License-Identifier: BSD-3-Clause
// Grouping: few are told one by one, many as a number, and nothing is told twice or left out.
#include "see/why.h"

#include "file.h"

static void drop_flow(struct file *f, uint16_t reason, struct heads_flow flow, uint64_t ago_ns)
{
	struct verdict v = heads_verdict(reason, &flow);

	file_drop(f, (uint32_t)(ago_ns / NS_PER_S % 2), ago_ns, &v);
}

static struct why collect(struct file *f, const char *text)
{
	struct packet_filter *filter = text ? packet_filter_create(text) : NULL;
	struct why why;

	file_read(f);
	assert_int_equal(why_collect(f->reader, SHM_DROPS, filter, &why), 0);
	packet_filter_destroy(filter);
	return why;
}

static uint64_t sum(const struct why *why)
{
	uint64_t pkts = 0;

	for (uint32_t i = 0; i < why->group_count; i++)
		pkts += why->group[i].pkts;
	return pkts;
}

static void nothing_recorded_is_no_group(void **state)
{
	struct why why = collect(*state, NULL);

	assert_int_equal(why.group_count, 0);
	assert_int_equal(why.recorded, 0);
	why_free(&why);
}

static void a_few_sources_are_told_one_by_one(void **state)
{
	struct file *f = *state;

	for (uint8_t src = 1; src <= 3; src++)
		for (uint8_t n = 0; n < src; n++)
			drop_flow(f, DROP_TCP_NO_LISTENER, file_flow(src, 1, 81), n * NS_PER_S);
	struct why why = collect(f, NULL);

	assert_int_equal(why.group_count, 3);
	assert_int_equal(why.group[0].pkts, 3);
	assert_int_equal(why.group[0].head.src.byte[14], 3);
	assert_int_equal(why.group[0].src_count, 1);
	assert_int_equal(why.group[0].head.dst_port, 81);
	assert_int_equal(why.group[0].reason_pkts, 6);
	assert_int_equal(why.group[2].reason_pkts, 6);
	assert_int_equal(why.now_ns - why.group[0].last_ns, 0);
	assert_int_equal(why.now_ns - why.group[0].first_ns, 2 * NS_PER_S);
	assert_string_equal(why.group[0].reason, "TCP_NO_LISTENER");
	assert_string_equal(why.group[0].remedy, drop_infos[DROP_TCP_NO_LISTENER].remedy);
	assert_string_equal(why_port(f->reader, why.group[0].port), "p0");
	why_free(&why);
}

static void a_flood_is_told_as_a_number(void **state)
{
	struct file *f = *state;

	for (uint32_t i = 0; i < 200; i++)
		drop_flow(f, DROP_TCP_NO_LISTENER, file_flow((uint8_t)i, 1, 81), i);
	struct why why = collect(f, NULL);

	assert_int_equal(why.group_count, 1);
	assert_int_equal(why.group[0].pkts, 200);
	assert_int_equal(why.group[0].src_count, 200);
	assert_int_equal(why.group[0].dst_count, 1);
	assert_int_equal(why.group[0].head.dst.byte[15], 1);
	why_free(&why);
}

static void a_scan_is_one_group_however_many_its_ports(void **state)
{
	struct file *f = *state;

	for (uint16_t port = 1000; port < 1100; port++)
		drop_flow(f, DROP_TCP_NO_LISTENER, file_flow(1, 1, port), 0);
	struct why why = collect(f, NULL);

	assert_int_equal(why.group_count, 1);
	assert_int_equal(why.group[0].dst_port_count, 100);
	assert_int_equal(why.group[0].src_count, 1);
	assert_int_equal(why.group[0].head.src.byte[14], 1);
	why_free(&why);
}

static void reasons_stay_apart_and_the_most_come_first(void **state)
{
	struct file *f = *state;

	drop_flow(f, DROP_TCP_CHECKSUM, file_flow(1, 1, 80), 0);
	for (int i = 0; i < 3; i++)
		drop_flow(f, DROP_TCP_OLD_DATA, file_flow(1, 1, 80), NS_PER_S);
	struct why why = collect(f, NULL);

	assert_int_equal(why.group_count, 2);
	assert_string_equal(why.group[0].reason, "TCP_OLD_DATA");
	assert_string_equal(why.group[1].reason, "TCP_CHECKSUM");
	why_free(&why);
}

static void a_filter_leaves_the_others_out(void **state)
{
	struct file *f = *state;

	drop_flow(f, DROP_TCP_NO_LISTENER, file_flow(1, 1, 81), 0);
	drop_flow(f, DROP_TCP_NO_LISTENER, file_flow(1, 1, 82), 0);
	struct why why = collect(f, "tcp dst port 82");

	assert_int_equal(why.matched, 1);
	assert_int_equal(why.recorded, 2);
	assert_int_equal(why.group_count, 1);
	assert_int_equal(why.group[0].head.dst_port, 82);
	why_free(&why);
}

// The oldest places may be written while they are read, so some records less than there are places
// are told.
static void what_was_overwritten_is_counted_as_lost(void **state)
{
	struct file *f = *state;
	struct heads_flow flow = file_flow(1, 1, 81);
	struct verdict v = heads_verdict(DROP_TCP_NO_LISTENER, &flow);

	for (uint32_t i = 0; i < VERDICT_RECORDS + 10; i++)
		file_drop(f, 0, 0, &v);
	struct why why = collect(f, NULL);

	assert_in_range(why.recorded, VERDICT_RECORDS - 16, VERDICT_RECORDS - 1);
	assert_int_equal(why.recorded + why.lost, VERDICT_RECORDS + 10);
	why_free(&why);
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *seed >> 33;
}

static void every_record_is_in_one_group_whatever_it_is(void **state)
{
	struct file *f = *state;
	uint64_t seed = 1;

	for (uint32_t i = 0; i < 5000; i++) {
		struct verdict v = {.reason = (uint16_t)(1 + next(&seed) % (DROP_COUNT - 1)),
				    .port = (uint8_t)next(&seed),
				    .head_kind = (uint8_t)(next(&seed) % 5),
				    .head_bytes = (uint8_t)next(&seed)};

		for (uint32_t b = 0; b < VERDICT_HEAD_BYTES; b++)
			v.head[b] = (uint8_t)next(&seed);
		if (i % 2) { // most of which goes further
			struct heads_flow flow = file_flow((uint8_t)next(&seed), 1, 80);

			v.head_bytes = (uint8_t)heads_frame(v.head, 0, &flow);
		}
		file_drop(f, i % 2, i, &v);
	}
	struct why why = collect(f, NULL);

	assert_int_equal(why.recorded, 5000);
	assert_int_equal(sum(&why), 5000);
	for (uint32_t i = 1; i < why.group_count; i++)
		assert_true(why.group[i - 1].reason_pkts >= why.group[i].reason_pkts);
	why_free(&why);
}

static struct why collect_passed(struct file *f, const char *text)
{
	struct packet_filter *filter = text ? packet_filter_create(text) : NULL;
	struct why why;

	file_read(f);
	assert_int_equal(why_collect(f->reader, SHM_SAMPLES, filter, &why), 0);
	packet_filter_destroy(filter);
	return why;
}

static void samples_are_told_by_the_way_they_went(void **state)
{
	struct file *f = *state;
	struct heads_flow in = file_flow(1, 1, 80), other = file_flow(1, 1, 81);

	for (uint64_t i = 1; i <= 3; i++)
		file_sample(f, 0, &in, VERDICT_CAME, i);
	for (uint64_t i = 0; i < 2; i++)
		file_sample(f, 1, &in, VERDICT_LEFT, 0);
	file_sample(f, 1, &other, VERDICT_LEFT, 9);
	struct why passed = collect_passed(f, "tcp dst port 80");

	assert_int_equal(passed.recorded, 6);
	assert_int_equal(passed.matched, 5);
	assert_int_equal(passed.group_count, 2);
	assert_int_equal(passed.group[0].pkts, 3);
	assert_int_equal(passed.group[0].way, VERDICT_CAME);
	assert_string_equal(passed.group[0].reason, "");
	assert_int_equal(passed.group[1].pkts, 2);
	assert_int_equal(passed.group[1].way, VERDICT_LEFT);
	why_free(&passed);
}

static void a_packet_that_was_sampled_and_dropped_is_told_once(void **state)
{
	struct file *f = *state;
	struct heads_flow flow = file_flow(1, 1, 81);
	struct verdict v = heads_verdict(DROP_TCP_NO_LISTENER, &flow);

	for (uint64_t i = 1; i <= 10; i++) {
		file_sample(f, 0, &flow, VERDICT_CAME, i);
		v.journey = 2 * i;
		file_drop(f, 1, 0, &v); // 2, 4, ... 20
	}
	v.journey = 1;
	v.port = VERDICT_NO_PORT; // its answer could not leave; it came
	file_drop(f, 1, 0, &v);
	file_sample(f, 0, &flow, VERDICT_LEFT, 2); // an answer to one that was dropped otherwise
	struct why passed = collect_passed(f, NULL), why = collect(f, NULL);

	assert_int_equal(passed.recorded, 6);
	assert_int_equal(why.recorded, 11);
	why_free(&passed);
	why_free(&why);
}

static void json_has_what_passed_beside_what_was_dropped(void **state)
{
	struct file *f = *state;
	struct heads_flow flow = file_flow(1, 1, 80);

	shm_worker(f->shm, 0)->sample_one_in = 16;
	file_sample(f, 0, &flow, VERDICT_LEFT, 0);
	struct why passed = collect_passed(f, NULL), why = collect(f, NULL);
	json_t *json = why_json(f->reader, &why, &passed);
	const json_t *samples = json_object_get(json, "passed");
	const json_t *g = json_array_get(json_object_get(samples, "groups"), 0);

	assert_int_equal(json_integer_value(json_object_get(samples, "sample_one_in")), 16);
	assert_int_equal(json_integer_value(json_object_get(samples, "matched")), 1);
	assert_string_equal(json_string_value(json_object_get(g, "way")), "out");
	assert_int_equal(json_array_size(json_object_get(json, "groups")), 0);
	json_decref(json);
	why_free(&passed);
	why_free(&why);
}

static void json_says_null_where_there_are_many(void **state)
{
	struct file *f = *state;

	for (uint32_t i = 0; i < 10; i++)
		drop_flow(f, DROP_TCP_NO_LISTENER, file_flow((uint8_t)i, 1, 81), 0);
	struct why why = collect(f, NULL);
	struct why none = {0};
	json_t *json = why_json(f->reader, &why, &none);
	const json_t *g = json_array_get(json_object_get(json, "groups"), 0);

	assert_true(json_is_null(json_object_get(g, "source")));
	assert_int_equal(json_integer_value(json_object_get(g, "sources")), 10);
	assert_string_equal(json_string_value(json_object_get(g, "destination")), "10.1.0.1");
	assert_int_equal(json_integer_value(json_object_get(g, "destination_port")), 81);
	json_decref(json);
	why_free(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, file_set_up, file_tear_down)
		T(nothing_recorded_is_no_group),
		T(a_few_sources_are_told_one_by_one),
		T(a_flood_is_told_as_a_number),
		T(a_scan_is_one_group_however_many_its_ports),
		T(reasons_stay_apart_and_the_most_come_first),
		T(a_filter_leaves_the_others_out),
		T(what_was_overwritten_is_counted_as_lost),
		T(every_record_is_in_one_group_whatever_it_is),
		T(samples_are_told_by_the_way_they_went),
		T(a_packet_that_was_sampled_and_dropped_is_told_once),
		T(json_has_what_passed_beside_what_was_dropped),
		T(json_says_null_where_there_are_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
