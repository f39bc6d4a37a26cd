/*
 * One message over one connection: MAIL, RCPT, DATA, the octets, the reply
 * that counts (RFC 5321 3.3, 4.1.4; PIPELINING RFC 2920, SIZE RFC 1870,
 * 8BITMIME RFC 6152).  With PIPELINING the whole command group is one write.
 * Each recipient gets its own result; what the connection does to the
 * others, session.c decides.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/data.h"
#include "parse/downgrade.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/io.h"
#include "relay/relay.h"

#define BLOCK		(64 * 1024 - 256)	/* octets of one pread */
#define SURE_MS		600000	/* for the reply to the end of a message, at
				 * least (RFC 5321 4.5.3.2.6) */

static bool	 transaction_begin(struct session *);
static bool	 message_forms(struct session *);
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
static bool	 body_late(const struct session *);
static bool	 transaction_closing(struct session *);
static bool	 transaction_over(struct session *, bool, bool);
static void	 transaction_done(struct session *);
static bool	 transaction_abandon(struct session *);

bool
transaction_start(struct session *s, struct message *m)
{
	s->m = m;
	m->session = s;
	tries_begin(s);
	if (transaction_begin(s))
		return true;
	transaction_done(s);
	return false;
}

bool
transaction_again(struct session *s)
{
	if (transaction_begin(s))
		return true;
	transaction_done(s);
	return session_next(s);
}

/* False: not a word was said, and there is no other host to say it to. */
static bool
transaction_begin(struct session *s)
{
	struct message *m = s->m;
	struct reason why;
	size_t i;

	s->rcpt = message_rcpt(m, 0);
	s->accepted = 0;
	s->discard = false;
	s->off = 0;
	s->stuff = (struct data_stuff){ 0 };
	if (!message_forms(s)) {
		session_expect(s, CONVERT_EXPECTED);
		return true;
	}
	if (!message_fits(s, &why)) {
		message_note(m, &why);
		return tries_elsewhere(s) && transaction_abandon(s);
	}
	s->sent++;
	s->piped = (s->ext & EXT_PIPELINING) != 0;
	send_mail(s);
	if (s->piped) {
		for (i = s->rcpt; i < m->nrcpt; i = message_rcpt(m, i + 1))
			send_rcpt(s, i);
		send_data(s);
	}
	session_expect(s, MAIL_EXPECTED);
	return true;
}

void
transaction_converted(struct session *s)
{
	if (s->state == CONVERT_EXPECTED)
		(void)transaction_again(s);
}

/* In which form it goes to this host.  False: that is being made. */
static bool
message_forms(struct session *s)
{
	struct message *m = s->m;
	bool seven = (m->flags & QF_8BIT) && !(s->ext & EXT_8BITMIME);

	if (seven && convert_state(m) == CONVERT_OPEN)
		convert_start(m);
	if (seven && convert_state(m) == CONVERT_BUSY)
		return false;
	s->seven = seven && convert_state(m) == CONVERT_READY;
	s->size = m->ntrace + (s->seven ? convert_size(m) +
	    convert_signature(m).n : m->size + m->nsignature);
	return true;
}

/* What its EHLO told us it cannot take. */
static bool
message_fits(struct session *s, struct reason *why)
{
	const struct message *m = s->m;
	bool eight = (m->flags & QF_8BIT) && !(s->ext & EXT_8BITMIME);

	if (s->size_max > 0 && s->size > s->size_max)
		reason_set(why, DELIVERY_PERM, "5.3.4", session_host(s),
		    "message of %llu octets, %s takes %llu",
		    (unsigned long long)s->size, s->peer,
		    (unsigned long long)s->size_max);
	else if (eight && convert_state(m) == CONVERT_NO)
		reason_set(why, DELIVERY_PERM, "5.6.3", session_host(s),
		    "message has 8-bit octets that may not be encoded, %s "
		    "takes none", s->peer);
	else if (eight && convert_state(m) == CONVERT_LATER)
		reason_set(why, DELIVERY_TEMP, "4.3.0", session_host(s),
		    "message cannot be made 7-bit now, as %s wants it",
		    s->peer);
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
		io_printf(s->io, " SIZE=%llu", (unsigned long long)s->size);
	if ((m->flags & QF_8BIT) && (s->ext & EXT_8BITMIME))
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
	case CONVERT_EXPECTED:
		session_fail_text(s, "4.5.0", "reply without a command");
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
		message_results(s->m, &why);
		if (!s->piped)
			return transaction_abandon(s);
	} else if (!s->piped)
		send_rcpt(s, s->rcpt);
	session_expect(s, RCPT_EXPECTED);
	return true;
}

/* RFC 5321 4.5.3.1.10: is it one recipient too many for one transaction?
 * 552 without more to say was said for that once. */
static bool
reply_crowded(const struct smtp_reply *r)
{
	if (r->enhanced[0] != 0)
		return r->enhanced[0] == 4 && r->enhanced[1] == 5 &&
		    r->enhanced[2] == 3;
	return r->code == 452 || r->code == 552;
}

static void
rcpt_refused(struct session *s)
{
	struct rcpt *r = &s->m->rcpt[s->rcpt];
	bool crowded = r->turn == RCPT_ASKED && reply_crowded(&s->reply);
	struct reason why;

	session_reason(s, &why);
	if (crowded)
		reason_later(&why);
	message_result(s->m, s->rcpt, &why);
	if (crowded)
		r->turn = RCPT_CROWDED;
}

