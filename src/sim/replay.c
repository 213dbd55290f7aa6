// SPDX-License-Identifier: BSD-3-Clause
// A captured connection in virtual time. Prism is host 0; host 1, a Prism too, is there to be found
// as a neighbour, and the switch between them keeps Prism's TCP for us. At each captured time the
// peer's segments arrive, and the application does what the captured one must have done: it writes
// a run of bytes up to its PSH when the first of them left, and closes when FIN followed. Called by
// cli/replay.c; the comparison is replay_compare.c's.
#include "sim/replay.h"

#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "wire/eth.h"
#include "wire/tcp.h"

// After the last captured segment Prism may still have something to say.
#define AFTER_NS NS_PER_S

// Answers of which nobody captured one end a replay: two stacks that misunderstand each other.
#define EXTRA_MAX 100000

static bool grow_sent(struct replay_under_way *r)
{
	struct segment_list *list = &r->sent;

	if (list->count < list->count_max)
		return true;
	uint32_t count_max = list->count_max ? 2 * list->count_max : 1024;
	void *grown = realloc(list->segment, count_max * sizeof(*list->segment));

	if (!grown || count_max > EXTRA_MAX + 2 * r->config->segments->count) {
		r->replay->failure = "Prism answers without end";
		return false;
	}
	list->segment = grown;
	list->count_max = count_max;
	return true;
}

// A frame at the switch: Prism's TCP stays here.
static bool look(void *context, uint32_t port, const uint8_t *frame, uint32_t len)
{
	struct replay_under_way *r = context;
	struct tcp_segment s = {.time_ns = r->world->now_ns};
	struct addr addr[2];
	uint16_t ports[2];

	if (port != 0 || len < sizeof(struct eth_header) ||
	    !dissect_ip(frame + sizeof(struct eth_header),
			len - (uint32_t)sizeof(struct eth_header), &s, addr, ports))
		return false;
	if (!grow_sent(r))
		return true;
	if (s.flags & TCP_SYN && !r->own.isn_known) {
		r->own.isn = s.seq;
		r->own.isn_known = true;
	}
	s.from_opener = !r->config->as_server;
	s.payload = NULL; // the frame is gone when we compare
	r->sent.segment[r->sent.count++] = s;
	return true;
}

static void take(void *context, int node, const struct prism_event *e)
{
	struct replay_under_way *r = context;
	struct prism_worker *worker = r->world->node[0].worker;

	if (node != 0)
		return;
	switch (e->type) {
	case PRISM_EVENT_ACCEPTED:
		r->conn = e->conn;
		r->open = true;
		break;
	case PRISM_EVENT_CONNECTED:
		r->open = true;
		break;
	case PRISM_EVENT_DATA:
		prism_buf_release(worker, e->buf);
		break;
	case PRISM_EVENT_CLOSED:
		r->open = false;
		r->closed = true;
		break;
	default:
		break;
	}
}

// ---- the application

static void write_and_close(struct replay_under_way *r)
{
	struct prism_worker *worker = r->world->node[0].worker;

	if (!r->open || r->closing)
		return;
	while (r->sent_bytes < r->want_bytes) {
		uint64_t len = MIN(r->want_bytes - r->sent_bytes,
				   (uint64_t)prism_tcp_credit(worker, r->conn));

		if (len == 0 ||
		    prism_tcp_send_region(worker, r->conn, r->stream + r->sent_bytes, len))
			return;
		r->sent_bytes += len;
	}
	if (!r->want_close)
		return;
	prism_tcp_close(worker, r->conn);
	r->closing = true;
}

static void open(struct replay_under_way *r)
{
	struct prism_endpoint remote = world_endpoint_of(r->config->ip6, 1, r->config->port[1]);
	struct prism_endpoint local = world_endpoint_of(r->config->ip6, 0, r->config->port[0]);

	if (r->conn.id == 0 &&
	    prism_tcp_connect(r->world->node[0].worker, &remote, &local, 0, &r->conn))
		r->replay->failure = "Prism could not begin the connection";
}

