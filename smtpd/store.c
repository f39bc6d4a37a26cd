/*
 * Where a message lies while it is received: first in a buffer, where one
 * of up to BODY_MAX stays till queue has it; a larger one in a sealed memfd,
 * and what is larger than SMTP_SMALL in a file of the spool that queue
 * opened.
 *
 * Of a file the checksum is counted here, as it is written, and the disk is
 * told to begin: queue, which syncs it before it answers, neither reads it
 * nor finds all of it still to be written.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/util.h"
#include "parse/mime.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"

#define BUFFER_MAX	(SMTP_HEADER + FACTS_MAX + 4 * SMTP_BUFFER)
#define PUSH		(1024 * 1024)	/* octets worth a write to the disk */

static int	 memfd_seal(struct mail *);

int
store_room(struct mail *m, size_t n)
{
	size_t cap = m->cap != 0 ? m->cap : SMTP_BUFFER + 4096;
	char *p;

	n += SMTP_ADDED;
	if (n > BUFFER_MAX || m->n > BUFFER_MAX - n)
		return -1;
	while (cap - m->n < n)
		cap *= 2;
	if (cap == m->cap)
		return 0;
	if ((p = realloc(m->buf, cap)) == NULL)
		return -1;
	m->buf = p;
	m->cap = cap;
	return 0;
}

static void
store_error(struct mail *m)
{
	m->refusal = errno == ENOSPC || errno == EDQUOT || errno == ENOMEM ?
	    REPLY_NO_SPACE : REPLY_LATER;
	log_warn("message not stored");
}

/* So much more is in the spool file. */
static void
file_count(struct mail *m, const char *p, size_t n, uint64_t end)
{
	m->crc = crc32c(m->crc, p, n);
	if (end - m->pushed < PUSH)
		return;
	/* What fails is found out by the sync. */
	(void)sync_file_range(m->fd, (off_t)m->pushed,
	    (off_t)(end - m->pushed), SYNC_FILE_RANGE_WRITE);
	m->pushed = end;
}

/* One write at the end of fd. */
static int
store_write(struct mail *m, const char *p, size_t n)
{
	if (m->fd == -1)
		m->fd = memfd_create("mail", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->fd == -1 || write_all(m->fd, p, n) == -1) {
		store_error(m);
		return -1;
	}
	m->stored += n;
	if (m->file != 0)
		file_count(m, p, n, m->stored);
	return 0;
}

int
store_flush(struct mail *m)
{
	int r;

	if (m->n == 0)
		return 0;
	r = store_write(m, m->buf, m->n);
	m->n = 0;
	return r;
}

bool
store_wants_file(const struct mail *m, uint64_t n)
{
	return m->file == 0 && n > SMTP_SMALL;
}

int
store_file(struct mail *m, int fd, uint64_t file)
{
	char buf[16 * 1024];
	uint64_t off;
	ssize_t n;
	int old = m->fd;

	m->fd = fd;
	m->file = file;
	for (off = 0; off < m->stored; off += (uint64_t)n) {
		n = pread(old, buf, sizeof(buf), (off_t)off);
		if (n <= 0 || write_all(fd, buf, (size_t)n) == -1) {
			store_error(m);
			close(old);
			return -1;
		}
		file_count(m, buf, (size_t)n, off + (uint64_t)n);
	}
	if (old != -1)
		close(old);
	return 0;
}

int
store_seal(struct mail *m)
{
	const char *facts;
	size_t n;

	if (mime_end(m->mime, &facts, &n) == -1) {
		errno = ENOMEM;
		store_error(m);
		return -1;
	}
	if (n <= SMTP_BUFFER && store_room(m, n) == 0) {
		memcpy(m->buf + m->n, facts, n);
		m->n += n;
		if (!store_is_small(m) && store_flush(m) == -1)
			return -1;
	} else if (store_flush(m) == -1 || store_write(m, facts, n) == -1)
		return -1;
	m->facts = n;
	mime_free(m->mime);
	m->mime = NULL;
	return m->fd != -1 && m->file == 0 ? memfd_seal(m) : 0;
}

int
store_spill(struct mail *m)
{
	return store_flush(m) == -1 ? -1 : memfd_seal(m);
}

static int
memfd_seal(struct mail *m)
{
	if (fcntl(m->fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK |
	    F_SEAL_GROW | F_SEAL_WRITE) == 0)
		return 0;
	store_error(m);
	return -1;
}

bool
store_is_small(const struct mail *m)
{
	return m->fd == -1 && m->n <= BODY_MAX;
}

int
store_read(const struct mail *m, char *p, size_t n)
{
	return store_read_at(m, 0, p, n);
}

int
store_read_at(const struct mail *m, uint64_t off, char *p, size_t n)
{
	if (!store_is_small(m))
		return pread_all(m->fd, p, n, (off_t)off);
	if (off > m->n || n > m->n - off)
		return -1;
	memcpy(p, m->buf + off, n);
	return 0;
}

void
store_drop(struct mail *m)
{
	struct queue_drop_ev ev = { m->file };

	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	if (m->file != 0 && !m->committing && smtpd()->queue != NULL)
		chan_send(smtpd()->queue, QUEUE_DROP_EV, &ev, NULL, 0);
	m->file = 0;
}
