// SPDX-License-Identifier: BSD-3-Clause
// Many runs. A child runs seed after seed and sends each result through a pipe; when a run fails or
// the child dies, the next child goes on behind that seed, so one broken seed costs the others
// nothing. Called by cli/sim.c, shrink.c and the suite; calls run.c.
#include "sim/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/time.h"

// What parent and child share, so that a child that died can be named.
struct progress {
	uint64_t seed, step;
};

static struct progress *progress_map(void)
{
	static struct progress *progress;

	if (!progress)
		progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return progress == MAP_FAILED ? NULL : progress;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void batch_plan(const struct batch *batch, uint64_t seed, struct plan *plan)
{
	if (!batch->plan) {
		plan_draw(plan, seed);
		return;
	}
	*plan = *batch->plan;
	if (plan->swarm)
		plan_swarm(plan, seed);
}

static void send_result(int fd, const struct run_result *result)
{
	const char *at = (const char *)result;
	size_t left = sizeof(*result);

	while (left) {
		ssize_t n = write(fd, at, left);

		if (n < 0 && errno != EINTR)
			_exit(2); // the parent is gone
		at += MAX(n, 0);
		left -= (size_t)MAX(n, 0);
	}
}

static bool take_result(int fd, struct run_result *result)
{
	char *at = (char *)result;
	size_t left = sizeof(*result);

	while (left) {
		ssize_t n = read(fd, at, left);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		at += MAX(n, 0);
		left -= (size_t)MAX(n, 0);
	}
	return true;
}

static void repeat(const struct plan *plan, struct run_result *result, struct progress *progress)
{
	struct run_result again;

	if (!run_plan(plan, result->seed, NULL, &again, &progress->step)) {
		*result = again;
	} else if (again.hash != result->hash) {
		result->failed = true;
		snprintf(result->failure, sizeof(result->failure),
			 "ran differently the second time");
	}
}

// Until a run fails, time is up, or all are done.
static _Noreturn void child(const struct batch *batch, uint64_t first, double end_s, int fd)
{
	static struct plan plan;
	struct progress *progress = progress_map();
	struct run_result result;

	assert_set_hook(run_last_words);
	for (uint64_t seed = first; seed <= batch->last; seed++) {
		progress->seed = seed;
		batch_plan(batch, seed, &plan);
		run_plan(&plan, seed, NULL, &result, &progress->step);
		if (!result.failed && batch->repeat_every && seed % batch->repeat_every == 0)
			repeat(&plan, &result, progress);
		send_result(fd, &result);
		if (result.failed)
			_exit(1); // what a broken stack holds is not torn down
		if (end_s != 0 && seconds_now() > end_s)
			break;
	}
	_exit(0);
}

static void add(struct batch_totals *t, const struct run_result *r)
{
	t->runs++;
	t->failed += r->failed;
	t->virtual_ns += r->virtual_ns;
	t->received_bytes += r->received_bytes;
	t->segments += r->segments;
	t->retransmits += r->retransmits;
	t->drops += r->drops;
	t->frames += r->frames;
	t->lost += r->lost;
	t->connections += r->connections;
}

static void died(const struct progress *progress, int status, struct run_result *result)
{
	*result = (struct run_result){.seed = progress->seed, .failed = true};
	result->steps = progress->step;
	if (WIFSIGNALED(status))
		snprintf(result->failure, sizeof(result->failure), "died of signal %d",
			 WTERMSIG(status));
	else
		snprintf(result->failure, sizeof(result->failure), "ended with %d",
			 WEXITSTATUS(status));
	snprintf(result->detail, sizeof(result->detail), "at step %lu\n", result->steps);
}

// Reads what one child has to say. Returns the seed to go on with.
static uint64_t listen_to(const struct batch *batch, struct batch_totals *totals, int fd, pid_t pid)
{
	struct run_result result = {0};
	struct progress *progress = progress_map();
	bool failed = false;
	int status = 0;

	while (take_result(fd, &result)) {
		add(totals, &result);
		batch->report(batch->context, &result);
		failed = result.failed;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status == 0 || failed)
		return progress->seed + 1;
	died(progress, status, &result);
	add(totals, &result);
	batch->report(batch->context, &result);
	return progress->seed + 1;
}

int batch_run(const struct batch *batch, struct batch_totals *totals)
{
	double start_s = seconds_now(), end_s = 0;

	*totals = (struct batch_totals){0};
	if (!progress_map())
		return -ENOMEM;
	if (batch->seconds_max > 0)
		end_s = start_s + batch->seconds_max;
	for (uint64_t next = batch->first; next >= batch->first && next <= batch->last;) {
		int fd[2];

		if (end_s != 0 && seconds_now() > end_s)
			break;
		if (pipe2(fd, O_CLOEXEC))
			return -errno;
		fflush(stdout);
		pid_t pid = fork();

		if (pid < 0)
			return -errno;
		if (pid == 0)
			child(batch, next, end_s, fd[1]);
		close(fd[1]);
		next = listen_to(batch, totals, fd[0], pid);
		close(fd[0]);
	}
	totals->seconds = seconds_now() - start_s;
	return 0;
}

// Its last words are of no use to anybody: the run is known to fail.
static _Noreturn void run_quietly(const struct plan *plan, uint64_t seed,
				  const struct run_paths *paths, int fd)
{
	struct progress *progress = progress_map();
	struct run_result result;

	if (!freopen("/dev/null", "w", stderr))
		_exit(1);
	assert_set_hook(run_last_words);
	progress->seed = seed;
	run_plan(plan, seed, paths, &result, &progress->step);
	send_result(fd, &result);
	_exit(result.failed);
}

bool batch_run_one(const struct plan *plan, uint64_t seed, const struct run_paths *paths,
		   struct run_result *result)
{
	int fd[2], status = 0;

	*result = (struct run_result){.seed = seed, .failed = true};
	if (!progress_map() || pipe2(fd, O_CLOEXEC))
		return false;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		run_quietly(plan, seed, paths, fd[1]);
	close(fd[1]);
	bool said = pid > 0 && take_result(fd[0], result);

	close(fd[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!said && pid > 0)
		died(progress_map(), status, result);
	return !result->failed;
}
