/*
 * DKIM: canonicalisation against RFC 6376 3.4.5, hashes and signatures
 * against OpenDKIM's (RSA is deterministic: who gets its header hash right
 * can verify its b=), and what we make ourselves.
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
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/header.h"
#include "verify/verify.h"
#include "cut.h"
#include "json.h"

static void
hash_b64(const uint8_t *hash, char out[64])
{
	ssize_t n = base64_encode(hash, DKIM_HASH, out, 63);

	out[n] = '\0';
}

/* The body hash of p, cut at every step, always the same. */
static void
body_hash(const char *p, size_t n, enum dkim_canon canon, uint64_t limit,
    char out[64])
{
	struct dkim_body *b = dkim_body_new(canon, limit);
	uint8_t hash[DKIM_HASH];
	size_t step, i, m;
	char again[64], *copy;

	assert_non_null(b);
	for (step = n + 1; step > 0; step = step > 64 ? step / 2 : step - 1) {
		dkim_body_reset(b);
		for (i = 0; i < n; i += m) {
			m = n - i < step ? n - i : step;
			copy = malloc(m);
			memcpy(copy, p + i, m);
			dkim_body_feed(b, copy, m);
			free(copy);
		}
		assert_int_equal(dkim_body_end(b, hash, NULL), 0);
		hash_b64(hash, step == n + 1 ? out : again);
		if (step <= n)
			assert_string_equal(out, again);
	}
	dkim_body_free(b);
}

static void
body_is(const char *in, enum dkim_canon canon, const char *want)
{
	char got[64], expect[64];
	uint8_t hash[DKIM_HASH];

	body_hash(in, strlen(in), canon, UINT64_MAX, got);
	assert_int_equal(dkim_sha256(want, strlen(want), hash), 0);
	hash_b64(hash, expect);
	if (strcmp(got, expect) != 0)
		fail_msg("\"%s\" is not \"%s\"", in, want);
}

static void
test_body(void **state)
{
	/* RFC 6376 3.4.5 */
	body_is(" C \r\nD \t E\r\n\r\n\r\n", DKIM_RELAXED,
	    " C\r\nD E\r\n");
	body_is(" C \r\nD \t E\r\n\r\n\r\n", DKIM_SIMPLE,
	    " C \r\nD \t E\r\n");
	body_is("", DKIM_RELAXED, "");
	body_is("", DKIM_SIMPLE, "\r\n");
	body_is("\r\n\r\n", DKIM_RELAXED, "");
	body_is("\r\n\r\n", DKIM_SIMPLE, "\r\n");
	body_is(" \t \r\n", DKIM_RELAXED, "");
	body_is(" \r\n", DKIM_SIMPLE, " \r\n");
	body_is("a", DKIM_RELAXED, "a\r\n");
	body_is("a", DKIM_SIMPLE, "a\r\n");
	body_is("a ", DKIM_RELAXED, "a\r\n");
	body_is("a\r\n\r\nb\r\n \r\n\t\r\n", DKIM_RELAXED, "a\r\n\r\nb\r\n");
	body_is("a  b\t\tc \r\n", DKIM_RELAXED, "a b c\r\n");
	body_is("a\rb\r\n", DKIM_RELAXED, "a\rb\r\n");
	body_is("a \rb\nc\r\r\n", DKIM_RELAXED, "a \rb\nc\r\r\n");
	body_is("a\r", DKIM_SIMPLE, "a\r\r\n");
	body_is("\r\na", DKIM_SIMPLE, "\r\na\r\n");
	body_is("a\r\n\r\n\r\n b", DKIM_RELAXED, "a\r\n\r\n\r\n b\r\n");
}

static void
test_body_limit(void **state)
{
	char got[64], want[64];
	uint8_t hash[DKIM_HASH];

	body_hash("a  b\r\nccc\r\n", 11, DKIM_RELAXED, 4, got);
	dkim_sha256("a b\r", 4, hash);
	hash_b64(hash, want);
	assert_string_equal(got, want);
}

static void
canon_is(const char *raw, enum dkim_canon canon, const char *want)
{
	char out[256];
	ssize_t n = dkim_header_canon(slice_str(raw), canon, out, sizeof(out));

	assert_true(n >= 0);
	out[n] = '\0';
	assert_string_equal(out, want);
}

static void
test_header_canon(void **state)
{
	canon_is("A: X\r\n", DKIM_RELAXED, "a:X\r\n");
	canon_is("B : Y\t\r\n\tZ  \r\n", DKIM_RELAXED, "b:Y Z\r\n");
	canon_is("B : Y\t\r\n\tZ  \r\n", DKIM_SIMPLE, "B : Y\t\r\n\tZ  \r\n");
	canon_is("Subject:\r\n", DKIM_RELAXED, "subject:\r\n");
	canon_is("a:b:c : d\r\n", DKIM_RELAXED, "a:b:c : d\r\n");
	canon_is("a:\r\n b\r\n", DKIM_RELAXED, "a:b\r\n");
	canon_is("Subject: Re:  x\r\n", DKIM_RELAXED, "subject:Re: x\r\n");
}

