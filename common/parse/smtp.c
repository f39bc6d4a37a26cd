/*
 * SMTP commands as a server reads them: verb and argument, the paths of MAIL
 * and RCPT with their ESMTP parameters, HELO and BDAT arguments
 * (RFC 5321 4.1, RFC 1870, 3030, 3461, 4954, 6152, 6531, 8689).
 * Whether a command is welcome now, the session decides.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/err.h"
#include "parse/smtp.h"

/* One known parameter: its value is read by fn, which has none if bare. */
struct param_def {
	const char	*name;
	int		 mail;		/* may stand on MAIL */
	int		 rcpt;
	int		 bare;		/* takes no value */
	int		(*fn)(struct smtp_path *, struct slice);
};

static int	 opt_size(struct smtp_path *, struct slice);
static int	 opt_body(struct smtp_path *, struct slice);
static int	 opt_auth(struct smtp_path *, struct slice);
static int	 opt_utf8(struct smtp_path *, struct slice);
static int	 opt_requiretls(struct smtp_path *, struct slice);
static int	 opt_ret(struct smtp_path *, struct slice);
static int	 opt_envid(struct smtp_path *, struct slice);
static int	 opt_notify(struct smtp_path *, struct slice);
static int	 opt_orcpt(struct smtp_path *, struct slice);

static enum smtp_path_result path_parse(struct slice, const char *, int, int,
	    struct smtp_path *, struct parse_err *);
static enum smtp_path_result params_read(struct slice, size_t, int,
	    struct smtp_path *, struct parse_err *);
static const struct param_def *param_find(struct slice, int);
static int	 xtext_valid(struct slice);
static int	 hex_value(int);

static const struct param_def params[] = {
	{ "SIZE",	1, 0, 0, opt_size },
	{ "BODY",	1, 0, 0, opt_body },
	{ "AUTH",	1, 0, 0, opt_auth },
	{ "SMTPUTF8",	1, 0, 1, opt_utf8 },
	{ "REQUIRETLS",	1, 0, 1, opt_requiretls },
	{ "RET",	1, 0, 0, opt_ret },
	{ "ENVID",	1, 0, 0, opt_envid },
	{ "NOTIFY",	0, 1, 0, opt_notify },
	{ "ORCPT",	0, 1, 0, opt_orcpt },
};

int
smtp_cmd_parse(struct slice line, struct smtp_cmd *cmd, struct parse_err *err)
{
	static const char bad[] = { '\0', '\r', '\n' };
	struct parse_err e;
	size_t i;
	int c;

	if (err == NULL)
		err = &e;
	for (i = 0; i < sizeof(bad); i++) {
		err->off = slice_find(line, bad[i]);
		err->why = "control character in command";
		if (err->off < line.n)
			return -1;
	}
	for (i = 0; i < line.n && i <= SMTP_VERB_MAX; i++) {
		c = ascii_lower((unsigned char)line.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9'))
			break;
	}
	if (i == 0 || i > SMTP_VERB_MAX ||
	    (i < line.n && line.p[i] != ' ' && line.p[i] != '\t')) {
		*err = (struct parse_err){ i, "not a command" };
		return -1;
	}
	cmd->verb = slice_of(line.p, i);
	cmd->arg = slice_trim(slice_of(line.p + i, line.n - i));
	return 0;
}

enum smtp_path_result
smtp_mail_parse(struct slice arg, struct smtp_path *out,
    struct parse_err *err)
{
	enum smtp_path_result rc;

	rc = path_parse(arg, "FROM", PATH_NULL | PATH_UTF8, 1, out, err);
	if (rc != SMTP_PATH_OK || out->utf8 || !(out->addr.flags & ADDR_UTF8))
		return rc;
	if (err != NULL)
		*err = (struct parse_err){ 0,
		    "8-bit address without SMTPUTF8" };
	return SMTP_PATH_ADDRESS;
}

enum smtp_path_result
smtp_rcpt_parse(struct slice arg, int utf8, struct smtp_path *out,
    struct parse_err *err)
{
	return path_parse(arg, "TO", utf8 ? PATH_UTF8 : 0, 0, out, err);
}

ssize_t
xtext_decode(struct slice s, char *out, size_t size)
{
	size_t i, n = 0;
	int c;

	if (!xtext_valid(s))
		return -1;
	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c == '+') {
			c = hex_value(s.p[i + 1]) << 4 |
			    hex_value(s.p[i + 2]);
			i += 2;
		}
		if (n == size)
			return -1;
		out[n++] = (char)c;
	}
	return (ssize_t)n;
}

