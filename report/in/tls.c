/*
 * TLS reports (RFC 8460 4): JSON about sessions that went well and those
 * that did not.  Before the library sees it, depth and number of values are
 * counted, which bounds the memory it takes.  report-in.  Pure but for
 * memory.
 */
#include "base/compat.h"

#include <string.h>

#include <jansson.h>

#include "base/slice.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define JSON_DEPTH	16
#define JSON_VALUES	500000U
#define POLICIES_MAX	1000	/* of one report */
#define DETAILS_MAX	10000	/* failures of one policy */
#define SESSIONS_MAX	1000000000000ULL

/* Depth and number of values, strings left out. */
static const char *
bounded(struct slice s)
{
	size_t i, depth = 0, values = 0;
	bool quoted = false;

	for (i = 0; i < s.n; i++) {
		if (quoted) {
			if (s.p[i] == '\\')
				i++;
			else if (s.p[i] == '"')
				quoted = false;
			continue;
		}
		switch (s.p[i]) {
		case '"':
			quoted = true;
			break;
		case '[':
		case '{':
			if (++depth > JSON_DEPTH)
				return "JSON is nested too deep";
			values++;
			break;
		case ']':
		case '}':
			if (depth-- == 0)
				return "JSON is damaged";
			break;
		case ',':
		case ':':
			values++;
			break;
		}
	}
	return values > JSON_VALUES ? "too many JSON values" : NULL;
}

static void
string(const json_t *o, const char *key, char *out, size_t size)
{
	const json_t *v = json_object_get(o, key);

	text_clean(slice_of(json_string_value(v) != NULL ?
	    json_string_value(v) : "", json_string_length(v)), out, size);
}

/* Numbers, some of which come as strings. */
static uint64_t
number(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	uint64_t n;

	if (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    (uint64_t)json_integer_value(v) <= SESSIONS_MAX)
		return (uint64_t)json_integer_value(v);
	if (json_is_string(v) && slice_number(slice_str(json_string_value(v)),
	    SESSIONS_MAX, &n) == 0)
		return n;
	return 0;
}

static uint64_t
moment(const json_t *o, const char *key)
{
	char text[64];
	int64_t t;

	string(o, key, text, sizeof(text));
	return text_time(slice_str(text), &t) == 0 && t > 0 ? (uint64_t)t : 0;
}

/* Beyond what is kept apart: one row for each domain and outcome. */
static void
row(struct in_report *r, const char *const *word, uint64_t n)
{
	const char *const rest[TLS_WORDS] = { word[0], "others",
	    strcmp(word[2], "ok") == 0 ? "ok" : "failed", "", "", "", "" };
	struct line l = { .n = 0 };
	size_t i;

	for (i = 0; i < TLS_WORDS; i++)
		line_word(&l, word[i]);
	if (n == 0 || rows_add(r->rows, slice_of(l.p, l.n), n) == 0)
		return;
	l.n = 0;
	for (i = 0; i < TLS_WORDS; i++)
		line_word(&l, rest[i]);
	if (rows_rest(r->rows, slice_of(l.p, l.n), n) == -1)
		r->head.skipped++;
}

/* Returns the sessions that the details explain. */
static uint64_t
details(const json_t *list, const char *domain, const char *type,
    struct in_report *r)
{
	char what[IN_TEXT], sender[IN_TEXT], mx[IN_TEXT], ip[IN_TEXT],
	    why[IN_TEXT];
	uint64_t n, sum = 0;
	size_t i;

	for (i = 0; i < json_array_size(list) && i < DETAILS_MAX; i++) {
		const json_t *d = json_array_get(list, i);
		const char *word[TLS_WORDS] = { domain, type, what, sender,
		    mx, ip, why };

		string(d, "result-type", what, sizeof(what));
		if (what[0] == '\0' || strcmp(what, "ok") == 0)
			strlcpy(what, "unnamed", sizeof(what));
		string(d, "sending-mta-ip", sender, sizeof(sender));
		string(d, "receiving-mx-hostname", mx, sizeof(mx));
		string(d, "receiving-ip", ip, sizeof(ip));
		string(d, "failure-reason-code", why, sizeof(why));
		n = number(d, "failed-session-count");
		sum = sum_add(sum, n);
		row(r, word, n);
	}
	return sum;
}

