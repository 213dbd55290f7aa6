// SPDX-License-Identifier: BSD-3-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "observe/counter.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "port/port.h"

#define PKTS 2048

// A device that notes how many packets each call brought, and takes as many as it has room for.
struct device {
	struct pool *pool;
	uint16_t incoming;  // packets of the next burst
	uint32_t room_pkts; // it takes no more
	uint32_t calls, taken;
	uint64_t next_number;
};

static struct pkt *numbered(struct device *d, uint64_t number)
{
	struct pkt *p = pkt_alloc(d->pool);

	assert_non_null(p);
	memcpy(pkt_append(p, sizeof(number)), &number, sizeof(number));
	return p;
}

static uint16_t device_rx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct device *d = port->driver;
	uint16_t n = MIN(d->incoming, count);

	for (uint16_t i = 0; i < n; i++)
		pkts[i] = numbered(d, 0);
	d->incoming = 0;
	return n;
}

static uint16_t device_tx(struct port *port, struct pkt **pkts, uint16_t count)
{
	struct device *d = port->driver;
	uint16_t n = (uint16_t)MIN(d->room_pkts, (uint32_t)count);

	for (uint16_t i = 0; i < n; i++) {
		assert_memory_equal(pkt_data(pkts[i]), &d->next_number, sizeof(d->next_number));
		d->next_number++;
		pkt_free(pkts[i]);
	}
	d->calls++;
	d->taken += n;
	d->room_pkts -= n;
	return n;
}

static const struct port_ops ops = {.rx = device_rx, .tx = device_tx};

struct bench {
	struct env env;
	struct counters counters;
	struct device device;
	struct port port;
	uint64_t number;
};

static void bench_begin(struct bench *b, uint32_t flags)
{
	struct pool_config pool = {.name = "test", .pkts = PKTS, .room_bytes = 2048};

	*b = (struct bench){.port = {.ops = &ops, .flags = flags}};
	b->env.counters = &b->counters;
	b->device.pool = pool_create(&pool);
	b->device.room_pkts = UINT32_MAX;
	b->port.driver = &b->device;
}

static void bench_end(struct bench *b)
{
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 0);
	assert_int_equal(b->counters.value[COUNTER_tx_pkts], b->device.taken);
	assert_int_equal(b->counters.value[COUNTER_tx_bytes], b->device.taken * sizeof(b->number));
	assert_int_equal(b->port.tx_pkts, b->device.taken);
	assert_int_equal(pool_available(b->device.pool), pool_capacity(b->device.pool));
	pool_destroy(b->device.pool);
}

static void receive(struct bench *b, uint16_t count)
{
	struct pkt *pkts[BURST_PKTS];

	b->device.incoming = count;
	assert_int_equal(port_rx(&b->env, &b->port, pkts, BURST_PKTS), count);
	for (uint16_t i = 0; i < count; i++)
		pkt_free(pkts[i]);
}

static void transmit(struct bench *b, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		port_tx(&b->env, &b->port, numbered(&b->device, b->number++));
}

static void a_port_whose_calls_are_cheap_sends_before_the_turn_ends(void **state)
{
	struct bench b;

	bench_begin(&b, PORT_TX_CHEAP);
	receive(&b, BURST_PKTS);
	transmit(&b, PORT_EARLY_PKTS);
	assert_int_equal(b.device.taken, 0);
	transmit(&b, 1);
	assert_int_equal(b.device.taken, PORT_EARLY_PKTS);
	transmit(&b, 2 * PORT_EARLY_PKTS);
	assert_int_equal(b.device.taken, 3 * PORT_EARLY_PKTS);
	assert_int_equal(port_tx_flush(&b.env, &b.port), 3 * PORT_EARLY_PKTS + 1);
	assert_int_equal(port_tx_flush(&b.env, &b.port), 0);
	bench_end(&b);
}

static void any_other_port_waits_for_the_end_of_the_turn(void **state)
{
	struct bench b;

	bench_begin(&b, 0);
	receive(&b, BURST_PKTS);
	transmit(&b, 200);
	assert_int_equal(b.device.calls, 0);
	assert_int_equal(port_tx_flush(&b.env, &b.port), 200);
	assert_int_equal(b.device.calls, 1);
	bench_end(&b);
}

