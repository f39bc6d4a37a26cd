/*
 * What came of an attempt: done, try again later, or report that it failed.
 * The one place where a recipient's state changes because of an answer, and
 * where that is logged; local and remote call it.
 *
 * A recipient that was lost with its deliver process gets another attempt at
 * once, marked as maybe done, so that deliver looks its id up; after a few
 * losses in a row it waits like a failed one, in case it is the cause.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define LOST_MAX	2		/* losses before it has to wait */
#define UNREAD_AGAIN	60		/* s until it is read again */

static const struct result_ops *ops;

static void	 defer(struct message *, unsigned int, const char *);
static void	 fail(struct message *, unsigned int, const char *);
static void	 log_result(const struct message *, const struct rcpt *,
		    const char *, const char *);
static void	 error_text(char *, size_t, const struct item_result *);
static bool	 warning_due(const struct message *);

void
result_init(const struct result_ops *o)
{
	ops = o;
}

static void
count_attempt(struct rcpt *r)
{
	r->tried = (uint32_t)clock_now();
	if (r->attempts < UINT16_MAX)
		r->attempts++;
}

void
result_rcpt(struct message *m, unsigned int idx, const struct item_result *r)
{
	char text[LOG_TEXT_MAX];

	error_text(text, sizeof(text), r);
	count_attempt(&m->rcpt[idx]);
	m->rcpt[idx].lost = 0;
	if (m->rcpt[idx].type == ROUTE_LOCAL &&
	    (r->result == DELIVERY_OK || slice_is(r->status, "4.2.2")))
		ops->used(m->rcpt[idx].account, r->percent);
	if (m->rcpt[idx].type == ROUTE_LOCAL && r->warn > 0 &&
	    r->warn <= 100)
		ops->warn(m, m->rcpt[idx].account, r->warn);
	switch ((enum delivery_result)r->result) {
	case DELIVERY_OK:
		log_result(m, &m->rcpt[idx],
		    m->rcpt[idx].type == ROUTE_REMOTE ? "relayed" :
		    "delivered", text);
		result_done(m, idx);
		return;
	case DELIVERY_TEMP:
		if (m->rcpt[idx].type == ROUTE_LOCAL &&
		    slice_is(r->status, "4.2.2"))
			ops->full(m->rcpt[idx].account,
			    m->hdr.size);
		defer(m, idx, text);
		return;
	case DELIVERY_PERM:
		fail(m, idx, text);
		return;
	}
	defer(m, idx, "4.3.0 unknown answer");
}

/* What was to be held when it comes back is held now; the log knows. */
static uint8_t
waits_as(struct rcpt *r)
{
	bool hold = r->hold;

	r->hold = 0;
	return hold ? RCPT_HELD : RCPT_WAIT;
}

static void
result_lost(struct message *m, unsigned int idx)
{
	struct rcpt *r = &m->rcpt[idx];

	if (r->type != ROUTE_REMOTE) {
		r->maybe = 1;
		if (++r->lost <= LOST_MAX) {
			r->state = waits_as(r);
			r->next = 0;
			return;
		}
	}
	count_attempt(r);
	defer(m, idx, "4.3.0 no answer from our own process");
}

/* all: also who is to be tried again. */
static void
take_results(struct job *j, struct slice results, bool all)
{
	struct message *m = j->m;
	struct item_result r;
	size_t off = 0;
	uint32_t i;

	while (item_result_get(results, &off, &r) == 1) {
		for (i = 0; i < j->n && j->idx[i] != r.index; i++)
			;
		if (i < j->n && m->rcpt[r.index].state == RCPT_SENT &&
		    (all || r.result == DELIVERY_OK ||
		    r.result == DELIVERY_PERM))
			result_rcpt(m, r.index, &r);
	}
}

void
result_some(struct job *j, struct slice results)
{
	take_results(j, results, false);
	result_end(j->m);
}

