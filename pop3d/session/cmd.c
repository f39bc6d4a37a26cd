/*
 * pop3-session: the commands after login (RFC 1939, CAPA of 2449).
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "net/frames.h"
#include "store/store.h"
#include "pop3d/pop3_capa.h"
#include "pop3d/pop3_lang.h"
#include "pop3d/session/pop3.h"

enum args { ARGS_NONE, ARGS_OPT, ARGS_MSG, ARGS_TOP, ARGS_TEXT };

/* What a command was given; msg 0: nothing. */
struct args_given {
	uint32_t	 msg;
	uint64_t	 lines;
	struct slice	 text;
};

static void	cmd_stat(struct session *, const struct args_given *);
static void	cmd_list(struct session *, const struct args_given *);
static void	cmd_uidl(struct session *, const struct args_given *);
static void	cmd_retr(struct session *, const struct args_given *);
static void	cmd_top(struct session *, const struct args_given *);
static void	cmd_dele(struct session *, const struct args_given *);
static void	cmd_rset(struct session *, const struct args_given *);
static void	cmd_noop(struct session *, const struct args_given *);
static void	cmd_capa(struct session *, const struct args_given *);
static void	cmd_lang(struct session *, const struct args_given *);
static void	cmd_quit(struct session *, const struct args_given *);

static const struct command {
	const char	*verb;
	enum args	 args;
	void		(*fn)(struct session *, const struct args_given *);
} commands[] = {
	{ "RETR",	ARGS_MSG,	cmd_retr },
	{ "DELE",	ARGS_MSG,	cmd_dele },
	{ "TOP",	ARGS_TOP,	cmd_top },
	{ "STAT",	ARGS_NONE,	cmd_stat },
	{ "LIST",	ARGS_OPT,	cmd_list },
	{ "UIDL",	ARGS_OPT,	cmd_uidl },
	{ "QUIT",	ARGS_NONE,	cmd_quit },
	{ "NOOP",	ARGS_NONE,	cmd_noop },
	{ "RSET",	ARGS_NONE,	cmd_rset },
	{ "CAPA",	ARGS_NONE,	cmd_capa },
	{ "LANG",	ARGS_TEXT,	cmd_lang },
};

static bool	args_parse(struct session *, const struct command *,
	    struct slice, struct args_given *);
static void	bad(struct session *, const char *);
static void	put_list(struct session *, uint32_t);
static void	put_uidl(struct session *, uint32_t);
static void	put_all(struct session *,
	    void (*)(struct session *, uint32_t));

void
command_run(struct session *s, struct slice line)
{
	struct args_given	 given = { 0 };
	struct slice		 verb, rest;
	size_t			 i, n;

	n = slice_find(line, ' ');
	verb = slice_of(line.p, n);
	rest = slice_trim(slice_of(line.p + n, line.n - n));
	for (i = 0; i < NITEMS(commands); i++)
		if (slice_caseis(verb, commands[i].verb))
			break;
	if (i == NITEMS(commands))
		bad(s, "-ERR No such command\r\n");
	else if (args_parse(s, &commands[i], rest, &given))
		commands[i].fn(s, &given);
}

/* The number of a message that is there, and of lines with TOP. */
static bool
args_parse(struct session *s, const struct command *c, struct slice rest,
    struct args_given *given)
{
	uint64_t	 msg;
	size_t		 n = slice_find(rest, ' ');
	bool		 ok;

	given->text = rest;
	if (c->args == ARGS_TEXT)
		return true;
	if (rest.n == 0 && (c->args == ARGS_NONE || c->args == ARGS_OPT))
		return true;
	ok = c->args != ARGS_NONE &&
	    slice_number(slice_of(rest.p, n), UINT32_MAX, &msg) == 0;
	rest = slice_trim(slice_of(rest.p + n, rest.n - n));
	if (ok && c->args == ARGS_TOP)
		ok = slice_number(rest, UINT32_MAX, &given->lines) == 0;
	else if (rest.n > 0)
		ok = false;
	if (!ok) {
		bad(s, "-ERR Arguments are not right\r\n");
		return false;
	}
	if (msg == 0 || msg > s->n || marks_has(s->deleted, (uint32_t)msg)) {
		frames_puts(s->io, "-ERR No such message\r\n");
		return false;
	}
	given->msg = (uint32_t)msg;
	return true;
}

static void
bad(struct session *s, const char *line)
{
	s->nbad++;
	frames_puts(s->io, line);
}

static void
cmd_stat(struct session *s, const struct args_given *given)
{
	frames_printf(s->io, "+OK %u %llu\r\n", s->n - s->ndeleted,
	    (unsigned long long)size_all(s));
}

static void
put_list(struct session *s, uint32_t msg)
{
	frames_num(s->io, msg);
	frames_putc(s->io, ' ');
	frames_num(s->io, size_sent(s, msg));
	frames_puts(s->io, "\r\n");
}

/* The same for ever: a UID never means another message.  Dovecot's default is
 * "%08Xu%08Xv", so that mail that came from there with its UIDs is not fetched
 * again. */
