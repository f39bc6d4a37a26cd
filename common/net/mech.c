/*
 * The SASL mechanisms of the fronts: a row each.  What comes from the client
 * is decoded and taken apart here, as far as a front has to know it; whether
 * it is right only authd says.  Of SCRAM a front understands nothing: it
 * carries messages, and adds what binds them to the TLS of the connection.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/oauth.h"
#include "parse/sasl.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "net/mech.h"
#include "net/tlsssl.h"

#define LOGIN_USER	"VXNlcm5hbWU6"	/* Username: */
#define LOGIN_PASSWORD	"UGFzc3dvcmQ6"	/* Password: */

static struct {
	bool		 scram, token;
} offer;

struct sasl_mech {
	const char	*name;
	bool		(*offered)(struct io *);	/* NULL: always */
	const char	*challenge;	/* when no response came at once */
	enum sasl_next	(*take)(struct sasl *, struct slice);
	const char	*failure;	/* JSON; NULL: it just ends */
};

static bool	 scram_offered(struct io *);
static bool	 plus_offered(struct io *);
static enum sasl_next plain_take(struct sasl *, struct slice);
static enum sasl_next login_take(struct sasl *, struct slice);
static enum sasl_next scram_take(struct sasl *, struct slice);
static enum sasl_next login_ask(struct sasl *);
static bool	 token_offered(struct io *);
static enum sasl_next oauthbearer_take(struct sasl *, struct slice);
static enum sasl_next xoauth2_take(struct sasl *, struct slice);
static bool	 external_offered(struct io *);
static enum sasl_next external_take(struct sasl *, struct slice);

/* Clients that take the first one they know take the best one they can. */
static const struct sasl_mech mechs[] = {
	{ "SCRAM-SHA-256-PLUS",	plus_offered,	"",	scram_take,	NULL },
	{ "SCRAM-SHA-256",	scram_offered,	"",	scram_take,	NULL },
	{ SASL_PLAIN,		NULL,		"",	plain_take,	NULL },
	{ "LOGIN",		NULL,	LOGIN_USER,	login_take,	NULL },
	{ "OAUTHBEARER",	token_offered,	"",	oauthbearer_take,
	    "{\"status\":\"invalid_token\"}" },
	{ "XOAUTH2",		token_offered,	"",	xoauth2_take,
	    "{\"status\":\"401\",\"schemes\":\"bearer\"}" },
	{ "EXTERNAL",		external_offered, "",	external_take,	NULL },
};

void
sasl_offer(const struct auth_offer_ev *ev)
{
	offer.scram = ev != NULL && ev->scram == 1;
	offer.token = ev != NULL && ev->token == 1;
}

static bool
scram_offered(struct io *io)
{
	return offer.scram;
}

static bool
plus_offered(struct io *io)
{
	return offer.scram && io_ssl(io) != NULL &&
	    tlsssl_bindable(io_ssl(io));
}

const char *
sasl_names(struct io *io, const char *before, char *text)
{
	const struct sasl_mech *m;

	text[0] = '\0';
	for (m = mechs; m < mechs + NITEMS(mechs); m++) {
		if (m->offered != NULL && !m->offered(io))
			continue;
		if (text[0] != '\0')
			strlcat(text, before, SASL_NAMES_MAX);
		strlcat(text, m->name, SASL_NAMES_MAX);
	}
	return text;
}

const struct sasl_mech *
sasl_find(struct slice name, struct io *io)
{
	const struct sasl_mech *m;

	for (m = mechs; m < mechs + NITEMS(mechs); m++)
		if (slice_caseis(name, m->name))
			return m->offered == NULL || m->offered(io) ? m :
			    NULL;
	return NULL;
}

/* ---- an exchange --------------------------------------------------------- */

struct sasl *
sasl_new(const struct sasl_mech *mech, const struct sasl_peer *peer)
{
	struct sasl *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->mech = mech;
	s->peer = *peer;
	return s;
}

void
sasl_free(struct sasl *s)
{
	freezero(s, s != NULL ? sizeof(*s) : 0);
}

