// SPDX-License-Identifier: BSD-3-Clause
// Two stacks in one process on a pair of ports and plain heap, in virtual time: the ground of the
// benches that count (instructions, bytes) instead of timing two processes.
#pragma once

#include <prismnet/prism.h>

enum { SERVER, CLIENT };

struct duo {
	struct prism *prism[2];
	struct prism_worker *worker[2];
	uint64_t now_ns;
	bool ip6; // an IPv6 address each, too: set before duo_open
};

#define DUO_SERVER "198.18.0.2"
#define DUO_CLIENT "198.18.0.1"
#define DUO_SERVER6 "2001:db8:18::2"
#define DUO_CLIENT6 "2001:db8:18::1"

// Opens both with these limits; ports and addresses are filled in. Ends the program on failure.
void duo_open(struct duo *duo, const char *name, const struct prism_options *limits);
void duo_close(struct duo *duo);

// A turn of one side at the current time.
int duo_turn(struct duo *duo, int side, struct prism_event *events, int count);

// Ends the program with the last error unless good.
void duo_must(bool good, const char *what);
