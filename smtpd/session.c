/*
 * One SMTP session: its life, and the input it goes through step by step.
 * While RCPTs wait for authd, only more RCPTs are read.  A session asks one
 * thing at a time besides (ask.c).
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tls.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/connid.h"
#include "net/io.h"
#include "net/serve.h"
#include "smtpd/smtpd.h"

#define SPARE_MAX	64		/* structs kept for the next */

static struct session *session_new(void);
static void	 session_free(struct session *);
static bool	 session_line(struct session *);
static void	 line_refused(struct session *, enum reply, bool);
static void	 session_await(struct session *);
static void	 session_io(struct io *, enum io_event, void *);
static void	 tls_failed(struct session *, const char *);

static struct {
	LIST_HEAD(, session) head;
	unsigned int	 n;
} spare;

/* ---- life ---------------------------------------------------------------- */

static struct session *
session_new(void)
{
	struct session *s;

	if ((s = LIST_FIRST(&spare.head)) != NULL) {
		LIST_REMOVE(s, entry);
		spare.n--;
		*s = (struct session){ 0 };
	} else if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->id = connid_next(ROLE_SMTPD);
	strlcpy(s->sid, connid_text(s->id), sizeof(s->sid));
	s->since = s->began = now_sec_coarse();
	return s;
}

void
session_start(int fd, struct conn *conn, enum conf_protocol proto,
    bool plaintext_auth)
{
	struct session *s;

	if ((s = session_new()) == NULL || (s->io = io_new(smtpd()->base, fd,
	    session_io, s)) == NULL) {
		log_warnx("session not started, out of memory");
		free(s);
		serve_close(conn);
		close(fd);
		return;
	}
	s->run = session_run;
	s->conn = *conn;
	s->proto = proto;
	s->plaintext_auth = plaintext_auth;
	smtpd_session(s, true);
	if (proto != PROTO_SMTPS) {
		replyf(s, REPLY_GREETING, "%s ESMTP",
		    proc_conf()->hostname);
		session_state(s, SMTP_HELLO);
		session_await(s);
	} else if (serve_accept_login(s->io) == 0) {
		session_state(s, SMTP_TLS);
		session_await(s);
	} else {
		log_warnx("%s tls error=\"no certificate\"", s->sid);
		session_end(s, REPLY_NONE);
		session_run(s);
	}
}

static void
session_free(struct session *s)
{
	struct auth_close_ev ev = { s->id };

	told_connect(s);
	told_left(s);
	told_logout(s);
	session_reset(s);
	auth_forget(s);
	question_forget(&s->ask);
	if (s->loginsent && smtpd()->authd != NULL)
		chan_send(smtpd()->authd, AUTH_CLOSE_EV, &ev, NULL, 0);
	io_free(s->io);		/* NULL after session_end */
	smtpd_session(s, false);
	serve_close(&s->conn);
	if (spare.n == SPARE_MAX) {
		free(s);
		return;
	}
	LIST_INSERT_HEAD(&spare.head, s, entry);
	spare.n++;
}

static void
session_over_now(struct session *s)
{
	session_end(s, s->over);
}

void
session_over(struct session *s, enum reply last)
{
	s->over = last;
	if (s->mail != NULL && s->mail->committing)
		return;
	session_over_now(s);
	session_run(s);
}

/*
 * Deadlines are for the whole of what is awaited, not for each octet, but of
 * a message block by block; and no session lives for ever between two mails.
 */
static void
session_await(struct session *s)
{
	const struct conf *conf = proc_conf();
	uint64_t left, now = now_sec_coarse();
	unsigned int sec = conf->smtp.timeout;

	s->fresh = false;
	if (s->state == SMTP_ANSWER)
		return;
	if (s->state == SMTP_MESSAGE) {
		io_deadline(s->io, data_wait(s));
		return;
	}
	/* nearly all places taken: nobody may sit for long */
	if (conn_count() > conf->smtp.max_connections / 16 * 15 &&
	    sec > SMTP_STRESS_S)
		sec = SMTP_STRESS_S;
	left = now - s->since < SMTP_SESSION_S ?
	    SMTP_SESSION_S - (now - s->since) : 1;
	if (left < sec)
		sec = (unsigned int)left;
	io_deadline(s->io, sec * 1000);
}

/* ---- events -------------------------------------------------------------- */

