// SPDX-License-Identifier: BSD-3-Clause
// Requests of the application (RFC 9293 3.9.1, 3.10.1 to 3.10.6). Called by api/; every refusal has
// a name. Nothing is transmitted here: the connection is marked and tcp_flush sends. Calls conn.c,
// sendq.c, close.c; asks net/ for paths.
#include "base/err.h"
#include "net/net.h"
#include "observe/counter.h"
#include "pkt/pkt.h"
#include "pkt/pool.h"
#include "tcp/bbr.h"
#include "tcp/cc.h"
#include "tcp/close.h"
#include "tcp/conn.h"
#include "tcp/deliver.h"
#include "tcp/fast.h"
#include "tcp/flow.h"
#include "tcp/isn.h"
#include "tcp/listener.h"
#include "tcp/open.h"
#include "tcp/output.h"
#include "tcp/room.h"
#include "tcp/sendq.h"
#include "tcp/state.h"
#include "tcp/timewait.h"
#include "tcp/tune.h"

// A listener's handle: worker (8 bits), generation (32), 0xff, index (16).
#define LISTENER_MARK UINT64_C(0xff0000)

static uint64_t listener_handle(const struct tcp *tcp, uint32_t index)
{
	return (uint64_t)tcp->worker << 56 | (uint64_t)tcp->listener[index].generation << 24 |
	       LISTENER_MARK | index;
}

// The slot to use, or a refusal.
static int listener_slot(struct tcp *tcp, const struct addr *local, uint16_t port)
{
	int slot = -1;
	char text[ADDR_TEXT_BYTES];

	for (uint32_t i = 0; i < tcp->config.listeners_max; i++) {
		struct listener *l = &tcp->listener[i];

		if (!l->open && slot < 0)
			slot = (int)i;
		if (l->open && l->port == port &&
		    (addr_equal(&l->local, local) ||
		     (addr_is_any(&l->local) && addr_is_any(local))))
			return err_set(ERR_ADDRESS_IN_USE, "tcp %s port %u",
				       addr_format(local, text), port);
	}
	if (slot < 0)
		return err_set(ERR_LISTENERS_FULL, "%u listeners", tcp->config.listeners_max);
	return slot;
}

int tcp_listen(struct tcp *tcp, const struct addr *local, uint16_t port, uint64_t user,
	       prism_listener *listener)
{
	char text[ADDR_TEXT_BYTES];
	int slot;

	if (port == 0)
		return err_set(ERR_INVALID_ARGUMENT, "tcp_listen: port 0");
	if (!addr_is_any(local) && !net_is_local(tcp->net, local))
		return err_set(ERR_ADDRESS_NOT_OURS, "tcp %s port %u", addr_format(local, text),
			       port);
	slot = listener_slot(tcp, local, port);
	if (slot < 0)
		return slot;
	struct listener *l = &tcp->listener[slot];
	struct claims *claims = tcp->shared->listening;
	int error = claims ? net_claim(tcp->net, claims, local, port) : 0;

	if (error)
		return error;
	l->local = *local;
	l->port = port;
	l->user = user;
	l->open = true;
	l->set = 0;
	l->generation++;
	l->next = tcp->listener_chain[port % LISTENER_CHAINS];
	tcp->listener_chain[port % LISTENER_CHAINS] = (uint16_t)slot;
	listener->id = listener_handle(tcp, (uint32_t)slot);
	return 0;
}

// The open listener of this handle; NULL: *error is a refusal.
static struct listener *find_listener(struct tcp *tcp, prism_listener listener, int *error)
{
	uint32_t index = listener.id & 0xffff;
	uint32_t worker = (uint32_t)(listener.id >> 56);

	if (worker == tcp->worker && index < tcp->config.listeners_max &&
	    tcp->listener[index].open && listener_handle(tcp, index) == listener.id)
		return &tcp->listener[index];
	*error = worker != tcp->worker && worker < tcp->shared->worker_count
			 ? err_set(ERR_OTHER_WORKER, "listener %#lx is worker %u's, not %u's",
				   (unsigned long)listener.id, worker, tcp->worker)
			 : err_set(ERR_STALE_HANDLE, "listener %#lx", (unsigned long)listener.id);
	return NULL;
}

int tcp_unlisten(struct tcp *tcp, prism_listener listener)
{
	int error = 0;
	struct listener *l = find_listener(tcp, listener, &error);

	if (!l)
		return error;
	uint16_t index = (uint16_t)(l - tcp->listener);
	uint16_t *link = &tcp->listener_chain[l->port % LISTENER_CHAINS];

	while (*link != index)
		link = &tcp->listener[*link].next;
	*link = l->next;
	l->open = false;
	if (tcp->shared->listening)
		net_unclaim(tcp->net, tcp->shared->listening, &l->local, l->port);
	return 0;
}

