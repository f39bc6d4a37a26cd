/*
 * The message parser and its facts: structure, ENVELOPE, part offsets, the
 * same blob however the message was cut, and blobs that were damaged.
 */
#include "facts_test.h"

#include <stdio.h>

#include "parse/header.h"
#include "cut.h"

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
		cmocka_unit_test(test_preview),
		cmocka_unit_test(test_base_subject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
