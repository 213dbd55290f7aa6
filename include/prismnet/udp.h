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
/// UDP_LOOP), and what is sent to a broadcast address or a group (UDP_TO_GROUP): for services that
/// answer whatever comes, which could be made to talk to each other, or all to one victim.
/// @return 0; -ESTALE
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_clients_only(struct prism_worker *worker, prism_udp udp);

/// A multicast group, from whom, and on which port of the instance. All zero but for the group is
/// the usual wish.
struct prism_udp_group {
	struct prism_addr group; ///< 224.0.0.2 to 239.255.255.255, or ff02:: and wider scopes
	struct prism_addr
		source;       ///< who is wanted (source-specific multicast); zero: whoever sends
	struct prism_addr on; ///< an address of ours on the port; zero: as for what is sent there
};

/// Receive what is sent to a group and the socket's port. The socket must be open at any address;
/// its events say in `local` which group a datagram came for. A group can be joined for up to 16
/// senders, in a call each. Routers and switches are told by IGMPv3 (RFC 3376) and MLDv2
/// (RFC 3810), or older versions where they speak those. Of several workers that joined, each flow
/// has one: a datagram is delivered once.
/// @return 0; -EINVAL (no group that can be joined, or the socket is open at one address),
///         -EADDRINUSE (joined already), -ENOSPC (64 groups, 256 wishes, 16 senders of a group),
///         -EADDRNOTAVAIL (`on` is not ours), -ENETUNREACH (no port has an address of the family),
///         -ENFILE (of several workers: they have no place left to say whose it is), -ESTALE
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_join(struct prism_worker *worker, prism_udp udp,
			     const struct prism_udp_group *group);

/// No more of it: the same words as when it was joined. Closing the socket leaves all its groups.
/// @return 0; -EADDRNOTAVAIL (not joined), else as prism_udp_join
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_leave(struct prism_worker *worker, prism_udp udp,
			      const struct prism_udp_group *group);

/// TTL, or hop limit, of what the socket sends to multicast groups: 1..255. It is 1 at first, and
/// no router forwards that (RFC 1112 6.1).
/// @return 0; -EINVAL, -ESTALE
/// Thread: the socket's worker.   Blocks: never.
PRISM_API int prism_udp_group_ttl(struct prism_worker *worker, prism_udp udp, uint32_t ttl);

/// Send one datagram. *takes* buf on success; on failure it is still yours. A received buffer may
/// be sent. Larger than the path's MTU is fragmented. To a multicast group it leaves by the port
/// that has the source address, else by that of the group's route, else by the first; no socket of
/// this instance hears it.
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
