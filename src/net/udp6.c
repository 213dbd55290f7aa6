// SPDX-License-Identifier: BSD-3-Clause
// Datagrams over IPv6 (RFC 768, RFC 8200 8.1): what is their own of the way in and of the way out.
// Sockets, queue and events are udp.c's and udp_socket.c's, which know no families. Called by
// core/stack.c and udp_out.c; calls net_output.
#include <errno.h>

#include "base/err.h"
#include "net/icmp6.h"
#include "net/inside.h"
#include "net/udp.h"
#include "wire/icmp6.h"
#include "wire/udp.h"

// Room in front of the payload for all headers.
#define HEADERS_BYTES (ETH_HEADER_BYTES_MAX + IPV6_HEADER_BYTES + sizeof(struct udp_header))

// RFC 4443 3.1: a destination node SHOULD say that nobody listens.
static COLD void no_socket(struct net *net, struct pkt *p, const struct arrival *a)
{
	const struct icmp6_error error = {.type = ICMP6_UNREACHABLE, .code = ICMP6_PORT};

	icmp6_send_error(net, p, a, &error);
	pkt_drop(net->env, p, udp_why_nobody(net, a));
}

static enum drop check_sum(const struct pkt *p, const struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);

	// RFC 8200 8.1: "IPv6 receivers must discard UDP packets containing a zero checksum"
	if (UNLIKELY(h->checksum.raw == 0))
		return DROP_UDP_NO_CHECKSUM;
	return LIKELY(net_checksum_ok(p, a, UDP_CHECKSUM_OFFSET)) ? DROP_OK : DROP_UDP_CHECKSUM;
}

void udp6_input(struct net *net, struct pkt *p, struct arrival *a)
{
	const struct udp_header *h = pkt_at(p, a->l4_offset);
	enum drop reason = udp_check(p, a);

	if (UNLIKELY(reason != DROP_OK)) {
		pkt_drop(net->env, p, reason);
		return;
	}
	if (UNLIKELY(net->config.udp_claims) && udp_hand_to_worker(net, p, a))
		return;
	if (UNLIKELY(be16_get(h->len) < a->l4_len)) {
		a->l4_len = be16_get(h->len);
		pkt_truncate(p, (uint32_t)a->l4_offset + a->l4_len);
	}
	reason = check_sum(p, a);
	if (UNLIKELY(reason != DROP_OK))
		pkt_drop(net->env, p, reason);
	else if (UNLIKELY(!udp_take(net, p, a)))
		no_socket(net, p, a);
}

// p itself when headers can be written in front of it, else a fresh packet with p behind it. NULL
// without buffers, p is untouched then.
static struct pkt *with_headroom(struct net *net, struct pkt *p)
{
	if (LIKELY(pkt_is_direct(p) && pkt_refs(p) == 1 && pkt_headroom(p) >= HEADERS_BYTES))
		return p;
	struct pkt *head = net_alloc(net, POOL_HEAD);

	if (head)
		pkt_chain(head, p);
	return head;
}

// RFC 6437 3: the same for a whole flow, and nobody can guess which for the next; but its last bits
// say whose it is. A worker who is alone sends none.
static uint32_t flow_label(const struct net *net, const struct addr *remote, const be16 port[2])
{
	const be32 net_bits = {remote->word[1]}, host_bits = {remote->word[3]};

	static_assert(WORKERS_MAX <= IP6_LABEL_WORKER_MASK + 1, "each worker has a value");
	if (LIKELY(!net->config.udp_claims))
		return 0;
	uint32_t hash =
		net_flow_hash(net, net_bits, host_bits, (uint32_t)port[0].raw << 16 | port[1].raw);

	return (hash & IP6_LABEL_MASK & ~IP6_LABEL_WORKER_MASK) | net->env->worker_index;
}

int udp6_send(struct net *net, const struct udp_socket *s, struct net_path *path,
	      const be16 port[2], struct pkt *p)
{
	struct pkt *head = with_headroom(net, p);

	if (UNLIKELY(!head))
		return err_set(ERR_NO_BUFFERS, "a header for a datagram");
	uint32_t len = pkt_len(head) + (uint32_t)sizeof(struct udp_header);
	const struct udp_header h = {port[0], port[1], be16_of((uint16_t)len), {0}};

	pkt_unkeep(net->env, p);
	if (UNLIKELY(len + IPV6_HEADER_BYTES > IPV6_MTU_BYTES_MIN))
		path6_large_sent(net, &path->remote, len + IPV6_HEADER_BYTES);
	memcpy(pkt_prepend(head, sizeof(h)), &h, sizeof(h));
	net_output(net, head,
		   &(struct net_out){
			   .path = path,
			   .protocol = IP_UDP,
			   .ttl = ipv6_is_multicast(&path->remote) ? s->group_ttl : 0,
			   .l4_header_len = sizeof(h),
			   .checksum_offset = UDP_CHECKSUM_OFFSET,
			   .flow_label = flow_label(net, &path->remote, port),
		   });
	return 0;
}
