/*
 * Failure reports (RFC 9991): which of the messages that smtpd told of gets
 * one, and how many.  The first of a kind (network, domain, signer) is
 * reported at once; what is like it within a while is counted, and reported
 * as one with the first of them (Incidents, RFC 5965 3.2).  All tables have
 * a fixed size: who invents domains gets no more memory than that.  They are
 * in memory only: a failure report need not outlive us.  Part of report-out.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/out/failure.h"
#include "report/out/out.h"

#define SEEN_MAX	512	/* kinds counted at one time */
#define SEEN_WHILE	600	/* s; not longer than reports.interval */

struct seen {
	uint64_t	 hash;
	uint64_t	 since;		/* of now_ms; 0: free */
	unsigned int	 n;		/* after the one that was reported */
	bool		 copy, ruf;	/* who is told */
	struct kept	*first;		/* of those, NULL if n is 0 */
};

static struct {
	struct event	*ev;		/* a while is over */
	uint8_t		 key[16];
	size_t		 nseen;
	struct seen	 seen[SEEN_MAX];
} failure;

static void	 on_while(evutil_socket_t, short, void *);
static struct seen *seen_find(uint64_t);
static void	 seen_report(struct seen *);
static void	 timer_set(void);

void
failure_init(struct event_base *base)
{
	random_bytes(failure.key, sizeof(failure.key));
	allow_init();
	if ((failure.ev = event_new(base, -1, 0, on_while, NULL)) == NULL)
		fatalx("event_new");
	notice_init();
}

/* ---- what is like another ---------------------------------------------------- */

static unsigned int
seen_while(void)
{
	return proc_conf()->reports.interval < SEEN_WHILE ?
	    proc_conf()->reports.interval : SEEN_WHILE;
}

/* The network it came from, the policy's domain, and the signer to blame. */
static uint64_t
hash_of(const struct report_mail_ev *m)
{
	char b[1 + 8 + 2 * (DOMAIN_TEXT + 2)];
	struct item_dkim d;
	struct slice signer = { "", 0 };
	size_t i, n = 0;

	b[n++] = (char)m->peer.family;
	memcpy(b + n, m->peer.b, 8);
	memset(b + n + (m->peer.family == 4 ? 3 : 8), 0,
	    m->peer.family == 4 ? 5 : 0);
	n += 8;
	for (i = 0; i < m->at.n && i < DOMAIN_TEXT; i++)
		b[n++] = (char)ascii_lower((unsigned char)m->at.p[i]);
	b[n++] = '\0';
	if (!m->dkim_aligned && arf_signature(m, &d))
		signer = d.selector;
	for (i = 0; i < signer.n && i < DOMAIN_TEXT; i++)
		b[n++] = (char)ascii_lower((unsigned char)signer.p[i]);
	return siphash24(failure.key, b, n);
}

static struct seen *
seen_find(uint64_t hash)
{
	size_t i;

	for (i = 0; i < SEEN_MAX; i++)
		if (failure.seen[i].since != 0 &&
		    failure.seen[i].hash == hash)
			return &failure.seen[i];
	return NULL;
}

static struct seen *
seen_add(uint64_t hash)
{
	size_t i;

	for (i = 0; i < SEEN_MAX; i++)
		if (failure.seen[i].since == 0) {
			failure.seen[i] = (struct seen){ .hash = hash,
			    .since = now_ms() };
			failure.nseen++;
			return &failure.seen[i];
		}
	return NULL;
}

static void
seen_count(struct seen *s, const struct report_mail_ev *m, bool copy,
    bool ruf)
{
	if (s->first == NULL &&
	    (s->first = kept_new(m, now_sec())) == NULL) {
		failure_lost("there is no memory");
		return;
	}
	s->n++;
	s->copy |= copy;
	s->ruf |= ruf;
}

/* Its while is over: report what came since, or forget it. */
static void
seen_report(struct seen *s)
{
	bool copy, ruf;

	if (s->n == 0) {
		s->since = 0;
		failure.nseen--;
		return;
	}
	copy = s->copy && proc_conf()->reports.failure_copy != NULL &&
	    copy_may(s->first->mail.at);
	ruf = s->ruf && proc_conf()->reports.failure &&
	    report_may(s->first->mail.at);
	s->since = now_ms();
	if (!copy && !ruf) {		/* counted on */
		failure_lost("there are too many");
		return;
	}
	notice_start(s->first, s->n, copy, ruf);
	s->first = NULL;
	s->n = 0;
	s->copy = s->ruf = false;
}

static void
on_while(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = now_ms(), w = seen_while() * 1000ULL;
	size_t i;

	for (i = 0; i < SEEN_MAX; i++)
		if (failure.seen[i].since != 0 &&
		    now - failure.seen[i].since >= w)
			seen_report(&failure.seen[i]);
	timer_set();
}

/* To the end of the oldest while. */
static void
timer_set(void)
{
	uint64_t now = now_ms(), w = seen_while() * 1000ULL, next = w, age;
	struct timeval tv;
	size_t i;

	if (failure.nseen == 0)
		return;
	for (i = 0; i < SEEN_MAX; i++) {
		if (failure.seen[i].since == 0)
			continue;
		age = now - failure.seen[i].since;
		if (age >= w)
			next = 0;
		else if (w - age < next)
			next = w - age;
	}
	next += 10;
	tv = (struct timeval){ (time_t)(next / 1000),
	    (suseconds_t)(next % 1000 * 1000) };
	event_add(failure.ev, &tv);
}

/* ---- a message ----------------------------------------------------------------- */

static bool
ruf_wanted(const struct report_mail_ev *m)
{
	struct dmarc_record r;
	const char *why;

	return proc_conf()->reports.failure &&
	    dmarc_record_parse(m->record, &r, &why) == 0 && r.ruf.n > 0 &&
	    r.psd != 'y' &&		/* RFC 9991 2 */
	    failure_wanted(r.fo, m);
}

void
failure_mail(const struct report_mail_ev *m)
{
	const struct conf *c = proc_conf();
	struct kept *k;
	struct seen *s;
	uint64_t hash;
	bool copy, ruf;

	if (m->header.n == 0 || !failure_sound(m))
		return;
	copy = m->dmarc == DMARC_FAIL && c->reports.failure_copy != NULL;
	ruf = ruf_wanted(m);
	if ((!copy && !ruf) || failure_is_report(m, c->reports.from,
	    c->reports.addresses, c->reports.naddresses))
		return;
	hash = hash_of(m);
	if ((s = seen_find(hash)) != NULL) {
		seen_count(s, m, copy, ruf);
		return;
	}
	copy = copy && copy_may(m->at);
	ruf = ruf && report_may(m->at);
	if ((!copy && !ruf) || seen_add(hash) == NULL) {
		failure_lost("there are too many");
		return;
	}
	timer_set();
	if ((k = kept_new(m, now_sec())) == NULL)
		failure_lost("there is no memory");
	else
		notice_start(k, 1, copy, ruf);
}
