// SPDX-License-Identifier: BSD-3-Clause
// Samples of what passes a port: each packet is drawn at most once, as often as the rate says, and
// whatever its place in a burst. While somebody captures, all are copied once, and as many are
// drawn as ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "observe/counter.h"
#include "observe/tape_reader.h"
#include "observe/verdict.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "pkt/taping.h"
#include "port/sample.h"

#define RECORDS 16384
#define PKTS 2048

struct ring {
	struct verdicts head;
	struct verdict record[RECORDS];
};

// A device whose packets say which they are.
struct bench {
	struct env env;
	struct counters counters;
	struct ring ring;
	struct port port;
	struct pool *pool;
	uint32_t came, room_pkts, incoming;
};

static struct pkt *numbered(struct bench *b, uint32_t number)
{
	struct pkt *p = pkt_alloc(b->pool);

	assert_non_null(p);
	memcpy(pkt_append(p, 64), &number, sizeof(number));
	return p;
}

static uint16_t device_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct bench *b = port->driver;
	uint16_t n = (uint16_t)MIN(b->incoming, (uint32_t)count);

	for (uint16_t i = 0; i < n; i++)
		pkts[i] = numbered(b, b->came++);
	return n;
}

static uint16_t device_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct bench *b = port->driver;
	uint16_t n = (uint16_t)MIN(b->room_pkts, (uint32_t)count);

	for (uint16_t i = 0; i < n; i++)
		pkt_free(pkts[i]);
	b->room_pkts -= n;
	return n;
}

static const struct port_ops ops = {.rx = device_rx, .tx = device_tx};
static struct bench bench;

static struct bench *begin(uint32_t one_in)
{
	struct pool_config pool = {.name = "test", .pkts = PKTS, .room_bytes = 2048};
	struct bench *b = &bench;

	memset(b, 0, sizeof(*b));
	b->port = (struct port){.ops = &ops, .driver = b, .index = 3};
	b->env = (struct env){.counters = &b->counters,
			      .samples = &b->ring.head,
			      .verdict_mask = RECORDS - 1,
			      .sample_one_in = one_in,
			      .now_ns = 7};
	b->pool = pool_create(&pool);
	b->room_pkts = UINT32_MAX;
	return b;
}

static void end(struct bench *b)
{
	assert_int_equal(pool_available(b->pool), pool_capacity(b->pool));
	pool_destroy(b->pool);
}

static void receive(struct bench *b, uint32_t count)
{
	struct pkt *pkts[BURST_PKTS];

	b->incoming = count;
	uint16_t n = port_rx(&b->env, &b->port, pkts, BURST_PKTS);

	for (uint16_t i = 0; i < n; i++)
		pkt_free(pkts[i]);
}

static uint32_t number_of(const struct bench *b, uint64_t record)
{
	uint32_t number;

	memcpy(&number, b->ring.record[record].head, sizeof(number));
	return number;
}

static void of_all_each_is_noted_once_and_in_order(void **state)
{
	struct bench *b = begin(1);

	for (uint32_t i = 0; i < 20; i++)
		receive(b, 1 + i % BURST_PKTS);
	assert_int_equal(b->ring.head.written, b->came);
	for (uint32_t i = 0; i < b->came; i++) {
		const struct verdict *v = &b->ring.record[i];

		assert_int_equal(number_of(b, i), i);
		assert_int_equal(v->way, VERDICT_CAME);
		assert_int_equal(v->port, 3);
		assert_int_equal(v->reason, DROP_OK);
		assert_int_equal(v->head_kind, VERDICT_HEAD_FRAME);
		assert_int_equal(v->head_bytes, 64);
		assert_int_equal(v->len, 64);
		assert_int_equal(v->time_ns, 7);
		assert_int_not_equal(v->journey, 0);
		assert_true(i == 0 || v->journey != v[-1].journey);
	}
	end(b);
}

