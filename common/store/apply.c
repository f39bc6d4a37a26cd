/*
 * What each record of the log does to the account in memory.  This is the
 * only place that changes it, whether the record was read or just written,
 * so that a state built from nothing equals one that was kept.  Records are
 * hostile input: lengths, ids and ranges are checked; -1 is damage.
 *
 * Bodies (little endian; ranges are pairs of 32 bit UIDs, ascending):
 *
 *	CREATE	0 id, 4 uidvalidity, 8 attributes, 12 n, name[n]
 *	DELETE	0 id
 *	RENAME	0 id, 4 n, name[n]; names below follow
 *	SUBSCRIBE 0 on, 4 n, name[n]
 *	KEYWORD	0 mailbox, 4 bit, 8 n, name[n]
 *	ADD	0 mailbox, 4 uid, 8 flags, 12 size, 16 keywords, 24 date,
 *		32 offset, 40 facts offset, 48 prefix, 52 segment,
 *		56 facts length, 60 crc; flag 1: 64 delivery id[16]
 *	FLAGS	0 mailbox, 4 op, 8 system, 12 n, 16 keywords, range[n]
 *	EXPUNGE	0 mailbox, 4 n, range[n]
 *	COPY, MOVE 0 from, 4 to, 8 first UID there, 12 messages, 16 n, 20 0,
 *		24 keyword bit there of each bit here [64], 255 none; range[n]
 *	RECENT	0 mailbox, 4 UID up to which \Recent is claimed
 *	FORGET	delivery id[16] ...
 *	SEGMENT	0 number, 4 kind (0 shared, 1 own), 8 nonce
 *	FACTS	0 mailbox, 4 uid, 8 offset, 16 length, 20 0
 *	LOST	0 segment, 4 1 if an id follows, 8 offset, 16 id[16]
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define RANGE_LEN	8

static int	 apply_create(struct state *, const struct rec *, uint64_t);
static int	 apply_delete(struct state *, const struct rec *);
static int	 apply_rename(struct state *, const struct rec *);
static int	 apply_subscribe(struct state *, const struct rec *);
static int	 apply_keyword(struct state *, const struct rec *);
static int	 apply_add(struct state *, const struct rec *, uint64_t,
		    uint64_t);
static int	 apply_flags(struct state *, const struct rec *, uint64_t);
static int	 apply_expunge(struct state *, const struct rec *, uint64_t);
static int	 apply_copy(struct state *, const struct rec *, uint64_t);
static int	 apply_recent(struct state *, const struct rec *);
static int	 apply_forget(struct state *, const struct rec *);
static int	 apply_facts(struct state *, const struct rec *);
static int	 apply_lost(struct state *, const struct rec *, uint64_t);

static int
apply_record(struct state *s, const struct rec *r, const struct loggroup *g)
{
	switch (r->type) {
	case REC_MAILBOX_CREATE:
		return apply_create(s, r, g->seq);
	case REC_MAILBOX_DELETE:
		return apply_delete(s, r);
	case REC_MAILBOX_RENAME:
		return apply_rename(s, r);
	case REC_SUBSCRIBE:
		return apply_subscribe(s, r);
	case REC_KEYWORD:
		return apply_keyword(s, r);
	case REC_ADD:
		return apply_add(s, r, g->seq, g->time);
	case REC_FLAGS:
		return apply_flags(s, r, g->seq);
	case REC_EXPUNGE:
		return apply_expunge(s, r, g->seq);
	case REC_COPY:
	case REC_MOVE:
		return apply_copy(s, r, g->seq);
	case REC_RECENT:
		return apply_recent(s, r);
	case REC_FORGET:
		return apply_forget(s, r);
	case REC_SEGMENT:
		return 0;
	case REC_FACTS:
		return apply_facts(s, r);
	case REC_LOST:
		return apply_lost(s, r, g->seq);
	default:
		return (r->flags & REC_MAY) != 0 ? 0 : -1;
	}
}

/* A whole group.  0, or -1: the log says something impossible. */
int
state_apply(struct state *s, const struct loggroup *g)
{
	const uint8_t *p = g->recs;
	size_t n = g->nrecs;
	struct rec r;
	int more;

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

/* n ranges that fill the record from off on, ascending. */
static int
get_ranges(const struct rec *r, size_t off, uint32_t n)
{
	uint32_t i, first, last, before = 0;

	if (r->n < off || n != (r->n - off) / RANGE_LEN ||
	    (r->n - off) % RANGE_LEN != 0)
		return -1;
	for (i = 0; i < n; i++) {
		first = get32(r->p + off + (size_t)i * RANGE_LEN);
		last = get32(r->p + off + (size_t)i * RANGE_LEN + 4);
		if (first <= before || last < first)
			return -1;
		before = last;
	}
	return 0;
}

static struct store_range
range_at(const struct rec *r, size_t off, uint32_t i)
{
	const uint8_t *p = r->p + off + (size_t)i * RANGE_LEN;

	return (struct store_range){ get32(p), get32(p + 4) };
}

/* Takes a mailbox out of the tree; views on it live on. */
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
	else
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
apply_create(struct state *s, const struct rec *r, uint64_t seq)
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
	m->modseq = m->tombs_from = seq;
	if (m->uidvalidity > s->uidvalidity)
		s->uidvalidity = m->uidvalidity;
	return 0;
}

