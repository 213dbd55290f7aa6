// SPDX-License-Identifier: BSD-3-Clause
// Joining fragments (RFC 791 3.2, RFC 8200 4.5). Called by reassembly4.c and reassembly6.c; the
// datagram it hands back is a chain of the very buffers that arrived: nothing is copied.
//
//   context:  first -> [0..1480) -> [1480..2960)      -> [4440..5000)   sorted, disjoint
//             have 3520, total 5000 (known since the last fragment): a hole is left
//
// What attacks this place has a rule each: fragments that overlap or contradict condemn the whole
// datagram, later fragments included (RFC 5722 3); a first fragment must hold the
// transport header (RFC 3128 is then moot: a second cannot reach into it); contexts, pinned bytes
// and fragments are bounded, a source's contexts too, and the oldest gives way to the newest.
#include "net/reassembly.h"

#include "base/mem.h"
#include "base/time.h"
#include "net/icmp.h"
#include "net/icmp6.h"
#include "net/inside.h"
#include "wire/ecn.h"
#include "wire/icmp6.h"

#define TIMEOUT_NS (30 * NS_PER_S)  // as Linux; RFC 1122 3.3.2 asks for a fixed value, 60 to 120 s
#define TIMEOUT6_NS (60 * NS_PER_S) // RFC 8200 4.5
#define PKTS_MAX 128                // a datagram: 64 KiB in pieces of the smallest MTU in use, 552
#define SOURCE_SHARE 4              // a source may have one in so many contexts

// Of a fragment, in its own fields: where its payload goes, and how long it is.
static uint32_t start_of(struct pkt *p)
{
	return (uint32_t)pkt_own(p)->offset;
}

static uint32_t end_of(struct pkt *p)
{
	return start_of(p) + pkt_own(p)->charge_bytes;
}

static uint32_t pinned_by(const struct pkt *p)
{
	uint32_t bytes = 0;

	for (; p; p = pkt_next(p))
		bytes += (uint32_t)pkt_headroom(p) + pkt_seg_len(p) + pkt_tailroom(p);
	return bytes;
}

static void drop_all(struct net *net, struct reassembly_context *c, enum drop reason)
{
	struct pkt *next;

	for (struct pkt *p = c->first; p; p = next) {
		next = pkt_own(p)->queue_next;
		pkt_unkeep(net->env, p);
		pkt_drop(net->env, p, reason);
	}
	counter_sub(net->env, COUNTER_queued_pkts, c->count_pkts);
	net->reassembly.pinned_bytes -= c->pinned_bytes;
	c->first = c->last = NULL;
	c->count_pkts = 0;
	c->pinned_bytes = 0;
}

static void end_context(struct net *net, struct reassembly_context *c, enum drop reason)
{
	drop_all(net, c, reason);
	wheel_stop(net->wheel, &c->timer);
	c->in_use = false;
}

// The datagram is condemned. The context stays until its time is over, to refuse what still comes.
static COLD struct pkt *condemn(struct net *net, struct reassembly_context *c, struct pkt *p,
				enum drop reason)
{
	drop_all(net, c, reason);
	c->refused = reason;
	pkt_drop(net->env, p, reason);
	return NULL;
}

// RFC 3168 5.3: a mark on any piece is one on the whole, but not where a piece says that it takes
// none: who marked that? Where no piece is marked the first one's field stays. RFC 3168 R1.
static void join_marks(const struct reassembly_context *c, struct arrival *a)
{
	if (c->ecn_seen & 1 << ECN_CE)
		a->tos = ecn_with(a->tos, ECN_CE);
}

// RFC 3168 R2
static bool marks_contradict(const struct reassembly_context *c)
{
	const uint8_t both = 1 << ECN_CE | 1 << ECN_NOT_ECT;

	return (c->ecn_seen & both) == both;
}

static void timer_fires(void *context, struct timer *timer, uint64_t now_ns)
{
	struct net *net = context;
	struct reassembly_context *c = CONTAINER_OF(timer, struct reassembly_context, timer);
	static const struct icmp_error exceeded = {
		ICMP_TIME_EXCEEDED, ICMP_EXCEEDED_REASSEMBLY, {0}};
	static const struct icmp6_error exceeded6 = {.type = ICMP6_TIME_EXCEEDED,
						     .code = ICMP6_EXCEEDED_REASSEMBLY};
	// RFC 792: "If fragment zero is not available then no time exceeded need be sent at all."
	// RFC 8200 4.5 wants the same.
	bool told = c->first && start_of(c->first) == 0;

	if (told && addr_is_v4(&c->src))
		icmp_send_error(net, c->first, &c->arrival, &exceeded);
	else if (told)
		icmp6_send_error(net, c->first, &c->arrival, &exceeded6);
	end_context(net, c, DROP_FRAGMENT_TIMEOUT);
}

