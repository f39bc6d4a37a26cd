/*
 * Reports on their way: text made, then posted (post.c) with the null
 * sender.  Only when the report is on disk are the recipients it is about done.
 *
 * A report that cannot be queued now is tried again; one whose recipient
 * nobody knows is given up.  So many are under way at a time, each with its
 * text in memory; messages beyond that are in line.  No report is ever made
 * about a message with the null sender (RFC 5321 4.5.5), so reports cannot
 * breed.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/header.h"
#include "parse/mime.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/dsn.h"
#include "queue/queue.h"

#define AGAIN		30		/* s, at most, until another try */
#define UNDER_WAY	64		/* reports at a time; others in line */
#define TURN_REPORTS	8		/* made in one turn */

struct bounce {
	struct message	*m;		/* NULL: a delay warning */
	uint32_t	*idx;		/* recipients it is about */
	size_t		 nidx;
	char		*text;
	size_t		 textn;
	char		*facts;
	size_t		 factsn;
	char		 sender[331], sid[33];
	char		 domain[256];	/* of From */
	uint64_t	 until;		/* give up then */
	struct post	 post;
	struct event	*again;
};

struct in_line {			/* with recipients that FAILED */
	STAILQ_ENTRY(in_line) entry;
	struct message	*m;
};

static struct {
	struct event_base *base;
	uint8_t		*header;	/* scratch */
	unsigned int	 n;		/* under way */
	STAILQ_HEAD(, in_line) line;
	struct event	*next;
} bo = { .line = STAILQ_HEAD_INITIALIZER(bo.line) };

static void	 line_add(struct message *);
static struct bounce *bounce_new(struct message *, enum dsn_action);
static void	 bounce_free(struct bounce *);
static void	 bounce_report(struct bounce *, const char *);
static void	 bounce_end(struct bounce *, const char *);
static void	 bounce_send(struct bounce *);
static void	 bounce_later(struct bounce *, const char *);
static void	 on_end(void *, enum queue_result, const char *);
static void	 on_again(evutil_socket_t, short, void *);
static void	 on_next(evutil_socket_t, short, void *);
static void	 post_fill(struct bounce *, const char *from);
static struct slice header_read(struct message *);
static void	 describe(struct message *, const struct rcpt *,
		    struct dsn_rcpt *);

void
bounce_init(struct event_base *base)
{
	bo.base = base;
	bo.header = xcalloc(1, DSN_HEADER_MAX + 8192);
	if ((bo.next = event_new(base, -1, 0, on_next, NULL)) == NULL)
		fatalx("event_new");
}

void
bounce_message(struct message *m, enum dsn_action action)
{
	struct bounce *b;
	unsigned int i;

	if (*message_sender(m) == '\0' || (m->flags & QF_DSN)) {
		for (i = 0; i < m->nrcpt; i++)
			if (m->rcpt[i].state == RCPT_FAILED)
				result_done(m, i);
		return;
	}
	if (action == DSN_FAILED && bo.n >= UNDER_WAY)
		line_add(m);
	else if ((b = bounce_new(m, action)) != NULL)
		bounce_send(b);
}

bool
bounce_room(void)
{
	return bo.n < UNDER_WAY;
}

/* ---- the line ---------------------------------------------------------- */

/* A recipient that failed keeps its message where it is. */
static void
line_add(struct message *m)
{
	struct in_line *l;

	if (m->in_line)
		return;
	m->in_line = 1;
	l = xcalloc(1, sizeof(*l));
	l->m = m;
	STAILQ_INSERT_TAIL(&bo.line, l, entry);
}

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct in_line *l;
	struct message *m;
	unsigned int i;

	for (i = 0; i < TURN_REPORTS && bo.n < UNDER_WAY &&
	    (l = STAILQ_FIRST(&bo.line)) != NULL; i++) {
		STAILQ_REMOVE_HEAD(&bo.line, entry);
		m = l->m;
		free(l);
		m->in_line = 0;
		result_end(m);
	}
	if (i == TURN_REPORTS)
		event_active(bo.next, 0, 0);
}

/* ---- the report ------------------------------------------------------- */

