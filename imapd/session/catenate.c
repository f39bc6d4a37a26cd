/*
 * imap-session: CATENATE (RFC 4469): a message out of literals and of parts
 * of messages there are, which IMAP URLs name.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/uio.h>

#include <string.h>

#include "base/slice.h"
#include "parse/imap_parse.h"
#include "parse/imap_url.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/append.h"
#include "imapd/session/imap.h"

static enum reply part_text(struct session *, struct imap_in *,
	    struct append *);
static enum reply part_url(struct session *, struct imap_in *,
	    struct append *);
static enum reply url_take(struct session *, struct append *, struct slice);
static enum reply url_append(struct session *, struct append *,
	    struct url_octets *);
static enum reply url_bad(struct session *, struct slice);

enum reply
catenate_parts(struct session *s, struct imap_in *in, struct append *a)
{
	enum reply	 r;
	unsigned int	 n = 0;

	if (imap_open(in) == -1)
		return reply_syntax(s, in);
	if ((r = append_start(s, a, 0)) != REPLY_OK)
		return r;
	do {
		if (n++ == IMAP_CATENATE_MAX)
			return reply_bad(s, "expected at most "
			    IMAP_NUMBER(IMAP_CATENATE_MAX) " parts");
		if (imap_word(in, "TEXT"))
			r = part_text(s, in, a);
		else if (imap_word(in, "URL"))
			r = part_url(s, in, a);
		else
			return reply_expected(s, in, "TEXT or URL");
		if (r != REPLY_OK)
			return r;
	} while (imap_space(in) == 0);
	return imap_close(in) == -1 ? reply_syntax(s, in) : REPLY_OK;
}

static enum reply
part_text(struct session *s, struct imap_in *in, struct append *a)
{
	if (imap_space(in) == -1 || !arg_streamed(s, in))
		return reply_expected(s, in, "a literal, as {310}, at the "
		    "end of the line,");
	return append_literal(s, in, a);
}

static enum reply
part_url(struct session *s, struct imap_in *in, struct append *a)
{
	struct fbuf	 b = { 0 };
	struct slice	 text;
	enum reply	 r = REPLY_OK;

	if (imap_space(in) == -1)
		return reply_syntax(s, in);
	if (arg_streamed(s, in)) {
		r = append_string(s, in, &b, IMAP_URL_MAX);
		text = slice_of(b.p, b.n);
	} else if (imap_astring(in, &text) == -1)
		r = reply_expected(s, in, "a URL");
	if (r == REPLY_OK)
		r = url_take(s, a, text);
	fbuf_free(&b);
	return r;
}

static enum reply
url_take(struct session *s, struct append *a, struct slice text)
{
	struct url_octets	 u;
	enum store_result	 sr;
	enum reply		 r;

	sr = url_open(s, text, &u);
	if (sr == STORE_NOTFOUND || sr == STORE_INVALID)
		r = url_bad(s, text);
	else
		r = sr == STORE_OK ? url_append(s, a, &u) : reply_store(s, sr);
	url_close(&u);
	return r;
}

static enum reply
url_append(struct session *s, struct append *a, struct url_octets *u)
{
	enum store_result	 r;
	struct slice		 v;

	if (u->left > s->max_append - a->size)
		return reply_no(s, "TOOBIG", "Message too large");
	while ((r = url_next(s, u, &v)) == STORE_OK && v.n > 0)
		if ((r = append_octets(a, v)) != STORE_OK)
			break;
	return r == STORE_INVALID ? reply_no(s, "UNKNOWN-CTE",
	    "What the URL names has a NUL octet") : reply_store(s, r);
}

/* NO [BADURL "url"] (RFC 4469 4): what has octets that a response code cannot
 * have is not repeated. */
static enum reply
url_bad(struct session *s, struct slice url)
{
	size_t	 i;

	reply_no(s, NULL, "The URL names nothing that can be read here");
	for (i = 0; i < url.n; i++)
		if (url.p[i] < ' ' || url.p[i] > '~' || url.p[i] == '"' ||
		    url.p[i] == '\\' || url.p[i] == ']')
			break;
	if (fbuf_add(&s->code, "BADURL \"", 8) == -1 ||
	    fbuf_add(&s->code, url.p, i == url.n ? i : 0) == -1 ||
	    fbuf_add(&s->code, "\"", 1) == -1)
		s->code.n = 0;
	return REPLY_NO;
}
