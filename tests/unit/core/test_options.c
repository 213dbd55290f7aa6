// SPDX-License-Identifier: BSD-3-Clause
// Options a program may give: what cannot be is refused by its name before anything is made of it.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <prismnet/prism.h>
#include <cmocka.h>

static struct prism_options options;

static struct prism_options *fresh(void)
{
	struct prism_options *o = &options;

	PRISM_OPTIONS_INIT(o);
	o->no_shared_memory = true;
	o->connections_max = 64;
	o->port_count = 2;
	for (uint32_t i = 0; i < o->port_count; i++) {
		o->ports[i].name = i ? "p1" : "p0";
		o->ports[i].device = "pair:options";
		o->ports[i].address_count = 1;
		o->ports[i].addresses[0].len = 24;
		prism_addr_parse(i ? "198.18.1.2" : "198.18.0.2", &o->ports[i].addresses[0].addr);
	}
	return o;
}

static void assert_refused(const char *field)
{
	struct prism *prism = prism_open(&options);

	if (prism)
		fail_msg("opened, but expected a refusal of %s", field);
	assert_string_equal(prism_last_error().name, "INVALID_ARGUMENT");
	assert_int_equal(prism_last_error().number, EINVAL);
	if (strncmp(prism_last_error().message, field, strlen(field)) != 0)
		fail_msg("expected a refusal of %s: %s", field, prism_last_error().message);
}

static void what_is_right_opens(void **state)
{
	struct prism_options *o = fresh();

	(void)state;
	o->ports[0].name = NULL; // the default
	o->ports[0].mtu_bytes = o->ports[1].mtu_bytes = 9216;
	struct prism *prism = prism_open(o);

	assert_non_null(prism);
	prism_close(prism);
}

static void a_stack_without_ports_is_refused(void **state)
{
	(void)state;
	fresh()->port_count = 0;
	assert_null(prism_open(&options));
	assert_string_equal(prism_last_error().name, "NO_PORTS");
	fresh()->port_count = PRISM_PORTS_MAX + 1;
	assert_null(prism_open(&options));
	assert_string_equal(prism_last_error().name, "NO_PORTS");
}

static void lists_longer_than_their_arrays_are_refused(void **state)
{
	(void)state;
	fresh()->ports[1].address_count = PRISM_PORT_ADDRESSES_MAX + 1;
	assert_refused("ports[1].address_count");
	fresh()->ports[0].kernel_address_count = PRISM_PORT_ADDRESSES_MAX + 1;
	assert_refused("ports[0].kernel_address_count");
	fresh()->route_count = PRISM_ROUTES_MAX + 1;
	assert_refused("route_count");
}

static void times_that_would_end_before_they_begin_are_refused(void **state)
{
	(void)state;
	fresh()->keepalive_ns = UINT64_MAX;
	assert_refused("keepalive_ns");
	fresh()->keepalive_ns = 1; // a probe a tick
	assert_refused("keepalive_ns");
	fresh()->user_timeout_ns = UINT64_MAX;
	assert_refused("user_timeout_ns");
	fresh()->time_wait_ns = UINT64_MAX;
	assert_refused("time_wait_ns");
	fresh()->delayed_ack_ns = 500000001; // RFC 9293 MUST-40
	assert_refused("delayed_ack_ns");
	fresh()->rto_ns_min = UINT64_MAX;
	assert_refused("rto_ns_min");
}

static void a_congestion_control_that_does_not_exist_is_refused(void **state)
{
	(void)state;
	fresh()->congestion = (enum prism_congestion)4;
	assert_refused("congestion is 4; it takes 0 to 3");
	fresh()->fixed_window_bytes = (1u << 30) + 1;
	assert_refused("fixed_window_bytes");
	fresh()->sack_off = 2;
	assert_refused("sack_off");
	fresh()->ecn = (enum prism_ecn)3;
	assert_refused("ecn is 3; it takes 0 to 2");
	fresh()->pacing = 2;
	assert_refused("pacing is 2; it takes 0 to 1");
}

static void the_report_says_when_nothing_slows_senders_down(void **state)
{
	struct prism_options *o = fresh();
	struct prism *prism;

	(void)state;
	prism = prism_open(o);
	assert_non_null(prism);
	assert_null(strstr(prism_report(prism), "congestion"));
	prism_close(prism);
	o->congestion = PRISM_CONGESTION_NONE;
	o->fixed_window_bytes = 3000000;
	prism = prism_open(o);
	assert_non_null(prism);
	assert_non_null(strstr(prism_report(prism),
			       "tcp: no congestion control, 3000000 bytes in flight a "
			       "connection whatever is lost; for a network of your own that "
			       "carries them all\n"));
	prism_close(prism);
}

