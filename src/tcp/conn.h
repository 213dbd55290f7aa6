// SPDX-License-Identifier: BSD-3-Clause
// A connection and what TCP keeps beside it: fields, birth and death.
//
// Sequence numbers are 64-bit stream offsets inside (segment.c makes them, output.c truncates):
// the low 32 bits are the wire's, the start lies above 2^32, every comparison is a plain <.
//
//              una                               nxt             end
//   --------|---------------------------------|---------------|---------|
//    acked   in flight, lost, or sacked          queued, unsent  FIN (1)
//            (scoreboard.h)
//
// Two fields are read at any time by workers whose connection it is not: who is asked about a
// handle looks at generation and flags of a slot, whoever has it. Both are single-writer cells
// (sync/cell.h), the owner's, who changes when a connection moves: the ring's release and acquire
// put the old owner's stores before the new one's. Readers see some recent value of each, and of
// the two not of one moment. A handle is taken for one's own only if flags say so: these one wrote
// oneself, as late as generation, so what one owns is never misread. What others own is refused,
// with words in which the worker may be a moment old.
//
// A third, flush_next, is read by one to whom the connection is on its way, and is no cell: he
// knows that it is from the table (input.c:hand_to_owner), which publishes the old owner's stores
// with the value that names the new one (release, acquire), and from then on nobody else stores
// there.
#pragma once

#include <prismnet/types.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/env.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/wheel.h"
#include "net/net.h"
#include "sync/cell.h"
#include "sync/survey.h"
#include "sync/table.h"
#include "tcp/cc_state.h"
#include "tcp/run.h"
#include "tcp/shared.h"
#include "tcp/tcp.h"

// RFC 9293 3.3.2, one bit each, so that a set of states is a mask.
enum state {
	CLOSED = 1 << 0,
	LISTEN = 1 << 1,
	SYN_SENT = 1 << 2,
	SYN_RECEIVED = 1 << 3,
	ESTABLISHED = 1 << 4,
	FIN_WAIT_1 = 1 << 5,
	FIN_WAIT_2 = 1 << 6,
	CLOSE_WAIT = 1 << 7,
	CLOSING = 1 << 8,
	LAST_ACK = 1 << 9,
	TIME_WAIT = 1 << 10,
};
#define STATE_COUNT 11

// The peer has not sent its FIN yet: text is accepted.
#define STATES_RECEIVING (ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2)
// Text may still leave (queued before our FIN, or retransmitted).
#define STATES_SENDING (ESTABLISHED | CLOSE_WAIT | FIN_WAIT_1 | CLOSING | LAST_ACK)
// Both directions are known to the peer: SYN exchanged.
#define STATES_SYNCHRONIZED (STATES_RECEIVING | STATES_SENDING | TIME_WAIT)

