// SPDX-License-Identifier: BSD-3-Clause
// From an address of ours to the claims that workers have there (sync/claims.h): configured ones,
// and any, have a place; the others, which come and go, a name. Called by udp_socket.c and by TCP's
// listeners, where there are several workers.
#include "base/err.h"
#include "net/inside.h"

static uint64_t name_of(const struct addr *local, uint16_t port)
{
	static const uint8_t no_key[16]; // an outsider does not choose our addresses

	return claims_name(hash_siphash(no_key, local, sizeof(*local)), port);
}

// Of no place, and not any.
static bool has_name(const struct addr *local, uint32_t place)
{
	return place == CLAIMS_ANY && !addr_is_any(local);
}

uint64_t net_claimants(const struct net *net, const struct claims *claims, const struct addr *local,
		       uint16_t port)
{
	uint32_t place = net_place(net, local);
	uint64_t mask = 0;

	if (UNLIKELY(has_name(local, place)) && claims_have_names(claims))
		mask = claims_of_name(claims, name_of(local, port));
	return mask ? mask : claims_for(claims, port, place);
}

int net_claim(struct net *net, struct claims *claims, const struct addr *local, uint16_t port)
{
	uint32_t place = net_place(net, local), worker = net->env->worker_index;
	char text[ADDR_TEXT_BYTES];

	if (!has_name(local, place))
		claims_take(claims, port, place, worker);
	else if (!claims_take_name(claims, name_of(local, port), worker))
		return err_set(ERR_CLAIMS_FULL, "%s port %u", addr_format(local, text), port);
	return 0;
}

void net_unclaim(struct net *net, struct claims *claims, const struct addr *local, uint16_t port)
{
	uint32_t place = net_place(net, local);

	if (has_name(local, place))
		claims_leave_name(claims, name_of(local, port), net->env->worker_index);
	else
		claims_leave(claims, port, place, net->env->worker_index);
}