static void
put_uidl(struct session *s, uint32_t msg)
{
	uint32_t	 uid = store_view_msg(s->view, msg)->uid;

	frames_num(s->io, msg);
	frames_putc(s->io, ' ');
	switch (s->uidl) {
	case UIDL_DOTTED:
		frames_num(s->io, s->uidvalidity);
		frames_putc(s->io, '.');
		frames_num(s->io, uid);
		break;
	case UIDL_DOVECOT:
		frames_printf(s->io, "%08x%08x", uid, s->uidvalidity);
		break;
	}
	frames_puts(s->io, "\r\n");
}

static void
put_all(struct session *s, void (*put)(struct session *, uint32_t))
{
	uint32_t	 i;

	frames_printf(s->io, "+OK %u messages\r\n", s->n - s->ndeleted);
	for (i = 1; i <= s->n; i++)
		if (!marks_has(s->deleted, i))
			put(s, i);
	frames_puts(s->io, ".\r\n");
}

static void
cmd_list(struct session *s, const struct args_given *given)
{
	if (given->msg == 0) {
		(void)size_all(s);
		put_all(s, put_list);
		return;
	}
	frames_puts(s->io, "+OK ");
	put_list(s, given->msg);
}

static void
cmd_uidl(struct session *s, const struct args_given *given)
{
	if (given->msg == 0) {
		put_all(s, put_uidl);
		return;
	}
	frames_puts(s->io, "+OK ");
	put_uidl(s, given->msg);
}

static void
cmd_retr(struct session *s, const struct args_given *given)
{
	if (!retr_send(s, given->msg, UINT64_MAX) || !s->mark_seen)
		return;
	if (store_view_msg(s->view, given->msg)->flags & STORE_SEEN)
		return;
	/* Without memory it stays unread. */
	marks_set(s, &s->retrieved, given->msg);
}

static void
cmd_top(struct session *s, const struct args_given *given)
{
	retr_send(s, given->msg, given->lines);
}

static void
cmd_dele(struct session *s, const struct args_given *given)
{
	if (marks_set(s, &s->deleted, given->msg) == -1) {
		frames_puts(s->io, "-ERR [SYS/TEMP] Out of memory\r\n");
		return;
	}
	s->ndeleted++;
	if (s->sized)
		s->octets -= size_sent(s, given->msg);
	frames_puts(s->io, "+OK Marked\r\n");
}

static void
cmd_rset(struct session *s, const struct args_given *given)
{
	uint32_t	 i;

	for (i = 1; s->sized && i <= s->n; i++)
		if (marks_has(s->deleted, i))
			s->octets += size_sent(s, i);
	free(s->deleted);
	s->deleted = NULL;
	s->ndeleted = 0;
	frames_printf(s->io, "+OK %u messages\r\n", s->n);
}

static void
cmd_noop(struct session *s, const struct args_given *given)
{
	frames_puts(s->io, "+OK\r\n");
}

static void
cmd_capa(struct session *s, const struct args_given *given)
{
	char	 text[CAPABILITY_MAX];

	frames_printf(s->io, "+OK\r\n%s\r\n",
	    capability_print(pop3_capabilities, NITEMS(pop3_capabilities),
	    CAP_SESSION, NULL, "\r\n", text));
	if (s->login_delay != 0)
		frames_printf(s->io, "LOGIN-DELAY %u\r\n",
		    s->login_delay);
	frames_puts(s->io, ".\r\n");
}

static void
cmd_lang(struct session *s, const struct args_given *given)
{
	frames_puts(s->io, pop3_lang(given->text));
}

enum store_result
command_seen(struct session *s)
{
	static const struct store_flagset seen = { .sys = STORE_SEEN };
	struct store_changed	 changed;
	struct store_range	*v;
	enum store_result	 r = STORE_OK;
	size_t			 n;

	if (marks_ranges(s, s->retrieved, s->deleted, &v, &n) == -1)
		return STORE_NOMEM;
	if (n > 0)
		r = store_flags(s->view, v, n, STORE_FLAGS_ADD, &seen,
		    UINT64_MAX, true, &changed);
	free(v);
	return r;
}

static void
told_expunged(struct session *s)
{
	const struct store_range *v;
	const char		*box = s->folder;
	char			 more[4096];
	size_t			 n;

	v = store_view_touched(s->view, &n);
	snprintf(more, sizeof(more), "box=%s %s", log_quote(box, strlen(box)),
	    start_whose(&s->start));
	store_told(s->start.id, "expunged", s->start.account, s->uidvalidity,
	    v, n, more);
	log_flush();		/* before the front's that it is over */
}

/* The UPDATE state: what is marked goes, all of it or nothing. */
static void
cmd_quit(struct session *s, const struct args_given *given)
{
	struct store_range	*v = NULL;
	enum store_result	 r, seen;
	size_t			 n;

	s->quit = true;
	seen = command_seen(s);
	r = marks_ranges(s, s->deleted, NULL, &v, &n) == -1 ? STORE_NOMEM :
	    STORE_OK;
	if (r == STORE_OK && n > 0)
		r = store_expunge(s->view, v, n, true, NULL);
	if (r == STORE_OK && n > 0) {
		if ((r = store_commit(s->store)) == STORE_OK)
			told_expunged(s);
	} else if (seen == STORE_OK && s->retrieved != NULL)
		seen = store_commit(s->store);
	free(v);
	if (seen != STORE_OK)
		log_warnx("pop3-session: flags: %s", store_strerror(seen));
	frames_puts(s->io, r == STORE_OK ? "+OK Bye\r\n" :
	    "-ERR [SYS/TEMP] Some messages were not removed\r\n");
}
