/*
 * DMARC aggregate reports: XML of RFC 9990 (namespace
 * urn:ietf:params:xml:ns:dmarc-2.0) and of RFC 7489, told apart by nobody
 * but the reader, fed in pieces.  A table says which elements mean
 * something; all others are walked over.  Document types, and with them
 * entities, are refused, as is what is deeper, longer or more than the
 * limits here.  report-in.  Pure but for memory.
 */
#include "base/compat.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/charset.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define XML_DEPTH	32
#define XML_ELEMENTS	8000000U
#define XML_RECORDS	1000000U
#define XML_TOKEN	(256U * 1024)	/* octets without an event */
#define XML_PIECE	16384U
#define XML_ATTRIBUTES	64
#define AUTH_MAX	16		/* dkim or spf results of a record */
#define COUNT_MAX	1000000000000ULL	/* messages in one row */

enum element {
	E_OTHER, E_ROOT, E_FEEDBACK, E_METADATA, E_ORG, E_EMAIL, E_ID,
	E_RANGE, E_BEGIN, E_END, E_POLICY, E_DOMAIN, E_P, E_SP, E_NP,
	E_ADKIM, E_ASPF, E_TESTING, E_PCT, E_METHOD, E_RECORD,
	E_ROW, E_IP, E_COUNT, E_EVALUATED, E_DISPOSITION, E_EDKIM, E_ESPF,
	E_REASON, E_TYPE, E_IDS, E_FROM, E_ENVELOPE, E_AUTH, E_DKIM, E_DD,
	E_DSELECTOR, E_DRESULT, E_SPF, E_SD, E_SRESULT
};

struct auth {
	char	 domain[IN_DOMAIN], selector[IN_DOMAIN], result[16];
};

struct record {
	char	 ip[IN_TEXT], count[32], disposition[16], dkim[16], spf[16],
		 reason[64], from[IN_DOMAIN], envelope[IN_DOMAIN];
	struct auth	 d, s;		/* the one that is being read */
	struct auth	 dv[AUTH_MAX], sv[AUTH_MAX];
	size_t	 nd, ns;
	bool	 row, results;		/* their ends were there */
};

struct xml {
	XML_Parser	 expat;
	struct in_report *out;
	const struct in_house *house;
	const char	*why;
	uint64_t	 fed;
	unsigned int	 elements, records;
	int		 depth;
	bool		 over;		/* the root element was closed */
	bool		 broken;	/* no XML */
	const char	*mend;
	struct mend	 m;
	uint8_t		 stack[XML_DEPTH + 1];
	struct slice	 text;		/* in buf */
	char		 buf[1024];
	char		 begin[32], end[32];
	char		 p[16], sp[16], np[16], adkim[8], aspf[8], testing[8],
			 pct[8], method[16];
	struct record	 r;
};

/* What an element is called, where it stands, and where its text goes. */
#define GROUP(e, name, in)	{ e, in, name, 0, 0 }
#define LEAF(e, name, in, field)					\
	{ e, in, name, offsetof(struct xml, field),			\
	    sizeof(((struct xml *)0)->field) }
#define HEAD(e, name, in)	{ e, in, name, 0, 1 }	/* see head_field */

