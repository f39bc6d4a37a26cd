/*
 * Keeping an account in shape: when to write a checkpoint, checking all of
 * it, making again what can be made again.  Run by sessions between two
 * commands and by the store process for mailctl; never by deliver.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/store.h"
#include "store/store_priv.h"

#define TAIL_LONG	(64U << 10)	/* log behind the checkpoint, octets */
#define TAIL_SHARE	8		/* or this part of the checkpoint */
#define SWEEP_AGE	86400		/* s, of a file nobody works on */

struct report {
	void		(*fn)(void *, enum store_result, const char *);
	void		*arg;
	enum store_result first;
};

uint64_t
store_tail(struct store *st)
{
	return st->pos - (st->index_pos > st->pos ? st->pos : st->index_pos);
}

uint64_t
store_log(struct store *st)
{
	return st->pos;
}

/*
 * Files that a process was making under another name when it was killed.
 * One that is at work does not take that long.
 */
static void
sweep(struct store *st)
{
	time_t old = (time_t)now_sec() - SWEEP_AGE;
	struct dirent *d;
	struct stat sb;
	DIR *dir;
	int fd;

	if ((fd = backend_file(st->b.dir, ".", O_RDONLY | O_DIRECTORY)) == -1)
		return;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL)
		if ((strncmp(d->d_name, "index.new.", 10) == 0 ||
		    strncmp(d->d_name, "journal.new.", 12) == 0) &&
		    fstatat(st->b.dir, d->d_name, &sb,
		    AT_SYMLINK_NOFOLLOW) == 0 && sb.st_mtime < old)
			(void)unlinkat(st->b.dir, d->d_name, 0);
	closedir(dir);
}

/* The checkpoint covers what is durable: what is not is synced first. */
enum store_result
store_checkpoint(struct store *st)
{
	struct index_at at;
	enum store_result r;

	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if (st->damaged)
		return STORE_DAMAGED;
	if ((r = store_sync(st)) != STORE_OK)
		return r;
	at.pos = st->pos;
	at.tr = st->tr;
	r = index_write(&st->b, st->head.uuid, st->state, &at,
	    now_sec());
	if (r == STORE_OK) {
		st->index_pos = st->pos;
		st->index_size = st->tr.messages * sizeof(struct store_msg);
		sweep(st);
	}
	return r;
}

enum store_result
store_maintain(struct store *st)
{
	uint64_t tail = store_tail(st);

	if (tail < TAIL_LONG || tail < st->index_size / TAIL_SHARE)
		return STORE_OK;
	return store_checkpoint(st);
}

/* ---- check ------------------------------------------------------- */

static void
complain(struct report *rp, enum store_result r, const char *what,
    const char *mailbox, uint32_t uid)
{
	char line[STORE_NAME_MAX + 128];

	if (rp->first == STORE_OK)
		rp->first = r;
	(void)snprintf(line, sizeof(line), "%s%s%s uid %u: %s", what,
	    mailbox[0] != '\0' ? " " : "", mailbox, uid, store_strerror(r));
	if (rp->fn != NULL)
		rp->fn(rp->arg, r, line);
}

static void
check_mailbox(struct store *st, struct mailbox *m, struct report *rp)
{
	struct store_msg msg;
	struct iovec iov;
	enum store_result r;
	uint32_t i, unseen = 0, n = 0;
	uint64_t bytes = 0;

	for (i = 0; i < mailbox_slots(m); i++) {
		msg = *mailbox_msg(m, i);
		if ((msg.flags & MSG_GONE) != 0)
			continue;
		n++;
		bytes += msg.size;
		unseen += (msg.flags & STORE_SEEN) == 0;
		if ((r = store_verify(st, &msg)) != STORE_OK)
			complain(rp, r, "message", m->name, msg.uid);
		else if ((r = store_facts(st, &msg, &iov)) != STORE_OK)
			complain(rp, r, "facts", m->name, msg.uid);
	}
	if (n != m->messages || bytes != m->bytes || unseen != m->unseen)
		complain(rp, STORE_DAMAGED, "counters", m->name, 0);
}

/*
 * The log is read again from its start, without the checkpoint; then all
 * messages that it names.
 */
enum store_result
store_check(struct store *st,
    void (*fn)(void *, enum store_result, const char *), void *arg)
{
	struct report rp = { fn, arg, STORE_OK };
	struct store *again;
	enum store_result r;
	uint64_t messages = 0, bytes = 0;
	size_t i;

	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if ((r = store_refresh(st)) != STORE_OK)
		return r;
	if (st->damaged)
		complain(&rp, STORE_DAMAGED, "journal", "", 0);
	for (i = 0; i < st->state->nnames; i++) {
		check_mailbox(st, st->state->byname[i], &rp);
		messages += st->state->byname[i]->messages;
		bytes += st->state->byname[i]->bytes;
	}
	if (messages != st->tr.messages || bytes != st->tr.bytes)
		complain(&rp, STORE_DAMAGED, "totals", "", 0);
	(void)unlinkat(st->b.dir, "index", 0);
	if ((r = store_open(&again, st->b.dir, STORE_SESSION)) != STORE_OK)
		complain(&rp, r, "journal", "", 0);
	else if (again->pos < st->pos || again->tr.seq < st->tr.seq)
		complain(&rp, STORE_DAMAGED, "journal", "", 0);
	store_close(again);
	if (!st->damaged && (r = store_checkpoint(st)) != STORE_OK)
		complain(&rp, r, "index", "", 0);
	return rp.first;
}

enum store_result
store_rebuild(struct store *st)
{
	struct report rp = { NULL, NULL, STORE_OK };
	size_t i;

	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	(void)unlinkat(st->b.dir, "index", 0);
	facts_remove(st);
	st->facts.n = 0;
	for (i = 0; i < st->state->nnames; i++)
		check_mailbox(st, st->state->byname[i], &rp);
	if (rp.first != STORE_OK)
		return rp.first;
	return store_checkpoint(st);
}
