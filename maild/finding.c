/*
 * What is found when somebody looks whether the house would start: things that
 * are wrong, each with the exit status that a start would have, and warnings.
 * A line is "FILE:LINE:COL: KEY: what is; what should be" where a value of the
 * configuration is at fault, else without the place.  Collected by look.c and
 * those that it asks, told by who looks: the start, a reload, maild -n.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/key.h"
#include "proc/proc.h"
#include "maild/maild.h"

static void	 line_make(const struct findings *, const char *, size_t,
		    char [FINDING_MAX], const char *, va_list)
		    __attribute__((format(printf, 5, 0)));

void
finding_begin(struct findings *f, struct house *h, const struct conf *conf)
{
	*f = (struct findings){ .house = h, .conf = conf, .status = EX_OK };
}

void
house_command(const struct house *h, const char *options, char *buf,
    size_t size)
{
	bool usual = strcmp(h->conffile, MAILD_SYSCONFDIR
	    "/maild/maild.yaml") == 0;

	snprintf(buf, size, "maild %s%s%s", options, usual ? "" : " -f ",
	    usual ? "" : h->conffile);
}

/* A line more; what has no room is counted as told. */
static void
lines_add(char *buf, size_t size, const char *line)
{
	size_t n = strlen(buf);

	if (size - n > strlen(line) + 2)
		snprintf(buf + n, size - n, "%s%s", n == 0 ? "" : "\n", line);
}

/* Where the value is, and its key; a default has no place. */
static void
prefix(const struct findings *f, const char *key, size_t index, char *buf,
    size_t size)
{
	struct conf_place p = { 0, 0 };

	buf[0] = '\0';
	if (key == NULL)
		return;
	p = conf_place(f->conf, key, (unsigned int)index);
	if (p.line == 0)
		snprintf(buf, size, "%s: ", key);
	else
		snprintf(buf, size, "%s:%u:%u: %s: ", f->house->conffile,
		    p.line, p.col, key);
}

static void
wrong_line(struct findings *f, int status, const char *line)
{
	lines_add(f->wrong, sizeof(f->wrong), line);
	f->nwrong++;
	/* the operator's to mend comes before what may pass by itself */
	if (f->status == EX_OK || status == EX_CONFIG)
		f->status = status;
}

/* The whole line. */
static void
line_make(const struct findings *f, const char *key, size_t index,
    char line[FINDING_MAX], const char *fmt, va_list ap)
{
	size_t n;

	prefix(f, key, index, line, FINDING_MAX);
	n = strlen(line);
	vsnprintf(line + n, FINDING_MAX - n, fmt, ap);
}

void
finding_wrong(struct findings *f, int status, const char *key, size_t index,
    const char *fmt, ...)
{
	char line[FINDING_MAX];
	va_list ap;

	va_start(ap, fmt);
	line_make(f, key, index, line, fmt, ap);
	va_end(ap);
	wrong_line(f, status, line);
}

void
finding_warn(struct findings *f, const char *key, size_t index,
    const char *fmt, ...)
{
	char line[FINDING_MAX];
	va_list ap;

	va_start(ap, fmt);
	line_make(f, key, index, line, fmt, ap);
	va_end(ap);
	lines_add(f->warned, sizeof(f->warned), line);
	f->nwarned++;
}

/* The key that a line has in parentheses, "" for none. */
static void
key_within(const char *line, char key[64])
{
	const char *open = strchr(line, '(');
	size_t n = open == NULL ? 0 : strcspn(open + 1, ")");

	key[0] = '\0';
	if (n > 0 && n < 64)
		snprintf(key, 64, "%.*s", (int)n, open + 1);
}

void
finding_lines(struct findings *f, int status, const char *lines)
{
	char line[FINDING_MAX], key[64];
	struct conf_place p;
	size_t n;

	for (; *lines != '\0'; lines += n + (lines[n] == '\n')) {
		n = strcspn(lines, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)n, lines);
		key_within(line, key);
		p = conf_place(f->conf, key, 0);
		if (p.line != 0)
			snprintf(line, sizeof(line), "%s:%u:%u: %.*s",
			    f->house->conffile, p.line, p.col, (int)n, lines);
		wrong_line(f, status, line);
	}
}

void
log_lines(log_fn *tell, const char *head, const char *lines)
{
	size_t n;

	for (; *lines != '\0'; lines += n + (lines[n] == '\n')) {
		n = strcspn(lines, "\n");
		tell("%s%.*s", head, (int)n, lines);
	}
}

void
finding_log(const struct findings *f)
{
	log_lines(log_warnx, "", f->warned);
	log_lines(log_errorx, "", f->wrong);
}

char *
finding_text(const struct findings *f)
{
	static const char head[] = "\nwarning: ";
	size_t size = strlen(f->warned) + f->nwarned * sizeof(head) + 1;
	char *text = xcalloc(1, size);
	const char *line = f->warned;

	for (size_t n; *line != '\0'; line += n + (line[n] == '\n')) {
		n = strcspn(line, "\n");
		snprintf(text + strlen(text), size - strlen(text), "%s%.*s",
		    head, (int)n, line);
	}
	return text;
}