static const struct {
	enum element	 e, in;
	const char	*name;
	size_t		 off, size;
} elements[] = {
	GROUP(E_FEEDBACK, "feedback", E_ROOT),
	GROUP(E_METADATA, "report_metadata", E_FEEDBACK),
	HEAD(E_ORG, "org_name", E_METADATA),
	HEAD(E_EMAIL, "email", E_METADATA),
	HEAD(E_ID, "report_id", E_METADATA),
	GROUP(E_RANGE, "date_range", E_METADATA),
	LEAF(E_BEGIN, "begin", E_RANGE, begin),
	LEAF(E_END, "end", E_RANGE, end),
	GROUP(E_POLICY, "policy_published", E_FEEDBACK),
	HEAD(E_DOMAIN, "domain", E_POLICY),
	LEAF(E_P, "p", E_POLICY, p),
	LEAF(E_SP, "sp", E_POLICY, sp),
	LEAF(E_NP, "np", E_POLICY, np),
	LEAF(E_ADKIM, "adkim", E_POLICY, adkim),
	LEAF(E_ASPF, "aspf", E_POLICY, aspf),
	LEAF(E_TESTING, "testing", E_POLICY, testing),
	LEAF(E_PCT, "pct", E_POLICY, pct),
	LEAF(E_METHOD, "discovery_method", E_POLICY, method),
	GROUP(E_RECORD, "record", E_FEEDBACK),
	GROUP(E_ROW, "row", E_RECORD),
	LEAF(E_IP, "source_ip", E_ROW, r.ip),
	LEAF(E_COUNT, "count", E_ROW, r.count),
	GROUP(E_EVALUATED, "policy_evaluated", E_ROW),
	LEAF(E_DISPOSITION, "disposition", E_EVALUATED, r.disposition),
	LEAF(E_EDKIM, "dkim", E_EVALUATED, r.dkim),
	LEAF(E_ESPF, "spf", E_EVALUATED, r.spf),
	GROUP(E_REASON, "reason", E_EVALUATED),
	LEAF(E_TYPE, "type", E_REASON, r.reason),
	GROUP(E_IDS, "identifiers", E_RECORD),
	LEAF(E_FROM, "header_from", E_IDS, r.from),
	LEAF(E_ENVELOPE, "envelope_from", E_IDS, r.envelope),
	GROUP(E_AUTH, "auth_results", E_RECORD),
	GROUP(E_DKIM, "dkim", E_AUTH),
	LEAF(E_DD, "domain", E_DKIM, r.d.domain),
	LEAF(E_DSELECTOR, "selector", E_DKIM, r.d.selector),
	LEAF(E_DRESULT, "result", E_DKIM, r.d.result),
	GROUP(E_SPF, "spf", E_AUTH),
	LEAF(E_SD, "domain", E_SPF, r.s.domain),
	LEAF(E_SRESULT, "result", E_SPF, r.s.result),
};

static void	 record_end(struct xml *, bool);
static size_t	 latin(char *, size_t, size_t);

static void
refuse(struct xml *x, const char *why)
{
	if (x->why == NULL)
		x->why = why;
	if (x->mend == NULL)
		XML_StopParser(x->expat, XML_FALSE);
}

/* ---- elements ------------------------------------------------------------ */

static const char *
local_name(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon == NULL ? name : colon + 1;
}

static enum element
find(enum element in, const char *name)
{
	size_t i;

	for (i = 0; i < NITEMS(elements); i++)
		if (elements[i].in == in && strcmp(elements[i].name,
		    name) == 0)
			return elements[i].e;
	return E_OTHER;
}

/* Which RFC a namespace stands for; no check hangs on it. */
static void
namespace(struct xml *x, const char **attr)
{
	size_t i;

	for (i = 0; attr[i] != NULL; i += 2)
		if (strncmp(attr[i], "xmlns", 5) == 0 &&
		    strstr(attr[i + 1], "dmarc-2.0") != NULL)
			strlcpy(x->out->head.form, "9990", IN_TEXT);
}

static void
element_start(struct xml *x, const char *name)
{
	enum element in = x->stack[x->depth], e = find(in, name);

	if (in == E_ROOT && e != E_FEEDBACK) {
		x->broken = true;	/* it may be further in */
		refuse(x, "XML is no DMARC report");
	} else if (x->depth == XML_DEPTH)
		refuse(x, "XML is nested too deep");
	else if (++x->elements > XML_ELEMENTS)
		refuse(x, "too many XML elements");
	else if (e == E_RECORD && ++x->records > XML_RECORDS)
		refuse(x, "more than a million records");
	if (x->why != NULL)
		return;
	if (e == E_METHOD || e == E_TESTING || e == E_NP)
		strlcpy(x->out->head.form, "9990", IN_TEXT);
	x->stack[++x->depth] = (uint8_t)e;
	x->text.n = 0;
}

