/*
 * The verdict engine at its edges: limits, hostile zones and signatures,
 * mutation of all that is signed.  What public suites cover is
 * regress/vectors.
 */
#include "compat.h"

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

#include "parse.h"
#include "verify.h"

#define NOW	1795300000

/* ---- a DNS in a table -------------------------------------------------- */

struct record {
	const char	*name;
	enum rr_type	 type;
	const char	*data;		/* "!": no answer, "-": NODATA */
};

static int asked;		/* questions of the last evaluation */

static void
answer_all(struct answers *a, const struct record *zone)
{
	const struct record *z;
	struct rr rr[64];
	enum answer_status status;
	enum rr_type type;
	const char *name;
	size_t n;

	while (answers_ask(a, &name, &type)) {
		asked++;
		status = ANSWER_NXDOMAIN;
		for (n = 0, z = zone; z != NULL && z->name != NULL; z++) {
			if (strcmp(z->name, name) != 0)
				continue;
			if (status == ANSWER_NXDOMAIN)
				status = ANSWER_NODATA;
			if (z->type != type || strcmp(z->data, "-") == 0)
				continue;
			status = strcmp(z->data, "!") == 0 ? ANSWER_TEMP :
			    ANSWER_OK;
			assert_true(n < 64);
			rr[n++] = (struct rr){ 10, slice_str(z->data) };
		}
		answers_put(a, name, type, status, rr,
		    status == ANSWER_OK ? n : 0);
	}
}

/* ---- answers, domains ---------------------------------------------------- */

static void
test_answers(void **state)
{
	struct answers *a = answers_new();
	struct rr rr = { 1, SLICE_LIT("text") };
	const struct answer *got;
	enum rr_type type;
	const char *name;
	char text[32];
	int i;

	assert_null(answers_get(a, "example.com", RR_TXT));
	assert_null(answers_get(a, "EXAMPLE.com", RR_TXT));
	assert_int_equal(answers_open(a), 1);
	assert_true(answers_ask(a, &name, &type));
	assert_false(answers_ask(a, &name, &type));
	answers_put(a, "Example.COM", RR_TXT, ANSWER_OK, &rr, 1);
	got = answers_get(a, "example.com", RR_TXT);
	assert_non_null(got);
	assert_true(slice_is(got->rr[0].data, "text"));
	assert_int_equal(answers_open(a), 0);
	assert_true(answers_keep(a));
	assert_null(answers_get(a, "example.com", RR_A));
	assert_false(answers_keep(a));
	/* A table that is full says so without growing. */
	for (i = 0; i < ANSWERS_MAX + 10; i++) {
		snprintf(text, sizeof(text), "n%d.example", i);
		got = answers_get(a, text, RR_A);
		assert_true((got == NULL) == (i < ANSWERS_MAX));
	}
	answers_late(a);
	assert_int_equal(answers_open(a), 0);
	assert_int_equal(answers_get(a, "n1.example", RR_A)->status,
	    ANSWER_TEMP);
	answers_free(a);
}

static void
test_answers_bytes(void **state)
{
	struct answers *a = answers_new();
	char *big = calloc(1, 60000), name[32];
	struct rr rr = { 0, { big, 60000 } };
	int i, ok = 0;

	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		answers_put(a, name, RR_TXT, ANSWER_OK, &rr, 1);
		ok += answers_get(a, name, RR_TXT)->status == ANSWER_OK;
	}
	assert_true(ok >= 3 && ok * 60000 <= ANSWERS_BYTES);
	answers_free(a);
	free(big);
}

