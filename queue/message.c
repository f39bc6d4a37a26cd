/*
 * A message as queue keeps it in memory: one block with its recipients and
 * texts; the rest stays on disk.  Also the way back from there: envelope,
 * and the sealed descriptor that deliver and relay read.
 *
 * Invariants: m->nlive recipients are not DONE; with 0 the message goes.
 * m->next is the earliest time of a WAIT recipient while it is in the heap.
 * m->fd is a memfd of smtpd's or ours, or -1; the sum of those kept is
 * bounded.
 */
#include "base/compat.h"

#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

#define KEEP_BYTES	(64U << 20)	/* message descriptors kept: octets, */
#define KEEP_FDS	400		/* and number */

static struct {
	uint64_t	 bytes;		/* kept */
	unsigned int	 fds;
	uint32_t	 rcpts;
	uint8_t		*buf;		/* a frame read back */
	const uint8_t	*env;		/* the envelope asked for last */
	size_t		 cap;
} st;

static uint32_t	 text_add(char *, uint32_t *, struct slice);
static const uint8_t *frame_whole(struct message *);
static void	 read_failed(struct message *);
static int	 frame_read(struct message *, size_t);
static int	 memfd_make(const void *, size_t);

struct message *
message_new(const struct envelope *e, const struct frame_hdr *h)
{
	struct env_rcpt r;
	struct message *m;
	size_t off = 0, ntext = e->sid.n + e->sender.n + 2;
	uint32_t t = 0, i;

	while (env_rcpt_get(e, &off, &r) == 1)
		ntext += r.address.n + 1 + (r.orig.n > 0 ? r.orig.n + 1 : 0);
	m = xcalloc(1, sizeof(*m) + e->nrcpt * sizeof(m->rcpt[0]) + ntext);
	m->text = (char *)&m->rcpt[e->nrcpt];
	m->hdr = *h;
	m->no = h->no;
	m->fd = -1;
	m->origin_seg = e->origin_seg;
	m->origin_no = e->origin_no;
	m->received = (uint32_t)clock_past(e->received);
	m->account = e->account;
	m->flags = e->flags;
	m->warned = e->warned;
	m->nrcpt = (uint16_t)e->nrcpt;
	st.rcpts += m->nrcpt;
	m->sid = text_add(m->text, &t, e->sid);
	m->sender = text_add(m->text, &t, e->sender);
	for (i = 0, off = 0; env_rcpt_get(e, &off, &r) == 1; i++) {
		m->rcpt[i].type = r.type;
		m->rcpt[i].state = r.state;
		m->rcpt[i].attempts = r.attempts;
		m->rcpt[i].account = r.account;
		m->rcpt[i].next = (uint32_t)clock_due(r.next);
		m->rcpt[i].address = text_add(m->text, &t, r.address);
		m->rcpt[i].orig = r.orig.n == 0 ? m->rcpt[i].address :
		    text_add(m->text, &t, r.orig);
		if (r.state != RCPT_DONE)
			m->nlive++;
	}
	return m;
}

static uint32_t
text_add(char *text, uint32_t *t, struct slice s)
{
	uint32_t at = *t;

	if (s.n > 0)
		memcpy(text + at, s.p, s.n);
	text[at + s.n] = '\0';
	*t += (uint32_t)s.n + 1;
	return at;
}

void
message_free(struct message *m)
{
	unsigned int i;

	message_release(m);
	account_leave(m);
	if (m->checking)
		settle_forget(m);
	for (i = 0; i < m->nrcpt; i++)
		text_drop(m->rcpt[i].error);
	st.rcpts -= m->nrcpt;
	free(m);
}

uint32_t
message_rcpts(void)
{
	return st.rcpts;
}

void
queue_id(uint64_t seq, uint32_t no, char buf[MSG_ID_TEXT])
{
	snprintf(buf, MSG_ID_TEXT, "%llx.%x", (unsigned long long)seq, no);
}

void
message_id(const struct message *m, char buf[MSG_ID_TEXT])
{
	queue_id(m->seg == NULL ? 0 : m->seg->seq, m->no, buf);
}

void
message_changed(const struct message *m, const char *verb, unsigned int n,
    const char *by)
{
	char id[MSG_ID_TEXT];

	message_id(m, id);
	log_notice("%s %s id=%s rcpts=%u by=\"%s\"", message_sid(m), verb,
	    id, n, by);
}

static bool
id_parse(const char *id, unsigned long long *seq, unsigned long long *no)
{
	char *end;

	*seq = strtoull(id, &end, 16);
	if (end == id || *end != '.')
		return false;
	id = end + 1;
	*no = strtoull(id, &end, 16);
	return end != id && *end == '\0';
}

bool
message_is_id(const char *id)
{
	unsigned long long seq, no;

	return id_parse(*id == 'q' ? id + 1 : id, &seq, &no);
}

struct message *
message_find(const char *id)
{
	unsigned long long seq, no;
	struct segment *s;

	if (!id_parse(id, &seq, &no) || (s = segment_seq(seq)) == NULL ||
	    no >= s->nslot)
		return NULL;
	return s->slot[no].m;
}

const char *
message_sid(const struct message *m)
{
	return m->text + m->sid;
}

const char *
message_sender(const struct message *m)
{
	return m->text + m->sender;
}

const char *
rcpt_address(const struct message *m, const struct rcpt *r)
{
	return m->text + r->address;
}

