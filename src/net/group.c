// SPDX-License-Identifier: BSD-3-Clause
// Multicast groups: which sockets listen to which, on which port, from whom (RFC 3376 2, RFC 3810
// 3). Called by udp_group.c and udp_socket.c with requests, by udp.c, ip4.c and ip6.c with what
// arrived. What is said of it to the link is group_say.c's.
//
// Deliberately not here: a list of senders that are not wanted. EXCLUDE has an empty one always.
#include "net/group.h"

#include <errno.h>

#include "base/err.h"
#include "base/time.h"
#include "net/inside.h"
#include "net/udp.h"

#define ALL_UDP_PORTS 0 // under which a worker claims a group whatever the socket's port

static struct group *group_at(struct net *net, uint16_t index)
{
	return &net->groups.group[index - 1];
}

struct group_member *group_member_at(const struct net *net, uint16_t index)
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

// Claims are made by what a datagram says of itself: the port it comes by, group, sender or any,
// UDP port.
static uint64_t name_of(uint16_t port_index, const struct addr *group, const struct addr *source,
			uint16_t udp_port)
{
	static const uint8_t no_key[16];
	struct {
		struct addr group, source;
		uint64_t port_index;
	} key = {*group, *source, port_index};

	return claims_name(hash_siphash(no_key, &key, sizeof(key)), udp_port);
}

static uint64_t claimants(const struct net *net, uint16_t port_index, const struct addr *group,
			  const struct addr *source, uint16_t udp_port)
{
	const struct claims *claims = net->config.udp_claims;

	if (!claims || !claims_have_names(claims))
		return 0;
	return claims_of_name(claims, name_of(port_index, group, source, udp_port));
}

static const struct addr ANY;

uint64_t group_claimants(const struct net *net, const struct arrival *a, uint16_t udp_port)
{
	return claimants(net, a->port_index, &a->dst, &ANY, udp_port) |
	       claimants(net, a->port_index, &a->dst, &a->src, udp_port);
}

bool group_is_claimed(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	return claimants(net, port_index, addr, &ANY, ALL_UDP_PORTS) != 0;
}

bool group_others_hear(const struct net *net, const struct group *g)
{
	return (claimants(net, g->port_index, &g->addr, &ANY, ALL_UDP_PORTS) &
		~(UINT64_C(1) << net->env->worker_index)) != 0;
}

void group_release(struct net *net, struct group *g)
{
	struct groups *t = &net->groups;
	uint16_t index = (uint16_t)(g - t->group + 1);
	uint16_t *link = &t->head[slot_of(net, g->port_index, &g->addr)];

	while (*link != index)
		link = &group_at(net, *link)->next;
	*link = g->next;
	g->next = t->group_free;
	g->repeat_ns = g->answer_ns = TIME_NEVER_NS;
	t->group_free = index;
	t->count--;
}

// One that was left, and whose farewell is only to be said again.
static void make_room(struct net *net)
{
	struct groups *t = &net->groups;

	for (uint32_t i = 0; t->group_free == 0 && i < GROUPS_MAX; i++)
		if (t->group[i].member_first == 0)
			group_farewell(net, &t->group[i]);
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
	for (uint16_t *link = &g->member_first; *link; link = &group_member_at(net, *link)->next) {
		const struct group_member *m = group_member_at(net, *link);

		if (m->socket == s && addr_equal(&m->source, source))
			return link;
	}
	return NULL;
}

static bool has_room_for(const struct net *net, const struct group *g, const struct addr *source)
{
	struct group_record r;

	if (!g)
		return net->groups.group_free && net->groups.member_free;
	group_senders(net, g, &r);
	return net->groups.member_free && (addr_is_any(source) || group_is_wanted(&r, source) ||
					   r.source_count < GROUP_SOURCES_MAX);
}

// The others hand on what comes for it from now on.
static int claim(struct net *net, const struct group *g, const struct group_wish *w,
		 uint16_t udp_port)
{
	struct claims *claims = net->config.udp_claims;
	uint32_t me = net->env->worker_index;
	uint64_t group = name_of(w->port_index, &w->group, &ANY, ALL_UDP_PORTS);
	uint64_t name = name_of(w->port_index, &w->group, &w->source, udp_port);
	bool is_first = !g || g->member_first == 0;
	char text[ADDR_TEXT_BYTES];

	if (!claims)
		return 0;
	if (!is_first || claims_take_name(claims, group, me)) {
		if (claims_take_name(claims, name, me))
			return 0;
		if (is_first)
			claims_leave_name(claims, group, me);
	}
	return err_set(ERR_CLAIMS_FULL, "%s port %u", addr_format(&w->group, text), udp_port);
}

