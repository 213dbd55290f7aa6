// SPDX-License-Identifier: BSD-3-Clause
// The simulator: for each seed a world, a wire and applications are drawn (each feature of the
// swarm is on or off by its own coin), run in virtual time under faults, healed, and run to the
// end. Safety is checked after every step, liveness after the heal:
//   what arrives is what was sent, in order, once       flow.c
//   every packet is accounted for, after every turn     world.c
//   every structure is sound                            DCHECK in the stack itself
//   all arrives, all closes, all buffers come home      here
//   the same seed runs the same way, bit for bit        here
//
//   sim_tcp [--seeds A-B] [--seconds S]    PRISM_SEED=N sim_tcp runs one seed
// A seed that fails is run again with capture: sim-N.pcapng and sim-N.trace.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "pkt/pool_heap.h"
#include "scenario.h"

// What parent and child share, so that a child that died can be named.
struct progress {
	uint64_t seed, step;
	bool reported;
};

static struct progress *progress;
static struct world *current; // for the last words of a run that dies in an assertion
static char trace_path[64];

// The wire becomes a good one: what was on it still arrives.
static void heal(struct world *world)
{
	for (int end = 0; end < 2; end++)
		pair_set_faults(
			world->pair, end,
			&(struct pair_faults){.delay_ns = NS_PER_MS, .rate_bits_s = 1000000000});
	pool_heap_fail(0, 0);
}

static void stall(struct scenario *sc, struct world *world)
{
	if (!rng_chance_ppm(&sc->flows.rng, sc->stall_ppm))
		return;
	struct node *node = &world->node[rng_below(&sc->flows.rng, 2)];

	uint32_t w = node->worker_count > 1
			     ? (uint32_t)rng_below(&sc->flows.rng, node->worker_count)
			     : 0;

	node->stalled_until_ns[w] = world->now_ns + rng_below(&sc->flows.rng, 20 * NS_PER_MS);
}

static const char *step(struct scenario *sc, struct world *world, uint64_t until_ns)
{
	progress->step = world->steps;
	world_step(world, MIN(until_ns, flows_next_ns(&sc->flows)), flows_take, &sc->flows);
	flows_act(&sc->flows);
	return world->failure ? world->failure : sc->flows.failure;
}

// Until the heal; the application goes on as it will.
static const char *run_faulty(struct scenario *sc, struct world *world)
{
	uint64_t heal_ns = world->now_ns + sc->heal_ns;
	const char *failure = NULL;

	pool_heap_fail(sc->fail_ppm, sc->world.seed);
	while (!failure && world->now_ns < heal_ns && !flows_over(&sc->flows)) {
		failure = step(sc, world, heal_ns);
		stall(sc, world);
	}
	return failure;
}

static const char *run_healed(struct scenario *sc, struct world *world)
{
	uint64_t patience_ns = world->now_ns + 60 * NS_PER_S;
	uint64_t end_ns = world->now_ns + 900 * NS_PER_S;
	const char *failure = NULL;

	heal(world);
	while (!failure && !flows_over(&sc->flows)) {
		if (world->now_ns >= end_ns)
			return "the wire is healed and a connection does not come to its end";
		failure = step(sc, world, patience_ns);
		if (world->now_ns < patience_ns)
			continue;
		patience_ns += 60 * NS_PER_S;
		for (uint32_t i = 0; i < sc->flows.count; i++)
			flows_give_up(&sc->flows, i);
	}
	end_ns = world->now_ns + 300 * NS_PER_S;
	while (!failure && !world_at_rest(world)) {
		if (world->now_ns >= end_ns)
			return "all is over, and a connection or a buffer remains";
		failure = step(sc, world, end_ns);
	}
	return failure;
}

// What every connection must have come to.
static const char *judge_flow(const struct scenario *sc, const struct flow *flow)
{
	const struct side *side = flow->side;

	if (side[0].close_rule == CLOSE_ABORT || sc->harsh)
		return NULL;
	for (int s = 0; s < 2; s++) {
		if (side[s].reason == PRISM_CLOSE_RESET)
			return "a connection was reset under mild faults";
		if (side[s].reason != PRISM_CLOSE_DONE)
			return "a connection did not end in order under mild faults";
		if (side[s].received_bytes != side[!s].send_bytes || !side[s].eof)
			return "a connection ended in order without all its bytes";
	}
	return NULL;
}

static const char *judge(struct scenario *sc, struct world *world)
{
	const char *failure = NULL;

	for (uint32_t i = 0; !failure && i < sc->flows.count; i++)
		failure = judge_flow(sc, &sc->flows.flow[i]);
	for (int node = 0; !failure && node < 2; node++)
		for (uint32_t w = 0; w < world->node[node].worker_count; w++)
			if (wheel_count(world->node[node].workers[w]->wheel) >
			    (sc->world.ip6 ? 8 : 4)) // the neighbours', and housekeeping
				failure = "timers remain";
	return failure;
}

#define SHOWN_MAX 8 // sides that have not come to their end, of a run that failed

