/*
 * Messages: the encoder and decoder of each, generated from the lists of
 * msg.h, the check of what may cross a channel, and blocking send and
 * receive for programs without an event loop.
 *
 * Wire form, little endian: u16 number, u16 zero, u32 id, then the fields in
 * order; str and blob are u16 length and octets.  Items of lists have a u16
 * with the length of their fields before them.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "msg/msg.h"

#define ITEM_HDR	2	/* octets of the length before an item */
#define NO_MAX		255	/* messages of a channel */

struct wr {			/* writer over a bounded buffer */
	uint8_t	*p;
	size_t	 n, size;
	int	 bad;
};

struct rd {			/* reader over a packet */
	const uint8_t	*p;
	size_t		 n;
	int		 bad;
};

static void
wr_octets(struct wr *w, const void *src, size_t n)
{
	if (w->bad || n > w->size - w->n) {
		w->bad = 1;
		return;
	}
	if (n > 0)
		memcpy(w->p + w->n, src, n);
	w->n += n;
}

static const uint8_t *
rd_octets(struct rd *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > r->n) {
		r->bad = 1;
		return NULL;
	}
	r->p += n;
	r->n -= n;
	return p;
}

static void
wr_num(struct wr *w, uint64_t v, size_t n)
{
	uint8_t b[8];
	size_t i;

	for (i = 0; i < n; i++)
		b[i] = (uint8_t)(v >> (8 * i));
	wr_octets(w, b, n);
}

