/*
 * mailctl log -f: asks for lines behind those that it has, again and again;
 * each question waits at logd until there is one.  A log file that is
 * rotated, a logd that is started again, a maild that ends and comes back are
 * gone through; what was missed meanwhile is told.
 */
#include "base/compat.h"

#include <err.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "mailctl/mailctl.h"

#define CURSOR_MAX	100
#define LINES_SHOWN	"10"	/* before those that come */

enum came { CAME_ANSWER, CAME_REFUSAL, CAME_END };

struct follow {
	const char	*path, *text, *lines;
	char		 cursor[CURSOR_MAX];
	bool		 json;
	bool		 no_maild, no_logd; /* told that it is away */
	int		 status;	/* of a refusal */
};

bool
follow_is_command(int argc, char *const *argv)
{
	int i;

	if (argc < 2 || strcmp(argv[0], "log") != 0)
		return false;
	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "-n") == 0)
			i++;
		else if (strcmp(argv[i], "-f") == 0)
			return true;
	return false;
}

static void
parse(struct follow *f, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++)
		if (strcmp(argv[i], "-f") == 0)
			;
		else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
			f->lines = argv[++i];
		else if (f->text == NULL)
			f->text = argv[i];
		else
			errx(EX_USAGE, "usage: log -f [-n LINES] [TEXT]");
}

/* A connection; it is waited for unless this is the first one. */
static int
reach(struct follow *f, bool first)
{
	int s;

	if (first)
		return control_connect(f->path);
	while ((s = control_try(f->path)) == -1) {
		if (errno != ENOENT && errno != ECONNREFUSED &&
		    errno != ECONNRESET)
			err(EX_UNAVAILABLE, "%s", f->path);
		if (!f->no_maild)
			warnx("%s: maild is not running, waiting for it",
			    f->path);
		f->no_maild = true;
		sleep(1);
	}
	f->no_maild = false;
	return s;
}

/* "CURSOR LOST" at the end of an answer. */
static void
go_on(struct follow *f, struct slice text)
{
	size_t n = slice_find(text, ' ');
	uint64_t lost = 0;

	if (n == text.n || slice_cpy(slice_of(text.p, n), f->cursor,
	    sizeof(f->cursor)) == -1 || slice_number(slice_of(text.p + n + 1,
	    text.n - n - 1), UINT64_MAX, &lost) == -1)
		errx(EX_PROTOCOL, "damaged answer");
	if (lost > 0)
		warnx("%llu lines came faster than they were read, and are "
		    "in the file alone", (unsigned long long)lost);
}

/* What came is printed when all of it is there, so that nothing is printed
 * twice after an end in the middle. */
static enum came
answer(struct follow *f, int s)
{
	struct table *table = table_new(f->json);
	struct ctl_run_r end;

	if (answer_read(s, table, &end) != 1) {
		table_free(table);
		return CAME_END;
	}
	table_lines(table);
	if (fflush(stdout) == EOF)
		exit(EX_IOERR);
	if (end.code == EX_OK) {
		go_on(f, end.text);
		return CAME_ANSWER;
	}
	f->status = end.code;
	if (f->status != EX_TEMPFAIL || !f->no_logd) {
		fputs("mailctl: ", stderr);
		text_print(stderr, end.text);
	}
	return CAME_REFUSAL;
}

/* Ask once; false: it is of no use to ask again. */
static bool
ask(struct follow *f, int *s)
{
	char *words[8];
	int n = 0;

	words[n++] = (char *)(uintptr_t)"log";
	words[n++] = (char *)(uintptr_t)"-f";
	words[n++] = f->cursor;
	words[n++] = (char *)(uintptr_t)"-n";
	words[n++] = (char *)(uintptr_t)f->lines;
	if (f->text != NULL)
		words[n++] = (char *)(uintptr_t)f->text;
	switch (send_command(*s, n, words, NULL, -1) == -1 ? CAME_END :
	    answer(f, *s)) {
	case CAME_ANSWER:
		f->no_logd = false;
		return true;
	case CAME_REFUSAL:
		if (f->status != EX_TEMPFAIL)
			return false;
		f->no_logd = true;
		sleep(1);
		return true;
	case CAME_END:
		break;
	}
	close(*s);
	*s = reach(f, false);
	return true;
}

int
follow_command(const char *path, int argc, char **argv, bool json)
{
	struct follow f = { .path = path, .lines = LINES_SHOWN, .cursor = "0",
	    .json = json };
	int s;

	parse(&f, argc, argv);
	s = reach(&f, true);
	while (ask(&f, &s))
		;
	return f.status;
}
