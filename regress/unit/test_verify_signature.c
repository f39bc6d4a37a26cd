/*
 * DKIM signatures at their edges: mutation of all that is signed, hostile tags
 * and keys, too many of them.  What public suites cover is regress/vectors.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "zone.h"

static const char header[] =
    "From: Alice <alice@example.test>\r\n"
    "To: bob@example.net\r\n"
    "Subject: hello  there\r\n"
    "\tagain\r\n"
    "Date: Sat, 21 Nov 2026 18:20:57 +0000\r\n"
    "Message-ID: <1@example.test>\r\n"
    "\r\n";
static const char body[] = "First line\r\nsecond  line \r\n\r\nthe end\r\n";

struct key {
	EVP_PKEY	*key;
	char		 record[4096];
};

static void
key_rsa(struct key *k, unsigned bits)
{
	unsigned char *der = NULL;
	char b64[4096];
	ssize_t n;
	int len;

	k->key = EVP_RSA_gen(bits);
	assert_non_null(k->key);
	len = i2d_PUBKEY(k->key, &der);
	n = base64_encode(der, (size_t)len, b64, sizeof(b64));
	snprintf(k->record, sizeof(k->record), "v=DKIM1; p=%.*s", (int)n,
	    b64);
	OPENSSL_free(der);
}

static void
key_ed25519(struct key *k)
{
	uint8_t raw[32] = { 1, 2, 3 };
	char b64[64];
	size_t len = 32;
	ssize_t n;

	k->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, 32);
	EVP_PKEY_get_raw_public_key(k->key, raw, &len);
	n = base64_encode(raw, len, b64, sizeof(b64));
	snprintf(k->record, sizeof(k->record), "v=DKIM1; k=ed25519; p=%.*s",
	    (int)n, b64);
}

/* A signed message; extra tags go in front of b=. */
static size_t
sign(const struct key *k, enum dkim_canon canon, const char *tags, char *out,
    size_t size)
{
	int ed = EVP_PKEY_is_a(k->key, "ED25519");
	struct dkim_sign s = { ed ? "ed25519-sha256" : "rsa-sha256",
	    "example.test", "sel", NULL, canon, canon, NOW - 100, -1, NULL };
	struct dkim_body *b = dkim_body_new(canon, UINT64_MAX);
	uint8_t bh[DKIM_HASH], hash[DKIM_HASH], sig[1024];
	char h[1024], field[DKIM_SIG_MAX];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc;
	size_t len = sizeof(sig);
	ssize_t n, hn;

	dkim_body_feed(b, body, strlen(body));
	dkim_body_end(b, bh, NULL);
	dkim_body_free(b);
	s.bodyhash = bh;
	hn = dkim_sign_fields(slice_str(header), h, sizeof(h));
	n = dkim_sign_start(&s, slice_of(h, (size_t)hn), field,
	    sizeof(field));
	assert_true(n > 0);
	if (*tags != '\0') {
		assert_int_equal(memcmp(field + n - 2, "b=", 2), 0);
		n = n - 2 + snprintf(field + n - 2, 200, "%s; b=", tags);
	}
	dkim_header_hash(slice_str(header), slice_of(h, (size_t)hn),
	    slice_of(field, (size_t)n), canon, hash);
	if (ed) {
		EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->key);
		EVP_DigestSign(ctx, sig, &len, hash, sizeof(hash));
	} else {
		pc = EVP_PKEY_CTX_new(k->key, NULL);
		EVP_PKEY_sign_init(pc);
		EVP_PKEY_CTX_set_signature_md(pc, EVP_sha256());
		assert_int_equal(EVP_PKEY_sign(pc, sig, &len, hash,
		    sizeof(hash)), 1);
		EVP_PKEY_CTX_free(pc);
	}
	EVP_MD_CTX_free(ctx);
	n = dkim_sign_finish(field, (size_t)n, sizeof(field), sig, len);
	n = snprintf(out, size, "%.*s%s%s", (int)n, field, header, body);
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

static void
check(struct verdict *v, int flags, const char *record, const char *p,
    size_t n)
{
	struct record zone[] = {
		{ "sel._domainkey.example.test", DNS_TXT, record },
		{ "_dmarc.example.test", DNS_TXT, "v=DMARC1; p=reject" },
		{ NULL }
	};
	size_t h = header_len(p, n);

	asked = 0;
	verdict_start(v, flags | VERDICT_NOSPF | VERDICT_NOARC, "mx.example",
	    NOW, 0);
	assert_int_equal(verdict_header(v, slice_of(p, h)), 0);
	verdict_body(v, p + h, n - h);
	verdict_end(v);
	while (!verdict_run(v)) {
		assert_true(answers_open(verdict_answers(v)) > 0);
		answer_all(verdict_answers(v), zone);
	}
}

static int
passes(const struct verdict *v)
{
	size_t i;

	for (i = 0; i < verdict_ndkim(v); i++)
		if (verdict_dkim(v, i)->result == DKIM_PASS)
			return 1;
	return 0;
}

