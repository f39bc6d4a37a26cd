/*
 * The commands of SMTP: one row each, its legal states and what argument it
 * takes checked once, here (RFC 5321 4.1.1, 3207, 4954).  The envelope
 * commands are in envelope.c, DATA in data.c, AUTH in auth.c.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include <tls.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/smtp.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/mech.h"
#include "net/serve.h"
#include "net/tlskey.h"
#include "smtpd/smtpd.h"

#define ARG		0x01	/* wants an argument */
#define NOARG		0x02	/* takes none */
#define MOVES		0x04	/* moves mail on: not counted as idle */
#define TOLD		0x08	/* HELP names it */

/* octets of AUTH, a mechanism and a response */
#define AUTH_COMMAND	(5 + SASL_NAME_MAX + 1 + SASL_LINE_MAX)

#define ANY	(IN(SMTP_HELLO) | IN(SMTP_MAIL) | IN(SMTP_RCPT) | IN(SMTP_DATA))
#define GREETED	(IN(SMTP_MAIL) | IN(SMTP_RCPT) | IN(SMTP_DATA))

struct command {
	const char	*verb;
	unsigned int	 states;
	unsigned int	 flags;
	void		(*fn)(struct session *, struct slice);
};

static void	 cmd_helo(struct session *, struct slice);
static void	 cmd_ehlo(struct session *, struct slice);
static void	 cmd_starttls(struct session *, struct slice);
static void	 cmd_rset(struct session *, struct slice);
static void	 cmd_noop(struct session *, struct slice);
static void	 cmd_vrfy(struct session *, struct slice);
static void	 cmd_help(struct session *, struct slice);
static void	 cmd_quit(struct session *, struct slice);
static void	 cmd_absent(struct session *, struct slice);
static void	 cmd_web(struct session *, struct slice);

/* As HELP names them. */
static const struct command commands[] = {
	{ "HELO",	ANY,		ARG | TOLD,	cmd_helo },
	{ "EHLO",	ANY,		ARG | TOLD,	cmd_ehlo },
	{ "MAIL",	IN(SMTP_MAIL),	ARG | MOVES | TOLD, mail_command },
	{ "RCPT",	IN(SMTP_RCPT) | IN(SMTP_DATA), ARG | MOVES | TOLD,
							rcpt_command },
	{ "DATA",	IN(SMTP_RCPT) | IN(SMTP_DATA), NOARG | MOVES | TOLD,
							data_command },
	{ "RSET",	ANY,		NOARG | TOLD,	cmd_rset },
	{ "NOOP",	ANY,		TOLD,		cmd_noop },
	{ "VRFY",	ANY,		ARG | TOLD,	cmd_vrfy },
	{ "STARTTLS",	IN(SMTP_HELLO) | IN(SMTP_MAIL), NOARG | TOLD,
							cmd_starttls },
	{ "AUTH",	IN(SMTP_MAIL),	ARG | TOLD,	auth_command },
	{ "QUIT",	ANY,		TOLD,		cmd_quit },
	{ "HELP",	ANY,		0,		cmd_help },
	{ "EXPN",	ANY,		0,		cmd_absent },
	{ "BDAT",	ANY,		0,		cmd_absent },
	{ "ETRN",	ANY,		0,		cmd_absent },
	{ "TURN",	ANY,		0,		cmd_absent },
	{ "SEND",	ANY,		0,		cmd_absent },
	{ "SOML",	ANY,		0,		cmd_absent },
	{ "SAML",	ANY,		0,		cmd_absent },
	/* A browser made to talk to us gets nowhere (cross-protocol). */
	{ "GET",	ANY,		0,		cmd_web },
	{ "POST",	ANY,		0,		cmd_web },
	{ "PUT",	ANY,		0,		cmd_web },
	{ "HEAD",	ANY,		0,		cmd_web },
	{ "OPTIONS",	ANY,		0,		cmd_web },
	{ "CONNECT",	ANY,		0,		cmd_web },
	{ "DELETE",	ANY,		0,		cmd_web },
	{ "PATCH",	ANY,		0,		cmd_web },
	{ "TRACE",	ANY,		0,		cmd_web },
};

/* What EHLO announces (RFC 5321 4.1.1.1). */
struct extension {
	const char	*keyword;
	bool		(*offered)(const struct session *); /* NULL: always */
	/* print what stands behind the keyword; NULL: nothing does */
	int		(*param)(const struct session *, char *, size_t);
};

static bool	 starttls_offered(const struct session *);
static int	 size_print(const struct session *, char *, size_t);

static const struct extension extensions[] = {
	{ "PIPELINING",		NULL,			NULL },
	{ "SIZE",		NULL,			size_print },
	{ "8BITMIME",		NULL,			NULL },
	{ "STARTTLS",		starttls_offered,	NULL },
	{ "AUTH",		auth_offered,		auth_print },
	{ "ENHANCEDSTATUSCODES", NULL,			NULL },
};

/* Why a known command is not welcome in this state. */
static enum reply
out_of_order(const struct session *s, const struct command *c)
{
	if (s->state == SMTP_HELLO)
		return REPLY_HELLO_FIRST;
	if (c->fn == mail_command)
		return REPLY_MAIL_TWICE;
	if (c->fn == rcpt_command || c->fn == data_command)
		return REPLY_MAIL_FIRST;
	return REPLY_IN_MAIL;
}

static const struct command *
command_find(struct slice verb)
{
	size_t i;

	for (i = 0; i < NITEMS(commands); i++)
		if (slice_caseis(verb, commands[i].verb))
			return &commands[i];
	return NULL;
}

