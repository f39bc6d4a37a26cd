/*
 * The mailbox tree for a session: list, STATUS, create, delete, rename,
 * subscribe.  Each change is one group.  Names are checked and INBOX brought
 * to its one spelling here; what a change means is apply.c's.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define ITER_STEP	(STORE_SUBS_MAX + 1)

static void
fill(struct store *st, struct mailbox *m, struct store_mailbox *out)
{
	out->name = m->name;
	out->id = m->id;
	out->attr = m->attr;
	if (mailbox_children(st->state, m))
		out->attr |= STORE_MB_CHILDREN;
	if (subs_has(st->state, m->name))
		out->attr |= STORE_MB_SUBSCRIBED;
}

/*
 * *iter: 0 at the start, then 1 + names passed * ITER_STEP + subscriptions
 * passed: a merge of two sorted lists, INBOX taken out and put first.
 */
const struct store_mailbox *
store_mailbox_next(struct store *st, size_t *iter)
{
	struct state *s = st->state;
	struct mailbox *m;
	size_t i, k;
	int c;

	if (s == NULL)
		return NULL;
	if (*iter == 0) {
		*iter = 1;
		if ((m = mailbox_byid(s, INBOX_ID)) != NULL) {
			fill(st, m, &st->iter);
			return &st->iter;
		}
	}
	i = (*iter - 1) / ITER_STEP;
	k = (*iter - 1) % ITER_STEP;
	for (;;) {
		if (i >= s->nnames && k >= s->nsubs)
			return NULL;
		if (i >= s->nnames)
			c = 1;
		else if (k >= s->nsubs)
			c = -1;
		else
			c = strcmp(s->byname[i]->name, s->subs[k]);
		if (c > 0) {
			st->iter = (struct store_mailbox){ s->subs[k],
			    STORE_MB_SUBSCRIBED | STORE_MB_NONEXISTENT, 0 };
			*iter = 1 + i * ITER_STEP + k + 1;
			return &st->iter;
		}
		if (c == 0)
			k++;
		if ((m = s->byname[i++])->id != INBOX_ID)
			break;
	}
	*iter = 1 + i * ITER_STEP + k;
	fill(st, m, &st->iter);
	return &st->iter;
}

bool
store_mailbox_find(struct store *st, const char *in, struct store_mailbox *out)
{
	char name[STORE_NAME_MAX + 1];
	struct mailbox *m;

	if (st->state == NULL || name_canon(in, name) == -1 ||
	    (m = mailbox_byname(st->state, name)) == NULL)
		return false;
	fill(st, m, out);
	return true;
}

enum store_result
store_status(struct store *st, const char *in, struct store_status *out)
{
	char name[STORE_NAME_MAX + 1];
	struct mailbox *m;
	enum store_result r;

	memset(out, 0, sizeof(*out));
	if (name_canon(in, name) == -1)
		return STORE_NOTFOUND;
	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	m = mailbox_byname(st->state, name);
	if (m == NULL || (m->attr & STORE_MB_NOSELECT) != 0)
		return STORE_NOTFOUND;
	out->messages = m->messages;
	out->recent = mailbox_recent(m);
	out->unseen = m->unseen;
	out->uidnext = m->uidnext;
	out->uidvalidity = m->uidvalidity;
	out->highestmodseq = m->modseq;
	out->bytes = m->bytes;
	return STORE_OK;
}

/* ---- records ----------------------------------------------------- */

static void
record_create(struct store *st, const char *name, uint32_t id,
    uint32_t uidvalidity, uint32_t attr)
{
	size_t n = strlen(name);
	uint8_t *p;

	if ((p = group_add(&st->g, REC_MAILBOX_CREATE, 0, 16 + n)) == NULL)
		return;
	put32(p, id);
	put32(p + 4, uidvalidity);
	put32(p + 8, attr);
	put32(p + 12, (uint32_t)n);
	memcpy(p + 16, name, n);
}