static bool
reply_rcpt(struct session *s)
{
	const struct message *m = s->m;

	if (s->reply.code / 100 != 2)
		rcpt_refused(s);
	else if (m->rcpt[s->rcpt].turn == RCPT_ASKED)
		s->accepted++;	/* after a refused MAIL it was not ASKED */
	s->rcpt = message_rcpt(m, s->rcpt + 1);
	if (s->rcpt < m->nrcpt) {
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
	message_results(s->m, &why);
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
		message_results(s->m, &why);
	return transaction_over(s, true,
	    why.result == DELIVERY_OK && !s->discard);
}

/* The host's state is clear.  Was it cleared to leave it? */
static bool
reply_rset(struct session *s)
{
	if (s->m != NULL) {
		session_pass(s, true);
		return false;
	}
	if (s->reply.code / 100 == 2)
		return session_next(s);
	session_quit(s);
	return false;
}

/* ---- the message ---- */

static void
body_start(struct session *s)
{
	struct message *m = s->m;
	struct slice sig = slice_of(m->signature, m->nsignature);

	if (s->seven) {
		log_info("%s sevenbit relay=%s why=\"it takes no 8-bit "
		    "mail%s\"", m->sid, s->peer, m->nticket == 0 ?
		    "; signatures of others are no longer right" : "");
		sig = convert_signature(m);
		convert_again(m);
	}
	session_expect(s, DRAIN_EXPECTED);
	body_write(s, sig.p, sig.n);
	body_write(s, m->trace, m->ntrace);
}

static void
body_put(void *arg, const char *p, size_t n)
{
	body_write(arg, p, n);
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
	const struct downgrade_out to = { body_put, body_put, s };
	static char block[BLOCK];
	struct message *m = s->m;
	struct slice end;
	size_t n;

	while (s->off < m->size && io_queued(s->io) < BLOCK) {
		n = m->size - s->off < BLOCK ? (size_t)(m->size - s->off) :
		    BLOCK;
		/* Without its end mark the host forgets what it has. */
		if (pread_all(m->fd, block, n, (off_t)(m->offset + s->off)) ==
		    -1 || (s->seven &&
		    convert_feed(m, block, n, &to) == -1)) {
			log_warnx("%s unread why=\"%s\"", m->sid,
			    strerror(errno));
			session_fail_text(s, "4.3.0", "message not readable");
			return false;
		}
		s->off += n;
		if (!s->seven)
			body_write(s, block, n);
	}
	if (s->off < m->size)
		return true;
	if (m->queue == NULL || body_late(s)) {
		session_fail_text(s, "4.4.7", m->queue == NULL ?
		    "queue went away" : "the message took too long");
		return false;
	}
	end = data_stuff_end(&s->stuff);
	io_write(s->io, end.p, end.n);
	session_expect(s, END_EXPECTED);
	return true;
}

/* Would queue have given this attempt up before the host has answered it?
 * It would send what may have been taken once more. */
static bool
body_late(const struct session *s)
{
	const struct message *m = s->m;

	return now_ms() - m->since + SURE_MS > RELAY_MS(m->size);
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
			message_results(s->m, &why);
		return transaction_over(s, false, false);
	}
	session_fail(s, &why);
	return false;
}

/*
 * The host has said what it had to of this message.  Who was one too many for
 * it is asked for here again, when others were taken (more), so that each
 * time there are fewer; who is refused for now, at the next host.  open: the
 * connection is good for what comes.
 */
static bool
transaction_over(struct session *s, bool open, bool more)
{
	struct reason why;

	if (message_settle(s->m, more, s->peer, s->tls) > 0) {
		if (message_rcpt(s->m, 0) < s->m->nrcpt) {
			message_said(s->m);
			return transaction_again(s);
		}
		if (tries_elsewhere(s)) {
			session_pass(s, open);
			return false;
		}
	}
	transaction_done(s);
	if (open)
		return session_next(s);
	session_reason(s, &why);
	session_fail(s, &why);
	return false;
}

static void
transaction_done(struct session *s)
{
	struct message *m = s->m;

	s->m = NULL;
	if (s->soft)
		message_soften(m);
	message_done(m, s->peer, s->tls);
}

/* Nobody of it was accepted: answer queue, or have it for the next host;
 * clear the host's state. */
static bool
transaction_abandon(struct session *s)
{
	if (message_settle(s->m, false, s->peer, s->tls) == 0 ||
	    !tries_elsewhere(s))
		transaction_done(s);
	io_write(s->io, "RSET\r\n", 6);
	session_expect(s, RSET_EXPECTED);
	return true;
}

bool
transaction_lost(struct session *s, const struct reason *why)
{
	struct message *m = s->m;

	if (s->state == END_EXPECTED)
		message_unsure(m, why);
	else
		message_note(m, why);
	if (message_settle(m, false, s->peer, s->tls) > 0) {
		s->soft = true;
		return true;
	}
	transaction_done(s);
	return false;
}

void
transaction_end(struct session *s, const struct reason *why)
{
	message_turn(s->m);
	message_note(s->m, why);
	transaction_done(s);
}
