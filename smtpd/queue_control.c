/*
 * What the operator asks of the queue: list, show, flush, remove, hold and
 * release.  Changes are on disk before the answer.  A long list goes out
 * piece by piece, as maild takes it.
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "log.h"
#include "proc.h"
#include "util.h"
#include "queue.h"

#define EX_USAGE_	64		/* sysexits */
#define EX_NOTFOUND	66
#define EX_IO		74
#define TURN_ROWS	200		/* rows of a list in one turn */
#define ARGS_MAX	4

struct listing {
	uint32_t	 ask;
	uint64_t	 seq;		/* goes on behind this frame */
	uint32_t	 no;
	bool		 begun;
	unsigned long long messages, rows;
	struct event	*ev;
};

struct change {
	const char	*verb;
	const char	*by;
	char		*what;		/* id, domain, "all" or NULL */
	unsigned int	 n;
};

static void	 list_begin(uint32_t);
static void	 list_go(evutil_socket_t, short, void *);
static unsigned int list_message(struct listing *, struct message *);
static void	 row_rcpt(struct row *, const struct message *,
		    const struct rcpt *);
static void	 show(uint32_t, const char *);
static void	 change(uint32_t, const char *, const char *);
static bool	 change_one(struct message *, void *);
static bool	 is_domain_of(const struct message *, const struct rcpt *,
		    const char *);

void
control_run(uint32_t ask, uint32_t uid, struct slice args)
{
	static char arg[ARGS_MAX][512];
	struct item_arg it;
	size_t off = 0, n;

	for (n = 0; n < ARGS_MAX && item_arg_get(args, &off, &it) == 1; n++)
		if (slice_cpy(it.text, arg[n], sizeof(arg[n])) == -1)
			break;
	if (n == 2 && strcmp(arg[1], "list") == 0)
		list_begin(ask);
	else if (n == 3 && strcmp(arg[1], "show") == 0)
		show(ask, arg[2]);
	else if ((n == 2 || n == 3) && strcmp(arg[1], "flush") == 0)
		change(ask, arg[1], n == 3 ? arg[2] : "all");
	else if (n == 3 && (strcmp(arg[1], "remove") == 0 ||
	    strcmp(arg[1], "hold") == 0 || strcmp(arg[1], "release") == 0))
		change(ask, arg[1], arg[2]);
	else
		proc_done(ask, EX_USAGE_, "usage: queue list | show ID | flush "
		    "[ID|DOMAIN] | remove ID|all | hold ID|all | "
		    "release ID|all");
}

/* ---- list, show ------------------------------------------------------- */

static void
list_begin(uint32_t ask)
{
	struct listing *l = xcalloc(1, sizeof(*l));

	l->ask = ask;
	if ((l->ev = event_new(proc_base(), -1, 0, list_go, l)) == NULL)
		fatalx("event_new");
	event_active(l->ev, 0, 0);
}

/* The next messages; segments keep their order, so the place is found
 * again. */
static void
list_go(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, 10000 };
	struct listing *l = arg;
	struct segment *s;
	unsigned int rows = 0;
	uint32_t i;

	TAILQ_FOREACH(s, spool_segments(), entry) {
		if (s->state == SEG_SPARE || (l->begun && s->seq < l->seq))
			continue;
		i = l->begun && s->seq == l->seq ? l->no + 1 : 0;
		for (; i < s->nslot; i++) {
			if (s->slot[i].m == NULL)
				continue;
			rows += list_message(l, s->slot[i].m);
			l->begun = true;
			l->seq = s->seq;
			l->no = i;
			if (rows >= TURN_ROWS || (proc_main() != NULL &&
			    chan_full(proc_main()))) {
				event_add(l->ev, &soon);
				return;
			}
		}
	}
	proc_done(l->ask, 0, "%llu messages, %llu recipients", l->messages,
	    l->rows);
	event_free(l->ev);
	free(l);
}

static unsigned int
list_message(struct listing *l, struct message *m)
{
	struct row row;
	unsigned int i, n = 0;

	for (i = 0; i < m->nrcpt; i++) {
		if (m->rcpt[i].state == RCPT_DONE)
			continue;
		row.n = 0;
		row_rcpt(&row, m, &m->rcpt[i]);
		proc_row(l->ask, &row);
		n++;
	}
	l->rows += n;
	if (n > 0)
		l->messages++;
	return n;
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
	uint64_t now = now_sec();

	message_id(m, id);
	row_str(row, "id", slice_str(id));
	row_str(row, "sid", slice_str(message_sid(m)));
	row_str(row, "sender", slice_str(message_sender(m)));
	row_str(row, "recipient", slice_str(rcpt_address(m, r)));
	row_str(row, "state", slice_str(state_name(r)));
	row_num(row, "next", r->state == RCPT_WAIT && r->next > now ?
	    (long long)(r->next - now) : 0);
	row_num(row, "attempts", r->attempts);
	row_num(row, "age", (long long)(now - m->received));
	row_num(row, "size", (long long)m->hdr.size);
	row_str(row, "error", slice_str(r->error == NULL ? "" : r->error));
}

