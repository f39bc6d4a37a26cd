/*
 * One message over one connection: MAIL, RCPT, DATA, the octets, the reply
 * that counts (RFC 5321 3.3, 4.1.4; PIPELINING RFC 2920, SIZE RFC 1870,
 * 8BITMIME RFC 6152).  With PIPELINING the whole command group is one write.
 * Each recipient gets its own result; what the connection does to the
 * others, session.c decides.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/data.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/io.h"
#include "relay/relay.h"

#define BLOCK		(64 * 1024 - 256)	/* octets of one pread */
#define TRIES_MAX	3	/* connections a message is begun on */

static bool	 message_fits(struct session *, struct reason *);
static void	 send_mail(struct session *);
static void	 send_rcpt(struct session *, size_t);
static void	 send_data(struct session *);
static bool	 reply_mail(struct session *);
static bool	 reply_rcpt(struct session *);
static bool	 reply_data(struct session *);
static bool	 reply_end(struct session *);
static bool	 reply_rset(struct session *);
static void	 body_start(struct session *);
static void	 body_write(struct session *, const char *, size_t);
static bool	 transaction_closing(struct session *);
static void	 transaction_done(struct session *);
static bool	 transaction_abandon(struct session *);

bool
transaction_start(struct session *s, struct message *m)
{
	struct reason why;
	size_t i;

	s->m = m;
	s->rcpt = s->accepted = 0;
	s->discard = false;
	s->off = 0;
	s->stuff = (struct data_stuff){ 0 };
	if (!message_fits(s, &why)) {
		message_fail(m, &why);
		transaction_done(s);
		return false;
	}
	s->sent++;
	m->tries++;
	s->piped = (s->ext & EXT_PIPELINING) != 0;
	send_mail(s);
	if (s->piped) {
		for (i = 0; i < m->nrcpt; i++)
			send_rcpt(s, i);
		send_data(s);
	}
	session_expect(s, MAIL_EXPECTED);
	return true;
}

/* What its EHLO told us it cannot take. */
static bool
message_fits(struct session *s, struct reason *why)
{
	const struct message *m = s->m;
	uint64_t size = m->size + m->nsignature + m->ntrace;

	if (s->size_max > 0 && size > s->size_max)
		reason_set(why, DELIVERY_PERM, "5.3.4", session_host(s),
		    "message of %llu octets, %s takes %llu",
		    (unsigned long long)size, s->peer,
		    (unsigned long long)s->size_max);
	else if ((m->flags & QF_8BIT) && !(s->ext & EXT_8BITMIME))
		reason_set(why, DELIVERY_PERM, "5.6.3", session_host(s),
		    "message has 8-bit octets, %s takes none", s->peer);
	else if (m->utf8 && !(s->ext & EXT_SMTPUTF8))
		reason_set(why, DELIVERY_PERM, "5.6.7", session_host(s),
		    "8-bit address, %s takes none", s->peer);
	else
		return true;
	return false;
}

static void
send_mail(struct session *s)
{
	const struct message *m = s->m;

	io_printf(s->io, "MAIL FROM:<%s>", m->sender);
	if (s->ext & EXT_SIZE)
		io_printf(s->io, " SIZE=%llu", (unsigned long long)
		    (m->size + m->nsignature + m->ntrace));
	if (m->flags & QF_8BIT)
		io_printf(s->io, " BODY=8BITMIME");
	if (m->utf8)
		io_printf(s->io, " SMTPUTF8");
	io_write(s->io, "\r\n", 2);
}

static void
send_rcpt(struct session *s, size_t i)
{
	io_printf(s->io, "RCPT TO:<%s>\r\n", s->m->rcpt[i].address);
}

static void
send_data(struct session *s)
{
	io_write(s->io, "DATA\r\n", 6);
}

/* ---- replies ---- */

bool
transaction_reply(struct session *s)
{
	if (s->reply.code == 421)
		return transaction_closing(s);
	switch (s->state) {
	case MAIL_EXPECTED:
		return reply_mail(s);
	case RCPT_EXPECTED:
		return reply_rcpt(s);
	case DATA_EXPECTED:
		return reply_data(s);
	case END_EXPECTED:
		return reply_end(s);
	case RSET_EXPECTED:
		return reply_rset(s);
	case DRAIN_EXPECTED:
		/* Before the end of the message: it does not want the rest. */
		if (s->reply.code >= 400)
			return transaction_closing(s);
		session_fail_text(s, "4.5.0", "reply before the message ended");
		return false;
	case CONNECT_EXPECTED:
	case GREETING_EXPECTED:
	case EHLO_EXPECTED:
	case HELO_EXPECTED:
	case STARTTLS_EXPECTED:
	case SECURED_EXPECTED:
	case AUTH_EXPECTED:
	case USER_EXPECTED:
	case PASS_EXPECTED:
	case MESSAGE_EXPECTED:
	case STATE_MAX:
		break;
	}
	fatalx("transaction reply in state %d", s->state);
}

static bool
reply_mail(struct session *s)
{
	struct reason why;

	if (s->reply.code / 100 != 2) {
		session_reason(s, &why);
		message_fail(s->m, &why);
		if (!s->piped)
			return transaction_abandon(s);
	} else if (!s->piped)
		send_rcpt(s, 0);
	session_expect(s, RCPT_EXPECTED);
	return true;
}

