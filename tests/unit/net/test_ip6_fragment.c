// SPDX-License-Identifier: BSD-3-Clause
// Packets that are cut on their way out: each piece a packet, all of them what was sent.
#include "bed6.h"
#include "wire/udp.h"

static prism_udp udp;

static struct pkt *datagram(struct bed *b, uint32_t len)
{
	struct pkt *head = pkt_alloc(b->env.pool[POOL_TX]);

	for (uint32_t done = 0; done < len;) {
		struct pkt *p = done ? pkt_alloc(b->env.pool[POOL_TX]) : head;
		uint16_t part = (uint16_t)MIN(len - done, UINT32_C(1777));
		uint8_t *at = pkt_append(p, part);

		for (uint32_t i = 0; i < part; i++)
			at[i] = (uint8_t)((done + i) * 13);
		if (p != head)
			pkt_chain(head, p);
		done += part;
	}
	return head;
}

static void send(struct bed *b, uint32_t len)
{
	const struct udp_to to = {.remote = PEER6, .remote_port = 9};

	assert_int_equal(udp_send(b->net, udp, &to, datagram(b, len)), 0);
	bed_conserved(b);
}

static void a_large_datagram_leaves_in_pieces(void **state)
{
	struct bed *b = bed6_create();
	uint8_t whole[10000];
	uint32_t len = 0, id = 0;

	udp = bed_open(b, 7);
	bed6_meet(b);
	send(b, 9000);
	assert_int_equal(b->port[0].tx_count, 7); // 9008 / 1448
	for (uint32_t i = 0; i < 7; i++) {
		const struct ipv6_header *h = bed6_sent(b, i);
		const struct ipv6_fragment *f = (const void *)(h + 1);
		uint32_t part = be16_get(h->payload_len) - 8u;

		assert_int_equal(h->next_header, IPV6_FRAGMENT);
		assert_int_equal(f->next_header, IP_UDP);
		assert_int_equal(be16_get(f->offset) & IPV6_FRAGMENT_OFFSET_MASK, len);
		assert_int_equal(be16_get(f->offset) & IPV6_FRAGMENT_MORE, i < 6);
		assert_true(part + 48 <= 1500);
		assert_true(i == 0 || f->id.raw == id);
		id = f->id.raw;
		memcpy(whole + len, f + 1, part);
		len += part;
	}
	assert_int_equal(len, 9008);
	assert_true(checksum_is_good(checksum_pseudo(&OURS6, &PEER6, IP_UDP, len) +
				     checksum_add(0, whole, len)));
	for (uint32_t i = 0; i < 9000; i++)
		assert_int_equal(whole[8 + i], (uint8_t)(i * 13));
	bed_destroy(b);
}

static void pieces_of_the_next_datagram_have_another_id(void **state)
{
	struct bed *b = bed6_create();

	udp = bed_open(b, 7);
	bed6_meet(b);
	send(b, 2000);
	send(b, 2000);
	const struct ipv6_fragment *f = (const void *)(bed6_sent(b, 0) + 1);
	uint32_t first = f->id.raw;

	bed6_sent(b, 2);
	assert_int_not_equal(f->id.raw, first);
	bed_destroy(b);
}

// RFC 8201 4: what is sent to a path with a smaller MTU fits it.
static void pieces_fit_the_path_that_was_told_to_be_small(void **state)
{
	struct bed *b = bed6_create();

	udp = bed_open(b, 7);
	bed6_meet(b);
	net_lower_mtu(b->net, &PEER6, 1280);
	send(b, 1400);
	assert_int_equal(b->port[0].tx_count, 2);
	assert_true(be16_get(bed6_sent(b, 0)->payload_len) <= 1240);
	bed_destroy(b);
}

static void without_buffers_none_of_it_is_kept(void **state)
{
	struct bed *b = bed6_create();
	struct pkt *held[8192 + 1]; // the last is none
	uint32_t count = 0;

	udp = bed_open(b, 7);
	bed6_meet(b);
	struct pkt *p = datagram(b, 3000);
	const struct udp_to to = {.remote = PEER6, .remote_port = 9};

	while ((held[count] = pkt_alloc(b->env.pool[POOL_HEAD])))
		count++;
	pkt_free(held[--count]);
	assert_int_equal(udp_send(b->net, udp, &to, p), 0);
	bed_conserved(b);
	assert_int_equal(bed_drops(b, DROP_TX_NO_BUFFERS), 1);
	while (count > 0)
		pkt_free(held[--count]);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_datagram_leaves_in_pieces),
		cmocka_unit_test(pieces_of_the_next_datagram_have_another_id),
		cmocka_unit_test(pieces_fit_the_path_that_was_told_to_be_small),
		cmocka_unit_test(without_buffers_none_of_it_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
