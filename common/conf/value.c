/*
 * Values of the configuration: text to value and back, one pair of
 * functions a type, and the sentence that tells what would be right.
 * Called through conf_set() and conf_each(), in maild and in every child.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "parse/ipaddr.h"
#include "conf/conf.h"
#include "conf/key.h"

struct unit {
	const char	*name;
	uint64_t	 n;
};

static const struct unit units_sec[] = {
	{ "d", 86400 }, { "h", 3600 }, { "m", 60 }, { "s", 1 }
};
static const struct unit units_msec[] = {
	{ "m", 60000 }, { "s", 1000 }, { "ms", 1 }
};
static const struct unit units_size[] = {
	{ "G", 1ULL << 30 }, { "M", 1ULL << 20 }, { "K", 1ULL << 10 }
};

static const struct {
	const char	*name;
	unsigned int	 port;
} protocols[] = {
	[PROTO_SMTP] = { "smtp", 25 },
	[PROTO_SUBMISSION] = { "submission", 587 },
	[PROTO_SMTPS] = { "smtps", 465 },
	[PROTO_IMAP] = { "imap", 143 },
	[PROTO_IMAPS] = { "imaps", 993 },
	[PROTO_POP3] = { "pop3", 110 },
	[PROTO_POP3S] = { "pop3s", 995 }
};

static const char *const levels[] = {
	"debug", "info", "notice", "warn", "error"
};

/* Names for true and false, the true ones at even places. */
static const char *const bools[] = {
	"true", "false", "yes", "no", "on", "off"
};

const char *
conf_protocol_name(enum conf_protocol p)
{
	return (size_t)p < NITEMS(protocols) ? protocols[p].name : "";
}

unsigned int
conf_protocol_port(enum conf_protocol p)
{
	return (size_t)p < NITEMS(protocols) ? protocols[p].port : 0;
}

/* ---- numbers ------------------------------------------------------------- */

static const struct unit *
units_of(enum conf_type type, size_t *n)
{
	if (type == CT_SEC) {
		*n = NITEMS(units_sec);
		return units_sec;
	}
	if (type == CT_MSEC) {
		*n = NITEMS(units_msec);
		return units_msec;
	}
	*n = type == CT_SIZE ? NITEMS(units_size) : 0;
	return units_size;
}

/* Digits, then nothing or one of the type's units. */
static int
number_parse(enum conf_type type, const char *s, uint64_t *out)
{
	const struct unit *u;
	uint64_t v = 0;
	size_t n, digits = strspn(s, "0123456789");

	if (digits == 0 || digits > 18)
		return -1;
	for (size_t i = 0; i < digits; i++)
		v = v * 10 + (uint64_t)(s[i] - '0');
	s += digits;
	u = units_of(type, &n);
	for (size_t i = 0; *s != '\0'; i++) {
		if (i == n)
			return -1;
		if (strcmp(s, u[i].name) != 0)
			continue;
		if (v > UINT64_MAX / u[i].n)
			return -1;
		v *= u[i].n;
		break;
	}
	*out = v;
	return 0;
}

/* In the largest unit that leaves no rest. */
static void
number_print(enum conf_type type, uint64_t v, char *buf, size_t size)
{
	const struct unit *u;
	size_t n;

	u = units_of(type, &n);
	for (size_t i = 0; v != 0 && i < n; i++)
		if (v % u[i].n == 0) {
			snprintf(buf, size, "%llu%s",
			    (unsigned long long)(v / u[i].n), u[i].name);
			return;
		}
	snprintf(buf, size, "%llu", (unsigned long long)v);
}

/* ---- text ---------------------------------------------------------------- */

