/*
 * What follows from a verdict: the message is taken, taken into Junk,
 * refused, or deferred where a temporary failure of the DNS leaves open what
 * would follow (RFC 7208 8, RFC 9989 5.4; the configuration's verify
 * section).  And what the log says about it.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "verify/verify.h"
#include "msg/addr.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define EXP_MAX		160	/* octets of an explanation in a reply */

/* What one of the checks asks for. */
struct ruling {
	enum conf_action action;
	bool		 later;		/* nobody knows yet */
	enum reply	 reply;		/* for reject */
	const char	*tail;		/* of it, or NULL */
	const char	*excuse;	/* why it is not what the domain asks */
};

static void	 verdict_apply(struct session *, const struct verdict *);
static enum report_override excused_by(const struct session *,
		    const struct verdict *, const char **);
static enum report_override override_of(const struct dmarc *,
		    enum report_override);
static struct fate fate_of(const struct dmarc *, const struct ruling *,
		    bool);
static struct ruling rule_dmarc(const struct dmarc *);
static struct ruling rule_identities(const struct verdict *);
static struct ruling rule_spf(const struct spf *);
static void	 spf_refusal(struct ruling *, const struct spf *);
static void	 verdict_print(const struct verdict *, char *, size_t);

void
policy_apply(struct session *s)
{
	const struct verdict *v = judge_verdict(s->mail);
	struct mail *m = s->mail;

	if (v != NULL)
		verdict_apply(s, v);
	if (m->refusal == REPLY_NONE) {
		commit_start(s);
		return;
	}
	if (m->refusal != REPLY_NO_DNS)
		report_mail(s);
	mail_refused(s);
}

/* Its fate, the folder it goes to, or why it is refused. */
static void
verdict_apply(struct session *s, const struct verdict *v)
{
	const struct conf *conf = proc_conf();
	struct mail *m = s->mail;
	struct ruling dmarc = rule_dmarc(verdict_dmarc(v));
	struct ruling spf = rule_identities(v), *r = &dmarc;
	const char *excuse = NULL;
	enum report_override why = excused_by(s, v, &excuse);

	verdict_print(v, m->verdict, sizeof(m->verdict));
	if (why != OVERRIDE_NONE || (conf->verify.dmarc != DMARC_OFF &&
	    verdict_dmarc(v)->result == DMARC_PASS)) {
		m->fate = (struct fate){ REPORT_NONE,
		    override_of(verdict_dmarc(v), why), excuse };
		return;
	}
	/* DMARC may still excuse what SPF refuses. */
	if (verdict_dmarc(v)->result == DMARC_TEMPERROR &&
	    spf.action == ACTION_REJECT)
		spf.later = conf->verify.dmarc != DMARC_OFF;
	if (dmarc.action != ACTION_REJECT && (spf.later ||
	    (!dmarc.later && spf.action > dmarc.action)))
		r = &spf;
	if (r->later) {
		m->refusal = REPLY_NO_DNS;
	} else if (r->action == ACTION_REJECT) {
		m->refusal = r->reply;
		m->tail = r->tail;
	} else if (r->action == ACTION_JUNK)
		m->folder = "Junk";
	m->fate = fate_of(verdict_dmarc(v), r, r == &spf);
}

/* Of a forwarder, or sealed by one, that the operator trusts. */
static enum report_override
excused_by(const struct session *s, const struct verdict *v,
    const char **comment)
{
	const struct conf *conf = proc_conf();
	const struct arc *arc = verdict_arc(v);

	if (addr_in(&s->conn.peer, conf->verify.forwarders,
	    conf->verify.nforwarders))
		return OVERRIDE_TRUSTED_FORWARDER;
	if (arc == NULL || arc->result != ARC_PASS)
		return OVERRIDE_NONE;
	*comment = "arc=pass";
	for (size_t i = 0; i < conf->verify.narc_trusted; i++)
		if (strcmp(arc->domain, conf->verify.arc_trusted[i]) == 0)
			return OVERRIDE_LOCAL_POLICY;
	return OVERRIDE_NONE;
}

/* Only where the domain asked for something is it overridden. */
static enum report_override
override_of(const struct dmarc *d, enum report_override why)
{
	if (d->result != DMARC_FAIL)
		return OVERRIDE_NONE;
	if (why != OVERRIDE_NONE && d->policy != DMARC_P_NONE)
		return why;
	return d->policy != d->published ? OVERRIDE_POLICY_TEST_MODE :
	    OVERRIDE_NONE;
}

/* What is reported as done, and why it is not what the domain asked for. */
static struct fate
fate_of(const struct dmarc *d, const struct ruling *r, bool by_spf)
{
	static const enum report_disposition done[] = {
		[ACTION_MARK] = REPORT_NONE,
		[ACTION_JUNK] = REPORT_QUARANTINE,
		[ACTION_REJECT] = REPORT_REJECT
	};
	bool spf = by_spf && r->action != ACTION_MARK;
	struct fate f = { done[r->action], OVERRIDE_LOCAL_POLICY, "SPF" };

	if (spf)
		return f;
	f.override = override_of(d, r->excuse != NULL ?
	    OVERRIDE_LOCAL_POLICY : OVERRIDE_NONE);
	f.comment = r->excuse;
	return f;
}