static void say_failure(const struct scenario *sc, const struct world *world, uint64_t seed,
			const char *failure)
{
	int shown = 0;

	printf("seed %lu step %lu: %s\n", seed, world->steps, failure);
	for (uint32_t i = 0; i < sc->flows.count && shown < SHOWN_MAX; i++) {
		const struct flow *flow = &sc->flows.flow[i];

		for (int s = 0; s < 2; s++) {
			const struct side *side = &flow->side[s];

			if (!flow->started || (side->closed && side->reason == PRISM_CLOSE_DONE))
				continue;
			shown++;
			printf("  flow %u side %d port %u: sent %lu of %lu, received %lu of %lu,"
			       "%s%s%s reason %u\n",
			       i, s, flow->port[s], side->sent_bytes, side->send_bytes,
			       side->received_bytes, flow->side[!s].send_bytes,
			       side->open ? " open" : "", side->close_called ? " closing" : "",
			       side->closed ? " closed" : "", side->reason);
		}
	}
}

// 0 and the hash of all that happened, or -1.
static int run_seed(uint64_t seed, const char *capture, uint64_t *hash)
{
	struct scenario sc;

	scenario_draw(&sc, seed);
	sc.world.capture = capture;
	struct world *world = world_create(&sc.world);

	current = world;
	sc.flows.world = world;
	flows_listen(&sc.flows);
	const char *failure = run_faulty(&sc, world);

	if (!failure)
		failure = run_healed(&sc, world);
	if (!failure)
		failure = judge(&sc, world);
	*hash = world->hash;
	if (failure) {
		if (!capture)
			say_failure(&sc, world, seed, failure);
		if (trace_path[0])
			world_write_trace(world, trace_path);
		pcapng_close(world->capture);
		fflush(stdout);
		_exit(1); // what a broken stack holds is not torn down
	}
	scenario_free(&sc);
	current = NULL;
	if (!world_destroy(world)) {
		printf("seed %lu: a buffer did not come home when the stacks ended\n", seed);
		return -1;
	}
	return 0;
}

static void last_words(void)
{
	if (current && trace_path[0])
		world_write_trace(current, trace_path);
	if (current)
		pcapng_close(current->capture);
}

// Every so many seeds the run is repeated: it must be the same run.
#define REPEAT_EVERY 8

static int run_and_repeat(uint64_t seed)
{
	uint64_t hash[2];

	progress->seed = seed;
	if (run_seed(seed, NULL, &hash[0]))
		return -1;
	if (seed % REPEAT_EVERY != 0)
		return 0;
	if (run_seed(seed, NULL, &hash[1]))
		return -1;
	if (hash[0] == hash[1])
		return 0;
	printf("seed %lu: ran differently the second time\n", seed);
	return -1;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

// Runs seeds until one fails (exit 1), time is up or all are done; progress says how far it came.
static void child(uint64_t first, uint64_t last, double end_s)
{
	assert_set_hook(last_words);
	pattern_init();
	for (uint64_t seed = first; seed <= last; seed++) {
		if (run_and_repeat(seed)) {
			fflush(stdout);
			_exit(1);
		}
		if (seconds_now() > end_s)
			break;
	}
	_exit(0);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return status;
}

// Once more, with everything written down.
static void replay(uint64_t seed)
{
	char capture[64];
	pid_t pid;

	snprintf(capture, sizeof(capture), "sim-%lu.pcapng", seed);
	snprintf(trace_path, sizeof(trace_path), "sim-%lu.trace", seed);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		uint64_t hash;

		assert_set_hook(last_words);
		pattern_init();
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		_exit(run_seed(seed, capture, &hash) ? 1 : 0);
	}
	wait_for(pid);
	printf("  replay: PRISM_SEED=%lu sim_tcp; see %s and %s\n", seed, capture, trace_path);
	trace_path[0] = '\0';
}

static int run_range(uint64_t first, uint64_t last, double end_s)
{
	uint64_t failed = 0, next = first;
	double start_s = seconds_now();

	while (next <= last && seconds_now() < end_s) {
		fflush(stdout);
		pid_t pid = fork();

		if (pid == 0)
			child(next, last, end_s);
		int status = wait_for(pid);

		next = progress->seed + 1;
		if (status == 0)
			continue;
		failed++;
		if (WIFSIGNALED(status))
			printf("seed %lu step %lu: died of signal %d\n", progress->seed,
			       progress->step, WTERMSIG(status));
		replay(progress->seed);
	}
	printf("sim_tcp: seeds %lu-%lu in %.1f s, %lu failed\n", first, next - 1,
	       seconds_now() - start_s, failed);
	return failed != 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seeds", required_argument, NULL, 's'},
						{"seconds", required_argument, NULL, 't'},
						{0}};
	const char *one = getenv("PRISM_SEED");
	uint64_t first = 1, last = 200;
	double seconds = 1e9;

	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 's' && sscanf(optarg, "%lu-%lu", &first, &last) < 2)
			last = first;
		else if (c == 't')
			seconds = atof(optarg);
		else if (c == '?')
			return 2;
	}
	if (one)
		first = last = strtoull(one, NULL, 10);
	return run_range(first, last, seconds_now() + seconds);
}
