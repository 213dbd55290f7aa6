// SPDX-License-Identifier: BSD-3-Clause
// wire IFACE IFACE: joins two interfaces of a namespace by an impaired wire, each direction with
// impairments of its own (way.h). For kernels without netem, and so that every peer of a comparison
// has the same wire. options.c has the usage.
//
// It sleeps until a frame comes or is due, and looks without sleeping for the last microseconds
// before one is due: that is what waking takes. Frames are stamped by the kernel when they are sent
// into the wire, so the time this program takes to see one is part of the delay and does not come
// on top. How many left late all the same is among what it says at the end.
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/bits.h"
#include "base/time.h"
#include "line.h"
#include "options.h"

#define LOOK_NS (60 * NS_PER_US) // waking by a timer took 20 to 55 us on a virtual machine
#define LATE_NS (100 * NS_PER_US)
#define NAP_NS_MAX (100 * NS_PER_MS)

struct side {
	struct line line;
	struct way *way;    // of what comes in here
	struct line *other; // where it goes out
	uint64_t late, late_ns_max;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	stopped = 1;
}

// Sends what is due, a batch. How many.
static uint32_t release(struct side *side)
{
	struct way_frame *batch[LINE_BATCH];
	uint64_t now_ns = clock_monotonic_ns();
	uint32_t count = 0;

	while (count < LINE_BATCH && (batch[count] = way_take(side->way, now_ns))) {
		uint64_t late_ns = now_ns - batch[count]->due_ns;

		side->late += late_ns > LATE_NS;
		side->late_ns_max = MAX(side->late_ns_max, late_ns);
		count++;
	}
	if (count == 0)
		return 0;
	line_send(side->other, batch, count);
	for (uint32_t i = 0; i < count; i++)
		way_give_back(side->way, batch[i]);
	return count;
}

// Until a frame comes, or is nearly due; a signal that came just before is seen NAP_NS_MAX later.
static void nap(struct side *sides)
{
	struct pollfd fds[2] = {{.fd = sides[0].line.fd, .events = POLLIN},
				{.fd = sides[1].line.fd, .events = POLLIN}};
	uint64_t due_ns = MIN(way_next_ns(sides[0].way), way_next_ns(sides[1].way));
	uint64_t now_ns = clock_monotonic_ns();

	if (due_ns <= now_ns + LOOK_NS)
		return;
	uint64_t wait_ns = MIN(due_ns - now_ns - LOOK_NS, NAP_NS_MAX);

	ppoll(fds, 2, &(struct timespec){.tv_nsec = (long)wait_ns}, NULL);
}

static void run(struct side *sides, const struct wire_options *o)
{
	uint64_t end_ns = o->run_ns ? clock_monotonic_ns() + o->run_ns : TIME_NEVER_NS;

	while (!stopped && clock_monotonic_ns() < end_ns) {
		uint32_t count = 0;

		for (int i = 0; i < 2; i++) {
			count += line_receive(&sides[i].line, sides[i].way);
			count += release(&sides[i]);
		}
		if (count == 0)
			nap(sides);
	}
}

static void say_way(const char *name, const struct side *side)
{
	const struct way_stats *s = &side->way->stats;
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{"in_frames", s->in_frames},
		{"in_bytes", s->in_bytes},
		{"out_frames", s->out_frames},
		{"out_bytes", s->out_bytes},
		{"too_long", s->too_long},
		{"lost_queue", s->lost_queue},
		{"lost_random", s->lost_random},
		{"lost_burst", s->lost_burst},
		{"lost_corrupt", s->lost_corrupt},
		{"duplicated", s->duplicated},
		{"corrupted", s->corrupted},
		{"marked", s->marked},
		{"reordered", s->reordered},
		{"queue_bytes_max", s->queue_bytes_max},
		{"late_100us", side->late},
		{"late_ns_max", side->late_ns_max},
		{"unsummed", side->line.stats.unsummed},
		{"missed", side->line.stats.missed},
		{"refused", side->other->stats.refused},
	};

	printf("\"%s\": {", name);
	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		printf("%s\"%s\": %llu", i ? ", " : "", all[i].name,
		       (unsigned long long)all[i].value);
	printf("}");
}

static bool open_side(struct side *side, const struct wire_options *o, int index)
{
	const char *step;

	side->way = way_create(&o->way[index]);
	if (!side->way) {
		fprintf(stderr, "wire: no memory, or frames_max is no power of two\n");
		return false;
	}
	uint64_t mtu_bytes = MAX(o->way[0].mtu_bytes, o->way[1].mtu_bytes);

	if (line_open(&side->line, o->interface[index], MAX(mtu_bytes, UINT64_C(1500)), &step)) {
		fprintf(stderr, "wire: %s: %s: %s\n", o->interface[index], step, strerror(errno));
		return false;
	}
	return true;
}

static void take_core(const struct wire_options *o)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(MAX(o->core, 0), &cpus);
	if (o->core >= 0 && sched_setaffinity(0, sizeof(cpus), &cpus))
		perror("wire: core");
	prctl(PR_SET_TIMERSLACK, 1);
	if (o->realtime && sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1}))
		perror("wire: realtime");
}

int main(int argc, char **argv)
{
	struct wire_options o;
	struct side sides[2] = {0};

	if (!options_read(&o, argc, argv))
		return 2;
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	for (int i = 0; i < 2; i++)
		if (!open_side(&sides[i], &o, i))
			return 1;
	sides[0].other = &sides[1].line;
	sides[1].other = &sides[0].line;
	take_core(&o);
	puts("ready");
	fflush(stdout);
	run(sides, &o);
	for (int i = 0; i < 2; i++)
		line_close(&sides[i].line);
	printf("{");
	say_way("ab", &sides[0]);
	printf(", ");
	say_way("ba", &sides[1]);
	printf("}\n");
	return 0;
}
