// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/time.h"
#include "pkt/pool.h"
#include "port/pair.h"
#include "wire/ecn.h"

#define FRAMES 4096

struct wire {
	struct pool *pool[2];
	struct pair *pair;
};

static struct wire wire_make(uint64_t *now_ns, const struct pair_faults *faults)
{
	struct pool_config pool = {.name = "test", .pkts = FRAMES, .room_bytes = 2048};
	struct wire w = {.pool = {pool_create(&pool), pool_create(&pool)}};
	struct pair_config config = {.name = "test",
				     .seed = 7,
				     .now_ns = now_ns,
				     .frames_max = FRAMES,
				     .rx_pool = {w.pool[0], w.pool[1]},
				     .faults = {*faults, *faults}};

	w.pair = pair_create(&config);
	assert_non_null(w.pair);
	return w;
}

static void wire_end(struct wire *w)
{
	for (int i = 0; i < 2; i++)
		assert_int_equal(pool_available(w->pool[i]), pool_capacity(w->pool[i]));
	pair_destroy(w->pair);
	pool_destroy(w->pool[0]);
	pool_destroy(w->pool[1]);
}

// Sends one frame of len bytes that begins with its number; IPv4 by its ethernet type.
static uint16_t send_numbered(struct wire *w, uint32_t number, uint16_t len)
{
	struct port *port = pair_port(w->pair, 0);
	struct pkt *p = pkt_alloc(w->pool[0]);
	uint8_t *bytes = pkt_append(p, len);

	memset(bytes, 0x5a, len);
	memcpy(bytes, &number, sizeof(number));
	bytes[12] = 0x08;
	bytes[13] = 0x00;
	uint16_t n = port->ops->tx(port, &p, 1);

	if (n == 0)
		pkt_free(p);
	return n;
}

// The number of the next frame at end 1, or -1.
static int64_t receive_numbered(struct wire *w)
{
	struct port *port = pair_port(w->pair, 1);
	struct pkt *p;
	uint32_t number;

	if (port->ops->rx(port, &p, 1) == 0)
		return -1;
	memcpy(&number, pkt_data(p), sizeof(number));
	pkt_free(p);
	return number;
}

static void assert_conserved(const struct wire *w)
{
	const struct pair_stats *s = pair_stats(w->pair, 0);

	assert_int_equal(s->sent + s->duplicated, s->delivered + s->lost_random + s->lost_burst +
							  s->lost_down + s->lost_queue +
							  s->lost_too_long + s->lost_corrupt +
							  pair_in_flight(w->pair, 0));
}

static void perfect_wire_delivers_in_order_into_the_receivers_pool(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){0});
	struct port *port = pair_port(w.pair, 1);
	struct pkt *p;

	for (uint32_t i = 0; i < 100; i++)
		send_numbered(&w, i, 100);
	assert_int_equal(pool_available(w.pool[0]), FRAMES);
	assert_int_equal(port->ops->rx(port, &p, 1), 1);
	assert_int_equal(pool_available(w.pool[1]), FRAMES - 1);
	pkt_free(p);
	for (uint32_t i = 1; i < 100; i++)
		assert_int_equal(receive_numbered(&w), i);
	assert_int_equal(receive_numbered(&w), -1);
	assert_conserved(&w);
	wire_end(&w);
}

static void short_frame_is_padded_as_ethernet_does(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){0});
	struct port *port = pair_port(w.pair, 1);
	struct pkt *p;

	send_numbered(&w, 1, 20);
	assert_int_equal(port->ops->rx(port, &p, 1), 1);
	assert_int_equal(pkt_len(p), 60);
	pkt_free(p);
	wire_end(&w);
}