static int
apply_delete(struct state *s, const struct rec *r)
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
apply_rename(struct state *s, const struct rec *r)
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
apply_subscribe(struct state *s, const struct rec *r)
{
	char name[STORE_NAME_MAX + 1];

	if (get_name(r, 4, name) == -1)
		return -1;
	return subs_set(s, name, get32(r->p) != 0);
}

static int
apply_keyword(struct state *s, const struct rec *r)
{
	struct mailbox *m;
	size_t n;

	if (r->n < 12 || (m = mailbox_byid(s, get32(r->p))) == NULL)
		return -1;
	n = get32(r->p + 8);
	if (n == 0 || n > STORE_KEYWORD_LEN || n != r->n - 12 ||
	    get32(r->p + 4) != m->nkeywords ||
	    m->nkeywords >= STORE_KEYWORDS_MAX ||
	    memchr(r->p + 12, '\0', n) != NULL)
		return -1;
	if ((m->keywords[m->nkeywords] = strndup((const char *)r->p + 12,
	    n)) == NULL)
		return -1;
	m->nkeywords++;
	return 0;
}

/* A new message at the end of a mailbox. */
static int
mailbox_push(struct mailbox *m, const struct store_msg *msg)
{
	struct store_msg **v;

	if (m->ntail == m->nchunks * TAIL_CHUNK) {
		if (mailbox_slots(m) > UINT32_MAX / 2)
			return -1;
		v = recallocarray(m->tail, m->nchunks, m->nchunks + 1,
		    sizeof(*v));
		if (v == NULL)
			return -1;
		m->tail = v;
		v[m->nchunks] = calloc(TAIL_CHUNK, sizeof(**v));
		if (v[m->nchunks] == NULL)
			return -1;
		m->nchunks++;
	}
	m->ntail++;
	*mailbox_msg(m, mailbox_slots(m) - 1) = *msg;
	m->messages++;
	m->bytes += msg->size;
	if ((msg->flags & STORE_SEEN) == 0)
		m->unseen++;
	if (msg->modseq > m->modseq)
		m->modseq = msg->modseq;
	return 0;
}

