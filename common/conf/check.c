/*
 * What the whole configuration must be, beyond its single values: things
 * that are missing or contradict each other, and defaults that depend on
 * others.  Each fault is told with the key it is at, what is, where the other
 * key of a contradiction stands, and what would be right.  Called by maild
 * only.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/capability.h"
#include "parse/ipaddr.h"
#include "conf/conf.h"
#include "conf/key.h"

struct faults {
	const struct conf *c;
	conf_tell	*tell;
	void		*arg;
	unsigned int	 n;
};

static void	 fault(struct faults *, const char *, size_t, const char *, ...)
		    __attribute__((format(printf, 4, 5)));
static void	 finish_listen(struct conf *);
static void	 finish_cert(struct conf *);
static void	 finish_reports(struct conf *);
static void	 finish_warn(struct conf *);
static void	 check_listen(struct faults *);
static void	 check_cert(struct faults *);
static void	 check_domains(struct faults *);
static void	 check_reports(struct faults *);
static void	 check_ranges(struct faults *);
static void	 check_relay(struct faults *);
static void	 check_oauth(struct faults *);
static void	 check_quirks(struct faults *);
static void	 check_directories(struct faults *);

static void
fault(struct faults *f, const char *key, size_t index, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->tell(key, (unsigned int)index, text, f->arg);
	f->n++;
}

unsigned int
conf_finish(struct conf *c, conf_tell *tell, void *arg)
{
	struct faults f = { c, tell, arg, 0 };

	if (c->hostname == NULL)
		fault(&f, "hostname", 0, "missing; would be right: hostname: "
		    "mail.example.org");
	if (c->ndomains == 0)
		fault(&f, "domains", 0, "missing; would be right: domains: "
		    "[example.org]");
	if (f.n > 0)
		return f.n;		/* the rest depends on them */
	finish_listen(c);
	finish_cert(c);
	finish_reports(c);
	finish_warn(c);
	check_domains(&f);
	check_listen(&f);
	check_cert(&f);
	check_reports(&f);
	check_ranges(&f);
	check_relay(&f);
	check_oauth(&f);
	check_quirks(&f);
	check_directories(&f);
	return f.n;
}

static void
listen_add(struct conf *c, const char *address, enum conf_protocol p)
{
	struct conf_listen *l = &c->listen[c->nlisten++];

	l->address = xstrdup(address);
	l->protocol = p;
	l->port = conf_protocol_port(p);
	l->plaintext_auth = false;
}

/* No listeners: all protocols on all addresses.  Else a port tells the
 * protocol and the protocol its port. */
static void
finish_listen(struct conf *c)
{
	if (c->nlisten == 0)
		for (int p = PROTO_SMTP; p <= PROTO_POP3S; p++) {
			listen_add(c, "0.0.0.0", (enum conf_protocol)p);
			listen_add(c, "::", (enum conf_protocol)p);
		}
	for (size_t i = 0; i < c->nlisten; i++) {
		struct conf_listen *l = &c->listen[i];

		if (l->protocol != CONF_NO_PROTOCOL) {
			if (l->port == 0)
				l->port = conf_protocol_port(l->protocol);
			continue;
		}
		for (int p = PROTO_SMTP; p <= PROTO_POP3S; p++)
			if (l->port != 0 &&
			    conf_protocol_port((enum conf_protocol)p) == l->port)
				l->protocol = (enum conf_protocol)p;
	}
}

static void
finish_cert(struct conf *c)
{
	struct conf_cert *t = &c->cert[0];
	size_t n = strlen(c->dir.tls) + strlen(c->hostname) + 8;

	if (c->ncert != 0)
		return;
	t->certificate = xcalloc(1, n);
	t->key = xcalloc(1, n);
	snprintf(t->certificate, n, "%s/%s.crt", c->dir.tls, c->hostname);
	snprintf(t->key, n, "%s/%s.key", c->dir.tls, c->hostname);
	c->ncert = 1;
}

static char *
address_at(const char *local, const char *domain)
{
	size_t n = strlen(local) + strlen(domain) + 2;
	char *s = xcalloc(1, n);

	snprintf(s, n, "%s@%s", local, domain);
	return s;
}

static void
finish_warn(struct conf *c)
{
	if (c->nquota_warn > 0)
		return;
	c->quota_warn[0] = 80;
	c->quota_warn[1] = 95;
	c->nquota_warn = 2;
}

