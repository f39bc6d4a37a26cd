/*
 * Aggregate reports from count to queue: intervals begin and end, each
 * domain's report is due at a time of its own in the half interval that
 * follows, goes to every address that may be told, and is tried again until
 * it is with queue or too old (time.c).  How far each address is stands
 * in the journal.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define JOBS_MAX	16	/* reports under way */
#define AGAIN_MS	900	/* till what could not be read is tried again */

struct job {
	struct domain	*domain;
	struct target	*target;
	char		 to[ADDR_TEXT_MAX];	/* where it really goes */
	uint32_t	 end;		/* row behind those in the letter */
};

static struct {
	struct event_base *base;
	struct periods	 periods;	/* oldest first */
	struct period	*current;	/* counted in, or NULL */
	TAILQ_HEAD(, domain) ready;	/* due now */
	unsigned int	 jobs;
	bool		 running;	/* in jobs_run */
	uint64_t	 next;		/* when to look again, seconds UTC */
	uint64_t	 clock;		/* at the last tick */
	struct event	*write, *tick;
	bool		 writing;
	bool		 open;		/* what is on disk was read */
	uint64_t	 again;		/* when to try again, ms, monotonic */
	uint64_t	 uncounted;	/* messages before that */
	uint8_t		 key[JOURNAL_KEY];
} ag;

static void	 restore(void);
static void	 period_add(struct period *);
static void	 period_late(struct period *);
static struct period *period_now(uint64_t);
static void	 period_end(struct period *);
static void	 period_time(struct period *, uint64_t);
static void	 clock_back(uint64_t);
static void	 period_look(struct period *, uint64_t);
static void	 lack_say(struct period *, struct slice);
static void	 periods_drop(void);
static void	 on_write(evutil_socket_t, short, void *);
static void	 on_tick(evutil_socket_t, short, void *);
static void	 jobs_run(void);
static uint64_t	 interval_of(const struct period *);
static struct target *target_due(struct domain *, uint64_t);
static void	 job_start(struct domain *, struct target *);
static void	 on_verdict(enum dest_verdict, const struct dest *,
		    const char *, void *);
static void	 job_send(struct job *);
static void	 on_sent(enum sent, const char *, void *);
static void	 job_later(struct job *, const char *);
static void	 job_end(struct job *, enum target_state, const char *);
static void	 domain_next(struct domain *);

/* ---- intervals ---------------------------------------------------------- */

void
aggregate_init(struct event_base *base)
{
	const struct timeval second = { 1, 0 };

	ag.base = base;
	TAILQ_INIT(&ag.periods);
	TAILQ_INIT(&ag.ready);
	ag.clock = now_sec();
	restore();
	ag.write = event_new(base, -1, 0, on_write, NULL);
	ag.tick = event_new(base, -1, EV_PERSIST, on_tick, NULL);
	if (ag.write == NULL || ag.tick == NULL ||
	    event_add(ag.tick, &second) == -1)
		fatalx("event_new");
}

/* Till it is read nothing is counted: the key and the names of what is there
 * have to be known. */
static void
restore(void)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ag.again = now_ms() + AGAIN_MS;
	if (fd == -1 || journal_init(fd, period_add, ag.key) == -1) {
		log_warn("reports directory");
		if (fd != -1)
			close(fd);
		return;
	}
	ag.open = true;
	report_secret(ag.key);
	if (ag.uncounted > 0)
		log_warnx("%llu messages are in no report",
		    (unsigned long long)ag.uncounted);
}

void
aggregate_stop(void)
{
	struct period *p;

	TAILQ_FOREACH(p, &ag.periods, entry)
		journal_sync(p);
}

struct periods *
aggregate_periods(void)
{
	return &ag.periods;
}

/*
 * One that was on disk.  The clock may have gone back: then it is not the
 * last one, or reports of it have left, and what is counted in it now would
 * be in none.  Or it was far ahead: then what it counted has ended, and
 * the one before goes on.
 */
static void
period_add(struct period *p)
{
	uint64_t now = now_sec();
	bool ahead = time_ahead(&ag.periods, p, now);

	if (ag.current != NULL && !ahead)
		period_end(ag.current);
	TAILQ_INSERT_TAIL(&ag.periods, p, entry);
	if (ahead || now >= p->file.end || period_tried(p))
		period_end(p);
	else
		ag.current = p;
}

