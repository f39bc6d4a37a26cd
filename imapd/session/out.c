/*
 * imap-session: the pieces answers are made of: names, strings, flags.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

static const struct {
	uint32_t	 bit;
	const char	*name;
} flag_names[] = {
	{ STORE_ANSWERED,	"\\Answered" },
	{ STORE_FLAGGED,	"\\Flagged" },
	{ STORE_DELETED,	"\\Deleted" },
	{ STORE_SEEN,		"\\Seen" },
	{ STORE_DRAFT,		"\\Draft" },
};

static void	out_keywords(struct session *);
static void	out_uid(struct session *, const struct store_msg *);
static void	out_field(struct session *, const char *, struct slice);

struct slice
name_wire(const struct session *s, const char *name, char *enc)
{
	ssize_t	 n;

	if (s->enabled & ENABLED_NAMES)
		return slice_str(name);
	n = mutf7_encode(slice_str(name), enc, NAME_WIRE);
	return slice_of(enc, n == -1 ? 0 : (size_t)n);
}

void
out_mailbox(struct session *s, const char *name)
{
	char		 enc[NAME_WIRE], out[2 * NAME_WIRE + 32];
	struct slice	 wire = name_wire(s, name, enc);
	ssize_t		 n;

	n = s->enabled & ENABLED_NAMES ?
	    imap_put_utf8(wire, out, sizeof(out)) :
	    imap_put_astring(wire, out, sizeof(out));
	if (n != -1)
		frames_write(s->io, out, (size_t)n);
	else
		frames_puts(s->io, "\"\"");
}

void
out_flags(struct session *s, uint32_t seq, const struct store_msg *m)
{
	const char	*name;
	const uint16_t	*kw;
	size_t		 i, n;
	bool		 some = false;

	for (i = 0; i < NITEMS(flag_names); i++) {
		if (!(m->flags & flag_names[i].bit))
			continue;
		if (some)
			frames_putc(s->io, ' ');
		frames_puts(s->io, flag_names[i].name);
		some = true;
	}
	if (!(s->enabled & ENABLED_REV2) && store_view_recent(s->view, seq)) {
		frames_puts(s->io, some ? " \\Recent" : "\\Recent");
		some = true;
	}
	kw = store_view_keywords(s->view, m->kwset, &n);
	for (i = 0; i < n; i++) {
		if ((name = store_view_keyword(s->view, kw[i])) == NULL)
			continue;
		if (some)
			frames_putc(s->io, ' ');
		frames_puts(s->io, name);
		some = true;
	}
}

static void
out_keywords(struct session *s)
{
	const char	*name;
	size_t		 i;

	for (i = 0; (name = store_view_keyword(s->view, i)) != NULL; i++) {
		frames_putc(s->io, ' ');
		frames_puts(s->io, name);
	}
}

void
out_flags_line(struct session *s, bool permanent)
{
	static const char	 system[] =
	    "\\Answered \\Flagged \\Deleted \\Seen \\Draft";
	struct store_view_info	 info;

	store_view_info(s->view, &info);
	s->keywords_told = info.keywords_told;
	frames_puts(s->io, "* FLAGS (");
	frames_puts(s->io, system);
	out_keywords(s);
	frames_puts(s->io, ")\r\n");
	if (!permanent)
		return;
	frames_puts(s->io, "* OK [PERMANENTFLAGS (");
	if (!info.readonly) {
		frames_puts(s->io, system);
		out_keywords(s);
		if (!info.keywords_full)
			frames_puts(s->io, " \\*");
	}
	frames_puts(s->io, ")] Flags that stay\r\n");
}

void
out_exists(struct session *s, uint32_t exists, uint32_t recent)
{
	frames_printf(s->io, "* %u EXISTS\r\n", exists);
	if (!(s->enabled & ENABLED_REV2))
		frames_printf(s->io, "* %u RECENT\r\n", recent);
}

void
out_fetch_open(struct session *s, uint32_t seq, const struct store_msg *m)
{
	bool	 uidonly = s->enabled & ENABLED_UIDONLY;

	frames_puts(s->io, "* ");
	frames_num(s->io, uidonly ? m->uid : seq);
	frames_puts(s->io, uidonly ? " UIDFETCH (" : " FETCH (");
}

void
out_modseq(struct session *s, uint32_t seq)
{
	frames_puts(s->io, "MODSEQ (");
	frames_num(s->io, store_view_modseq(s->view, seq));
	frames_putc(s->io, ')');
}

/* UID, where it is due and is not told by UIDFETCH. */
static void
out_uid(struct session *s, const struct store_msg *m)
{
	if ((!s->uid && !(s->enabled & ENABLED_QRESYNC)) ||
	    s->enabled & ENABLED_UIDONLY)
		return;
	frames_puts(s->io, " UID ");
	frames_num(s->io, m->uid);
}

