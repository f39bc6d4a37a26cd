/*
 * From a message to the report in it.  Reporters agree on little: the part
 * is found by type and file name, what it is is told from its first octets.
 * Nothing inside a message/rfc822 part is taken for a report: that is mail
 * about mail.  report-in.  Pure but for memory.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/cte.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/mime.h"
#include "parse/words.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/proc.h"
#include "report/in/in.h"

#define TRIES_MAX	8	/* attachments looked at */
#define HEADER_READ	(64U * 1024)	/* octets of a part's header */
#define FIELDS_READ	(256U * 1024)	/* of a feedback report */

/* ---- one attachment ------------------------------------------------------ */

/* Takes unpacked octets: XML goes on to its parser, JSON is collected. */
struct taker {
	struct in_report *r;
	const struct in_house *house;
	const char	*mend;		/* as of xml_new */
	const char	*why;
	bool		 broken;	/* may be mended */
	enum { T_START, T_XML, T_JSON } state;
	struct xml	*xml;
	char		*json;
	size_t		 n, cap;
};

static int
json_add(struct taker *t, const char *p, size_t n)
{
	if (n > JSON_MAX - t->n) {
		t->why = "JSON is too large";
		return -1;
	}
	if (n > t->cap - t->n) {
		t->cap = t->n + n > t->cap * 2 ? t->n + n : t->cap * 2;
		t->json = xreallocarray(t->json, t->cap, 1);
	}
	memcpy(t->json + t->n, p, n);
	t->n += n;
	return 0;
}

/* The first octet that is none of blanks and byte order marks tells. */
static int
begin(struct taker *t, const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n && strchr(" \t\r\n\xef\xbb\xbf", p[i]) != NULL &&
	    p[i] != '\0'; i++)
		;
	if (i == n)
		return 0;
	if (p[i] == '{' && t->mend == NULL) {
		t->state = T_JSON;
		return json_add(t, p + i, n - i);
	}
	if (p[i] != '<' && p[i] != '\xff' && p[i] != '\xfe' &&
	    t->mend == NULL) {
		t->why = "neither XML nor JSON";
		t->broken = true;
		return -1;
	}
	t->state = T_XML;
	if ((t->xml = xml_new(t->r, t->house, t->mend)) == NULL) {
		t->why = "out of memory";
		return -1;
	}
	return xml_feed(t->xml, p + i, n - i);
}

static int
take(void *arg, const char *p, size_t n)
{
	struct taker *t = arg;

	switch (t->state) {
	case T_START:
		return begin(t, p, n);
	case T_XML:
		return xml_feed(t->xml, p, n);
	case T_JSON:
		return json_add(t, p, n);
	}
	return -1;
}

/* All octets were given, or rc is -1 and unpacking says why (or NULL). */
static int
taken(struct taker *t, int rc, const char *unpack_why, const char **why)
{
	*why = NULL;
	if (rc == -1 && unpack_why != NULL)
		*why = unpack_why;
	else if (t->why != NULL)
		*why = t->why;
	else if (t->state == T_XML)
		rc = xml_end(t->xml, why);
	else if (t->state == T_JSON)
		rc = tls_report(slice_of(t->json, t->n), t->r, t->house, why);
	else
		*why = "empty attachment";
	t->broken = t->broken || (t->xml != NULL && xml_broken(t->xml));
	xml_free(t->xml);
	free(t->json);
	return *why == NULL && rc == 0 ? 0 : -1;
}

/* Rows and head of a report that came to nothing. */
static void
again(struct in_report *r)
{
	rows_free(r->rows);
	r->rows = rows_new();
	memset(&r->head, 0, sizeof(r->head));
}

/* One file, as far as it goes, and if it is no XML once more as what it may
 * have meant; e: within an archive, else in is the file, packed or not. */
static int
file_read(struct slice in, const struct zip_entry *e, struct unpack *u,
    struct in_report *r, const struct in_house *house, const char **why)
{
	struct unpack before = *u;
	const char *first = NULL;
	struct taker t;
	int rc;

	do {
		again(r);
		t = (struct taker){ .r = r, .house = house, .mend = first };
		*u = before;
		u->arg = &t;
		u->why = NULL;
		if (e != NULL)
			rc = entry_unpack(u, e->data, e->method, e->size,
			    e->crc);
		else if (in.n > 2 && memcmp(in.p, "\x1f\x8b", 2) == 0)
			rc = gzip_unpack(u, in);
		else
			rc = in.n > 0 ? take(&t, in.p, in.n) : 0;
		rc = taken(&t, rc, u->why, why);
		if (first != NULL && rc == -1)
			*why = first;
		else if (rc == -1 && t.broken)
			first = *why;
	} while (rc == -1 && t.broken && t.mend == NULL);
	return rc;
}

