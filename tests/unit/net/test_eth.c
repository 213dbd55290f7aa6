// SPDX-License-Identifier: BSD-3-Clause
// Ethernet: whose frame, which VLAN, what is inside.
#include "bed.h"

static const uint8_t OTHER[6] = {2, 0, 0, 0, 9, 9};

// A frame for port 0 with an echo request to us, ready to be spoilt.
static struct frame ping(void)
{
	struct icmp_header icmp = {.type = ICMP_ECHO};
	struct frame f;

	frame_icmp(&f, PEER, &icmp, "ping", 4);
	return f;
}

static void short_frame_is_dropped_by_name(void **state)
{
	struct bed *b = bed_create();
	struct frame f = ping();

	for (uint16_t len = 0; len < 14; len++)
		bed_in(b, 0, f.byte, len);
	assert_int_equal(bed_drops(b, DROP_ETH_TRUNCATED), 14);
	((struct eth_header *)f.byte)->type = be16_of(ETH_TYPE_VLAN);
	for (uint16_t len = 14; len < 18; len++)
		bed_in(b, 0, f.byte, len);
	assert_int_equal(bed_drops(b, DROP_ETH_TRUNCATED), 18);
	bed_destroy(b);
}

static void frame_to_another_station_is_dropped(void **state)
{
	struct bed *b = bed_create();
	struct frame f = ping();

	memcpy(f.byte, OTHER, 6);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ETH_NOT_OURS), 1);
	bed_destroy(b);
}

static void other_protocols_are_told_apart(void **state)
{
	struct bed *b = bed_create();
	struct frame f = ping();
	struct eth_header *h = (void *)f.byte;

	h->type = be16_of(ETH_TYPE_IPV6);
	bed_in(b, 0, f.byte, f.len);
	h->type = be16_of(0x88cc); // LLDP
	bed_in(b, 0, f.byte, f.len);
	h->type = be16_of(60); // an 802.3 length
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ETH_IPV6), 1);
	assert_int_equal(bed_drops(b, DROP_ETH_TYPE), 2);
	bed_destroy(b);
}

// The frame with a tag put in.
static void tag(struct frame *f, uint16_t id)
{
	struct vlan_tag t = {be16_of((uint16_t)(3 << 13 | id)),
			     ((struct eth_header *)f->byte)->type};

	memmove(f->byte + 18, f->byte + 14, f->len - 14);
	memcpy(f->byte + 14, &t, 4);
	((struct eth_header *)f->byte)->type = be16_of(ETH_TYPE_VLAN);
	f->len += 4;
}

static void untagged_port_takes_untagged_and_priority_tagged_frames(void **state)
{
	struct bed *b = bed_create();
	struct frame f = ping();

	bed_meet(b, PEER, PEER_MAC);
	bed_in(b, 0, f.byte, f.len);
	tag(&f, 0);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->port[0].tx_count, 2);
	f = ping();
	tag(&f, 7);
	bed_in(b, 0, f.byte, f.len);
	assert_int_equal(b->port[0].tx_count, 2);
	assert_int_equal(bed_drops(b, DROP_ETH_VLAN), 1);
	bed_destroy(b);
}

static void tagged_port_takes_and_sends_its_own_tag(void **state)
{
	struct bed *b = bed_create();
	be32 peer = IP(198, 19, 3, 4), ours = IP(198, 19, 0, 2);
	struct frame f;

	frame_arp(&f, ARP_REQUEST, PEER_MAC, peer, ours);
	bed_in(b, 1, f.byte, f.len); // without a tag
	assert_int_equal(bed_drops(b, DROP_ETH_VLAN), 1);
	tag(&f, 7);
	bed_in(b, 1, f.byte, f.len);
	assert_int_equal(b->port[1].tx_count, 1);
	assert_int_equal(capture_read(&b->port[1], 0, b->out), 18 + 28);
	assert_memory_equal(b->out + 12, "\x81\x00\x00\x07\x08\x06", 6);
	frame_udp(&f, peer, ours, 9, (struct run){"x", 1});
	memcpy(f.byte, b->port[1].port.mac, 6);
	tag(&f, 7);
	bed_in(b, 1, f.byte, f.len); // nobody listens: an ICMP error goes back
	assert_int_equal(b->port[1].tx_count, 2);
	capture_read(&b->port[1], 1, b->out);
	assert_memory_equal(b->out, PEER_MAC, 6);
	assert_memory_equal(b->out + 12, "\x81\x00\x00\x07\x08\x00", 6);
	bed_destroy(b);
}

// Port 1 has VLAN 7 of its device, port 2 VLAN 9 of the same.
static void ports_on_one_device_take_and_send_a_tag_each(void **state)
{
	struct bed *b = bed_create();
	struct net_port_config c = {.address_count = 1, .vlan_id = 9};
	be32 peer = IP(198, 20, 3, 4), ours = IP(198, 20, 0, 2);
	struct icmp_header icmp = {.type = ICMP_ECHO};
	struct frame f;

	c.addresses[0].addr = addr_from_v4(ours);
	c.addresses[0].prefix_len = 16;
	assert_int_equal(net_add_port(b->net, &b->port[1].port, &c), 0);
	frame_arp(&f, ARP_REQUEST, PEER_MAC, peer, ours);
	tag(&f, 9);
	bed_in(b, 1, f.byte, f.len);
	assert_int_equal(b->port[1].tx_count, 1);
	capture_read(&b->port[1], 0, b->out);
	assert_memory_equal(b->out + 12, "\x81\x00\x00\x09\x08\x06", 6);
	frame_icmp(&f, peer, &icmp, "ping", 4);
	((struct ipv4_header *)(f.byte + 14))->dst = ours;
	frame_finish(&f);
	memcpy(f.byte, b->port[1].port.mac, 6);
	tag(&f, 9);
	bed_in(b, 1, f.byte, f.len);
	assert_int_equal(b->port[1].tx_count, 2);
	capture_read(&b->port[1], 1, b->out);
	assert_memory_equal(b->out + 12, "\x81\x00\x00\x09\x08\x00", 6);
	frame_arp(&f, ARP_REQUEST, PEER_MAC, peer, ours);
	tag(&f, 8);
	bed_in(b, 1, f.byte, f.len);
	assert_int_equal(bed_drops(b, DROP_ETH_VLAN), 1);
	bed_destroy(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_frame_is_dropped_by_name),
		cmocka_unit_test(frame_to_another_station_is_dropped),
		cmocka_unit_test(other_protocols_are_told_apart),
		cmocka_unit_test(untagged_port_takes_untagged_and_priority_tagged_frames),
		cmocka_unit_test(tagged_port_takes_and_sends_its_own_tag),
		cmocka_unit_test(ports_on_one_device_take_and_send_a_tag_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