void
command_line(struct session *s, struct slice line)
{
	const struct command *c;
	struct smtp_cmd cmd;

	if (smtp_cmd_parse(line, &cmd, NULL) == -1) {
		reply_error(s, REPLY_LINE);
		return;
	}
	if ((c = command_find(cmd.verb)) == NULL) {
		reply_error(s, REPLY_VERB);
		return;
	}
	if (!(c->flags & MOVES) &&
	    ++s->idle > proc_conf()->smtp.max_commands) {
		session_end(s, REPLY_COMMANDS);
		return;
	}
	if (!(c->states & IN(s->state)))
		reply_error(s, out_of_order(s, c));
	else if ((c->flags & ARG) && cmd.arg.n == 0)
		reply_error(s, REPLY_ARG);
	else if ((c->flags & NOARG) && cmd.arg.n > 0)
		reply_error(s, REPLY_NOARG);
	else
		c->fn(s, cmd.arg);
}

bool
command_is_auth(const struct session *s)
{
	return s->state != SMTP_RESPONSE &&
	    slice_casestarts(io_peek(s->io), "AUTH ");
}

size_t
command_max(const struct session *s)
{
	if (s->state == SMTP_RESPONSE)
		return SASL_LINE_MAX;
	return command_is_auth(s) ? AUTH_COMMAND : SMTP_LINE;
}

bool
command_is_rcpt(struct slice input)
{
	return slice_casestarts(input, "RCPT ");
}

/* Mail programs say what their machine is called, umlauts and blanks too;
 * who submits is known by the login. */
static int
hello(struct session *s, struct slice arg)
{
	if (smtp_helo_valid(arg) == -1 ||
	    slice_cpy(arg, s->helo, sizeof(s->helo)) == -1) {
		if (s->proto == PROTO_SMTP) {
			reply_error(s, REPLY_HOST);
			return -1;
		}
		strlcpy(s->helo, "client.invalid", sizeof(s->helo));
	}
	session_reset(s);
	session_state(s, SMTP_MAIL);
	return 0;
}

static void
cmd_helo(struct session *s, struct slice arg)
{
	if (hello(s, arg) == -1)
		return;
	s->esmtp = false;
	replyf(s, REPLY_HELLO, "%s", proc_conf()->hostname);
}

static bool
starttls_offered(const struct session *s)
{
	return !s->tls && serve_has_tls();
}

static int
size_print(const struct session *s, char *p, size_t size)
{
	return snprintf(p, size, " %llu",
	    (unsigned long long)proc_conf()->smtp.max_size);
}

static void
ehlo_line(struct session *s, const struct extension *e, bool last)
{
	char param[SASL_NAMES_MAX + 1] = "";

	if (e->param != NULL)
		e->param(s, param, sizeof(param));
	io_printf(s->io, "%u%c%s%s\r\n", reply_code(REPLY_HELLO),
	    last ? ' ' : '-', e->keyword, param);
}

static void
cmd_ehlo(struct session *s, struct slice arg)
{
	const struct extension *e, *last = NULL;
	size_t i;

	if (hello(s, arg) == -1)
		return;
	s->esmtp = true;
	io_printf(s->io, "%u-%s\r\n", reply_code(REPLY_HELLO),
	    proc_conf()->hostname);
	for (i = 0; i < NITEMS(extensions); i++) {
		e = &extensions[i];
		if (e->offered != NULL && !e->offered(s))
			continue;
		if (last != NULL)
			ehlo_line(s, last, false);
		last = e;
	}
	ehlo_line(s, last, true);
}

/* Nothing that came or was said before counts afterwards (RFC 3207 4.2). */
static void
cmd_starttls(struct session *s, struct slice arg)
{
	if (s->tls) {
		reply_error(s, REPLY_TLS_ON);
		return;
	}
	if (!serve_has_tls()) {
		reply_error(s, REPLY_NO_TLS);
		return;
	}
	if (io_peek(s->io).n > 0) {
		conn_penalty(&s->conn, 10);
		session_end(s, REPLY_TLS_BEHIND);
		return;
	}
	if (!tlskey_ready()) {
		reply(s, REPLY_TLS_LATER);
		return;
	}
	reply(s, REPLY_TLS);
	if ((s->proto == PROTO_SMTP ? serve_accept_tls(s->io) :
	    serve_accept_login(s->io)) == -1) {
		session_end(s, REPLY_NONE);
		return;
	}
	session_reset(s);
	s->esmtp = false;
	s->helo[0] = '\0';
	session_state(s, SMTP_TLS);
}

static void
cmd_rset(struct session *s, struct slice arg)
{
	session_reset(s);
	if (s->state != SMTP_HELLO)
		session_state(s, SMTP_MAIL);
	reply(s, REPLY_OK);
}

static void
cmd_noop(struct session *s, struct slice arg)
{
	reply(s, REPLY_OK);
}

static void
cmd_vrfy(struct session *s, struct slice arg)
{
	reply(s, REPLY_VRFY);
}

static void
cmd_help(struct session *s, struct slice arg)
{
	char text[128] = "";
	size_t i;

	for (i = 0; i < NITEMS(commands); i++)
		if (commands[i].flags & TOLD) {
			if (text[0] != '\0')
				strlcat(text, " ", sizeof(text));
			strlcat(text, commands[i].verb, sizeof(text));
		}
	replyf(s, REPLY_HELP, "%s", text);
}

static void
cmd_quit(struct session *s, struct slice arg)
{
	session_end(s, REPLY_BYE);
}

static void
cmd_absent(struct session *s, struct slice arg)
{
	reply_error(s, REPLY_ABSENT);
}

static void
cmd_web(struct session *s, struct slice arg)
{
	conn_penalty(&s->conn, 10);
	session_end(s, REPLY_WEB);
}