// The one that will time out first; of any source when src is NULL. Never keep.
static struct reassembly_context *oldest(struct net *net, const struct addr *src,
					 const struct reassembly_context *keep)
{
	struct reassembly_context *found = NULL;

	for (uint32_t i = 0; i < net->reassembly.context_count; i++) {
		struct reassembly_context *c = &net->reassembly.context[i];

		if (!c->in_use || c == keep || (src && !addr_equal(&c->src, src)))
			continue;
		if (!found || c->timer.deadline_ns < found->timer.deadline_ns)
			found = c;
	}
	return found;
}

static struct reassembly_context *find(struct net *net, const struct arrival *a,
				       const struct reassembly_piece *f)
{
	for (uint32_t i = 0; i < net->reassembly.context_count; i++) {
		struct reassembly_context *c = &net->reassembly.context[i];

		if (c->in_use && c->id == f->id && addr_equal(&c->src, &a->src) &&
		    addr_equal(&c->dst, &a->dst) && c->protocol == f->protocol)
			return c;
	}
	return NULL;
}

// An unused context; the source's oldest gives way when it has its share, else anybody's.
static struct reassembly_context *take_context(struct net *net, const struct addr *src)
{
	struct reassembly *r = &net->reassembly;
	struct reassembly_context *unused = NULL;
	uint32_t of_source = 0;

	for (uint32_t i = 0; i < r->context_count; i++) {
		if (!r->context[i].in_use)
			unused = &r->context[i];
		else
			of_source += addr_equal(&r->context[i].src, src);
	}
	bool has_share = of_source >= MAX(r->context_count / SOURCE_SHARE, 1u);

	if (unused && !has_share)
		return unused;
	struct reassembly_context *c = oldest(net, has_share ? src : NULL, NULL);

	end_context(net, c, DROP_FRAGMENT_EVICTED);
	return c;
}

static struct reassembly_context *begin(struct net *net, const struct arrival *a,
					const struct reassembly_piece *f)
{
	struct reassembly_context *c = take_context(net, &a->src);

	*c = (struct reassembly_context){
		.src = a->src,
		.dst = a->dst,
		.id = f->id,
		.protocol = f->protocol,
		.in_use = true,
		.timer.kind = TIMER_FRAGMENT,
	};
	wheel_arm(net->wheel, &c->timer,
		  net->env->now_ns + (addr_is_v4(&c->src) ? TIMEOUT_NS : TIMEOUT6_NS));
	return c;
}

// Where in the list p belongs: behind *before (NULL: in front), ahead of *after.
static void find_place(const struct reassembly_context *c, struct pkt *p, struct pkt **before,
		       struct pkt **after)
{
	*before = NULL;
	*after = c->first;
	if (c->last && start_of(c->last) < start_of(p)) { // in order, as most come
		*before = c->last;
		*after = NULL;
	}
	while (*after && start_of(*after) < start_of(p)) {
		*before = *after;
		*after = pkt_own(*after)->queue_next;
	}
}

static enum drop check_place(const struct reassembly_context *c, struct pkt *p, struct pkt *before,
			     struct pkt *after, bool more)
{
	if (after && start_of(after) == start_of(p) && end_of(after) == end_of(p))
		return DROP_FRAGMENT_DUPLICATE;
	if ((before && end_of(before) > start_of(p)) || (after && end_of(p) > start_of(after)))
		return DROP_FRAGMENT_OVERLAP;
	if (c->total_bytes &&
	    (end_of(p) > c->total_bytes || (!more && end_of(p) != c->total_bytes)))
		return DROP_FRAGMENT_OVERLAP;
	if (!more && c->last && end_of(c->last) > end_of(p))
		return DROP_FRAGMENT_OVERLAP;
	return c->count_pkts == PKTS_MAX ? DROP_FRAGMENT_TOO_MANY : DROP_OK;
}

// Of all that received buffers are held for, half a datagram is worth least.
static enum drop check_room(const struct net *net, uint32_t bytes)
{
	if (pkt_early_short(net->env))
		return DROP_FRAGMENT_SHORT;
	return net->reassembly.pinned_bytes + bytes > net->config.fragment_bytes_max
		       ? DROP_FRAGMENT_TOO_MANY
		       : DROP_OK;
}

