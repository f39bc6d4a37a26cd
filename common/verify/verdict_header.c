/*
 * A header on its way into a verdict: which signatures are verified, what
 * they cover of the header, and which body hashes that takes.  Afterwards the
 * header is not needed any more.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "verify/arc_priv.h"
#include "verify/digest.h"
#include "verify/dkim_priv.h"
#include "verify/fields.h"
#include "verify/verdict_priv.h"
#include "verify/verify.h"

#define LOOK_MAX	64	/* signature fields among which is chosen */

static size_t	 find(const struct verdict *,
		    const struct header_field *[LOOK_MAX], size_t *);
static size_t	 choose(const struct verdict *,
		    const struct header_field *[LOOK_MAX], size_t, size_t *);
static int	 is_near(const struct verdict *, struct slice);
static int	 add(struct verdict *, const struct header_field *);
static int	 body_for(struct verdict *, struct dkim_sig *);

int
verdict_signatures(struct verdict *v)
{
	const struct header_field *found[LOOK_MAX];
	size_t i, n, total;
	int r;

	n = find(v, found, &total);
	if (n > DKIM_VERIFY_MAX)
		n = choose(v, found, n, &total);
	for (i = 0; i < n; i++) {
		if ((r = add(v, found[i])) == -1)
			return -1;
		total -= r == 0;
	}
	v->more = total - v->nsig;
	if (v->flags & VERDICT_NOARC)
		return 0;
	if (arc_read(&v->arc, &v->kit->digest, &v->kit->fields, v->now) == -1)
		return -1;
	return v->arc.open ? body_for(v, &v->arc.ams) : 0;
}

/* DKIM-Signature fields from the top, and how many there are in all. */
static size_t
find(const struct verdict *v, const struct header_field *found[LOOK_MAX],
    size_t *total)
{
	const struct header_field *f;
	size_t i, n = 0;

	*total = 0;
	for (i = 0; i < v->kit->fields.n; i++) {
		f = &v->kit->fields.v[i].f;
		if (!slice_caseis(f->name, "DKIM-Signature"))
			continue;
		++*total;
		if (n < LOOK_MAX)
			found[n++] = f;
	}
	return n;
}

/*
 * Of too many, DKIM_VERIFY_MAX, in their order: before all those that might
 * align.  Those that name no signer do not count.
 */
static size_t
choose(const struct verdict *v, const struct header_field *found[LOOK_MAX],
    size_t n, size_t *total)
{
	int is[LOOK_MAX];
	size_t i, k = 0, near = 0, far;
	struct slice d;
	struct tags t;
	const char *why;

	for (i = 0; i < n; i++) {
		is[k] = 0;
		if (found[i]->raw.n <= DKIM_FIELD_MAX &&
		    tags_parse(found[i]->value, &t, &why) == 0) {
			d = tags_get(&t, "d");
			if (d.p == NULL && tags_get(&t, "s").p == NULL) {
				--*total;
				continue;
			}
			is[k] = is_near(v, d);
		}
		near += (size_t)is[k];
		found[k++] = found[i];
	}
	far = near < DKIM_VERIFY_MAX ? DKIM_VERIFY_MAX - near : 0;
	for (i = n = 0; i < k && n < DKIM_VERIFY_MAX; i++) {
		if (!is[i] && far == 0)
			continue;
		far -= !is[i];
		found[n++] = found[i];
	}
	return n;
}

/* Might it align with an author? */
static int
is_near(const struct verdict *v, struct slice d)
{
	char domain[DOMAIN_TEXT];
	size_t i;

	if (d.p == NULL || domain_ascii(d, domain) == -1)
		return 0;
	for (i = 0; i < v->authors.n; i++)
		if (domain_within(domain, v->authors.domain[i]) ||
		    domain_within(v->authors.domain[i], domain))
			return 1;
	return 0;
}

/* 1, 0 it names no signer, -1 out of memory. */
static int
add(struct verdict *v, const struct header_field *f)
{
	struct dkim_sig *s = &v->sig[v->nsig++];
	struct tags t;
	const char *why;

	dkim_sig_clear(s);
	if (f->raw.n > DKIM_FIELD_MAX) {
		dkim_sig_set(s, DKIM_PERMERROR, "field too long");
		return 1;
	}
	if (tags_parse(f->value, &t, &why) == -1) {
		dkim_sig_set(s, DKIM_PERMERROR, why);
		return 1;
	}
	if (dkim_sig_parse(&t, SIG_DKIM, v->now, s) == -1) {
		v->nsig--;
		return 0;
	}
	if (!s->open)
		return 1;
	if (dkim_fields_hash(&v->kit->digest, &v->kit->fields,
	    tags_get(&t, "h"), f->raw, s->header, s->hash) == -1) {
		dkim_sig_set(s, DKIM_TEMPERROR, "out of memory");
		return 1;
	}
	return body_for(v, s) == -1 ? -1 : 1;
}

/* The hash of the body that s wants, shared where another wants the same. */
static int
body_for(struct verdict *v, struct dkim_sig *s)
{
	struct body_hash *b;
	size_t i;

	for (i = 0; i < v->nbody; i++)
		if (v->body[i].canon == s->body &&
		    v->body[i].limit == s->limit)
			break;
	s->hash_i = i;
	if (i < v->nbody)
		return 0;
	b = &v->body[i];
	b->canon = s->body;
	b->limit = s->limit;
	if (b->body == NULL)
		b->body = dkim_body_new(s->body, s->limit);
	else
		dkim_body_start(b->body, s->body, s->limit);
	if (b->body == NULL)
		return -1;
	v->nbody++;
	return 0;
}
