// SPDX-License-Identifier: BSD-3-Clause
// What is said of multicast groups, and when (RFC 3376 5, RFC 3810 6, which agree): changes at once
// and again, answers at a random time. Called by group.c when a group's wishes changed, by igmp.c
// and mld.c with questions; calls these two to speak.
//
// A change is said at once, and again within a second, as often as the routers want. What changes
// before that is said in turn: the older change first, once more, sooner than it had to be.
#include "base/time.h"
#include "net/inside.h"

#define REPEAT_NS NS_PER_S // RFC 3376 8.11, RFC 3810 9.11: Unsolicited Report Interval
#define ROBUSTNESS_DEFAULT 2

// However soon an answer is wanted: who asks in a flood gets so many a second at most.
#define ANSWER_MS_MIN 100u

static bool is_ip6(const struct group *g)
{
	return !addr_is_v4(&g->addr);
}

bool group_is_wanted(const struct group_record *r, const struct addr *source)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		if (addr_equal(&r->source[i], source))
			return true;
	return false;
}

// RFC 3376 R1: all that any socket wants; of senders no more than group_join lets in.
static void list_senders(const struct net *net, const struct group *g, struct group_record *r)
{
	r->source_count = 0;
	for (uint16_t i = g->member_first; i; i = group_member_at(net, i)->next) {
		const struct group_member *m = group_member_at(net, i);

		if (addr_is_any(&m->source) || group_is_wanted(r, &m->source))
			continue;
		ASSERT(r->source_count < GROUP_SOURCES_MAX);
		r->source[r->source_count++] = m->source;
	}
}

static bool has_any(const struct net *net, const struct group *g)
{
	for (uint16_t i = g->member_first; i; i = group_member_at(net, i)->next)
		if (addr_is_any(&group_member_at(net, i)->source))
			return true;
	return false;
}

void group_senders(const struct net *net, const struct group *g, struct group_record *r)
{
	r->type = GROUP_IS_INCLUDE;
	list_senders(net, g, r);
}

void group_state(const struct net *net, const struct group *g, struct group_record *r)
{
	group_senders(net, g, r);
	if (!has_any(net, g))
		return;
	r->type = GROUP_IS_EXCLUDE;
	r->source_count = 0;
}

// RFC 3376 R8: what is said when one state becomes the other. False: nothing.
static bool change(const struct group_record *before, const struct group_record *after,
		   struct group_record *r)
{
	const struct group_record *more = after, *less = before;

	*r = *after;
	if (before->type != after->type) {
		r->type = after->type == GROUP_IS_EXCLUDE ? GROUP_TO_EXCLUDE : GROUP_TO_INCLUDE;
		return true;
	}
	r->type = GROUP_ALLOW;
	if (before->source_count > after->source_count) {
		r->type = GROUP_BLOCK;
		more = before;
		less = after;
	}
	r->source_count = 0;
	for (uint32_t i = 0; i < more->source_count; i++)
		if (!group_is_wanted(less, &more->source[i]))
			r->source[r->source_count++] = more->source[i];
	return r->source_count != 0;
}

static bool router_is_older(const struct net *net, const struct group *g)
{
	const struct group_port *port = &net->groups.port[g->port_index];

	if (is_ip6(g))
		return port->mld1_until_ns > net->env->now_ns;
	return MAX(port->igmp1_until_ns, port->igmp2_until_ns) > net->env->now_ns;
}

// It was left here; while another worker listens to it nothing changed for the link. (Each says
// what he wants: for a router the records of one host add up, and before it stops to send for a
// record that blocks it asks who wants that still.)
static bool is_left_to_others(const struct net *net, const struct group *g,
			      const struct group_record *r)
{
	bool ends = r->type == GROUP_TO_INCLUDE || router_is_older(net, g);

	return ends && group_says_left(g, r) && group_others_hear(net, g);
}

static void tell(struct net *net, const struct group *g, const struct group_record *r)
{
	if (is_left_to_others(net, g, r))
		return;
	if (is_ip6(g))
		mld_tell(net, g, r);
	else
		igmp_tell(net, g, r);
}

static uint32_t repeats(const struct net *net, const struct group *g)
{
	uint8_t robustness = net->groups.port[g->port_index].robustness[is_ip6(g)];

	return (robustness ? robustness : ROBUSTNESS_DEFAULT) - 1u;
}

