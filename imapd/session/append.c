/*
 * imap-session: APPEND, several messages at once too (RFC 3501 6.3.11,
 * 3502, 4315).  Messages go from the client's packets to the store as they
 * come, their lines ended by CRLF, and are parsed for their facts on the way;
 * nothing shows before the last one is complete.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/crlf.h"
#include "parse/imap_parse.h"
#include "parse/mime.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define A_MESSAGE "a message as a literal, as {310}, at the end of the line,"

struct append {
	struct store_append *to;
	struct mime	*mime;
	struct crlf	 crlf;
	bool		 utf8;		/* ")" follows: UTF8 (~{n}) */
	enum reply	 reply;		/* what went wrong, REPLY_OK so far */
	unsigned int	 n;
};

static enum reply append_no_literal(struct session *, struct imap_in *,
	    struct append *);
static void	append_all(struct session *, struct imap_in *,
	    struct append *);
static enum reply append_args(struct session *, struct imap_in *,
	    struct append *, struct flagset *, int64_t *);
static enum reply append_data(struct session *, struct imap_in *,
	    struct append *);
static enum reply append_start(struct session *, struct append *,
	    const struct store_flagset *, int64_t);
static enum reply append_literal(struct session *, struct append *);
static enum store_result append_octets(struct append *, struct slice);
static enum store_result append_put(struct append *, const char *, size_t);
static enum reply append_end(struct session *, struct append *);
static enum reply append_commit(struct session *, struct append *,
	    const char *);
static enum reply append_refuse(struct session *, enum reply);

enum reply
cmd_append(struct session *s, struct imap_in *in)
{
	struct append		 a = { .reply = REPLY_OK };
	enum store_result	 sr;
	char			 name[STORE_NAME_MAX + 1];

	a.reply = arg_mailbox(s, in, name);
	if (a.reply == REPLY_OK && imap_space(in) == -1)
		a.reply = reply_expected(s, in, "a blank and a message");
	if (a.reply == REPLY_OK && !s->literal)
		a.reply = append_no_literal(s, in, &a);
	if (a.reply == REPLY_OK) {
		sr = store_append_new(&a.to, s->store, name);
		if (sr == STORE_NOTFOUND)
			a.reply = reply_no(s, "TRYCREATE", "No such mailbox");
		else
			a.reply = reply_store(s, sr);
	}
	append_all(s, in, &a);
	if (a.reply == REPLY_OK)
		a.reply = append_commit(s, &a, name);
	mime_free(a.mime);
	store_append_free(a.to);
	return a.reply;
}

/* Its flags and date may be what is wrong, and then they are told of. */
static enum reply
append_no_literal(struct session *s, struct imap_in *in, struct append *a)
{
	struct flagset	 fs = { .text = NULL };
	int64_t		 date;
	enum reply	 r;

	r = append_args(s, in, a, &fs, &date);
	flagset_free(&fs);
	return r == REPLY_OK ? reply_expected(s, in, A_MESSAGE) : r;
}

/*
 * Each message, then what follows its literal: another one or the end of
 * the line.  After an error a client that waits for "+" gets the tagged
 * line; what one that does not wait has sent is passed over.
 */
static void
append_all(struct session *s, struct imap_in *in, struct append *a)
{
	struct imap_in	 rest;
	struct flagset	 fs = { .text = NULL };
	int64_t		 date;
	int64_t		 first;
	char		*p;
	size_t		 n;

	while (s->literal) {
		date = 0;
		if (a->reply == REPLY_OK)
			a->reply = append_args(s, in, a, &fs, &date);
		if (a->reply == REPLY_OK)
			a->reply = append_start(s, a, &fs.set, date);
		flagset_free(&fs);
		if (a->reply == REPLY_OK) {
			input_continue(s);
			a->reply = append_literal(s, a);
		} else
			a->reply = append_refuse(s, a->reply);
		if (a->reply == REPLY_GONE || !s->literal)
			return;
		first = in->first + (int64_t)(in->n + s->literal_size);
		switch (input_rest(s, &p, &n)) {
		case INPUT_COMMAND:
			break;
		case INPUT_BAD:
			a->reply = reply_bad(s, "expected a line's end in "
			    "CRLF, or one more message, behind a message");
			return;
		case INPUT_GONE:
			a->reply = REPLY_GONE;
			return;
		}
		imap_start(&rest, p, n);
		rest.first = first;
		rest.depth = a->utf8;
		in = &rest;
		if (a->reply == REPLY_OK && a->utf8 && imap_close(in) == -1)
			a->reply = reply_syntax(s, in);
		if (a->reply == REPLY_OK && s->literal &&
		    imap_space(in) == -1)
			a->reply = reply_syntax(s, in);
	}
	if (a->reply == REPLY_OK && imap_end(in) == -1)
		a->reply = reply_syntax(s, in);
}