/* RENAME and SUBSCRIBE: a number and a name. */
static void
record_name(struct store *st, enum rec_type type, uint32_t v,
    const char *name)
{
	size_t n = strlen(name);
	uint8_t *p;

	if ((p = group_add(&st->g, type, 0, 8 + n)) == NULL)
		return;
	put32(p, v);
	put32(p + 4, (uint32_t)n);
	memcpy(p + 8, name, n);
}

/* A value never given before, also when the clock went back. */
static uint32_t
new_uidvalidity(const struct store *st)
{
	uint64_t now = now_sec();

	if (now > UINT32_MAX - STORE_MAILBOXES_MAX)
		now = UINT32_MAX - STORE_MAILBOXES_MAX;
	return now > st->state->uidvalidity ? (uint32_t)now :
	    st->state->uidvalidity + 1;
}

/* Records for a mailbox and for those above it that are missing. */
static enum store_result
create_path(struct store *st, const char *name, uint32_t special,
    uint32_t *idp)
{
	char path[STORE_NAME_MAX + 1];
	uint32_t id = st->state->lastid, uv = new_uidvalidity(st);
	struct mailbox *m;
	size_t i, made = 0, n = strlen(name);

	for (i = 1; i <= n; i++) {
		if (i < n && name[i] != STORE_SEP)
			continue;
		memcpy(path, name, i);
		path[i] = '\0';
		m = mailbox_byname(st->state, path);
		if (m != NULL && (i < n ||
		    (m->attr & STORE_MB_NOSELECT) == 0)) {
			if (i == n)
				return STORE_EXISTS;
			continue;
		}
		record_create(st, path, ++id, uv++, i == n ? special : 0);
		made++;
	}
	*idp = id;
	if (st->state->nnames + made > STORE_MAILBOXES_MAX ||
	    id >= MAILBOX_IDS_MAX || uv == 0)
		return STORE_LIMIT;
	return STORE_OK;
}

/* ---- changes ----------------------------------------------------- */

static enum store_result
finish(struct store *st, enum store_result r)
{
	struct trailer tr;

	if (r != STORE_OK) {
		store_abort(st);
		return r;
	}
	tr = st->tr;
	return store_finish(st, &tr);
}

enum store_result
store_mailbox_create(struct store *st, const char *in, uint32_t special)
{
	char name[STORE_NAME_MAX + 1];
	enum store_result r;
	uint32_t id;

	if (name_canon(in, name) == -1 ||
	    (special & ~(uint32_t)STORE_MB_SPECIAL) != 0)
		return STORE_INVALID;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	if ((r = store_need_state(st, false)) == STORE_OK)
		r = create_path(st, name, special, &id);
	return finish(st, r);
}

enum store_result
store_mailbox_delete(struct store *st, const char *in)
{
	char name[STORE_NAME_MAX + 1];
	struct mailbox *m;
	struct trailer tr;
	enum store_result r;
	uint8_t *p;

	if (name_canon(in, name) == -1)
		return STORE_NOTFOUND;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	if ((r = store_need_state(st, true)) == STORE_OK) {
		m = mailbox_byname(st->state, name);
		if (m == NULL)
			r = STORE_NOTFOUND;
		else if (m->id == INBOX_ID ||
		    (m->attr & STORE_MB_NOSELECT) != 0)
			r = STORE_INVALID;
	}
	if (r != STORE_OK) {
		store_abort(st);
		return r;
	}
	if ((p = group_add(&st->g, REC_MAILBOX_DELETE, 0, 4)) != NULL)
		put32(p, m->id);
	tr = st->tr;
	tr.messages -= m->messages;
	tr.bytes -= m->bytes;
	return store_finish(st, &tr);
}

/* All live messages of INBOX go to a new mailbox; INBOX stays, empty. */
static enum store_result
rename_inbox(struct store *st, struct mailbox *inbox, const char *to)
{
	struct mailbox fresh = { 0 };
	struct store_range r = { 1, 0 };
	const struct store_msg *m;
	enum store_result res;
	uint8_t keywords[STORE_KEYWORDS_MAX / 8] = { 0 };
	uint32_t i;

	res = create_path(st, to, 0, &fresh.id);
	if (res != STORE_OK || inbox->messages == 0)
		return res;
	fresh.uidnext = 1;
	for (i = 0; i < mailbox_slots(inbox); i++) {
		m = mailbox_msg(inbox, i);
		if ((m->flags & MSG_GONE) == 0) {
			keywords_note(inbox, m->kwset, keywords);
			r.last = m->uid;
		}
	}
	copy_record(st, inbox, &fresh, &r, 1, inbox->messages, keywords, true);
	return STORE_OK;
}

