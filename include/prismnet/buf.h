// SPDX-License-Identifier: BSD-3-Clause
/// Buffers: bytes in packet memory, sent and received without a copy.
#pragma once

#include <prismnet/stack.h>

#ifdef __cplusplus
extern "C" {
#endif

/// An empty buffer to write payload into, then send. *gives* it.
/// @return NULL when the pool is empty (prism_last_error: NO_BUFFERS)
/// Thread: the worker's.   Blocks: never.
PRISM_API struct prism_buf *prism_buf_alloc(struct prism_worker *worker);

/// Bytes that fit behind what is there. 0 for a datagram that came in fragments (prism_buf_more).
/// Thread: whoever holds it.   Blocks: never.
PRISM_API uint32_t prism_buf_room(const struct prism_buf *buf);

/// The first byte, and how many there are in this run (prism_buf_more).
/// Thread: whoever holds it.   Blocks: never.
PRISM_API void *prism_buf_data(const struct prism_buf *buf);
PRISM_API uint32_t prism_buf_len(const struct prism_buf *buf);

/// The run of bytes behind this one, or NULL. Only datagrams that came in fragments have one; it
/// is there to be read, not written. Releasing or sending the first gives them all.
/// Thread: whoever holds it.   Blocks: never.
PRISM_API struct prism_buf *prism_buf_more(const struct prism_buf *buf);

/// Where the next byte goes; write up to prism_buf_room bytes, then prism_buf_grow.
/// Thread: whoever holds it.   Blocks: never.
PRISM_API void *prism_buf_tail(const struct prism_buf *buf);

/// Declares len more bytes at the tail as written.
/// @param len at most prism_buf_room, else the program is ended
/// Thread: whoever holds it.   Blocks: never.
PRISM_API void prism_buf_grow(struct prism_buf *buf, uint32_t len);

/// Forgets bytes at the front (a consumed prefix) so that the rest can be sent on.
/// @param len at most prism_buf_len, else the program is ended
/// Thread: whoever holds it.   Blocks: never.
PRISM_API void prism_buf_strip(struct prism_buf *buf, uint32_t len);

/// Cuts the view to its first len bytes.
/// Thread: whoever holds it.   Blocks: never.
PRISM_API void prism_buf_cut(struct prism_buf *buf, uint32_t len);

/// Copies len bytes of ordinary memory to the tail; the copy ledger counts them (reason api). For
/// replies so small that a second buffer costs more than the copy.
/// @return 0, or -ENOBUFS when they do not fit: nothing is written then
/// Thread: the worker's.   Blocks: never.
PRISM_API int prism_buf_append(struct prism_worker *worker, struct prism_buf *buf,
			       const void *bytes, uint32_t len);

/// A link for the holder's own lists, for as long as the buffer is the holder's. NULL when given.
/// Thread: whoever holds it.   Blocks: never.
PRISM_API struct prism_buf *prism_buf_next(const struct prism_buf *buf);
PRISM_API void prism_buf_set_next(struct prism_buf *buf, struct prism_buf *next);

/// Gives a buffer back. *takes* it. A received one opens the peer's window again.
/// Thread: the worker's.   Blocks: never.
PRISM_API void prism_buf_release(struct prism_worker *worker, struct prism_buf *buf);

/// Memory whose bytes can be sent by reference, again and again, to any number of connections:
/// files, prepared messages. Lives until prism_close. NULL with prism_last_error.
/// Thread: control thread before run.   Blocks: while memory is had.
PRISM_API void *prism_region_alloc(struct prism *prism, size_t bytes);

/// Promise that bytes of a region never change again. Prism sums them once, now; sending them,
/// whole or in parts, then costs no look at them where no card computes checksums. Takes len / 32
/// bytes more. For few large runs, not for each message.
/// @param bytes  *borrows* until prism_close; written afterwards, they go out with wrong checksums
/// @return 0; -ENOSPC (64 runs are sealed), -ENOMEM
/// Thread: control thread, or the worker's between two polls.   Blocks: reads all bytes.   RFC 1071
PRISM_API int prism_region_seal(struct prism *prism, const void *bytes, size_t len);

#ifdef __cplusplus
}
#endif