/* One whose file could not be read till now: another may be counted in. */
static void
period_late(struct period *late)
{
	struct period *p;

	TAILQ_FOREACH(p, &ag.periods, entry)
		if (p->file.begin > late->file.begin)
			break;
	if (p != NULL)
		TAILQ_INSERT_BEFORE(p, late, entry);
	else
		TAILQ_INSERT_TAIL(&ag.periods, late, entry);
	period_end(late);
}

/* The interval of that time, or the next if that is over. */
static struct period *
period_now(uint64_t now)
{
	struct rec_file f = { 0 };
	struct period *p;

	if (ag.current != NULL && now >= ag.current->file.end)
		period_end(ag.current);
	if (ag.current != NULL)
		return ag.current;
	time_interval(&ag.periods, NULL, now, proc_conf()->reports.interval,
	    &f);
	ag.current = period_new(&f);
	TAILQ_FOREACH(p, &ag.periods, entry)
		if (p->file.begin > f.begin)
			break;
	if (p != NULL)
		TAILQ_INSERT_BEFORE(p, ag.current, entry);
	else
		TAILQ_INSERT_TAIL(&ag.periods, ag.current, entry);
	journal_open(ag.current);
	return ag.current;
}

static void
period_end(struct period *p)
{
	uint64_t lost = p->lost, messages = 0;
	uint32_t i, n = 0;
	struct domain *d;

	if (ag.current == p)
		ag.current = NULL;
	journal_sync(p);
	period_close(p);
	period_time(p, now_sec());
	for (i = 0; i < p->ndomain; i++) {
		if ((d = p->domain[i]) == NULL || d->done)
			continue;
		lost += d->lost;
		messages += d->messages;
		n++;
	}
	log_info("report interval begin=%llu end=%llu domains=%u "
	    "messages=%llu rows=%u", (unsigned long long)p->file.begin,
	    (unsigned long long)p->file.end, n,
	    (unsigned long long)messages, p->nrow);
	if (lost > 0)
		log_warnx("report interval begin=%llu uncounted=%llu: too "
		    "many domains or kinds of messages",
		    (unsigned long long)p->file.begin,
		    (unsigned long long)lost);
}

/* When its reports are due: after its end, or if a wrong clock made that,
 * from now on. */
static void
period_time(struct period *p, uint64_t now)
{
	struct domain *d;
	uint32_t i;

	if (p->from > now + p->length)
		p->from = now;
	for (i = 0; i < p->ndomain; i++) {
		if ((d = p->domain[i]) == NULL || d->done || d->busy)
			continue;
		d->due = domain_due(d);
		if (d->due < ag.next)
			ag.next = d->due;
	}
}

/* Whatever was to come by the clock before comes by this one. */
static void
clock_back(uint64_t now)
{
	struct period *p = ag.current;

	if (p != NULL && time_ahead(&ag.periods, p, now)) {
		log_warnx("report interval begin=%llu is far ahead of the "
		    "clock: closed", (unsigned long long)p->file.begin);
		period_end(p);
	}
	TAILQ_FOREACH(p, &ag.periods, entry)
		if (p->closed)
			period_time(p, now);
}

uint64_t
domain_due(const struct domain *d)
{
	uint64_t h = siphash24(ag.key, d->at, strlen(d->at));

	return d->period->from + h % (d->period->length / 2 + 1);
}

/* ---- counting ----------------------------------------------------------- */

void
aggregate_mail(const struct report_mail_ev *ev)
{
	static uint8_t key[ROW_MAX];
	struct report_row row;
	struct period *p;
	struct counted *c;
	bool fresh;

	if (!proc_conf()->reports.aggregate || ev->record.n == 0 ||
	    ev->at.n == 0 || (ev->dmarc != DMARC_PASS &&
	    ev->dmarc != DMARC_FAIL))
		return;
	if (!ag.open) {
		ag.uncounted++;
		return;
	}
	p = period_now(now_sec());
	row_of(ev, &row);
	c = period_count(p, ev->at, ev->record, key, row_put(key, &row),
	    &fresh);
	if (c != NULL)
		journal_count(p, c, fresh);
	else if (p->lost_fresh && !p->said[p->lack])
		lack_say(p, ev->at);
	if (!ag.writing) {
		ag.writing = true;
		event_active(ag.write, 0, 0);
	}
}

