/*
 * A failure report as a message: ARF (RFC 5965) with the fields of RFC 6591
 * and RFC 9991 in a multipart/report (RFC 6522).  Pure: all it says is given.
 * Whatever strangers wrote gets in as printable ASCII or quoted-printable.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "parse/dates.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "report/out/failure.h"

#define SPF_TEXT	1000	/* octets of the SPF record that are told */

static void	 part_words(const struct arf *, struct text *, const char *);
static void	 part_feedback(const struct arf *, struct text *,
		    const char *);
static void	 part_header(const struct arf *, struct text *);
static void	 put_results(const struct arf *, struct text *);
static void	 put_alignment(const struct arf *, struct text *);
static void	 put_signature(const struct arf *, struct text *);
static void	 put_spf(const struct arf *, struct text *);

static void
field(struct text *t, const char *name, struct slice value)
{
	text_say(t, "%s: ", name);
	text_ascii(t, value);
	text_add(t, SLICE_LIT("\r\n"));
}

static void
field_word(struct text *t, const char *name, struct slice value)
{
	text_say(t, "%s: ", name);
	text_word(t, value);
	text_add(t, SLICE_LIT("\r\n"));
}

/* "<address>"; as it is, or redacted. */
static void
field_path(const struct arf *a, struct text *t, const char *name,
    struct slice path)
{
	char hidden[REDACT_ADDR];

	if (a->key != NULL && path.n > 0) {
		redact_address(a->key, path, hidden);
		path = slice_str(hidden);
	}
	text_say(t, "%s: <", name);
	text_ascii(t, path);
	text_add(t, SLICE_LIT(">\r\n"));
}

static void
field_date(struct text *t, const char *name, int64_t when)
{
	char date[DATE_TEXT_MAX];
	size_t n = date_print(when, date, sizeof(date));

	field(t, name, slice_of(date, n));
}

static const char *
source(const struct arf *a, char ip[IPADDR_TEXT_MAX])
{
	struct ipaddr addr = { .family = a->mail->peer.family };

	memcpy(addr.b, a->mail->peer.b, sizeof(addr.b));
	if ((addr.family != 4 && addr.family != 6) ||
	    ipaddr_print(&addr, ip, IPADDR_TEXT_MAX) == -1)
		return NULL;
	return ip;
}

void
arf_text(const struct arf *a, struct text *t)
{
	char unique[2 * sizeof(a->unique.b) + 1], ip[IPADDR_TEXT_MAX];
	const char *from = source(a, ip);

	hex_encode(unique, a->unique.b, sizeof(a->unique.b));
	text_say(t, "Content-Type: multipart/report; "
	    "report-type=feedback-report;\r\n"
	    "\tboundary=\"=_%s\"\r\n\r\n"
	    "This is a report in MIME format.\r\n\r\n--=_%s\r\n",
	    unique, unique);
	part_words(a, t, from);
	text_say(t, "\r\n--=_%s\r\n", unique);
	part_feedback(a, t, from);
	text_say(t, "\r\n--=_%s\r\n", unique);
	part_header(a, t);
	text_say(t, "\r\n--=_%s--\r\n", unique);
}

static void
part_words(const struct arf *a, struct text *t, const char *ip)
{
	char date[DATE_TEXT_MAX];
	size_t n = date_print(a->arrival, date, sizeof(date));

	text_say(t, "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "This is the mail system at %s.\r\n\r\n"
	    "A message that came from %s on\r\n%.*s\r\n"
	    "with an author in the domain ", a->hostname,
	    ip == NULL ? "an unknown host" : ip, (int)n, date);
	text_word(t, a->mail->author);
	text_say(t, "\r\n%s.\r\n", a->mail->dmarc == DMARC_FAIL ?
	    "did not pass DMARC" :
	    "passed DMARC, but not all of SPF and DKIM");
	if (a->incidents > 1)
		text_say(t, "%u like it came since the last report; "
		    "this is about one of them.\r\n", a->incidents);
	if (a->key != NULL)
		text_say(t, "Local parts of addresses are replaced by a "
		    "keyed hash (RFC 6590);\r\n"
		    "names, subject and text are left out.\r\n");
}

static const char *
delivery(const struct arf *a)
{
	switch ((enum report_disposition)a->mail->disposition) {
	case REPORT_REJECT:
		return "reject";
	case REPORT_QUARANTINE:
		return "spam";
	case REPORT_NONE:
		return "delivered";
	}
	return "other";
}

