/*
 * The account in memory: the mailbox tree and the subscriptions.  Built from
 * the checkpoint and the log (apply.c), asked by everything above.  Sessions
 * hold it whole; deliver holds, when it needs it at all, the tree, the next
 * UIDs and the delivery ids.
 *
 * Invariants: byname is in strcmp order and holds every mailbox once; byid
 * has the same ones; a \Noselect mailbox has no messages and has children;
 * slots of a mailbox (base, then tail) ascend by UID and never move.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/slice.h"
#include "store/store.h"
#include "store/store_priv.h"

struct state *
state_new(bool messages)
{
	struct state *s;

	if ((s = calloc(1, sizeof(*s))) != NULL)
		s->messages = messages;
	return s;
}

void
state_free(struct state *s)
{
	size_t i;

	if (s == NULL)
		return;
	for (i = 0; i < s->nnames; i++)
		mailbox_free(s->byname[i]);
	for (i = 0; i < s->nremoved; i++)
		mailbox_free(s->removed[i]);
	free(s->removed);
	for (i = 0; i < s->nsubs; i++)
		free(s->subs[i]);
	free(s->subs);
	free(s->byname);
	free(s->byid);
	idset_free(&s->ids);
	if (s->mapped)
		(void)munmap(s->map, s->mapn);
	else
		free(s->map);
	free(s);
}

void
mailbox_free(struct mailbox *m)
{
	uint32_t i;

	if (m == NULL)
		return;
	keywords_free(&m->kw);
	for (i = 0; i < m->nchunks; i++)
		free(m->tail[i]);
	free(m->tail);
	free(m->tombs);
	free(m->name);
	free(m);
}

/*
 * Checks a mailbox name and brings INBOX to its one spelling.  0 or -1.
 * Octets: no NUL, no controls, no empty component, at most STORE_NAME_MAX.
 */
int
name_canon(const char *in, char out[STORE_NAME_MAX + 1])
{
	size_t i, n = strlen(in);

	if (n == 0 || n > STORE_NAME_MAX || in[0] == STORE_SEP ||
	    in[n - 1] == STORE_SEP)
		return -1;
	for (i = 0; i < n; i++)
		if ((unsigned char)in[i] < 0x20 || in[i] == 0x7f ||
		    (in[i] == STORE_SEP && in[i + 1] == STORE_SEP))
			return -1;
	memcpy(out, in, n + 1);
	if (n >= 5 && (n == 5 || in[5] == STORE_SEP) &&
	    slice_caseeq(slice_of(in, 5), slice_of("INBOX", 5)))
		memcpy(out, "INBOX", 5);
	return 0;
}

