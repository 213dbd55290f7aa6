// SPDX-License-Identifier: BSD-3-Clause
// Which kind of table a proof is compiled for: KEY_BYTES is 16 unless told, or 40.
#pragma once

#include "sync/table.h"

#ifndef KEY_BYTES
#define KEY_BYTES 16
#endif

#if KEY_BYTES == 16
#define OF_KIND(name) table16_##name
#define flow_key flow_key16
#define bucket_of_kind bucket16
#define SLOTS_OF_KIND 3
#else
#define OF_KIND(name) table40_##name
#define flow_key flow_key40
#define bucket_of_kind bucket40
#define SLOTS_OF_KIND 4
#endif

// A key all of whose words tell its number.
static inline struct flow_key key_number(uint64_t n)
{
	struct flow_key k;

	for (uint32_t i = 0; i < KEY_BYTES / 8; i++)
		k.word[i] = n * (i + 1);
	return k;
}
