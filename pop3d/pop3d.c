/*
 * pop3d: the POP3 front: the AUTHORIZATION state of RFC 1939 with STLS
 * (2595), CAPA (2449), AUTH (5034); logins go to
 * common/net/front_login.c; from then on octets only pass through.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/front.h"
#include "net/io.h"
#include "net/mech.h"
#include "pop3d/pop3_capa.h"
#include "pop3d/pop3_lang.h"
#include "pop3d/pop3d.h"

/* octets of AUTH, a mechanism and a response (RFC 5034 4) */
#define LINE_MAX_OCTETS	(5 + SASL_NAME_MAX + 1 + SASL_LINE_MAX + 2)

static void	command_run(struct front_conn *, struct slice);
static bool	bad(struct front_conn *, const char *);
static void	cmd_user(struct front_conn *, struct slice);
static void	cmd_pass(struct front_conn *, struct slice);
static void	cmd_auth(struct front_conn *, struct slice);
static void	cmd_capa(struct front_conn *, struct slice);
static void	cmd_lang(struct front_conn *, struct slice);
static void	cmd_utf8(struct front_conn *, struct slice);
static void	cmd_stls(struct front_conn *, struct slice);
static void	cmd_quit(struct front_conn *, struct slice);

static const struct {
	const char	*verb;
	bool		 args;
	void		(*fn)(struct front_conn *, struct slice);
} commands[] = {
	{ "USER",	true,	cmd_user },
	{ "PASS",	true,	cmd_pass },
	{ "AUTH",	true,	cmd_auth },
	{ "CAPA",	false,	cmd_capa },
	{ "LANG",	true,	cmd_lang },
	{ "UTF8",	false,	cmd_utf8 },
	{ "STLS",	false,	cmd_stls },
	{ "QUIT",	false,	cmd_quit },
};

/* No timestamp in angle brackets: there is no APOP. */
void
pop3_greet(struct front_conn *c)
{
	io_printf(c->io, "+OK %s ready\r\n", proc_conf()->hostname);
}

bool
pop3_command(struct front_conn *c)
{
	char		 buf[LINE_MAX_OCTETS];
	struct slice	 line;

	switch (io_line(c->io, LINE_MAX_OCTETS - 2, &line)) {
	case IO_LINE:
		break;
	case IO_MORE:
		return false;
	case IO_TOOLONG:
	case IO_LONGER:
	case IO_BARE:
		front_end(c, FRONT_BADNESS);
		return true;
	}
	if (memchr(line.p, '\0', line.n) != NULL) {
		front_end(c, FRONT_BADNESS);
		return true;
	}
	/* A password does not stay in the input buffer. */
	memcpy(buf, line.p, line.n);
	explicit_bzero((char *)line.p, line.n);
	line.p = buf;
	if (c->sasl != NULL)
		front_sasl_line(c, line);
	else
		command_run(c, line);
	explicit_bzero(buf, line.n);
	return true;
}

static void
command_run(struct front_conn *c, struct slice line)
{
	struct slice	 verb, rest = { line.p, 0 };
	size_t		 i, n = slice_find(line, ' ');

	verb = slice_of(line.p, n);
	if (n < line.n)
		rest = slice_of(line.p + n + 1, line.n - n - 1);
	for (i = 0; i < NITEMS(commands); i++)
		if (slice_caseis(verb, commands[i].verb))
			break;
	/* "GET / HTTP/1.1" and its like: what follows is not for us. */
	if (i == NITEMS(commands) && (slice_find(line, '/') < line.n ||
	    slice_find(line, ':') < line.n))
		front_end(c, FRONT_BADNESS);
	else if (i == NITEMS(commands))
		bad(c, "-ERR Not a command before login\r\n");
	else if (!commands[i].args && rest.n > 0)
		bad(c, "-ERR No arguments here\r\n");
	else
		commands[i].fn(c, rest);
}

/* True: c is gone. */
static bool
bad(struct front_conn *c, const char *line)
{
	io_write(c->io, line, strlen(line));
	return front_bad(c);
}

/* The same answer whoever it is. */
static void
cmd_user(struct front_conn *c, struct slice arg)
{
	if (!front_login_allowed(c))
		return;
	if (!sasl_field_valid(arg) ||
	    slice_cpy(arg, c->user, sizeof(c->user)) == -1)
		bad(c, "-ERR Not a user name\r\n");
	else
		io_printf(c->io, "+OK\r\n");
}

/* Blanks belong to the password (RFC 1939 7). */
static void
cmd_pass(struct front_conn *c, struct slice arg)
{
	char	 user[sizeof(c->user)];

	if (!front_login_allowed(c))
		return;
	if (c->user[0] == '\0') {
		bad(c, "-ERR USER first\r\n");
		return;
	}
	strlcpy(user, c->user, sizeof(user));
	front_login(c, slice_str(user), arg);
}

/* With or without an initial response; without all, the list that old clients
 * ask for. */
static void
cmd_auth(struct front_conn *c, struct slice arg)
{
	size_t	 n = slice_find(arg, ' ');
	char	 names[SASL_NAMES_MAX];

	if (arg.n == 0)
		io_printf(c->io, "+OK\r\n%s%s.\r\n", front_may_login(c) ?
		    sasl_names(c->io, "\r\n", names) : "",
		    front_may_login(c) ? "\r\n" : "");
	else if (front_login_allowed(c))
		front_sasl_start(c, slice_of(arg.p, n),
		    slice_trim(slice_of(arg.p + n, arg.n - n)));
}

static void
cmd_capa(struct front_conn *c, struct slice arg)
{
	char	 text[CAPABILITY_MAX], names[SASL_NAMES_MAX];

	io_printf(c->io, "+OK\r\n%s\r\n",
	    capability_print(pop3_capabilities, NITEMS(pop3_capabilities),
	    capability_front(front_may_starttls(c), front_may_login(c)), NULL,
	    "\r\n", text));
	if (front_may_login(c))
		io_printf(c->io, "SASL %s\r\n",
		    sasl_names(c->io, " ", names));
	if (front_login_delay() != 0)
		io_printf(c->io, "LOGIN-DELAY %u\r\n", front_login_delay());
	io_printf(c->io, ".\r\n");
}

static void
cmd_lang(struct front_conn *c, struct slice arg)
{
	const char	*text = pop3_lang(slice_trim(arg));

	io_write(c->io, text, strlen(text));
}

/* Messages go out as they are stored in any case: octets above 127 in their
 * headers are no less there for who does not ask for them. */
static void
cmd_utf8(struct front_conn *c, struct slice arg)
{
	io_printf(c->io, "+OK UTF8 enabled\r\n");
}

static void
cmd_stls(struct front_conn *c, struct slice arg)
{
	front_starttls(c);
}

static void
cmd_quit(struct front_conn *c, struct slice arg)
{
	io_printf(c->io, "+OK Bye\r\n");
	front_quit(c);
}
