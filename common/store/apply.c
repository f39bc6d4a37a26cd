/*
 * What each record of the log does to the account in memory.  This and
 * apply_msg.c, which has the messages, are the only places that change it,
 * whether the record was read or just written, so that a state built from
 * nothing equals one that was kept.  Records are hostile input: lengths, ids
 * and ranges are checked; -1 is damage.
 *
 * Bodies (little endian):
 *
 *	CREATE	0 id, 4 uidvalidity, 8 attributes, 12 n, name[n]
 *	DELETE	0 id
 *	RENAME	0 id, 4 n, name[n]; names below follow
 *	SUBSCRIBE 0 on, 4 n, name[n]
 *	KEYWORD	0 mailbox, 4 number, 8 n, name[n]
 *	RECENT	0 mailbox, 4 UID up to which \Recent is claimed
 *	FORGET	delivery id[16] ...
 *	SEGMENT	0 number, 4 kind (0 shared, 1 own), 8 nonce
 *	JUMP	0 number of the group, 8 n, 12 0, then n times 0 mailbox,
 *		4 UIDNEXT
 *	BASE	0 last mailbox id, 4 last uidvalidity, 8 MODSEQ up to which
 *		expunged messages are forgotten; begins a snapshot
 *	BOX	0 mailbox, 4 attributes, 8 UIDNEXT, 12 \Recent up to,
 *		16 keywords told of, 20 1 if it is deleted, 24 MODSEQ,
 *		32 expunges are known from, 40 n, 44 0, then n times 0 first,
 *		4 last, 8 MODSEQ; behind its keywords and messages
 *	IDS	delivery id[16], time ...
 *	BASE_END
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define JUMP_LEN	16		/* before the mailboxes */