/* Where a report leaves out whom a policy is of (RFC 8460 4.4 does not let it
 * do so) the mail tells: TLS-Report-Domain, subject or file name. */
static const char *
policy_domain(const json_t *what, struct in_report *r)
{
	static char text[IN_TEXT];

	string(what, "policy-domain", text, sizeof(text));
	if (text[0] != '\0' || r->about[0] == '\0')
		return text;
	strlcpy(r->head.mended, "no policy-domain, taken from the mail",
	    sizeof(r->head.mended));
	return r->about;
}

/* 1: a policy of a domain of ours, 0; *none: of none at all. */
static int
policy(const json_t *p, struct in_report *r, const struct in_house *house,
    bool *none)
{
	const json_t *what = json_object_get(p, "policy");
	const json_t *sum = json_object_get(p, "summary");
	const char *text = policy_domain(what, r);
	char domain[IN_DOMAIN], type[IN_TEXT];
	const char *word[TLS_WORDS] = { domain, type, "ok", "", "", "", "" };
	uint64_t good, bad, known;

	*none = *none || *text == '\0';
	string(what, "policy-type", type, sizeof(type));
	if (domain_ascii(slice_str(text), domain) == -1 ||
	    house_domain(house, domain) == NULL)
		return 0;
	if (r->head.domain[0] == '\0')
		strlcpy(r->head.domain, domain, sizeof(r->head.domain));
	good = number(sum, "total-successful-session-count");
	bad = number(sum, "total-failure-session-count");
	row(r, word, good);
	known = details(json_object_get(p, "failure-details"), domain, type,
	    r);
	if (bad > known) {
		word[2] = "unexplained";
		row(r, word, bad - known);
	} else
		bad = known;
	r->head.pass = sum_add(r->head.pass, good);
	r->head.messages = sum_add(r->head.messages, sum_add(good, bad));
	return 1;
}

static const char *
report(const json_t *j, struct in_report *r, const struct in_house *house)
{
	const json_t *list = json_object_get(j, "policies");
	const json_t *range = json_object_get(j, "date-range");
	struct in_head *h = &r->head;
	size_t i;
	int ours = 0;
	bool none = false;

	if (!json_is_array(list))
		return "JSON is no TLS report";
	string(j, "organization-name", h->org, sizeof(h->org));
	string(j, "contact-info", h->contact, sizeof(h->contact));
	string(j, "report-id", h->id, sizeof(h->id));
	h->begin = moment(range, "start-datetime");
	h->end = moment(range, "end-datetime");
	if (json_array_size(list) > POLICIES_MAX)
		return "too many policies in a TLS report";
	for (i = 0; i < json_array_size(list); i++)
		ours += policy(json_array_get(list, i), r, house, &none);
	if (ours == 0)
		return none ? "TLS report without a policy-domain" :
		    "TLS report about another domain";
	h->kind = IN_TLS;
	strlcpy(h->form, "8460", sizeof(h->form));
	return NULL;
}

int
tls_report(struct slice in, struct in_report *r, const struct in_house *house,
    const char **why)
{
	json_t *j;

	if (in.n > JSON_MAX)
		*why = "JSON is too large";
	else
		*why = bounded(in);
	if (*why != NULL)
		return -1;
	if ((j = json_loadb(in.p, in.n, JSON_DISABLE_EOF_CHECK,
	    NULL)) == NULL) {
		*why = "JSON is damaged";
		return -1;
	}
	*why = report(j, r, house);
	json_decref(j);
	return *why == NULL ? 0 : -1;
}
