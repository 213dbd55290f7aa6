// SPDX-License-Identifier: BSD-3-Clause
// Which packets captures copy to their tapes, and how much of them: whole frames whatever was
// stripped or is chained, headers that are in no packet, and nothing that a filter does not know
// how to read. The first tests are of one capture, the last of several.
#include "pkt/taping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "filter.h"
#include "observe/tape_reader.h"
#include "pkt/pool.h"

#define POOL_PKTS 8
#define RECORDS 4
#define ALL_POINTS ((1u << TAPE_POINTS) - 1)

struct capture {
	struct taping taping;
	struct tape_reader *reader;
};

struct fixture {
	struct counters counters;
	struct env env;
	struct pool *pool, *rx_pool; // as everywhere: what was made here never came
	struct tapings tapings;
	struct capture capture[TAPINGS_MAX];
	uint8_t frame[200]; // TCP to port 80
	char run_dir[64];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->env = (struct env){.now_ns = 77, .counters = &f->counters, .verdict_mask = RECORDS - 1};
	f->env.verdicts =
		aligned_alloc(64, sizeof(struct verdicts) + RECORDS * sizeof(struct verdict));
	memset(f->env.verdicts, 0, sizeof(struct verdicts) + RECORDS * sizeof(struct verdict));
	f->env.tapings = &f->tapings;
	f->pool = pool_create(&(struct pool_config){"pool", POOL_PKTS, 2048, -1});
	f->rx_pool = pool_create(&(struct pool_config){"received", POOL_PKTS, 2048, -1});
	write_frame(f->frame, sizeof(f->frame), 6, 80);
	strcpy(f->run_dir, "/tmp/test_taping.XXXXXX");
	*state = f;
	return mkdtemp(f->run_dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < f->tapings.count; i++) {
		tape_reader_close(f->capture[i].reader);
		tape_destroy(f->capture[i].taping.file);
		match_destroy(f->capture[i].taping.frame);
		match_destroy(f->capture[i].taping.ip);
	}
	assert_int_equal(pool_available(f->pool), POOL_PKTS);
	assert_int_equal(pool_available(f->rx_pool), POOL_PKTS);
	pool_destroy(f->pool);
	pool_destroy(f->rx_pool);
	rmdir(f->run_dir);
	free(f->env.verdicts);
	free(f);
	return 0;
}

// One more capture, of packets that this filter of frames or that of IP packets says yes to; NULL:
// there is none; both: of all.
static struct capture *capture(struct fixture *f, const char *frame, const char *ip,
			       uint32_t points)
{
	uint32_t i = f->tapings.count++;
	struct capture *c = &f->capture[i];

	c->taping = (struct taping){.all = !frame && !ip,
				    .points = points,
				    .snap_bytes = TAPE_SNAP_BYTES_MAX,
				    .frame = frame ? filter_match(frame, DLT_EN10MB) : NULL,
				    .ip = ip ? filter_match(ip, DLT_RAW) : NULL};
	c->taping.file = tape_create(&(struct tape_config){.run_dir = f->run_dir,
							   .instance = "one",
							   .number = i,
							   .worker_count = 1,
							   .filter = ""});
	assert_non_null(c->taping.file);
	c->reader = tape_reader_open(tape_path(c->taping.file));
	f->tapings.of[i].taping = &c->taping;
	f->tapings.of[i].tape = tape_of(c->taping.file, 0);
	f->tapings.points |= points;
	return c;
}

static const struct tape_record *next(struct capture *c)
{
	uint32_t worker;
	int error;
	const struct tape_record *r = tape_reader_next(c->reader, UINT64_MAX, &worker, &error);

	assert_int_equal(error, 0);
	assert_int_equal(tape_reader_lost(c->reader, 0), 0);
	return r;
}

static void assert_bytes(const struct tape_record *r, const void *bytes, uint32_t count)
{
	assert_non_null(r);
	assert_int_equal(r->bytes, count);
	assert_memory_equal(tape_record_bytes(r), bytes, count);
}

static struct pkt *whole(struct fixture *f)
{
	return pkt_of(f->pool, f->frame, sizeof(f->frame), 0);
}

// A received one, the first of so many bytes in a segment of their own when cut is not 0.
static struct pkt *received(struct fixture *f, uint32_t cut)
{
	struct pkt *p = pkt_of(f->rx_pool, f->frame, sizeof(f->frame), cut);

