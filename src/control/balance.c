// SPDX-License-Identifier: BSD-3-Clause
// The rebalancer's decision. Called by cli/run_rebalance.c a few times a second, and by its test.
//
// A connection moves with all it has and stays, as irqbalance moves interrupts: seldom, and only
// when it is clear (docs/adr/0012). So four brakes:
//
//   a gap      the busiest is nearly saturated and the idlest far from it
//   in a row   at several looks one after the other the same worker is the busiest
//   in part    an order is for a part of what would make the two even, and then its effect is
//              awaited
//   patience   an order that saturated who got it was of no use (one connection is all the load, or
//              it follows its clients), whoever is to get the next: each such doubles the wait, up
//              to some minutes
#include "control/balance.h"

#include "base/bits.h"

#define BUSY_PCT 85 // the busiest is at least so busy
#define GAP_PCT 30  // and the idlest so much less
#define IN_A_ROW 3

// Of the connections that would make the two even, if all were alike.
#define PART 4

// An order, of which there is one in three looks: some forty connections a second at most. The
// device's queue goes on dealing each flow to the old worker, so what a move brings shows only
// then.
#define ORDER_MAX 32u
#define WAIT_MIN 2u
#define WAIT_MAX 1024u

void balance_init(struct balance *balance)
{
	*balance = (struct balance){.patience = WAIT_MIN};
}

// Since the last look; UINT32_MAX: it had no turn.
static uint32_t busy_pct(const struct balance *b, const struct balance_look *look, uint32_t worker)
{
	uint64_t busy = look->worker[worker].busy_ns - b->last.worker[worker].busy_ns;
	uint64_t idle = look->worker[worker].idle_ns - b->last.worker[worker].idle_ns;

	return busy + idle ? (uint32_t)(100 * busy / (busy + idle)) : UINT32_MAX;
}

struct pair {
	uint32_t from, to;
	uint32_t from_pct, to_pct;
	uint64_t from_conns, to_conns;
	bool in_vain; // who got the last order is as busy now as who gave then
};

// The busiest and the idlest; by_conns: of equally busy ones, as saturated ones are, who has most
// connections and who has fewest. False when there are not two who had turns and differ.
static bool find_pair(const struct balance *b, const struct balance_look *look, bool by_conns,
		      struct pair *p)
{
	*p = (struct pair){.from = UINT32_MAX, .to = UINT32_MAX};
	for (uint32_t i = 0; i < look->worker_count; i++) {
		uint32_t pct = busy_pct(b, look, i);
		uint64_t conns = look->worker[i].conns;
		bool more = by_conns && pct == p->from_pct && conns > p->from_conns;
		bool fewer = by_conns && pct == p->to_pct && conns < p->to_conns;

		if (pct == UINT32_MAX)
			continue;
		if (p->from == UINT32_MAX || pct > p->from_pct || more) {
			p->from = i;
			p->from_pct = pct;
			p->from_conns = conns;
		}
		if (p->to == UINT32_MAX || pct < p->to_pct || fewer) {
			p->to = i;
			p->to_pct = pct;
			p->to_conns = conns;
		}
		if (b->done.count && i == b->done.to)
			p->in_vain = pct >= BUSY_PCT;
	}
	return p->from != p->to;
}

static bool is_clear(const struct pair *p)
{
	return p->from_pct >= BUSY_PCT && p->from_pct - p->to_pct >= GAP_PCT;
}

// Of so many, for one order.
static uint32_t part_of(uint64_t even)
{
	return (uint32_t)MIN(MAX(even / PART, UINT64_C(1)), (uint64_t)ORDER_MAX);
}

// Half of the gap is what should go.
static uint32_t how_many(const struct pair *p)
{
	uint64_t conns = p->from_conns;
	uint64_t even = conns * (p->from_pct - p->to_pct) / 2 / MAX(p->from_pct, 1u);

	return conns < 2 ? 0 : part_of(even); // the only one would take the load along
}

// Of equally busy ones. By itself none goes, so it says nothing of how well the next would do.
static struct balance_order even_out(const struct pair *p)
{
	uint64_t even = (p->from_conns - p->to_conns) / 2;

	return (struct balance_order){p->from, p->to, even ? part_of(even) : 0};
}

static struct balance_order give(struct balance *b, const struct pair *p, uint32_t count)
{
	if (p->in_vain)
		b->patience = MIN(2 * b->patience, WAIT_MAX);
	else
		b->patience = WAIT_MIN;
	b->done = (struct balance_order){p->from, p->to, count};
	b->wait = b->patience;
	b->in_a_row = 0;
	return b->done;
}

struct balance_order balance_decide(struct balance *b, const struct balance_look *look, bool force)
{
	struct balance_order order = {0};
	bool first = b->last.worker_count == 0;
	struct pair p;
	uint32_t count;

	if (first || !find_pair(b, look, force, &p)) {
		b->last = *look;
		return order;
	}
	count = how_many(&p);
	b->in_a_row = is_clear(&p) && p.from == b->candidate ? b->in_a_row + 1 : is_clear(&p);
	b->candidate = p.from;
	b->last = *look;
	if (force && p.from_pct == p.to_pct)
		return even_out(&p);
	if (force && count)
		return give(b, &p, count);
	if (b->wait) {
		b->wait--;
		return order;
	}
	return b->in_a_row >= IN_A_ROW && count ? give(b, &p, count) : order;
}
