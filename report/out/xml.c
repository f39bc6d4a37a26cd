/*
 * The text of an aggregate report (RFC 9990 3.1.1 and its schema), piece by
 * piece into a sink.  Pure.  Most of what stands in it was chosen by whoever
 * sent the mail that is reported: it is cut, escaped, and never anything but
 * well-formed UTF-8 that XML 1.0 can carry.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define XML_TEXT	512	/* octets of our own words in one element */

struct xml {
	xml_sink	 put;
	void		*arg;
};

static void	 say(const struct xml *, const char *, ...)
		    __attribute__((format(printf, 2, 3)));
static void	 element(const struct xml *, int, const char *, struct slice);
static void	 policy(const struct xml *, const struct xml_head *);
static void	 source(const struct xml *, const struct ipaddr *);
static void	 evaluated(const struct xml *, const struct report_row *);
static void	 results(const struct xml *, const struct report_row *);

void
xml_head(xml_sink put, void *arg, const struct xml_head *h)
{
	const struct xml x = { put, arg };

	say(&x, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n"
	    " <version>1.0</version>\n <report_metadata>\n");
	element(&x, 2, "org_name", slice_str(h->organization));
	element(&x, 2, "email", slice_str(h->contact));
	element(&x, 2, "report_id", slice_str(h->id));
	say(&x, "  <date_range>\n   <begin>%llu</begin>\n"
	    "   <end>%llu</end>\n  </date_range>\n",
	    (unsigned long long)h->begin, (unsigned long long)h->end);
	if (h->lost > 0)
		say(&x, "  <error>%llu more messages, too varied to be "
		    "listed</error>\n", (unsigned long long)h->lost);
	element(&x, 2, "generator", slice_str(h->generator));
	say(&x, " </report_metadata>\n");
	policy(&x, h);
}

void
xml_tail(xml_sink put, void *arg)
{
	const struct xml x = { put, arg };

	say(&x, "</feedback>\n");
}

/* What the record says, and the defaults where it says nothing. */
static void
policy(const struct xml *x, const struct xml_head *h)
{
	struct dmarc_record r;
	const char *why;
	char fo[8];
	int i, n = 0;

	dmarc_record_parse(slice_str(h->record), &r, &why);
	say(x, " <policy_published>\n");
	element(x, 2, "domain", slice_str(h->domain));
	say(x, "  <discovery_method>treewalk</discovery_method>\n"
	    "  <p>%s</p>\n  <sp>%s</sp>\n  <np>%s</np>\n",
	    dmarc_policy_name(r.p), dmarc_policy_name(r.sp),
	    dmarc_policy_name(r.np));
	for (i = 0; i < 4; i++)
		if (r.fo & 1 << i) {
			fo[n++] = ':';
			fo[n++] = "01ds"[i];
		}
	say(x, "  <fo>%.*s</fo>\n", n - 1, fo + 1);
	say(x, "  <adkim>%c</adkim>\n  <aspf>%c</aspf>\n"
	    "  <testing>%c</testing>\n </policy_published>\n", r.adkim,
	    r.aspf, r.t ? 'y' : 'n');
}

void
xml_row(xml_sink put, void *arg, const struct report_row *r, uint64_t count)
{
	const struct xml x = { put, arg };

	say(&x, " <record>\n  <row>\n");
	source(&x, &r->ip);
	say(&x, "   <count>%llu</count>\n", (unsigned long long)count);
	evaluated(&x, r);
	say(&x, "  </row>\n  <identifiers>\n");
	if (r->rcpt.n > 0)
		element(&x, 3, "envelope_to", r->rcpt);
	element(&x, 3, "envelope_from", r->sender);
	element(&x, 3, "header_from", r->from);
	say(&x, "  </identifiers>\n  <auth_results>\n");
	results(&x, r);
	say(&x, "  </auth_results>\n </record>\n");
}

