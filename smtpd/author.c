/*
 * Who a submitted message says it is from.  What would fail our own DMARC
 * policy elsewhere is not taken (RFC 6409 6.3): a message has one From field
 * that can be read in one way only, its addresses are of one domain, and each
 * is the account's own or an alias that reaches it.  authd is asked about
 * those that are not the envelope's sender, of whom it said so already.
 * Sender and Resent- fields are for the reader; no policy looks at them, nor
 * does this.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "parse/addrlist.h"
#include "parse/header.h"
#include "parse/mailboxes.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "smtpd/smtpd.h"

static enum reply authors_refusal(struct mail *, struct slice value,
	    bool *others);
static bool	 is_sender(const struct mail *, const struct addritem *,
		    const char *domain);
static int	 from_hash(struct mail *, struct slice raw);

/* All that can be said about From without authd. */
void
author_take(struct mail *m, unsigned int fields,
    const struct header_field *from)
{
	bool others = false;

	if (m->refusal != REPLY_NONE)
		return;
	if (fields != 1)
		m->refusal = fields == 0 ? REPLY_FROM_NONE : REPLY_FROM_MANY;
	else if (from->raw.n > DKIM_FROM_MAX)	/* it would go unsigned */
		m->refusal = REPLY_FROM_LONG;
	else
		m->refusal = authors_refusal(m, from->value, &others);
	if (m->refusal != REPLY_NONE)
		return;
	m->hasfrom = from_hash(m, from->raw) == 0;
	if (!others)
		return;
	if ((m->from_value = malloc(from->value.n)) == NULL) {
		m->refusal = REPLY_NO_MEMORY;
		return;
	}
	memcpy(m->from_value, from->value.p, from->value.n);
	addrlist_start(&m->authors, slice_of(m->from_value, from->value.n));
}

/* REPLY_NONE: it can be read in one way, and names one domain.  *others: it
 * names more than the envelope's sender. */
static enum reply
authors_refusal(struct mail *m, struct slice value, bool *others)
{
	char first[DOMAIN_TEXT] = "", domain[DOMAIN_TEXT];
	enum reply why = REPLY_NONE;
	struct addrlist list;
	struct addritem *item;

	if (mailboxes_check(value, NULL) == -1)
		return REPLY_FROM_FORM;
	if ((item = malloc(sizeof(*item))) == NULL)
		return REPLY_NO_MEMORY;
	addrlist_start(&list, value);
	while (why == REPLY_NONE && addrlist_next(&list, item) == 1) {
		if (item->odd || item->cut ||
		    domain_ascii(item->domain, domain) == -1)
			why = REPLY_FROM_OTHER;
		else if (first[0] != '\0' && strcmp(first, domain) != 0)
			why = REPLY_FROM_DOMAINS;
		else if (!is_sender(m, item, domain))
			*others = true;
		strlcpy(first, domain, sizeof(first));
	}
	free(item);
	return why;
}

/* Local parts may tell cases apart, domains do not. */
static bool
is_sender(const struct mail *m, const struct addritem *item,
    const char *domain)
{
	const char *at = strrchr(m->sender, '@');

	return at != NULL && strcasecmp(at + 1, domain) == 0 &&
	    slice_eq(item->local, slice_of(m->sender,
	    (size_t)(at - m->sender)));
}

static int
from_hash(struct mail *m, struct slice raw)
{
	size_t size = raw.n + 2;
	char *canon;
	ssize_t n;
	int r;

	if ((canon = malloc(size)) == NULL)
		return -1;
	n = dkim_header_canon(raw, DKIM_RELAXED, canon, size);
	r = n > 0 ? dkim_sha256(canon, (size_t)n, m->fromhash.b) : -1;
	free(canon);
	return r;
}

/* ---- those that authd is asked about ------------------------------------- */

int
author_next(struct mail *m, char *out, size_t size)
{
	struct address a = { .localn = 0 };
	struct addritem item;

	if (m->from_value == NULL)
		return 0;
	do {
		if (addrlist_next(&m->authors, &item) != 1)
			return 0;
		if (domain_ascii(item.domain, a.domain) == -1)
			return -1;
	} while (is_sender(m, &item, a.domain));
	a.domainn = strlen(a.domain);
	a.localn = item.local.n;
	if (slice_cpy(item.local, a.local, sizeof(a.local)) == -1 ||
	    address_print(&a, out, size) == -1)
		return -1;
	return 1;
}
