/*
 * AUTH PLAIN and LOGIN (RFC 4954, 4616): only for submission, only under TLS
 * unless the listener says otherwise.  The password goes to authd and is
 * wiped here; an answer to a failed login comes when authd says it may.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define PENALTY_LOGIN	10

static void	 auth_plain(struct session *, struct slice);
static void	 auth_login_user(struct session *, struct slice);
static void	 auth_send(struct session *);
static void	 on_login(struct session *, struct msg *, struct rcpt_slot *);

/* What is said when the client sends no response at once, and what takes it. */
static const struct mechanism {
	const char	*name;
	enum reply	 challenge;
	void		(*initial)(struct session *, struct slice b64);
} mechanisms[] = {
	{ "PLAIN",	REPLY_SASL,		auth_plain },
	{ "LOGIN",	REPLY_SASL_USER,	auth_login_user },
};

bool
auth_offered(const struct session *s)
{
	return s->proto != PROTO_SMTP && (s->tls || s->plaintext_auth) &&
	    !s->authed;
}

int
auth_print(char *p, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < NITEMS(mechanisms) && n < size; i++)
		n += (size_t)snprintf(p + n, size - n, " %s",
		    mechanisms[i].name);
	return (int)n;
}

static const struct mechanism *
mechanism_find(struct slice name)
{
	size_t i;

	for (i = 0; i < NITEMS(mechanisms); i++)
		if (slice_caseis(name, mechanisms[i].name))
			return &mechanisms[i];
	return NULL;
}

void
auth_forget(struct session *s)
{
	freezero(s->cred, s->cred != NULL ? sizeof(*s->cred) : 0);
	s->cred = NULL;
	s->delayed = REPLY_NONE;
}

/* The exchange ends without a login. */
static void
auth_fail(struct session *s, enum reply why)
{
	auth_forget(s);
	session_state(s, SMTP_MAIL);
	reply_error(s, why);
}

static void
auth_plain(struct session *s, struct slice b64)
{
	if (sasl_plain(b64, s->cred, NULL) == -1)
		auth_fail(s, REPLY_SASL_BAD);
	else if (s->cred->authzid[0] != '\0' &&
	    strcmp(s->cred->authzid, s->cred->authcid) != 0)
		auth_fail(s, REPLY_LOGIN_OTHER);
	else
		auth_send(s);
}

static void
auth_login_user(struct session *s, struct slice b64)
{
	if (sasl_login_user(b64, s->cred, NULL) == -1) {
		auth_fail(s, REPLY_SASL_BAD);
		return;
	}
	session_state(s, SMTP_RESPONSE);
	reply(s, REPLY_SASL_PASSWORD);
}

void
auth_command(struct session *s, struct slice arg)
{
	const struct mechanism *mech;
	struct slice name, initial;

	if (s->proto == PROTO_SMTP) {
		reply_error(s, REPLY_NO_LOGINS);
		return;
	}
	if (s->authed) {
		reply_error(s, REPLY_LOGGED_IN);
		return;
	}
	if (!auth_offered(s)) {
		reply_error(s, REPLY_LOGIN_TLS);
		return;
	}
	name = slice_of(arg.p, slice_find(arg, ' '));
	initial = slice_trim(slice_of(arg.p + name.n, arg.n - name.n));
	if ((mech = mechanism_find(name)) == NULL) {
		reply_error(s, REPLY_MECHANISM);
		return;
	}
	if ((s->cred = calloc(1, sizeof(*s->cred))) == NULL) {
		reply(s, REPLY_LOGIN_LATER);
		return;
	}
	s->login = mech->initial == auth_login_user;
	if (initial.n > 0)
		mech->initial(s, initial);
	else {
		session_state(s, SMTP_RESPONSE);
		reply(s, mech->challenge);
	}
}

void
auth_line(struct session *s, struct slice line)
{
	if (slice_is(line, "*"))
		auth_fail(s, REPLY_SASL_STOP);
	else if (!s->login)
		auth_plain(s, line);
	else if (s->cred->authcid[0] == '\0')
		auth_login_user(s, line);
	else if (sasl_login_pass(line, s->cred, NULL) == -1)
		auth_fail(s, REPLY_SASL_BAD);
	else
		auth_send(s);
}

void
auth_line_refused(struct session *s)
{
	auth_fail(s, REPLY_SASL_LINE);
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
	    SMTP_ASK_MS, on_login) == -1) {
		told_login(s, NULL);
		auth_fail(s, REPLY_LOGIN_LATER);
	} else
		auth_forget(s);
}

static void
on_login(struct session *s, struct msg *m, struct rcpt_slot *slot)
{
	const struct auth_login_r *r;

	told_login(s, m != NULL ? &m->body->auth_login_r : NULL);
	if (m == NULL || m->body->auth_login_r.result == AUTH_TEMP) {
		s->delayed = REPLY_LOGIN_LATER;
		auth_delayed(s);
		return;
	}
	r = &m->body->auth_login_r;
	if (r->result == AUTH_OK) {
		s->authed = true;
		s->account = r->account;
		slice_cpy(r->user, s->user, sizeof(s->user));
		s->delayed = REPLY_WELCOME;
	} else {
		s->loginsent = false;
		s->delayed = REPLY_LOGIN_BAD;
	}
	if (r->wait_ms > 0)
		io_deadline(s->io, r->wait_ms);
	else
		auth_delayed(s);
}

void
auth_delayed(struct session *s)
{
	enum reply r = s->delayed;

	s->delayed = REPLY_NONE;
	session_state(s, SMTP_MAIL);
	if (r == REPLY_WELCOME) {
		reply(s, r);
		return;
	}
	if (r == REPLY_LOGIN_BAD)
		conn_penalty(&s->conn, PENALTY_LOGIN);
	reply_error(s, r);
}
