// SPDX-License-Identifier: BSD-3-Clause
// Multicast groups: which sockets listen to which, from whom, and when what is said of it (RFC 3376
// 5, RFC 3810 6, which agree). Called by udp_socket.c with requests, by udp.c and ip4.c and ip6.c
// with what arrived, by igmp.c and mld.c with questions; calls these two to speak.
//
// A change is said at once, and again within a second, as often as the routers want. What changes
// before that is said in turn: the older change first, once more, sooner than it had to be.
//
// Deliberately not here: a list of senders that are not wanted. EXCLUDE has an empty one always.
#include "net/group.h"

#include <errno.h>

#include "base/err.h"
#include "base/time.h"
#include "net/inside.h"
#include "net/udp.h"

#define REPEAT_NS NS_PER_S // RFC 3376 8.11, RFC 3810 9.11: Unsolicited Report Interval
#define ROBUSTNESS_DEFAULT 2
#define ALL_PORTS 0 // under which a worker claims a group whatever the port

static bool is_ip6(const struct group *g)
{
	return !addr_is_v4(&g->addr);
}

static struct group *group_at(struct net *net, uint16_t index)
{
	return &net->groups.group[index - 1];
}

static struct group_member *member_at(const struct net *net, uint16_t index)
{
	return (struct group_member *)&net->groups.member[index - 1];
}

static uint32_t slot_of(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	return net_addr_slot(net, addr, port_index, GROUP_HEADS);
}

struct group *group_find(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct groups *t = &net->groups;

	for (uint16_t i = t->head[slot_of(net, port_index, addr)]; i; i = t->group[i - 1].next) {
		const struct group *g = &t->group[i - 1];

		if (g->port_index == port_index && addr_equal(&g->addr, addr))
			return (struct group *)g;
	}
	return NULL;
}

static bool is_wanted(const struct group_record *r, const struct addr *source)
{
	for (uint32_t i = 0; i < r->source_count; i++)
		if (addr_equal(&r->source[i], source))
			return true;
	return false;
}

// RFC 3376 R1: all that any socket wants.
void group_state(const struct net *net, const struct group *g, struct group_record *r)
{
	r->type = GROUP_IS_INCLUDE;
	r->source_count = 0;
	for (uint16_t i = g->member_first; i; i = member_at(net, i)->next) {
		const struct group_member *m = member_at(net, i);

		if (addr_is_any(&m->source)) {
			r->type = GROUP_IS_EXCLUDE;
			r->source_count = 0;
			return;
		}
		if (!is_wanted(r, &m->source))
			r->source[r->source_count++] = m->source;
	}
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
		if (!is_wanted(less, &more->source[i]))
			r->source[r->source_count++] = more->source[i];
	return r->source_count != 0;
}