enum conn_flag {
	CONN_IN_FLUSH = 1 << 0,   // on the list of those with something to say
	CONN_IN_READY = 1 << 1,   // on the list of those with news for the application
	CONN_ACK_NOW = 1 << 2,    // an ACK leaves at the next flush, alone if need be
	CONN_FIN_QUEUED = 1 << 3, // the application closed: FIN stands behind snd.end
	CONN_TS = 1 << 4,         // timestamps agreed on (RFC 7323)
	CONN_WANTS_ROOM = 1 << 5, // a send was refused for its own bytes; WRITABLE is owed
	CONN_RECOVERY = 1 << 6,   // fast recovery until trouble's recover (RFC 6582)
	CONN_PERSIST = 1 << 7,    // the retransmission deadline is a zero-window probe's
	CONN_RTX_NOW = 1 << 8,    // one retransmission goes out whatever cwnd says
	CONN_SYN_RETRANSMITTED = 1 << 9,
	CONN_PROBE = 1 << 10,         // a keep-alive probe is due
	CONN_DISCARD = 1 << 11,       // undelivered data is not wanted any more
	CONN_EARLY_ACKS = 1 << 12,    // text came early: early_acks are owed
	CONN_AFTER_RTO = 1 << 13,     // slow start goes through what was lost, up to recover
	CONN_WINDOW_PROBE = 1 << 14,  // one octet may leave although the window is closed
	CONN_APP_LIMITED = 1 << 15,   // after the last flush half of cwnd or more was not used
	CONN_TROUBLE = 1 << 16,       // trouble is the index of a record
	CONN_EARLY = 1 << 17,         // early is not NULL
	CONN_KEEPALIVE_SET = 1 << 18, // its tuning says, not the configuration
	CONN_MOVING = 1 << 19,        // it goes to moves_to as soon as nothing of it waits here
	CONN_SYN_AGAIN = 1 << 20,     // its SYN was answered by an older connection, and repeated
	CONN_SACK = 1 << 21,          // selective acknowledgments agreed on (RFC 2018)
	CONN_PTO = 1 << 22,           // the retransmission deadline is a tail probe's (RFC 8985 7)
	CONN_SAMPLED = 1 << 23,       // its congestion control asks for samples (rate.h)
	CONN_TUNED = 1 << 24,         // it has settings of its own (tune.h)
};
// Above the flags: the worker whose connection it is, plus one. So a slot that is free, or cleared
// at this moment by whose it was, is nobody's: who has an old handle may look at it meanwhile.
#define CONN_WORKER_SHIFT 25
#define CONN_IN_TRANSIT 126u // nobody's: between two workers; flush_next is the one it left

// In good weather an ACK that nothing waits for looks at none of line 3.
#define CONN_IN_TROUBLE (CONN_AFTER_RTO | CONN_TROUBLE)

// Events owed to the application; data has its own queue.
enum news { // in the order in which they are told
	NEWS_ACCEPTED = 1 << 0,
	NEWS_CONNECTED = 1 << 1,
	NEWS_MOVED = 1 << 2,
	NEWS_EOF = 1 << 3,
	NEWS_SENT = 1 << 4,
	NEWS_WRITABLE = 1 << 5,
	NEWS_CLOSED = 1 << 6,
};
#define NEWS_BIRTH (NEWS_ACCEPTED | NEWS_CONNECTED | NEWS_MOVED)

#define NO_INDEX UINT32_MAX

// Full acknowledgements at the start of a connection that are not delayed, so that the peer's slow
// start gets its feedback (RFC 5681 allows up to one per segment), and after a silence (input.c).
#define CONN_QUICK_ACKS 16 // as Linux

#define CONN_DUPACKS_MAX 7

#define CONN_PROBES_MAX 15 // that probes can count

// Duplicate ACKs of one burst: with three the sender sends again (RFC 5681 3.2).
#define CONN_EARLY_ACKS_MAX 3

struct conn {
	// Line 0: who, and the sending side.
	uint32_t flags;        // enum conn_flag; a cell: written by conn_set, conn_unset
	uint32_t generation;   // odd while in use; a cell
	uint32_t flush_next;   // list of those with something to say; free list while unused
	uint32_t ready_next;   // list of those with news
	uint16_t state;        // enum state, one bit; conn_enter is the only writer
	uint16_t mss_bytes;    // payload of a full segment: RFC 9293's Eff.snd.MSS
	uint8_t news;          // enum news
	uint8_t snd_scale : 4; // shift of windows we receive, 0..14
	uint8_t rcv_scale : 4; // shift of windows we send, 0..14
	uint8_t probes : 4;    // keep-alive probes without an answer
	uint8_t reason : 4;    // enum prism_close_reason; while connecting, what ICMP said
	uint8_t dupacks : 3;   // in a row; grows up to CONN_DUPACKS_MAX
	uint8_t backoff : 5;   // doublings of the retransmission or probe interval
	struct {
		uint64_t una;     // SND.UNA: oldest not acknowledged
		uint64_t nxt;     // SND.NXT: first never sent
		uint64_t end;     // one past the last queued byte; the FIN's place
		uint32_t wnd;     // SND.WND in bytes
		uint32_t wnd_max; // the largest ever offered
		uint64_t wl1;     // SND.WL1; WL2 is never above una, so the test on it always holds
	} snd;

