// SPDX-License-Identifier: BSD-3-Clause
// Pools that several threads use: no packet is lost between their caches, a thread that leaves
// keeps none, and one that is stopped in the middle stops nobody.
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "dpdk/compat.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "sync/atomic.h"
#include "sync/ring.h"

#define PKTS 4096u
#define BURST 32u
#define ROUNDS 20000u
#define STOPS 200u

static struct pool *shared_pool(void)
{
	struct pool *pool = pool_create(&(struct pool_config){.name = "shared",
							      .pkts = PKTS,
							      .room_bytes = 256,
							      .numa_node = -1,
							      .shared = true});

	assert_non_null(pool);
	return pool;
}

// One thread can have them all, each once: so none is lost, twice there, or in another's cache.
static void all_come_back(struct pool *pool)
{
	static struct pkt *pkts[PKTS];

	assert_int_equal(pool_available(pool), PKTS);
	for (uint32_t i = 0; i < PKTS; i++) {
		assert_int_equal(pool_get(pool, &pkts[i], 1), 0);
		assert_int_equal(pkt_len(pkts[i]), 0);
		pkt_append(pkts[i], 1);
	}
	assert_int_equal(pool_get(pool, &(struct pkt *){NULL}, 1), -1);
	for (uint32_t i = 0; i < PKTS; i++)
		pkt_free(pkts[i]);
	assert_int_equal(pool_available(pool), PKTS);
}

// Gets bursts, hands them over, puts what the other handed over. Threads return what went wrong:
// cmocka's assertions are for the main thread.
struct worker {
	struct pool *pool;
	struct ring *out, *in;
	struct worker *other;
	bool done; // hands nothing over any more
	const char *wrong;
};

static void put_what_came(struct worker *w)
{
	struct pkt *pkts[BURST];
	uint32_t n = ring_spsc_take(w->in, (void **)pkts, BURST);

	for (uint32_t i = 0; i < n; i++)
		if (pkt_len(pkts[i]) != 8 || *(void **)pkt_data(pkts[i]) != (void *)w->in)
			w->wrong = "a packet was in two hands";
	if (n)
		pool_put(pkts, n);
}

static void get_and_hand_over(struct worker *w)
{
	struct pkt *pkts[BURST];
	uint32_t sent = 0;

	if (pool_get(w->pool, pkts, BURST))
		return; // the other has them
	for (uint32_t i = 0; i < BURST; i++)
		memcpy(pkt_append(pkts[i], 8), &w->out, 8);
	while (sent < BURST) {
		sent += ring_spsc_put(w->out, (void **)pkts + sent, BURST - sent);
		put_what_came(w); // the other may wait for that
	}
}

static void *hammer(void *context)
{
	struct worker *w = context;

	if (pool_thread_enter())
		w->wrong = "could not enter";
	for (uint32_t i = 0; i < ROUNDS; i++) {
		get_and_hand_over(w);
		if (i % 3 == 0) // now more come than go, now more go
			put_what_came(w);
	}
	atomic_set(&w->done, true, RELEASE);
	while (!atomic_get(&w->other->done, ACQUIRE) || ring_spsc_count(w->in))
		put_what_came(w);
	pool_thread_leave();
	return NULL;
}

static void two_threads_hammer_and_every_packet_comes_back(void **state)
{
	struct pool *pool = shared_pool();
	struct ring *ring[2] = {ring_spsc_create(1024), ring_spsc_create(1024)};
	struct worker workers[2] = {{pool, ring[0], ring[1], &workers[1]},
				    {pool, ring[1], ring[0], &workers[0]}};
	pthread_t thread[2];

	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, hammer, &workers[i]), 0);
	for (uint32_t i = 0; i < 2; i++) {
		pthread_join(thread[i], NULL);
		assert_null(workers[i].wrong);
		ring_spsc_destroy(ring[i]);
	}
	all_come_back(pool);
	pool_destroy(pool);
}

// Returns its argument when every step was as it should be.
static void *come_and_go(void *context)
{
	struct pool *pool = context;
	struct pkt *pkts[BURST];
	bool well = rte_lcore_id() == LCORE_ID_ANY;

	// Without a cache, too.
	well &= pool_get(pool, pkts, BURST) == 0;
	pool_put(pkts, BURST);
	well &= pool_thread_enter() == 0 && rte_lcore_id() != LCORE_ID_ANY;
	well &= pool_thread_enter() == 0;
	well &= pool_get(pool, pkts, BURST) == 0;
	pool_put(pkts, BURST);
	pool_thread_leave();
	well &= rte_lcore_id() != LCORE_ID_ANY;
	pool_thread_leave();
	well &= rte_lcore_id() == LCORE_ID_ANY;
	return well ? context : NULL;
}

