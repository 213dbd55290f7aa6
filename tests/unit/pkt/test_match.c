// SPDX-License-Identifier: BSD-3-Clause
// Filters say of each packet what libpcap's own interpreter says, wherever its bytes are cut into
// segments: those that people write, and random programs.
#include "pkt/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../seed.h"
#include "base/err.h"
#include "base/rand.h"
#include "filter.h"
#include "pkt/pool.h"

static struct pool *pool;

static int set_up(void **state)
{
	pool = pool_create(&(struct pool_config){"pool", 8, 2048, -1});
	return pool ? 0 : -1;
}

static int tear_down(void **state)
{
	assert_int_equal(pool_available(pool), 8);
	pool_destroy(pool);
	return 0;
}

static const char *const texts[] = {
	"",
	"tcp",
	"udp",
	"icmp",
	"arp",
	"ip6",
	"not tcp",
	"port 80",
	"tcp port 80",
	"tcp port 80 or udp port 53",
	"tcp dst portrange 70-90",
	"ip6 and tcp port 80",
	"src host 10.0.0.1 and dst net 10.0.0.0/24",
	"host 2001:db8::2",
	"ether host 02:00:00:00:00:01",
	"ether broadcast",
	"vlan",
	"vlan 7 and tcp port 80",
	"greater 100",
	"less 60",
	"len = 64",
	"len > 64 and len <= 200",
	"tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
	"tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
	"ip[2:2] > 60",
	"ip[6:2] & 0x1fff = 0",
	"ip[8] * 2 = 128 and ip[8] - 1 = 63",
	"ip[3] / 2 = 20",
	"ip[3] % 3 = 1",
	"udp[4:2] << 1 = 0x0a0c or (ip[9] ^ 6) = 0",
	"ether[len - 1] = 5",
	"ether[20:4] = ether[24:4]",
	"ether[500] = 0",
	"icmp or (udp and ether[1400:4] != 0)",
	"ether[len - 4:4] != 0",
	"ether[len - 57:4] != 0", // before the first byte of some
	"tcp[len - 90] < 256",    // wraps into some
	"ether[0xffffffff] < 256",
	"ether[0xfffffffe:2] < 65536",
	"tcp[tcpflags] & tcp-syn != 0 or tcp[4] & 0x80 != 0",
	"ip[2:2] << ip[8] = 0 or ip[2:2] >> ip[8] = 7",
	"ip[2:2] / ip[6] = 0",
	"ip[2:2] % ip[8] = 6 or ip[2:2] - ip[3] = 0",
	"-ip[8] = 0xffffffc0",
	"tcp[12] = 0x50",
	"tcp[20:4] = 0x47455420 and ip[8] = 64",
	"udp[8:2] = 0x1c1d or tcp[20] = 71",
};

struct frame {
	uint16_t len;
	uint8_t bytes[1514];
};

static struct frame frames[] = {{54}, {64}, {1514}, {1514}, {74}, {94}, {100}, {42},
				{60}, {55}, {20},   {14},   {4},  {3},  {1}};

static void make_frames(void)
{
	static const uint8_t tag[] = {0x81, 0, 0, 7},
			     six[] = {0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, 6, 64};

	for (size_t i = 0; i < ARRAY_COUNT(frames); i++) {
		uint8_t bytes[1514];

		write_frame(bytes, 1514, i % 2 ? 6 : 17, i % 3 ? 80 : 53);
		if (i == 4)
			bytes[23] = 1;
		memcpy(frames[i].bytes, bytes, sizeof(bytes));
	}
	memcpy(frames[1].bytes + FRAME_HEADS_BYTES, "GET /", 5);
	memcpy(frames[5].bytes + 12, six, sizeof(six));
	memcpy(frames[5].bytes + 14 + 40, "\x9c\x40\0\x50", 4);
	memmove(frames[6].bytes + 16, frames[6].bytes + 12, 84);
	memcpy(frames[6].bytes + 12, tag, sizeof(tag));
	memset(frames[7].bytes, 0xff, 6);
	memcpy(frames[7].bytes + 12, "\x08\x06", 2);
}

static void assert_as_libpcap(const char *text, const struct match *match,
			      const struct bpf_program *program, const struct frame *frame)
{
	static const uint32_t cuts[] = {0,  1,  13, 14, 17, 23,  30,  34,
					36, 37, 47, 54, 55, 512, 1401};
	bool expected = bpf_filter(program->bf_insns, frame->bytes, frame->len, frame->len) != 0;

	for (size_t c = 0; c < ARRAY_COUNT(cuts); c++) {
		struct pkt *p = pkt_of(pool, frame->bytes, frame->len, cuts[c]);

		if (match_packet(match, p) != expected)
			fail_msg("\"%s\" of frame %td cut at %u: not %d", text, frame - frames,
				 cuts[c], expected);
		pkt_free(p);
	}
}

static void every_filter_says_what_libpcap_says_wherever_the_packet_is_cut(void **state)
{
	uint32_t yes[2] = {0};

	make_frames();
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct match *match = filter_match(texts[i], DLT_EN10MB);
		struct bpf_program program;

		filter_compile(texts[i], DLT_EN10MB, &program);
		for (size_t f = 0; f < ARRAY_COUNT(frames); f++) {
			assert_as_libpcap(texts[i], match, &program, &frames[f]);
			yes[bpf_filter(program.bf_insns, frames[f].bytes, frames[f].len,
				       frames[f].len) != 0]++;
		}
		pcap_freecode(&program);
		match_destroy(match);
	}
	assert_true(yes[0] > 100 && yes[1] > 60);
}

