// SPDX-License-Identifier: BSD-3-Clause
// Bursts leave a connection as they would if each segment were looked at in full.
#include "crew.h"
#include "tcp/options.h"

#define HTTP 80
#define PORT 5000
#define TS_FIRST 1000u
#define SENT_BYTES 1000 // by us, before the bursts
#define PIECES_MAX 28   // of a burst
#define BURSTS 4

// A segment of the peer's, numbers relative to both sides' first text.
struct piece {
	uint32_t seq, len, ack;
	uint16_t window;
	uint8_t flags; // besides ACK
	uint8_t tos;
	uint32_t ts_value;
	bool no_ts, is_damaged;
	bool has_blocks; // where the timestamps would be
	bool is_routed;  // it came by a gateway
	uint16_t port;   // 0: PORT
};

struct side {
	struct crew *crew;
	prism_conn conn, other; // from PORT, from PORT + 1
	uint32_t next;          // our first text, on the wire
};

static uint8_t byte_at(uint32_t seq)
{
	return (uint8_t)(seq * 7 + seq / 256);
}

static void put(const struct side *s, const struct piece *p, uint32_t syn)
{
	static const uint8_t mss[] = {2, 4, 0x05, 0xb4};
	struct addr src = addr_from_v4(PEER), dst = addr_from_v4(OURS);
	uint32_t options_len = p->no_ts ? 0 : TCP_TS_BYTES;
	struct frame f;

	static const uint8_t gone[] = {1, 131, 7, 8, 198, 18, 0, 9};
	uint32_t ip_bytes = p->is_routed ? 28 : 20;
	struct ipv4_header *ip = frame_ip4(&f, PEER, OURS, IP_TCP);

	ip->tos = p->tos;
	ip->version_ihl = (uint8_t)(4 << 4 | ip_bytes / 4);
	if (p->is_routed)
		frame_add(&f, gone, sizeof(gone));
	struct tcp_header *h = frame_add(&f, NULL, sizeof(*h));
	uint8_t *options = frame_add(&f, NULL, options_len);

	if (options_len)
		options_write_ts(options, p->ts_value, 0);
	if (options_len && p->has_blocks)
		options_write_sack(options, 0, UINT32_MAX / 4, UINT32_MAX / 4 + 9);
	if (options_len && p->has_blocks)
		options_begin_sack(options, 1);
	if (syn)
		frame_add(&f, mss, sizeof(mss));
	for (uint32_t i = 0; i < p->len; i++) {
		uint8_t byte = byte_at(p->seq + i);

		frame_add(&f, &byte, 1);
	}
	uint32_t bytes = f.len - 14 - ip_bytes;

	h->src_port = be16_of(p->port ? p->port : PORT);
	h->dst_port = be16_of(HTTP);
	h->seq = be32_of(PEER_ISN + 1 + p->seq);
	h->ack = be32_of(syn ? 0 : s->next + p->ack);
	h->data_offset = (uint8_t)((sizeof(*h) + options_len + (syn ? sizeof(mss) : 0)) / 4 << 4);
	h->flags = syn ? TCP_SYN | TCP_ECE | TCP_CWR : (uint8_t)(TCP_ACK | p->flags);
	h->window = be16_of(p->window);
	h->checksum = checksum_finish(checksum_pseudo(&src, &dst, IP_TCP, bytes) +
				      checksum_add(0, h, bytes));
	h->checksum.raw = (uint16_t)(h->checksum.raw + p->is_damaged);
	frame_finish(&f);
	crew_put(s->crew, 0, &f);
}

static prism_conn opened(struct side *s, uint16_t port, bool no_ts)
{
	struct piece p = {.seq = UINT32_MAX,
			  .window = 60000,
			  .ts_value = TS_FIRST,
			  .no_ts = no_ts,
			  .port = port};

	crew_clear(s->crew);
	put(s, &p, true);
	crew_turns(s->crew);
	s->next = be32_get(crew_read_tcp(s->crew, 0)->seq) + 1;
	p.seq = 0;
	put(s, &p, false);
	crew_turns(s->crew);
	return s->crew->seen[0].conn;
}

static struct side begin_with(const struct prism_options *o, bool no_ts)
{
	struct side s = {.crew = crew_create_with(o, 1, CREW_SPREAD)};
	static const char text[SENT_BYTES / 10];