/* The envelope, then the header of the message. */
static void
show(uint32_t ask, const char *id)
{
	struct message *m = message_find(id);
	struct envelope e;
	struct row row = { .n = 0 };
	static char head[8192];
	size_t n;
	unsigned int i;
	int fd;

	if (m == NULL) {
		proc_done(ask, EX_NOTFOUND, "no message %s", id);
		return;
	}
	for (i = 0; i < m->nrcpt; i++) {
		row.n = 0;
		row_rcpt(&row, m, &m->rcpt[i]);
		proc_row(ask, &row);
	}
	if ((fd = message_fd(m)) == -1 || message_envelope(m, &e) == -1) {
		proc_done(ask, EX_IO, "%s: queue file damaged", id);
		return;
	}
	n = m->hdr.size < 3072 ? (size_t)m->hdr.size : 3072;
	if (pread_all(fd, head, n, 0) == -1)
		n = 0;
	if (m->nwait == 0)
		message_release(m);
	n = header_len(head, n);
	proc_done(ask, 0, "%.*s%.*s", (int)(e.trace.n > 900 ? 900 :
	    e.trace.n), e.trace.p, (int)n, head);
}

/* ---- changes ---------------------------------------------------------- */

static void
change(uint32_t ask, const char *verb, const char *what)
{
	struct change c = { .verb = verb, .by = "the operator" };
	struct message *m = message_find(what);

	c.what = m == NULL && strcmp(what, "all") != 0 ? xstrdup(what) : NULL;
	if (c.what != NULL && strcmp(verb, "flush") != 0) {
		proc_done(ask, EX_NOTFOUND, "no message %s", what);
		free(c.what);
		return;
	}
	if (m != NULL)
		change_one(m, &c);
	else
		schedule_each(change_one, &c);
	free(c.what);
	if (qlog_sync() == -1)
		proc_done(ask, EX_IO, "queue.log cannot be written");
	else
		proc_done(ask, 0, "%u recipients", c.n);
}

static void
note(struct message *m, unsigned int i, enum log_type type)
{
	qlog_add(&(struct log_rec){ .type = type, .seg = m->seg->id,
	    .no = m->no, .rcpt = (uint16_t)i });
}

static bool
change_rcpt(struct message *m, unsigned int i, const struct change *c)
{
	struct rcpt *r = &m->rcpt[i];
	bool waits = r->state == RCPT_WAIT || r->state == RCPT_READY;

	switch (c->verb[0]) {
	case 'f':			/* flush */
		if (r->state != RCPT_WAIT || (c->what != NULL &&
		    !is_domain_of(m, r, c->what)))
			return false;
		r->next = 0;
		return true;
	case 'r':
		if (strcmp(c->verb, "remove") == 0) {
			if (!waits && r->state != RCPT_HELD)
				return false;
			result_done(m, i);
			return true;
		}
		if (r->state != RCPT_HELD)
			return false;
		r->state = RCPT_WAIT;
		r->next = 0;
		m->hold = 0;
		note(m, i, LOG_RELEASED);
		return true;
	case 'h':			/* hold */
		if (!waits)
			return false;
		r->state = RCPT_HELD;
		note(m, i, LOG_HELD);
		return true;
	}
	return false;
}

static bool
change_one(struct message *m, void *arg)
{
	struct change *c = arg;
	unsigned int i, n = 0;
	char id[MSG_ID_TEXT];

	for (i = 0; i < m->nrcpt && !m->copying; i++)
		n += change_rcpt(m, i, c);
	if (n == 0)
		return true;
	c->n += n;
	message_id(m, id);
	log_notice("%s %s id=%s recipients=%u by %s",
	    message_sid(m), c->verb, id, n, c->by);
	result_end(m);
	return true;
}

unsigned int
control_hold(struct message *m)
{
	struct change c = { .verb = "hold", .by = "authd: the account may "
	    "send no more" };
	unsigned int i;

	m->hold = 0;
	for (i = 0; i < m->nrcpt; i++)
		if (m->rcpt[i].state == RCPT_SENT)
			m->hold = 1;
	change_one(m, &c);
	return c.n;
}

static bool
is_domain_of(const struct message *m, const struct rcpt *r, const char *domain)
{
	const char *at = strrchr(rcpt_address(m, r), '@');

	return at != NULL && slice_caseis(slice_str(at + 1), domain);
}
