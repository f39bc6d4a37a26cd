/*
 * A header on its way into a verdict: which signatures are verified, what
 * they cover of the header, and which body hashes that takes.  Afterwards the
 * header is not needed any more.
 */
#include "compat.h"

#include <string.h>

#include "parse.h"
#include "verify.h"
#include "dkim_priv.h"
#include "arc_priv.h"
#include "verdict_priv.h"

#define LOOK_MAX	64	/* signature fields among which is chosen */

struct found {
	struct header_field field;
	int		 near;		/* of an author's domain */
};

static size_t	 find(const struct verdict *, struct slice, struct found *,
		    size_t *);
static int	 is_near(const struct verdict *, struct slice);
static int	 add(struct verdict *, struct slice, struct header_field *);
static int	 body_for(struct verdict *, struct dkim_sig *);

int
verdict_signatures(struct verdict *v, struct slice header)
{
	struct found found[LOOK_MAX];
	size_t i, n, near = 0, far = 0, total;

	n = find(v, header, found, &total);
	for (i = 0; i < n; i++)
		near += (size_t)found[i].near;
	if (near < DKIM_VERIFY_MAX)
		far = DKIM_VERIFY_MAX - near;
	for (i = 0; i < n && v->nsig < DKIM_VERIFY_MAX; i++) {
		if (!found[i].near && far == 0)
			continue;
		far -= !found[i].near;
		if (add(v, header, &found[i].field) == -1)
			return -1;
	}
	v->more = total > v->nsig ? total - v->nsig : 0;
	if (v->flags & VERDICT_NOARC)
		return 0;
	if (arc_read(&v->arc, header, v->now) == -1)
		return -1;
	return v->arc.open ? body_for(v, &v->arc.ams) : 0;
}

/* DKIM-Signature fields from the top; *total counts those that name a
 * signer. */
static size_t
find(const struct verdict *v, struct slice header, struct found *found,
    size_t *total)
{
	struct header_field f;
	struct slice rest = header, d;
	struct tags t;
	const char *why;
	size_t n = 0;
	int i;

	*total = 0;
	for (i = 0; i < HEADER_FIELDS_MAX && header_next(&rest, &f); i++) {
		if (!slice_caseis(f.name, "DKIM-Signature"))
			continue;
		++*total;
		if (n == LOOK_MAX)
			continue;
		found[n].field = f;
		found[n].near = 0;
		if (f.raw.n <= DKIM_FIELD_MAX &&
		    tags_parse(f.value, &t, &why) == 0) {
			d = tags_get(&t, "d");
			if (d.p == NULL && tags_get(&t, "s").p == NULL) {
				--*total;
				continue;
			}
			found[n].near = is_near(v, d);
		}
		n++;
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

static int
add(struct verdict *v, struct slice header, struct header_field *f)
{
	struct dkim_sig *s = &v->sig[v->nsig++];
	struct tags t;
	const char *why;

	*s = (struct dkim_sig){ .open = 0 };
	if (f->raw.n > DKIM_FIELD_MAX) {
		dkim_sig_set(s, DKIM_PERMERROR, "field too long");
		return 0;
	}
	if (tags_parse(f->value, &t, &why) == -1) {
		dkim_sig_set(s, DKIM_PERMERROR, why);
		return 0;
	}
	dkim_sig_parse(&t, SIG_DKIM, v->now, s);
	if (!s->open)
		return 0;
	if (dkim_header_hash(header, tags_get(&t, "h"), f->raw, s->header,
	    s->hash) == -1) {
		dkim_sig_set(s, DKIM_TEMPERROR, "out of memory");
		return 0;
	}
	return body_for(v, s);
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