	crew_meet(s.crew);
	crew_listen(s.crew, 0, HTTP);
	s.other = opened(&s, PORT + 1, no_ts);
	s.conn = opened(&s, PORT, no_ts);
	for (int i = 0; i < 10; i++)
		prism_tcp_send_copy(s.crew->worker[0], s.conn, text, sizeof(text));
	crew_turns(s.crew);
	crew_clear(s.crew);
	return s;
}

static struct side begin(bool no_ts)
{
	struct prism_options o;

	crew_options(&o);
	return begin_with(&o, no_ts);
}

static uint64_t in_runs(const struct side *s)
{
	return s->crew->counters[0].value[COUNTER_tcp_run_segs];
}

static struct conn *conn_at(const struct side *s)
{
	return conn_of(s->crew->worker[0]->tcp, s->conn.id);
}

// In a row, count pieces of 100 bytes.
static void usual(struct piece *p, uint32_t count, bool no_ts)
{
	for (uint32_t i = 0; i < count; i++)
		p[i] = (struct piece){.seq = 100 * i,
				      .len = 100,
				      .window = 60000,
				      .no_ts = no_ts,
				      .ts_value = TS_FIRST + i};
}

static void a_burst_is_looked_at_once_and_acknowledged_once(bool no_ts)
{
	struct side s = begin(no_ts);
	struct piece p[40];

	conn_at(&s)->quick_acks = 0;
	usual(p, 40, no_ts);
	for (int i = 0; i < 40; i++)
		put(&s, &p[i], false);
	crew_turns(s.crew);
	assert_int_equal(in_runs(&s), 39);
	assert_int_equal(s.crew->seen[0].len, 4000);
	for (uint32_t i = 0; i < 4000; i++)
		assert_int_equal(s.crew->seen[0].bytes[i], byte_at(i));
	assert_int_equal(crew_sent(s.crew), 1);
	assert_int_equal(be32_get(crew_read_tcp(s.crew, 0)->ack), PEER_ISN + 1 + 4000);
	assert_int_equal(crew_all_drops(s.crew), 0);
	crew_destroy(s.crew);
}

static void a_burst_with_timestamps_is_one_look_and_one_ack(void **state)
{
	a_burst_is_looked_at_once_and_acknowledged_once(false);
}

static void a_burst_without_timestamps_is_one_look_and_one_ack(void **state)
{
	a_burst_is_looked_at_once_and_acknowledged_once(true);
}

static void a_run_ends_at_the_windows_edge(void **state)
{
	struct prism_options o;
	struct piece p[40];

	crew_options(&o);
	o.receive_bytes_max = 32768;
	struct side s = begin_with(&o, false);
	uint32_t window = conn_at(&s)->rcv.wnd;

	assert_true(window <= 32768 && window > 30000);
	usual(p, 40, false);
	for (int i = 0; i < 40; i++) {
		p[i].seq = 1400 * (uint32_t)i;
		p[i].len = 1400;
		put(&s, &p[i], false);
	}
	crew_turns(s.crew);
	assert_int_equal(s.crew->seen[0].len, window);
	assert_true(in_runs(&s) > 15);
	crew_destroy(s.crew);
}

static void another_flow_between_ends_a_run(void **state)
{
	struct side s = begin(false);
	struct piece p[6], other[3];

	usual(p, 6, false);
	usual(other, 3, false);
	for (int i = 0; i < 3; i++) { // two of one, one of the other
		other[i].port = PORT + 1;
		other[i].ack = 0u - SENT_BYTES; // of its own numbers it is nothing, and dropped
		put(&s, &p[2 * i], false);
		put(&s, &p[2 * i + 1], false);
		put(&s, &other[i], false);
	}
	crew_turns(s.crew);
	assert_int_equal(in_runs(&s), 3);
	assert_int_equal(conn_at(&s)->rcv.nxt - conn_at(&s)->snd.wl1, 100);
	assert_true(s.crew->seen[0].len >= 600);
	crew_destroy(s.crew);
}

