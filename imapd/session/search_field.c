/*
 * imap-session: is a text in the value of a header field?  Encoded words are
 * decoded, folding is gone; addresses are looked at as they stand and as
 * clients show them.  For search_match.c, which knows where the values are.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/charset.h"
#include "parse/header.h"
#include "parse/search.h"
#include "parse/words.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"
#include "imapd/session/searching.h"

static int	address_match(const struct addritem *, struct slice);

/* A raw value: decoded only where there is something to decode. */
int
field_match(struct session *s, struct slice v, struct slice needle)
{
	size_t	 n;

	if (memmem(v.p, v.n, "=?", 2) == NULL && memchr(v.p, '\n', v.n) == NULL)
		return utf8_casefind(v, needle);
	if (v.n > HEADER_MAX)
		v.n = HEADER_MAX;
	s->tmp.n = 0;
	if (fbuf_room(&s->tmp, CHARSET_UTF8_MAX(v.n)) == -1)
		return -1;
	n = words_decode(v, s->tmp.p, CHARSET_UTF8_MAX(v.n));
	return utf8_casefind(slice_of(s->tmp.p, n), needle);
}

int
field_match_list(struct session *s, struct slice v, struct slice needle)
{
	struct addrlist	 list;
	struct addritem	 it;
	int		 r;

	if ((r = field_match(s, v, needle)) != 0)
		return r;
	addrlist_start(&list, v);
	while (addrlist_next(&list, &it))
		if (address_match(&it, needle))
			return 1;
	return 0;
}

/* Ann Bee <ann@x.test>, or the name of a group. */
static int
address_match(const struct addritem *it, struct slice needle)
{
	char	 text[CHARSET_UTF8_MAX(ADDRITEM_TEXT)];
	size_t	 n = 0;

	if (it->name.n > 0)
		n = words_decode(it->name, text,
		    CHARSET_UTF8_MAX(it->name.n));
	if (it->kind == ADDRITEM_MAILBOX && it->domain.p != NULL)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s<%.*s@%.*s>", n > 0 ? " " : "", (int)it->local.n,
		    it->local.p, (int)it->domain.n, it->domain.p);
	return utf8_casefind(slice_of(text, n), needle);
}

bool
field_is_list(struct slice name)
{
	static const char *const names[] = { "From", "To", "Cc", "Bcc",
	    "Sender", "Reply-To", "Resent-From", "Resent-Sender",
	    "Resent-Reply-To", "Resent-To", "Resent-Cc", "Resent-Bcc" };
	size_t	 i;

	for (i = 0; i < NITEMS(names); i++)
		if (slice_caseis(name, names[i]))
			return true;
	return false;
}