// True when the tuple is free, or its TIME-WAIT record gave way.
static bool tuple_free(struct tcp *tcp, const struct net_path *path, uint16_t local_port,
		       uint16_t remote_port, uint32_t *isn_floor)
{
	const struct flow f = {&path->local, &path->remote, local_port, remote_port};
	uint32_t owner;

	*isn_floor = 0;
	if (!flow_find(tcp, &f, &owner))
		return true;
	return owner_kind(owner) == OWNER_TIME_WAIT && owner_is_us(tcp, owner) &&
	       timewait_reuse(tcp, owner_index(tcp, owner), isn_floor);
}

static bool has_listener(struct tcp *tcp, uint16_t port)
{
	for (struct listener *l = listener_first(tcp, port); l; l = listener_next(tcp, l))
		if (l->port == port)
			return true;
	return false;
}

// By us, or by any worker.
static bool listened_on(struct tcp *tcp, uint16_t port)
{
	if (tcp->shared->listening)
		return claims_on(tcp->shared->listening, port) != 0;
	return has_listener(tcp, port);
}

// How many ports one connect looks at. The next in line is mostly free; where a long run of them is
// in use, steps of random length leave it (RFC 6056 3.3.5). Nine ports of ten in use: one connect
// in 10^23 finds none; 99 of 100: one in 170, and it may be tried again.
#define PORTS_LOOKED_AT 512
#define PORTS_IN_LINE 16

// Of them, how many may be passed over because their answers would come to another worker's queue.
// Of 64 queues, which is as many as there can be, one connect in 56 finds no port of its own so.
#define PORTS_FOR_QUEUE 256

// RFC 6056 3.3.3: a secret start per destination, then one by one, of those ports whose answers
// come to us. RFC 6056 R1, R2, R3, R5, R6.
static uint16_t choose_port(struct tcp *tcp, const struct net_path *path, uint16_t remote_port,
			    uint32_t *isn_floor)
{
	uint32_t start = isn_port_offset(tcp->env, &path->local, &path->remote, remote_port);

	uint32_t in_use = 0;

	for (uint32_t i = 0; i < PORTS_LOOKED_AT; i++) {
		uint32_t step = (start + tcp->port_next++) % PORT_EPHEMERAL_COUNT;
		uint16_t port = (uint16_t)(PORT_EPHEMERAL_MIN + step);

		if (i < PORTS_FOR_QUEUE &&
		    !net_answers_come_here(tcp->net, path, port, remote_port))
			continue;
		if (!listened_on(tcp, port) && tuple_free(tcp, path, port, remote_port, isn_floor))
			return port;
		if (in_use++ >= PORTS_IN_LINE)
			tcp->port_next += (uint32_t)rng_below(&tcp->env->rng, PORT_EPHEMERAL_COUNT);
	}
	return 0;
}

static int find_path(struct tcp *tcp, const struct tcp_tuple *tuple,
		     const struct source_route *route, struct net_path *path)
{
	char text[ADDR_TEXT_BYTES];

	// RFC 9293 MUST-46: no connection to a group or to nobody.
	if (tuple->remote_port == 0 || addr_is_any(&tuple->remote) ||
	    net_is_group(tcp->net, &tuple->remote))
		return err_set(ERR_INVALID_ARGUMENT, "connect to %s port %u",
			       addr_format(&tuple->remote, text), tuple->remote_port);
	// RFC 9293 MUST-43, MUST-44: the application may choose the local address, or the path
	// does.
	if (!addr_is_any(&tuple->local) && !net_is_local(tcp->net, &tuple->local))
		return err_set(ERR_ADDRESS_NOT_OURS, "connect from %s",
			       addr_format(&tuple->local, text));
	if (UNLIKELY(route)) // RFC 9293 MUST-51
		return net_path_find_by(tcp->net, &tuple->local, &tuple->remote, route, path);
	return net_path_find(tcp->net, &tuple->local, &tuple->remote, path);
}

static int find_port(struct tcp *tcp, const struct tcp_tuple *tuple, const struct net_path *path,
		     uint16_t *port, uint32_t *isn_floor)
{
	char text[ADDR_TEXT_BYTES];

	if (tuple->local_port == 0) {
		*port = choose_port(tcp, path, tuple->remote_port, isn_floor);
		if (*port == 0)
			return err_set(ERR_NO_LOCAL_PORT, "to %s port %u",
				       addr_format(&tuple->remote, text), tuple->remote_port);
		return 0;
	}
	*port = tuple->local_port;
	if (!tuple_free(tcp, path, *port, tuple->remote_port, isn_floor))
		return err_set(ERR_ADDRESS_IN_USE, "tcp port %u to %s port %u", *port,
			       addr_format(&tuple->remote, text), tuple->remote_port);
	return 0;
}

