// SPDX-License-Identifier: BSD-3-Clause
// An instance's shared-memory file with drops in it, for tests of what reads it.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/time.h"
#include "heads.h"
#include "observe/shm_reader.h"

struct file {
	char run_dir[64];
	struct shm *shm;
	struct shm_reader *reader;
	uint64_t now_ns; // the last turn
};

static inline int file_set_up(void **state)
{
	struct file *f = calloc(1, sizeof(*f));

	strcpy(f->run_dir, "/tmp/test_see.XXXXXX");
	assert_non_null(mkdtemp(f->run_dir));
	f->shm = shm_create(&(struct shm_config){
		.instance = "one", .run_dir = f->run_dir, .worker_count = 2, .port_count = 1});
	assert_non_null(f->shm);
	strcpy(shm_port(f->shm, 0)->name, "p0");
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	f->now_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	shm_worker(f->shm, 1)->heartbeat_ns = f->now_ns;
	f->reader = shm_reader_open(shm_path(f->shm));
	assert_non_null(f->reader);
	*state = f;
	return 0;
}

static inline int file_tear_down(void **state)
{
	struct file *f = *state;

	shm_reader_close(f->reader);
	shm_destroy(f->shm);
	assert_int_equal(rmdir(f->run_dir), 0);
	free(f);
	return 0;
}

// A worker drops a packet so long before its last turn.
static inline void file_drop(struct file *f, uint32_t worker, uint64_t ago_ns,
			     const struct verdict *v)
{
	struct env env = {.verdicts = shm_verdicts(f->shm, worker),
			  .verdict_mask = VERDICT_RECORDS - 1};
	struct verdict *to = verdict_next(env.verdicts, env.verdict_mask);

	*to = *v;
	to->time_ns = f->now_ns - ago_ns;
	shm_counters(f->shm, worker)->drop[v->reason]++;
	verdict_done(env.verdicts);
}

// A packet of that journey passes.
static inline void file_sample(struct file *f, uint32_t worker, const struct heads_flow *flow,
			       enum verdict_way way, uint64_t journey)
{
	struct verdicts *ring = shm_samples(f->shm, worker);
	struct verdict v = heads_verdict(DROP_OK, flow);

	v.way = (uint8_t)way;
	v.journey = journey;
	v.time_ns = f->now_ns;
	*verdict_next(ring, VERDICT_RECORDS - 1) = v;
	verdict_done(ring);
}

static inline void file_read(struct file *f)
{
	assert_int_equal(shm_reader_refresh(f->reader), 0);
	assert_int_equal(shm_reader_refresh_verdicts(f->reader, SHM_DROPS), 0);
	assert_int_equal(shm_reader_refresh_verdicts(f->reader, SHM_SAMPLES), 0);
}

static inline struct heads_flow file_flow(uint8_t src, uint8_t dst, uint16_t dst_port)
{
	return (struct heads_flow){addr_from_v4_octets(10, 0, src, 5),
				   addr_from_v4_octets(10, 1, 0, dst), IP_TCP, 1000, dst_port};
}
