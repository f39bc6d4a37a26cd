/*
 * imap-session: SORT (RFC 5256, 5957, 5267): what SEARCH found, in another
 * order.  The keys of each message are read once (sort_key.c); then they are
 * merged, which is stable, so that the mailbox's order is the last key.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "parse/charset.h"
#include "parse/facts.h"
#include "parse/imap_parse.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

static const struct {
	const char	*name;
	struct sort_key	 key;
} words[] = {
	{ "ARRIVAL",	{ .by = SORT_ARRIVAL } },
	{ "CC",		{ .by = SORT_FIELD, .field = FACTS_CC } },
	{ "DATE",	{ .by = SORT_DATE } },
	{ "DISPLAYFROM", { .by = SORT_FIELD, .field = FACTS_FROM,
	    .display = true } },
	{ "DISPLAYTO",	{ .by = SORT_FIELD, .field = FACTS_TO,
	    .display = true } },
	{ "FROM",	{ .by = SORT_FIELD, .field = FACTS_FROM } },
	{ "RELEVANCY",	{ .by = SORT_RELEVANCY } },
	{ "SIZE",	{ .by = SORT_SIZE } },
	{ "SUBJECT",	{ .by = SORT_FIELD, .field = FACTS_BASESUBJECT } },
	{ "TO",		{ .by = SORT_FIELD, .field = FACTS_TO } },
};

_Static_assert(NITEMS(words) == SORT_KEYS_MAX, "each key once");

static enum reply sort_args(struct session *, struct imap_in *,
	    struct search_return *, struct sort_table *, struct search_prog *);
static enum reply sort_keys(struct session *, struct imap_in *,
	    struct sort_table *);
static void	sort_add(struct sort_table *, const struct sort_key *);
static enum reply sort_answer(struct session *, const struct search_return *,
	    struct sort_table *, const struct search_prog *);
static enum reply sort_order(struct session *, struct sort_table *,
	    struct search_result *);
static const uint32_t *merge_sort(const struct sort_table *, uint32_t *,
	    uint32_t *, size_t);
static void	merge_runs(const struct sort_table *, const uint32_t *,
	    uint32_t *, size_t, size_t, size_t);
static int	row_cmp(const struct sort_table *, uint32_t, uint32_t);
static int	cell_cmp(const char *, const struct sort_cell *,
	    const struct sort_cell *);

enum reply
cmd_sort(struct session *s, struct imap_in *in)
{
	struct search_return	 ret = { 0 };
	struct search_prog	 prog = { 0 };
	struct sort_table	 t = { 0 };
	enum reply		 r;

	if ((r = sort_args(s, in, &ret, &t, &prog)) == REPLY_OK)
		r = sort_answer(s, &ret, &t, &prog);
	search_free(&prog);
	sort_free(&t);
	if (r == REPLY_NO && ret.what & RETURN_SAVE)
		s->nsaved = 0;
	return r;
}

static enum reply
sort_args(struct session *s, struct imap_in *in, struct search_return *ret,
    struct sort_table *t, struct search_prog *prog)
{
	enum reply	 r;
	size_t		 i;
	int		 charset;
	bool		 relevancy = false;

	if ((r = return_parse(s, in, ret)) != REPLY_OK ||
	    (r = sort_keys(s, in, t)) != REPLY_OK ||
	    (r = search_charset(s, in, &charset)) != REPLY_OK ||
	    (r = search_keys(s, in, charset, prog)) != REPLY_OK)
		return r;
	for (i = 0; i < t->nkeys; i++)
		relevancy = relevancy || t->key[i].by == SORT_RELEVANCY;
	if ((relevancy || ret->what & RETURN_RELEVANCY) && !prog->fuzzy)
		return reply_bad(s, "expected FUZZY with RELEVANCY");
	return REPLY_OK;
}

/* "(REVERSE DATE SUBJECT) " */
static enum reply
sort_keys(struct session *s, struct imap_in *in, struct sort_table *t)
{
	struct sort_key	 key;
	bool		 reverse;
	size_t		 i;

	if (imap_open(in) == -1)
		return reply_expected(s, in, "sort keys in parentheses");
	do {
		reverse = imap_word(in, "REVERSE");
		if (reverse && imap_space(in) == -1)
			return reply_expected(s, in, "a blank and a sort key");
		for (i = 0; i < NITEMS(words); i++)
			if (imap_word(in, words[i].name))
				break;
		if (i == NITEMS(words))
			return reply_expected(s, in,
			    "a sort key, as DATE or REVERSE SUBJECT,");
		key = words[i].key;
		key.reverse = reverse;
		sort_add(t, &key);
	} while (imap_space(in) == 0);
	if (imap_close(in) == -1)
		return reply_expected(s, in, "a blank and a sort key, or ')',");
	if (imap_space(in) == -1)
		return reply_expected(s, in, "a blank and a charset");
	return REPLY_OK;
}

