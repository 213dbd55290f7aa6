// SPDX-License-Identifier: BSD-3-Clause
// Segments that come in one burst leave a connection as they would have if each had come alone.
#include "crew.h"
#include "tcp/options.h"

#define HTTP 80
#define PORT 5000
#define TS_FIRST 1000u
#define SENT_BYTES 1000 // by us, before the bursts
#define PIECES_MAX 40

// A segment of the peer's, numbers relative to both sides' first text.
struct piece {
	uint32_t seq, len, ack;
	uint16_t window;
	uint8_t flags; // besides ACK
	uint8_t tos;
	uint32_t ts_value;
	bool no_ts, is_damaged;
	bool has_blocks; // where the timestamps would be
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

	frame_ip4(&f, PEER, OURS, IP_TCP)->tos = p->tos;
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
	uint32_t bytes = f.len - 34;

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
	switch (rng_below(rng, 15)) {
	case 0:
		p->flags = TCP_PSH;
		break;
	case 1:
		p->window = (uint16_t)(20000 + rng_below(rng, 40000));
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
		p->len = 0;
		break;
	case 7:
		p->no_ts = !p->no_ts;
		break;
	case 8:
		p->ts_value = TS_FIRST - 100000;
		break;
	case 9:
		p->tos = 3; // met congestion
		break;
	case 10:
		p->flags = TCP_URG;
		break;
	case 11:
		p->flags = rng_below(rng, 2) ? TCP_SYN : TCP_ECE;
		break;
	case 13:
		p->has_blocks = true;
		p->no_ts = false;
		break;
	case 12:
		p->flags = rng_below(rng, 8) ? 0 : TCP_FIN;
		break;
	default:
		p->flags = rng_below(rng, 8) ? 0 : TCP_RST;
		break;
	}
}

static void expect_equal(const struct side *a, const struct side *b)
{
	const struct seen *sa = &a->crew->seen[0], *sb = &b->crew->seen[0];
	const struct conn *ca = conn_at(a), *cb = conn_at(b);

	assert_int_equal(sa->len, sb->len);
	assert_memory_equal(sa->bytes, sb->bytes, sa->len);
	for (uint32_t i = 0; i <= PRISM_EVENT_MOVED; i++)
		assert_int_equal(sa->count[i], sb->count[i]);
	for (uint32_t i = 0; i < DROP_COUNT; i++)
		assert_int_equal(a->crew->counters[0].drop[i], b->crew->counters[0].drop[i]);
	assert_int_equal(!ca, !cb);
	if (!ca)
		return;
	assert_int_equal(ca->state, cb->state);
	assert_int_equal(ca->rcv.nxt, cb->rcv.nxt);
	assert_int_equal(ca->snd.una, cb->snd.una);
	assert_int_equal(ca->snd.wnd, cb->snd.wnd);
	assert_int_equal(ca->snd.wl1, cb->snd.wl1);
	assert_int_equal(ca->early_bytes, cb->early_bytes);
	assert_int_equal(ca->ecn_echo, cb->ecn_echo);
	assert_int_equal(ca->ecn_cwr, cb->ecn_cwr);
}

// The same pieces, at once and one by one.
static uint64_t compare(const struct piece *p, uint32_t count, bool no_ts)
{
	struct side together = begin(no_ts), apart = begin(no_ts);
	uint64_t runs;

	for (uint32_t i = 0; i < count; i++) {
		put(&together, &p[i], false);
		put(&apart, &p[i], false);
		crew_turns(apart.crew);
	}
	crew_turns(together.crew);
	expect_equal(&together, &apart);
	assert_int_equal(in_runs(&apart), 0);
	runs = in_runs(&together);
	crew_destroy(together.crew);
	crew_destroy(apart.crew);
	return runs;
}

static void each_change_alone_is_seen_in_a_run(void **state)
{
	struct piece p[8];
	struct rng rng;

	rng_seed(&rng, 1);
	for (uint32_t i = 0; i < 200; i++) {
		usual(p, 8, i % 2);
		change(&rng, &p[i % 4 + 4]);
		compare(p, 8, i % 2);
	}
}

static void bursts_leave_what_single_segments_leave(void **state)
{
	struct piece p[PIECES_MAX];
	uint64_t runs = 0;
	struct rng rng;

	rng_seed(&rng, test_seed());
	for (uint32_t round = 0; round < 150; round++) {
		bool no_ts = rng_below(&rng, 2);

		usual(p, PIECES_MAX, no_ts);
		for (uint32_t i = 0; i < PIECES_MAX; i++) {
			uint64_t changes = rng_below(&rng, 12);

			for (; changes && changes < 3; changes--)
				change(&rng, &p[i]);
		}
		runs += compare(p, PIECES_MAX, no_ts);
	}
	assert_true(runs > 150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_with_timestamps_is_one_look_and_one_ack),
		cmocka_unit_test(a_burst_without_timestamps_is_one_look_and_one_ack),
		cmocka_unit_test(a_run_ends_at_the_windows_edge),
		cmocka_unit_test(another_flow_between_ends_a_run),
		cmocka_unit_test(each_change_alone_is_seen_in_a_run),
		cmocka_unit_test(bursts_leave_what_single_segments_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
