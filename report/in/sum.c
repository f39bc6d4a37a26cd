/*
 * mailctl reports DOMAIN, reject, tls: the rows of many reports added up.
 * First the files are read, some in a step, then the sums are given, largest
 * first.  report-in.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define TURN_FILES	32		/* read in one step */
#define TURN_OCTETS	(4U << 20)
#define TURN_LOOKS	20000
#define TURN_ROWS	100		/* given in one step */
#define SHOWN_MAX	1000		/* rows of an answer */

/* Words of a DMARC row, see in.h. */
enum { D_IP, D_DISPOSITION, D_DKIM, D_SPF, D_REASON, D_FROM, D_ENVELOPE,
	D_DDOMAIN, D_SELECTOR, D_DRESULT, D_SDOMAIN, D_SRESULT };
enum { T_DOMAIN, T_POLICY, T_RESULT, T_SENDER, T_MX, T_IP, T_WHY };

typedef char words[DMARC_WORDS][IN_TEXT];

static void
split(struct slice line, words w, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (line_next(&line, w[i], IN_TEXT) == 0)
			w[i][0] = '\0';
}

static bool
passes(words w)
{
	return strcmp(w[D_DKIM], "pass") == 0 || strcmp(w[D_SPF],
	    "pass") == 0;
}

static bool
yes(const char *result)
{
	return slice_caseis(slice_str(result), "pass");
}

/* ---- adding up ----------------------------------------------------------- */

/* What is shown of a row that fails, and no more. */
static void
reject_line(words w, struct line *l)
{
	size_t i;

	w[D_SELECTOR][0] = w[D_DKIM][0] = w[D_SPF][0] = '\0';
	for (i = 0; i < DMARC_WORDS; i++)
		line_word(l, w[i]);
}

/* A row for which there is no room: by outcome, no more. */
static void
add_rest(struct command *c, words w, uint64_t count)
{
	bool tls = strcmp(c->verb, "tls") == 0;
	struct line l = { .n = 0 };

	line_word(&l, "others");
	line_word(&l, tls ? "" : w[D_DISPOSITION]);
	line_word(&l, !tls ? w[D_DKIM] : strcmp(w[T_RESULT], "ok") == 0 ?
	    "ok" : "failed");
	line_word(&l, tls ? "" : w[D_SPF]);
	rows_rest(c->rows, slice_of(l.p, l.n), count);
}

static void
add_tls(struct command *c, struct slice line, uint64_t count)
{
	words w;

	split(line, w, TLS_WORDS);
	if (c->arg[0] != '\0' && !domain_within(w[T_DOMAIN], c->arg))
		return;
	c->total = sum_add(c->total, count);
	if (strcmp(w[T_RESULT], "ok") == 0)
		c->pass = sum_add(c->pass, count);
	if (rows_add(c->rows, line, count) == -1)
		add_rest(c, w, count);
}

/* Is the author's domain, as the reporter writes it, the one asked for? */
static bool
is_from(words w, const char *domain)
{
	char from[IN_DOMAIN];

	return domain_ascii(slice_str(w[D_FROM]), from) == 0 &&
	    domain_within(from, domain);
}

/* part: the report is about a domain above the one that is asked for. */
static void
add_dmarc(struct command *c, struct slice line, uint64_t count, bool part)
{
	struct line l = { .n = 0 };
	words w;

	split(line, w, DMARC_WORDS);
	if (part && !is_from(w, c->arg))
		return;
	c->total = sum_add(c->total, count);
	if (passes(w))
		c->pass = sum_add(c->pass, count);
	if (strcmp(c->verb, "reject") == 0) {
		if (passes(w))
			return;
		reject_line(w, &l);
		line = slice_of(l.p, l.n);
	}
	if (rows_add(c->rows, line, count) == -1)
		add_rest(c, w, count);
}

