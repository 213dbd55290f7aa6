// SPDX-License-Identifier: BSD-3-Clause
// Public types and their internal counterparts: the same bytes under two names.
#pragma once

#include <assert.h>
#include <prismnet/types.h>
#include <string.h>

#include "base/addr.h"
#include "pkt/pkt.h"

static_assert(sizeof(struct addr) == sizeof(struct prism_addr), "same bytes");

static inline struct pkt *convert_buf(struct prism_buf *buf)
{
	return (struct pkt *)buf;
}

static inline const struct pkt *convert_const_buf(const struct prism_buf *buf)
{
	return (const struct pkt *)buf;
}

static inline struct prism_buf *convert_pkt(struct pkt *p)
{
	return (struct prism_buf *)p;
}

static inline struct addr convert_addr(const struct prism_addr *a)
{
	return addr_from_bytes(a);
}

static inline struct prism_addr convert_back(const struct addr *a)
{
	struct prism_addr out;

	memcpy(&out, a, sizeof(out));
	return out;
}
