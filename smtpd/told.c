/*
 * What the log is told of sessions and messages: who connected, what was
 * taken, what was refused.  One line each, the words of maild(8).  What the
 * client chose stands last, so that where a line is cut nothing of ours is
 * missing.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/login.h"
#include "smtpd/smtpd.h"

#define LINE_ROOM	1500	/* octets of recipients in a line */
#define ONE_ROOM	800	/* of the only one, in the message's line */
#define BECAME_MAX	8	/* addresses that one became, named */
#define BECAME_WORDS	40	/* octets around one of them, and of ",+N" */

static const char *who(const struct session *);
static const char *wanted(const struct session *);
static size_t	 one_put(const struct mail *, char *);
static size_t	 rcpt_put(char *, size_t, const struct item_rcpt *, bool);

void
told_connect(struct session *s)
{
	char peer[46];

	if (s->told)
		return;
	s->told = true;
	log_info("%s connect peer=%s protocol=%s tls=%s helo=%s", s->sid,
	    conn_text(&s->conn.peer, peer), conf_protocol_name(s->proto),
	    s->tls ? s->cipher : "none", log_text(s->helo, strlen(s->helo)));
}

void
told_login(struct session *s, const struct auth_step_r *r)
{
	struct login l = { s->id, &s->conn.peer, s->proto, r->user,
	    r->account };

	told_connect(s);
	login_log(&l, (enum auth_result)r->result,
	    s->tls ? s->cipher : "none", r->wait_ms);
}

void
told_logout(const struct session *s)
{
	struct login l = { s->id, &s->conn.peer, s->proto,
	    slice_str(s->user), s->account };

	if (s->authed)
		logout_log(&l, now_sec_coarse() - s->began);
}

/* " user=<> account=" of one who is logged in. */
static const char *
who(const struct session *s)
{
	static char text[LOG_WORD_MAX * 4 + 64];

	text[0] = '\0';
	if (s->authed)
		snprintf(text, sizeof(text), " user=<%s> account=%u",
		    log_text(s->user, strlen(s->user)), s->account);
	return text;
}

/* " sender=<> rcpts= to=<> helo= msgid=": what the client wants. */
static const char *
wanted(const struct session *s)
{
	static char text[LOG_LINE_MAX + ONE_ROOM];
	const struct mail *m = s->mail;
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), " sender=<%s> rcpts=%u",
	    log_text(m->sender, strlen(m->sender)), m->nrcpt);
	n += one_put(m, text + n);
	snprintf(text + n, sizeof(text) - n, " helo=%s%s%s",
	    log_text(s->helo, strlen(s->helo)),
	    m->msgid[0] != '\0' ? " msgid=" : "",
	    log_text(m->msgid, strlen(m->msgid)));
	return text;
}

/* Is it its only route, under the name that it was given? */
static bool
is_itself(const struct item_rcpt *r)
{
	struct item_route route;
	size_t off = 0;

	return item_route_get(r->routes, &off, &route) == 1 &&
	    off == r->routes.n && slice_caseeq(route.address, r->address);
}

/* " to=<as it was given> became=<..>,<..>"; the octets put, 0: no room.  In
 * LINE_ROOM there is always room, for fewer of what it became if need be. */
static size_t
rcpt_put(char *p, size_t size, const struct item_rcpt *r, bool whole)
{
	struct item_route route;
	size_t off = 0, left = 0, shown = 0, n;
	const char *to;

	n = (size_t)snprintf(p, size, " to=<%s>", log_text(r->address.p,
	    r->address.n));
	while (n < size && !is_itself(r) &&
	    item_route_get(r->routes, &off, &route) == 1) {
		to = log_text(route.address.p, route.address.n);
		if (left > 0 || shown == BECAME_MAX || (!whole &&
		    n + strlen(to) + BECAME_WORDS >= size)) {
			left++;
			continue;
		}
		n += (size_t)snprintf(p + n, size - n, "%s<%s>",
		    shown++ == 0 ? " became=" : ",", to);
	}
	if (left > 0 && n < size)
		n += (size_t)snprintf(p + n, size - n, "%s+%zu",
		    shown == 0 ? " became=" : ",", left);
	if (n < size)
		return n;
	p[0] = '\0';
	return 0;
}