// Times a connect looks for a port again because another worker had just taken the one it found.
#define CONNECT_TRIES 8

// An entered connection with a port of its own; *isn_floor: above all that an earlier one sent.
static int enter_connection(struct tcp *tcp, const struct tcp_tuple *tuple,
			    const struct net_path *path, struct conn **c, uint32_t *isn_floor)
{
	int error = 0;

	for (int i = 0; i < CONNECT_TRIES && tcp->conn_free != NO_INDEX; i++) {
		struct conn_birth birth = {.path = path,
					   .remote_port = tuple->remote_port,
					   .state = CLOSED,
					   .instead_of = OWNER_NONE};

		error = find_port(tcp, tuple, path, &birth.local_port, isn_floor);
		if (error)
			return error;
		*c = conn_create(tcp, &birth);
		if (*c)
			return 0;
	}
	return err_set(ERR_CONNECTIONS_FULL, "%u connections", tcp->config.connections_max);
}

int tcp_connect_by(struct tcp *tcp, const struct tcp_tuple *tuple, const struct source_route *route,
		   uint64_t user, prism_conn *conn)
{
	struct net_path path;
	struct flow f;
	struct conn *c = NULL;
	uint32_t isn_floor, isn;
	int error = find_path(tcp, tuple, route, &path);

	if (!error)
		error = enter_connection(tcp, tuple, &path, &c, &isn_floor);
	if (error)
		return error;
	f = conn_flow(c);
	isn = flow_isn(tcp, &f);
	conn_start_send(c, isn_floor && (int32_t)(isn - isn_floor) <= 0 ? isn_floor : isn);
	c->user = user;
	c->mss_bytes = open_mss_default(&path);
	c->cc.cwnd_bytes = c->mss_bytes;
	conn_enter(tcp, c, SYN_SENT);
	counter_add(tcp->env, COUNTER_tcp_active_opens, 1);
	conn_mark(tcp, c);
	conn->id = conn_handle(tcp, c);
	return 0;
}

int tcp_connect(struct tcp *tcp, const struct tcp_tuple *tuple, uint64_t user, prism_conn *conn)
{
	return tcp_connect_by(tcp, tuple, NULL, user, conn);
}

COLD int conn_refuse(const struct tcp *tcp, prism_conn conn)
{
	const struct conn *c = conn_of_any(tcp, conn.id);
	uint32_t worker = c ? conn_worker(c) : 0;

	if (c && worker >= tcp->shared->worker_count)
		return err_set(ERR_OTHER_WORKER, "connection %#lx is on its way, not worker %u's",
			       (unsigned long)conn.id, tcp->worker);
	if (c)
		return err_set(ERR_OTHER_WORKER, "connection %#lx is worker %u's, not %u's",
			       (unsigned long)conn.id, worker, tcp->worker);
	return err_set(ERR_STALE_HANDLE, "connection %#lx", (unsigned long)conn.id);
}

// 0 when len more bytes may be queued.
static int may_send(struct tcp *tcp, struct conn *c, size_t len)
{
	if (UNLIKELY(!conn_in(c, ESTABLISHED | CLOSE_WAIT)) && !fast_sends(tcp, c))
		return conn_in(c, SYN_SENT | SYN_RECEIVED)
			       ? err_set(ERR_NOT_CONNECTED, "send in %s", state_name(c->state))
			       : err_set(ERR_SEND_CLOSED, "send in %s", state_name(c->state));
	if (UNLIKELY(len > room_bytes(tcp, c) || len == 0)) {
		if (len == 0 || len > tuned_send_max(tcp, c))
			return err_set(ERR_INVALID_ARGUMENT, "send of %zu bytes; at most %u", len,
				       tuned_send_max(tcp, c));
		room_refused(tcp, c);
		return err_set_bare(ERR_NO_CREDIT);
	}
	return 0;
}

// A received packet that is sent on would be held until it is acknowledged. While such are short
// it goes back to the ports, and a copy is sent; without room for one, itself.
// An eighth of the transmit pool is left to those who have nothing else to send with; then what is
// received stays held, until text is refused by name (input.c:no_buffer_for).
static COLD struct pkt *send_home(struct tcp *tcp, struct pkt *p)
{
	struct pool *pool = tcp->env->pool[POOL_TX];
	struct pkt *copy;

	if (pool_available(pool) <= pool_capacity(pool) / 8)
		return p;
	copy = pkt_alloc(pool);
	if (!copy)
		return p;
	pkt_own(copy)->owner = 0;
	if (!pkt_copy(tcp->env, copy, pkt_data(p), pkt_seg_len(p), COPY_PACK)) {
		pkt_free_seg(copy);
		return p;
	}
	pkt_unkeep(tcp->env, p);
	pkt_free_seg(p);
	return copy;
}