static void frame_arrives_after_serialization_and_delay(void **state)
{
	uint64_t now_ns = 1000;
	// 1 Gbit/s: (976 + 24) bytes take 8 us.
	struct wire w = wire_make(
		&now_ns, &(struct pair_faults){.rate_bits_s = 1000000000, .delay_ns = 5000});

	send_numbered(&w, 1, 976);
	send_numbered(&w, 2, 976);
	assert_int_equal(pair_next_ns(w.pair), 1000 + 8000 + 5000);
	now_ns = 13999;
	assert_int_equal(receive_numbered(&w), -1);
	now_ns = 14000;
	assert_int_equal(receive_numbered(&w), 1);
	assert_int_equal(receive_numbered(&w), -1);
	assert_int_equal(pair_next_ns(w.pair), 1000 + 16000 + 5000);
	now_ns = 22000;
	assert_int_equal(receive_numbered(&w), 2);
	assert_int_equal(pair_next_ns(w.pair), TIME_NEVER_NS);
	wire_end(&w);
}

static void full_line_queue_loses_and_counts(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(
		&now_ns, &(struct pair_faults){.rate_bits_s = 1000000000, .queue_bytes = 4000});

	for (uint32_t i = 0; i < 10; i++)
		send_numbered(&w, i, 976);
	// While at most 4000 bytes wait, one more may enter.
	assert_int_equal(pair_stats(w.pair, 0)->lost_queue, 5);
	assert_conserved(&w);
	now_ns = NS_PER_S;
	for (int i = 0; i < 5; i++)
		assert_int_equal(receive_numbered(&w), i);
	wire_end(&w);
}

// Sends a frame of IPv4 with this ECN field.
static void send_ip(struct wire *w, enum ecn ecn)
{
	struct port *port = pair_port(w->pair, 0);
	struct pkt *p = pkt_alloc(w->pool[0]);
	uint8_t *at = pkt_append(p, 976);

	memset(at, 0, 976);
	at[12] = 0x08;
	at[14] = 0x45;
	at[15] = (uint8_t)ecn;
	assert_int_equal(port->ops->tx(port, &p, 1), 1);
}

// The field of the next frame at end 1.
static enum ecn receive_ecn(struct wire *w)
{
	struct port *port = pair_port(w->pair, 1);
	enum ecn ecn;
	struct pkt *p;

	assert_int_equal(port->ops->rx(port, &p, 1), 1);
	ecn = ecn_of_frame(pkt_data(p), pkt_len(p));
	pkt_free(p);
	return ecn;
}

static void long_queue_marks_who_takes_marks(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(
		&now_ns, &(struct pair_faults){.rate_bits_s = 1000000000, .mark_bytes = 4000});

	for (uint32_t i = 0; i < 10; i++)
		send_ip(&w, i == 7 ? ECN_NOT_ECT : ECN_ECT0);
	now_ns = NS_PER_S;
	for (int i = 0; i < 10; i++)
		assert_int_equal(receive_ecn(&w), i == 7 ? ECN_NOT_ECT : i > 4 ? ECN_CE : ECN_ECT0);
	assert_int_equal(pair_stats(w.pair, 0)->marked, 4);
	wire_end(&w);
}

static void mangled_fields_are_anything(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){.mangle_ppm = 500000});
	uint32_t seen[4] = {0};

	for (uint32_t i = 0; i < 4000; i++) {
		send_ip(&w, ECN_ECT0);
		seen[receive_ecn(&w)]++;
	}
	assert_in_range(pair_stats(w.pair, 0)->mangled, 1900, 2100);
	for (int i = 0; i < 4; i++)
		assert_true(seen[i] > 400);
	wire_end(&w);
}

static void faults_happen_at_about_their_rates(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){.delay_ns = 1000,
								 .jitter_ns = 3000,
								 .reorder_ns = 100000,
								 .loss_ppm = 100000,
								 .duplicate_ppm = 50000,
								 .reorder_ppm = 20000,
								 .corrupt_ppm = 30000});
	uint64_t received = 0, backwards = 0;
	int64_t last = -1;

	for (uint32_t i = 0; i < 20000; i++) {
		send_numbered(&w, i, 1000);
		now_ns += 1000;
		for (int64_t n; (n = receive_numbered(&w)) >= 0; last = n) {
			received++;
			backwards += n < last;
		}
		assert_conserved(&w);
	}
	const struct pair_stats *s = pair_stats(w.pair, 0);

	assert_in_range(s->lost_random, 1800, 2200);
	assert_in_range(s->duplicated, 750, 1050);
	assert_in_range(s->reordered, 300, 450);
	assert_in_range(s->corrupted, 450, 680);
	assert_in_range(backwards, 250, 1200);
	assert_int_equal(received, s->delivered);
	wire_end(&w);
}