void
result_job(struct job *j, struct slice results)
{
	struct message *m = j->m;
	uint32_t i;

	take_results(j, results, true);
	for (i = 0; i < j->n; i++)
		if (m->rcpt[j->idx[i]].state == RCPT_SENT)
			result_lost(m, j->idx[i]);
	schedule_job_end(j);
	result_end(m);
}

/* ---- a frame or file that cannot be read ------------------------------- */

/* Without a limit of time, for nobody tried to deliver it. */
static void
unread_rcpt(struct message *m, unsigned int idx, int e)
{
	struct log_rec rec = { .type = LOG_HELD, .seg = m->seg->id,
	    .no = m->no, .rcpt = (uint16_t)idx,
	    .text = SLICE_LIT("5.3.0 queue file damaged") };
	struct rcpt *r = &m->rcpt[idx];

	if (!is_damage(e)) {
		rcpt_error_set(r, "4.3.0 queue file cannot be read now");
		r->state = waits_as(r);
		r->next = (uint32_t)clock_now() + UNREAD_AGAIN;
		log_result(m, r, "deferred", rcpt_error(r));
		return;
	}
	r->state = RCPT_HELD;
	rcpt_error_set(r, "5.3.0 queue file damaged");
	log_result(m, r, "held", rcpt_error(r));
	qlog_add(&rec);
}

void
result_unreadable(struct job *j)
{
	struct message *m = j->m;
	int e = errno;
	uint32_t i;

	for (i = 0; i < j->n; i++)
		unread_rcpt(m, j->idx[i], e);
	schedule_job_end(j);
	result_end(m);
}

static void
on_checked(void *arg, int error)
{
	struct message *m = arg;
	uint32_t i;

	m->checking = 0;
	m->checked = error == 0;
	for (i = 0; error != 0 && i < m->nrcpt; i++)
		if (m->rcpt[i].state == RCPT_WAIT)
			unread_rcpt(m, i, error);
	result_end(m);
}

bool
result_check(struct message *m)
{
	if ((m->hdr.flags & FRAME_LARGE) == 0 || m->checked)
		return false;
	m->checking = 1;
	settle_check(m->hdr.large, m->hdr.size + m->hdr.facts_len,
	    m->hdr.body_crc, on_checked, m);
	return true;
}

/* The local delivery id is forgotten once this is on disk. */
void
result_done(struct message *m, unsigned int idx)
{
	struct rcpt *r = &m->rcpt[idx];
	struct log_rec rec = { .type = LOG_DONE, .seg = m->seg->id,
	    .no = m->no, .rcpt = (uint16_t)idx };
	struct msg_id id;

	if (r->state == RCPT_DONE)
		return;
	rcpt_done(m, r);
	qlog_add(&rec);
	m->seg->done_gen = qlog_gen();
	if (r->type == ROUTE_LOCAL) {
		rcpt_delivery_id(m, idx, &id);
		forget_add(&id, r->account);
	}
}

void
result_end(struct message *m)
{
	unsigned int i;

	for (i = 0; i < m->nrcpt; i++)
		if (m->rcpt[i].state == RCPT_FAILED) {
			ops->report(m, DSN_FAILED);
			break;
		}
	if (m->nlive == 0 && m->njobs == 0 && !m->copying) {
		ops->done(m);
		return;
	}
	if (warning_due(m) && ops->report_room()) {
		m->warned = 1;
		ops->report(m, DSN_DELAYED);
		qlog_add(&(struct log_rec){ .type = LOG_WARNED,
		    .seg = m->seg->id, .no = m->no });
	}
	schedule_message(m);
}

/*
 * It is old enough, and that is true: it waited so long in this life, by a
 * clock that does not jump, or it was tried as often as half of the time
 * would have seen it tried, over all lives.  One that is old because the clock
 * was set meanwhile, or the machine was off, is given that half.
 */
