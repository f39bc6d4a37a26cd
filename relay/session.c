/*
 * One connection of relay to a mail host, and the next one: its events and
 * deadlines, its end.  To which address stands in tries.c, what is said over
 * it in hello.c and transaction.c.  What the host says was written by
 * a stranger: replies are bounded by the parser, everything else that comes
 * ends the connection.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tls.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/err.h"
#include "parse/ipaddr.h"
#include "parse/smtp.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

#define QUIT_MS		2000	/* for the last words to go out */
#define SESSION_MAX	100	/* messages over one connection */

static bool	 session_connect(struct session *);
static bool	 session_open(struct session *);
static void	 session_lost(struct session *, const struct reason *);
static void	 session_next_address(struct session *, const struct reason *);
static void	 session_onward(struct session *);
static void	 session_close(struct session *, bool);
static void	 session_end(struct session *, const struct reason *);
static void	 session_event(struct io *, enum io_event, void *);
static void	 session_read(struct session *);
static bool	 session_line(struct session *, struct slice);
static bool	 session_reply(struct session *);
static bool	 reply_idle(struct session *);

static size_t	 nsession;	/* connections there are */
static size_t	 idle_max;	/* an idle one ends when there are more */

static const struct {
	bool		(*reply)(struct session *);	/* NULL: none is due */
	const char	*name;
} states[STATE_MAX] = {
	[CONNECT_EXPECTED] =	{ NULL, "connecting" },
	[GREETING_EXPECTED] =	{ hello_reply, "waiting for the greeting" },
	[EHLO_EXPECTED] =	{ hello_reply, "after EHLO" },
	[HELO_EXPECTED] =	{ hello_reply, "after HELO" },
	[STARTTLS_EXPECTED] =	{ hello_reply, "after STARTTLS" },
	[SECURED_EXPECTED] =	{ NULL, "in the TLS handshake" },
	[AUTH_EXPECTED] =	{ hello_reply, "after AUTH" },
	[USER_EXPECTED] =	{ hello_reply, "after AUTH" },
	[PASS_EXPECTED] =	{ hello_reply, "after AUTH" },
	[MESSAGE_EXPECTED] =	{ reply_idle, "idle" },
	[MAIL_EXPECTED] =	{ transaction_reply, "after MAIL" },
	[RCPT_EXPECTED] =	{ transaction_reply, "after RCPT" },
	[DATA_EXPECTED] =	{ transaction_reply, "after DATA" },
	[DRAIN_EXPECTED] =	{ transaction_reply, "sending the message" },
	[END_EXPECTED] =	{ transaction_reply, "after the message" },
	[RSET_EXPECTED] =	{ transaction_reply, "after RSET" },
	[CONVERT_EXPECTED] =	{ transaction_reply, "making it 7-bit" },
};

/* ---- life ---- */

struct session *
session_new(struct dest *d, struct route *r, struct reason *why)
{
	struct session *s = xcalloc(1, sizeof(*s));

	s->dest = d;
	s->route = r;
	r->refs++;
	s->since = now_ms();
	tries_begin(s);
	(void)strlcpy(s->tls, "none", sizeof(s->tls));
	if (!session_connect(s)) {
		tries_why(s, why);
		route_release(r);
		free(s);
		return NULL;
	}
	nsession++;
	return s;
}

void
session_tell(const struct session *s, const char *result, const char *why)
{
	char text[LOG_LINE_MAX];

	(void)snprintf(text, sizeof(text), "tried relay=%s policy=%s tls=%s "
	    "result=%s why=%s", s->peer, starttls_insist() ? "verify" : "may",
	    s->tls, result, log_quote(why, strlen(why)));
	if (s->m != NULL)
		log_info("%s %s", s->m->sid, text);
	else
		dest_tell(s->dest, text);
}

/* False: no address is left. */
static bool
session_connect(struct session *s)
{
	while (tries_next(s))
		if (session_open(s))
			return true;
	return false;
}

static bool
session_open(struct session *s)
{
	const struct conf *conf = proc_conf();
	struct route_addr *a = &s->route->addr[s->addr];
	struct sockaddr_storage sa, src;
	socklen_t len, srclen = 0;
	struct ipaddr from;
	char ip[IPADDR_TEXT_MAX];

	ipaddr_print(&a->ip, ip, sizeof(ip));
	(void)snprintf(s->peer, sizeof(s->peer), "%s[%s]:%u", session_host(s),
	    ip, conf->relay.port);
	len = sockaddr_make(&sa, &a->ip, conf->relay.port);
	if (conf->relay.source != NULL &&
	    ipaddr_parse(slice_str(conf->relay.source), &from) == 0)
		srclen = sockaddr_make(&src, &from, 0);
	s->io = io_connect(proc_base(), (struct sockaddr *)&sa, len,
	    srclen > 0 ? (struct sockaddr *)&src : NULL, srclen,
	    session_event, s);
	a->refused = false;
	s->ext = 0;
	s->size_max = 0;
	s->verify = false;
	(void)strlcpy(s->tls, a->notls ? "none,failed" : "none",
	    sizeof(s->tls));
	s->sent = 0;
	s->waited = false;
	if (s->io == NULL) {
		reason_set(&s->route->bad, DELIVERY_TEMP, "4.3.0", "",
		    "no socket for a connection");
		s->soft = true;
		return false;
	}
	session_expect(s, CONNECT_EXPECTED);
	return true;
}