// It was left here; while another worker listens to it nothing changed for the link. (Each says
// what he wants: for a router the records of one host add up.)
static bool is_left_to_others(const struct net *net, const struct group *g,
			      const struct group_record *r)
{
	return group_says_left(g, r) && group_is_claimed(net, &g->addr);
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

static void release(struct net *net, struct group *g)
{
	struct groups *t = &net->groups;
	uint16_t index = (uint16_t)(g - t->group + 1);
	uint16_t *link = &t->head[slot_of(net, g->port_index, &g->addr)];

	while (*link != index)
		link = &group_at(net, *link)->next;
	*link = g->next;
	g->next = t->group_free;
	t->group_free = index;
	t->count--;
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

static void changed(struct net *net, struct group *g, const struct group_record *before)
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
		release(net, g);
	group_schedule(net);
}

static struct group *make(struct net *net, const struct group_wish *w)
{
	struct groups *t = &net->groups;
	uint16_t index = t->group_free;
	uint16_t *head = &t->head[slot_of(net, w->port_index, &w->group)];

	if (index == 0)
		return NULL;
	struct group *g = group_at(net, index);

	t->group_free = g->next;
	*g = (struct group){.addr = w->group,
			    .port_index = w->port_index,
			    .next = *head,
			    .repeat_ns = TIME_NEVER_NS,
			    .answer_ns = TIME_NEVER_NS};
	*head = index;
	t->count++;
	return g;
}

static uint16_t *link_of(struct net *net, struct group *g, const struct udp_socket *s,
			 const struct addr *source)
{
	for (uint16_t *link = &g->member_first; *link; link = &member_at(net, *link)->next) {
		const struct group_member *m = member_at(net, *link);

		if (m->socket == s && addr_equal(&m->source, source))
			return link;
	}
	return NULL;
}

static bool has_room_for(const struct net *net, const struct group *g, const struct addr *source)
{
	struct group_record r;

	group_state(net, g, &r);
	return net->groups.member_free &&
	       (addr_is_any(source) || is_wanted(&r, source) || r.source_count < GROUP_SOURCES_MAX);
}

// Others on this worker that listen to the group, on any port of ours: sockets of one UDP port, or
// 0 for any.
static bool listens(const struct net *net, const struct addr *addr, uint16_t udp_port)
{
	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		const struct group *g = &net->groups.group[i];

		for (uint16_t k = addr_equal(&g->addr, addr) ? g->member_first : 0; k;
		     k = member_at(net, k)->next)
			if (udp_port == ALL_PORTS || member_at(net, k)->socket->port == udp_port)
				return true;
	}
	return false;
}

// The others hand on what comes for it from now on.
static int claim(struct net *net, const struct group_wish *w, uint16_t udp_port)
{
	struct claims *claims = net->config.udp_claims;
	int error = 0;

	if (!claims)
		return 0;
	if (!listens(net, &w->group, ALL_PORTS))
		error = net_claim(net, claims, &w->group, ALL_PORTS);
	if (!error && !listens(net, &w->group, udp_port))
		error = net_claim(net, claims, &w->group, udp_port);
	if (error && !listens(net, &w->group, ALL_PORTS))
		net_unclaim(net, claims, &w->group, ALL_PORTS);
	return error;
}

static void unclaim(struct net *net, const struct addr *group, uint16_t udp_port)
{
	struct claims *claims = net->config.udp_claims;

	if (claims && !listens(net, group, udp_port))
		net_unclaim(net, claims, group, udp_port);
	if (claims && !listens(net, group, ALL_PORTS))
		net_unclaim(net, claims, group, ALL_PORTS);
}

static int no_room(const struct group_wish *w)
{
	char text[ADDR_TEXT_BYTES];

	return err_set(ERR_GROUPS_FULL, "%s", addr_format(&w->group, text));
}

int group_join(struct net *net, struct udp_socket *s, const struct group_wish *w)
{
	struct group *g = group_find(net, w->port_index, &w->group);
	struct group_record before;
	char text[ADDR_TEXT_BYTES];

	if (g && link_of(net, g, s, &w->source))
		return err_set(ERR_GROUP_JOINED, "%s", addr_format(&w->group, text));
	if (g ? !has_room_for(net, g, &w->source)
	      : !net->groups.member_free || !net->groups.group_free)
		return no_room(w);
	int error = claim(net, w, s->port);

	if (error)
		return error;
	if (!g)
		g = make(net, w);
	group_state(net, g, &before);
	uint16_t index = net->groups.member_free;
	struct group_member *m = member_at(net, index);

	net->groups.member_free = m->next;
	if (g->member_first == 0)
		counter_add(net->env, COUNTER_udp_groups, 1);
	*m = (struct group_member){.source = w->source, .socket = s, .next = g->member_first};
	g->member_first = index;
	changed(net, g, &before);
	return 0;
}

