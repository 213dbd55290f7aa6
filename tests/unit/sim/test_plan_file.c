// SPDX-License-Identifier: BSD-3-Clause
// Scenarios as files: what is wrong is said with its place and remedy, and what is written reads
// back.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/plan_file.h"

static struct plan plan;
static struct plan_file file;

static void read_text(const char *text)
{
	char path[] = "/tmp/prism-plan-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	plan_read(&file, path, &plan);
	unlink(path);
}

// The first finding stands on this line, says what and names a remedy.
static void expect_refusal(const char *text, uint32_t line, const char *what, const char *remedy)
{
	read_text(text);
	assert_true(file.diags.count > 0);
	const struct diag *d = &file.diags.item[0];

	if (d->place.line != line || !strstr(d->message, what) || !strstr(d->hint, remedy))
		fail_msg("line %u: %s; %s", d->place.line, d->message, d->hint);
	plan_file_free(&file);
}

#define APPS "applications: [{type: bulk, from: a, to: b}]\n"

static void good_file_gives_what_it_says(void **state)
{
	read_text("mtu: 1400B\n"
		  "hosts: [a, {name: b, workers: 2}]\n"
		  "links: [{between: [a, b], rate: 10Mbit/s, loss: 0.25%, back: {loss: 12ppm}}]\n"
		  "applications: [{type: request, from: b, to: a, rounds: 3, family: both}]\n"
		  "events: [{do: partition, hosts: [b], at: 1s, until: 2s}]\n"
		  "tcp: {sack: off}\nexpect: {goodput_min: 1Mbit}\n");
	if (file.diags.count)
		diags_print(&file.diags, stderr, false);
	assert_int_equal(file.diags.count, 0);
	assert_int_equal(plan.mtu_bytes, 1400);
	assert_int_equal(plan.host[1].workers, 2);
	assert_int_equal(plan.link[0].faults[0].rate_bits_s, 10000000);
	assert_int_equal(plan.link[0].faults[1].rate_bits_s, 10000000);
	assert_int_equal(plan.link[0].faults[0].loss_ppm, 2500);
	assert_int_equal(plan.link[0].faults[1].loss_ppm, 12);
	assert_int_equal(plan.app[0].from, 1);
	assert_int_equal(plan.app[0].rounds, 3);
	assert_int_equal(plan.app[0].side[0].close, CLOSE_WHEN_DONE);
	assert_int_equal(plan.event[0].hosts, 2);
	assert_int_equal(plan.options.sack_off, 1);
	assert_int_equal(plan.expect.goodput_bits_s_min, 1000000);
	plan_file_free(&file);
}

static void unknown_keys_and_names_are_met_by_suggestions(void **state)
{
	expect_refusal("links: [{between: [a, b], los: 1%}]\n" APPS, 1,
		       "unknown key `los` in `links`", "did you mean `loss`?");
	expect_refusal(APPS "hostz: []\n", 2, "unknown key `hostz`", "`hosts`");
	expect_refusal("hosts: [client, b]\napplications: [{type: bulk, from: clent, to: b}]\n", 2,
		       "there is no host `clent`", "`client`");
	expect_refusal("applications:\n  - {type: bulq, from: a, to: b}\n", 2,
		       "`bulq` is not a value of `type`", "`bulk`");
	expect_refusal(APPS "tcp: {keepalife: 3s}\n", 2, "unknown key `keepalife` in `tcp`",
		       "`keepalive`");
}

static void numbers_need_their_units_and_ranges(void **state)
{
	expect_refusal("links: [{between: [a, b], rate: 100}]\n" APPS, 1, "`100` has no unit",
		       "Mbit");
	expect_refusal("links: [{between: [a, b], loss: 3}]\n" APPS, 1, "`3` has no unit", "%");
	expect_refusal("links: [{between: [a, b], loss: 101%}]\n" APPS, 1, "outside the range",
		       "100%");
	expect_refusal("links: [{between: [a, b], delay: 3parsec}]\n" APPS, 1, "wrong unit", "ms");
	expect_refusal("mtu: 100B\n" APPS, 1, "outside the range", "from 296B to");
}

static void keys_of_another_type_are_refused(void **state)
{
	expect_refusal("applications:\n  - {type: bulk, from: a, to: b, rounds: 3}\n", 2,
		       "`rounds` means nothing with type: bulk", "type: request");
	expect_refusal(APPS "events: [{do: down, link: a-b, at: 1s, mtu: 1300B}]\n", 2,
		       "`mtu` means nothing with do: down", "do: mtu");
}

