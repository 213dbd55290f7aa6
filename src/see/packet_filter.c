// SPDX-License-Identifier: BSD-3-Clause
// Filters in libpcap's language: compiled for frames and again for bare IP packets, as a head may
// be either. Called by why.c and prism drops. libpcap opens no device here and needs no privilege;
// it interprets its program over the bytes there are, and what looks behind them does not match.
#include "see/packet_filter.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

// What a filter may ask to be captured: more than any head has.
#define SNAP_BYTES 65535

struct packet_filter {
	struct bpf_program frame, ip;
	bool never_ip; // it asks for something that only ethernet has
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

// libpcap's `host` and `tcp` do not look behind a tag; what stands behind its `vlan` does. A filter
// that says `vlan` says itself where its parts look.
static void look_behind_tags(struct packet_filter *filter, const char *text)
{
	struct bpf_program both;
	char *whole;

	if (strstr(text, "vlan") || !text[strspn(text, " \t\n")])
		return;
	if (asprintf(&whole,
		     "(not ether proto 0x8100 and (%s)) or (ether proto 0x8100 and vlan "
		     "and (%s))",
		     text, text) < 0)
		return;
	if (compile(DLT_EN10MB, whole, &both, NULL) == 0) { // else it has no meaning behind one
		pcap_freecode(&filter->frame);
		filter->frame = both;
	}
	free(whole);
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
	look_behind_tags(filter, text);
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

static struct packet_program steps_of(const struct bpf_program *program)
{
	static_assert(sizeof(struct match_step) == sizeof(struct bpf_insn), "libpcap's layout");
	return (struct packet_program){(const struct match_step *)program->bf_insns,
				       program->bf_len};
}

void packet_filter_programs(const struct packet_filter *filter, struct packet_program *frame,
			    struct packet_program *ip)
{
	*frame = steps_of(&filter->frame);
	*ip = filter->never_ip ? (struct packet_program){0} : steps_of(&filter->ip);
}

bool packet_filter_matches(const struct packet_filter *filter, const struct verdict *v)
{
	struct pcap_pkthdr header = {.caplen = v->head_bytes, .len = v->len};

	if (v->head_kind == VERDICT_HEAD_FRAME)
		return pcap_offline_filter(&filter->frame, &header, v->head) != 0;
	if (v->head_kind == VERDICT_HEAD_IP && !filter->never_ip)
		return pcap_offline_filter(&filter->ip, &header, v->head) != 0;
	return false;
}
