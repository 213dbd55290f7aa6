// SPDX-License-Identifier: BSD-3-Clause
// DHCP's messages: which of a server's are read, and what a client's say.
#include "bed_dhcp.h"

static void what_is_not_a_whole_message_is_dropped(void **state)
{
	struct bed *b = bed_dhcp();
	struct dhcp_header *h;
	struct frame f;
	uint8_t *options;

	frame_dhcp(&f, b, offer())->magic = be32_of(7);
	bed_in(b, 0, f.byte, f.len);
	frame_dhcp(&f, b, offer())->op = DHCP_REQUEST_OP;
	bed_in(b, 0, f.byte, f.len);
	frame_dhcp(&f, b, offer());
	((struct udp_header *)(f.byte + 34))->src_port = be16_of(5000);
	bed_in(b, 0, f.byte, f.len);
	for (uint32_t i = 0; i < 5; i++) {
		// Type, server, life and mask of another length; an option past the end.
		static const uint8_t at[] = {1, 4, 10, 16, 64 - 1}, value[] = {0, 3, 5, 2, 200};

		h = frame_dhcp(&f, b, offer());
		options = (uint8_t *)(h + 1);
		if (i == 4) {
			memset(options + 27, DHCP_OPTION_PAD, 64 - 27);
			options[62] = DHCP_OPTION_ROUTER;
		}
		options[at[i]] = value[i];
		bed_in(b, 0, f.byte, f.len);
	}
	h = frame_dhcp(&f, b, offer());
	memset((uint8_t *)(h + 1) + 17, 0x0f, 4); // a mask with holes
	bed_in(b, 0, f.byte, f.len);
	struct said w = offer();
	const be32 nobody[] = {IP(0, 0, 0, 0), IP(127, 0, 0, 1), IP(224, 0, 0, 1),
			       IP(198, 18, 0, 0), IP(198, 18, 0, 255)};

	for (uint32_t i = 0; i < ARRAY_COUNT(nobody); i++) {
		w.yours = nobody[i];
		bed_say(b, w);
	}
	w = offer();
	w.life_s = 0;
	bed_say(b, w);
	assert_int_equal(bed_drops(b, DROP_DHCP_MALFORMED), 3 + 5 + 1 + 5 + 1);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	bed_destroy(b);
}

// RFC 2132 9.3
static void options_may_go_on_in_the_fields_for_names(void **state)
{
	struct bed *b = bed_dhcp();
	struct frame f;
	struct dhcp_header *h = frame_dhcp(&f, b, offer());
	uint8_t *options = (uint8_t *)(h + 1);

	memcpy(options + 21, (uint8_t[]){DHCP_OPTION_OVERLOAD, 1, 3, DHCP_OPTION_END}, 4);
	memcpy(h->file, (uint8_t[]){DHCP_OPTION_RENEWAL, 4, 0, 0, 0, 100, DHCP_OPTION_END}, 7);
	memcpy(h->server_name, (uint8_t[]){DHCP_OPTION_ROUTER, 4, 198, 18, 0, 9, DHCP_OPTION_END},
	       7);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	assert_true(client(b)->offer.router.raw == IP(198, 18, 0, 9).raw);
	bed_destroy(b);
}

static void a_router_that_is_not_on_the_link_is_none(void **state)
{
	struct bed *b = bed_dhcp();
	struct frame f;
	struct dhcp_header *h = frame_dhcp(&f, b, offer());

	((uint8_t *)(h + 1))[24] = 77;
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	assert_int_equal(client(b)->offer.router.raw, 0);
	bed_destroy(b);
}

// RFC 2131 table 5
static void a_request_says_the_seconds_of_the_question_and_a_refusal_none(void **state)
{
	struct bed *b = bed_dhcp();
	struct frame f;

	bed_time(b, 20 * NS_PER_S);
	assert_int_equal(type_sent(b), DHCP_DISCOVER);
	const uint16_t seconds = be16_get(sent(b)->seconds);

	assert_in_range(seconds, 3, 20);
	bed_time(b, 2 * NS_PER_S);
	bed_say(b, offer());
	assert_int_equal(type_sent(b), DHCP_REQUEST);
	assert_int_equal(be16_get(sent(b)->seconds), seconds);
	assert_int_equal(be16_get(sent(b)->flags), DHCP_BROADCAST);
	bed_say(b, ack());
	frame_arp(&f, ARP_REPLY, PEER_MAC, GIVEN, IP(0, 0, 0, 0));
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(type_sent(b), DHCP_DECLINE);
	assert_int_equal(be16_get(sent(b)->seconds), 0);
	assert_int_equal(be16_get(sent(b)->flags), 0);
	bed_destroy(b);
}

static void a_lease_for_less_than_ten_seconds_is_refused(void **state)
{
	struct bed *b = bed_dhcp();
	struct said w = offer();

	w.life_s = 9;
	bed_say(b, w);
	assert_int_equal(bed_drops(b, DROP_DHCP_SHORT), 1);
	assert_int_equal(client(b)->state, DHCP_SELECTING);
	w.life_s = 10;
	bed_say(b, w);
	assert_int_equal(client(b)->state, DHCP_REQUESTING);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_a_whole_message_is_dropped),
		cmocka_unit_test(options_may_go_on_in_the_fields_for_names),
		cmocka_unit_test(a_router_that_is_not_on_the_link_is_none),
		cmocka_unit_test(a_request_says_the_seconds_of_the_question_and_a_refusal_none),
		cmocka_unit_test(a_lease_for_less_than_ten_seconds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
