// SPDX-License-Identifier: BSD-3-Clause
// What an acknowledgment changes.
#pragma once

#include "tcp/conn.h"
#include "tcp/segment.h"

// una moves to ack, which lies in (una, nxt]: releases, measures, lets more fly.
void ack_advance(struct tcp *tcp, struct conn *c, const struct segment *s);

// The whole of RFC 9293 3.10.7.4, fifth, ESTABLISHED, for an ack in [una, nxt]: advance or
// duplicate, then the window.
void ack_process(struct tcp *tcp, struct conn *c, const struct segment *s);

// SND.WND <- SEG.WND when the segment is newer than the last that set it.
void ack_update_window(struct tcp *tcp, struct conn *c, const struct segment *s);