int tcp_send_pkt(struct tcp *tcp, prism_conn conn, struct pkt *p)
{
	struct conn *c = conn_of(tcp, conn.id);
	int error;

	if (UNLIKELY(!c))
		return conn_refuse(tcp, conn);
	error = may_send(tcp, c, pkt_len(p));
	if (UNLIKELY(error))
		return error;
	if (UNLIKELY(pkt_seg_count(p) > 1 || !pkt_is_direct(p)))
		return err_set(ERR_INVALID_ARGUMENT, "send of a buffer of %u parts",
			       pkt_seg_count(p));
	if (pkt_own(p)->owner) // received: whoever was charged for it has his window back
		deliver_uncharge(tcp, p);
	if (pkt_short(tcp->env) && pkt_is_kept(p))
		p = send_home(tcp, p);
	sendq_add_pkt(tcp, c, p);
	conn_mark(tcp, c);
	return 0;
}

int tcp_send_region(struct tcp *tcp, prism_conn conn, const void *bytes, size_t len,
		    const uint64_t *cookie)
{
	struct conn *c = conn_of(tcp, conn.id);
	int error;

	if (UNLIKELY(!c))
		return conn_refuse(tcp, conn);
	error = may_send(tcp, c, len);
	if (UNLIKELY(error))
		return error;
	sendq_add_region(tcp, c, bytes, (uint32_t)len);
	if (cookie)
		sendq_set_cookie(tcp, c, *cookie);
	conn_mark(tcp, c);
	return 0;
}

uint32_t tcp_credit(struct tcp *tcp, prism_conn conn)
{
	struct conn *c = conn_of(tcp, conn.id);

	return c && (conn_in(c, ESTABLISHED | CLOSE_WAIT) || fast_sends(tcp, c))
		       ? room_bytes(tcp, c)
		       : 0;
}

int tcp_close(struct tcp *tcp, prism_conn conn)
{
	struct conn *c = conn_of(tcp, conn.id);

	if (!c)
		return conn_refuse(tcp, conn);
	if (conn_in(c, CLOSED)) // it ended meanwhile; its CLOSED event is on the way
		return 0;
	close_request(tcp, c);
	conn_check(tcp, c);
	return 0;
}

int tcp_abort(struct tcp *tcp, prism_conn conn)
{
	struct conn *c = conn_of(tcp, conn.id);

	if (!c)
		return conn_refuse(tcp, conn);
	conn_set(c, CONN_DISCARD);
	c->news &= (uint8_t)~NEWS_EOF; // of text that is forgotten it would be a lie
	if (conn_in(c, CLOSED))        // it ended meanwhile, and that was not told yet
		c->reason = PRISM_CLOSE_ABORTED;
	else
		close_abort(tcp, c, PRISM_CLOSE_ABORTED);
	return 0;
}

int tcp_set_user(struct tcp *tcp, prism_conn conn, uint64_t user)
{
	struct conn *c = conn_of(tcp, conn.id);

	if (!c)
		return conn_refuse(tcp, conn);
	c->user = user;
	return 0;
}

int tcp_tuple_of(struct tcp *tcp, prism_conn conn, struct tcp_tuple *tuple)
{
	const struct conn *c = conn_of(tcp, conn.id);

	if (!c)
		return conn_refuse(tcp, conn);
	*tuple = (struct tcp_tuple){
		.local = c->path.local,
		.remote = c->path.remote,
		.local_port = c->local_port,
		.remote_port = c->remote_port,
	};
	return 0;
}

// There are as many records for bbr as there are; who finds none goes on as before.
static int set_congestion(struct tcp *tcp, struct conn *c, enum prism_congestion kind)
{
	if (!cc_choose(tcp, c, kind))
		return err_set(ERR_RECORDS_FULL, "bbr has %u connections already",
			       bbr_records(&tcp->config));
	conn_mark(tcp, c); // a larger window lets more out
	return 0;
}

int tcp_set_option(struct tcp *tcp, prism_conn conn, enum tcp_option option, uint64_t value)
{
	struct conn *c = conn_of(tcp, conn.id);
	int error;

	if (!c)
		return conn_refuse(tcp, conn);
	error = tune_check(tcp, option, value);
	if (error)
		return error;
	if (option == TCP_SET_CONGESTION)
		return set_congestion(tcp, c, (enum prism_congestion)value);
	tune_set(tcp, c, option, value);
	return 0;
}

int tcp_set_listener_option(struct tcp *tcp, prism_listener listener, enum tcp_option option,
			    uint64_t value)
{
	int error = 0;
	struct listener *l = find_listener(tcp, listener, &error);

	if (l)
		error = tune_check(tcp, option, value);
	if (error)
		return error;
	l->set |= 1u << option;
	l->value[option] = (uint32_t)value; // no setting takes more than 32 bits
	return 0;
}