static void what_a_device_takes_later_is_noted_when_it_was_offered_first(void **state)
{
	struct bench *b = begin(1);

	b->room_pkts = 5;
	for (uint32_t i = 0; i < 9; i++)
		port_tx(&b->env, &b->port, numbered(b, i));
	port_tx_flush(&b->env, &b->port);
	port_tx_flush(&b->env, &b->port); // four wait
	for (uint32_t i = 9; i < 11; i++)
		port_tx(&b->env, &b->port, numbered(b, i));
	b->room_pkts = 100;
	port_tx_flush(&b->env, &b->port);
	assert_int_equal(b->ring.head.written, 11);
	for (uint32_t i = 0; i < 11; i++) {
		assert_int_equal(number_of(b, i), i);
		assert_int_equal(b->ring.record[i].way, VERDICT_LEFT);
		assert_int_equal(b->ring.record[i].port, 3);
		assert_int_equal(b->ring.record[i].journey, 0); // made here
	}
	end(b);
}

#define MANY 80000

static void as_many_are_drawn_as_the_rate_says_at_any_place_of_a_burst(void **state)
{
	struct bench *b = begin(8);
	uint32_t at[BURST_PKTS] = {0};

	while (b->came < MANY)
		receive(b, BURST_PKTS);
	assert_in_range(b->ring.head.written, MANY / 8 - 250, MANY / 8 + 250);
	for (uint64_t i = 0; i < b->ring.head.written; i++)
		at[number_of(b, i) % BURST_PKTS]++;
	for (uint32_t i = 0; i < BURST_PKTS; i++)
		assert_in_range(at[i], MANY / 8 / BURST_PKTS * 2 / 3,
				MANY / 8 / BURST_PKTS * 3 / 2);
	end(b);
}

// What comes in step with a low rate is drawn at every place of the step.
static void low_rates_have_no_rhythm(void **state)
{
	for (uint32_t one_in = 2; one_in < 6; one_in++) {
		struct bench *b = begin(one_in);
		uint32_t at[8] = {0}, drawn = 0;

		while (b->ring.head.written < 8000)
			receive(b, BURST_PKTS);
		for (uint32_t i = 0; i < 8000; i++, drawn++)
			at[number_of(b, i) % 8]++;
		for (uint32_t i = 0; i < 8; i++)
			assert_in_range(at[i], drawn / 8 - 150, drawn / 8 + 150);
		end(b);
	}
}

static void the_same_run_draws_the_same(void **state)
{
	static uint32_t first[RECORDS];
	struct bench *b = begin(5);

	for (int run = 0; run < 2; run++) {
		while (b->came < 4000)
			receive(b, 7);
		for (uint64_t i = 0; i < b->ring.head.written; i++) {
			if (run == 0)
				first[i] = number_of(b, i);
			else
				assert_int_equal(number_of(b, i), first[i]);
		}
		end(b);
		if (run == 0)
			b = begin(5);
	}
}

static void without_a_rate_none_is_noted_and_a_new_one_holds_at_once(void **state)
{
	struct bench *b = begin(0);

	for (uint32_t i = 0; i < 100; i++) {
		receive(b, 3);
		port_tx(&b->env, &b->port, numbered(b, i));
		port_tx_flush(&b->env, &b->port);
	}
	assert_int_equal(b->ring.head.written, 0);
	b->env.sample_one_in = 1;
	sample_again(&b->port);
	receive(b, 3);
	port_tx(&b->env, &b->port, numbered(b, 0));
	port_tx_flush(&b->env, &b->port);
	assert_int_equal(b->ring.head.written, 4);
	b->env.sample_one_in = 0;
	sample_again(&b->port);
	receive(b, 3);
	assert_int_equal(b->ring.head.written, 4);
	end(b);
}

// The other worker, whose port it leaves by, notes it.
static void a_way_to_another_worker_notes_nothing(void **state)
{
	struct bench *b = begin(1);

	b->port.flags = PORT_RELAY;
	port_tx(&b->env, &b->port, numbered(b, 0));
	port_tx_flush(&b->env, &b->port);
	assert_int_equal(b->ring.head.written, 0);
	end(b);
}

// A capture of all that passes, as worker_tape begins and ends it.
struct capture {
	struct taping taping;
	struct tapings tapings;
	struct tape_reader *reader;
	char run_dir[64];
};

