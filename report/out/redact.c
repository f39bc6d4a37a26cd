/*
 * A header as the owner of a domain may see it (RFC 9991 6, RFC 6590): fields
 * of a short list, each written anew from what was understood of it, local
 * parts replaced by a keyed hash.  What is not understood is left out.  Pure.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "parse/addrlist.h"
#include "parse/dates.h"
#include "parse/header.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "report/out/failure.h"

#define KNOWN_MAX	64	/* local parts remembered */
#define KNOWN_TEXT	64	/* octets of one */
#define KNOWN_MIN	2	/* a shorter one tells nothing */
#define WORD_MAX	200	/* octets of a one-word value */

struct redact {
	const uint8_t	*key;
	struct text	*t;
	size_t		 nknown;
	bool		 many;		/* more than are known */
	char		 known[KNOWN_MAX][KNOWN_TEXT + 1];
};

typedef void	 write_fn(struct redact *, struct slice);

static void	 know(struct redact *, struct slice local);
static void	 know_header(struct redact *, struct slice);
static int	 is_known(const struct redact *, struct slice);
static void	 write_addresses(struct redact *, struct slice);
static void	 write_received(struct redact *, struct slice);
static void	 write_results(struct redact *, struct slice);
static void	 write_tags(struct redact *, struct slice);
static void	 write_date(struct redact *, struct slice);
static void	 write_msgid(struct redact *, struct slice);
static void	 write_word(struct redact *, struct slice);

static const struct rule {
	const char	*name;
	write_fn	*fn;
} rules[] = {
	{ "Return-Path",	write_addresses },
	{ "From",		write_addresses },
	{ "Sender",		write_addresses },
	{ "Reply-To",		write_addresses },
	{ "To",			write_addresses },
	{ "Cc",			write_addresses },
	{ "Resent-From",	write_addresses },
	{ "Resent-Sender",	write_addresses },
	{ "Resent-To",		write_addresses },
	{ "Resent-Cc",		write_addresses },
	{ "Received",		write_received },
	{ "Received-SPF",	write_results },
	{ "Authentication-Results", write_results },
	{ "ARC-Authentication-Results", write_results },
	{ "ARC-Seal",		write_tags },
	{ "ARC-Message-Signature", write_tags },
	{ "DKIM-Signature",	write_tags },
	{ "Date",		write_date },
	{ "Resent-Date",	write_date },
	{ "Message-ID",		write_msgid },
	{ "MIME-Version",	write_word },
	{ "Content-Type",	write_word },	/* without its parameters */
	{ "Content-Transfer-Encoding", write_word },
	{ "Precedence",		write_word },
	{ "Auto-Submitted",	write_word },
};

static const struct rule *
rule_find(struct slice name)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (slice_caseis(name, rules[i].name))
			return &rules[i];
	return NULL;
}

void
redact_header(const uint8_t key[REDACT_KEY], struct slice header,
    struct slice sender, struct slice rcpt, struct text *t)
{
	struct redact *r = xcalloc(1, sizeof(*r));
	struct header_field f;
	const struct rule *rule;
	struct slice rest = header;
	size_t mark, at;
	int i;

	r->key = key;
	r->t = t;
	t->max = t->n + REDACT_MAX;
	if ((at = slice_find(sender, '@')) > 0)
		know(r, slice_of(sender.p, at));
	if ((at = slice_find(rcpt, '@')) > 0)
		know(r, slice_of(rcpt.p, at));
	know_header(r, header);
	for (i = 0; i < HEADER_FIELDS_MAX && header_next(&rest, &f); i++) {
		if ((rule = rule_find(f.name)) == NULL)
			continue;
		mark = t->n;
		text_say(t, "%s:", rule->name);
		rule->fn(r, f.value);
		text_add(t, SLICE_LIT("\r\n"));
		if (t->cut) {		/* whole fields only */
			t->n = mark;
			break;
		}
	}
	t->cut = false;
	t->max = 0;
	free(r);
}

/* ---- local parts of this message ------------------------------------------ */

