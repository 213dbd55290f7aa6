// SPDX-License-Identifier: BSD-3-Clause
// Connections of services that go from one worker to another, with what is under way on them.
#include "movers.h"
#include "service/http_conn.h"
#include "service/types.h"

#define BIG_BYTES (3 << 20)

static uint8_t big[BIG_BYTES];

// The worker who has the only connection.
static uint32_t owner(void)
{
	UNTIL(open_at(0) + open_at(1) == 1);
	return open_at(0) ? 0 : 1;
}

static uint64_t counter(const char *name)
{
	uint64_t value = 0;

	assert_int_equal(prism_counter(server, name, &value), 0);
	return value;
}

// Sends what must come back, in pieces; both directions are under way all the time.
static void stream(struct peer *p, const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t n = MIN(len - at, (size_t)1000);

		if (prism_tcp_send_copy(client_worker, p->conn, bytes + at, n) == 0)
			at += n;
		turn();
	}
}

static void echo_goes_on_at_other_workers_without_losing_a_byte(void **state)
{
	start("echo", (struct service_config){0});
	struct peer *p = call(0);

	p->want = big;
	giving = true;
	stream(p, big, 200000);
	prism_tcp_close(client_worker, p->conn);
	UNTIL(p->closed);
	assert_int_equal(p->reason, PRISM_CLOSE_DONE);
	assert_int_equal(p->len, 200000);
	assert_true(given > 20);
	assert_int_equal(counter("tcp_moved"), given);
	stop();
}

// Its window closes, and what it was sent waits with the service: until it reads the connection
// cannot go.
static void echo_goes_when_a_slow_reader_has_read(void **state)
{
	size_t sent = 0;

	start("echo", (struct service_config){0});
	struct peer *p = call(0);

	p->want = big;
	p->stalls = true;
	giving = true;
	for (uint32_t i = 0; i < 20000 && sent < BIG_BYTES - 1000; i++) {
		if (prism_tcp_send_copy(client_worker, p->conn, big + sent, 1000) == 0)
			sent += 1000;
		turn();
	}
	p->stalls = false;
	while (p->kept_count)
		prism_buf_release(client_worker, p->kept[--p->kept_count]);
	UNTIL(p->len == sent);
	assert_true(given > 0);
	stop();
}

static void discard_counts_at_whom_it_is(void **state)
{
	start("discard", (struct service_config){0});
	struct peer *p = call(0);
	uint32_t first = owner();

	stream(p, big, 5000);
	UNTIL(service_stats_of(services[first])->bytes == 5000);
	giving = true;
	say(p, "x");
	UNTIL(given);
	giving = false;
	stream(p, big, 5000);
	UNTIL(service_stats_of(services[1 - first])->bytes == 5000);
	assert_int_equal(service_stats_of(services[first])->bytes, 5001);
	stop();
}

static void half_a_request_is_answered_by_whom_its_end_reaches(void **state)
{
	start("http", (struct service_config){0});
	struct peer *p = call(0);
	uint32_t first = owner();

	p->skip = sizeof(head) - 1;
	giving = true;
	say(p, "GET /ten HTTP/1.1\r\nHo");
	UNTIL(counter("tcp_moved") == 1);
	giving = false;
	say(p, "st: x\r\n\r\n");
	UNTIL(p->len > 10 && memcmp(head + p->len - 10, "0123456789", 10) == 0);
	assert_memory_equal(head, "HTTP/1.1 200 ", 13);
	assert_int_equal(service_stats_of(services[1 - first])->requests, 1);
	assert_int_equal(service_stats_of(services[first])->requests, 0);
	stop();
}