const char *
rcpt_orig(const struct message *m, const struct rcpt *r)
{
	return m->text + r->orig;
}

const char *
rcpt_error(const struct rcpt *r)
{
	return text_get(r->error);
}

void
rcpt_error_set(struct rcpt *r, const char *text)
{
	uint32_t old = r->error;

	r->error = text_hold(slice_str(text));
	text_drop(old);
}

void
rcpt_done(struct message *m, struct rcpt *r)
{
	r->state = RCPT_DONE;
	m->nlive--;
	account_less(m);
}

/* The same for every attempt and every copy of the frame. */
void
rcpt_delivery_id(const struct message *m, unsigned int idx,
    struct msg_id *id)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		id->b[i] = (uint8_t)(m->origin_seg >> 8 * i);
	for (i = 0; i < 4; i++) {
		id->b[8 + i] = (uint8_t)(m->origin_no >> 8 * i);
		id->b[12 + i] = (uint8_t)(idx >> 8 * i);
	}
}

/* ---- back from the spool ---------------------------------------------- */

int
message_envelope(struct message *m, struct envelope *e)
{
	const uint8_t *p = segment_recent(m->seg, m->off + FRAME_HDR);

	if (p == NULL) {
		if (frame_read(m, FRAME_HDR + m->hdr.env_len) == -1)
			return -1;
		p = st.buf + FRAME_HDR;
		if (crc32c(0, p, m->hdr.env_len) != m->hdr.env_crc) {
			errno = EBADMSG;
			return -1;
		}
	}
	st.env = p;
	if (env_get(p, m->hdr.env_len, e) == 0)
		return 0;
	errno = EBADMSG;
	return -1;
}

/* The same in memory of its own, freed by the caller; NULL: as -1 above. */
uint8_t *
message_envelope_copy(struct message *m, struct envelope *e)
{
	uint8_t *p;

	if (message_envelope(m, e) == -1)
		return NULL;
	p = xcalloc(1, m->hdr.env_len);
	memcpy(p, st.env, m->hdr.env_len);
	env_get(p, m->hdr.env_len, e);
	return p;
}

bool
message_is_small(const struct message *m)
{
	return (m->hdr.flags & FRAME_LARGE) == 0 && m->fd == -1 &&
	    m->hdr.size <= BODY_MAX &&
	    m->hdr.facts_len <= BODY_MAX - m->hdr.size;
}

const uint8_t *
message_octets(struct message *m)
{
	const uint8_t *p = frame_whole(m);

	if (p == NULL)
		read_failed(m);
	else
		m->seg->err = 0;
	return p;
}

/* Message and facts out of the group just written or from disk, checked.
 * NULL with errno. */
static const uint8_t *
frame_whole(struct message *m)
{
	const uint8_t *env = segment_recent(m->seg, m->off + FRAME_HDR);

	if (env != NULL)
		return env + m->hdr.env_len;
	if (frame_read(m, FRAME_HDR + m->hdr.env_len + (size_t)m->hdr.size +
	    m->hdr.facts_len) == -1)
		return NULL;
	if (frame_check(st.buf, &m->hdr) == -1) {
		errno = EBADMSG;
		return NULL;
	}
	return st.buf + FRAME_HDR + m->hdr.env_len;
}

static void
read_failed(struct message *m)
{
	if (!is_damage(errno))
		m->seg->err = errno;	/* recover_count() tells */
}

static int
message_open(struct message *m)
{
	const uint8_t *p;

	if (m->hdr.flags & FRAME_LARGE)
		return large_open(m->hdr.large);
	if ((p = frame_whole(m)) == NULL)
		return -1;
	return memfd_make(p, (size_t)m->hdr.size + m->hdr.facts_len);
}

int
message_fd(struct message *m)
{
	int fd;

	if (m->fd != -1)
		return m->fd;
	if ((fd = message_open(m)) == -1) {
		read_failed(m);
		return -1;
	}
	m->seg->err = 0;
	m->fd = fd;
	st.fds++;
	st.bytes += m->hdr.size;
	return m->fd;
}

void
message_keep(struct message *m, int fd)
{
	if (st.fds >= KEEP_FDS || st.bytes + m->hdr.size > KEEP_BYTES) {
		close(fd);
		return;
	}
	m->fd = fd;
	st.fds++;
	st.bytes += m->hdr.size;
}

void
message_used(struct message *m)
{
	if (m->nwait == 0 || st.fds > KEEP_FDS || st.bytes > KEEP_BYTES)
		message_release(m);
}

void
message_release(struct message *m)
{
	if (m->fd == -1)
		return;
	close(m->fd);
	m->fd = -1;
	st.fds--;
	st.bytes -= m->hdr.size;
}

/* The first n octets of the frame into st.buf; its header is as it was. */
static int
frame_read(struct message *m, size_t n)
{
	struct frame_hdr h;

	if (n > st.cap) {
		st.cap = n + 64 * 1024;
		free(st.buf);
		st.buf = xcalloc(1, st.cap);
	}
	if (segment_read(m->seg, st.buf, n, (off_t)m->off) == -1)
		return -1;
	if (frame_hdr_get(st.buf, m->seg->nonce, &h) == -1 || h.no != m->no) {
		errno = EBADMSG;
		return -1;
	}
	return 0;
}

static int
memfd_make(const void *p, size_t n)
{
	int fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1)
		return -1;
	if (pwrite_all(fd, p, n, 0) == -1 || fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}
