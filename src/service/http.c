// SPDX-License-Identifier: BSD-3-Clause
// The http service as a whole: its memory, its listener, the clock of its Date header, the sweep
// that finds slow connections, drain and stop. Connections are in http_conn.c.
// Called through service.c and, for events, through handlers.
#include <errno.h>
#include <time.h>

#include "base/bits.h"
#include "base/time.h"
#include "service/http_conn.h"

// Incomplete requests at the same time; one more is answered 503.
#define HTTP_INPUTS_MAX 8192u

#define SWEEPS_A_SECOND 10

static void listener_on_event(struct handler *handler, const struct prism_event *event)
{
	struct http *http = CONTAINER_OF(handler, struct http, listener);
	struct service_stats *stats = &http->service->stats;

	if (event->type == PRISM_EVENT_DATA)
		prism_buf_release(http->worker, event->buf); // of a connection refused below
	if (event->type != PRISM_EVENT_ACCEPTED)
		return;
	service_reclaim(http->service);
	if (stats->connections_open < http->service->config.connections_max &&
	    http_conn_open(http, event->conn))
		return;
	stats->connections_refused++;
	(void)prism_tcp_abort(http->worker, event->conn);
}

// A tenth of the connections a time.
static void sweep(struct http *http)
{
	uint64_t now_ns = prism_now_ns(http->worker);
	uint32_t count = http->conns.fresh / SWEEPS_A_SECOND + 1;

	for (uint32_t i = 0; i < count; i++) {
		if (http->sweep_index >= http->conns.fresh)
			http->sweep_index = 0;
		if (http->conns.fresh > 0)
			http_conn_check(slab_at(&http->conns, http->sweep_index++), now_ns);
	}
}

static void date_refresh(struct http *http)
{
	uint64_t unix_s = (prism_now_ns(http->worker) + http->unix_offset_ns) / NS_PER_S;

	if (unix_s == http->date_s)
		return;
	http->date_s = unix_s;
	http_date_write(http->date, unix_s);
}

static int ticker_start(struct http *http)
{
	int status = prism_timer_start(http->worker, NS_PER_S / SWEEPS_A_SECOND,
				       handler_cookie(&http->ticker), &http->timer);

	http->ticking = status == 0;
	return status;
}

static void ticker_on_event(struct handler *handler, const struct prism_event *event)
{
	struct http *http = CONTAINER_OF(handler, struct http, ticker);

	(void)event;
	date_refresh(http);
	service_reclaim(http->service);
	sweep(http);
	(void)ticker_start(http);
}

static void *region_alloc(void *context, size_t bytes)
{
	return prism_region_alloc(context, bytes);
}

static int region_seal(void *context, const void *bytes, size_t len)
{
	return prism_region_seal(context, bytes, len);
}

static int memory_init(struct http *http)
{
	const struct service_config *config = &http->service->config;
	uint32_t conns = service_conn_objects(http->service);
	const struct http_root_config root = {.directory = config->root,
					      .index = config->index,
					      .file_bytes_max = config->file_bytes_max,
					      .region_alloc = region_alloc,
					      .region_seal = region_seal,
					      .context = http->service->prism};

	http->site.body_bytes_max = config->body_bytes_max;
	http->site.memo = mem_map("http memo", sizeof(*http->site.memo));
	if (!http->site.memo ||
	    slab_init(&http->conns, "http connections", sizeof(struct http_conn), conns) < 0 ||
	    slab_init(&http->works, "http work", sizeof(struct http_work), conns) < 0 ||
	    slab_init(&http->inputs, "http requests", sizeof(struct http_input),
		      MIN(conns, HTTP_INPUTS_MAX)) < 0)
		return -ENOMEM;
	return http_root_load(&root, &http->site.root);
}

static void memory_fini(struct http *http)
{
	http_root_free(http->site.root);
	slab_fini(&http->inputs);
	slab_fini(&http->works);
	slab_fini(&http->conns);
	if (http->site.memo)
		mem_unmap(http->site.memo, sizeof(*http->site.memo));
	mem_unmap(http, sizeof(*http));
}

static void clock_init(struct http *http)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	http->unix_offset_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec -
			       prism_now_ns(http->worker);
	date_refresh(http);
}

static int http_start(struct service *service)
{
	struct http *http = mem_map("http service", sizeof(*http));

	if (!http)
		return -ENOMEM;
	http->listener.on_event = listener_on_event;
	http->ticker.on_event = ticker_on_event;
	http->service = service;
	http->worker = service->worker;
	http_input_init(&http->fresh);
	clock_init(http);
	int status = memory_init(http);

	if (status < 0)
		goto fail;
	status = ticker_start(http);
	if (status < 0)
		goto fail;
	status = service_listen(service, &http->listener, &http->tcp);
	if (status < 0)
		goto fail;
	http->listening = true;
	service->state = http;
	return 0;
fail:
	if (http->ticking)
		(void)prism_timer_stop(http->worker, http->timer);
	memory_fini(http);
	return status;
}

static void unlisten(struct http *http)
{
	if (http->listening)
		(void)prism_tcp_unlisten(http->worker, http->tcp);
	http->listening = false;
}

static void http_drain(struct service *service)
{
	struct http *http = service->state;

	unlisten(http);
	http->draining = true;
	for (uint32_t i = 0; i < http->conns.fresh; i++) {
		struct http_conn *c = slab_at(&http->conns, i);

		if (c->state == HTTP_IDLE && !service_left(service, &c->mover, c->conn))
			http_conn_close(c);
	}
}

static void http_stop(struct service *service)
{
	struct http *http = service->state;

	unlisten(http);
	if (http->ticking)
		(void)prism_timer_stop(http->worker, http->timer);
	for (uint32_t i = 0; i < http->conns.fresh; i++) {
		struct http_conn *c = slab_at(&http->conns, i);

		if (c->state == HTTP_FREE)
			continue;
		if (service_left(service, &c->mover, c->conn))
			http_conn_abandon(c);
		else
			http_conn_abort(c);
	}
	memory_fini(http);
}

static void forget(struct service *service, struct mover *mover)
{
	(void)service;
	http_conn_forget(CONTAINER_OF(mover, struct http_conn, mover));
}

const struct service_type service_http = {"http", http_start, http_drain, http_stop, forget};