static uint64_t soon(struct net *net, uint64_t within_ns)
{
	return net->env->now_ns + 1 + rng_below(&net->env->rng, within_ns);
}

// RFC 3376 R7: a change is said for the last time, or once more.
static void say(struct net *net, struct group *g)
{
	tell(net, g, &g->change);
	g->repeat_ns = soon(net, REPEAT_NS);
	if (g->repeats_left == 0)
		g->repeat_ns = TIME_NEVER_NS;
	else
		g->repeats_left--;
}

void group_changed(struct net *net, struct group *g, const struct group_record *before)
{
	struct group_record after, r;

	group_state(net, g, &after);
	if (change(before, &after, &r)) {
		if (g->repeat_ns != TIME_NEVER_NS) // RFC 3376 R9
			tell(net, g, &g->change);
		g->change = r;
		g->repeats_left = (uint8_t)repeats(net, g);
		say(net, g);
	}
	if (g->member_first == 0 && g->repeat_ns == TIME_NEVER_NS)
		group_release(net, g);
	group_schedule(net);
}

void group_farewell(struct net *net, struct group *g)
{
	tell(net, g, &g->change);
	group_release(net, g);
}

// RFC 3376 R10, R11, R12: of several questions the first answer is theirs too.
void group_asked(struct net *net, uint16_t port_index, bool is_ip6, const struct addr *group,
		 uint32_t delay_ms)
{
	uint64_t due_ns = soon(net, (uint64_t)MAX(delay_ms, ANSWER_MS_MIN) * NS_PER_MS);
	uint64_t *when = &net->groups.port[port_index].answer_ns[is_ip6];

	if (group) {
		struct group *g = group_find(net, port_index, group);

		if (!g || g->member_first == 0)
			return;
		when = &g->answer_ns;
	}
	if (due_ns >= *when)
		return;
	*when = due_ns;
	group_schedule(net);
}

static void group_tick(struct net *net, struct group *g)
{
	uint64_t now_ns = net->env->now_ns;
	struct group_record r;

	if (g->answer_ns <= now_ns) {
		g->answer_ns = TIME_NEVER_NS;
		group_state(net, g, &r);
		if (g->member_first)
			tell(net, g, &r);
	}
	if (g->repeat_ns <= now_ns)
		say(net, g);
	if (g->member_first == 0 && g->repeat_ns == TIME_NEVER_NS)
		group_release(net, g);
}

static bool is_used(const struct group *g)
{
	return g->member_first || g->repeat_ns != TIME_NEVER_NS;
}

static void timer_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct net *net = context;

	(void)timer;
	for (uint16_t i = 0; i < net->port_count; i++) {
		struct group_port *port = &net->groups.port[i];

		for (uint32_t ip6 = 0; ip6 < 2; ip6++) {
			if (port->answer_ns[ip6] > now_ns)
				continue;
			port->answer_ns[ip6] = TIME_NEVER_NS;
			(ip6 ? mld_tell_all : igmp_tell_all)(net, i);
		}
	}
	for (uint32_t i = 0; net->groups.count && i < GROUPS_MAX; i++)
		if (is_used(&net->groups.group[i]))
			group_tick(net, &net->groups.group[i]);
	group_schedule(net);
}

void group_schedule(struct net *net)
{
	struct groups *t = &net->groups;
	uint64_t next_ns = TIME_NEVER_NS;

	for (uint16_t i = 0; i < net->port_count; i++)
		next_ns = MIN(next_ns, MIN(t->port[i].answer_ns[0], t->port[i].answer_ns[1]));
	for (uint32_t i = 0; t->count && i < GROUPS_MAX; i++)
		if (is_used(&t->group[i]))
			next_ns = MIN(next_ns, MIN(t->group[i].answer_ns, t->group[i].repeat_ns));
	if (next_ns == TIME_NEVER_NS)
		wheel_stop(net->wheel, &t->timer);
	else
		wheel_arm(net->wheel, &t->timer, MAX(next_ns, net->env->now_ns));
}

void group_say_init(struct net *net)
{
	struct groups *t = &net->groups;

	for (uint32_t i = 0; i < PORTS_MAX; i++)
		t->port[i].answer_ns[0] = t->port[i].answer_ns[1] = TIME_NEVER_NS;
	t->timer.kind = TIMER_GROUP;
	wheel_set_kind(net->wheel, TIMER_GROUP, timer_fires, net);
}
