/*
 * The body hash of a submitted 8-bit message as hosts without 8BITMIME get
 * it (parse/downgrade.h), for a signature that is right there too: signd
 * signs no other body than those it had the hash of at submission.  The stored
 * message is gone through twice, so much a turn.  Mail without octets above
 * 127 pays nothing.
 */
#include "base/compat.h"

#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/slice.h"
#include "parse/downgrade.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define TURN		(256 * 1024)	/* octets of the message */

struct seven {
	struct event	 next;
	struct session	*session;
	void		(*done)(struct session *);
	struct downgrade *d;
	uint64_t	 off;
	bool		 looked;
};

static struct downgrade *seven_open(const struct mail *);
static bool	 seven_turn(struct mail *, struct seven *);
static int	 seven_slice(struct mail *, struct seven *, size_t);
static bool	 seven_pass(struct mail *, struct seven *);
static void	 on_next(evutil_socket_t, short, void *);
static void	 skip(void *, const char *, size_t);
static void	 hash(void *, const char *, size_t);

void
seven_start(struct session *s, void (*done)(struct session *))
{
	struct mail *m = s->mail;
	struct seven *v = calloc(1, sizeof(*v));

	if (v == NULL || (v->d = seven_open(m)) == NULL) {
		free(v);
		done(s);
		return;
	}
	v->session = s;
	v->done = done;
	event_assign(&v->next, smtpd()->base, -1, 0, on_next, v);
	m->seven = v;
	if (seven_turn(m, v)) {
		session_state(s, SMTP_ANSWER);
		event_active(&v->next, 0, 0);
		return;
	}
	seven_free(m);
	done(s);
}

void
seven_free(struct mail *m)
{
	struct seven *v = m->seven;

	if (v == NULL)
		return;
	event_del(&v->next);
	downgrade_free(v->d);
	free(v);
	m->seven = NULL;
}

/* NULL: there is no way, and no such hash. */
static struct downgrade *
seven_open(const struct mail *m)
{
	struct downgrade *d;
	char *facts = malloc(m->facts);

	if (facts == NULL)
		return NULL;
	d = store_read_at(m, m->size, facts, m->facts) == -1 ? NULL :
	    downgrade_new(facts, m->facts);
	free(facts);
	return d;
}

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct seven *v = arg;
	struct session *s = v->session;
	void (*done)(struct session *) = v->done;

	if (seven_turn(s->mail, v)) {
		event_active(&v->next, 0, 0);
		return;
	}
	seven_free(s->mail);
	done(s);
	s->run(s);
}

/* False: that was all, and m->bodyhash7 is there if it can be. */
static bool
seven_turn(struct mail *m, struct seven *v)
{
	size_t n, left = TURN;

	for (;;) {
		n = m->size - v->off < SMTP_BUFFER ?
		    (size_t)(m->size - v->off) : SMTP_BUFFER;
		if (n > left)
			return true;
		left -= n;
		if (seven_slice(m, v, n) == -1)
			return false;
		if (v->off == m->size && !seven_pass(m, v))
			return false;
	}
}

static int
seven_slice(struct mail *m, struct seven *v, size_t n)
{
	const struct downgrade_out to = { skip, hash, m->body };
	static char buf[SMTP_BUFFER];

	if (store_read_at(m, v->off, buf, n) == -1)
		return -1;
	v->off += n;
	return v->looked ? downgrade_feed(v->d, buf, n, &to) :
	    downgrade_look(v->d, buf, n);
}

/* A pass is over: is there another one? */
static bool
seven_pass(struct mail *m, struct seven *v)
{
	if (v->looked) {
		m->has7 = dkim_body_end(m->body, m->bodyhash7.b, NULL) == 0;
		return false;
	}
	v->looked = true;
	v->off = 0;
	dkim_body_reset(m->body);	/* its own hash is in m->bodyhash */
	return downgrade_looked(v->d) == DOWNGRADE_YES;
}

static void
skip(void *arg, const char *p, size_t n)
{
}

static void
hash(void *arg, const char *p, size_t n)
{
	dkim_body_feed(arg, p, n);
}