/* Each octet of what is signed, changed, makes it fail. */
static void
mutate(const struct key *k, enum dkim_canon canon)
{
	struct verdict *v = verdict_new();
	char m[8192];
	size_t i, n = sign(k, canon, "", m, sizeof(m));

	check(v, 0, k->record, m, n);
	assert_true(passes(v));
	assert_int_equal(verdict_dmarc(v)->result, DMARC_PASS);
	for (i = 0; i < n; i++) {
		if (strchr("\r\n\t ", m[i]) != NULL)
			continue;
		m[i] ^= 1;
		check(v, 0, k->record, m, n);
		if (passes(v))
			fail_msg("octet %zu of %zu: %.*s", i, n, 20, m + i);
		assert_int_not_equal(verdict_dmarc(v)->result, DMARC_PASS);
		m[i] ^= 1;
	}
	/* A second From, Subject or To on top: they are oversigned. */
	memmove(m + 12, m, n);
	memcpy(m, "From: x@y.z\n", 12);
	check(v, 0, k->record, m, n + 12);
	assert_false(passes(v));
	verdict_free(v);
}

static void
test_mutation(void **state)
{
	struct key rsa, ed;

	key_rsa(&rsa, 2048);
	key_ed25519(&ed);
	mutate(&rsa, DKIM_SIMPLE);
	mutate(&rsa, DKIM_RELAXED);
	mutate(&ed, DKIM_RELAXED);
	EVP_PKEY_free(rsa.key);
	EVP_PKEY_free(ed.key);
}

static void
result_is(const struct key *k, int flags, const char *tags,
    const char *record, enum dkim_result want)
{
	struct verdict *v = verdict_new();
	char m[8192];
	size_t n = sign(k, DKIM_RELAXED, tags, m, sizeof(m));

	check(v, flags, record, m, n);
	assert_int_equal(verdict_ndkim(v), 1);
	if (verdict_dkim(v, 0)->result != want)
		fail_msg("\"%s\" \"%.60s\": %s (%s), not %s", tags, record,
		    dkim_name(verdict_dkim(v, 0)->result),
		    verdict_dkim(v, 0)->why, dkim_name(want));
	verdict_free(v);
}

static void
test_dkim_tags(void **state)
{
	static const struct {
		const char	*tags;
		enum dkim_result want;
	} t[] = {
		{ "x=1795299999", DKIM_FAIL }, { "x=1795300001", DKIM_PASS },
		{ "x=1", DKIM_PERMERROR }, { "x=", DKIM_PERMERROR },
		{ "x=99999999999999999999999", DKIM_PERMERROR },
		{ "i=@example.test", DKIM_PASS },
		{ "i=a@sub.example.test", DKIM_PASS },
		{ "i=@test", DKIM_PERMERROR },
		{ "i=@badexample.test", DKIM_PERMERROR },
		{ "i=example.test", DKIM_PERMERROR },
		{ "i=@example.net(.example.test", DKIM_PERMERROR },
		{ "q=dns/txt", DKIM_PASS }, { "q=x:dns/txt", DKIM_PASS },
		{ "q=http", DKIM_PERMERROR }, { "d=other", DKIM_PERMERROR },
		{ "l=1000", DKIM_FAIL }, { "l=x", DKIM_PERMERROR },
		{ "l=-1", DKIM_PERMERROR }, { "unknown=1", DKIM_PASS },
		{ "z=From:x", DKIM_PASS }, { "novalue", DKIM_PERMERROR },
		{ "9a=1", DKIM_PERMERROR },
	};
	struct key k;
	size_t i;

	key_rsa(&k, 1024);
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		result_is(&k, 0, t[i].tags, k.record, t[i].want);
	EVP_PKEY_free(k.key);
}

