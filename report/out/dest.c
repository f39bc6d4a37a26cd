/*
 * Whom a DMARC record wants to be told, and whether they want to be told:
 * addresses of rua= and ruf= (RFC 9989 4.8, RFC 6068), and the verification
 * of those outside the domain (RFC 9990 4, RFC 9991 5).  "Evaluate or ask":
 * the organizational domains are common/verify's, the questions go to
 * resolve.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/address.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/out/out.h"

#define ASKS_MAX	256	/* verifications at a time */

struct question {
	LIST_ENTRY(question) entry;
	struct dest_ask	*ask;
	const char	*name;		/* in the answers */
	enum dns_type	 type;
	uint32_t	 id;
	struct chan	*chan;
};

struct dest_ask {
	char		 domain[DOMAIN_TEXT];
	struct dest	 dest;
	bool		 ruf;
	dest_cb		 cb;
	void		*arg;
	struct answers	*answers;
	struct event	*ev;
	uint64_t	 no;		/* whom resolve is asked for */
	LIST_HEAD(, question) questions;
};

static size_t nask;

static ssize_t	 percent_decode(struct slice, char *, size_t);
static void	 on_start(evutil_socket_t, short, void *);
static void	 dest_run(struct dest_ask *);
static int	 dest_decide(struct dest_ask *, enum dest_verdict *,
		    struct dest *, const char **);
static enum dest_verdict dest_consent(const struct dest_ask *,
		    const struct answer *, struct dest *, const char **);
static bool	 dest_override(const struct dest_ask *, struct slice,
		    struct dest *);
static void	 dest_questions(struct dest_ask *);
static void	 on_answer(const struct dns_ask_r *, void *);

/* ---- addresses ---------------------------------------------------------- */

int
dest_address(struct slice uri, struct dest *d)
{
	struct slice s = uri;
	struct address a;
	char text[ADDR_TEXT_MAX], host[DOMAIN_TEXT];
	ssize_t n;

	if (!slice_casestarts(s, "mailto:"))
		return -1;
	s = slice_of(s.p + 7, s.n - 7);
	s.n = slice_find(s, '?');
	s.n = slice_find(s, ',');
	if ((n = percent_decode(s, text, sizeof(text))) <= 0 ||
	    address_parse(slice_of(text, (size_t)n), PATH_UTF8, &a,
	    NULL) == -1 || (a.flags & ADDR_LITERAL) != 0 ||
	    has_8bit(a.local, a.localn) || address_is_routed(&a) ||
	    domain_ascii(slice_of(a.domain, a.domainn), host) == -1)
		return -1;
	a.domainn = strlcpy(a.domain, host, sizeof(a.domain));
	a.flags &= ~ADDR_UTF8;
	if ((n = address_print(&a, d->address, sizeof(d->address))) <= 0)
		return -1;
	d->address[n] = '\0';
	strlcpy(d->host, host, sizeof(d->host));
	return 0;
}

int
dest_again(const char *address, struct dest *d)
{
	const char *at = strrchr(address, '@');

	if (at == NULL || strlcpy(d->address, address, sizeof(d->address)) >=
	    sizeof(d->address) || strlcpy(d->host, at + 1, sizeof(d->host)) >=
	    sizeof(d->host))
		return -1;
	return 0;
}

/* RFC 3986 2.1; the length, -1: broken, or too long. */
static ssize_t
percent_decode(struct slice s, char *out, size_t size)
{
	size_t i, n = 0;
	char hex[3] = { 0 };
	uint8_t b;

	for (i = 0; i < s.n; i++) {
		b = (uint8_t)s.p[i];
		if (b == '%') {
			if (s.n - i < 3)
				return -1;
			memcpy(hex, s.p + i + 1, 2);
			if (hex_decode(&b, 1, hex) == -1)
				return -1;
			i += 2;
		}
		if (b < 32 || b == 127 || n == size)
			return -1;
		out[n++] = (char)b;
	}
	return (ssize_t)n;
}

int
dest_next(struct slice *rest, const struct dest *seen, size_t n,
    struct dest *d)
{
	struct slice uri;
	size_t i, k;

	for (k = 0; k < DMARC_URIS_MAX && dmarc_uri_next(rest, &uri); k++) {
		if (dest_address(uri, d) == -1)
			continue;
		for (i = 0; i < n; i++)
			if (strcmp(seen[i].address, d->address) == 0)
				break;
		if (i == n)
			return 1;
	}
	return 0;
}

/* ---- may it be told? ---------------------------------------------------- */

