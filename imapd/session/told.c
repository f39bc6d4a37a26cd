/*
 * imap-session: what the log is told of messages and mailboxes that a client
 * changed, once it is on disk: which connection, whose, and which places.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "net/start.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define MORE_MAX	1900

void
told_messages(struct session *s, const char *verb)
{
	struct store_view_info	 info;
	const struct store_range *v;
	const char		*name = store_view_name(s->view);
	char			 more[MORE_MAX];
	size_t			 n;

	v = store_view_touched(s->view, &n);
	store_view_info(s->view, &info);
	snprintf(more, sizeof(more), "box=%s %s", log_quote(name,
	    strlen(name)), start_whose(&s->start));
	store_told(s->start.id, verb, s->start.account, info.uidvalidity, v,
	    n, more);
}

void
told_copied(struct session *s, const char *box, const struct store_copied *c,
    bool moved)
{
	struct store_view_info	 info;
	char			 to[STORE_PLACE_TEXT], more[MORE_MAX];
	size_t			 i = 0;

	store_view_info(s->view, &info);
	store_place(to, c->uidvalidity, &c->dst, 1, &i);
	snprintf(more, sizeof(more), "to=%u:%s box=%s %s", s->start.account,
	    to, log_quote(box, strlen(box)), start_whose(&s->start));
	store_told(s->start.id, moved ? "moved" : "copied",
	    s->start.account, info.uidvalidity, c->src, c->nsrc, more);
}

void
told_appended(struct session *s, const char *box,
    const struct store_appended *a)
{
	char			 more[MORE_MAX];

	snprintf(more, sizeof(more), "box=%s %s", log_quote(box, strlen(box)),
	    start_whose(&s->start));
	store_told(s->start.id, "appended", s->start.account, a->uidvalidity,
	    &a->uids, 1, more);
}

void
told_box(struct session *s, const char *box, const char *to)
{
	log_info("%s %s box=%s%s%s %s", s->start.id, to != NULL ? "renamed" :
	    "box-deleted", log_quote(box, strlen(box)), to != NULL ? " to=" :
	    "", to != NULL ? log_quote(to, strlen(to)) : "",
	    start_whose(&s->start));
}
