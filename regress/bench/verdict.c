/*
 * What a verdict costs: SPF with one include, one RSA-2048 signature, DMARC,
 * all answers at hand, against the bare check of that signature by a key that
 * is ready, and SHA-256 of the same octets.  Prints a line for each body size;
 * the best of several rounds counts, as others may use the processor too.
 * "bare": only the mean of the bare cost with a small body, for verdict.py.
 */
#include "base/compat.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"

#define MESSAGES	1000	/* of a round */
#define ROUNDS		9

struct bench {
	EVP_PKEY	*key;
	RSA		*rsa;			/* its public half */
	char		 record[1024];		/* of the key */
	uint8_t		 hash[DKIM_HASH], sig[512];
	size_t		 sign;
	char		 header[8192];		/* signed */
	size_t		 hn;
	char		*body;
	size_t		 bn;
};

static const char plain[] =
    "Received: from mail.example.com (mail.example.com [198.51.100.7])\r\n"
    "\tby mx.example.org with ESMTPS; Sat, 21 Nov 2026 18:20:57 +0000\r\n"
    "MIME-Version: 1.0\r\n"
    "From: Alice Example <alice@example.com>\r\n"
    "To: Bob <bob@example.org>\r\n"
    "Subject: A message of an ordinary kind\r\n"
    "Date: Sat, 21 Nov 2026 18:20:57 +0000\r\n"
    "Message-ID: <20261121182057.1@example.com>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n";

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
make_key(struct bench *b)
{
	BIGNUM *modulus = NULL, *e = NULL;
	unsigned char *der = NULL;
	char text[1024];
	ssize_t n;
	int len;

	if ((b->key = EVP_RSA_gen(2048)) == NULL ||
	    EVP_PKEY_get_bn_param(b->key, "n", &modulus) != 1 ||
	    EVP_PKEY_get_bn_param(b->key, "e", &e) != 1 ||
	    (b->rsa = RSA_new()) == NULL ||
	    RSA_set0_key(b->rsa, modulus, e, NULL) != 1)
		errx(1, "no key");
	len = i2d_PUBKEY(b->key, &der);
	n = base64_encode(der, (size_t)len, text, sizeof(text));
	snprintf(b->record, sizeof(b->record), "v=DKIM1; k=rsa; p=%.*s",
	    (int)n, text);
	OPENSSL_free(der);
}

static void
make_message(struct bench *b, size_t size)
{
	struct dkim_body *h = dkim_body_new(DKIM_RELAXED, UINT64_MAX);
	uint8_t bh[DKIM_HASH];
	struct dkim_sign s = { "rsa-sha256", "example.com", "s", NULL,
	    DKIM_RELAXED, DKIM_RELAXED, 1795281657, -1, bh };
	char names[2048], field[DKIM_SIG_MAX];
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(b->key, NULL);
	ssize_t n, k;
	size_t i;

	b->body = malloc(size);
	b->bn = size;
	b->sign = sizeof(b->sig);
	for (i = 0; i < size; i++)
		b->body[i] = i % 72 == 70 ? '\r' : i % 72 == 71 ? '\n' :
		    i % 7 == 6 ? ' ' : (char)('a' + i % 26);
	dkim_body_feed(h, b->body, size);
	dkim_body_end(h, bh, NULL);
	dkim_body_free(h);
	k = dkim_sign_fields(slice_str(plain), names, sizeof(names));
	n = dkim_sign_start(&s, slice_of(names, (size_t)k), field,
	    sizeof(field));
	dkim_header_hash(slice_str(plain), slice_of(names, (size_t)k),
	    slice_of(field, (size_t)n), DKIM_RELAXED, b->hash);
	if (EVP_PKEY_sign_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) != 1 ||
	    EVP_PKEY_sign(ctx, b->sig, &b->sign, b->hash, DKIM_HASH) != 1)
		errx(1, "no signature");
	EVP_PKEY_CTX_free(ctx);
	n = dkim_sign_finish(field, (size_t)n, sizeof(field), b->sig, b->sign);
	b->hn = (size_t)snprintf(b->header, sizeof(b->header), "%.*s%s",
	    (int)n, field, plain);
}

