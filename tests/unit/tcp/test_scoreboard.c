// SPDX-License-Identifier: BSD-3-Clause
// Marks on the send queue, beside an array with a byte for each of the stream.
#include "peer.h"
#include "tcp/scoreboard.h"
#include "tcp/sendq.h"

#include "seed.h"

#define STREAM_BYTES 40000u
#define MSS 1460u

enum mark { MARK_NONE, MARK_SACKED, MARK_LOST, MARK_RESENT };

struct board {
	struct peer *peer;
	struct conn *c;
	struct trouble *t;
	uint64_t start;
	uint8_t *region;
};

// A connection with all of the stream queued and sent, in one region, no ACK heard.
static void board_create(struct board *d, uint32_t descs)
{
	struct tcp_config config = peer_config();

	config.send_descs_max = descs;
	d->peer = peer_create_on(&config, PORT_TX_CHAINS);
	peer_open(d->peer);
	d->c = peer_conn(d->peer);
	conn_set(d->c, CONN_SACK);
	d->start = d->c->snd.una;
	d->region = calloc(1, STREAM_BYTES);
	assert_int_equal(
		tcp_send_region(d->peer->tcp, d->peer->conn, d->region, STREAM_BYTES, NULL), 0);
	peer_turn(d->peer);
	d->c->snd.wnd = d->c->cc.cwnd_bytes = STREAM_BYTES;
	conn_mark(d->peer->tcp, d->c);
	peer_turn(d->peer);
	assert_int_equal(conn_outstanding(d->c), STREAM_BYTES);
	d->t = trouble_get(d->peer->tcp, d->c);
	assert_non_null(d->t);
}

static void board_destroy(struct board *d)
{
	peer_destroy(d->peer);
	free(d->region);
}

static enum mark mark_at(const struct board *d, uint32_t at)
{
	const struct tcp *tcp = d->peer->tcp;
	uint32_t i = d->c->sendq.head;

	while (tcp->desc[i].offset + tcp->desc[i].len <= d->start + at)
		i = tcp->desc[i].next;
	if (tcp->desc[i].flags & DESC_SACKED)
		return MARK_SACKED;
	if (tcp->desc[i].flags & DESC_LOST)
		return MARK_LOST;
	return tcp->desc[i].flags & DESC_RESENT ? MARK_RESENT : MARK_NONE;
}

static void compare(const struct board *d, const uint8_t *model, uint32_t from)
{
	uint32_t lost_bytes = 0, sacked_bytes = 0;

	conn_check(d->peer->tcp, d->c);
	for (uint32_t i = from; i < STREAM_BYTES; i++) {
		lost_bytes += model[i] == MARK_LOST;
		sacked_bytes += model[i] == MARK_SACKED;
	}
	for (uint32_t i = from; i < STREAM_BYTES; i += 97)
		assert_int_equal(mark_at(d, i), model[i]);
	assert_int_equal(d->t->lost_bytes, lost_bytes);
	assert_int_equal(d->t->sacked_bytes, sacked_bytes);
}

static uint32_t model_sack(uint8_t *model, uint32_t start, uint32_t end)
{
	uint32_t newly = 0;

	for (uint32_t i = start; i < end; i++) {
		newly += model[i] != MARK_SACKED;
		model[i] = MARK_SACKED;
	}
	return newly;
}

// Of segments as they left.
static void random_block(struct rng *rng, uint32_t una, uint32_t *start, uint32_t *end)
{
	uint32_t segs = (STREAM_BYTES - una) / MSS;

	*start = una + MSS * (uint32_t)rng_below(rng, segs + 1);
	*start = MIN(*start, STREAM_BYTES - 1);
	*start -= (*start - una) % MSS;
	*end = MIN(*start + MSS * (1 + (uint32_t)rng_below(rng, 4)), STREAM_BYTES);
}

static void lose_oldest(struct board *d, uint8_t *model, uint32_t una)
{
	uint32_t end = MIN(una + MSS, STREAM_BYTES);

	scoreboard_lose_first(d->peer->tcp, d->c, d->t, MSS, true);
	for (uint32_t i = una; i < end; i++)
		if (model[i] != MARK_SACKED)
			model[i] = MARK_LOST;
}

static void lose_all(struct board *d, uint8_t *model, uint32_t una)
{
	scoreboard_lose_sent_by(d->peer->tcp, d->c, d->t, d->peer->env.now_ns);
	for (uint32_t i = una; i < STREAM_BYTES; i++)
		if (model[i] != MARK_SACKED)
			model[i] = MARK_LOST;
}

static void resend(struct board *d, uint8_t *model)
{
	struct range r = scoreboard_next(d->peer->tcp, d->c, d->t);

	assert_true(r.end - r.start <= d->c->mss_bytes);
	for (uint64_t i = r.start; i < r.end; i++) {
		assert_int_equal(model[i - d->start], MARK_LOST);
		model[i - d->start] = MARK_RESENT;
	}
	if (r.start < r.end)
		scoreboard_resent(d->peer->tcp, d->c, d->t, &r);
}

