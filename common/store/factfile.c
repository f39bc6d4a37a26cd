/*
 * `facts.NNNN`: what was found out about each message when it arrived, so
 * that ENVELOPE and BODYSTRUCTURE are copied and no mail.NNNN is opened.  One
 * lies beside each shared mail.NNNN and goes with it; those of large messages
 * are in the one that was open then.  May be deleted at any time: an entry
 * that does not check out is made again from the message (read.c), in its old
 * place if it fits.  Journals of the first form have all of it in `facts`,
 * which is number 0 here.
 *
 * Invariants (little endian):
 *
 *	head	0 "MAILDFCT", 8 version, 12 0, 16 uuid[16], 32..59 0,
 *		60 crc of 0..59
 *	entry	0 "FACT", 4 length, 8 segment, 12 crc of 0..11, of 16..23 and
 *		of the blob, seeded with the account, 16 offset of the message
 *		in its segment; blob, padded to 8
 *	entries lie where REC_MSG or REC_FACTS say; the place after the last
 *	of the open one is in the trailer of every group; holes are entries not
 *	yet made again
 *	never synced on its own: a lost entry is made again
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

#define FACTS_MAGIC	"MAILDFCT"
#define FACTS_FORMAT	1

static uint32_t
entry_crc(const struct store *st, const uint8_t *e, const void *blob, size_t n)
{
	return crc32c(crc32c(crc32c(st->seed, e, 12), e + 16, 8), blob, n);
}

/* What goes before the blob of message m. */
void
facts_entry(struct store *st, uint8_t e[FACTS_ENTRY],
    const struct store_msg *m, const void *blob, size_t n)
{
	memcpy(e, "FACT", 4);
	put32(e + 4, (uint32_t)n);
	put32(e + 8, m->segment);
	put64(e + 16, m->offset);
	put32(e + 12, entry_crc(st, e, blob, n));
}

/* Are these n octets the whole entry of message m?  0 or -1. */
int
facts_check(struct store *st, const uint8_t *e, size_t n,
    const struct store_msg *m)
{
	if (m->facts_len == 0 || n < FACTS_ENTRY + (size_t)m->facts_len ||
	    memcmp(e, "FACT", 4) != 0 || get32(e + 4) != m->facts_len ||
	    get32(e + 8) != m->segment || get64(e + 16) != m->offset ||
	    get32(e + 12) != entry_crc(st, e, e + FACTS_ENTRY, m->facts_len))
		return -1;
	return 0;
}

static void
head_make(const struct store *st, uint8_t p[FACTS_HEADER])
{
	memset(p, 0, FACTS_HEADER);
	memcpy(p, FACTS_MAGIC, 8);
	put32(p + 8, FACTS_FORMAT);
	memcpy(p + 16, st->head.uuid, 16);
	put32(p + 60, crc32c(0, p, 60));
}

/*
 * A file of ours?  Writes the head if it is empty; so may another at the
 * same moment, with the same octets.  DAMAGED: of somebody else, to be made
 * again.  What cannot be read now, or is of a newer release, stays.
 */
static enum store_result
head_check(struct store *st, int fd)
{
	uint8_t want[FACTS_HEADER], have[FACTS_HEADER];
	struct iovec iov = { want, sizeof(want) };
	enum store_result r;
	struct stat sb;

	head_make(st, want);
	if (fstat(fd, &sb) == -1)
		return backend_errno(errno);
	if (sb.st_size == 0)
		return backend_write(fd, 0, &iov, 1);
	r = backend_range(fd, 0, have, sizeof(have));
	if (r == STORE_NOTFOUND)
		return STORE_DAMAGED;
	if (r != STORE_OK || memcmp(want, have, sizeof(have)) == 0)
		return r;
	return memcmp(have, FACTS_MAGIC, 8) == 0 &&
	    get32(have + 60) == crc32c(0, have, 60) &&
	    get32(have + 8) > FACTS_FORMAT ? STORE_NEWER : STORE_DAMAGED;
}

void
facts_name(char name[32], uint32_t number)
{
	if (number == 0)
		(void)strlcpy(name, "facts", 32);
	else
		(void)snprintf(name, 32, "facts.%04u", number);
}

