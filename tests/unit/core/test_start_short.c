// SPDX-License-Identifier: BSD-3-Clause
// Each piece of memory that a start asks for is refused once: the start is, by name, and leaves
// nothing; with the next one it succeeds. mem_map is this file's own.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <prismnet/prism.h>
#include <cmocka.h>

#include "base/bits.h"
#include "base/err.h"
#include "base/mem.h"

#define PAGE_BYTES ((size_t)4096)
#define PIECES_MAX 512

static struct {
	void *memory;
	size_t bytes;
} piece[PIECES_MAX]; // mapped and not unmapped yet

static uint32_t asked, refused_at; // pieces; the one that is refused, from 1 on; 0: none

void *mem_map(const char *what, size_t bytes)
{
	void *memory = NULL;

	if (++asked == refused_at) {
		err_set(ERR_OUT_OF_MEMORY, "%zu bytes for %s", bytes, what);
		return NULL;
	}
	assert_int_equal(posix_memalign(&memory, PAGE_BYTES, bits_round_up(bytes, PAGE_BYTES)), 0);
	memset(memory, 0, bytes);
	for (uint32_t i = 0; i < PIECES_MAX; i++) {
		if (piece[i].memory)
			continue;
		piece[i].memory = memory;
		piece[i].bytes = bytes;
		return memory;
	}
	fail_msg("more than %d pieces", PIECES_MAX);
	return NULL;
}

void mem_unmap(void *memory, size_t bytes)
{
	for (uint32_t i = 0; memory && i < PIECES_MAX; i++) {
		if (piece[i].memory != memory)
			continue;
		assert_int_equal(piece[i].bytes, bytes);
		piece[i].memory = NULL;
		free(memory);
		return;
	}
	if (memory)
		fail_msg("%zu bytes are given back that nobody has", bytes);
}

static uint32_t pieces(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < PIECES_MAX; i++)
		count += piece[i].memory != NULL;
	return count;
}

static struct prism *open_with(uint32_t workers)
{
	struct prism_options o;

	PRISM_OPTIONS_INIT(&o);
	o.no_shared_memory = true;
	o.connections_max = 64;
	o.buffers = 256;
	o.region_mib = 1;
	o.workers = workers;
	o.source_routes = 1;
	o.port_count = 2;
	for (int i = 0; i < 2; i++) {
		o.ports[i].name = i ? "p1" : "p0";
		o.ports[i].device = i ? "pair:short1" : "pair:short0";
		o.ports[i].address_count = 2;
		prism_addr_parse(i ? "198.19.0.1" : "198.18.0.1", &o.ports[i].addresses[0].addr);
		o.ports[i].addresses[0].len = 24;
		prism_addr_parse(i ? "2001:db8:19::1" : "2001:db8:18::1",
				 &o.ports[i].addresses[1].addr);
		o.ports[i].addresses[1].len = 64;
	}
	o.ports[1].address_count = 0;
	o.ports[1].dhcp = true;
	return prism_open(&o);
}

// Begins, has a turn, and ends.
static void is_well(struct prism *prism)
{
	struct prism_event events[4];

	for (uint32_t i = 0; i < prism_worker_count(prism); i++)
		prism_poll(prism_worker_get(prism, i), events, 4);
	prism_close(prism);
}

static void each_refusal_is_survived(uint32_t workers)
{
	struct prism *prism = NULL;
	uint32_t n;

	for (n = 1; !prism; n++) {
		asked = 0;
		refused_at = n;
		prism = open_with(workers);
		if (prism)
			break;
		assert_int_equal(err_last()->id, ERR_OUT_OF_MEMORY);
		assert_int_equal(pieces(), 0);
	}
	assert_int_equal(asked, n - 1); // it was beyond the last
	assert_true(asked > 15);
	is_well(prism);
	assert_int_equal(pieces(), 0);
	refused_at = 0;
	is_well(open_with(workers));
	assert_int_equal(pieces(), 0);
}

static void each_refusal_to_a_start_is_survived(void **state)
{
	(void)state;
	each_refusal_is_survived(1);
}

static void each_refusal_to_a_start_of_several_workers_is_survived(void **state)
{
	(void)state;
	each_refusal_is_survived(3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_refusal_to_a_start_is_survived),
		cmocka_unit_test(each_refusal_to_a_start_of_several_workers_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
