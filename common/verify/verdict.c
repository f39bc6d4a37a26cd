/*
 * One message, one verdict: SPF, DKIM, ARC and DMARC over the same facts and
 * the same DNS answers (doc/design.md section 5).  smtpd feeds it as the
 * message arrives; mailctl, the tests and the fuzzer feed it from elsewhere.
 * It keeps nothing of the message but hashes; its kit keeps the last keys.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "verify/arc_priv.h"
#include "verify/digest.h"
#include "verify/dkim_priv.h"
#include "verify/dmarc_priv.h"
#include "verify/fields.h"
#include "verify/spf_priv.h"
#include "verify/verdict_priv.h"
#include "verify/verify.h"

static int	 run_spf(struct verdict *);
static int	 run_helo(struct verdict *);
static int	 run_dkim(struct verdict *);
static int	 run_dmarc(struct verdict *);
static void	 ask_early(struct verdict *);
static void	 check_body(struct verdict *, struct dkim_sig *);

struct verdict *
verdict_new(void)
{
	struct verdict_kit *kit = verdict_kit_new();
	struct verdict *v;

	if (kit == NULL)
		return NULL;
	if ((v = verdict_new_kit(kit)) == NULL)
		verdict_kit_free(kit);
	else
		v->own = 1;
	return v;
}

struct verdict *
verdict_new_kit(struct verdict_kit *kit)
{
	struct verdict *v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return NULL;
	if ((v->answers = answers_new()) == NULL) {
		free(v);
		return NULL;
	}
	v->kit = kit;
	return v;
}

struct verdict_kit *
verdict_kit_new(void)
{
	return calloc(1, sizeof(struct verdict_kit));
}

void
verdict_kit_free(struct verdict_kit *kit)
{
	if (kit == NULL)
		return;
	dkim_keys_free(&kit->keys);
	fields_free(&kit->fields);
	digest_free(&kit->digest);
	free(kit);
}

void
verdict_free(struct verdict *v)
{
	size_t i;

	if (v == NULL)
		return;
	for (i = 0; i < VERDICT_BODIES; i++)
		dkim_body_free(v->body[i].body);
	arc_free(&v->arc);
	if (v->own)
		verdict_kit_free(v->kit);
	answers_free(v->answers);
	free(v);
}

void
verdict_start(struct verdict *v, int flags, const char *receiver,
    int64_t now, int keep)
{
	if (!keep)
		answers_reset(v->answers);
	else
		answers_keep(v->answers);
	v->flags = flags;
	v->now = now;
	strlcpy(v->receiver, receiver, sizeof(v->receiver));
	v->has_client = v->has_sender = v->has_header = v->has_body = 0;
	v->spf_done = v->helo_done = v->dmarc_done = v->asked = 0;
	v->localn = v->domainn = v->nsig = v->more = v->nbody = 0;
	v->helo[0] = '\0';
	spf_clear(&v->spf);
	spf_clear(&v->spf_helo);
	v->dmarc = (struct dmarc){ .result = DMARC_NONE };
	v->arc.out = (struct arc){ .result = ARC_NONE };
	v->arc.open = 0;
	v->authors.n = 0;
}

void
verdict_client(struct verdict *v, const struct ipaddr *ip, const char *helo)
{
	v->ip = *ip;
	strlcpy(v->helo, helo, sizeof(v->helo));
	v->has_client = 1;
}

/* What is too long to be an address is cut; SPF then finds no domain. */
void
verdict_sender(struct verdict *v, struct slice local, struct slice domain)
{
	v->localn = local.n < sizeof(v->local) ? local.n : sizeof(v->local);
	if (v->localn > 0)
		memcpy(v->local, local.p, v->localn);
	v->domainn = domain.n < sizeof(v->domain) ? domain.n :
	    sizeof(v->domain);
	if (v->domainn > 0)
		memcpy(v->domain, domain.p, v->domainn);
	v->has_sender = 1;
}

int
verdict_header(struct verdict *v, struct slice header)
{
	if (fields_read(&v->kit->fields, header) == -1)
		return -1;
	dmarc_authors_fields(&v->kit->fields, &v->authors);
	if (verdict_signatures(v) == -1)
		return -1;
	v->has_header = 1;
	return 0;
}

void
verdict_body(struct verdict *v, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < v->nbody; i++)
		dkim_body_feed(v->body[i].body, p, n);
}

void
verdict_end(struct verdict *v)
{
	size_t i;

	for (i = 0; i < v->nbody; i++)
		if (dkim_body_end(v->body[i].body, v->body[i].hash,
		    &v->body[i].len) == -1)
			memset(v->body[i].hash, 0, DKIM_HASH);
	for (i = 0; i < v->nsig; i++)
		check_body(v, &v->sig[i]);
	if (v->arc.open)
		check_body(v, &v->arc.ams);
	v->has_body = 1;
}

int
verdict_run(struct verdict *v)
{
	int spf = run_spf(v), helo = run_helo(v), dkim, arc;

	if (!v->has_header)
		return 0;
	if (!v->has_body) {
		ask_early(v);
		return 0;
	}
	dkim = run_dkim(v);
	arc = arc_run(&v->arc, &v->kit->keys, v->answers);
	if (!spf || !dkim) {
		ask_early(v);
		return 0;
	}
	return run_dmarc(v) && helo && arc;
}

