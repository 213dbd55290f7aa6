// SPDX-License-Identifier: BSD-3-Clause
// TCP as the floors above see it: segments in, requests down, events out.
//
// core/stack.c hands segments to tcp_input; api/ makes requests; nothing here calls the
// application: a connection that has news is put on the ready list and tcp_deliver writes its
// events after the burst. What a connection wants to send leaves in tcp_flush, once a turn.
#pragma once

#include <prismnet/types.h>

#include "base/addr.h"
#include "base/env.h"
#include "net/net.h"
#include "port/arrival.h"
#include "sync/survey.h"

struct tcp;
struct tcp_shared; // tcp/shared.h
struct wheel;

struct tcp_config {
	uint32_t connections_max;
	uint32_t half_open_max;
	uint32_t time_wait_max; // rounded up to a power of two; a full ring loses its oldest
	uint32_t listeners_max;
	uint32_t send_descs_max;    // descriptors of unacknowledged or unsent runs, all connections
	uint32_t send_bytes_max;    // a connection
	uint32_t receive_bytes_max; // a connection: window and unreleased true size
	uint64_t time_wait_ns;
	uint64_t keepalive_ns;    // 0: off
	uint64_t user_timeout_ns; // 0: none, until R2 (patience.c)
	uint64_t delayed_ack_ns;
	uint64_t rto_ns_min;
	uint16_t mss_max; // 0: the path's
	enum prism_congestion congestion;
	enum prism_ecn ecn;
	uint32_t fixed_window_bytes; // of PRISM_CONGESTION_NONE
	uint32_t address_count;      // that the instance has, where several workers share
	bool sack_off;               // neither offered nor agreed to
	bool pmtu_off;               // packets do not shrink because they are not answered
	bool paces;                  // text of all connections leaves at a rate
	bool has_ip6;                // IPv6 has a flow table of its own
	struct tcp_shared *shared;   // of the workers this one is one of; NULL: it is alone
};

struct tcp_tuple {
	struct addr local, remote;
	uint16_t local_port, remote_port; // host byte order
};

// All memory of TCP comes from here, once. NULL with err_set. env, net, wheel outlive it.
struct tcp *tcp_create(const struct tcp_config *config, struct env *env, struct net *net,
		       struct wheel *wheel);

// Resets every connection that has a peer, releases everything.
void tcp_destroy(struct tcp *tcp);

// A segment that passed IP. Takes p. arrival's l4_offset and l4_len delimit it.
void tcp_input(struct tcp *tcp, struct pkt *p, const struct arrival *arrival);

// Reads from the packet what tcp_prefetch goes by: the flow's hash, and whether there is text.
void tcp_read_flow(const struct tcp *tcp, const struct pkt *p, struct arrival *arrival);

// The same of a segment over IPv6.
void tcp_read_flow6(const struct tcp *tcp, const struct pkt *p, struct arrival *arrival);

// Fetches ahead what tcp_input will need for the segments of a burst (at most BURST_PKTS), of which
// tcp_read_flow was told: buckets, connections, what they sent that may be acknowledged.
void tcp_prefetch(const struct tcp *tcp, const struct arrival *const *arrivals, uint32_t count);
void tcp_prefetch6(const struct tcp *tcp, const struct arrival *const *arrivals, uint32_t count);

// An ICMP error about one of our segments (RFC 5927 checks apply). Returns the worker whose
// connection it is about; what is ours, or nobody's, is done.
uint32_t tcp_icmp_error(struct tcp *tcp, const struct icmp_report *report);

// Once a turn, before its packets. Does what is due without a packet, and sends what connections
// have to say: data, one ACK per connection and burst (more for a gap), FIN.
void tcp_flush(struct tcp *tcp);

// Sends what connections have to say since.
void tcp_flush_again(struct tcp *tcp);

// Writes up to count events and returns how many; the rest stay for the next call.
int tcp_deliver(struct tcp *tcp, struct prism_event *events, int count);

// True when a flush or a delivery would do something.
bool tcp_busy(const struct tcp *tcp);

// Requests. 0 or a negative errno with err_set; semantics as <prismnet/tcp.h> says.
int tcp_listen(struct tcp *tcp, const struct addr *local, uint16_t port, uint64_t user,
	       prism_listener *listener);
