/*
 * The text of a report to the sender (RFC 3464 in RFC 6522): what happened
 * in words, the same for programs, and the header of the message.  Pure: all
 * it says is given.  The result is 7-bit with CRLF: octets that are not
 * printable ASCII become '?' in our own words, and the returned header is
 * quoted-printable where it needs to be.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "parse/dates.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/dsn.h"
#include "queue/queue.h"

static void	 part_words(struct text *, const struct dsn *);
static void	 rcpt_words(struct text *, const struct dsn *,
		    const struct dsn_rcpt *);
static void	 how_long(struct text *, uint64_t);
static void	 rcpt_status(struct text *, const struct dsn *,
		    const struct dsn_rcpt *);
static void	 part_status(struct text *, const struct dsn *);
static void	 part_header(struct text *, const struct dsn *);

/* Good within one expression. */
#define CLEAN(s)	text_ascii_in((s), (char [520]){ 0 }, 520)

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
	text_say(&t, "From:%s\r\n", from);
	text_say(&t, "To: <%s>\r\n", CLEAN(d->sender));
	text_say(&t, "Subject: %s\r\n", d->action == DSN_FAILED ?
	    "Undelivered mail returned to sender" :
	    "Delayed mail (still being tried)");
	text_say(&t, "Date: %.*s\r\n", (int)len, date);
	text_say(&t, "Message-ID: <%s@%s>\r\n", bound, CLEAN(d->hostname));
	text_say(&t, "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; "
	    "report-type=delivery-status;\r\n"
	    "\tboundary=\"=_%s\"\r\n\r\n"
	    "This is a report in MIME format.\r\n\r\n--=_%s\r\n",
	    bound, bound);
	part_words(&t, d);
	text_say(&t, "\r\n--=_%s\r\n", bound);
	part_status(&t, d);
	text_say(&t, "\r\n--=_%s\r\n", bound);
	part_header(&t, d);
	text_say(&t, "\r\n--=_%s--\r\n", bound);
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

	text_say(t, "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "This is the mail system at %s.\r\n\r\n", CLEAN(d->hostname));
	if (d->action == DSN_FAILED)
		text_say(t, "Your message could not be delivered to the "
		    "recipients below.\r\nIt will not be tried again.\r\n");
	else {
		n = date_print((int64_t)d->expires, date, sizeof(date));
		text_say(t, "Your message could not be delivered to the "
		    "recipients below so far.\r\nIt will be tried until "
		    "%.*s; you need not send it again.\r\n", (int)n, date);
	}
	for (i = 0; i < d->nrcpt && i < DSN_RCPTS_MAX; i++)
		rcpt_words(t, d, &d->rcpt[i]);
	if (d->nrcpt > DSN_RCPTS_MAX)
		text_say(t, "\r\nand %zu more.\r\n", d->nrcpt - DSN_RCPTS_MAX);
}

/* What was refused for good the first time was not tried for any time. */
static void
rcpt_words(struct text *t, const struct dsn *d, const struct dsn_rcpt *r)
{
	text_say(t, "\r\n<%s>", CLEAN(r->address));
	if (r->orig.n > 0)
		text_say(t, " (sent to <%s>)", CLEAN(r->orig));
	text_say(t, ":\r\n    %s%s%s\r\n", CLEAN(r->mta),
	    r->mta.n > 0 ? " said: " : "", CLEAN(r->text));
	if (r->attempts <= 1 && (r->status.n == 0 || r->status.p[0] != '4'))
		return;
	text_say(t, "    It was tried ");
	if (r->attempts == 1)
		text_say(t, "once in ");
	else
		text_say(t, "%u times in ", r->attempts);
	how_long(t, d->now > d->arrival ? d->now - d->arrival : 0);
	text_say(t, ".\r\n");
}

static void
how_long(struct text *t, uint64_t seconds)
{
	static const struct { const char *name; uint64_t seconds; } unit[] = {
		{ "day", 86400 }, { "hour", 3600 }, { "minute", 60 },
		{ "second", 1 }
	};
	size_t i = 0;

	/* The first that there are two of: "47 hours", "2 days". */
	while (i < NITEMS(unit) - 1 && seconds < 2 * unit[i].seconds)
		i++;
	text_say(t, "%llu %s%s", (unsigned long long)(seconds /
	    unit[i].seconds), unit[i].name, seconds / unit[i].seconds == 1 ?
	    "" : "s");
}

static void
part_status(struct text *t, const struct dsn *d)
{
	char date[DATE_TEXT_MAX];
	size_t i, n;

	n = date_print((int64_t)d->arrival, date, sizeof(date));
	text_say(t, "Content-Type: message/delivery-status\r\n\r\n"
	    "Reporting-MTA: dns; %s\r\n", CLEAN(d->hostname));
	text_say(t, "X-Queue-ID: %s\r\nArrival-Date: %.*s\r\n", CLEAN(d->id),
	    (int)n, date);
	for (i = 0; i < d->nrcpt && i < DSN_RCPTS_MAX; i++)
		rcpt_status(t, d, &d->rcpt[i]);
}

/* A host is named, and the code called one of SMTP, only where that host said
 * it (RFC 3464 2.3.5, 2.3.6). */
static void
rcpt_status(struct text *t, const struct dsn *d, const struct dsn_rcpt *r)
{
	char date[DATE_TEXT_MAX];
	size_t n;

	text_say(t, "\r\n");
	if (r->orig.n > 0)
		text_say(t, "Original-Recipient: rfc822;%s\r\n",
		    CLEAN(r->orig));
	text_say(t, "Final-Recipient: rfc822;%s\r\nAction: %s\r\n"
	    "Status: %s\r\n", CLEAN(r->address),
	    d->action == DSN_FAILED ? "failed" : "delayed", CLEAN(r->status));
	if (r->mta.n > 0)
		text_say(t, "Remote-MTA: dns; %s\r\n", CLEAN(r->mta));
	text_say(t, "Diagnostic-Code: %s; %s\r\n",
	    r->mta.n > 0 ? "smtp" : "X-maild", CLEAN(r->text));
	n = date_print((int64_t)r->last, date, sizeof(date));
	if (r->last != 0)
		text_say(t, "Last-Attempt-Date: %.*s\r\n", (int)n, date);
	n = date_print((int64_t)d->expires, date, sizeof(date));
	if (d->action == DSN_DELAYED)
		text_say(t, "Will-Retry-Until: %.*s\r\n", (int)n, date);
}

static void
part_header(struct text *t, const struct dsn *d)
{
	struct slice h = d->header;

	if (h.n > DSN_HEADER_MAX)
		h.n = DSN_HEADER_MAX;
	text_header(t, h);
}
