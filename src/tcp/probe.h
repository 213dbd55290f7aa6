// SPDX-License-Identifier: BSD-3-Clause
// Tail loss probes (RFC 8985 7), in recovery too (docs/adr/0019): what of the old text a probe was,
// and what is heard of it.
#pragma once

#include "tcp/segment.h"
#include "tcp/trouble.h"

// The probe that told of the loss has done its work: there may be another. If it was old text, a
// DSACK may be for it.
void probe_recovery_begins(const struct tcp *tcp, const struct conn *c, struct trouble *t);

// In recovery: what is lost goes next, and where nothing is, the oldest counts as lost now.
void probe_is_oldest(struct tcp *tcp, struct conn *c, struct trouble *t);

// una has moved to ack.
void probe_answered(struct tcp *tcp, struct conn *c, struct trouble *t, uint64_t ack);

// A DSACK has this block. True when it was of the probe, and says nothing of others.
bool probe_came_twice(struct trouble *t, const struct range *block);

// una did not move. duplicate: by RFC 5681's definition.
void probe_duplicate(struct trouble *t, const struct segment *s, bool duplicate);