/* Returns octets read. */
static size_t
add_file(struct command *c, const struct stored *s)
{
	bool part = c->arg[0] != '\0' && !domain_within(s->domain, c->arg);
	uint64_t count, before = c->total;
	struct slice rest, line;
	struct in_head h;
	size_t n = 0;
	char *p = store_read(s, &n);

	if (p == NULL) {
		c->unread++;
		return 0;
	}
	if (file_check(p, n, &h, &rest) == -1) {
		log_warnx("report %s is damaged, not counted", s->name);
		c->unread++;
	} else {
		while (file_row(&rest, &count, &line) == 1)
			if (s->kind == IN_TLS)
				add_tls(c, line, count);
			else
				add_dmarc(c, line, count, part);
		c->done += !part || c->total > before;
	}
	free(p);
	return n;
}

/* 1: more to read. */
static int
collect(struct command *c)
{
	enum in_kind kind = strcmp(c->verb, "tls") == 0 ? IN_TLS : IN_DMARC;
	unsigned int files = 0, looks = 0;
	const struct stored *s;
	size_t octets = 0;

	for (; c->at < store_count(); c->at++) {
		if (files == TURN_FILES || octets > TURN_OCTETS ||
		    looks++ == TURN_LOOKS)
			return 1;
		s = store_get(c->at);
		if (s->kind != kind || !command_counts(c, s))
			continue;
		octets += add_file(c, s);
		files++;
	}
	return 0;
}

/* ---- rows ---------------------------------------------------------------- */

static void
show_row(const struct row_sum *v, struct row *row)
{
	words w;

	split(v->line, w, DMARC_WORDS);
	row_text(row, "source", w[D_IP]);
	row_num(row, "count", (long long)v->count);
	row_text(row, "dmarc", passes(w) ? "pass" : "fail");
	row_text(row, "spf", w[D_SPF]);
	row_text(row, "dkim", w[D_DKIM]);
	row_text(row, "disposition", w[D_DISPOSITION]);
	row_text(row, "from", w[D_FROM]);
	row_text(row, "envelope", w[D_ENVELOPE]);
	row_text(row, "dkim_domain", w[D_DDOMAIN]);
	row_text(row, "selector", w[D_SELECTOR]);
	row_text(row, "dkim_result", w[D_DRESULT]);
	row_text(row, "spf_domain", w[D_SDOMAIN]);
	row_text(row, "spf_result", w[D_SRESULT]);
	row_text(row, "override", w[D_REASON]);
}

/* Why a row fails, in words that say what can be done about it. */
static void
explain(words w, char *out, size_t size)
{
	out[0] = '\0';
	if (yes(w[D_DRESULT]))
		snprintf(out, size, "signed by %s, which is not aligned",
		    w[D_DDOMAIN]);
	if (yes(w[D_SRESULT])) {
		strlcat(out, out[0] != '\0' ? "; " : "", size);
		strlcat(out, "SPF passes for ", size);
		strlcat(out, w[D_SDOMAIN], size);
		strlcat(out, ", which is not aligned", size);
	}
	if (out[0] == '\0' && w[D_DDOMAIN][0] != '\0')
		snprintf(out, size, "signature of %s: %s; SPF: %s",
		    w[D_DDOMAIN], w[D_DRESULT][0] != '\0' ? w[D_DRESULT] :
		    "fail", w[D_SRESULT][0] != '\0' ? w[D_SRESULT] : "none");
	if (out[0] == '\0')
		snprintf(out, size, "no signature; SPF: %s",
		    w[D_SRESULT][0] != '\0' ? w[D_SRESULT] : "none");
	if (w[D_REASON][0] != '\0') {
		strlcat(out, "; reporter says ", size);
		strlcat(out, w[D_REASON], size);
	}
}

static void
reject_row(const struct row_sum *v, struct row *row)
{
	char text[4 * IN_TEXT];
	words w;

	split(v->line, w, DMARC_WORDS);
	explain(w, text, sizeof(text));
	row_text(row, "source", w[D_IP]);
	row_num(row, "count", (long long)v->count);
	row_text(row, "from", w[D_FROM]);
	row_text(row, "envelope", w[D_ENVELOPE]);
	row_text(row, "disposition", w[D_DISPOSITION]);
	row_text(row, "why", text);
}