// One thing that makes a segment another than the one before.
static void change(struct rng *rng, struct piece *p)
{
	static const uint8_t flags[] = {TCP_PSH, TCP_URG, TCP_SYN, TCP_ECE,
					TCP_CWR, TCP_PSH, TCP_FIN, TCP_RST};

	switch (rng_below(rng, 13)) {
	case 0:
		p->window = (uint16_t)(20000 + rng_below(rng, 40000));
		break;
	case 1:
		p->window = (uint16_t)rng_below(rng, 200);
		break;
	case 2:
		p->ack = (uint32_t)rng_below(rng, SENT_BYTES + 200);
		break;
	case 3:
		p->seq += (uint32_t)rng_below(rng, 250);
		break;
	case 4:
		p->seq -= MIN((uint32_t)rng_below(rng, 250), p->seq);
		break;
	case 5:
		p->is_damaged = true;
		break;
	case 6:
		p->no_ts = !p->no_ts;
		break;
	case 7:
		p->ts_value = TS_FIRST - 100000;
		break;
	case 8:
		p->tos = 3; // met congestion
		break;
	case 9:
		p->has_blocks = true;
		p->no_ts = false;
		break;
	case 10:
		p->is_routed = true;
		break;
	case 11:
		p->len = 0;
		break;
	default: // those that end a connection seldom, or little would come behind them
		p->flags = flags[rng_below(rng, rng_below(rng, 20) ? 6 : 8)];
		break;
	}
}

// What is neither a pointer nor of a run.
static struct conn plain(const struct conn *c)
{
	struct conn copy = *c;

	copy.early = NULL;
	memset(&copy.timer, 0, sizeof(copy.timer));
	return copy;
}

static void expect_equal(const struct side *a, const struct side *b)
{
	const struct seen *sa = &a->crew->seen[0], *sb = &b->crew->seen[0];
	const struct conn *ca = conn_at(a), *cb = conn_at(b);

	assert_int_equal(sa->len, sb->len);
	assert_memory_equal(sa->bytes, sb->bytes, sa->len);
	assert_memory_equal(sa->count, sb->count, sizeof(sa->count));
	for (uint32_t i = 0; i < DROP_COUNT; i++)
		assert_int_equal(a->crew->counters[0].drop[i], b->crew->counters[0].drop[i]);
	for (uint32_t i = 0; i < COUNTER_COUNT; i++)
		if (i != COUNTER_tcp_run_segs)
			assert_int_equal(a->crew->counters[0].value[i],
					 b->crew->counters[0].value[i]);
	assert_int_equal(!ca, !cb);
	if (!ca)
		return;
	struct conn pa = plain(ca), pb = plain(cb);

	assert_memory_equal(&pa, &pb, sizeof(pa));
	assert_int_equal(ca->timer.deadline_ns, cb->timer.deadline_ns);
}

// A burst, with something of another flow that nobody takes behind each segment, or behind all.
static void put_burst(const struct side *s, const struct piece *p, uint32_t count, bool is_mixed)
{
	const struct piece other = {.port = PORT + 2, .is_damaged = true, .no_ts = true};

	for (uint32_t i = 0; i < count; i++) {
		put(s, &p[i], false);
		if (is_mixed)
			put(s, &other, false);
	}
	for (uint32_t i = 0; i < count && !is_mixed; i++)
		put(s, &other, false);
	crew_turns(s->crew);
}

// The same bursts, with runs and without.
static uint64_t compare(const struct prism_options *o, const struct piece *p, uint32_t count,
			bool no_ts)
{
	struct side together = begin_with(o, no_ts), apart = begin_with(o, no_ts);
	uint64_t runs;

	for (uint32_t done = 0; done < count; done += PIECES_MAX) {
		uint32_t part = MIN(count - done, (uint32_t)PIECES_MAX);

		put_burst(&together, p + done, part, false);
		put_burst(&apart, p + done, part, true);
		expect_equal(&together, &apart);
	}
	assert_int_equal(in_runs(&apart), 0);
	runs = in_runs(&together);
	crew_destroy(together.crew);
	crew_destroy(apart.crew);
	return runs;
}

static struct prism_options options(void)
{
	struct prism_options o;

	crew_options(&o);
	o.source_routes = 1;
	return o;
}

// Two bursts, with runs and without.
static void compare_two(const struct piece *first, const struct piece *second, bool no_ts)
{
	const struct prism_options o = options();
	struct side together = begin_with(&o, no_ts), apart = begin_with(&o, no_ts);

	put_burst(&together, first, 2, false);
	put_burst(&together, second, 2, false);
	put_burst(&apart, first, 2, true);
	put_burst(&apart, second, 2, true);
	expect_equal(&together, &apart);
	crew_destroy(together.crew);
	crew_destroy(apart.crew);
}

