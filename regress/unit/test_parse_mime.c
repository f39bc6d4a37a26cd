/*
 * The message parser and its facts: structure, ENVELOPE, part offsets, the
 * same blob however the message was cut, blobs that were damaged, and
 * messages made to hurt.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/data.h"
#include "parse/facts.h"
#include "parse/header.h"
#include "parse/mime.h"
#include "parse/mime_priv.h"
#include "cut.h"
#include "parts_walk.h"

struct facts {
	char	*blob;
	size_t	 n;
};

static const char sample[] =
    "From: =?utf-8?q?J=C3=B8rn?= <jorn@example.org>\r\n"
    "To: \"Bob, B\" <bob@x.org>, list: a@b, c@d;\r\n"
    "Subject: [list] Re: =?iso-8859-1?Q?bl=E5b=E6r?=\r\n"
    " =?utf-8?b?w7g=?= (fwd)\r\n"
    "Date: Sat, 21 Nov 2026 18:20:57 +0100\r\n"
    "Message-ID: <1@x>\r\n"
    "In-Reply-To: Your message <0@x>\r\n"
    "References: <a@b> <c@d>\r\n\t<e@f>\r\n"
    "Content-Type: multipart/mixed; boundary=\"abc\"\r\n"
    "\r\n"
    "preamble\r\n"
    "--abc\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "Hello=20w=C3=B8rld,\r\nthis is = \r\njoined.\r\n\r\n"
    "--abc\r\n"
    "Content-Type: message/rfc822\r\n"
    "Content-Disposition: attachment; filename*0*=utf-8''a%20;\r\n"
    " filename*1=\"b.eml\"\r\n"
    "\r\n"
    "From: x@y\r\n"
    "Subject: inner\r\n"
    "Content-Type: multipart/alternative; boundary=abcd\r\n"
    "\r\n"
    "--abcd\r\n\r\nt1\r\n"
    "--abcd\r\nContent-Type: text/html\r\n\r\n<b>t2</b>\r\n"
    "--abcd--\r\n"
    "--abc\r\n"
    "Content-Type: application/pdf; name=\"x \\\"y.pdf\"\r\n"
    "Content-Transfer-Encoding: BASE64\r\n"
    "Content-Language: en, da\r\n"
    "\r\n"
    "AAAA\r\n"
    "--abc--\r\n"
    "epilogue\r\n";

static struct facts
facts_of(const char *p, size_t n)
{
	struct facts f;

	f.blob = mime_facts(p, n, &f.n);
	assert_non_null(f.blob);
	assert_int_equal(facts_version(f.blob, f.n), FACTS_VERSION);
	/* what is shown can be fetched, of every message here */
	assert_string_equal(parts_walk(f.blob, f.n) == NULL ? "" :
	    parts_walk(f.blob, f.n), "");
	return f;
}

static void
field_is(const struct facts *f, enum facts_field field, const char *want)
{
	struct slice s;
	char *got;

	assert_int_equal(facts_get(f->blob, f->n, field, &s), 0);
	got = strndup(s.p, s.n);
	assert_string_equal(got, want);
	free(got);
}

static void	 same_cut(const char *, size_t, size_t);

static void
structure_is(const char *msg, const char *want)
{
	struct facts f = facts_of(msg, strlen(msg));

	field_is(&f, FACTS_BODYSTRUCTURE, want);
	free(f.blob);
}

