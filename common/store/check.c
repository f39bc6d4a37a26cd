/*
 * Reading all of an account and saying what is wrong with it, and making
 * again what can be made again.  Run by store alone, while sessions and
 * deliver go on.
 *
 * Invariant: the index is never dropped while it knows what the journal can
 * no longer tell: where the journal is damaged before the checkpoint, the
 * index is all there is of it.
 */
#include "base/compat.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"
#include "store/store_priv.h"

#define FAR_STEP	256		/* messages between two signs */

struct check {
	struct store	*st;
	store_found_fn	*fn;
	void		*arg;
	enum store_result first;	/* of what is wrong */
	uint64_t	 messages, bytes;	/* so far */
	bool		 rebuild;
};

static void	 found(struct check *, enum store_found, enum store_result,
		    const char *, ...) __attribute__((format(printf, 4, 5)));

static void
found(struct check *ck, enum store_found what, enum store_result r,
    const char *fmt, ...)
{
	char line[STORE_NAME_MAX + 256];
	va_list ap;

	if (what == STORE_FOUND_WRONG && ck->first == STORE_OK)
		ck->first = r;
	if (ck->fn == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	ck->fn(ck->arg, what, line);
}

/* ---- messages ---------------------------------------------------- */

static void
message_wrong(struct check *ck, const struct mailbox *m,
    const struct store_msg *msg, enum store_result r)
{
	const char *how = "cannot be read now";

	if (r == STORE_DAMAGED)
		how = "does not have the octets that were delivered, or not "
		    "all";
	else if (r == STORE_NOTFOUND)
		how = "is lost, its file is missing";
	found(ck, STORE_FOUND_WRONG, r, "%s uid %u: %s (mail.%04u at octet "
	    "%llu)", m->name, msg->uid, how, msg->segment,
	    (unsigned long long)msg->offset);
}

/* Facts that are not there are no harm; of a message that was never asked
 * for there need not be any. */
static bool
facts_lack(struct check *ck, const struct store_msg *msg)
{
	struct iovec iov;

	return msg->facts_len > 0 &&
	    facts_read(ck->st, msg, &iov) != STORE_OK;
}

static void
check_message(struct check *ck, const struct mailbox *m,
    const struct store_msg *msg, uint32_t *lack)
{
	struct iovec iov;
	enum store_result r;

	if ((r = store_verify(ck->st, msg)) != STORE_OK)
		message_wrong(ck, m, msg, r);
	else if (!ck->rebuild)
		*lack += facts_lack(ck, msg);
	else if ((r = store_facts(ck->st, msg, &iov)) != STORE_OK)
		found(ck, STORE_FOUND_WRONG, r, "%s uid %u: its facts cannot "
		    "be made: %s", m->name, msg->uid, store_strerror(r));
	if (ck->messages++ % FAR_STEP == 0)
		found(ck, STORE_FOUND_FAR, STORE_OK, "%llu of %u messages",
		    (unsigned long long)ck->messages, ck->st->tr.messages);
}

static void
check_mailbox(struct check *ck, struct mailbox *m)
{
	struct store_msg msg;
	uint32_t i, unseen = 0, n = 0, lack = 0;
	uint64_t bytes = 0;

	for (i = 0; i < mailbox_slots(m); i++) {
		msg = *mailbox_msg(m, i);
		if ((msg.flags & MSG_GONE) != 0)
			continue;
		n++;
		bytes += msg.size;
		unseen += (msg.flags & STORE_SEEN) == 0;
		check_message(ck, m, &msg, &lack);
	}
	if (lack > 0)
		found(ck, STORE_FOUND_NOTE, STORE_OK, "%s: facts of %u "
		    "messages are missing or not whole; a rebuild makes them "
		    "again, as does whoever asks for them", m->name, lack);
	ck->bytes += bytes;
	if (n != m->messages || bytes != m->bytes || unseen != m->unseen)
		found(ck, STORE_FOUND_WRONG, STORE_DAMAGED, "%s: it counts %u "
		    "messages, %u of them unseen, %llu octets; there are %u, "
		    "%u, %llu", m->name, m->messages, m->unseen,
		    (unsigned long long)m->bytes, n, unseen,
		    (unsigned long long)bytes);
}

static void
check_messages(struct check *ck)
{
	struct state *s = ck->st->state;
	size_t i;

	for (i = 0; i < s->nnames; i++)
		check_mailbox(ck, s->byname[i]);
	if (ck->messages != ck->st->tr.messages ||
	    ck->bytes != ck->st->tr.bytes)
		found(ck, STORE_FOUND_WRONG, STORE_DAMAGED, "the journal "
		    "counts %u messages with %llu octets; there are %llu "
		    "with %llu", ck->st->tr.messages,
		    (unsigned long long)ck->st->tr.bytes,
		    (unsigned long long)ck->messages,
		    (unsigned long long)ck->bytes);
}

/* ---- journal ----------------------------------------------------- */

/*
 * Another store of the same account that knows what the journal alone says,
 * as far as we have read it; to be closed.  What it stops before is damage.
 */
static enum store_result
journal_read(struct check *ck, struct store **out)
{
	struct store *st = ck->st, *again;
	enum store_result r;

	*out = NULL;
	found(ck, STORE_FOUND_FAR, STORE_OK, "the journal, %llu octets",
	    (unsigned long long)st->pos);
	if ((again = store_again(st, &r)) == NULL) {
		found(ck, STORE_FOUND_WRONG, r, "journal: cannot be read: %s",
		    store_strerror(r));
		return r;
	}
	r = store_catch_up(again, st->pos);
	if (r == STORE_OK && again->pos == st->pos) {
		*out = again;
		return STORE_OK;
	}
	if (r == STORE_OK || r == STORE_DAMAGED) {
		r = STORE_DAMAGED;
		found(ck, STORE_FOUND_WRONG, r, "journal: what stands at octet "
		    "%llu is no group of it; the index alone knows what the "
		    "%llu octets from there on said: keep it, and put back "
		    "the journal from a copy",
		    (unsigned long long)again->pos,
		    (unsigned long long)(st->pos - again->pos));
	} else
		found(ck, STORE_FOUND_WRONG, r, "journal: cannot be read "
		    "beyond octet %llu: %s", (unsigned long long)again->pos,
		    store_strerror(r));
	store_close(again);
	return r;
}

/* The rest of it, that no state was made of. */
static void
journal_tail(struct check *ck)
{
	struct store *st = ck->st;
	uint64_t end;

	if (st->damaged)
		found(ck, STORE_FOUND_WRONG, STORE_DAMAGED, "journal: damaged "
		    "at octet %llu; what stands behind is not shown, and mail "
		    "for the account waits (maild-store(5), LOCK)",
		    (unsigned long long)st->pos);
	else if (backend_log_size(&st->b, &end) == STORE_OK && end > st->pos)
		found(ck, STORE_FOUND_NOTE, STORE_OK, "journal: the %llu "
		    "octets at its end are of a writer that is at work or "
		    "died; the next one takes them away",
		    (unsigned long long)(end - st->pos));
}

/* ---- index: what it says, and what the journal says -------------- */

/* Sets of keywords have numbers of their own in each. */
static bool
same_message(const struct mailbox *a, const struct store_msg *m,
    const struct mailbox *b, const struct store_msg *n)
{
	const struct kwset *k = kwset_at(&a->kw, m->kwset);
	const struct kwset *l = kwset_at(&b->kw, n->kwset);
	struct store_msg x = *m, y = *n;

	x.flags &= STORE_FLAGS;
	y.flags &= STORE_FLAGS;
	x.kwset = y.kwset = 0;
	return memcmp(&x, &y, sizeof(x)) == 0 && k->n == l->n &&
	    (k->n == 0 || memcmp(k->v, l->v, k->n * sizeof(*k->v)) == 0);
}

/* A number that is free has no name. */
static bool
same_keywords(const struct keywords *a, const struct keywords *b)
{
	const char *x, *y;
	uint32_t i;

	for (i = 0; i < a->n || i < b->n; i++) {
		x = i < a->n && a->names[i] != NULL ? a->names[i] : "";
		y = i < b->n && b->names[i] != NULL ? b->names[i] : "";
		if (strcmp(x, y) != 0)
			return false;
	}
	return true;
}

/* The next that is not expunged, from slot *i on; NULL at the end. */
static struct store_msg *
next_live(struct mailbox *m, uint32_t *i)
{
	struct store_msg *msg;

	while (*i < mailbox_slots(m)) {
		msg = mailbox_msg(m, (*i)++);
		if ((msg->flags & MSG_GONE) == 0)
			return msg;
	}
	return NULL;
}

static bool
same_mailbox(struct mailbox *a, struct mailbox *b)
{
	struct store_msg *x, *y;
	uint32_t i = 0, j = 0;

	if (a->id != b->id || a->attr != b->attr ||
	    a->uidvalidity != b->uidvalidity || a->uidnext != b->uidnext ||
	    a->recent != b->recent || a->modseq != b->modseq ||
	    !same_keywords(&a->kw, &b->kw))
		return false;
	do {
		x = next_live(a, &i);
		y = next_live(b, &j);
		if (x != NULL && y != NULL && !same_message(a, x, b, y))
			return false;
	} while (x != NULL && y != NULL);
	return x == y;
}

static void
compare(struct check *ck, struct store *again)
{
	struct state *a = ck->st->state, *b = again->state;
	struct mailbox *m;
	size_t i;

	if (a->nnames != b->nnames || a->nsubs != b->nsubs)
		found(ck, STORE_FOUND_WRONG, STORE_DAMAGED, "index: it has "
		    "%zu mailboxes and %zu subscriptions, the journal %zu and "
		    "%zu; a rebuild mends it", a->nnames, a->nsubs, b->nnames,
		    b->nsubs);
	for (i = 0; i < a->nnames; i++) {
		m = mailbox_byname(b, a->byname[i]->name);
		if (m == NULL || !same_mailbox(a->byname[i], m))
			found(ck, STORE_FOUND_WRONG, STORE_DAMAGED, "index: of "
			    "%s it says something else than the journal; a "
			    "rebuild mends it", a->byname[i]->name);
	}
}

/* ---- all of it --------------------------------------------------- */

static enum store_result
check_begin(struct check *ck, struct store *st, store_found_fn *fn, void *arg)
{
	*ck = (struct check){ .st = st, .fn = fn, .arg = arg };
	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	return st->damaged ? STORE_OK : store_refresh(st);
}

enum store_result
store_check(struct store *st, store_found_fn *fn, void *arg)
{
	struct store *again;
	struct check ck;
	enum store_result r;

	if ((r = check_begin(&ck, st, fn, arg)) != STORE_OK)
		return r;
	if (st->index_pos == 0)
		found(&ck, STORE_FOUND_NOTE, STORE_OK, "index: missing or not "
		    "whole; a rebuild makes it again, as does the next "
		    "session");
	journal_tail(&ck);
	if (journal_read(&ck, &again) == STORE_OK && st->index_pos > 0)
		compare(&ck, again);
	store_close(again);
	check_messages(&ck);
	return ck.first;
}

enum store_result
store_rebuild(struct store *st, store_found_fn *fn, void *arg)
{
	struct store *again;
	struct check ck;
	enum store_result r;

	if ((r = check_begin(&ck, st, fn, arg)) != STORE_OK)
		return r;
	ck.rebuild = true;
	journal_tail(&ck);
	if (ck.first != STORE_OK || journal_read(&ck, &again) != STORE_OK)
		return ck.first;
	facts_remove(st);
	st->facts.n = 0;
	check_messages(&ck);
	/* of what the journal alone says, with the places of new facts */
	if ((r = store_refresh(again)) == STORE_OK)
		r = store_checkpoint(again);
	if (r != STORE_OK)
		found(&ck, STORE_FOUND_WRONG, r, "index: cannot be written: "
		    "%s", store_strerror(r));
	store_close(again);
	return ck.first;
}
