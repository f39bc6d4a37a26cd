/*
 * mailctl reports, summary, list, abuse, failures, unread: what can be told
 * report by report.  report-in.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define TURN_ROWS	100	/* given in one step */
#define TURN_LOOKS	5000	/* reports looked at in one step */
#define RAW_LINES	20000	/* of a message that is shown */
#define RAW_LINE	1000	/* octets of one */

/* ---- summary ------------------------------------------------------------- */

struct tally {
	uint64_t	 reports, messages, pass, quarantined, rejected,
			 mended, distrusted;
};

/* Distinct reporters, domains that the mails proved, are rows of the table,
 * so one domain after the other. */
static void
tally(struct command *c, const char *domain, struct tally *t)
{
	const struct stored *s;
	const char *at;
	size_t i;

	rows_free(c->rows);
	c->rows = rows_new();
	for (i = 0; i < store_count(); i++) {
		s = store_get(i);
		if (s->kind != IN_DMARC || !domain_within(s->domain, domain) ||
		    (at = house_domain(c->house, s->domain)) == NULL ||
		    strcmp(at, domain) != 0)
			continue;
		c->failing = 0;
		if (!command_counts(c, s)) {
			t->distrusted += c->failing;
			continue;
		}
		t->reports++;
		t->mended += s->mended[0] != '\0';
		t->messages = sum_add(t->messages, s->messages);
		t->pass = sum_add(t->pass, s->pass);
		t->quarantined = sum_add(t->quarantined, s->quarantined);
		t->rejected = sum_add(t->rejected, s->rejected);
		if (s->trust == IN_PASS)
			rows_add(c->rows, slice_str(s->sender), 1);
	}
}

static void
summary_row(struct command *c, const char *domain)
{
	struct tally t = { 0 };
	struct row row = { .n = 0 };

	tally(c, domain, &t);
	row_text(&row, "domain", domain);
	row_num(&row, "reporters", (long long)rows_count(c->rows));
	row_num(&row, "reports", (long long)t.reports);
	row_num(&row, "messages", (long long)t.messages);
	row_num(&row, "pass", (long long)t.pass);
	row_share(&row, "percent", t.pass, t.messages);
	row_num(&row, "failing", (long long)(t.messages > t.pass ?
	    t.messages - t.pass : 0));
	row_num(&row, "quarantined", (long long)t.quarantined);
	row_num(&row, "rejected", (long long)t.rejected);
	row_num(&row, "mended", (long long)t.mended);
	row_num(&row, "distrusted", (long long)t.distrusted);
	proc_row(c->ask, &row);
}

int
summary_step(struct command *c)
{
	size_t i, raw = 0, abuse = 0;
	char more[512];

	if (c->at < c->house->ndomains) {
		summary_row(c, c->house->domains[c->at++]);
		return 1;
	}
	for (i = 0; i < store_count(); i++) {
		raw += store_get(i)->kind == IN_RAW;
		abuse += store_get(i)->kind == IN_ARF &&
		    strcmp(store_get(i)->form, "abuse") == 0 &&
		    store_get(i)->received >= c->from;
	}
	store_words(more, sizeof(more));
	proc_done(c->ask, EX_OK, "%u days; %zu abuse reports; %zu messages "
	    "nobody could read as reports%s", c->days, abuse, raw, more);
	return 0;
}

/* ---- list, abuse, failures ----------------------------------------------- */

static const char *
kind_name(const struct stored *s)
{
	switch (s->kind) {
	case IN_DMARC:
		return "dmarc";
	case IN_TLS:
		return "tls";
	case IN_ARF:
		return s->form;
	case IN_RAW:
	case IN_KINDS:
		break;
	}
	return "unread";
}

static void
list_row(struct command *c, const struct stored *s)
{
	struct row row = { .n = 0 };

	row_text(&row, "id", s->name);
	row_text(&row, "kind", kind_name(s));
	row_time(&row, "received", s->received);
	row_text(&row, "org", s->org);
	row_text(&row, "sender", s->sender);
	row_text(&row, "verdict", trust_name(s->trust));
	row_text(&row, "domain", s->domain);
	row_text(&row, "policy", s->policy);
	row_time(&row, "begin", s->begin);
	row_time(&row, "end", s->end);
	row_num(&row, "messages", (long long)s->messages);
	row_num(&row, "pass", (long long)s->pass);
	row_text(&row, "form", s->form);
	row_text(&row, "report_id", s->id);
	row_text(&row, "mended", s->mended);
	proc_row(c->ask, &row);
}

/* Abuse and failure reports have one row: its words, and who sent it.  Could
 * it be read? */
