/*
 * Header canonicalisation and the header hash of DKIM (RFC 6376 3.4.1,
 * 3.4.2, 3.7, 5.4.2), for signing and for verifying.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "parse.h"
#include "verify.h"
#include "digest.h"
#include "dkim_priv.h"

/* The fields of a header, from the top. */
struct fields {
	size_t		 n;
	struct {
		struct slice	 name, raw;
		uint32_t	 hash;	/* of the name; 0 once it is used */
	} v[];
};

static struct fields *fields_read(struct slice, struct slice);
static struct slice fields_take(struct fields *, struct slice);
static uint32_t	 name_hash(struct slice);
static size_t	 canon_relaxed(const char *, size_t, char *);

int
dkim_header_hash(struct slice header, struct slice h, struct slice sig,
    enum dkim_canon canon, uint8_t hash[DKIM_HASH])
{
	struct digest d = { .ctx = NULL };
	struct fields *f;
	struct slice name, raw;
	int n, rc = -1;

	if ((f = fields_read(header, sig)) == NULL)
		return -1;
	if (digest_start(&d) == -1)
		goto out;
	for (n = 0; h.n > 0; n++) {
		if (n == DKIM_H_MAX)
			goto out;
		name = slice_of(h.p, slice_find(h, ':'));
		h = name.n < h.n ? slice_of(h.p + name.n + 1,
		    h.n - name.n - 1) : slice_of(h.p + h.n, 0);
		raw = fields_take(f, slice_trim(name));
		if (raw.n > 0)
			dkim_field_put(&d, raw, canon, 1);
	}
	if (dkim_sig_put(&d, sig, canon) == 0)
		rc = digest_end(&d, hash);
out:
	digest_free(&d);
	free(f);
	return rc;
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

/* The bottom ones, if there are too many.  To be freed; NULL: no memory. */
static struct fields *
fields_read(struct slice header, struct slice sig)
{
	struct header_field h;
	struct fields *f;
	size_t i = 0, n = 0, total = 0;
	struct slice rest = header;

	while (header_next(&rest, &h))
		total++;
	f = malloc(sizeof(*f) + (total < DKIM_FIELDS_MAX ? total :
	    DKIM_FIELDS_MAX) * sizeof(f->v[0]));
	if (f == NULL)
		return NULL;
	for (rest = header; i < total && header_next(&rest, &h); i++) {
		if (total - i > DKIM_FIELDS_MAX || h.name.n == 0 ||
		    h.raw.p == sig.p)
			continue;
		f->v[n].name = h.name;
		f->v[n].raw = h.raw;
		f->v[n].hash = name_hash(h.name);
		n++;
	}
	f->n = n;
	return f;
}

/* The next instance from the bottom; empty if there is none left. */
static struct slice
fields_take(struct fields *f, struct slice name)
{
	uint32_t hash = name_hash(name);
	size_t i;

	for (i = f->n; i-- > 0; )
		if (f->v[i].hash == hash &&
		    slice_caseeq(f->v[i].name, name)) {
			f->v[i].hash = 0;
			return f->v[i].raw;
		}
	return slice_of(NULL, 0);
}

/* FNV-1a of the name in lower case, never 0; only to skip comparisons. */
static uint32_t
name_hash(struct slice s)
{
	uint32_t h = 2166136261u;
	size_t i;

	for (i = 0; i < s.n; i++)
		h = (h ^ (uint32_t)ascii_lower((unsigned char)s.p[i])) *
		    16777619u;
	return h != 0 ? h : 1;
}

void
dkim_field_put(struct digest *d, struct slice raw, enum dkim_canon canon, int crlf)
{
	char *buf;
	size_t n;

	if (raw.n > 0 && raw.p[raw.n - 1] == '\n')
		raw.n--;
	if (raw.n > 0 && raw.p[raw.n - 1] == '\r')
		raw.n--;
	if (canon == DKIM_SIMPLE) {
		digest_put(d, raw.p, raw.n);
	} else {
		if ((buf = malloc(raw.n + 2)) == NULL) {
			d->bad = 1;
			return;
		}
		n = canon_relaxed(raw.p, raw.n, buf);
		digest_put(d, buf, n - 2);
		free(buf);
	}
	if (crlf)
		digest_put(d, "\r\n", 2);
}

/* Name in lower case, no blanks at the colon and at the end, others one. */
static size_t
canon_relaxed(const char *p, size_t n, char *out)
{
	size_t i, k = 0, start = 0;	/* where the value does */
	int c, blank = 0;

	for (i = 0; i < n; i++) {
		c = (unsigned char)p[i];
		if (c == '\r' || c == '\n')
			continue;
		if (c == ' ' || c == '\t') {
			blank = 1;
			continue;
		}
		if (c == ':' && start == 0) {
			out[k++] = ':';
			start = k;
			blank = 0;
			continue;
		}
		if (blank && start > 0 && k > start)
			out[k++] = ' ';
		blank = 0;
		out[k++] = (char)(start > 0 ? c : ascii_lower(c));
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

/* The field with nothing between the "=" of its b= tag and the next ";". */
size_t
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
