// SPDX-License-Identifier: BSD-3-Clause
// Reassembly: a model first (random cuts, orders, duplicates and overlaps beside a plain byte
// array), then each bound and each refusal by itself.
#include "bed.h"
#include "wire/ecn.h"

struct fragment {
	uint32_t start, len;
	bool more;
	uint8_t tos;
};

// One fragment of the datagram whose transport bytes are all, as a frame.
static void fragment_in(struct bed *b, be32 src, uint16_t id, const uint8_t *all,
			struct fragment part)
{
	struct frame f;
	struct ipv4_header *h = frame_ip4(&f, src, OURS, IP_TCP);

	h->tos = part.tos;
	h->id = be16_of(id);
	h->fragment = be16_of((uint16_t)(part.start / 8 | (part.more ? IPV4_MF : 0)));
	frame_add(&f, all + part.start, part.len);
	frame_finish(&f);
	if (f.len < 60)
		frame_add(&f, "paddingpaddingpaddingpadding", 60 - f.len);
	bed_in(b, 0, f.byte, f.len);
}

// A TCP header and numbered bytes behind it.
static void fill(struct rng *r, uint8_t *all, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		all[i] = (uint8_t)rng_next(r);
	all[12] = (uint8_t)((5 + rng_below(r, 3)) << 4);
}

// Cuts len bytes at random multiples of eight; the first piece holds the TCP header.
static uint32_t cut(struct rng *r, struct fragment *part, uint32_t len)
{
	uint32_t count = 0, start = 0;

	while (start < len) {
		uint32_t step = 8 * (uint32_t)(1 + rng_below(r, 100));

		if (start == 0)
			step = MAX(step, 32u);
		if (count == 20 || start + step >= len)
			step = len - start;
		part[count++] = (struct fragment){start, MIN(step, 1480u), true};
		start += part[count - 1].len;
		if (part[count - 1].len % 8) // only the last may
			break;
	}
	part[count - 1].more = false;
	return count;
}

static void any_order_with_duplicates_gives_the_datagram_once(void **state)
{
	struct bed *b = bed_create();
	static uint8_t all[40000];
	struct rng r;

	rng_seed(&r, test_seed());
	for (uint32_t round = 0; round < 2000; round++) {
		uint32_t len = 64 + (uint32_t)rng_below(&r, 8000);
		struct fragment part[64];
		uint32_t before = b->tcp_count;

		fill(&r, all, len);
		uint32_t count = cut(&r, part, len);
		if (count < 2)
			continue;
		len = part[count - 1].start + part[count - 1].len;
		for (uint32_t i = count - 1; i > 0; i--) { // Fisher and Yates
			uint32_t k = (uint32_t)rng_below(&r, i + 1);
			struct fragment swap = part[i];

			part[i] = part[k];
			part[k] = swap;
		}
		for (uint32_t i = 0; i < count; i++) {
			assert_int_equal(b->tcp_count, before);
			fragment_in(b, PEER, (uint16_t)round, all, part[i]);
			if (rng_below(&r, 4) == 0 && i + 1 < count)
				fragment_in(b, PEER, (uint16_t)round, all,
					    part[rng_below(&r, i + 1)]);
		}
		assert_int_equal(b->tcp_count, before + 1);
		assert_int_equal(b->tcp_last.l4_len, len);
		assert_int_equal(b->tcp_last.l4_offset, 34);
		assert_memory_equal(b->tcp_bytes, all, len);
		assert_int_equal(b->counters.value[COUNTER_queued_pkts], 0);
		assert_int_equal(b->net->reassembly.pinned_bytes, 0);
	}
	for (int i = COUNTER_copied_bytes_pack; i <= COUNTER_copied_bytes_error; i++)
		assert_int_equal(b->counters.value[i], 0);
	assert_true(bed_drops(b, DROP_FRAGMENT_DUPLICATE) > 0);
	assert_int_equal(b->env.kept_pkts, 0);
	bed_destroy(b);
}

// The oracle: a byte map of what came for one datagram.
struct oracle {
	uint8_t covered[4096];
	uint32_t have, total;
	struct fragment seen[16];
	uint32_t seen_count;
	bool bad; // two fragments overlapped, or contradicted each other
};

// True when the datagram is complete with this fragment.
static bool oracle_add(struct oracle *o, struct fragment p)
{
	uint32_t end = p.start + p.len;

	for (uint32_t k = 0; k < o->seen_count; k++)
		if (o->seen[k].start == p.start && o->seen[k].len == p.len)
			return false;
	for (uint32_t k = p.start; k < end; k++)
		o->bad |= o->covered[k];
	for (uint32_t k = end; k < sizeof(o->covered) && !p.more; k++)
		o->bad |= o->covered[k];
	o->bad |= o->total && (end > o->total || (!p.more && end != o->total));
	memset(o->covered + p.start, 1, p.len);
	o->have += p.len;
	o->total = p.more ? o->total : end;
	o->seen[o->seen_count++] = p;
	return !o->bad && o->total && o->have == o->total;
}