static bool
arf_row(struct command *c, const struct stored *s)
{
	struct row row = { .n = 0 };
	struct slice rest, line;
	struct in_head h;
	char word[IN_TEXT];
	uint64_t count;
	size_t n, i;
	char *p = store_read(s, &n);

	if (p == NULL)
		return false;
	if (file_check(p, n, &h, &rest) == -1 ||
	    file_row(&rest, &count, &line) != 1) {
		log_warnx("report %s is damaged, not shown", s->name);
		free(p);
		return false;
	}
	row_text(&row, "id", s->name);
	row_time(&row, "received", s->received);
	row_text(&row, "reporter", s->sender);
	row_text(&row, "verdict", trust_name(s->trust));
	row_num(&row, "count", (long long)count);
	for (i = 0; i < ARF_WORDS && line_next(&line, word,
	    sizeof(word)) == 1; i++)
		row_text(&row, arf_words[i], word);
	proc_row(c->ask, &row);
	free(p);
	return true;
}

static bool
list_wants(struct command *c, const struct stored *s)
{
	if (strcmp(c->verb, "list") == 0)
		return s->kind != IN_RAW;
	return s->kind == IN_ARF && (strcmp(s->form, "failure") == 0) ==
	    (strcmp(c->verb, "failures") == 0);
}

/* Those of senders that fail our check are shown too: each row has
 * the verdict. */
int
list_step(struct command *c)
{
	const struct stored *s;
	unsigned int rows = 0, looks = 0;
	char more[64];

	c->all = true;
	for (; c->at < store_count(); c->at++) {
		if (rows == TURN_ROWS || looks++ == TURN_LOOKS)
			return 1;
		s = store_get(c->at);
		if (!list_wants(c, s) || !command_counts(c, s))
			continue;
		rows++;
		if (strcmp(c->verb, "list") == 0)
			list_row(c, s);
		else if (!arf_row(c, s)) {
			c->unread++;
			continue;
		}
		c->done++;
	}
	snprintf(more, sizeof(more), "; %llu cannot be read, not shown",
	    (unsigned long long)c->unread);
	proc_done(c->ask, EX_OK, "%llu reports in %u days%s",
	    (unsigned long long)c->done, c->days, c->unread > 0 ? more : "");
	return 0;
}

/* ---- unread -------------------------------------------------------------- */

static int
unread_list(struct command *c)
{
	const struct stored *s;
	struct row row;
	unsigned int rows = 0;

	for (; c->at < store_count(); c->at++) {
		if (rows == TURN_ROWS)
			return 1;
		s = store_get(c->at);
		if (s->kind != IN_RAW)
			continue;
		row.n = 0;
		row_text(&row, "id", s->name);
		row_time(&row, "received", s->received);
		row_text(&row, "sender", s->sender);
		row_text(&row, "verdict", trust_name(s->trust));
		row_num(&row, "size", (long long)s->size);
		row_text(&row, "reason", s->reason);
		row_text(&row, "subject", s->subject);
		proc_row(c->ask, &row);
		c->done++;
		rows++;
	}
	proc_done(c->ask, EX_OK, "%llu messages",
	    (unsigned long long)c->done);
	return 0;
}

/* The message behind the head; c->text holds the file. */
static int
raw_open(struct command *c)
{
	const struct stored *s = store_find(c->arg);
	uint32_t nrows, crc;
	struct in_head h;
	size_t n, i;

	if (s == NULL || s->kind != IN_RAW) {
		proc_done(c->ask, EX_NOINPUT, "no unread message %s", c->arg);
		return -1;
	}
	if ((c->text = store_read(s, &n)) == NULL ||
	    file_head(c->text, n, &h, &nrows, &crc) == -1 || h.kept > n ||
	    crc32c(0, c->text + n - h.kept, h.kept) != crc) {
		proc_done(c->ask, EX_IOERR, "%s is damaged", c->arg);
		return -1;
	}
	c->rest = slice_of(c->text + n - h.kept, h.kept);
	for (i = n - h.kept; i < n; i++)	/* no cell can hold it */
		if (c->text[i] == '\0')
			c->text[i] = '?';
	return 0;
}

int
unread_step(struct command *c)
{
	struct slice line;
	struct row row;
	unsigned int rows;
	size_t n;

	if (c->arg[0] == '\0')
		return unread_list(c);
	if (c->text == NULL && raw_open(c) == -1)
		return 0;
	for (rows = 0; c->rest.n > 0 && c->done < RAW_LINES; c->done++) {
		if (rows++ == TURN_ROWS)
			return 1;
		n = slice_find(c->rest, '\n');
		line = slice_of(c->rest.p, n);
		n += n < c->rest.n;
		c->rest = slice_of(c->rest.p + n, c->rest.n - n);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n > RAW_LINE)
			line.n = RAW_LINE;
		row.n = 0;
		row_str(&row, "line", line);
		proc_row(c->ask, &row);
	}
	proc_done(c->ask, EX_OK, "%s", c->rest.n > 0 ? "..." : "");
	return 0;
}
