// SPDX-License-Identifier: BSD-3-Clause
// How the rows of the schema are written, for the files that do.
#pragma once

#include <stddef.h>

#include "control/schema.h"

#define WHERE(type, member) \
	.offset = offsetof(struct type, member), .width = sizeof(((struct type *)0)->member)
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)
#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define SCHEMA_TCP_FIELDS 15
extern const struct schema_field schema_tcp_fields[SCHEMA_TCP_FIELDS];
