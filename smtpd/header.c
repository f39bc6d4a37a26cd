/*
 * The header of a message while it is received: loops are counted, forged
 * Authentication-Results of this host are taken out of mail from outside
 * (RFC 8601 5), Bcc out of a submitted message, Return-Path out of all; a
 * submitted one gets the Date and Message-ID it lacks (RFC 6409 8).  And the
 * trace fields of our own (RFC 5321 4.4, 3848).
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tls.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "parse/dates.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

struct seen {
	bool		 date, msgid;
	unsigned int	 from;
	struct header_field first;	/* From */
};

static size_t	 header_add(struct session *, struct mail *, size_t,
		    const struct seen *);
static const char *date_now(void);

/* The first word of the field, mostly all of it, for the log. */
static void
msgid_take(struct mail *m, struct slice value)
{
	struct slice v = slice_trim(value);
	size_t n;

	for (n = 0; n < v.n && n < sizeof(m->msgid) - 1 &&
	    (unsigned char)v.p[n] > ' '; n++)
		;
	slice_cpy(slice_of(v.p, n), m->msgid, sizeof(m->msgid));
}

static void
field_look(struct mail *m, const struct header_field *f, struct seen *seen)
{
	if (f->name.n == 0)
		return;
	switch (ascii_lower((unsigned char)f->name.p[0])) {
	case 'r':
		if (slice_caseis(f->name, "Received"))
			m->hops++;
		break;
	case 'd':
		if (slice_caseis(f->name, "Date"))
			seen->date = true;
		break;
	case 'm':
		if (slice_caseis(f->name, "Message-ID")) {
			if (!seen->msgid)
				msgid_take(m, f->value);
			seen->msgid = true;
		}
		break;
	case 'f':
		if (slice_caseis(f->name, "From") && seen->from++ == 0)
			seen->first = *f;
		break;
	}
}

/*
 * What no reader is to see: results forged in our name; whom else a submitted
 * message went to (RFC 5322 3.6.3); and a return path, which belongs to who
 * delivers and is forged before that (RFC 5321 4.4).
 */
static bool
field_goes(const struct session *s, const struct header_field *f)
{
	if (slice_caseis(f->name, "Return-Path"))
		return true;
	if (s->proto == PROTO_SMTP)
		return authres_forged(f, proc_conf()->hostname);
	return slice_caseis(f->name, "Bcc") ||
	    slice_caseis(f->name, "Resent-Bcc");
}

/* The field stands there from now on, before where it stood. */
static void
field_move(struct header_field *f, char *to)
{
	struct slice raw = f->raw;

	memmove(to, raw.p, raw.n);
	f->raw.p = to;
	f->name.p = to + (f->name.p - raw.p);
	f->value.p = to + (f->value.p - raw.p);
}

size_t
header_take(struct session *s, struct mail *m, size_t n)
{
	struct slice rest = slice_of(m->buf, n);
	struct header_field f;
	struct seen seen = { 0 };
	char *out = m->buf;
	const char *in = m->buf;
	size_t fields = 0;

	while (header_next(&rest, &f) == 1) {
		if (fields++ == HEADER_FIELDS_MAX) {
			m->refusal = REPLY_FIELDS;
			return n;
		}
		in = f.raw.p + f.raw.n;
		if (field_goes(s, &f))
			continue;
		if (out != f.raw.p)
			field_move(&f, out);
		field_look(m, &f, &seen);
		out += f.raw.n;
	}
	if (m->hops > SMTP_HOPS)
		m->refusal = REPLY_HOPS;
	if (out != in) {		/* fields went: the rest moves up */
		memmove(out, in, (size_t)(m->buf + m->n - in));
		n -= (size_t)(in - out);
		m->n -= (size_t)(in - out);
		m->size -= (size_t)(in - out);
	}
	if (s->proto == PROTO_SMTP)
		return n;
	author_take(m, seen.from, &seen.first);
	return m->refusal == REPLY_NONE ? header_add(s, m, n, &seen) : n;
}

