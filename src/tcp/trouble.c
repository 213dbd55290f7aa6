// SPDX-License-Identifier: BSD-3-Clause
// Records of what is wrong (trouble.h): given out, given back, moved. Called by loss.c for what is
// lost, by sack.c for what came early, by close.c and move.c. Not here: what stands in them, which
// is scoreboard.c's, rack.c's and loss.c's.
#include "tcp/trouble.h"

#include <string.h>

#include "observe/counter.h"
#include "tcp/rtt.h"
#include "tcp/scoreboard.h"
#include "tcp/timers.h"

#define CONNS_A_RECORD 16
#define RECORDS_MIN 64u

uint32_t trouble_records(const struct tcp_config *config)
{
	uint32_t share = config->connections_max / CONNS_A_RECORD;

	return MIN(MAX(share, RECORDS_MIN), config->connections_max);
}

void trouble_init(struct tcp *tcp)
{
	uint32_t records = trouble_records(&tcp->config);

	for (uint32_t i = 0; i < records; i++)
		tcp->trouble[i].next = i + 1 < records ? i + 1 : NO_INDEX;
	tcp->trouble_free = 0;
}

static struct trouble *take(struct tcp *tcp, struct conn *c)
{
	uint32_t index = tcp->trouble_free;

	if (UNLIKELY(index == NO_INDEX)) {
		counter_add(tcp->env, COUNTER_tcp_trouble_full, 1);
		return NULL;
	}
	tcp->trouble_free = tcp->trouble[index].next;
	tcp->trouble_count++;
	c->trouble = index & 0xffffff;
	conn_set(c, CONN_TROUBLE);
	return &tcp->trouble[index];
}

COLD struct trouble *trouble_get(struct tcp *tcp, struct conn *c)
{
	struct trouble *t;

	if (conn_is(c, CONN_TROUBLE))
		return trouble_of(tcp, c);
	t = take(tcp, c);
	if (!t)
		return NULL;
	memset(t, 0, sizeof(*t));
	scoreboard_begin(c, t);
	t->rack.reorder_ns = TIME_NEVER_NS;
	t->rack.rto_ns = TIME_NEVER_NS;
	t->rack.rtt_ns = c->rtt.srtt_us * NS_PER_US;
	t->rack.min_rtt_ns = rtt_min_ns(c);
	return t;
}

COLD struct trouble *trouble_get_to_tell(struct tcp *tcp, struct conn *c)
{
	if (!conn_is(c, CONN_TROUBLE) && tcp->trouble_count > trouble_records(&tcp->config) / 2)
		return NULL;
	return trouble_get(tcp, c);
}

static void give_back(struct tcp *tcp, struct conn *c, struct trouble *t)
{
	t->next = tcp->trouble_free;
	tcp->trouble_free = c->trouble;
	tcp->trouble_count--;
}

// The deadline was that of a wait which ends: the timeout behind it is next.
static void wait_no_more(struct tcp *tcp, struct conn *c, const struct trouble *t)
{
	if (t->rack.rto_ns == TIME_NEVER_NS || c->retransmit_ns == TIME_NEVER_NS)
		return;
	c->retransmit_ns = t->rack.rto_ns;
	timers_arm(tcp, c, c->retransmit_ns);
}

COLD void trouble_end(struct tcp *tcp, struct conn *c)
{
	struct trouble *t = trouble_of(tcp, c);

	wait_no_more(tcp, c, t);
	scoreboard_clear(tcp, c, t);
	give_back(tcp, c, t);
	conn_unset(c, CONN_TROUBLE);
}

// A DSACK may yet tell that a recovery was for nothing.
static bool may_be_taken_back(const struct conn *c, const struct trouble *t)
{
	return t->undo.una && t->undo.resent && c->snd.una <= t->undo.until;
}

// Old duplicates may come (RFC 6582 3.2, step 2), or word of a probe or of a recovery. Who has
// nothing to say keeps no record for that.
static bool may_be_heard_of(const struct conn *c, const struct trouble *t)
{
	return (c->snd.una <= t->recover || may_be_taken_back(c, t) || t->tlp.end ||
		c->snd.una < t->rack.dsack_round) &&
	       (conn_outstanding(c) || c->snd.end > c->snd.nxt);
}

// Not while others need records, and this connection may say nothing for long.
static bool searches(const struct tcp *tcp, const struct conn *c, const struct trouble *t)
{
	return t->pmtu.high &&
	       (conn_outstanding(c) || tcp->trouble_count <= trouble_records(&tcp->config) / 4);
}

static bool over(const struct tcp *tcp, const struct conn *c, const struct trouble *t)
{
	return !conn_is(c, CONN_RECOVERY | CONN_AFTER_RTO | CONN_EARLY) && t->sacked_bytes == 0 &&
	       t->lost.head == NO_INDEX && t->resent.head == NO_INDEX && t->dsack.end == 0 &&
	       !t->tlp.is_due && !may_be_heard_of(c, t) && !searches(tcp, c, t);
}

void trouble_end_if_over(struct tcp *tcp, struct conn *c)
{
	if (over(tcp, c, trouble_of(tcp, c)))
		trouble_end(tcp, c);
}

COLD void trouble_leave(struct tcp *tcp, struct conn *c, struct trouble *copy)
{
	struct trouble *t = trouble_of(tcp, c);

	*copy = *t;
	give_back(tcp, c, t);
}

// The flag came along with the connection, the descriptors' marks with the queue.
COLD void trouble_join(struct tcp *tcp, struct conn *c, const struct trouble *copy)
{
	struct trouble *t = take(tcp, c);
	struct trouble lost = *copy;

	if (t) {
		*t = *copy;
		return;
	}
	wait_no_more(tcp, c, &lost);
	scoreboard_clear(tcp, c, &lost);
	conn_unset(c, CONN_TROUBLE | CONN_RECOVERY);
	if (conn_outstanding(c))
		conn_set(c, CONN_AFTER_RTO | CONN_RTX_NOW);
}
