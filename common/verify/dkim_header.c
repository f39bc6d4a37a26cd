/*
 * Header canonicalisation and the header hash of DKIM (RFC 6376 3.4.1,
 * 3.4.2, 3.7, 5.4.2), for signing and for verifying.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "verify/digest.h"
#include "verify/dkim_priv.h"
#include "verify/fields.h"
#include "verify/verify.h"

static size_t	 canon_relaxed(const char *, size_t, char *);
static size_t	 dkim_without_b(struct slice, char *);

int
dkim_header_hash(struct slice header, struct slice h, struct slice sig,
    enum dkim_canon canon, uint8_t hash[DKIM_HASH])
{
	struct digest d = { .ctx = NULL };
	struct fields t = { .n = 0 };
	int rc = -1;

	if (fields_read(&t, header) == 0)
		rc = dkim_fields_hash(&d, &t, h, sig, canon, hash);
	digest_free(&d);
	fields_free(&t);
	return rc;
}

int
dkim_fields_hash(struct digest *d, struct fields *t, struct slice h,
    struct slice sig, enum dkim_canon canon, uint8_t hash[DKIM_HASH])
{
	struct slice name, raw;
	int n;

	if (digest_start(d) == -1)
		return -1;
	fields_start(t);
	for (n = 0; h.n > 0; n++) {
		if (n == DKIM_H_MAX)
			return -1;
		name = slice_of(h.p, slice_find(h, ':'));
		h = name.n < h.n ? slice_of(h.p + name.n + 1,
		    h.n - name.n - 1) : slice_of(h.p + h.n, 0);
		raw = fields_take(t, slice_trim(name), sig);
		if (raw.n > 0)
			dkim_field_put(d, raw, canon, 1);
	}
	if (dkim_sig_put(d, sig, canon) == -1)
		return -1;
	return digest_end(d, hash);
}

ssize_t
dkim_header_canon(struct slice raw, enum dkim_canon canon, char *out,
    size_t size)
{
	if (size < raw.n + 2)
		return -1;
	if (canon == DKIM_RELAXED)
		return (ssize_t)canon_relaxed(raw.p, raw.n, out);
	memcpy(out, raw.p, raw.n);
	return (ssize_t)raw.n;
}

/* The canonical form goes straight to where the digest gathers, if it can. */
void
dkim_field_put(struct digest *d, struct slice raw, enum dkim_canon canon,
    int crlf)
{
	char *buf, *big = NULL;
	size_t n;

	if (raw.n > 0 && raw.p[raw.n - 1] == '\n')
		raw.n--;
	if (raw.n > 0 && raw.p[raw.n - 1] == '\r')
		raw.n--;
	if (canon == DKIM_SIMPLE) {
		digest_put(d, raw.p, raw.n);
		if (crlf)
			digest_put(d, "\r\n", 2);
		return;
	}
	if ((buf = digest_room(d, raw.n + 2)) == NULL &&
	    (buf = big = malloc(raw.n + 2)) == NULL) {
		d->bad = 1;
		return;
	}
	n = canon_relaxed(raw.p, raw.n, buf) - (crlf ? 0 : 2);
	if (big == NULL)
		digest_took(d, n);
	else
		digest_put(d, big, n);
	free(big);
}

/* Name in lower case, no blanks at the colon and at the end, others one. */
static size_t
canon_relaxed(const char *p, size_t n, char *out)
{
	size_t i, k = 0, start, run;	/* start: of the value */
	int c = 0, blank = 0;

	for (i = 0; i < n && c != ':'; i++) {
		c = (unsigned char)p[i];
		if (c != ' ' && c != '\t' && c != '\r' && c != '\n')
			out[k++] = (char)ascii_lower(c);
	}
	for (start = k; i < n; i++) {
		if (!blank && k > start) {
			run = dkim_words(p + i, n - i);
			memcpy(out + k, p + i, run);
			i += run;
			k += run;
			if (i == n)
				break;
		}
		c = (unsigned char)p[i];
		if (c == '\r' || c == '\n')
			continue;
		if (c == ' ' || c == '\t') {
			blank = 1;
			continue;
		}
		if (blank && k > start)
			out[k++] = ' ';
		blank = 0;
		out[k++] = (char)c;
	}
	out[k++] = '\r';
	out[k++] = '\n';
	return k;
}

int
dkim_sig_put(struct digest *d, struct slice sig, enum dkim_canon canon)
{
	char *buf;

	if ((buf = malloc(sig.n + 1)) == NULL)
		return -1;
	dkim_field_put(d, slice_of(buf, dkim_without_b(sig, buf)), canon, 0);
	free(buf);
	return 0;
}

/* The field with nothing between the "=" of its b= tag and the next ";"; its
 * length.  out has room for sig.n. */
static size_t
dkim_without_b(struct slice sig, char *out)
{
	size_t i, tag, end, colon = slice_find(sig, ':');
	struct slice name, rest;

	for (i = colon < sig.n ? colon + 1 : sig.n; i < sig.n; i = end + 1) {
		rest = slice_of(sig.p + i, sig.n - i);
		end = i + slice_find(rest, ';');
		tag = slice_find(slice_of(rest.p, end - i), '=');
		name = slice_trim(slice_of(rest.p, tag));
		if (i + tag == end || !slice_is(name, "b"))
			continue;
		memcpy(out, sig.p, i + tag + 1);
		memcpy(out + i + tag + 1, sig.p + end, sig.n - end);
		return sig.n - (end - i - tag - 1);
	}
	if (sig.n > 0)
		memcpy(out, sig.p, sig.n);
	return sig.n;
}
