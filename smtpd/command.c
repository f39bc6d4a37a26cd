/*
 * The commands of SMTP: one row each, its legal states and what argument it
 * takes checked once, here (RFC 5321 4.1.1, 3207, 4954).  The envelope
 * commands are in mail.c, DATA in data.c, AUTH in auth.c.
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
#include "net/tlskey.h"
#include "smtpd/smtpd.h"

#define ARG		0x01	/* wants an argument */
#define NOARG		0x02	/* takes none */
#define MOVES		0x04	/* moves mail on: not counted as idle */

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

/* The frequent ones first. */
static const struct command commands[] = {
	{ "RCPT",	IN(SMTP_RCPT) | IN(SMTP_DATA), ARG | MOVES,
							rcpt_command },
	{ "MAIL",	IN(SMTP_MAIL),	ARG | MOVES,	mail_command },
	{ "DATA",	IN(SMTP_RCPT) | IN(SMTP_DATA), NOARG | MOVES,
							data_command },
	{ "EHLO",	ANY,		ARG,		cmd_ehlo },
	{ "QUIT",	ANY,		0,		cmd_quit },
	{ "HELO",	ANY,		ARG,		cmd_helo },
	{ "RSET",	ANY,		NOARG,		cmd_rset },
	{ "NOOP",	ANY,		0,		cmd_noop },
	{ "STARTTLS",	IN(SMTP_HELLO) | IN(SMTP_MAIL), NOARG, cmd_starttls },
	{ "AUTH",	IN(SMTP_MAIL),	ARG,		auth_command },
	{ "VRFY",	ANY,		ARG,		cmd_vrfy },
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

/* Why a known command is not welcome in this state. */
static const char *
out_of_order(const struct session *s, const struct command *c)
{
	if (s->state == SMTP_HELLO)
		return "503 5.5.1 say HELO or EHLO first";
	if (c->fn == mail_command)
		return "503 5.5.1 there is a MAIL already";
	if (c->fn == rcpt_command || c->fn == data_command)
		return "503 5.5.1 say MAIL first";
	return "503 5.5.1 not during a mail transaction";
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
		reply_error(s, "500 5.5.2 not a command");
		return;
	}
	if ((c = command_find(cmd.verb)) == NULL) {
		reply_error(s, "500 5.5.1 command not known");
		return;
	}
	if (!(c->flags & MOVES) &&
	    ++s->idle > proc_conf()->smtp.max_commands) {
		session_end(s, "421 4.7.0 too many commands");
		return;
	}
	if (!(c->states & IN(s->state)))
		reply_error(s, out_of_order(s, c));
	else if ((c->flags & ARG) && cmd.arg.n == 0)
		reply_error(s, "501 5.5.4 an argument is missing");
	else if ((c->flags & NOARG) && cmd.arg.n > 0)
		reply_error(s, "501 5.5.4 no argument here");
	else
		c->fn(s, cmd.arg);
}

size_t
command_max(const struct session *s)
{
	if (s->state == SMTP_RESPONSE ||
	    slice_casestarts(io_peek(s->io), "AUTH "))
		return SMTP_AUTH_LINE;
	return SMTP_LINE;
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
			reply_error(s, "501 5.5.4 that is no host name");
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
	replyf(s, "250 %s", proc_conf()->hostname);
}

static void
cmd_ehlo(struct session *s, struct slice arg)
{
	const struct conf *conf = proc_conf();
	const struct smtpd *h = smtpd();

	if (hello(s, arg) == -1)
		return;
	s->esmtp = true;
	replyf(s, "250-%s\r\n250-PIPELINING\r\n250-SIZE %llu\r\n"
	    "250-8BITMIME\r\n%s%s250 ENHANCEDSTATUSCODES",
	    conf->hostname, (unsigned long long)conf->smtp.max_size,
	    !s->tls && h->tls != NULL ? "250-STARTTLS\r\n" : "",
	    auth_offered(s) ? "250-AUTH PLAIN LOGIN\r\n" : "");
}

/* Nothing that came or was said before counts afterwards (RFC 3207 4.2). */
static void
cmd_starttls(struct session *s, struct slice arg)
{
	if (s->tls) {
		reply_error(s, "503 5.5.1 TLS is on already");
		return;
	}
	if (smtpd()->tls == NULL) {
		reply_error(s, "454 4.7.0 TLS not available");
		return;
	}
	if (io_peek(s->io).n > 0) {
		log_info("%s end why=\"text behind STARTTLS\"", s->sid);
		conn_penalty(&s->conn, 10);
		session_end(s, "554 5.5.1 nothing may follow STARTTLS");
		return;
	}
	if (!tlskey_ready()) {
		reply(s, "454 4.7.0 TLS not available now, try later");
		return;
	}
	reply(s, "220 2.0.0 go ahead");
	if (io_accept_tls(s->io, smtpd()->tls) == -1) {
		session_end(s, NULL);
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
	reply(s, "250 2.0.0 ok");
}

static void
cmd_noop(struct session *s, struct slice arg)
{
	reply(s, "250 2.0.0 ok");
}

static void
cmd_vrfy(struct session *s, struct slice arg)
{
	reply(s, "252 2.5.0 send some mail, I will try my best");
}

static void
cmd_help(struct session *s, struct slice arg)
{
	reply(s, "214 2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP VRFY STARTTLS "
	    "AUTH QUIT");
}

static void
cmd_quit(struct session *s, struct slice arg)
{
	session_end(s, "221 2.0.0 bye");
}

static void
cmd_absent(struct session *s, struct slice arg)
{
	reply_error(s, "502 5.5.1 command not implemented");
}

static void
cmd_web(struct session *s, struct slice arg)
{
	log_info("%s end why=\"speaks HTTP\"", s->sid);
	conn_penalty(&s->conn, 10);
	session_end(s, "421 4.7.0 this is SMTP");
}
