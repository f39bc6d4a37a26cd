/*
 * MAIL and RCPT: the envelope of a transaction.  Whether a sender is the
 * client's own and where a recipient's mail goes, authd says; its answer to
 * a RCPT carries the capability without which queue takes nothing.  RCPTs
 * of one batch are asked all at once and answered in order.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/smtp.h"
#include "msg/addr.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define RCPTS_MAX	(8U * 1024 * 1024)	/* octets of the list */

static enum reply mail_refusal(const struct session *,
	    const struct smtp_path *);
static int	 mail_accept(struct session *, const struct smtp_path *);
static void	 on_sender(struct session *, struct msg *, struct rcpt_slot *);
static void	 sender_refused(struct session *, enum reply);
static void	 on_rcpt(struct session *, struct msg *, struct rcpt_slot *);
static enum reply rcpt_take(struct session *, const struct dir_rcpt_r *);

/* ---- MAIL ---------------------------------------------------------------- */

static bool
is_submission(const struct session *s)
{
	return s->proto != PROTO_SMTP;
}

/* Who submits says first who it is. */
static enum reply
login_refusal(const struct session *s)
{
	if (!is_submission(s) || s->authed)
		return REPLY_NONE;
	return s->tls || s->plaintext_auth ? REPLY_LOGIN_FIRST :
	    REPLY_TLS_FIRST;
}

static enum reply
path_refusal(enum smtp_path_result r, bool mail)
{
	switch (r) {
	case SMTP_PATH_OK:
		break;
	case SMTP_PATH_SYNTAX:
		return mail ? REPLY_MAIL_SYNTAX : REPLY_RCPT_SYNTAX;
	case SMTP_PATH_ADDRESS:
		return mail ? REPLY_NO_ADDRESS : REPLY_NO_RCPT_ADDRESS;
	case SMTP_PATH_PARAM:
		return REPLY_PARAM;
	case SMTP_PATH_UNKNOWN:
		return REPLY_PARAM_UNKNOWN;
	}
	return REPLY_NONE;
}

void
mail_command(struct session *s, struct slice arg)
{
	struct dir_sender ask = { .conn = s->id };
	enum smtp_path_result r;
	struct smtp_path path;
	enum reply why;

	r = smtp_mail_parse(arg, &path, NULL);
	if ((why = login_refusal(s)) != REPLY_NONE ||
	    (why = path_refusal(r, true)) != REPLY_NONE ||
	    (why = mail_refusal(s, &path)) != REPLY_NONE) {
		told_reject(s, why, slice_of("", 0), arg);
		reply_error(s, why);
		return;
	}
	if ((s->mail = mail_new(s)) == NULL) {
		told_reject(s, REPLY_NO_MEMORY, slice_of("", 0), arg);
		reply(s, REPLY_NO_MEMORY);
		return;
	}
	if (mail_accept(s, &path) == -1) {
		told_reject(s, REPLY_NO_ADDRESS, slice_of("", 0), arg);
		reply_error(s, REPLY_NO_ADDRESS);
		session_reset(s);
		return;
	}
	if (!is_submission(s)) {
		session_state(s, SMTP_RCPT);
		reply(s, REPLY_SENDER);
		return;
	}
	ask.address = slice_str(s->mail->sender);
	if (session_ask(s, smtpd()->authd, DIR_SENDER, &ask, NULL,
	    SMTP_ASK_MS, on_sender) == -1)
		sender_refused(s, REPLY_LATER);
}

/* REPLY_NONE: this mail may begin. */
static enum reply
mail_refusal(const struct session *s, const struct smtp_path *p)
{
	const struct smtpd *h = smtpd();

	if (p->utf8 || p->requiretls || p->ret != 0 || p->envid.p != NULL ||
	    (p->auth.p != NULL && !is_submission(s)))
		return REPLY_PARAM_ABSENT;
	if (p->body == SMTP_BODY_BINARYMIME)
		return REPLY_BINARYMIME;
	if (p->size > proc_conf()->smtp.max_size)
		return REPLY_SIZE;
	/* A queue that has just gone will be back before the data are here. */
	if (smtpd_without(CHAN_QUEUE))
		return REPLY_NO_QUEUE;
	if (!h->queue_accepting || p->size > h->queue_free)
		return REPLY_NO_SPACE;
	return REPLY_NONE;
}

/* A name without a domain is one of this host. */
static void
complete(struct address *a, const char *domain)
{
	if (!(a->flags & ADDR_NODOMAIN))
		return;
	a->flags &= ~ADDR_NODOMAIN;
	a->domainn = strlcpy(a->domain, domain, sizeof(a->domain));
}

/* 0, -1: with its domain the address is too long. */
static int
mail_accept(struct session *s, const struct smtp_path *p)
{
	struct address a = p->addr;

	complete(&a, proc_conf()->hostname);
	s->mail->declared = p->size;
	return address_print(&a, s->mail->sender, sizeof(s->mail->sender)) ==
	    -1 ? -1 : 0;
}

static void
on_sender(struct session *s, struct msg *msg, struct rcpt_slot *slot)
{
	const struct dir_sender_r *r;

	r = msg != NULL ? &msg->body->dir_sender_r : NULL;
	if (r != NULL && r->result == DIR_OK) {
		s->mail->from = *r;
		slice_cpy(r->domain, s->mail->domain, sizeof(s->mail->domain));
		s->mail->from.domain = slice_str(s->mail->domain);
		session_state(s, SMTP_RCPT);
		reply(s, REPLY_SENDER);
	} else
		sender_refused(s, r == NULL || r->result == DIR_TEMP ?
		    REPLY_LATER : REPLY_NOT_YOU);
}