static void
answer(const struct bench *b, struct answers *a)
{
	const char *const zone[][2] = {
		{ "example.com", "v=spf1 include:_spf.example.net a mx -all" },
		{ "_spf.example.net", "v=spf1 ip4:198.51.100.0/24 "
		    "ip6:2001:db8::/32 ip4:203.0.113.0/24 ~all" },
		{ "_dmarc.example.com", "v=DMARC1; p=reject" },
		{ "s._domainkey.example.com", b->record },
	};
	enum dns_type type;
	const char *name;
	struct rr rr;
	size_t i;

	while (answers_ask(a, &name, &type)) {
		for (i = 0; i < 4; i++)
			if (strcmp(zone[i][0], name) == 0)
				break;
		if (i < 4)
			rr = (struct rr){ 0, slice_str(zone[i][1]) };
		answers_put(a, name, type, i < 4 ? DNS_OK :
		    DNS_NXDOMAIN, &rr, i < 4);
	}
}

static double
cost_verdict(const struct bench *b, struct verdict *v)
{
	struct ipaddr ip = { 4, { 198, 51, 100, 7 } };
	double t = now_us();
	int i;

	for (i = 0; i < MESSAGES; i++) {
		verdict_start(v, 0, "mx.example.org", 1795300000, 1);
		verdict_client(v, &ip, "mail.example.com");
		verdict_sender(v, slice_str("alice"),
		    slice_str("example.com"));
		verdict_header(v, slice_of(b->header, b->hn));
		verdict_body(v, b->body, b->bn);
		verdict_end(v);
		while (!verdict_run(v))
			answer(b, verdict_answers(v));
		if (verdict_spf(v)->result != SPF_PASS ||
		    verdict_dkim(v, 0)->result != DKIM_PASS ||
		    verdict_dmarc(v)->result != DMARC_PASS)
			errx(1, "does not pass");
	}
	return (now_us() - t) / MESSAGES;
}

static double
cost_bare(const struct bench *b)
{
	uint8_t hash[DKIM_HASH];
	double t = now_us();
	int i;

	for (i = 0; i < MESSAGES; i++) {
		if (RSA_verify(NID_sha256, b->hash, DKIM_HASH, b->sig,
		    (unsigned int)b->sign, b->rsa) != 1)
			errx(1, "bad signature");
		dkim_sha256(b->header, b->hn, hash);
		dkim_sha256(b->body, b->bn, hash);
	}
	return (now_us() - t) / MESSAGES;
}

static int
print_bare(struct bench *b)
{
	double t = 0;
	int k;

	make_message(b, 1000);
	for (k = 0; k < 4 * ROUNDS; k++)
		t += cost_bare(b);
	printf("%.2f\n", t / k);
	return 0;
}

int
main(int argc, char **argv)
{
	static const size_t sizes[] = { 1000, 4096, 65536 };
	struct verdict *v = verdict_new();
	struct bench b = { .key = NULL };
	double best, bare, t;
	size_t i;
	int k;

	make_key(&b);
	if (argc > 1 && strcmp(argv[1], "bare") == 0)
		return print_bare(&b);
	for (i = 0; i < 3; i++) {
		make_message(&b, sizes[i]);
		best = bare = 1e9;
		for (k = 0; k < ROUNDS; k++) {
			t = cost_verdict(&b, v);
			best = t < best ? t : best;
			t = cost_bare(&b);
			bare = t < bare ? t : bare;
		}
		printf("verdict, body of %zu octets: %.1f us, bare RSA-2048 "
		    "and SHA-256 %.1f us: %.2f times (at most 2)\n", sizes[i],
		    best, bare, best / bare);
		free(b.body);
	}
	verdict_free(v);
	EVP_PKEY_free(b.key);
	RSA_free(b.rsa);
	return 0;
}