static int	 apply_create(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_delete(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_rename(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_subscribe(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_keyword(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_recent(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_forget(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_nothing(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_jump(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_base(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_box(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_ids(struct state *, const struct rec *,
		    const struct loggroup *);
static int	 apply_base_end(struct state *, const struct rec *,
		    const struct loggroup *);

static int	(*const apply[])(struct state *, const struct rec *,
		    const struct loggroup *) = {
	[REC_MAILBOX_CREATE] = apply_create,
	[REC_MAILBOX_DELETE] = apply_delete,
	[REC_MAILBOX_RENAME] = apply_rename,
	[REC_SUBSCRIBE] = apply_subscribe,
	[REC_KEYWORD] = apply_keyword,
	[REC_ADD_1] = apply_message,
	[REC_FLAGS_1] = apply_flags,
	[REC_EXPUNGE] = apply_expunge,
	[REC_COPY_1] = apply_copy,
	[REC_MOVE_1] = apply_copy,
	[REC_RECENT] = apply_recent,
	[REC_FORGET] = apply_forget,
	[REC_SEGMENT] = apply_nothing,
	[REC_FACTS] = apply_facts,
	[REC_LOST] = apply_lost,
	[REC_MSG] = apply_message,
	[REC_FLAGS] = apply_flags,
	[REC_COPY] = apply_copy,
	[REC_MOVE] = apply_copy,
	[REC_COMPACT] = apply_compact,
	[REC_JUMP] = apply_jump,
	[REC_PURGE] = apply_purge,
	[REC_BASE] = apply_base,
	[REC_BOX] = apply_box,
	[REC_IDS] = apply_ids,
	[REC_BASE_END] = apply_base_end
};

static int
apply_record(struct state *s, const struct rec *r, const struct loggroup *g)
{
	if (r->type < NITEMS(apply) && apply[r->type] != NULL)
		return apply[r->type](s, r, g);
	return (r->flags & REC_MAY) != 0 ? 0 : -1;
}

/* A whole group.  0, or -1: the log says something impossible. */
int
state_apply(struct state *s, const struct loggroup *g)
{
	const uint8_t *p = g->recs;
	size_t n = g->nrecs;
	struct rec r;
	int more;

	s->ordinal = 0;
	while ((more = rec_next(&p, &n, &r)) == 1)
		if (apply_record(s, &r, g) == -1)
			return -1;
	return more;
}

/* A counted string at off of the record into a checked mailbox name. */
static int
get_name(const struct rec *r, size_t off, char out[STORE_NAME_MAX + 1])
{
	char buf[STORE_NAME_MAX + 1];
	size_t n;

	if (r->n < off + 4)
		return -1;
	n = get32(r->p + off);
	if (n > STORE_NAME_MAX || n != r->n - off - 4)
		return -1;
	memcpy(buf, r->p + off + 4, n);
	buf[n] = '\0';
	if (strlen(buf) != n)
		return -1;
	return name_canon(buf, out);
}

/* Takes a mailbox out of the tree; views on it live on, and it may be
 * remembered for the messages it had. */
static void
tree_remove(struct state *s, struct mailbox *m)
{
	size_t i;

	for (i = 0; s->byname[i] != m; i++)
		continue;
	memmove(&s->byname[i], &s->byname[i + 1],
	    (s->nnames - i - 1) * sizeof(struct mailbox *));
	s->nnames--;
	s->byid[m->id] = NULL;
	if (m->views != NULL)
		view_deleted(m);
	else if (!m->removed)
		mailbox_free(m);
}

/* Names that only stood for their children go with the last of these. */
static void
tree_prune(struct state *s, const char *name)
{
	char parent[STORE_NAME_MAX + 1];
	struct mailbox *m;
	char *sep;

	(void)strlcpy(parent, name, sizeof(parent));
	while ((sep = strrchr(parent, STORE_SEP)) != NULL) {
		*sep = '\0';
		m = mailbox_byname(s, parent);
		if (m == NULL || (m->attr & STORE_MB_NOSELECT) == 0 ||
		    mailbox_children(s, m))
			return;
		tree_remove(s, m);
	}
}

static int
apply_create(struct state *s, const struct rec *r, const struct loggroup *g)
{
	char name[STORE_NAME_MAX + 1];
	struct mailbox *m;

	if (get_name(r, 12, name) == -1)
		return -1;
	m = mailbox_byname(s, name);
	if (m != NULL && (m->attr & STORE_MB_NOSELECT) != 0)
		tree_remove(s, m);
	if ((m = mailbox_insert(s, name, get32(r->p))) == NULL)
		return -1;
	m->uidvalidity = get32(r->p + 4);
	m->attr = get32(r->p + 8) & STORE_MB_SPECIAL;
	m->modseq = m->tombs_from = g->seq;
	if (m->uidvalidity > s->uidvalidity)
		s->uidvalidity = m->uidvalidity;
	return 0;
}

static int
apply_delete(struct state *s, const struct rec *r, const struct loggroup *g)
{
	char name[STORE_NAME_MAX + 1];
	struct mailbox *m;
	uint32_t id;
	bool children;

	if (r->n != 4 || (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    m->id == INBOX_ID)
		return -1;
	id = m->id;
	(void)strlcpy(name, m->name, sizeof(name));
	children = mailbox_children(s, m);
	mailbox_empty(m, g);
	if (mailbox_slots(m) > 0 && mailbox_remember(s, m) == -1)
		return -1;
	tree_remove(s, m);
	if (!children) {
		tree_prune(s, name);
		return 0;
	}
	if ((m = mailbox_insert(s, name, id)) == NULL)
		return -1;
	m->attr = STORE_MB_NOSELECT;
	return 0;
}

static int
name_cmp(const void *a, const void *b)
{
	const struct mailbox *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* name, old or below old, becomes to or below to. */
static int
rename_one(struct mailbox *m, const char *old, const char *to)
{
	char name[2 * STORE_NAME_MAX + 1];
	char *copy;

	if (strlcpy(name, to, sizeof(name)) >= sizeof(name) ||
	    strlcat(name, m->name + strlen(old), sizeof(name)) >
	    STORE_NAME_MAX || (copy = strdup(name)) == NULL)
		return -1;
	free(m->name);
	m->name = copy;
	return 0;
}

static int
apply_rename(struct state *s, const struct rec *r, const struct loggroup *g)
{
	char old[STORE_NAME_MAX + 1], to[STORE_NAME_MAX + 1];
	struct mailbox *m;
	size_t i, n;

	if (get_name(r, 4, to) == -1 || mailbox_byname(s, to) != NULL ||
	    (m = mailbox_byid(s, get32(r->p))) == NULL || m->id == INBOX_ID)
		return -1;
	(void)strlcpy(old, m->name, sizeof(old));
	n = strlen(old);
	if (strncmp(to, old, n) == 0 && to[n] == STORE_SEP)
		return -1;
	for (i = 0; i < s->nnames; i++) {
		m = s->byname[i];
		if (strncmp(m->name, old, n) == 0 &&
		    (m->name[n] == '\0' || m->name[n] == STORE_SEP) &&
		    rename_one(m, old, to) == -1)
			return -1;
	}
	qsort(s->byname, s->nnames, sizeof(s->byname[0]), name_cmp);
	for (i = 1; i < s->nnames; i++)
		if (strcmp(s->byname[i - 1]->name, s->byname[i]->name) == 0)
			return -1;
	tree_prune(s, old);
	return 0;
}

static int
apply_subscribe(struct state *s, const struct rec *r,
    const struct loggroup *g)
{
	char name[STORE_NAME_MAX + 1];

	if (get_name(r, 4, name) == -1)
		return -1;
	return subs_set(s, name, get32(r->p) != 0);
}

static int
apply_keyword(struct state *s, const struct rec *r,
    const struct loggroup *g)
{
	struct mailbox *m;
	size_t n;

	if (r->n < 12 || (m = mailbox_byid(s, get32(r->p))) == NULL)
		return -1;
	n = get32(r->p + 8);
	if (n == 0 || n > STORE_KEYWORD_LEN || n != r->n - 12 ||
	    memchr(r->p + 12, '\0', n) != NULL)
		return -1;
	return keyword_define(&m->kw, get32(r->p + 4),
	    (const char *)r->p + 12, n);
}

static int
apply_recent(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct mailbox *m;

	if (r->n != 8 || (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    get32(r->p + 4) >= m->uidnext)
		return -1;
	if (get32(r->p + 4) > m->recent)
		m->recent = get32(r->p + 4);
	return 0;
}

static int
apply_forget(struct state *s, const struct rec *r, const struct loggroup *g)
{
	size_t i;

	if (r->n % STORE_ID_LEN != 0)
		return -1;
	for (i = 0; i < r->n; i += STORE_ID_LEN)
		idset_del(&s->ids, r->p + i);
	return 0;
}

/* What only informs who reads the log. */
static int
apply_nothing(struct state *s, const struct rec *r, const struct loggroup *g)
{
	return 0;
}

/*
 * All of a mailbox is new: whoever knows it by an earlier MODSEQ, of which
 * some may be of changes that are lost, is told each message that there is,
 * and that all others are gone.
 */
static void
mailbox_anew(struct mailbox *m, uint64_t seq)
{
	struct store_msg *msg;
	uint32_t i;

	for (i = 0; i < mailbox_slots(m); i++) {
		msg = mailbox_msg(m, i);
		if ((msg->flags & MSG_GONE) != 0)
			continue;
		msg->modseq = seq;
		view_changed(m, i, NULL);
	}
	m->modseq = m->tombs_from = seq;
	m->ntombs = 0;
}

/*
 * An older copy of the account was put back: numbers that clients saw before
 * are left out.
 */
static int
apply_jump(struct state *s, const struct rec *r, const struct loggroup *g)
{
	const uint8_t *p = r->p + JUMP_LEN;
	struct mailbox *m;
	uint32_t i, n;

	if (r->n < JUMP_LEN || get64(r->p) != g->seq)
		return -1;
	n = get32(r->p + 8);
	if (n != (r->n - JUMP_LEN) / 8 || (r->n - JUMP_LEN) % 8 != 0)
		return -1;
	for (i = 0; i < n; i++, p += 8) {
		if ((m = mailbox_byid(s, get32(p))) == NULL ||
		    get32(p + 4) < m->uidnext)
			return -1;
		m->uidnext = get32(p + 4);
		if (s->messages)
			mailbox_anew(m, g->seq);
	}
	return 0;
}

/* ---- a snapshot -------------------------------------------------- */

static int
apply_base(struct state *s, const struct rec *r, const struct loggroup *g)
{
	if (r->n != 16 || s->nnames > 0 || s->nremoved > 0 || s->base ||
	    get32(r->p) >= MAILBOX_IDS_MAX)
		return -1;
	s->base = true;
	s->lastid = get32(r->p);
	s->uidvalidity = get32(r->p + 4);
	s->gone_from = get64(r->p + 8);
	return 0;
}

static int
box_tombs(struct mailbox *m, const struct rec *r)
{
	const uint8_t *p = r->p + REC_BOX_LEN;
	struct store_range u;
	uint32_t i, n = get32(r->p + 40);

	if (n > TOMBS_MAX || n != (r->n - REC_BOX_LEN) / 16 ||
	    (r->n - REC_BOX_LEN) % 16 != 0 || m->ntombs > 0)
		return -1;
	for (i = 0; i < n; i++, p += 16) {
		u = (struct store_range){ get32(p), get32(p + 4) };
		if (u.first == 0 || u.last < u.first ||
		    mailbox_tomb(m, u, get64(p + 8)) == -1)
			return -1;
	}
	return 0;
}

/* All of a mailbox besides keywords and messages, which came before. */
static int
apply_box(struct state *s, const struct rec *r, const struct loggroup *g)
{
	struct mailbox *m;

	if (!s->base || r->n < REC_BOX_LEN ||
	    (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    get32(r->p + 8) < m->uidnext || get64(r->p + 24) > g->seq ||
	    (get32(r->p + 12) >= get32(r->p + 8)) || box_tombs(m, r) == -1)
		return -1;
	m->attr = get32(r->p + 4) & (STORE_MB_SPECIAL | STORE_MB_NOSELECT);
	m->uidnext = get32(r->p + 8);
	m->recent = get32(r->p + 12);
	m->kw.told = get32(r->p + 16);
	m->modseq = get64(r->p + 24);
	m->tombs_from = get64(r->p + 32);
	if (get32(r->p + 20) == 0)
		return (m->attr & STORE_MB_NOSELECT) != 0 &&
		    m->messages > 0 ? -1 : 0;
	if (m->id == INBOX_ID || m->messages > 0 ||
	    (mailbox_slots(m) > 0 && mailbox_remember(s, m) == -1))
		return -1;
	tree_remove(s, m);
	return 0;
}

static int
apply_ids(struct state *s, const struct rec *r, const struct loggroup *g)
{
	size_t i;

	if (!s->base || r->n % REC_ID_LEN != 0)
		return -1;
	for (i = 0; i < r->n; i += REC_ID_LEN)
		if (idset_add(&s->ids, r->p + i,
		    get64(r->p + i + STORE_ID_LEN)) == -1)
			return -1;
	return 0;
}

static int
apply_base_end(struct state *s, const struct rec *r, const struct loggroup *g)
{
	if (!s->base)
		return -1;
	s->base = false;
	return 0;
}
