// SPDX-License-Identifier: BSD-3-Clause
// bulk kernel|CONFIG open|accept send|receive ADDRESS:PORT BYTES SECONDS [FLOWS]
//
// One end of a bulk transfer: over the kernel's sockets (bulk_kernel.c), or over Prism with this
// configuration (bulk_prism.c). Each flow carries BYTES of a pattern and is ended by its receiver
// SECONDS after the first of them. Says "ready", then a line of JSON when all flows are over or
// when it is told by a line; ends with its input, so that a peer still finds somebody there.
#include "bulk.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/rand.h"
#include "base/time.h"

#define PERIOD_BYTES 65537 // prime, so that no two offsets of a power of two apart look alike

uint64_t bulk_stalled_ns;
static const uint8_t *pattern;

void bulk_pattern_write(uint8_t *to)
{
	struct rng rng;

	rng_seed(&rng, 42);
	for (uint32_t i = 0; i < PERIOD_BYTES; i++)
		to[i] = (uint8_t)rng_next(&rng);
	memcpy(to + PERIOD_BYTES, to, BULK_RUN_BYTES);
	pattern = to;
}

const uint8_t *bulk_pattern(uint64_t offset)
{
	return pattern + offset % PERIOD_BYTES;
}

uint64_t bulk_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

bool bulk_told(void)
{
	struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&fd, 1, 0) != 0;
}

static void compare(struct bulk_flow *flow, const uint8_t *data, uint32_t len)
{
	while (len > 0) {
		uint32_t run = MIN(len, (uint32_t)BULK_RUN_BYTES);

		flow->wrong += memcmp(data, bulk_pattern(flow->bytes), run) != 0;
		flow->bytes += run;
		data += run;
		len -= run;
	}
}

bool bulk_in_time(const struct bulk_plan *plan, const struct bulk_flow *flow)
{
	return !flow->first_ns || bulk_now_ns() - flow->first_ns < plan->limit_ns;
}

bool bulk_heard(const struct bulk_plan *plan, struct bulk_flow *flow, const void *data,
		uint32_t len)
{
	uint64_t now_ns = bulk_now_ns();

	if (!flow->first_ns)
		flow->first_ns = flow->last_ns = now_ns;
	if (now_ns - flow->first_ns >= plan->limit_ns)
		return false;
	flow->silence_ns_max = MAX(flow->silence_ns_max, now_ns - flow->last_ns);
	flow->last_ns = now_ns;
	flow->bin_bytes[MIN((now_ns - flow->first_ns) / BULK_BIN_NS, BULK_BINS - 1)] += len;
	compare(flow, data, len);
	return true;
}

static void report_flow(const struct bulk_flow *f)
{
	uint64_t last = f->first_ns ? (f->last_ns - f->first_ns) / BULK_BIN_NS : 0;

	printf("{\"bytes\": %llu, \"first_ns\": %llu, \"ns\": %llu, \"silence_ns\": %llu, "
	       "\"wrong\": %llu, \"reason\": %u, \"complete\": %s, \"retransmits\": %llu, "
	       "\"mss\": %llu, \"reorderings\": %llu, \"rtt_us\": %llu, \"bins\": [",
	       (unsigned long long)f->bytes, (unsigned long long)f->first_ns,
	       (unsigned long long)(f->last_ns - f->first_ns),
	       (unsigned long long)f->silence_ns_max, (unsigned long long)f->wrong, f->reason,
	       f->complete ? "true" : "false", (unsigned long long)f->retransmits,
	       (unsigned long long)f->mss, (unsigned long long)f->reorderings,
	       (unsigned long long)f->rtt_us);
	for (uint64_t i = 0; i <= MIN(last, BULK_BINS - 1); i++)
		printf("%s%llu", i ? ", " : "", (unsigned long long)f->bin_bytes[i]);
	printf("]}");
}

void bulk_report(const struct bulk_plan *plan, const struct bulk_flow *flows)
{
	printf("{\"flows\": [");
	for (uint64_t i = 0; i < plan->flow_count; i++) {
		printf("%s", i ? ", " : "");
		report_flow(&flows[i]);
	}
	printf("], \"stalled_ns\": %llu}\n", (unsigned long long)bulk_stalled_ns);
	fflush(stdout);
}

static bool number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;

	*value = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && *end == '\0' && *value >= min && *value <= max;
}

// Which of two words; -1 for none.
static int either(const char *text, const char *yes, const char *no)
{
	return strcmp(text, yes) == 0 ? 1 : strcmp(text, no) == 0 ? 0 : -1;
}

static bool read_plan(struct bulk_plan *plan, int argc, char **argv)
{
	uint64_t seconds;
	char *port = argc >= 7 ? strrchr(argv[4], ':') : NULL;
	int opens = port ? either(argv[2], "open", "accept") : -1;
	int sends = port ? either(argv[3], "send", "receive") : -1;

	if (!port || opens < 0 || sends < 0)
		return false;
	*port = '\0';
	*plan = (struct bulk_plan){.config = strcmp(argv[1], "kernel") == 0 ? NULL : argv[1],
				   .address = argv[4],
				   .flow_count = 1,
				   .opens = opens,
				   .sends = sends};
	if (!number(port + 1, 1, 65535, &plan->port) ||
	    !number(argv[5], 1, UINT64_C(1) << 50, &plan->bytes) ||
	    !number(argv[6], 1, 3600, &seconds))
		return false;
	plan->limit_ns = seconds * NS_PER_S;
	return argc == 7 || (argc == 8 && number(argv[7], 1, BULK_FLOWS_MAX, &plan->flow_count));
}

int main(int argc, char **argv)
{
	static struct bulk_flow flows[BULK_FLOWS_MAX];
	struct bulk_plan plan;

	if (!read_plan(&plan, argc, argv)) {
		fputs("usage: bulk kernel|CONFIG open|accept send|receive ADDRESS:PORT BYTES "
		      "SECONDS [FLOWS]\n",
		      stderr);
		return 2;
	}
	return plan.config ? bulk_prism(&plan, flows) : bulk_kernel(&plan, flows);
}