static void
test_domain(void **state)
{
	static const char *const pair[][2] = {
		{ "Example.COM.", "example.com" },
		{ "_spf.Ex-ample.com", "_spf.ex-ample.com" },
		{ "m\xc3\xbcnchen.de", "xn--mnchen-3ya.de" },
		{ "M\xc3\x9cNCHEN.de", "xn--mnchen-3ya.de" },
		{ "fa\xc3\x9f.de", "xn--fa-hia.de" },
		{ "\xe4\xbe\x8b\xe5\xad\x90.\xe6\xb5\x8b\xe8\xaf\x95",
		    "xn--fsqu00a.xn--0zwm56d" },
		{ "\xcf\x80\xcf\x8c\xcf\x82.gr", "xn--1xae3a.gr" },
	};
	static const char *const bad[] = { "", ".", "a..b", "-a.b", "a-.b",
	    "a b.c", "example.net(.example.com", "a@b", "\xff\xfe.com",
	    "a\x7f.b", ("a\xc2\xa0" "b.c"), "\xe3\x80\x82.com" };
	char out[DOMAIN_TEXT], longest[300];
	size_t i;

	for (i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
		assert_int_equal(domain_ascii(slice_str(pair[i][0]), out), 0);
		assert_string_equal(out, pair[i][1]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(domain_ascii(slice_str(bad[i]), out), -1);
	assert_int_equal(domain_ascii(slice_of("a\0b.c", 5), out), -1);
	memset(longest, 'a', sizeof(longest));
	assert_int_equal(domain_ascii(slice_of(longest, 63), out), 0);
	assert_int_equal(domain_ascii(slice_of(longest, 64), out), -1);
	for (i = 49; i < 300; i += 50)
		longest[i] = '.';
	assert_int_equal(domain_ascii(slice_of(longest, 253), out), 0);
	assert_int_equal(domain_ascii(slice_of(longest, 254), out), -1);
	assert_true(domain_within("a.b", "b") && domain_within("b", "b"));
	assert_false(domain_within("ab", "b") || domain_within("b", "a.b"));
}

/* ---- SPF ----------------------------------------------------------------- */

static struct spf
spf(const struct record *zone, const char *local, const char *domain)
{
	struct spf_query q = { .ip = { 4, { 192, 0, 2, 1 } },
	    .helo = "mail.example", .local = slice_str(local),
	    .domain = slice_str(domain), .receiver = "mx.example",
	    .now = NOW };
	struct answers *a = answers_new();
	struct spf out;
	int round;

	asked = 0;
	for (round = 0; !spf_run(&q, a, &out); round++) {
		assert_true(round < 100 && answers_open(a) > 0);
		answer_all(a, zone);
	}
	answers_free(a);
	return out;
}

static void
test_spf_limits(void **state)
{
	static const struct record loop[] = {
		{ "a.example", RR_TXT, "v=spf1 include:a.example -all" },
		{ "b.example", RR_TXT, "v=spf1 redirect=b.example" },
		{ "c.example", RR_TXT, "v=spf1 a:1.c.example a:2.c.example "
		    "a:3.c.example +all" },
		{ "d.example", RR_TXT, "v=spf1 a:1.d.example a:2.d.example "
		    "+all" },
		{ "e.example", RR_TXT, "v=spf1 a a a a a a a a a a +all" },
		{ "e.example", RR_A, "\1\1\1\1" },
		{ "f.example", RR_TXT, "v=spf1 a a a a a a a a a a a +all" },
		{ "f.example", RR_A, "\1\1\1\1" },
		{ "g.example", RR_TXT, "v=spf1 a:x.g.example +all" },
		{ "x.g.example", RR_A, "!" },
		{ NULL }
	};

	assert_int_equal(spf(loop, "u", "a.example").result, SPF_PERMERROR);
	assert_int_equal(asked, 1);
	assert_int_equal(spf(loop, "u", "b.example").result, SPF_PERMERROR);
	assert_int_equal(asked, 1);
	assert_int_equal(spf(loop, "u", "c.example").result, SPF_PERMERROR);
	assert_int_equal(spf(loop, "u", "d.example").result, SPF_PASS);
	assert_int_equal(spf(loop, "u", "e.example").result, SPF_PASS);
	assert_int_equal(spf(loop, "u", "f.example").result, SPF_PERMERROR);
	assert_int_equal(spf(loop, "u", "g.example").result, SPF_TEMPERROR);
	assert_int_equal(spf(loop, "u", "none.example").result, SPF_NONE);
}

/* attacks: libspf2's two, and others of their kind */
static void
test_spf_macros(void **state)
{
	static const char *const bad[] = { "v=spf1 a:%{", "v=spf1 a:%{}",
	    "v=spf1 a:%{l0r}.x.example", "v=spf1 a:%{d0}", "v=spf1 a:%%%",
	    "v=spf1 a:%", "v=spf1 a:%{c}.x.example", "v=spf1 exists:%{d",
	    "v=spf1 exp=%{x}.example", "v=spf1 a:%{dr2}", "v=spf1 a:%{d2r;}" };
	static const struct record zone[] = {
		{ "a.example", RR_TXT,
		    "v=spf1 exists:%{d999999999999999999999}.ok.example -all" },
		{ "a.example.ok.example", RR_A, "\177\0\0\2" },
		{ "b.example", RR_TXT, "v=spf1 exists:%{l}.b.example +all" },
		{ "c.example", RR_TXT, "v=spf1 exists:%{s}%{s}%{s}%{s}%{s}"
		    "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}"
		    "%{S}%{S}%{S}%{S}%{S}.c.example ~all" },
		{ "d.example", RR_TXT, "v=spf1 exp=e.d.example -all" },
		{ "e.d.example", RR_TXT, "go %{S} %{s}%{s}%{s}%{s}%{s}%{s}"
		    "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}"
		    "%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}%{s}" },
		{ NULL }
	};
	char local[64];
	struct spf out;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(spf_check(slice_str(bad[i]), NULL), -1);
	assert_int_equal(spf(zone, "u", "a.example").result, SPF_PASS);
	/* A local part in UTF-8 matches nothing (RFC 8616 4). */
	assert_int_equal(spf(zone, "\xc3\xbc", "b.example").result, SPF_PASS);
	assert_int_equal(asked, 1);
	memset(local, 'x', 63);
	local[63] = '\0';
	assert_int_equal(spf(zone, local, "c.example").result, SPF_SOFTFAIL);
	out = spf(zone, "a\"\\\r\n%", "d.example");
	assert_int_equal(out.result, SPF_FAIL);
	assert_int_equal(strlen(out.exp), SPF_EXP_MAX - 1);
	assert_null(strpbrk(out.exp, "\r\n"));
	assert_int_equal(strncmp(out.exp, "go a%22%5C%0D%0A%25@", 16), 0);
}

static void
test_spf_identity(void **state)
{
	static const struct record zone[] = {
		{ "xn--mnchen-3ya.de", RR_TXT, "v=spf1 ip4:192.0.2.1 -all" },
		{ "mail.example", RR_TXT, "v=spf1 ip4:192.0.2.1 -all" },
		{ "other.example", RR_TXT, "v=spf1 -all" },
		{ NULL }
	};
	struct verdict *v = verdict_new();
	struct ipaddr ip = { 4, { 192, 0, 2, 1 } };

	assert_int_equal(spf(zone, "u", "m\xc3\xbcnchen.de").result, SPF_PASS);
	/* HELO of a domain that passes does not help MAIL FROM. */
	verdict_start(v, VERDICT_HELO, "mx.example", NOW, 0);
	verdict_client(v, &ip, "mail.example");
	verdict_sender(v, slice_str("u"), slice_str("other.example"));
	verdict_header(v, SLICE_LIT("From: u@other.example\r\n"));
	verdict_end(v);
	while (!verdict_run(v))
		answer_all(verdict_answers(v), zone);
	assert_int_equal(verdict_spf(v)->result, SPF_FAIL);
	assert_int_equal(verdict_spf_helo(v)->result, SPF_PASS);
	/* The null sender: HELO stands in. */
	verdict_start(v, VERDICT_HELO, "mx.example", NOW, 1);
	verdict_client(v, &ip, "mail.example");
	verdict_sender(v, slice_str(""), slice_str(""));
	verdict_header(v, SLICE_LIT("From: u@other.example\r\n"));
	verdict_end(v);
	while (!verdict_run(v))
		answer_all(verdict_answers(v), zone);
	assert_int_equal(verdict_spf(v)->result, SPF_PASS);
	assert_string_equal(verdict_spf(v)->domain, "mail.example");
	assert_null(verdict_spf_helo(v));
	verdict_free(v);
}

/* ---- DKIM ---------------------------------------------------------------- */

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
		{ "sel._domainkey.example.test", RR_TXT, record },
		{ "_dmarc.example.test", RR_TXT, "v=DMARC1; p=reject" },
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

/* ---- DMARC ---------------------------------------------------------------- */

static struct dmarc
dmarc(const struct record *zone, const char *from, const char *id, int pass)
{
	struct answers *a = answers_new();
	struct dmarc_authors au;
	struct dmarc_id dkim = { id, pass, 0 };
	struct dmarc out;
	int round;

	asked = 0;
	dmarc_authors_value(slice_str(from), &au);
	for (round = 0; !dmarc_run(&au, NULL, &dkim, id != NULL, a, &out);
	    round++) {
		assert_true(round < 20 && answers_open(a) > 0);
		answer_all(a, zone);
	}
	out.rua = out.ruf = slice_of(NULL, 0);
	answers_free(a);
	return out;
}

static const struct record policies[] = {
	{ "_dmarc.reject.example", RR_TXT,
	    "v=DMARC1; p=reject; sp=quarantine; np=reject" },
	{ "is.reject.example", RR_A, "\1\1\1\1" },
	{ "_dmarc.none.example", RR_TXT, "v=DMARC1; p=none" },
	{ "_dmarc.test.example", RR_TXT, "v=DMARC1; p=quarantine; t=y" },
	{ "_dmarc.temp.example", RR_TXT, "!" },
	{ "_dmarc.org.example", RR_TXT, "v=DMARC1; p=reject" },
	{ "_dmarc.n.org.example", RR_TXT, "v=DMARC1; p=reject; psd=n" },
	{ "_dmarc.psd", RR_TXT, "v=DMARC1; p=none; sp=reject; psd=y" },
	{ "a.psd", RR_A, "\1\1\1\1" },
	{ "_dmarc.dup.example", RR_TXT, "v=DMARC1; p=reject; p=none" },
	{ NULL }
};

static void
test_dmarc_policy(void **state)
{
	struct dmarc d;

	d = dmarc(policies, "x@reject.example", NULL, 0);
	assert_true(d.result == DMARC_FAIL && d.policy == DMARC_P_REJECT);
	assert_int_equal(d.tag, 'p');
	d = dmarc(policies, "x@is.reject.example", NULL, 0);
	assert_true(d.policy == DMARC_P_QUARANTINE && d.tag == 's');
	d = dmarc(policies, "x@not.reject.example", NULL, 0);
	assert_true(d.policy == DMARC_P_REJECT && d.tag == 'n');
	d = dmarc(policies, "x@test.example", NULL, 0);
	assert_true(d.published == DMARC_P_QUARANTINE && d.testing);
	assert_int_equal(d.policy, DMARC_P_NONE);
	assert_int_equal(dmarc(policies, "x@temp.example", NULL, 0).result,
	    DMARC_TEMPERROR);
	assert_int_equal(dmarc(policies, "x@sub.temp.example", NULL,
	    0).result, DMARC_TEMPERROR);
	assert_int_equal(dmarc(policies, "x@dup.example", NULL, 0).result,
	    DMARC_PERMERROR);
	d = dmarc(policies, "x@a.psd", NULL, 0);
	assert_true(d.policy == DMARC_P_REJECT && d.tag == 's');
	assert_string_equal(d.org, "a.psd");
	assert_string_equal(d.at, "psd");
}

static void
test_dmarc_align(void **state)
{
	static const struct {
		const char	*from, *id;
		enum dmarc_result want;
	} t[] = {
		{ "x@a.org.example", "b.org.example", DMARC_PASS },
		{ "x@a.org.example", "org.example", DMARC_PASS },
		{ "x@a.n.org.example", "org.example", DMARC_FAIL },
		{ "x@a.n.org.example", "b.n.org.example", DMARC_PASS },
		{ "x@org.example", "n.org.example", DMARC_FAIL },
		{ "x@org.example", "example", DMARC_FAIL },
		{ "x@org.example", "aorg.example", DMARC_FAIL },
		{ "x@a.psd", "b.psd", DMARC_FAIL },
		{ "x@a.psd", "c.a.psd", DMARC_PASS },
		{ "x@a.psd", "psd", DMARC_FAIL },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (dmarc(policies, t[i].from, t[i].id, 1).result !=
		    t[i].want)
			fail_msg("%s with %s", t[i].from, t[i].id);
		assert_int_equal(dmarc(policies, t[i].from, t[i].id,
		    0).result, DMARC_FAIL);
	}
	/* A foreign identifier is never asked about. */
	dmarc(policies, "x@org.example", "a.b.c.d.e.f.g.h.hostile.example", 1);
	assert_int_equal(asked, 2);
}

static void
test_dmarc_walk(void **state)
{
	struct dmarc d;
	char from[300] = "x@";
	int i;

	for (i = 0; i < 60; i++)
		strcat(from, "a.b.");
	strcat(from, "c");
	d = dmarc(policies, from, "y.example", 1);
	assert_int_equal(asked, DMARC_QUERIES);
	assert_int_equal(d.result, DMARC_NONE);
}

static void
test_dmarc_from(void **state)
{
	static const struct {
		const char	*header;
		enum dmarc_from	 from;
		enum dmarc_result result;
	} t[] = {
		{ "Subject: x\r\n", DMARC_FROM_MISSING, DMARC_PERMERROR },
		{ "From: \r\n", DMARC_FROM_EMPTY, DMARC_PERMERROR },
		{ "From: x\r\n", DMARC_FROM_EMPTY, DMARC_PERMERROR },
		{ "From: x@[192.0.2.1]\r\n", DMARC_FROM_EMPTY,
		    DMARC_PERMERROR },
		{ "From: undisclosed:;\r\n", DMARC_FROM_EMPTY,
		    DMARC_PERMERROR },
		{ "From: g: a@none.example, b@none.example;\r\n",
		    DMARC_FROM_OK, DMARC_FAIL },
		{ "From: a@none.example, b@reject.example\r\n",
		    DMARC_FROM_MANY, DMARC_FAIL },
		{ "From: a@reject.example, b@none.example\r\n",
		    DMARC_FROM_MANY, DMARC_FAIL },
		{ "From: a@none.example\r\nFROM : b@reject.example\r\n",
		    DMARC_FROM_TWICE, DMARC_FAIL },
		{ "From: a@x.test\r\nFrom: a@x.test\r\n", DMARC_FROM_TWICE,
		    DMARC_PERMERROR },
		{ "From: a@a.test,b@b.test,c@c.test,d@d.test,e@e.test\r\n",
		    DMARC_FROM_EXCESS, DMARC_PERMERROR },
	};
	struct answers *a;
	struct dmarc_authors au;
	struct dmarc d;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = answers_new();
		dmarc_authors(slice_str(t[i].header), &au);
		while (!dmarc_run(&au, NULL, NULL, 0, a, &d))
			answer_all(a, policies);
		if (d.from != t[i].from || d.result != t[i].result)
			fail_msg("%s: %d %s", t[i].header, d.from,
			    dmarc_name(d.result));
		if (i >= 6 && i <= 8) {
			assert_string_equal(d.author, "reject.example");
			assert_int_equal(d.policy, DMARC_P_REJECT);
		}
		answers_free(a);
	}
}

static void
test_dmarc_uris(void **state)
{
	struct slice rest = SLICE_LIT("mailto:a@b, ,nothing,mailto:c@d!10m,"
	    "mailto:e@f!x, https://x/y"), uri;

	assert_true(dmarc_uri_next(&rest, &uri) &&
	    slice_is(uri, "mailto:a@b"));
	assert_true(dmarc_uri_next(&rest, &uri) &&
	    slice_is(uri, "mailto:c@d"));
	assert_true(dmarc_uri_next(&rest, &uri) &&
	    slice_is(uri, "https://x/y"));
	assert_false(dmarc_uri_next(&rest, &uri));
}

/* ---- ARC, fields, time ----------------------------------------------------- */

static void
test_arc_structure(void **state)
{
	struct verdict *v = verdict_new();
	char *m = malloc(400000);
	size_t n = 0;
	int i;

	for (i = 51; i > 0; i--)
		n += (size_t)sprintf(m + n, "ARC-Seal: i=%d; a=rsa-sha256; "
		    "d=a.example; s=s; cv=pass; b=AAAA\r\n"
		    "ARC-Message-Signature: i=%d; a=rsa-sha256; d=a.example; "
		    "s=s; h=from; bh=AAAA; b=AAAA\r\n"
		    "ARC-Authentication-Results: i=%d; none\r\n", i, i, i);
	verdict_start(v, VERDICT_NOSPF, "mx.example", NOW, 0);
	verdict_header(v, slice_of(m, n));
	verdict_end(v);
	while (!verdict_run(v))
		answer_all(verdict_answers(v), NULL);
	assert_int_equal(verdict_arc(v)->result, ARC_FAIL);
	verdict_free(v);
	free(m);
}

static void
test_authres_forged(void **state)
{
	static const struct {
		const char	*field;
		int		 forged;
	} t[] = {
		{ "Authentication-Results: mx.example; spf=pass\r\n", 1 },
		{ "AUTHENTICATION-results : MX.Example;x\r\n", 1 },
		{ "Authentication-Results:\r\n\tmx.example 1; none\r\n", 1 },
		{ "Authentication-Results: (c (d) \\)) mx.example; x\r\n", 1 },
		{ "Authentication-Results: \"mx.example\"; x\r\n", 1 },
		{ "Authentication-Results: \"mx\\.example\"; x\r\n", 1 },
		{ "Authentication-Results: mx.example.; x\r\n", 1 },
		{ "Authentication-Results: mx.example(c); x\r\n", 1 },
		{ "Authentication-Results: mx.example\r\n", 1 },
		{ "Authentication-Results: ; x\r\n", 1 },
		{ "Authentication-Results:\r\n", 1 },
		{ "Authentication-Results: \"mx.example\r\n", 1 },
		{ "Authentication-Results: other mx.example; x\r\n", 1 },
		{ "Authentication-Results: other.example; spf=pass\r\n", 0 },
		{ "Authentication-Results: a.mx.example; spf=pass\r\n", 0 },
		{ "X-Authentication-Results: mx.example; x\r\n", 0 },
		{ "ARC-Authentication-Results: i=1; mx.example\r\n", 0 },
	};
	struct header_field f;
	struct slice rest;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		rest = slice_str(t[i].field);
		assert_true(header_next(&rest, &f));
		if (authres_forged(&f, "mx.example") != t[i].forged)
			fail_msg("%s", t[i].field);
	}
}

