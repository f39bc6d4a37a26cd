/*
 * What a session waits for, and what smtpd asks its neighbours for it.  Every
 * answer comes in here: it finds the session, tells the function that waits
 * for it, and lets the session go on.  A question may outlive who asked it:
 * then the answer is for nobody, and what it brings is given back.
 */
#include "base/compat.h"

#include <stdlib.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "smtpd/smtpd.h"

/* On its way from chan_ask until the answer comes, or NULL in its place. */
struct question {
	struct session	*session;	/* NULL: forgotten */
	struct rcpt_slot *slot;		/* NULL: the session waits */
	answer_fn	 answer;
};

static struct question *question_new(struct session *, struct rcpt_slot *,
		    answer_fn);
static int	 question_send(struct question *, struct chan *,
		    enum msg_type, const void *, const int *,
		    unsigned int);
static void	 on_answer(struct chan *, struct msg *, void *);
static void	 answer_unwanted(struct chan *, const struct msg *);

void
session_state(struct session *s, enum smtp_state state)
{
	s->state = state;
	s->fresh = true;
}

int
session_ask(struct session *s, struct chan *c, enum msg_type type,
    const void *body, const int *fd, unsigned int timeout_ms, answer_fn fn)
{
	struct question *q;

	if ((q = question_new(s, NULL, fn)) == NULL ||
	    question_send(q, c, type, body, fd, timeout_ms) == -1)
		return -1;
	s->ask = q;
	session_state(s, SMTP_ANSWER);
	return 0;
}

int
slot_ask(struct session *s, struct rcpt_slot *slot, struct chan *c,
    enum msg_type type, const void *body, unsigned int timeout_ms,
    answer_fn fn)
{
	struct question *q;

	if ((q = question_new(s, slot, fn)) == NULL ||
	    question_send(q, c, type, body, NULL, timeout_ms) == -1)
		return -1;
	slot->ask = q;
	return 0;
}

void
question_forget(struct question **q)
{
	if (*q != NULL)
		(*q)->session = NULL;
	*q = NULL;
}

static struct question *
question_new(struct session *s, struct rcpt_slot *slot, answer_fn fn)
{
	struct question *q;

	if ((q = malloc(sizeof(*q))) != NULL)
		*q = (struct question){ s, slot, fn };
	return q;
}

/* -1: q is gone. */
static int
question_send(struct question *q, struct chan *c, enum msg_type type,
    const void *body, const int *fd, unsigned int timeout_ms)
{
	if (c != NULL && chan_ask(c, type, body, fd, fd != NULL ? 1 : 0,
	    timeout_ms, on_answer, q) != 0)
		return 0;
	free(q);
	return -1;
}

static void
on_answer(struct chan *c, struct msg *m, void *arg)
{
	struct question q = *(struct question *)arg;

	free(arg);
	if (q.session == NULL) {
		if (m != NULL)
			answer_unwanted(c, m);
		return;
	}
	if (q.slot != NULL)
		q.slot->ask = NULL;
	else
		q.session->ask = NULL;
	q.answer(q.session, m, q.slot);
	q.session->run(q.session);
}

/* It was for nobody: what it brings goes back. */
static void
answer_unwanted(struct chan *c, const struct msg *m)
{
	struct queue_drop_ev ev;

	if (m->type != QUEUE_FILE_R ||
	    m->body->queue_file_r.result != QUEUE_OK)
		return;
	ev.file = m->body->queue_file_r.file;
	chan_send(c, QUEUE_DROP_EV, &ev, NULL, 0);
}