static void
sender_refused(struct session *s, enum reply why)
{
	told_reject(s, why, slice_of("", 0), slice_of("", 0));
	session_state(s, SMTP_MAIL);
	if (why == REPLY_LATER)
		reply(s, why);
	else
		reply_error(s, why);
	session_reset(s);
}

/* ---- RCPT ---------------------------------------------------------------- */

/* May this client send to anywhere?  authd decides, when it is asked. */
static bool
sends_anywhere(const struct session *s)
{
	const struct conf *conf = proc_conf();

	return s->authed ||
	    addr_in(&s->conn.peer, conf->networks, conf->nnetworks);
}

/* Tricks of strangers are refused before authd hears of them. */
static enum reply
rcpt_refusal(const struct session *s, const struct smtp_path *p)
{
	if (p->notify != 0 || p->orcpt.p != NULL)
		return REPLY_PARAM_ABSENT;
	if (p->addr.flags & ADDR_NULLSENDER)
		return REPLY_NO_RCPT_ADDRESS;
	if ((address_is_routed(&p->addr) || (p->addr.flags & ADDR_LITERAL)) &&
	    !sends_anywhere(s))
		return REPLY_RELAYING;
	if (s->mail->nrcpt + s->nslots >= proc_conf()->smtp.max_recipients)
		return REPLY_RCPTS;
	return REPLY_NONE;
}

void
rcpt_command(struct session *s, struct slice arg)
{
	struct dir_rcpt ask = { .conn = s->id, .peer = s->conn.peer };
	char text[ADDR_TEXT_MAX];
	enum smtp_path_result r;
	struct smtp_path path;
	enum reply why;
	ssize_t n;

	r = smtp_rcpt_parse(arg, 0, &path, NULL);
	if ((why = path_refusal(r, false)) != REPLY_NONE ||
	    (why = rcpt_refusal(s, &path)) != REPLY_NONE) {
		told_reject(s, why, slice_of("", 0), arg);
		reply_error(s, why);
		return;
	}
	complete(&path.addr, proc_conf()->hostname);
	if ((n = address_print(&path.addr, text, sizeof(text))) == -1) {
		told_reject(s, REPLY_NO_RCPT_ADDRESS, slice_of("", 0), arg);
		reply_error(s, REPLY_NO_RCPT_ADDRESS);
		return;
	}
	ask.address = slice_of(text, (size_t)n);
	ask.size = s->mail->declared;
	if (slot_ask(s, &s->slot[(s->slot0 + s->nslots) % SMTP_PENDING],
	    smtpd()->authd, DIR_RCPT, &ask, SMTP_ASK_MS, on_rcpt) == -1) {
		told_reject(s, REPLY_LATER, ask.address, slice_of("", 0));
		reply(s, REPLY_LATER);
		return;
	}
	s->nslots++;
	io_cork(s->io, true);
}

static void
on_rcpt(struct session *s, struct msg *msg, struct rcpt_slot *slot)
{
	const struct dir_rcpt_r *r;

	r = msg != NULL ? &msg->body->dir_rcpt_r : NULL;
	slot->reply = r != NULL ? rcpt_take(s, r) : REPLY_LATER;
	if (slot->reply != REPLY_RCPT)
		told_reject(s, slot->reply, r != NULL ? r->address :
		    slice_of("", 0), slice_of("", 0));
	rcpt_flush(s);
}

static int
rcpts_add(struct mail *m, const struct item_rcpt *item)
{
	uint8_t *p;
	size_t cap;

	while (item_rcpt_put(m->rcpts, m->rcptscap, &m->rcptsn, item) == -1) {
		cap = m->rcptscap != 0 ? m->rcptscap * 2 : 1024;
		if (cap > RCPTS_MAX || item->routes.n > 8192 ||
		    (p = realloc(m->rcpts, cap)) == NULL)
			return -1;
		m->rcpts = p;
		m->rcptscap = cap;
	}
	return 0;
}

static void
rcpt_refused(struct session *s)
{
	s->errors++;
	conn_penalty(&s->conn, 1);
}

/* authd's answer becomes a recipient or a refusal. */
static enum reply
rcpt_take(struct session *s, const struct dir_rcpt_r *r)
{
	struct item_rcpt item = { r->address, r->routes, r->cap };
	struct mail *m = s->mail;

	switch ((enum dir_result)r->result) {
	case DIR_OK:
		break;
	case DIR_UNKNOWN:
		rcpt_refused(s);
		return REPLY_NO_USER;
	case DIR_DENIED:
		rcpt_refused(s);
		return REPLY_RELAYING;
	case DIR_FULL:
		return proc_conf()->quota_reply == LASTING_PERMANENT ?
		    REPLY_MAILBOX_FULL_ALWAYS : REPLY_MAILBOX_FULL;
	case DIR_SMALL:
		return REPLY_MAILBOX_SMALL;
	case DIR_LIMIT:
		return REPLY_ACCOUNT_RCPTS;
	case DIR_TEMP:
		return REPLY_LATER;
	}
	if (r->result != DIR_OK || rcpts_add(m, &item) == -1)
		return REPLY_LATER;
	if (m->nrcpt++ == 0)
		slice_cpy(r->address, m->rcpt, sizeof(m->rcpt));
	if (s->state == SMTP_RCPT)
		session_state(s, SMTP_DATA);
	return REPLY_RCPT;
}
