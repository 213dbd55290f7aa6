// SPDX-License-Identifier: BSD-3-Clause
/// UDP, event rung: zero-copy both ways.
#pragma once

#include <prismnet/buf.h>
#include <prismnet/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Receive datagrams for an address of ours (all zero: any) and port (0: have one chosen).
/// @return 0; -EADDRINUSE, -EADDRNOTAVAIL (not ours, or no port is free), -ENFILE
/// Thread: the worker's, or control before run.   Blocks: never.
PRISM_API int prism_udp_open(struct prism_worker *worker, const struct prism_endpoint *local,
			     uint64_t user, prism_udp *udp);

/// No more events; datagrams that wait for delivery are dropped (drop reason UDP_CLOSED).
/// @return 0; -ESTALE
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_close(struct prism_worker *worker, prism_udp udp);

/// Drop what comes from ports below 1024 and from the socket's own port number (drop reason
/// UDP_LOOP), and what is sent to a broadcast address (UDP_TO_GROUP): for services that answer
/// whatever comes, which could be made to talk to each other, or all to one victim.
/// @return 0; -ESTALE
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_clients_only(struct prism_worker *worker, prism_udp udp);

/// Send one datagram. *takes* buf on success; on failure it is still yours. A received buffer may
/// be sent. Larger than the path's MTU is fragmented.
/// @param local source address, or NULL to have it chosen
/// @return 0; -ENETUNREACH, -EMSGSIZE (over 65,507 bytes), -ESTALE, -ENOBUFS (no buffer for the
///         headers), -EADDRNOTAVAIL (local is not ours)
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_send(struct prism_worker *worker, prism_udp udp,
			     const struct prism_addr *local, const struct prism_endpoint *remote,
			     struct prism_buf *buf);

/// Answer the datagram of a DATAGRAM event with buf, which may be the event's own: addresses and
/// ports swap. The fastest way to echo. *takes* buf on success.
/// @return as prism_udp_send; -EINVAL for another event
/// Thread: the socket's worker, before the next prism_poll.   Blocks: never.
PRISM_API int prism_udp_reply(struct prism_worker *worker, const struct prism_event *event,
			      struct prism_buf *buf);

/// Where it receives: the address it was opened with, and the port it has.
/// @return 0; -ESTALE
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_endpoint(struct prism_worker *worker, prism_udp udp,
				 struct prism_endpoint *local);

#ifdef __cplusplus
}
#endif