static bool
text_ok(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

/* ASCII letters, digits and hyphens; not an address. */
static bool
host_ok(const char *s)
{
	struct ipaddr ip;

	return domain_valid(slice_str(s), 0) && strchr(s, '_') == NULL &&
	    s[strlen(s) - 1] != '.' && ipaddr_parse(slice_str(s), &ip) == -1;
}

static bool
net_ok(const char *s)
{
	const char *slash = strchr(s, '/'), *err;
	size_t n = slash == NULL ? strlen(s) : (size_t)(slash - s);
	struct ipaddr ip;

	if (ipaddr_parse(slice_of(s, n), &ip) == -1)
		return false;
	if (slash == NULL)
		return true;
	if (strspn(slash + 1, "0123456789") != strlen(slash + 1))
		return false;
	(void)strtonum(slash + 1, 0, ip.family == 4 ? 32 : 128, &err);
	return err == NULL;
}

static bool
resolver_ok(const char *s)
{
	const char *at = strchr(s, '@'), *err = NULL;
	size_t n = at == NULL ? strlen(s) : (size_t)(at - s);
	struct ipaddr ip;

	if (at != NULL)
		(void)strtonum(at + 1, 1, 65535, &err);
	return err == NULL && ipaddr_parse(slice_of(s, n), &ip) == 0;
}

static bool
peer_ok(const char *s)
{
	size_t n = strlen(s);
	struct ipaddr ip;

	if (s[0] != '[')
		return host_ok(s);
	return n > 2 && s[n - 1] == ']' &&
	    ipaddr_parse(slice_of(s + 1, n - 2), &ip) == 0;
}

/* A plain ASCII address with its domain, no literal. */
static bool
mailbox_ok(const char *s)
{
	const char *at = strrchr(s, '@');
	struct address a;

	return at != NULL && host_ok(at + 1) &&
	    address_parse(slice_str(s), 0, &a, NULL) == 0 &&
	    a.localn > 0 && !(a.flags & ADDR_LITERAL);
}

/* Field names of RFC 5322 3.6.8 with single colons between. */
static bool
fields_ok(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s == ':' && n == 0)
			return false;
		if (*s <= 0x20 || *s >= 0x7f)
			return false;
		n = *s == ':' ? 0 : n + 1;
	}
	return n > 0;
}

/* A signature without From is none (RFC 6376 5.4). */
static bool
fields_from(const char *s)
{
	size_t n;

	for (; *s != '\0'; s += n + (s[n] == ':')) {
		n = strcspn(s, ":");
		if (n == 4 && strncasecmp(s, "from", 4) == 0)
			return true;
	}
	return false;
}

static bool
level_ok(const char *s)
{
	for (size_t i = 0; i < NITEMS(levels); i++)
		if (strcmp(levels[i], s) == 0)
			return true;
	return false;
}

static bool
string_ok(const struct conf_key *k, const char *s)
{
	struct ipaddr ip;

	if (*s == '\0' || strlen(s) > k->max + (k->type == CT_LEVEL ? 8 : 0))
		return false;
	switch (k->type) {
	case CT_STR:
		return text_ok(s);
	case CT_PATH:
		return *s == '/' && text_ok(s);
	case CT_HOST:
		return host_ok(s);
	case CT_ADDR:
		return ipaddr_parse(slice_str(s), &ip) == 0;
	case CT_NET:
		return net_ok(s);
	case CT_RESOLVER:
		return resolver_ok(s);
	case CT_PEER:
		return peer_ok(s);
	case CT_MAILBOX:
		return mailbox_ok(s);
	case CT_FIELDS:
		return fields_ok(s) && fields_from(s);
	case CT_LEVEL:
		return level_ok(s);
	case CT_PROTOCOL:
	case CT_BOOL:
	case CT_UINT:
	case CT_SEC:
	case CT_MSEC:
	case CT_SIZE:
	case CT_CHOICE:
		break;
	}
	return false;
}

static int
string_parse(const struct conf_key *k, const char *text, char **p)
{
	char *s = NULL;

	if (*text != '\0' || !k->empty) {
		if (!string_ok(k, text))
			return -1;
		s = xstrdup(text);
		if (k->type == CT_HOST || k->type == CT_PEER)
			for (char *q = s; *q != '\0'; q++)
				*q = (char)ascii_lower((unsigned char)*q);
	}
	free(*p);
	*p = s;
	return 0;
}

/* ---- any value ----------------------------------------------------------- */

static int
bool_parse(const char *text, bool *p)
{
	for (size_t i = 0; i < NITEMS(bools); i++)
		if (strcmp(bools[i], text) == 0) {
			*p = i % 2 == 0;
			return 0;
		}
	return -1;
}

static int
protocol_parse(const char *text, enum conf_protocol *p)
{
	for (size_t i = 0; i < NITEMS(protocols); i++)
		if (strcmp(protocols[i].name, text) == 0) {
			*p = (enum conf_protocol)i;
			return 0;
		}
	return -1;
}

