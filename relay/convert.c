/*
 * A message as a host without 8BITMIME gets it (parse/downgrade.h): looked
 * through once to see whether that can be, once more for its size and its
 * head, which signd-dkim signs in this form, and then as often as a host of
 * that kind is sent it.  Called by transaction.c; a slice a turn, so that
 * others go on.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/downgrade.h"
#include "parse/mime.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

#define SLICE		(64 * 1024)	/* octets of the message a turn */

struct convert {
	struct event	 next;
	enum convert_state state;
	struct downgrade *d;
	bool		 looked;
	uint64_t	 off;
	uint64_t	 size;		/* of the result */
	char		*head;		/* of it */
	size_t		 nhead, caphead;
	char		*signature;
	size_t		 nsignature;
};

static enum convert_state convert_open(const struct message *,
		    struct downgrade **);
static bool	 convert_slice(struct message *, struct convert *);
static void	 convert_looked(struct convert *);
static void	 on_next(evutil_socket_t, short, void *);
static void	 count_header(void *, const char *, size_t);
static void	 count_body(void *, const char *, size_t);

void
convert_start(struct message *m)
{
	struct convert *c = xcalloc(1, sizeof(*c));

	m->convert = c;
	event_assign(&c->next, proc_base(), -1, 0, on_next, m);
	c->state = convert_open(m, &c->d);
	if (c->state == CONVERT_BUSY)
		event_active(&c->next, EV_TIMEOUT, 0);
}

enum convert_state
convert_state(const struct message *m)
{
	return m->convert == NULL ? CONVERT_OPEN : m->convert->state;
}

void
convert_free(struct message *m)
{
	struct convert *c = m->convert;

	if (c == NULL)
		return;
	event_del(&c->next);
	downgrade_free(c->d);
	free(c->head);
	free(c->signature);
	free(c);
	m->convert = NULL;
}

void
convert_end(struct message *m, enum convert_state state, struct slice sig)
{
	struct convert *c = m->convert;

	c->state = state;
	free(c->signature);
	c->signature = xstrndup(sig.p, sig.n);
	c->nsignature = sig.n;
	free(c->head);
	c->head = NULL;
	c->nhead = 0;
}

struct slice
convert_head(const struct message *m)
{
	return slice_of(m->convert->head, m->convert->nhead);
}

struct slice
convert_signature(const struct message *m)
{
	return slice_of(m->convert->signature, m->convert->nsignature);
}

uint64_t
convert_size(const struct message *m)
{
	return m->convert->size;
}

void
convert_again(struct message *m)
{
	downgrade_rewind(m->convert->d);
}

int
convert_feed(struct message *m, const char *p, size_t n,
    const struct downgrade_out *to)
{
	return downgrade_feed(m->convert->d, p, n, to);
}

/* BUSY: *d begins; NO: its facts are not there, or are none; LATER: they
 * cannot be read now. */
static enum convert_state
convert_open(const struct message *m, struct downgrade **d)
{
	char *facts;

	if (m->facts == 0 || m->facts > FACTS_MAX)
		return CONVERT_NO;
	facts = xcalloc(1, m->facts);
	if (pread_all(m->fd, facts, m->facts, (off_t)(m->offset + m->size)) ==
	    -1) {
		log_warnx("%s unread why=\"%s\"", m->sid,
		    strerror(errno));
		free(facts);
		return CONVERT_LATER;
	}
	*d = downgrade_new(facts, m->facts);
	free(facts);
	return *d != NULL && downgrade_size(*d) == m->size ? CONVERT_BUSY :
	    CONVERT_NO;
}

static void
on_next(evutil_socket_t fd, short what, void *arg)
{
	struct message *m = arg;
	struct convert *c = m->convert;

	if (convert_slice(m, c))
		event_active(&c->next, EV_TIMEOUT, 0);
	else
		m->converted(m);
}

/* False: c->state tells how it is, BUSY: it is ready but for a signature. */
static bool
convert_slice(struct message *m, struct convert *c)
{
	const struct downgrade_out to = { count_header, count_body, c };
	static char block[SLICE];
	size_t n = m->size - c->off < SLICE ? (size_t)(m->size - c->off) :
	    SLICE;

	if (pread_all(m->fd, block, n, (off_t)(m->offset + c->off)) == -1 ||
	    (c->looked ? downgrade_feed(c->d, block, n, &to) :
	    downgrade_look(c->d, block, n)) == -1) {
		log_warnx("%s unread why=\"%s\"", m->sid,
		    strerror(errno));
		c->state = CONVERT_LATER;
		return false;
	}
	c->off += n;
	if (c->off < m->size)
		return true;
	if (c->looked)
		return false;
	convert_looked(c);
	return c->state == CONVERT_BUSY;
}

static void
convert_looked(struct convert *c)
{
	c->looked = true;
	c->off = 0;
	switch (downgrade_looked(c->d)) {
	case DOWNGRADE_NEEDLESS:
		c->state = CONVERT_NEEDLESS;
		break;
	case DOWNGRADE_NO:
		c->state = CONVERT_NO;
		break;
	case DOWNGRADE_YES:
		break;
	}
}

static void
count_header(void *arg, const char *p, size_t n)
{
	struct convert *c = arg;

	c->size += n;
	if (n > c->caphead - c->nhead) {
		c->caphead = 2 * (c->nhead + n);
		c->head = xreallocarray(c->head, c->caphead, 1);
	}
	memcpy(c->head + c->nhead, p, n);
	c->nhead += n;
}

static void
count_body(void *arg, const char *p, size_t n)
{
	struct convert *c = arg;

	c->size += n;
}