static void XMLCALL
on_start(void *arg, const char *name, const char **attr)
{
	struct xml *x = arg;

	if (x->why != NULL)
		return;
	if (XML_GetSpecifiedAttributeCount(x->expat) > 2 * XML_ATTRIBUTES) {
		refuse(x, "too many XML elements");
		return;
	}
	element_start(x, local_name(name));
	if (x->why == NULL && x->stack[x->depth] == E_FEEDBACK)
		namespace(x, attr);
}

static void XMLCALL
on_text(void *arg, const char *p, int n)
{
	struct xml *x = arg;
	size_t room = sizeof(x->buf) - x->text.n;

	if (x->stack[x->depth] == E_OTHER || n <= 0)
		return;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(x->buf + x->text.n, p, room);
	x->text.n += room;
}

static void
head_field(struct xml *x, enum element e)
{
	struct in_head *h = &x->out->head;
	char name[IN_TEXT];

	if (e == E_ORG)
		text_clean(x->text, h->org, sizeof(h->org));
	else if (e == E_EMAIL)
		text_clean(x->text, h->contact, sizeof(h->contact));
	else if (e == E_ID)
		text_clean(x->text, h->id, sizeof(h->id));
	else {
		text_clean(x->text, name, sizeof(name));
		if (domain_ascii(slice_str(name), h->domain) == -1)
			h->domain[0] = '\0';
	}
}

static void
auth_keep(struct auth *v, size_t *n, struct auth *a)
{
	if (*n < AUTH_MAX)
		v[(*n)++] = *a;
	*a = (struct auth){ "", "", "" };
}

static void
leaf(struct xml *x, enum element e)
{
	size_t i;

	for (i = 0; i < NITEMS(elements) && elements[i].e != e; i++)
		;
	if (i == NITEMS(elements) || elements[i].size == 0)
		return;
	if (elements[i].size == 1)
		head_field(x, e);
	else
		text_clean(x->text, (char *)x + elements[i].off,
		    elements[i].size);
}

/* whole: its end was there.  A record is if all in it is that counts. */
static void
element_end(struct xml *x, bool whole)
{
	enum element e = x->stack[x->depth];
	struct record *r = &x->r;

	x->depth--;
	x->text.p = x->buf;
	if (x->mend != NULL)
		x->text.n = latin(x->buf, x->text.n, sizeof(x->buf));
	if (e == E_DKIM)
		auth_keep(r->dv, &r->nd, &r->d);
	else if (e == E_SPF)
		auth_keep(r->sv, &r->ns, &r->s);
	else if (e == E_RECORD)
		record_end(x, whole || (r->row && r->results));
	else if (e == E_FEEDBACK)
		x->over = true;
	else
		leaf(x, e);
	r->row = r->row || (e == E_ROW && whole);
	r->results = r->results || (e == E_AUTH && whole);
	x->text.n = 0;
}

static void XMLCALL
on_end(void *arg, const char *name)
{
	struct xml *x = arg;

	if (x->why == NULL && x->depth > 0)
		element_end(x, true);
}

/* ---- records ------------------------------------------------------------- */

static bool
passed(const char *result)
{
	return slice_caseis(slice_str(result), "pass");
}

/* Is one the other, or below it?  Relaxed enough to choose what to show. */
static bool
related(const char *a, const char *b)
{
	char x[IN_DOMAIN], y[IN_DOMAIN];

	return domain_ascii(slice_str(a), x) == 0 &&
	    domain_ascii(slice_str(b), y) == 0 &&
	    (domain_within(x, y) || domain_within(y, x));
}

/* Of several results the one that says most: passed and of the author's
 * domain, else passed, else the first. */
static const struct auth *
best(const struct auth *v, size_t n, const char *from)
{
	static const struct auth none = { "", "", "" };
	const struct auth *b = n > 0 ? v : &none;
	size_t i;

	for (i = n; i-- > 0;)
		if (passed(v[i].result) && (!passed(b->result) ||
		    !related(b->domain, from) || related(v[i].domain, from)))
			b = &v[i];
	return b;
}

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)ascii_lower((unsigned char)*s);
}