static struct ruling
rule_dmarc(const struct dmarc *d)
{
	static char text[DOMAIN_TEXT + 80];
	const struct conf *conf = proc_conf();
	struct ruling r = { ACTION_MARK, false, REPLY_DMARC, text, NULL };
	bool asked = d->result == DMARC_FAIL && d->policy != DMARC_P_NONE;

	if (conf->verify.dmarc != DMARC_ENFORCE) {
		r.excuse = asked ? "policies are reported only" : NULL;
		return r;
	}
	for (size_t i = 0; i < conf->verify.ndmarc_exempt; i++)
		if (strcmp(d->author, conf->verify.dmarc_exempt[i]) == 0) {
			r.excuse = asked ? "exempt" : NULL;
			return r;
		}
	if (d->result == DMARC_TEMPERROR)	/* with p=none it is no matter */
		r.later = d->tag == '\0' || d->policy != DMARC_P_NONE;
	if (d->result != DMARC_FAIL)
		return r;
	if (d->policy == DMARC_P_QUARANTINE)
		r.action = ACTION_JUNK;
	if (d->policy == DMARC_P_REJECT)
		r.action = ACTION_REJECT;
	snprintf(text, sizeof(text), "%s refuses this by its DMARC policy: "
	    "not signed by it, nor sent for it", d->author);
	return r;
}

/* MAIL FROM and HELO (RFC 7208 2.3, 2.4), whichever is worse. */
static struct ruling
rule_identities(const struct verdict *v)
{
	const struct spf *helo = verdict_spf_helo(v);
	enum conf_action action =
	    (enum conf_action)proc_conf()->verify.spf_helo_fail;
	struct ruling r = rule_spf(verdict_spf(v));

	if (helo == NULL || action <= r.action)
		return r;
	if (helo->result == SPF_TEMPERROR)
		r.later = true;
	if (helo->result != SPF_FAIL)
		return r;
	r.action = action;
	if (action == ACTION_REJECT)
		spf_refusal(&r, helo);
	return r;
}

static struct ruling
rule_spf(const struct spf *spf)
{
	const struct conf *conf = proc_conf();
	struct ruling r = { .action = ACTION_MARK };

	switch (spf->result) {
	case SPF_NONE:
	case SPF_NEUTRAL:
	case SPF_PASS:
		break;
	case SPF_FAIL:
		r.action = conf->verify.spf_fail;
		break;
	case SPF_SOFTFAIL:
		r.action = conf->verify.spf_softfail;
		break;
	case SPF_PERMERROR:
		r.action = conf->verify.spf_permerror;
		break;
	case SPF_TEMPERROR:	/* it might have been a fail */
		r.later = conf->verify.spf_fail != ACTION_MARK;
		break;
	}
	if (r.action == ACTION_REJECT)
		spf_refusal(&r, spf);
	return r;
}

/* RFC 7372 3.2; whose words the explanation is must be told (RFC 7208 8.4). */
static void
spf_refusal(struct ruling *r, const struct spf *spf)
{
	static char text[2 * DOMAIN_TEXT + EXP_MAX + 100];

	r->reply = REPLY_SPF;
	r->tail = spf->domain;
	if (spf->result == SPF_PERMERROR) {
		snprintf(text, sizeof(text), "%s is broken: %s", spf->domain,
		    spf->why != NULL ? spf->why : "no reason");
		r->reply = REPLY_SPF_BROKEN;
		r->tail = text;
	} else if (spf->exp[0] != '\0') {
		snprintf(text, sizeof(text), "%s, which says: %.*s",
		    spf->domain, EXP_MAX, spf->exp);
		r->tail = text;
	}
}

/* ---- for the log --------------------------------------------------------- */

/* The signature worth naming: one that passes, else the first. */
static const struct dkim *
dkim_best(const struct verdict *v)
{
	const struct dkim *d;

	for (size_t i = 0; i < verdict_ndkim(v); i++) {
		d = verdict_dkim(v, i);
		if (d->result == DKIM_PASS)
			return d;
	}
	return verdict_ndkim(v) > 0 ? verdict_dkim(v, 0) : NULL;
}

/* "spf:pass,dkim:pass(a.example),dmarc:pass". */
static void
verdict_print(const struct verdict *v, char *p, size_t size)
{
	const struct dkim *d = dkim_best(v);
	const struct arc *arc = verdict_arc(v);
	char dkim[128] = "none", sealed[32] = "";

	if (d != NULL)
		snprintf(dkim, sizeof(dkim), "%s(%.80s)",
		    dkim_name(d->result), d->domain);
	if (arc != NULL && arc->result != ARC_NONE)
		snprintf(sealed, sizeof(sealed), ",arc:%s",
		    arc_name(arc->result));
	snprintf(p, size, "spf:%s,dkim:%s,dmarc:%s%s",
	    spf_name(verdict_spf(v)->result), dkim,
	    dmarc_name(verdict_dmarc(v)->result), sealed);
}