struct dest_ask *
dest_ask(const char *domain, const struct dest *d, const char *tag,
    dest_cb cb, void *arg)
{
	struct dest_ask *a;

	if (nask == ASKS_MAX || (a = calloc(1, sizeof(*a))) == NULL)
		return NULL;
	a->dest = *d;
	a->ruf = strcmp(tag, "ruf") == 0;
	a->cb = cb;
	a->arg = arg;
	LIST_INIT(&a->questions);
	if (strlcpy(a->domain, domain, sizeof(a->domain)) >=
	    sizeof(a->domain) || (a->answers = answers_new()) == NULL ||
	    (a->ev = event_new(proc_base(), -1, 0, on_start, a)) == NULL) {
		answers_free(a->answers);
		free(a);
		return NULL;
	}
	a->no = out_whom();
	nask++;
	event_active(a->ev, 0, 0);
	return a;
}

void
dest_forget(struct dest_ask *a)
{
	struct question *q;

	while ((q = LIST_FIRST(&a->questions)) != NULL) {
		LIST_REMOVE(q, entry);
		dns_forget(q->chan, q->id);
		free(q);
	}
	nask--;
	event_free(a->ev);
	answers_free(a->answers);
	free(a);
}

static void
on_start(evutil_socket_t fd, short what, void *arg)
{
	dest_run(arg);
}

static void
dest_run(struct dest_ask *a)
{
	enum dest_verdict v;
	struct dest to = a->dest;
	const char *why = "";
	dest_cb cb = a->cb;
	void *arg = a->arg;

	while (!dest_decide(a, &v, &to, &why)) {
		dest_questions(a);
		if (!LIST_EMPTY(&a->questions))
			return;
	}
	dest_forget(a);
	cb(v, &to, why, arg);
}

/* 1 decided, 0 there are questions. */
static int
dest_decide(struct dest_ask *a, enum dest_verdict *v, struct dest *to,
    const char **why)
{
	char of[DOMAIN_TEXT], org[DOMAIN_TEXT], name[3 * DOMAIN_TEXT];
	const struct answer *answer;
	int found, r, s;

	r = dmarc_org(a->domain, a->answers, of, &found);
	s = dmarc_org(a->dest.host, a->answers, org, &found);
	if (r == 0 || s == 0)
		return 0;
	*v = DEST_LATER;
	*why = "the DNS does not tell whose domain it is";
	if (r == -1 || s == -1)
		return 1;
	*v = DEST_YES;
	if (strcmp(of, org) == 0)
		return 1;
	*v = DEST_NO;
	*why = "the name to ask is too long";
	snprintf(name, sizeof(name), "%s._report._dmarc.%s", a->domain,
	    a->dest.host);
	if (strlen(name) >= ANSWER_NAME)
		return 1;
	if ((answer = answers_get(a->answers, name, DNS_TXT)) == NULL)
		return 0;
	*v = dest_consent(a, answer, to, why);
	return 1;
}

/* RFC 9990 4, steps 5 to 9 */
static enum dest_verdict
dest_consent(const struct dest_ask *a, const struct answer *answer,
    struct dest *to, const char **why)
{
	struct dmarc_record r;
	struct slice uris;
	const char *broken;
	bool agreed = false;
	size_t i;

	*why = "the DNS does not tell whether it agreed";
	if (answer->status == DNS_TEMP)
		return DEST_LATER;
	*why = "its host did not agree to get reports";
	for (i = 0; i < answer->n; i++) {
		if (dmarc_record_parse(answer->rr[i].data, &r, &broken) == -1)
			continue;
		agreed = true;
		uris = a->ruf ? r.ruf : r.rua;
		if (uris.n == 0)
			continue;
		if (dest_override(a, uris, to))
			return DEST_YES;
		*why = "its host names another";
		return DEST_NO;
	}
	return agreed ? DEST_YES : DEST_NO;
}

/* An address of the same host, and none of another, may take its place. */
static bool
dest_override(const struct dest_ask *a, struct slice uris, struct dest *to)
{
	struct dest d;
	bool any = false;

	while (dest_next(&uris, NULL, 0, &d)) {
		if (strcmp(d.host, a->dest.host) != 0)
			return false;
		if (!any)
			*to = d;
		any = true;
	}
	return any;
}

/* ---- questions ---------------------------------------------------------- */

static void
dest_questions(struct dest_ask *a)
{
	struct question *q;
	const char *name;
	enum dns_type type;

	while (answers_ask(a->answers, &name, &type)) {
		q = xcalloc(1, sizeof(*q));
		*q = (struct question){ .ask = a, .name = name, .type = type,
		    .chan = out_dns() };
		q->id = dns_ask(q->chan, a->no, name, type,
		    on_answer, q);
		if (q->id == 0) {
			free(q);
			dns_answer(a->answers, name, type, NULL);
		} else
			LIST_INSERT_HEAD(&a->questions, q, entry);
	}
}

static void
on_answer(const struct dns_ask_r *r, void *arg)
{
	struct question *q = arg;
	struct dest_ask *a = q->ask;

	LIST_REMOVE(q, entry);
	dns_answer(a->answers, q->name, q->type, r);
	free(q);
	dest_run(a);
}