static bool
reply_rcpt(struct session *s)
{
	struct reason why;

	if (s->reply.code / 100 == 2) {
		/* After a refused MAIL its recipients are done already. */
		if (!s->m->rcpt[s->rcpt].done)
			s->accepted++;
	} else {
		session_reason(s, &why);
		/* RFC 5321 4.5.3.1.10: without more to say, too many. */
		if (s->reply.code == 552 && s->reply.enhanced[0] == 0) {
			why.result = DELIVERY_TEMP;
			why.status[0] = '4';
		}
		message_result(s->m, s->rcpt, &why);
	}
	if (++s->rcpt < s->m->nrcpt) {
		if (!s->piped)
			send_rcpt(s, s->rcpt);
		session_expect(s, RCPT_EXPECTED);
		return true;
	}
	if (!s->piped) {
		if (s->accepted == 0)
			return transaction_abandon(s);
		send_data(s);
	}
	session_expect(s, DATA_EXPECTED);
	return true;
}

static bool
reply_data(struct session *s)
{
	struct reason why;

	if (s->reply.code == 354) {
		if (s->accepted == 0) {	/* RFC 2920 3.1 */
			s->discard = true;
			io_write(s->io, ".\r\n", 3);
			session_expect(s, END_EXPECTED);
			return true;
		}
		body_start(s);
		return transaction_more(s);
	}
	session_reason(s, &why);
	if (why.result == DELIVERY_OK || s->reply.code / 100 == 3) {
		session_fail_text(s, "4.5.0", "unexpected reply to DATA");
		return false;
	}
	message_fail(s->m, &why);
	return transaction_abandon(s);
}

static bool
reply_end(struct session *s)
{
	struct reason why;

	if (s->reply.code / 100 == 3) {
		session_fail_text(s, "4.5.0", "unexpected reply to a message");
		return false;
	}
	session_reason(s, &why);
	if (!s->discard)
		message_fail(s->m, &why);
	transaction_done(s);
	return session_next(s);
}

static bool
reply_rset(struct session *s)
{
	if (s->reply.code / 100 == 2)
		return session_next(s);
	session_quit(s);
	return false;
}

/* ---- the message ---- */

static void
body_start(struct session *s)
{
	const struct message *m = s->m;

	session_expect(s, DRAIN_EXPECTED);
	body_write(s, m->signature, m->nsignature);
	body_write(s, m->trace, m->ntrace);
}

/* Runs between dots; mail has few of them at the start of lines. */
static void
body_write(struct session *s, const char *p, size_t n)
{
	struct slice run;
	size_t used;
	int dot;

	while (n > 0) {
		used = data_stuff(&s->stuff, p, n, &run, &dot);
		if (dot)
			io_write(s->io, ".", 1);
		io_write(s->io, run.p, run.n);
		p += used;
		n -= used;
	}
}

bool
transaction_more(struct session *s)
{
	static char block[BLOCK];
	const struct message *m = s->m;
	struct slice end;
	size_t n;

	while (s->off < m->size && io_queued(s->io) < BLOCK) {
		n = m->size - s->off < BLOCK ? (size_t)(m->size - s->off) :
		    BLOCK;
		/* Without its end mark the host forgets what it has. */
		if (pread_all(m->fd, block, n, (off_t)(m->offset + s->off)) ==
		    -1) {
			log_warn("%s relay read message", m->sid);
			session_fail_text(s, "4.3.0", "message not readable");
			return false;
		}
		s->off += n;
		body_write(s, block, n);
	}
	if (s->off < m->size)
		return true;
	end = data_stuff_end(&s->stuff);
	io_write(s->io, end.p, end.n);
	session_expect(s, END_EXPECTED);
	return true;
}

/* ---- the end ---- */

/* 421, or a refusal in the middle: the host is about to close. */
static bool
transaction_closing(struct session *s)
{
	struct reason why;

	session_reason(s, &why);
	if (s->state == END_EXPECTED || s->state == DRAIN_EXPECTED) {
		if (!s->discard)
			message_fail(s->m, &why);
		transaction_done(s);
	}
	session_fail(s, &why);
	return false;
}

static void
transaction_done(struct session *s)
{
	struct message *m = s->m;

	s->m = NULL;
	message_done(m, s->peer, s->tls);
}

/* Nobody of it was accepted: answer queue, clear the host's state. */
static bool
transaction_abandon(struct session *s)
{
	transaction_done(s);
	io_write(s->io, "RSET\r\n", 6);
	session_expect(s, RSET_EXPECTED);
	return true;
}

bool
transaction_lost(struct session *s, const struct reason *why)
{
	struct message *m = s->m;
	size_t i;

	if (s->state != END_EXPECTED && m->tries < TRIES_MAX) {
		s->m = NULL;
		for (i = 0; i < m->nrcpt; i++)
			m->rcpt[i].done = false;
		dest_return(s->dest, m);
		return true;
	}
	/* After the end mark it may have been taken: queue tries again. */
	message_fail(m, why);
	transaction_done(s);
	return false;
}