static void
count(struct in_head *h, const struct record *r, uint64_t n)
{
	h->messages = sum_add(h->messages, n);
	if (passed(r->dkim) || passed(r->spf))
		h->pass = sum_add(h->pass, n);
	if (strcmp(r->disposition, "quarantine") == 0)
		h->quarantined = sum_add(h->quarantined, n);
	else if (strcmp(r->disposition, "reject") == 0)
		h->rejected = sum_add(h->rejected, n);
}

/* Beyond what is kept apart: one row for each outcome. */
static void
row_add(struct xml *x, const struct record *r, uint64_t n)
{
	const struct auth *d = best(r->dv, r->nd, r->from);
	const struct auth *s = best(r->sv, r->ns, r->from);
	struct line l = { .n = 0 };
	size_t i;

	line_word(&l, r->ip);
	line_word(&l, r->disposition);
	line_word(&l, passed(r->dkim) ? "pass" : "fail");
	line_word(&l, passed(r->spf) ? "pass" : "fail");
	line_word(&l, r->reason);
	line_word(&l, r->from);
	line_word(&l, r->envelope);
	line_word(&l, d->domain);
	line_word(&l, d->selector);
	line_word(&l, d->result);
	line_word(&l, s->domain);
	line_word(&l, s->result);
	if (rows_add(x->out->rows, slice_of(l.p, l.n), n) == 0)
		return;
	l.n = 0;
	line_word(&l, "others");
	line_word(&l, r->disposition);
	line_word(&l, passed(r->dkim) ? "pass" : "fail");
	line_word(&l, passed(r->spf) ? "pass" : "fail");
	for (i = 4; i < DMARC_WORDS; i++)
		line_word(&l, "");
	if (rows_rest(x->out->rows, slice_of(l.p, l.n), n) == -1)
		x->out->head.skipped++;
}

/* Only what a reporter may say. */
static void
disposition(char *s)
{
	lower(s);
	if (strcmp(s, "quarantine") != 0 && strcmp(s, "reject") != 0)
		strlcpy(s, "none", 16);
}

static void
record_end(struct xml *x, bool whole)
{
	struct record *r = &x->r;
	struct ipaddr ip;
	uint64_t n;

	if (!whole || slice_number(slice_str(r->count), COUNT_MAX, &n) == -1 ||
	    ipaddr_parse(slice_str(r->ip), &ip) == -1) {
		x->out->head.skipped++;
	} else {
		ipaddr_print(&ip, r->ip, sizeof(r->ip));
		disposition(r->disposition);
		lower(r->from);
		lower(r->envelope);
		count(&x->out->head, r, n);
		row_add(x, r, n);
	}
	r->nd = r->ns = 0;
	r->ip[0] = r->count[0] = r->disposition[0] = r->dkim[0] = '\0';
	r->spf[0] = r->reason[0] = r->from[0] = r->envelope[0] = '\0';
	r->row = r->results = false;
	r->d = r->s = (struct auth){ "", "", "" };
}

/* ---- what expat tells ---------------------------------------------------- */

static void XMLCALL
on_doctype(void *arg, const char *name, const char *sys, const char *pub,
    int internal)
{
	refuse(arg, "XML with a document type");
}

static void XMLCALL
on_entity(void *arg, const char *name, int param, const char *value, int n,
    const char *base, const char *sys, const char *pub, const char *notation)
{
	refuse(arg, "XML with entities");
}

/* Charsets expat does not know but reporters write: octets as they are. */
static int XMLCALL
on_encoding(void *arg, const char *name, XML_Encoding *info)
{
	int i;

	if (!slice_casestarts(slice_str(name), "windows-125") &&
	    !slice_casestarts(slice_str(name), "iso-8859-"))
		return XML_STATUS_ERROR;
	for (i = 0; i < 256; i++)
		info->map[i] = i;
	info->data = NULL;
	info->convert = NULL;
	info->release = NULL;
	return XML_STATUS_OK;
}

/* ---- what is no XML ------------------------------------------------------ */