// The captured application wrote up to here at once: the next PSH or FIN says where it stopped.
static void want_run(struct replay_under_way *r, uint32_t index)
{
	const struct segment_list *list = r->config->segments;

	for (uint32_t i = index; i < list->count; i++) {
		const struct tcp_segment *s = &list->segment[i];
		uint64_t end = (uint64_t)(s->seq + s->len - r->own.captured_isn) - 1;

		if (!replay_is_own(r->config, s) || (s->len == 0 && !(s->flags & TCP_FIN)))
			continue;
		if (s->len && end > r->want_bytes)
			r->want_bytes = MIN(end, r->stream_bytes);
		r->want_close |= (s->flags & TCP_FIN) != 0;
		if (s->flags & (TCP_PSH | TCP_FIN))
			return;
	}
}

// An acknowledgment that left before the application said anything: it was a turn of its own.
static void wait_for_ack(struct replay_under_way *r, uint32_t answers)
{
	if (r->sent.count < answers && !world_step(r->world, r->world->now_ns, take, r))
		r->replay->failure = r->world->failure;
}

static void act_as(struct replay_under_way *r, uint32_t index)
{
	const struct tcp_segment *s = &r->config->segments->segment[index];
	uint64_t end = (uint64_t)(s->seq + s->len - r->own.captured_isn) - 1;

	r->answers++;
	if (s->len == 0 && !(s->flags & (TCP_SYN | TCP_FIN | TCP_RST))) {
		wait_for_ack(r, r->answers);
		return;
	}

	if (s->flags & TCP_SYN) {
		if (!(s->flags & TCP_ACK))
			open(r);
		return;
	}
	if (s->flags & TCP_RST) {
		if (r->open)
			prism_tcp_abort(r->world->node[0].worker, r->conn);
		return;
	}
	if ((s->len && end > r->want_bytes) || s->flags & TCP_FIN)
		want_run(r, index);
	write_and_close(r);
}

// ---- time

static bool step_to(struct replay_under_way *r, uint64_t until_ns)
{
	struct world *world = r->world;

	while (world->now_ns < until_ns && !r->replay->failure) {
		if (!world_step(world, until_ns, take, r))
			r->replay->failure = world->failure;
		write_and_close(r);
	}
	return !r->replay->failure;
}

// All that was captured at one time: the peer's segments, a turn, then what the application did.
static uint32_t play(struct replay_under_way *r, uint32_t first)
{
	const struct segment_list *list = r->config->segments;
	uint64_t time_ns = list->segment[first].time_ns;
	uint8_t frame[REPLAY_FRAME_BYTES_MAX];
	uint32_t end = first;

	for (; end < list->count && list->segment[end].time_ns == time_ns; end++) {
		const struct tcp_segment *s = &list->segment[end];

		if (replay_is_own(r->config, s))
			continue;
		if (!pair_inject(r->world->wire[0].pair, 0, frame, replay_frame(r, s, frame)))
			r->replay->failure = "more segments at one moment than a link can hold";
	}
	if (!world_step(r->world, r->world->now_ns, take, r))
		r->replay->failure = r->world->failure;
	for (uint32_t i = first; i < end; i++)
		if (replay_is_own(r->config, &list->segment[i]))
			act_as(r, i);
	return end;
}

// ---- before and after

// What the captured application wrote, as far as it was captured; zeros for the rest.
static bool gather_stream(struct replay_under_way *r)
{
	const struct segment_list *list = r->config->segments;

	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < list->count; i++) {
			const struct tcp_segment *s = &list->segment[i];
			uint64_t at = (uint32_t)(s->seq - r->own.captured_isn - 1);

			if (!replay_is_own(r->config, s) || s->len == 0 || at > UINT32_MAX / 2)
				continue;
			if (pass == 0)
				r->stream_bytes = MAX(r->stream_bytes, at + s->len);
			else
				memcpy(r->stream + at, s->payload, s->captured_len);
		}
		if (pass == 0)
			r->stream = calloc(r->stream_bytes + 1, 1);
		if (!r->stream)
			return false;
	}
	return true;
}

