/*
 * Commits of large messages, which wait until their file is on disk
 * (settle.c) before they join a group.  queue only.
 *
 * Nobody was promised anything meanwhile: what waits when smtpd goes is
 * dropped with its file.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define OCTETS_MAX	(64U << 20)	/* of all copies together */

struct waiting {
	TAILQ_ENTRY(waiting) entry;
	struct commit	 c;		/* points into text */
	struct settling	*settling;
	size_t		 octets;	/* of all this */
	struct env_rcpt	*rcpt;
	char		*text;
	size_t		 n;		/* of text so far */
};

static struct {
	TAILQ_HEAD(, waiting) list;
	size_t		 octets;
} wa = { .list = TAILQ_HEAD_INITIALIZER(wa.list) };

static struct waiting *waiting_new(const struct commit *);
static void	 waiting_free(struct waiting *);
static void	 on_settled(void *, int);

void
wait_add(struct commit *c)
{
	struct waiting *w;

	if (wa.octets >= OCTETS_MAX) {
		commit_refuse(c, QUEUE_FULL, "too many large messages");
		return;
	}
	w = waiting_new(c);
	wa.octets += w->octets;
	TAILQ_INSERT_TAIL(&wa.list, w, entry);
	w->settling = settle_sync(c->large, c->size + c->facts, on_settled,
	    w);
}

bool
wait_again(const struct msg_id *commit, struct chan *chan, uint32_t ask,
    uint64_t sent)
{
	struct waiting *w;

	TAILQ_FOREACH(w, &wa.list, entry)
		if (memcmp(&w->c.env.commit, commit, sizeof(*commit)) == 0) {
			w->c.chan = chan;
			w->c.ask = ask;
			w->c.sent = sent;
			return true;
		}
	return false;
}

void
wait_gone(const struct chan *chan)
{
	struct waiting *w, *next;

	for (w = TAILQ_FIRST(&wa.list); w != NULL; w = next) {
		next = TAILQ_NEXT(w, entry);
		if (w->c.chan != chan)
			continue;
		settle_stop(w->settling);
		settle_unlink(w->c.large);
		waiting_free(w);
	}
}

static void
on_settled(void *arg, int error)
{
	struct waiting *w = arg;
	bool full = error == ENOSPC || error == EDQUOT;

	if (error != 0) {
		errno = error;
		log_warn("spool large file");
		commit_refuse(&w->c, full ? QUEUE_FULL : QUEUE_IO,
		    full ? "no space in the queue" : "large file");
	} else
		commit_add(&w->c);
	waiting_free(w);
}

/* ---- a copy of a commit ------------------------------------------------ */

static struct slice
text_keep(struct waiting *w, struct slice s)
{
	char *p = w->text + w->n;

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	w->n += s.n;
	return slice_of(p, s.n);
}

static struct waiting *
waiting_new(const struct commit *c)
{
	struct waiting *w = xcalloc(1, sizeof(*w));
	struct envelope *e = &w->c.env;
	size_t n = c->env.sid.n + c->env.sender.n + c->env.folder.n +
	    c->env.trace.n + c->env.ticket.n, i;

	for (i = 0; i < c->nrcpt; i++)
		n += c->rcpt[i].address.n + c->rcpt[i].orig.n;
	w->octets = sizeof(*w) + c->nrcpt * sizeof(*w->rcpt) + n;
	w->rcpt = xcalloc(c->nrcpt, sizeof(*w->rcpt));
	w->text = xcalloc(1, n + 1);
	w->c = *c;
	w->c.rcpt = w->rcpt;
	e->sid = text_keep(w, c->env.sid);
	e->sender = text_keep(w, c->env.sender);
	e->folder = text_keep(w, c->env.folder);
	e->trace = text_keep(w, c->env.trace);
	e->ticket = text_keep(w, c->env.ticket);
	for (i = 0; i < c->nrcpt; i++) {
		w->rcpt[i] = c->rcpt[i];
		w->rcpt[i].address = text_keep(w, c->rcpt[i].address);
		w->rcpt[i].orig = text_keep(w, c->rcpt[i].orig);
	}
	return w;
}

static void
waiting_free(struct waiting *w)
{
	wa.octets -= w->octets;
	TAILQ_REMOVE(&wa.list, w, entry);
	free(w->rcpt);
	free(w->text);
	free(w);
}
