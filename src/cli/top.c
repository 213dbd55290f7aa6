// SPDX-License-Identifier: BSD-3-Clause
// prism top: picture.c's lines on a terminal, again and again, or once as plain text. Reads shared
// memory only; an instance that is stuck or dead is shown as it is. When the instance is gone and
// a new one has its name, top goes on with that.

#include <locale.h>
#include <ncurses.h>
#include <prismnet/error.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/cli.h"
#include "cli/picture.h"

// --once compares two looks so far apart.
#define ONCE_NS (500 * NS_PER_MS)

static uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void wait_for(uint64_t ns)
{
	struct timespec wait = {.tv_sec = (time_t)(ns / NS_PER_S),
				.tv_nsec = (long)(ns % NS_PER_S)};

	nanosleep(&wait, NULL);
}

// The older sample becomes the newer one. A dead instance's file does not change; its last copy
// stays when the file is gone.
static void look(struct picture *p, struct shm_reader *reader)
{
	struct picture_sample *oldest = p->before;

	p->state = stats_look(reader);
	p->head = shm_reader_head(reader);
	p->before = p->after;
	p->after = oldest;
	picture_sample(reader, clock_now_ns(), p->after);
}

// Closes the reader, as show_live does.
static int show_once(struct picture *p, struct shm_reader *reader)
{
	look(p, reader);
	wait_for(ONCE_NS);
	shm_reader_refresh(reader); // a dead one's may be gone: what was read is shown
	look(p, reader);
	picture_compose(p);
	for (uint32_t i = 0; i < p->line_count; i++)
		puts(p->line[i]);
	shm_reader_close(reader);
	return CLI_OK;
}

static void draw(const struct picture *p)
{
	int hidden = (int)p->line_count - (LINES - 1);

	erase();
	for (uint32_t i = 0; i < p->line_count && (int)i < LINES - 1; i++) {
		attrset(i == 0 ? A_BOLD : A_NORMAL);
		mvaddnstr((int)i, 0, p->line[i], COLS - 1);
	}
	attrset(A_DIM);
	mvaddnstr(LINES - 1, 0, "q quit  s sort drops by rate or total  ", COLS - 1);
	if (hidden > 0)
		printw("%d more lines: a taller window", hidden);
	else
		printw("prism explain NAME: what a drop is");
	attrset(A_NORMAL);
	refresh();
}

// Whoever has the name of one that is gone. To be looked at next: the picture has the old one's
// head.
static struct shm_reader *successor(struct picture *p, struct shm_reader *reader)
{
	struct shm_reader *next = stats_open(shm_reader_head(reader)->instance);

	if (!next || !shm_reader_alive(next)) {
		shm_reader_close(next);
		return reader;
	}
	shm_reader_close(reader);
	p->after->count = 0; // the new one counts from 0
	p->after->time_ns = 0;
	return next;
}

static int show_live(struct picture *p, struct shm_reader *reader, uint64_t interval_ns)
{
	int key = 0;

	look(p, reader);
	setlocale(LC_ALL, "");
	initscr();
	cbreak();
	noecho();
	curs_set(0);
	timeout((int)(interval_ns / NS_PER_MS));
	while (key != 'q') {
		if (key == 's')
			p->by_total = !p->by_total;
		else if (key != KEY_RESIZE)
			look(p, reader);
		picture_compose(p);
		draw(p);
		key = getch();
		if (key == ERR && p->state >= STATS_ENDED)
			reader = successor(p, reader);
		if (key == ERR)
			shm_reader_refresh(reader);
	}
	endwin();
	shm_reader_close(reader);
	return CLI_OK;
}

int cmd_top(int argc, char **argv)
{
	const char *values[CLI_OPTIONS_MAX];
	int at = cli_options(argc, argv, values), code;
	uint64_t interval_ns = NS_PER_S;
	struct picture picture = {0};

	if (at < 0 || (values[1] && !cli_time("interval", values[1], &interval_ns)))
		return CLI_USAGE;
	if (at < argc)
		return cli_error(CLI_USAGE, NULL, "name an instance with -n NAME",
				 "prism top takes no argument");
	if (!values[0] && !isatty(STDOUT_FILENO))
		return cli_error(CLI_USAGE, NULL, "prism top --once prints plain text",
				 "prism top needs a terminal");
	struct shm_reader *reader = stats_open(values[2]);
	if (!reader)
		return cli_last_error(CLI_FAILED);
	struct picture_sample *samples = calloc(2, sizeof *samples);
	if (!samples)
		return cli_error(CLI_FAILED, NULL, NULL, "out of memory");
	picture.before = &samples[0];
	picture.after = &samples[1];
	code = values[0] ? show_once(&picture, reader) : show_live(&picture, reader, interval_ns);
	free(samples);
	return code;
}