// The first numbers of both directions, out of the handshake.
static const char *find_isns(struct replay_under_way *r)
{
	const struct segment_list *list = r->config->segments;
	bool own = false, peer = false;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct tcp_segment *s = &list->segment[i];

		if (!(s->flags & TCP_SYN))
			continue;
		if (replay_is_own(r->config, s)) {
			r->own.captured_isn = own ? r->own.captured_isn : s->seq;
			own = true;
		} else {
			r->peer.captured_isn = r->peer.isn = peer ? r->peer.isn : s->seq;
			peer = true;
		}
	}
	return own && peer ? NULL : "the handshake was not captured";
}

// Of what the captured side said it takes, and no less than what it was sent.
static uint16_t mtu_of(const struct replay_config *config)
{
	uint32_t headers_bytes = config->ip6 ? 60 : 40, mtu_bytes = config->ip6 ? 1280 : 296;

	for (uint32_t i = 0; i < config->segments->count; i++) {
		const struct tcp_segment *s = &config->segments->segment[i];

		if (!replay_is_own(config, s))
			mtu_bytes =
				MAX(mtu_bytes, s->len + headers_bytes + replay_options_bytes(s));
		else if (s->mss)
			mtu_bytes = MAX(mtu_bytes, s->mss + headers_bytes);
	}
	return (uint16_t)MIN(mtu_bytes, 9216u);
}

static struct world *create_world(const struct replay_config *config)
{
	static struct world_config world;
	static const struct world_link links[] = {{.name = "prism", .end = {0, WORLD_SWITCH}},
						  {.name = "peer", .end = {1, WORLD_SWITCH}}};

	world_config_init(&world);
	world.plain = true;
	world.ip6 = config->ip6;
	world.mtu_bytes = mtu_of(config);
	world.links = links;
	world.link_count = ARRAY_COUNT(links);
	world.switch_count = 1;
	world.options.time_wait_ns = 60 * NS_PER_S;
	return world_create(&world);
}

// Prism knows the peer's station before the first segment: a captured host did, too.
static void meet(struct replay_under_way *r)
{
	struct prism_endpoint remote = world_endpoint_of(r->config->ip6, 1, 9);
	prism_conn conn;

	prism_tcp_connect(r->world->node[0].worker, &remote, NULL, 0, &conn);
	for (uint64_t until_ns = r->world->now_ns + 100 * NS_PER_MS; r->world->now_ns < until_ns;)
		world_step(r->world, until_ns, take, r);
	prism_tcp_abort(r->world->node[0].worker, conn);
	for (uint64_t until_ns = r->world->now_ns + 100 * NS_PER_MS; r->world->now_ns < until_ns;)
		world_step(r->world, until_ns, take, r);
	r->conn.id = 0;
	r->open = r->closed = false;
	r->own.isn_known = false;
	r->sent.count = 0;
}

static void run(struct replay_under_way *r)
{
	const struct segment_list *list = r->config->segments;
	struct prism_endpoint local = {.port = r->config->port[1]};
	prism_listener listener;

	meet(r);
	if (r->config->as_server &&
	    prism_tcp_listen(r->world->node[0].worker, &local, 0, &listener))
		r->replay->failure = "Prism could not listen";
	r->base_ns = r->world->now_ns;
	r->first_ns = list->segment[0].time_ns;
	for (uint32_t i = 0; i < list->count && !r->replay->failure;)
		if (step_to(r, r->base_ns + list->segment[i].time_ns - r->first_ns))
			i = play(r, i);
	step_to(r, r->world->now_ns + AFTER_NS);
}

bool replay_run(struct replay *replay, const struct replay_config *config)
{
	struct replay_under_way r = {.config = config, .replay = replay};

	*replay = (struct replay){0};
	replay->failure = config->segments->count ? find_isns(&r) : "there is no segment";
	if (replay->failure)
		return false;
	if (!gather_stream(&r)) {
		replay->failure = "out of memory";
		return false;
	}
	r.world = create_world(config);
	r.world->bridge[0].look = look;
	r.world->bridge[0].look_context = &r;
	run(&r);
	if (!replay->failure && !replay_compare(&r))
		replay->failure = "out of memory";
	world_destroy(r.world);
	free(r.stream);
	free(r.sent.segment);
	return !replay->failure;
}

void replay_free(struct replay *replay)
{
	free(replay->line);
	*replay = (struct replay){0};
}