ssize_t
xtext_encode(struct slice s, char *out, size_t size)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t i, n = 0;
	int c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (size - n < 3)
			return -1;
		if (c > 32 && c < 127 && c != '+' && c != '=') {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '+';
		out[n++] = hex[c >> 4];
		out[n++] = hex[c & 15];
	}
	return (ssize_t)n;
}

int
smtp_helo_valid(struct slice s)
{
	size_t i;
	int c;

	if (s.n == 0 || s.n > ADDR_DOMAIN_MAX)
		return -1;
	for (i = 0; i < s.n; i++) {
		c = ascii_lower((unsigned char)s.p[i]);
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
		    (c == 0 || strchr("-._:[]", c) == NULL))
			return -1;
	}
	return 0;
}

int
smtp_bdat_parse(struct slice arg, uint64_t *size, int *last)
{
	struct slice num = arg, rest;

	num.n = slice_find(arg, ' ');
	rest = slice_trim(slice_of(arg.p + num.n, arg.n - num.n));
	*last = rest.n > 0;
	if (rest.n > 0 && !slice_caseis(rest, "LAST"))
		return -1;
	return slice_number(num, INT64_MAX, size);
}

static enum smtp_path_result
path_parse(struct slice arg, const char *word, int opts, int mail,
    struct smtp_path *out, struct parse_err *err)
{
	struct parse_err e;
	size_t off = strlen(word);
	ssize_t n;

	if (err == NULL)
		err = &e;
	*out = (struct smtp_path){ 0 };
	*err = (struct parse_err){ 0, mail ? "FROM: is missing" :
	    "TO: is missing" };
	if (!slice_casestarts(arg, word))
		return SMTP_PATH_SYNTAX;
	while (off < arg.n && (arg.p[off] == ' ' || arg.p[off] == '\t'))
		off++;
	if (off == arg.n || arg.p[off] != ':')
		return SMTP_PATH_SYNTAX;
	off++;
	n = address_path(arg.p + off, arg.n - off,
	    opts | PATH_BARE | PATH_NODOMAIN | PATH_DOTS, &out->addr, err);
	if (n == -1) {
		err->off += off;
		return SMTP_PATH_ADDRESS;
	}
	return params_read(arg, off + (size_t)n, mail, out, err);
}

/* name[=value], separated by blanks, each at most once. */
static enum smtp_path_result
params_read(struct slice arg, size_t off, int mail, struct smtp_path *out,
    struct parse_err *err)
{
	const struct param_def *def;
	struct slice word, name, value;
	unsigned seen = 0;
	int n;

	for (n = 0; ; n++) {
		while (off < arg.n && (arg.p[off] == ' ' || arg.p[off] == '\t'))
			off++;
		if (off == arg.n)
			return SMTP_PATH_OK;
		*err = (struct parse_err){ off, "too many parameters" };
		if (n == SMTP_PARAMS_MAX)
			return SMTP_PATH_PARAM;
		word = slice_of(arg.p + off, arg.n - off);
		word.n = slice_find(word, ' ');
		word.n = slice_find(word, '\t');
		name = slice_of(word.p, slice_find(word, '='));
		value = slice_of(word.p + name.n, word.n - name.n);
		if ((def = param_find(name, mail)) == NULL) {
			err->why = "unknown parameter";
			return SMTP_PATH_UNKNOWN;
		}
		err->why = "bad parameter";
		if (seen & 1u << (def - params) || def->bare != (value.n == 0))
			return SMTP_PATH_PARAM;
		seen |= 1u << (def - params);
		if (value.n > 0) {	/* the "=" */
			value.p++;
			value.n--;
		}
		if (def->fn(out, value) == -1)
			return SMTP_PATH_PARAM;
		off += word.n;
	}
}

