// SPDX-License-Identifier: BSD-3-Clause
// The rebalancer's decision and services that give connections away, together: what the workers
// were seen to do is made up from the events they had, so no clock decides.
#include "control/balance.h"
#include "movers.h"

static uint8_t digits[1 << 20];

#define CLIENTS 32
#define ROUNDS_A_LOOK 20

// What the workers were seen to do: an event is a unit of work, and who has half of them or more
// has no time left.
static void see(struct balance_look *look, const uint64_t *events)
{
	look->worker_count = WORKERS;
	for (uint32_t i = 0; i < WORKERS; i++) {
		uint64_t all = events[0] + events[1], busy = MIN(2 * events[i], all);

		look->worker[i].busy_ns += busy;
		look->worker[i].idle_ns += all - busy;
		look->worker[i].conns = open_at(i);
	}
}

// Everybody asks; what comes back is compared.
static void ask_all(uint64_t *events)
{
	for (uint32_t i = 0; i < CLIENTS; i++)
		say(&peers[i], "0123456789");
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t w = 0; w < WORKERS; w++) {
			handled = 0;
			turn_server(w);
			events[w] += handled;
		}
		turn_client();
	}
}

static void turn_giving(uint32_t worker, struct balance_order *order)
{
	struct prism_event events[64];
	int count = prism_poll(server_worker[worker], events, 64);

	handler_dispatch_all(events, count);
	for (int i = 0; i < count && worker == order->from && order->count; i++)
		if (events[i].type == PRISM_EVENT_DATA)
			order->count -= service_give(&events[i], order->to);
}

static void carry_out(struct balance_order order)
{
	while (order.count) {
		for (uint32_t i = 0; i < CLIENTS; i++)
			say(&peers[i], "0123456789");
		for (uint32_t i = 0; i < 8; i++) {
			for (uint32_t w = 0; w < WORKERS; w++)
				turn_giving(w, &order);
			turn_client();
		}
	}
}

static void the_load_of_one_worker_is_shared_after_a_while(void **state)
{
	struct balance_look look = {0};
	struct balance balance;
	uint32_t orders = 0, last = 0;

	config = (struct service_config){0};
	start_stacks("echo");
	start_service(0); // who else listens would be dealt some
	for (uint32_t i = 0; i < CLIENTS; i++)
		call(i)->want = digits;
	start_service(1);
	service_join(services, WORKERS);
	UNTIL(open_at(0) == CLIENTS);
	balance_init(&balance);
	for (uint32_t i = 0; i < 400; i++) {
		uint64_t events[WORKERS] = {0};

		for (uint32_t k = 0; k < ROUNDS_A_LOOK; k++)
			ask_all(events);
		see(&look, events);
		struct balance_order order = balance_decide(&balance, &look, false);

		if (order.count) {
			orders++;
			last = i;
			carry_out(order);
		}
	}
	UNTIL(open_at(0) + open_at(1) == CLIENTS);
	assert_true(orders > 1);
	assert_true(last < 200); // and then it is quiet
	assert_true(open_at(1) >= CLIENTS / 4);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		UNTIL(peers[i].len % 10 == 0 && peers[i].len == peers[0].len);
		assert_false(peers[i].closed);
	}
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_load_of_one_worker_is_shared_after_a_while),
	};

	for (size_t i = 0; i < sizeof(digits); i++)
		digits[i] = (uint8_t)('0' + i % 10);
	site_make();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	site_remove();
	return failed;
}
