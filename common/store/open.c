/*
 * Opening an account, and closing it.  deliver wants no more than a place to
 * read on from; a session wants all of it, and looks first at what a crash
 * may have taken.
 *
 * Invariant: what cannot be read now is neither empty nor damaged, and what
 * a newer release wrote is not damaged either: the account is not opened.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/store.h"
#include "store/store_priv.h"

#define OPEN_TRIES	4

const char *
store_strerror(enum store_result r)
{
	switch (r) {
	case STORE_OK:
		return "ok";
	case STORE_BUSY:
		return "account is locked";
	case STORE_DAMAGED:
		return "account is damaged";
	case STORE_NOSPACE:
		return "no space left";
	case STORE_OVERQUOTA:
		return "over quota";
	case STORE_IO:
		return "input/output error";
	case STORE_NOTFOUND:
		return "not found";
	case STORE_EXISTS:
		return "exists already";
	case STORE_INVALID:
		return "not permitted";
	case STORE_LIMIT:
		return "limit reached";
	case STORE_DUPLICATE:
		return "delivered already";
	case STORE_READONLY:
		return "read only";
	case STORE_NOMEM:
		return "out of memory or descriptors";
	case STORE_ACCESS:
		return "permission denied";
	case STORE_NEWER:
		return "written by a newer release";
	case STORE_GONE:
		return "its files were exchanged";
	}
	return "unknown";
}

const char *
store_why(struct store *st)
{
	static char text[96];

	if (st != NULL)
		backend_why(&st->b, text, sizeof(text));
	return text;
}

/* deliver: nothing but a place to read on from. */
static enum store_result
open_light(struct store *st, const struct mark *m)
{
	enum store_result r;

	st->durable = m->pos;
	if ((r = store_jump(st, m->pos)) == STORE_NOTFOUND) {
		st->pos = st->head.len;
		r = STORE_OK;
	}
	return r == STORE_OK ? index_known(&st->b) : r;
}

/* A session: everything.  Damage is no reason not to read what is whole. */
static enum store_result
open_whole(struct store *st, const struct mark *m, uint64_t end)
{
	enum store_result r;

	if ((r = store_load(st, true, end)) != STORE_OK)
		return r;
	st->durable = m->pos > st->index_pos ||
	    (m->flags & MARK_SYNCFAIL) != 0 ? m->pos : st->index_pos;
	r = store_catch_up(st, end);
	if (r == STORE_OK && st->pos < end) {
		/* A writer at work, or one that died: the lock tells. */
		if ((r = backend_begin(&st->b, &end)) == STORE_OK)
			r = store_catch_up(st, end);
		backend_end(&st->b);
	}
	if (r != STORE_OK && r != STORE_DAMAGED && r != STORE_BUSY)
		return r;
	return facts_known(st);
}

static enum store_result
open_head(struct store *st)
{
	enum store_result r = log_head(st->b.log, &st->head);

	st->seed = log_seed(st->head.uuid);
	backend_of(&st->b, &st->head);
	return r;
}

/*
 * The mark, and where the log ends.  A mark beyond that is of another time,
 * as when an older journal was put back: nothing is known then.
 */
static enum store_result
open_mark(struct store *st, struct mark *m, uint64_t *end)
{
	enum store_result r;

	if ((r = backend_mark_get(&st->b, st->seed, m)) != STORE_OK ||
	    (r = backend_log_size(&st->b, end)) != STORE_OK)
		return r;
	if (m->pos > *end) {
		m->pos = 0;
		backend_mark_set(&st->b, st->seed, m);
	}
	st->damaged = (m->flags & MARK_DAMAGED) != 0;
	/* Nobody has promised anything of it yet: who made it may have died
	 * before its name was durable. */
	st->dirty_dir = st->head.base != 0 && m->pos <= st->head.end_pos;
	return STORE_OK;
}

static enum store_result
open_files(struct store *st, int dirfd, enum store_mode mode)
{
	enum store_result r;
	struct mark m;
	uint64_t end;

	r = backend_open(&st->b, dirfd, mode);
	if (r == STORE_NOTFOUND && (r = store_create(dirfd)) == STORE_OK)
		r = backend_open(&st->b, dirfd, mode);
	if (r != STORE_OK || (r = open_head(st)) != STORE_OK ||
	    (r = open_mark(st, &m, &end)) != STORE_OK)
		return r;
	r = mode == STORE_DELIVER ? open_light(st, &m) :
	    open_whole(st, &m, end);
	if (r != STORE_OK)
		return r;
	store_recover_from(st, st->durable > st->head.len ? st->durable :
	    st->head.len, &m);
	return mode == STORE_SESSION && !st->damaged ? store_recover(st) :
	    STORE_OK;
}

static enum store_result
open_once(struct store **out, int dirfd, enum store_mode mode)
{
	struct store *st;
	enum store_result r;

	if ((st = calloc(1, sizeof(*st))) == NULL)
		return STORE_NOMEM;
	st->watch = -1;
	st->tr.segment_next = 1;
	(void)umask(0);
	if ((r = open_files(st, dirfd, mode)) != STORE_OK) {
		(void)store_why(st);	/* while its descriptors have names */
		store_close(st);
		return r;
	}
	*out = st;
	return STORE_OK;
}

enum store_result
store_open(struct store **out, int dirfd, enum store_mode mode)
{
	enum store_result r = STORE_GONE;
	int tries;

	*out = NULL;
	/* The journal may be made anew just then. */
	for (tries = 0; r == STORE_GONE && tries < OPEN_TRIES; tries++)
		r = open_once(out, dirfd, mode);
	return r;
}

/* The same account, with nothing read yet but the head: what is known of it
 * afterwards, the journal alone has said. */
struct store *
store_again(struct store *of, enum store_result *r)
{
	struct store *st = calloc(1, sizeof(*st));

	*r = STORE_NOMEM;
	if (st == NULL)
		return NULL;
	st->watch = -1;
	st->tr.segment_next = 1;
	if ((*r = backend_open(&st->b, of->b.dir, STORE_SESSION)) == STORE_OK)
		*r = open_head(st);
	st->pos = st->head.len;
	if (*r == STORE_OK && (st->state = state_new(true)) == NULL)
		*r = STORE_NOMEM;
	if (*r == STORE_OK)
		return st;
	store_close(st);
	return NULL;
}

void
store_close(struct store *st)
{
	if (st == NULL)
		return;
	store_unwatch(st);
	state_free(st->state);
	group_free(&st->g);
	free(st->forget);
	free(st->lost);
	free(st->mail.p);
	free(st->facts.p);
	backend_close(&st->b);
	free(st);
}
