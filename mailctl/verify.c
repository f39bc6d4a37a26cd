/*
 * mailctl verify, spf, dmarc: the verdict engine on a saved message, with
 * every question and reason, and the records of a domain explained.  Runs
 * here; maild is not asked.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <err.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"
#include "parse/address.h"
#include "parse/charset.h"
#include "parse/err.h"
#include "parse/header.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "mailctl/lookup.h"
#include "mailctl/mailctl.h"

#define MESSAGE_MAX	(256 * 1024 * 1024)	/* octets of a file */
#define CELL_TEXT	4096

/* What the options say. */
struct call {
	const char	*from, *ip, *helo, *dns, *receiver;
	int64_t		 now;
	bool		 partial;
	bool		 temp;		/* a result could not be found out */
	struct table	*table;
	struct lookup	*lookup;
};

static const char *options(struct call *, int, char **);
static void	 row(struct call *, const char *, const char *, const char *,
		    const char *, ...) __attribute__((format(printf, 5, 6)));
static void	 answer(struct call *, struct answers *);
static char	*load(const char *, size_t *);
static void	 facts(struct call *, struct verdict *, struct slice);
static void	 report(struct call *, const struct verdict *);
static void	 report_dkim(struct call *, const struct verdict *);
static void	 report_dmarc(struct call *, const struct dmarc *);
static void	 run_verify(struct call *, const char *);
static void	 run_spf_domain(struct call *, const char *);
static void	 run_dmarc_domain(struct call *, const char *);
static void	 spf_record(struct call *, struct answers *, const char *, int);

bool
verify_is_command(const char *name)
{
	return strcmp(name, "verify") == 0 || strcmp(name, "spf") == 0 ||
	    strcmp(name, "dmarc") == 0;
}

int
verify_command(int argc, char **argv, bool json)
{
	struct call c = { .helo = "", .receiver = "localhost",
	    .now = (int64_t)now_sec() };
	const char *what;

	if ((what = options(&c, argc, argv)) == NULL)
		errx(EX_USAGE, "usage: mailctl %s %s [--dns FILE]", argv[0],
		    strcmp(argv[0], "verify") == 0 ? "FILE [--from ADDRESS] "
		    "[--ip IP] [--helo NAME]" : "DOMAIN");
	c.table = table_new(json);
	c.lookup = lookup_new(c.dns);
	if (strcmp(argv[0], "verify") == 0)
		run_verify(&c, what);
	else if (strcmp(argv[0], "spf") == 0)
		run_spf_domain(&c, what);
	else
		run_dmarc_domain(&c, what);
	table_print(c.table);
	if (c.temp) {
		fflush(stdout);
		lookup_complain(c.lookup);
	}
	lookup_free(c.lookup);
	return c.temp ? EX_TEMPFAIL : EX_OK;
}