static void unclaim(struct net *net, const struct group *g, const struct addr *source,
		    uint16_t udp_port)
{
	struct claims *claims = net->config.udp_claims;
	uint32_t me = net->env->worker_index;

	if (!claims)
		return;
	claims_leave_name(claims, name_of(g->port_index, &g->addr, source, udp_port), me);
	if (g->member_first == 0)
		claims_leave_name(claims, name_of(g->port_index, &g->addr, &ANY, ALL_UDP_PORTS),
				  me);
}

int group_join(struct net *net, struct udp_socket *s, const struct group_wish *w)
{
	struct group *g = group_find(net, w->port_index, &w->group);
	struct group_record before;
	char text[ADDR_TEXT_BYTES];

	if (g && link_of(net, g, s, &w->source))
		return err_set(ERR_GROUP_JOINED, "%s", addr_format(&w->group, text));
	if (!g)
		make_room(net);
	if (!has_room_for(net, g, &w->source))
		return err_set(ERR_GROUPS_FULL, "%s", addr_format(&w->group, text));
	int error = claim(net, g, w, s->port);

	if (error)
		return error;
	if (!g)
		g = make(net, w);
	group_state(net, g, &before);
	uint16_t index = net->groups.member_free;
	struct group_member *m = group_member_at(net, index);

	net->groups.member_free = m->next;
	if (g->member_first == 0)
		counter_add(net->env, COUNTER_udp_groups, 1);
	*m = (struct group_member){
		.source = w->source, .on = w->on, .socket = s, .next = g->member_first};
	g->member_first = index;
	group_changed(net, g, &before);
	return 0;
}

static void leave(struct net *net, struct group *g, uint16_t *link)
{
	struct group_record before;
	uint16_t index = *link;
	struct group_member *m = group_member_at(net, index);

	group_state(net, g, &before);
	*link = m->next;
	if (g->member_first == 0)
		counter_sub(net->env, COUNTER_udp_groups, 1);
	unclaim(net, g, &m->source, m->socket->port);
	m->socket = NULL;
	m->next = net->groups.member_free;
	net->groups.member_free = index;
	group_changed(net, g, &before);
}

// By the words of the request: the port may be another by now.
static uint16_t *link_by_words(struct net *net, struct group *g, const struct udp_socket *s,
			       const struct group_wish *w)
{
	uint16_t *link = addr_equal(&g->addr, &w->group) ? link_of(net, g, s, &w->source) : NULL;

	return link && addr_equal(&group_member_at(net, *link)->on, &w->on) ? link : NULL;
}

int group_leave(struct net *net, struct udp_socket *s, const struct group_wish *w)
{
	char text[ADDR_TEXT_BYTES];

	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		struct group *g = &net->groups.group[i];
		uint16_t *link = g->member_first ? link_by_words(net, g, s, w) : NULL;

		if (!link)
			continue;
		leave(net, g, link);
		return 0;
	}
	return err_set(ERR_GROUP_NOT_JOINED, "%s", addr_format(&w->group, text));
}

void group_leave_all(struct net *net, struct udp_socket *s)
{
	for (uint32_t i = 0; net->groups.count && i < GROUPS_MAX; i++) {
		struct group *g = &net->groups.group[i];
		uint16_t *link = &g->member_first;

		while (*link) {
			if (group_member_at(net, *link)->socket == s) {
				leave(net, g, link);
				link = &g->member_first;
			} else {
				link = &group_member_at(net, *link)->next;
			}
		}
	}
}

bool group_is_heard(const struct net *net, uint16_t port_index, const struct addr *addr)
{
	const struct group *g = net->groups.count ? group_find(net, port_index, addr) : NULL;

	return (g && g->member_first) || group_is_claimed(net, port_index, addr);
}

struct udp_socket *group_socket(const struct net *net, const struct arrival *a, uint16_t port)
{
	const struct group *g = group_find(net, a->port_index, &a->dst);

	for (uint16_t i = g ? g->member_first : 0; i; i = group_member_at(net, i)->next) {
		const struct group_member *m = group_member_at(net, i);

		if (m->socket->port == port &&
		    (addr_is_any(&m->source) || addr_equal(&m->source, &a->src)))
			return m->socket;
	}
	return NULL;
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
	group_say_init(net);
}

void groups_fini(struct net *net)
{
	wheel_stop(net->wheel, &net->groups.timer);
}