	pkt_set_origin(p, pkt_origin_base(9, 3, 5));
	return p;
}

static void without_a_filter_all_are_copied_with_what_is_known_of_them(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, NULL, NULL, ALL_POINTS);
	struct pkt *p = received(f, 0);

	tape_frame(&f->env, p, TAPE_CAME, 5);
	pkt_free(p);
	p = whole(f);
	tape_frame(&f->env, p, TAPE_LEFT, 6);
	pkt_free(p);
	const struct tape_record *r = next(c);

	assert_bytes(r, f->frame, 200);
	assert_int_equal(r->len, 200);
	assert_int_equal(r->reason, DROP_OK);
	assert_int_equal(r->point, TAPE_CAME);
	assert_int_equal(r->port, 5);
	assert_int_equal(r->time_ns, 77);
	assert_int_equal(r->number, 1);
	assert_int_equal(r->journey, 9 << 16 | 3 << 8 | 5);
	assert_int_equal(r->head_kind, VERDICT_HEAD_FRAME);
	r = next(c);
	assert_bytes(r, f->frame, 200);
	assert_int_equal(r->point, TAPE_LEFT);
	assert_int_equal(r->port, 6);
	assert_int_equal(r->number, 2);
	assert_int_equal(r->journey, 0); // made here
	assert_null(next(c));
}

static void a_filter_says_which_are_copied_and_only_those_are_numbered(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, "tcp port 80", NULL, ALL_POINTS);

	for (uint16_t port = 79; port <= 82; port++) {
		write_frame(f->frame, sizeof(f->frame), 6, port % 2 ? port : 80);
		struct pkt *p = whole(f);

		tape_frame(&f->env, p, TAPE_CAME, 5);
		pkt_free(p);
	}
	write_frame(f->frame, sizeof(f->frame), 6, 80);
	for (uint64_t number = 1; number <= 2; number++) {
		const struct tape_record *r = next(c);

		assert_bytes(r, f->frame, 200);
		assert_int_equal(r->number, number);
	}
	assert_null(next(c));
}

static void of_points_only_those_asked_for_are_copied(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, NULL, NULL, 1u << TAPE_LEFT | 1u << TAPE_DROPPED);
	struct pkt *p = whole(f);

	assert_false(tape_wants(&f->env, TAPE_CAME));
	assert_true(tape_wants(&f->env, TAPE_LEFT));
	assert_true(tape_wants(&f->env, TAPE_DROPPED));
	assert_false(tape_wants(&f->env, TAPE_DELIVERED));
	tape_frame(&f->env, p, TAPE_CAME, 5);
	assert_null(next(c));
	tape_frame(&f->env, p, TAPE_LEFT, 5);
	assert_int_equal(next(c)->point, TAPE_LEFT);
	f->env.tapings = NULL;
	assert_false(tape_wants(&f->env, TAPE_LEFT));
	pkt_free(p);
}

static void of_a_long_packet_as_much_is_copied_as_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, NULL, NULL, ALL_POINTS);

	for (uint32_t snap = 1; snap <= 201; snap += 50) {
		struct pkt *p = pkt_of(f->pool, f->frame, sizeof(f->frame), 60);

		c->taping.snap_bytes = snap;
		tape_frame(&f->env, p, TAPE_CAME, 5);
		const struct tape_record *r = next(c);

		assert_bytes(r, f->frame, MIN(snap, 200u));
		assert_int_equal(r->len, 200);
		pkt_free(p);
	}
}

static void a_chain_is_filtered_and_copied_over_its_segments(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, "tcp port 80", NULL, ALL_POINTS);

	for (uint32_t cut = 1; cut < 200; cut += 7) {
		struct pkt *p = received(f, cut);

		tape_frame(&f->env, p, TAPE_CAME, 5);
		assert_int_equal(pkt_seg_count(p), 2);
		pkt_free(p);
		assert_bytes(next(c), f->frame, 200);
	}
	assert_null(next(c));
}

