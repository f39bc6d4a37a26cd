/*
 * Keywords that a writer puts on messages: names become numbers of the
 * mailbox, with a record for each that is new.  In sessions, under the lock.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "base/slice.h"
#include "store/store.h"
#include "store/store_priv.h"

static bool
keyword_valid(const char *s)
{
	size_t i, n = strlen(s);

	if (n == 0 || n > STORE_KEYWORD_LEN)
		return false;
	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

/* Gives a number of mailbox m to a name. */
static int
keyword_record(struct group *g, const struct mailbox *m, uint32_t number,
    const char *name)
{
	size_t n = strlen(name);
	uint8_t *p;

	if ((p = group_add(g, REC_KEYWORD, 0, 12 + n)) == NULL)
		return -1;
	put32(p, m->id);
	put32(p + 4, number);
	put32(p + 8, (uint32_t)n);
	memcpy(p + 12, name, n);
	return 0;
}

void
keyset_start(struct keyset *k, struct mailbox *m)
{
	k->m = m;
	k->n = 0;
	memset(k->taken, 0, sizeof(k->taken));
}

/* This group puts it on a message: it is not for another name. */
static void
take(struct keyset *k, uint32_t number)
{
	k->taken[number / 8] |= (uint8_t)(1U << number % 8);
}

/* Is the number for another name from this group on? */
static bool
is_renamed(const struct keyset *k, uint32_t number)
{
	uint32_t i;

	for (i = 0; i < k->n; i++)
		if (k->number[i] == number)
			return true;
	return false;
}

/* A number that is free for a new name; -1: they are all in use. */
static int
number_new(const struct keyset *k)
{
	uint32_t i, next = k->m->kw.n;

	for (i = 0; i < k->n; i++)
		if (k->number[i] >= next)
			next = k->number[i] + 1U;
	return next < STORE_KEYWORDS_MAX ? (int)next :
	    keywords_spare(&k->m->kw, k->taken);
}

/*
 * Number of a keyword of the mailbox, with a record for one that is new.
 * OK, INVALID, LIMIT.
 */
enum store_result
keyset_number(struct keyset *k, struct group *g, const char *name,
    uint16_t *number)
{
	uint32_t i;
	int found;

	if (!keyword_valid(name))
		return STORE_INVALID;
	for (i = 0; i < k->n; i++)
		if (slice_caseis(slice_str(name), k->name[i])) {
			*number = k->number[i];
			return STORE_OK;
		}
	found = keyword_number(&k->m->kw, name);
	if (found != -1 && !is_renamed(k, (uint32_t)found)) {
		take(k, (uint32_t)found);
		*number = (uint16_t)found;
		return STORE_OK;
	}
	if (k->n == STORE_KEYWORDS_MAX || (found = number_new(k)) == -1)
		return STORE_LIMIT;
	take(k, (uint32_t)found);
	*number = k->number[k->n] = (uint16_t)found;
	k->name[k->n++] = name;
	return keyword_record(g, k->m, *number, name) == -1 ? STORE_LIMIT :
	    STORE_OK;
}

/*
 * The numbers of the keywords of a set of flags.  One that the mailbox has no
 * room for any more is passed over, as in a copy; PERMANENTFLAGS lacks "\\*"
 * then.
 */
enum store_result
keyset_list(struct keyset *k, struct group *g, const struct store_flagset *fs,
    struct kwlist *out)
{
	enum store_result r;
	uint16_t number;
	size_t i;

	out->n = 0;
	for (i = 0; fs != NULL && i < fs->nkeywords &&
	    out->n < STORE_KEYWORDS_MSG; i++) {
		r = keyset_number(k, g, fs->keywords[i], &number);
		if (r == STORE_LIMIT && !g->failed)
			continue;
		if (r != STORE_OK)
			return r;
		kwlist_add(out, number, STORE_KEYWORDS_MSG);
	}
	return STORE_OK;
}

/* The same for taking away: what is not defined is on no message. */
void
keyset_known(const struct mailbox *m, const struct store_flagset *fs,
    struct kwlist *out)
{
	size_t i;
	int number;

	out->n = 0;
	for (i = 0; i < fs->nkeywords; i++)
		if ((number = keyword_number(&m->kw, fs->keywords[i])) != -1)
			kwlist_add(out, (uint16_t)number,
			    STORE_KEYWORDS_MAX);
}
