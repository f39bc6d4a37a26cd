/*
 * imapd: the IMAP front.  Greets, reads the few commands there are before
 * login (RFC 3501 6.1, 6.2; SASL-IR, LITERAL+, ID) and hands logins to
 * common/net/front_login.c; from then on octets only pass through.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/capability.h"
#include "parse/imap_parse.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/front.h"
#include "net/io.h"
#include "net/mech.h"
#include "imapd/imap_capa.h"
#include "imapd/imapd.h"

#define COMMAND_LITERALS (2 * IMAP_ID_MAX)	/* of one: all of an ID */
/* octets of a tag, AUTHENTICATE, a mechanism and a response */
#define AUTHENTICATE_MAX (FRONT_TAG_MAX + 14 + SASL_NAME_MAX + 1 + \
			    SASL_LINE_MAX + 2)

_Static_assert(IMAP_ID_LINE_MAX >= AUTHENTICATE_MAX, "what a command may have");

static int	command_ready(struct front_conn *, struct slice *, size_t *);
static size_t	command_max(const struct front_conn *, struct slice);
static bool	line_valid(struct slice, size_t, size_t);
static void	command_run(struct front_conn *, char *, size_t);
static void	command_verb(struct front_conn *, struct imap_in *);
static const char *capabilities(struct front_conn *, char *);
static void	mechanisms(struct front_conn *, const char *, char *);
static bool	bad(struct front_conn *, const char *);
static void	unexpected(struct front_conn *, const char *, struct imap_in *,
		    const char *);
static void	cmd_capability(struct front_conn *, struct imap_in *);
static void	cmd_noop(struct front_conn *, struct imap_in *);
static void	cmd_logout(struct front_conn *, struct imap_in *);
static void	cmd_starttls(struct front_conn *, struct imap_in *);
static void	cmd_login(struct front_conn *, struct imap_in *);
static void	cmd_authenticate(struct front_conn *, struct imap_in *);
static void	cmd_id(struct front_conn *, struct imap_in *);

static const struct {
	const char	*verb;
	bool		 args;
	void		(*fn)(struct front_conn *, struct imap_in *);
} commands[] = {
	{ "CAPABILITY",		false,	cmd_capability },
	{ "LOGIN",		true,	cmd_login },
	{ "AUTHENTICATE",	true,	cmd_authenticate },
	{ "STARTTLS",		false,	cmd_starttls },
	{ "LOGOUT",		false,	cmd_logout },
	{ "NOOP",		false,	cmd_noop },
	{ "ID",			true,	cmd_id },
};

/* text has CAPABILITY_MAX octets. */
static const char *
capabilities(struct front_conn *c, char *text)
{
	struct quirk	 q;

	quirk_find(proc_conf(), &(struct quirk_who){ slice_str(c->client),
	    slice_of("", 0), c->port }, &q);
	capability_print(imap_capabilities, NITEMS(imap_capabilities),
	    capability_front(front_may_starttls(c), front_may_login(c)),
	    q.hide, " ", text);
	if (front_may_login(c))
		mechanisms(c, q.hide, text);
	return text;
}

static void
mechanisms(struct front_conn *c, const char *hide, char *text)
{
	char		 names[SASL_NAMES_MAX], one[64];
	struct slice	 left = slice_str(sasl_names(c->io, " ", names)), w;

	for (; left.n > 0; left = slice_of(left.p + w.n, left.n - w.n)) {
		w = slice_of(left.p, slice_find(left, ' '));
		snprintf(one, sizeof(one), " AUTH=%.*s", (int)w.n, w.p);
		if (w.n > 0 && !capability_among(hide, one + 1))
			strlcat(text, one, CAPABILITY_MAX);
		w.n += w.n < left.n;	/* the blank */
	}
}

/* A client has to forget what it knew, and not all of them ask again. */
void
imap_secured(struct front_conn *c)
{
	char	 text[CAPABILITY_MAX];

	io_printf(c->io, "* CAPABILITY %s\r\n", capabilities(c, text));
}