/* What comes back about our reports comes to where reports come in. */
static void
finish_reports(struct conf *c)
{
	if (c->reports.from == NULL)
		c->reports.from = address_at("dmarc-reports", c->domains[0]);
	if (c->reports.contact == NULL)
		c->reports.contact = address_at("postmaster", c->domains[0]);
	if (c->reports.naddresses > 0)
		return;
	for (size_t i = 0; i < c->ndomains; i++) {
		char **a = c->reports.addresses + c->reports.naddresses;

		a[0] = address_at("dmarc-reports", c->domains[i]);
		a[1] = address_at("tls-reports", c->domains[i]);
		c->reports.naddresses += 2;
	}
}

size_t
conf_domain(const struct conf *c, const char *name)
{
	size_t i;

	for (i = 0; i < c->ndomains; i++)
		if (strcasecmp(c->domains[i], name) == 0)
			break;
	return i;
}

/* ---- contradictions ------------------------------------------------------ */

/* Where the value stands, as words of a message. */
struct words { char s[40]; };
static struct words
stands(const struct faults *f, const char *key, size_t index)
{
	struct conf_place p = conf_place(f->c, key, (unsigned int)index);
	struct words w;

	if (p.line == 0)
		snprintf(w.s, sizeof(w.s), "the default");
	else
		snprintf(w.s, sizeof(w.s), "line %u", p.line);
	return w;
}

/* The value as it is written. */
static struct words
value(const struct faults *f, const char *key)
{
	char buf[CONF_VALUE_MAX];
	const struct conf_key *k = conf_find(key);
	struct words w;

	conf_format(k, conf_cat(f->c, k, 0), buf);
	strlcpy(w.s, buf, sizeof(w.s));
	return w;
}

static void
check_domains(struct faults *f)
{
	const struct conf *c = f->c;

	for (size_t i = 0; i < c->ndomains; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(c->domains[i], c->domains[j]) == 0)
				fault(f, "domains", i, "%s stands in %s "
				    "already; one must go", c->domains[i],
				    stands(f, "domains", j).s);
}

/* Cannot both be listened on: the same, however written, or one is all
 * addresses of the other's family. */
static bool
address_clash(const char *a, const char *b)
{
	static const uint8_t any[16] = { 0 };
	struct ipaddr x, y;
	size_t n;

	if (ipaddr_parse(slice_str(a), &x) == -1 ||
	    ipaddr_parse(slice_str(b), &y) == -1 || x.family != y.family)
		return false;
	n = x.family == 4 ? 4 : 16;
	return memcmp(x.b, y.b, n) == 0 || memcmp(x.b, any, n) == 0 ||
	    memcmp(y.b, any, n) == 0;
}

static void
check_listen_twice(struct faults *f, size_t i)
{
	const struct conf_listen *l = f->c->listen, *other;

	for (size_t j = 0; j < i; j++) {
		other = &l[j];
		if (other->address != NULL && l[i].port == other->port &&
		    address_clash(l[i].address, other->address))
			fault(f, "listen.address", i, "%s port %u is that of "
			    "entry %zu, %s port %u in %s; one must go",
			    l[i].address, l[i].port, j + 1, other->address,
			    other->port, stands(f, "listen.address", j).s);
	}
}

static void
check_listen(struct faults *f)
{
	for (size_t i = 0; i < f->c->nlisten; i++) {
		const struct conf_listen *l = &f->c->listen[i];

		if (l->address == NULL)
			fault(f, "listen.address", i, "entry %zu has none; "
			    "would be right: address: 0.0.0.0", i + 1);
		else if (l->protocol == CONF_NO_PROTOCOL && l->port == 0)
			fault(f, "listen.protocol", i, "entry %zu has neither "
			    "port nor protocol; would be right: protocol: "
			    "smtp", i + 1);
		else if (l->protocol == CONF_NO_PROTOCOL)
			fault(f, "listen.port", i, "%u belongs to no protocol; "
			    "would be right beside it: protocol: smtp",
			    l->port);
		else
			check_listen_twice(f, i);
	}
}

static void
check_cert(struct faults *f)
{
	for (size_t i = 0; i < f->c->ncert; i++)
		if (f->c->cert[i].certificate == NULL)
			fault(f, "tls.key", i, "has no certificate beside it; "
			    "would be right: certificate: "
			    "/etc/maild/tls/chain.pem");
		else if (f->c->cert[i].key == NULL)
			fault(f, "tls.certificate", i, "has no key beside it; "
			    "would be right: key: /etc/maild/tls/key.pem");
		else if (strcmp(f->c->cert[i].certificate,
		    f->c->cert[i].key) == 0)
			fault(f, "tls.key", i, "is the same file as "
			    "certificate, %s; would be right: one for the key "
			    "alone, mode 0600", stands(f, "tls.certificate",
			    i).s);
}