static void
lack_say(struct period *p, struct slice at)
{
	static const char *const what[LACKS] = {
	    [LACK_DOMAINS] = "too many domains",
	    [LACK_GROUP] = "too many domains of one group",
	    [LACK_GROUP_BYTES] = "too much about one group of domains",
	    [LACK_ROWS] = "too many kinds of messages" };
	struct slice group = group_of(at);

	p->said[p->lack] = true;
	log_warnx("report interval begin=%llu is full: some messages will "
	    "not be in the reports: %s, first of group=%s",
	    (unsigned long long)p->file.begin, what[p->lack],
	    log_text(group.p, group.n));
}

/* The end of the turn: all that came in it goes out in one write. */
static void
on_write(evutil_socket_t fd, short what, void *arg)
{
	struct period *p;

	ag.writing = false;
	TAILQ_FOREACH(p, &ag.periods, entry)
		journal_write(p);
}

/* ---- the time of a report ----------------------------------------------- */

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = now_sec();
	struct period *p, *next;

	if (now_ms() >= ag.again) {
		if (!ag.open)
			restore();
		else
			journal_again(period_late);
		ag.again = now_ms() + AGAIN_MS;
	}
	if (!ag.open)
		return;
	if (now < ag.clock)
		clock_back(now);
	ag.clock = now;
	if (ag.current != NULL && now >= ag.current->file.end)
		period_end(ag.current);
	for (p = TAILQ_FIRST(&ag.periods); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		journal_sync(p);
		if (p->closed && p->left == 0) {
			TAILQ_REMOVE(&ag.periods, p, entry);
			journal_remove(p);
			period_free(p);
		}
	}
	if (!proc_conf()->reports.aggregate) {
		periods_drop();
		return;
	}
	if (now < ag.next)
		return;
	ag.next = UINT64_MAX;
	TAILQ_FOREACH(p, &ag.periods, entry)
		if (p->closed)
			period_look(p, now);
	jobs_run();
}

/* No reports are wanted any more: those under way end first. */
static void
periods_drop(void)
{
	struct period *p;
	struct domain *d;

	while ((d = TAILQ_FIRST(&ag.ready)) != NULL) {
		TAILQ_REMOVE(&ag.ready, d, ready);
		d->busy = false;
	}
	ag.next = 0;
	if (ag.jobs > 0)
		return;
	ag.current = NULL;
	while ((p = TAILQ_FIRST(&ag.periods)) != NULL) {
		log_info("report interval begin=%llu dropped: aggregate "
		    "reports are off", (unsigned long long)p->file.begin);
		TAILQ_REMOVE(&ag.periods, p, entry);
		journal_remove(p);
		period_free(p);
	}
}

static void
period_look(struct period *p, uint64_t now)
{
	struct domain *d;
	uint32_t i;

	for (i = 0; i < p->ndomain; i++) {
		d = p->domain[i];
		if (d == NULL || d->done || d->busy)
			continue;
		if (d->due > now) {
			if (d->due < ag.next)
				ag.next = d->due;
			continue;
		}
		d->busy = true;
		TAILQ_INSERT_TAIL(&ag.ready, d, ready);
	}
}

/* The longer of what it was and what is configured: it may have been cut. */
static uint64_t
interval_of(const struct period *p)
{
	uint64_t conf = proc_conf()->reports.interval;

	return p->length > conf ? p->length : conf;
}

static void
jobs_run(void)
{
	struct domain *d;
	struct target *t;

	if (ag.running || !proc_conf()->reports.aggregate)
		return;			/* running: a job ended as it began */
	ag.running = true;
	while (ag.jobs < JOBS_MAX && (d = TAILQ_FIRST(&ag.ready)) != NULL) {
		TAILQ_REMOVE(&ag.ready, d, ready);
		domain_targets(d);
		if ((t = target_due(d, now_sec())) != NULL)
			job_start(d, t);
		else
			domain_next(d);
	}
	ag.running = false;
}

/* A pause that is longer than any is of a clock that was ahead. */
static struct target *
target_due(struct domain *d, uint64_t now)
{
	uint64_t most = time_again(interval_of(d->period), UINT_MAX);
	struct target *t;
	size_t i;

	for (i = 0; i < d->ntarget; i++) {
		t = &d->target[i];
		if (t->state == TARGET_WAIT &&
		    (t->next <= now || t->next > now + most))
			return t;
	}
	return NULL;
}