static void
test_sample(void **state)
{
	struct facts f = facts_of(sample, sizeof(sample) - 1);
	int64_t t;

	field_is(&f, FACTS_ENVELOPE,
	    "(\"Sat, 21 Nov 2026 18:20:57 +0100\" "
	    "\"[list] Re: =?iso-8859-1?Q?bl=E5b=E6r?= =?utf-8?b?w7g=?= (fwd)\""
	    " ((\"=?utf-8?q?J=C3=B8rn?=\" NIL \"jorn\" \"example.org\"))"
	    " ((\"=?utf-8?q?J=C3=B8rn?=\" NIL \"jorn\" \"example.org\"))"
	    " ((\"=?utf-8?q?J=C3=B8rn?=\" NIL \"jorn\" \"example.org\"))"
	    " ((\"Bob, B\" NIL \"bob\" \"x.org\")(NIL NIL \"list\" NIL)"
	    "(NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")(NIL NIL NIL NIL))"
	    " NIL NIL \"Your message <0@x>\" \"<1@x>\")");
	field_is(&f, FACTS_BODYSTRUCTURE,
	    "((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL "
	    "\"quoted-printable\" 42 3 NIL NIL NIL NIL)"
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 149 "
	    "(NIL \"inner\" ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) "
	    "((NIL NIL \"x\" \"y\")) NIL NIL NIL NIL NIL) "
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "2 0 NIL NIL NIL NIL)"
	    "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "9 0 NIL NIL NIL NIL) \"alternative\" (\"boundary\" \"abcd\") "
	    "NIL NIL NIL) 11 NIL "
	    "(\"attachment\" (\"filename*\" \"utf-8''a%20b.eml\")) NIL NIL)"
	    "(\"application\" \"pdf\" (\"name\" \"x \\\"y.pdf\") NIL NIL "
	    "\"base64\" 4 NIL NIL (\"en\" \"da\") NIL) "
	    "\"mixed\" (\"boundary\" \"abc\") NIL NIL NIL)");
	field_is(&f, FACTS_BODY,
	    "((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL "
	    "\"quoted-printable\" 42 3)"
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 149 "
	    "(NIL \"inner\" ((NIL NIL \"x\" \"y\")) ((NIL NIL \"x\" \"y\")) "
	    "((NIL NIL \"x\" \"y\")) NIL NIL NIL NIL NIL) "
	    "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "2 0)(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL "
	    "\"7bit\" 9 0) \"alternative\") 11)"
	    "(\"application\" \"pdf\" (\"name\" \"x \\\"y.pdf\") NIL NIL "
	    "\"base64\" 4) \"mixed\")");
	field_is(&f, FACTS_SUBJECT, "[list] Re: bl\xc3\xa5" "b\xc3\xa6r\xc3\xb8 "
	    "(fwd)");
	field_is(&f, FACTS_BASESUBJECT, "bl\xc3\xa5" "b\xc3\xa6r\xc3\xb8");
	field_is(&f, FACTS_MSGID, "<1@x>");
	field_is(&f, FACTS_INREPLYTO, "<0@x>");
	field_is(&f, FACTS_REFERENCES, "<a@b> <c@d> <e@f>");
	field_is(&f, FACTS_CC, "");
	field_is(&f, FACTS_PREVIEW, "Hello w\xc3\xb8rld, this is joined.");
	assert_int_equal(facts_date(f.blob, f.n, &t), 1);
	assert_int_equal(t, 1795281657);
	free(f.blob);
}

static void
part_is(const struct facts *f, const uint32_t *path, size_t npath,
    const char *head, const char *body)
{
	struct facts_part p;

	assert_int_equal(facts_part(f->blob, f->n, path, npath, &p), 1);
	assert_int_equal(p.hdr_off + p.hdr_len, p.body_off);
	assert_memory_equal(sample + p.hdr_off, head, strlen(head));
	assert_int_equal(p.body_len, strlen(body));
	assert_memory_equal(sample + p.body_off, body, strlen(body));
}

static void
test_parts(void **state)
{
	struct facts f = facts_of(sample, sizeof(sample) - 1);
	struct facts_part p;
	uint64_t h, len, lines;

	part_is(&f, (uint32_t[]){ 1 }, 1, "Content-Type: text/plain",
	    "Hello=20w=C3=B8rld,\r\nthis is = \r\njoined.\r\n");
	part_is(&f, (uint32_t[]){ 3 }, 1, "Content-Type: app", "AAAA");
	part_is(&f, (uint32_t[]){ 2, 1 }, 2, "\r\n", "t1");
	part_is(&f, (uint32_t[]){ 2, 2 }, 2, "Content-Type: text/html",
	    "<b>t2</b>");
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 2 }, 1, &p),
	    1);
	assert_int_equal(p.type, FACTS_MESSAGE);
	assert_memory_equal(sample + p.msg_hdr_off, "From: x@y\r\n", 11);
	assert_memory_equal(sample + p.msg_body_off, "--abcd\r\n", 8);
	assert_int_equal(p.msg_body_off + p.msg_body_len,
	    p.body_off + p.body_len);
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 4 }, 1, &p),
	    0);
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 0 }, 1, &p),
	    0);
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 1, 1 }, 2, &p),
	    0);
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 2, 3 }, 2, &p),
	    0);
	assert_int_equal(facts_part(f.blob, f.n, NULL, 0, &p), 1);
	assert_int_equal(p.body_off + p.body_len, sizeof(sample) - 1);
	assert_int_equal(facts_nparts(f.blob, f.n), 7);
	assert_int_equal(facts_size(f.blob, f.n, &h, &len, &lines), 0);
	assert_int_equal(len, sizeof(sample) - 1);
	assert_int_equal(h, header_len(sample, sizeof(sample) - 1));
	free(f.blob);
}