/* First index of byname whose name is not less. */
static size_t
names_lower(const struct state *s, const char *name)
{
	size_t lo = 0, hi = s->nnames, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(s->byname[mid]->name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct mailbox *
mailbox_byname(struct state *s, const char *name)
{
	size_t i = names_lower(s, name);

	if (i < s->nnames && strcmp(s->byname[i]->name, name) == 0)
		return s->byname[i];
	return NULL;
}

struct mailbox *
mailbox_byid(struct state *s, uint32_t id)
{
	return id < s->nids ? s->byid[id] : NULL;
}

/* Is there a name below this one? */
bool
mailbox_children(struct state *s, const struct mailbox *m)
{
	char below[STORE_NAME_MAX + 2];
	size_t i, n = strlen(m->name);

	memcpy(below, m->name, n);
	below[n] = STORE_SEP;
	below[n + 1] = '\0';
	i = names_lower(s, below);
	return i < s->nnames &&
	    strncmp(s->byname[i]->name, below, n + 1) == 0;
}

static int
byid_room(struct state *s, uint32_t id)
{
	struct mailbox **v;
	uint32_t n;

	if (id < s->nids)
		return 0;
	if (id >= MAILBOX_IDS_MAX)
		return -1;
	n = (id + 16) & ~15U;
	v = recallocarray(s->byid, s->nids, n, sizeof(struct mailbox *));
	if (v == NULL)
		return -1;
	s->byid = v;
	s->nids = n;
	return 0;
}

static int
byname_room(struct state *s)
{
	struct mailbox **v;
	size_t cap = s->capnames == 0 ? 16 : s->capnames * 2;

	if (s->nnames < s->capnames)
		return 0;
	if (s->nnames >= STORE_MAILBOXES_MAX)
		return -1;
	v = reallocarray(s->byname, cap, sizeof(struct mailbox *));
	if (v == NULL)
		return -1;
	s->byname = v;
	s->capnames = cap;
	return 0;
}

/* A new empty mailbox in the tree; NULL: taken, bad, too many, no memory. */
struct mailbox *
mailbox_insert(struct state *s, const char *name, uint32_t id)
{
	struct mailbox *m;
	size_t i = names_lower(s, name);

	if (id == 0 || mailbox_byid(s, id) != NULL ||
	    (i < s->nnames && strcmp(s->byname[i]->name, name) == 0) ||
	    byid_room(s, id) == -1 || byname_room(s) == -1 ||
	    (m = calloc(1, sizeof(*m))) == NULL)
		return NULL;
	if ((m->name = strdup(name)) == NULL) {
		free(m);
		return NULL;
	}
	m->id = id;
	m->uidnext = 1;
	memmove(&s->byname[i + 1], &s->byname[i],
	    (s->nnames - i) * sizeof(struct mailbox *));
	s->byname[i] = m;
	s->nnames++;
	s->byid[id] = m;
	if (id > s->lastid)
		s->lastid = id;
	return m;
}

/* First slot whose UID is not less than uid. */
uint32_t
mailbox_slot(struct mailbox *m, uint32_t uid)
{
	uint32_t lo = 0, hi = mailbox_slots(m), mid;

	/* What comes in is at the end: most questions are about the tail. */
	if (m->ntail > 0 && m->nbase > 0 && uid >= m->tail[0]->uid)
		lo = m->nbase;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (mailbox_msg(m, mid)->uid < uid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Live messages that no session has claimed as \Recent yet. */
uint32_t
mailbox_recent(struct mailbox *m)
{
	uint32_t i, n = 0;

	if (m->recent == UINT32_MAX)
		return 0;
	for (i = mailbox_slot(m, m->recent + 1); i < mailbox_slots(m); i++)
		if ((mailbox_msg(m, i)->flags & MSG_GONE) == 0)
			n++;
	return n;
}

/* Remembers an expunge; the oldest half goes when there are too many. */
int
mailbox_tomb(struct mailbox *m, struct store_range r, uint64_t modseq)
{
	struct tomb *t;
	uint32_t cap = m->captombs == 0 ? 16 : m->captombs * 2;

	if (m->ntombs == TOMBS_MAX) {
		m->tombs_from = m->tombs[TOMBS_MAX / 2 - 1].modseq;
		memmove(m->tombs, m->tombs + TOMBS_MAX / 2,
		    TOMBS_MAX / 2 * sizeof(*t));
		m->ntombs = TOMBS_MAX / 2;
	}
	if (m->ntombs == m->captombs) {
		t = reallocarray(m->tombs, cap, sizeof(*t));
		if (t == NULL)
			return -1;
		m->tombs = t;
		m->captombs = cap;
	}
	m->tombs[m->ntombs++] = (struct tomb){ r, modseq };
	return 0;
}

/* It is deleted, but the messages it had can be brought back.  0 or -1. */
int
mailbox_remember(struct state *s, struct mailbox *m)
{
	size_t cap = s->capremoved == 0 ? 8 : s->capremoved * 2;
	struct mailbox **v;

	if (s->nremoved == s->capremoved) {
		v = reallocarray(s->removed, cap, sizeof(struct mailbox *));
		if (v == NULL)
			return -1;
		s->removed = v;
		s->capremoved = cap;
	}
	s->removed[s->nremoved++] = m;
	m->removed = true;
	return 0;
}

static bool
has_remembered(const struct state *s, struct mailbox *m)
{
	uint32_t i;

	for (i = 0; i < mailbox_slots(m); i++)
		if (msg_remembered(s, mailbox_msg(m, i)))
			return true;
	return false;
}

/* Deleted mailboxes of which nothing is remembered any more are no more. */
void
removed_trim(struct state *s)
{
	struct mailbox *m;
	size_t i, n = 0;

	for (i = 0; i < s->nremoved; i++) {
		m = s->removed[i];
		if (has_remembered(s, m)) {
			s->removed[n++] = m;
			continue;
		}
		m->removed = false;
		if (m->views == NULL)
			mailbox_free(m);
	}
	s->nremoved = n;
}

/* All mailboxes, also the deleted ones that are remembered; *i starts at 0. */
struct mailbox *
mailbox_next(const struct state *s, size_t *i)
{
	size_t k = (*i)++;

	if (k < s->nnames)
		return s->byname[k];
	k -= s->nnames;
	return k < s->nremoved ? s->removed[k] : NULL;
}

static size_t
subs_lower(const struct state *s, const char *name)
{
	size_t lo = 0, hi = s->nsubs, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (strcmp(s->subs[mid], name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool
subs_has(struct state *s, const char *name)
{
	size_t i = subs_lower(s, name);

	return i < s->nsubs && strcmp(s->subs[i], name) == 0;
}

/* Subscribes or unsubscribes; nothing happens if it is so already. */
int
subs_set(struct state *s, const char *name, bool on)
{
	char **v, *copy;
	size_t cap, i = subs_lower(s, name);

	if (subs_has(s, name) == on)
		return 0;
	if (!on) {
		free(s->subs[i]);
		memmove(&s->subs[i], &s->subs[i + 1],
		    (s->nsubs - i - 1) * sizeof(char *));
		s->nsubs--;
		return 0;
	}
	if (s->nsubs >= STORE_SUBS_MAX)
		return -1;
	if (s->nsubs == s->capsubs) {
		cap = s->capsubs == 0 ? 16 : s->capsubs * 2;
		v = reallocarray(s->subs, cap, sizeof(char *));
		if (v == NULL)
			return -1;
		s->subs = v;
		s->capsubs = cap;
	}
	if ((copy = strdup(name)) == NULL)
		return -1;
	memmove(&s->subs[i + 1], &s->subs[i], (s->nsubs - i) * sizeof(char *));
	s->subs[i] = copy;
	s->nsubs++;
	return 0;
}
