// SPDX-License-Identifier: BSD-3-Clause
// Flows in the tables: each family in its own, whatever happens to them.
#include <errno.h>

#include "duo.h"
#include "tcp/flow.h"

static const struct addr OURS6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = 1}};
static const struct addr PEER6 = {.byte = {0x20, 1, 0xd, 0xb8, 0, 0x18, [15] = 2}};

static void each_family_has_a_table_of_its_own(void **state)
{
	struct addr ours = duo_addr(0), peer = duo_addr(1);
	const struct flow v4 = {&ours, &peer, 80, 5000}, v6 = {&OURS6, &PEER6, 80, 5000};
	struct tcp_config config = duo_config();
	struct pair_faults none = {0};

	config.has_ip6 = true;
	struct duo *d = duo_create_with(&config, &none);
	struct tcp *tcp = d->host[0].tcp;
	uint32_t value = 5, found = 0;

	tcp->env->now_ns = d->now_ns;
	assert_int_equal(flow_enter(tcp, &v6, &value), 0);
	assert_false(flow_find(tcp, &v4, &found));
	assert_true(flow_find(tcp, &v6, &found));
	assert_int_equal(found, 5);
	assert_int_equal(table_count(tcp->table), 0);
	assert_int_equal(table_count(tcp->table6), 1);
	value = 6;
	assert_int_equal(flow_enter(tcp, &v6, &value), -EEXIST);
	assert_int_equal(value, 5);
	value = 7;
	assert_int_equal(flow_enter(tcp, &v4, &value), 0);
	assert_true(flow_replace(tcp, &v6, 5, 8));
	assert_false(flow_replace(tcp, &v6, 5, 9));
	assert_true(flow_find(tcp, &v6, &found));
	assert_int_equal(found, 8);
	flow_leave(tcp, &v6);
	assert_false(flow_find(tcp, &v6, &found));
	assert_true(flow_find(tcp, &v4, &found));
	flow_leave(tcp, &v4);
	duo_destroy(d);
}

static void without_an_address_of_it_ipv6_has_no_table(void **state)
{
	const struct flow v6 = {&OURS6, &PEER6, 80, 5000};
	struct duo *d = duo_create();
	uint32_t value = 1;

	assert_null(d->host[0].tcp->table6);
	assert_int_equal(flow_enter(d->host[0].tcp, &v6, &value), -ENOSPC);
	assert_false(flow_find(d->host[0].tcp, &v6, &value));
	duo_destroy(d);
}

// A table of few keys that come and go: places wait for a grace period, which who is alone may end.
static void places_of_flows_that_left_come_back(void **state)
{
	struct tcp_config config = duo_config();
	struct pair_faults none = {0};

	config.has_ip6 = true;
	struct duo *d = duo_create_with(&config, &none);

	for (uint32_t i = 0; i < 20000; i++) {
		const struct flow f = {&OURS6, &PEER6, 80, (uint16_t)(1 + i % 60000)};
		uint32_t value = i;

		assert_int_equal(flow_enter(d->host[0].tcp, &f, &value), 0);
		flow_leave(d->host[0].tcp, &f);
	}
	duo_destroy(d);
}

// RFC 9293 MUST-9: nothing of a flow is without its share in the first sequence number.
// RFC 6528 R1
static void every_part_of_a_flow_changes_its_first_number(void **state)
{
	struct duo *d = duo_create();
	struct tcp *tcp = d->host[0].tcp;
	struct flow f = {&OURS6, &PEER6, 80, 5000};
	uint32_t isn = flow_isn(tcp, &f);

	assert_int_equal(flow_isn(tcp, &f), isn);
	assert_int_not_equal(flow_isn(tcp, &(struct flow){&PEER6, &PEER6, 80, 5000}), isn);
	assert_int_not_equal(flow_isn(tcp, &(struct flow){&OURS6, &OURS6, 80, 5000}), isn);
	assert_int_not_equal(flow_isn(tcp, &(struct flow){&OURS6, &PEER6, 81, 5000}), isn);
	assert_int_not_equal(flow_isn(tcp, &(struct flow){&OURS6, &PEER6, 80, 5001}), isn);
	duo_destroy(d);
}

#define FLOWS 600

// Enough of them that it looks at buckets and connections, at hashes that are nobody's too.
static void fetching_ahead_changes_nothing(void **state)
{
	static struct arrival a[BURST_PKTS];
	const struct arrival *burst[BURST_PKTS];
	struct tcp_config config = duo_config();
	struct pair_faults none = {0};

	config.has_ip6 = true;
	config.connections_max = FLOWS;
	struct duo *d = duo_create_with(&config, &none);
	struct tcp *tcp = d->host[0].tcp;
	struct conn *before = malloc(FLOWS * sizeof(*before));

	for (uint32_t i = 0; i < FLOWS; i++) {
		const struct flow f = {&OURS6, &PEER6, 80, (uint16_t)(1 + i)};
		uint32_t value = owner_value(tcp, OWNER_CONN, i);

		tcp->conn[i].sendq.head = NO_INDEX;
		assert_int_equal(flow_enter(tcp, &f, &value), 0);
	}
	memcpy(before, tcp->conn, FLOWS * sizeof(*before));
	for (uint32_t i = 0; i < BURST_PKTS; i++) {
		const struct flow_key40 key = tuple_key6(&OURS6, &PEER6, 80, (uint16_t)(1 + i * 9));

		a[i].flow_hash = i % 4 ? table40_hash(tcp->table6, &key) : 77 * i;
		a[i].has_text = i % 2;
		burst[i] = &a[i];
	}
	tcp_prefetch6(tcp, burst, BURST_PKTS);
	assert_memory_equal(before, tcp->conn, FLOWS * sizeof(*before));
	for (uint32_t i = 0; i < FLOWS; i++)
		flow_leave(tcp, &(struct flow){&OURS6, &PEER6, 80, (uint16_t)(1 + i)});
	free(before);
	duo_destroy(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_family_has_a_table_of_its_own),
		cmocka_unit_test(without_an_address_of_it_ipv6_has_no_table),
		cmocka_unit_test(places_of_flows_that_left_come_back),
		cmocka_unit_test(fetching_ahead_changes_nothing),
		cmocka_unit_test(every_part_of_a_flow_changes_its_first_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