// Steps of random programs: all there are but jumps that always jump, and the end.
static const uint16_t codes[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_H | BPF_ABS,
	BPF_LD | BPF_B | BPF_ABS,
	BPF_LD | BPF_W | BPF_IND,
	BPF_LD | BPF_H | BPF_IND,
	BPF_LD | BPF_B | BPF_IND,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LD | BPF_IMM,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_B | BPF_MSH,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_LDX | BPF_IMM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_SUB | BPF_K,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_MOD | BPF_K,
	BPF_ALU | BPF_MOD | BPF_X,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_ALU | BPF_XOR | BPF_X,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_RSH | BPF_X,
	BPF_ALU | BPF_NEG,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JSET | BPF_X,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
};

// A random step behind which the next one can be reached.
static struct match_step random_step(struct rng *rng, uint32_t behind)
{
	static const uint32_t masks[] = {3, 0x1f, 0x3f, 0xff, 0xffff, UINT32_MAX};
	struct match_step s = {.code = codes[rng_next(rng) % ARRAY_COUNT(codes)]};
	uint32_t jump = (uint32_t)rng_next(rng) % MIN(behind, 6u);

	s.k = (uint32_t)rng_next(rng) & masks[rng_next(rng) % ARRAY_COUNT(masks)];
	if (BPF_CLASS(s.code) == BPF_JMP && rng_next(rng) % 2)
		s.jump_true = (uint8_t)jump;
	else if (BPF_CLASS(s.code) == BPF_JMP)
		s.jump_false = (uint8_t)jump;
	if (BPF_CLASS(s.code) == BPF_ALU && BPF_OP(s.code) >= BPF_LSH && BPF_OP(s.code) <= BPF_RSH)
		s.k %= 32;
	if (BPF_CLASS(s.code) == BPF_ALU &&
	    (BPF_OP(s.code) == BPF_DIV || BPF_OP(s.code) == BPF_MOD))
		s.k |= 1;
	if (BPF_CLASS(s.code) == BPF_ST || BPF_CLASS(s.code) == BPF_STX ||
	    (BPF_CLASS(s.code) <= BPF_LDX && BPF_MODE(s.code) == BPF_MEM))
		s.k %= 2;
	if ((BPF_CLASS(s.code) == BPF_ALU || BPF_CLASS(s.code) == BPF_JMP) &&
	    (BPF_SRC(s.code) == BPF_X || BPF_OP(s.code) == BPF_NEG))
		s.k = 0; // nor with a number that nobody asks for
	return s;
}

#define RANDOM_STEPS 12

static void random_programs_return_what_libpcap_says(void **state)
{
	struct match_step steps[RANDOM_STEPS] = {{BPF_ST, 0, 0, 0}, {BPF_ST, 0, 0, 1}};
	uint64_t seed = test_seed();
	uint32_t yes[2] = {0};
	struct rng rng;

	rng_seed(&rng, seed);
	make_frames();
	for (uint32_t n = 0; n < 10000; n++) {
		struct bpf_program program = {RANDOM_STEPS, (struct bpf_insn *)(void *)steps};
		char text[32];

		for (uint32_t i = 2; i < RANDOM_STEPS - 1; i++)
			steps[i] = random_step(&rng, RANDOM_STEPS - 1 - i);
		steps[RANDOM_STEPS - 1] = (struct match_step){BPF_RET | BPF_A, 0, 0, 0};
		struct match *match = match_create(steps, RANDOM_STEPS);
		const struct frame *f = &frames[n % ARRAY_COUNT(frames)];

		assert_non_null(match);
		snprintf(text, sizeof(text), "random program %u", n);
		assert_as_libpcap(text, match, &program, f);
		yes[bpf_filter(program.bf_insns, f->bytes, f->len, f->len) != 0]++;
		match_destroy(match);
	}
	assert_true(yes[0] > 1000 && yes[1] > 1000);
}

static void a_filter_of_ip_packets_looks_at_what_begins_with_ip(void **state)
{
	struct match *match = filter_match("udp port 53 and src host 10.0.0.1", DLT_RAW);
	uint8_t bytes[60];

	for (uint16_t port = 52; port <= 54; port++) {
		write_ip(bytes, sizeof(bytes), 17, port);
		struct pkt *p = pkt_of(pool, bytes, sizeof(bytes), 0);

		assert_int_equal(match_packet(match, p), port == 53);
		pkt_free(p);
	}
	match_destroy(match);
}

static void assert_refused(const struct match_step *steps, uint32_t count)
{
	err_clear();
	assert_null(match_create(steps, count));
	assert_int_equal(err_last()->id, ERR_FILTER);
}

static void what_is_no_program_is_refused(void **state)
{
	static const struct match_step none[] = {{0}},
				       endless[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 12}},
				       leaps[] = {{BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 1},
						  {BPF_RET | BPF_K, 0, 0, 1}},
				       leaves[] = {{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1},
						   {BPF_RET | BPF_K, 0, 0, 1}},
				       goes[] = {{BPF_JMP | BPF_JA, 0, 0, 1},
						 {BPF_RET | BPF_K, 0, 0, 1}},
				       divides[] = {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0},
						    {BPF_RET | BPF_K, 0, 0, 1}},
				       beyond[] = {{BPF_ST, 0, 0, 16}, {BPF_RET | BPF_K, 0, 0, 1}},
				       unknown[] = {{0xffff, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 1}};

	assert_refused(none, 0);
	assert_refused(endless, 1);
	assert_refused(leaps, 2);
	assert_refused(leaves, 2);
	assert_refused(goes, 2);
	assert_refused(divides, 2);
	assert_refused(beyond, 2);
	assert_refused(unknown, 2);
	match_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(every_filter_says_what_libpcap_says_wherever_the_packet_is_cut),
		T(random_programs_return_what_libpcap_says),
		T(a_filter_of_ip_packets_looks_at_what_begins_with_ip),
		T(what_is_no_program_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