/* A message that is no multipart: part 1 is its body. */
static void
test_part_one(void **state)
{
	static const char msg[] = "From: a@b\r\n\r\ntext\r\n";
	static const char fwd[] = "Content-Type: message/rfc822\r\n\r\n"
	    "Subject: s\r\n\r\ninner\r\n";
	struct facts f = facts_of(msg, sizeof(msg) - 1);
	struct facts_part p;

	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 1 }, 1, &p),
	    1);
	assert_int_equal(p.body_len, 6);
	assert_int_equal(p.lines, 1);
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 1, 1 }, 2, &p),
	    0);
	free(f.blob);
	f = facts_of(fwd, sizeof(fwd) - 1);
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 1 }, 1, &p),
	    1);
	assert_int_equal(p.type, FACTS_MESSAGE);
	assert_int_equal(facts_part(f.blob, f.n, (uint32_t[]){ 1, 1 }, 2, &p),
	    1);
	assert_int_equal(p.body_len, 7);
	free(f.blob);
}

/* Fields of the same name: one list in ENVELOPE, a line each for SEARCH. */
static void
test_several_fields(void **state)
{
	static const char msg[] = "To: a@b\r\nSubject: s\r\nTO:\r\n"
	    "to: g: c@d\r\nFrom: e@f\r\nTo: (x\r\n y), h@i\r\n"
	    "Sender: j@k\r\nCc:\r\nCc:\r\n\r\n";
	static const char two[] = "Subject: inner\r\nContent-Type: message/"
	    "rfc822\r\n\r\nTo: a@b\r\nTo: c@d\r\nFrom: e@f\r\nFrom: g@h\r\n";
	struct facts f = facts_of(msg, sizeof(msg) - 1);

	field_is(&f, FACTS_ENVELOPE, "(NIL \"s\" ((NIL NIL \"e\" \"f\")) "
	    "((NIL NIL \"j\" \"k\")) ((NIL NIL \"e\" \"f\")) "
	    "((NIL NIL \"a\" \"b\")(NIL NIL \"g\" NIL)(NIL NIL \"c\" \"d\")"
	    "(NIL NIL NIL NIL)(NIL NIL \"h\" \"i\")) NIL NIL NIL NIL)");
	field_is(&f, FACTS_TO, "a@b\n\ng: c@d\n(x y), h@i");
	field_is(&f, FACTS_CC, "");
	field_is(&f, FACTS_FROM, "e@f");
	same_cut(msg, sizeof(msg) - 1, 1);
	free(f.blob);
	structure_is(two, "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 40 "
	    "(NIL NIL ((NIL NIL \"e\" \"f\")(NIL NIL \"g\" \"h\")) "
	    "((NIL NIL \"e\" \"f\")(NIL NIL \"g\" \"h\")) "
	    "((NIL NIL \"e\" \"f\")(NIL NIL \"g\" \"h\")) "
	    "((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL) "
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "0 0 NIL NIL NIL NIL) 4 NIL NIL NIL NIL)");
}