struct answers *
verdict_answers(struct verdict *v)
{
	return v->answers;
}

void
verdict_timeout(struct verdict *v)
{
	answers_late(v->answers);
}

static int
run_spf(struct verdict *v)
{
	struct spf_query q = { .ip = v->ip, .helo = v->helo,
	    .receiver = v->receiver, .now = v->now };

	if (v->spf_done || v->flags & VERDICT_NOSPF)
		return 1;
	if (!v->has_client || !v->has_sender)
		return 0;
	q.local = slice_of(v->local, v->localn);
	q.domain = slice_of(v->domain, v->domainn);
	if (v->domainn == 0) {		/* RFC 7208 2.4 */
		q.local = slice_of(NULL, 0);
		q.domain = slice_str(v->helo);
	}
	v->spf_done = spf_run(&q, v->answers, &v->spf);
	return v->spf_done;
}

static int
run_helo(struct verdict *v)
{
	struct spf_query q = { .ip = v->ip, .helo = v->helo,
	    .receiver = v->receiver, .now = v->now,
	    .domain = slice_str(v->helo) };

	if (v->helo_done || v->flags & VERDICT_NOSPF ||
	    !(v->flags & VERDICT_HELO))
		return 1;
	if (!v->has_client || !v->has_sender)
		return 0;
	if (v->domainn == 0)		/* run_spf does the same */
		return 1;
	v->helo_done = spf_run(&q, v->answers, &v->spf_helo);
	return v->helo_done;
}

static int
run_dkim(struct verdict *v)
{
	struct dkim_sig *s;
	size_t i;
	int done = 1;

	for (i = 0; i < v->nsig; i++) {
		s = &v->sig[i];
		if (!s->open)
			continue;
		if (dkim_sig_verify(s, &v->kit->keys, v->answers) == 0)
			done = 0;
		else if (s->out.result == DKIM_PASS && s->out.partial &&
		    !(v->flags & VERDICT_PARTIAL))
			dkim_sig_set(s, DKIM_POLICY,
			    "l= leaves a part of the body unsigned");
	}
	return done;
}

static int
run_dmarc(struct verdict *v)
{
	struct dmarc_id spf = { .domain = NULL }, dkim[DKIM_VERIFY_MAX];
	size_t i, n = 0;

	if (v->dmarc_done || v->flags & VERDICT_NODMARC)
		return 1;
	if (!(v->flags & VERDICT_NOSPF) && v->spf.domain[0] != '\0')
		spf = (struct dmarc_id){ v->spf.domain,
		    v->spf.result == SPF_PASS,
		    v->spf.result == SPF_TEMPERROR };
	for (i = 0; i < v->nsig; i++)
		if (v->sig[i].out.domain[0] != '\0')
			dkim[n++] = (struct dmarc_id){ v->sig[i].out.domain,
			    v->sig[i].out.result == DKIM_PASS,
			    v->sig[i].out.result == DKIM_TEMPERROR };
	v->dmarc_done = dmarc_run(&v->authors, &spf, dkim, n, v->answers,
	    &v->dmarc);
	return v->dmarc_done;
}

/* Questions that will be needed whatever the body is, once: no answer brings
 * up another. */
static void
ask_early(struct verdict *v)
{
	char org[DOMAIN_TEXT];
	size_t i;
	int found;

	if (v->asked)
		return;
	v->asked = 1;
	for (i = 0; i < v->nsig; i++)
		if (v->sig[i].open)
			answers_get(v->answers, v->sig[i].key, DNS_TXT);
	arc_ask(&v->arc, v->answers);
	if (v->flags & VERDICT_NODMARC)
		return;
	for (i = 0; i < v->authors.n; i++)
		dmarc_org(v->authors.domain[i], v->answers, org, &found);
}

static void
check_body(struct verdict *v, struct dkim_sig *s)
{
	const struct body_hash *b = &v->body[s->hash_i];

	if (!s->open)
		return;
	if (s->limit != UINT64_MAX && s->limit > b->len)
		dkim_sig_set(s, DKIM_FAIL, "body is shorter than l=");
	else if (memcmp(s->bh, b->hash, DKIM_HASH) != 0)
		dkim_sig_set(s, DKIM_FAIL, "body hash does not match");
	else
		s->out.partial = s->limit < b->len;
}

const struct spf *
verdict_spf(const struct verdict *v)
{
	return &v->spf;
}

const struct spf *
verdict_spf_helo(const struct verdict *v)
{
	return v->flags & VERDICT_HELO && v->domainn > 0 ? &v->spf_helo : NULL;
}

size_t
verdict_ndkim(const struct verdict *v)
{
	return v->nsig;
}

const struct dkim *
verdict_dkim(const struct verdict *v, size_t i)
{
	return &v->sig[i].out;
}

size_t
verdict_dkim_more(const struct verdict *v)
{
	return v->more;
}

const struct dmarc *
verdict_dmarc(const struct verdict *v)
{
	return &v->dmarc;
}

const struct arc *
verdict_arc(const struct verdict *v)
{
	return v->flags & VERDICT_NOARC ? NULL : &v->arc.out;
}