static void a_large_answer_is_finished_by_others(void **state)
{
	start("http", (struct service_config){0});
	struct peer *p = call(0);

	p->skip = sizeof(head) - 1;
	say(p, "HEAD /big HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(p->len > 4 && memcmp(head + p->len - 4, "\r\n\r\n", 4) == 0);
	p->skip = p->len;
	p->len = 0;
	p->want = big;
	giving = true;
	for (uint32_t i = 0; i < 4; i++) {
		p->len = 0;
		say(p, "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
		UNTIL(p->len == p->skip + BIG_BYTES);
	}
	assert_true(given > 3);
	assert_int_equal(counter("tcp_moved"), given);
	stop();
}

static void its_deadline_goes_along(void **state)
{
	start("http", (struct service_config){.idle_timeout_ns = 200 * NS_PER_MS});
	struct peer *p = call(0);
	uint32_t first = owner();

	giving = true;
	say(p, "GET /ten HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(counter("tcp_moved") == 1);
	giving = false;
	UNTIL(p->eof);
	assert_int_equal(service_stats_of(services[1 - first])->timeouts, 1);
	assert_int_equal(open_at(first), 0);
	stop();
}

static void one_request_too_many_is_answered_503(void **state)
{
	static struct http_input *taken[1024];
	uint32_t count = 0;

	start("http", (struct service_config){.connections_max = 100});
	struct peer *p = call(0);
	struct http *other = services[1 - owner()]->state;

	p->skip = sizeof(head) - 1;
	while ((taken[count] = slab_get(&other->inputs)))
		count++;
	giving = true;
	say(p, "GET /ten HTTP/1.1\r\nHo");
	UNTIL(p->eof);
	assert_memory_equal(head, "HTTP/1.1 503 ", 13);
	while (count)
		slab_put(&other->inputs, taken[--count]);
	stop();
}

static void who_has_all_the_connections_it_may_is_given_none(void **state)
{
	start("echo", (struct service_config){.connections_max = 3});
	for (uint32_t i = 0; i < CLIENTS_MAX && (open_at(0) < 3 || open_at(1) < 3); i++) {
		call(i);
		for (uint32_t n = 0; n < 10; n++)
			turn();
	}
	assert_int_equal(open_at(0) + open_at(1), 6);
	giving = true;
	for (uint32_t i = 0; i < CLIENTS_MAX; i++)
		if (peers[i].connected && !peers[i].closed)
			say(&peers[i], "tick");
	for (uint32_t n = 0; n < 100; n++)
		turn();
	assert_true(service_stats_of(services[0])->bytes > 0);
	assert_int_equal(given, 0);
	stop();
}

static void what_is_on_its_way_at_the_end_is_released(void **state)
{
	static const char *const types[] = {"echo", "http"};

	for (uint32_t i = 0; i < 2; i++) {
		start(types[i], (struct service_config){0});
		struct peer *p = call(0);
		uint32_t first = owner();

		giving = true;
		say(p, "GET /ten HTTP/1.1\r\nHo");
		for (uint32_t n = 0; n < 1000 && !given; n++) {
			if (first != 0)
				turn_server(0); // who receives
			turn_server(first);
			turn_client();
		}
		assert_int_equal(given, 1);
		giving = false;
		turn_server(first); // it leaves, and does not arrive
		assert_int_equal(counter("tcp_moved"), 1);
		end_services();
		prism_close(server);
		prism_tcp_abort(client_worker, p->conn);
		prism_close(client);
	}
}

static void a_draining_service_ends_what_comes_to_it(void **state)
{
	start("http", (struct service_config){0});
	struct peer *p = call(0);
	uint32_t first = owner();

	giving = true;
	say(p, "GET /ten HTTP/1.1\r\nHost: x\r\n\r\n");
	for (uint32_t n = 0; n < 1000 && !given; n++) {
		if (first != 0)
			turn_server(0);
		turn_server(first);
		turn_client();
	}
	giving = false;
	assert_true(service_drain(services[1 - first])); // it is not there yet
	assert_false(service_drain(services[first]));
	UNTIL(service_drain(services[first]) && service_drain(services[1 - first]));
	UNTIL(p->closed);
	assert_int_equal(p->reason, PRISM_CLOSE_DONE);
	stop();
}

static uint32_t at[CLIENTS_MAX]; // whose a connection is; WORKERS: refused

// Connections until each worker has as many as may be on their way; returns how many were tried.
static uint32_t fill(void)
{
	uint32_t count = 0;

	while (open_at(0) < MOVERS_MAX || open_at(1) < MOVERS_MAX) {
		uint64_t before[] = {open_at(0), open_at(1)};

		assert_true(count < CLIENTS_MAX);
		call(count);
		for (uint32_t n = 0; n < 4; n++)
			turn();
		at[count] = WORKERS;
		for (uint32_t i = 0; i < WORKERS; i++)
			if (open_at(i) > before[i])
				at[count] = i;
		count++;
	}
	return count;
}

// As many as may be on their way say something, and the client sends it.
static void speak(uint32_t count, uint32_t worker)
{
	uint32_t left = MOVERS_MAX;

	for (uint32_t i = 0; i < count && left; i++)
		if (at[i] == worker) {
			say(&peers[i], "GET /ten HTTP/1.1\r\nHo");
			left--;
		}
	for (uint32_t n = 0; n < 6; n++)
		turn_client();
}

// More of them, until the first worker has all it may have. The second has no turn.
static void fill_first(uint32_t from)
{
	struct prism_endpoint remote;

	prism_endpoint_parse("198.18.0.2:80", &remote);
	for (uint32_t i = from; open_at(0) < service_config_of(services[0])->connections_max; i++) {
		assert_true(i < CLIENTS_MAX);
		assert_int_equal(prism_tcp_connect(client_worker, &remote, NULL, i, &peers[i].conn),
				 0);
		for (uint32_t n = 0; n < 6; n++) {
			turn_client();
			turn_server(0);
		}
	}
}

// The first worker's have left and are not taken, their places are taken again, and then come the
// second's.
static void who_comes_finds_an_object_whatever_is_still_on_its_way(void **state)
{
	static const char *const types[] = {"echo", "http"};

	for (uint32_t i = 0; i < 2; i++) {
		start_limited(types[i], (const uint32_t[]){MOVERS_MAX + 8, CLIENTS_MAX});
		uint32_t count = fill();

		speak(count, 1);
		turn_server(0); // who receives
		turn_server(0);
		speak(count, 0);
		giving = true;
		turn_server(0);
		turn_server(1);
		giving = false;
		assert_int_equal(services[0]->leaving_count, MOVERS_MAX);
		assert_int_equal(services[1]->leaving_count, MOVERS_MAX);
		fill_first(count);
		assert_int_equal(services[0]->leaving_count, MOVERS_MAX);
		for (uint32_t n = 0; n < 200; n++)
			turn();
		assert_int_equal(counter("tcp_moved"), 2 * MOVERS_MAX);
		stop();
	}
}

// Whoever gives comes when all events were handled; the object is free by then.
static void what_closed_in_the_same_turn_is_not_given(void **state)
{
	static const char *const types[] = {"echo", "http"};

	for (uint32_t i = 0; i < 2; i++) {
		start(types[i], (struct service_config){0});
		struct peer *p = call(0);
		uint32_t first = owner();

		UNTIL(open_at(first) == 1);
		giving = true;
		say(p, "GET /ten HTTP/1.1\r\nHo");
		turn_client();
		prism_tcp_abort(client_worker, p->conn);
		turn_client();
		for (uint32_t n = 0; n < 1000 && open_at(first); n++) {
			if (first != 0)
				turn_server(0); // who receives
			turn_server(first);
		}
		assert_int_equal(open_at(first), 0);
		assert_int_equal(given, 0);
		assert_int_equal(counter("tcp_moved"), 0);
		stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo_goes_on_at_other_workers_without_losing_a_byte),
		cmocka_unit_test(echo_goes_when_a_slow_reader_has_read),
		cmocka_unit_test(discard_counts_at_whom_it_is),
		cmocka_unit_test(half_a_request_is_answered_by_whom_its_end_reaches),
		cmocka_unit_test(a_large_answer_is_finished_by_others),
		cmocka_unit_test(its_deadline_goes_along),
		cmocka_unit_test(one_request_too_many_is_answered_503),
		cmocka_unit_test(who_has_all_the_connections_it_may_is_given_none),
		cmocka_unit_test(what_is_on_its_way_at_the_end_is_released),
		cmocka_unit_test(a_draining_service_ends_what_comes_to_it),
		cmocka_unit_test(who_comes_finds_an_object_whatever_is_still_on_its_way),
		cmocka_unit_test(what_closed_in_the_same_turn_is_not_given),
	};
	char path[128];
	int failed;

	site_make();
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 2654435761u >> 13);
	snprintf(path, sizeof(path), "%s/big", site_directory);
	FILE *f = fopen(path, "w");

	fwrite(big, 1, sizeof(big), f);
	fclose(f);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	site_remove();
	return failed;
}