static void
test_structure(void **state)
{
	structure_is("", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL "
	    "NIL \"7bit\" 0 0 NIL NIL NIL NIL)");
	/* typed without any header */
	structure_is("hejsa\r\n", "(\"text\" \"plain\" (\"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 7 1 NIL NIL NIL NIL)");
	structure_is("Content-Type: TEXT/HTML\r\n"
	    "Content-ID: <i>\r\nContent-Description: d\r\n"
	    "Content-MD5: Q2hlY2s=\r\nContent-Location: http://x/\r\n"
	    "Content-Disposition: inline\r\nContent-Language: da\r\n\r\n",
	    "(\"text\" \"html\" (\"charset\" \"us-ascii\") \"<i>\" \"d\" "
	    "\"7bit\" 0 0 \"Q2hlY2s=\" (\"inline\" NIL) \"da\" "
	    "\"http://x/\")");
	/* a multipart whose boundary never comes is a text */
	structure_is("Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n",
	    "(\"text\" \"plain\" (\"boundary\" \"b\" \"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 3 1 NIL NIL NIL NIL)");
	structure_is("Content-Type: multipart/digest; boundary=b; "
	    "charset=utf-8\r\nContent-MD5: m\r\nContent-ID: i\r\n"
	    "Content-Description: d\r\nContent-Language: da\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nx\r\n--b--\r\ny",
	    "(\"text\" \"plain\" (\"boundary\" \"b\" \"charset\" \"utf-8\") "
	    "\"i\" \"d\" \"base64\" 11 2 \"m\" NIL \"da\" NIL)");
	/* the boundary of another level is none */
	structure_is("Content-Type: multipart/mixed; boundary=a\r\n\r\n"
	    "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n"
	    "--a--\r\n",
	    "((\"text\" \"plain\" (\"boundary\" \"b\" \"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \"mixed\" "
	    "(\"boundary\" \"a\") NIL NIL NIL)");
	structure_is("Content-Type: message/rfc822\r\n\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n",
	    "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 45 (NIL NIL NIL NIL "
	    "NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"boundary\" "
	    "\"b\" \"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 NIL NIL "
	    "NIL NIL) 2 NIL NIL NIL NIL)");
	structure_is("Content-Type: multipart/mixed\r\n\r\nx\r\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "
	    "3 1 NIL NIL NIL NIL)");
	/* digest: parts are messages (RFC 2046 5.1.5) */
	structure_is("Content-Type: multipart/digest; boundary=b\r\n\r\n"
	    "--b\r\n\r\nSubject: s\r\n\r\nx\r\n--b--\r\n",
	    "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 15 (NIL \"s\" NIL "
	    "NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) 2 NIL NIL "
	    "NIL NIL) \"digest\" (\"boundary\" \"b\") NIL NIL NIL)");
	/* 8-bit text in a header goes as a literal */
	structure_is("Content-Description: \xc3\xa5\r\n\r\n",
	    "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL {2}\r\n"
	    "\xc3\xa5 \"7bit\" 0 0 NIL NIL NIL NIL)");
}

/* Row 33: boundaries that start alike, ends in odd places. */
static void
test_attack_boundary_prefix(void **state)
{
	structure_is("Content-Type: multipart/mixed; boundary=aa\r\n\r\n"
	    "--aa\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n"
	    "--a\r\n\r\nx\r\n--aaa\r\n--a--\r\n--aa--\r\n",
	    "(((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\""
	    " 8 1 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"a\") NIL NIL NIL)"
	    " \"mixed\" (\"boundary\" \"aa\") NIL NIL NIL)");
	/* the outer boundary ends the inner part inside its header */
	structure_is("Content-Type: multipart/mixed; boundary=a\r\n\r\n"
	    "--a\r\nContent-Type: text/x\r\n--a\r\n\r\ny",
	    "((\"text\" \"x\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0 "
	    "NIL NIL NIL NIL)(\"text\" \"plain\" (\"charset\" \"us-ascii\") "
	    "NIL NIL \"7bit\" 1 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" "
	    "\"a\") NIL NIL NIL)");
	structure_is("Content-Type: multipart/mixed; boundary=a\r\n\r\n"
	    "--a--\r\n--a\r\n\r\n",
	    "(\"text\" \"plain\" (\"boundary\" \"a\" \"charset\" "
	    "\"us-ascii\") NIL NIL \"7bit\" 14 3 NIL NIL NIL NIL)");
}

