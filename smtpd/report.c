/*
 * What report-out is told about a message that was judged: the facts of an
 * aggregate report (RFC 9990), and where a failure report may be wanted (RFC
 * 9991) the header as well.  Mail never waits for it: what does not fit into
 * the channel is counted and left out.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define HEADER_TOLD	7168	/* octets of a header in the message */
#define DKIM_TOLD	2048	/* of what the signatures were */
#define RECORD_TOLD	2048
#define LOST_EVERY	60	/* s between two lines about what is lost */

static void	 report_send(const struct session *, const struct verdict *,
		    bool);
static bool	 wants_aggregate(const struct dmarc *);
static bool	 wants_failure(const struct verdict *);
static struct slice first_rcpt(const struct mail *);
static struct slice signatures(const struct verdict *, uint8_t *, size_t);
static struct slice header_read(const struct mail *, char *, size_t);
static void	 lost_count(void);

void
report_mail(const struct session *s)
{
	const struct verdict *v = judge_verdict(s->mail);
	bool failure = v != NULL && wants_failure(v);

	if (v == NULL || (!failure && !wants_aggregate(verdict_dmarc(v))))
		return;
	if (verdict_dmarc(v)->record.n > RECORD_TOLD)
		log_notice("%s not-reported why=\"DMARC record too long\" "
		    "domain=%s",
		    s->mail->mid, verdict_dmarc(v)->at);
	if (smtpd()->report == NULL || chan_full(smtpd()->report)) {
		lost_count();
		return;
	}
	report_send(s, v, failure);
}

static void
report_send(const struct session *s, const struct verdict *v, bool failure)
{
	static uint8_t dkim[DKIM_TOLD];
	static char header[HEADER_TOLD];
	const struct fate *fate = &s->mail->fate;
	const struct dmarc *d = verdict_dmarc(v);
	const struct spf *spf = verdict_spf(v);
	struct report_mail_ev e = { .peer = s->conn.peer,
	    .policy = (uint8_t)d->published,
	    .dmarc = (uint8_t)d->result, .spf = (uint8_t)spf->result,
	    .spf_aligned = d->spf_aligned != 0,
	    .dkim_aligned = d->dkim_aligned != 0,
	    .spf_helo = s->mail->sender[0] == '\0',
	    .disposition = (uint8_t)fate->disposition,
	    .override = (uint8_t)fate->override };

	e.sid = slice_str(s->mail->mid);
	e.sender = slice_str(s->mail->sender);
	e.rcpt = first_rcpt(s->mail);
	e.author = slice_str(d->author);
	e.at = slice_str(d->at);
	e.record = d->record.n <= RECORD_TOLD ? d->record : slice_of("", 0);
	e.comment = slice_str(fate->override == OVERRIDE_LOCAL_POLICY &&
	    fate->comment != NULL ? fate->comment : "");
	e.spf_domain = slice_str(spf->domain);
	e.dkim = signatures(v, dkim, sizeof(dkim));
	e.header = failure ? header_read(s->mail, header, sizeof(header)) :
	    slice_of("", 0);
	chan_send(smtpd()->report, REPORT_MAIL_EV, &e, NULL, 0);
}

static bool
wants_aggregate(const struct dmarc *d)
{
	return proc_conf()->reports.aggregate && d->rua.n > 0 &&
	    (d->result == DMARC_PASS || d->result == DMARC_FAIL);
}

/* fo= may ask for it even though DMARC passes (RFC 9991 3). */
static bool
wants_failure(const struct verdict *v)
{
	const struct conf *conf = proc_conf();
	const struct dmarc *d = verdict_dmarc(v);
	size_t i;

	if (d->result == DMARC_FAIL && conf->reports.failure_copy != NULL)
		return true;
	if (!conf->reports.failure || d->ruf.n == 0 ||
	    (d->result != DMARC_FAIL && d->result != DMARC_PASS))
		return false;
	if (d->result == DMARC_FAIL)
		return true;
	if ((d->fo & (DMARC_FO_1 | DMARC_FO_S)) != 0 &&
	    (!d->spf_aligned || verdict_spf(v)->result != SPF_PASS))
		return true;
	if ((d->fo & DMARC_FO_1) != 0 && !d->dkim_aligned)
		return true;
	for (i = 0; (d->fo & DMARC_FO_D) != 0 && i < verdict_ndkim(v); i++)
		if (verdict_dkim(v, i)->result != DKIM_PASS)
			return true;
	return false;
}

static struct slice
first_rcpt(const struct mail *m)
{
	struct item_rcpt r;
	size_t off = 0;

	if (item_rcpt_get(slice_of((const char *)m->rcpts, m->rcptsn), &off,
	    &r) != 1)
		return slice_of("", 0);
	return r.address;
}

/* Those that pass first: where there is no room for all, they explain. */
static struct slice
signatures(const struct verdict *v, uint8_t *buf, size_t size)
{
	const struct dkim *d;
	struct item_dkim item;
	size_t i, n = 0;

	for (int pass = 1; pass >= 0; pass--)
		for (i = 0; i < verdict_ndkim(v); i++) {
			d = verdict_dkim(v, i);
			if ((d->result == DKIM_PASS) != pass)
				continue;
			item = (struct item_dkim){
			    .result = (uint8_t)d->result,
			    .domain = slice_str(d->domain),
			    .selector = slice_str(d->selector),
			    .algorithm = slice_str(d->algorithm) };
			if (item_dkim_put(buf, size, &n, &item) == -1)
				return slice_of((char *)buf, n);
		}
	return slice_of((char *)buf, n);
}

/* Whole fields from its top, as many as there is room for. */
static struct slice
header_read(const struct mail *m, char *buf, size_t size)
{
	size_t n = m->size < size ? (size_t)m->size : size, len, end = 0;
	struct slice rest;
	struct header_field f;

	if (store_read(m, buf, n) == -1)
		return slice_of("", 0);
	len = header_len(buf, n);
	rest = slice_of(buf, len);
	while (header_next(&rest, &f) == 1) {
		if (rest.n == 0 && len == n && n < m->size)
			break;		/* it may be cut */
		end = len - rest.n;
	}
	return slice_of(buf, end);
}

static void
lost_count(void)
{
	static uint64_t lost, since;
	uint64_t now = now_sec_coarse();

	lost++;
	if (now - since < LOST_EVERY)
		return;
	since = now;
	log_warnx("report-out is away or too slow, messages not reported: "
	    "%llu", (unsigned long long)lost);
	lost = 0;
}
