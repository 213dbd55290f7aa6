// SPDX-License-Identifier: BSD-3-Clause
// The peer's place in a script: frames in and out of the wire's far end, ARP answered without a
// word, the application's events collected and its bytes checked.
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "pkt/pool.h"
#include "wire/arp.h"
#include "wire/eth.h"

#define STACK_ADDR 0xc6120001 // 198.18.0.1
#define PEER_ADDR 0xc6120002
#define REGION_BYTES (1 << 20)

// Turns at one instant; a stack that still has something to do after so many is stuck.
#define SETTLE_TURNS_MAX 1000

void pattern_region_init(struct script *sc)
{
	sc->region = pool_region_alloc(REGION_BYTES);
	for (uint32_t i = 0; i < REGION_BYTES; i++)
		sc->region[i] = seg_byte(i);
}

static int conn_of(const struct script *sc, prism_conn conn)
{
	for (int i = 0; i < SCRIPT_CONNS; i++)
		if (sc->conn[i].conn.id == conn.id)
			return i;
	return -1;
}

static int accepted(struct script *sc, const struct prism_event *e)
{
	struct prism_endpoint remote = {.port = 0};
	int index;

	prism_tcp_endpoints(sc->world->node[0].worker, e->conn, NULL, &remote);
	index = remote.port - SCRIPT_PEER_PORT;
	if (index < 0 || index >= SCRIPT_CONNS)
		script_fail(sc, "a connection from port %u was accepted", remote.port);
	sc->conn[index].conn = e->conn;
	return index;
}

static void data_arrived(struct script *sc, int index, const struct prism_event *e)
{
	struct peer_conn *c = &sc->conn[index];

	for (uint32_t i = 0; i < e->len; i++)
		if (((const uint8_t *)e->data)[i] != seg_byte(c->received_bytes + i))
			script_fail(sc, "the application got a wrong byte at %lu",
				    c->received_bytes + i);
	c->received_bytes += e->len;
	if (!sc->hold)
		prism_buf_release(sc->world->node[0].worker, e->buf);
	else if (sc->held_count < SCRIPT_HELD_MAX)
		sc->held[sc->held_count++] = e->buf;
	else
		script_fail(sc, "too many buffers are held");
}

static void take_event(void *context, int node, const struct prism_event *e)
{
	struct script *sc = context;
	int index = e->type == PRISM_EVENT_ACCEPTED ? accepted(sc, e) : conn_of(sc, e->conn);

	if (index < 0)
		script_fail(sc, "an event of type %u for a connection nobody knows", e->type);
	if (sc->event_first + sc->event_count == SCRIPT_EVENTS_MAX)
		script_fail(sc, "too many events");
	if (e->type == PRISM_EVENT_DATA)
		data_arrived(sc, index, e);
	sc->event[sc->event_first + sc->event_count++] = (struct script_event){
		.conn = index, .type = e->type, .len = e->len, .reason = e->reason};
}

void peer_send_frame(struct script *sc, const uint8_t *bytes, uint32_t len)
{
	struct port *port = pair_port(sc->world->pair, 1);
	struct pkt *p = pkt_alloc(sc->world->node[1].pool[POOL_TX]);

	memcpy(pkt_append(p, (uint16_t)len), bytes, len);
	port->ops->tx(port, &p, 1);
}

static void answer_arp(struct script *sc, const uint8_t *frame)
{
	uint8_t reply[14 + sizeof(struct arp_packet)];
	struct arp_packet *arp = (void *)(reply + 14);
	const uint8_t *mac = pair_port(sc->world->pair, 1)->mac;

	memcpy(reply, frame, sizeof(reply));
	if (be16_get(arp->operation) != 1 || be32_get(arp->target) != PEER_ADDR)
		return;
	memcpy(reply, frame + 6, 6);
	memcpy(reply + 6, mac, 6);
	arp->operation = be16_of(2);
	arp->target = arp->sender;
	memcpy(arp->target_mac, arp->sender_mac, 6);
	arp->sender = be32_of(PEER_ADDR);
	memcpy(arp->sender_mac, mac, 6);
	peer_send_frame(sc, reply, sizeof(reply));
}

static bool collect(struct script *sc)
{
	struct port *port = pair_port(sc->world->pair, 1);
	struct pkt *p;
	bool any = false;

	while (port->ops->rx(port, &p, 1) == 1) {
		const uint8_t *bytes = pkt_data(p);

		any = true;
		if (bytes[12] == 0x08 && bytes[13] == 0x06) {
			answer_arp(sc, bytes);
		} else if (!peer_nd_takes(sc, bytes, pkt_len(p))) {
			if (sc->out_first + sc->out_count == SCRIPT_OUT_MAX)
				script_fail(sc, "too many packets came out");
			struct out_frame *f = &sc->out[sc->out_first + sc->out_count++];

			f->time_ns = sc->world->now_ns;
			f->len = pkt_len(p);
			memcpy(f->bytes, bytes, f->len);
		}
		pkt_free(p);
	}
	return any;
}

static void check_world(struct script *sc)
{
	if (sc->world->failure)
		script_fail(sc, "%s", sc->world->failure);
}

void peer_settle(struct script *sc)
{
	int turns = 0;
	bool busy;

	do {
		busy = world_turn(sc->world, take_event, sc);
		busy |= collect(sc);
		busy |= worker_next_ns(sc->world->node[0].worker) <= sc->world->now_ns;
		check_world(sc);
	} while (busy && ++turns < SETTLE_TURNS_MAX);
	if (turns == SETTLE_TURNS_MAX)
		script_fail(sc, "the stack does not come to rest");
}