/* [flags SP] [date SP] and the literal, which ends the line. */
static enum reply
append_args(struct session *s, struct imap_in *in, struct append *a,
    struct flagset *fs, int64_t *date)
{
	struct imap_flags	 flags;
	enum reply		 r;
	int			 zone;

	flags.system = 0;
	flags.n = 0;
	if (imap_peek(in) == '(' && (imap_flags(in, 0, &flags) == -1 ||
	    imap_space(in) == -1))
		return reply_syntax(s, in);
	*date = (int64_t)now_sec();
	if (imap_peek(in) == '"' && (imap_date_time(in, date, &zone) == -1 ||
	    imap_space(in) == -1))
		return reply_syntax(s, in);
	if ((r = append_data(s, in, a)) != REPLY_OK)
		return r;
	if (flagset_make(fs, &flags) == -1)
		return reply_store(s, STORE_NOMEM);
	return REPLY_OK;
}

/* literal, literal8 (RFC 3516 4.4), or "UTF8 (" literal8 ")", which RFC 6855
 * had and clients of it still send. */
static enum reply
append_data(struct session *s, struct imap_in *in, struct append *a)
{
	a->utf8 = imap_word(in, "UTF8");
	if (a->utf8) {
		if (!(s->enabled & ENABLED_UTF8))
			return reply_bad(s, "expected ENABLE UTF8=ACCEPT "
			    "before UTF8 (...)");
		if (imap_space(in) == -1 || imap_open(in) == -1)
			return reply_syntax(s, in);
	}
	if (imap_peek(in) != '{' && imap_peek(in) != '~')
		return reply_expected(s, in, A_MESSAGE);
	return REPLY_OK;
}

static enum reply
append_start(struct session *s, struct append *a,
    const struct store_flagset *flags, int64_t date)
{
	enum store_result	 r;

	if (a->n == IMAP_APPENDS_MAX)
		return reply_no(s, "LIMIT", "Too many messages at once");
	if (s->literal_size == 0)
		return reply_no(s, NULL, "An empty message");
	if (s->literal_size > s->max_append)
		return reply_no(s, "TOOBIG", "Message too large");
	mime_free(a->mime);
	a->crlf = (struct crlf){ 0 };
	if ((a->mime = mime_new()) == NULL)
		return reply_store(s, STORE_NOMEM);
	r = store_append_message(a->to, flags, date, (size_t)s->literal_size);
	return reply_store(s, r);
}

/* The octets; an error of the store does not stop reading them. */
static enum reply
append_literal(struct session *s, struct append *a)
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
	return r != STORE_OK ? reply_store(s, r) : append_end(s, a);
}

/* Bare LF and CR, which some clients send, would not be lines to others. */
static enum store_result
append_octets(struct append *a, struct slice c)
{
	static char	 lines[2 * MSG_MAX];

	if (memchr(c.p, '\0', c.n) != NULL)
		return STORE_INVALID;
	return append_put(a, lines, crlf_feed(&a->crlf, c.p, c.n, lines));
}

static enum store_result
append_put(struct append *a, const char *p, size_t n)
{
	if (mime_feed(a->mime, p, n) == -1)
		return STORE_NOMEM;
	return store_append_write(a->to, p, n);
}

static enum reply
append_end(struct session *s, struct append *a)
{
	enum store_result	 r;
	const char		*facts;
	char			 lf;
	size_t			 n;

	n = crlf_end(&a->crlf, &lf);
	if (n > 0 && (r = append_put(a, &lf, n)) != STORE_OK)
		return reply_store(s, r);
	if (mime_end(a->mime, &facts, &n) == -1)
		return reply_store(s, STORE_NOMEM);
	a->n++;
	return reply_store(s, store_append_end(a->to, facts, n));
}

static enum reply
append_commit(struct session *s, struct append *a, const char *name)
{
	struct store_appended	 done;
	enum store_result	 sr;
	enum reply		 r;

	if ((sr = store_append_commit(a->to, &done)) != STORE_OK)
		return reply_store(s, sr);
	if ((r = reply_commit(s)) != REPLY_OK) {
		store_take_back(s->store, name, done.uids);
		return r;
	}
	told_appended(s, name, &done);
	if (fbuf_add(&s->code, "APPENDUID ", 10) == -1 ||
	    ranges_print(&s->code, &(struct store_range){ done.uidvalidity,
	    done.uidvalidity }, 1) == -1 ||
	    fbuf_add(&s->code, " ", 1) == -1 ||
	    ranges_print(&s->code, &done.uids, 1) == -1)
		s->code.n = 0;
	return REPLY_OK;
}

/* Refused before the literal was sent, or with its octets on the way. */
static enum reply
append_refuse(struct session *s, enum reply r)
{
	if (!(s->literal_flags & IMAP_LITERAL_PLUS)) {
		s->literal = false;
		return r;
	}
	if (!input_skip(s, s->literal_size))
		return REPLY_GONE;
	return r;
}
