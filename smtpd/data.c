/*
 * DATA: the message as it comes, block by block.  Only CRLF . CRLF ends it;
 * whatever looks like another end makes the message refused, whole, when
 * the true end has come, so that one message can never be read as two.
 * What was refused is still read to its end, within bounds.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/data.h"
#include "parse/header.h"
#include "parse/mime.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define SMTP_FIRST	256	/* octets of a first line that must tell */
#define REFUSED_MAX	(16 * 1024 * 1024)	/* read on for so long */

static void	 data_begin(struct session *);
static void	 data_take(struct session *, struct slice);
static void	 data_header(struct session *, struct mail *, bool);
static void	 data_body(struct mail *, const char *, size_t);
static void	 data_flush(struct session *, struct mail *);
static int	 file_ask(struct session *);
static void	 on_file(struct session *, struct msg *, struct rcpt_slot *);
static void	 data_end(struct session *);

void
data_command(struct session *s, struct slice arg)
{
	struct mail *m = s->mail;

	if (s->state != SMTP_DATA) {
		reply_error(s, REPLY_NO_RCPT);
		return;
	}
	if ((m->mime == NULL && (m->mime = mime_new()) == NULL) ||
	    (s->proto != PROTO_SMTP && m->body == NULL &&
	    (m->body = dkim_body_new(DKIM_RELAXED, UINT64_MAX)) == NULL)) {
		told_refused(s, REPLY_NO_MEMORY, NULL);
		reply(s, REPLY_NO_MEMORY);
		return;
	}
	if (m->judge == NULL && judge_start(s) == -1) {
		told_refused(s, REPLY_JUDGES, NULL);
		reply(s, REPLY_JUDGES);
		return;
	}
	m->hashing = s->proto != PROTO_SMTP;
	if (m->hashing)
		dkim_body_reset(m->body);
	if (!store_wants_file(m, m->declared))
		data_begin(s);
	else if (file_ask(s) == -1) {
		told_refused(s, REPLY_LATER, NULL);
		reply(s, REPLY_LATER);
	}
}

static void
data_begin(struct session *s)
{
	s->mail->began = now_ms_coarse();
	session_state(s, SMTP_MESSAGE);
	reply(s, REPLY_GO_ON);
}

/*
 * Each block has its time (RFC 5321 4.5.3.2.5), and all of them so much as
 * they would need at the least rate: a slow line is no attack, a client that
 * sends an octet now and then is one.
 */
unsigned int
data_wait(const struct session *s)
{
	const struct conf *conf = proc_conf();
	const struct mail *m = s->mail;
	uint64_t now = now_ms_coarse(), block, until;

	block = (uint64_t)conf->smtp.data_timeout * 1000;
	until = m->began + block + m->wire * 1000 / conf->smtp.data_rate;
	if (m->held != 0 || until > now + block)
		return (unsigned int)block;
	return until > now ? (unsigned int)(until - now) : 1;
}

/* From now on the message waits for us. */
static void
data_hold(struct mail *m)
{
	if (m->held == 0)
		m->held = now_ms_coarse();
}

/* What it waited so does not count against the client. */
static bool
data_resume(struct mail *m)
{
	if (m->held == 0)
		return false;
	m->began += now_ms_coarse() - m->held;
	m->held = 0;
	return true;
}

bool
data_waited(struct session *s)
{
	if (!smtpd()->hold)
		return data_resume(s->mail);
	data_hold(s->mail);
	return true;
}

static void
refuse(struct mail *m, enum reply why)
{
	if (m->refusal == REPLY_NONE)
		m->refusal = why;
	m->n = 0;
}

bool
data_input(struct session *s)
{
	struct mail *m = s->mail;
	struct slice in = io_peek(s->io), run;
	size_t off = 0;

	if (smtpd()->hold) {
		data_hold(m);
		return false;
	}
	data_resume(m);
	s->fresh = s->fresh || in.n > 0;
	while (off < in.n && !m->scan.done && s->state == SMTP_MESSAGE) {
		off += data_scan(&m->scan, in.p + off, in.n - off, &run);
		if (run.n > 0)
			data_take(s, run);
	}
	io_drain(s->io, off);
	if (s->state != SMTP_MESSAGE)
		return false;
	if (m->scan.done) {
		data_end(s);
		return true;
	}
	if (m->wire > proc_conf()->smtp.max_size + REFUSED_MAX)
		session_end(s, REPLY_SIZE);
	return false;
}