static EVP_PKEY *
key_load(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(key);
	return key;
}

static size_t
key_sign(EVP_PKEY *key, const uint8_t *hash, uint8_t *sig, size_t size)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t n = size;

	assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
	EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING);
	EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256());
	assert_int_equal(EVP_PKEY_sign(ctx, sig, &n, hash, DKIM_HASH), 1);
	EVP_PKEY_CTX_free(ctx);
	return n;
}

/* A tag of a signature field without its blanks. */
static size_t
tag_get(struct slice sig, const char *name, char *out)
{
	struct slice t, rest = sig;
	size_t i, k, n;

	rest = slice_of(sig.p + slice_find(sig, ':') + 1,
	    sig.n - slice_find(sig, ':') - 1);
	while (rest.n > 0) {
		t = slice_of(rest.p, slice_find(rest, ';'));
		n = t.n + (t.n < rest.n);
		rest = slice_of(rest.p + n, rest.n - n);
		k = slice_find(t, '=');
		if (!slice_is(slice_trim(slice_of(t.p, k)), name))
			continue;
		for (n = 0, i = k + 1; i < t.n; i++)
			if (strchr(" \t\r\n", t.p[i]) == NULL)
				out[n++] = t.p[i];
		out[n] = '\0';
		return n;
	}
	out[0] = '\0';
	return 0;
}

/* OpenDKIM's signatures: our hash, signed with its key, is its b=. */
static void
test_sign_vectors(void **state)
{
	struct json *j = json_load("regress/vectors/dkim/sign.json"), *c, *m;
	char *sig, got[64], tag[2048], b64[1024];
	uint8_t hash[DKIM_HASH], raw[512];
	struct slice header, body;
	enum dkim_canon hc, bc;
	EVP_PKEY *key;
	size_t i, n;

	assert_non_null(c = json_get(j, "cases"));
	for (i = 0; i < c->n; i++) {
		const char *canon = json_str(&c->item[i], "canonicalization");

		hc = strncmp(canon, "relaxed/", 8) == 0 ? DKIM_RELAXED :
		    DKIM_SIMPLE;
		bc = strstr(canon, "/relaxed") != NULL ? DKIM_RELAXED :
		    DKIM_SIMPLE;
		m = json_get(&c->item[i], "message");
		n = header_len(m->s, m->n);
		header = slice_of(m->s, n);
		body = slice_of(m->s + n, m->n - n);
		body_hash(body.p, body.n, bc, UINT64_MAX, got);
		assert_string_equal(got, json_str(&c->item[i], "expect_bh"));
		assert_true(asprintf(&sig, "DKIM-Signature: %s\r\n",
		    json_str(&c->item[i], "signature_header_value")) > 0);
		tag_get(slice_str(sig), "h", tag);
		assert_int_equal(dkim_header_hash(header, slice_str(tag),
		    slice_str(sig), hc, hash), 0);
		key = key_load(json_str(&c->item[i], "private_key"));
		n = key_sign(key, hash, raw, sizeof(raw));
		b64[base64_encode(raw, n, b64, sizeof(b64))] = '\0';
		tag_get(slice_str(sig), "b", tag);
		if (strcmp(tag, b64) != 0)
			fail_msg("%s: b= differs",
			    json_str(&c->item[i], "id"));
		EVP_PKEY_free(key);
		free(sig);
	}
	json_free(j);
}

static const char message_header[] =
    "Received: from x\r\n"
    "From: Alice <alice@example.test>\r\n"
    "To: bob@example.test\r\n"
    "Subject: hello\r\n"
    "Date: Sat, 21 Nov 2026 18:20:57 +0000\r\n"
    "Message-ID: <1@example.test>\r\n"
    "List-Id: x\r\n"
    "\r\n";

/* A field of our own: reads back, folded short, and its hash does not depend
 * on whether the signature is there yet. */