// An ACK that came past lost text closed it; what was lost comes, and cannot say more, being older.
static void a_window_opens_by_text_behind_older_text(void **state)
{
	struct piece closed[2], late[2];

	usual(closed, 2, false);
	usual(late, 2, false);
	for (int i = 0; i < 2; i++) {
		closed[i].seq = 100;
		closed[i].len = 0;
		closed[i].window = (uint16_t)(500 * i);
		late[i].window = 500;
	}
	compare_two(closed, late, false);
	closed[1].window = 0;
	compare_two(closed, late, false);
	closed[0].seq = closed[1].seq = 300; // further than both
	closed[1].window = 500;
	compare_two(closed, late, false);
}

static void timestamps_that_nobody_agreed_on_end_a_run(void **state)
{
	struct piece none[2] = {{.seq = 0, .window = 60000, .no_ts = true},
				{.seq = 0, .window = 60000, .no_ts = true}};
	struct piece odd[2];

	usual(odd, 2, false);
	odd[0].has_blocks = true;
	compare_two(none, odd, true);
}

static void each_change_alone_is_seen_in_a_run(void **state)
{
	struct prism_options o = options();
	struct piece p[8];
	struct rng rng;

	rng_seed(&rng, 1);
	for (uint32_t i = 0; i < 200; i++) {
		usual(p, 8, i % 2);
		change(&rng, &p[i % 4 + 4]);
		compare(&o, p, 8, i % 2);
	}
}

// Text in a row, ACKs alone between it, text that is lost and comes later, or again.
static void draw(struct rng *rng, struct piece *p, uint32_t count, bool no_ts)
{
	uint32_t at = 0, ack = 0, missing = 0;
	uint16_t window = 60000;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t what = rng_below(rng, 20);

		if (rng_below(rng, 8) == 0)
			ack = MIN(ack + (uint32_t)rng_below(rng, 300), (uint32_t)SENT_BYTES);
		if (rng_below(rng, 12) == 0)
			window = rng_below(rng, 3) ? 60000 : (uint16_t)rng_below(rng, 2000);
		p[i] = (struct piece){.seq = at,
				      .len = 100,
				      .ack = ack,
				      .window = window,
				      .no_ts = no_ts,
				      .ts_value = TS_FIRST + i};
		if (what == 0) { // lost
			missing = at;
			p[i].seq = at + 100;
			at += 200;
		} else if (what < 3) {
			p[i].len = 0;
		} else if (what == 3) {
			p[i].seq = missing;
		} else {
			at += 100;
		}
		for (uint64_t n = rng_below(rng, 30); n && n < 3; n--)
			change(rng, &p[i]);
	}
}

static uint64_t compare_many(const struct prism_options *o, struct rng *rng, uint32_t rounds)
{
	struct piece p[BURSTS * PIECES_MAX];
	uint64_t runs = 0;

	for (uint32_t i = 0; i < rounds; i++) {
		draw(rng, p, ARRAY_COUNT(p), i % 2);
		runs += compare(o, p, ARRAY_COUNT(p), i % 2);
	}
	return runs;
}

static void bursts_leave_the_same_with_runs_and_without(void **state)
{
	struct prism_options o = options();
	struct rng rng;

	rng_seed(&rng, test_seed());
	assert_true(compare_many(&o, &rng, 150) > 500);
}

// So few octets in each buffer, beside so small a window, that text is packed.
static void text_that_pins_too_much_ends_a_run(void **state)
{
	struct prism_options o = options();
	struct rng rng;

	rng_seed(&rng, test_seed());
	o.receive_bytes_max = 16384;
	assert_true(compare_many(&o, &rng, 50) > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_with_timestamps_is_one_look_and_one_ack),
		cmocka_unit_test(a_burst_without_timestamps_is_one_look_and_one_ack),
		cmocka_unit_test(a_run_ends_at_the_windows_edge),
		cmocka_unit_test(another_flow_between_ends_a_run),
		cmocka_unit_test(each_change_alone_is_seen_in_a_run),
		cmocka_unit_test(bursts_leave_the_same_with_runs_and_without),
		cmocka_unit_test(text_that_pins_too_much_ends_a_run),
		cmocka_unit_test(a_window_opens_by_text_behind_older_text),
		cmocka_unit_test(timestamps_that_nobody_agreed_on_end_a_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