static void
tls_row(const struct row_sum *v, struct row *row)
{
	words w;

	split(v->line, w, TLS_WORDS);
	row_text(row, "domain", w[T_DOMAIN]);
	row_text(row, "policy", w[T_POLICY]);
	row_text(row, "result", w[T_RESULT]);
	row_num(row, "sessions", (long long)v->count);
	row_text(row, "mx", w[T_MX]);
	row_text(row, "source", w[T_SENDER]);
	row_text(row, "address", w[T_IP]);
	row_text(row, "reason", w[T_WHY]);
}

/* ---- the end ------------------------------------------------------------- */

/* Messages of ours, or of somebody who proves to be somebody: those that
 * p=reject would hurt, rather than those it is for. */
static void
verdict(struct command *c, const char *more)
{
	uint64_t fail = c->total - c->pass, known = 0;
	unsigned long long tenths;
	size_t i;
	words w;

	for (i = 0; i < rows_count(c->rows); i++) {
		split(rows_get(c->rows, i)->line, w, DMARC_WORDS);
		if (yes(w[D_DRESULT]) || yes(w[D_SRESULT]))
			known = sum_add(known, rows_get(c->rows, i)->count);
	}
	if (c->total == 0) {
		proc_done(c->ask, EX_OK, "no messages of %s in reports of %u "
		    "days: nothing is known%s", c->arg, c->days, more);
		return;
	}
	if (fail == 0) {
		proc_done(c->ask, EX_OK, "p=reject for %s breaks nothing: all "
		    "%llu messages of %u days pass%s", c->arg,
		    (unsigned long long)c->total, c->days, more);
		return;
	}
	tenths = fail > UINT64_MAX / 1000 ? 1000 : fail * 1000 / c->total;
	proc_done(c->ask, EX_OK, "p=reject for %s refuses %llu of %llu "
	    "messages (%llu.%llu %%) of %u days; %llu of them were proven to "
	    "come from another domain: look at these first%s", c->arg,
	    (unsigned long long)fail, (unsigned long long)c->total,
	    tenths / 10, tenths % 10, c->days, (unsigned long long)known,
	    more);
}

static void
finish(struct command *c)
{
	char more[192] = "";
	size_t n = 0;

	if (c->failing > 0)
		n = (size_t)snprintf(more, sizeof(more), "; %llu reports of "
		    "senders that fail our check left out (--all)",
		    (unsigned long long)c->failing);
	if (c->unread > 0)
		snprintf(more + n, sizeof(more) - n, "; %llu reports cannot "
		    "be read, not counted", (unsigned long long)c->unread);
	if (strcmp(c->verb, "reject") == 0) {
		verdict(c, more);
		return;
	}
	proc_done(c->ask, EX_OK, "%llu of %llu %s pass in %llu reports of %u "
	    "days%s", (unsigned long long)c->pass,
	    (unsigned long long)c->total, strcmp(c->verb, "tls") == 0 ?
	    "sessions" : "messages", (unsigned long long)c->done, c->days,
	    more);
}

int
sum_step(struct command *c)
{
	const struct row_sum *v;
	struct row row;
	unsigned int rows = 0;
	size_t n;

	if (c->text == NULL) {		/* still reading */
		if (collect(c) == 1)
			return 1;
		rows_sort(c->rows);
		c->text = xstrdup("");
		c->at = 0;
		c->walks = false;
	}
	n = rows_count(c->rows) < SHOWN_MAX ? rows_count(c->rows) : SHOWN_MAX;
	for (; c->at < n; c->at++) {
		if (rows++ == TURN_ROWS)
			return 1;
		v = rows_get(c->rows, c->at);
		row.n = 0;
		if (strcmp(c->verb, "tls") == 0)
			tls_row(v, &row);
		else if (strcmp(c->verb, "reject") == 0)
			reject_row(v, &row);
		else
			show_row(v, &row);
		proc_row(c->ask, &row);
	}
	finish(c);
	return 0;
}
