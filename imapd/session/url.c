/*
 * imap-session: the octets that an IMAP URL names (RFC 5092; PARTIAL of 5593
 * and 5550), of this account alone.  Hostile input: what it may not name is
 * the same as what is not there.
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

static bool	url_ours(const struct session *, const struct imap_url *);
static enum store_result url_message(struct session *,
	    const struct imap_url *, struct url_octets *);
static enum store_result url_section(struct session *, struct imap_url *,
	    struct url_octets *);

enum store_result
url_open(struct session *s, struct slice text, struct url_octets *o)
{
	struct imap_url		 u;
	enum store_result	 r;

	memset(o, 0, sizeof(*o));
	if (imap_url_parse(text, &u) == -1 || !url_ours(s, &u))
		return STORE_INVALID;
	if ((r = url_message(s, &u, o)) != STORE_OK)
		return r;
	return url_section(s, &u, o);
}

/* Another user's, or another server's, is none. */
static bool
url_ours(const struct session *s, const struct imap_url *u)
{
	return (u->user.n == 0 || slice_caseis(u->user, s->start.user)) &&
	    (u->host.n == 0 || slice_caseis(u->host, s->hostname));
}

static enum store_result
url_message(struct session *s, const struct imap_url *u, struct url_octets *o)
{
	const struct store_msg	*m;
	struct store_view_info	 info;
	struct store_view	*v = s->view;
	enum store_result	 r;
	uint32_t		 seq;
	char			 name[STORE_NAME_MAX + 1];

	if (u->mailbox.n > 0) {
		if (slice_cpy(u->mailbox, name, sizeof(name)) == -1)
			return STORE_INVALID;
		r = store_view_open(&o->view, s->store, name,
		    STORE_VIEW_READONLY);
		if (r != STORE_OK)
			return r;
		v = o->view;
	}
	if (v == NULL)
		return STORE_INVALID;
	store_view_info(v, &info);
	if (u->uidvalidity != 0 && u->uidvalidity != info.uidvalidity)
		return STORE_NOTFOUND;
	if ((seq = store_view_seq(v, u->uid)) == 0 ||
	    (m = store_view_msg(v, seq)) == NULL)
		return STORE_NOTFOUND;
	o->m = *m;
	return STORE_OK;
}

static enum store_result
url_section(struct session *s, struct imap_url *u, struct url_octets *o)
{
	struct imap_section	 sec;
	struct imap_in		 in;
	struct iovec		 blob;
	enum store_result	 r;
	char			*p = (char *)(uintptr_t)u->section.p;
	uint64_t		 first;

	imap_start(&in, p, u->section.n);
	if (imap_section(&in, &sec) == -1 || imap_end(&in) == -1 ||
	    sec.partial)
		return STORE_INVALID;
	if ((r = store_facts(s->store, &o->m, &blob)) != STORE_OK)
		return r;
	r = body_find(s, &o->m, slice_of(blob.iov_base, blob.iov_len), &sec,
	    &o->body);
	if (r != STORE_OK || o->body.missing)
		return r == STORE_OK ? STORE_NOTFOUND : r;
	first = u->first < o->body.len ? u->first : o->body.len;
	o->at = first;
	o->left = o->body.len - first;
	if (u->count < o->left)
		o->left = u->count;
	return STORE_OK;
}

enum store_result
url_next(struct session *s, struct url_octets *o, struct slice *out)
{
	struct iovec		 v;
	enum store_result	 r;

	*out = slice_of(NULL, 0);
	if (o->left == 0)
		return STORE_OK;
	if (o->body.made)
		*out = slice_of(o->body.text.p + o->at, (size_t)o->left);
	else {
		r = store_peek(s->store, &o->m,
		    (uint32_t)(o->body.off + o->at), (uint32_t)o->left, &v);
		if (r != STORE_OK)
			return r;
		*out = slice_of(v.iov_base, v.iov_len < o->left ? v.iov_len :
		    (size_t)o->left);
	}
	o->at += out->n;
	o->left -= out->n;
	return STORE_OK;
}

void
url_close(struct url_octets *o)
{
	store_view_close(o->view);
	o->view = NULL;
}