void
imap_greet(struct front_conn *c)
{
	char	 text[CAPABILITY_MAX];

	io_printf(c->io, "* OK [CAPABILITY %s] %s ready\r\n",
	    capabilities(c, text), proc_conf()->hostname);
}

/*
 * One whole command, literals included, is copied out and run: the parser
 * writes into it, and a password does not stay in the input buffer longer
 * than it must.
 */
bool
imap_command(struct front_conn *c)
{
	char		 buf[IMAP_ID_LINE_MAX];
	struct slice	 cmd;
	size_t		 last, n;

	switch (command_ready(c, &cmd, &last)) {
	case 0:
		return false;
	case -1:
		front_end(c, FRONT_BADNESS);
		return true;
	}
	memcpy(buf, cmd.p, cmd.n);
	explicit_bzero((char *)cmd.p, cmd.n);
	io_drain(c->io, cmd.n);
	c->literals = 0;
	n = imap_trim(buf, last, cmd.n);
	command_run(c, buf, n);
	explicit_bzero(buf, cmd.n);
	return true;
}

/*
 * 1 a whole command is there, with the place where its last line begins; 0
 * more is needed, -1 it is none.  It is looked at from its start whenever
 * more of it comes, which is why few literals are enough.
 */
static int
command_ready(struct front_conn *c, struct slice *cmd, size_t *last)
{
	struct slice	 in = io_peek(c->io);
	unsigned int	 literals = 0;
	uint64_t	 size;
	size_t		 at = 0, seen = 0, end, max = command_max(c, in);
	int		 flags, r;

	for (;;) {
		end = at + slice_find(slice_of(in.p + at, in.n - at), '\n');
		if (end >= in.n || end >= max)
			return in.n >= max ? -1 : 0;
		if (end == at || !line_valid(in, seen, end))
			return -1;
		seen = end + 1;
		*cmd = slice_of(in.p, end + 1);
		*last = at;
		r = c->sasl != NULL ? 0 : imap_literal(slice_of(in.p + at,
		    end - 1 - at), &size, &flags);
		if (r == 0)
			return 1;
		if (r == -1 || size > max - end - 1 ||
		    literals == COMMAND_LITERALS)
			return -1;
		if (literals++ == c->literals) {
			if (!(flags & IMAP_LITERAL_PLUS))
				io_printf(c->io, "+ OK\r\n");
			c->literals++;
		}
		at = end + 1 + (size_t)size;
		if (at > in.n)
			return 0;
	}
}

/* ID (RFC 2971 3.3) and what SASL takes may be longer; what a connection holds
 * of it is in its input buffer, whatever it sends. */
static size_t
command_max(const struct front_conn *c, struct slice in)
{
	struct slice	 tail;
	size_t		 i = slice_find(in, ' ');

	if (c->sasl != NULL)
		return SASL_LINE_MAX + 2;
	if (i >= in.n || i > FRONT_TAG_MAX)
		return FRONT_LINE_MAX;
	tail = slice_of(in.p + i + 1, in.n - i - 1);
	if (slice_casestarts(tail, "AUTHENTICATE "))
		return AUTHENTICATE_MAX;
	return slice_casestarts(tail, "ID ") ? IMAP_ID_LINE_MAX :
	    FRONT_LINE_MAX;
}

/* The line that ends at `end' (a LF) ends in CRLF, and there is no NUL in it
 * nor in the literal before it, which begins at `from'. */
static bool
line_valid(struct slice in, size_t from, size_t end)
{
	return in.p[end - 1] == '\r' &&
	    memchr(in.p + from, '\0', end - from) == NULL;
}

static void
command_run(struct front_conn *c, char *p, size_t n)
{
	struct imap_in	 in;
	struct slice	 tag;

	if (c->sasl != NULL) {
		front_sasl_line(c, slice_of(p, n - 2));
		return;
	}
	strlcpy(c->tag, "*", sizeof(c->tag));
	imap_start(&in, p, n);
	if (imap_tag(&in, &tag) == -1 ||
	    slice_cpy(tag, c->tag, sizeof(c->tag)) == -1)
		unexpected(c, "", &in, "a tag, a blank and a command");
	else if (imap_space(&in) == -1)
		unexpected(c, "", &in, "a blank and a command");
	else
		command_verb(c, &in);
}

