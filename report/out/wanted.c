/*
 * Which messages a failure report is made about: what fo= asks for (RFC 9989
 * 4.7), and never about a message that is a report itself.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "parse/addrlist.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/failure.h"

static bool	 header_is_report(struct slice header, bool nobody);
static bool	 from_is(struct slice header, const char *address);

bool
failure_sound(const struct report_mail_ev *m)
{
	struct item_dkim d;
	size_t off = 0;
	int k;

	while ((k = item_dkim_get(m->dkim, &off, &d)) == 1)
		if (d.result > DKIM_PERMERROR)
			return false;
	return k == 0 && m->dmarc <= DMARC_PERMERROR &&
	    m->spf <= SPF_PERMERROR && m->disposition <= REPORT_REJECT &&
	    m->override <= OVERRIDE_POLICY_TEST_MODE;
}

/* Did a signature fail evaluation, whoever made it? */
static bool
dkim_failed(const struct report_mail_ev *m)
{
	struct item_dkim d;
	size_t off = 0;

	while (item_dkim_get(m->dkim, &off, &d) == 1)
		if (d.result == DKIM_FAIL || d.result == DKIM_POLICY ||
		    d.result == DKIM_PERMERROR)
			return true;
	return false;
}

static bool
spf_failed(const struct report_mail_ev *m)
{
	return m->spf == SPF_FAIL || m->spf == SPF_SOFTFAIL ||
	    m->spf == SPF_PERMERROR;
}

bool
failure_wanted(int fo, const struct report_mail_ev *m)
{
	if (m->dmarc != DMARC_PASS && m->dmarc != DMARC_FAIL)
		return false;	/* no policy, or nobody knows yet */
	if ((fo & DMARC_FO_0) && !m->spf_aligned && !m->dkim_aligned)
		return true;
	if ((fo & DMARC_FO_1) && (!m->spf_aligned || !m->dkim_aligned))
		return true;
	if ((fo & DMARC_FO_D) && dkim_failed(m))
		return true;
	return (fo & DMARC_FO_S) && spf_failed(m);
}

bool
failure_is_report(const struct report_mail_ev *m, const char *from,
    char *const *addresses, size_t naddresses)
{
	size_t i;

	if (slice_caseis(m->sender, from) || slice_caseis(m->rcpt, from) ||
	    from_is(m->header, from))
		return true;
	for (i = 0; i < naddresses; i++)
		if (slice_caseis(m->rcpt, addresses[i]))
			return true;
	return header_is_report(m->header, m->sender.n == 0);
}

static bool
from_is(struct slice header, const char *address)
{
	struct slice a = slice_str(address);
	struct header_field f;
	struct addrlist list;
	struct addritem item;
	size_t at = slice_find(a, '@');

	if (!header_find(header, "From", 0, &f))
		return false;
	addrlist_start(&list, f.value);
	while (addrlist_next(&list, &item))
		if (item.kind == ADDRITEM_MAILBOX && at < a.n &&
		    slice_caseeq(item.local, slice_of(a.p, at)) &&
		    slice_caseeq(item.domain,
		    slice_of(a.p + at + 1, a.n - at - 1)))
			return true;
	return false;
}

/* nobody: the message has the null sender. */
static bool
header_is_report(struct slice header, bool nobody)
{
	struct header_field f;
	bool automatic = false, packed = false;
	int i;

	for (i = 0; i < HEADER_FIELDS_MAX && header_next(&header, &f); i++) {
		if (slice_caseis(f.name, "Content-Type")) {
			if (slice_casestarts(f.value, "multipart/report") ||
			    slice_casestarts(f.value,
			    "message/feedback-report"))
				return true;
			packed |= slice_casestarts(f.value,
			    "application/gzip") ||
			    slice_casestarts(f.value, "application/zip") ||
			    slice_casestarts(f.value, "application/tlsrpt");
		} else if (slice_caseis(f.name, "Auto-Submitted"))
			automatic |= !slice_casestarts(f.value, "no");
		else if (slice_caseis(f.name, "TLS-Report-Domain"))
			return true;
		else if (slice_caseis(f.name, "Subject") &&
		    slice_casestarts(f.value, "Report Domain:"))
			return true;
	}
	return automatic && (packed || nobody);
}