static void a_thread_enters_and_leaves_and_keeps_nothing(void **state)
{
	struct pool *pool = shared_pool();
	pthread_t thread;
	void *result;

	for (uint32_t i = 0; i < 2 * RTE_MAX_LCORE; i++) { // numbers come back, too
		assert_int_equal(pthread_create(&thread, NULL, come_and_go, pool), 0);
		pthread_join(thread, &result);
		assert_ptr_equal(result, pool);
	}
	all_come_back(pool);
	pool_destroy(pool);
}

static void who_started_the_platform_keeps_its_number(void **state)
{
	unsigned number = rte_lcore_id();

	assert_int_not_equal(number, LCORE_ID_ANY);
	assert_int_equal(pool_thread_enter(), 0);
	assert_int_equal(rte_lcore_id(), number);
	pool_thread_leave();
	assert_int_equal(rte_lcore_id(), number);
}

// Whoever is in says so, and stays until told.
static struct {
	sem_t in, go;
	enum err error; // of the one that is not
} crowd;

static void *stand(void *context)
{
	if (pool_thread_enter()) {
		crowd.error = err_last()->id;
		return NULL;
	}
	sem_post(&crowd.in);
	sem_wait(&crowd.go);
	pool_thread_leave();
	return &crowd;
}

static void one_thread_too_many_is_refused_by_name(void **state)
{
	static pthread_t thread[RTE_MAX_LCORE];
	uint32_t count = 0;
	void *result;

	sem_init(&crowd.in, 0, 0);
	sem_init(&crowd.go, 0, 0);
	for (; count < RTE_MAX_LCORE - 1; count++) { // this thread has a number, too
		assert_int_equal(pthread_create(&thread[count], NULL, stand, NULL), 0);
		sem_wait(&crowd.in);
	}
	assert_int_equal(pthread_create(&thread[count], NULL, stand, NULL), 0);
	pthread_join(thread[count], &result);
	assert_null(result);
	assert_int_equal(crowd.error, ERR_POOL_THREAD);
	for (uint32_t i = 0; i < count; i++)
		sem_post(&crowd.go);
	for (uint32_t i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
}

// As if its plugin had not been loaded.
static void without_the_lock_free_kind_there_is_no_shared_pool(void **state)
{
	struct pool_config config = {
		.name = "shared", .pkts = 64, .room_bytes = 256, .shared = true};
	struct rte_mempool_ops *ops = NULL;

	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
		if (strcmp(rte_mempool_ops_table.ops[i].name, "lf_stack") == 0)
			ops = &rte_mempool_ops_table.ops[i];
	assert_non_null(ops);
	ops->name[0] = 'x';
	assert_null(pool_create(&config));
	ops->name[0] = 'l';
	assert_int_equal(err_last()->id, ERR_POOL_KIND);
	assert_non_null(strstr(err_last()->message, "lf_stack"));
	struct pool *pool = pool_create(&config);

	assert_non_null(pool);
	pool_destroy(pool);
}

// A thread that gets and puts is stopped wherever it is, and stays so until another one has got and
// put a hundred times more than the caches hold.
static struct {
	struct pool *pool;
	bool end;
	sem_t stopped, go_on;
} stall;

static void stop_here(int signal_number)
{
	sem_post(&stall.stopped);
	while (sem_wait(&stall.go_on))
		;
}

static void *be_stopped(void *context)
{
	struct pkt *pkts[BURST];

	while (!atomic_get(&stall.end, RELAXED))
		if (pool_get(stall.pool, pkts, BURST) == 0) // it has no cache: in the middle often
			pool_put(pkts, BURST);
	return NULL;
}

static void a_stopped_thread_stops_nobody(void **state)
{
	struct sigaction action = {.sa_handler = stop_here};
	struct pkt *pkts[PKTS / 2];
	pthread_t thread;

	stall.pool = shared_pool();
	sem_init(&stall.stopped, 0, 0);
	sem_init(&stall.go_on, 0, 0);
	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(pthread_create(&thread, NULL, be_stopped, NULL), 0);
	for (uint32_t i = 0; i < STOPS; i++) {
		usleep(i * 7 % 50);
		pthread_kill(thread, SIGUSR1);
		sem_wait(&stall.stopped);
		for (uint32_t n = 0; n < 100; n++) {
			assert_int_equal(pool_get(stall.pool, pkts, PKTS / 2), 0);
			pool_put(pkts, PKTS / 2);
		}
		sem_post(&stall.go_on);
	}
	atomic_set(&stall.end, true, RELAXED);
	pthread_join(thread, NULL);
	all_come_back(stall.pool);
	pool_destroy(stall.pool);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(two_threads_hammer_and_every_packet_comes_back),
		T(a_thread_enters_and_leaves_and_keeps_nothing),
		T(who_started_the_platform_keeps_its_number),
		T(one_thread_too_many_is_refused_by_name),
		T(without_the_lock_free_kind_there_is_no_shared_pool),
		T(a_stopped_thread_stops_nobody),
	};
	return cmocka_run_group_tests_name("shared pool", tests, NULL, NULL);
}
