/*
 * imap-session: arguments that several commands take: mailbox names, sets
 * of messages, flags.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

_Static_assert(IMAP_SEEN == STORE_SEEN && IMAP_ANSWERED == STORE_ANSWERED &&
    IMAP_FLAGGED == STORE_FLAGGED && IMAP_DELETED == STORE_DELETED &&
    IMAP_DRAFT == STORE_DRAFT, "flag bits are the same");

_Static_assert(IMAP_KEYWORD_MAX == STORE_KEYWORD_LEN, "keywords are as long");

static ssize_t	name_copy(struct slice, char *);
static int	set_room(struct session *, size_t);
static enum reply set_seqs(struct session *, struct imap_range *, size_t,
	    uint32_t, struct imap_in *, size_t);
static void	set_uids(struct session *, const struct imap_range *, size_t);
static void	set_add(struct session *, uint32_t, uint32_t);

enum reply
arg_mailbox(struct session *s, struct imap_in *in,
    char name[STORE_NAME_MAX + 1])
{
	struct slice	 v;
	ssize_t		 n;

	if (imap_mailbox(in, &v) == -1)
		return reply_syntax(s, in);
	if (s->enabled & ENABLED_NAMES)
		n = name_copy(v, name);
	else
		n = mutf7_decode(v, name, STORE_NAME_MAX);
	if (n == -1)
		return reply_no(s, "CANNOT", "Not a mailbox name");
	name[n] = '\0';
	if (strlen(name) != (size_t)n)
		return reply_no(s, "CANNOT", "Not a mailbox name");
	return REPLY_OK;
}

/* A name that comes in UTF-8: as it is, if it is that. */
static ssize_t
name_copy(struct slice v, char *name)
{
	if (v.n > STORE_NAME_MAX || !utf8_valid(v.p, v.n))
		return -1;
	memcpy(name, v.p, v.n);
	return (ssize_t)v.n;
}

enum reply
arg_set(struct session *s, struct imap_in *in)
{
	struct store_view_info	 info;
	struct imap_range	*v;
	const struct store_msg	*last;
	enum reply		 r = REPLY_OK;
	size_t			 i, start = in->off, max = 1;
	ssize_t			 n;

	if (imap_saved(in)) {
		if (set_room(s, s->nsaved) == -1)
			return reply_store(s, STORE_NOMEM);
		s->nset = 0;
		set_uids(s, s->saved, s->nsaved);
		return REPLY_OK;
	}
	for (i = in->off; i < in->n && in->p[i] != ' '; i++)
		max += in->p[i] == ',';
	if (set_room(s, max) == -1 || (v = calloc(max, sizeof(*v))) == NULL)
		return reply_store(s, STORE_NOMEM);
	if ((n = imap_set(in, v, max)) <= 0) {
		free(v);
		if (s->uid)
			in->err.why = "a UID or *";
		return reply_syntax(s, in);
	}
	store_view_info(s->view, &info);
	s->nset = 0;
	if (!s->uid)
		r = set_seqs(s, v, (size_t)n, info.exists, in, start);
	else if (info.exists > 0) {
		last = store_view_msg(s->view, info.exists);
		n = (ssize_t)imap_set_resolve(v, (size_t)n, last->uid);
		set_uids(s, v, (size_t)n);
	}
	free(v);
	return r;
}

static int
set_room(struct session *s, size_t n)
{
	struct store_range	*set;

	if (n <= s->set_size)
		return 0;
	if ((set = reallocarray(s->set, n, sizeof(*set))) == NULL)
		return -1;
	s->set = set;
	s->set_size = n;
	return 0;
}

/*
 * A sequence number that is not there is an error (RFC 3501 9, seq-number);
 * but "1:*" in an empty mailbox, which everybody sends, is nothing.
 */
static enum reply
set_seqs(struct session *s, struct imap_range *v, size_t n, uint32_t exists,
    struct imap_in *in, size_t start)
{
	char	 expected[80];
	size_t	 i;
	bool	 star = false;

	for (i = 0; i < n; i++)
		star = star || v[i].lo == IMAP_SEQ_STAR ||
		    v[i].hi == IMAP_SEQ_STAR;
	if (exists == 0 && star)
		return REPLY_OK;
	n = imap_set_resolve(v, n, exists);
	for (i = 0; i < n; i++) {
		if (v[i].lo == 0 || v[i].hi > exists) {
			snprintf(expected, sizeof(expected),
			    "numbers of messages, of which there are %u,",
			    exists);
			in->off = start;
			return reply_expected(s, in, expected);
		}
		set_add(s, v[i].lo, v[i].hi);
	}
	return REPLY_OK;
}

/* UIDs that are not there are passed over (RFC 3501 6.4.8). */
static void
set_uids(struct session *s, const struct imap_range *v, size_t n)
{
	uint32_t	 lo, hi;
	size_t		 i;

	for (i = 0; i < n; i++) {
		lo = store_view_seq_from(s->view, v[i].lo);
		hi = store_view_seq_from(s->view, v[i].hi);
		if (store_view_seq(s->view, v[i].hi) == 0)
			hi--;
		if (lo <= hi)
			set_add(s, lo, hi);
	}
}

static void
set_add(struct session *s, uint32_t lo, uint32_t hi)
{
	struct store_range	*last;

	if (s->nset > 0) {
		last = &s->set[s->nset - 1];
		if (lo <= last->last + 1) {
			if (hi > last->last)
				last->last = hi;
			return;
		}
	}
	s->set[s->nset].first = lo;
	s->set[s->nset++].last = hi;
}

void
arg_set_page(struct session *s, const struct imap_partial *page)
{
	struct store_range	 v;
	size_t			 i, n = 0, all = 0, len, first, left;

	for (i = 0; i < s->nset; i++)
		all += s->set[i].last - s->set[i].first + 1;
	left = imap_partial_pick(page, all, &first);
	for (i = 0; i < s->nset && left > 0; i++) {
		v = s->set[i];
		len = v.last - v.first + 1;
		if (first >= len) {
			first -= len;
			continue;
		}
		v.first += (uint32_t)first;
		len -= first;
		first = 0;
		if (len > left)
			v.last = v.first + (uint32_t)left - 1;
		left -= len < left ? len : left;
		s->set[n++] = v;
	}
	s->nset = n;
}

bool
arg_streamed(const struct session *s, const struct imap_in *in)
{
	struct slice	 rest = slice_of(in->p + in->off, in->n - in->off);
	uint64_t	 size;
	int		 flags;

	if (!s->literal || rest.n < 2)
		return false;
	rest.n -= 2;			/* CRLF */
	return rest.n > 0 && (rest.p[0] == '{' || rest.p[0] == '~') &&
	    slice_find(rest, '}') == rest.n - 1 &&
	    imap_literal(rest, &size, &flags) == 1;
}

int
flagset_make(struct flagset *fs, const struct imap_flags *f)
{
	size_t	 i, n = 1;
	char	*p;

	for (i = 0; i < f->n; i++)
		n += f->keyword[i].n + 1;
	if ((p = fs->text = malloc(n)) == NULL)
		return -1;
	for (i = 0; i < f->n; i++) {
		fs->name[i] = p;
		memcpy(p, f->keyword[i].p, f->keyword[i].n);
		p += f->keyword[i].n;
		*p++ = '\0';
	}
	fs->set.sys = (uint32_t)f->system & STORE_FLAGS;
	fs->set.keywords = fs->name;
	fs->set.nkeywords = f->n;
	return 0;
}

void
flagset_free(struct flagset *fs)
{
	free(fs->text);
	fs->text = NULL;
}
