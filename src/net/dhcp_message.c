// SPDX-License-Identifier: BSD-3-Clause
// DHCP's messages (RFC 2131 2, RFC 2132): a server's is read and not trusted, a client's is
// written. Called by dhcp.c. Options may go on in the fields for names of a server and a file (RFC
// 2132 9.3).
//
// Deliberately not read: host and domain names, resolvers, static routes (RFC 3442), and all that
// nothing here would use. We are known by our station (RFC 2132 9.14, type 1), not by the
// identifier of RFC 4361, for which something would have to be kept from one start to the next.
#include "net/dhcp.h"
#include "net/inside.h"
#include "wire/udp.h"

#define PARAMETERS_COUNT 5

// Nobody has a larger network than one of class A: a shorter mask takes half of the internet for
// neighbours.
#define PREFIX_LEN_MIN 8

// One option's value, or the region that options lie in.
struct run {
	const uint8_t *at;
	uint32_t len;
};

static uint32_t u32_of(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

// A mask's ones; 0: they are not in front of its zeros.
static uint8_t len_of_mask(uint32_t mask)
{
	uint8_t len = (uint8_t)__builtin_popcount(mask);

	return route_mask(len) == mask ? len : 0;
}

// RFC 2131 2: what has a length is read only when it has that length; of several in an option, the
// first.
static bool read_option(uint8_t option, struct run v, struct dhcp_reply *r, uint8_t *overload)
{
	bool is_byte = option == DHCP_OPTION_TYPE || option == DHCP_OPTION_OVERLOAD;

	switch (option) {
	case DHCP_OPTION_TYPE:
		r->type = v.len ? v.at[0] : 0;
		break;
	case DHCP_OPTION_OVERLOAD:
		*overload = v.len ? v.at[0] : 0;
		break;
	case DHCP_OPTION_ROUTER:
		if (v.len >= 4)
			r->lease.router = be32_of(u32_of(v.at));
		return v.len >= 4 && v.len % 4 == 0;
	case DHCP_OPTION_MASK:
		r->lease.prefix_len = v.len == 4 ? len_of_mask(u32_of(v.at)) : 0;
		return r->lease.prefix_len != 0;
	case DHCP_OPTION_SERVER:
		r->server = v.len == 4 ? be32_of(u32_of(v.at)) : (be32){0};
		return v.len == 4;
	case DHCP_OPTION_LEASE:
		r->life_s = v.len == 4 ? u32_of(v.at) : 0;
		return v.len == 4;
	case DHCP_OPTION_RENEWAL:
		r->renew_s = v.len == 4 ? u32_of(v.at) : 0;
		return v.len == 4;
	case DHCP_OPTION_REBINDING:
		r->rebind_s = v.len == 4 ? u32_of(v.at) : 0;
		return v.len == 4;
	default:
		break;
	}
	return !is_byte || v.len == 1;
}

// False when an option runs past the region, or has another length than it must.
static bool read_options(struct run region, struct dhcp_reply *r, uint8_t *overload)
{
	for (uint32_t at = 0; at < region.len && region.at[at] != DHCP_OPTION_END;) {
		uint8_t option = region.at[at++];

		if (option == DHCP_OPTION_PAD)
			continue;
		if (at == region.len || at + 1 + region.at[at] > region.len)
			return false;
		struct run value = {region.at + at + 1, region.at[at]};

		if (!read_option(option, value, r, overload))
			return false;
		at += 1 + value.len;
	}
	return true;
}

// RFC 950: by its class, when no mask is told.
static uint8_t class_len(be32 addr)
{
	uint32_t top = be32_get(addr) >> 24;

	return top < 128 ? 8 : top < 192 ? 16 : 24;
}

// An address that a host of such a network may have.
static bool is_host(be32 addr, uint8_t len)
{
	uint32_t a = be32_get(addr), top = a >> 24, mask = route_mask(len);

	return top != 0 && top != 127 && top < 224 &&
	       (len >= 31 || ((a & ~mask) != 0 && (a & ~mask) != ~mask));
}

// A way that is not on the link leads nowhere. On the link it is another host, and one alone: what
// is sent to everybody's address by way of a router would reach everybody.
static bool check_router(struct lease *l)
{
	uint32_t router = be32_get(l->router);

	if (l->router.raw == 0)
		return true;
	if (!is_host(l->router, 32))
		return false;
	if (((router ^ be32_get(l->addr)) & route_mask(l->prefix_len)) != 0)
		l->router = (be32){0};
	return l->router.raw == 0 ||
	       (l->router.raw != l->addr.raw && is_host(l->router, l->prefix_len));
}

// What an offer and an acknowledgment must have (RFC 2131 table 3).
static enum drop check_lease(struct dhcp_reply *r)
{
	struct lease *l = &r->lease;

	if (l->prefix_len == 0)
		l->prefix_len = class_len(l->addr);
	if (l->prefix_len < PREFIX_LEN_MIN)
		return DROP_DHCP_MASK;
	if (r->life_s == 0 || !is_host(l->addr, l->prefix_len))
		return DROP_DHCP_MALFORMED;
	if (r->life_s < DHCP_LIFE_S_MIN)
		return DROP_DHCP_SHORT;
	return check_router(l) ? DROP_OK : DROP_DHCP_ROUTER;
}

static enum drop read_all(const struct dhcp_header *h, uint32_t len, struct dhcp_reply *r)
{
	uint8_t overload = 0, none = 0;
	bool whole = read_options((struct run){(const uint8_t *)(h + 1), len - sizeof(*h)}, r,
				  &overload);

	if (whole && overload & 1)
		whole = read_options((struct run){h->file, sizeof(h->file)}, r, &none);
	if (whole && overload & 2)
		whole = read_options((struct run){h->server_name, sizeof(h->server_name)}, r,
				     &none);
	if (!whole || r->server.raw == 0)
		return DROP_DHCP_MALFORMED;
	if (r->type == DHCP_NAK)
		return DROP_OK;
	return r->type == DHCP_OFFER || r->type == DHCP_ACK ? check_lease(r) : DROP_DHCP_UNASKED;
}

enum drop dhcp_read(const struct pkt *p, const struct arrival *a, const struct dhcp *d,
		    const uint8_t mac[6], struct dhcp_reply *r)
{
	const struct udp_header *udp = pkt_at(p, a->l4_offset);
	const struct dhcp_header *h = (const void *)(udp + 1);
	uint32_t len = a->l4_len - (uint32_t)sizeof(*udp);

	if (len < sizeof(*h) || pkt_seg_len(p) < (uint32_t)a->l4_offset + a->l4_len ||
	    h->op != DHCP_REPLY_OP || be32_get(h->magic) != DHCP_MAGIC)
		return DROP_DHCP_MALFORMED;
	if (h->xid.raw != d->xid.raw || h->hardware_len != 6 || memcmp(h->mac, mac, 6) != 0)
		return DROP_DHCP_NOT_OURS;
	*r = (struct dhcp_reply){.lease.addr = h->yours};
	return read_all(h, len, r);
}

static void add_option(struct pkt *p, uint8_t option, const void *value, uint8_t len)
{
	uint8_t *at = pkt_append(p, (uint16_t)(2 + len));

	at[0] = option;
	at[1] = len;
	memcpy(at + 2, value, len);
}

// RFC 2131 table 5: by what a request is told from its kin.
static void add_wanted(struct pkt *p, const struct dhcp *d, enum dhcp_type type)
{
	bool chooses = d->state == DHCP_REQUESTING || type == DHCP_DECLINE;

	if (type == DHCP_DISCOVER || !chooses)
		return;
	add_option(p, DHCP_OPTION_WANTED, &d->offer.addr, 4);
	add_option(p, DHCP_OPTION_SERVER, &d->server, 4);
}

struct pkt *dhcp_write(struct net *net, const struct dhcp *d, enum dhcp_type type)
{
	static const uint8_t wanted[PARAMETERS_COUNT] = {DHCP_OPTION_MASK, DHCP_OPTION_ROUTER,
							 DHCP_OPTION_LEASE, DHCP_OPTION_RENEWAL,
							 DHCP_OPTION_REBINDING};
	const uint8_t *mac = net->port[d->port_index].port->mac;
	uint8_t client[7] = {DHCP_ETHERNET}, kind = (uint8_t)type;
	bool has_address = d->state == DHCP_RENEWING || d->state == DHCP_REBINDING;
	bool declines = type == DHCP_DECLINE; // RFC 2131 table 5: neither seconds nor flags
	struct pkt *p = net_alloc(net, POOL_TX);

	if (!p)
		return NULL;
	struct dhcp_header *h = pkt_append(p, sizeof(*h));

	*h = (struct dhcp_header){
		.op = DHCP_REQUEST_OP,
		.hardware = DHCP_ETHERNET,
		.hardware_len = 6,
		.xid = d->xid,
		.seconds = be16_of(declines ? 0 : d->seconds),
		.flags = be16_of(has_address || declines ? 0 : DHCP_BROADCAST),
		.client = has_address ? d->offer.addr : (be32){0},
		.magic = be32_of(DHCP_MAGIC),
	};
	memcpy(h->mac, mac, 6);
	memcpy(client + 1, mac, 6);
	add_option(p, DHCP_OPTION_TYPE, &kind, 1);
	add_option(p, DHCP_OPTION_CLIENT, client, sizeof(client));
	add_wanted(p, d, type);
	if (!declines)
		add_option(p, DHCP_OPTION_PARAMETERS, wanted, sizeof(wanted));
	*(uint8_t *)pkt_append(p, 1) = DHCP_OPTION_END;
	if (pkt_len(p) < DHCP_BYTES_MIN) {
		uint16_t pad = (uint16_t)(DHCP_BYTES_MIN - pkt_len(p));

		memset(pkt_append(p, pad), DHCP_OPTION_PAD, pad);
	}
	return p;
}
