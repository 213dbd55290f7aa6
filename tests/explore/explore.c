// SPDX-License-Identifier: BSD-3-Clause
// See explore.h. Each thread has a stack of its own; a switch is a longjmp, so that millions of
// executions cost seconds.
#include "explore.h"

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#define STACK_BYTES (64u << 10)
#define STEPS_MAX 4096u
#define NOBODY EXPLORE_THREADS_MAX

struct choice {
	uint8_t taken, count;
};

static struct {
	const struct exploration *what;
	uint32_t threads;
	struct choice path[STEPS_MAX];
	uint32_t path_len; // choices laid down: those of the last execution, changed at the end
	uint32_t at;       // choices made in this execution
	uint32_t current, preempted;
	uint64_t steps, executions;
	uint64_t stall_at; // the point at which thread 0 stops for ever; 0: it does not
	bool ended[EXPLORE_THREADS_MAX], begun[EXPLORE_THREADS_MAX];
	jmp_buf here[EXPLORE_THREADS_MAX], home;
	ucontext_t start[EXPLORE_THREADS_MAX], back;
	char stack[EXPLORE_THREADS_MAX][STACK_BYTES];
} x = {.current = NOBODY};

static void print_schedule(int number)
{
	fprintf(stderr, "%s: execution %llu, schedule:", x.what->name,
		(unsigned long long)x.executions);
	for (uint32_t i = 0; i < x.at; i++)
		fprintf(stderr, " %u", x.path[i].taken);
	fprintf(stderr, "\n");
	signal(number, SIG_DFL);
	raise(number);
}

// One of count: as laid down, or the first.
static uint32_t choose(uint32_t count)
{
	struct choice *c = &x.path[x.at];

	if (x.at == STEPS_MAX) {
		fprintf(stderr, "%s: more than %u choices\n", x.what->name, STEPS_MAX);
		abort();
	}
	if (x.at++ == x.path_len) {
		*c = (struct choice){.count = (uint8_t)count};
		x.path_len++;
	}
	return c->taken;
}

static uint32_t nth_other(uint32_t n)
{
	for (uint32_t i = 0; i < x.threads; i++)
		if (i != x.current && !x.ended[i] && n-- == 0)
			return i;
	abort();
}

static uint32_t others(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < x.threads; i++)
		n += i != x.current && !x.ended[i];
	return n;
}

static void body(void)
{
	x.what->thread[x.current]();
	x.ended[x.current] = true;
	_longjmp(x.home, 1);
}

static void go_to(uint32_t thread)
{
	x.current = thread;
	if (x.begun[thread])
		_longjmp(x.here[thread], 1);
	x.begun[thread] = true;
	setcontext(&x.start[thread]);
}

void explore_point(void)
{
	uint32_t taken;

	if (x.current == NOBODY)
		return;
	x.steps++;
	if (x.stall_at) {
		if (x.current == 0 && x.steps == x.stall_at)
			_longjmp(x.home, 1);
		return;
	}
	if (x.preempted == x.what->preemptions || others() == 0)
		return;
	taken = choose(1 + others());
	if (taken == 0)
		return;
	x.preempted++;
	if (_setjmp(x.here[x.current]) == 0)
		go_to(nth_other(taken - 1));
}

uint64_t explore_now(void)
{
	return x.steps++;
}

static void prepare(void)
{
	for (uint32_t i = 0; i < x.threads; i++) {
		x.ended[i] = x.begun[i] = false;
		getcontext(&x.start[i]);
		x.start[i].uc_stack.ss_sp = x.stack[i];
		x.start[i].uc_stack.ss_size = STACK_BYTES;
		x.start[i].uc_link = NULL;
		makecontext(&x.start[i], body, 0);
	}
	x.at = x.preempted = 0;
	x.steps = 0;
}

// One thread whole, or up to where it stops.
static void run_alone(uint32_t thread)
{
	x.steps = 0;
	if (_setjmp(x.home) == 0)
		go_to(thread);
	x.current = NOBODY;
}

static void execute(void)
{
	x.current = NOBODY;
	x.what->setup();
	prepare();
	(void)_setjmp(x.home); // whoever ends comes back here
	x.current = NOBODY;
	if (others() > 0)
		go_to(nth_other(choose(others())));
	x.what->check();
	x.executions++;
}

// Lays down the next schedule. False when all were tried.
static bool advance(void)
{
	x.path_len = x.at;
	while (x.path_len > 0) {
		struct choice *last = &x.path[x.path_len - 1];

		if (last->taken + 1u < last->count) {
			last->taken++;
			return true;
		}
		x.path_len--;
	}
	return false;
}

uint64_t explore(const struct exploration *what)
{
	signal(SIGABRT, print_schedule);
	signal(SIGSEGV, print_schedule);
	x.what = what;
	x.threads = 0;
	while (x.threads < EXPLORE_THREADS_MAX && what->thread[x.threads])
		x.threads++;
	x.path_len = 0;
	x.executions = 0;
	do
		execute();
	while (advance());
	return x.executions;
}

uint64_t explore_stalls(const struct exploration *what)
{
	signal(SIGABRT, print_schedule);
	signal(SIGSEGV, print_schedule);
	x.what = what;
	x.threads = 2;
	x.executions = 0;
	do {
		x.current = NOBODY;
		what->setup();
		prepare();
		x.stall_at = ++x.executions;
		run_alone(0);
		run_alone(1);
		what->check();
	} while (!x.ended[0]);
	x.stall_at = 0;
	return x.executions - 1;
}