void peer_run_to(struct script *sc, uint64_t time_ns)
{
	peer_settle(sc);
	while (sc->world->now_ns < time_ns) {
		world_step(sc->world, time_ns, take_event, sc);
		collect(sc);
		check_world(sc);
		peer_settle(sc);
	}
}

struct seg_ends peer_ends(const struct script *sc)
{
	const struct peer_conn *c = &sc->conn[sc->current];
	struct seg_ends ends = {.ip6 = sc->ip6,
				.src = PEER_ADDR,
				.dst = STACK_ADDR,
				.src_port = (uint16_t)(SCRIPT_PEER_PORT + sc->current),
				.dst_port = c->local_port};

	memcpy(ends.src_mac, pair_port(sc->world->pair, 1)->mac, 6);
	memcpy(ends.dst_mac, pair_port(sc->world->pair, 0)->mac, 6);
	return ends;
}

struct out_frame *peer_out(struct script *sc)
{
	return sc->out_count ? &sc->out[sc->out_first] : NULL;
}

void peer_out_take(struct script *sc)
{
	sc->out_first++;
	if (--sc->out_count == 0)
		sc->out_first = 0;
}

static int64_t relative(int64_t number, uint32_t base)
{
	return (int32_t)((uint32_t)number - base);
}

static void make_relative(struct script *sc, struct seg *s)
{
	struct peer_conn *c = &sc->conn[sc->current];

	s->seq = relative(s->seq, c->stack_isn);
	if (s->flags & 0x10)
		s->ack = relative(s->ack, c->peer_isn);
	for (uint32_t i = 0; i < s->option_count; i++) {
		struct seg_option *o = &s->option[i];

		if (o->kind == 8) {
			if (!c->ts_known)
				c->ts_first = (uint32_t)o->a;
			c->ts_known = true;
			c->ts_last = (uint32_t)o->a;
			o->a = relative(o->a, c->ts_first);
		}
		if (o->kind == 34 && o->b)
			sc->cookie = o->a;
		for (uint32_t k = 0; k < o->block_count; k++) {
			o->block[k].start = relative(o->block[k].start, c->peer_isn);
			o->block[k].end = relative(o->block[k].end, c->peer_isn);
		}
	}
}

const char *peer_read(struct script *sc, const struct out_frame *f, struct seg *s)
{
	struct seg_ends ends;
	const uint8_t *payload;
	const char *error = seg_read(f->bytes, f->len, s, &ends, &payload);

	if (error)
		return error;
	struct peer_conn *c = &sc->conn[sc->current];

	if (ends.dst != PEER_ADDR || ends.dst_port != SCRIPT_PEER_PORT + sc->current)
		return "it is of another connection";
	if (s->flags & 0x02 && !c->isn_known) {
		c->stack_isn = (uint32_t)s->seq;
		c->isn_known = true;
		c->local_port = ends.src_port;
	}
	make_relative(sc, s);
	for (uint32_t i = 0; i < s->len; i++)
		if (c->isn_known &&
		    payload[i] != seg_byte((uint64_t)(s->seq - !(s->flags & 0x02)) + i))
			return "its payload is not what was sent";
	return NULL;
}

void peer_out_describe(struct script *sc, const struct out_frame *f, char text[SEG_TEXT_BYTES])
{
	struct seg s;
	const char *error;

	if (seg_protocol(f->bytes) != SEG_TCP) {
		uint32_t at = seg_l4_at(seg_is_ip6(f->bytes));

		snprintf(text, SEG_TEXT_BYTES, "icmp %u %u", f->bytes[at], f->bytes[at + 1]);
		return;
	}
	error = peer_read(sc, f, &s);
	seg_format(&s, text);
	if (error)
		strncat(text, error, SEG_TEXT_BYTES - strlen(text) - 1);
}

// The peer has spoken before the script begins, so that no ARP delays a segment.
void peer_start(struct script *sc)
{
	uint8_t frame[14 + sizeof(struct arp_packet)];
	struct arp_packet *arp = (void *)(frame + 14);
	const uint8_t *mac = pair_port(sc->world->pair, 1)->mac;

	for (int i = 0; i < SCRIPT_CONNS; i++) {
		sc->conn[i].peer_isn = 1000000;
		sc->conn[i].local_port = 80;
	}
	peer_settle(sc);
	if (sc->ip6) {
		peer_nd_meet(sc);
		return;
	}
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac, 6);
	frame[12] = 0x08;
	frame[13] = 0x06;
	*arp = (struct arp_packet){.hardware = be16_of(1),
				   .protocol = be16_of(0x0800),
				   .hardware_len = 6,
				   .protocol_len = 4,
				   .operation = be16_of(1),
				   .sender = be32_of(PEER_ADDR),
				   .target = be32_of(STACK_ADDR)};
	memcpy(arp->sender_mac, mac, 6);
	peer_send_frame(sc, frame, sizeof(frame));
	peer_settle(sc);
}

// Nothing may be left that the script did not speak of, and every buffer comes home.
void peer_end(struct script *sc)
{
	char text[SEG_TEXT_BYTES];

	snprintf(sc->text, sizeof(sc->text), "(end of the script)");
	peer_settle(sc);
	if (peer_out(sc)) {
		peer_out_describe(sc, peer_out(sc), text);
		script_fail(sc, "the script ends and the stack had sent: %s", text);
	}
	if (sc->event_count)
		script_fail(sc, "the script ends and an event of type %u was not expected",
			    sc->event[sc->event_first].type);
	for (uint32_t i = 0; i < sc->held_count; i++)
		prism_buf_release(sc->world->node[0].worker, sc->held[i]);
	struct world *world = sc->world;

	if (!world_destroy(world)) {
		printf("# %s: a buffer did not come home\n", sc->path);
		fflush(stdout);
		_exit(1);
	}
}
