/*
 * What the operator asks of the queue: list, show, flush, remove, hold and
 * release, of the messages and recipients that are selected
 * (select.c).  The queue is gone through in turns (walk.c), so
 * others go on; changes are on disk before the answer.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/header.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "queue/queue.h"
#include "queue/select.h"

#define TURN_ROWS	200		/* rows of a list in one turn */
#define ROW_US		50		/* mailctl has to take them */

enum verb { VERB_LIST, VERB_SHOW, VERB_FLUSH, VERB_HOLD, VERB_RELEASE,
	VERB_REMOVE };

static const struct {
	const char	*name;
	bool		 alone;		/* without a selector: everything */
	bool		 changes;	/* messages, and tells how many */
} verbs[] = {
	[VERB_LIST] =		{ "list", true, false },
	[VERB_SHOW] =		{ "show", false, false },
	[VERB_FLUSH] =		{ "flush", true, true },
	[VERB_HOLD] =		{ "hold", false, true },
	[VERB_RELEASE] =	{ "release", false, true },
	[VERB_REMOVE] =		{ "remove", false, true },
};

static const char usage[] = "usage: queue list [SELECT] | show ID | "
    "flush [SELECT|DOMAIN] | hold|release|remove SELECT|all; "
    "SELECT: [ID ...] [--from ADDRESS] [--to ADDRESS] [--domain DOMAIN] "
    "[--account ADDRESS|NUMBER]";

struct command {
	uint32_t	 ask;
	enum verb	 verb;
	struct selection sel;
	struct walk	 walk;
	bool		 kept;		/* the walk is the second one */
	unsigned int	 nextid;	/* of sel.id */
	unsigned int	 rows;		/* of this turn */
	unsigned long long messages, rcpts;
	unsigned long long active;	/* under way: not changed now */
	bool		 walks;		/* for what is no queue id */
	bool		 shown;		/* and answered so */
	struct event	*ev;
};

static int	 verb_find(struct slice);
static const char *command_check(struct command *);
static void	 command_begin(struct command *);
static void	 on_account(void *, enum dir_result, uint32_t);
static void	 on_turn(evutil_socket_t, short, void *);
static bool	 ids_turn(struct command *);
static void	 command_end(struct command *);
static void	 command_free(struct command *);
static void	 missing_print(const struct selection *, char *, size_t);
static bool	 take_walked(struct message *, void *);
static bool	 take_message(struct message *, struct command *);
static bool	 take_kept(const struct segment *, const struct newer *,
		    void *);
static bool	 take_list(struct command *, struct message *);
static void	 row_rcpt(struct row *, const struct message *,
		    const struct rcpt *);
static void	 show(struct command *, struct message *);
static unsigned int change_message(struct command *, struct message *);

void
control_run(uint32_t ask, uint32_t uid, struct slice args)
{
	struct command *c = xcalloc(1, sizeof(*c));
	struct item_arg noun, word;
	const char *why = usage;
	size_t off = 0;
	int v = -1;

	c->ask = ask;
	if (item_arg_get(args, &off, &noun) == 1 &&
	    item_arg_get(args, &off, &word) == 1 &&
	    (v = verb_find(word.text)) != -1) {
		c->verb = (enum verb)v;
		if ((why = selection_parse(&c->sel, args, off)) == NULL)
			why = command_check(c);
	}
	if (why != NULL) {
		proc_done(ask, EX_USAGE, "%s%s%s", why == usage ? "" : why,
		    why == usage ? "" : "; ", usage);
		command_free(c);
	} else if (c->sel.account_name == NULL || c->sel.account_known)
		command_begin(c);
	else
		post_account(c->sel.account_name, on_account, c);
}

static int
verb_find(struct slice word)
{
	size_t i;

	for (i = 0; i < NITEMS(verbs); i++)
		if (slice_is(word, verbs[i].name))
			return (int)i;
	return -1;
}

/* A word of flush that is no id is a domain. */
static const char *
command_check(struct command *c)
{
	struct selection *s = &c->sel;

	if (c->verb == VERB_SHOW)
		return s->nid != 1 || selection_narrows(s) ? usage : NULL;
	if (c->verb == VERB_FLUSH && s->nid == 1 && s->domain == NULL &&
	    !message_is_id(s->id[0])) {
		s->domain = s->id[0];
		s->nid = 0;
	}
	if (!verbs[c->verb].alone && s->nid == 0 && !s->all &&
	    !selection_narrows(s))
		return "it has to be said which";
	return NULL;
}

/* ---- its way ----------------------------------------------------------- */

static void
on_account(void *arg, enum dir_result r, uint32_t account)
{
	struct command *c = arg;

	if (r == DIR_OK) {
		c->sel.account = account;
		command_begin(c);
		return;
	}
	if (r == DIR_UNKNOWN)
		proc_done(c->ask, EX_NOUSER, "%s is not an account",
		    c->sel.account_name);
	else
		proc_done(c->ask, EX_TEMPFAIL, "authd does not tell the "
		    "account of %s now; its number (account list) does as "
		    "well", c->sel.account_name);
	command_free(c);
}

