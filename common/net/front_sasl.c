/*
 * SASL at a front of IMAP or POP3: an exchange is a command that takes more
 * lines of the client, each asked for with "+" and a challenge.  The protocol
 * hands over what stands behind its verb, and every line while c->sasl is
 * there; from authd's answer on it is a login (front_login.c).
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/front.h"
#include "net/io.h"
#include "net/mech.h"

static void	 exchange_next(struct front_conn *, enum sasl_next);
static void	 exchange_over(struct front_conn *, enum front_answer);

void
front_sasl_start(struct front_conn *c, struct slice name,
    struct slice initial)
{
	const struct sasl_mech *mech = sasl_find(name, c->io);
	struct sasl_peer peer = { c->id, front_protocol(), c->source.peer,
	    c->io };

	if (mech == NULL) {
		front_answer(c, FRONT_SASL_NONE);
		front_bad(c);
		return;
	}
	if ((c->sasl = sasl_new(mech, &peer)) == NULL)
		front_answer(c, FRONT_LOGIN_LATER);
	else
		exchange_next(c, sasl_begin(c->sasl, initial));
}

void
front_sasl_line(struct front_conn *c, struct slice line)
{
	exchange_next(c, sasl_line(c->sasl, line));
}

void
front_sasl_challenge(struct front_conn *c)
{
	io_printf(c->io, "+ %s\r\n", c->sasl->challenge);
}

void
front_sasl_forget(struct front_conn *c)
{
	sasl_free(c->sasl);
	c->sasl = NULL;
}

static void
exchange_next(struct front_conn *c, enum sasl_next next)
{
	switch (next) {
	case SASL_CHALLENGE:
		front_sasl_challenge(c);
		return;
	case SASL_ASK:
		front_ask(c, c->sasl->ask.type, &c->sasl->ask.body);
		return;
	case SASL_FAILED:
		front_refuse(c, AUTH_BAD);
		return;
	case SASL_STOPPED:
		exchange_over(c, FRONT_SASL_CANCELLED);
		return;
	case SASL_OTHER:
		exchange_over(c, FRONT_SASL_OTHER);
		return;
	case SASL_BAD:
		exchange_over(c, FRONT_SASL_BAD);
		front_bad(c);
		return;
	}
}

static void
exchange_over(struct front_conn *c, enum front_answer why)
{
	front_sasl_forget(c);
	front_answer(c, why);
}