/* Close what there is; politely if the host may still listen. */
static void
session_close(struct session *s, bool polite)
{
	if (s->io == NULL)
		return;
	if (polite) {
		io_write(s->io, "QUIT\r\n", 6);
		io_finish(s->io, QUIT_MS);
	} else
		io_free(s->io);
	s->io = NULL;
}

/* Out of the destination's list and gone. */
static void
session_end(struct session *s, const struct reason *why)
{
	struct reason copy;

	if (why != NULL) {
		copy = *why;
		why = &copy;
	}
	nsession--;
	dest_session_gone(s->dest, s, why);
	route_release(s->route);
	free(s);
}

void
session_quit(struct session *s)
{
	session_close(s, s->state > GREETING_EXPECTED);
	session_end(s, NULL);
}

void
session_stop(struct session *s, const struct reason *why, bool now)
{
	bool midst = s->m != NULL && s->state > MESSAGE_EXPECTED &&
	    s->state < RSET_EXPECTED;

	if (midst && !now)
		return;
	if (s->m != NULL)
		transaction_end(s, why);
	session_close(s, !midst && s->state > GREETING_EXPECTED);
	session_end(s, NULL);
}

void
session_wake(struct session *s)
{
	struct message *m;

	while ((m = dest_take(s->dest)) != NULL)
		if (transaction_start(s, m))
			return;
}

void
session_idle_max(size_t n)
{
	idle_max = n;
}

bool
session_greeted(struct session *s)
{
	if (!s->ready)
		dest_session_ready(s->dest, s);
	if (s->m != NULL)
		return transaction_again(s);
	return session_next(s);
}

bool
session_next(struct session *s)
{
	session_expect(s, MESSAGE_EXPECTED);
	/* What it says now, it says to no command: it wants to close. */
	if (s->sent < SESSION_MAX && !s->moved && io_peek(s->io).n == 0 &&
	    starttls_suits(s)) {
		session_wake(s);
		if (s->state != MESSAGE_EXPECTED)
			return true;
		s->waited = true;
		/* Descriptors are for messages first. */
		if (proc_conf()->relay.idle > 0 && nsession < idle_max)
			return true;
	}
	session_quit(s);
	return false;
}

void
session_fail_text(struct session *s, const char *status, const char *text)
{
	struct reason why;

	reason_set(&why, DELIVERY_TEMP, status, session_host(s), "%s: %s",
	    s->peer, text);
	session_fail(s, &why);
}

void
session_fail(struct session *s, const struct reason *why)
{
	if (s->state < MESSAGE_EXPECTED)
		session_next_address(s, why);
	else if (s->m == NULL) {
		session_close(s, false);
		session_end(s, why);
	} else if (s->state == RSET_EXPECTED)
		session_pass(s, false);
	else
		session_lost(s, why);
}

/*
 * In a transaction.  A host may tire of a connection; but a fresh one that
 * does not live through a message is not asked again at once.
 */
static void
session_lost(struct session *s, const struct reason *why)
{
	struct reason copy = *why;
	bool used = s->sent > 1 || s->waited;

	session_tell(s, "lost", copy.text);
	session_close(s, false);
	if (!transaction_lost(s, &copy)) {
		session_end(s, &copy);
		return;
	}
	message_said(s->m);
	message_turn(s->m);
	if (used && !tries_late(s) && session_open(s))
		return;
	if (!used)
		tries_bad(s, &copy);
	session_onward(s);
}

static void
session_next_address(struct session *s, const struct reason *why)
{
	session_tell(s, "unusable", why->text);
	session_close(s, s->state > GREETING_EXPECTED &&
	    s->state != SECURED_EXPECTED);
	if (s->retry_clear && !s->route->addr[s->addr].notls) {
		s->route->addr[s->addr].notls = true;
		s->retry_clear = false;
		session_tell(s, "cleartext", "TLS did not work");
		if (session_open(s))
			return;
	}
	s->retry_clear = false;
	tries_bad(s, why);
	session_onward(s);
}

/* Over another address, with the message there may be; or to the end. */
static void
session_onward(struct session *s)
{
	struct reason why;

	if (session_connect(s))
		return;
	tries_why(s, &why);
	if (s->m != NULL)
		transaction_end(s, &why);
	session_end(s, &why);
}

