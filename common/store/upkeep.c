/*
 * Keeping an account in shape: when to write a checkpoint.  Run by sessions
 * between two commands and by store; never by deliver.
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
	uint64_t end;

	if (st->state == NULL || !st->state->messages)
		return STORE_INVALID;
	if (st->damaged)
		return STORE_DAMAGED;
	if ((r = store_log_end(st, &end)) != STORE_OK ||
	    (r = store_sync(st)) != STORE_OK)
		return r;
	at.pos = st->pos;
	at.generation = (uint32_t)st->head.generation;
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
