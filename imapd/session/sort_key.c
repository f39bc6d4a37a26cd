/*
 * imap-session: what messages are sorted by (RFC 5256, 5957, 6203): read once
 * for each message, from index and facts, into cells of one table; texts are
 * mapped by i;unicode-casemap into one block.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/casemap.h"
#include "parse/charset.h"
#include "parse/facts.h"
#include "parse/words.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

#define TEXT_MAX	(256U << 20)	/* octets of all texts */
#define FIELD_MAX	1000		/* octets of one that are looked at */

static enum store_result row_fill(struct session *, struct sort_table *,
	    size_t, uint32_t, unsigned int);
static void	cell_number(struct sort_cell *, int64_t);
static int	cell_text(struct sort_table *, struct sort_cell *,
	    struct slice);
static int	cell_field(struct session *, struct sort_table *,
	    const struct sort_key *, struct sort_cell *, struct slice);
static size_t	address_text(struct slice, bool, char *);

enum store_result
sort_fill(struct session *s, struct sort_table *t,
    const struct search_result *res)
{
	enum store_result	 r, worst = STORE_OK;
	size_t			 i;

	t->cell = calloc(res->n + 1, t->nkeys * sizeof(*t->cell));
	if (t->cell == NULL)
		return STORE_NOMEM;
	for (i = 0; i < res->n; i++) {
		r = row_fill(s, t, i, res->seq[i], res->score[i]);
		if (r == STORE_NOMEM || r == STORE_LIMIT)
			return r;
		if (r != STORE_OK)	/* sorted with what is not there */
			worst = r;
	}
	return worst;
}

void
sort_free(struct sort_table *t)
{
	free(t->cell);
	free(t->text);
}

static enum store_result
row_fill(struct session *s, struct sort_table *t, size_t row, uint32_t seq,
    unsigned int score)
{
	const struct store_msg	*mp = store_view_msg(s->view, seq);
	struct sort_cell	*c = t->cell + row * t->nkeys;
	struct store_msg	 m = *mp;	/* making facts may move it */
	struct iovec		 v = { NULL, 0 };
	enum store_result	 r = STORE_OK;
	struct slice		 facts;
	int64_t			 date;
	size_t			 i;

	if (t->facts)
		r = store_facts(s->store, &m, &v);
	facts = slice_of(v.iov_base, r == STORE_OK ? v.iov_len : 0);
	for (i = 0; i < t->nkeys; i++, c++) {
		switch (t->key[i].by) {
		case SORT_ARRIVAL:
			cell_number(c, m.date);
			break;
		case SORT_SIZE:
			cell_number(c, m.size);
			break;
		case SORT_RELEVANCY:	/* the best first */
			cell_number(c, -(int64_t)score);
			break;
		case SORT_DATE:
			if (facts_date(facts.p, facts.n, &date) != 1)
				date = m.date;
			cell_number(c, date);
			break;
		case SORT_FIELD:
			if (cell_field(s, t, &t->key[i], c, facts) == -1)
				return t->textn > TEXT_MAX / 2 ? STORE_LIMIT :
				    STORE_NOMEM;
			break;
		}
	}
	return r;
}

/* So that numbers compare as octets do: the sign turned. */
static void
cell_number(struct sort_cell *c, int64_t n)
{
	c->head = (uint64_t)n ^ (uint64_t)1 << 63;
}

static int
cell_field(struct session *s, struct sort_table *t, const struct sort_key *key,
    struct sort_cell *c, struct slice facts)
{
	char		 text[FIELD_MAX];
	struct slice	 v;

	if (facts_get(facts.p, facts.n, key->field, &v) == -1 || v.n == 0)
		return 0;
	if (key->field != FACTS_BASESUBJECT)
		v = slice_of(text, address_text(slice_of(v.p,
		    slice_find(v, '\n')), key->display, text));
	if (v.n > FIELD_MAX)
		v.n = utf8_cut(v.p, FIELD_MAX);
	return cell_text(t, c, v);
}

/* Mapped, behind the others; its first octets stand in the cell too. */
static int
cell_text(struct sort_table *t, struct sort_cell *c, struct slice v)
{
	size_t	 size = t->text_size, room = CASEMAP_MAX(v.n), i, used;
	char	*p;

	while (size - t->textn < room)
		size = size == 0 ? 65536 : size * 2;
	if (size != t->text_size) {
		if (size > TEXT_MAX || (p = realloc(t->text, size)) == NULL)
			return -1;
		t->text = p;
		t->text_size = size;
	}
	p = t->text + t->textn;
	c->off = (uint32_t)t->textn;
	c->n = (uint32_t)utf8_casemap(v.p, v.n, p, room, &used);
	t->textn += c->n;
	for (i = 0; i < sizeof(c->head); i++)
		c->head = c->head << 8 |
		    (i < c->n ? (unsigned char)p[i] : 0);
	return 0;
}

/* Of the first address what the envelope has as its mailbox; or as clients
 * show it (RFC 5957 3).  A group is there with its name. */
static size_t
address_text(struct slice value, bool display, char *text)
{
	struct addrlist	 list;
	struct addritem	 it;
	size_t		 n = 0;

	addrlist_start(&list, value);
	if (!addrlist_next(&list, &it))
		return 0;
	if (it.kind == ADDRITEM_GROUP)
		return words_decode(it.name, text, FIELD_MAX);
	if (display && it.name.n > 0)
		n = words_decode(it.name, text, FIELD_MAX);
	if (n > 0)
		return n;
	n = it.local.n < FIELD_MAX ? it.local.n : FIELD_MAX;
	memcpy(text, it.local.p, n);
	if (!display || it.domain.p == NULL || it.domain.n >= FIELD_MAX - n)
		return n;
	text[n++] = '@';
	memcpy(text + n, it.domain.p, it.domain.n);
	return n + it.domain.n;
}
