/*
 * IMAP URLs (RFC 5092, 5593) as CATENATE and URL-PARTIAL take them.  Called by
 * the sessions of imapd; whose URL it is and whether it may be read, they say.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/imap_url.h"

static int	 authority(struct slice *, struct imap_url *);
static int	 path(struct slice *, struct imap_url *);
static int	 keys(struct slice, struct imap_url *);
static int	 partial(struct slice, struct imap_url *);
static int	 key(struct slice *, const char *, struct slice *);
static int	 number(struct slice, uint32_t least, uint32_t *);
static int	 unescape(struct slice *);

int
imap_url_parse(struct slice url, struct imap_url *u)
{
	struct slice in;

	if (url.n > IMAP_URL_MAX || slice_find(url, '\0') < url.n)
		return -1;
	memset(u, 0, sizeof(*u));
	u->count = UINT32_MAX;
	memcpy(u->text, url.p, url.n);
	in = slice_of(u->text, url.n);
	u->section = SLICE_LIT("[]");
	if (slice_casestarts(in, "imap://")) {
		in = slice_of(in.p + 7, in.n - 7);
		if (authority(&in, u) == -1)
			return -1;
	}
	if (in.n > 0 && in.p[0] == '/' && path(&in, u) == -1)
		return -1;
	return keys(in, u);
}

/* [user "@"] host [":" port], up to the path.  A user's own "@" should be
 * %40, and is not in all that is sent. */
static int
authority(struct slice *in, struct imap_url *u)
{
	struct slice a = slice_of(in->p, slice_find(*in, '/'));
	const char *at = memrchr(a.p, '@', a.n);

	if (a.n == in->n)
		return -1;
	*in = slice_of(in->p + a.n, in->n - a.n);
	if (at != NULL) {
		u->user = slice_of(a.p, (size_t)(at - a.p));
		a = slice_of(at + 1, a.n - u->user.n - 1);
		if (u->user.n == 0 || slice_find(u->user, ';') < u->user.n ||
		    unescape(&u->user) == -1)
			return -1;
	}
	u->host = slice_of(a.p, slice_find(a, ':'));
	return u->host.n == 0 || unescape(&u->host) == -1 ? -1 : 0;
}

/* "/" mailbox [";UIDVALIDITY=" n] */
static int
path(struct slice *in, struct imap_url *u)
{
	struct slice p = slice_of(in->p + 1, in->n - 1), v;
	size_t end = slice_find(p, ';');

	u->mailbox = slice_of(p.p, end);
	*in = slice_of(p.p + end, p.n - end);
	if (end > 0 && p.p[end - 1] == '/') {
		u->mailbox.n--;
		*in = slice_of(in->p - 1, in->n + 1);
	} else if (key(in, ";UIDVALIDITY=", &v) != 1 ||
	    number(v, 1, &u->uidvalidity) == -1)
		return -1;
	if (u->mailbox.n == 0 || unescape(&u->mailbox) == -1 ||
	    !utf8_valid(u->mailbox.p, u->mailbox.n))
		return -1;
	return 0;
}

/* ["/"] ";UID=" n ["/;SECTION=" section] ["/;PARTIAL=" first ["." count]] */
static int
keys(struct slice in, struct imap_url *u)
{
	struct slice v;
	char *p;

	if ((key(&in, "/;UID=", &v) != 1 && key(&in, ";UID=", &v) != 1) ||
	    number(v, 1, &u->uid) == -1)
		return -1;
	if (key(&in, "/;SECTION=", &v) == 1) {
		if (unescape(&v) == -1 || v.n == 0)
			return -1;
		/* The octets around it are those of the key and of what
		 * follows, or free. */
		p = u->text + (v.p - u->text);
		p[-1] = '[';
		memmove(p + v.n + 2, in.p, in.n);
		in.p = p + v.n + 2;
		p[v.n] = ']';
		u->section = slice_of(p - 1, v.n + 2);
	}
	if (key(&in, "/;PARTIAL=", &v) == 1 && partial(v, u) == -1)
		return -1;
	return in.n == 0 ? 0 : -1;
}

static int
partial(struct slice v, struct imap_url *u)
{
	size_t dot = slice_find(v, '.');

	if (dot < v.n && number(slice_of(v.p + dot + 1, v.n - dot - 1), 1,
	    &u->count) == -1)
		return -1;
	u->partial = true;
	return number(slice_of(v.p, dot), 0, &u->first);
}

/* A key at the start of in, case ignored, and its value, which ends before
 * "/;" or with the URL: 1 and both are taken, or 0. */
static int
key(struct slice *in, const char *name, struct slice *value)
{
	const char *end;
	size_t n = strlen(name);

	if (!slice_casestarts(*in, name))
		return 0;
	*in = slice_of(in->p + n, in->n - n);
	end = memmem(in->p, in->n, "/;", 2);
	n = end == NULL ? in->n : (size_t)(end - in->p);
	*value = slice_of(in->p, n);
	*in = slice_of(in->p + n, in->n - n);
	return 1;
}

static int
number(struct slice v, uint32_t least, uint32_t *out)
{
	uint64_t n;

	if (slice_number(v, UINT32_MAX, &n) == -1 || n < least)
		return -1;
	*out = (uint32_t)n;
	return 0;
}

/* %XX undone in place; neither NUL nor another control comes out of it. */
static int
unescape(struct slice *s)
{
	static const char hex[] = "0123456789abcdef";
	char *p = (char *)(uintptr_t)s->p;
	const char *a, *b;
	size_t i, k = 0;

	for (i = 0; i < s->n; i++) {
		p[k] = s->p[i];
		if (s->p[i] == '%') {
			if (s->n - i < 3 || (a = memchr(hex,
			    ascii_lower(s->p[i + 1]), 16)) == NULL ||
			    (b = memchr(hex, ascii_lower(s->p[i + 2]),
			    16)) == NULL)
				return -1;
			p[k] = (char)((a - hex) << 4 | (b - hex));
			i += 2;
		}
		if ((unsigned char)p[k] < ' ' || p[k] == 127)
			return -1;
		k++;
	}
	s->n = k;
	return 0;
}
