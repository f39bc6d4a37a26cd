/*
 * What relay and a mail host say to each other before the first message:
 * greeting, EHLO or HELO, STARTTLS, AUTH (RFC 5321 3.1, 3.2, RFC 3207).
 *
 * TLS is opportunistic: any certificate will do, and a host whose TLS does
 * not work is tried once more without, unless the configuration insists
 * (smarthost-tls).  Octets behind the reply to STARTTLS end the connection.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/ipaddr.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

static bool	 reply_greeting(struct session *);
static bool	 reply_ehlo(struct session *);
static bool	 reply_helo(struct session *);
static bool	 reply_starttls(struct session *);
static bool	 reply_auth(struct session *);
static bool	 refused(struct session *, bool);

static void	 hello_say(struct session *, enum session_state);
static bool	 hello_done(struct session *);
static bool	 session_ready(struct session *);

bool
hello_reply(struct session *s)
{
	switch (s->state) {
	case GREETING_EXPECTED:
		return reply_greeting(s);
	case EHLO_EXPECTED:
		return reply_ehlo(s);
	case HELO_EXPECTED:
		return reply_helo(s);
	case STARTTLS_EXPECTED:
		return reply_starttls(s);
	case AUTH_EXPECTED:
	case USER_EXPECTED:
	case PASS_EXPECTED:
		return reply_auth(s);
	case CONNECT_EXPECTED:
	case SECURED_EXPECTED:
	case MESSAGE_EXPECTED:
	case MAIL_EXPECTED:
	case RCPT_EXPECTED:
	case DATA_EXPECTED:
	case DRAIN_EXPECTED:
	case END_EXPECTED:
	case RSET_EXPECTED:
	case CONVERT_EXPECTED:
	case STATE_MAX:
		break;
	}
	fatalx("hello reply in state %d", s->state);
}

void
hello_again(struct session *s)
{
	s->ext = 0;		/* RFC 3207 4.2: forget it all */
	s->size_max = 0;
	hello_say(s, EHLO_EXPECTED);
}

/* The reply is what keeps us from using this address. */
static bool
refused(struct session *s, bool final)
{
	struct reason why;

	session_reason(s, &why);
	/* A host that turns us away says nothing about the recipients, so
	 * others are asked, now and later. */
	if (!final)
		reason_later(&why);
	session_fail(s, &why);
	return false;
}

/* A host that takes no mail at all says so here (RFC 7504 3, RFC 5321 3.1);
 * where all say it nobody is asked later. */
static bool
reply_greeting(struct session *s)
{
	struct slice text = slice_str(s->reply.text);

	if (s->reply.code / 100 == 2 && slice_caseis(slice_of(text.p,
	    slice_find(text, ' ')), proc_conf()->hostname)) {
		session_self(s);
		return false;
	}
	if (s->reply.code / 100 != 2)
		return refused(s, s->reply.code == 521 ||
		    s->reply.code == 554);
	hello_say(s, EHLO_EXPECTED);
	return true;
}

static void
hello_say(struct session *s, enum session_state state)
{
	io_printf(s->io, "%s %s\r\n", state == EHLO_EXPECTED ? "EHLO" : "HELO",
	    proc_conf()->hostname);
	session_expect(s, state);
}

static bool
reply_ehlo(struct session *s)
{
	if (s->reply.code / 100 == 5 && io_tls(s->io) == NULL) {
		s->ext = 0;
		hello_say(s, HELO_EXPECTED);
		return true;
	}
	if (s->reply.code / 100 != 2)
		return refused(s, false);
	return hello_done(s);
}

static bool
reply_helo(struct session *s)
{
	if (s->reply.code / 100 != 2)
		return refused(s, false);
	return hello_done(s);
}

/* Greeted: TLS, then AUTH, then work. */
static bool
hello_done(struct session *s)
{
	const struct route_addr *a = &s->route->addr[s->addr];

	if (io_tls(s->io) == NULL && (s->ext & EXT_STARTTLS) && !a->notls) {
		io_write(s->io, "STARTTLS\r\n", 10);
		session_expect(s, STARTTLS_EXPECTED);
		return true;
	}
	return session_ready(s);
}

static bool
reply_starttls(struct session *s)
{
	const char *why, *host = session_host(s);
	struct reason refusal;
	char name[HOST_TEXT];

	if (s->reply.code / 100 != 2) {
		if (starttls_insist())
			return refused(s, false);
		session_reason(s, &refusal);
		session_tell(s, "cleartext", refusal.text);
		(void)strlcpy(s->tls, "none,refused", sizeof(s->tls));
		return session_ready(s);
	}
	if (io_peek(s->io).n > 0) {
		session_fail_text(s, "4.7.5",
		    "clear text behind the reply to STARTTLS");
		return false;
	}
	/* A literal "[IPv6:...]" or "[192.0.2.1]" is no name for SNI. */
	(void)strlcpy(name, host, sizeof(name));
	if (host[0] == '[')
		ipaddr_print(&s->route->addr[s->addr].ip, name, sizeof(name));
	s->verify = starttls_insist();
	if (starttls_begin(s->io, name, s->verify, &why) == -1) {
		s->retry_clear = !starttls_insist();
		session_fail_text(s, "4.7.5", why);
		return false;
	}
	session_expect(s, SECURED_EXPECTED);
	return false;
}

/* Everything is as it should be, but for AUTH. */
static bool
session_ready(struct session *s)
{
	if (!starttls_suits(s)) {
		session_fail_text(s, "4.7.4", io_tls(s->io) == NULL ?
		    "no TLS, but it is required" :
		    "TLS was begun without verification");
		return false;
	}
	if (!auth_wanted())
		return session_greeted(s);
	if (auth_start(s) == -1) {
		session_fail_text(s, "4.7.0", io_tls(s->io) == NULL ?
		    "no login without TLS" : "no login that both sides know");
		return false;
	}
	return true;
}

static bool
reply_auth(struct session *s)
{
	switch (auth_reply(s)) {
	case -1:
		return refused(s, false);
	case 0:
		return true;
	default:
		return session_greeted(s);
	}
}

static const struct keyword {
	const char	*word;
	enum extension	 ext;
} keywords[] = {
#define EXTENSION(keyword, bit)	{ #keyword, EXT_##keyword },
	EXTENSIONS(EXTENSION)
#undef EXTENSION
}, mechanisms[] = {
	{ "PLAIN",	EXT_AUTH_PLAIN },
	{ "LOGIN",	EXT_AUTH_LOGIN },
};

/* 0: it means nothing to us. */
static unsigned int
keyword_find(const struct keyword *k, size_t n, struct slice word)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (slice_caseis(word, k[i].word))
			return k[i].ext;
	return 0;
}

static void
hello_mechanisms(struct session *s, struct slice arg)
{
	struct slice mech;

	while (arg.n > 0) {
		mech = slice_of(arg.p, slice_find(arg, ' '));
		s->ext |= keyword_find(mechanisms, NITEMS(mechanisms), mech);
		arg = slice_trim(slice_of(arg.p + mech.n, arg.n - mech.n));
	}
}

void
hello_keyword(struct session *s, struct slice line)
{
	struct slice word = slice_of(line.p, slice_find(line, ' '));
	struct slice arg = slice_trim(slice_of(line.p + word.n,
	    line.n - word.n));
	unsigned int ext = keyword_find(keywords, NITEMS(keywords), word);

	s->ext |= ext;
	if (ext == EXT_SIZE && slice_number(arg, INT64_MAX,
	    &s->size_max) == -1)
		s->size_max = 0;
	if (slice_caseis(word, "AUTH"))
		hello_mechanisms(s, arg);
}
