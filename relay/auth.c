/*
 * Logging in at the smarthost: SASL PLAIN (RFC 4616) or LOGIN, over TLS
 * only.  The password is wiped from every buffer of ours it passes.
 */
#include "base/compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse/base64.h"
#include "parse/sasl.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/io.h"
#include "relay/relay.h"

static char	*password;
static size_t	 npassword;

static int	 auth_plain(struct session *);
static int	 auth_write(struct session *, const char *, const char *,
	    size_t);

bool
auth_wanted(void)
{
	const struct conf *conf = proc_conf();

	return conf->relay.smarthost != NULL && conf->relay.user != NULL;
}

void
auth_password(char *p, size_t n)
{
	freezero(password, npassword);
	password = p;
	npassword = n;
}

int
auth_start(struct session *s)
{
	if (io_tls(s->io) == NULL || password == NULL)
		return -1;
	if (s->ext & EXT_AUTH_PLAIN) {
		if (auth_plain(s) == -1)
			return -1;
		session_expect(s, PASS_EXPECTED);
		return 0;
	}
	if (!(s->ext & EXT_AUTH_LOGIN))
		return -1;
	io_write(s->io, "AUTH LOGIN\r\n", 12);
	session_expect(s, AUTH_EXPECTED);
	return 0;
}

int
auth_reply(struct session *s)
{
	const char *user = proc_conf()->relay.user;
	int code = s->reply.code;

	if (s->state == PASS_EXPECTED)
		return code / 100 == 2 ? 1 : -1;
	if (code != 334)
		return -1;
	if (s->state == AUTH_EXPECTED) {
		if (auth_write(s, "", user, strlen(user)) == -1)
			return -1;
		session_expect(s, USER_EXPECTED);
		return 0;
	}
	if (auth_write(s, "", password, npassword) == -1)
		return -1;
	session_expect(s, PASS_EXPECTED);
	return 0;
}

static int
auth_plain(struct session *s)
{
	char buf[2 * (SASL_FIELD_MAX + 1)];
	const char *user = proc_conf()->relay.user;
	size_t n = strlen(user);
	int r;

	if (n > SASL_FIELD_MAX || npassword > SASL_FIELD_MAX)
		return -1;
	buf[0] = '\0';
	memcpy(buf + 1, user, n);
	buf[n + 1] = '\0';
	memcpy(buf + n + 2, password, npassword);
	r = auth_write(s, "AUTH PLAIN ", buf, n + 2 + npassword);
	explicit_bzero(buf, sizeof(buf));
	return r;
}

/* One line: the command, then base64 of the octets. */
static int
auth_write(struct session *s, const char *command, const char *p, size_t n)
{
	char line[16 + SASL_BASE64_MAX + 2];
	size_t k = strlen(command);
	ssize_t b;
	int r;

	memcpy(line, command, k);
	if ((b = base64_encode(p, n, line + k, SASL_BASE64_MAX)) == -1)
		return -1;
	memcpy(line + k + (size_t)b, "\r\n", 2);
	r = io_write(s->io, line, k + (size_t)b + 2);
	explicit_bzero(line, sizeof(line));
	return r;
}
