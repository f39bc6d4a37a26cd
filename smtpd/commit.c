/*
 * The end of a transaction: the authors and the ticket for the signature of
 * submitted mail, then queue's commit, then 250.  A queue that dies meanwhile
 * is asked in its next life whether it has the message; only when it does not
 * is the commit sent again (it is idempotent by its id), and only when no new
 * queue comes in time does the client hear 451.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "parse/data.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define RCPTS_EV	14336		/* of QUEUE_RCPT_EV */
#define RCPTS_COMMIT	8192		/* of QUEUE_COMMIT */

static void	 authors_ask(struct session *);
static void	 on_author(struct session *, struct msg *, struct rcpt_slot *);
static void	 commit_ticket(struct session *);
static void	 ticket_ask(struct session *);
static void	 commit_send(struct session *);
static void	 on_ticket(struct session *, struct msg *, struct rcpt_slot *);
static void	 on_commit(struct session *, struct msg *, struct rcpt_slot *);
static void	 on_known(struct session *, struct msg *, struct rcpt_slot *);
static void	 commit_lost(struct session *);
static void	 commit_ok(struct session *, struct slice id);
static void	 commit_failed(struct session *, enum reply);

/* Unlike every other of this house: random per process, then counted. */
static struct msg_id
commit_id(void)
{
	static uint64_t prefix, counter;
	struct msg_id id;

	if (prefix == 0)
		random_bytes(&prefix, sizeof(prefix));
	counter++;
	memcpy(id.b, &prefix, 8);
	memcpy(id.b + 8, &counter, 8);
	return id;
}

void
commit_start(struct session *s)
{
	struct mail *m = s->mail;

	m->commit = commit_id();
	header_trace(s, m);
	if (s->proto == PROTO_SMTP)
		commit_send(s);
	else
		authors_ask(s);
}

/* authd is asked about the authors, one by one; then comes the ticket. */
static void
authors_ask(struct session *s)
{
	char address[ADDR_TEXT_MAX];
	struct dir_sender ask = { .conn = s->id };

	switch (author_next(s->mail, address, sizeof(address))) {
	case 0:
		commit_ticket(s);
		return;
	case -1:
		s->mail->refusal = REPLY_FROM_OTHER;
		mail_refused(s);
		return;
	}
	ask.address = slice_str(address);
	if (session_ask(s, smtpd()->authd, DIR_SENDER, &ask, NULL,
	    SMTP_ASK_MS, on_author) == -1) {
		s->mail->refusal = REPLY_LATER;
		mail_refused(s);
	}
}

/* Theirs: the signature is for its domain, which all of them have. */
static void
on_author(struct session *s, struct msg *msg, struct rcpt_slot *slot)
{
	const struct dir_sender_r *r;
	struct mail *m = s->mail;

	r = msg != NULL ? &msg->body->dir_sender_r : NULL;
	if (r != NULL && r->result == DIR_OK) {
		m->from = *r;
		slice_cpy(r->domain, m->domain, sizeof(m->domain));
		m->from.domain = slice_str(m->domain);
		authors_ask(s);
	} else {
		m->refusal = r == NULL || r->result == DIR_TEMP ?
		    REPLY_LATER : REPLY_FROM_OTHER;
		mail_refused(s);
	}
}

static void
commit_ticket(struct session *s)
{
	if (!s->mail->hasfrom)
		commit_send(s);
	else if (s->mail->scan.seen & DATA_8BIT)
		seven_start(s, ticket_ask);
	else
		ticket_ask(s);
}

static void
ticket_ask(struct session *s)
{
	struct mail *m = s->mail;
	struct sign_ticket ask = { .conn = s->id };

	ask.domain = slice_str(m->domain);
	ask.account = m->from.account;
	ask.expires = m->from.expires;
	ask.token = m->from.token;
	ask.bodyhash = m->bodyhash;
	ask.fromhash = m->fromhash;
	ask.has7 = m->has7;
	ask.bodyhash7 = m->bodyhash7;
	if (session_ask(s, smtpd()->signd, SIGN_TICKET, &ask, NULL,
	    SMTP_ASK_MS, on_ticket) == -1)
		commit_failed(s, REPLY_NO_SIGNER);
}

/* Without a key for the domain there is no ticket, and no signature. */
static void
on_ticket(struct session *s, struct msg *msg, struct rcpt_slot *slot)
{
	const struct sign_ticket_r *r;
	struct mail *m = s->mail;

	if (msg == NULL) {
		commit_failed(s, REPLY_NO_SIGNER);
		return;
	}
	r = &msg->body->sign_ticket_r;
	if (r->ticket.n <= sizeof(m->ticket)) {
		memcpy(m->ticket, r->ticket.p, r->ticket.n);
		m->ticketn = r->ticket.n;
	}
	commit_send(s);
}

