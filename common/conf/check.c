/*
 * What the whole configuration must be, beyond its single values: things
 * that are missing or contradict each other, defaults that depend on
 * others, and the key somebody meant.  Called by maild only.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "base/util.h"
#include "conf/conf.h"
#include "conf/key.h"

#define NEAREST_MAX	64	/* octets of a key compared */

static void	 finish_listen(struct conf *);
static void	 finish_cert(struct conf *);
static void	 finish_reports(struct conf *);
static int	 check_listen(const struct conf *, char *, size_t);
static int	 check_cert(const struct conf *, char *, size_t);
static int	 check_reports(const struct conf *, char *, size_t);
static int	 check_ranges(const struct conf *, char *, size_t);

int
conf_finish(struct conf *c, char *err, size_t errsize)
{
	if (c->hostname == NULL) {
		snprintf(err, errsize, "hostname: missing; would be right: "
		    "hostname: mail.example.org");
		return -1;
	}
	if (c->ndomains == 0) {
		snprintf(err, errsize, "domains: missing; would be right: "
		    "domains: [example.org]");
		return -1;
	}
	finish_listen(c);
	finish_cert(c);
	finish_reports(c);
	if (check_listen(c, err, errsize) == -1 ||
	    check_cert(c, err, errsize) == -1 ||
	    check_reports(c, err, errsize) == -1)
		return -1;
	return check_ranges(c, err, errsize);
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

static int
check_listen(const struct conf *c, char *err, size_t errsize)
{
	for (size_t i = 0; i < c->nlisten; i++) {
		const struct conf_listen *l = &c->listen[i];

		if (l->address == NULL) {
			snprintf(err, errsize, "listen: entry %zu has no "
			    "address; would be right: address: 0.0.0.0", i + 1);
			return -1;
		}
		if (l->protocol == CONF_NO_PROTOCOL) {
			snprintf(err, errsize, "listen: entry %zu: port %u "
			    "belongs to no protocol; would be right: "
			    "protocol: smtp", i + 1, l->port);
			return -1;
		}
		for (size_t j = 0; j < i; j++)
			if (l->port == c->listen[j].port && strcmp(l->address,
			    c->listen[j].address) == 0) {
				snprintf(err, errsize, "listen: entries %zu "
				    "and %zu are both %s port %u; one must go",
				    j + 1, i + 1, l->address, l->port);
				return -1;
			}
	}
	return 0;
}

static int
check_cert(const struct conf *c, char *err, size_t errsize)
{
	for (size_t i = 0; i < c->ncert; i++) {
		if (c->cert[i].certificate == NULL) {
			snprintf(err, errsize, "tls: entry %zu has a key but "
			    "no certificate", i + 1);
			return -1;
		}
		if (c->cert[i].key == NULL) {
			snprintf(err, errsize, "tls: entry %zu has a "
			    "certificate but no key", i + 1);
			return -1;
		}
	}
	return 0;
}

/* Reports come in at addresses that are here. */
static int
check_reports(const struct conf *c, char *err, size_t errsize)
{
	for (size_t i = 0; i < c->reports.naddresses; i++) {
		const char *a = c->reports.addresses[i];
		const char *domain = strrchr(a, '@') + 1;
		size_t j;

		for (j = 0; j < c->ndomains; j++)
			if (strcasecmp(domain, c->domains[j]) == 0)
				break;
		if (j == c->ndomains && strcasecmp(domain, c->hostname) != 0) {
			snprintf(err, errsize, "reports: addresses: %s is not "
			    "in one of the domains; would be right: "
			    "dmarc-reports@%s", a, c->domains[0]);
			return -1;
		}
	}
	return 0;
}

static int
check_ranges(const struct conf *c, char *err, size_t errsize)
{
	if (c->queue.retry_min > c->queue.retry_max) {
		snprintf(err, errsize, "queue: retry-min is more than "
		    "retry-max");
		return -1;
	}
	if (c->log.max < c->log.size) {
		snprintf(err, errsize, "log: max is for all files and less "
		    "than size, which is for one");
		return -1;
	}
	if ((c->relay.user == NULL) != (c->relay.password_file == NULL)) {
		snprintf(err, errsize, "relay: user and password-file belong "
		    "together; one is missing");
		return -1;
	}
	if (c->relay.user != NULL && c->relay.smarthost == NULL) {
		snprintf(err, errsize, "relay: user is for a smarthost, but "
		    "smarthost is missing");
		return -1;
	}
	return 0;
}

/* ---- the key somebody meant ---------------------------------------------- */

/* Edits (insert, delete, change) from a to b; NEAREST_MAX when too long. */
static size_t
edits(const char *a, const char *b)
{
	size_t row[NEAREST_MAX + 1], n = strlen(b), diag, keep;

	if (n > NEAREST_MAX || strlen(a) > NEAREST_MAX)
		return NEAREST_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		diag = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			keep = row[j];
			if (row[j - 1] + 1 < keep + 1)
				row[j] = row[j - 1] + 1;
			else
				row[j] = keep + 1;
			if (diag + (a[i - 1] != b[j - 1]) < row[j])
				row[j] = diag + (a[i - 1] != b[j - 1]);
			diag = keep;
		}
	}
	return row[n];
}

/* The distance of a misspelt key to a known one: as a whole, or, one step
 * further, by the last part alone (a key in the wrong section). */
static size_t
distance(const char *key, const char *known)
{
	const char *k = strrchr(key, '.'), *n = strrchr(known, '.');
	size_t whole = edits(key, known), part;

	k = k == NULL ? key : k + 1;
	n = n == NULL ? known : n + 1;
	part = edits(k, n) + 1;
	return part < whole ? part : whole;
}

/* "max_size" and "Max-Size" were meant as "max-size". */
static void
key_fold(char *dst, const char *src, size_t size)
{
	strlcpy(dst, src, size);
	for (; *dst != '\0'; dst++)
		*dst = *dst == '_' ? '-' :
		    (char)ascii_lower((unsigned char)*dst);
}

/* Name of the section key is in; false when that was the one before. */
static bool
section_name(const char *key, char *name, size_t size)
{
	size_t n = strcspn(key, ".");

	if (key[n] == '\0' || (strncmp(name, key, n) == 0 && name[n] == '\0'))
		return false;
	snprintf(name, size, "%.*s", (int)n, key);
	return true;
}

const char *
conf_nearest(const char *key)
{
	static char best[NEAREST_MAX + 1];
	const struct conf_key *k;
	const char *dot = strrchr(key, '.');
	char folded[NEAREST_MAX + 1], section[NEAREST_MAX + 1] = "";
	size_t d, len, least;

	if (strlen(key) > NEAREST_MAX)
		return NULL;
	best[0] = '\0';
	key_fold(folded, key, sizeof(folded));
	len = strlen(dot == NULL ? key : dot + 1);
	least = len < 4 ? 3 : 2 + len / 3;
	for (size_t i = 0; (k = conf_key(i)) != NULL; i++) {
		if (section_name(k->key, section, sizeof(section)) &&
		    (d = edits(folded, section)) < least) {
			least = d;
			strlcpy(best, section, sizeof(best));
		}
		if ((d = distance(folded, k->key)) < least) {
			least = d;
			strlcpy(best, k->key, sizeof(best));
		}
	}
	return best[0] == '\0' ? NULL : best;
}
