/*
 * One line of an aggregate report: the facts that messages share which are
 * counted together.  Pure.  Part of report-out.
 *
 *	u8 family | 4 or 16 octets | u8 flags | u8 disposition | u8 override |
 *	u8 spf result | texts comment, from, sender, rcpt, spf domain |
 *	u8 n | n times: u8 result, texts domain, selector
 * A text is u8 length and its octets.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <string.h>

#include "base/slice.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define FLAG_PASS	0x01
#define FLAG_DKIM	0x02
#define FLAG_SPF	0x04
#define FLAG_ENFORCED	0x08
#define FLAG_ALL	0x0f
#define TEXT_MAX	(DOMAIN_TEXT - 1)

struct in {
	const uint8_t	*p;
	size_t		 n;
	bool		 bad;
};

static struct slice domain_of(struct slice);
static void	 row_sigs(const struct report_mail_ev *, struct report_row *);
static unsigned int sig_rank(const struct report_mail_ev *,
		    const struct item_dkim *);
static bool	 is_below(struct slice, struct slice);
static size_t	 put_text(uint8_t *, struct slice, size_t);
static size_t	 put_name(uint8_t *, struct slice);
static uint8_t	 get_u8(struct in *, unsigned int);
static struct slice get_text(struct in *, size_t);

void
row_of(const struct report_mail_ev *ev, struct report_row *r)
{
	memset(r, 0, sizeof(*r));
	r->ip.family = ev->peer.family == 6 ? 6 : 4;
	memcpy(r->ip.b, ev->peer.b, ev->peer.family == 6 ? 16 : 4);
	r->pass = ev->dmarc == DMARC_PASS;
	r->enforced = r->pass && ev->policy != DMARC_P_NONE;
	r->dkim = ev->dkim_aligned != 0;
	r->spf = ev->spf_aligned != 0;
	if (!r->pass && ev->disposition <= REPORT_REJECT)
		r->disposition = (enum report_disposition)ev->disposition;
	if (ev->override <= OVERRIDE_POLICY_TEST_MODE)
		r->override = (enum report_override)ev->override;
	if (r->override != OVERRIDE_NONE)
		r->comment = ev->comment;
	if (ev->spf <= SPF_PERMERROR)
		r->spf_result = (enum spf_result)ev->spf;
	r->from = ev->author.n > 0 ? ev->author : ev->at;
	r->sender = domain_of(ev->sender);
	r->rcpt = domain_of(ev->rcpt);
	r->spf_domain = ev->spf_domain;
	row_sigs(ev, r);
}

static struct slice
domain_of(struct slice address)
{
	size_t at = address.n;

	while (at > 0 && address.p[at - 1] != '@')
		at--;
	return at == 0 ? slice_of("", 0) :
	    slice_of(address.p + at, address.n - at);
}

/* In the order of RFC 9990 3.1.2, for what it says is a likely cut. */
static void
row_sigs(const struct report_mail_ev *ev, struct report_row *r)
{
	struct item_dkim it;
	unsigned int rank;
	size_t off;

	for (rank = 0; rank < 4; rank++) {
		off = 0;
		while (r->nsig < DKIM_VERIFY_MAX &&
		    item_dkim_get(ev->dkim, &off, &it) == 1)
			if (sig_rank(ev, &it) == rank &&
			    it.result <= DKIM_PERMERROR)
				r->sig[r->nsig++] = (struct row_dkim){
				    (enum dkim_result)it.result, it.domain,
				    it.selector };
	}
}

/* Relaxed alignment is guessed where it matters for the order alone. */
static unsigned int
sig_rank(const struct report_mail_ev *ev, const struct item_dkim *it)
{
	if (it->result != DKIM_PASS)
		return 3;
	if (slice_caseeq(it->domain, ev->author))
		return 0;
	return ev->dkim_aligned && (is_below(it->domain, ev->author) ||
	    is_below(ev->author, it->domain)) ? 1 : 2;
}

static bool
is_below(struct slice sub, struct slice domain)
{
	size_t at = sub.n - domain.n;

	return sub.n > domain.n && sub.p[at - 1] == '.' &&
	    slice_caseeq(slice_of(sub.p + at, domain.n), domain);
}

