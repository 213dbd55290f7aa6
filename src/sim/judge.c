// SPDX-License-Identifier: BSD-3-Clause
// What a run must come to: what every plan promises (connections end in order under mild faults, no
// timer stays), and what this one expects by its expect: section. Called by run.c after every step
// and at the end. Failures are constant words, so that shrinking can tell one from another; what
// was measured goes into the result's detail.
#include "sim/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "core/worker.h"

// Of a worker at rest: the neighbours' and housekeeping; more over IPv6.
#define TIMERS_AT_REST 4
#define TIMERS_AT_REST_IP6 8

const char *judge_step(const struct run *r)
{
	const struct plan_expect *expect = &r->plan->expect;

	if (expect->stall_ns_max && r->flows.stall_ns > expect->stall_ns_max)
		return "a connection stalled longer than expect.stall_max";
	if (expect->finish_ns_max && !flows_over(&r->flows) &&
	    r->world->now_ns > r->schedule.start_ns + expect->finish_ns_max)
		return "not all connections ended by expect.finish";
	return NULL;
}

static const char *judge_flow(const struct flow *flow)
{
	const struct side *side = flow->side;

	if (side[0].plan.close == CLOSE_ABORT || side[1].plan.close == CLOSE_ABORT)
		return NULL;
	for (int s = 0; s < 2; s++) {
		if (side[s].reason == PRISM_CLOSE_RESET)
			return "a connection was reset under mild faults";
		if (side[s].reason != PRISM_CLOSE_DONE)
			return "a connection did not end in order under mild faults";
		if (side[s].received_bytes != side[!s].plan.send_bytes || !side[s].eof)
			return "a connection ended in order without all its bytes";
	}
	return NULL;
}

static const char *judge_order(const struct run *r)
{
	const char *failure = NULL;
	uint32_t orderly = r->plan->expect.orderly;

	if (orderly == ORDERLY_NO || (orderly == ORDERLY_MILD && plan_is_harsh(r->plan)))
		return NULL;
	for (uint32_t i = 0; !failure && i < r->flows.count; i++)
		failure = judge_flow(&r->flows.flow[i]);
	return failure;
}

static uint64_t goodput_bits_s(const struct run_result *result)
{
	return result->virtual_ns ? (uint64_t)((unsigned __int128)result->received_bytes * 8 *
					       NS_PER_S / result->virtual_ns)
				  : 0;
}

static const char *judge_timers(const struct run *r)
{
	uint32_t count_max = plan_has_ip6(r->plan) ? TIMERS_AT_REST_IP6 : TIMERS_AT_REST;

	count_max += 2 * (r->plan->host_count - 2);
	for (int i = 0; i < r->world->node_count; i++)
		for (uint32_t w = 0; w < r->world->node[i].worker_count; w++)
			if (wheel_count(r->world->node[i].workers[w]->wheel) > count_max)
				return "timers remain";
	return NULL;
}

const char *judge_end(const struct run *r, const struct run_result *result)
{
	const struct plan_expect *expect = &r->plan->expect;
	const char *failure = judge_order(r);

	if (!failure)
		failure = judge_timers(r);
	if (!failure && goodput_bits_s(result) < expect->goodput_bits_s_min)
		failure = "goodput is below expect.goodput_min";
	if (!failure && expect->retransmits_max && result->retransmits > expect->retransmits_max)
		failure = "more segments were sent again than expect.retransmits_max";
	return failure;
}

// ---- in words

static void put(struct run_result *result, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct run_result *result, const char *format, ...)
{
	size_t len = strlen(result->detail);
	va_list args;

	va_start(args, format);
	vsnprintf(result->detail + len, sizeof(result->detail) - len, format, args);
	va_end(args);
}

#define SHOWN_MAX 6 // sides that have not come to their end

static void describe_side(const struct run *r, const struct flow *flow, int s,
			  struct run_result *result)
{
	const struct side *side = &flow->side[s];

	put(result,
	    "connection %u (application %u) %s, port %u: sent %" PRIu64 " of %" PRIu64
	    ", received %" PRIu64 " of %" PRIu64 ",%s%s%s reason %u\n",
	    flow->index, flow->app + 1, plan_end_name(r->plan, (uint32_t)side->host), flow->port[s],
	    side->sent_bytes, side->plan.send_bytes, side->received_bytes,
	    flow->side[!s].plan.send_bytes, side->open ? " open" : "",
	    side->close_called ? " closing" : "", side->closed ? " closed" : "", side->reason);
}

void judge_describe(const struct run *r, struct run_result *result)
{
	int shown = 0;

	put(result,
	    "at %.6f s, step %" PRIu64 ": goodput %.3f Mbit/s, %" PRIu64
	    " sent again, longest stall %.3f s (connection %u)\n",
	    (double)(r->world->now_ns - r->schedule.start_ns) / 1e9, r->world->steps,
	    (double)goodput_bits_s(result) / 1e6, result->retransmits,
	    (double)r->flows.stall_ns / 1e9, r->flows.stalled);
	for (uint32_t i = 0; i < r->flows.count; i++) {
		const struct flow *flow = &r->flows.flow[i];

		for (int s = 0; s < 2; s++) {
			const struct side *side = &flow->side[s];

			if (!flow->started || shown == SHOWN_MAX ||
			    (side->closed && side->reason == PRISM_CLOSE_DONE))
				continue;
			shown++;
			describe_side(r, flow, s, result);
		}
	}
}
