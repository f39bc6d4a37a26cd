/*
 * Feedback reports: abuse (RFC 5965), authentication failures (RFC 6591,
 * 9991).  Fields as in a header, and the header of the message they are
 * about.  report-in.  Pure.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/header.h"
#include "parse/words.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define INCIDENTS_MAX	1000000U

const char *const arf_words[ARF_WORDS] = {
	"type", "domain", "source", "from", "rcpt", "arrived", "failure",
	"delivery", "dkim_domain", "author", "subject", "message_id", "agent"
};

enum arf_word {
	W_TYPE, W_DOMAIN, W_SOURCE, W_FROM, W_RCPT, W_ARRIVED, W_FAILURE,
	W_DELIVERY, W_DKIM, W_AUTHOR, W_SUBJECT, W_MSGID, W_AGENT
};

typedef char words[ARF_WORDS][IN_TEXT];

/* Where the words come from; the second name where the first is missing. */
static const struct {
	enum arf_word	 w;
	bool		 original;
	const char	*name, *other;
} fields[] = {
	{ W_TYPE, false, "Feedback-Type", NULL },
	{ W_DOMAIN, false, "Reported-Domain", NULL },
	{ W_SOURCE, false, "Source-IP", NULL },
	{ W_FROM, false, "Original-Mail-From", "Original-Envelope-From" },
	{ W_RCPT, false, "Original-Rcpt-To", "Removal-Recipient" },
	{ W_ARRIVED, false, "Arrival-Date", "Received-Date" },
	{ W_FAILURE, false, "Auth-Failure", NULL },
	{ W_DELIVERY, false, "Delivery-Result", NULL },
	{ W_DKIM, false, "DKIM-Domain", NULL },
	{ W_AUTHOR, true, "From", NULL },
	{ W_SUBJECT, true, "Subject", NULL },
	{ W_MSGID, true, "Message-ID", NULL },
	{ W_AGENT, false, "User-Agent", NULL },
};

static void
field(struct slice header, const char *name, char *out)
{
	struct header_field f;
	char text[4 * IN_TEXT];
	size_t n;

	if (name == NULL || header_find(header, name, 0, &f) != 1)
		return;
	n = words_decode(f.value, text, sizeof(text));
	text_clean(slice_of(text, n), out, IN_TEXT);
}

/* The domain behind the last @ of an address, or the text itself. */
static const char *
ours(const char *text, const struct in_house *house, char out[IN_DOMAIN])
{
	const char *at = strrchr(text, '@');
	struct slice s = slice_str(at == NULL ? text : at + 1);

	s.n = slice_find(s, '>');
	if (domain_ascii(slice_trim(s), out) == -1)
		return NULL;
	return house_domain(house, out);
}

/* Whom it is about: who is said to be reported, or wrote, or signed. */
static int
about(words w, struct slice original, const struct in_house *house,
    char domain[IN_DOMAIN])
{
	char author[IN_DOMAIN];
	const char *const text[] = { w[W_DOMAIN], author, w[W_FROM],
	    w[W_DKIM] };
	size_t i;

	sender_domain(original, author);
	for (i = 0; i < NITEMS(text); i++)
		if (ours(text[i], house, domain) != NULL)
			return 0;
	domain[0] = '\0';
	return -1;
}

int
arf_report(struct slice feedback, struct slice original, struct in_report *r,
    const struct in_house *house, const char **why)
{
	struct in_head *h = &r->head;
	struct line l = { .n = 0 };
	words w = { "" };
	char count[IN_TEXT] = "";
	uint64_t n = 1;
	size_t i;

	for (i = 0; i < NITEMS(fields); i++) {
		struct slice in = fields[i].original ? original : feedback;

		field(in, fields[i].name, w[fields[i].w]);
		if (w[fields[i].w][0] == '\0')
			field(in, fields[i].other, w[fields[i].w]);
	}
	if (w[W_TYPE][0] == '\0') {
		*why = "feedback report without a type";
		return -1;
	}
	if (about(w, original, house, h->domain) == -1) {
		*why = "feedback report about another domain";
		return -1;
	}
	field(feedback, "Incidents", count);
	if (slice_number(slice_str(count), INCIDENTS_MAX, &n) == -1 || n == 0)
		n = 1;
	strlcpy(w[W_DOMAIN], h->domain, IN_TEXT);
	for (i = 0; i < ARF_WORDS; i++)
		line_word(&l, w[i]);
	rows_add(r->rows, slice_of(l.p, l.n), n);
	h->kind = IN_ARF;
	h->messages = n;
	strlcpy(h->form, slice_caseis(slice_str(w[W_TYPE]), "auth-failure") ?
	    "failure" : "abuse", sizeof(h->form));
	field(feedback, "Reporting-MTA", h->org);
	if (h->org[0] == '\0')
		strlcpy(h->org, w[W_AGENT], sizeof(h->org));
	strlcpy(h->id, w[W_MSGID], sizeof(h->id));
	return 0;
}
