// SPDX-License-Identifier: BSD-3-Clause
// What a request over HTTP is answered, whichever way it came (control/server.h): numbers of the
// instance by GET, what changes it by POST with all of it in the target.
#pragma once

#include "base/limits.h"
#include "control/stats.h"
#include "observe/shm_reader.h"

// What may be asked of the instance besides its numbers.
struct answer_orders {
	// A word that says what to do, or NULL: there is no such. 0, or a negative errno with
	// err_set; -ENOENT for another word.
	int (*rebalance)(void *context, const char *word); // "on", "off", "now"
	int (*recorder)(void *context, const char *word);  // "off", or "N": one packet in N
	void *context;
	// JSON text from malloc of what a path shows by a query (behind its '?', or ""); NULL:
	// there is no such path, or it is *bad, with err_set. May be NULL.
	char *(*show)(struct shm_reader *reader, const char *path, const char *query, bool *bad);
	// The same of what a POST to a path makes.
	char *(*make)(void *context, const char *path, const char *query, bool *bad);
};

struct answerer {
	struct shm_reader *reader; // NULL: there are no numbers
	struct answer_orders orders;
	uint64_t beat_ns[WORKERS_MAX];  // each worker's latest heartbeat that was seen,
	uint64_t moved_ns[WORKERS_MAX]; // and when it was new, on the kernel's clock
};

// Looks whether workers turn. To be called every second or so, so that nobody has to wait for it
// who asks.
void answerer_watch(struct answerer *answerer);

struct request {
	const char *method;
	const char *target; // path and query as they were sent (RFC 9112 3.2.1)
	bool may_change;    // else only what leaves the instance as it is
};

struct answer {
	uint32_t status;   // RFC 9110 15
	const char *type;  // of the body
	const char *allow; // methods that would be taken, or NULL
	char *body;        // from malloc, the caller's; NULL: there was no memory
};

// Blocks: file system, for milliseconds. The control thread's.
void answer_request(struct answerer *answerer, const struct request *request,
		    struct answer *answer);
