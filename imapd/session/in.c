/*
 * imap-session: the strict reader.  Puts a command together out of lines
 * and literals (RFC 3501 4.3, 7888), within stated sums; the literals of
 * APPEND's messages are left for append.c to stream.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static enum input input_part(struct session *, size_t, char **, size_t *);
static enum input input_refuse(struct session *, const char *, size_t,
	    const char *);
static bool	is_message_literal(const char *, size_t);
static struct slice word_behind(struct slice);
static enum input literal_refuse(struct session *, const char *, size_t,
	    uint64_t, int);

enum input
input_command(struct session *s, char **p, size_t *n)
{
	struct slice	 line;
	enum input	 r;
	uint64_t	 size, sum = 0;
	size_t		 begin = 0;
	int		 flags;

	s->literal = false;
	if (s->cmd.n == 0 && session_quiet(s, -1, false) == QUIET_PARKED)
		return INPUT_GONE;
	for (;;) {
		r = input_part(s, IMAP_LINE_MAX + (size_t)sum, p, n);
		if (r != INPUT_COMMAND)
			return r;
		line = slice_of(*p + begin, *n - begin - 2);
		switch (imap_literal(line, &size, &flags)) {
		case 0:
			*n = imap_trim(*p, begin, *n);
			return INPUT_COMMAND;
		case -1:
			return input_refuse(s, *p, *n, "expected a literal of less than 2^63 octets");
		}
		if (is_message_literal(*p, *n)) {
			s->literal = true;
			s->literal_size = size;
			s->literal_flags = flags;
			return INPUT_COMMAND;
		}
		if (size > IMAP_LITERAL_MAX - sum)
			return literal_refuse(s, *p, *n, size, flags);
		sum += size;
		if (s->cmd.n == 0 && fbuf_add(&s->cmd, *p, *n) == -1)
			return INPUT_GONE;
		if (!(flags & IMAP_LITERAL_PLUS))
			frames_puts(s->io, "+ OK\r\n");
		if (frames_read(s->io, &s->cmd, (size_t)size) == -1)
			return INPUT_GONE;
		begin = s->cmd.n;
		if (size > 0 &&
		    memchr(s->cmd.p + begin - size, '\0', size) != NULL)
			return input_refuse(s, s->cmd.p, s->cmd.n,
			    "expected a literal without NUL");
	}
}

enum input
input_rest(struct session *s, char **p, size_t *n)
{
	struct slice	 line;
	enum input	 r;

	s->cmd.n = 0;
	s->literal = false;
	if ((r = input_part(s, IMAP_LINE_MAX, p, n)) != INPUT_COMMAND)
		return r;
	line = slice_of(*p, *n - 2);
	switch (imap_literal(line, &s->literal_size, &s->literal_flags)) {
	case 0:
		*n = imap_trim(*p, 0, *n);
		break;
	case 1:
		s->literal = true;
		break;
	case -1:
		return INPUT_BAD;
	}
	return INPUT_COMMAND;
}

void
input_continue(struct session *s)
{
	if (!(s->literal_flags & IMAP_LITERAL_PLUS))
		frames_puts(s->io, "+ OK\r\n");
}

bool
input_skip(struct session *s, uint64_t n)
{
	struct slice	 chunk;

	for (; n > 0; n -= chunk.n) {
		chunk = frames_chunk(s->io, n > MSG_MAX ? MSG_MAX : (size_t)n);
		if (chunk.n == 0)
			return false;
	}
	return true;
}

/* One line; refusals are answered here. */
static enum input
input_part(struct session *s, size_t max, char **p, size_t *n)
{
	*p = s->cmd.p;
	*n = s->cmd.n;
	if (s->again) {
		s->again = false;
		return INPUT_COMMAND;
	}
	switch (frames_line(s->io, &s->cmd, max, p, n)) {
	case FRAMES_LINE:
		return INPUT_COMMAND;
	case FRAMES_TOOLONG:
		return input_refuse(s, s->cmd.p, s->cmd.n,
		    "expected a command of at most "
		    IMAP_NUMBER(IMAP_LINE_MAX) " octets");
	case FRAMES_BARE:
		return input_refuse(s, *p, *n,
		    "expected a line that ends in CRLF and has no other CR, "
		    "LF or NUL");
	case FRAMES_GONE:
		break;
	}
	return INPUT_GONE;
}

/* With the tag, if the command got so far. */
static enum input
input_refuse(struct session *s, const char *p, size_t n, const char *why)
{
	struct imap_in	 in;
	struct slice	 tag;

	imap_start(&in, (char *)p, n);
	if (p != NULL && imap_tag(&in, &tag) == 0)
		frames_write(s->io, tag.p, tag.n);
	else
		frames_putc(s->io, '*');
	frames_printf(s->io, " BAD %s\r\n", why);
	return INPUT_BAD;
}

/*
 * A literal over the limit.  A client that waits for "+" is told no; one
 * that does not sends the octets and the rest of the command anyway, so the
 * connection ends (RFC 7888 4).
 */
static enum input
literal_refuse(struct session *s, const char *p, size_t n, uint64_t size,
    int flags)
{
	input_refuse(s, p, n, "[TOOBIG] expected at most "
	    IMAP_NUMBER(IMAP_LITERAL_MAX) " octets in the literals of a "
	    "command");
	if (flags & IMAP_LITERAL_PLUS)
		session_bye(s, "Literals too large");
	return INPUT_BAD;
}

/*
 * "tag APPEND mailbox ... {n}": is this the literal of a message, not that
 * of the mailbox name?  The latter comes right behind the verb, and behind
 * the number of "REPLACE 4 mailbox".
 */
static bool
is_message_literal(const char *p, size_t n)
{
	struct slice	 s = word_behind(slice_of(p, n));

	if (slice_casestarts(s, "APPEND "))
		s = word_behind(s);
	else {
		if (slice_casestarts(s, "UID "))
			s = word_behind(s);
		if (!slice_casestarts(s, "REPLACE "))
			return false;
		s = word_behind(word_behind(s));
	}
	/* A name given as literal: what is behind its octets counts. */
	return s.n > 2 && (s.p[0] != '{' ||
	    memchr(s.p, '\n', s.n - 2) != NULL);
}

/* What stands behind the next blank. */
static struct slice
word_behind(struct slice s)
{
	size_t	 i = slice_find(s, ' ');

	return i < s.n ? slice_of(s.p + i + 1, s.n - i - 1) :
	    slice_of(s.p + s.n, 0);
}