static void one_step(struct board *d, uint8_t *model, uint32_t *una, struct rng *rng)
{
	uint32_t start, end;

	switch (rng_below(rng, 6)) {
	case 0:
	case 1:
		random_block(rng, *una, &start, &end);
		assert_int_equal(scoreboard_sack(d->peer->tcp, d->c, d->t,
						 &(struct range){d->start + start, d->start + end}),
				 model_sack(model, start, end));
		break;
	case 2:
		lose_oldest(d, model, *una);
		break;
	case 3:
		if (rng_below(rng, 8) == 0)
			lose_all(d, model, *una);
		break;
	case 4:
		resend(d, model);
		break;
	default:
		if (*una + MSS < STREAM_BYTES && rng_below(rng, 3) == 0)
			*una += MSS;
		scoreboard_acked(d->peer->tcp, d->c, d->t, d->start + *una);
		sendq_ack(d->peer->tcp, d->c, d->start + *una);
		d->c->snd.una = d->start + *una;
	}
}

static void marks_are_those_of_an_array_of_bytes(void **state)
{
	uint64_t seed = test_seed();
	struct rng rng;

	(void)state;
	rng_seed(&rng, seed);
	for (int run = 0; run < 60; run++) {
		static uint8_t model[STREAM_BYTES];
		struct board d;
		uint32_t una = 0;

		memset(model, 0, sizeof(model));
		board_create(&d, 4096);
		for (int step = 0; step < 120; step++) {
			one_step(&d, model, &una, &rng);
			compare(&d, model, una);
		}
		board_destroy(&d);
	}
}

#define MANY 4000u

// A connection with many segments outstanding, as if they had left.
static void board_of_many(struct board *d)
{
	struct tcp_config config = peer_config();

	config.send_descs_max = 4 * MANY;
	config.send_bytes_max = MANY * MSS;
	d->peer = peer_create_on(&config, PORT_TX_CHAINS);
	peer_open(d->peer);
	d->c = peer_conn(d->peer);
	conn_set(d->c, CONN_SACK);
	d->start = d->c->snd.una;
	d->region = calloc(1, MANY * MSS);
	assert_int_equal(tcp_send_region(d->peer->tcp, d->peer->conn, d->region, MANY * MSS, NULL),
			 0);
	d->c->snd.nxt = d->c->snd.end;
	d->c->sendq.next = NO_INDEX;
	d->t = trouble_get(d->peer->tcp, d->c);
	assert_non_null(d->t);
}

static uint32_t sack_segs(struct board *d, uint32_t first, uint32_t end)
{
	struct range block = {d->start + first * MSS, d->start + end * MSS};

	return scoreboard_sack(d->peer->tcp, d->c, d->t, &block);
}

// Every second segment was lost; copies come in order, at two places in turn, and each ACK has the
// last three runs. However long the queue, each block is found, and none of them is walked through.
static void blocks_far_into_a_long_queue_are_marked_at_once(void **state)
{
	const uint32_t near = MANY / 3 | 1, far = MANY * 2 / 3 | 1;
	struct board d;

	(void)state;
	board_of_many(&d);
	for (uint32_t i = 1; i < MANY; i += 2)
		assert_int_equal(sack_segs(&d, i, i + 1), MSS);
	for (uint32_t i = 0; i < MANY / 1024; i++) { // the first way there takes several ACKs
		sack_segs(&d, near, near + 1);
		sack_segs(&d, far, far + 1);
	}
	for (uint32_t i = 2; i < MANY / 4; i += 2) {
		assert_int_equal(sack_segs(&d, near, near + i + 1), MSS);
		assert_int_equal(sack_segs(&d, far, far + i - 1), 0);
		assert_int_equal(sack_segs(&d, far, far + i + 1), MSS);
		assert_int_equal(sack_segs(&d, near, near + i - 1), 0);
	}
	assert_int_equal(d.t->sacked_bytes, (MANY / 2 + 2 * (MANY / 8 - 1)) * MSS);
	scoreboard_check(d.peer->tcp, d.c);
	// As one run, it is passed in a step.
	uint32_t first = d.t->hint[0], last = d.peer->tcp->desc[first].after;

	assert_int_equal(d.peer->tcp->desc[first].offset, d.start + near * MSS);
	assert_true(d.peer->tcp->desc[last].offset >= d.start + (near + MANY / 4 - 4) * MSS);
	board_destroy(&d);
}

