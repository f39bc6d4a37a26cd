/*
 * AUTH PLAIN and LOGIN (RFC 4954, 4616): only for submission, only under TLS
 * unless the listener says otherwise.  The password goes to authd and is
 * wiped here; an answer to a failed login comes when authd says it may.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define PENALTY_LOGIN	10

static void	 auth_send(struct session *);
static void	 on_login(struct session *, struct msg *, struct rcpt_slot *);

bool
auth_offered(const struct session *s)
{
	return s->proto != PROTO_SMTP && (s->tls || s->plaintext_auth) &&
	    !s->authed;
}

void
auth_forget(struct session *s)
{
	freezero(s->cred, s->cred != NULL ? sizeof(*s->cred) : 0);
	s->cred = NULL;
	s->delayed = NULL;
}

/* The exchange ends without a login. */
static void
auth_fail(struct session *s, const char *text)
{
	auth_forget(s);
	session_state(s, SMTP_MAIL);
	reply_error(s, text);
}

static void
auth_plain(struct session *s, struct slice b64)
{
	if (sasl_plain(b64, s->cred, NULL) == -1)
		auth_fail(s, "501 5.5.2 bad response");
	else if (s->cred->authzid[0] != '\0' &&
	    strcmp(s->cred->authzid, s->cred->authcid) != 0)
		auth_fail(s, "535 5.7.8 you are yourself only");
	else
		auth_send(s);
}

static void
auth_login_user(struct session *s, struct slice b64)
{
	if (sasl_login_user(b64, s->cred, NULL) == -1) {
		auth_fail(s, "501 5.5.2 bad response");
		return;
	}
	session_state(s, SMTP_RESPONSE);
	reply(s, "334 UGFzc3dvcmQ6");	/* Password: */
}

void
auth_command(struct session *s, struct slice arg)
{
	struct slice mech, initial;
	bool login;

	if (s->proto == PROTO_SMTP) {
		reply_error(s, "503 5.5.1 no logins here");
		return;
	}
	if (s->authed) {
		reply_error(s, "503 5.5.1 you are logged in already");
		return;
	}
	if (!auth_offered(s)) {
		reply_error(s, "538 5.7.11 say STARTTLS first");
		return;
	}
	mech = slice_of(arg.p, slice_find(arg, ' '));
	initial = slice_trim(slice_of(arg.p + mech.n, arg.n - mech.n));
	login = slice_caseis(mech, "LOGIN");
	if (!login && !slice_caseis(mech, "PLAIN")) {
		reply_error(s, "504 5.5.4 mechanism not known");
		return;
	}
	if ((s->cred = calloc(1, sizeof(*s->cred))) == NULL) {
		reply(s, "454 4.7.0 try later");
		return;
	}
	s->login = login;
	if (initial.n > 0 && login)
		auth_login_user(s, initial);
	else if (initial.n > 0)
		auth_plain(s, initial);
	else {
		session_state(s, SMTP_RESPONSE);
		reply(s, login ? "334 VXNlcm5hbWU6" : "334 ");	/* Username: */
	}
}

void
auth_line(struct session *s, struct slice line)
{
	if (slice_is(line, "*"))
		auth_fail(s, "501 5.7.0 as you like");
	else if (!s->login)
		auth_plain(s, line);
	else if (s->cred->authcid[0] == '\0')
		auth_login_user(s, line);
	else if (sasl_login_pass(line, s->cred, NULL) == -1)
		auth_fail(s, "501 5.5.2 bad response");
	else
		auth_send(s);
}

static void
auth_send(struct session *s)
{
	struct auth_login ask = { 0 };

	ask.conn = s->id;
	ask.protocol = (uint8_t)s->proto;
	ask.peer = s->conn.peer;
	ask.user = slice_str(s->cred->authcid);
	ask.password = slice_str(s->cred->passwd);
	s->loginsent = true;
	if (session_ask(s, smtpd()->authd, AUTH_LOGIN, &ask, NULL,
	    SMTP_ASK_MS, on_login) == -1)
		auth_fail(s, "454 4.7.0 try later");
	else
		auth_forget(s);
}

static void
on_login(struct session *s, struct msg *m, struct rcpt_slot *slot)
{
	const struct auth_login_r *r;
	char peer[46];

	if (m == NULL || m->body->auth_login_r.result == AUTH_TEMP) {
		s->delayed = "454 4.7.0 try later";
		auth_delayed(s);
		return;
	}
	r = &m->body->auth_login_r;
	if (r->result == AUTH_OK) {
		s->authed = true;
		s->account = r->account;
		slice_cpy(r->user, s->user, sizeof(s->user));
		s->delayed = "235 2.7.0 welcome";
	} else {
		log_info("%s auth peer=%s user=%s failed", s->sid,
		    conn_text(&s->conn.peer, peer),
		    log_text(r->user.p, r->user.n));
		s->loginsent = false;
		s->delayed = "535 5.7.8 user or password is wrong";
	}
	if (r->wait_ms > 0)
		io_deadline(s->io, r->wait_ms);
	else
		auth_delayed(s);
}

void
auth_delayed(struct session *s)
{
	const char *text = s->delayed;

	s->delayed = NULL;
	session_state(s, SMTP_MAIL);
	if (text[0] == '2')
		reply(s, text);
	else {
		if (text[0] == '5')
			conn_penalty(&s->conn, PENALTY_LOGIN);
		reply_error(s, text);
	}
}