	// Line 1: the receiving side, the queue, the congestion window.
	struct {
		uint64_t nxt;       // RCV.NXT
		uint32_t wnd;       // RCV.WND: what the peer was told, less what came since
		uint32_t unacked;   // sequence space received since our last ACK
		uint32_t charged;   // true size of buffers undelivered, unreleased or out of order
		uint32_t ts_recent; // TS.Recent
	} rcv;
	struct {
		uint32_t head, tail; // descriptors from una to end
		uint32_t next;       // the one with nxt in it, or NO_INDEX
		uint32_t cost;       // of what all connections share (room.h)
	} sendq;
	struct {
		uint32_t cwnd_bytes;
		uint32_t acked;   // bytes counted toward the next increase
		uint32_t sent_ms; // when text last left (RFC 5681 4.1)
	} cc;
	uint32_t ts_recent_s; // when TS.Recent was taken, seconds (RFC 7323 5.5)
	uint64_t user;        // the application's cookie

	// Line 2: time.
	uint64_t retransmit_ns; // retransmission or window probe due; TIME_NEVER_NS: off
	uint64_t ack_ns;        // delayed ACK due
	uint64_t idle_ns;       // keep-alive or FIN-WAIT-2 timeout due
	struct timer timer;     // one token, armed no later than the earliest of the three
	struct {
		uint32_t srtt_us; // 0: not measured yet
		uint32_t rttvar_us;
	} rtt;

	// Line 3: trouble; and what a flag, or another field, says there is need of.
	union cc_state cc_state; // asked where the window was the limit, as ssthresh
	uint8_t cc_kind : 2;     // enum prism_congestion
	uint8_t cc_phase : 3;    // enum cc_phase: what cc_state is
	uint8_t cc_prior : 2;    // enum cc_prior
	uint8_t is_passive : 1;  // the peer opened it
	uint32_t trouble : 24;   // with CONN_TROUBLE: index of a record (trouble.h)
	uint32_t pace_next;      // with paced: when the next text is due (pace.c)
	struct pkt *early;       // what came out of order: the root of a tree (early.c)
	uint64_t sent_cookie;    // of the last borrowed range acknowledged
	uint32_t stalled_ms;     // when retransmissions began to go unanswered; 0: while backoff is
	uint16_t min_rtt_ticks;  // the shortest round trip (rtt.h)
	uint16_t r2_s;           // RFC 9293 3.8.3: give up after this long
	uint32_t ssthresh_bytes; // RFC 5681 3.1; asked where the window was the limit
	uint32_t stray_ms;       // when what was out of place and without text was last answered
	uint8_t early_acks : 2;  // bare ACKs owed for what came early since the last, 0..3
	uint8_t reordered : 1;   // RFC 8985: reordering was seen
	uint8_t reorder_steps : 5; // and by so many quarters of a round trip more than one
	uint8_t reorder_persist;   // recoveries until that is 0 again
	uint16_t full_bytes;       // of the IP packet that a full segment makes
	uint32_t early_bytes;      // what of rcv.charged came early

	// Line 4: the way to the peer.
	struct net_path path;
	uint16_t local_port, remote_port;
	uint8_t dscp : 6;                // RFC 9293 3.9.2, MUST-48
	uint8_t ecn_agreed : 1;          // on marks (ecn.h); until then: our SYN asks
	uint8_t ecn_quiet : 1;           // and yet nothing is sent with ECT
	uint8_t ttl;                     // RFC 9293 3.9.2, MUST-49; 0: the default
	uint8_t quick_acks : 5;          // ACKs that still go out at once, at the start
	uint8_t paced : 1;               // its text leaves at a rate (pace.h)
	uint8_t pace_waits : 1;          // and does so when the timer fires
	uint8_t holds_short : 1;         // a last segment that is short may wait (hold.h)
	uint8_t moves_to : 6;            // the worker, with CONN_MOVING
	uint8_t ecn_echo : 1;            // ECE with every ACK until CWR comes
	uint8_t ecn_cwr : 1;             // CWR with the next new text
	uint32_t early_next, early_prev; // of those that hold early text, in a circle (early.c)
} CACHE_ALIGNED;

