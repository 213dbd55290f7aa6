// SPDX-License-Identifier: BSD-3-Clause
// prism sim: whole stacks on simulated links in virtual time, by seed. Reads a scenario
// (sim/plan_read.c) or has one drawn from each seed, runs the seeds (sim/batch.c), and on demand
// makes what failed smaller (sim/shrink.c). No device, no privilege and no EAL is needed: the
// worker's turn is the one that serves, on pools of plain heap (dpdk/pool_plain.c).
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/sim.h"
#include "control/suggest.h"
#include "control/units.h"
#include "sim/plan_file.h"
#include "sim/shrink.h"

// The order is commands.c's.
enum { SEED, SEEDS, SWARM, SHRINK, DURATION, CAPTURE, AT, FOLDER, KEYS, JSON, QUIET };

// Every sixteenth run is made twice and must be the same: a seed that does not replay is worth
// nothing.
#define REPEAT_EVERY 16

// Shrinking stops after so long: what is left is small enough to read.
#define SHRINK_SECONDS_MAX 120

static bool read_seeds(const char *text, uint64_t *first, uint64_t *last)
{
	int end = 0;

	if (text[0] >= '0' && text[0] <= '9' &&
	    sscanf(text, "%" SCNu64 "-%" SCNu64 "%n", first, last, &end) == 2 &&
	    text[end] == '\0' && *first <= *last && *last < UINT64_MAX)
		return true;
	cli_error(CLI_USAGE, NULL, "write two numbers, for example --seeds 1-1000",
		  "`%s` is no range of seeds", text);
	return false;
}

static bool read_seed(const char *text, uint64_t *seed)
{
	if (units_count(text, seed) == UNITS_OK && *seed < UINT64_MAX)
		return true;
	cli_error(CLI_USAGE, NULL, "write a whole number", "`%s` is no seed", text);
	return false;
}

static bool read_batch(const char *const *values, struct batch *batch)
{
	uint64_t duration_ns = 0;

	if (values[SEED] && values[SEEDS]) {
		cli_error(CLI_USAGE, NULL, "give one of them", "--seed and --seeds contradict");
		return false;
	}
	if (values[DURATION] && !cli_time("duration", values[DURATION], &duration_ns))
		return false;
	*batch = (struct batch){.first = 1,
				.last = 1,
				.seconds_max = (double)duration_ns / 1e9,
				.repeat_every = REPEAT_EVERY};
	if (duration_ns)
		batch->last = UINT64_MAX - 1;
	if (values[SEEDS] && !read_seeds(values[SEEDS], &batch->first, &batch->last))
		return false;
	if (values[SEED] && !read_seed(values[SEED], &batch->first))
		return false;
	if (values[SEED])
		batch->last = batch->first;
	return true;
}

static bool read_scenario(const char *path, struct plan *plan)
{
	struct plan_file *file = calloc(1, sizeof(*file));
	bool good = false;

	if (!file)
		return false;
	plan_read(file, path, plan);
	good = file->diags.count == 0;
	if (!good)
		diags_print(&file->diags, stderr, cli_color(stderr));
	plan_file_free(file);
	free(file);
	return good;
}

struct first_failure {
	struct sim_report report;
	struct run_result result; // failed: the first that did
};

static void report_run(void *context, const struct run_result *result)
{
	struct first_failure *f = context;

	if (result->failed && !f->result.failed)
		f->result = *result;
	sim_report_run(&f->report, result);
}

static void say_shrunk(const struct shrink *s, const struct run_result *failed, FILE *out)
{
	fprintf(out, "# seed %" PRIu64 ": %s\n# the smallest of %u trials, %u times smaller\n",
		failed->seed, failed->failure, s->trials, s->kept);
}

