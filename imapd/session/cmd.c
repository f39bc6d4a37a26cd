/*
 * imap-session: the command table and the one dispatcher.  State, flags and
 * whether there are arguments are checked here, once; every tagged line is
 * sent here.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/imap_capa.h"
#include "imapd/session/imap.h"

#define ANY	(AUTHENTICATED | SELECTED)

#define F_UID		0x01	/* may have the UID prefix */
#define F_UIDONLY	0x02	/* has to have it, or another row is meant */
#define F_NOEXPUNGE	0x04	/* no EXPUNGE in its answer (7.4.1) */
#define F_NOUPDATE	0x08	/* says itself what is new, or nothing */

#define UID_COMMANDS	"FETCH, STORE, SEARCH, SORT, THREAD, COPY, " \
			"MOVE, REPLACE or EXPUNGE"

enum args { NONE, SOME };

struct command {
	const char	*verb;
	unsigned int	 states;
	unsigned int	 flags;
	enum args	 args;
	enum reply	(*fn)(struct session *, struct imap_in *);
};

static const struct command commands[] = {
#define COMMAND(verb, states, flags, args, fn)				\
	{ verb, states, flags, args, fn },
	COMMANDS(COMMAND)
#undef COMMAND
};

static const struct command *command_find(const struct session *,
	    struct slice);
static enum reply command_parse(struct session *, struct imap_in *,
	    const struct command **);
static void	command_done(struct session *, const struct command *,
	    enum reply);

void
command_run(struct session *s, char *p, size_t n)
{
	const struct command	*c = NULL;
	struct imap_in		 in;
	struct slice		 tag;
	enum reply		 r;

	imap_start(&in, p, n);
	s->stays = false;
	s->uid = false;
	s->text = NULL;
	s->code.n = 0;
	s->modseq = false;
	s->lowest = 0;
	s->verb[0] = '\0';
	strlcpy(s->tag, "*", sizeof(s->tag));
	if (imap_tag(&in, &tag) == -1 ||
	    slice_cpy(tag, s->tag, sizeof(s->tag)) == -1)
		r = reply_expected(s, &in, "a tag, a blank and a command");
	else if (imap_space(&in) == -1)
		r = reply_expected(s, &in, "a blank and a command");
	else
		r = command_parse(s, &in, &c);
	if (r == REPLY_OK)
		r = c->fn(s, &in);
	/* A literal nobody took: its octets are no commands. */
	if (s->literal && r != REPLY_GONE) {
		s->literal = false;
		if (s->literal_flags & IMAP_LITERAL_PLUS)
			session_bye(s, "Literal not expected");
	}
	if (r != REPLY_GONE)
		command_done(s, c, r);
	if (r == REPLY_OK && c->fn == cmd_compress)
		frames_compress(s->io);
}

void
command_idle(struct session *s)
{
	const struct command	*c = command_find(s, slice_str("IDLE"));
	enum reply		 r;

	strlcpy(s->verb, c->verb, sizeof(s->verb));
	if ((r = idle_run(s)) != REPLY_GONE)
		command_done(s, c, r);
}

/* Verb, state and whether arguments are due. */
static enum reply
command_parse(struct session *s, struct imap_in *in, const struct command **cp)
{
	const struct command	*c;
	struct slice		 verb;
	size_t			 at;

	imap_count(in);
	if (imap_word(in, "UID")) {
		s->uid = true;
		if (imap_space(in) == -1)
			return reply_expected(s, in, UID_COMMANDS);
	}
	at = in->off;
	if (imap_atom(in, &verb) == -1 ||
	    (c = command_find(s, verb)) == NULL) {
		in->off = at;
		return reply_expected(s, in, s->uid ? UID_COMMANDS :
		    "a command that CAPABILITY tells of");
	}
	snprintf(s->verb, sizeof(s->verb), "%s%s", s->uid ? "UID " : "",
	    c->verb);
	if (c->states == 0)
		return c->fn(s, in);
	if ((c->states & s->state) == 0)
		return reply_bad(s, "expected a mailbox that is selected, "
		    "by SELECT or EXAMINE");
	if (c->flags & F_UID && !s->uid && s->enabled & ENABLED_UIDONLY)
		return reply_uidrequired(s);
	*cp = c;
	if (c->args == NONE ? imap_end(in) == -1 : imap_space(in) == -1)
		return c->args == NONE ? reply_syntax(s, in) :
		    reply_expected(s, in, "a blank and arguments");
	return REPLY_OK;
}

static const struct command *
command_find(const struct session *s, struct slice verb)
{
	const struct command	*c;
	size_t			 i;

	for (i = 0; i < NITEMS(commands); i++) {
		c = &commands[i];
		if (!slice_caseis(verb, c->verb))
			continue;
		if (s->uid ? c->flags & (F_UID | F_UIDONLY) :
		    !(c->flags & F_UIDONLY))
			return c;
	}
	return NULL;
}

/* What is new in the mailbox, then the tagged line. */
static void
command_done(struct session *s, const struct command *c, enum reply r)
{
	static const char *const word[] = {
		[REPLY_OK] = " OK ", [REPLY_NO] = " NO ",
		[REPLY_BAD] = " BAD "
	};

	if (s->state == SELECTED && c != NULL && !(c->flags & F_NOUPDATE))
		session_update(s, s->uid || !(c->flags & F_NOEXPUNGE));
	if (s->modseq && s->enabled & ENABLED_CONDSTORE && r == REPLY_OK &&
	    s->code.n == 0 && s->state == SELECTED)
		code_highestmodseq(s);
	if (s->lowest != 0 && r == REPLY_OK)
		limit_tell(s);
	frames_puts(s->io, s->tag);
	frames_puts(s->io, word[r]);
	if (s->code.n > 0) {
		frames_putc(s->io, '[');
		frames_write(s->io, s->code.p, s->code.n);
		frames_puts(s->io, "] ");
	}
	frames_puts(s->io, s->text != NULL ? s->text : "Done");
	frames_puts(s->io, "\r\n");
	if (r == REPLY_OK)
		s->nbad = 0;
	if (r == REPLY_BAD && ++s->nbad >= IMAP_BAD_MAX &&
	    s->state != LOGGED_OUT)
		session_bye(s, "Too many bad commands");
}

/* NOOP and CHECK: the news come with every answer, and nothing is ever
 * left unsynced. */
enum reply
cmd_noop(struct session *s, struct imap_in *in)
{
	return REPLY_OK;
}

enum reply
cmd_logout(struct session *s, struct imap_in *in)
{
	session_bye(s, "Bye");
	return REPLY_OK;
}

/* RFC 2342: one personal namespace. */
enum reply
cmd_namespace(struct session *s, struct imap_in *in)
{
	frames_puts(s->io, "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
	return REPLY_OK;
}

enum reply
cmd_too_late(struct session *s, struct imap_in *in)
{
	return reply_bad(s, "expected only before the login");
}
