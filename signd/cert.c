/*
 * Certificates of the fronts, read by signd tls at its start: each must have
 * its private key here, or this generation does not start and the old one
 * stays.  Otherwise every handshake would fail later.  What clients will make
 * of them, by their dates and names, is told then and each day, as a warning
 * or, when they refuse it already, as what impairs the service.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/dates.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "signd/signd.h"

#define CERTS_MAX	64
#define CHAIN_MAX	(256 * 1024)	/* octets of a chain */
#define DAY		86400
#define SOON		(14 * DAY)	/* to its end: somebody has to act */
#define NAMES_SIZE	120		/* octets of names in a message */

enum named { NAMED_NOT, NAMED_CN, NAMED_WELL };

struct cert {
	char		 name[512];	/* of the file */
	uint16_t	 index;		/* in tls: of the configuration */
	X509		*x;		/* until cert_check() */
	struct msg_mac	 spki;
	int64_t		 begin, end;	/* s UTC */
	enum named	 named;		/* does it name the host? */
	char		 names[NAMES_SIZE];
	char		 key[512], why[200];	/* a key that is not used */
};

static struct {
	size_t		 n;
	struct cert	 cert[CERTS_MAX];
	int64_t		 day;		/* of the last line in the log */
} certs;

/* ---- reading ------------------------------------------------------------- */

/* SHA-256 of its SubjectPublicKeyInfo.  0, -1. */
static int
cert_spki(const X509 *x, struct msg_mac *spki)
{
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(X509_get0_pubkey(x), &der), ok;

	if (len <= 0)
		return -1;
	ok = EVP_Digest(der, (size_t)len, spki->b, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
	return ok == 1 ? 0 : -1;
}

static int64_t
cert_time(const ASN1_TIME *t)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	return date_days(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * DAY +
	    (tm.tm_hour * 60 + tm.tm_min) * 60 + tm.tm_sec;
}

/* The first certificate of a chain. */
static int
cert_parse(struct cert *c, const char *pem, size_t n)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)n);

	c->x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (c->x == NULL || cert_spki(c->x, &c->spki) == -1)
		return -1;
	c->begin = cert_time(X509_get0_notBefore(c->x));
	c->end = cert_time(X509_get0_notAfter(c->x));
	return 0;
}

void
cert_read(uint16_t index, struct slice name, int fd)
{
	struct cert *c = &certs.cert[certs.n];
	char *pem;
	size_t n;

	if (certs.n == CERTS_MAX)
		fatalx("more than %d certificates", CERTS_MAX);
	*c = (struct cert){ .index = index };
	if (slice_cpy(name, c->name, sizeof(c->name)) == -1)
		fatalx("name of a certificate is too long");
	if ((pem = read_fd(fd, CHAIN_MAX, &n)) == NULL)
		fatal("certificate %s", c->name);
	close(fd);
	if (cert_parse(c, pem, n) == -1)
		fatalx("certificate %s has no usable public key; would be "
		    "right: a certificate in PEM, the host's own first",
		    c->name);
	free(pem);
	certs.n++;
}

void
cert_unused(uint16_t index, struct slice key, const char *why)
{
	for (size_t i = 0; i < certs.n; i++) {
		struct cert *c = &certs.cert[i];

		if (c->index != index)
			continue;
		(void)slice_cpy(key, c->key, sizeof(c->key));
		strlcpy(c->why, why, sizeof(c->why));
	}
}

/* ---- names --------------------------------------------------------------- */

static void
names_add(struct cert *c, const char *p, size_t n)
{
	size_t have = strlen(c->names);

	if (n + 3 < sizeof(c->names) - have)
		snprintf(c->names + have, sizeof(c->names) - have, "%s%s",
		    have == 0 ? "" : ", ", log_text(p, n));
}

/* The names that clients look at: RFC 6125 6.4.4, RFC 9525 2. */
static void
cert_names(struct cert *c)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(c->x, NID_subject_alt_name,
	    NULL, NULL);
	int n = all == NULL ? 0 : sk_GENERAL_NAME_num(all);

	for (int i = 0; i < n; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);

		if (name->type == GEN_DNS)
			names_add(c, (const char *)ASN1_STRING_get0_data(
			    name->d.dNSName),
			    (size_t)ASN1_STRING_length(name->d.dNSName));
	}
	GENERAL_NAMES_free(all);
}

