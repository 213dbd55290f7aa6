// SPDX-License-Identifier: BSD-3-Clause
/// The words of the public API: handles, buffers, events. No DPDK type, no global.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A whole instance: its workers, ports and memory.
struct prism;

/// One core's share of it. Everything on the data path names its worker.
struct prism_worker;

/// A run of bytes in packet memory. *given* with DATA and DATAGRAM events (yours until released or
/// sent), or allocated with prism_buf_alloc.
struct prism_buf;

/// Handles carry generation and index: a stale one is refused with -ESTALE, never a crash; one of
/// another worker with -EXDEV. The all-zero handle names nothing.
typedef struct {
	uint64_t id;
} prism_conn;

typedef struct {
	uint64_t id;
} prism_listener;

typedef struct {
	uint64_t id;
} prism_udp;

typedef struct {
	uint64_t id;
} prism_timer;

/// An internet address, 16 bytes in network order; IPv4 as ::ffff:a.b.c.d. All zero: any.
struct prism_addr {
	uint8_t byte[16];
};

/// An address and a port in host byte order.
struct prism_endpoint {
	struct prism_addr addr;
	uint16_t port;
};

enum prism_event_type {
	PRISM_EVENT_NONE,
	PRISM_EVENT_ACCEPTED, ///< conn is new and established; user is its listener's. What follows
			      ///< on conn comes with a later poll: prism_tcp_set_user is in time
			      ///< for it
	PRISM_EVENT_CONNECTED, ///< a connect succeeded
	PRISM_EVENT_DATA,      ///< data, len, buf: received in order; *gives* buf
	PRISM_EVENT_EOF,       ///< the peer will send no more; sending is still possible
	PRISM_EVENT_SENT,      ///< all borrowed bytes up to this cookie are acknowledged
	PRISM_EVENT_WRITABLE,  ///< after -EAGAIN: there is room again
	PRISM_EVENT_CLOSED,    ///< conn is over, for the reason given; the handle is dead now
	PRISM_EVENT_DATAGRAM,  ///< udp, peer, local, data, len, buf; *gives* buf
	PRISM_EVENT_UDP_ERROR, ///< an ICMP error came back for what udp sent to peer
	PRISM_EVENT_TIMER,     ///< timer fired and is gone
	PRISM_EVENT_MOVED,     ///< conn came from another worker (prism_tcp_move) and is this one's
			       ///< now; what follows on it comes with a later poll
};

/// How a sender finds out how fast the network takes what it sends.
enum prism_congestion {
	PRISM_CONGESTION_CUBIC,   ///< CUBIC with HyStart++ (RFC 9438, RFC 9406), as most of the
				  ///< internet
	PRISM_CONGESTION_NEWRENO, ///< RFC 5681 and RFC 6582, with HyStart++
	/// No congestion control: fixed_window_bytes may be in flight, from the first segment on,
	/// and no loss makes it less. Losses are still repaired. For a network of your own that
	/// carries that much of all its connections together; anywhere else it is a fault.
	PRISM_CONGESTION_NONE,
	/// BBRv3 (draft-ietf-ccwg-bbr-06): sends at the rate at which the network delivers, and
	/// does not take a loss for a full queue. Paced, whatever is said of pacing. It needs a
	/// record, of which an instance has few where this is not what all connections have.
	PRISM_CONGESTION_BBR,
};

/// Congestion marks (ECN, RFC 3168): routers mark packets instead of dropping them, and the
/// receiver echoes the marks. Both sides must agree when a connection begins.
enum prism_ecn {
	PRISM_ECN_PASSIVE, ///< agree when the peer asks, do not ask (Linux's tcp_ecn=2, its
			   ///< default)
	PRISM_ECN_ON,      ///< ask, too; a SYN that is not answered goes again without asking
	PRISM_ECN_OFF,     ///< neither ask nor agree
};

/// Why a connection ended.
enum prism_close_reason {
	PRISM_CLOSE_NONE,
	PRISM_CLOSE_DONE,            ///< both sides closed in order
	PRISM_CLOSE_RESET,           ///< the peer sent a reset
	PRISM_CLOSE_ABORTED,         ///< prism_tcp_abort was called here
	PRISM_CLOSE_REFUSED,         ///< a connect was answered with a reset
	PRISM_CLOSE_TIMEOUT,         ///< retransmissions ran out (RFC 9293 3.8.3)
	PRISM_CLOSE_CONNECT_TIMEOUT, ///< the handshake did not complete in time
	PRISM_CLOSE_KEEPALIVE,       ///< the peer did not answer keep-alive probes
	PRISM_CLOSE_UNREACHABLE,     ///< ICMP said so while connecting
	PRISM_CLOSE_NO_MEMORY,       ///< no buffers or connection slots
	PRISM_CLOSE_LINGER,          ///< closed here, and the peer did not finish in time
	PRISM_CLOSE_SHUTDOWN,        ///< the stack was closed
	PRISM_CLOSE_ADDRESS_GONE,    ///< the address it spoke from is not ours any more
	PRISM_CLOSE_USER_TIMEOUT,    ///< the peer took nothing for as long as the user timeout says
};

/// One thing that happened. What a type does not name is zero.
struct prism_event {
	uint32_t type; ///< enum prism_event_type
	uint32_t len;  ///< DATA, DATAGRAM: bytes at data (a fragmented datagram: of its first run)
	uint64_t user; ///< the cookie given with listen, connect, set_user, open or timer
	union {
		prism_conn conn;
		prism_udp udp;
		prism_timer timer;
	};
	const void *data;      ///< DATA, DATAGRAM: first byte; valid as long as buf
	struct prism_buf *buf; ///< DATA, DATAGRAM: *given*: release it, or send it on
	uint64_t cookie;       ///< SENT: the cookie of prism_tcp_send_borrowed
	uint32_t reason;       ///< CLOSED: enum prism_close_reason; UDP_ERROR: a positive errno
	uint16_t peer_port;    ///< DATAGRAM, UDP_ERROR
	uint16_t local_port;   ///< DATAGRAM, UDP_ERROR
	const struct prism_addr *peer;  ///< DATAGRAM, UDP_ERROR: valid until the next prism_poll
	const struct prism_addr *local; ///< DATAGRAM, UDP_ERROR: valid until the next prism_poll
};

#ifdef __cplusplus
}
#endif