int tcp_unlisten(struct tcp *tcp, prism_listener listener);
int tcp_connect(struct tcp *tcp, const struct tcp_tuple *tuple, uint64_t user, prism_conn *conn);
// By the gateways of route, where that is not NULL.
int tcp_connect_by(struct tcp *tcp, const struct tcp_tuple *tuple, const struct source_route *route,
		   uint64_t user, prism_conn *conn);
int tcp_send_pkt(struct tcp *tcp, prism_conn conn, struct pkt *p);
int tcp_send_region(struct tcp *tcp, prism_conn conn, const void *bytes, size_t len,
		    const uint64_t *cookie);
uint32_t tcp_credit(struct tcp *tcp, prism_conn conn);
int tcp_close(struct tcp *tcp, prism_conn conn);
int tcp_abort(struct tcp *tcp, prism_conn conn);
int tcp_set_user(struct tcp *tcp, prism_conn conn, uint64_t user);
int tcp_tuple_of(struct tcp *tcp, prism_conn conn, struct tcp_tuple *tuple);

// Settings of one connection. What is not set is tcp_config's or the default.
enum tcp_option {
	TCP_SET_KEEPALIVE_S, // idle seconds before probes, 0: off (RFC 9293 3.8.4)
	TCP_SET_GIVE_UP_S,   // R2: seconds without an answer before CLOSED, 0: 100 (RFC 9293 3.8.3)
	TCP_SET_DSCP,        // 0..63 (RFC 9293 3.9.2.1)
	TCP_SET_TTL,         // 1..255, 0: 64 (RFC 9293 3.9.2)
	TCP_SET_CONGESTION,  // enum prism_congestion
	TCP_SET_ECN,         // enum prism_ecn
	TCP_SET_PACING,      // 0 or 1
	TCP_SET_USER_TIMEOUT_MS, // nothing moves for so long, so CLOSED; 0: R2 (RFC 9293 3.9.1.1)
	TCP_SET_KEEPALIVE_INTERVAL_S, // between probes, 0: 75
	TCP_SET_KEEPALIVE_PROBES,     // without an answer until CLOSED, 0: 9
	TCP_SET_NO_DELAY,             // 0: Nagle's algorithm (RFC 9293 3.7.4)
	TCP_SET_CORK,                 // 1: what is no whole segment waits
	TCP_SET_SEND_BYTES,           // unsent and unacknowledged, 0: send_bytes_max
	TCP_SET_RECEIVE_BYTES,        // window and unreleased, 0: receive_bytes_max
	TCP_SET_FAST_OPEN,            // a listener: how many may be pending; a connect: 1
	TCP_SET_COUNT,
};
int tcp_set_option(struct tcp *tcp, prism_conn conn, enum tcp_option option, uint64_t value);

// The same of a listener: what the connections that others open begin with, from now on.
int tcp_set_listener_option(struct tcp *tcp, prism_listener listener, enum tcp_option option,
			    uint64_t value);

// The application is done with a received packet (or sends it on): opens the owner's window.
// Does not release p.
void tcp_uncharge(struct tcp *tcp, struct pkt *p);

// The same for a packet that is gone already.
void tcp_uncharge_bytes(struct tcp *tcp, uint64_t owner, uint32_t charge_bytes);

// Around the input of a SYN that another worker handed over, who ended a TIME-WAIT for it: what the
// new connection's first number must lie above, of the old one's. 0: of nothing.
void tcp_set_isn_floor(struct tcp *tcp, uint32_t isn_floor);

// Gives the connection to another worker, once nothing of it waits here; see <prismnet/tcp.h>.
int tcp_move(struct tcp *tcp, prism_conn conn, uint32_t to);

// A note of another worker about a connection that changes hands (port/mesh.h). Takes p.
void tcp_note(struct tcp *tcp, struct pkt *p, uint16_t word);

// Of the connection table, for a thread that is no worker and visits it, and for the undertaker.
struct epoch *tcp_epoch(struct tcp *tcp);

struct tcp_counts {
	uint32_t half_open, open, time_wait;
};
void tcp_count(const struct tcp *tcp, struct tcp_counts *counts);

// How the connection table is doing, and how many keys it is made for. Each call looks at a few
// more buckets, so that it is known without a halt.
struct tcp_table {
	struct survey_result now;
	uint64_t capacity;
};
void tcp_survey(struct tcp *tcp, struct tcp_table *result);

// Bytes one idle established connection costs, all in: its slot, its share of what
// all connections have together.
uint32_t tcp_idle_conn_bytes(const struct tcp *tcp);