/* "=" is a response that is there and empty (RFC 4954 4, RFC 4959 3). */
enum sasl_next
sasl_begin(struct sasl *s, struct slice initial)
{
	if (initial.n == 0) {
		strlcpy(s->challenge, s->mech->challenge,
		    sizeof(s->challenge));
		return SASL_CHALLENGE;
	}
	if (initial.n > SASL_LINE_MAX)
		return SASL_BAD;
	if (slice_is(initial, "="))
		initial.n = 0;
	return s->mech->take(s, initial);
}

enum sasl_next
sasl_line(struct sasl *s, struct slice line)
{
	if (s->failed)
		return SASL_FAILED;	/* whatever it says to that */
	if (slice_is(line, "*"))
		return SASL_STOPPED;
	if (line.n > SASL_LINE_MAX)
		return SASL_BAD;
	return s->mech->take(s, line);
}

void
sasl_answer(const struct msg *m, struct auth_step_r *r)
{
	const struct auth_login_r *login;
	const struct auth_token_r *token;
	const struct auth_cert_r *cert;

	*r = (struct auth_step_r){ .result = AUTH_TEMP, .user = { "", 0 } };
	if (m == NULL)
		return;
	if (m->type == AUTH_STEP_R)
		*r = m->body->auth_step_r;
	else if (m->type == AUTH_TOKEN_R) {
		token = &m->body->auth_token_r;
		*r = (struct auth_step_r){ token->result, token->account,
		    token->user, token->wait_ms, { NULL, 0 } };
	} else if (m->type == AUTH_CERT_R) {
		cert = &m->body->auth_cert_r;
		*r = (struct auth_step_r){ cert->result, cert->account,
		    cert->user, cert->wait_ms, { NULL, 0 } };
	} else {
		login = &m->body->auth_login_r;
		*r = (struct auth_step_r){ login->result, login->account,
		    login->user, login->wait_ms, { NULL, 0 } };
	}
	if (r->result != AUTH_OK && r->result != AUTH_BAD &&
	    (r->result != AUTH_MORE || m->type != AUTH_STEP_R))
		r->result = AUTH_TEMP;
}

void
sasl_more(struct sasl *s, const struct auth_step_r *r)
{
	ssize_t n = base64_encode(r->challenge.p, r->challenge.n,
	    s->challenge, sizeof(s->challenge) - 1);

	s->challenge[n == -1 ? 0 : n] = '\0';
}

bool
sasl_fail(struct sasl *s)
{
	struct auth_step_r r = { .result = AUTH_BAD };

	if (s->mech->failure == NULL)
		return false;
	r.challenge = slice_str(s->mech->failure);
	sasl_more(s, &r);
	return s->failed = true;
}

/* ---- PLAIN (RFC 4616), LOGIN --------------------------------------------- */

static enum sasl_next
plain_take(struct sasl *s, struct slice b64)
{
	if (sasl_plain(b64, &s->cred, NULL) == -1)
		return SASL_BAD;
	if (s->cred.authzid[0] != '\0' &&
	    strcmp(s->cred.authzid, s->cred.authcid) != 0)
		return SASL_OTHER;
	return login_ask(s);
}

static enum sasl_next
login_take(struct sasl *s, struct slice b64)
{
	if (s->cred.authcid[0] != '\0')
		return sasl_login_pass(b64, &s->cred, NULL) == -1 ? SASL_BAD :
		    login_ask(s);
	if (sasl_login_user(b64, &s->cred, NULL) == -1)
		return SASL_BAD;
	strlcpy(s->challenge, LOGIN_PASSWORD, sizeof(s->challenge));
	return SASL_CHALLENGE;
}

static enum sasl_next
login_ask(struct sasl *s)
{
	s->ask.type = AUTH_LOGIN;
	s->ask.body.login = (struct auth_login){ .conn = s->peer.conn,
	    .protocol = (uint8_t)s->peer.protocol, .peer = s->peer.addr,
	    .user = slice_str(s->cred.authcid),
	    .password = slice_str(s->cred.passwd) };
	return SASL_ASK;
}