/* What does not fit into the commit goes before it.  The rest. */
static struct slice
rcpts_send(struct mail *m)
{
	struct slice all = { (const char *)m->rcpts, m->rcptsn };
	struct queue_rcpt_ev ev = { .commit = m->commit };
	struct item_rcpt item;
	size_t from = 0, off = 0, last = 0;

	while (all.n - from > RCPTS_COMMIT) {
		while (off - from <= RCPTS_EV) {
			last = off;
			if (item_rcpt_get(all, &off, &item) != 1)
				break;
		}
		ev.rcpts = slice_of(all.p + from, last - from);
		chan_send(smtpd()->queue, QUEUE_RCPT_EV, &ev, NULL, 0);
		from = off = last;
	}
	return slice_of(all.p + from, all.n - from);
}

/* A small message goes before its commit.  When much waits for queue already
 * it goes as larger ones do: a channel that holds thousands would end.  0, or
 * -1 and m->refusal. */
static int
body_send(struct mail *m)
{
	struct queue_body_ev ev = { .commit = m->commit };

	if (!store_is_small(m))
		return 0;
	if (chan_full(smtpd()->queue))
		return store_spill(m);
	ev.body = slice_of(m->buf, m->n);
	chan_send(smtpd()->queue, QUEUE_BODY_EV, &ev, NULL, 0);
	return 0;
}

static void
commit_send(struct session *s)
{
	struct mail *m = s->mail;
	struct queue_commit ask = { .commit = m->commit, .conn = s->id };

	m->committing = true;
	m->lost = false;
	if (smtpd()->queue == NULL) {
		commit_lost(s);
		return;
	}
	ask.file = m->file;
	ask.sid = slice_str(m->mid);
	ask.sender = slice_str(m->sender);
	ask.flags = (m->scan.seen & DATA_8BIT ? QF_8BIT : 0) |
	    (s->proto != PROTO_SMTP ? QF_SUBMITTED : 0);
	ask.account = s->account;
	ask.size = m->size;
	ask.facts = (uint32_t)m->facts;
	ask.crc = m->crc;
	ask.sent = now_ms();
	ask.trace = slice_of(m->trace, m->tracen);
	ask.ticket = slice_of((const char *)m->ticket, m->ticketn);
	ask.folder = slice_str(m->folder != NULL ? m->folder : "");
	ask.rcpts = rcpts_send(m);
	if (body_send(m) == -1)
		commit_failed(s, m->refusal);
	else if (session_ask(s, smtpd()->queue, QUEUE_COMMIT, &ask,
	    m->file == 0 && m->fd != -1 ? &m->fd : NULL, SMTP_COMMIT_MS,
	    on_commit) == -1)
		commit_lost(s);
}

static void
on_commit(struct session *s, struct msg *msg, struct rcpt_slot *slot)
{
	const struct queue_commit_r *r;

	if (msg == NULL) {
		commit_lost(s);
		return;
	}
	r = &msg->body->queue_commit_r;
	switch ((enum queue_result)r->result) {
	case QUEUE_OK:
		commit_ok(s, r->id);
		break;
	case QUEUE_FULL:
		commit_failed(s, REPLY_NO_SPACE);
		break;
	case QUEUE_LIMIT:
		commit_failed(s, REPLY_WAITING_RCPTS);
		break;
	case QUEUE_IO:
	case QUEUE_REFUSED:
		log_warnx("%s not-queued result=%u why=%s", s->mail->mid,
		    r->result, log_quote(r->text.p, r->text.n));
		commit_failed(s, REPLY_LATER);
		break;
	}
}

static void
commit_done(struct session *s)
{
	session_reset(s);
	session_state(s, SMTP_MAIL);
}

static void
commit_ok(struct session *s, struct slice id)
{
	char text[SMTP_MID];

	if (slice_cpy(id, text, sizeof(text)) == -1)
		text[0] = '\0';
	told_message(s, text);
	report_mail(s);
	replyf(s, REPLY_QUEUED, "%s", s->mail->mid);
	commit_done(s);
}

static void
commit_failed(struct session *s, enum reply why)
{
	told_refused(s, why, NULL);
	reply(s, why);
	commit_done(s);
}

/* ---- when queue went away ------------------------------------------------ */

static void
commit_lost(struct session *s)
{
	s->mail->lost = true;
	session_state(s, SMTP_ANSWER);
	io_deadline(s->io, SMTP_LOST_MS);
}

void
commit_again(struct session *s)
{
	struct queue_known ask = { s->mail->commit };

	session_ask(s, smtpd()->queue, QUEUE_KNOWN, &ask, NULL, SMTP_LOST_MS,
	    on_known);
}

static void
on_known(struct session *s, struct msg *msg, struct rcpt_slot *slot)
{
	const struct queue_known_r *r;

	if (msg == NULL)
		return;			/* still lost; the deadline goes on */
	r = &msg->body->queue_known_r;
	if (r->known)
		commit_ok(s, r->id);
	else
		commit_send(s);
}

void
commit_give_up(struct session *s)
{
	log_warnx("%s not-queued why=\"queue is gone\"", s->mail->mid);
	question_forget(&s->ask);
	commit_failed(s, REPLY_LATER);
}