static const struct param_def *
param_find(struct slice name, int mail)
{
	size_t i;

	for (i = 0; i < NITEMS(params); i++)
		if ((mail ? params[i].mail : params[i].rcpt) &&
		    slice_caseis(name, params[i].name))
			return &params[i];
	return NULL;
}

static int
opt_size(struct smtp_path *out, struct slice v)
{
	return slice_number(v, INT64_MAX, &out->size);
}

static int
opt_body(struct smtp_path *out, struct slice v)
{
	if (slice_caseis(v, "7BIT"))
		out->body = SMTP_BODY_7BIT;
	else if (slice_caseis(v, "8BITMIME"))
		out->body = SMTP_BODY_8BITMIME;
	else if (slice_caseis(v, "BINARYMIME"))
		out->body = SMTP_BODY_BINARYMIME;
	else
		return -1;
	return 0;
}

static int
opt_auth(struct smtp_path *out, struct slice v)
{
	out->auth = v;
	return v.n > 0 && xtext_valid(v) ? 0 : -1;
}

static int
opt_utf8(struct smtp_path *out, struct slice v)
{
	out->utf8 = 1;
	return 0;
}

static int
opt_requiretls(struct smtp_path *out, struct slice v)
{
	out->requiretls = 1;
	return 0;
}

static int
opt_ret(struct smtp_path *out, struct slice v)
{
	out->ret = slice_caseis(v, "FULL") ? 'F' :
	    slice_caseis(v, "HDRS") ? 'H' : 0;
	return out->ret != 0 ? 0 : -1;
}

static int
opt_envid(struct smtp_path *out, struct slice v)
{
	out->envid = v;
	return v.n > 0 && v.n <= SMTP_ENVID_MAX && xtext_valid(v) ? 0 : -1;
}

static int
opt_notify(struct smtp_path *out, struct slice v)
{
	static const struct { const char *name; int bit; } words[] = {
		{ "NEVER", SMTP_NOTIFY_NEVER },
		{ "SUCCESS", SMTP_NOTIFY_SUCCESS },
		{ "FAILURE", SMTP_NOTIFY_FAILURE },
		{ "DELAY", SMTP_NOTIFY_DELAY },
	};
	struct slice w;
	size_t i, n;

	for (n = 0; n < NITEMS(words); n++) {
		w = slice_of(v.p, slice_find(v, ','));
		for (i = 0; i < NITEMS(words); i++)
			if (slice_caseis(w, words[i].name))
				break;
		if (i == NITEMS(words) || (out->notify & words[i].bit))
			return -1;
		out->notify |= words[i].bit;
		if (w.n == v.n)	/* NEVER stands alone */
			return (out->notify & SMTP_NOTIFY_NEVER) &&
			    out->notify != SMTP_NOTIFY_NEVER ? -1 : 0;
		v.p += w.n + 1;
		v.n -= w.n + 1;
	}
	return -1;
}

static int
opt_orcpt(struct smtp_path *out, struct slice v)
{
	size_t type = slice_find(v, ';');

	out->orcpt = v;
	return type > 0 && type + 1 < v.n && v.n <= 500 && xtext_valid(v) ?
	    0 : -1;
}

/* Printable ASCII but "=", every "+" before two upper case hex digits. */
static int
xtext_valid(struct slice s)
{
	size_t i;
	int c;

	for (i = 0; i < s.n; i++) {
		c = (unsigned char)s.p[i];
		if (c <= 32 || c >= 127 || c == '=')
			return 0;
		if (c != '+')
			continue;
		if (s.n - i < 3 || hex_value(s.p[i + 1]) == -1 ||
		    hex_value(s.p[i + 2]) == -1)
			return 0;
		i += 2;
	}
	return 1;
}

static int
hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}