// The pool is left to those who send; what is not marked is only sent once more than need be.
static void without_descriptors_marks_stay_whole(void **state)
{
	struct board d;
	struct range middle;

	(void)state;
	board_create(&d, 1);
	middle = (struct range){d.start + 5000, d.start + 7000};
	assert_int_equal(scoreboard_sack(d.peer->tcp, d.c, d.t, &middle), 0);
	assert_true(peer_count(d.peer, COUNTER_tcp_uncut) > 0);
	lose_all(&d, (uint8_t[STREAM_BYTES]){0}, 0);
	struct range r = scoreboard_next(d.peer->tcp, d.c, d.t);

	assert_int_equal(r.start, d.start);
	scoreboard_resent(d.peer->tcp, d.c, d.t, &r);
	conn_check(d.peer->tcp, d.c);
	assert_true(scoreboard_next(d.peer->tcp, d.c, d.t).start > d.start);
	board_destroy(&d);
}

// A packet that was cut is accounted for as long as a part of it is outstanding.
static void a_cut_packet_stays_in_the_accounts(void **state)
{
	struct peer *b = peer_create();
	struct tcp *tcp = b->tcp;
	struct conn *c;
	uint64_t una;

	(void)state;
	peer_open(b);
	b->hold = true;
	peer_seg(b, (struct in){.flags = ACK, .seq = 1, .ack = 1, .len = 1000});
	assert_int_equal(tcp_send_pkt(tcp, b->conn, b->held[0]), 0);
	b->held_count = 0;
	peer_turn(b);
	c = peer_conn(b);
	una = c->snd.una;
	assert_int_equal(b->env.kept_pkts, 1);
	assert_true(sendq_cut(tcp, c, c->sendq.head, una + 400));
	assert_true(sendq_cut(tcp, c, c->sendq.head, una + 200));
	sendq_check(tcp, c);
	sendq_ack(tcp, c, una + 250);
	assert_int_equal(b->env.kept_pkts, 1);
	c->snd.una = una + 400;
	sendq_ack(tcp, c, una + 400);
	assert_int_equal(b->env.kept_pkts, 1);
	c->snd.una = una + 1000;
	sendq_ack(tcp, c, una + 1000);
	assert_int_equal(b->env.kept_pkts, 0);
	assert_int_equal(tcp->cost, 0);
	c->retransmit_ns = TIME_NEVER_NS;
	peer_destroy(b);
}

// A peer who says that it has octet by octet does not have the queue cut to pieces.
static void blocks_that_creep_make_no_crumbs(void **state)
{
	struct board d;
	uint32_t before;

	(void)state;
	board_create(&d, 4096);
	before = d.peer->tcp->desc_count;
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t start = d.start + 20000 - i;

		scoreboard_sack(d.peer->tcp, d.c, d.t, &(struct range){start, start + MSS});
		scoreboard_sack(d.peer->tcp, d.c, d.t,
				&(struct range){d.c->snd.nxt - 1 - i, d.c->snd.nxt});
		conn_check(d.peer->tcp, d.c);
	}
	assert_in_range(d.peer->tcp->desc_count - before, 1, STREAM_BYTES / MSS + 8);
	board_destroy(&d);
}

// RFC 2018 8
static void what_was_reneged_is_missing_again(void **state)
{
	struct board d;

	(void)state;
	board_create(&d, 4096);
	scoreboard_sack(d.peer->tcp, d.c, d.t, &(struct range){d.start + 2000, d.start + 9000});
	for (uint32_t i = 0; i < 4; i++) // and so that runs are linked
		scoreboard_sack(d.peer->tcp, d.c, d.t,
				&(struct range){d.start + 10460 + i * MSS,
						d.start + 10460 + (i + 1) * MSS});
	scoreboard_sack(d.peer->tcp, d.c, d.t,
			&(struct range){d.start + 10460, d.start + 10460 + 4 * MSS});
	scoreboard_reneged(d.peer->tcp, d.c, d.t);
	assert_int_equal(d.t->sacked_bytes, 0);
	scoreboard_sack(d.peer->tcp, d.c, d.t,
			&(struct range){d.start + 10460, d.start + 10460 + MSS});
	assert_int_equal(
		scoreboard_sack(d.peer->tcp, d.c, d.t,
				&(struct range){d.start + 10460, d.start + 10460 + 3 * MSS}),
		2 * MSS);
	assert_int_equal(d.t->sacked_bytes, 3 * MSS);
	assert_int_equal(mark_at(&d, 10460 + 3 * MSS), MARK_NONE);
	assert_int_equal(mark_at(&d, 5000), MARK_NONE);
	conn_check(d.peer->tcp, d.c);
	board_destroy(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_those_of_an_array_of_bytes),
		cmocka_unit_test(blocks_far_into_a_long_queue_are_marked_at_once),
		cmocka_unit_test(without_descriptors_marks_stay_whole),
		cmocka_unit_test(a_cut_packet_stays_in_the_accounts),
		cmocka_unit_test(blocks_that_creep_make_no_crumbs),
		cmocka_unit_test(what_was_reneged_is_missing_again),
	};

	return run_peer_tests(tests);
}