static bool
concerns(const struct rcpt *r, enum dsn_action action)
{
	return action == DSN_FAILED ? r->state == RCPT_FAILED :
	    r->state == RCPT_WAIT && r->attempts > 0;
}

static struct bounce *
bounce_new(struct message *m, enum dsn_action action)
{
	struct bounce *b = xcalloc(1, sizeof(*b));
	struct dsn_rcpt *dr = xcalloc(m->nrcpt, sizeof(*dr));
	char id[MSG_ID_TEXT], from[300];
	struct dsn d = { .action = action, .now = now_sec(),
	    .arrival = clock_to_wall(m->received), .rcpt = dr };
	const struct conf *conf = proc_conf();
	unsigned int i;

	bo.n++;
	b->idx = xcalloc(m->nrcpt, sizeof(*b->idx));
	for (i = 0; i < m->nrcpt; i++) {
		if (!concerns(&m->rcpt[i], action))
			continue;
		describe(m, &m->rcpt[i], &dr[d.nrcpt++]);
		b->idx[b->nidx++] = i;
		if (action == DSN_FAILED)
			m->rcpt[i].state = RCPT_BOUNCING;
	}
	b->m = action == DSN_FAILED ? m : NULL;
	message_id(m, id);
	d.expires = d.arrival + conf->queue.expire;
	d.id = slice_str(id);
	d.hostname = slice_str(conf->hostname);
	strlcpy(b->domain, conf->ndomains > 0 ? conf->domains[0] :
	    conf->hostname, sizeof(b->domain));
	d.domain = slice_str(b->domain);
	d.sender = slice_str(message_sender(m));
	random_bytes(&d.unique, sizeof(d.unique));
	random_bytes(&b->post.commit, sizeof(b->post.commit));
	d.header = header_read(m);
	strlcpy(b->sender, message_sender(m), sizeof(b->sender));
	strlcpy(b->sid, message_sid(m), sizeof(b->sid));
	b->until = clock_now() + conf->queue.expire;
	b->text = dsn_text(&d, &b->textn);
	free(dr);
	if (b->text == NULL || dsn_from(&d, from, sizeof(from)) == -1 ||
	    (b->facts = mime_facts(b->text, b->textn, &b->factsn)) == NULL) {
		bounce_report(b, "it could not be made");
		bounce_free(b);
		return NULL;
	}
	post_fill(b, from);
	return b;
}

static void
bounce_free(struct bounce *b)
{
	if (b->again != NULL)
		event_free(b->again);
	if (bo.n-- == UNDER_WAY)
		event_active(bo.next, 0, 0);
	free(b->idx);
	free(b->text);
	free(b->facts);
	free(b);
}

/* The recipients it was about are done; why: no report went out. */
static void
bounce_report(struct bounce *b, const char *why)
{
	struct message *m = b->m;
	size_t i;

	if (why != NULL)
		log_warnx("%s report result=none to=<%s> why=%s", b->sid,
		    log_text(b->sender, strlen(b->sender)),
		    log_quote(why, strlen(why)));
	for (i = 0; m != NULL && i < b->nidx; i++)
		if (m->rcpt[b->idx[i]].state == RCPT_BOUNCING)
			result_done(m, b->idx[i]);
}

static void
bounce_end(struct bounce *b, const char *why)
{
	struct message *m = b->m;

	bounce_report(b, why);
	bounce_free(b);
	if (m != NULL)
		result_end(m);
}

/* Trace and header of the original, as far as they fit. */
static struct slice
header_read(struct message *m)
{
	struct envelope e;
	size_t n = 0, want = DSN_HEADER_MAX, h;
	int fd;

	if (message_envelope(m, &e) == -1)
		return slice_of("", 0);
	if (e.trace.n > 0)
		memcpy(bo.header, e.trace.p, e.trace.n);
	n = e.trace.n;
	if (want > m->hdr.size)
		want = (size_t)m->hdr.size;
	if ((fd = message_fd(m)) == -1 ||
	    pread_all(fd, bo.header + n, want, 0) == -1)
		want = 0;
	message_used(m);
	h = header_len((char *)bo.header + n, want);
	if (h >= 2 && h <= want)
		h -= 2;			/* the empty line */
	return slice_of((char *)bo.header, n + h);
}