static enum named
cert_named(const struct cert *c, const char *host)
{
	if (X509_check_host(c->x, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
	    NULL) == 1)
		return NAMED_WELL;
	return X509_check_host(c->x, host, 0, 0, NULL) == 1 ? NAMED_CN :
	    NAMED_NOT;
}

/* ---- at the start -------------------------------------------------------- */

/* It has its key here. */
static void
cert_check_key(const struct cert *c)
{
	if (key_by_spki(&c->spki) != NULL)
		return;
	if (c->key[0] != '\0')
		fatalx("certificate %s: its key %s is not used: %s", c->name,
		    c->key, c->why);
	fatalx("certificate %s: none of the keys given belongs to it; check "
	    "tls.key, and that the host's own certificate is the first in the "
	    "file", c->name);
}

void
cert_check(const char *host)
{
	for (size_t i = 0; i < certs.n; i++) {
		struct cert *c = &certs.cert[i];

		cert_check_key(c);
		c->named = host == NULL ? NAMED_NOT : cert_named(c, host);
		cert_names(c);
		X509_free(c->x);
		c->x = NULL;
	}
	ERR_clear_error();
}

/* ---- each day ------------------------------------------------------------ */

static const char *
day_of(int64_t t, char buf[DATE_TEXT_MAX])
{
	(void)isodate_print(t, buf, DATE_TEXT_MAX);
	buf[strcspn(buf, "T")] = '\0';
	return buf;
}

/* So long before its end: two weeks, or a third of a short life. */
static int64_t
cert_soon(const struct cert *c)
{
	int64_t third = (c->end - c->begin) / 3;

	return third < SOON ? third : SOON;
}

static void
cert_dates(const struct cert *c, int64_t now)
{
	char id[32], day[DATE_TEXT_MAX], today[DATE_TEXT_MAX];

	snprintf(id, sizeof(id), "certificate %u", c->index + 1u);
	if (now >= c->end)
		proc_impaired(id, "%s ended on %s, %lld day%s ago; clients "
		    "refuse it; put a new one in place, then: mailctl reload",
		    c->name, day_of(c->end, day),
		    (long long)((now - c->end) / DAY),
		    (now - c->end) / DAY == 1 ? "" : "s");
	else if (now < c->begin)
		proc_impaired(id, "%s begins on %s only, and clients refuse "
		    "it; here it is %s: set the clock, or put another one in "
		    "place, then: mailctl reload", c->name,
		    day_of(c->begin, day), day_of(now, today));
	else if (c->end - now < cert_soon(c))
		proc_warned(id, "%s ends on %s, in %lld days; renew it, then: "
		    "mailctl reload", c->name, day_of(c->end, day),
		    (long long)((c->end - now) / DAY));
	else
		proc_impaired_over(id);
}

/* The clients of one that names another host are warned by their programs. */
static void
cert_host(bool log)
{
	const char *host = proc_conf()->hostname;
	const struct cert *c = &certs.cert[0];
	char text[1000];

	for (size_t i = 0; i < certs.n; i++)
		if (certs.cert[i].named == NAMED_WELL)
			return;
	if (certs.n == 0)
		return;
	snprintf(text, sizeof(text), "no certificate names %s (hostname); %s "
	    "names %s%s; clients that check refuse it; would be right: one "
	    "with the DNS name %s", host, c->name, c->names[0] == '\0' ?
	    "nothing" : c->names, c->named == NAMED_CN ? ", and the host in "
	    "its subject alone, where they do not look" : "", host);
	proc_warned("certificate", "%s", text);
	if (log)
		log_warnx("certificate: %s", text);
}

void
cert_tell(void)
{
	int64_t now = (int64_t)now_sec();
	bool first = certs.day == 0, next = now / DAY != certs.day;

	for (size_t i = 0; i < certs.n; i++)
		cert_dates(&certs.cert[i], now);
	if (next)
		cert_host(!first);
	certs.day = now / DAY;
}