static void
command_verb(struct front_conn *c, struct imap_in *in)
{
	struct slice	 verb;
	size_t		 i, at = in->off;

	imap_count(in);
	/* "GET / HTTP/1.1" and its like: what follows is not for us. */
	if (imap_atom(in, &verb) == -1 ||
	    memchr(verb.p, '/', verb.n) != NULL ||
	    memchr(verb.p, ':', verb.n) != NULL) {
		front_end(c, FRONT_BADNESS);
		return;
	}
	for (i = 0; i < NITEMS(commands); i++)
		if (slice_caseis(verb, commands[i].verb))
			break;
	if (i == NITEMS(commands)) {
		in->off = at;
		unexpected(c, "", in, "a command that is one before a login");
	} else if (!commands[i].args && imap_end(in) == -1)
		unexpected(c, commands[i].verb, in, NULL);
	else if (commands[i].args && imap_space(in) == -1)
		unexpected(c, commands[i].verb, in, "a blank and arguments");
	else
		commands[i].fn(c, in);
}

/* True: c is gone. */
static bool
bad(struct front_conn *c, const char *why)
{
	io_printf(c->io, "%s BAD %s\r\n", c->tag, why);
	return front_bad(c);
}

/* BAD: at the cursor something else was expected; NULL: as in->err says. */
static void
unexpected(struct front_conn *c, const char *verb, struct imap_in *in,
    const char *expected)
{
	char	 text[IMAP_EXPECTED_MAX];

	if (expected != NULL)
		imap_fail(in, expected);
	bad(c, imap_expected(in, verb, text));
}

static void
cmd_capability(struct front_conn *c, struct imap_in *in)
{
	char	 text[CAPABILITY_MAX];

	io_printf(c->io, "* CAPABILITY %s\r\n%s OK Done\r\n",
	    capabilities(c, text), c->tag);
}

static void
cmd_noop(struct front_conn *c, struct imap_in *in)
{
	io_printf(c->io, "%s OK Done\r\n", c->tag);
}

static void
cmd_logout(struct front_conn *c, struct imap_in *in)
{
	io_printf(c->io, "* BYE Bye\r\n%s OK Done\r\n", c->tag);
	front_quit(c);
}

/* What the client sends is for its own logs, but for its name (imap-quirks);
 * nobody has logged in. */
static void
cmd_id(struct front_conn *c, struct imap_in *in)
{
	struct slice	 name;

	if (imap_id(in, &name) == -1 || imap_end(in) == -1) {
		unexpected(c, "ID", in, NULL);
		return;
	}
	if (name.n > QUIRK_CLIENT_MAX)
		name.n = QUIRK_CLIENT_MAX;
	slice_cpy(name, c->client, sizeof(c->client));
	io_printf(c->io, "* ID (\"name\" \"maild\")\r\n%s OK Done\r\n",
	    c->tag);
}

static void
cmd_starttls(struct front_conn *c, struct imap_in *in)
{
	front_starttls(c);
}

static void
cmd_login(struct front_conn *c, struct imap_in *in)
{
	struct slice	 user, password;

	if (!front_login_allowed(c))
		return;
	if (imap_astring(in, &user) == -1 || imap_space(in) == -1 ||
	    imap_astring(in, &password) == -1 || imap_end(in) == -1)
		unexpected(c, "LOGIN", in, NULL);
	else
		front_login(c, user, password);
}

/* With or without an initial response (RFC 4959). */
static void
cmd_authenticate(struct front_conn *c, struct imap_in *in)
{
	struct slice	 name;

	if (!front_login_allowed(c))
		return;
	if (imap_atom(in, &name) == -1)
		unexpected(c, "AUTHENTICATE", in, "a mechanism");
	else if (imap_end(in) == 0)
		front_sasl_start(c, name, slice_of("", 0));
	else if (imap_space(in) == -1)
		unexpected(c, "AUTHENTICATE", in,
		    "a blank and a response, or the end of the line,");
	else
		front_sasl_start(c, name, slice_trim(slice_of(in->p + in->off,
		    in->n - in->off)));
}
