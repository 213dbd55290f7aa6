// SPDX-License-Identifier: BSD-3-Clause
// Buffers as an application sees them, whatever they are made of.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <prismnet/buf.h>
#include <cmocka.h>

#include "api/convert.h"
#include "core/worker.h"
#include "pkt/pool.h"

static struct counters counters;
static struct prism_worker worker = {.env.counters = &counters};

static int setup(void **state)
{
	(void)state;
	worker.env.pool[POOL_TX] = pool_create(&(struct pool_config){"tx", 8, 2304, -1});
	return worker.env.pool[POOL_TX] ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	pool_destroy(worker.env.pool[POOL_TX]);
	return 0;
}

static void a_buffer_takes_what_it_has_room_for(void **state)
{
	static const char bytes[4096];
	struct prism_buf *buf = prism_buf_alloc(&worker);
	uint32_t room_bytes = prism_buf_room(buf);

	(void)state;
	assert_int_equal(room_bytes, 2304 - PKT_FRONT_BYTES);
	assert_int_equal(prism_buf_append(&worker, buf, bytes, room_bytes + 1), -ENOBUFS);
	assert_int_equal(prism_buf_len(buf), 0);
	assert_int_equal(prism_buf_append(&worker, buf, bytes, room_bytes), 0);
	assert_int_equal(prism_buf_len(buf), room_bytes);
	assert_int_equal(prism_buf_room(buf), 0);
	prism_buf_release(&worker, buf);
}

// What a datagram is that came in fragments: anybody may send one to who appends to what he gets.
static void nothing_fits_behind_a_datagram_of_several_runs(void **state)
{
	struct prism_buf *buf = prism_buf_alloc(&worker), *more = prism_buf_alloc(&worker);

	(void)state;
	assert_int_equal(prism_buf_append(&worker, buf, "first", 5), 0);
	assert_int_equal(prism_buf_append(&worker, more, "second", 6), 0);
	pkt_chain(convert_buf(buf), convert_buf(more));
	assert_ptr_equal(prism_buf_more(buf), more);
	assert_int_equal(prism_buf_room(buf), 0);
	assert_int_equal(prism_buf_append(&worker, buf, "!", 1), -ENOBUFS);
	assert_int_equal(pkt_len(convert_buf(buf)), 11);
	prism_buf_release(&worker, buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_buffer_takes_what_it_has_room_for),
		cmocka_unit_test(nothing_fits_behind_a_datagram_of_several_runs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