static void capture_begin(struct bench *b, struct capture *c, uint32_t points)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->run_dir, "/tmp/test_sample.XXXXXX");
	assert_non_null(mkdtemp(c->run_dir));
	c->taping = (struct taping){.all = true, .points = points, .snap_bytes = 64};
	c->taping.file = tape_create(&(struct tape_config){.run_dir = c->run_dir,
							   .instance = "one",
							   .worker_count = 1,
							   .ring_bytes = 8u << 20,
							   .filter = ""});
	assert_non_null(c->taping.file);
	c->reader = tape_reader_open(tape_path(c->taping.file));
	c->tapings.points = points;
	c->tapings.count = 1;
	c->tapings.of[0].taping = &c->taping;
	c->tapings.of[0].tape = tape_of(c->taping.file, 0);
	b->env.tapings = &c->tapings;
	sample_again(&b->port);
}

static void capture_end(struct bench *b, struct capture *c)
{
	b->env.tapings = NULL;
	sample_again(&b->port);
	tape_reader_close(c->reader);
	tape_destroy(c->taping.file);
	rmdir(c->run_dir);
}

// The number of the next that was copied, or -1; it passed at this point.
static int64_t copied(struct capture *c, enum tape_point point)
{
	uint32_t worker, number;
	int error;
	const struct tape_record *r = tape_reader_next(c->reader, UINT64_MAX, &worker, &error);

	assert_int_equal(error, 0);
	assert_int_equal(tape_reader_lost(c->reader, 0), 0);
	if (!r)
		return -1;
	assert_int_equal(r->point, point);
	assert_int_equal(r->port, 3);
	assert_int_equal(r->time_ns, 7);
	assert_int_equal(r->bytes, 64);
	memcpy(&number, tape_record_bytes(r), sizeof(number));
	return number;
}

static void send(struct bench *b, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		port_tx(&b->env, &b->port, numbered(b, first + i));
	port_tx_flush(&b->env, &b->port);
}

static void while_there_is_a_capture_all_that_come_are_copied_once_and_in_order(void **state)
{
	struct bench *b = begin(5);
	struct capture c;
	uint32_t before, after;

	receive(b, 20); // to be in the middle between two that are drawn
	before = b->came;
	capture_begin(b, &c, 1u << TAPE_CAME);
	while (b->came < 2000)
		receive(b, 1 + b->came % BURST_PKTS);
	after = b->came;
	for (uint32_t i = before; i < after; i++)
		assert_int_equal(copied(&c, TAPE_CAME), i);
	assert_int_equal(copied(&c, TAPE_CAME), -1);
	send(b, 0, 10); // is not what was asked for
	assert_int_equal(copied(&c, TAPE_CAME), -1);
	capture_end(b, &c);
	end(b);
}

static void all_that_leave_are_copied_once_when_they_were_offered_first(void **state)
{
	struct bench *b = begin(5);
	struct capture c;

	capture_begin(b, &c, 1u << TAPE_LEFT);
	b->room_pkts = 5;
	send(b, 0, 9); // four wait
	send(b, 9, 3);
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(copied(&c, TAPE_LEFT), i);
	b->room_pkts = UINT32_MAX;
	send(b, 12, 0);
	assert_int_equal(copied(&c, TAPE_LEFT), -1);
	for (uint32_t i = 12; i < 5000; i += 40) // around the stage's ring
		send(b, i, 40);
	for (uint32_t i = 12; i < 5012; i++)
		assert_int_equal(copied(&c, TAPE_LEFT), i);
	receive(b, 10);
	assert_int_equal(copied(&c, TAPE_LEFT), -1);
	capture_end(b, &c);
	end(b);
}

static void as_many_are_drawn_while_all_are_copied(void **state)
{
	struct bench *b = begin(8);
	struct capture c;
	uint32_t at[BURST_PKTS] = {0};

	capture_begin(b, &c, 1u << TAPE_CAME);
	while (b->came < MANY)
		receive(b, BURST_PKTS);
	assert_in_range(b->ring.head.written, MANY / 8 - 250, MANY / 8 + 250);
	for (uint64_t i = 0; i < b->ring.head.written; i++) {
		assert_true(i == 0 || number_of(b, i) > number_of(b, i - 1));
		at[number_of(b, i) % BURST_PKTS]++;
	}
	for (uint32_t i = 0; i < BURST_PKTS; i++)
		assert_in_range(at[i], MANY / 8 / BURST_PKTS * 2 / 3,
				MANY / 8 / BURST_PKTS * 3 / 2);
	capture_end(b, &c);
	end(b);
}

