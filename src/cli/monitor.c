// SPDX-License-Identifier: BSD-3-Clause
// prism run's second thread: signals, the time to end, the live summary, the control socket. It
// reads what the workers publish and writes run->stop and the rebalancer's orders; it buries
// readers of the connection table whose thread ended, and ends captures that nobody reads. Low
// priority: on a box with few cores it must not take the workers'.

#include "cli/run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/time.h"
#include "cli/cli.h"
#include "cli/summary.h"
#include "core/start.h"
#include "core/worker.h"
#include "sync/cell.h"

// One line of log a minute when nobody watches.
#define LOG_EVERY_NS (60 * NS_PER_S)
#define SUMMARY_EVERY_NS (1 * NS_PER_S)
// How soon a dead reader is found, about.
#define BURY_EVERY_NS (1 * NS_PER_S)

static uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

int monitor_prepare(struct run *run)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	run->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	run->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (run->signal_fd < 0 || run->wake_fd < 0)
		return cli_error(CLI_ENVIRONMENT, NULL, "raise the limit: ulimit -n",
				 "no file descriptors: %s", strerror(errno));
	return CLI_OK;
}

static void take_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		uint64_t stop = cell_get(&run->stop);

		if (stop == RUN_GO && !run->quiet)
			fprintf(stderr,
				"\nprism: finishing; open connections have 5 s to end (%s once "
				"more ends it at once)\n",
				info.ssi_signo == SIGINT ? "Ctrl-C"
							 : strsignal((int)info.ssi_signo));
		cell_set(&run->stop, stop == RUN_GO ? RUN_DRAIN : RUN_END);
	}
}

static bool thread_gone(uint32_t thread)
{
	return syscall(SYS_tgkill, getpid(), (pid_t)thread, 0) != 0 && errno == ESRCH;
}

// A thread that read the connections beside the workers and ended in the middle of it.
static void bury(struct run *run, uint64_t now_ns)
{
	struct epoch *epoch = tcp_epoch(run->workers[0].worker->tcp); // the same for all workers
	uint32_t buried = undertaker_look(&run->undertaker, epoch, now_ns, thread_gone);

	if (buried > 0)
		fprintf(stderr,
			"prism: a thread ended while it read the connection table (%u); what it "
			"held up goes on\n",
			buried);
}

static void *watch(void *argument)
{
	struct run *run = argument;
	bool live = !run->quiet && cli_color(stdout);
	uint64_t every_ns = live ? SUMMARY_EVERY_NS : LOG_EVERY_NS;
	uint64_t begin_ns = clock_now_ns(), look_ns = begin_ns + every_ns;
	struct summary summary;

	setpriority(PRIO_PROCESS, 0, 10); // on Linux: of this thread
	summary_begin(&summary, run, live);
	while (!cell_get(&run->ended)) {
		struct pollfd fds[4] = {{run->signal_fd, POLLIN, 0}, {run->wake_fd, POLLIN, 0}};
		uint32_t fd_count = 2 + server_fds(&run->server, &fds[2]);
		uint64_t now_ns = clock_now_ns(), end_ns = begin_ns + run->duration_ns;
		uint64_t wait_ns = look_ns > now_ns ? MIN(look_ns - now_ns, BURY_EVERY_NS) : 0;
		uint64_t balance_ns = rebalance_look(run, now_ns);

		if (run->duration_ns && now_ns >= end_ns && cell_get(&run->stop) == RUN_GO)
			cell_set(&run->stop, RUN_DRAIN);
		if (run->duration_ns && end_ns > now_ns)
			wait_ns = MIN(end_ns - now_ns, wait_ns);
		if (balance_ns > now_ns)
			wait_ns = MIN(balance_ns - now_ns, wait_ns);
		wait_ns = MIN(server_wait_ns(&run->server), wait_ns);
		poll(fds, fd_count, (int)(wait_ns / NS_PER_MS) + 1);
		take_signals(run);
		server_turn(&run->server);
		answerer_watch(&run->server.answerer);
		bury(run, clock_now_ns());
		taping_tend(run->prism);
		if (clock_now_ns() < look_ns)
			continue;
		look_ns += every_ns;
		if (!run->quiet && cell_get(&run->stop) == RUN_GO)
			summary_show(&summary, clock_now_ns());
	}
	return NULL;
}

int monitor_start(struct run *run)
{
	int error = pthread_create(&run->monitor, NULL, watch, run);

	if (error)
		return cli_error(CLI_ENVIRONMENT, NULL, "raise the limit: ulimit -u",
				 "no second thread: %s", strerror(error));
	return CLI_OK;
}

void monitor_stop(struct run *run)
{
	uint64_t one = 1;

	cell_set(&run->ended, 1);
	if (write(run->wake_fd, &one, sizeof one) != (ssize_t)sizeof one)
		return; // cannot happen: the counter is 0; the thread looks again by itself
	pthread_join(run->monitor, NULL);
	close(run->signal_fd);
	close(run->wake_fd);
}