void
out_fetch_flags(struct session *s, uint32_t seq)
{
	const struct store_msg	*m;

	if ((m = store_view_msg(s->view, seq)) == NULL)
		return;
	out_fetch_open(s, seq, m);
	frames_puts(s->io, "FLAGS (");
	out_flags(s, seq, m);
	frames_putc(s->io, ')');
	out_uid(s, m);
	if (s->enabled & ENABLED_CONDSTORE) {
		frames_putc(s->io, ' ');
		out_modseq(s, seq);
	}
	frames_puts(s->io, ")\r\n");
}

void
out_fetch_modseq(struct session *s, uint32_t seq)
{
	const struct store_msg	*m;

	if ((m = store_view_msg(s->view, seq)) == NULL)
		return;
	out_fetch_open(s, seq, m);
	out_modseq(s, seq);
	out_uid(s, m);
	frames_puts(s->io, ")\r\n");
}

void
out_section(struct session *s, const struct imap_section *sec)
{
	static const char *const kind[] = {
		[IMAP_SECTION_ALL] = "", [IMAP_SECTION_HEADER] = "HEADER",
		[IMAP_SECTION_FIELDS] = "HEADER.FIELDS",
		[IMAP_SECTION_FIELDS_NOT] = "HEADER.FIELDS.NOT",
		[IMAP_SECTION_TEXT] = "TEXT", [IMAP_SECTION_MIME] = "MIME",
	};
	size_t	 i;

	frames_putc(s->io, '[');
	for (i = 0; i < sec->npath; i++) {
		if (i > 0)
			frames_putc(s->io, '.');
		frames_num(s->io, sec->path[i]);
	}
	if (sec->npath > 0 && sec->kind != IMAP_SECTION_ALL)
		frames_putc(s->io, '.');
	frames_puts(s->io, kind[sec->kind]);
	for (i = 0; i < sec->nfields; i++)
		out_field(s, i == 0 ? " (" : " ", sec->field[i]);
	frames_puts(s->io, sec->nfields > 0 ? ")]" : "]");
	if (sec->partial) {
		frames_putc(s->io, '<');
		frames_num(s->io, sec->first);
		frames_putc(s->io, '>');
	}
}

static void
out_field(struct session *s, const char *before, struct slice name)
{
	char	 out[2 * IMAP_FIELD_MAX + 32];
	ssize_t	 n;

	frames_puts(s->io, before);
	if ((n = imap_put_astring(name, out, sizeof(out))) != -1)
		frames_write(s->io, out, (size_t)n);
}

int
ranges_print(struct fbuf *b, const struct store_range *v, size_t n)
{
	char	 text[32];
	size_t	 i;
	int	 len;

	for (i = 0; i < n; i++) {
		if (v[i].first == v[i].last)
			len = snprintf(text, sizeof(text), "%s%" PRIu32,
			    i > 0 ? "," : "", v[i].first);
		else
			len = snprintf(text, sizeof(text),
			    "%s%" PRIu32 ":%" PRIu32, i > 0 ? "," : "",
			    v[i].first, v[i].last);
		if (fbuf_add(b, text, (size_t)len) == -1)
			return -1;
	}
	return 0;
}