size_t
row_put(uint8_t *p, const struct report_row *r)
{
	size_t n = 0, i, ip = r->ip.family == 6 ? 16 : 4;

	p[n++] = r->ip.family == 6 ? 6 : 4;
	memcpy(p + n, r->ip.b, ip);
	n += ip;
	p[n++] = (uint8_t)((r->pass ? FLAG_PASS : 0) |
	    (r->dkim ? FLAG_DKIM : 0) | (r->spf ? FLAG_SPF : 0) |
	    (r->enforced ? FLAG_ENFORCED : 0));
	p[n++] = (uint8_t)r->disposition;
	p[n++] = (uint8_t)r->override;
	p[n++] = (uint8_t)r->spf_result;
	n += put_text(p + n, r->comment, ROW_COMMENT);
	n += put_name(p + n, r->from);
	n += put_name(p + n, r->sender);
	n += put_name(p + n, r->rcpt);
	n += put_name(p + n, r->spf_domain);
	p[n++] = (uint8_t)r->nsig;
	for (i = 0; i < r->nsig; i++) {
		p[n++] = (uint8_t)r->sig[i].result;
		n += put_name(p + n, r->sig[i].domain);
		n += put_name(p + n, r->sig[i].selector);
	}
	return n;
}

int
row_get(const uint8_t *p, size_t n, struct report_row *r)
{
	struct in in = { p, n, false };
	size_t i, ip;
	unsigned int flags;

	memset(r, 0, sizeof(*r));
	r->ip.family = get_u8(&in, 6);
	ip = r->ip.family == 6 ? 16 : 4;
	if ((r->ip.family != 4 && r->ip.family != 6) || in.n < ip)
		return -1;
	memcpy(r->ip.b, in.p, ip);
	in.p += ip;
	in.n -= ip;
	flags = get_u8(&in, FLAG_ALL);
	r->pass = (flags & FLAG_PASS) != 0;
	r->dkim = (flags & FLAG_DKIM) != 0;
	r->spf = (flags & FLAG_SPF) != 0;
	r->enforced = (flags & FLAG_ENFORCED) != 0;
	r->disposition = (enum report_disposition)get_u8(&in, REPORT_REJECT);
	r->override = (enum report_override)get_u8(&in,
	    OVERRIDE_POLICY_TEST_MODE);
	r->spf_result = (enum spf_result)get_u8(&in, SPF_PERMERROR);
	r->comment = get_text(&in, ROW_COMMENT);
	r->from = get_text(&in, TEXT_MAX);
	r->sender = get_text(&in, TEXT_MAX);
	r->rcpt = get_text(&in, TEXT_MAX);
	r->spf_domain = get_text(&in, TEXT_MAX);
	r->nsig = get_u8(&in, DKIM_VERIFY_MAX);
	for (i = 0; i < r->nsig; i++) {
		r->sig[i].result = (enum dkim_result)get_u8(&in,
		    DKIM_PERMERROR);
		r->sig[i].domain = get_text(&in, TEXT_MAX);
		r->sig[i].selector = get_text(&in, TEXT_MAX);
	}
	return in.bad || in.n != 0 ? -1 : 0;
}

static size_t
put_text(uint8_t *p, struct slice s, size_t max)
{
	size_t n = s.n > max ? max : s.n;

	p[0] = (uint8_t)n;
	if (n > 0)
		memcpy(p + 1, s.p, n);
	return 1 + n;
}

/* Domains are compared without case, so they are counted so. */
static size_t
put_name(uint8_t *p, struct slice s)
{
	size_t i, n = put_text(p, s, TEXT_MAX);

	for (i = 1; i < n; i++)
		p[i] = (uint8_t)ascii_lower(p[i]);
	return n;
}

static uint8_t
get_u8(struct in *in, unsigned int max)
{
	if (in->n == 0 || in->p[0] > max) {
		in->bad = true;
		return 0;
	}
	in->n--;
	return *in->p++;
}

static struct slice
get_text(struct in *in, size_t max)
{
	struct slice s = { "", 0 };
	size_t n = get_u8(in, (unsigned int)max);

	if (n > in->n) {
		in->bad = true;
		return s;
	}
	s = slice_of((const char *)in->p, n);
	in->p += n;
	in->n -= n;
	return s;
}