void
session_pass(struct session *s, bool polite)
{
	tries_leave(s);
	s->moved = true;
	message_said(s->m);
	message_turn(s->m);
	session_close(s, polite);
	session_onward(s);
}

/*
 * It greeted with our own name: it is us, by an address of which nobody knows
 * that it is ours.  A smarthost that does so is a mistake to be mended.
 */
void
session_self(struct session *s)
{
	bool smarthost = proc_conf()->relay.smarthost != NULL;
	struct reason why;

	reason_set(&why, smarthost ? DELIVERY_TEMP : DELIVERY_PERM,
	    smarthost ? "4.4.6" : "5.4.6", session_host(s),
	    "mail loops back to this host: %s greets with our name", s->peer);
	if (!smarthost)
		tries_self(s);
	session_fail(s, &why);
}

/* ---- events ---- */

/* Of a connection that ended, or was too slow (RFC 3463 3.5, 3.8). */
static const char *
lost_status(const struct session *s, bool ended)
{
	if (s->state == CONNECT_EXPECTED)
		return "4.4.1";
	if (s->state == SECURED_EXPECTED && ended)
		return "4.7.5";
	return "4.4.2";
}

static void
session_event(struct io *io, enum io_event ev, void *arg)
{
	struct session *s = arg;
	char text[64], tls[IO_TLS_TEXT];

	switch (ev) {
	case IO_CONNECTED:
		session_expect(s, GREETING_EXPECTED);
		break;
	case IO_READ:
		session_read(s);
		break;
	case IO_DRAINED:
		if (s->state == DRAIN_EXPECTED)
			(void)transaction_more(s);
		break;
	case IO_SECURED:
		(void)snprintf(s->tls, sizeof(s->tls), "%s%s%s",
		    io_tls_text(io, tls),
		    s->verify ? ",verified" : "",
		    resume_secured(io_ssl(io)) ? ",resumed" : "");
		hello_again(s);
		break;
	case IO_EOF:
	case IO_ERROR:
		if (s->state == MESSAGE_EXPECTED) {
			session_close(s, false);
			session_end(s, NULL);
			break;
		}
		s->retry_clear = s->state == SECURED_EXPECTED &&
		    !starttls_insist();
		session_fail_text(s, lost_status(s, true), ev == IO_EOF ?
		    "connection closed by the host" : io_error(io));
		break;
	case IO_DEADLINE:
		if (s->state == MESSAGE_EXPECTED) {
			session_quit(s);
			break;
		}
		s->retry_clear = s->state == SECURED_EXPECTED &&
		    !starttls_insist();
		(void)snprintf(text, sizeof(text), "timeout %s",
		    states[s->state].name);
		session_fail_text(s, lost_status(s, false), text);
		break;
	}
}

/* Lines as long as they come; each makes the parser's bounds tighter. */
static void
session_read(struct session *s)
{
	struct slice line;

	for (;;) {
		switch (io_line(s->io, SMTP_REPLY_LINE_MAX, &line)) {
		case IO_MORE:
			return;
		case IO_LINE:
			break;
		case IO_TOOLONG:
		case IO_LONGER:
			session_fail_text(s, "4.5.0", "reply line too long");
			return;
		case IO_BARE:
			session_fail_text(s, "4.5.0",
			    "reply line with a bare CR or LF");
			return;
		}
		if (!session_line(s, line))
			return;
	}
}

/* False: the session is gone, or has another connection now, or TLS. */
static bool
session_line(struct session *s, struct slice line)
{
	struct parse_err err;
	struct slice text;

	switch (smtp_reply_line(&s->reply, line, &text, &err)) {
	case -1:
		session_fail_text(s, "4.5.0", err.why);
		return false;
	case 0:
		if (s->state == EHLO_EXPECTED && s->reply.lines > 1)
			hello_keyword(s, text);
		return true;
	default:
		if (s->state == EHLO_EXPECTED && s->reply.lines > 1)
			hello_keyword(s, text);
		return session_reply(s);
	}
}

static bool
session_reply(struct session *s)
{
	bool more = s->piped && (s->state == MAIL_EXPECTED ||
	    s->state == RCPT_EXPECTED);

	/* More than was asked for: the next reply would be for a command not
	 * yet sent.  After the message it may be 421; session_next looks. */
	if (states[s->state].reply == NULL || (s->reply.code < 400 && !more &&
	    s->state != END_EXPECTED && s->state != RSET_EXPECTED &&
	    s->state != STARTTLS_EXPECTED && io_peek(s->io).n > 0)) {
		session_fail_text(s, "4.5.0", "reply without a command");
		return false;
	}
	return states[s->state].reply(s);
}

/* Words nobody asked for, mostly 421: it wants to close. */
static bool
reply_idle(struct session *s)
{
	session_close(s, false);
	session_end(s, NULL);
	return false;
}