/* Feed in steps; the blob must be the one of the whole. */
static void
same_cut(const char *p, size_t n, size_t step)
{
	struct facts f = facts_of(p, n);
	struct mime *m = mime_new();
	const char *blob;
	size_t i, k, bn;
	char *copy;

	for (i = 0; i < n; i += k) {
		k = n - i < step ? n - i : step;
		copy = malloc(k);
		memcpy(copy, p + i, k);
		assert_int_equal(mime_feed(m, copy, k), 0);
		free(copy);
	}
	assert_int_equal(mime_end(m, &blob, &bn), 0);
	assert_int_equal(bn, f.n);
	assert_memory_equal(blob, f.blob, bn);
	/* and again with the same parser */
	mime_reset(m);
	assert_int_equal(mime_feed(m, p, n), 0);
	assert_int_equal(mime_end(m, &blob, &bn), 0);
	assert_int_equal(bn, f.n);
	assert_memory_equal(blob, f.blob, bn);
	mime_free(m);
	free(f.blob);
}

static void
prefix_cut(char *p, size_t n)
{
	same_cut(p, n, 1);
	same_cut(p, n, 7);
}

static void
test_cut(void **state)
{
	size_t step;

	for (step = 1; step < sizeof(sample); step += 3)
		same_cut(sample, sizeof(sample) - 1, step);
	cut_each(sample, sizeof(sample) - 1, prefix_cut);
	CUT_LIT("From\r\n\r\n", prefix_cut);
	CUT_LIT("not a field\r\n--x\r\n", prefix_cut);
}

/* The blob read in every way; for damaged ones only no crash counts. */
static void
blob_walk(char *blob, size_t n)
{
	struct facts_part p;
	struct slice s;
	uint64_t a, b, c;
	uint32_t path[3];
	int64_t t;
	int i;

	facts_version(blob, n);
	facts_date(blob, n, &t);
	facts_seen(blob, n);
	for (i = 0; i < FACTS_NFIELDS; i++)
		if (facts_get(blob, n, (enum facts_field)i, &s) == 0)
			assert_true(s.p >= blob && s.p + s.n <= blob + n);
	if (facts_size(blob, n, &a, &b, &c) == 0)
		assert_true(a <= b);
	for (i = -1; i <= facts_nparts(blob, n); i++)
		if (facts_nth(blob, n, i, &p) == 0 && facts_size(blob, n, &a,
		    &b, &c) == 0)
			assert_true(p.body_off + p.body_len <= b);
	for (i = 0; i < 64; i++) {
		path[0] = (uint32_t)i & 3;
		path[1] = (uint32_t)i >> 2 & 3;
		path[2] = (uint32_t)i >> 4;
		facts_part(blob, n, path, (size_t)i % 4, &p);
	}
}

/* Row 48: our own file, damaged. */
static void
test_attack_facts_damaged(void **state)
{
	struct facts f = facts_of(sample, sizeof(sample) - 1);
	static const uint8_t flips[] = { 1, 2, 0x10, 0x80, 0xff };
	size_t i, k;

	cut_each(f.blob, f.n, blob_walk);
	for (i = 0; i < 176 + 7 * 36 + 8; i++)
		for (k = 0; k < NITEMS(flips); k++) {
			f.blob[i] = (char)(f.blob[i] ^ flips[k]);
			blob_walk(f.blob, f.n);
			f.blob[i] = (char)(f.blob[i] ^ flips[k]);
		}
	free(f.blob);
}

/* Repeat unit (with %d for a number) after a start, and parse. */
static struct facts
many(const char *start, const char *unit, int count)
{
	size_t cap = strlen(start) + (strlen(unit) + 12) * (size_t)count + 1;
	char *p = malloc(cap);
	size_t n = (size_t)sprintf(p, "%s", start);
	struct facts f;
	clock_t t0 = clock();
	int i;

	for (i = 0; i < count; i++) {
		const char *mark = strstr(unit, "%d");

		if (mark == NULL)
			n += (size_t)sprintf(p + n, "%s", unit);
		else
			n += (size_t)sprintf(p + n, "%.*s%d%s",
			    (int)(mark - unit), unit, i, mark + 2);
	}
	f = facts_of(p, n);
	assert_true(f.n <= FACTS_MAX);
	blob_walk(f.blob, f.n);
	assert_true((double)(clock() - t0) / CLOCKS_PER_SEC < 20);
	free(p);
	return f;
}