/* The schema's IPv6 has no dots in it. */
static void
source(const struct xml *x, const struct ipaddr *ip)
{
	char text[IPADDR_TEXT_MAX + 1];
	ssize_t n = ipaddr_print(ip, text, sizeof(text) - 1);
	const uint8_t *b = ip->b;
	int i;

	say(x, "   <source_ip>");
	if (n > 0 && (ip->family == 4 ||
	    memchr(text, '.', (size_t)n) == NULL))
		x->put(x->arg, text, (size_t)n);
	else
		for (i = 0; i < 16; i += 2)
			say(x, "%s%x", i > 0 ? ":" : "", b[i] << 8 | b[i + 1]);
	say(x, "</source_ip>\n");
}

/* "pass" is for what passed where more than none was asked for. */
static void
evaluated(const struct xml *x, const struct report_row *r)
{
	static const char *const disposition[] = {
	    [REPORT_NONE] = "none", [REPORT_QUARANTINE] = "quarantine",
	    [REPORT_REJECT] = "reject" };
	static const char *const override[] = {
	    [OVERRIDE_LOCAL_POLICY] = "local_policy",
	    [OVERRIDE_TRUSTED_FORWARDER] = "trusted_forwarder",
	    [OVERRIDE_POLICY_TEST_MODE] = "policy_test_mode" };

	say(x, "   <policy_evaluated>\n    <disposition>%s</disposition>\n"
	    "    <dkim>%s</dkim>\n    <spf>%s</spf>\n",
	    r->enforced ? "pass" : disposition[r->disposition],
	    r->dkim ? "pass" : "fail", r->spf ? "pass" : "fail");
	if (r->override != OVERRIDE_NONE) {
		say(x, "    <reason>\n     <type>%s</type>\n",
		    override[r->override]);
		if (r->comment.n > 0)
			element(x, 5, "comment", r->comment);
		say(x, "    </reason>\n");
	}
	say(x, "   </policy_evaluated>\n");
}

static void
results(const struct xml *x, const struct report_row *r)
{
	size_t i;

	for (i = 0; i < r->nsig; i++) {
		say(x, "   <dkim>\n");
		element(x, 4, "domain", r->sig[i].domain);
		element(x, 4, "selector", r->sig[i].selector);
		say(x, "    <result>%s</result>\n   </dkim>\n",
		    dkim_name(r->sig[i].result));
	}
	if (r->spf_domain.n == 0)
		return;
	say(x, "   <spf>\n");
	element(x, 4, "domain", r->spf_domain);
	say(x, "    <scope>mfrom</scope>\n    <result>%s</result>\n"
	    "   </spf>\n", spf_name(r->spf_result));
}

/* ---- text --------------------------------------------------------------- */

static void
say(const struct xml *x, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		x->put(x->arg, line, (size_t)n < sizeof(line) ? (size_t)n :
		    sizeof(line) - 1);
}

static void
element(const struct xml *x, int depth, const char *name, struct slice s)
{
	say(x, "%*s<%s>", depth, "", name);
	xml_text(x->put, x->arg, s, XML_TEXT);
	say(x, "</%s>\n", name);
}

/* XML 1.0 2.2: what a document may hold. */
static bool
is_char(uint32_t c)
{
	return (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c <= 0xd7ff) ||
	    (c >= 0xe000 && c <= 0xfffd) || (c >= 0x10000 && c <= 0x10ffff);
}

void
xml_text(xml_sink put, void *arg, struct slice s, size_t max)
{
	size_t i = 0;
	uint32_t c;
	int n;

	if (s.n > max)
		s.n = utf8_cut(s.p, max);
	while (i < s.n) {
		n = utf8_get(s.p + i, s.n - i, &c);
		if (n <= 0 || !is_char(c)) {
			put(arg, "?", 1);
			i += n <= 0 ? 1 : (size_t)n;
			continue;
		}
		if (c == '&')
			put(arg, "&amp;", 5);
		else if (c == '<')
			put(arg, "&lt;", 4);
		else if (c == '>')
			put(arg, "&gt;", 4);
		else
			put(arg, s.p + i, (size_t)n);
		i += (size_t)n;
	}
}
