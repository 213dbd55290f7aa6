// SPDX-License-Identifier: BSD-3-Clause
/// TCP, event rung: listen, connect, send, close; what happens comes from prism_poll.
#pragma once

#include <prismnet/buf.h>
#include <prismnet/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Accept connections on an address of ours (all zero: any) and port.
/// @param user cookie of the events of its connections, until prism_tcp_set_user
/// @return 0; -EADDRINUSE, -EADDRNOTAVAIL, -ENFILE, -EINVAL (port 0)
/// Thread: the worker's, or control before run.   Blocks: never.   RFC 9293 3.9.1.1
PRISM_API int prism_tcp_listen(struct prism_worker *worker, const struct prism_endpoint *local,
			       uint64_t user, prism_listener *listener);

/// Accept no more; connections it has accepted stay.
/// @return 0; -ESTALE
/// Thread: the worker's, or control before run.   Blocks: never.
PRISM_API int prism_tcp_unlisten(struct prism_worker *worker, prism_listener listener);

/// Begin a connection; CONNECTED or CLOSED follows.
/// @param local source address and port to use, or NULL to have them chosen (RFC 6056)
/// @return 0; -ENETUNREACH, -EADDRNOTAVAIL (local is not ours, or no port is free), -EADDRINUSE,
///         -ENFILE, -EINVAL (a group, no address or no port)
/// Thread: the worker's, or control before run.   Blocks: never.   RFC 9293 3.9.1.1
PRISM_API int prism_tcp_connect(struct prism_worker *worker, const struct prism_endpoint *remote,
				const struct prism_endpoint *local, uint64_t user,
				prism_conn *conn);

#define PRISM_SOURCE_ROUTE_MAX 9

/// The gateways that packets are to go by, the first one first; IPv4's (RFC 791 3.1).
struct prism_source_route {
	struct prism_endpoint local; ///< source address and port to use; zero: chosen
	struct prism_addr gateway[PRISM_SOURCE_ROUTE_MAX];
	uint32_t count; ///< of gateways, 1 to 9
	bool strict;    ///< each is the very next on the way, the first on our link
};

/// The same by gateways of our choice, whatever way the peer's packets come; for networks of one's
/// own, where routers take such packets. prism_options.source_routes must be 1. The connection
/// stays with its worker (prism_tcp_move) and does not open fast. A listener's go back by the way
/// their SYN came, or a later segment that was expected.
/// @param remote an IPv4 address
/// @return as prism_tcp_connect; -EINVAL also for no gateway, more than nine, or an address that is
///         no host's; -EACCES: source routes are off; -ENOSPC: a worker has 254 others in use
///
/// Thread: the worker's, or control before run.   Blocks: never.   RFC 9293 3.9.2.1
PRISM_API int prism_tcp_connect_by(struct prism_worker *worker, const struct prism_endpoint *remote,
				   const struct prism_source_route *route, uint64_t user,
				   prism_conn *conn);

/// Queue a buffer for sending, all or none. *takes* buf on success; on failure it is still yours.
/// A received buffer may be sent: its payload is not touched. It leaves within the same turn.
/// A datagram that came in fragments (prism_buf_more) may not: it is several buffers.
/// @return 0; -EAGAIN (no credit: WRITABLE follows), -EPIPE, -ENOTCONN, -ESTALE, -EINVAL
/// Thread: the conn's worker.   Blocks: never.   RFC 9293 3.9.1.2
PRISM_API int prism_tcp_send(struct prism_worker *worker, prism_conn conn, struct prism_buf *buf);

/// Queue bytes inside memory from prism_region_alloc; nothing is copied and no event follows.
/// Errors as prism_tcp_send; -EINVAL also for more than send_bytes_max at once, which never fits.
/// Thread: the conn's worker.   Blocks: never.
PRISM_API int prism_tcp_send_region(struct prism_worker *worker, prism_conn conn, const void *bytes,
				    size_t len);

/// The same, and a SENT event with cookie once the peer acknowledged all of it: *borrows* the
/// bytes until then. Do not change them before. Errors as prism_tcp_send_region.
/// Thread: the conn's worker.   Blocks: never.
PRISM_API int prism_tcp_send_borrowed(struct prism_worker *worker, prism_conn conn,
				      const void *bytes, size_t len, uint64_t cookie);

/// What prism_tcp_send_copy takes in one call; more is a case for a buffer or a region.
#define PRISM_COPY_BYTES_MAX 1024

/// Copy a few bytes out of ordinary memory and queue them; the copy ledger counts it (reason api).
/// @param len at most PRISM_COPY_BYTES_MAX
/// @return as prism_tcp_send; -EMSGSIZE; -ENOBUFS when the pool is empty
/// Thread: the conn's worker.   Blocks: never.
PRISM_API int prism_tcp_send_copy(struct prism_worker *worker, prism_conn conn, const void *bytes,
				  size_t len);

/// Bytes that may be queued now; 0 for a stale handle or a conn that may not send.
/// Thread: the conn's worker.   Blocks: never.
PRISM_API uint32_t prism_tcp_credit(struct prism_worker *worker, prism_conn conn);

/// No more sending: FIN after what is queued. Receiving goes on until EOF. CLOSED follows when both
/// sides are done. After it, unread data is still delivered.
/// @return 0; -ESTALE
/// Thread: the conn's worker.   Blocks: never.   RFC 9293 3.9.1.4
PRISM_API int prism_tcp_close(struct prism_worker *worker, prism_conn conn);

