// SPDX-License-Identifier: BSD-3-Clause
// Extension headers: which are passed, which are refused and what is said about it.
#include "bed6.h"

// A header of eight bytes that is nothing but padding.
static const uint8_t PADDING[8] = {0, 0, 1, 4, 0, 0, 0, 0};

struct chain {
	struct frame f;
	uint8_t *named; // where the next header is to be named
};

static struct chain *begin(const struct addr *dst)
{
	static struct chain c;

	c.named = &frame6(&c.f, &PEER6, dst, 0)->next_header;
	return &c;
}

static uint8_t *add(struct chain *c, uint8_t type, const void *bytes, size_t len)
{
	uint8_t *at = frame_add(&c->f, bytes, len);

	*c->named = type;
	c->named = at;
	return at;
}

// A TCP header ends the chain, which arrives.
static void end(struct bed *b, struct chain *c)
{
	struct tcp_header tcp = {.data_offset = 5 << 4};

	frame_add(&c->f, &tcp, sizeof(tcp));
	*c->named = IP_TCP;
	frame6_finish(&c->f, 0);
	bed_in(b, 0, c->f.byte, c->f.len);
}

// The error that was sent last, and is forgotten.
static void told(struct bed *b, uint8_t code, uint32_t at)
{
	const struct icmp6_header *h = bed6_last_icmp(b);

	assert_int_equal(h->type, ICMP6_PARAMETER_PROBLEM);
	assert_int_equal(h->code, code);
	assert_int_equal(be32_get(h->rest), at);
	bed_clear(b);
}

static void headers_that_ask_nothing_are_passed(void **state)
{
	struct bed *b = bed6_create();
	struct chain *c = begin(&OURS6);

	add(c, IPV6_HOP_BY_HOP, PADDING, 8);
	add(c, IPV6_DESTINATION, "\0\1\5\2\0\0\36\2xx\0\0\0\0\0\0", 16); // skipped options
	add(c, IPV6_ROUTING, "\0\0\0\0\0\0\0\0", 8);                     // its way is over
	add(c, IPV6_DESTINATION, PADDING, 8);
	end(b, c);
	assert_int_equal(b->tcp_count, 1);
	assert_int_equal(b->tcp_last.l4_offset, 14 + 40 + 40);
	assert_int_equal(b->tcp_last.l4_len, 20);
	bed_destroy(b);
}

static void only_eight_headers_are_walked(void **state)
{
	struct bed *b = bed6_create();

	for (int count = 8; count <= 9; count++) {
		struct chain *c = begin(&OURS6);

		for (int i = 0; i < count; i++)
			add(c, IPV6_DESTINATION, PADDING, 8);
		end(b, c);
	}
	assert_int_equal(b->tcp_count, 1);
	assert_int_equal(bed_drops(b, DROP_IP6_EXTENSIONS_MANY), 1);
	bed_destroy(b);
}

static void a_header_that_runs_past_the_packet_is_dropped(void **state)
{
	struct bed *b = bed6_create();
	struct chain *c = begin(&OURS6);

	add(c, IPV6_DESTINATION, "\0\xff\1\4\0\0\0\0", 8);
	end(b, c);
	assert_int_equal(bed_drops(b, DROP_IP6_EXTENSION_CUT), 1);
	bed_destroy(b);
}

static void hop_by_hop_options_stand_first_or_not_at_all(void **state)
{
	struct bed *b = bed6_create();
	struct chain *c = begin(&OURS6);

	bed6_meet(b);
	add(c, IPV6_DESTINATION, PADDING, 8);
	add(c, IPV6_HOP_BY_HOP, PADDING, 8);
	end(b, c);
	assert_int_equal(bed_drops(b, DROP_IP6_EXTENSION), 1);
	told(b, ICMP6_UNKNOWN_NEXT_HEADER, 40);
	bed_destroy(b);
}

static void an_option_past_its_header_is_told(void **state)
{
	struct bed *b = bed6_create();
	struct chain *c = begin(&OURS6);

	bed6_meet(b);
	add(c, IPV6_DESTINATION, "\0\0\1\5\0\0\0\0", 8);
	end(b, c);
	assert_int_equal(bed_drops(b, DROP_IP6_EXTENSION), 1);
	told(b, ICMP6_BAD_FIELD, 42);
	bed_destroy(b);
}

// RFC 8200 4.2: the two top bits.
static void an_unknown_option_is_treated_as_it_asks(void **state)
{
	struct bed *b = bed6_create();
	uint8_t bytes[8] = {0, 0, 0, 4};

	bed6_meet(b);
	for (int action = 0; action < 4; action++) {
		struct chain *c = begin(&OURS6);

		bytes[2] = (uint8_t)(action << 6 | 0x1f);
		add(c, IPV6_DESTINATION, bytes, 8);
		end(b, c);
		if (action >= IPV6_UNKNOWN_REPORT)
			told(b, ICMP6_UNKNOWN_OPTION, 42);
		assert_int_equal(b->port[0].tx_count, 0);
	}
	assert_int_equal(b->tcp_count, 1);
	assert_int_equal(bed_drops(b, DROP_IP6_OPTION_SILENT), 1);
	assert_int_equal(bed_drops(b, DROP_IP6_OPTION), 2);
	bed_destroy(b);
}

// RFC 4443 2.4 (e.3): exception (2).
static void of_a_packet_to_a_group_only_one_kind_is_told(void **state)
{
	struct bed *b = bed6_create();
	uint8_t bytes[8] = {0, 0, 0xc5, 4};

	bed6_meet(b);
	struct chain *c = begin(&ALL_NODES6);

	add(c, IPV6_DESTINATION, bytes, 8);
	end(b, c);
	assert_int_equal(bed_drops(b, DROP_IP6_OPTION_SILENT), 1);
	assert_int_equal(b->port[0].tx_count, 0);
	bytes[2] = 0x85;
	c = begin(&ALL_NODES6);
	add(c, IPV6_DESTINATION, bytes, 8);
	end(b, c);
	told(b, ICMP6_UNKNOWN_OPTION, 42);
	bed_destroy(b);
}

// RFC 5095 3: "the node must ... send an ICMP Parameter Problem, Code 0, message"
static void no_routing_header_is_followed(void **state)
{
	struct bed *b = bed6_create();
	struct chain *c = begin(&OURS6);

	bed6_meet(b);
	add(c, IPV6_ROUTING, "\0\2\0\1\0\0\0\0xxxxxxxxxxxxxxxx", 24);
	end(b, c);
	assert_int_equal(bed_drops(b, DROP_IP6_ROUTING), 1);
	told(b, ICMP6_BAD_FIELD, 42);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_that_ask_nothing_are_passed),
		cmocka_unit_test(only_eight_headers_are_walked),
		cmocka_unit_test(a_header_that_runs_past_the_packet_is_dropped),
		cmocka_unit_test(hop_by_hop_options_stand_first_or_not_at_all),
		cmocka_unit_test(an_option_past_its_header_is_told),
		cmocka_unit_test(an_unknown_option_is_treated_as_it_asks),
		cmocka_unit_test(of_a_packet_to_a_group_only_one_kind_is_told),
		cmocka_unit_test(no_routing_header_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