/* Do all names stay within STORE_NAME_MAX, and none meet another? */
static enum store_result
rename_check(struct store *st, const char *from, const char *to)
{
	struct state *s = st->state;
	size_t i, n = strlen(from), grow;

	if (strncmp(to, from, n) == 0 && to[n] == STORE_SEP)
		return STORE_INVALID;
	if (mailbox_byname(s, to) != NULL)
		return STORE_EXISTS;
	grow = strlen(to) > n ? strlen(to) - n : 0;
	for (i = 0; i < s->nnames; i++) {
		if (strncmp(s->byname[i]->name, from, n) == 0 &&
		    s->byname[i]->name[n] == STORE_SEP &&
		    strlen(s->byname[i]->name) + grow > STORE_NAME_MAX)
			return STORE_LIMIT;
		/* Names below the new one, whose own name is free. */
		if (strncmp(s->byname[i]->name, to, strlen(to)) == 0 &&
		    s->byname[i]->name[strlen(to)] == STORE_SEP)
			return STORE_EXISTS;
	}
	return STORE_OK;
}

/* The parents of a new name, when they are missing. */
static enum store_result
create_parents(struct store *st, const char *name)
{
	char parent[STORE_NAME_MAX + 1];
	enum store_result r;
	uint32_t id;
	char *sep;

	(void)strlcpy(parent, name, sizeof(parent));
	if ((sep = strrchr(parent, STORE_SEP)) == NULL)
		return STORE_OK;
	*sep = '\0';
	if (mailbox_byname(st->state, parent) != NULL)
		return STORE_OK;
	r = create_path(st, parent, 0, &id);
	return r == STORE_EXISTS ? STORE_OK : r;
}

static enum store_result
rename_other(struct store *st, struct mailbox *m, const char *from,
    const char *to)
{
	enum store_result r;

	if ((r = rename_check(st, from, to)) == STORE_OK &&
	    (r = create_parents(st, to)) == STORE_OK)
		record_name(st, REC_MAILBOX_RENAME, m->id, to);
	return r;
}

enum store_result
store_mailbox_rename(struct store *st, const char *from_in, const char *to_in)
{
	char from[STORE_NAME_MAX + 1], to[STORE_NAME_MAX + 1];
	struct mailbox *m;
	struct trailer tr;
	enum store_result r;

	if (name_canon(from_in, from) == -1)
		return STORE_NOTFOUND;
	if (name_canon(to_in, to) == -1)
		return STORE_INVALID;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	if ((r = store_need_state(st, true)) == STORE_OK &&
	    (m = mailbox_byname(st->state, from)) == NULL)
		r = STORE_NOTFOUND;
	if (r == STORE_OK && m->id == INBOX_ID)
		r = rename_inbox(st, m, to);
	else if (r == STORE_OK)
		r = rename_other(st, m, from, to);
	if (r != STORE_OK) {
		store_abort(st);
		return r;
	}
	tr = st->tr;
	return store_finish(st, &tr);
}

enum store_result
store_mailbox_subscribe(struct store *st, const char *in, bool on)
{
	char name[STORE_NAME_MAX + 1];
	enum store_result r;

	if (name_canon(in, name) == -1)
		return STORE_INVALID;
	if ((r = store_begin(st)) != STORE_OK)
		return r;
	if ((r = store_need_state(st, false)) == STORE_OK) {
		if (on && st->state->nsubs >= STORE_SUBS_MAX &&
		    !subs_has(st->state, name))
			r = STORE_LIMIT;
		else if (subs_has(st->state, name) != on)
			record_name(st, REC_SUBSCRIBE, on, name);
	}
	return finish(st, r);
}