/* Octets that are no UTF-8 as the Latin-1 they mostly are. */
static size_t
latin(char *p, size_t n, size_t size)
{
	char out[4 * sizeof(((struct xml *)0)->buf)];
	size_t i, k = 0;
	uint32_t c;
	int len;

	for (i = 0; i < n && k + 4 < sizeof(out); i += (size_t)len) {
		len = utf8_get(p + i, n - i, &c);
		if (len <= 0) {
			len = 1;
			c = (unsigned char)p[i];
		}
		k += utf8_put(c, out + k);
	}
	k = k < size ? k : size;
	memcpy(p, out, k);
	return k;
}

static bool
is_leaf(enum element e)
{
	size_t i;

	for (i = 0; i < NITEMS(elements); i++)
		if (elements[i].e == e)
			return elements[i].size > 0;
	return false;
}

/*
 * What opens within an element that does not know it, but would where one
 * further out stands, closes what is between.  A group does so anywhere; what
 * holds text does in the nearest element that we know, and behind another
 * that holds text.
 */
static unsigned int
mend_place(void *arg, unsigned int depth, const char *name)
{
	struct xml *x = arg;
	bool text = is_leaf(x->stack[depth]);
	bool near = x->stack[depth] == E_OTHER;
	enum element e;
	unsigned int at;

	if (depth == 0)
		return find(E_ROOT, name) == E_FEEDBACK ? 0 : MEND_NOWHERE;
	if (find(x->stack[depth], name) != E_OTHER)
		return depth;
	for (at = depth - 1; at > 0; at--) {
		e = find(x->stack[at], name);
		if (e != E_OTHER && (text || near || !is_leaf(e)))
			return at;
		near = near && x->stack[at] == E_OTHER;
	}
	return text ? MEND_NOWHERE : depth;
}

static const char *
mend_start(void *arg, unsigned int depth, const char *name)
{
	struct xml *x = arg;

	element_start(x, name);
	if (x->why == NULL && depth == 1 &&
	    strstr(x->m.tag, "dmarc-2.0") != NULL)
		strlcpy(x->out->head.form, "9990", IN_TEXT);
	return x->why;
}

static void
mend_chars(void *arg, const char *p, size_t n)
{
	on_text(arg, p, (int)n);
}

static void
mend_over(void *arg, unsigned int depth, bool whole)
{
	element_end(arg, whole);
}

/* ---- the document -------------------------------------------------------- */

static int
expat_new(struct xml *x)
{
	if ((x->expat = XML_ParserCreate(NULL)) == NULL)
		return -1;
	XML_SetHashSalt(x->expat, 1 | (unsigned long)random_u64());
	XML_SetUserData(x->expat, x);
	XML_SetElementHandler(x->expat, on_start, on_end);
	XML_SetCharacterDataHandler(x->expat, on_text);
	XML_SetStartDoctypeDeclHandler(x->expat, on_doctype);
	XML_SetEntityDeclHandler(x->expat, on_entity);
	XML_SetUnknownEncodingHandler(x->expat, on_encoding, NULL);
	return 0;
}

struct xml *
xml_new(struct in_report *out, const struct in_house *house, const char *mend)
{
	struct xml *x = xcalloc(1, sizeof(*x));

	x->out = out;
	x->house = house;
	x->mend = mend;
	x->stack[0] = E_ROOT;
	x->text.p = x->buf;
	x->m.arg = x;
	x->m.place = mend_place;
	x->m.start = mend_start;
	x->m.chars = mend_chars;
	x->m.end = mend_over;
	if (mend == NULL && expat_new(x) == -1) {
		free(x);
		return NULL;
	}
	strlcpy(out->head.form, "7489", sizeof(out->head.form));
	return x;
}

bool
xml_broken(const struct xml *x)
{
	return x->broken;
}

void
xml_free(struct xml *x)
{
	if (x == NULL)
		return;
	if (x->expat != NULL)
		XML_ParserFree(x->expat);
	free(x);
}

/* There is something behind the end of the report. */
static void
behind(struct xml *x)
{
	strlcpy(x->out->head.mended, "more behind its end",
	    sizeof(x->out->head.mended));
}