static void
know(struct redact *r, struct slice local)
{
	char *to;
	size_t i;

	if (local.n < KNOWN_MIN)
		return;
	if (local.n > KNOWN_TEXT || r->nknown == KNOWN_MAX) {
		r->many = true;
		return;
	}
	to = r->known[r->nknown++];
	for (i = 0; i < local.n; i++)
		to[i] = (char)ascii_lower((unsigned char)local.p[i]);
	to[i] = '\0';
}

static void
know_header(struct redact *r, struct slice header)
{
	struct header_field f;
	const struct rule *rule;
	struct addrlist list;
	struct addritem item;
	int i;

	for (i = 0; i < HEADER_FIELDS_MAX && header_next(&header, &f); i++) {
		rule = rule_find(f.name);
		if (rule == NULL || rule->fn != write_addresses)
			continue;
		addrlist_start(&list, f.value);
		while (addrlist_next(&list, &item))
			if (item.kind == ADDRITEM_MAILBOX)
				know(r, item.local);
	}
}

/* Does s hold a local part of the message? */
static int
is_known(const struct redact *r, struct slice s)
{
	const char *want;
	size_t i, k, n;

	if (r->many)
		return 1;
	for (k = 0; k < r->nknown; k++) {
		want = r->known[k];
		n = strlen(want);
		for (i = 0; n <= s.n && i <= s.n - n; i++)
			if (slice_caseis(slice_of(s.p + i, n), want))
				return 1;
	}
	return 0;
}

/* ---- values ---------------------------------------------------------------- */

static void
write_addresses(struct redact *r, struct slice value)
{
	struct addrlist list;
	struct addritem item;
	char a[REDACT_ADDR];
	int n = 0;

	if (slice_is(value, "<>")) {
		text_add(r->t, SLICE_LIT(" <>"));
		return;
	}
	addrlist_start(&list, value);
	while (n < REDACT_ITEMS && addrlist_next(&list, &item)) {
		if (item.kind != ADDRITEM_MAILBOX)
			continue;
		redact_parts(r->key, item.local, item.domain, a);
		text_say(r->t, "%s<%s>", n++ == 0 ? " " : ",\r\n\t", a);
	}
}

static void
write_received(struct redact *r, struct slice value)
{
	trace_received(r->key, value, r->t);
}

static void
write_results(struct redact *r, struct slice value)
{
	trace_results(r->key, value, r->t);
}

static void
write_tags(struct redact *r, struct slice value)
{
	trace_tags(r->key, value, r->t);
}

static void
write_date(struct redact *r, struct slice value)
{
	char date[DATE_TEXT_MAX];
	int64_t t;
	size_t n;

	if (date_parse(value, &t, NULL) == -1)
		return;
	n = date_print(t, date, sizeof(date));
	text_say(r->t, " %.*s", (int)n, date);
}

/* What the owner finds the message by in a log. */
static void
write_msgid(struct redact *r, struct slice value)
{
	char a[REDACT_ADDR];
	struct slice id;
	size_t i;

	if (!header_msgid(&value, &id))
		return;
	id = slice_of(id.p + 1, id.n - 2);
	for (i = 0; i < id.n; i++)
		if (id.p[i] <= 32 || id.p[i] > 126 ||
		    strchr("()<>,;\"\\", id.p[i]) != NULL)
			break;
	if (i == id.n && id.n <= WORD_MAX && !is_known(r, slice_of(id.p,
	    slice_find(id, '@'))))
		text_say(r->t, " <%.*s>", (int)id.n, id.p);
	else {
		redact_address(r->key, id, a);
		text_say(r->t, " <%s>", a);
	}
}

/* The first word, if it is a plain one: "1.0", "text/html". */
static void
write_word(struct redact *r, struct slice value)
{
	size_t i;

	for (i = 0; i < value.n && i < WORD_MAX; i++)
		if (ascii_lower((unsigned char)value.p[i]) < 'a' ||
		    ascii_lower((unsigned char)value.p[i]) > 'z')
			if (value.p[i] == '\0' ||
			    strchr("0123456789/-+.", value.p[i]) == NULL)
				break;
	text_add(r->t, SLICE_LIT(" "));
	text_add(r->t, slice_of(value.p, i));
}
