/*
 * Whose message is it: the author domains in From: (RFC 9989 3.2.2, 11.5).
 * All that a reader may be shown counts: every address, inside groups too,
 * and the addresses of a second From field.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/addrlist.h"
#include "parse/header.h"
#include "verify/dmarc_priv.h"
#include "verify/fields.h"
#include "verify/verify.h"

static void	 add(struct dmarc_authors *, struct slice);
static void	 count(struct dmarc_authors *, int);
static void	 add_domain(struct dmarc_authors *, struct slice);

void
dmarc_authors(struct slice header, struct dmarc_authors *out)
{
	struct header_field f;
	int n;

	*out = (struct dmarc_authors){ .from = DMARC_FROM_OK };
	for (n = 0; n <= DMARC_AUTHORS &&
	    header_find(header, "From", n, &f); n++)
		add(out, f.value);
	count(out, n);
}

void
dmarc_authors_fields(const struct fields *fields, struct dmarc_authors *out)
{
	size_t i;
	int n = 0;

	*out = (struct dmarc_authors){ .from = DMARC_FROM_OK };
	for (i = 0; i < fields->n && n <= DMARC_AUTHORS; i++) {
		if (!slice_caseis(fields->v[i].f.name, "From"))
			continue;
		add(out, fields->v[i].f.value);
		n++;
	}
	count(out, n);
}

void
dmarc_authors_value(struct slice value, struct dmarc_authors *out)
{
	*out = (struct dmarc_authors){ .from = DMARC_FROM_OK };
	add(out, value);
}

static void
add(struct dmarc_authors *out, struct slice value)
{
	struct addrlist list;
	struct addritem item;
	size_t found = 0;

	addrlist_start(&list, value);
	while (addrlist_next(&list, &item)) {
		if (item.kind != ADDRITEM_MAILBOX || item.domain.p == NULL)
			continue;
		found++;
		/* Others may read another address: "a@good b@bad". */
		if (item.odd)
			item.domain.n = 0;
		add_domain(out, item.domain);
	}
	if (found == 0 && out->from == DMARC_FROM_OK)
		out->from = DMARC_FROM_EMPTY;
}

/* From fields; there must be one (RFC 5322 3.6). */
static void
count(struct dmarc_authors *out, int n)
{
	if (n == 0)
		out->from = DMARC_FROM_MISSING;
	else if (n > 1)
		out->from = DMARC_FROM_TWICE;
}

static void
add_domain(struct dmarc_authors *out, struct slice domain)
{
	char text[DOMAIN_TEXT];
	size_t i;

	if (domain_ascii(domain, text) == -1) {
		if (out->from != DMARC_FROM_EXCESS)
			out->from = DMARC_FROM_EMPTY;
		return;
	}
	for (i = 0; i < out->n; i++)
		if (strcmp(out->domain[i], text) == 0)
			return;
	if (out->n == DMARC_AUTHORS) {
		out->from = DMARC_FROM_EXCESS;
		return;
	}
	memcpy(out->domain[out->n++], text, sizeof(text));
	if (out->n > 1 && out->from == DMARC_FROM_OK)
		out->from = DMARC_FROM_MANY;
}