static void bad_times_take_frames_in_bursts(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){.burst_ppm = 10000,
								 .burst_end_ppm = 100000,
								 .burst_loss_ppm = 1000000});
	uint64_t lost_runs = 0, lost = 0;
	int64_t last = -1;

	for (uint32_t i = 0; i < 20000; i++) {
		send_numbered(&w, i, 100);
		for (int64_t n; (n = receive_numbered(&w)) >= 0; last = n) {
			lost_runs += n != last + 1;
			lost += (uint64_t)(n - last - 1);
		}
	}
	assert_conserved(&w);
	// One frame of a hundred begins a bad time of ten: one of eleven is lost, ten in a row.
	assert_in_range(pair_stats(w.pair, 0)->lost_burst, 1400, 2300);
	assert_in_range(lost / lost_runs, 8, 12);
	wire_end(&w);
}

static void wire_that_is_down_loses_all_until_it_is_up(void **state)
{
	uint64_t now_ns = 0;
	struct pair_faults faults = {.down = true};
	struct wire w = wire_make(&now_ns, &faults);

	send_numbered(&w, 1, 100);
	assert_int_equal(receive_numbered(&w), -1);
	assert_int_equal(pair_stats(w.pair, 0)->lost_down, 1);
	pair_set_faults(w.pair, 0, &(struct pair_faults){0});
	send_numbered(&w, 2, 100);
	assert_int_equal(receive_numbered(&w), 2);
	assert_conserved(&w);
	wire_end(&w);
}

static const char *seen_fate;

static void see_fate(void *context, const struct pair_sight *sight)
{
	seen_fate = sight->fate;
}

static void lowered_mtu_loses_longer_frames_and_shows_them(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){.mtu_bytes = 1000});

	pair_set_tap(w.pair, see_fate, NULL);
	send_numbered(&w, 1, 1014); // ethernet's header and 1,000 bytes
	assert_string_equal(seen_fate, "");
	assert_int_equal(receive_numbered(&w), 1);
	send_numbered(&w, 2, 1015);
	assert_string_equal(seen_fate, "too long");
	assert_int_equal(receive_numbered(&w), -1);
	assert_int_equal(pair_stats(w.pair, 0)->lost_too_long, 1);
	assert_conserved(&w);
	wire_end(&w);
}

static void injected_frame_arrives_at_the_end_it_is_for(void **state)
{
	uint64_t now_ns = 0;
	uint8_t frame[60] = {7};
	struct wire w = wire_make(&now_ns, &(struct pair_faults){0});

	pair_inject(w.pair, 1, frame, sizeof(frame));
	assert_int_equal(receive_numbered(&w), 7);
	assert_conserved(&w);
	wire_end(&w);
}

static uint64_t fingerprint(uint64_t seed)
{
	uint64_t now_ns = 0, print = 0;
	struct pair_faults faults = {.jitter_ns = 9000,
				     .loss_ppm = 200000,
				     .corrupt_ppm = 100000,
				     .reorder_ppm = 100000,
				     .reorder_ns = 50000};
	struct pool_config pool_config = {.name = "test", .pkts = FRAMES, .room_bytes = 2048};
	struct pool *pool = pool_create(&pool_config);
	struct pair_config config = {.name = "x",
				     .seed = seed,
				     .now_ns = &now_ns,
				     .rx_pool = {pool, pool},
				     .faults = {faults, faults}};
	struct wire w = {.pool = {pool, pool}, .pair = pair_create(&config)};

	for (uint32_t i = 0; i < 500; i++, now_ns += 1000) {
		send_numbered(&w, i, 100);
		print = print * 0x100000001b3u + (uint64_t)receive_numbered(&w);
	}
	pair_destroy(w.pair);
	pool_destroy(pool);
	return print;
}