static void
data_take(struct session *s, struct slice run)
{
	struct mail *m = s->mail;

	m->wire += run.n;
	if (m->refusal != REPLY_NONE)
		return;
	if (m->wire > proc_conf()->smtp.max_size) {
		refuse(m, REPLY_SIZE);
		return;
	}
	if (store_room(m, run.n) == -1) {
		refuse(m, REPLY_NO_MEMORY);
		return;
	}
	memcpy(m->buf + m->n, run.p, run.n);
	m->n += run.n;
	m->size += run.n;
	if (m->in_header)
		data_header(s, m, false);
	else
		data_body(m, run.p, run.n);
	if (m->refusal == REPLY_NONE && m->n >= SMTP_BUFFER && !m->in_header)
		data_flush(s, m);
}

/* Octets of the header with its empty line, 0 if it is not all here. */
static size_t
header_search(struct mail *m)
{
	const char *p;

	if (m->n >= 2 && memcmp(m->buf, "\r\n", 2) == 0)
		return 2;
	if (m->n < 4)
		return 0;
	p = memmem(m->buf + m->scanned, m->n - m->scanned, "\r\n\r\n", 4);
	if (p != NULL)
		return (size_t)(p + 4 - m->buf);
	m->scanned = m->n - 3;
	return 0;
}

/* Look for the end of the header; at the end of the message all of it is. */
static void
data_header(struct session *s, struct mail *m, bool last)
{
	size_t n = header_search(m), kept;

	if (n == 0 && !last) {
		if (m->n > SMTP_HEADER)
			refuse(m, REPLY_HEADER);
		return;
	}
	if (n == 0)
		n = m->n;
	m->in_header = false;
	if (judge_header(m, slice_of(m->buf, n)) == -1)
		m->refusal = REPLY_NO_MEMORY;
	kept = header_take(s, m, n);
	if (m->refusal != REPLY_NONE) {
		refuse(m, m->refusal);
		return;
	}
	m->headless = !header_first(m->buf, m->n < SMTP_FIRST ? m->n :
	    SMTP_FIRST);
	if (mime_feed(m->mime, m->buf, kept) == -1)
		refuse(m, REPLY_NO_MEMORY);
	else if (m->n > kept)
		data_body(m, m->buf + kept, m->n - kept);
}

static void
data_body(struct mail *m, const char *p, size_t n)
{
	if (mime_feed(m->mime, p, n) == -1) {
		refuse(m, REPLY_NO_MEMORY);
		return;
	}
	if (m->hashing)
		dkim_body_feed(m->body, p, n);
	judge_body(m, p, n);
}

static void
data_flush(struct session *s, struct mail *m)
{
	if (!store_wants_file(m, m->stored + m->n))
		store_flush(m);
	else if (file_ask(s) == -1)
		refuse(m, REPLY_LATER);
}

/* ---- a spool file for a large message ------------------------------------ */

static int
file_ask(struct session *s)
{
	struct queue_file ask = { s->id };

	if (s->state == SMTP_MESSAGE)
		data_hold(s->mail);
	return session_ask(s, smtpd()->queue, QUEUE_FILE, &ask, NULL,
	    SMTP_ASK_MS, on_file);
}

static void
on_file(struct session *s, struct msg *msg, struct rcpt_slot *slot)
{
	const struct queue_file_r *r;
	struct mail *m = s->mail;
	int fd = -1;

	if (msg != NULL && msg->body->queue_file_r.result == QUEUE_OK) {
		fd = msg->fd[0];
		msg->fd[0] = -1;
	}
	r = msg != NULL ? &msg->body->queue_file_r : NULL;
	if (fd == -1)
		refuse(m, r != NULL && r->result == QUEUE_FULL ?
		    REPLY_NO_SPACE : REPLY_LATER);
	else if (store_file(m, fd, r->file) == 0)
		store_flush(m);
	if (m->wire > 0 || m->scan.done)
		session_state(s, SMTP_MESSAGE);
	else if (m->refusal == REPLY_NONE)
		data_begin(s);
	else {
		told_refused(s, m->refusal, NULL);
		reply(s, m->refusal);
		session_reset(s);
		session_state(s, SMTP_MAIL);
	}
}

/* ---- the end ------------------------------------------------------------- */

/* CRLF . CRLF was there. */
static void
data_end(struct session *s)
{
	struct mail *m = s->mail;

	if (m->scan.seen & DATA_BARE)
		m->refusal = REPLY_BARE;
	else if (m->scan.seen & DATA_NUL)
		m->refusal = REPLY_NUL;
	if (m->refusal == REPLY_NONE && m->in_header)
		data_header(s, m, true);
	s->idle = 0;
	s->since = now_sec_coarse();
	if (m->refusal == REPLY_NONE && m->hashing &&
	    dkim_body_end(m->body, m->bodyhash.b, NULL) == -1)
		m->refusal = REPLY_LATER;
	if (m->refusal == REPLY_NONE && store_seal(m) == 0)
		judge_end(s, policy_apply);
	else
		mail_refused(s);
}