static void of_those_that_leave_as_many_are_drawn_while_all_are_copied(void **state)
{
	struct bench *b = begin(8);
	struct capture c;

	capture_begin(b, &c, 1u << TAPE_LEFT);
	for (uint32_t i = 0; i < MANY; i += 32)
		send(b, i, 32);
	assert_in_range(b->ring.head.written, MANY / 8 - 250, MANY / 8 + 250);
	for (uint64_t i = 1; i < b->ring.head.written; i++)
		assert_true(number_of(b, i) > number_of(b, i - 1));
	capture_end(b, &c);
	end(b);
}

// A capture begins and ends again and again: none is copied outside of one, and each in one.
static void after_its_end_nothing_is_copied_and_samples_go_on(void **state)
{
	struct bench *b = begin(4);
	struct capture c;
	uint32_t first, after;

	for (uint32_t round = 0; round < 20; round++) {
		capture_begin(b, &c, 1u << TAPE_CAME);
		first = b->came;
		for (uint32_t i = 0; i < 100; i++)
			receive(b, 1 + i % 7);
		after = b->came;
		for (uint32_t i = first; i < after; i++)
			assert_int_equal(copied(&c, TAPE_CAME), i);
		b->env.tapings = NULL;
		sample_again(&b->port);
		for (uint32_t i = 0; i < 100; i++)
			receive(b, 1 + i % 7);
		assert_int_equal(copied(&c, TAPE_CAME), -1);
		capture_end(b, &c);
	}
	assert_in_range(b->ring.head.written, b->came / 4 - 250, b->came / 4 + 250);
	end(b);
}

static void without_a_rate_all_are_copied_and_none_is_noted(void **state)
{
	struct bench *b = begin(0);
	struct capture c;

	capture_begin(b, &c, 1u << TAPE_CAME);
	for (uint32_t i = 0; i < 100; i++)
		receive(b, 3);
	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(copied(&c, TAPE_CAME), i);
	assert_int_equal(b->ring.head.written, 0);
	capture_end(b, &c);
	end(b);
}

static void a_way_to_another_worker_copies_nothing(void **state)
{
	struct bench *b = begin(1);
	struct capture c;

	b->port.flags = PORT_RELAY;
	capture_begin(b, &c, 1u << TAPE_CAME | 1u << TAPE_LEFT);
	send(b, 0, 10);
	receive(b, 10);
	assert_int_equal(copied(&c, TAPE_LEFT), -1);
	assert_int_equal(b->ring.head.written, 0);
	capture_end(b, &c);
	end(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_all_each_is_noted_once_and_in_order),
		cmocka_unit_test(what_a_device_takes_later_is_noted_when_it_was_offered_first),
		cmocka_unit_test(as_many_are_drawn_as_the_rate_says_at_any_place_of_a_burst),
		cmocka_unit_test(low_rates_have_no_rhythm),
		cmocka_unit_test(the_same_run_draws_the_same),
		cmocka_unit_test(without_a_rate_none_is_noted_and_a_new_one_holds_at_once),
		cmocka_unit_test(a_way_to_another_worker_notes_nothing),
		cmocka_unit_test(
			while_there_is_a_capture_all_that_come_are_copied_once_and_in_order),
		cmocka_unit_test(all_that_leave_are_copied_once_when_they_were_offered_first),
		cmocka_unit_test(as_many_are_drawn_while_all_are_copied),
		cmocka_unit_test(of_those_that_leave_as_many_are_drawn_while_all_are_copied),
		cmocka_unit_test(after_its_end_nothing_is_copied_and_samples_go_on),
		cmocka_unit_test(without_a_rate_all_are_copied_and_none_is_noted),
		cmocka_unit_test(a_way_to_another_worker_copies_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
