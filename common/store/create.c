/*
 * A new account: its directory exists (maild made it), here come the files.
 * The journal is made whole under another name and linked to its own, so of
 * several processes one wins and all find an account that is complete.
 */
#include "base/compat.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/le.h"
#include "store/store.h"
#include "store/store_priv.h"

static const struct {
	const char	*name;
	uint32_t	 attr;
} folders[] = {			/* RFC 6154; the first gets INBOX_ID */
	{ "INBOX",	0 },
	{ "Drafts",	STORE_MB_DRAFTS },
	{ "Sent",	STORE_MB_SENT },
	{ "Junk",	STORE_MB_JUNK },
	{ "Trash",	STORE_MB_TRASH },
	{ "Archive",	STORE_MB_ARCHIVE }
};

/* The first group: the folders and their subscriptions. */
static int
first_group(struct group *g, const struct loghead *h)
{
	struct trailer tr = { 0 };
	uint8_t *p;
	size_t i, n;

	group_start(g);
	for (i = 0; i < NITEMS(folders); i++) {
		n = strlen(folders[i].name);
		p = group_add(g, REC_MAILBOX_CREATE, 0, 16 + n);
		if (p == NULL)
			return -1;
		put32(p, INBOX_ID + (uint32_t)i);
		put32(p + 4, (uint32_t)h->created + (uint32_t)i);
		put32(p + 8, folders[i].attr);
		put32(p + 12, (uint32_t)n);
		memcpy(p + 16, folders[i].name, n);
		if ((p = group_add(g, REC_SUBSCRIBE, 0, 8 + n)) == NULL)
			return -1;
		put32(p, 1);
		put32(p + 4, (uint32_t)n);
		memcpy(p + 8, folders[i].name, n);
	}
	tr.seq = 1;
	tr.facts_end = FACTS_HEADER;
	tr.inbox_uidnext = 1;
	tr.segment_next = 1;
	trailer_now(&tr);
	return group_finish(g, log_seed(h->uuid), h->created * 1000000, &tr);
}

static enum store_result
write_journal(int dir, const char *tmp)
{
	struct loghead h = { .generation = 1 };
	uint8_t head[LOG_HEADER];
	struct group g = { 0 };
	struct iovec iov[2];
	enum store_result r;
	int fd;

	h.created = now_sec();
	if (getrandom(h.uuid, sizeof(h.uuid), 0) != (ssize_t)sizeof(h.uuid))
		return STORE_IO;
	loghead_encode(&h, head);
	if (first_group(&g, &h) == -1) {
		group_free(&g);
		return STORE_NOMEM;
	}
	iov[0] = (struct iovec){ head, sizeof(head) };
	iov[1] = (struct iovec){ g.p, g.n };
	fd = backend_file(dir, tmp, O_RDWR | O_CREAT | O_EXCL);
	r = fd == -1 ? backend_errno(errno) : backend_write(fd, 0, iov, 2);
	if (r == STORE_OK && fsync(fd) == -1)
		r = backend_errno(errno);
	if (fd != -1)
		close(fd);
	group_free(&g);
	return r;
}

/*
 * OK: there is a journal.  NOTFOUND: the account is new.  DAMAGED: it has
 * mail but the journal is gone; an empty one in its place would hide that.
 */
static enum store_result
look(int dir)
{
	static const char *const others[] = { "mail.0001", "index", "facts" };
	struct stat sb;
	int fd, tries, e = 0;
	size_t i;

	for (tries = 0; tries < 2; tries++) {
		if ((fd = backend_file(dir, "journal", O_RDONLY)) != -1) {
			close(fd);
			return STORE_OK;
		}
		if ((e = errno) != ENOENT)
			break;
		/* They come after the journal: then it is there by now. */
		for (i = 0; i < NITEMS(others); i++)
			if (fstatat(dir, others[i], &sb,
			    AT_SYMLINK_NOFOLLOW) == 0)
				break;
			else if (errno != ENOENT)
				return backend_errno(errno);
		if (i == NITEMS(others))
			return STORE_NOTFOUND;
	}
	return e == ENOENT ? STORE_DAMAGED : backend_errno(e);
}

enum store_result
store_create(int dir)
{
	char tmp[64];
	uint8_t rnd[8];
	enum store_result r;
	int fd;

	(void)umask(0);
	if ((r = look(dir)) != STORE_NOTFOUND)
		return r;
	/* No notify/, which a backup leaves out: deliver may make no directory,
	 * and who wants to be told makes it. */
	if ((fd = backend_file(dir, "lock", O_RDWR | O_CREAT)) == -1)
		return backend_errno(errno);
	close(fd);
	if (getrandom(rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
		return STORE_IO;
	(void)snprintf(tmp, sizeof(tmp), "journal.new.%016llx",
	    (unsigned long long)get64(rnd));
	r = write_journal(dir, tmp);
	if (r == STORE_OK && linkat(dir, tmp, dir, "journal", 0) == -1 &&
	    errno != EEXIST)
		r = backend_errno(errno);
	(void)unlinkat(dir, tmp, 0);
	if (r == STORE_OK && fsync(dir) == -1)
		r = backend_errno(errno);
	return r;
}