static struct fragment random_fragment(struct rng *r)
{
	struct fragment p = {32 * (uint32_t)rng_below(r, 4), 32, true};

	if (rng_below(r, 8) == 0) // now and then one that does not fit
		p.len = 8 * (uint32_t)(1 + rng_below(r, 8));
	if (rng_below(r, 8) == 0)
		p.start += 8;
	p.more = p.start != 96 && rng_below(r, 16) != 0;
	if (p.start == 0) // with the transport header, and not a whole datagram
		p = (struct fragment){0, 32, true};
	return p;
}

// Whatever arrives: nothing is delivered once two fragments overlapped or contradicted each other,
// and what is delivered is what was sent.
static void overlaps_never_deliver(void **state)
{
	struct bed *b = bed_create();
	static uint8_t all[4096];
	uint32_t delivered = 0, condemned = 0;
	struct rng r;

	rng_seed(&r, test_seed());
	for (uint32_t round = 0; round < 4000; round++) {
		uint32_t before = b->tcp_count;
		struct oracle o = {0};
		bool done = false;

		fill(&r, all, sizeof(all));
		for (int i = 0; i < 12 && !done; i++) {
			struct fragment p = random_fragment(&r);

			done = oracle_add(&o, p);
			fragment_in(b, PEER, (uint16_t)round, all, p);
			assert_int_equal(b->tcp_count, before + done);
		}
		if (done)
			assert_memory_equal(b->tcp_bytes, all, o.total);
		delivered += done;
		condemned += o.bad;
		bed_time(b, 31 * NS_PER_S); // the next round begins with an empty table
		bed_clear(b);
	}
	assert_true(delivered > 50 && condemned > 50);
	assert_true(bed_drops(b, DROP_FRAGMENT_OVERLAP) > 0);
	bed_destroy(b);
}

static void a_condemned_datagram_stays_condemned(void **state)
{
	struct bed *b = bed_create();
	uint8_t all[128] = {[12] = 5 << 4};

	fragment_in(b, PEER, 1, all, (struct fragment){0, 64, true});
	fragment_in(b, PEER, 1, all, (struct fragment){56, 16, true}); // reaches into the first
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_OVERLAP), 2);
	fragment_in(b, PEER, 1, all, (struct fragment){0, 64, true});
	fragment_in(b, PEER, 1, all, (struct fragment){64, 64, false});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_OVERLAP), 4);
	assert_int_equal(b->tcp_count, 0);
	bed_destroy(b);
}

// Both by the arrival and by the header, which is read anew where it goes to another worker.
static void assert_ecn(const struct bed *b, enum ecn ecn)
{
	const struct ipv4_header *h = (const void *)(b->tcp_frame + b->tcp_last.l3_offset);

	assert_int_equal(ecn_of(b->tcp_last.tos), ecn);
	assert_int_equal(h->tos, b->tcp_last.tos);
	assert_true(checksum_is_good(checksum_add(0, h, sizeof(*h))));
}

// RFC 3168 R1
static void a_mark_on_any_piece_is_one_on_the_datagram(void **state)
{
	uint8_t all[192] = {[12] = 5 << 4};

	for (uint32_t marked = 0; marked < 4; marked++) {
		struct bed *b = bed_create();

		for (uint32_t i = 0; i < 3; i++)
			fragment_in(b, PEER, 1, all,
				    (struct fragment){i * 64, 64, i < 2,
						      0xb8 | (i == marked ? ECN_CE : ECN_ECT0)});
		assert_int_equal(b->tcp_count, 1);
		assert_ecn(b, marked < 3 ? ECN_CE : ECN_ECT0);
		assert_int_equal(b->tcp_last.tos >> 2, 0xb8 >> 2);
		bed_destroy(b);
	}
}

// RFC 3168 R2
static void a_mark_beside_a_piece_that_takes_none_condemns_the_datagram(void **state)
{
	struct bed *b = bed_create();
	uint8_t all[192] = {[12] = 5 << 4};

	fragment_in(b, PEER, 1, all, (struct fragment){0, 64, true, ECN_CE});
	fragment_in(b, PEER, 1, all, (struct fragment){64, 64, true, ECN_NOT_ECT});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_ECN), 2);
	fragment_in(b, PEER, 1, all, (struct fragment){128, 64, false, ECN_CE});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_ECN), 3);
	assert_int_equal(b->tcp_count, 0);
	bed_destroy(b);
}

