/*
 * imap-session: the octets of BODY[section] (RFC 3501 6.4.5): where they are
 * by the facts of the message, and sending them as a literal.  Facts are
 * hostile input: what they say is checked against the message's size.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <string.h>

#include "base/slice.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static enum store_result body_whole(const struct store_msg *, struct slice,
	    const struct imap_section *, struct body *);
static enum store_result body_part(const struct store_msg *, struct slice,
	    const struct imap_section *, struct body *);
static enum store_result body_fields(struct session *,
	    const struct store_msg *, const struct imap_section *,
	    struct body *);
static bool	header_blank(struct slice);
static bool	field_wanted(const struct imap_section *, struct slice);

enum store_result
body_find(struct session *s, const struct store_msg *m, struct slice facts,
    const struct imap_section *sec, struct body *b)
{
	enum store_result	 r;

	memset(b, 0, sizeof(*b));
	if (sec->npath == 0)
		r = body_whole(m, facts, sec, b);
	else
		r = body_part(m, facts, sec, b);
	if (r != STORE_OK || b->missing)
		return r;
	if (b->off > m->size || b->len > m->size - b->off)
		return STORE_DAMAGED;
	if (sec->kind == IMAP_SECTION_FIELDS ||
	    sec->kind == IMAP_SECTION_FIELDS_NOT)
		return body_fields(s, m, sec, b);
	return STORE_OK;
}

/* A section of the message itself: its header starts with our prefix. */
static enum store_result
body_whole(const struct store_msg *m, struct slice facts,
    const struct imap_section *sec, struct body *b)
{
	uint64_t	 hdr, len, lines;

	b->len = m->size;
	if (sec->kind == IMAP_SECTION_ALL)
		return STORE_OK;
	if (facts_size(facts.p, facts.n, &hdr, &len, &lines) == -1)
		return STORE_DAMAGED;
	hdr += m->prefix;
	if (sec->kind != IMAP_SECTION_TEXT)
		b->len = hdr;
	else if (hdr > m->size)
		return STORE_DAMAGED;
	else {
		b->off = hdr;
		b->len = m->size - hdr;
	}
	return STORE_OK;
}

static enum store_result
body_part(const struct store_msg *m, struct slice facts,
    const struct imap_section *sec, struct body *b)
{
	struct facts_part	 part;

	switch (facts_part(facts.p, facts.n, sec->path, sec->npath, &part)) {
	case 0:
		b->missing = true;
		return STORE_OK;
	case -1:
		return STORE_DAMAGED;
	}
	switch (sec->kind) {
	case IMAP_SECTION_ALL:
		b->off = part.body_off;
		b->len = part.body_len;
		break;
	case IMAP_SECTION_MIME:
		b->off = part.hdr_off;
		b->len = part.hdr_len;
		break;
	case IMAP_SECTION_TEXT:
		b->off = part.msg_body_off;
		b->len = part.msg_body_len;
		b->missing = part.type != FACTS_MESSAGE;
		break;
	case IMAP_SECTION_HEADER:
	case IMAP_SECTION_FIELDS:
	case IMAP_SECTION_FIELDS_NOT:
		b->off = part.msg_hdr_off;
		b->len = part.msg_hdr_len;
		b->missing = part.type != FACTS_MESSAGE;
		break;
	}
	/* The message's own header grows at its start. */
	if (sec->kind == IMAP_SECTION_MIME && part.hdr_off == 0)
		b->len += m->prefix;
	else
		b->off += m->prefix;
	return STORE_OK;
}

/*
 * HEADER.FIELDS and .NOT: the fields one behind the other and the empty line,
 * unless a message has no body and no such line (RFC 3501 6.4.5).
 */
static enum store_result
body_fields(struct session *s, const struct store_msg *m,
    const struct imap_section *sec, struct body *b)
{
	struct header_field	 f;
	struct slice		 rest;
	enum store_result	 r;
	bool			 not = sec->kind == IMAP_SECTION_FIELDS_NOT;
	bool			 blank;

	if ((r = body_bytes(s, m, b->off, b->len, &rest)) != STORE_OK)
		return r;
	s->tmp.n = 0;
	blank = rest.n == 0 || header_blank(rest);
	while (header_next(&rest, &f))
		if (field_wanted(sec, f.name) != not &&
		    fbuf_add(&s->tmp, f.raw.p, f.raw.n) == -1)
			return STORE_NOMEM;
	if (blank && fbuf_add(&s->tmp, "\r\n", 2) == -1)
		return STORE_NOMEM;
	b->text = slice_of(s->tmp.p, s->tmp.n);
	b->made = true;
	b->len = s->tmp.n;
	return STORE_OK;
}

/* Does the header end in an empty line? */
static bool
header_blank(struct slice h)
{
	if (h.p[h.n - 1] != '\n')
		return false;
	h.n -= h.n > 1 && h.p[h.n - 2] == '\r' ? 2 : 1;
	return h.n == 0 || h.p[h.n - 1] == '\n';
}

static bool
field_wanted(const struct imap_section *sec, struct slice name)
{
	size_t	 i;

	for (i = 0; i < sec->nfields; i++)
		if (slice_caseeq(sec->field[i], name))
			return true;
	return false;
}

/*
 * Octets of a header in one piece, at most HEADER_MAX of them: in place
 * where the store can, else put together in s->hdr.
 */
enum store_result
body_bytes(struct session *s, const struct store_msg *m, uint64_t off,
    uint64_t len, struct slice *out)
{
	struct iovec		 v;
	enum store_result	 r;
	uint64_t		 at;

	if (off > m->size || len > m->size - off)
		return STORE_DAMAGED;
	if (len > HEADER_MAX)
		len = HEADER_MAX;
	*out = slice_of(NULL, 0);
	if (len == 0)
		return STORE_OK;
	r = store_peek(s->store, m, (uint32_t)off, (uint32_t)len, &v);
	if (r != STORE_OK || v.iov_len >= len) {
		*out = slice_of(v.iov_base, (size_t)len);
		return r;
	}
	s->hdr.n = 0;
	for (at = 0; at < len; at += v.iov_len) {
		r = store_peek(s->store, m, (uint32_t)(off + at),
		    (uint32_t)(len - at), &v);
		if (r != STORE_OK)
			return r;
		if (fbuf_add(&s->hdr, v.iov_base, v.iov_len) == -1)
			return STORE_NOMEM;
	}
	*out = slice_of(s->hdr.p, s->hdr.n);
	return STORE_OK;
}

/* Once the length was announced there is no way back: then the connection
 * ends. */
enum store_result
body_send(struct session *s, const struct store_msg *m,
    const struct imap_section *sec, const struct body *b)
{
	struct iovec		 v;
	enum store_result	 r;
	uint64_t		 off = 0, len = b->len;

	if (sec->partial) {
		off = sec->first < len ? sec->first : len;
		len -= off;
		if (sec->count < len)
			len = sec->count;
	}
	frames_putc(s->io, '{');
	frames_num(s->io, len);
	frames_puts(s->io, "}\r\n");
	if (b->made) {
		if (len > 0)		/* of no field there is no text */
			frames_write(s->io, b->text.p + off, (size_t)len);
		return STORE_OK;
	}
	for (off += b->off; len > 0 && !s->io->gone;
	    off += v.iov_len, len -= v.iov_len) {
		r = store_peek(s->store, m, (uint32_t)off, (uint32_t)len, &v);
		if (r != STORE_OK) {
			s->io->gone = true;
			return r;
		}
		if (v.iov_len > len)
			v.iov_len = len;
		frames_write(s->io, v.iov_base, v.iov_len);
	}
	return STORE_OK;
}