/* Put in front what a submitted message lacks.  The header's new length. */
static size_t
header_add(struct session *s, struct mail *m, size_t n,
    const struct seen *seen)
{
	char text[SMTP_ADDED];
	uint64_t r;
	int k = 0;

	if (seen->date && seen->msgid)
		return n;
	if (!seen->date)
		k = snprintf(text, sizeof(text), "Date: %s\r\n", date_now());
	if (!seen->msgid) {
		r = random_u64();
		snprintf(m->msgid, sizeof(m->msgid), "<%s.%016llx@%s>",
		    m->mid, (unsigned long long)r, proc_conf()->hostname);
		k += snprintf(text + k, sizeof(text) - (size_t)k,
		    "Message-ID: %s\r\n", m->msgid);
	}
	if ((size_t)k >= sizeof(text) || m->cap - m->n < (size_t)k)
		return n;
	memmove(m->buf + k, m->buf, m->n);
	memcpy(m->buf, text, (size_t)k);
	m->n += (size_t)k;
	m->size += (size_t)k;
	return n + (size_t)k;
}

/* ---- our own ------------------------------------------------------------- */

/* Made once a second. */
static const char *
date_now(void)
{
	static char text[DATE_TEXT_MAX];
	static uint64_t made;
	uint64_t now = now_sec_coarse();

	if (now != made) {
		date_print((int64_t)now, text, sizeof(text));
		made = now;
	}
	return text;
}

/*
 * Authentication-Results above Received-SPF, both above our own Received
 * (RFC 8601 5, RFC 7208 9.1).  Where many signatures need more room than
 * there is, the short form has what readers go by.
 */
static size_t
results_print(const struct mail *m, char *p, size_t size)
{
	const struct verdict *v = judge_verdict(m);
	ssize_t n, k;

	if (v == NULL)
		return 0;
	if ((n = authres_print(v, NULL, p, size)) == -1) {
		n = snprintf(p, size, "Authentication-Results: %s;\r\n"
		    "\tspf=%s; dmarc=%s header.from=%s\r\n",
		    proc_conf()->hostname, spf_name(verdict_spf(v)->result),
		    dmarc_name(verdict_dmarc(v)->result),
		    verdict_dmarc(v)->author[0] != '\0' ?
		    verdict_dmarc(v)->author : "invalid");
		return n > 0 && (size_t)n < size ? (size_t)n : 0;
	}
	k = spf_received_print(v, p + n, size - (size_t)n);
	return (size_t)n + (size_t)(k > 0 ? k : 0);
}

void
header_trace(struct session *s, struct mail *m)
{
	const struct conf *conf = proc_conf();
	struct tls *tls = io_tls(s->io);
	char peer[46], from[SMTP_HELO_MAX + 80], how[160] = "";
	char rcpt[ADDR_TEXT_MAX + 16] = "";
	size_t used;
	int n;

	used = results_print(m, m->trace, sizeof(m->trace) - SMTP_RECEIVED);
	conn_text(&s->conn.peer, peer);
	if (s->proto != PROTO_SMTP && !conf->smtp.received_client)
		strlcpy(from, "client.invalid", sizeof(from));
	else
		snprintf(from, sizeof(from), "%s ([%s%s])", s->helo,
		    s->conn.peer.family == 6 ? "IPv6:" : "", peer);
	if (tls != NULL)
		snprintf(how, sizeof(how), "\r\n\t(%s %s)",
		    tls_conn_version(tls), tls_conn_cipher(tls));
	if (m->nrcpt == 1)
		snprintf(rcpt, sizeof(rcpt), "\r\n\tfor <%s>", m->rcpt);
	/* In front of a text without header, the header ends here. */
	n = snprintf(m->trace + used, sizeof(m->trace) - used,
	    "Received: from %s%s\r\n\tby %s with %s%s%s id %s%s;\r\n\t%s\r\n%s",
	    from, how, conf->hostname, s->esmtp ? "ESMTP" : "SMTP",
	    s->esmtp && s->tls ? "S" : "", s->esmtp && s->authed ? "A" : "",
	    m->mid, rcpt, date_now(),
	    m->headless ? "\r\n" : "");
	m->tracen = n > 0 && (size_t)n < sizeof(m->trace) - used ?
	    used + (size_t)n : 0;
}
