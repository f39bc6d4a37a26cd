/*
 * Who brought a report: what our own Authentication-Results says of the
 * mail that carried it.  A report that anybody could have sent must not
 * change the sums.  report-in.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

/*
 * The next ";"-part of the field, quoted strings and comments being one
 * piece.  1, 0 at the end.
 */
static int
next_part(struct slice *rest, struct slice *part)
{
	size_t i, depth = 0;
	bool quoted = false;

	if (rest->n == 0)
		return 0;
	for (i = 0; i < rest->n; i++) {
		if (rest->p[i] == '\\' && (quoted || depth > 0))
			i++;
		else if (rest->p[i] == '"' && depth == 0)
			quoted = !quoted;
		else if (!quoted && rest->p[i] == '(')
			depth++;
		else if (!quoted && rest->p[i] == ')' && depth > 0)
			depth--;
		else if (!quoted && depth == 0 && rest->p[i] == ';')
			break;
	}
	if (i > rest->n)
		i = rest->n;
	*part = slice_trim(slice_of(rest->p, i));
	i += i < rest->n;
	*rest = slice_of(rest->p + i, rest->n - i);
	return 1;
}

/* The value behind " name=" in a part, outside quotes. */
static struct slice
property(struct slice part, const char *name)
{
	size_t n = strlen(name), i, end;
	bool quoted = false;

	for (i = 0; i + n < part.n; i++) {
		if (part.p[i] == '"')
			quoted = !quoted;
		if (quoted || part.p[i + n] != '=' || (i > 0 &&
		    strchr(" \t\r\n", part.p[i - 1]) == NULL) ||
		    memcmp(part.p + i, name, n) != 0)
			continue;
		i += n + 1;
		for (end = i; end < part.n && strchr(" \t\r\n", part.p[end]) ==
		    NULL; end++)
			;
		return slice_of(part.p + i, end - i);
	}
	return slice_of("", 0);
}

/* Is the domain that was proven the author's, or above or below it? */
static bool
aligned(struct slice what, const char *from)
{
	char domain[IN_DOMAIN];
	size_t i;

	for (i = what.n; i > 0 && what.p[i - 1] != '@'; i--)
		;
	return domain_ascii(slice_of(what.p + i, what.n - i), domain) == 0 &&
	    strchr(domain, '.') != NULL && (domain_within(domain, from) ||
	    domain_within(from, domain));
}

enum in_trust
sender_trust(struct slice trace, const char *from)
{
	struct header_field f;
	struct slice rest, part;
	bool proven = false, none = false, bad = false;

	if (header_find(trace, "Authentication-Results", 0, &f) != 1)
		return IN_NONE;
	rest = f.value;
	if (next_part(&rest, &part) != 1)	/* our name */
		return IN_NONE;
	while (next_part(&rest, &part) == 1) {
		if (slice_casestarts(part, "dmarc=pass") &&
		    aligned(property(part, "header.from"), from))
			return IN_PASS;
		if (slice_casestarts(part, "dmarc=none"))
			none = true;
		if (slice_casestarts(part, "spf=fail"))
			bad = true;
		if ((slice_casestarts(part, "dkim=pass") &&
		    aligned(property(part, "header.d"), from)) ||
		    (slice_casestarts(part, "spf=pass") &&
		    aligned(property(part, "smtp.mailfrom"), from)))
			proven = true;
	}
	if (!none || (bad && !proven))
		return IN_FAIL;
	return proven ? IN_PASS : IN_NONE;
}

void
sender_domain(struct slice header, char from[IN_DOMAIN])
{
	struct header_field f;
	struct addrlist list;
	struct addritem it;
	int n = 0;

	from[0] = '\0';
	if (header_find(header, "From", 0, &f) != 1)
		return;
	addrlist_start(&list, f.value);
	while (addrlist_next(&list, &it) == 1) {
		if (it.kind != ADDRITEM_MAILBOX)
			continue;
		if (n++ > 0 || it.domain.p == NULL ||
		    domain_ascii(it.domain, from) == -1) {
			from[0] = '\0';
			return;
		}
	}
}