// What an ACK looks at that has no text, when nothing is lost and no text waits for it.
#define CONN_ACK_BYTES offsetof(struct conn, cc_state)

static_assert(offsetof(struct conn, rcv) == 1 * CACHE_LINE_BYTES, "line 1 is receiving");
static_assert(offsetof(struct conn, retransmit_ns) == 2 * CACHE_LINE_BYTES, "line 2 is time");
static_assert(CONN_ACK_BYTES == 3 * CACHE_LINE_BYTES, "line 3 is trouble");
static_assert(offsetof(struct conn, path) == 4 * CACHE_LINE_BYTES, "line 4 is the path");
static_assert(WORKERS_MAX <= 1 << 6, "moves_to has six bits");
static_assert(sizeof(struct conn) == 5 * CACHE_LINE_BYTES, "an idle connection stays small");

// A list of connections through flush_next or ready_next.
struct conn_list {
	uint32_t head, tail;
};

struct pkt_list {
	struct pkt *head, *tail;
};

#define LISTENER_CHAINS 256 // by the low bits of the port: a SYN looks at one or two

struct bbr_record;
struct debt;
struct half_open;
struct listener;
struct time_wait;
struct show;
struct trouble;

struct tcp {
	struct env *env;
	struct net *net;
	struct wheel *wheel;
	struct show *show; // NULL: nobody sees connections (show.h)
	uint64_t show_due_ns;
	struct tcp_shared *shared;
	struct table *table;  // of all workers, as conn: IPv4's flows,
	struct table *table6; // and IPv6's; NULL while there is no address of it
	struct conn *conn;
	struct tuning *tuning; // of each slot
	struct send_desc *desc;
	uint32_t worker;      // our number: of values in the table, as its writer
	uint32_t worker_bits; // the same where a value has it
	uint32_t worker_mask; // where a value has the worker
	uint32_t index_mask;  // where it has the index
	uint32_t conn_free;   // first free slot
	uint32_t conn_count;  // slots in use
	struct trouble *trouble;
	uint32_t trouble_free, trouble_count;
	struct bbr_record *bbr;
	uint32_t bbr_free, bbr_fresh; // first free one; none beyond was ever used
	uint32_t desc_free;
	uint32_t desc_count;
	uint32_t descs_a_send;           // what the largest send takes
	uint32_t cost, cost_max;         // of all that is queued; a descriptor costs 1 (room.h)
	uint32_t cost_free;              // of one connection, always
	uint32_t tx_cost;                // of a packet of POOL_TX with its descriptor
	uint32_t share_shift;            // what is left squared, shifted, is what one may hold
	uint32_t waiting_count;          // connections that wait for descriptors,
	struct room_link *waiting;       // in a circle (room.h) that begins
	uint32_t waiting_first;          // here
	struct debt *debt;               // to each worker, for the connections that came (move.h)
	uint64_t owing;                  // a bit for each worker to whom there is one
	uint32_t lent_conns, lent_descs; // left with connections, and none came back
	struct conn_list flush, births, ready;
	struct pkt_list data; // received in order, not yet delivered, all connections
	uint32_t early_hand;  // in the circle of those with early text: whom to look at next
	uint32_t port_next;   // RFC 6056: steps through the ephemeral ports
	uint8_t rcv_scale;    // our window shift, from receive_bytes_max
	bool flush_failed;    // of those in flush some wanted to send and could not
	struct text_run run;
	uint32_t ack_echo;  // of an ACK that moves una, while that goes on; 0: it has none (rack.c)
	uint32_t isn_floor; // of the SYN that was just handed here (stranger.h); 0: of none
	struct {
		uint64_t second;
		uint32_t left;
	} challenge; // rate limit of RFC 5961 7