/* Row 33: depth and number of parts. */
static void
test_attack_mime_depth(void **state)
{
	struct facts f;

	f = many("", "Content-Type: message/rfc822\r\n\r\n", 30000);
	assert_true(facts_nparts(f.blob, f.n) <= MIME_DEPTH_MAX);
	free(f.blob);
	f = many("Content-Type: multipart/mixed; boundary=x\r\n\r\n",
	    "--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n", 50000);
	assert_true(facts_nparts(f.blob, f.n) <= MIME_PARTS_MAX);
	free(f.blob);
	f = many("Content-Type: multipart/mixed; boundary=x\r\n\r\n",
	    "--x\r\n\r\n", 100000);
	assert_int_equal(facts_nparts(f.blob, f.n), MIME_PARTS_MAX);
	free(f.blob);
}

static void
test_attack_mime_nested(void **state)
{
	char *p = malloc(100000 * 64);
	size_t n = 0;
	struct facts f;
	int i;

	for (i = 0; i < 100000; i++)
		n += (size_t)sprintf(p + n,
		    "Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n",
		    i, i);
	f = facts_of(p, n);
	assert_int_equal(facts_nparts(f.blob, f.n), MIME_DEPTH_MAX);
	blob_walk(f.blob, f.n);
	free(f.blob);
	free(p);
}

/* The part at path starts with head and reaches to the end of the message. */
static void
last_is(const char *msg, const struct facts *f, const uint32_t *path,
    size_t npath, const char *head)
{
	struct facts_part p;

	assert_int_equal(facts_part(f->blob, f->n, path, npath, &p), 1);
	assert_int_equal(p.body_off + p.body_len, strlen(msg));
	assert_memory_equal(msg + p.body_off, head, strlen(head));
}

/*
 * Of the root and count parts 1000 are kept: what would be one more, header
 * and boundary with it, is in the last.
 */
static void
test_limit_parts(void **state)
{
	static const struct {
		int	 count;
		uint32_t last;
		const char *head;
	} t[] = {
		{ 998, 998, "998" }, { 999, 999, "999" },
		{ 1000, 999, "999\r\n--b\r\nA: 1000\r\n\r\n1000\r\n--b--\r\nend" },
		{ 1001, 999, "999\r\n--b\r\nA: 1000\r\n\r\n1000\r\n--b\r\nA: 1001" },
		{ 3000, 999, "999\r\n--b\r\nA: 1000\r\n\r\n1000\r\n--b\r\nA: 1001" },
	};
	struct facts_part p;
	struct facts f;
	char *msg = malloc(100000);
	size_t i, n;
	int k;

	for (i = 0; i < NITEMS(t); i++) {
		n = (size_t)sprintf(msg, "Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n");
		for (k = 1; k <= t[i].count; k++)
			n += (size_t)sprintf(msg + n, "--b\r\nA: %d\r\n\r\n"
			    "%d\r\n", k, k);
		n += (size_t)sprintf(msg + n, "--b--\r\nend\r\n");
		f = facts_of(msg, n);
		if (t[i].count > 999)
			last_is(msg, &f, &t[i].last, 1, t[i].head);
		assert_int_equal(facts_part(f.blob, f.n, &t[i].last, 1, &p),
		    1);
		assert_memory_equal(msg + p.body_off, t[i].head,
		    strlen(t[i].head));
		assert_true(t[i].count > 999 || p.body_len == 3);
		assert_int_equal(facts_part(f.blob, f.n,
		    (uint32_t[]){ t[i].last + 1 }, 1, &p), 0);
		same_cut(msg, n, 3);
		free(f.blob);
	}
	free(msg);
}

/* The last part was closed by its multipart when one too many comes; an
 * empty one keeps its header. */
static void
test_limit_parts_nested(void **state)
{
	static const char *const body[] = { "x\r\n", "\r\n", "" };
	char *msg = malloc(100000), head[100];
	struct facts f;
	size_t i, n;
	int k;

	for (i = 0; i < NITEMS(body); i++) {
		n = (size_t)sprintf(msg, "Content-Type: multipart/mixed; "
		    "boundary=b\r\n\r\n");
		for (k = 1; k <= 996; k++)
			n += (size_t)sprintf(msg + n, "--b\r\n\r\n\r\n");
		n += (size_t)sprintf(msg + n, "--b\r\nContent-Type: multipart/"
		    "mixed; boundary=c\r\n\r\n--c\r\n\r\ny\r\n--c\r\n"
		    "A: last\r\n\r\n%s--c--\r\n--b\r\n\r\nz\r\n--b--\r\n",
		    body[i]);
		f = facts_of(msg, n);
		assert_int_equal(facts_nparts(f.blob, f.n), MIME_PARTS_MAX);
		snprintf(head, sizeof(head), "%s--c--\r\n--b\r\n\r\nz\r\n",
		    body[i]);
		last_is(msg, &f, (uint32_t[]){ 997, 2 }, 2, head);
		same_cut(msg, n, 7);
		free(f.blob);
	}
	free(msg);
}

