/*
 * imap-session: BINARY[part] and BINARY.SIZE[part] of FETCH (RFC 3516 4.2,
 * 4.3): the octets of a part, its Content-Transfer-Encoding undone, and
 * PREVIEW (RFC 8970).  A part is decoded twice, for its length and for its
 * octets, block by block: none is ever held whole.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/cte.h"
#include "parse/facts.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define BLOCK		(32 * 1024)	/* octets decoded at once */
#define PREVIEW_CHARS	200		/* RFC 8970 3.1 */

struct binary {
	const struct store_msg *m;
	struct body	 body;
	enum facts_cte	 cte;
	uint64_t	 skip, left;	/* of the octets: before, and sent */
	uint64_t	 size;
	bool		 nul;		/* there is one among them */
	bool		 send;
};

static enum store_result binary_find(struct session *,
	    const struct store_msg *, struct slice,
	    const struct imap_section *, struct binary *);
static enum store_result binary_pass(struct session *, struct binary *);
static void	binary_take(struct session *, struct binary *, const char *,
		    size_t);

enum store_result
binary_send(struct session *s, const struct store_msg *m, struct slice facts,
    const struct imap_section *sec)
{
	struct binary		 b;
	enum store_result	 r;

	r = binary_find(s, m, facts, sec, &b);
	if (r != STORE_OK || b.body.missing) {
		frames_puts(s->io, "NIL");
		return r;
	}
	b.left = b.size;
	if (sec->partial) {
		b.skip = sec->first < b.size ? sec->first : b.size;
		b.left = b.size - b.skip;
		if (sec->count < b.left)
			b.left = sec->count;
	}
	frames_puts(s->io, b.nul ? "~{" : "{");
	frames_num(s->io, b.left);
	frames_puts(s->io, "}\r\n");
	b.send = true;
	r = binary_pass(s, &b);
	if (r != STORE_OK || b.left > 0)
		s->io->gone = true;	/* the length was told */
	return r;
}

enum store_result
binary_size(struct session *s, const struct store_msg *m, struct slice facts,
    const struct imap_section *sec)
{
	struct binary		 b;
	enum store_result	 r;

	r = binary_find(s, m, facts, sec, &b);
	frames_num(s->io, r == STORE_OK && !b.body.missing ? b.size : 0);
	return r;
}

/* Where it is, and what it is when decoded.  INVALID: the encoding is not
 * known (UNKNOWN-CTE). */
static enum store_result
binary_find(struct session *s, const struct store_msg *m, struct slice facts,
    const struct imap_section *sec, struct binary *b)
{
	struct facts_part	 part;
	enum store_result	 r;

	*b = (struct binary){ .m = m, .cte = CTE_NONE };
	r = body_find(s, m, facts, sec, &b->body);
	if (r != STORE_OK || b->body.missing)
		return r;
	/* The whole message has none, nor has what is made of parts. */
	if (sec->npath > 0) {
		if (facts_part(facts.p, facts.n, sec->path, sec->npath,
		    &part) != 1)
			return STORE_DAMAGED;
		if (part.type == FACTS_TEXT || part.type == FACTS_OTHER)
			b->cte = part.cte;
	}
	if (b->cte == CTE_UNKNOWN)
		return STORE_INVALID;
	return binary_pass(s, b);
}

/* All of the part through the decoder. */
static enum store_result
binary_pass(struct session *s, struct binary *b)
{
	struct cte		 cte = { .cte = b->cte };
	struct iovec		 v;
	enum store_result	 r;
	uint64_t		 off = b->body.off, left = b->body.len;
	size_t			 n;

	if (fbuf_room(&s->tmp, BLOCK + CTE_SLACK) == -1)
		return STORE_NOMEM;
	while (left > 0 && !s->io->gone) {
		r = store_peek(s->store, b->m, (uint32_t)off,
		    left < BLOCK ? (uint32_t)left : BLOCK, &v);
		if (r != STORE_OK)
			return r;
		n = v.iov_len < BLOCK ? v.iov_len : BLOCK;
		if (n > left)
			n = (size_t)left;
		off += n;
		left -= n;
		n = cte_decode(&cte, v.iov_base, n, left == 0, s->tmp.p,
		    s->tmp.size);
		binary_take(s, b, s->tmp.p, n);
	}
	return STORE_OK;
}

static void
binary_take(struct session *s, struct binary *b, const char *p, size_t n)
{
	size_t	 skip = b->skip < n ? (size_t)b->skip : n;

	if (!b->send) {
		b->size += n;
		b->nul = b->nul || memchr(p, '\0', n) != NULL;
		return;
	}
	b->skip -= skip;
	n -= skip;
	if (n > b->left)
		n = (size_t)b->left;
	frames_write(s->io, p + skip, n);
	b->left -= n;
}

/* UTF-8 in any case (RFC 8970 3.1): in a literal where quotes must not have
 * it. */
void
preview_send(struct session *s, struct slice facts)
{
	char		 out[4 * PREVIEW_CHARS * 2 + 32];
	struct slice	 v = { "", 0 };
	uint32_t	 u;
	ssize_t		 n;
	size_t		 i = 0, chars;
	int		 len;

	if (facts_get(facts.p, facts.n, FACTS_PREVIEW, &v) == -1)
		v.n = 0;
	for (chars = 0; chars < PREVIEW_CHARS; chars++) {
		if ((len = utf8_get(v.p + i, v.n - i, &u)) <= 0)
			break;
		i += (size_t)len;
	}
	v.n = i;
	n = imap_put_string(v, out, sizeof(out));
	if (n != -1)
		frames_write(s->io, out, (size_t)n);
}