/* What a stranger chose stays inside its quotes. */
static void
test_authres_print(void **state)
{
	struct verdict *v = verdict_new();
	struct ipaddr ip = { 6, { 0x20, 1, 0xd, 0xb8 } };
	char out[AUTHRES_MAX];
	ssize_t n;

	verdict_start(v, VERDICT_HELO, "mx.example", NOW, 0);
	verdict_client(v, &ip, "a\" ;spf=pass\r\nX: y");
	verdict_sender(v, slice_str("u;dmarc=pass"), slice_str("b.example"));
	verdict_header(v, SLICE_LIT("From: x@y.example\r\n\r\n"));
	verdict_end(v);
	verdict_timeout(v);
	assert_true(verdict_run(v));
	assert_int_equal(verdict_spf(v)->result, SPF_TEMPERROR);
	assert_int_equal(verdict_dmarc(v)->result, DMARC_TEMPERROR);
	n = authres_print(v, "auth=pass smtp.auth=x", out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_null(strstr(out, "dmarc=pass"));
	assert_null(strstr(out, "\r\nX:"));
	assert_null(strstr(out, "smtp.helo"));	/* no result, none told */
	assert_non_null(strstr(out, ";\r\n\tauth=pass smtp.auth=x\r\n"));
	assert_int_equal(authres_print(v, NULL, out, 20), -1);
	n = spf_received_print(v, out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, "client-ip=\"2001:db8::\""));
	verdict_sender(v, slice_of("", 0), slice_of("", 0));
	n = authres_print(v, NULL, out, sizeof(out) - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_non_null(strstr(out, "smtp.helo=\"a\\\" ;spf=pass??X: y\""));
	assert_null(strstr(out, "\r\nX:"));
	verdict_free(v);
}

/* Facts may come in any cut; questions go out as soon as they are known. */
static void
test_verdict_order(void **state)
{
	struct verdict *v = verdict_new();
	struct ipaddr ip = { 4, { 192, 0, 2, 1 } };
	enum rr_type type;
	const char *name;

	verdict_start(v, 0, "mx.example", NOW, 0);
	assert_false(verdict_run(v));
	assert_int_equal(answers_open(verdict_answers(v)), 0);
	verdict_client(v, &ip, "h.example");
	verdict_sender(v, slice_str("a"), slice_str("a.example"));
	assert_false(verdict_run(v));
	assert_true(answers_ask(verdict_answers(v), &name, &type));
	assert_string_equal(name, "a.example");
	verdict_header(v, SLICE_LIT("From: a@b.example\r\n\r\n"));
	assert_false(verdict_run(v));
	assert_true(answers_ask(verdict_answers(v), &name, &type));
	assert_string_equal(name, "_dmarc.b.example");
	verdict_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_answers_bytes),
		cmocka_unit_test(test_domain),
		cmocka_unit_test(test_spf_limits),
		cmocka_unit_test(test_spf_macros),
		cmocka_unit_test(test_spf_identity),
		cmocka_unit_test(test_mutation),
		cmocka_unit_test(test_dkim_tags),
		cmocka_unit_test(test_dkim_keys),
		cmocka_unit_test(test_dkim_partial),
		cmocka_unit_test(test_dkim_many),
		cmocka_unit_test(test_dkim_lengths),
		cmocka_unit_test(test_dmarc_policy),
		cmocka_unit_test(test_dmarc_align),
		cmocka_unit_test(test_dmarc_walk),
		cmocka_unit_test(test_dmarc_from),
		cmocka_unit_test(test_dmarc_uris),
		cmocka_unit_test(test_arc_structure),
		cmocka_unit_test(test_authres_forged),
		cmocka_unit_test(test_authres_print),
		cmocka_unit_test(test_verdict_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
