/*
 * The text of a report to the sender (RFC 3464 in RFC 6522): what happened
 * in words, the same for programs, and the header of the message.  Pure: all
 * it says is given.  The result is 7-bit with CRLF: octets that are not
 * printable ASCII become '?' in our own words, and the returned header is
 * quoted-printable where it needs to be.
 */
#include "compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "util.h"
#include "queue.h"

#define LINE_7BIT	998
#define QP_LINE		72

struct text {
	char	*p;
	size_t	 n, cap;
};

static void	 say(struct text *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	 add(struct text *, const char *, size_t);
static const char *clean(struct slice, char *, size_t);
static void	 part_words(struct text *, const struct dsn *);
static void	 part_status(struct text *, const struct dsn *);
static void	 part_header(struct text *, const struct dsn *);
static void	 add_qp(struct text *, struct slice);
static bool	 is_plain(struct slice);

#define CLEAN(s)	clean((s), (char [520]){ 0 }, 520)

char *
dsn_text(const struct dsn *d, size_t *n)
{
	struct text t = { 0 };
	char date[DATE_TEXT_MAX], bound[40], from[300];
	size_t len;

	if (dsn_from(d, from, sizeof(from)) == -1)
		return NULL;
	len = date_print((int64_t)d->now, date, sizeof(date));
	hex_encode(bound, d->unique.b, sizeof(d->unique.b));
	say(&t, "From:%s\r\n", from);
	say(&t, "To: <%s>\r\n", CLEAN(d->sender));
	say(&t, "Subject: %s\r\n", d->action == DSN_FAILED ?
	    "Undelivered mail returned to sender" :
	    "Delayed mail (still being tried)");
	say(&t, "Date: %.*s\r\n", (int)len, date);
	say(&t, "Message-ID: <%s@%s>\r\n", bound, CLEAN(d->hostname));
	say(&t, "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; "
	    "report-type=delivery-status;\r\n"
	    "\tboundary=\"=_%s\"\r\n\r\n"
	    "This is a report in MIME format.\r\n\r\n--=_%s\r\n",
	    bound, bound);
	part_words(&t, d);
	say(&t, "\r\n--=_%s\r\n", bound);
	part_status(&t, d);
	say(&t, "\r\n--=_%s\r\n", bound);
	part_header(&t, d);
	say(&t, "\r\n--=_%s--\r\n", bound);
	*n = t.n;
	return t.p;
}

int
dsn_from(const struct dsn *d, char *buf, size_t size)
{
	int n = snprintf(buf, size, " Mail Delivery System "
	    "<MAILER-DAEMON@%s>", CLEAN(d->domain));

	return n < 0 || (size_t)n >= size ? -1 : 0;
}

static void
part_words(struct text *t, const struct dsn *d)
{
	char date[DATE_TEXT_MAX];
	size_t i, n;

	say(t, "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "This is the mail system at %s.\r\n\r\n", CLEAN(d->hostname));
	if (d->action == DSN_FAILED)
		say(t, "Your message could not be delivered to the "
		    "recipients below.\r\nIt will not be tried again.\r\n");
	else {
		n = date_print((int64_t)d->expires, date, sizeof(date));
		say(t, "Your message could not be delivered to the "
		    "recipients below so far.\r\nIt will be tried until "
		    "%.*s; you need not send it again.\r\n", (int)n, date);
	}
	for (i = 0; i < d->nrcpt && i < DSN_RCPTS_MAX; i++) {
		say(t, "\r\n<%s>", CLEAN(d->rcpt[i].address));
		if (d->rcpt[i].orig.n > 0)
			say(t, " (sent to <%s>)", CLEAN(d->rcpt[i].orig));
		say(t, ":\r\n    %s%s%s\r\n", CLEAN(d->rcpt[i].mta),
		    d->rcpt[i].mta.n > 0 ? " said: " : "",
		    CLEAN(d->rcpt[i].text));
	}
	if (d->nrcpt > DSN_RCPTS_MAX)
		say(t, "\r\nand %zu more.\r\n", d->nrcpt - DSN_RCPTS_MAX);
}

static void
part_status(struct text *t, const struct dsn *d)
{
	char date[DATE_TEXT_MAX];
	const struct dsn_rcpt *r;
	size_t i, n;

	n = date_print((int64_t)d->arrival, date, sizeof(date));
	say(t, "Content-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; %s\r\n", CLEAN(d->hostname));
	say(t, "X-Queue-ID: %s\r\nArrival-Date: %.*s\r\n", CLEAN(d->id),
	    (int)n, date);
	for (i = 0; i < d->nrcpt && i < DSN_RCPTS_MAX; i++) {
		r = &d->rcpt[i];
		say(t, "\r\n");
		if (r->orig.n > 0)
			say(t, "Original-Recipient: rfc822;%s\r\n",
			    CLEAN(r->orig));
		say(t, "Final-Recipient: rfc822;%s\r\nAction: %s\r\n"
		    "Status: %s\r\n", CLEAN(r->address),
		    d->action == DSN_FAILED ? "failed" : "delayed",
		    CLEAN(r->status));
		if (r->mta.n > 0)
			say(t, "Remote-MTA: dns; %s\r\n", CLEAN(r->mta));
		say(t, "Diagnostic-Code: %s; %s\r\n",
		    r->mta.n > 0 ? "smtp" : "X-maild", CLEAN(r->text));
		n = date_print((int64_t)d->now, date, sizeof(date));
		say(t, "Last-Attempt-Date: %.*s\r\n", (int)n, date);
		n = date_print((int64_t)d->expires, date, sizeof(date));
		if (d->action == DSN_DELAYED)
			say(t, "Will-Retry-Until: %.*s\r\n", (int)n, date);
	}
}

static void
part_header(struct text *t, const struct dsn *d)
{
	struct slice h = d->header;

	if (h.n > DSN_HEADER_MAX)
		h.n = DSN_HEADER_MAX;
	if (is_plain(h)) {
		say(t, "Content-Type: text/rfc822-headers\r\n\r\n");
		add(t, h.p, h.n);
	} else {
		say(t, "Content-Type: text/rfc822-headers; charset=utf-8\r\n"
		    "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
		add_qp(t, h);
	}
	if (h.n < 2 || memcmp(t->p + t->n - 2, "\r\n", 2) != 0)
		say(t, "\r\n");
}

/* Short lines of printable ASCII, ended by CRLF. */
static bool
is_plain(struct slice s)
{
	size_t i, line = 0;
	unsigned char c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
			i++;
			line = 0;
		} else if ((c < 32 && c != '\t') || c > 126 ||
		    ++line > LINE_7BIT)
			return false;
	}
	return true;
}

static void
add_qp(struct text *t, struct slice s)
{
	size_t i, line = 0;
	unsigned char c;
	bool end;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') {
			add(t, "\r\n", 2);
			i++;
			line = 0;
			continue;
		}
		if (line >= QP_LINE) {
			add(t, "=\r\n", 3);
			line = 0;
		}
		end = i + 1 == s.n || s.p[i + 1] == '\r';
		if (c > 126 || c == '=' || (c < 32 && c != '\t') ||
		    ((c == ' ' || c == '\t') && end)) {
			say(t, "=%02X", c);
			line += 3;
		} else {
			add(t, (const char *)&c, 1);
			line++;
		}
	}
}

static void
say(struct text *t, const char *fmt, ...)
{
	char line[1600];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		add(t, line, (size_t)n < sizeof(line) ? (size_t)n :
		    sizeof(line) - 1);
}

static void
add(struct text *t, const char *p, size_t n)
{
	if (n > t->cap - t->n) {
		t->cap = (t->n + n) * 2 + 4096;
		t->p = xreallocarray(t->p, t->cap, 1);
	}
	if (n > 0)
		memcpy(t->p + t->n, p, n);
	t->n += n;
}

/* Printable ASCII, in buf; used within one expression, see CLEAN. */
static const char *
clean(struct slice s, char *buf, size_t size)
{
	size_t i;

	for (i = 0; i < s.n && i < size - 1; i++)
		buf[i] = s.p[i] >= 32 && s.p[i] <= 126 ? s.p[i] : '?';
	buf[i] = '\0';
	return buf;
}