/* Is what there is of one, if anything, of a release that we know? */
static enum store_result
file_known(struct store *st, uint32_t number)
{
	char name[32];
	enum store_result r;
	int fd;

	facts_name(name, number);
	if ((fd = backend_file(st->b.dir, name, O_RDWR)) == -1) {
		r = backend_errno(errno);
		return r == STORE_NOMEM ? r : STORE_OK;
	}
	r = head_check(st, fd);
	close(fd);
	return r == STORE_NEWER || r == STORE_NOMEM ? r : STORE_OK;
}

/* The old one, and the one that is written now: others are asked when they
 * are opened. */
enum store_result
facts_known(struct store *st)
{
	enum store_result r;

	if ((r = file_known(st, 0)) != STORE_OK || st->tr.segment == 0)
		return r;
	return file_known(st, st->tr.segment);
}

/* The descriptor we have of one; NULL: none.  To write it has to be there
 * still: what is read is compared with its checksum anyhow. */
static struct segment *
facts_kept(struct store *st, uint32_t number, bool make)
{
	struct segment *f;
	struct stat sb;
	size_t i;

	for (i = 0; i < FACTS_CACHE; i++) {
		f = &st->b.facts[i];
		if (f->used == 0 || f->number != number)
			continue;
		if (!make || (fstat(f->fd, &sb) == 0 && sb.st_nlink > 0))
			return f;
		close(f->fd);
		f->used = 0;
	}
	return NULL;
}

/*
 * Opens one, kept for later, or makes it if it is not there, not ours, or was
 * taken away since; without make it is NOTFOUND then.
 */
enum store_result
facts_open(struct store *st, uint32_t number, bool make, int *out)
{
	char name[32];
	enum store_result r = STORE_OK;
	struct segment *f;
	int fd, tries;

	if ((f = facts_kept(st, number, make)) != NULL) {
		f->used = ++st->b.clock;
		*out = f->fd;
		return STORE_OK;
	}
	facts_name(name, number);
	for (tries = 0; tries < 2; tries++) {
		fd = backend_file(st->b.dir, name, O_RDWR |
		    (make ? O_CREAT : 0));
		r = fd == -1 ? backend_errno(errno) : head_check(st, fd);
		if (r == STORE_OK) {
			f = segment_slot(st->b.facts, st->b.mode ==
			    STORE_DELIVER ? 1 : FACTS_CACHE);
			*f = (struct segment){ number, fd, ++st->b.clock };
			*out = fd;
			return STORE_OK;
		}
		if (fd != -1)
			close(fd);
		if (r != STORE_DAMAGED)
			return r;
		(void)unlinkat(st->b.dir, name, 0);
	}
	return r == STORE_DAMAGED ? STORE_IO : r;
}

enum store_result
facts_write(struct store *st, uint32_t number, uint64_t off, struct iovec *iov,
    int n)
{
	enum store_result r;
	int fd;

	if ((r = facts_open(st, number, true, &fd)) != STORE_OK)
		return r;
	return backend_write(fd, off, iov, n);
}

/* Closes one. */
void
facts_gone(struct backend *b, uint32_t number)
{
	size_t i;

	for (i = 0; i < FACTS_CACHE; i++)
		if (b->facts[i].used != 0 && b->facts[i].number == number) {
			close(b->facts[i].fd);
			b->facts[i].used = 0;
		}
}

/* Closes all of them. */
void
facts_forget(struct backend *b)
{
	size_t i;

	for (i = 0; i < FACTS_CACHE; i++) {
		if (b->facts[i].used != 0)
			close(b->facts[i].fd);
		b->facts[i].used = 0;
	}
}

/* Deletes all of them: they are made again. */
void
facts_remove(struct store *st)
{
	struct dirent *d;
	DIR *dir;
	int fd;

	facts_forget(&st->b);
	if ((fd = backend_file(st->b.dir, ".", O_RDONLY | O_DIRECTORY)) == -1)
		return;
	if ((dir = fdopendir(fd)) == NULL) {
		close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, "facts") == 0 ||
		    strncmp(d->d_name, "facts.", 6) == 0)
			(void)unlinkat(st->b.dir, d->d_name, 0);
	closedir(dir);
}