/* "4.4.1 mta said: text", as result.c keeps it, in its parts. */
static void
describe(struct message *m, const struct rcpt *r, struct dsn_rcpt *d)
{
	const char *e = r->error == 0 ? "5.0.0 " : rcpt_error(r), *sp, *said;

	d->attempts = r->attempts;
	d->last = r->tried == 0 ? 0 : clock_to_wall(r->tried);
	d->address = slice_str(rcpt_address(m, r));
	d->orig = r->orig == r->address ? slice_of("", 0) :
	    slice_str(rcpt_orig(m, r));
	sp = strchr(e, ' ');
	d->status = sp == NULL ? SLICE_LIT("5.0.0") :
	    slice_of(e, (size_t)(sp - e));
	d->text = slice_str(sp == NULL ? e : sp + 1);
	d->mta = slice_of("", 0);
	said = strstr(d->text.p, " said: ");
	if (said != NULL && memchr(d->text.p, ' ', d->text.n) == said) {
		d->mta = slice_of(d->text.p, (size_t)(said - d->text.p));
		d->text = slice_str(said + 7);
	}
	if (d->text.n == 0)
		d->text = SLICE_LIT("no reason was given");
}

/* ---- on its way ------------------------------------------------------- */

static void
bounce_send(struct bounce *b)
{
	b->post.arg = b;
	b->post.end = on_end;
	post_start(&b->post);
}

static void
on_end(void *arg, enum queue_result r, const char *text)
{
	struct bounce *b = arg;

	switch (r) {
	case QUEUE_OK:
		bounce_end(b, NULL);
		break;
	case QUEUE_REFUSED:
		bounce_end(b, text);
		break;
	case QUEUE_IO:
	case QUEUE_FULL:
	case QUEUE_LIMIT:
		bounce_later(b, text);
		break;
	}
}

static void
bounce_later(struct bounce *b, const char *why)
{
	struct timeval tv = { AGAIN, 0 };

	if (clock_now() >= b->until) {
		bounce_end(b, why);
		return;
	}
	log_info("%s report result=later to=<%s> why=%s", b->sid,
	    log_text(b->sender, strlen(b->sender)),
	    log_quote(why, strlen(why)));
	if (proc_conf()->queue.retry_min < AGAIN)
		tv.tv_sec = proc_conf()->queue.retry_min;
	if (b->again == NULL)
		b->again = event_new(bo.base, -1, 0, on_again, b);
	if (b->again == NULL || event_add(b->again, &tv) == -1)
		fatalx("event_new");
}

static void
on_again(evutil_socket_t fd, short what, void *arg)
{
	bounce_send(arg);
}

/* SHA-256 of body and From, relaxed, for signd. */
static int
hashes(const struct bounce *b, const char *from, struct post *p)
{
	struct dkim_body *body = dkim_body_new(DKIM_RELAXED, UINT64_MAX);
	size_t headern = header_len(b->text, b->textn);
	char field[320], canon[324];
	int n = snprintf(field, sizeof(field), "From:%s\r\n", from), ret;
	ssize_t len = -1;

	if (body == NULL)
		return -1;
	dkim_body_feed(body, b->text + headern, b->textn - headern);
	ret = dkim_body_end(body, p->bodyhash.b, NULL);
	dkim_body_free(body);
	if (n > 0 && (size_t)n < sizeof(field))
		len = dkim_header_canon(slice_of(field, (size_t)n),
		    DKIM_RELAXED, canon, sizeof(canon));
	return ret == -1 || len == -1 ? -1 :
	    dkim_sha256(canon, (size_t)len, p->fromhash.b);
}

static void
post_fill(struct bounce *b, const char *from)
{
	struct post *p = &b->post;

	p->rcpt = b->sender;
	p->sender = "";
	p->of = b->sid;
	p->domain = b->domain;
	p->flags = QF_DSN;
	p->fd = -1;
	p->size = b->textn;
	p->facts = (uint32_t)b->factsn;
	p->body[0] = slice_of(b->text, b->textn);
	p->body[1] = slice_of(b->facts, b->factsn);
	p->unhashed = hashes(b, from, p) == -1;
}