/* What has been sorted by already decides nothing more. */
static void
sort_add(struct sort_table *t, const struct sort_key *key)
{
	size_t	 i;

	for (i = 0; i < t->nkeys; i++)
		if (t->key[i].by == key->by && t->key[i].field == key->field &&
		    t->key[i].display == key->display)
			return;
	t->key[t->nkeys++] = *key;
	t->facts = t->facts || key->by == SORT_FIELD || key->by == SORT_DATE;
}

static enum reply
sort_answer(struct session *s, const struct search_return *ret,
    struct sort_table *t, const struct search_prog *prog)
{
	struct search_result	 res = { 0 };
	enum reply		 r, sorted, saved;

	r = search_run(s, prog, UINT32_MAX, false, &res);
	if (res.n > 0 && (sorted = sort_order(s, t, &res)) != REPLY_OK)
		r = sorted;
	if (r == REPLY_OK && (saved = return_save(s, ret, &res)) != REPLY_OK)
		r = saved;
	res.modseq = prog->modseq;
	if (ret->asked)
		return_send(s, ret, &res);
	else
		result_send(s, "SORT", &res);
	result_free(&res);
	return r;
}

/* The result in the order of the table; scores go with it. */
static enum reply
sort_order(struct session *s, struct sort_table *t, struct search_result *res)
{
	enum store_result	 r;
	const uint32_t		*order;
	uint32_t		*rows, *seq;
	uint8_t			*score;
	size_t			 i, n = res->n;

	if ((r = sort_fill(s, t, res)) == STORE_NOMEM || r == STORE_LIMIT)
		return reply_store(s, r);
	rows = reallocarray(NULL, n, 2 * sizeof(*rows));
	seq = reallocarray(NULL, n, sizeof(*seq));
	score = malloc(n);
	if (rows == NULL || seq == NULL || score == NULL) {
		free(rows);
		free(seq);
		free(score);
		return reply_store(s, STORE_NOMEM);
	}
	order = merge_sort(t, rows, rows + n, n);
	for (i = 0; i < n; i++) {
		seq[i] = res->seq[order[i]];
		score[i] = res->score[order[i]];
	}
	free(rows);
	free(res->seq);
	free(res->score);
	res->seq = seq;
	res->score = score;
	res->size = n;
	return reply_store(s, r);
}

/* Runs of 1, 2, 4, ... rows, from one array into the other. */
static const uint32_t *
merge_sort(const struct sort_table *t, uint32_t *v, uint32_t *w, size_t n)
{
	uint32_t	*swap;
	size_t		 i, run;

	for (i = 0; i < n; i++)
		v[i] = (uint32_t)i;
	for (run = 1; run < n; run *= 2) {
		for (i = 0; i < n; i += 2 * run)
			merge_runs(t, v, w, i, i + run < n ? i + run : n,
			    i + 2 * run < n ? i + 2 * run : n);
		swap = v;
		v = w;
		w = swap;
	}
	return v;
}

static void
merge_runs(const struct sort_table *t, const uint32_t *v, uint32_t *w,
    size_t from, size_t middle, size_t end)
{
	size_t	 i = from, k = middle, to = from;

	/* Often they are in order already. */
	if (middle == end || row_cmp(t, v[middle - 1], v[middle]) <= 0) {
		memcpy(w + from, v + from, (end - from) * sizeof(*v));
		return;
	}
	while (i < middle && k < end)
		w[to++] = row_cmp(t, v[i], v[k]) <= 0 ? v[i++] : v[k++];
	while (i < middle)
		w[to++] = v[i++];
	while (k < end)
		w[to++] = v[k++];
}

static int
row_cmp(const struct sort_table *t, uint32_t a, uint32_t b)
{
	const struct sort_cell	*x = t->cell + (size_t)a * t->nkeys;
	const struct sort_cell	*y = t->cell + (size_t)b * t->nkeys;
	size_t			 i;
	int			 r;

	for (i = 0; i < t->nkeys; i++)
		if ((r = cell_cmp(t->text, &x[i], &y[i])) != 0)
			return t->key[i].reverse ? -r : r;
	return 0;
}

/* A text that is the start of another one comes before it. */
static int
cell_cmp(const char *text, const struct sort_cell *x,
    const struct sort_cell *y)
{
	uint32_t n = x->n < y->n ? x->n : y->n;
	int	 r;

	if (x->head != y->head)
		return x->head < y->head ? -1 : 1;
	if (n > 0 && (r = memcmp(text + x->off, text + y->off, n)) != 0)
		return r;
	return x->n < y->n ? -1 : x->n > y->n;
}
