/*
 * The text of a DKIM-Signature field (RFC 6376 3.5), folded as people like
 * to read it, and the choice of fields to sign (5.4.1).  signd makes it,
 * hashes it with dkim_header.c, signs, and hands the field out.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/base64.h"
#include "parse/header.h"
#include "verify/verify.h"

#define LINE_MAX_	77	/* octets of a line without CRLF */

/* The field being written. */
struct sigtext {
	char	*p;
	size_t	 n, size;
	size_t	 col;		/* octets in this line */
	int	 full;
};

static int	 is_value(const char *);
static void	 put(struct sigtext *, const char *, size_t);
static void	 fold(struct sigtext *);
static void	 put_tag(struct sigtext *, const char *, const char *, size_t);
static void	 put_list(struct sigtext *, const char *, struct slice, int);
static void	 put_broken(struct sigtext *, const char *, size_t);
static int	 list_add(char *, size_t, size_t *, const char *);

/* over: one more name than there are fields, so that none can be added. */
static const struct {
	const char	*name;
	int		 over;
} wanted[] = {
	{ "From", 1 }, { "Subject", 1 }, { "Date", 1 }, { "To", 1 },
	{ "Cc", 1 }, { "Message-ID", 1 }, { "Reply-To", 1 },
	{ "In-Reply-To", 1 }, { "References", 1 }, { "MIME-Version", 1 },
	{ "Content-Type", 1 }, { "Content-Transfer-Encoding", 1 },
	{ "Content-ID", 0 }, { "Content-Description", 0 },
	{ "Content-Disposition", 0 }, { "Sender", 0 },
	{ "Resent-From", 0 }, { "Resent-To", 0 }, { "Resent-Cc", 0 },
	{ "Resent-Date", 0 }, { "Resent-Sender", 0 },
	{ "Resent-Message-ID", 0 }, { "List-Id", 0 }, { "List-Help", 0 },
	{ "List-Unsubscribe", 0 }, { "List-Unsubscribe-Post", 0 },
	{ "List-Subscribe", 0 }, { "List-Post", 0 }, { "List-Owner", 0 },
	{ "List-Archive", 0 }, { "Auto-Submitted", 0 }
};

ssize_t
dkim_sign_fields(struct slice header, char *out, size_t size)
{
	struct header_field f;
	size_t n = 0, i, fields = 0;
	int count[NITEMS(wanted)] = { 0 };
	int k, names = 0;

	while (header_next(&header, &f)) {
		if (fields++ == DKIM_FIELDS_MAX)
			return -1;
		for (i = 0; i < NITEMS(wanted); i++)
			if (slice_caseis(f.name, wanted[i].name)) {
				count[i]++;
				break;
			}
	}
	if (count[0] == 0)		/* From */
		return -1;
	for (i = 0; i < NITEMS(wanted); i++) {
		k = count[i] + wanted[i].over;
		if ((names += k) > DKIM_H_MAX)
			return -1;
		for (; k > 0; k--)
			if (list_add(out, size, &n, wanted[i].name) == -1)
				return -1;
	}
	return (ssize_t)n;
}

ssize_t
dkim_sign_start(const struct dkim_sign *s, struct slice h, char *out,
    size_t size)
{
	struct sigtext t = { .p = out, .size = size };
	char bh[BASE64_LEN(DKIM_HASH)], num[32];
	const char *const canon[] = { "simple", "relaxed" };

	if (!is_value(s->algorithm) || !is_value(s->domain) ||
	    !is_value(s->selector) ||
	    (s->identity != NULL && !is_value(s->identity)))
		return -1;
	put(&t, "DKIM-Signature: v=1;", 20);
	put_tag(&t, "a=", s->algorithm, strlen(s->algorithm));
	snprintf(num, sizeof(num), "%s/%s", canon[s->header],
	    canon[s->body]);
	put_tag(&t, "c=", num, strlen(num));
	put_tag(&t, "d=", s->domain, strlen(s->domain));
	put_tag(&t, "s=", s->selector, strlen(s->selector));
	if (s->identity != NULL)
		put_tag(&t, "i=", s->identity, strlen(s->identity));
	if (s->time >= 0) {
		snprintf(num, sizeof(num), "%lld", (long long)s->time);
		put_tag(&t, "t=", num, strlen(num));
	}
	if (s->expire >= 0) {
		snprintf(num, sizeof(num), "%lld", (long long)s->expire);
		put_tag(&t, "x=", num, strlen(num));
	}
	put_list(&t, "h=", h, ':');
	base64_encode(s->bodyhash, DKIM_HASH, bh, sizeof(bh));
	put_tag(&t, "bh=", bh, sizeof(bh));
	fold(&t);
	put(&t, "b=", 2);
	return t.full ? -1 : (ssize_t)t.n;
}

ssize_t
dkim_sign_finish(char *field, size_t n, size_t size, const uint8_t *sig,
    size_t sign)
{
	struct sigtext t = { .p = field, .n = n, .size = size };
	char b64[BASE64_LEN(DKIM_KEYSIG_MAX)];
	ssize_t len;

	for (t.col = 0; t.col < n && field[n - t.col - 1] != '\n'; t.col++)
		;
	if (sign > DKIM_KEYSIG_MAX ||
	    (len = base64_encode(sig, sign, b64, sizeof(b64))) == -1)
		return -1;
	put_broken(&t, b64, (size_t)len);
	put(&t, "\r\n", 2);
	return t.full ? -1 : (ssize_t)t.n;
}

/* May it stand as a tag's value, unfolded? */
static int
is_value(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++)
		if (s[i] <= 32 || s[i] >= 127 || s[i] == ';')
			return 0;
	return i > 0 && i < ADDR_TEXT_MAX;
}

static void
put(struct sigtext *t, const char *p, size_t n)
{
	if (t->full || n > t->size - t->n) {
		t->full = 1;
		return;
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->col += n;
}

static void
fold(struct sigtext *t)
{
	put(t, "\r\n\t", 3);
	t->col = 8;
}

/* " name=value;", on a new line if this one gets too long. */
static void
put_tag(struct sigtext *t, const char *name, const char *v, size_t n)
{
	if (t->col + 1 + strlen(name) + n + 1 > LINE_MAX_)
		fold(t);
	else
		put(t, " ", 1);
	put(t, name, strlen(name));
	put(t, v, n);
	put(t, ";", 1);
}

/* A list, folded behind its separators. */
static void
put_list(struct sigtext *t, const char *name, struct slice v, int sep)
{
	size_t n;

	fold(t);
	put(t, name, strlen(name));
	while (v.n > 0) {
		n = slice_find(v, sep);
		n += n < v.n;
		if (t->col + n + 1 > LINE_MAX_)
			fold(t);
		put(t, v.p, n);
		v = slice_of(v.p + n, v.n - n);
	}
	put(t, ";", 1);
}

/* Base64, folded anywhere. */
static void
put_broken(struct sigtext *t, const char *p, size_t n)
{
	size_t k;

	while (n > 0) {
		if (t->col >= LINE_MAX_)
			fold(t);
		k = n < LINE_MAX_ - t->col ? n : LINE_MAX_ - t->col;
		put(t, p, k);
		p += k;
		n -= k;
	}
}

static int
list_add(char *out, size_t size, size_t *n, const char *name)
{
	size_t len = strlen(name);

	if (*n > 0 && *n < size)
		out[(*n)++] = ':';
	if (len > size - *n)
		return -1;
	memcpy(out + *n, name, len);
	*n += len;
	return 0;
}