static bool
is_expired(const struct message *m, const struct rcpt *r)
{
	uint64_t now = clock_now(), expire = proc_conf()->queue.expire;

	if (now < m->received + expire)
		return false;
	return now >= clock_start() + expire || m->received >= clock_start() ||
	    r->attempts >= schedule_tries(proc_conf(), expire / 2);
}

/* Later, or if that is too late, never. */
static void
defer(struct message *m, unsigned int idx, const char *text)
{
	struct rcpt *r = &m->rcpt[idx];
	struct log_rec rec = { .type = LOG_DEFER, .seg = m->seg->id,
	    .no = m->no, .rcpt = (uint16_t)idx };
	uint32_t now = (uint32_t)clock_now(), last;

	r->maybe = 1;
	last = m->received + proc_conf()->queue.expire;
	if (is_expired(m, r)) {
		fail(m, idx, text);
		return;
	}
	rcpt_error_set(r, text);
	r->state = waits_as(r);
	r->next = now + schedule_delay(proc_conf(), r->attempts,
	    (uint32_t)random_u64());
	if (r->next > last && last > now)
		r->next = last;
	log_result(m, r, r->state == RCPT_HELD ? "held" : "deferred", text);
	rec.attempts = r->attempts;
	rec.next = (uint32_t)clock_to_wall(r->next);
	rec.text_id = r->error;
	qlog_add(&rec);
}

static void
fail(struct message *m, unsigned int idx, const char *text)
{
	rcpt_error_set(&m->rcpt[idx], text);
	m->rcpt[idx].state = RCPT_FAILED;
	log_result(m, &m->rcpt[idx], "failed", text);
}

static bool
warning_due(const struct message *m)
{
	unsigned int i, after = proc_conf()->queue.delay_warning;

	if (after == 0 || m->warned ||
	    (m->flags & QF_DSN) || *message_sender(m) == '\0' ||
	    clock_now() < (uint64_t)m->received + after)
		return false;
	for (i = 0; i < m->nrcpt; i++)
		if (m->rcpt[i].state == RCPT_WAIT && m->rcpt[i].attempts > 0)
			return true;
	return false;
}

/* "4.4.1 mta said: text" on one line of printable ASCII without '"', for
 * log, list and report. */
static void
error_text(char *buf, size_t size, const struct item_result *r)
{
	static const char *const given[] = {
		[DELIVERY_OK] = "2.0.0", [DELIVERY_TEMP] = "4.0.0",
		[DELIVERY_PERM] = "5.0.0"
	};
	const char *status = given[r->result < NITEMS(given) ? r->result :
	    DELIVERY_PERM];
	size_t i;

	snprintf(buf, size, "%.*s %.*s%s%.*s",
	    (int)(r->status.n > 0 ? r->status.n : 5),
	    r->status.n > 0 ? r->status.p : status, (int)r->mta.n, r->mta.p,
	    r->mta.n > 0 ? " said: " : "", (int)r->text.n, r->text.p);
	for (i = 0; buf[i] != '\0'; i++)
		if (buf[i] < 32 || buf[i] > 126 || buf[i] == '"')
			buf[i] = buf[i] == '"' ? '\'' : '?';
	while (i > 0 && buf[i - 1] == ' ')
		buf[--i] = '\0';
}

static void
log_result(const struct message *m, const struct rcpt *r, const char *verb,
    const char *text)
{
	char id[MSG_ID_TEXT], account[24] = "";
	const char *to = rcpt_address(m, r), *orig = rcpt_orig(m, r);

	message_id(m, id);
	if (r->type == ROUTE_LOCAL)
		snprintf(account, sizeof(account), " account=%u", r->account);
	log_info("%s %s id=%s%s attempts=%u age=%llu to=<%s>%s%s%s "
	    "status=\"%s\"", message_sid(m), verb, id, account, r->attempts,
	    (unsigned long long)(clock_now() - m->received),
	    log_text(to, strlen(to)), to == orig ? "" : " orig=<",
	    to == orig ? "" : log_text(orig, strlen(orig)),
	    to == orig ? "" : ">", text);
}