static void what_was_stripped_is_in_front_again_of_a_dropped_one(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, "tcp port 80", NULL, ALL_POINTS);

	for (uint16_t stripped = 0; stripped <= FRAME_HEADS_BYTES; stripped += 27) {
		struct pkt *p = received(f, stripped ? 100 : 0);

		pkt_strip(p, stripped);
		pkt_drop(&f->env, p, DROP_TCP_CHECKSUM);
		const struct tape_record *r = next(c);

		assert_bytes(r, f->frame, 200);
		assert_int_equal(r->len, 200);
		assert_int_equal(r->point, TAPE_DROPPED);
		assert_int_equal(r->reason, DROP_TCP_CHECKSUM);
		assert_int_equal(r->port, 5);
		assert_int_equal(r->journey, 9 << 16 | 3 << 8 | 5);
		assert_int_equal(r->head_kind, VERDICT_HEAD_FRAME);
	}
	assert_null(next(c));
}

static void what_has_no_ethernet_header_yet_is_for_the_filter_of_ip_packets(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, "tcp port 80", "tcp port 80", ALL_POINTS);
	struct capture *frames = capture(f, "tcp port 80", NULL, ALL_POINTS);
	struct capture *others = capture(f, "tcp port 80", "tcp port 81", ALL_POINTS);
	struct pkt *p = received(f, 0);

	pkt_strip(p, 14);
	pkt_drop_ip(&f->env, p, DROP_ARP_UNREACHABLE);
	const struct tape_record *r = next(c);

	assert_bytes(r, f->frame + 14, 186);
	assert_int_equal(r->len, 186);
	assert_int_equal(r->reason, DROP_ARP_UNREACHABLE);
	assert_int_equal(r->port, VERDICT_NO_PORT);
	assert_int_equal(r->journey, 9 << 16 | 3 << 8 | 5);
	assert_int_equal(r->head_kind, VERDICT_HEAD_IP);
	assert_null(next(frames));
	assert_null(next(others));
}

static void what_leaves_and_is_dropped_is_for_the_filter_of_frames(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, "tcp port 80", "tcp port 81", ALL_POINTS);

	pkt_drop_frame(&f->env, whole(f), DROP_TX_RING_FULL);
	const struct tape_record *r = next(c);

	assert_bytes(r, f->frame, 200);
	assert_int_equal(r->port, VERDICT_NO_PORT);
	assert_int_equal(r->head_kind, VERDICT_HEAD_FRAME);
}

static void a_header_that_is_in_no_packet_is_filtered_and_copied_in_front(void **state)
{
	struct fixture *f = *state;
	struct capture *c =
		capture(f, "arp", "tcp port 80 and src host 10.0.0.1 and len = 186", ALL_POINTS);
	struct capture *others = capture(f, "arp", "src host 10.0.0.9", ALL_POINTS);

	for (uint32_t cut = 0; cut <= 101; cut += 101) {
		struct pkt *p = pkt_of(f->pool, f->frame + 34, 166, cut), *same = p;

		if (!cut)
			pkt_hold(p); // others have its bytes, too
		pkt_drop_unsent(&f->env, p, DROP_NO_ROUTE, f->frame + 14, 20);
		const struct tape_record *r = next(c);

		assert_bytes(r, f->frame + 14, 186);
		assert_int_equal(r->len, 186);
		assert_int_equal(r->reason, DROP_NO_ROUTE);
		assert_int_equal(r->head_kind, VERDICT_HEAD_IP);
		if (cut)
			break;
		assert_int_equal(pkt_len(same), 166); // nothing was done to it
		pkt_free(same);
	}
	assert_null(next(others));
}

static void what_no_filter_can_read_is_copied_only_without_one(void **state)
{
	struct fixture *f = *state;
	struct capture *filtered = capture(f, "len > 0", "len > 0", ALL_POINTS);
	struct capture *all = capture(f, NULL, NULL, ALL_POINTS);
	struct pkt *source = received(f, 0);

	pkt_drop(&f->env, pkt_of(f->pool, f->frame + 34, 166, 0), DROP_NO_ROUTE); // made here
	pkt_drop(&f->env, pkt_slice(f->pool, source, 100, 50), DROP_NO_ROUTE);
	pkt_free(source);
	const struct tape_record *r = next(all);

	assert_bytes(r, f->frame + 34, 166);
	assert_int_equal(r->head_kind, VERDICT_HEAD_TRANSPORT);
	assert_int_equal(r->port, VERDICT_NO_PORT);
	assert_bytes(next(all), f->frame + 100, 50); // not the frame that it is a part of
	assert_null(next(all));
	assert_null(next(filtered));
}

