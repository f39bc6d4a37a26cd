/*
 * imap-session: the message that APPEND, CATENATE or REPLACE makes.  Octets
 * go from the client's packets, or from messages there are, to the store as
 * they come, their lines ended by CRLF, and are parsed for their facts on the
 * way; nothing shows before append_commit().
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/slice.h"
#include "parse/crlf.h"
#include "parse/imap_parse.h"
#include "parse/mime.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/append.h"
#include "imapd/session/imap.h"

static enum reply literal_octets(struct session *, struct append *);
static enum reply line_behind(struct session *, struct imap_in *, enum reply);
static enum store_result append_put(struct append *, const char *, size_t);

void
append_free(struct append *a)
{
	flagset_free(&a->fs);
	mime_free(a->mime);
	store_append_free(a->to);
	memset(a, 0, sizeof(*a));
}

/* TRYCREATE is said before the client is asked for octets. */
enum reply
append_open(struct session *s, struct append *a)
{
	enum store_result	 r;

	if (a->to != NULL)
		return REPLY_OK;
	r = store_append_new(&a->to, s->store, a->box);
	return r == STORE_NOTFOUND ? reply_no(s, "TRYCREATE",
	    "No such mailbox") : reply_store(s, r);
}

enum reply
append_start(struct session *s, struct append *a, uint64_t size)
{
	enum reply	 r;

	if (a->n == IMAP_APPENDS_MAX)
		return reply_no(s, "LIMIT", "Too many messages at once");
	if (size > s->max_append)
		return reply_no(s, "TOOBIG", "Message too large");
	if ((r = append_open(s, a)) != REPLY_OK)
		return r;
	mime_free(a->mime);
	a->crlf = (struct crlf){ 0 };
	a->size = 0;
	if ((a->mime = mime_new()) == NULL)
		return reply_store(s, STORE_NOMEM);
	return reply_store(s, store_append_message(a->to, &a->fs.set, a->date,
	    (size_t)size));
}

/*
 * The literal that ends the line at the cursor, and then the line behind it,
 * at which the cursor is.  An error of the store does not stop reading it.
 */
enum reply
append_literal(struct session *s, struct imap_in *in, struct append *a)
{
	enum reply	 r;

	if (s->literal_size > s->max_append - a->size)
		return reply_no(s, "TOOBIG", "Message too large");
	input_continue(s);
	s->literal = false;
	if ((r = literal_octets(s, a)) == REPLY_GONE)
		return r;
	return line_behind(s, in, r);
}

/* The same of a literal that is no message, of at most max octets. */
enum reply
append_string(struct session *s, struct imap_in *in, struct fbuf *text,
    size_t max)
{
	if (s->literal_size > max)
		return reply_no(s, "TOOBIG", "A literal is too large");
	input_continue(s);
	s->literal = false;
	text->n = 0;
	if (frames_read(s->io, text, (size_t)s->literal_size) == -1)
		return REPLY_GONE;
	return line_behind(s, in, REPLY_OK);
}

/* r: how it is so far. */
static enum reply
line_behind(struct session *s, struct imap_in *in, enum reply r)
{
	int64_t	 first = in->first + (int64_t)(in->n + s->literal_size);
	int	 depth = in->depth;
	char	*p;
	size_t	 n;

	switch (input_rest(s, &p, &n)) {
	case INPUT_COMMAND:
		break;
	case INPUT_BAD:
		return r != REPLY_OK ? r : reply_bad(s, "expected a line's "
		    "end in CRLF, or one more message, behind a message");
	case INPUT_GONE:
		return REPLY_GONE;
	}
	imap_start(in, p, n);
	in->first = first;
	in->depth = depth;
	return r;
}

static enum reply
literal_octets(struct session *s, struct append *a)
{
	enum store_result	 r = STORE_OK;
	struct slice		 c;
	uint64_t		 left;

	for (left = s->literal_size; left > 0; left -= c.n) {
		c = frames_chunk(s->io, left > MSG_MAX ? MSG_MAX :
		    (size_t)left);
		if (c.n == 0)
			return REPLY_GONE;
		if (r == STORE_OK)
			r = append_octets(a, c);
	}
	if (r == STORE_INVALID)
		return reply_no(s, s->literal_flags & IMAP_LITERAL_8 ?
		    "UNKNOWN-CTE" : NULL, "The message has a NUL octet");
	return reply_store(s, r);
}

/* Bare LF and CR, which some clients send, would not be lines to others. */
enum store_result
append_octets(struct append *a, struct slice c)
{
	static char	 lines[2 * MSG_MAX];
	struct slice	 part;

	for (; c.n > 0; c = slice_of(c.p + part.n, c.n - part.n)) {
		part = slice_of(c.p, c.n < MSG_MAX ? c.n : MSG_MAX);
		if (memchr(part.p, '\0', part.n) != NULL)
			return STORE_INVALID;
		a->size += part.n;
		if (append_put(a, lines, crlf_feed(&a->crlf, part.p, part.n,
		    lines)) != STORE_OK)
			return a->failed;
	}
	return STORE_OK;
}

static enum store_result
append_put(struct append *a, const char *p, size_t n)
{
	a->failed = mime_feed(a->mime, p, n) == -1 ? STORE_NOMEM :
	    store_append_write(a->to, p, n);
	return a->failed;
}

enum reply
append_end(struct session *s, struct append *a)
{
	enum store_result	 r;
	const char		*facts;
	char			 lf;
	size_t			 n;

	if (a->size == 0)
		return reply_no(s, NULL, "An empty message");
	n = crlf_end(&a->crlf, &lf);
	if (n > 0 && (r = append_put(a, &lf, n)) != STORE_OK)
		return reply_store(s, r);
	if (mime_end(a->mime, &facts, &n) == -1)
		return reply_store(s, STORE_NOMEM);
	a->n++;
	return reply_store(s, store_append_end(a->to, facts, n));
}

enum reply
append_commit(struct session *s, struct append *a, struct store_appended *done)
{
	enum store_result	 sr;
	enum reply		 r;

	if ((sr = store_append_commit(a->to, done)) != STORE_OK)
		return reply_store(s, sr);
	if ((r = reply_commit(s)) != REPLY_OK) {
		store_take_back(s->store, a->box, done->uids);
		return r;
	}
	told_appended(s, a->box, done);
	if (fbuf_add(&s->code, "APPENDUID ", 10) == -1 ||
	    ranges_print(&s->code, &(struct store_range){ done->uidvalidity,
	    done->uidvalidity }, 1) == -1 ||
	    fbuf_add(&s->code, " ", 1) == -1 ||
	    ranges_print(&s->code, &done->uids, 1) == -1)
		s->code.n = 0;
	return REPLY_OK;
}

/*
 * After an error: a client that waits for "+" gets the tagged line; what one
 * that does not wait has sent is passed over.
 */
enum reply
append_refuse(struct session *s, enum reply r)
{
	char	*p;
	size_t	 n;

	while (s->literal) {
		s->literal = false;
		if (!(s->literal_flags & IMAP_LITERAL_PLUS))
			break;
		if (!input_skip(s, s->literal_size) ||
		    input_rest(s, &p, &n) == INPUT_GONE)
			return REPLY_GONE;
	}
	return r;
}