/// Over at once: reset to the peer, queued data is forgotten; CLOSED (ABORTED) follows.
/// @return 0; -ESTALE
/// Thread: the conn's worker.   Blocks: never.   RFC 9293 3.9.1.6
PRISM_API int prism_tcp_abort(struct prism_worker *worker, prism_conn conn);

/// Give this connection to another worker of the stack. It goes once nothing of it waits here: no
/// event undelivered, no received buffer unreleased; until then its events come here as before. A
/// MOVED event on the other worker is the first there; from then on it is that worker's, and calls
/// here are refused. The handle stays the same, nothing is lost, and the peer notices nothing.
/// While the other gives nothing back for what came, half of this worker's slots and descriptors
/// stay: the next to go waits. Each that left holds a packet of the control pool until the other is
/// polled: poll who is given connections.
/// @param to index of the worker, below prism_worker_count
/// @return 0; -ESTALE, -EXDEV (another worker's already), -ENOTCONN (not established yet, or over),
/// -EINVAL, -ENOTSUP (it has a source route)
/// Thread: the conn's worker.   Blocks: never.
PRISM_API int prism_tcp_move(struct prism_worker *worker, prism_conn conn, uint32_t to);

/// Replace the cookie of this connection's events.
/// @return 0; -ESTALE
/// Thread: the conn's worker.   Blocks: never.
PRISM_API int prism_tcp_set_user(struct prism_worker *worker, prism_conn conn, uint64_t user);

enum prism_tcp_option {
	PRISM_TCP_KEEPALIVE_S, ///< idle seconds before keep-alive probes; 0: none (RFC 9293 3.8.4)
	PRISM_TCP_GIVE_UP_S,   ///< seconds without an ACK until the connection ends; 0: 100 (3.8.3)
	PRISM_TCP_DSCP,        ///< of what is sent, 0..63 (RFC 2474)
	PRISM_TCP_TTL,         ///< hops it may take, 1..255; 0: 64 (RFC 9293 3.9.2)
	PRISM_TCP_CONGESTION,  ///< enum prism_congestion; from none or to it the window begins anew
	PRISM_TCP_ECN, ///< enum prism_ecn; between connect and the next poll: whether to ask. Later
		       ///< only PRISM_ECN_OFF does anything: what is sent cannot be marked any more
	PRISM_TCP_PACING, ///< 1: a window leaves over a round trip; 0: as soon as it may. Of a
			  ///< connection with PRISM_CONGESTION_BBR: when it has another
	/// Milliseconds, 100 to 86400000, for which nothing of what was sent is acknowledged, or
	/// the peer's window stays closed before text, until the connection ends with USER_TIMEOUT;
	/// instead of PRISM_TCP_GIVE_UP_S and, of unanswered keep-alive probes, of their number. 0:
	/// none, a closed window may last for ever (RFC 9293 3.9.1.1)
	PRISM_TCP_USER_TIMEOUT_MS,
	PRISM_TCP_KEEPALIVE_INTERVAL_S, ///< seconds between keep-alive probes; 0: 75
	PRISM_TCP_KEEPALIVE_PROBES,     ///< 1..15 without an answer until the connection ends; 0: 9
	PRISM_TCP_NO_DELAY,   ///< 0: a short segment waits while something is in flight (Nagle, RFC
			      ///< 9293 3.7.4); 1: it does not, as is the default
	PRISM_TCP_CORK,       ///< 1: what is no whole segment waits for more, 200 ms at most; 0: it
			      ///< leaves
	PRISM_TCP_SEND_BYTES, ///< unsent and unacknowledged, 32768..send_bytes_max; 0: that
	PRISM_TCP_RECEIVE_BYTES, ///< window and unreleased, 4096..receive_bytes_max; 0: that. What
				 ///< was offered stays offered. Before the SYN leaves, of the first
				 ///< window too
	/// Of a listener: how many connections may be open to the application before their
	/// handshake is complete, because text and a cookie came with the SYN; 0: none (RFC 7413).
	/// Of a connect, before the next poll: 1, its SYN carries text if the peer gave a cookie
	/// before, and may be given text at once. Text of a SYN may arrive twice: for what bears
	/// repeating alone
	PRISM_TCP_FAST_OPEN,
};

/// Change one setting of this connection.
/// @param value as said above, at most 65535 for seconds
/// @return 0; -ESTALE, -EINVAL for an unknown option, or a value that it does not take; -ENOSPC:
/// no record is left for PRISM_CONGESTION_BBR, and what it had goes on
/// Thread: the conn's worker.   Blocks: never.
PRISM_API int prism_tcp_set_option(struct prism_worker *worker, prism_conn conn,
				   enum prism_tcp_option option, uint64_t value);

/// Change what the connections of a listener begin with, from the next on; PRISM_TCP_ECN: only
/// PRISM_ECN_OFF does anything. What is not set is the configuration's. Of several workers each has
/// a listener of its own.
/// @return 0; -ESTALE, -EXDEV (another worker's), -EINVAL as prism_tcp_set_option
/// Thread: the worker's, or control before run.   Blocks: never.
PRISM_API int prism_tcp_set_listener_option(struct prism_worker *worker, prism_listener listener,
					    enum prism_tcp_option option, uint64_t value);

/// Both ends of a connection; either pointer may be NULL.
/// @return 0; -ESTALE
/// Thread: the conn's worker.   Blocks: never.
PRISM_API int prism_tcp_endpoints(struct prism_worker *worker, prism_conn conn,
				  struct prism_endpoint *local, struct prism_endpoint *remote);

#ifdef __cplusplus
}
#endif