static void impossible_fragments_are_refused(void **state)
{
	struct bed *b = bed_create();
	static uint8_t all[70000] = {[12] = 5 << 4};

	fragment_in(b, PEER, 1, all, (struct fragment){0, 33, true}); // not a multiple of eight
	fragment_in(b, PEER, 1, all, (struct fragment){64, 0, true}); // nothing
	fragment_in(b, PEER, 1, all,
		    (struct fragment){65512, 8, false}); // beyond 65,535 with the header
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_MALFORMED), 3);
	fragment_in(b, PEER, 1, all, (struct fragment){0, 16, true}); // RFC 3128: half a TCP header
	all[12] = 15 << 4;
	fragment_in(b, PEER, 1, all, (struct fragment){0, 56, true}); // its options are cut off
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_TINY), 2);
	assert_int_equal(b->counters.value[COUNTER_queued_pkts], 0);
	bed_destroy(b);
}

static void time_runs_out_and_the_sender_is_told_when_the_first_is_here(void **state)
{
	struct bed *b = bed_create();
	uint8_t all[128] = {[12] = 5 << 4};

	fragment_in(b, PEER, 1, all, (struct fragment){0, 64, true});
	fragment_in(b, PEER, 2, all, (struct fragment){64, 64, false});
	bed_meet(b, PEER, PEER_MAC);
	bed_time(b, 29 * NS_PER_S);
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_TIMEOUT), 0);
	bed_time(b, 2 * NS_PER_S);
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_TIMEOUT), 2);
	assert_int_equal(b->port[0].tx_count, 1);
	const struct icmp_header *icmp = (const void *)(bed_last_ip4(b) + 1);
	assert_int_equal(icmp->type, ICMP_TIME_EXCEEDED);
	assert_int_equal(icmp->code, ICMP_EXCEEDED_REASSEMBLY);
	assert_int_equal(((const struct ipv4_header *)(icmp + 1))->id.raw, be16_of(1).raw);
	bed_destroy(b);
}

static void a_source_has_a_share_and_the_oldest_gives_way(void **state)
{
	struct bed *b =
		bed_create_with(PORT_TX_CHAINS, &(struct net_config){.fragment_contexts = 8});
	uint8_t all[128] = {[12] = 5 << 4};
	be32 other = IP(198, 18, 0, 40);

	fragment_in(b, other, 7, all, (struct fragment){0, 64, true});
	for (uint16_t id = 0; id < 50; id++) {
		b->env.now_ns += NS_PER_MS;
		fragment_in(b, PEER, id, all, (struct fragment){0, 64, true});
	}
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_EVICTED), 48); // a quarter of eight stays
	fragment_in(b, PEER, 49, all, (struct fragment){64, 64, false});
	assert_int_equal(b->tcp_count, 1);
	fragment_in(b, other, 7, all, (struct fragment){64, 64, false}); // untouched by the flood
	assert_int_equal(b->tcp_count, 2);
	for (uint8_t i = 0; i < 20; i++) // many sources: the oldest of all
		fragment_in(b, IP(198, 18, 0, 100 + i), 9, all, (struct fragment){0, 64, true});
	fragment_in(b, IP(198, 18, 0, 119), 9, all, (struct fragment){64, 64, false});
	assert_int_equal(b->tcp_count, 3);
	bed_destroy(b);
}

static void pinned_bytes_are_bounded(void **state)
{
	struct bed *b = bed_create_with(PORT_TX_CHAINS,
					&(struct net_config){.fragment_bytes_max = 10 * 2176});
	static uint8_t all[4096] = {[12] = 5 << 4};

	for (uint16_t id = 0; id < 9; id++)
		fragment_in(b, IP(198, 18, 0, 100 + id), id, all, (struct fragment){0, 64, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_EVICTED), 0);
	fragment_in(b, PEER, 1, all, (struct fragment){0, 64, true});
	fragment_in(b, PEER, 1, all, (struct fragment){64, 64, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_EVICTED), 1);
	for (uint32_t i = 2; i < 12; i++)
		fragment_in(b, PEER, 1, all, (struct fragment){64 * i, 64, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_EVICTED), 9);
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_TOO_MANY), 12); // the ten it had, and two
	assert_int_equal(b->net->reassembly.pinned_bytes, 0);
	bed_destroy(b);
}