/* Reports come in at addresses that are here. */
static void
check_reports(struct faults *f)
{
	const struct conf *c = f->c;

	for (size_t i = 0; i < c->reports.naddresses; i++) {
		const char *a = c->reports.addresses[i];
		const char *domain = strrchr(a, '@') + 1;

		if (conf_domain(c, domain) == c->ndomains &&
		    strcasecmp(domain, c->hostname) != 0)
			fault(f, "reports.addresses", i, "%s is in none of "
			    "domains, %s; would be right: dmarc-reports@%s",
			    a, stands(f, "domains", 0).s, c->domains[0]);
	}
}

/* The first must not be more than the second; told at the one that is no
 * default. */
static void
fault_order(struct faults *f, const char *less, const char *more)
{
	const char *l = strchr(less, '.') + 1, *m = strchr(more, '.') + 1;

	if (conf_place(f->c, less, 0).line == 0)
		fault(f, more, 0, "%s is less than %s, %s (%s); would be "
		    "right: at least %s", value(f, more).s, l,
		    value(f, less).s, stands(f, less, 0).s, value(f, less).s);
	else
		fault(f, less, 0, "%s is more than %s, %s (%s); would be "
		    "right: at most %s", value(f, less).s, m,
		    value(f, more).s, stands(f, more, 0).s, value(f, more).s);
}

static void
check_ranges(struct faults *f)
{
	const struct conf *c = f->c;

	if (c->queue.retry_min > c->queue.retry_max)
		fault_order(f, "queue.retry-min", "queue.retry-max");
	if (c->log.size > c->log.max)
		fault_order(f, "log.size", "log.max");
}

static void
check_relay(struct faults *f)
{
	const struct conf *c = f->c;

	if (c->relay.user != NULL && c->relay.password_file == NULL)
		fault(f, "relay.user", 0, "has no password-file beside it; "
		    "would be right: password-file: "
		    "/etc/maild/smarthost.password");
	if (c->relay.user == NULL && c->relay.password_file != NULL)
		fault(f, "relay.password-file", 0, "has no user beside it; "
		    "would be right: user: me@example.org");
	if (c->relay.user != NULL && c->relay.smarthost == NULL)
		fault(f, "relay.user", 0, "is for a smarthost, and there is "
		    "none; would be right: smarthost: smtp.example.org");
}

/* A token of any issuer, or for any service, would let in: both are said. */
static void
check_oauth(struct faults *f)
{
	const struct conf *c = f->c;

	if (c->oauth.keys == NULL)
		return;
	if (c->oauth.issuer == NULL)
		fault(f, "oauth.keys", 0, "has no issuer beside it; would be "
		    "right: issuer: https://login.example.org");
	if (c->oauth.audience == NULL)
		fault(f, "oauth.keys", 0, "has no audience beside it; would "
		    "be right: audience: mail");
}

/* Is path that directory, or below it? */
static bool
path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return strncmp(path, dir, n) == 0 &&
	    (path[n] == '/' || path[n] == '\0');
}

/* A row that does nothing, or says what no capability can be. */
static void
check_quirks(struct faults *f)
{
	const struct conf_quirk *q;

	for (size_t i = 0; i < f->c->nquirk; i++) {
		q = &f->c->quirk[i];
		if (q->hide == NULL && q->show == NULL)
			fault(f, "imap-quirks.hide", i, "missing; would be "
			    "right: capabilities to hide, or to show");
		if (q->hide != NULL && !capability_words(q->hide))
			fault(f, "imap-quirks.hide", i, "not capabilities; "
			    "would be right: QRESYNC CONDSTORE");
		if (q->show != NULL && !capability_words(q->show))
			fault(f, "imap-quirks.show", i, "not capabilities; "
			    "would be right: XLIST");
	}
}

/* Each is the wall of another process: none may hold another. */
static void
check_directories(struct faults *f)
{
	const struct conf *c = f->c;
	const struct { const char *key, *path; } d[] = {
		{ "directories.spool", c->dir.spool },
		{ "directories.store", c->dir.store },
		{ "directories.auth", c->dir.auth },
		{ "directories.log", c->dir.log },
		{ "directories.reports-in", c->dir.reports_in },
		{ "directories.reports-out", c->dir.reports_out },
		{ "directories.empty", c->dir.empty },
		{ "dkim.directory", c->dkim.directory },
	};

	for (size_t i = 0; i < NITEMS(d); i++)
		for (size_t j = 0; j < NITEMS(d); j++)
			if (i != j && path_within(d[i].path, d[j].path) &&
			    (j < i || strcmp(d[i].path, d[j].path) != 0))
				fault(f, d[i].key, 0, "%s is %s%s, %s; would "
				    "be right: a directory of its own",
				    d[i].path, strcmp(d[i].path,
				    d[j].path) == 0 ? "" : "in ", d[j].key,
				    stands(f, d[j].key, 0).s);
}
