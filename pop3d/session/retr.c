/*
 * pop3-session: RETR and TOP: a message goes out in the store's blocks, the
 * dots stuffed between them; no octet is looked at by itself.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/data.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "pop3d/session/pop3.h"

static uint64_t	top_end(struct session *, const struct store_msg *, uint64_t);
static void	put_block(struct session *, struct data_stuff *,
	    const struct iovec *);

bool
retr_send(struct session *s, uint32_t msg, uint64_t lines)
{
	struct store_msg	 m = *store_view_msg(s->view, msg);
	struct data_stuff	 stuff = { 0 };
	struct slice		 end;
	struct iovec		 v;
	uint64_t		 off, sent, size = m.size;
	enum store_result	 r;

	sent = size_sent(s, msg);
	if (lines != UINT64_MAX)
		size = top_end(s, &m, lines);
	for (off = 0; off < size; off += v.iov_len) {
		if (s->io->gone)
			return false;
		r = store_peek(s->store, &m, (uint32_t)off,
		    (uint32_t)(size - off), &v);
		if (r != STORE_OK)
			break;
		if (off == 0)
			frames_printf(s->io, "+OK %llu octets\r\n",
			    (unsigned long long)sent);
		if (v.iov_len > size - off)
			v.iov_len = (size_t)(size - off);
		put_block(s, &stuff, &v);
	}
	if (off == 0) {
		frames_puts(s->io, "-ERR [SYS/TEMP] Message not readable\r\n");
		return false;
	}
	if (off < size) {	/* half a message is not one */
		log_warnx("pop3-session: read: %s", store_strerror(r));
		s->io->gone = true;
		return false;
	}
	end = data_stuff_end(&stuff);
	frames_write(s->io, end.p, end.n);
	return !s->io->gone;
}

static void
put_block(struct session *s, struct data_stuff *stuff, const struct iovec *v)
{
	const char	*p = v->iov_base;
	struct slice	 run;
	size_t		 left, n;
	int		 dot;

	for (left = v->iov_len; left > 0; left -= n, p += n) {
		n = data_stuff(stuff, p, left, &run, &dot);
		if (dot)
			frames_putc(s->io, '.');
		frames_write(s->io, run.p, run.n);
	}
}

/* Octets of the header, its empty line and so many lines of the body. */
static uint64_t
top_end(struct session *s, const struct store_msg *m, uint64_t lines)
{
	struct iovec	 v;
	const char	*p, *lf;
	uint64_t	 off;
	size_t		 at;
	bool		 body = false, empty = true;

	for (off = 0; off < m->size; off += v.iov_len) {
		if (store_peek(s->store, m, (uint32_t)off,
		    (uint32_t)(m->size - off), &v) != STORE_OK)
			return m->size;
		p = v.iov_base;
		for (at = 0; at < v.iov_len; at = (size_t)(lf + 1 - p)) {
			if (body && lines == 0)
				return off + at;
			lf = memchr(p + at, '\n', v.iov_len - at);
			if (lf == NULL) {
				/* the line goes on in the next block */
				empty = empty && v.iov_len - at == 1 &&
				    p[at] == '\r';
				break;
			}
			if (body)
				lines--;
			else if (empty)
				body = lf == p + at ||
				    (lf == p + at + 1 && p[at] == '\r');
			empty = true;
		}
	}
	return m->size;
}
