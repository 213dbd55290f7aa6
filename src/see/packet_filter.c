// SPDX-License-Identifier: BSD-3-Clause
// Filters in libpcap's language: compiled for frames and again for bare IP packets, as a head may
// be either. Called by why.c and prism drops. libpcap opens no device here and needs no privilege;
// it interprets its program over the bytes there are, and what looks behind them does not match.
#include "see/packet_filter.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "wire/eth.h"

// What a filter may ask to be captured: more than any head has.
#define SNAP_BYTES 65535

struct packet_filter {
	struct bpf_program frame, ip;
	bool never_ip;    // it asks for something that only ethernet has
	bool knows_vlans; // it says itself what is to be behind a tag
};

static int compile(int link_type, const char *text, struct bpf_program *program, char *error)
{
	pcap_t *pcap = pcap_open_dead(link_type, SNAP_BYTES);
	int result = -1;

	if (!pcap)
		return -1;
	result = pcap_compile(pcap, program, text, 1, PCAP_NETMASK_UNKNOWN);
	if (result && error)
		snprintf(error, PCAP_ERRBUF_SIZE, "%s", pcap_geterr(pcap));
	pcap_close(pcap);
	return result;
}

struct packet_filter *packet_filter_create(const char *text)
{
	struct packet_filter *filter = calloc(1, sizeof(*filter));
	char error[PCAP_ERRBUF_SIZE] = "out of memory";

	if (!filter || compile(DLT_EN10MB, text, &filter->frame, error)) {
		free(filter);
		err_set(ERR_FILTER, "`%s`: %s", text, error);
		return NULL;
	}
	filter->knows_vlans = strstr(text, "vlan") != NULL;
	filter->never_ip = compile(DLT_RAW, text, &filter->ip, NULL) != 0;
	return filter;
}

void packet_filter_destroy(struct packet_filter *filter)
{
	if (!filter)
		return;
	pcap_freecode(&filter->frame);
	if (!filter->never_ip)
		pcap_freecode(&filter->ip);
	free(filter);
}

static bool is_tagged(const struct verdict *v)
{
	struct eth_header eth;

	if (v->head_bytes < ETH_HEADER_BYTES_MAX)
		return false;
	memcpy(&eth, v->head, sizeof(eth));
	return be16_get(eth.type) == ETH_TYPE_VLAN;
}

static bool frame_matches(const struct packet_filter *filter, const struct verdict *v)
{
	struct pcap_pkthdr header = {.caplen = v->head_bytes, .len = v->len};

	return pcap_offline_filter(&filter->frame, &header, v->head) != 0;
}

// libpcap's `host` and `tcp` do not look behind a tag.
static bool untagged_matches(const struct packet_filter *filter, const struct verdict *v)
{
	const uint32_t tag_at = offsetof(struct eth_header, type);
	struct verdict plain = *v;

	plain.head_bytes = (uint8_t)(v->head_bytes - sizeof(struct vlan_tag));
	plain.len = v->len - (uint32_t)sizeof(struct vlan_tag);
	memcpy(plain.head + tag_at, v->head + tag_at + sizeof(struct vlan_tag),
	       plain.head_bytes - tag_at);
	return frame_matches(filter, &plain);
}

bool packet_filter_matches(const struct packet_filter *filter, const struct verdict *v)
{
	struct pcap_pkthdr header = {.caplen = v->head_bytes, .len = v->len};

	if (v->head_kind == VERDICT_HEAD_FRAME)
		return is_tagged(v) && !filter->knows_vlans ? untagged_matches(filter, v)
							    : frame_matches(filter, v);
	if (v->head_kind == VERDICT_HEAD_IP && !filter->never_ip)
		return pcap_offline_filter(&filter->ip, &header, v->head) != 0;
	return false;
}