static void a_port_without_device_is_refused(void **state)
{
	(void)state;
	fresh()->ports[1].device = NULL;
	assert_refused("ports[1].device");
}

static void an_mtu_that_no_buffer_holds_is_refused(void **state)
{
	(void)state;
	fresh()->ports[0].mtu_bytes = 65300;
	assert_refused("ports[0].mtu_bytes");
	fresh()->ports[0].mtu_bytes = UINT16_MAX;
	assert_refused("ports[0].mtu_bytes");
	fresh()->ports[0].mtu_bytes = 1;
	assert_refused("ports[0].mtu_bytes");
}

static void a_tag_that_has_no_place_in_a_frame_is_refused(void **state)
{
	(void)state;
	fresh()->ports[0].vlan_id = 4095;
	assert_refused("ports[0].vlan_id");
}

// Else a send could be refused for ever.
static void a_send_buffer_that_holds_less_than_two_buffers_is_refused(void **state)
{
	struct prism_options *o = fresh();

	(void)state;
	o->send_bytes_max = PRISM_SEND_BYTES_MIN - 1;
	assert_refused("send_bytes_max is 32767; it takes 32768 to");
	o->send_bytes_max = PRISM_SEND_BYTES_MIN;
	o->ports[0].mtu_bytes = o->ports[1].mtu_bytes = 9216;
	struct prism *prism = prism_open(o);

	assert_non_null(prism);
	struct prism_worker *worker = prism_worker_get(prism, 0);
	struct prism_buf *buf = prism_buf_alloc(worker);

	assert_true(prism_buf_room(buf) > 9216 && 2 * prism_buf_room(buf) <= PRISM_SEND_BYTES_MIN);
	prism_buf_release(worker, buf);
	prism_close(prism);
}

static void a_number_that_memory_is_sized_by_has_an_end(void **state)
{
	(void)state;
	fresh()->buffers = UINT32_C(1) << 31;
	assert_refused("buffers");
	fresh()->half_open_max = UINT32_MAX;
	assert_refused("half_open_max");
	fresh()->send_bytes_max = UINT32_MAX;
	assert_refused("send_bytes_max");
	fresh()->region_mib = UINT32_MAX;
	assert_refused("region_mib");
}

static struct prism_options *fresh_vlan(void)
{
	struct prism_options *o = fresh();

	o->ports[1].device = "vlan:p0";
	o->ports[1].vlan_id = 7;
	return o;
}

static void a_vlan_needs_a_device_and_a_tag_of_its_own(void **state)
{
	struct prism *prism = prism_open(fresh_vlan());

	(void)state;
	assert_non_null(prism);
	assert_non_null(strstr(prism_report(prism), "p1: vlan 7 of p0"));
	prism_close(prism);
	fresh_vlan()->ports[1].device = "vlan:p1";
	assert_refused("ports[1].device");
	fresh_vlan()->ports[1].vlan_id = 0;
	assert_refused("ports[1] is a VLAN");
	fresh_vlan()->ports[1].mtu_bytes = 1500;
	assert_refused("ports[1] is a VLAN");
	fresh_vlan()->ports[0].vlan_id = 7;
	assert_refused("ports[1].vlan_id is 7, which ports[0] has");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_right_opens),
		cmocka_unit_test(a_stack_without_ports_is_refused),
		cmocka_unit_test(lists_longer_than_their_arrays_are_refused),
		cmocka_unit_test(times_that_would_end_before_they_begin_are_refused),
		cmocka_unit_test(a_congestion_control_that_does_not_exist_is_refused),
		cmocka_unit_test(the_report_says_when_nothing_slows_senders_down),
		cmocka_unit_test(a_port_without_device_is_refused),
		cmocka_unit_test(an_mtu_that_no_buffer_holds_is_refused),
		cmocka_unit_test(a_tag_that_has_no_place_in_a_frame_is_refused),
		cmocka_unit_test(a_send_buffer_that_holds_less_than_two_buffers_is_refused),
		cmocka_unit_test(a_vlan_needs_a_device_and_a_tag_of_its_own),
		cmocka_unit_test(a_number_that_memory_is_sized_by_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