static void who_finds_full_bursts_or_small_ones_sends_once_a_turn(void **state)
{
	struct bench b;

	bench_begin(&b, PORT_TX_CHEAP);
	receive(&b, BURST_PKTS);
	receive(&b, BURST_PKTS);
	transmit(&b, 200);
	assert_int_equal(b.device.calls, 0);
	port_tx_flush(&b.env, &b.port);
	receive(&b, BURST_PKTS - 1);
	receive(&b, BURST_PKTS - 1);
	transmit(&b, 200);
	assert_int_equal(b.device.calls, 1);
	port_tx_flush(&b.env, &b.port);
	receive(&b, BURST_PKTS);
	transmit(&b, PORT_EARLY_PKTS + 1);
	assert_int_equal(b.device.calls, 3);
	port_tx_flush(&b.env, &b.port);
	bench_end(&b);
}

// As many as a burst holds, and then nothing, is all that there is and no sign of more.
static void a_full_burst_alone_is_not_behind(void **state)
{
	struct bench b;

	bench_begin(&b, PORT_TX_CHEAP);
	for (int i = 0; i < 3; i++) {
		receive(&b, BURST_PKTS);
		transmit(&b, PORT_EARLY_PKTS + 1);
		assert_int_equal(b.device.calls, 2 * i + 1);
		port_tx_flush(&b.env, &b.port);
		receive(&b, 0);
	}
	bench_end(&b);
}

static void a_full_device_is_not_asked_for_each_packet(void **state)
{
	struct bench b;

	bench_begin(&b, PORT_TX_CHEAP);
	receive(&b, BURST_PKTS);
	b.device.room_pkts = 10;
	transmit(&b, 500);
	assert_true(b.device.calls <= 2); // took ten, took none
	assert_int_equal(b.device.taken, 10);
	assert_true(b.counters.value[COUNTER_queued_pkts] <= 500 - 10);
	b.device.room_pkts = UINT32_MAX;
	assert_int_equal(port_tx_flush(&b.env, &b.port), 500);
	bench_end(&b);
}

static void what_was_refused_early_keeps_its_order_across_the_rings_end(void **state)
{
	struct bench b;

	bench_begin(&b, PORT_TX_CHEAP);
	for (uint32_t round = 0; round < 40; round++) {
		receive(&b, 0);
		receive(&b, BURST_PKTS);
		b.device.room_pkts = 7;
		transmit(&b, 60); // 7 are taken, in the middle
		receive(&b, 0);
		receive(&b, BURST_PKTS); // with refused packets on the stage
		b.device.room_pkts = 20;
		transmit(&b, 1);
		assert_int_equal(b.device.taken, 61 * round + 27);
		b.device.room_pkts = UINT32_MAX;
		port_tx_flush(&b.env, &b.port);
		assert_int_equal(b.device.taken, b.number); // the device looks at the order
	}
	bench_end(&b);
}

static void what_a_full_stage_cannot_take_is_dropped_by_name(void **state)
{
	struct bench b;

	bench_begin(&b, PORT_TX_CHEAP);
	receive(&b, BURST_PKTS);
	b.device.room_pkts = 0;
	transmit(&b, PORT_STAGE_PKTS + 3);
	assert_int_equal(b.counters.drop[DROP_TX_RING_FULL], 3);
	assert_int_equal(b.port.stage_count, PORT_STAGE_PKTS);
	b.device.room_pkts = UINT32_MAX;
	assert_int_equal(port_tx_flush(&b.env, &b.port), PORT_STAGE_PKTS);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_whose_calls_are_cheap_sends_before_the_turn_ends),
		cmocka_unit_test(any_other_port_waits_for_the_end_of_the_turn),
		cmocka_unit_test(who_finds_full_bursts_or_small_ones_sends_once_a_turn),
		cmocka_unit_test(a_full_burst_alone_is_not_behind),
		cmocka_unit_test(a_full_device_is_not_asked_for_each_packet),
		cmocka_unit_test(what_was_refused_early_keeps_its_order_across_the_rings_end),
		cmocka_unit_test(what_a_full_stage_cannot_take_is_dropped_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
