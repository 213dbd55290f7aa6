// SPDX-License-Identifier: BSD-3-Clause
// Multicast groups that sockets listen to, and what is said of them to routers, and to switches
// that look at it: as a host of IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), which have one state
// machine in two alphabets. group.c has the groups, group_say.c is the machine, igmp.c and mld.c
// are the alphabets.
//
//	group on a port --> member --> member ..      one for each socket and sender that is wanted
//	                    socket     socket
//	                    sender     any sender
//
// Of several workers each has the groups of his own sockets, and the claims of all
// (sync/claims.h) say who has any: under a name made of port and group, with UDP port 0, and of
// port, group, sender or any, with the socket's UDP port.
#pragma once

#include "base/wheel.h"
#include "net/net.h"
#include "wire/igmp.h"

#define GROUPS_MAX 64
#define GROUP_MEMBERS_MAX 256
#define GROUP_SOURCES_MAX 16 // senders that one group is asked for
#define GROUP_HEADS 64

struct udp_socket;

// What is said of one group at a time.
struct group_record {
	uint8_t type; // enum group_record_type
	uint8_t source_count;
	struct addr source[GROUP_SOURCES_MAX];
};

struct group_member {
	struct addr source;        // any: whoever sends
	struct addr on;            // as the request said it
	struct udp_socket *socket; // NULL: free
	uint16_t next;             // of the group, or free; index + 1
};

struct group {
	struct addr addr;
	uint16_t port_index;
	uint16_t next;         // with this hash, or free; index + 1
	uint16_t member_first; // index + 1; 0: it was left, and that is to be said once more
	uint8_t repeats_left;  // of change
	struct group_record change;
	uint64_t repeat_ns;
	uint64_t answer_ns; // to a question about this group; TIME_NEVER_NS: nobody asked
};

// What the routers of a port speak, and when all of its groups are to be told.
struct group_port {
	uint64_t igmp1_until_ns, igmp2_until_ns, mld1_until_ns;
	uint64_t answer_ns[2]; // of IPv4's groups, of IPv6's
	uint64_t round_due_ns; // when the next question may go round that is not one too many
	uint8_t robustness[2];
};

struct groups {
	uint16_t head[GROUP_HEADS]; // index + 1
	uint16_t group_free, member_free;
	uint32_t count;
	struct timer timer;
	struct group group[GROUPS_MAX];
	struct group_member member[GROUP_MEMBERS_MAX];
	struct group_port port[PORTS_MAX];
};

// True when this is said because nobody here wants anything of the group any more.
static inline bool group_says_left(const struct group *g, const struct group_record *r)
{
	return g->member_first == 0 && (r->type == GROUP_TO_INCLUDE || r->type == GROUP_BLOCK);
}

void groups_init(struct net *net);
void groups_fini(struct net *net);

// A socket wants what `source` (any: whoever) sends to the group on this port. 0 or a negative
// errno with err_set.
struct group_wish {
	struct addr group, source;
	struct addr on;      // as the request says the port, by which it is left again
	uint16_t port_index; // of joining
};
int group_join(struct net *net, struct udp_socket *s, const struct group_wish *wish);
int group_leave(struct net *net, struct udp_socket *s, const struct group_wish *wish);

// A socket is closed.
void group_leave_all(struct net *net, struct udp_socket *s);

// The group on a port, or NULL. It may have been left already.
struct group *group_find(const struct net *net, uint16_t port_index, const struct addr *addr);

// True when somebody here, or another worker, listens to it on this port: a packet to it goes on.
// Asked of all that is sent to a group.
bool group_is_heard(const struct net *net, uint16_t port_index, const struct addr *addr);

// True when one of several workers does.
bool group_is_claimed(const struct net *net, uint16_t port_index, const struct addr *addr);

// True when another worker does.
bool group_others_hear(const struct net *net, const struct group *g);

// The socket that wants what `source` sends to the group and port, or NULL.
struct udp_socket *group_socket(const struct net *net, const struct arrival *arrival,
				uint16_t port);

// Which of several workers want it.
uint64_t group_claimants(const struct net *net, const struct arrival *arrival, uint16_t port);

// What group.c and group_say.c have for each other.
struct group_member *group_member_at(const struct net *net, uint16_t index);

// The slot is free.
void group_release(struct net *net, struct group *g);

// It was left, and that is said for the last time.
void group_farewell(struct net *net, struct group *g);

// What is wanted of it changed since `before`, which is to be said.
void group_changed(struct net *net, struct group *g, const struct group_record *before);

// The senders that are wanted, whether or not any is.
void group_senders(const struct net *net, const struct group *g, struct group_record *record);

bool group_is_wanted(const struct group_record *record, const struct addr *source);

void group_say_init(struct net *net);

// A question: about one group, or any. An answer is due within delay_ms, at a random time.
void group_asked(struct net *net, uint16_t port_index, bool is_ip6, const struct addr *group,
		 uint32_t delay_ms);

// The record that says what is wanted of a group now.
void group_state(const struct net *net, const struct group *g, struct group_record *record);

// Something of groups is due at another time than before.
void group_schedule(struct net *net);

// igmp.c. Says what changed of a group, or how all groups of a port are.
void igmp_tell(struct net *net, const struct group *g, const struct group_record *record);
void igmp_tell_all(struct net *net, uint16_t port_index);

// mld.c. The same for IPv6's.
void mld_tell(struct net *net, const struct group *g, const struct group_record *record);
void mld_tell_all(struct net *net, uint16_t port_index);