static int
zip_read(struct slice in, struct unpack *u, struct in_report *r,
    const struct in_house *house, const char **why)
{
	struct zip_entry e;
	struct zip z;
	int got;

	if (zip_open(&z, in) == -1) {
		*why = z.why;
		return -1;
	}
	*why = "zip archive without a file";
	while ((got = zip_next(&z, &e)) == 1) {
		if (e.name.n > 0 && e.name.p[e.name.n - 1] == '/')
			continue;
		if (slice_casestarts(e.name, "__MACOSX"))
			continue;
		if (file_read(in, &e, u, r, house, why) == 0)
			return 0;
		if (u->out >= UNPACK_MAX)
			return -1;
	}
	if (got == -1)
		*why = z.why;
	return -1;
}

/* u counts what all attachments of a message unpack to. */
static int
octets_read(struct slice in, struct unpack *u, struct in_report *r,
    const struct in_house *house, const char **why)
{
	if (in.n > house->max_packed) {
		*why = "larger than reports.max-size";
		return -1;
	}
	if (in.n > 4 && memcmp(in.p, "PK\3\4", 4) == 0)
		return zip_read(in, u, r, house, why);
	return file_read(in, NULL, u, r, house, why);
}

int
in_attachment(struct slice in, struct in_report *r,
    const struct in_house *house, const char **why)
{
	struct unpack u = { .sink = take };

	return octets_read(in, &u, r, house, why);
}

/* ---- the message --------------------------------------------------------- */

struct part {
	struct facts_part f;
	char	 type[64];
	char	 name[IN_TEXT];		/* of the file */
};

static struct slice
within(struct slice msg, uint64_t off, uint64_t len)
{
	if (off > msg.n)
		return slice_of("", 0);
	return slice_of(msg.p + off, len < msg.n - off ? (size_t)len :
	    msg.n - (size_t)off);
}

static void
parameters(struct slice header, const char *field, const char *param,
    char *type, size_t typen, char *name)
{
	struct params ps;
	char buf[4096];
	struct header_field f;
	const struct param *p;
	size_t n;

	if (header_find(header, field, 0, &f) != 1)
		return;
	params_parse(f.value, &ps, buf, sizeof(buf));
	if (type != NULL)
		text_clean(ps.type, type, typen);
	if ((p = params_get(&ps, param)) != NULL && name[0] == '\0') {
		n = param_utf8(p, name, IN_TEXT - 1);
		name[n] = '\0';
	}
}

static void
part_read(struct slice msg, const struct facts_part *f, struct part *p)
{
	struct slice header = within(msg, f->hdr_off,
	    f->hdr_len < HEADER_READ ? f->hdr_len : HEADER_READ);

	p->f = *f;
	p->type[0] = p->name[0] = '\0';
	parameters(header, "Content-Disposition", "filename", NULL, 0,
	    p->name);
	parameters(header, "Content-Type", "name", p->type, sizeof(p->type),
	    p->name);
}

static bool
ends(const char *s, const char *end)
{
	size_t n = strlen(s), e = strlen(end);

	return n >= e && slice_caseis(slice_of(s + n - e, e), end);
}

/* What may be a report by its type or its name. */
static bool
candidate(const struct part *p)
{
	static const char *const types[] = { "application/gzip",
	    "application/x-gzip", "application/gzip-compressed",
	    "application/zip", "application/x-zip",
	    "application/x-zip-compressed", "application/xml", "text/xml",
	    "application/json", "application/tlsrpt+json",
	    "application/tlsrpt+gzip" };
	static const char *const names[] = { ".gz", ".gzip", ".zip", ".xml",
	    ".json" };
	size_t i;

	for (i = 0; i < NITEMS(types); i++)
		if (slice_caseis(slice_str(p->type), types[i]))
			return true;
	for (i = 0; i < NITEMS(names); i++)
		if (ends(p->name, names[i]))
			return true;
	return slice_casestarts(slice_str(p->type), "application/octet-stream");
}

/* The body of a part without its transfer encoding, in fresh memory; NULL:
 * it is larger than max. */
static char *
decoded(struct slice msg, const struct facts_part *f, uint64_t max, size_t *n)
{
	struct slice in = within(msg, f->body_off, f->body_len);
	struct cte cte = { .cte = f->cte };
	char *out;

	if (in.n > max + max / 2 + CTE_SLACK)
		return NULL;
	out = xcalloc(1, in.n + CTE_SLACK);
	*n = cte_decode(&cte, in.p, in.n, 1, out, in.n + CTE_SLACK);
	return out;
}

static int
attachment(struct slice msg, const struct part *p, struct unpack *u,
    struct in_report *r, const struct in_house *house, const char **why)
{
	size_t n;
	char *octets = decoded(msg, &p->f, house->max_packed, &n);
	int rc;

	if (octets == NULL) {
		*why = "larger than reports.max-size";
		return -1;
	}
	rc = octets_read(slice_of(octets, n), u, r, house, why);
	free(octets);
	return rc;
}

