// SPDX-License-Identifier: BSD-3-Clause
// The parts that workers of one instance share, made before them and unmade after them. Called by
// core/start.c and by simulations; each part is made where it belongs (port/mesh.c, tcp/shared.c).
// A worker who is alone has no team, and pays for none.
#include "core/team.h"

#include "base/err.h"
#include "base/mem.h"
#include "core/worker.h"
#include "tcp/shared.h"

struct team {
	uint32_t count;
	struct mesh *mesh;
	struct tcp_shared *tcp;
	struct claims *udp;
};

struct team *team_create(const struct prism_options *options, uint32_t worker_count,
			 const uint8_t secret[16])
{
	struct tcp_config limits = worker_tcp_limits(options, worker_count);
	struct team *team = mem_map("a team of workers", sizeof(*team));

	if (!team)
		return NULL;
	team->count = worker_count;
	team->mesh = mesh_create(worker_count);
	team->tcp = team->mesh ? tcp_shared_create(&limits, worker_count, secret) : NULL;
	team->udp =
		team->tcp ? claims_create("who has UDP sockets where", limits.address_count) : NULL;
	if (team->udp)
		return team;
	team_destroy(team);
	return NULL;
}

void team_destroy(struct team *team)
{
	if (team->udp)
		claims_destroy(team->udp);
	if (team->tcp)
		tcp_shared_destroy(team->tcp);
	if (team->mesh)
		mesh_destroy(team->mesh);
	mem_unmap(team, sizeof(*team));
}

uint32_t team_count(const struct team *team)
{
	return team->count;
}

struct hands *team_hands(struct team *team, uint32_t worker)
{
	return mesh_hands(team->mesh, worker);
}

struct tcp_shared *team_tcp(struct team *team)
{
	return team->tcp;
}

struct claims *team_udp_claims(struct team *team)
{
	return team->udp;
}