static void
session_secured(struct session *s)
{
	s->tls = true;
	io_tls_text(s->io, s->cipher);
	session_state(s, SMTP_HELLO);
	if (s->proto == PROTO_SMTPS)
		replyf(s, REPLY_GREETING, "%s ESMTP",
		    proc_conf()->hostname);
}

static void
session_deadline(struct session *s)
{
	if (s->delayed != REPLY_NONE)
		auth_delayed(s);
	else if (s->state == SMTP_MESSAGE && data_waited(s))
		s->fresh = true;
	else if (s->state != SMTP_ANSWER)
		session_end(s, REPLY_TIMEOUT);
	else if (s->mail != NULL && s->mail->lost)
		commit_give_up(s);
	else
		judge_late(s);
}

static void
session_io(struct io *io, enum io_event ev, void *arg)
{
	struct session *s = arg;

	switch (ev) {
	case IO_READ:
		break;
	case IO_SECURED:
		session_secured(s);
		break;
	case IO_EOF:
		s->eof = true;
		break;
	case IO_DEADLINE:
		session_deadline(s);
		break;
	case IO_ERROR:
		if (s->state == SMTP_TLS)
			tls_failed(s, io_error(io));
		io_free(s->io);
		s->io = NULL;
		session_state(s, SMTP_END);
		break;
	case IO_DRAINED:
		if (!s->eof)
			return;
		break;
	case IO_CONNECTED:
		return;
	}
	session_run(s);
}

static void
tls_failed(struct session *s, const char *error)
{
	char peer[46];

	told_connect(s);
	log_info("%s tls peer=%s error=%s", s->sid,
	    conn_text(&s->conn.peer, peer), log_quote(error, strlen(error)));
	conn_penalty(&s->conn, 1);
}

void
session_run(struct session *s)
{
	unsigned int n;
	bool going = true, full = false;

	for (n = 0; going && n < SMTP_TURN; n++) {
		/* it reads first what it was told */
		if (s->state != SMTP_END && (full = io_full(s->io)))
			break;
		switch (s->state) {
		case SMTP_MESSAGE:
			going = data_input(s);
			break;
		case SMTP_HELLO:
		case SMTP_MAIL:
		case SMTP_RCPT:
		case SMTP_DATA:
		case SMTP_RESPONSE:
			going = session_line(s);
			break;
		case SMTP_ANSWER:
		case SMTP_TLS:
		case SMTP_END:
			going = false;
			break;
		}
	}
	if (going && !full && s->state != SMTP_END)
		io_again(s->io);
	else if (s->eof && !full && s->state != SMTP_ANSWER &&
	    s->state != SMTP_END && s->nslots == 0 && !smtpd()->hold)
		session_end(s, REPLY_NONE);
	if (s->state == SMTP_END)
		session_free(s);
	else if (s->fresh)
		session_await(s);
}

/* The next command or response.  False: not now. */
static bool
session_line(struct session *s)
{
	struct slice line;
	bool is_auth;

	if (s->nslots > 0 && (s->nslots == SMTP_PENDING ||
	    !command_is_rcpt(io_peek(s->io))))
		return false;
	if (s->over != REPLY_NONE) {
		session_over_now(s);
		return false;
	}
	if (smtpd()->hold)
		return false;
	if (serve_stopping()) {
		session_end(s, REPLY_STOPPING);
		return false;
	}
	is_auth = command_is_auth(s);
	switch (io_line(s->io, command_max(s), &line)) {
	case IO_MORE:
		return false;
	case IO_LINE:
		s->fresh = true;
		if (s->state == SMTP_RESPONSE)
			auth_line(s, line);
		else
			command_line(s, line);
		return true;
	case IO_BARE:
		s->fresh = true;
		line_refused(s, REPLY_LINE_END, is_auth);
		return true;
	case IO_TOOLONG:
		line_refused(s, REPLY_LINE_LONG, is_auth);
		return true;
	case IO_LONGER:
		error_count(s);
		return true;
	}
	return false;
}

/* A login ends with its line, so that none behind it is taken for a response
 * (RFC 4954 4). */
static void
line_refused(struct session *s, enum reply why, bool is_auth)
{
	if (s->state == SMTP_RESPONSE)
		auth_line_refused(s);
	else
		reply_error(s, is_auth ? REPLY_SASL_LINE : why);
}