/* Nothing of it can go now: when, or never again. */
static void
domain_next(struct domain *d)
{
	struct rec done = { .type = REC_DONE, .no = d->no };
	uint64_t next = UINT64_MAX;
	size_t i;

	for (i = 0; i < d->ntarget; i++)
		if (d->target[i].state == TARGET_WAIT &&
		    d->target[i].next < next)
			next = d->target[i].next;
	d->busy = false;
	if (next == UINT64_MAX || d->nrow == 0) {
		journal_add(d->period, &done);
		period_drop(d);
		return;
	}
	d->due = next;
	if (next < ag.next)
		ag.next = next;
}

/* ---- a report on its way ------------------------------------------------ */

static void
job_start(struct domain *d, struct target *t)
{
	struct job *j = xcalloc(1, sizeof(*j));
	struct dest dest;

	j->domain = d;
	j->target = t;
	ag.jobs++;
	if (d->nrow == 0)
		job_end(j, TARGET_DROPPED, "nothing was counted");
	else if (dest_again(t->address, &dest) == -1)
		job_end(j, TARGET_DROPPED, "no address");
	else if (dest_ask(d->at, &dest, "rua", on_verdict, j) == NULL)
		job_later(j, "too many questions");
}

static void
on_verdict(enum dest_verdict v, const struct dest *to, const char *why,
    void *arg)
{
	struct job *j = arg;

	switch (v) {
	case DEST_YES:
		strlcpy(j->to, to->address, sizeof(j->to));
		job_send(j);
		break;
	case DEST_NO:
		job_end(j, TARGET_DROPPED, why);
		break;
	case DEST_LATER:
		job_later(j, why);
		break;
	}
}

static void
job_send(struct job *j)
{
	struct msg_id commit;
	struct letter *l;
	char sid[33];

	l = report_letter(j->domain, j->target, j->to, &j->end, &commit, sid);
	if (l == NULL) {
		job_later(j, "it could not be made");
		return;
	}
	log_info("%s aggregate domain=%s to=<%s> part=%u rows=%u "
	    "size=%llu", sid, log_text(j->domain->at, strlen(j->domain->at)),
	    log_text(j->to, strlen(j->to)), j->target->part,
	    j->end - j->target->row, (unsigned long long)letter_size(l));
	letter_send(l, &commit, sid, j->to, j->target->tries > 0 ||
	    j->domain->period->replayed, 0, on_sent, j);
}

static void
on_sent(enum sent how, const char *why, void *arg)
{
	struct job *j = arg;
	struct target *t = j->target;

	switch (how) {
	case SENT_OK:
		t->part++;
		t->row = j->end;
		if (t->row < j->domain->nrow) {
			journal_target(j->domain, t);
			journal_write(j->domain->period);
			job_send(j);
		} else
			job_end(j, TARGET_SENT, "");
		break;
	case SENT_REFUSED:
		job_end(j, TARGET_DROPPED, why);
		break;
	case SENT_LATER:
		job_later(j, why);
		break;
	}
}

static void
job_later(struct job *j, const char *why)
{
	struct target *t = j->target;
	uint64_t now = now_sec(), interval = interval_of(j->domain->period);

	if (t->tries > 0 && now >= domain_due(j->domain) +
	    time_give_up(interval)) {
		job_end(j, TARGET_DROPPED, why);
		return;
	}
	if (t->tries < UINT16_MAX)
		t->tries++;
	t->next = now + time_again(interval, t->tries - 1U);
	job_end(j, TARGET_WAIT, why);
}

/* The address is done, or waits; the next one of the domain, or the next
 * domain. */
static void
job_end(struct job *j, enum target_state state, const char *why)
{
	struct domain *d = j->domain;
	struct target *t = j->target;

	t->state = state;
	target_why(t, slice_str(why));
	if (state == TARGET_DROPPED)
		log_warnx("report dropped domain=%s to=<%s> messages=%llu: %s",
		    log_text(d->at, strlen(d->at)),
		    log_text(t->address, strlen(t->address)),
		    (unsigned long long)d->messages, t->why);
	else if (state == TARGET_WAIT)
		log_info("report waits domain=%s to=<%s> tries=%u: %s",
		    log_text(d->at, strlen(d->at)),
		    log_text(t->address, strlen(t->address)), t->tries,
		    t->why);
	journal_target(d, t);
	journal_write(d->period);
	free(j);
	ag.jobs--;
	TAILQ_INSERT_HEAD(&ag.ready, d, ready);
	jobs_run();
}