/* A token that does not end is read again from its start with every piece:
 * it may not be long. */
static int
piece(struct xml *x, const char *p, size_t n, int last)
{
	XML_Index at;

	x->fed += n;
	if (XML_Parse(x->expat, p, (int)n, last) == XML_STATUS_ERROR) {
		if (x->why == NULL && x->over) {
			behind(x);
			return 0;
		}
		if (x->why != NULL)
			return -1;
		if (XML_GetErrorCode(x->expat) == XML_ERROR_NO_MEMORY) {
			x->why = "out of memory";
			return -1;
		}
		x->broken = true;
		x->why = last ? "XML ends early" : "XML is damaged";
		return -1;
	}
	at = XML_GetCurrentByteIndex(x->expat);
	if (!last && at >= 0 && x->fed > (uint64_t)at &&
	    x->fed - (uint64_t)at > XML_TOKEN) {
		x->why = "XML with a token that is too long";
		x->broken = true;
		return -1;
	}
	return 0;
}

int
xml_feed(struct xml *x, const char *p, size_t n)
{
	size_t i, k;
	int rc;

	if (x->why != NULL)
		return -1;
	for (i = 0; i < n && !x->over; i += k) {
		k = n - i < XML_PIECE ? n - i : XML_PIECE;
		rc = x->mend != NULL ? mend_feed(&x->m, p + i, k) :
		    piece(x, p + i, k, 0);
		if (rc == -1)
			return -1;
	}
	for (; i < n; i++)
		if (strchr(" \t\r\n", p[i]) == NULL) {
			behind(x);
			break;
		}
	return 0;
}

/* The end of what was fed. */
static void
finish(struct xml *x)
{
	struct in_head *h = &x->out->head;

	if (x->why == NULL && x->mend == NULL)
		piece(x, "", 0, 1);
	else if (x->why == NULL && !x->over)
		mend_end(&x->m);
	if (x->why == NULL && !x->over) {
		x->why = x->mend != NULL ? x->mend : "XML ends early";
		x->broken = true;
	}
	if (x->mend == NULL)
		return;
	if (x->why == NULL && h->messages == 0)
		x->why = x->mend;	/* not a row of it is whole */
	strlcpy(h->mended, x->mend, sizeof(h->mended));
}

/* "p=none sp=reject": what was published, as the reporter saw it. */
static void
policy(struct xml *x)
{
	const struct { const char *tag, *value; } tags[] = {
		{ "p", x->p }, { "sp", x->sp }, { "np", x->np },
		{ "adkim", x->adkim }, { "aspf", x->aspf },
		{ "pct", x->pct }, { "testing", x->testing },
		{ "discovery", x->method }
	};
	char *out = x->out->head.policy;
	size_t i;

	for (i = 0; i < NITEMS(tags); i++) {
		if (tags[i].value[0] == '\0')
			continue;
		strlcat(out, *out != '\0' ? " " : "", IN_TEXT);
		strlcat(out, tags[i].tag, IN_TEXT);
		strlcat(out, "=", IN_TEXT);
		strlcat(out, tags[i].value, IN_TEXT);
	}
}

int
xml_end(struct xml *x, const char **why)
{
	struct in_head *h = &x->out->head;
	uint64_t t;

	finish(x);
	if (x->why == NULL && h->domain[0] == '\0')
		x->why = "DMARC report without a domain";
	if (x->why == NULL && house_domain(x->house, h->domain) == NULL)
		x->why = "DMARC report about another domain";
	if (x->why == NULL && h->skipped > 0 && h->messages == 0)
		x->why = "DMARC report without a record that makes sense";
	if (x->why != NULL) {
		*why = x->why;
		return -1;
	}
	h->kind = IN_DMARC;
	if (slice_number(slice_str(x->begin), INT32_MAX * 4ULL, &t) == 0)
		h->begin = t;
	if (slice_number(slice_str(x->end), INT32_MAX * 4ULL, &t) == 0)
		h->end = t;
	policy(x);
	return 0;
}