static void
command_begin(struct command *c)
{
	if ((c->ev = event_new(proc_base(), -1, 0, on_turn, c)) == NULL)
		fatalx("event_new");
	event_active(c->ev, 0, 0);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = { 0, 0 };
	struct command *c = arg;
	bool full = proc_main() != NULL && chan_full(proc_main()), more = true;

	c->rows = 0;
	if (verbs[c->verb].changes)
		commit_run();		/* no message is being copied then */
	if (!full && c->kept)
		more = walk_kept(&c->walk, take_kept, c);
	else if (!full)
		more = ids_turn(c) || ((c->sel.nid == 0 || c->walks) &&
		    walk_turn(&c->walk, take_walked, c));
	if (c->shown) {
		command_free(c);
		return;
	}
	if (!more && c->verb == VERB_LIST && !c->kept && c->sel.nid == 0 &&
	    !selection_narrows(&c->sel)) {
		c->kept = more = true;
		c->walk = (struct walk){ 0 };
	}
	if (!more) {
		command_end(c);
		return;
	}
	qlog_write();		/* what fails is kept, and tried again */
	tv.tv_usec = full ? 10000 : c->rows * ROW_US;
	event_add(c->ev, &tv);
}

/* The messages that were named by their queue ids; false: that was all. */
static bool
ids_turn(struct command *c)
{
	struct message *m;
	unsigned int i;

	while (c->nextid < c->sel.nid) {
		i = c->nextid++;
		m = message_find(c->sel.id[i]);
		c->sel.found[i] = m != NULL;
		c->walks = c->walks || m == NULL;
		if (m != NULL && !take_message(m, c))
			return true;
	}
	return false;
}

/* Those ids that nothing has, a blank before each; "": none. */
static void
missing_print(const struct selection *s, char *buf, size_t size)
{
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < s->nid; i++)
		if (!s->found[i] && !s->named[i]) {
			strlcat(buf, " ", size);
			strlcat(buf, log_text(s->id[i], strlen(s->id[i])),
			    size);
		}
}

static void
command_end(struct command *c)
{
	struct row row = { .n = 0 };
	char missing[256];

	missing_print(&c->sel, missing, sizeof(missing));
	if (verbs[c->verb].changes && qlog_sync() == -1) {
		proc_done(c->ask, EX_IOERR, "queue.log cannot be written");
		command_free(c);
		return;
	}
	if (verbs[c->verb].changes) {
		row_num(&row, "messages", (long long)c->messages);
		row_num(&row, "recipients", (long long)c->rcpts);
		row_num(&row, "active", (long long)c->active);
		proc_row(c->ask, &row);
	}
	if (c->verb == VERB_SHOW)
		proc_done(c->ask, EX_NOINPUT, "no message%s", missing);
	else if (missing[0] != '\0')
		proc_done(c->ask, EX_NOINPUT, "no message%s; %llu messages, "
		    "%llu recipients", missing, c->messages, c->rcpts);
	else if (c->verb == VERB_LIST)
		proc_done(c->ask, EX_OK, "%llu messages, %llu recipients",
		    c->messages, c->rcpts);
	else
		proc_done(c->ask, EX_OK, "%s", "");
	command_free(c);
}

static void
command_free(struct command *c)
{
	if (c->ev != NULL)
		event_free(c->ev);
	selection_free(&c->sel);
	free(c);
}

static bool
take_walked(struct message *m, void *arg)
{
	struct command *c = arg;

	return (c->sel.nid > 0 && !selection_named(&c->sel, m)) ||
	    take_message(m, c);
}

/* false: no more in this turn. */
static bool
take_message(struct message *m, struct command *c)
{
	unsigned int n;

	if (!selection_message(&c->sel, m))
		return true;
	if (c->verb == VERB_SHOW) {
		show(c, m);
		return false;
	}
	if (c->verb == VERB_LIST)
		return take_list(c, m);
	n = change_message(c, m);
	c->rcpts += n;
	c->messages += n > 0;
	return true;
}

/* ---- list, show ------------------------------------------------------- */

static bool
take_list(struct command *c, struct message *m)
{
	struct row row;
	unsigned int i, n = 0;

	for (i = 0; i < m->nrcpt; i++) {
		if (m->rcpt[i].state == RCPT_DONE ||
		    !selection_rcpt(&c->sel, m, &m->rcpt[i]))
			continue;
		row.n = 0;
		row_rcpt(&row, m, &m->rcpt[i]);
		proc_row(c->ask, &row);
		n++;
	}
	c->rcpts += n;
	c->messages += n > 0;
	c->rows += n;
	return c->rows < TURN_ROWS;
}

