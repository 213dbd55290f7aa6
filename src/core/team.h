// SPDX-License-Identifier: BSD-3-Clause
// What several workers of one instance have in common, and nothing else is shared between them: the
// mesh, the flow table with its connections, and who has sockets where. Packet pools are shared
// too; they are the platform's.
#pragma once

#include <prismnet/stack.h>

#include "port/mesh.h"
#include "sync/claims.h"
#include "tcp/tcp.h"

struct team;

// NULL with err_set. secret: every worker's env gets the same.
struct team *team_create(const struct prism_options *options, uint32_t worker_count,
			 const uint8_t secret[16]);

// When no worker is left.
void team_destroy(struct team *team);

uint32_t team_count(const struct team *team);
struct hands *team_hands(struct team *team, uint32_t worker);
struct tcp_shared *team_tcp(struct team *team);
struct claims *team_udp_claims(struct team *team);
