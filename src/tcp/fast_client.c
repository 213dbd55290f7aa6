// SPDX-License-Identifier: BSD-3-Clause
// TCP Fast Open, the side that connects (RFC 7413 4.1.3, 4.2). Called by connect.c, of connects
// that asked for it before their SYN left. Text is queued meanwhile, as of a connection that is
// open.
//
//	the peer's cookie is known    the SYN has it, and as much of the text as its MSS takes
//	it is not                     the SYN asks for one; text leaves when the connection is open
//	the peer is barred            a SYN like any other
//
// Nothing but snd.una tells of the SYN's text: what the answer does not acknowledge is new text
// once the connection is open. A SYN that is lost may be lost for its option, so it goes again
// without, and the peer is barred: a minute first, each time twice as long. So is who took nothing
// of a text although he had given the cookie himself.
//
// The cookies are a worker's own, in a small table by address; where four fall in one row the one
// used least lately goes.
#include "tcp/fast.h"

#include "base/hash.h"
#include "base/mem.h"
#include "observe/counter.h"
#include "tcp/output.h"

struct fast_peer {
	struct addr remote; // any: the place is free
	uint8_t cookie[TCP_FAST_COOKIE_BYTES_MAX];
	uint8_t cookie_len; // 0: none
	uint8_t failures;   // in a row
	uint16_t mss_bytes; // that he takes
	uint32_t used_s;
	uint32_t barred_until_s;
};

#define ROWS 64
#define ROW 4
#define TABLE_BYTES (ROWS * ROW * sizeof(struct fast_peer))

#define BARRED_S 60
#define FAILURES_MAX 7 // an hour

bool fast_init(struct tcp *tcp)
{
	tcp->fast.peers = mem_map("cookies of fast open", TABLE_BYTES);
	return tcp->fast.peers;
}

void fast_fini(struct tcp *tcp)
{
	if (tcp->fast.peers)
		mem_unmap(tcp->fast.peers, TABLE_BYTES);
}

static uint32_t now_s(const struct tcp *tcp)
{
	return (uint32_t)(tcp->env->now_ns / NS_PER_S);
}

static struct fast_peer *row_of(const struct tcp *tcp, const struct addr *remote)
{
	uint64_t hash = hash_siphash(tcp->env->secret, remote, sizeof(*remote));

	return &tcp->fast.peers[hash % ROWS * ROW];
}

static struct fast_peer *find(const struct tcp *tcp, const struct addr *remote)
{
	struct fast_peer *row = row_of(tcp, remote);

	for (int i = 0; i < ROW; i++)
		if (addr_equal(&row[i].remote, remote))
			return &row[i];
	return NULL;
}

// RFC 7413 R14
static struct fast_peer *find_or_begin(struct tcp *tcp, const struct addr *remote)
{
	struct fast_peer *p = find(tcp, remote), *row = row_of(tcp, remote);

	if (!p) {
		p = row;
		for (int i = 1; i < ROW; i++)
			if (row[i].used_s < p->used_s)
				p = &row[i];
		*p = (struct fast_peer){.remote = *remote};
	}
	p->used_s = now_s(tcp);
	return p;
}

static struct tuning *asked(const struct tcp *tcp, const struct conn *c)
{
	struct tuning *t = UNLIKELY(conn_is(c, CONN_TUNED)) ? tuning_of(tcp, c) : NULL;

	return t && (t->fast == FAST_ASKED || t->fast == FAST_SENT) ? t : NULL;
}

// RFC 7413 R18
static void bar(struct tcp *tcp, struct conn *c)
{
	struct fast_peer *p = find_or_begin(tcp, &c->path.remote);

	p->barred_until_s = now_s(tcp) + (BARRED_S << p->failures);
	p->failures = (uint8_t)MIN(p->failures + 1, FAILURES_MAX - 1);
}

// RFC 7413 R15: what the SYN carries beside its options, of whose peer's MSS is known.
static uint32_t text_bytes(const struct tcp *tcp, const struct conn *c, const struct fast_peer *p)
{
	uint32_t mss = MIN(p->mss_bytes, output_mss_to_offer(tcp, &c->path));
	uint64_t queued = c->snd.end - (c->snd.una + 1);

	return (uint32_t)MIN(queued, (uint64_t)(mss - MIN(mss, (uint32_t)TCP_OPTIONS_BYTES_MAX)));
}

uint32_t fast_syn(const struct tcp *tcp, const struct conn *c, struct tcp_options *o)
{
	const struct fast_peer *p;

	if (LIKELY(!asked(tcp, c)) || c->path.source_route) // no room for both options
		return 0;
	p = find(tcp, &c->path.remote);
	if (p && (int32_t)(p->barred_until_s - now_s(tcp)) > 0)
		return 0;
	o->has_fast = true;
	o->fast_len = p ? p->cookie_len : 0;
	if (o->fast_len == 0)
		return 0;
	memcpy(o->fast, p->cookie, sizeof(o->fast));
	return text_bytes(tcp, c, p);
}

void fast_syn_left(struct tcp *tcp, struct conn *c, const struct tcp_options *o, uint32_t text_len)
{
	struct tuning *t = asked(tcp, c);

	if (LIKELY(!t))
		return;
	if (o->has_fast) {
		t->fast = FAST_SENT;
		t->fast_text_bytes = text_len;
	} else if (t->fast == FAST_SENT) { // again, and this time without: RFC 7413 R17
		t->fast = FAST_ASKED;
		if (conn_is(c, CONN_SYN_AGAIN)) // an older connection answered
			return;
		counter_add(tcp->env, COUNTER_tcp_fast_fallbacks, 1);
		bar(tcp, c);
	}
}

void fast_text_counts(struct tcp *tcp, struct conn *c, uint64_t ack)
{
	const struct tuning *t = asked(tcp, c);

	if (UNLIKELY(t) && ack > c->snd.nxt && ack <= c->snd.una + 1 + t->fast_text_bytes)
		c->snd.nxt = ack;
}

void fast_forget(struct tcp *tcp, struct conn *c)
{
	struct tuning *t = asked(tcp, c);

	if (!t)
		return;
	t->fast = FAST_NOT;
	t->fast_text_bytes = 0;
}

// RFC 7413 R16
void fast_answered(struct tcp *tcp, struct conn *c, const struct segment *s,
		   const struct tcp_options *o)
{
	struct tuning *t = asked(tcp, c);
	bool has_cookie = o->has_fast && o->fast_len, took_text = s->ack > c->snd.una + 1;

	if (LIKELY(!t))
		return;
	if (has_cookie || took_text) {
		struct fast_peer *p = find_or_begin(tcp, &c->path.remote);

		p->failures = 0;
		if (took_text)
			p->barred_until_s = 0;
		p->mss_bytes = o->has_mss && o->mss ? o->mss : open_mss_default(&c->path);
		if (has_cookie) {
			p->cookie_len = o->fast_len;
			memcpy(p->cookie, o->fast, sizeof(p->cookie));
		}
	} else if (t->fast_text_bytes && t->fast == FAST_SENT) {
		bar(tcp, c);
	}
	counter_add(tcp->env, COUNTER_tcp_fast_opens_out, took_text);
	fast_forget(tcp, c);
}

// Once the SYN has left it is too late; and what others opened has its listener's.
void fast_choose(struct tcp *tcp, struct conn *c, bool fast)
{
	if (conn_in(c, SYN_SENT) && c->snd.nxt == c->snd.una)
		tune(tcp, c)->fast = fast ? FAST_ASKED : FAST_NOT;
}