static void one_host_is_too_few(void **state)
{
	(void)state;
	expect_refusal("hosts: [a]\n", 1, "a scenario of 1 hosts", "two at least");
}

static void contradictions_are_found(void **state)
{
	expect_refusal("hosts: [a, b, c]\n" APPS, 1, "host `c` has 0 links", "switch");
	expect_refusal("hosts: [a, b, b]\n" APPS, 1, "there twice", "names of their own");
	expect_refusal("switches: [s, t]\nlinks:\n  - {between: [a, s]}\n  - {between: [b, t]}\n"
		       "  - {between: [s, t]}\n  - {name: x, between: [s, t]}\n" APPS,
		       6, "closes a ring", "leave it out");
	expect_refusal("applications:\n  - {type: bulk, from: a, to: a}\n", 2, "same host", "two");
	expect_refusal("mtu: 1000B\napplications:\n  - {type: bulk, from: a, to: b, family: ip6}\n",
		       3, "IPv6 needs", "ip4");
	expect_refusal("applications:\n  - {type: bulk, from: a, to: b, close: on_eof}\n", 2,
		       "waits until the other", "when_sent");
	expect_refusal(APPS "events: [{do: down, link: a-b, at: 2s, until: 1s}]\n", 2,
		       "ends before it begins", "until");
	expect_refusal("mtu: 1500B\n", 0, "nobody does anything", "applications");
}

static void switch_has_so_many_ports_and_no_more(void **state)
{
	char text[4096] = "switches: [s, t]\nhosts: [";
	size_t len = strlen(text);

	for (int i = 0; i < 16; i++)
		len += (size_t)sprintf(text + len, "h%d,", i);
	len += (size_t)sprintf(text + len, "]\nlinks:\n  - {between: [s, t]}\n");
	for (int i = 0; i < 16; i++)
		len += (size_t)sprintf(text + len, "  - {between: [h%d, s]}\n", i);
	sprintf(text + len, "applications: [{type: bulk, from: h0, to: h1}]\n");
	expect_refusal(text, 4, "switch `s` has 17 links", "16 ports");
}

static void missing_file_says_where_to_begin(void **state)
{
	plan_read(&file, "/nowhere/at-all.yaml", &plan);
	assert_int_equal(file.diags.count, 1);
	assert_non_null(strstr(file.diags.item[0].hint, "prism sim --keys"));
	plan_file_free(&file);
}

static char *written(const struct plan *p)
{
	size_t len;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	plan_write(p, out);
	fclose(out);
	return text;
}

static void every_drawn_plan_reads_back_as_it_was_written(void **state)
{
	static struct plan drawn;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		plan_draw(&drawn, seed);
		char *first = written(&drawn);

		read_text(first);
		if (file.diags.count)
			diags_print(&file.diags, stderr, false);
		assert_int_equal(file.diags.count, 0);
		char *second = written(&plan);

		assert_string_equal(first, second);
		assert_int_equal(plan.app_count, drawn.app_count);
		free(first);
		free(second);
		plan_file_free(&file);
	}
}

static void swarm_leaves_out_and_adds_nothing(void **state)
{
	static struct plan whole, some;
	uint32_t with_loss = 0, with_event = 0;

	plan_init(&whole);
	whole.swarm = true;
	whole.link[0].faults[0].loss_ppm = whole.link[0].faults[1].loss_ppm = 1000;
	whole.event_count = 1;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		some = whole;
		plan_swarm(&some, seed);
		assert_false(some.swarm);
		assert_int_equal(some.link[0].faults[0].loss_ppm, some.link[0].faults[1].loss_ppm);
		assert_int_equal(some.link[0].faults[0].duplicate_ppm, 0);
		with_loss += some.link[0].faults[0].loss_ppm == 1000;
		with_event += some.event_count;
	}
	assert_in_range(with_loss, 70, 130);
	assert_in_range(with_event, 70, 130);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_file_gives_what_it_says),
		cmocka_unit_test(unknown_keys_and_names_are_met_by_suggestions),
		cmocka_unit_test(numbers_need_their_units_and_ranges),
		cmocka_unit_test(keys_of_another_type_are_refused),
		cmocka_unit_test(one_host_is_too_few),
		cmocka_unit_test(contradictions_are_found),
		cmocka_unit_test(switch_has_so_many_ports_and_no_more),
		cmocka_unit_test(missing_file_says_where_to_begin),
		cmocka_unit_test(every_drawn_plan_reads_back_as_it_was_written),
		cmocka_unit_test(swarm_leaves_out_and_adds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
