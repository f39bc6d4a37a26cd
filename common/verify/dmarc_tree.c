/*
 * The DNS tree walk (RFC 9989 4.10): the record that applies to a domain, and
 * its organizational domain, in at most DMARC_QUERIES questions, all asked at
 * once.
 */
#include "base/compat.h"

#include <string.h>

#include "verify/dmarc_priv.h"
#include "verify/verify.h"

#define PREFIX	"_dmarc."

/* The domains of a walk, from the longest; they point into the first. */
struct names {
	size_t		 n;
	const char	*v[DMARC_QUERIES];
};

static enum dmarc_found fetch(struct answers *, const char *,
		    struct dmarc_record *, const char **);
static void	 names_of(const char *, struct names *);
static int	 walk_record(struct dmarc_walk *, const struct names *,
		    size_t, const struct dmarc_record *);
static const char *below(const char *, const char *);

int
dmarc_walk(struct answers *a, const char *domain, struct dmarc_walk *w)
{
	enum dmarc_found f;
	struct dmarc_record r = { .usable = 0 };
	struct names names;
	const char *why;
	size_t i;
	int more = 0;

	*w = (struct dmarc_walk){ .org = domain };
	names_of(domain, &names);
	for (i = 0; i < names.n; i++) {
		f = fetch(a, names.v[i], &r, &why);
		if (i == 0) {
			w->own = f;
			w->own_record = r;
			w->why = why;
		}
		w->temp |= f == DMARC_TEMP;
		more |= f == DMARC_MORE;
		if (f == DMARC_RECORD && walk_record(w, &names, i, &r))
			break;
	}
	return !more;
}

int
dmarc_org(const char *domain, struct answers *a, char org[DOMAIN_TEXT],
    int *found)
{
	struct dmarc_walk w;

	*found = 0;
	if (dmarc_walk(a, domain, &w) == 0)
		return 0;
	if (w.temp)
		return -1;
	*found = w.at != NULL;
	memcpy(org, w.org, strlen(w.org) + 1);
	return 1;
}

/* The record of a domain; *why for DMARC_BROKEN. */
static enum dmarc_found
fetch(struct answers *answers, const char *domain,
    struct dmarc_record *r, const char **why)
{
	char name[ANSWER_NAME] = PREFIX;
	const struct answer *a;
	struct dmarc_record one;
	const char *broken;
	size_t i, n = 0;

	*why = NULL;
	/* Too long a name for the label before it has no record there. */
	if (strlcat(name, domain, sizeof(name)) >= sizeof(name))
		return DMARC_ABSENT;
	if ((a = answers_get(answers, name, DNS_TXT)) == NULL)
		return DMARC_MORE;
	if (a->status == DNS_TEMP)
		return DMARC_TEMP;
	for (i = 0; i < a->n; i++) {
		if (dmarc_record_parse(a->rr[i].data, &one, &broken) == -1 &&
		    broken == NULL)
			continue;
		*r = one;
		*why = broken;
		n++;
	}
	if (n != 1)
		return n == 0 ? DMARC_ABSENT : DMARC_TWO;
	return *why == NULL ? DMARC_RECORD : DMARC_BROKEN;
}

/* The domain, then its parents; of a long one only those of 7 labels and
 * fewer (step 4). */
static void
names_of(const char *domain, struct names *names)
{
	const char *p;
	size_t labels = 1;

	for (p = domain; *p != '\0'; p++)
		labels += *p == '.';
	names->v[0] = domain;
	names->n = 1;
	for (p = domain; (p = strchr(p, '.')) != NULL; ) {
		p++;
		if (--labels < DMARC_QUERIES && names->n < DMARC_QUERIES)
			names->v[names->n++] = p;
	}
}

/* RFC 9989 4.10.1, 4.10.2: names i has this record.  1: the walk ends. */
static int
walk_record(struct dmarc_walk *w, const struct names *names, size_t i,
    const struct dmarc_record *r)
{
	if (r->psd == 'y' && i > 0) {
		w->org = below(names->v[0], names->v[i]);
		if (w->at == NULL || strcmp(w->at, w->org) != 0) {
			w->at = names->v[i];
			w->record = *r;
		}
		return 1;
	}
	w->org = w->at = names->v[i];
	w->record = *r;
	return r->psd != 'u';
}

/* The parent or itself of domain that is one label below up. */
static const char *
below(const char *domain, const char *up)
{
	const char *p = up - 1;

	while (p > domain && p[-1] != '.')
		p--;
	return p;
}
