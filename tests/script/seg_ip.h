// SPDX-License-Identifier: BSD-3-Clause
// Ethernet and IP around a segment of a script.
#pragma once

#include "base/addr.h"
#include "seg.h"

#define SEG_TCP 6
#define SEG_ICMP 1
#define SEG_ICMP6 58

// The address that one of a script's ends has.
struct addr seg_addr(bool ip6, uint32_t v4);

// Where the transport header begins in a frame.
uint32_t seg_l4_at(bool ip6);
bool seg_is_ip6(const uint8_t *frame);
uint8_t seg_protocol(const uint8_t *frame);

// Writes the headers in front of len bytes of TCP.
void seg_put_ip(const struct seg *s, const struct seg_ends *ends, uint8_t *frame, uint32_t len);

// Reads them. NULL, or what is wrong.
const char *seg_get_ip(const uint8_t *frame, uint32_t len, struct seg *s, struct seg_ends *ends,
		       uint32_t *l4_len);