// Half a datagram is a received buffer held like any other, and the first to give way.
static void fragments_count_as_held_and_give_way_when_buffers_are_short(void **state)
{
	struct bed *b = bed_create();
	uint8_t all[128] = {[12] = 5 << 4};

	b->env.kept_pkts_max = 40;
	for (uint8_t i = 0; i < 20; i++)
		fragment_in(b, IP(198, 18, 0, 100 + i), i, all, (struct fragment){0, 64, true});
	assert_int_equal(b->env.kept_pkts, 20);
	fragment_in(b, IP(198, 18, 0, 100), 0, all, (struct fragment){64, 64, false});
	assert_int_equal(b->tcp_count, 1);
	assert_int_equal(b->env.kept_pkts, 19);
	b->env.kept_pkts += 100; // the application's
	fragment_in(b, PEER, 1, all, (struct fragment){0, 64, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_EVICTED), 19);
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_SHORT), 1);
	assert_int_equal(b->env.kept_pkts, 100);
	b->env.kept_pkts -= 100;
	fragment_in(b, PEER, 2, all, (struct fragment){0, 64, true});
	fragment_in(b, PEER, 2, all, (struct fragment){64, 64, false});
	assert_int_equal(b->tcp_count, 2);
	assert_int_equal(b->env.kept_pkts, 0);
	bed_destroy(b);
}

static void fragments_of_one_datagram_are_bounded(void **state)
{
	struct bed *b = bed_create();
	static uint8_t all[4096] = {[12] = 5 << 4};

	for (uint32_t i = 0; i < 129; i++)
		fragment_in(b, PEER, 1, all, (struct fragment){32 + 8 * i, 8, true});
	assert_int_equal(bed_drops(b, DROP_FRAGMENT_TOO_MANY), 129);
	bed_destroy(b);
}

static void a_large_ping_comes_back_whole(void **state)
{
	struct bed *b = bed_create();
	static uint8_t data[5000];
	struct icmp_header echo = {.type = ICMP_ECHO};
	static struct frame f, piece;
	uint32_t len = 8 + sizeof(data);

	bed_meet(b, PEER, PEER_MAC);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	frame_icmp(&f, PEER, &echo, data, sizeof(data));
	for (uint32_t start = 0; start < len; start += 1480) {
		uint32_t part = MIN(1480u, len - start);
		struct ipv4_header *h = frame_ip4(&piece, PEER, OURS, IP_ICMP);

		h->fragment = be16_of((uint16_t)(start / 8 | (start + part < len ? IPV4_MF : 0)));
		frame_add(&piece, f.byte + 34 + start, part);
		frame_finish(&piece);
		bed_in(b, 0, piece.byte, piece.len);
	}
	assert_int_equal(b->port[0].tx_count, 4);
	uint32_t got = 0;
	static uint8_t reply[6000];
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t n = capture_read(&b->port[0], i, b->out);
		const struct ipv4_header *h = (const void *)(b->out + 14);

		assert_true(n <= 1514);
		assert_int_equal((be16_get(h->fragment) & IPV4_OFFSET_MASK) * 8u, got);
		assert_int_equal((be16_get(h->fragment) & IPV4_MF) != 0, i < 3);
		assert_int_equal(h->id.raw, ((const struct ipv4_header *)(b->out + 14))->id.raw);
		memcpy(reply + got, b->out + 34, n - 34);
		got += n - 34;
	}
	assert_int_equal(got, len);
	assert_int_equal(reply[0], ICMP_ECHO_REPLY);
	assert_true(checksum_is_good(checksum_add(0, reply, len)));
	assert_memory_equal(reply + 8, data, sizeof(data));
	for (int i = COUNTER_copied_bytes_pack; i <= COUNTER_copied_bytes_error; i++)
		assert_int_equal(b->counters.value[i], 0);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_order_with_duplicates_gives_the_datagram_once),
		cmocka_unit_test(overlaps_never_deliver),
		cmocka_unit_test(a_condemned_datagram_stays_condemned),
		cmocka_unit_test(a_mark_on_any_piece_is_one_on_the_datagram),
		cmocka_unit_test(a_mark_beside_a_piece_that_takes_none_condemns_the_datagram),
		cmocka_unit_test(impossible_fragments_are_refused),
		cmocka_unit_test(time_runs_out_and_the_sender_is_told_when_the_first_is_here),
		cmocka_unit_test(a_source_has_a_share_and_the_oldest_gives_way),
		cmocka_unit_test(pinned_bytes_are_bounded),
		cmocka_unit_test(fragments_count_as_held_and_give_way_when_buffers_are_short),
		cmocka_unit_test(fragments_of_one_datagram_are_bounded),
		cmocka_unit_test(a_large_ping_comes_back_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