/* Who it is from and for is not known, or not for us to judge. */
static bool
take_kept(const struct segment *s, const struct newer *w, void *arg)
{
	static const char *const names[] = {
		[NEWER_FRAME] = "flags of the frame",
		[NEWER_ENVELOPE] = "envelope", [NEWER_TICKET] = "ticket",
		[NEWER_RECORD] = "log record"
	};
	struct command *c = arg;
	struct row row = { .n = 0 };
	char id[MSG_ID_TEXT], why[80];

	snprintf(id, sizeof(id), "seg/%u", s->file);
	snprintf(why, sizeof(why), "%s", s->err == ENOTSUP ?
	    "header of a newer release" : strerror(s->err));
	if (w != NULL) {
		queue_id(s->seq, w->no, id);
		snprintf(why, sizeof(why), "%s %u of a newer release",
		    names[w->what], w->version);
	}
	row_str(&row, "id", slice_str(id));
	row_str(&row, "mid", slice_str(""));
	row_str(&row, "sender", slice_str(""));
	row_num(&row, "account", 0);
	row_str(&row, "recipient", slice_str(""));
	row_str(&row, "state", slice_str(w != NULL || s->err == ENOTSUP ?
	    "newer" : "unreadable"));
	row_num(&row, "next", 0);
	row_num(&row, "attempts", 0);
	row_num(&row, "age", 0);
	row_num(&row, "size", w == NULL ? 0 : (long long)w->size);
	row_str(&row, "error", slice_str(why));
	proc_row(c->ask, &row);
	return ++c->rows < TURN_ROWS;
}

static const char *
state_name(const struct rcpt *r)
{
	switch ((enum rcpt_state)r->state) {
	case RCPT_WAIT:
		return r->attempts > 0 ? "deferred" : "waiting";
	case RCPT_READY:
		return "ready";
	case RCPT_SENT:
		return "active";
	case RCPT_HELD:
		return "held";
	case RCPT_FAILED:
	case RCPT_BOUNCING:
		return "bouncing";
	case RCPT_DONE:
		break;
	}
	return "done";
}

static void
row_rcpt(struct row *row, const struct message *m, const struct rcpt *r)
{
	char id[MSG_ID_TEXT];
	uint64_t now = clock_now();

	message_id(m, id);
	row_str(row, "id", slice_str(id));
	row_str(row, "mid", slice_str(message_sid(m)));
	row_str(row, "sender", slice_str(message_sender(m)));
	row_num(row, "account", m->account);
	row_str(row, "recipient", slice_str(rcpt_address(m, r)));
	row_str(row, "state", slice_str(state_name(r)));
	row_num(row, "next", r->state == RCPT_WAIT && r->next > now ?
	    (long long)(r->next - now) : 0);
	row_num(row, "attempts", r->attempts);
	row_num(row, "age", (long long)(now - m->received));
	row_num(row, "size", (long long)m->hdr.size);
	row_str(row, "error", slice_str(rcpt_error(r)));
}

/* The envelope, then the header of the message: the whole answer. */
static void
show(struct command *c, struct message *m)
{
	struct envelope e;
	struct row row;
	static char head[8192];
	size_t n;
	unsigned int i;
	int fd;

	c->shown = true;
	for (i = 0; i < m->nrcpt; i++) {
		row.n = 0;
		row_rcpt(&row, m, &m->rcpt[i]);
		proc_row(c->ask, &row);
	}
	if ((fd = message_fd(m)) == -1 || message_envelope(m, &e) == -1) {
		proc_done(c->ask, EX_IOERR, "%s: queue file %s%s",
		    c->sel.id[0], is_damage(errno) ? "damaged" :
		    "cannot be read now: ", is_damage(errno) ? "" :
		    strerror(errno));
		return;
	}
	n = m->hdr.size < 3072 ? (size_t)m->hdr.size : 3072;
	if (pread_all(fd, head, n, 0) == -1)
		n = 0;
	message_used(m);
	n = header_len(head, n);
	proc_done(c->ask, EX_OK, "%.*s%.*s", (int)(e.trace.n > 900 ? 900 :
	    e.trace.n), e.trace.p, (int)n, head);
}

/* ---- changes ---------------------------------------------------------- */

static bool
change_rcpt(struct message *m, unsigned int i, enum verb verb)
{
	struct rcpt *r = &m->rcpt[i];

	switch (verb) {
	case VERB_FLUSH:
		if (r->state != RCPT_WAIT)
			return false;
		r->next = 0;
		return true;
	case VERB_HOLD:
		return hold_rcpt(m, i);
	case VERB_RELEASE:
		return hold_end(m, i);
	case VERB_REMOVE:
		if (r->state != RCPT_WAIT && r->state != RCPT_READY &&
		    r->state != RCPT_HELD)
			return false;
		result_done(m, i);
		return true;
	case VERB_LIST:
	case VERB_SHOW:
		break;
	}
	return false;
}

/* How many recipients; m may be gone afterwards. */
static unsigned int
change_message(struct command *c, struct message *m)
{
	unsigned int i, n = 0;

	for (i = 0; i < m->nrcpt; i++) {
		if (!selection_rcpt(&c->sel, m, &m->rcpt[i]))
			continue;
		if (change_rcpt(m, i, c->verb))
			n++;
		else if (m->rcpt[i].state == RCPT_SENT)
			c->active++;
	}
	if (n == 0)
		return 0;
	message_changed(m, verbs[c->verb].name, n, "the operator");
	result_end(m);
	return n;
}