static void
part_feedback(const struct arf *a, struct text *t, const char *ip)
{
	text_say(t, "Content-Type: message/feedback-report\r\n\r\n"
	    "Feedback-Type: auth-failure\r\n"
	    "User-Agent: maild\r\n"
	    "Version: 1\r\n"
	    "Auth-Failure: dmarc\r\n"
	    "Delivery-Result: %s\r\n", delivery(a));
	put_alignment(a, t);
	put_results(a, t);
	field_word(t, "Reported-Domain", a->mail->author);
	if (ip != NULL)
		text_say(t, "Source-IP: %s\r\n", ip);
	if (ip != NULL && a->mail->peer.port != 0)
		text_say(t, "Source-Port: %u\r\n", a->mail->peer.port);
	field_date(t, "Arrival-Date", a->arrival);
	text_say(t, "Reporting-MTA: dns; %s\r\n", a->hostname);
	field_word(t, "Original-Envelope-Id", a->mail->sid);
	field_path(a, t, "Original-Mail-From", a->mail->sender);
	if (a->key == NULL)
		field_path(a, t, "Original-Rcpt-To", a->mail->rcpt);
	put_signature(a, t);
	put_spf(a, t);
	if (a->incidents > 1)
		text_say(t, "Incidents: %u\r\n", a->incidents);
}

/* Those that failed to authenticate an aligned identity (RFC 9991 4). */
static void
put_alignment(const struct arf *a, struct text *t)
{
	bool spf = !a->mail->spf_aligned, dkim = !a->mail->dkim_aligned;

	text_say(t, "Identity-Alignment: %s%s%s\r\n", dkim ? "dkim" : "",
	    dkim && spf ? ", " : "", spf ? "spf" : dkim ? "" : "none");
}

static void
put_results(const struct arf *a, struct text *t)
{
	const struct report_mail_ev *m = a->mail;
	struct item_dkim d;
	size_t off = 0;
	int i;

	text_say(t, "Authentication-Results: %s;\r\n\tdmarc=%s header.from=",
	    a->hostname, dmarc_name(m->dmarc));
	text_word(t, m->author);
	text_say(t, ";\r\n\tspf=%s smtp.%s=", spf_name(m->spf),
	    m->spf_helo ? "helo" : "mailfrom");
	text_word(t, m->spf_domain);
	for (i = 0; i < ARF_SIGS && item_dkim_get(m->dkim, &off, &d) == 1; i++) {
		text_say(t, ";\r\n\tdkim=%s header.d=", dkim_name(d.result));
		text_word(t, d.domain);
		text_add(t, SLICE_LIT("\r\n\t header.s="));
		text_word(t, d.selector);
		text_add(t, SLICE_LIT(" header.a="));
		text_word(t, d.algorithm);
	}
	text_add(t, SLICE_LIT("\r\n"));
}

int
arf_signature(const struct report_mail_ev *m, struct item_dkim *d)
{
	char author[DOMAIN_TEXT], domain[DOMAIN_TEXT];
	size_t off = 0;
	int i;

	if (domain_ascii(m->author, author) == -1)
		return 0;
	for (i = 0; i < ARF_SIGS && item_dkim_get(m->dkim, &off, d) == 1; i++)
		if (d->result != DKIM_PASS &&
		    domain_ascii(d->domain, domain) == 0 &&
		    (domain_within(domain, author) ||
		    domain_within(author, domain)))
			return 1;
	return 0;
}

/* REQUIRED for a DKIM failure of an aligned identifier (RFC 9991 4). */
static void
put_signature(const struct arf *a, struct text *t)
{
	struct item_dkim d;
	struct slice i;

	if (a->mail->dkim_aligned || !arf_signature(a->mail, &d))
		return;
	field_word(t, "DKIM-Domain", d.domain);
	text_add(t, SLICE_LIT("DKIM-Identity: "));
	if (!trace_identity(a->mail->header, d.domain, d.selector, &i)) {
		text_add(t, SLICE_LIT("@"));	/* the default of i= */
		i = d.domain;
	} else if (a->key != NULL && i.p[0] != '@') {
		char hidden[REDACT_ADDR];

		redact_address(a->key, i, hidden);
		text_word(t, slice_str(hidden));
		i = slice_of("", 0);
	}
	if (i.n > 0)
		text_word(t, i);
	text_add(t, SLICE_LIT("\r\n"));
	field_word(t, "DKIM-Selector", d.selector);
}

/* "txt : domain : "record"" (RFC 6591 3.2.6). */
static void
put_spf(const struct arf *a, struct text *t)
{
	struct slice s = a->spf;
	size_t i;

	if (s.p == NULL)
		return;
	if (s.n > SPF_TEXT)
		s.n = SPF_TEXT;
	text_add(t, SLICE_LIT("SPF-DNS: txt :\r\n\t"));
	text_word(t, a->mail->spf_domain);
	text_add(t, SLICE_LIT(" :\r\n\t\""));
	for (i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			text_add(t, SLICE_LIT("\\"));
		text_ascii(t, slice_of(s.p + i, 1));
	}
	text_add(t, SLICE_LIT("\"\r\n"));
}

static void
part_header(const struct arf *a, struct text *t)
{
	struct slice h = a->mail->header;
	struct text own = { 0 };

	if (a->key != NULL) {
		redact_header(a->key, h, a->mail->sender, a->mail->rcpt,
		    &own);
		h = slice_of(own.p, own.n);
	}
	text_header(t, h);
	free(own.p);
}