	struct {
		uint32_t pending;               // opened fast, and not complete
		uint32_t resets, resets_before; // and reset: in this period, in the one before
		uint32_t reset_index;           // of the period
		struct fast_peer *peers;        // whose cookies we have (fast_peers.c)
	} fast;

	struct half_open *half_open;
	uint32_t half_open_free, half_open_count;
	uint32_t half_open_oldest, half_open_newest;
	uint32_t reopen_next; // slot to look at because pressure fell; NO_INDEX: none
	struct {
		uint32_t seen, done; // of homeless_rounds: when the walk began, or ended
		uint32_t hand, left; // the slot to look at next, and how many still
	} homeless;
	uint8_t pressure_seen;     // enum pressure of the last flush
	uint64_t cookies_until_ns; // an ACK of nobody may answer one (cookie.h)

	struct time_wait *time_wait; // a ring: all wait equally long, so the oldest ends first
	uint32_t time_wait_mask;
	uint32_t time_wait_head, time_wait_tail; // free-running
	uint32_t time_wait_count;                // without gaps
	struct timer time_wait_timer;

	struct listener *listener;
	uint16_t listener_chain[LISTENER_CHAINS];
	struct tcp_config config;
	bool is_alone; // shared is ours alone
	int reader;    // our number in the table's epochs
	struct survey survey;
};

static inline uint32_t owner_value(const struct tcp *tcp, enum owner_kind kind, uint32_t index)
{
	return (uint32_t)kind << OWNER_SHIFT | tcp->worker_bits | index;
}

static inline uint32_t owner_index(const struct tcp *tcp, uint32_t value)
{
	return value & tcp->index_mask;
}

static inline bool owner_is_us(const struct tcp *tcp, uint32_t value)
{
	return (value & tcp->worker_mask) == tcp->worker_bits;
}

static inline uint32_t owner_worker(const struct tcp *tcp, uint32_t value)
{
	return (value & tcp->worker_mask) >> tcp->shared->index_bits;
}

static inline bool conn_in(const struct conn *c, unsigned states)
{
	return (c->state & states) != 0;
}

static inline bool conn_is(const struct conn *c, unsigned flags)
{
	return (c->flags & flags) != 0;
}

static inline void conn_set(struct conn *c, unsigned flags)
{
	cell32_set(&c->flags, c->flags | flags);
}

static inline void conn_unset(struct conn *c, unsigned flags)
{
	cell32_set(&c->flags, c->flags & ~flags);
}

static inline uint32_t conn_index(const struct tcp *tcp, const struct conn *c)
{
	return (uint32_t)(c - tcp->conn);
}

// Sequence space sent and not acknowledged.
static inline uint64_t conn_outstanding(const struct conn *c)
{
	return c->snd.nxt - c->snd.una;
}

static inline bool conn_fin_sent(const struct conn *c)
{
	return conn_is(c, CONN_FIN_QUEUED) && c->snd.nxt == c->snd.end + 1;
}

static inline bool conn_fin_acked(const struct conn *c)
{
	return conn_is(c, CONN_FIN_QUEUED) && c->snd.una == c->snd.end + 1;
}

// Puts the connection on the list of those with something to say.
static inline void conn_mark(struct tcp *tcp, struct conn *c)
{
	uint32_t index;

	if (conn_is(c, CONN_IN_FLUSH))
		return;
	conn_set(c, CONN_IN_FLUSH);
	index = conn_index(tcp, c);
	c->flush_next = NO_INDEX;
	if (tcp->flush.head == NO_INDEX)
		tcp->flush.head = index;
	else
		tcp->conn[tcp->flush.tail].flush_next = index;
	tcp->flush.tail = index;
}