/* Word number i of "this, that"; empty behind the last. */
static struct slice
choice_word(const char *s, unsigned int i)
{
	for (; i > 0 && *s != '\0'; i--) {
		s += strcspn(s, ",");
		s += strspn(s, ", ");
	}
	return slice_of(s, strcspn(s, ","));
}

static int
choice_parse(const char *choices, const char *text, unsigned int *p)
{
	struct slice w;

	for (unsigned int i = 0; (w = choice_word(choices, i)).n > 0; i++)
		if (slice_is(w, text)) {
			*p = i;
			return 0;
		}
	return -1;
}

int
conf_parse(const struct conf_key *k, const char *text, void *p)
{
	uint64_t v;

	if (k->type <= CT_LEVEL)
		return string_parse(k, text, p);
	if (k->type == CT_BOOL)
		return bool_parse(text, p);
	if (k->type == CT_PROTOCOL)
		return protocol_parse(text, p);
	if (k->type == CT_CHOICE)
		return choice_parse(k->choices, text, p);
	if (number_parse(k->type, text, &v) == -1 || v < k->min || v > k->max)
		return -1;
	if (k->type == CT_SIZE)
		*(uint64_t *)p = v;
	else
		*(unsigned int *)p = (unsigned int)v;
	return 0;
}

void
conf_format(const struct conf_key *k, const void *p, char *buf)
{
	struct slice w;
	const char *s;

	if (k->type == CT_CHOICE) {
		w = choice_word(k->choices, *(const unsigned int *)p);
		(void)slice_cpy(w, buf, CONF_VALUE_MAX);
	} else if (k->type <= CT_LEVEL) {
		s = *(const char *const *)p;
		strlcpy(buf, s == NULL ? "" : s, CONF_VALUE_MAX);
	} else if (k->type == CT_BOOL)
		strlcpy(buf, *(const bool *)p ? "true" : "false",
		    CONF_VALUE_MAX);
	else if (k->type == CT_PROTOCOL)
		strlcpy(buf, conf_protocol_name(*(const enum conf_protocol *)p),
		    CONF_VALUE_MAX);
	else if (k->type == CT_SIZE)
		number_print(k->type, *(const uint64_t *)p, buf,
		    CONF_VALUE_MAX);
	else
		number_print(k->type, *(const unsigned int *)p, buf,
		    CONF_VALUE_MAX);
}

static const char *
want_number(const struct conf_key *k, const char *what)
{
	static char buf[160];
	char lo[32], hi[32];

	number_print(k->type, k->min, lo, sizeof(lo));
	number_print(k->type, k->max, hi, sizeof(hi));
	snprintf(buf, sizeof(buf), "%s, %s to %s", what, lo, hi);
	return buf;
}

const char *
conf_want(const struct conf_key *k)
{
	static char choice[80];

	switch (k->type) {
	case CT_STR:
		return "printable text";
	case CT_PATH:
		return "an absolute path such as /etc/maild/file, not too long";
	case CT_HOST:
		return "a domain name in ASCII such as mail.example.org";
	case CT_ADDR:
		return "an address such as 192.0.2.1 or 2001:db8::1";
	case CT_NET:
		return "a network such as 192.0.2.0/24 or 2001:db8::/32";
	case CT_RESOLVER:
		return "an address such as 192.0.2.1 or 192.0.2.1@5353";
	case CT_PEER:
		return "a host such as smtp.example.org or [192.0.2.1]";
	case CT_MAILBOX:
		return "an address such as reports@example.org";
	case CT_FIELDS:
		return "header field names with from, such as "
		    "from:to:subject";
	case CT_LEVEL:
		return "one of debug, info, notice, warn, error";
	case CT_PROTOCOL:
		return "one of smtp, submission, smtps, imap, imaps, pop3, "
		    "pop3s";
	case CT_BOOL:
		return "true or false";
	case CT_UINT:
		return want_number(k, "a whole number");
	case CT_SEC:
		return want_number(k, "a duration such as 30s, 5m or 4h");
	case CT_MSEC:
		return want_number(k, "a duration such as 20ms or 2s");
	case CT_SIZE:
		return want_number(k, "a size such as 50M");
	case CT_CHOICE:
		snprintf(choice, sizeof(choice), "one of %s", k->choices);
		return choice;
	}
	return "";
}
