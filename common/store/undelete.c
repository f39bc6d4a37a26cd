/*
 * Going back: what was expunged in some time comes to its mailbox again, and
 * an account of which an older copy was put back leaves out the numbers that
 * were given since.  Run by the process store for mailctl.
 *
 * Invariants: a message that is somewhere in the account is not brought back,
 * so that doing it twice does nothing; of several places that one had and lost
 * in that time it comes to the one it lost first, where it was before.  Its
 * email id stays; UID and MODSEQ are new, for clients know that it went.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define GROUP_MOST	4096		/* messages of one group */
#define LEAP_SEQ	(1ULL << 32)	/* more than anybody can have used */
#define LEAP_UID	1000000
#define SEQ_MAX		(1ULL << 45)	/* email ids have 16 bits more */

struct back {				/* an expunged message */
	const struct store_msg *msg;
	struct mailbox	*m;		/* where it was */
};

struct backs {
	struct back	*v;
	size_t		 n;
	uint64_t	*live;		/* email ids of what is there */
	size_t		 nlive;
};

static int	 u64_cmp(const void *, const void *);
static int	 back_cmp(const void *, const void *);
static int	 place_cmp(const void *, const void *);

static int
u64_cmp(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* By email id, what went first before. */
static int
back_cmp(const void *a, const void *b)
{
	const struct back *x = a, *y = b;

	if (x->msg->email != y->msg->email)
		return x->msg->email < y->msg->email ? -1 : 1;
	return x->msg->modseq < y->msg->modseq ? -1 :
	    x->msg->modseq > y->msg->modseq;
}

/* By mailbox, and in it as it was. */
static int
place_cmp(const void *a, const void *b)
{
	const struct back *x = a, *y = b;

	if (x->m != y->m)
		return strcmp(x->m->name, y->m->name) != 0 ?
		    strcmp(x->m->name, y->m->name) : x->m < y->m ? -1 : 1;
	return x->msg->uid < y->msg->uid ? -1 : x->msg->uid > y->msg->uid;
}

/* All that is there, and all that went in that time and has its bytes. */
static int
backs_take(struct state *s, int64_t from, int64_t to, struct backs *b)
{
	const struct store_msg *x;
	struct mailbox *m;
	size_t i = 0, n = 0;
	uint32_t slot;

	while ((m = mailbox_next(s, &i)) != NULL)
		n += mailbox_slots(m);
	if ((b->v = calloc(n + 1, sizeof(*b->v))) == NULL ||
	    (b->live = calloc(n + 1, sizeof(*b->live))) == NULL)
		return -1;
	for (i = 0; (m = mailbox_next(s, &i)) != NULL;)
		for (slot = 0; slot < mailbox_slots(m); slot++) {
			x = mailbox_msg(m, slot);
			if ((x->flags & MSG_GONE) == 0)
				b->live[b->nlive++] = x->email;
			else if (msg_remembered(s, x) && x->segment != 0 &&
			    x->saved >= from && x->saved <= to)
				b->v[b->n++] = (struct back){ x, m };
		}
	qsort(b->live, b->nlive, sizeof(*b->live), u64_cmp);
	qsort(b->v, b->n, sizeof(*b->v), back_cmp);
	return 0;
}

/* Leaves one of each message, and none of those that are there. */
static void
backs_choose(struct backs *b)
{
	uint64_t last = 0;
	size_t i, n = 0;

	for (i = 0; i < b->n; i++) {
		if (b->v[i].msg->email == last)
			continue;
		last = b->v[i].msg->email;
		if (b->nlive == 0 || bsearch(&last, b->live, b->nlive,
		    sizeof(last), u64_cmp) == NULL)
			b->v[n++] = b->v[i];
	}
	b->n = n;
	qsort(b->v, b->n, sizeof(*b->v), place_cmp);
}

static enum store_result
put_back(struct store *st, const struct back *b, struct mailbox *to,
    uint32_t uid, struct keyset *ks)
{
	const struct kwset *kw = kwset_at(&b->m->kw, b->msg->kwset);
	struct msgrec rec = { .mailbox = to->id, .m = *b->msg };
	enum store_result r;
	uint16_t number;
	uint32_t i;

	rec.m.uid = uid;
	rec.m.flags &= STORE_FLAGS & ~(uint32_t)STORE_DELETED;
	rec.m.modseq = 0;
	rec.m.saved = 0;
	for (i = 0; i < kw->n; i++) {
		r = keyset_number(ks, &st->g, b->m->kw.names[kw->v[i]],
		    &number);
		if (r == STORE_OK)
			kwlist_add(&rec.kw, number, STORE_KEYWORDS_MSG);
		else if (r != STORE_LIMIT || st->g.failed)
			return r;
	}
	return msgrec_encode(&st->g, &rec) == -1 ? STORE_NOMEM : STORE_OK;
}

/* Some messages of one mailbox, as one group.  *done of them. */
static enum store_result
group_back(struct store *st, const struct back *v, size_t n, size_t *done)
{
	struct mailbox *to;
	struct trailer tr;
	struct keyset ks;
	enum store_result r;
	uint32_t uid;
	size_t i;

	if ((r = store_begin(st)) != STORE_OK)
		return r;
	to = mailbox_byname(st->state, v->m->name);
	if (to == NULL || (to->attr & STORE_MB_NOSELECT) != 0)
		r = STORE_NOTFOUND;
	else if (to->uidnext > UINT32_MAX - 2 * GROUP_MOST)
		r = STORE_LIMIT;
	tr = st->tr;
	if (r == STORE_OK)
		keyset_start(&ks, to);
	uid = r == STORE_OK ? to->uidnext : 0;
	for (i = 0; r == STORE_OK && i < n && i < GROUP_MOST &&
	    v[i].m == v->m; i++) {
		r = put_back(st, &v[i], to, uid++, &ks);
		tr.messages++;
		tr.bytes += v[i].msg->size;
	}
	if (r != STORE_OK) {
		store_abort(st);
		return r;
	}
	*done = i;
	if (to->id == INBOX_ID)
		tr.inbox_uidnext = uid;
	return store_finish(st, &tr);
}

static enum store_result
all_back(struct store *st, const struct backs *b, uint64_t *n)
{
	enum store_result r = STORE_OK;
	size_t i, done;

	for (i = 0; r == STORE_OK && i < b->n; i += done) {
		done = 0;
		r = group_back(st, &b->v[i], b->n - i, &done);
		if (r == STORE_NOTFOUND) {	/* the folder went too */
			r = store_mailbox_create(st, b->v[i].m->name, 0);
			continue;
		}
		*n += done;
	}
	return r == STORE_OK ? store_commit(st) : r;
}

enum store_result
store_undelete(struct store *st, int64_t from, int64_t to, uint64_t *n)
{
	struct backs b = { 0 };
	enum store_result r;

	*n = 0;
	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	if (st->damaged)
		return STORE_DAMAGED;
	if (backs_take(st->state, from, to, &b) == -1)
		r = STORE_NOMEM;
	else {
		backs_choose(&b);
		r = all_back(st, &b, n);
	}
	free(b.v);
	free(b.live);
	return r;
}

/* ---- an older copy was put back ---------------------------------- */

static void
jump_record(struct store *st, uint64_t seq, struct trailer *tr)
{
	const struct state *s = st->state;
	uint32_t next;
	uint8_t *p;
	size_t i;

	if ((p = group_add(&st->g, REC_JUMP, 0, 16 + s->nnames * 8)) == NULL)
		return;
	put64(p, seq);
	put32(p + 8, (uint32_t)s->nnames);
	for (i = 0, p += 16; i < s->nnames; i++, p += 8) {
		next = s->byname[i]->uidnext;
		if (next < UINT32_MAX / 2)
			next += LEAP_UID;
		put32(p, s->byname[i]->id);
		put32(p + 4, next);
		if (s->byname[i]->id == INBOX_ID)
			tr->inbox_uidnext = next;
	}
}

enum store_result
store_restored(struct store *st)
{
	struct trailer tr;
	enum store_result r;

	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	tr = st->tr;
	if (tr.seq > SEQ_MAX - LEAP_SEQ) {
		store_abort(st);
		return STORE_LIMIT;
	}
	tr.seq += LEAP_SEQ;
	jump_record(st, tr.seq, &tr);
	if ((r = store_finish(st, &tr)) != STORE_OK)
		return r;
	return store_commit(st);
}