static uint64_t
rd_num(struct rd *r, size_t n)
{
	const uint8_t *p = rd_octets(r, n);
	uint64_t v = 0;
	size_t i;

	if (p != NULL)
		for (i = 0; i < n; i++)
			v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void
wr_slice(struct wr *w, struct slice s, size_t max, int text)
{
	if (s.n > max || (text && s.n > 0 && memchr(s.p, 0, s.n) != NULL)) {
		w->bad = 1;
		return;
	}
	wr_num(w, s.n, 2);
	wr_octets(w, s.p, s.n);
}

static struct slice
rd_slice(struct rd *r, size_t max, int text)
{
	size_t n = (size_t)rd_num(r, 2);
	const uint8_t *p;

	if (n > max)
		r->bad = 1;
	p = rd_octets(r, n);
	if (p == NULL || (text && n > 0 && memchr(p, 0, n) != NULL)) {
		r->bad = 1;
		return (struct slice){ "", 0 };
	}
	return (struct slice){ (const char *)p, n };
}

static void
wr_addr(struct wr *w, const struct msg_addr *a)
{
	wr_num(w, a->family, 1);
	wr_octets(w, a->b, sizeof(a->b));
	wr_num(w, a->port, 2);
}

static void
rd_addr(struct rd *r, struct msg_addr *a)
{
	const uint8_t *p;

	a->family = (uint8_t)rd_num(r, 1);
	if ((p = rd_octets(r, sizeof(a->b))) != NULL)
		memcpy(a->b, p, sizeof(a->b));
	a->port = (uint16_t)rd_num(r, 2);
	if (a->family != 0 && a->family != 4 && a->family != 6)
		r->bad = 1;
}

static void
rd_fixed(struct rd *r, uint8_t *b, size_t n)
{
	const uint8_t *p = rd_octets(r, n);

	if (p != NULL)
		memcpy(b, p, n);
}

#define PUT_u8(f, max)		wr_num(&w, m->f, 1);
#define PUT_u16(f, max)		wr_num(&w, m->f, 2);
#define PUT_u32(f, max)		wr_num(&w, m->f, 4);
#define PUT_u64(f, max)		wr_num(&w, m->f, 8);
#define PUT_mac(f, max)		wr_octets(&w, m->f.b, sizeof(m->f.b));
#define PUT_id(f, max)		wr_octets(&w, m->f.b, sizeof(m->f.b));
#define PUT_addr(f, max)	wr_addr(&w, &m->f);
#define PUT_str(f, max)		wr_slice(&w, m->f, max, 1);
#define PUT_blob(f, max)	wr_slice(&w, m->f, max, 0);
#define GET_u8(f, max)		m->f = (uint8_t)rd_num(&r, 1);
#define GET_u16(f, max)		m->f = (uint16_t)rd_num(&r, 2);
#define GET_u32(f, max)		m->f = (uint32_t)rd_num(&r, 4);
#define GET_u64(f, max)		m->f = rd_num(&r, 8);
#define GET_mac(f, max)		rd_fixed(&r, m->f.b, sizeof(m->f.b));
#define GET_id(f, max)		rd_fixed(&r, m->f.b, sizeof(m->f.b));
#define GET_addr(f, max)	rd_addr(&r, &m->f);
#define GET_str(f, max)		m->f = rd_slice(&r, max, 1);
#define GET_blob(f, max)	m->f = rd_slice(&r, max, 0);
#define NONE_u8(f)		m->f = 0;
#define NONE_u16(f)		m->f = 0;
#define NONE_u32(f)		m->f = 0;
#define NONE_u64(f)		m->f = 0;
#define NONE_mac(f)		memset(&m->f, 0, sizeof(m->f));
#define NONE_id(f)		memset(&m->f, 0, sizeof(m->f));
#define NONE_addr(f)		memset(&m->f, 0, sizeof(m->f));
#define NONE_str(f)		m->f = (struct slice){ "", 0 };
#define NONE_blob(f)		m->f = (struct slice){ "", 0 };
#define F_PUT(type, name, max)	PUT_##type(name, max)
/* Nothing left: an older release has not this field, nor those behind it. */
#define F_GET(type, name, max)						\
	if (r.n == 0) {							\
		NONE_##type(name)					\
	} else {							\
		GET_##type(name, max)					\
	}

#define M(NAME, name, chan, no, side, flags)				\
static ssize_t								\
put_##name(uint8_t *buf, size_t size, const void *body)		\
{									\
	const struct name *m = body;					\
	struct wr w = { buf, 0, size, 0 };				\
									\
	NAME##_FIELDS(F_PUT)						\
	return w.bad ? -1 : (ssize_t)w.n;				\
}									\
									\
static int								\
get_##name(const uint8_t *buf, size_t n, void *body)			\
{									\
	struct name *m = body;						\
	struct rd r = { buf, n, 0 };					\
									\
	NAME##_FIELDS(F_GET)						\
	return r.bad ? -1 : 0;						\
}
MSG_LIST(M)
#undef M

/* The length before an item, when its fields have been written. */
static int
item_close(struct wr *w, size_t from)
{
	size_t n = w->n - from - ITEM_HDR;

	if (w->bad)
		return -1;
	w->p[from] = (uint8_t)n;
	w->p[from + 1] = (uint8_t)(n >> 8);
	return 0;
}

/* The fields of the item at *off; *off goes behind it.  As name_get. */
static int
item_open(struct rd *r, struct slice s, size_t *off)
{
	struct rd list;
	size_t n;

	if (*off >= s.n)
		return *off == s.n ? 0 : -1;
	list = (struct rd){ (const uint8_t *)s.p + *off, s.n - *off, 0 };
	n = (size_t)rd_num(&list, ITEM_HDR);
	*r = (struct rd){ rd_octets(&list, n), n, 0 };
	if (list.bad || n == 0)
		return -1;
	*off = s.n - list.n;
	return 1;
}

#define I(NAME, name)							\
int									\
name##_put(uint8_t *buf, size_t size, size_t *off, const struct name *m) \
{									\
	struct wr w = { buf, *off, size, 0 };				\
									\
	wr_num(&w, 0, ITEM_HDR);					\
	NAME##_FIELDS(F_PUT)						\
	if (item_close(&w, *off) == -1)					\
		return -1;						\
	*off = w.n;							\
	return 0;							\
}									\
									\
int									\
name##_get(struct slice s, size_t *off, struct name *m)			\
{									\
	struct rd r;							\
	int k = item_open(&r, s, off);					\
									\
	if (k != 1)							\
		return k;						\
	NAME##_FIELDS(F_GET)						\
	return r.bad ? -1 : 1;						\
}
ITEM_LIST(I)
#undef I

/* The largest encodings, from the same lists. */
#define SIZE_u8(max)	1
#define SIZE_u16(max)	2
#define SIZE_u32(max)	4
#define SIZE_u64(max)	8
#define SIZE_mac(max)	32
#define SIZE_id(max)	16
#define SIZE_addr(max)	19
#define SIZE_str(max)	2 + (max)
#define SIZE_blob(max)	2 + (max)
#define F_SIZE(type, name, max)	+ SIZE_##type(max)

#define M(NAME, name, chan, no, side, flags)				\
_Static_assert(MSG_HDR NAME##_FIELDS(F_SIZE) <= MSG_MAX, #NAME " too large"); \
_Static_assert(no > 0 && no <= NO_MAX, #NAME " has a wrong number");
MSG_LIST(M)
#undef M

const struct msg_info msg_info[MSG_TYPE_MAX] = {
#define M(NAME, lname, chan, no, side, flags)				\
	[NAME] = { #NAME, chan, side, chan << 8 | no, flags,		\
	    put_##lname, get_##lname },
	MSG_LIST(M)
#undef M
};

/* The type of each number, plus 1; the compiler refuses one that is there
 * twice. */
static const uint16_t msg_types[CHAN_MAX << 8] = {
#define M(NAME, name, chan, no, side, flags)				\
	[chan << 8 | no] = NAME + 1,
	MSG_LIST(M)
#undef M
};

ssize_t
msg_encode(uint8_t *buf, enum msg_type type, uint32_t id, const void *body)
{
	struct wr w = { buf, 0, MSG_MAX, 0 };
	ssize_t n;

	wr_num(&w, msg_info[type].number, 2);
	wr_num(&w, 0, 2);
	wr_num(&w, id, 4);
	n = msg_info[type].put(buf + MSG_HDR, MSG_MAX - MSG_HDR, body);
	return n == -1 ? -1 : n + MSG_HDR;
}

static int
msg_fds_fit(unsigned int flags, int nfd)
{
	if (flags & MF_FD)
		return nfd == 1;
	if (flags & MF_FD2)
		return nfd == 2;
	if (flags & MF_FDOPT)
		return nfd <= 1;
	return nfd == 0;
}

int
msg_decode(const uint8_t *buf, size_t n, enum chan_kind kind,
    enum chan_side from, int nfd, struct msg *m, const char **why)
{
	struct rd r = { buf, n, 0 };
	const struct msg_info *info;
	unsigned int number, zero;

	number = (unsigned int)rd_num(&r, 2);
	zero = (unsigned int)rd_num(&r, 2);
	m->id = (uint32_t)rd_num(&r, 4);
	if (r.bad || zero != 0 || number >= NITEMS(msg_types) ||
	    msg_types[number] == 0) {
		*why = "no such message";
		return -1;
	}
	m->type = (enum msg_type)(msg_types[number] - 1);
	info = &msg_info[m->type];
	if (info->chan != kind || info->sender != from)
		*why = "message not permitted on this channel";
	else if ((m->id == 0) != ((info->flags & MF_EV) != 0))
		*why = "id missing or superfluous";
	else if (!msg_fds_fit(info->flags, nfd))
		*why = "wrong number of descriptors";
	else if (info->get(r.p, r.n, m->body) == -1)
		*why = "malformed fields";
	else
		return 0;
	return -1;
}

int
msg_send(int sock, enum msg_type type, uint32_t id, const void *body,
    const int *fds, int nfd)
{
	uint8_t buf[MSG_MAX];
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int) * MSG_MAXFD)]; } c;
	struct iovec iov = { buf, 0 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n = msg_encode(buf, type, id, body);

	if (n == -1) {
		errno = EINVAL;
		return -1;
	}
	iov.iov_len = (size_t)n;
	if (nfd > 0) {
		mh.msg_control = c.b;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)nfd);
		c.h.cmsg_level = SOL_SOCKET;
		c.h.cmsg_type = SCM_RIGHTS;
		c.h.cmsg_len = CMSG_LEN(sizeof(int) * (size_t)nfd);
		memcpy(CMSG_DATA(&c.h), fds, sizeof(int) * (size_t)nfd);
	}
	while ((n = sendmsg(sock, &mh, MSG_NOSIGNAL)) == -1)
		if (errno != EINTR)
			break;
	if (msg_info[type].flags & MF_SECRET)
		explicit_bzero(buf, iov.iov_len);
	return n == -1 ? -1 : 1;
}