// Something changed that a move may wait for.
static inline void conn_look_again(struct tcp *tcp, struct conn *c)
{
	if (UNLIKELY(conn_is(c, CONN_MOVING)) && !conn_in(c, CLOSED))
		conn_mark(tcp, c);
}

// When the first of its timers is due.
static inline uint64_t conn_earliest_ns(const struct conn *c)
{
	uint64_t earliest_ns = MIN(c->retransmit_ns, c->ack_ns);

	return MIN(earliest_ns, c->idle_ns);
}

// Of IPv4 addresses; of IPv6's flow.h has it.
static inline struct flow_key16 tuple_key(const struct addr *local, const struct addr *remote,
					  uint16_t local_port, uint16_t remote_port)
{
	DCHECK(addr_is_v4(local) && addr_is_v4(remote));
	return (struct flow_key16){{(uint64_t)addr_to_v4(local).raw << 32 | addr_to_v4(remote).raw,
				    (uint64_t)local_port << 16 | remote_port}};
}

// What conn_create makes a connection of.
struct conn_birth {
	const struct net_path *path;
	uint16_t local_port, remote_port;
	enum state state;
	uint32_t instead_of; // the value of the same key in the table; OWNER_NONE: it has none
};

// A slot with the fields every connection starts from, entered in the table. NULL when none is
// left, or the key has come into the table meanwhile; the caller says which refusal that is.
struct conn *conn_create(struct tcp *tcp, const struct conn_birth *birth);

// First sequence numbers: ours (next to be sent) and the peer's (next expected).
void conn_start_send(struct conn *c, uint32_t isn);
void conn_start_receive(struct conn *c, uint32_t irs);

// Gives the slot back once nothing refers to it: closed, told, on no list.
void conn_reap(struct tcp *tcp, struct conn *c);

// A handle: generation (32 bits), index (24). Generations of slots in use are odd, so no handle is
// 0, and none is good for a free slot. It says nothing of the worker, which may change.
#define HANDLE_INDEX_BITS 24

static inline uint64_t conn_handle_at(const struct tcp *tcp, uint32_t index)
{
	return (uint64_t)cell32_get(&tcp->conn[index].generation) << HANDLE_INDEX_BITS | index;
}

static inline uint64_t conn_handle(const struct tcp *tcp, const struct conn *c)
{
	return conn_handle_at(tcp, conn_index(tcp, c));
}

// Whose connection it is; no worker's number when it is nobody's.
static inline uint32_t conn_worker(const struct conn *c)
{
	return (cell32_get(&c->flags) >> CONN_WORKER_SHIFT) - 1;
}

// Handle -> connection of whatever worker; NULL: stale.
static inline struct conn *conn_of_any(const struct tcp *tcp, uint64_t handle)
{
	uint32_t index = handle & ((1u << HANDLE_INDEX_BITS) - 1);

	if (UNLIKELY(index >= tcp->shared->conn_count || conn_handle_at(tcp, index) != handle ||
		     !(handle >> HANDLE_INDEX_BITS & 1)))
		return NULL;
	return &tcp->conn[index];
}

// Handle -> connection of ours, or NULL when it is stale or another worker's.
static inline struct conn *conn_of(const struct tcp *tcp, uint64_t handle)
{
	struct conn *c = conn_of_any(tcp, handle);

	return LIKELY(c && conn_worker(c) == tcp->worker) ? c : NULL;
}

// request.c. What is said of a handle that conn_of does not find. A negative errno with err_set.
int conn_refuse(const struct tcp *tcp, prism_conn conn);

// The invariants of a connection, after every event.
#ifdef PRISM_DCHECK
void conn_check(const struct tcp *tcp, const struct conn *c);
#else
static inline void conn_check(const struct tcp *tcp, const struct conn *c)
{
}
#endif