static void one_without_bytes_is_no_hole_in_the_numbers(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, NULL, NULL, ALL_POINTS);

	pkt_drop(&f->env, pkt_alloc(f->pool), DROP_NO_ROUTE);
	pkt_drop(&f->env, whole(f), DROP_NO_ROUTE);
	assert_bytes(next(c), f->frame, 200); // and next asks for what was lost
	assert_null(next(c));
}

static void what_is_delivered_is_copied_as_it_came(void **state)
{
	struct fixture *f = *state;
	struct capture *c = capture(f, "tcp port 80", NULL, ALL_POINTS);

	for (uint32_t cut = 0; cut <= 120; cut += 60) {
		struct pkt *p = received(f, cut);

		pkt_strip(p, FRAME_HEADS_BYTES);
		tape_delivered(&f->env, p);
		assert_int_equal(pkt_len(p), 200 - FRAME_HEADS_BYTES); // nothing was done to it
		pkt_free(p);
		const struct tape_record *r = next(c);

		assert_bytes(r, f->frame, 200);
		assert_int_equal(r->point, TAPE_DELIVERED);
		assert_int_equal(r->port, 5);
		assert_int_equal(r->reason, DROP_OK);
	}
	struct pkt *p = whole(f); // from nowhere

	tape_delivered(&f->env, p);
	pkt_free(p);
	assert_null(next(c));
}

static void each_of_several_captures_gets_its_own(void **state)
{
	struct fixture *f = *state;
	struct capture *tcp = capture(f, "tcp", NULL, 1u << TAPE_CAME);
	struct capture *udp = capture(f, "udp", NULL, ALL_POINTS);
	struct capture *all = capture(f, NULL, NULL, 1u << TAPE_LEFT);
	struct capture *few = capture(f, NULL, NULL, 1u << TAPE_CAME);

	few->taping.snap_bytes = 30;
	for (int i = 0; i < 2; i++) {
		write_frame(f->frame, sizeof(f->frame), i ? 17 : 6, 80);
		struct pkt *p = received(f, 0);

		tape_frame(&f->env, p, TAPE_CAME, 5);
		tape_frame(&f->env, p, TAPE_LEFT, 6);
		pkt_free(p);
	}
	assert_bytes(next(udp), f->frame, 200);
	assert_bytes(next(udp), f->frame, 200);
	assert_null(next(udp));
	assert_int_equal(tape_record_bytes(next(all))[23], 6);
	assert_bytes(next(all), f->frame, 200);
	assert_null(next(all));
	assert_int_equal(next(few)->bytes, 30);
	assert_bytes(next(few), f->frame, 30);
	write_frame(f->frame, sizeof(f->frame), 6, 80);
	assert_bytes(next(tcp), f->frame, 200);
	assert_null(next(tcp));
	assert_int_equal(f->counters.value[COUNTER_captured_pkts], 7);
	assert_int_equal(f->counters.value[COUNTER_captured_bytes], 5 * 200 + 2 * 30);
}

static void while_nobody_captures_nothing_is_counted(void **state)
{
	struct fixture *f = *state;

	f->env.tapings = NULL;
	pkt_drop(&f->env, whole(f), DROP_NO_ROUTE);
	assert_int_equal(f->counters.value[COUNTER_captured_pkts], 0);
	assert_int_equal(f->env.verdicts->written, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(without_a_filter_all_are_copied_with_what_is_known_of_them),
		T(a_filter_says_which_are_copied_and_only_those_are_numbered),
		T(of_points_only_those_asked_for_are_copied),
		T(of_a_long_packet_as_much_is_copied_as_was_asked_for),
		T(a_chain_is_filtered_and_copied_over_its_segments),
		T(what_was_stripped_is_in_front_again_of_a_dropped_one),
		T(what_has_no_ethernet_header_yet_is_for_the_filter_of_ip_packets),
		T(what_leaves_and_is_dropped_is_for_the_filter_of_frames),
		T(a_header_that_is_in_no_packet_is_filtered_and_copied_in_front),
		T(what_no_filter_can_read_is_copied_only_without_one),
		T(one_without_bytes_is_no_hole_in_the_numbers),
		T(what_is_delivered_is_copied_as_it_came),
		T(each_of_several_captures_gets_its_own),
		T(while_nobody_captures_nothing_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