/* ---- SCRAM-SHA-256 (RFC 7677) -------------------------------------------- */

/* What binds it goes along whether the client uses it or not: with it authd
 * knows that -PLUS was offered. */
static void
scram_bind(struct sasl *s, struct auth_step *step)
{
	size_t n = sizeof(s->endpoint);

	if (!plus_offered(s->peer.io))
		return;
	if (tlsssl_exporter(io_ssl(s->peer.io), s->exporter) == 0)
		step->exporter = slice_of((char *)s->exporter,
		    sizeof(s->exporter));
	if (tlsssl_endpoint(io_ssl(s->peer.io), s->endpoint, &n) == 0)
		step->endpoint = slice_of((char *)s->endpoint, n);
}

static enum sasl_next
scram_take(struct sasl *s, struct slice b64)
{
	struct auth_step *step = &s->ask.body.step;
	ssize_t n = base64_decode(b64.p, b64.n, s->octets, SASL_STEP_MAX);

	if (n == -1)
		return SASL_BAD;
	s->ask.type = AUTH_STEP;
	*step = (struct auth_step){ .conn = s->peer.conn,
	    .protocol = (uint8_t)s->peer.protocol, .peer = s->peer.addr,
	    .first = !s->begun, .plus = s->mech == &mechs[0],
	    .response = slice_of(s->octets, (size_t)n) };
	if (!s->begun)
		scram_bind(s, step);
	s->begun = true;
	return SASL_ASK;
}

/* ---- OAUTHBEARER (RFC 7628), XOAUTH2 ------------------------------------- */

static bool
token_offered(struct io *io)
{
	return offer.token;
}

static enum sasl_next
token_take(struct sasl *s, struct slice b64, int (*parse)(struct slice,
    struct oauth *, struct parse_err *))
{
	ssize_t n = base64_decode(b64.p, b64.n, s->octets, sizeof(s->octets));
	struct oauth o;

	if (n == -1 || parse(slice_of(s->octets, (size_t)n), &o, NULL) == -1)
		return SASL_BAD;
	strlcpy(s->cred.authcid, o.user, sizeof(s->cred.authcid));
	s->ask.type = AUTH_TOKEN;
	s->ask.body.token = (struct auth_token){ .conn = s->peer.conn,
	    .protocol = (uint8_t)s->peer.protocol, .peer = s->peer.addr,
	    .user = slice_str(s->cred.authcid), .token = o.token };
	return SASL_ASK;
}

static enum sasl_next
oauthbearer_take(struct sasl *s, struct slice b64)
{
	return token_take(s, b64, oauth_bearer);
}

static enum sasl_next
xoauth2_take(struct sasl *s, struct slice b64)
{
	return token_take(s, b64, oauth_xoauth2);
}

/* ---- EXTERNAL (RFC 4422 A) ----------------------------------------------- */

static bool
external_offered(struct io *io)
{
	uint8_t fp[32];

	return proc_conf()->auth.client_certificates && io_ssl(io) != NULL &&
	    tlsssl_fingerprint(io_ssl(io), fp) == 0;
}

/* The response is who the client wants to be, or empty. */
static enum sasl_next
external_take(struct sasl *s, struct slice b64)
{
	struct auth_cert *cert = &s->ask.body.cert;
	ssize_t n = base64_decode(b64.p, b64.n, s->octets, SASL_FIELD_MAX);
	struct slice user = slice_of(s->octets, n == -1 ? 0 : (size_t)n);

	if (n == -1 || (n > 0 && !sasl_field_valid(user)))
		return SASL_BAD;
	s->ask.type = AUTH_CERT;
	*cert = (struct auth_cert){ .conn = s->peer.conn,
	    .protocol = (uint8_t)s->peer.protocol, .peer = s->peer.addr,
	    .user = user };
	return tlsssl_fingerprint(io_ssl(s->peer.io), cert->fingerprint.b) ==
	    0 ? SASL_ASK : SASL_BAD;
}
