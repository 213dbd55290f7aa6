// SPDX-License-Identifier: BSD-3-Clause
// IPv6 (RFC 8200 3): the format only.
#pragma once

#include <assert.h>
#include <stdint.h>

#include "base/be.h"
#include "base/bits.h"

struct ipv6_header {
	be32 version_class_flow; // version (4 bits), traffic class (8), flow label (20)
	be16 payload_len;
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} PACKED;

static_assert(sizeof(struct ipv6_header) == 40, "as on the wire");
