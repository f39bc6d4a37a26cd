/*
 * imap-session: the state of the session (RFC 3501 3) and what a client is
 * told without having asked: BYE, and what others did to the mailbox.
 */
#include "base/compat.h"

#include "base/log.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

void
session_state(struct session *s, enum session_state state,
    struct store_view *view)
{
	if (s->view != NULL)
		store_view_close(s->view);
	s->view = view;
	s->state = state;
	s->nsaved = 0;
}

void
session_bye(struct session *s, const char *text)
{
	frames_printf(s->io, "* BYE %s\r\n", text);
	session_state(s, LOGGED_OUT, NULL);
}

void
session_update(struct session *s, bool expunge)
{
	enum store_result	 r;
	struct store_view_info	 info;
	struct store_delta	 d;
	size_t			 i;

	r = store_view_refresh(s->view, expunge ? STORE_REFRESH_EXPUNGE : 0,
	    &d);
	if (r != STORE_OK) {
		log_warnx("imap-session: refresh: %s", store_strerror(r));
		return;
	}
	if (d.deleted) {
		session_bye(s, "The mailbox was deleted");
		return;
	}
	if (s->enabled & (ENABLED_QRESYNC | ENABLED_UIDONLY))
		out_vanished(s, d.expunged_uid, d.nexpunged);
	else for (i = 0; i < d.nexpunged; i++) {
		frames_puts(s->io, "* ");
		frames_num(s->io, d.expunged[i]);
		frames_puts(s->io, " EXPUNGE\r\n");
	}
	store_view_info(s->view, &info);
	if (info.keywords_told != s->keywords_told)
		out_flags_line(s, true);
	if (d.grown)
		out_exists(s, d.exists, d.recent);
	for (i = 0; i < d.nchanged; i++)
		out_fetch_flags(s, d.changed[i]);
}
