/*
 * The responses of the two OAuth mechanisms, in the fronts: whose mailbox,
 * and the bearer token.  Keys and values stand between octets of value 1;
 * those that are not for us (host, port) are skipped.  Whether the token is
 * good is authd-hash's to say.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/err.h"
#include "parse/oauth.h"
#include "parse/sasl.h"
#include "parse/scram.h"

#define SEPARATOR	'\001'

static int	 pairs(struct slice, struct oauth *, struct parse_err *);
static int	 pair(struct slice, struct oauth *, struct parse_err *);
static int	 bearer(struct slice, struct oauth *, struct parse_err *);
static bool	 starts(struct slice, const char *, struct slice *);
static int	 fail(struct parse_err *, const char *);

int
oauth_bearer(struct slice msg, struct oauth *o, struct parse_err *err)
{
	struct scram_first gs2 = { 0 };
	struct slice rest = msg;

	*o = (struct oauth){ 0 };
	if (scram_header(&rest, &gs2, err) == -1)
		return -1;
	if (gs2.bind == SCRAM_BIND_USED)
		return fail(err, "OAUTHBEARER binds no channel");
	strlcpy(o->user, gs2.authzid, sizeof(o->user));
	if (rest.n == 0 || rest.p[0] != SEPARATOR)
		return fail(err, "OAUTHBEARER pairs expected");
	return pairs(slice_of(rest.p + 1, rest.n - 1), o, err);
}

int
oauth_xoauth2(struct slice msg, struct oauth *o, struct parse_err *err)
{
	size_t n = slice_find(msg, SEPARATOR);
	struct slice user;

	*o = (struct oauth){ 0 };
	if (n == msg.n || !starts(slice_of(msg.p, n), "user=", &user))
		return fail(err, "XOAUTH2 user expected");
	if (!sasl_field_valid(user) ||
	    slice_cpy(user, o->user, sizeof(o->user)) == -1)
		return fail(err, "XOAUTH2 user empty, too long or not text");
	return pairs(slice_of(msg.p + n + 1, msg.n - n - 1), o, err);
}

/* Pairs, a separator behind each, and one more at the end. */
static int
pairs(struct slice in, struct oauth *o, struct parse_err *err)
{
	size_t n;

	while ((n = slice_find(in, SEPARATOR)) > 0) {
		if (n == in.n)
			return fail(err, "no separator at the end");
		if (pair(slice_of(in.p, n), o, err) == -1)
			return -1;
		in = slice_of(in.p + n + 1, in.n - n - 1);
	}
	if (in.n != 1)
		return fail(err, "pairs do not end in a separator");
	return o->token.n > 0 ? 0 : fail(err, "there is no token");
}

static int
pair(struct slice in, struct oauth *o, struct parse_err *err)
{
	struct slice value;

	if (!starts(in, "auth=", &value))
		return slice_find(in, '=') < in.n ? 0 :
		    fail(err, "not KEY=VALUE");
	if (o->token.n > 0)
		return fail(err, "a second token");
	return bearer(value, o, err);
}

static int
bearer(struct slice in, struct oauth *o, struct parse_err *err)
{
	static const char more[] = "-._~+/=";
	size_t i;
	char c;

	if (in.n < 7 || !slice_casestarts(in, "Bearer "))
		return fail(err, "not a bearer token");
	in = slice_of(in.p + 7, in.n - 7);
	for (i = 0; i < in.n; i++) {
		c = in.p[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr(more, c) != NULL)))
			return fail(err, "an octet that no token has");
	}
	o->token = in;
	return 0;
}

static bool
starts(struct slice in, const char *key, struct slice *value)
{
	size_t n = strlen(key);

	if (!slice_casestarts(in, key))
		return false;
	*value = slice_of(in.p + n, in.n - n);
	return true;
}

static int
fail(struct parse_err *err, const char *why)
{
	if (err != NULL)
		*err = (struct parse_err){ 0, why };
	return -1;
}