static void
test_dkim_keys(void **state)
{
	static const struct {
		const char	*before;
		enum dkim_result want;
	} t[] = {
		{ "v=DKIM1; ", DKIM_PASS }, { "", DKIM_PASS },
		{ "v=DKIM2; ", DKIM_PERMERROR },
		{ "k=rsa; v=DKIM1; ", DKIM_PERMERROR },
		{ "k=ed25519; ", DKIM_PERMERROR },
		{ "k=dsa; ", DKIM_PERMERROR },
		{ "h=sha1; ", DKIM_PERMERROR }, { "h=sha1:sha256; ", DKIM_PASS },
		{ "s=email; ", DKIM_PASS }, { "s=*; ", DKIM_PASS },
		{ "s=tlsrpt; ", DKIM_PERMERROR }, { "t=y; ", DKIM_PASS },
		{ "t=s; ", DKIM_PASS }, { "g=*; n=note; ", DKIM_PASS },
		{ "; ", DKIM_PERMERROR }, { "p=; ", DKIM_PERMERROR },
	};
	struct key k, shorter;
	char record[5000];
	const char *p;
	size_t i;

	key_rsa(&k, 2048);
	p = strstr(k.record, "p=");
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		snprintf(record, sizeof(record), "%s%s", t[i].before, p);
		result_is(&k, 0, "", record, t[i].want);
	}
	result_is(&k, 0, "i=@a.example.test", k.record, DKIM_PASS);
	snprintf(record, sizeof(record), "t=s; %s", p);
	result_is(&k, 0, "i=@a.example.test", record, DKIM_PERMERROR);
	result_is(&k, 0, "", "!", DKIM_TEMPERROR);
	result_is(&k, 0, "", "-", DKIM_PERMERROR);
	for (i = 2; i < strlen(p); i += i < 30 ? 1 : 17) {	/* cut DER */
		snprintf(record, sizeof(record), "%.*s", (int)i, p);
		result_is(&k, 0, "", record, DKIM_PERMERROR);
	}
	key_rsa(&shorter, 512);
	result_is(&k, 0, "", shorter.record, DKIM_PERMERROR);
	EVP_PKEY_free(shorter.key);
	EVP_PKEY_free(k.key);
}

/* l= that leaves octets out is policy, unless the operator wants it. */
static void
test_dkim_partial(void **state)
{
	struct verdict *v = verdict_new();
	struct key k;
	char m[8192], tags[32];
	size_t n;

	key_rsa(&k, 1024);
	/* of the canonical body: relaxed takes two blanks away */
	snprintf(tags, sizeof(tags), "l=%zu", strlen(body) - 2);
	n = sign(&k, DKIM_RELAXED, tags, m, sizeof(m));
	check(v, 0, k.record, m, n);
	assert_int_equal(verdict_dkim(v, 0)->result, DKIM_PASS);
	assert_false(verdict_dkim(v, 0)->partial);
	memcpy(m + n, "added\r\n", 8);
	check(v, 0, k.record, m, n + 7);
	assert_int_equal(verdict_dkim(v, 0)->result, DKIM_POLICY);
	assert_int_equal(verdict_dmarc(v)->result, DMARC_FAIL);
	check(v, VERDICT_PARTIAL, k.record, m, n + 7);
	assert_int_equal(verdict_dkim(v, 0)->result, DKIM_PASS);
	assert_true(verdict_dkim(v, 0)->partial);
	EVP_PKEY_free(k.key);
	verdict_free(v);
}

/* 100 signatures: 8 are verified, those of the author before others. */
static void
test_dkim_many(void **state)
{
	struct verdict *v = verdict_new();
	struct key k;
	char one[8192], *m = malloc(200000);
	size_t n = 0, len;
	int i;

	key_rsa(&k, 1024);
	len = sign(&k, DKIM_RELAXED, "", one, sizeof(one));
	for (i = 0; i < 50; i++)
		n += (size_t)sprintf(m + n, "DKIM-Signature: v=1; "
		    "a=rsa-sha256; d=d%d.example.net; s=s; h=from; b=AAAA; "
		    "bh=%.44s\r\n", i,
		    "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
	memcpy(m + n, one, len);
	check(v, 0, k.record, m, n + len);
	assert_int_equal(verdict_ndkim(v), DKIM_VERIFY_MAX);
	assert_int_equal(verdict_dkim_more(v), 51 - DKIM_VERIFY_MAX);
	assert_true(passes(v));
	assert_true(asked <= 2 * DKIM_VERIFY_MAX + DMARC_QUERIES);
	EVP_PKEY_free(k.key);
	verdict_free(v);
	free(m);
}

/* bh= and b= of every length; no field without d= and s= counts. */
static void
test_dkim_lengths(void **state)
{
	struct verdict *v = verdict_new();
	char m[8192], fill[1001];
	int i, n;

	memset(fill, 'A', sizeof(fill));
	for (i = 0; i <= 1000; i += i < 80 ? 1 : 37) {
		n = snprintf(m, sizeof(m), "DKIM-Signature: v=1; "
		    "a=rsa-sha256; d=a.example; s=s; h=from; bh=%.*s; "
		    "b=%.*s\r\nFrom: a@a.example\r\n\r\n", i, fill, 1000 - i,
		    fill);
		check(v, 0, "p=AAAA", m, (size_t)n);
		assert_int_equal(verdict_ndkim(v), 1);
		assert_false(passes(v));
	}
	n = snprintf(m, sizeof(m), "DKIM-Signature: v=1; a=rsa-sha256\r\n"
	    "From: a@a.example\r\n\r\n");
	check(v, 0, "p=AAAA", m, (size_t)n);
	assert_int_equal(verdict_ndkim(v), 0);
	verdict_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutation),
		cmocka_unit_test(test_dkim_tags),
		cmocka_unit_test(test_dkim_keys),
		cmocka_unit_test(test_dkim_partial),
		cmocka_unit_test(test_dkim_many),
		cmocka_unit_test(test_dkim_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