// Older datagrams give way until p's buffers may be pinned too, or c is the only one left.
static enum drop make_room(struct net *net, const struct reassembly_context *c, uint32_t bytes)
{
	enum drop reason = check_room(net, bytes);

	while (UNLIKELY(reason != DROP_OK)) {
		struct reassembly_context *victim = oldest(net, NULL, c);

		if (!victim)
			break;
		end_context(net, victim, DROP_FRAGMENT_EVICTED);
		reason = check_room(net, bytes);
	}
	return reason;
}

static void link_in(struct net *net, struct reassembly_context *c, struct pkt *p,
		    struct pkt *before)
{
	uint32_t bytes = pinned_by(p);

	if (before) {
		pkt_own(p)->queue_next = pkt_own(before)->queue_next;
		pkt_own(before)->queue_next = p;
	} else {
		pkt_own(p)->queue_next = c->first;
		c->first = p;
	}
	if (!pkt_own(p)->queue_next)
		c->last = p;
	c->count_pkts++;
	c->have_bytes += pkt_own(p)->charge_bytes;
	c->pinned_bytes += bytes;
	net->reassembly.pinned_bytes += bytes;
	pkt_keep(net->env, p);
	counter_add(net->env, COUNTER_queued_pkts, 1);
}

// Chains the fragments from the last to the first, so that each step touches one chain's head.
static struct pkt *join(struct net *net, struct reassembly_context *c, struct arrival *a)
{
	struct pkt *part[PKTS_MAX];
	uint32_t count = 0;

	for (struct pkt *p = c->first; p; p = pkt_own(p)->queue_next) {
		pkt_unkeep(net->env, p);
		part[count++] = p;
	}
	for (uint32_t i = count - 1; i > 0; i--)
		pkt_chain(part[i - 1], part[i]);
	pkt_own(part[0])->queue_next = NULL;
	pkt_own(part[0])->charge_bytes = 0;
	pkt_clear_offload(part[0]); // what the port said of the checksums was said of pieces
	counter_add(net->env, COUNTER_consumed_pkts, count - 1); // all but the one that goes on
	counter_sub(net->env, COUNTER_queued_pkts, count);
	net->reassembly.pinned_bytes -= c->pinned_bytes;
	*a = c->arrival;
	join_marks(c, a);
	a->l4_len = (uint16_t)c->total_bytes;
	a->l4_checksum = CHECKSUM_UNKNOWN; // a port saw only pieces
	wheel_stop(net->wheel, &c->timer);
	c->in_use = false;
	return part[0];
}

struct pkt *reassembly_add(struct net *net, struct pkt *p, struct arrival *a,
			   const struct reassembly_piece *f)
{
	struct reassembly_context *c = find(net, a, f);
	struct pkt *before, *after;
	enum drop reason;

	if (!c)
		c = begin(net, a, f);
	if (c->refused != DROP_OK)
		return condemn(net, c, p, c->refused);
	pkt_own(p)->offset = f->start;
	pkt_own(p)->charge_bytes = a->l4_len;
	find_place(c, p, &before, &after);
	reason = check_place(c, p, before, after, f->more);
	if (reason == DROP_FRAGMENT_DUPLICATE) {
		pkt_drop(net->env, p, reason);
		return NULL;
	}
	c->ecn_seen |= (uint8_t)(1 << ecn_of(a->tos));
	if (reason == DROP_OK)
		reason = marks_contradict(c) ? DROP_FRAGMENT_ECN : make_room(net, c, pinned_by(p));
	if (reason != DROP_OK)
		return condemn(net, c, p, reason);
	if (f->start == 0)
		c->arrival = *a;
	else
		pkt_strip(p, a->l4_offset);
	if (!f->more)
		c->total_bytes = end_of(p);
	link_in(net, c, p, before);
	return c->have_bytes == c->total_bytes ? join(net, c, a) : NULL;
}

bool reassembly_init(struct net *net)
{
	struct reassembly *r = &net->reassembly;

	r->context_count = net->config.fragment_contexts;
	r->context = mem_map("reassembly", r->context_count * sizeof(*r->context));
	wheel_set_kind(net->wheel, TIMER_FRAGMENT, timer_fires, net);
	return r->context != NULL;
}

void reassembly_fini(struct net *net)
{
	struct reassembly *r = &net->reassembly;

	for (uint32_t i = 0; r->context && i < r->context_count; i++)
		if (r->context[i].in_use)
			end_context(net, &r->context[i], DROP_FRAGMENT_TIMEOUT);
	if (r->context)
		mem_unmap(r->context, r->context_count * sizeof(*r->context));
}
