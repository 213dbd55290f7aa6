// SPDX-License-Identifier: BSD-3-Clause
// The event rung's TCP calls: public names and types over tcp/tcp.h, which does the work. Called by
// the application on the worker's own thread, between two polls. Handles are checked in tcp/: a
// stale one is -ESTALE. RFC 9293 3.9.1 lists these calls; urgent data is not among ours.
#include <prismnet/tcp.h>

#include <errno.h>

#include "api/convert.h"
#include "base/err.h"
#include "core/worker.h"
#include "pkt/pool.h"

int prism_tcp_listen(struct prism_worker *worker, const struct prism_endpoint *local, uint64_t user,
		     prism_listener *listener)
{
	struct addr addr = convert_addr(&local->addr);

	if (!addr_is_any(&addr) && !net_is_local(worker->net, &addr)) {
		char text[ADDR_TEXT_BYTES];

		return err_set(ERR_ADDRESS_NOT_OURS, "listen on %s port %u",
			       addr_format(&addr, text), local->port);
	}
	return tcp_listen(worker->tcp, &addr, local->port, user, listener);
}

int prism_tcp_unlisten(struct prism_worker *worker, prism_listener listener)
{
	return tcp_unlisten(worker->tcp, listener);
}

static struct tcp_tuple tuple_of(const struct prism_endpoint *remote,
				 const struct prism_endpoint *local)
{
	struct tcp_tuple tuple = {
		.remote = convert_addr(&remote->addr),
		.remote_port = remote->port,
	};

	if (local) {
		tuple.local = convert_addr(&local->addr);
		tuple.local_port = local->port;
	}
	return tuple;
}

int prism_tcp_connect(struct prism_worker *worker, const struct prism_endpoint *remote,
		      const struct prism_endpoint *local, uint64_t user, prism_conn *conn)
{
	const struct tcp_tuple tuple = tuple_of(remote, local);

	return tcp_connect(worker->tcp, &tuple, user, conn);
}

static_assert(PRISM_SOURCE_ROUTE_MAX == SOURCE_ROUTE_HOPS_MAX, "what an option has room for");

int prism_tcp_connect_by(struct prism_worker *worker, const struct prism_endpoint *remote,
			 const struct prism_source_route *route, uint64_t user, prism_conn *conn)
{
	const struct tcp_tuple tuple = tuple_of(remote, &route->local);
	struct source_route by = {.is_strict = route->strict};

	if (route->count > PRISM_SOURCE_ROUTE_MAX)
		return err_set(ERR_INVALID_ARGUMENT, "a source route of %u gateways", route->count);
	for (; by.count < route->count; by.count++) {
		const struct addr gateway = convert_addr(&route->gateway[by.count]);

		// What is no IPv4 address is nobody's.
		by.hop[by.count] = addr_is_v4(&gateway) ? addr_to_v4(&gateway) : (be32){0};
	}
	return tcp_connect_by(worker->tcp, &tuple, &by, user, conn);
}

int prism_tcp_send(struct prism_worker *worker, prism_conn conn, struct prism_buf *buf)
{
	return tcp_send_pkt(worker->tcp, conn, convert_buf(buf));
}

int prism_tcp_send_region(struct prism_worker *worker, prism_conn conn, const void *bytes,
			  size_t len)
{
	return tcp_send_region(worker->tcp, conn, bytes, len, NULL);
}

int prism_tcp_send_borrowed(struct prism_worker *worker, prism_conn conn, const void *bytes,
			    size_t len, uint64_t cookie)
{
	return tcp_send_region(worker->tcp, conn, bytes, len, &cookie);
}

int prism_tcp_send_copy(struct prism_worker *worker, prism_conn conn, const void *bytes, size_t len)
{
	struct prism_buf *buf;
	int error;

	if (len > PRISM_COPY_BYTES_MAX)
		return err_set(ERR_COPY_TOO_LARGE, "%zu bytes, at most %d", len,
			       PRISM_COPY_BYTES_MAX);
	buf = prism_buf_alloc(worker);
	if (!buf)
		return -ENOBUFS;
	ASSERT(pkt_copy(&worker->env, convert_buf(buf), bytes, (uint16_t)len, COPY_API));
	error = prism_tcp_send(worker, conn, buf);
	if (error)
		pkt_free(convert_buf(buf));
	return error;
}

uint32_t prism_tcp_credit(struct prism_worker *worker, prism_conn conn)
{
	return tcp_credit(worker->tcp, conn);
}

int prism_tcp_close(struct prism_worker *worker, prism_conn conn)
{
	return tcp_close(worker->tcp, conn);
}

int prism_tcp_abort(struct prism_worker *worker, prism_conn conn)
{
	return tcp_abort(worker->tcp, conn);
}

int prism_tcp_move(struct prism_worker *worker, prism_conn conn, uint32_t to)
{
	return tcp_move(worker->tcp, conn, to);
}

int prism_tcp_set_user(struct prism_worker *worker, prism_conn conn, uint64_t user)
{
	return tcp_set_user(worker->tcp, conn, user);
}

// The same numbers under two names.
#define SAME(option) \
	static_assert((int)PRISM_TCP_##option == (int)TCP_SET_##option, "tcp/ has it elsewhere")
SAME(KEEPALIVE_S);
SAME(GIVE_UP_S);
SAME(DSCP);
SAME(TTL);
SAME(CONGESTION);
SAME(ECN);
SAME(PACING);
SAME(USER_TIMEOUT_MS);
SAME(KEEPALIVE_INTERVAL_S);
SAME(KEEPALIVE_PROBES);
SAME(NO_DELAY);
SAME(CORK);
SAME(SEND_BYTES);
SAME(RECEIVE_BYTES);
SAME(FAST_OPEN);
#undef SAME

int prism_tcp_set_option(struct prism_worker *worker, prism_conn conn, enum prism_tcp_option option,
			 uint64_t value)
{
	return tcp_set_option(worker->tcp, conn, (enum tcp_option)option, value);
}

int prism_tcp_set_listener_option(struct prism_worker *worker, prism_listener listener,
				  enum prism_tcp_option option, uint64_t value)
{
	return tcp_set_listener_option(worker->tcp, listener, (enum tcp_option)option, value);
}

int prism_tcp_endpoints(struct prism_worker *worker, prism_conn conn, struct prism_endpoint *local,
			struct prism_endpoint *remote)
{
	struct tcp_tuple tuple;
	int error = tcp_tuple_of(worker->tcp, conn, &tuple);

	if (error)
		return error;
	if (local)
		*local = (struct prism_endpoint){convert_back(&tuple.local), tuple.local_port};
	if (remote)
		*remote = (struct prism_endpoint){convert_back(&tuple.remote), tuple.remote_port};
	return 0;
}
