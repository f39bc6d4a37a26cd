/*
 * AUTH (RFC 4954): only for submission, only under TLS unless the listener
 * says otherwise.  What the client says goes through net/mech.c to authd and
 * is wiped here; an answer comes when authd says it may.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/mech.h"
#include "smtpd/smtpd.h"

#define PENALTY_LOGIN	10

static void	 auth_next(struct session *, enum sasl_next);
static void	 auth_challenge(struct session *);
static void	 auth_send(struct session *);
static void	 auth_refuse(struct session *);
static void	 on_login(struct session *, struct msg *, struct rcpt_slot *);

bool
auth_offered(const struct session *s)
{
	return s->proto != PROTO_SMTP && (s->tls || s->plaintext_auth) &&
	    !s->authed;
}

int
auth_print(const struct session *s, char *p, size_t size)
{
	char names[SASL_NAMES_MAX];

	return snprintf(p, size, " %s", sasl_names(s->io, " ", names));
}

void
auth_forget(struct session *s)
{
	sasl_free(s->sasl);
	s->sasl = NULL;
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

void
auth_command(struct session *s, struct slice arg)
{
	struct sasl_peer peer = { s->id, s->proto, s->conn.peer, s->io };
	const struct sasl_mech *mech;
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
	if ((mech = sasl_find(name, s->io)) == NULL) {
		reply_error(s, REPLY_MECHANISM);
		return;
	}
	if ((s->sasl = sasl_new(mech, &peer)) == NULL) {
		reply(s, REPLY_LOGIN_LATER);
		return;
	}
	auth_next(s, sasl_begin(s->sasl, initial));
}

void
auth_line(struct session *s, struct slice line)
{
	auth_next(s, sasl_line(s->sasl, line));
}

static void
auth_next(struct session *s, enum sasl_next next)
{
	switch (next) {
	case SASL_CHALLENGE:
		auth_challenge(s);
		return;
	case SASL_ASK:
		auth_send(s);
		return;
	case SASL_FAILED:
		auth_refuse(s);
		return;
	case SASL_STOPPED:
		auth_fail(s, REPLY_SASL_STOP);
		return;
	case SASL_BAD:
		auth_fail(s, REPLY_SASL_BAD);
		return;
	case SASL_OTHER:
		auth_fail(s, REPLY_LOGIN_OTHER);
		return;
	}
}

void
auth_line_refused(struct session *s)
{
	auth_fail(s, REPLY_SASL_LINE);
}

static void
auth_challenge(struct session *s)
{
	session_state(s, SMTP_RESPONSE);
	replyf(s, REPLY_SASL, "%s", s->sasl->challenge);
}

static void
auth_send(struct session *s)
{
	struct auth_step_r none;

	s->loginsent = true;
	if (session_ask(s, smtpd()->authd, s->sasl->ask.type,
	    &s->sasl->ask.body, NULL, SMTP_ASK_MS, on_login) == -1) {
		sasl_answer(NULL, &none);
		told_login(s, &none);
		auth_fail(s, REPLY_LOGIN_LATER);
	}
}

static void
on_login(struct session *s, struct msg *m, struct rcpt_slot *slot)
{
	struct auth_step_r r;

	sasl_answer(m, &r);
	if (r.result != AUTH_MORE)
		told_login(s, &r);
	switch ((enum auth_result)r.result) {
	case AUTH_OK:
		s->authed = true;
		s->account = r.account;
		slice_cpy(r.user, s->user, sizeof(s->user));
		s->delayed = REPLY_WELCOME;
		break;
	case AUTH_BAD:
		s->loginsent = false;
		s->delayed = sasl_fail(s->sasl) ? REPLY_SASL :
		    REPLY_LOGIN_BAD;
		break;
	case AUTH_TEMP:
		s->delayed = REPLY_LOGIN_LATER;
		break;
	case AUTH_MORE:
		sasl_more(s->sasl, &r);
		s->delayed = REPLY_SASL;
		break;
	}
	if (r.wait_ms > 0 && r.result != AUTH_TEMP)
		io_deadline(s->io, r.wait_ms);
	else
		auth_delayed(s);
}

void
auth_delayed(struct session *s)
{
	enum reply r = s->delayed;

	if (r == REPLY_SASL) {
		s->delayed = REPLY_NONE;
		auth_challenge(s);
		return;
	}
	auth_forget(s);
	session_state(s, SMTP_MAIL);
	if (r == REPLY_WELCOME) {
		reply(s, r);
		return;
	}
	if (r == REPLY_LOGIN_BAD)
		conn_penalty(&s->conn, PENALTY_LOGIN);
	reply_error(s, r);
}

static void
auth_refuse(struct session *s)
{
	s->delayed = REPLY_LOGIN_BAD;
	auth_delayed(s);
}
