/*
 * 8-bit messages made 7-bit: octet for octet, what may not be changed, every
 * cut, and that it means the same.
 *
 * For tests that speak to relay the facts of a message:
 *	build/regress/unit/parse_downgrade facts <MESSAGE >FACTS
 */
#include "base/compat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/slice.h"
#include "parse/downgrade.h"
#include "parse/facts.h"
#include "parse/mime.h"
#include "downgrade_walk.h"

#define UE	"\xc3\xbc"	/* u umlaut */

static const struct {
	const char	*name, *in, *out;	/* out NULL: it cannot be */
} cases[] = {
	{ "text",
	    "From: a@b\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "content-transfer-encoding: 8bit\r\nMIME-Version: 1.0\r\n"
	    "Subject: x\r\n\r\n"
	    "M" UE "ller = \r\n\ttab\t\r\n-- \r\n.\r\n\r\nend",
	    "From: a@b\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "MIME-Version: 1.0\r\nSubject: x\r\n\r\n"
	    "M=C3=BCller =3D=20\r\n\ttab=09\r\n=2D-=20\r\n.\r\n\r\nend" },
	{ "text that says nothing",
	    "Subject: x\r\n\r\n" UE "\r\n",
	    "Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n"
	    "MIME-Version: 1.0\r\n\r\n=C3=BC\r\n" },
	{ "the field twice, folded, with a comment",
	    "Content-Transfer-Encoding:\r\n 8bit (yes)\r\nX: y\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n" UE,
	    "Content-Transfer-Encoding: quoted-printable\r\nX: y\r\n"
	    "MIME-Version: 1.0\r\n\r\n=C3=BC" },
	{ "no text",
	    "Content-Type: application/pdf\r\nMIME-Version: 1.0\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n\x80\r\n\r\n",
	    "Content-Type: application/pdf\r\nMIME-Version: 1.0\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\ngA0KDQo=\r\n" },
	{ "a long line",
	    "X: y\r\n\r\n" UE
	    "1234567890123456789012345678901234567890123456789012345678901234"
	    "5678901 -23456\r\n",
	    "X: y\r\nContent-Transfer-Encoding: quoted-printable\r\n"
	    "MIME-Version: 1.0\r\n\r\n=C3=BC"
	    "123456789012345678901234567890123456789012345678901234567890123"
	    "456789=\r\n01 -23456\r\n" },
	{ "parts: only those that need it",
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\npre" UE "\r\n--b\r\n\r\n"
	    "7 = bit\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n7\r\n"
	    "--b\r\nContent-Type: text/html\r\n\r\n<" UE ">\r\n--b\r\n"
	    "Content-Type: image/png\r\n\r\n\xff\r\n--b--\r\nepi" UE,
	    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\npre??\r\n--b\r\n\r\n"
	    "7 = bit\r\n--b\r\nContent-Transfer-Encoding: 7bit\r\n\r\n7\r\n"
	    "--b\r\nContent-Type: text/html\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n<=C3=BC>\r\n"
	    "--b\r\nContent-Type: image/png\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b--\r\nepi??" },
	{ "a message in it",
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "Subject: in\r\n\r\n" UE "\r\n",
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "Subject: in\r\nContent-Transfer-Encoding: quoted-printable\r\n"
	    "MIME-Version: 1.0\r\n\r\n=C3=BC\r\n" },
	{ "octets that its encoding has not",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nYW\xe4Jj\r\n--b\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=3D " UE " =\r\nx\r\n--b--\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\nYW?Jj\r\n--b\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=3D =C3=BC =\r\nx\r\n--b--\r\n" },
	{ "headers stay",
	    "Subject: " UE "\r\n\r\nx" UE "\r\n",
	    "Subject: " UE "\r\nContent-Transfer-Encoding: quoted-printable"
	    "\r\nMIME-Version: 1.0\r\n\r\nx=C3=BC\r\n" },
	{ "signed",
	    "Content-Type: multipart/signed; boundary=b; micalg=x\r\n\r\n"
	    "--b\r\n\r\n" UE "\r\n--b\r\nContent-Type: application/x\r\n\r\n"
	    "sig\r\n--b--\r\n", NULL },
	{ "signed, deeper, by another name of it",
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
	    "Content-Type: Multipart / SIGNED (d); boundary=b\r\n\r\n"
	    "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n"
	    UE "\r\n--c--\r\n--b\r\n\r\nsig\r\n--b--\r\n--a--\r\n", NULL },
	{ "a type of a form that nobody reads alike",
	    "Content-Type: (c) multipart/signed; boundary=b\r\n\r\n--b"
	    "\r\n\r\n" UE "\r\n--b--\r\n", NULL },
	{ "in what is signed, between parts",
	    "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Type: multipart/mixed; boundary=c\r\n\r\n" UE "\r\n--c"
	    "\r\n\r\nx\r\n--c--\r\n--b\r\n\r\nsig\r\n--b--\r\n", NULL },
	{ "beside what is signed, of which nothing changes",
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
	    "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n--b\r\n\r\nsig\r\n"
	    "--b--\r\n--a\r\n\r\n" UE "\r\n--a--\r\n",
	    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
	    "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nx\r\n--b\r\n\r\nsig\r\n"
	    "--b--\r\n--a\r\nContent-Transfer-Encoding: quoted-printable"
	    "\r\n\r\n=C3=BC\r\n--a--\r\n" },
	{ "an encoding that nobody knows",
	    "Content-Transfer-Encoding: x-uue\r\n\r\n" UE "\r\n", NULL },
	{ "a multipart without a part",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n" UE "\r\n",
	    NULL },
	{ "a multipart without a boundary",
	    "Content-Type: multipart/mixed\r\n\r\n" UE "\r\n", NULL },
	{ "a boundary of such octets",
	    "Content-Type: multipart/mixed; boundary=" UE "\r\n\r\n--" UE
	    "\r\n\r\n" UE "\r\n", NULL },
	{ "another kind of message",
	    "Content-Type: message/partial; id=1; number=1\r\n\r\n" UE "\r\n",
	    NULL },
	{ "no header", "no field\r\n\r\n" UE "\r\n", NULL },
	{ "a header that the message ends in", "X: y\r\n" UE, "" },
	{ "nothing to do", "Subject: " UE "\r\n\r\nx\r\n", "" },
	{ "nothing at all", "Subject: x\r\n\r\nx\r\n", "" },
};

static void
test_cases(void **state)
{
	enum downgrade_can can, want;
	const char *why;
	size_t i, n, step, headn, outn;
	char *out;

	for (i = 0; i < NITEMS(cases); i++) {
		n = strlen(cases[i].in);
		want = cases[i].out == NULL ? DOWNGRADE_NO :
		    cases[i].out[0] == '\0' ? DOWNGRADE_NEEDLESS :
		    DOWNGRADE_YES;
		out = downgrade_text(cases[i].in, n, n, &can, &headn, &outn);
		if (can != want || (can == DOWNGRADE_YES && (outn !=
		    strlen(cases[i].out) || memcmp(out, cases[i].out, outn) !=
		    0)))
			fail_msg("%s: %d %.*s", cases[i].name, can, (int)outn,
			    out);
		free(out);
		for (step = 1; step < n; step++)
			if ((why = downgrade_walk(cases[i].in, n, step,
			    &can)) != NULL || can != want)
				fail_msg("%s in pieces of %zu: %s",
				    cases[i].name, step, why);
	}
}

/* The message cut off at each octet is one as well. */
static void
test_ends_anywhere(void **state)
{
	enum downgrade_can can;
	const char *why;
	size_t i, n;
	char *copy;

	for (i = 0; i < NITEMS(cases); i++)
		for (n = 1; n < strlen(cases[i].in); n++) {
			copy = malloc(n);
			assert_non_null(copy);
			memcpy(copy, cases[i].in, n);
			if ((why = downgrade_walk(copy, n, 7, &can)) != NULL)
				fail_msg("%s, its first %zu: %s",
				    cases[i].name, n, why);
			free(copy);
		}
}

/* The body's octets are those that are not the header's. */
static void
test_header_and_body(void **state)
{
	enum downgrade_can can;
	size_t i, headn, outn;
	char *out, *end;

	for (i = 0; i < NITEMS(cases); i++) {
		out = downgrade_text(cases[i].in, strlen(cases[i].in), 3,
		    &can, &headn, &outn);
		if (out == NULL)
			continue;
		end = memmem(out, outn, "\r\n\r\n", 4);
		assert_non_null(end);
		assert_int_equal(headn, end + 4 - out);
		free(out);
	}
}

/* Lines of every length, of every kind of octet, at every column. */
static void
test_lines(void **state)
{
	static const char *const octets[] = { "a", "=", " ", "\t", UE, "-",
	    "\x01", "\x7f", "." };
	char msg[4096], *out, *p, *eol;
	enum downgrade_can can;
	const char *why;
	size_t i, k, n, len, headn, outn;

	for (i = 0; i < NITEMS(octets); i++)
		for (len = 1; len < 240; len += len < 160 ? 1 : 13) {
			n = (size_t)snprintf(msg, sizeof(msg),
			    "X: y\r\n\r\n" UE "\r\n--x\r\n");
			for (k = 0; k < len; k++)
				n += (size_t)snprintf(msg + n,
				    sizeof(msg) - n, "%s", octets[i]);
			n += (size_t)snprintf(msg + n, sizeof(msg) - n,
			    "-\r\n%s", octets[i]);
			why = downgrade_walk(msg, n, 1 + len % 9, &can);
			if (why != NULL)
				fail_msg("%zu of %zu: %s", len, i, why);
			out = downgrade_text(msg, n, n, &can, &headn, &outn);
			for (p = out; (eol = memmem(p, (size_t)(out + outn -
			    p), "\r\n", 2)) != NULL; p = eol + 2)
				assert_true(eol - p <= 76);
			assert_true(out + outn - p <= 76);
			free(out);
		}
}

/* base64 of every length, at the message's end and before a boundary. */
static void
test_base64(void **state)
{
	char msg[2048], body[600];
	enum downgrade_can can;
	const char *why;
	int i, n, two;

	memset(body, 0x80, sizeof(body));
	for (two = 0; two < 2; two++)
		for (i = 1; i < 600; i++) {
			n = snprintf(msg, sizeof(msg), "%s%s%.*s%s", two ?
			    "Content-Type: multipart/x; boundary=b\r\n\r\n"
			    "--b\r\n" : "", "Content-Type: a/b\r\n\r\n", i,
			    body, two ? "\r\n--b--\r\n" : "");
			why = downgrade_walk(msg, (size_t)n,
			    (size_t)(1 + i % 60), &can);
			if (why != NULL || can != DOWNGRADE_YES)
				fail_msg("%d: %s", i, why);
		}
}

/* As many parts as there are, each with octets to encode; and headers up to
 * the limit. */
static void
test_limits(void **state)
{
	size_t n, i, size = 600 * 1024;
	char *msg = malloc(size), name[64];
	enum downgrade_can can;
	const char *why;

	assert_non_null(msg);
	n = (size_t)snprintf(msg, size,
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
	for (i = 0; i < MIME_PARTS_MAX - 1; i++)
		n += (size_t)snprintf(msg + n, size - n, "--b\r\n\r\n"
		    UE "%zu\r\n", i);
	why = downgrade_walk(msg, n, 4096, &can);
	assert_true(why == NULL && can == DOWNGRADE_YES);
	n += (size_t)snprintf(msg + n, size - n, "--b\r\n\r\n" UE "\r\n");
	if ((why = downgrade_walk(msg, n, 4096, &can)) != NULL)
		fail_msg("one part more: %s", why);
	for (i = 0; i < 2; i++) {
		n = (size_t)snprintf(msg, size, "X: ");
		memset(msg + n, 'x', size - n);
		n = DOWNGRADE_HEADER_MAX - 4 + i;
		n += (size_t)snprintf(msg + n, size - n, "\r\n\r\n" UE);
		snprintf(name, sizeof(name), "%zu octets", n - 2);
		why = downgrade_walk(msg, n, 5000, &can);
		if (why != NULL)
			fail_msg("%s: %s", name, why);
		assert_int_equal(can, i == 0 ? DOWNGRADE_YES : DOWNGRADE_NO);
	}
	/* that of a multipart is written anew, too: not the half of it */
	for (i = 0; i < 2; i++) {
		memset(msg, 'x', size);
		n = strlen(strcpy(msg, "Content-Transfer-Encoding: 8bit\r\n"
		    "Content-Type: multipart/mixed; boundary=b\r\nX: "));
		msg[n] = 'x';
		n = DOWNGRADE_HEADER_MAX - 4 + i;
		n += (size_t)snprintf(msg + n, size - n, "\r\n\r\n--b\r\n\r\n"
		    UE "\r\n--b--\r\n");
		if ((why = downgrade_walk(msg, n, 5000, &can)) != NULL)
			fail_msg("multipart, %zu more: %s", i, why);
		assert_int_equal(can, i == 0 ? DOWNGRADE_YES : DOWNGRADE_NO);
	}
	free(msg);
}

/* What no parser made is refused or does no harm. */
static void
test_facts_damaged(void **state)
{
	const char *in = cases[5].in;
	size_t n, i, step = strlen(in);
	char *facts = mime_facts(in, step, &n), *copy = malloc(n);
	struct downgrade *d;

	assert_true(facts != NULL && copy != NULL);
	assert_null(downgrade_new("", 0));
	for (i = 0; i < n; i++) {
		memcpy(copy, facts, n);
		copy[i] = (char)(copy[i] ^ (1 << i % 8));
		if ((d = downgrade_new(copy, n)) == NULL)
			continue;
		assert_int_equal(downgrade_look(d, in, step), 0);
		(void)downgrade_looked(d);
		downgrade_free(d);
		assert_null(downgrade_new(facts, i));
	}
	free(facts);
	free(copy);
}

/* What is on standard input, its facts on standard output. */
static int
print_facts(void)
{
	struct mime *m = mime_new();
	const char *facts;
	char block[65536];
	size_t fn;
	ssize_t n;

	while ((n = read(STDIN_FILENO, block, sizeof(block))) > 0)
		if (m == NULL || mime_feed(m, block, (size_t)n) == -1)
			return 1;
	if (n == -1 || m == NULL || mime_end(m, &facts, &fn) == -1)
		return 1;
	return fwrite(facts, fn, 1, stdout) == 1 ? 0 : 1;
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_ends_anywhere),
		cmocka_unit_test(test_header_and_body),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_facts_damaged),
	};

	if (argc == 2 && strcmp(argv[1], "facts") == 0)
		return print_facts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