/* Levels: the deepest that is shown has all that is deeper as its text. */
static void
test_limit_levels(void **state)
{
	static const int depth[] = { 1, 62, 63, 64, 65, 200 };
	uint32_t path[MIME_DEPTH_MAX];
	char *msg = malloc(100000), head[100];
	struct facts f;
	size_t i, n, npath;
	int k;

	for (i = 0; i < NITEMS(depth); i++) {
		for (n = 0, k = 1; k <= depth[i]; k++)
			n += (size_t)sprintf(msg + n, "Content-Type: multipart/"
			    "mixed; boundary=b%d\r\n\r\n--b%d\r\n", k, k);
		n += (size_t)sprintf(msg + n, "\r\nx\r\n");
		f = facts_of(msg, n);
		npath = depth[i] < MIME_DEPTH_MAX ? (size_t)depth[i] :
		    MIME_DEPTH_MAX - 1;
		for (k = 0; k < (int)npath; k++)
			path[k] = 1;
		snprintf(head, sizeof(head), depth[i] <= (int)npath ? "x\r\n" :
		    "--b%d\r\n", (int)npath + 1);
		last_is(msg, &f, path, npath, head);
		same_cut(msg, n, 5);
		free(f.blob);
		for (n = 0, k = 1; k <= depth[i]; k++)
			n += (size_t)sprintf(msg + n,
			    "Content-Type: message/rfc822\r\n\r\n");
		n += (size_t)sprintf(msg + n, "\r\nx\r\n");
		f = facts_of(msg, n);
		npath = depth[i] < MIME_DEPTH_MAX ? (size_t)depth[i] + 1 :
		    MIME_DEPTH_MAX;
		for (k = 0; k < (int)npath; k++)
			path[k] = 1;
		last_is(msg, &f, path, npath, depth[i] < (int)npath ? "x\r\n" :
		    depth[i] == (int)npath ? "\r\nx\r\n" : "Content-Type: m");
		free(f.blob);
	}
	free(msg);
}

/* Row 34: hundreds of thousands of address headers.  Row 35: huge ones. */
static void
test_attack_headers(void **state)
{
	struct facts f;

	f = many("", "To: a%d@example.org\r\n", 500000);
	free(f.blob);
	f = many("To: x", ",a@b", 500000);
	free(f.blob);
	f = many("To: ", "a,", 1000000);
	free(f.blob);
	f = many("", "X: y\r\n", 1000000);
	free(f.blob);
	f = many("Subject: ", "x ", 4000000);
	free(f.blob);
	f = many("Subject: ", "[a]", 100000);
	free(f.blob);
	f = many("Subject: ", "Re: ", 100000);
	free(f.blob);
	f = many("Subject: ", "=?utf-8?q?a?= ", 100000);
	free(f.blob);
	f = many("References: ", "<%d@x> ", 100000);
	free(f.blob);
}

/* Row 36: RFC 2231 pieces without end. */
static void
test_attack_params(void **state)
{
	struct facts f;

	f = many("Content-Type: text/plain", "; name*%d*=x", 100000);
	free(f.blob);
	f = many("Content-Type: text/plain", "; a%d=x", 100000);
	free(f.blob);
	f = many("Content-Type: text/plain; ", "\"", 100000);
	free(f.blob);
}

/* Facts too long for a blob become those of one text. */
static void
test_facts_flat(void **state)
{
	struct facts f;

	f = many("Content-Type: multipart/mixed; boundary=b\r\n\r\n",
	    "--b\r\nContent-Type: message/rfc822\r\n\r\n"
	    "From: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,"
	    "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a"
	    "\r\n\r\n\r\n", 499);
	assert_int_equal(facts_nparts(f.blob, f.n), 1);
	field_is(&f, FACTS_ENVELOPE, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL "
	    "NIL)");
	free(f.blob);
}

