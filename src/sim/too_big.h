// SPDX-License-Identifier: BSD-3-Clause
// What a router says of a packet that does not fit the next link.
#pragma once

#include <stdint.h>

#define TOO_BIG_BYTES_MAX 1294

// The ICMP answer (RFC 1191 4, RFC 4443 3.2) to a frame of so many bytes that met a link of
// mtu_bytes, as a frame to its sender. Returns its length; 0 when the frame gets none.
uint32_t too_big_answer(const uint8_t *frame, uint32_t len, uint16_t mtu_bytes,
			uint8_t answer[TOO_BIG_BYTES_MAX]);