/* Returns the one word that is no option, or NULL. */
static const char *
options(struct call *c, int argc, char **argv)
{
	static const struct option opts[] = {
		{ "from", required_argument, NULL, 'f' },
		{ "ip", required_argument, NULL, 'i' },
		{ "helo", required_argument, NULL, 'h' },
		{ "dns", required_argument, NULL, 'd' },
		{ "now", required_argument, NULL, 'n' },
		{ "receiver", required_argument, NULL, 'r' },
		{ "partial", no_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	const char *bad = NULL;
	int ch;

	optind = 0;
	while ((ch = getopt_long(argc, argv, "", opts, NULL)) != -1)
		switch (ch) {
		case 'f':
			c->from = optarg;
			break;
		case 'i':
			c->ip = optarg;
			break;
		case 'h':
			c->helo = optarg;
			break;
		case 'd':
			c->dns = optarg;
			break;
		case 'n':
			c->now = strtonum(optarg, 0, INT64_MAX, &bad);
			if (bad != NULL)
				errx(EX_USAGE, "--now: %s", bad);
			break;
		case 'r':
			c->receiver = optarg;
			break;
		case 'p':
			c->partial = true;
			break;
		default:
			words_suggest(argc, argv);
			exit(EX_USAGE);
		}
	if (optind + 1 < argc)
		errx(EX_USAGE, "what is \"%s\"?", argv[optind + 1]);
	return optind < argc ? argv[optind] : NULL;
}

static void
put_cell(uint8_t *buf, size_t size, size_t *n, const char *name,
    const char *value)
{
	struct item_cell c = { .type = 's', .name = slice_str(name),
	    .value = slice_str(value) };

	if (item_cell_put(buf, size, n, &c) == -1)
		errx(EX_SOFTWARE, "a row is too long");
}

/* Octets that a terminal would obey are not printed.  A result that has to be
 * asked for again is told by the exit status too. */
static void
row(struct call *c, const char *step, const char *what, const char *result,
    const char *fmt, ...)
{
	uint8_t cells[3 * CELL_TEXT];
	char text[CELL_TEXT];
	va_list ap;
	size_t n = 0, i;

	if (strcmp(result, "temperror") == 0)
		c->temp = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (i = 0; text[i] != '\0'; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127)
			text[i] = '?';
	if (!utf8_valid(text, i))
		for (i = 0; text[i] != '\0'; i++)
			if (text[i] & 0x80)
				text[i] = '?';
	put_cell(cells, sizeof(cells), &n, "step", step);
	put_cell(cells, sizeof(cells), &n, "what", what);
	put_cell(cells, sizeof(cells), &n, "result", result);
	put_cell(cells, sizeof(cells), &n, "detail", text);
	if (table_add(c->table, slice_of((char *)cells, n)) == -1)
		errx(EX_SOFTWARE, "damaged row");
}

/* The records of an answer as one line. */
static void
answer_text(enum dns_type type, const struct rr *rr, size_t n, char *out,
    size_t size)
{
	struct ipaddr ip = { .family = type == DNS_A ? 4 : 6 };
	char address[IPADDR_TEXT_MAX];
	size_t i, k = 0;

	out[0] = '\0';
	for (i = 0; i < n && k < size; i++) {
		struct slice d = rr[i].data;

		if (type == DNS_A || type == DNS_AAAA) {
			if (d.n != (type == DNS_A ? 4 : 16))
				continue;
			memcpy(ip.b, d.p, d.n);
			ipaddr_print(&ip, address, sizeof(address));
			d = slice_str(address);
		}
		k += (size_t)snprintf(out + k, size - k, "%s%.*s",
		    i > 0 ? " | " : "", (int)d.n, d.p);
	}
}

static void
answer(struct call *c, struct answers *a)
{
	static const char *const status[] = {
		[DNS_OK] = "ok", [DNS_NXDOMAIN] = "nxdomain",
		[DNS_NODATA] = "nodata", [DNS_TEMP] = "no answer"
	};
	struct rr rr[LOOKUP_RRS];
	char what[ANSWER_NAME + 8], text[CELL_TEXT];
	enum dns_type type;
	enum dns_status s;
	const char *name;
	size_t n;

	while (answers_ask(a, &name, &type)) {
		s = lookup_ask(c->lookup, name, type, rr, &n);
		answers_put(a, name, type, s, rr, n);
		snprintf(what, sizeof(what), "%s %s", dns_type_name(type),
		    name);
		answer_text(type, rr, n, text, sizeof(text));
		row(c, "dns", what, status[s], "%s", text);
	}
}

/* A file with CRLF line ends, whatever it has. */
static char *
load(const char *path, size_t *n)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t cap = 0, len = 0, i, k;
	char *raw = NULL, *out;

	if (f == NULL)
		err(EX_NOINPUT, "%s", path);
	do {
		if (cap - len < 65536 && (raw = realloc(raw,
		    cap = 2 * cap + 131072)) == NULL)
			err(EX_OSERR, "memory");
		k = fread(raw + len, 1, cap - len, f);
		len += k;
	} while (k > 0 && len < MESSAGE_MAX);
	if (ferror(f) || len >= MESSAGE_MAX)
		errx(EX_NOINPUT, "%s: cannot be read, or too large", path);
	if (f != stdin)
		fclose(f);
	if (memmem(raw, len, "\r\n", 2) != NULL || len == 0) {
		*n = len;
		return raw;
	}
	if ((out = malloc(2 * len)) == NULL)
		err(EX_OSERR, "memory");
	for (i = k = 0; i < len; i++) {
		if (raw[i] == '\n')
			out[k++] = '\r';
		out[k++] = raw[i];
	}
	free(raw);
	*n = k;
	return out;
}

/* Envelope and client: from the options; the sender else from Return-Path. */
static void
facts(struct call *c, struct verdict *v, struct slice header)
{
	struct header_field f;
	struct slice from = slice_str(c->from == NULL ? "" : c->from);
	struct address a;
	struct ipaddr ip = { .family = 4 };

	if (c->ip != NULL && ipaddr_parse(slice_str(c->ip), &ip) == -1)
		errx(EX_USAGE, "--ip: \"%s\" is no address", c->ip);
	if (c->from == NULL && header_find(header, "Return-Path", 0, &f))
		from = f.value;
	memset(&a, 0, sizeof(a));
	if (from.n > 0 && !slice_is(from, "<>") &&
	    address_path(from.p, from.n, PATH_BARE | PATH_UTF8, &a, NULL) ==
	    -1)
		errx(EX_USAGE, "\"%.*s\" is no address", (int)from.n, from.p);
	verdict_client(v, &ip, c->helo);
	verdict_sender(v, slice_of(a.local, a.localn),
	    slice_of(a.domain, a.domainn));
}

static void
run_verify(struct call *c, const char *path)
{
	struct verdict *v = verdict_new();
	char *p, field[AUTHRES_MAX];
	size_t n, h;
	ssize_t len;

	if (v == NULL)
		err(EX_OSERR, "memory");
	p = load(path, &n);
	h = header_len(p, n);
	verdict_start(v, VERDICT_HELO | (c->partial ? VERDICT_PARTIAL : 0) |
	    (c->ip == NULL ? VERDICT_NOSPF : 0), c->receiver, c->now, 0);
	facts(c, v, slice_of(p, h));
	if (verdict_header(v, slice_of(p, h)) == -1)
		err(EX_OSERR, "memory");
	verdict_body(v, p + h, n - h);
	verdict_end(v);
	while (!verdict_run(v))
		answer(c, verdict_answers(v));
	report(c, v);
	len = authres_print(v, NULL, field, sizeof(field));
	for (n = 0; len > 0 && n < (size_t)len; n++)	/* one line of it */
		if (field[n] == '\r' || field[n] == '\n' || field[n] == '\t')
			field[n] = ' ';
	if (len > 0)
		row(c, "field", "", "", "%.*s", (int)len, field);
	verdict_free(v);
	free(p);
}

/* The term that decided, or why none did. */
static void
spf_row(struct call *c, const char *what, const struct spf *s)
{
	const char *why = s->why, *term = "";

	if (why == NULL) {
		why = s->term[0] != '\0' ? "matches " : "nothing matches";
		term = s->term;
	}
	row(c, what, s->domain, spf_name(s->result), "%s%s%s%s%s", why, term,
	    s->exp[0] != '\0' ? "; the domain says: " : "", s->exp,
	    s->lookups > SPF_LOOKUPS / 2 ? "; near the limit of lookups" : "");
}

static void
report(struct call *c, const struct verdict *v)
{
	const struct spf *s = verdict_spf(v);
	const struct arc *a = verdict_arc(v);
	int i;

	for (i = 0; i < 2 && c->ip != NULL && s != NULL; i++) {
		spf_row(c, i == 0 ? "spf" : "spf helo", s);
		s = verdict_spf_helo(v);
	}
	if (c->ip == NULL)
		row(c, "spf", "", "not run", "no --ip was given");
	report_dkim(c, v);
	if (a != NULL)
		row(c, "arc", a->domain, arc_name(a->result), "%d sets%s%s",
		    a->n, a->why != NULL ? "; " : "", a->why != NULL ?
		    a->why : "");
	report_dmarc(c, verdict_dmarc(v));
}

static void
report_dkim(struct call *c, const struct verdict *v)
{
	const struct dkim *d;
	size_t i;

	for (i = 0; i < verdict_ndkim(v); i++) {
		d = verdict_dkim(v, i);
		row(c, "dkim", d->domain, dkim_name(d->result),
		    "s=%s a=%s%s%s%s%s%s%s", d->selector, d->algorithm,
		    d->identity[0] != '\0' ? " i=" : "", d->identity,
		    d->testing ? ", key is for testing" : "",
		    d->partial ? ", l= leaves octets out" : "",
		    d->why != NULL ? ": " : "",
		    d->why != NULL ? d->why : "");
	}
	if (i == 0)
		row(c, "dkim", "", "none", "no signature");
	if (verdict_dkim_more(v) > 0)
		row(c, "dkim", "", "not run", "%zu more signatures",
		    verdict_dkim_more(v));
}

/* The tag whose policy counts. */
static const char *
tag_name(char tag)
{
	if (tag == 'p')
		return "p";
	return tag == 's' ? "sp" : "np";
}

static void
report_dmarc(struct call *c, const struct dmarc *d)
{
	static const char *const from[] = {
		[DMARC_FROM_OK] = "", [DMARC_FROM_MANY] = "several authors; ",
		[DMARC_FROM_MISSING] = "no From; ",
		[DMARC_FROM_TWICE] = "From twice; ",
		[DMARC_FROM_EMPTY] = "no domain in From; ",
		[DMARC_FROM_EXCESS] = "too many authors; "
	};

	if (d->tag == '\0') {
		row(c, "dmarc", d->author, dmarc_name(d->result), "%s%s",
		    from[d->from], d->why != NULL ? d->why : "");
		return;
	}
	row(c, "dmarc", d->author, dmarc_name(d->result),
	    "%sorganization %s, record at %s, %s=%s%s, asks for %s; "
	    "spf %s, dkim %s%s%s", from[d->from], d->org, d->at,
	    tag_name(d->tag), dmarc_policy_name(d->published),
	    d->testing ? " t=y" : "",
	    dmarc_policy_name(d->policy),
	    d->spf_aligned ? "aligned" : "not aligned",
	    d->dkim_aligned ? "aligned" : "not aligned",
	    d->why != NULL ? ": " : "", d->why != NULL ? d->why : "");
}

static void
run_spf_domain(struct call *c, const char *name)
{
	struct answers *a = answers_new();
	char domain[DOMAIN_TEXT];

	if (a == NULL)
		err(EX_OSERR, "memory");
	if (domain_ascii(slice_str(name), domain) == -1)
		errx(EX_USAGE, "\"%s\" is no domain", name);
	spf_record(c, a, domain, 0);
	answers_free(a);
}

/* Octets before the domain that the term names; 0: it names none. */
static size_t
spf_names(struct slice term)
{
	static const char *const with[] = { "redirect=", "include:",
	    "+include:" };
	size_t i;

	for (i = 0; i < NITEMS(with); i++)
		if (slice_casestarts(term, with[i]))
			return strlen(with[i]);
	return 0;
}

/* The record of a domain and, as far as they are plain, of those in it. */
static void
spf_record(struct call *c, struct answers *a, const char *domain, int depth)
{
	const struct answer *got;
	struct parse_err e;
	struct slice rec, term;
	char next[DOMAIN_TEXT];
	size_t i, skip;
	int found = 0;

	if (answers_get(a, domain, DNS_TXT) != NULL) {
		row(c, "spf", domain, "seen", "in the tree above");
		return;
	}
	answer(c, a);
	got = answers_get(a, domain, DNS_TXT);
	if (got == NULL || got->status == DNS_TEMP) {
		row(c, "spf", domain, "temperror", "no answer from the DNS");
		return;
	}
	for (i = 0; i < got->n; i++) {
		rec = got->rr[i].data;
		if (!slice_casestarts(rec, "v=spf1"))
			continue;
		found++;
		if (spf_check(rec, &e) == -1)
			row(c, "spf", domain, "permerror", "%s at octet %zu: "
			    "%.*s", e.why, e.off, (int)rec.n, rec.p);
		else
			row(c, "spf", domain, "good", "%.*s", (int)rec.n,
			    rec.p);
		while (rec.n > 0 && depth < SPF_DEPTH) {
			term = slice_of(rec.p, slice_find(rec, ' '));
			rec = slice_of(rec.p + term.n + (term.n < rec.n),
			    rec.n - term.n - (term.n < rec.n));
			skip = spf_names(term);
			if (skip > 0 && domain_ascii(slice_of(term.p + skip,
			    term.n - skip), next) == 0)
				spf_record(c, a, next, depth + 1);
		}
	}
	if (found != 1)
		row(c, "spf", domain, found == 0 ? "none" : "permerror",
		    found == 0 ? "no SPF record" : "more than one SPF record");
}

/* What applies to mail from this domain, and where it stands. */
static void
run_dmarc_domain(struct call *c, const char *name)
{
	struct dmarc_authors au = { .from = DMARC_FROM_OK, .n = 1 };
	struct answers *a = answers_new();
	struct slice rest, uri;
	struct dmarc d;

	if (a == NULL)
		err(EX_OSERR, "memory");
	if (domain_ascii(slice_str(name), au.domain[0]) == -1)
		errx(EX_USAGE, "\"%s\" is no domain", name);
	while (!dmarc_run(&au, NULL, NULL, 0, a, &d))
		answer(c, a);
	if (d.tag == '\0') {
		row(c, "dmarc", d.author, dmarc_name(d.result), "%s",
		    d.why == NULL ? "" : d.why);
		answers_free(a);
		return;
	}
	row(c, "dmarc", d.author, dmarc_policy_name(d.policy),
	    "organization %s, record at %s, %s=%s%s, adkim=%c aspf=%c",
	    d.org, d.at, tag_name(d.tag), dmarc_policy_name(d.published),
	    d.testing ? " t=y" : "", d.adkim, d.aspf);
	for (rest = d.rua; dmarc_uri_next(&rest, &uri); )
		row(c, "rua", d.at, "", "%.*s", (int)uri.n, uri.p);
	for (rest = d.ruf; dmarc_uri_next(&rest, &uri); )
		row(c, "ruf", d.at, "", "%.*s", (int)uri.n, uri.p);
	answers_free(a);
}