/* Row 52: a comment that ends in a backslash at the end of the message. */
static void
test_attack_comment_backslash(void **state)
{
	CUT_LIT("From: (a\\", prefix_cut);
	CUT_LIT("To: \"a\\", prefix_cut);
	CUT_LIT("Date: (\\", prefix_cut);
	CUT_LIT("Content-Type: a/b; c=\"\\", prefix_cut);
	CUT_LIT("References: (\\", prefix_cut);
	CUT_LIT("Subject: =?utf-8?q?=", prefix_cut);
}

/* Rows 31, 50: NUL and cut UTF-8 in a header stay text. */
static void
test_attack_nul(void **state)
{
	static const char msg[] = "Subject: a\0b\xc3\r\nTo: \"x\0\" <a\0@b>\r\n"
	    "\r\n\0";
	struct facts f = facts_of(msg, sizeof(msg) - 1);
	struct slice s;

	assert_int_equal(facts_get(f.blob, f.n, FACTS_ENVELOPE, &s), 0);
	assert_int_equal(slice_find(s, '\0'), s.n);
	assert_int_equal(facts_get(f.blob, f.n, FACTS_SUBJECT, &s), 0);
	assert_true(utf8_valid(s.p, s.n));
	assert_int_equal(facts_seen(f.blob, f.n), DATA_8BIT | DATA_NUL);
	free(f.blob);
}

static void
preview_is(const char *msg, const char *want)
{
	struct facts f = facts_of(msg, strlen(msg));

	field_is(&f, FACTS_PREVIEW, want);
	free(f.blob);
}

static void
test_preview(void **state)
{
	preview_is("\r\n  a\r\n\r\nb\tc ", "a b c");
	preview_is("Content-Type: text/html\r\n\r\n<html><head><style>x{}"
	    "</style></head><!-- y --><b>one</b>&amp;<p>two&nbsp;three",
	    "one & two three");
	preview_is("Content-Transfer-Encoding: base64\r\n\r\naGVq\r\n", "hej");
	preview_is("Content-Type: image/png\r\n\r\nx", "");
	/* a multipart without parts; one with parts has no words of its own */
	preview_is("Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\ny",
	    "x y");
	preview_is("Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n"
	    "--b\r\n\r\ny", "y");
	preview_is("Content-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n"
	    "--b\r\nContent-Type: text/html\r\n\r\ny", "y");
	preview_is("Content-Type: multipart/mixed; boundary=a\r\n\r\nw\r\n"
	    "--a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nx\r\n"
	    "--a\r\n\r\ny", "x");
	preview_is("Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe5",
	    "\xc3\xa5");
}

static void
test_base_subject(void **state)
{
	static const char *const v[][2] = {
		{ "Re: x", "x" }, { "re[2]: x", "x" }, { "Fwd: x", "x" },
		{ "FW: Re: x (fwd)", "x" }, { "[a] [b] x", "x" },
		{ "[a]", "[a]" }, { "[fwd: x]", "x" },
		{ "[Fwd: Re: x (fwd) ]", "x" }, { "Re:", "" },
		{ "Report", "Report" }, { "[a] Re: [b] x", "x" },
		{ "x", "x" }, { "Re : x", "x" }
	};
	char msg[256];
	struct facts f;
	size_t i;

	for (i = 0; i < NITEMS(v); i++) {
		snprintf(msg, sizeof(msg), "Subject: %s\r\n\r\n", v[i][0]);
		f = facts_of(msg, strlen(msg));
		field_is(&f, FACTS_BASESUBJECT, v[i][1]);
		free(f.blob);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_part_one),
		cmocka_unit_test(test_several_fields),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_attack_boundary_prefix),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_attack_facts_damaged),
		cmocka_unit_test(test_attack_mime_depth),
		cmocka_unit_test(test_attack_mime_nested),
		cmocka_unit_test(test_limit_parts),
		cmocka_unit_test(test_limit_parts_nested),
		cmocka_unit_test(test_limit_levels),
		cmocka_unit_test(test_attack_headers),
		cmocka_unit_test(test_attack_params),
		cmocka_unit_test(test_facts_flat),
		cmocka_unit_test(test_attack_comment_backslash),
		cmocka_unit_test(test_attack_nul),
		cmocka_unit_test(test_preview),
		cmocka_unit_test(test_base_subject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
