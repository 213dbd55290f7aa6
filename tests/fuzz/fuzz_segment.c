// SPDX-License-Identifier: BSD-3-Clause
// TCP input, by structure: the input is a list of steps, each a segment near what a connection
// expects (or far from it), a call of the application, or a while of waiting. Sequence numbers are
// given as distances from the newest the stack sent or acknowledged, so that the fuzzer needs no
// luck to hit the window.
#include <string.h>

#include "base/time.h"
#include "fuzz.h"
#include "wire/tcp.h"

#define CONNS 4
#define PEER_ISN 0xfffff000u // the sequence space wraps within the first segments

struct remote {
	prism_conn conn;
	bool known;
	uint32_t seq, ack; // what the stack expects of us; what it sent last, end of it
};

struct state {
	struct fuzz f;
	struct world *world;
	struct remote remote[CONNS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct seg_ends ends_of(const struct state *st, int index)
{
	struct seg_ends ends = {.src = 0xc6120002,
				.dst = 0xc6120001,
				.src_port = (uint16_t)(40000 + index),
				.dst_port = 80};

	memcpy(ends.src_mac, pair_port(st->world->pair, 1)->mac, 6);
	memcpy(ends.dst_mac, pair_port(st->world->pair, 0)->mac, 6);
	return ends;
}

// What the stack sent tells where the connection is.
static void learn(struct state *st, const uint8_t *frame, uint32_t len)
{
	struct seg_ends ends;
	struct seg s;
	const uint8_t *payload;

	if (len < 54 || frame[12] != 0x08 || frame[13] != 0x00 || frame[23] != 6)
		return;
	if (seg_read(frame, len, &s, &ends, &payload) || ends.dst_port < 40000 ||
	    ends.dst_port >= 40000 + CONNS)
		return;
	struct remote *r = &st->remote[ends.dst_port - 40000];

	r->ack = (uint32_t)s.seq + s.len + !!(s.flags & (TCP_SYN | TCP_FIN));
	if (s.flags & TCP_ACK)
		r->seq = (uint32_t)s.ack;
}

// The handlers of the stack's events.
static void take(void *context, int node, const struct prism_event *e)
{
	struct state *st = context;
	struct prism_endpoint remote;

	if (e->type == PRISM_EVENT_ACCEPTED &&
	    prism_tcp_endpoints(st->world->node[0].worker, e->conn, NULL, &remote) == 0 &&
	    remote.port >= 40000 && remote.port < 40000 + CONNS) {
		st->remote[remote.port - 40000].conn = e->conn;
		st->remote[remote.port - 40000].known = true;
	}
	if (e->buf)
		prism_buf_release(st->world->node[0].worker, e->buf);
}

static void settle(struct state *st)
{
	uint8_t frame[FUZZ_FRAME_BYTES];

	world_turn(st->world, take, st);
	learn(st, frame, fuzz_settle(st->world, frame, sizeof(frame)));
}

static void add_options(struct fuzz *f, struct seg *s)
{
	uint32_t count = fuzz_u8(f) & 3;

	while (s->option_count < count) {
		struct seg_option *o = &s->option[s->option_count++];

		*o = (struct seg_option){.kind = fuzz_u8(f) & 15};
		o->a = fuzz_u32(f);
		o->len = (uint8_t)o->a & 15;
		if (o->kind == TCP_OPTION_TIMESTAMPS)
			o->b = fuzz_u32(f);
		if (o->kind != TCP_OPTION_SACK)
			continue;
		o->block_count = 1;
		o->block[0].start = o->a;
		o->block[0].end = o->a + fuzz_u16(f);
	}
}

static void send_segment(struct state *st, int index)
{
	struct remote *r = &st->remote[index];
	struct seg_ends ends = ends_of(st, index);
	static uint8_t frame[SEG_FRAME_BYTES_MAX];
	struct seg s;

	seg_init(&s);
	s.flags = fuzz_u8(&st->f);
	s.seq = r->seq + (int32_t)(int16_t)fuzz_u16(&st->f);
	s.ack = r->ack + (int32_t)(int16_t)fuzz_u16(&st->f);
	s.win = fuzz_u16(&st->f);
	s.len = fuzz_u16(&st->f) % 1400;
	add_options(&st->f, &s);
	fuzz_send(st->world, frame, seg_build(&s, &ends, frame));
	settle(st);
}

// SYN, and the ACK that answers what came back.
static void handshake(struct state *st, int index)
{
	struct seg_ends ends = ends_of(st, index);
	uint8_t frame[200];
	struct seg s;

	seg_init(&s);
	s.flags = TCP_SYN;
	s.seq = PEER_ISN;
	s.options_given = true;
	s.option_count = 3;
	s.option[0] = (struct seg_option){.kind = TCP_OPTION_MSS, .a = 1460};
	s.option[1] = (struct seg_option){.kind = TCP_OPTION_SACK_PERMITTED};
	s.option[2] = (struct seg_option){.kind = TCP_OPTION_WINDOW_SCALE, .a = 7};
	fuzz_send(st->world, frame, seg_build(&s, &ends, frame));
	settle(st);
	s.flags = TCP_ACK;
	s.seq = st->remote[index].seq;
	s.ack = st->remote[index].ack;
	s.option_count = 0;
	fuzz_send(st->world, frame, seg_build(&s, &ends, frame));
	settle(st);
}

static void call(struct state *st, int index, uint8_t which)
{
	static const uint8_t bytes[4096];
	struct prism_worker *worker = st->world->node[0].worker;
	prism_conn conn = st->remote[index].conn;

	if (!st->remote[index].known)
		return;
	switch (which & 3) {
	case 0:
		prism_tcp_send_copy(worker, conn, bytes, fuzz_u16(&st->f) % sizeof(bytes));
		break;
	case 1:
		prism_tcp_close(worker, conn);
		break;
	case 2:
		prism_tcp_abort(worker, conn);
		break;
	default: // a request about a handle that may be stale
		prism_tcp_credit(worker, conn);
		prism_tcp_set_user(worker, conn, which);
		break;
	}
	settle(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state st = {.f = {data, size}, .world = fuzz_world()};

	for (int i = 0; i < CONNS; i++)
		st.remote[i].seq = PEER_ISN;
	handshake(&st, 0);
	while (st.f.left > 0) {
		uint8_t step = fuzz_u8(&st.f);
		int index = step >> 6;

		if ((step & 7) == 7)
			call(&st, index, step >> 3);
		else if ((step & 7) == 6)
			fuzz_pass(st.world, (uint64_t)(step >> 3 & 7) * 50 * NS_PER_MS);
		else if ((step & 7) == 5)
			handshake(&st, index);
		else
			send_segment(&st, index);
	}
	fuzz_end(st.world);
	return 0;
}
