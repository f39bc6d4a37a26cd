/*
 * SASL responses of PLAIN (RFC 4616) and LOGIN.  Here NUL, CR and LF die:
 * what comes out can go into any line or record.  Used by smtpd and the
 * fronts of IMAP and POP3.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/charset.h"
#include "parse/err.h"
#include "parse/sasl.h"

static int	 fail(struct parse_err *, const char *);
static int	 login_field(struct slice, char *, struct parse_err *);

int
sasl_field_valid(struct slice s)
{
	return s.n > 0 && s.n <= SASL_FIELD_MAX && utf8_valid(s.p, s.n) &&
	    slice_find(s, '\r') == s.n && slice_find(s, '\n') == s.n &&
	    slice_find(s, '\0') == s.n;
}

int
sasl_plain(struct slice b64, struct sasl_cred *cred, struct parse_err *err)
{
	char buf[BASE64_DECODED_MAX(SASL_BASE64_MAX)];
	ssize_t n;
	int rc;

	*cred = (struct sasl_cred){ 0 };
	n = base64_decode(b64.p, b64.n, buf, sizeof(buf));
	if (n == -1)
		return fail(err, "bad base64");
	rc = sasl_plain_raw(slice_of(buf, (size_t)n), cred, err);
	explicit_bzero(buf, sizeof(buf));
	return rc;
}

int
sasl_plain_raw(struct slice msg, struct sasl_cred *cred,
    struct parse_err *err)
{
	struct slice authzid, authcid, passwd;

	*cred = (struct sasl_cred){ 0 };
	authzid = slice_of(msg.p, slice_find(msg, '\0'));
	if (authzid.n == msg.n)
		return fail(err, "PLAIN message has no NUL");
	authcid = slice_of(msg.p + authzid.n + 1, msg.n - authzid.n - 1);
	passwd = authcid;
	authcid.n = slice_find(authcid, '\0');
	if (authcid.n == passwd.n)
		return fail(err, "PLAIN message has only one NUL");
	passwd.p += authcid.n + 1;
	passwd.n -= authcid.n + 1;
	if ((authzid.n > 0 && !sasl_field_valid(authzid)) ||
	    !sasl_field_valid(authcid) || !sasl_field_valid(passwd))
		return fail(err, "PLAIN field empty, too long or not text");
	if (slice_cpy(authzid, cred->authzid, sizeof(cred->authzid)) == -1 ||
	    slice_cpy(authcid, cred->authcid, sizeof(cred->authcid)) == -1 ||
	    slice_cpy(passwd, cred->passwd, sizeof(cred->passwd)) == -1)
		return fail(err, "PLAIN field too long");
	return 0;
}

int
sasl_login_user(struct slice b64, struct sasl_cred *cred,
    struct parse_err *err)
{
	*cred = (struct sasl_cred){ 0 };
	return login_field(b64, cred->authcid, err);
}

int
sasl_login_pass(struct slice b64, struct sasl_cred *cred,
    struct parse_err *err)
{
	return login_field(b64, cred->passwd, err);
}

/* out has SASL_FIELD_MAX + 1 octets. */
static int
login_field(struct slice b64, char *out, struct parse_err *err)
{
	ssize_t n;

	n = base64_decode(b64.p, b64.n, out, SASL_FIELD_MAX);
	if (n == -1)
		return fail(err, "bad base64");
	out[n] = '\0';
	if (!sasl_field_valid(slice_of(out, (size_t)n)))
		return fail(err, "field empty, too long or not text");
	return 0;
}

static int
fail(struct parse_err *err, const char *why)
{
	if (err != NULL)
		*err = (struct parse_err){ 0, why };
	return -1;
}