static void
test_sign_field(void **state)
{
	struct slice header = SLICE_LIT(message_header);
	char h[4096], field[DKIM_SIG_MAX], tag[4096];
	uint8_t bh[DKIM_HASH] = { 1, 2, 3 }, h1[DKIM_HASH], h2[DKIM_HASH];
	uint8_t sig[256];
	struct dkim_sign s = { "rsa-sha256", "example.test", "s2026", NULL,
	    DKIM_RELAXED, DKIM_RELAXED, 1795281657, -1, bh };
	ssize_t hn, n, m, i, line;

	hn = dkim_sign_fields(header, h, sizeof(h));
	assert_true(hn > 0);
	h[hn] = '\0';
	assert_non_null(strstr(h, "From:From:Subject:Subject:Date:Date"));
	assert_non_null(strstr(h, "List-Id"));
	assert_null(strstr(h, "Received"));
	n = dkim_sign_start(&s, slice_of(h, (size_t)hn), field,
	    sizeof(field));
	assert_true(n > 0);
	assert_int_equal(dkim_header_hash(header, slice_of(h, (size_t)hn),
	    slice_of(field, (size_t)n), DKIM_RELAXED, h1), 0);
	memset(sig, 0xa5, sizeof(sig));
	m = dkim_sign_finish(field, (size_t)n, sizeof(field), sig,
	    sizeof(sig));
	assert_true(m > n);
	assert_int_equal(dkim_header_hash(header, slice_of(h, (size_t)hn),
	    slice_of(field, (size_t)m), DKIM_RELAXED, h2), 0);
	assert_memory_equal(h1, h2, DKIM_HASH);
	for (i = line = 0; i < m; i++) {
		if (field[i] == '\n')
			line = 0;
		else
			assert_true(++line <= 79);
	}
	assert_int_equal(tag_get(slice_of(field, (size_t)m), "b", tag),
	    BASE64_LEN(256));
	tag_get(slice_of(field, (size_t)m), "h", tag);
	assert_string_equal(tag, h);
	tag_get(slice_of(field, (size_t)m), "t", tag);
	assert_string_equal(tag, "1795281657");
	for (i = 0; i < n; i++) {
		char *exact = malloc((size_t)i + 1);

		assert_int_equal(dkim_sign_start(&s, slice_of(h, (size_t)hn),
		    exact, (size_t)i), -1);
		free(exact);
	}
	s.selector = "a;b";
	assert_int_equal(dkim_sign_start(&s, SLICE_LIT("From"), field,
	    sizeof(field)), -1);
	s.selector = "a\r\nX: y";
	assert_int_equal(dkim_sign_start(&s, SLICE_LIT("From"), field,
	    sizeof(field)), -1);
}

/* What was signed cannot be changed or added to; the rest can. */
static void
test_oversign(void **state)
{
	struct slice h = SLICE_LIT("From:From:Subject:Subject");
	struct slice sig = SLICE_LIT("DKIM-Signature: v=1; b=");
	static const char *const same[] = {
		"From: a@b\r\nSubject: x\r\nX-New: y\r\n\r\n",
		"Subject: x\r\nFrom:  a@b \r\n\r\n"
	}, *const other[] = {
		"From: a@b\r\nSubject: y\r\n\r\n",
		"From: a@b\r\nFrom: c@d\r\nSubject: x\r\n\r\n",
		"Subject: z\r\nFrom: a@b\r\nSubject: x\r\n\r\n",
		"From: a@b\r\n\r\n"
	};
	uint8_t h0[DKIM_HASH], h1[DKIM_HASH];
	size_t i;

	dkim_header_hash(SLICE_LIT("From: a@b\r\nSubject: x\r\n\r\n"), h, sig,
	    DKIM_RELAXED, h0);
	for (i = 0; i < NITEMS(same); i++) {
		dkim_header_hash(slice_str(same[i]), h, sig, DKIM_RELAXED,
		    h1);
		assert_memory_equal(h0, h1, DKIM_HASH);
	}
	for (i = 0; i < NITEMS(other); i++) {
		dkim_header_hash(slice_str(other[i]), h, sig, DKIM_RELAXED,
		    h1);
		assert_memory_not_equal(h0, h1, DKIM_HASH);
	}
	assert_int_equal(dkim_sign_fields(SLICE_LIT("To: x\r\n\r\n"),
	    (char[4096]){ 0 }, 4096), -1);
}

static void
header_cut(char *p, size_t n)
{
	uint8_t hash[DKIM_HASH];
	char h[4096], *out = malloc(n + 2);

	dkim_sign_fields(slice_of(p, n), h, sizeof(h));
	dkim_header_hash(slice_of(p, n), slice_of(p, n), slice_of(p, n),
	    DKIM_RELAXED, hash);
	dkim_header_hash(slice_of(p, n), SLICE_LIT("from:to:::"),
	    slice_of(p, n), DKIM_SIMPLE, hash);
	dkim_header_canon(slice_of(p, n), DKIM_RELAXED, out, n + 2);
	free(out);
}

static void
test_header_cut(void **state)
{
	cut_each(message_header, sizeof(message_header) - 1, header_cut);
	CUT_LIT("DKIM-Signature: v=1; b = ab\r\n c;\r\n d=x\r\n", header_cut);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_body_limit),
		cmocka_unit_test(test_header_canon),
		cmocka_unit_test(test_sign_vectors),
		cmocka_unit_test(test_sign_field),
		cmocka_unit_test(test_oversign),
		cmocka_unit_test(test_header_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