/* The only one there is, if ONE_ROOM is enough for all of it; the octets put. */
static size_t
one_put(const struct mail *m, char *p)
{
	struct slice list = { (const char *)m->rcpts, m->rcptsn };
	struct item_rcpt item;
	size_t off = 0;

	p[0] = '\0';
	return m->nrcpt == 1 && item_rcpt_get(list, &off, &item) == 1 ?
	    rcpt_put(p, ONE_ROOM, &item, true) : 0;
}

/* Where they are more than one, or long, they have lines of their own. */
static void
told_rcpts(const struct mail *m)
{
	struct slice list = { (const char *)m->rcpts, m->rcptsn };
	char text[LINE_ROOM];
	struct item_rcpt item;
	size_t off = 0, n = 0, k;

	if (one_put(m, text) > 0)
		return;
	while (item_rcpt_get(list, &off, &item) == 1) {
		if ((k = rcpt_put(text + n, sizeof(text) - n, &item,
		    n > 0)) == 0 && n > 0) {
			log_info("%s recipients%s", m->mid, text);
			n = 0;
			k = rcpt_put(text, sizeof(text), &item, false);
		}
		n += k;
	}
	if (n > 0)
		log_info("%s recipients%s", m->mid, text);
}

void
told_message(struct session *s, const char *queue_id)
{
	const struct mail *m = s->mail;
	char peer[46];

	told_connect(s);
	log_info("%s message queue=%s size=%llu peer=%s tls=%s%s%s%s%s",
	    m->mid, queue_id, (unsigned long long)m->size,
	    conn_text(&s->conn.peer, peer), s->tls ? s->cipher : "none",
	    who(s), m->verdict[0] != '\0' ? " verdict=" : "", m->verdict,
	    wanted(s));
	told_rcpts(m);
}

static void
refused(struct session *s, const char *why)
{
	const struct mail *m = s->mail;
	char peer[46];

	told_connect(s);
	log_info("%s reject why=%s size=%llu peer=%s tls=%s%s%s%s%s", m->mid,
	    log_quote(why, strlen(why)), (unsigned long long)m->wire,
	    conn_text(&s->conn.peer, peer), s->tls ? s->cipher : "none",
	    who(s), m->verdict[0] != '\0' ? " verdict=" : "", m->verdict,
	    wanted(s));
	told_rcpts(m);
}

void
told_refused(struct session *s, enum reply r, const char *tail)
{
	char why[REPLY_MAX];

	refused(s, reply_print(r, tail, why, sizeof(why)));
}

void
told_left(struct session *s)
{
	if (s->mail == NULL || s->mail->nrcpt == 0)
		return;
	refused(s, s->mail->committing ? "the client left before the answer" :
	    "the client left before the end");
}

void
told_reject(struct session *s, enum reply r, struct slice to,
    struct slice arg)
{
	struct slice why = reply_line(r);
	const struct mail *m = s->mail;
	char peer[46], given[LOG_QUOTE_MAX + 2 * LOG_WORD_MAX * 4 + 64];
	int n = 0;

	given[0] = '\0';
	if (m != NULL)
		n = snprintf(given, sizeof(given), " sender=<%s>",
		    log_text(m->sender, strlen(m->sender)));
	if (to.n > 0)
		n += snprintf(given + n, sizeof(given) - (size_t)n,
		    " to=<%s>", log_text(to.p, to.n));
	if (arg.n > 0)
		snprintf(given + n, sizeof(given) - (size_t)n, " arg=%s",
		    log_quote(arg.p, arg.n));
	told_connect(s);
	log_info("%s reject why=%s peer=%s tls=%s%s%s helo=%s",
	    session_mid(s), log_quote(why.p, why.n),
	    conn_text(&s->conn.peer, peer), s->tls ? s->cipher : "none",
	    who(s), given, log_text(s->helo, strlen(s->helo)));
}