/* The feedback report at i, and the message behind it. */
static int
feedback(struct slice msg, const char *facts, size_t factsn, int i, int parts,
    const struct part *p, struct in_report *r, const struct in_house *house,
    const char **why)
{
	struct slice original = { "", 0 };
	struct facts_part f;
	char *fields, *header = NULL;
	struct part q;
	size_t n, hn = 0;
	int rc;

	if ((fields = decoded(msg, &p->f, FIELDS_READ, &n)) == NULL) {
		*why = "feedback report is too large";
		return -1;
	}
	for (i++; i < parts && facts_nth(facts, factsn, i, &f) == 0; i++) {
		part_read(msg, &f, &q);
		if (f.type == FACTS_MESSAGE)
			original = within(msg, f.msg_hdr_off, f.msg_hdr_len);
		else if (slice_casestarts(slice_str(q.type),
		    "text/rfc822-headers") &&
		    (header = decoded(msg, &f, FIELDS_READ, &hn)) != NULL)
			original = slice_of(header, hn);
		else
			continue;
		break;
	}
	again(r);
	rc = arf_report(slice_of(fields, n), original, r, house, why);
	free(fields);
	free(header);
	return rc;
}

/* The field between the first two "!" of a TLS report's file name (RFC 8460
 * 5.1): SENDER!DOMAIN!BEGIN!END!ID.json.gz. */
static struct slice
about_name(const char *name)
{
	struct slice s = slice_str(name);
	size_t n = slice_find(s, '!');

	if (n == s.n)
		return slice_of("", 0);
	s = slice_of(s.p + n + 1, s.n - n - 1);
	n = slice_find(s, '!');
	return n == s.n ? slice_of("", 0) : slice_of(s.p, n);
}

/* What follows "Report Domain:" in a subject (RFC 8460 5.3). */
static struct slice
about_subject(struct slice s)
{
	static const char words[] = "report domain:";
	size_t i, n;

	for (i = 0; i < s.n && !slice_casestarts(slice_of(s.p + i, s.n - i),
	    words); i++)
		;
	if (i == s.n)
		return slice_of("", 0);
	s = slice_trim(slice_of(s.p + i + sizeof(words) - 1,
	    s.n - i - (sizeof(words) - 1)));
	for (n = 0; n < s.n && strchr(" \t\r\n,;", s.p[n]) == NULL; n++)
		;
	return slice_of(s.p, n);
}

/* Whom a TLS report is about as the mail has it; name: of the attachment. */
static void
about(struct slice msg, const char *name, struct in_report *r)
{
	struct slice header = slice_of(msg.p, header_len(msg.p, msg.n));
	struct slice from[3] = { { "", 0 }, { "", 0 }, about_name(name) };
	char subject[4 * IN_TEXT];
	struct header_field f;
	size_t i;

	if (header_find(header, "TLS-Report-Domain", 0, &f) == 1)
		from[0] = slice_trim(f.value);
	if (header_find(header, "Subject", 0, &f) == 1)
		from[1] = about_subject(slice_of(subject,
		    words_decode(f.value, subject, sizeof(subject))));
	r->about[0] = '\0';
	for (i = 0; i < NITEMS(from) && r->about[0] == '\0'; i++)
		if (domain_ascii(from[i], r->about) == -1)
			r->about[0] = '\0';
}

static int
parts_read(struct slice msg, const char *facts, size_t n, struct in_report *r,
    const struct in_house *house, const char **why)
{
	const char *first = NULL;
	struct facts_part f;
	uint64_t skip = 0;	/* till the end of a message inside */
	struct unpack u = { .sink = take };
	struct part p;
	int i, rc, parts = facts_nparts(facts, n), tries = 0;

	for (i = 0; i < parts && tries < TRIES_MAX; i++) {
		if (facts_nth(facts, n, i, &f) == -1)
			break;
		if (f.hdr_off < skip || f.type == FACTS_MULTIPART)
			continue;
		part_read(msg, &f, &p);
		if (f.type == FACTS_MESSAGE) {
			skip = f.body_off + f.body_len;
			continue;
		}
		if (slice_caseis(slice_str(p.type), "message/feedback-report"))
			return feedback(msg, facts, n, i, parts, &p, r, house,
			    why);
		if (!candidate(&p))
			continue;
		about(msg, p.name, r);
		rc = attachment(msg, &p, &u, r, house, why);
		if (rc == 0)
			return 0;
		tries++;
		if (first == NULL)
			first = *why;
	}
	*why = first != NULL ? first : "no report in it";
	return -1;
}

int
in_read(struct slice msg, struct in_report *r, const struct in_house *house,
    const char **why)
{
	size_t n;
	char *facts = mime_facts(msg.p, msg.n, &n);
	int rc;

	if (facts == NULL) {
		*why = "out of memory";
		return -1;
	}
	rc = parts_read(msg, facts, n, r, house, why);
	free(facts);
	return rc;
}