static void leave(struct net *net, struct group *g, uint16_t *link)
{
	struct group_record before;
	uint16_t index = *link;
	struct group_member *m = member_at(net, index);
	const struct addr group = g->addr;
	uint16_t udp_port = m->socket->port;

	group_state(net, g, &before);
	*link = m->next;
	if (g->member_first == 0)
		counter_sub(net->env, COUNTER_udp_groups, 1);
	m->socket = NULL;
	m->next = net->groups.member_free;
	net->groups.member_free = index;
	unclaim(net, &group, udp_port);
	changed(net, g, &before);
}

int group_leave(struct net *net, struct udp_socket *s, const struct group_wish *w)
{
	struct group *g = group_find(net, w->port_index, &w->group);
	uint16_t *link = g ? link_of(net, g, s, &w->source) : NULL;
	char text[ADDR_TEXT_BYTES];

	if (!link)
		return err_set(ERR_GROUP_NOT_JOINED, "%s", addr_format(&w->group, text));
	leave(net, g, link);
	return 0;
}

void group_leave_all(struct net *net, struct udp_socket *s)
{
	for (uint32_t i = 0; net->groups.count && i < GROUPS_MAX; i++) {
		struct group *g = &net->groups.group[i];
		uint16_t *link = &g->member_first;

		while (*link) {
			if (member_at(net, *link)->socket == s) {
				leave(net, g, link);
				link = &g->member_first;
			} else {
				link = &member_at(net, *link)->next;
			}
		}
	}
}

bool group_is_heard(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct group *g = net->groups.count ? group_find(net, port_index, addr) : NULL;

	return (g && g->member_first) || group_is_claimed(net, addr);
}

bool group_is_claimed(const struct net *net, const struct addr *addr)
{
	return group_claimants(net, addr, ALL_PORTS) != 0;
}

struct udp_socket *group_socket(const struct net *net, const struct arrival *a, uint16_t port)
{
	const struct group *g = group_find(net, a->port_index, &a->dst);

	for (uint16_t i = g ? g->member_first : 0; i; i = member_at(net, i)->next) {
		const struct group_member *m = member_at(net, i);

		if (m->socket->port == port &&
		    (addr_is_any(&m->source) || addr_equal(&m->source, &a->src)))
			return m->socket;
	}
	return NULL;
}

uint64_t group_claimants(const struct net *net, const struct addr *group, uint16_t port)
{
	return net->config.udp_claims ? net_claims_of_name(net->config.udp_claims, group, port) : 0;
}

// RFC 3376 R10, R11, R12: of several questions the first answer is theirs too.
void group_asked(struct net *net, uint16_t port_index, bool is_ip6, const struct addr *group,
		 uint32_t delay_ms)
{
	uint64_t due_ns = soon(net, (uint64_t)delay_ms * NS_PER_MS + 1);
	uint64_t *when = &net->groups.port[port_index].answer_ns[is_ip6];

	if (group) {
		struct group *g = group_find(net, port_index, group);

		if (!g || g->member_first == 0)
			return;
		when = &g->answer_ns;
	}
	*when = MIN(*when, due_ns);
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
		release(net, g);
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

void groups_init(struct net *net)
{
	struct groups *t = &net->groups;

	for (uint16_t i = GROUPS_MAX; i > 0; i--) {
		t->group[i - 1].next = t->group_free;
		t->group[i - 1].repeat_ns = TIME_NEVER_NS;
		t->group_free = i;
	}
	for (uint16_t i = GROUP_MEMBERS_MAX; i > 0; i--) {
		t->member[i - 1].next = t->member_free;
		t->member_free = i;
	}
	for (uint32_t i = 0; i < PORTS_MAX; i++)
		t->port[i].answer_ns[0] = t->port[i].answer_ns[1] = TIME_NEVER_NS;
	t->timer.kind = TIMER_GROUP;
	wheel_set_kind(net->wheel, TIMER_GROUP, timer_fires, net);
}

void groups_fini(struct net *net)
{
	wheel_stop(net->wheel, &net->groups.timer);
}