static int shrink(struct first_failure *f, const struct batch *batch)
{
	static struct plan plan;
	struct shrink s = {.seed = f->result.seed,
			   .failure = f->result.failure,
			   .seconds_max = SHRINK_SECONDS_MAX};
	char path[512];

	snprintf(path, sizeof(path), "%s/sim-%" PRIu64 ".yaml", f->report.folder, s.seed);
	batch_plan(batch, s.seed, &plan);
	shrink_plan(&s, &plan);
	FILE *file = fopen(path, "w");

	if (!file)
		return cli_error(CLI_FAILED, strerror(errno), "--folder names another place",
				 "%s cannot be written", path);
	say_shrunk(&s, &f->result, file);
	plan_write(&plan, file);
	fclose(file);
	if (f->report.runs)
		return CLI_OK;
	say_shrunk(&s, &f->result, stdout);
	plan_write(&plan, stdout);
	printf("# again: prism sim %s --seed %" PRIu64 "\n", path, s.seed);
	return CLI_OK;
}

static bool find_host(const struct plan *plan, const char *name, uint32_t *at)
{
	struct suggest suggest = {.word = name};
	char remedy[128] = "name one of the scenario's hosts";

	for (uint32_t i = 0; i < plan->host_count; i++) {
		suggest_offer(&suggest, plan->host[i].name);
		if (strcmp(plan->host[i].name, name) != 0)
			continue;
		*at = i + 1;
		return true;
	}
	if (suggest.best)
		snprintf(remedy, sizeof(remedy), "did you mean `%s`?", suggest.best);
	cli_error(CLI_USAGE, NULL, remedy, "there is no host `%s`", name);
	return false;
}

// One run that is written down whatever comes of it.
static int capture(const struct batch *batch, const char *path, const char *host)
{
	static struct plan plan;
	struct run_paths paths = {.capture = path};
	struct run_result result;

	batch_plan(batch, batch->first, &plan);
	if (host && !find_host(&plan, host, &paths.capture_at))
		return CLI_USAGE;
	batch_run_one(&plan, batch->first, &paths, &result);
	if (!result.unwritten && access(path, R_OK) == 0)
		return CLI_OK;
	return cli_error(CLI_FAILED, "the file could not be made, or not be written whole",
			 "name another place, or make room there", "no capture at %s", path);
}

static int run(struct first_failure *f, const struct batch *batch, const char *const *values)
{
	struct batch_totals totals;
	int error = batch_run(batch, &totals);
	int code = totals.failed ? CLI_FAILED : CLI_OK;

	if (error)
		return cli_error(CLI_ENVIRONMENT, strerror(-error),
				 "raise the limit of processes or of memory",
				 "a simulation could not be started");
	if (values[CAPTURE]) {
		int captured = capture(batch, values[CAPTURE], values[AT]);

		if (captured != CLI_OK)
			return captured;
	}
	if (values[SHRINK] && f->result.failed && shrink(f, batch) != CLI_OK)
		return CLI_FAILED;
	if (f->report.runs || totals.runs != 1)
		sim_report_totals(&f->report, &totals);
	return code;
}

int cmd_sim(int argc, char **argv)
{
	static struct plan plan;
	static struct first_failure f;
	const char *values[CLI_OPTIONS_MAX];
	struct batch batch;
	int at = cli_options(argc, argv, values);

	if (at < 0)
		return CLI_USAGE;
	if (values[KEYS]) {
		plan_write_keys(stdout);
		return CLI_OK;
	}
	if (at + 1 < argc)
		return cli_error(CLI_USAGE, NULL, "give one file, or none to have all drawn",
				 "prism sim takes one scenario");
	if (!read_batch(values, &batch) || (at < argc && !read_scenario(argv[at], &plan)))
		return CLI_USAGE;
	if (at < argc) {
		plan.swarm |= values[SWARM] != NULL;
		batch.plan = &plan;
	}
	f.report = (struct sim_report){.scenario = at < argc ? argv[at] : NULL,
				       .folder = values[FOLDER] ? values[FOLDER] : ".",
				       .batch = &batch,
				       .quiet = values[QUIET] != NULL,
				       .runs = values[JSON] ? json_array() : NULL};
	batch.report = report_run;
	batch.context = &f;
	return run(&f, &batch, values);
}
