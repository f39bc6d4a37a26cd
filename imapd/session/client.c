/*
 * imap-session: who the client says it is, ID (RFC 2971), and what it is told
 * of for that: CAPABILITY, by the table and the configuration's imap-quirks.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "conf/quirk.h"
#include "net/frames.h"
#include "net/start.h"
#include "store/store.h"
#include "imapd/imap_capa.h"
#include "imapd/session/imap.h"

void
client_named(struct session *s, struct slice name)
{
	quirk_sum(&s->quirks, name, &s->quirk);
}

const char *
capabilities(const struct session *s, char *text)
{
	char	 limit[80];

	capability_print(imap_capabilities, NITEMS(imap_capabilities),
	    CAP_SESSION, s->quirk.hide, " ", text);
	if (!capability_among(s->quirk.hide, "MESSAGELIMIT")) {
		snprintf(limit, sizeof(limit), " MESSAGELIMIT=%" PRIu32,
		    s->max_messages);
		strlcat(text, limit, CAPABILITY_MAX);
	}
	if (!capability_among(s->quirk.hide, "APPENDLIMIT")) {
		snprintf(limit, sizeof(limit), " APPENDLIMIT=%" PRIu64,
		    s->max_append);
		strlcat(text, limit, CAPABILITY_MAX);
	}
	if (s->quirk.show[0] != '\0') {
		strlcat(text, " ", CAPABILITY_MAX);
		strlcat(text, s->quirk.show, CAPABILITY_MAX);
	}
	return text;
}

enum reply
cmd_capability(struct session *s, struct imap_in *in)
{
	char	 text[CAPABILITY_MAX];

	frames_puts(s->io, "* CAPABILITY ");
	frames_puts(s->io, capabilities(s, text));
	frames_puts(s->io, "\r\n");
	return REPLY_OK;
}

/* Read what the client says, tell our name; and the capabilities, unasked,
 * when it is to see others than it did. */
enum reply
cmd_id(struct session *s, struct imap_in *in)
{
	struct quirk	 before = s->quirk;
	struct slice	 name;

	if (imap_id(in, &name) == -1 || imap_end(in) == -1)
		return reply_syntax(s, in);
	frames_puts(s->io, "* ID (\"name\" \"maild\")\r\n");
	if (name.n > QUIRK_CLIENT_MAX)
		name.n = QUIRK_CLIENT_MAX;
	slice_cpy(name, s->start.client, sizeof(s->start.client));
	client_named(s, name);
	if (strcmp(before.hide, s->quirk.hide) == 0 &&
	    strcmp(before.show, s->quirk.show) == 0)
		return REPLY_OK;
	log_info("%s client name=%s hidden=%s %s", s->start.id,
	    log_quote(name.p, name.n), log_quote(s->quirk.hide,
	    strlen(s->quirk.hide)), start_whose(&s->start));
	return cmd_capability(s, in);
}