static int
apply_add(struct state *s, const struct rec *r, uint64_t seq, uint64_t now)
{
	struct store_msg msg = { 0 };
	struct mailbox *m;
	bool hasid = (r->flags & REC_ADD_ID) != 0;

	if (r->n != REC_ADD_LEN + (hasid ? STORE_ID_LEN : 0) ||
	    (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    (m->attr & STORE_MB_NOSELECT) != 0)
		return -1;
	msg.uid = get32(r->p + 4);
	msg.flags = get32(r->p + 8) & STORE_FLAGS;
	msg.size = get32(r->p + 12);
	msg.keywords = get64(r->p + 16);
	msg.date = (int64_t)get64(r->p + 24);
	msg.offset = get64(r->p + 32);
	msg.facts_off = get64(r->p + 40);
	msg.prefix = get32(r->p + 48);
	msg.segment = get32(r->p + 52);
	msg.facts_len = get32(r->p + 56);
	msg.crc = get32(r->p + 60);
	msg.modseq = seq;
	if (msg.uid < m->uidnext || msg.uid == UINT32_MAX ||
	    msg.prefix > msg.size || msg.offset > INT64_MAX / 2 ||
	    msg.facts_off > INT64_MAX / 2 || msg.facts_len > STORE_FACTS_MAX)
		return -1;
	m->uidnext = msg.uid + 1;
	if (hasid && idset_add(&s->ids, r->p + REC_ADD_LEN, now) == -1)
		return -1;
	return s->messages ? mailbox_push(m, &msg) : 0;
}

static void
msg_flags(struct store_msg *msg, uint32_t op, uint32_t sys, uint64_t kw)
{
	switch ((enum store_flagop)op) {
	case STORE_FLAGS_SET:
		msg->flags = (msg->flags & ~(uint32_t)STORE_FLAGS) | sys;
		msg->keywords = kw;
		break;
	case STORE_FLAGS_ADD:
		msg->flags |= sys;
		msg->keywords |= kw;
		break;
	case STORE_FLAGS_DEL:
		msg->flags &= ~sys;
		msg->keywords &= ~kw;
		break;
	}
}

static void
slot_flags(struct state *s, struct mailbox *m, uint32_t slot,
    const struct rec *r, uint64_t seq)
{
	struct store_msg *msg = mailbox_msg(m, slot), new = *msg;

	msg_flags(&new, get32(r->p + 4), get32(r->p + 8) & STORE_FLAGS,
	    get64(r->p + 16));
	if (new.flags == msg->flags && new.keywords == msg->keywords)
		return;
	if ((msg->flags & STORE_SEEN) != 0)
		m->unseen++;
	if ((new.flags & STORE_SEEN) != 0)
		m->unseen--;
	new.modseq = seq;
	m->modseq = seq;
	*msg = new;
	view_changed(m, slot, s->mute);
}

static int
apply_flags(struct state *s, const struct rec *r, uint64_t seq)
{
	struct store_range u;
	struct mailbox *m;
	uint32_t i, slot;

	if (r->n < 24 || (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    get32(r->p + 4) > STORE_FLAGS_DEL ||
	    get_ranges(r, 24, get32(r->p + 12)) == -1)
		return -1;
	if (!s->messages)
		return 0;
	for (i = 0; i < get32(r->p + 12); i++) {
		u = range_at(r, 24, i);
		for (slot = mailbox_slot(m, u.first);
		    slot < mailbox_slots(m) &&
		    mailbox_msg(m, slot)->uid <= u.last; slot++)
			if ((mailbox_msg(m, slot)->flags & MSG_GONE) == 0)
				slot_flags(s, m, slot, r, seq);
	}
	return 0;
}

/* When it went is told to views that slept meanwhile. */
static void
slot_gone(struct mailbox *m, uint32_t slot, uint64_t seq)
{
	struct store_msg *msg = mailbox_msg(m, slot);

	if ((msg->flags & STORE_SEEN) == 0)
		m->unseen--;
	m->messages--;
	m->bytes -= msg->size;
	m->ngone++;
	msg->flags |= MSG_GONE;
	msg->modseq = seq;
	view_gone(m, slot);
}

/* All live messages of a range go. */
static int
range_gone(struct mailbox *m, struct store_range u, uint64_t seq)
{
	uint32_t slot;

	for (slot = mailbox_slot(m, u.first); slot < mailbox_slots(m) &&
	    mailbox_msg(m, slot)->uid <= u.last; slot++)
		if ((mailbox_msg(m, slot)->flags & MSG_GONE) == 0)
			slot_gone(m, slot, seq);
	m->modseq = seq;
	return mailbox_tomb(m, u, seq);
}

static int
apply_expunge(struct state *s, const struct rec *r, uint64_t seq)
{
	struct mailbox *m;
	uint32_t i;

	if (r->n < 8 || (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    get_ranges(r, 8, get32(r->p + 4)) == -1)
		return -1;
	if (!s->messages)
		return 0;
	for (i = 0; i < get32(r->p + 4); i++)
		if (range_gone(m, range_at(r, 8, i), seq) == -1)
			return -1;
	return 0;
}

static uint64_t
keywords_map(uint64_t kw, const uint8_t map[64])
{
	uint64_t out = 0;
	int i;

	for (i = 0; kw != 0; i++, kw >>= 1)
		if ((kw & 1) != 0 && map[i] < STORE_KEYWORDS_MAX)
			out |= 1ULL << map[i];
	return out;
}

/* Copies the live messages of a range; *uid is the next one there. */
static int
range_copy(struct mailbox *from, struct mailbox *to, struct store_range u,
    const struct rec *r, uint64_t seq, uint32_t *uid)
{
	struct store_msg msg;
	uint32_t slot, slots = mailbox_slots(from);

	for (slot = mailbox_slot(from, u.first); slot < slots &&
	    mailbox_msg(from, slot)->uid <= u.last; slot++) {
		msg = *mailbox_msg(from, slot);
		if ((msg.flags & MSG_GONE) != 0)
			continue;
		if (*uid >= to->uidnext)
			return -1;
		msg.uid = (*uid)++;
		msg.modseq = seq;
		msg.keywords = keywords_map(msg.keywords, r->p + 24);
		if (mailbox_push(to, &msg) == -1)
			return -1;
	}
	return 0;
}

static int
apply_copy(struct state *s, const struct rec *r, uint64_t seq)
{
	struct mailbox *from, *to;
	uint32_t i, n, nranges, uid;

	if (r->n < REC_COPY_LEN || (nranges = get32(r->p + 16)) == 0 ||
	    (from = mailbox_byid(s, get32(r->p))) == NULL ||
	    (to = mailbox_byid(s, get32(r->p + 4))) == NULL ||
	    (to->attr & STORE_MB_NOSELECT) != 0 ||
	    get_ranges(r, REC_COPY_LEN, nranges) == -1)
		return -1;
	uid = get32(r->p + 8);
	n = get32(r->p + 12);
	if (uid < to->uidnext || n == 0 || n > UINT32_MAX - 1 - uid ||
	    (from == to && range_at(r, REC_COPY_LEN, nranges - 1).last >= uid))
		return -1;
	to->uidnext = uid + n;
	if (!s->messages)
		return 0;
	for (i = 0; i < nranges; i++)
		if (range_copy(from, to, range_at(r, REC_COPY_LEN, i), r, seq,
		    &uid) == -1)
			return -1;
	if (uid != to->uidnext)
		return -1;
	for (i = 0; r->type == REC_MOVE && i < nranges; i++)
		if (range_gone(from, range_at(r, REC_COPY_LEN, i), seq) == -1)
			return -1;
	return 0;
}

static int
apply_recent(struct state *s, const struct rec *r)
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
apply_forget(struct state *s, const struct rec *r)
{
	size_t i;

	if (r->n % STORE_ID_LEN != 0)
		return -1;
	for (i = 0; i < r->n; i += STORE_ID_LEN)
		idset_del(&s->ids, r->p + i);
	return 0;
}

static int
apply_facts(struct state *s, const struct rec *r)
{
	struct store_msg *msg;
	struct mailbox *m;
	uint32_t slot;

	if (r->n != 24 || (m = mailbox_byid(s, get32(r->p))) == NULL ||
	    get64(r->p + 8) > INT64_MAX / 2 ||
	    get32(r->p + 16) > STORE_FACTS_MAX)
		return -1;
	if (!s->messages)
		return 0;
	slot = mailbox_slot(m, get32(r->p + 4));
	if (slot == mailbox_slots(m) ||
	    (msg = mailbox_msg(m, slot))->uid != get32(r->p + 4))
		return -1;
	msg->facts_off = get64(r->p + 8);
	msg->facts_len = get32(r->p + 16);
	return 0;
}

/* Bytes that a power loss took before they were promised to anyone. */
static int
apply_lost(struct state *s, const struct rec *r, uint64_t seq)
{
	struct store_range u;
	struct store_msg *msg;
	struct mailbox *m;
	uint32_t slot;
	size_t i;

	if (r->n != 32)
		return -1;
	if (get32(r->p + 4) != 0)
		idset_del(&s->ids, r->p + 16);
	for (i = 0; s->messages && i < s->nnames; i++) {
		m = s->byname[i];
		for (slot = 0; slot < mailbox_slots(m); slot++) {
			msg = mailbox_msg(m, slot);
			u = (struct store_range){ msg->uid, msg->uid };
			if (msg->segment == get32(r->p) &&
			    msg->offset == get64(r->p + 8) &&
			    (msg->flags & MSG_GONE) == 0 &&
			    range_gone(m, u, seq) == -1)
				return -1;
		}
	}
	return 0;
}