static void same_seed_gives_the_same_wire_and_another_seed_another(void **state)
{
	assert_int_equal(fingerprint(3), fingerprint(3));
	assert_int_not_equal(fingerprint(3), fingerprint(4));
}

static void corruption_stays_within_one_byte(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){.corrupt_ppm = 1000000});
	struct port *port = pair_port(w.pair, 1);

	for (uint32_t i = 0; i < 1000; i++) {
		uint8_t sent[200];
		struct pkt *p;
		int differ = 0;

		memset(sent, 0x5a, sizeof(sent));
		memset(sent, 0, 4);
		sent[12] = 0x08;
		sent[13] = 0x00;
		send_numbered(&w, 0, sizeof(sent));
		assert_int_equal(port->ops->rx(port, &p, 1), 1);
		for (size_t k = 0; k < sizeof(sent); k++)
			differ += pkt_data(p)[k] != sent[k];
		assert_int_equal(differ, 1);
		pkt_free(p);
	}
	wire_end(&w);
}

static void refusing_wire_leaves_packets_with_the_sender(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){.refuse_ppm = 500000});
	uint32_t taken = 0;

	for (uint32_t i = 0; i < 1000; i++)
		taken += send_numbered(&w, i, 100);
	assert_in_range(taken, 400, 600);
	assert_int_equal(pair_stats(w.pair, 0)->sent, taken);
	wire_end(&w);
}

static void empty_receive_pool_holds_frames_back(void **state)
{
	uint64_t now_ns = 0;
	struct wire w = wire_make(&now_ns, &(struct pair_faults){0});
	struct pkt *all[FRAMES];

	assert_int_equal(pool_get(w.pool[1], all, FRAMES), 0);
	send_numbered(&w, 9, 100);
	assert_int_equal(receive_numbered(&w), -1);
	pool_put(all, FRAMES);
	assert_int_equal(receive_numbered(&w), 9);
	wire_end(&w);
}

static void frame_larger_than_the_receivers_buffers_arrives_as_a_chain(void **state)
{
	struct pool_config small = {
		.name = "small", .pkts = 16, .room_bytes = PKT_HEADROOM_BYTES + 512};
	struct pool_config large = {.name = "large", .pkts = 16, .room_bytes = 2048};
	struct wire w = {.pool = {pool_create(&large), pool_create(&small)}};
	struct pair_config config = {.name = "x", .rx_pool = {w.pool[0], w.pool[1]}};
	struct pkt *p;

	w.pair = pair_create(&config);
	send_numbered(&w, 5, 1300);
	struct port *port = pair_port(w.pair, 1);

	assert_int_equal(port->ops->rx(port, &p, 1), 1);
	assert_int_equal(pkt_len(p), 1300);
	assert_int_equal(pkt_seg_count(p), 3);
	pkt_free(p);
	wire_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(perfect_wire_delivers_in_order_into_the_receivers_pool),
		cmocka_unit_test(short_frame_is_padded_as_ethernet_does),
		cmocka_unit_test(frame_arrives_after_serialization_and_delay),
		cmocka_unit_test(full_line_queue_loses_and_counts),
		cmocka_unit_test(long_queue_marks_who_takes_marks),
		cmocka_unit_test(mangled_fields_are_anything),
		cmocka_unit_test(faults_happen_at_about_their_rates),
		cmocka_unit_test(bad_times_take_frames_in_bursts),
		cmocka_unit_test(wire_that_is_down_loses_all_until_it_is_up),
		cmocka_unit_test(lowered_mtu_loses_longer_frames_and_shows_them),
		cmocka_unit_test(injected_frame_arrives_at_the_end_it_is_for),
		cmocka_unit_test(same_seed_gives_the_same_wire_and_another_seed_another),
		cmocka_unit_test(corruption_stays_within_one_byte),
		cmocka_unit_test(refusing_wire_leaves_packets_with_the_sender),
		cmocka_unit_test(empty_receive_pool_holds_frames_back),
		cmocka_unit_test(frame_larger_than_the_receivers_buffers_arrives_as_a_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