int
msg_take_fds(struct msghdr *mh, struct msg *m)
{
	struct cmsghdr *h;
	size_t i, n, nfd = 0;
	int fd;

	for (i = 0; i < NITEMS(m->fd); i++)
		m->fd[i] = -1;
	for (h = CMSG_FIRSTHDR(mh); h != NULL; h = CMSG_NXTHDR(mh, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
		for (i = 0; i < n; i++, nfd++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(fd), sizeof(fd));
			if (nfd < NITEMS(m->fd))
				m->fd[nfd] = fd;
			else
				close(fd);
		}
	}
	return (int)nfd;
}

void
msg_close_fds(struct msg *m)
{
	size_t i;

	for (i = 0; i < NITEMS(m->fd); i++)
		if (m->fd[i] != -1) {
			close(m->fd[i]);
			m->fd[i] = -1;
		}
}

int
msg_recv(int sock, enum chan_kind kind, enum chan_side from, uint8_t *buf,
    struct msg *m, int timeout_ms)
{
	union { struct cmsghdr h; char b[CMSG_SPACE(sizeof(int) * MSG_MAXFD)]; } c;
	struct iovec iov = { buf, MSG_MAX };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = c.b, .msg_controllen = sizeof(c.b) };
	struct pollfd pfd = { sock, POLLIN, 0 };
	const char *why;
	ssize_t n;
	int nfd, reset = 0;

	m->fd[0] = m->fd[1] = m->fd[2] = -1;
	if (timeout_ms != -1 && poll(&pfd, 1, timeout_ms) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	/* who dies with something unread is an error first, once; what it said
	 * before comes behind that */
	while ((n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC)) == -1)
		if (errno != EINTR && (errno != ECONNRESET || reset++))
			return -1;
	nfd = msg_take_fds(&mh, m);
	if (n == 0) {
		msg_close_fds(m);
		return 0;
	}
	if (mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    msg_decode(buf, (size_t)n, kind, from, nfd, m, &why) == -1) {
		msg_close_fds(m);
		errno = EBADMSG;
		return -1;
	}
	return 1;
}
