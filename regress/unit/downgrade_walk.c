/*
 * Makes messages 7-bit and looks whether they mean what they meant: for
 * unit/parse_downgrade and fuzz_downgrade.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/cte.h"
#include "parse/facts.h"
#include "parse/mime.h"
#include "downgrade_walk.h"

struct text {
	char	*p;
	size_t	 n, cap;
	size_t	 header;
};

static void	 header_add(void *, const char *, size_t);
static void	 body_add(void *, const char *, size_t);
static const char *parts_same(const char *, const char *, size_t,
		    const char *, const char *, size_t);
static bool	 leaf_same(const char *, const struct facts_part *,
		    const char *, const struct facts_part *);
static bool	 qp_broken(const char *, size_t);
static char	*decode(const char *, const struct facts_part *, size_t *);

char *
downgrade_text(const char *msg, size_t n, size_t step,
    enum downgrade_can *can, size_t *header, size_t *outn)
{
	struct text t = { .p = NULL };
	const struct downgrade_out to = { header_add, body_add, &t };
	struct downgrade *d;
	char *facts;
	size_t i, k, fn;

	*can = DOWNGRADE_NO;
	*header = *outn = 0;
	if ((facts = mime_facts(msg, n, &fn)) == NULL ||
	    (d = downgrade_new(facts, fn)) == NULL)
		abort();
	free(facts);
	for (i = 0; i < n; i += k) {
		k = n - i < step ? n - i : step;
		if (downgrade_look(d, msg + i, k) == -1)
			abort();
	}
	*can = downgrade_looked(d);
	if (*can == DOWNGRADE_YES) {
		t.p = xcalloc(1, t.cap = 1024);
		for (i = 0; i < n; i += k) {
			k = n - i < step ? n - i : step;
			if (downgrade_feed(d, msg + i, k, &to) == -1)
				abort();
		}
		if (downgrade_feed(d, "x", 1, &to) == 0)
			abort();	/* it has ended */
	}
	downgrade_free(d);
	*header = t.header;
	*outn = t.n;
	return t.p;
}

static void
add(struct text *t, const char *p, size_t n)
{
	if (n > t->cap - t->n) {
		t->cap = 2 * (t->n + n);
		t->p = xreallocarray(t->p, t->cap, 1);
	}
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

static void
header_add(void *arg, const char *p, size_t n)
{
	struct text *t = arg;

	if (t->header != t->n)
		abort();		/* a body came before it */
	add(t, p, n);
	t->header = t->n;
}

static void
body_add(void *arg, const char *p, size_t n)
{
	add(arg, p, n);
}

const char *
downgrade_walk(const char *msg, size_t n, size_t step,
    enum downgrade_can *can)
{
	enum downgrade_can other;
	size_t headn, outn, n2, fa, fb;
	char *out, *again, *a, *b;
	const char *why = NULL;

	out = downgrade_text(msg, n, n == 0 ? 1 : n, can, &headn, &outn);
	again = downgrade_text(msg, n, step, &other, &fa, &n2);
	if (other != *can || n2 != outn || fa != headn ||
	    (outn > 0 && memcmp(out, again, outn) != 0))
		why = "another result when it is cut";
	free(again);
	if (why == NULL && out != NULL) {
		a = mime_facts(msg, n, &fa);
		b = mime_facts(out, outn, &fb);
		if (a == NULL || b == NULL)
			abort();
		why = parts_same(msg, a, fa, out, b, fb);
		free(a);
		free(b);
		free(downgrade_text(out, outn, outn, &other, &fa, &n2));
		if (why == NULL && other != DOWNGRADE_NEEDLESS &&
		    headn <= DOWNGRADE_HEADER_MAX)
			why = "it is not 7-bit";
	}
	free(out);
	return why;
}

static const char *
parts_same(const char *ma, const char *a, size_t an, const char *mb,
    const char *b, size_t bn)
{
	struct facts_part x, y;
	int i, n = facts_nparts(a, an);

	if (facts_nparts(b, bn) != n)
		return "another number of parts";
	for (i = 0; i < n; i++) {
		if (facts_nth(a, an, i, &x) == -1 ||
		    facts_nth(b, bn, i, &y) == -1)
			return "a part that cannot be read";
		if (x.type != y.type || x.nparts != y.nparts ||
		    x.charset != y.charset)
			return "another type of a part";
		if (x.type != FACTS_TEXT && x.type != FACTS_OTHER)
			continue;
		if (has_8bit(mb + y.body_off, (size_t)y.body_len))
			return "a part that is not 7-bit";
		if (!leaf_same(ma, &x, mb, &y))
			return "another content of a part";
	}
	return NULL;
}

/* A message that ends in an encoded part has a line end behind it. */
static bool
leaf_same(const char *ma, const struct facts_part *x, const char *mb,
    const struct facts_part *y)
{
	size_t an, bn;
	char *a = decode(ma, x, &an), *b = decode(mb, y, &bn);
	bool same = an == bn && memcmp(a, b, an) == 0;

	if (x->cte == CTE_QP)
		same = same || qp_broken(ma + x->body_off,
		    (size_t)x->body_len);
	free(a);
	free(b);
	return same;
}

/* Octets that no encoder writes next to a "=": what they mean nobody knows. */
static bool
qp_broken(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)p[i] > 127 && ((i > 0 && p[i - 1] == '=') ||
		    (i > 1 && p[i - 2] == '=')))
			return true;
	return false;
}

static char *
decode(const char *msg, const struct facts_part *p, size_t *n)
{
	struct cte c = { .cte = p->cte };
	size_t size = (size_t)p->body_len + CTE_SLACK;
	char *out = xcalloc(1, size);

	*n = cte_decode(&c, msg + p->body_off, (size_t)p->body_len, 1, out,
	    size);
	return out;
}
