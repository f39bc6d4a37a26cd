/*
 * Submission: logins, STARTTLS, and who a message may be from.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/slice.h"
#include "base/util.h"
#include "parse/downgrade.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "net/serve.h"
#include "net/tlskey.h"
#include "smtpd/smtpd.h"
#include "downgrade_walk.h"
#include "keypair.h"
#include "smtp_play.h"

static void
test_auth(void **state)
{
	begin(PROTO_SUBMISSION, false);		/* in clear: never */
	say("EHLO x\r\n");
	assert_null(strstr(client.out, "AUTH"));
	expect("MAIL FROM:<alice@localdomain>\r\n", "220 250 530");
	say(LOGIN);
	assert_true(told(REPLY_LOGIN_TLS));
	assert_int_equal(t.login, 0);
	finish();

	begin(PROTO_SUBMISSION, true);
	say("EHLO x\r\n");
	assert_non_null(strstr(client.out, "AUTH PLAIN LOGIN"));
	assert_string_equal(codes(), "220 250");
	expect("AUTH PLAIN\r\n", "334");
	expect("*\r\n", "501");
	expect("AUTH GSSAPI\r\n", "504");
	expect("AUTH PLAIN !!!\r\n", "501");
	expect("AUTH PLAIN AGFsaWNlAHdyb25n\r\n", "535");
	/* LF and NUL inside a name */
	expect("AUTH PLAIN AGEKYgBwdw==\r\n", "501");
	expect("AUTH PLAIN YQBiAGMAZA==\r\n", "501");
	expect("AUTH LOGIN\r\n", "334");
	expect("YWxpY2VAbG9jYWxkb21haW4=\r\n", "334");
	expect("c2VjcmV0\r\n", "235");
	expect(LOGIN, "503");
	expect("MAIL FROM:<eve@localdomain>\r\n", "550");
	expect("MAIL FROM:<alice@localdomain>\r\n", "250");
	expect("AUTH PLAIN x\r\nRCPT TO:<far@away.test>\r\n", "503 250");
	expect("QUIT\r\n", "221");
	event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	assert_int_equal(t.closes, 1);
	finish();

	begin(PROTO_SUBMISSION, true);
	expect("EHLO x\r\nAUTH LOGIN YWxpY2VAbG9jYWxkb21haW4=\r\n",
	    "220 250 334");
	expect("c2VjcmV0\r\n", "235");
	finish();
}

/* Rows 39, 45: the client leaves after each octet of a login. */
static void
test_login_cut(void **state)
{
	static const char login[] = "EHLO x\r\nAUTH LOGIN\r\n"
	    "YWxpY2VAbG9jYWxkb21haW4=\r\nc2VjcmV0\r\nMAIL FROM:<alice@"
	    "localdomain>\r\n";
	size_t i;

	for (i = 0; i < sizeof(login); i++) {
		begin(PROTO_SUBMISSION, true);
		say_n(login, i);
		finish();
	}
}

/* Rows 23, 28: base64 of every length, padding in odd places. */
static void
test_auth_lengths(void **state)
{
	char line[9000];
	size_t i;

	for (i = 0; i < 8000; i = i < 20 ? i + 1 : i * 3) {
		begin(PROTO_SUBMISSION, true);
		memcpy(line, "AUTH PLAIN ", 11);
		memset(line + 11, i % 2 ? 'A' : '=', i);
		strlcpy(line + 11 + i, "\r\n", 4);
		say("EHLO x\r\n");
		codes();
		say(line);
		if (i > 0 && strchr("5", client.out[0]) == NULL)
			fail_msg("length %zu: %s", i, client.out);
		codes();
		if (i == 0)
			expect("*\r\n", "501");
		expect("NOOP\r\n", "250");
		finish();
	}
}

/* One line of n octets before its CRLF, in pieces: what is said to it. */
static const char *
line_of(const char *start, size_t n)
{
	size_t at = strlen(start), k;
	static char line[300000];

	memcpy(line, start, at);
	memset(line + at, 'A', n - at);
	memcpy(line + n, "\r\n", 2);
	codes();
	for (at = 0; at < n + 2; at += k) {
		k = n + 2 - at < 5000 ? n + 2 - at : 5000;
		say_n(line + at, k);
	}
	return codes();
}

/* RFC 4954 4: 12,288 octets are taken; a line that is none ends the login,
 * with one reply, and what follows is a command again. */
static void
test_auth_refused_line(void **state)
{
	static const char *const before[] = { "AUTH PLAIN\r\n",
	    "AUTH LOGIN\r\n", "AUTH LOGIN YWxpY2VAbG9jYWxkb21haW4=\r\n" };
	static const char *const bad[] = { "YWxp\n", "YW\rxp\r\n", "\n",
	    "*\n" };
	size_t i, k;

	for (i = 0; i < NITEMS(before); i++) {
		begin(PROTO_SUBMISSION, true);
		expect("EHLO x\r\n", "220 250");
		expect(before[i], "334");
		assert_string_equal(line_of("", 12288), "501");
		expect(before[i], "334");
		assert_string_equal(line_of("", 12289), "500");
		expect("NOOP\r\n", "250");
		expect(before[i], "334");
		assert_string_equal(line_of("", 290000), "500");
		expect("NOOP\r\n", "250");
		for (k = 0; k < NITEMS(bad); k++) {
			expect(before[i], "334");
			say(bad[k]);
			if (strncmp(client.out, "500 5.5.6 ", 10) != 0)
				fail_msg("%s", client.out);
			assert_string_equal(codes(), "500");
			expect("NOOP\r\n", "250");
		}
		assert_int_equal(t.login, 0);
		expect(LOGIN, "235");
		finish();
	}
	begin(PROTO_SUBMISSION, true);
	expect("EHLO x\r\n", "220 250");
	assert_string_equal(line_of("AUTH PLAIN ", 11 + 12288), "501");
	assert_string_equal(line_of("AUTH PLAIN ", 26 + 12289), "500");
	assert_string_equal(line_of("auth plain ", 200000), "500");
	expect(LOGIN, "235");
	finish();
}

static void
test_submitted(void **state)
{
	begin(PROTO_SUBMISSION, true);
	say("EHLO B\xdcRO PC\r\n" LOGIN "MAIL FROM:<alice@localdomain>\r\n"
	    "RCPT TO:<far@away.test>\r\nDATA\r\n");
	expect("From: Alice <alice@LocalDomain>\r\n\r\nhi\r\n.\r\n",
	    "220 250 235 250 250 354 250");
	assert_memory_equal(t.kept[0].text, "Date: ", 6);
	assert_non_null(strstr(t.kept[0].text, "\r\nMessage-ID: <"));
	assert_non_null(strstr(t.kept[0].text,
	    "\r\nFrom: Alice <alice@LocalDomain>\r\n\r\nhi\r\n"));
	assert_int_equal(t.kept[0].ticket, 6);
	assert_int_equal(t.kept[0].flags, QF_SUBMITTED);
	assert_non_null(strstr(t.kept[0].trace, "with ESMTPA id"));
	/* nothing is missing: nothing changes */
	say("MAIL FROM:<alice@localdomain>\r\nRCPT TO:<far@away.test>\r\n"
	    "DATA\r\n");
	expect("Date: x\r\nMessage-Id: <y@z>\r\nFrom: alice@localdomain\r\n"
	    "\r\nhi\r\n.\r\n", "250 250 354 250");
	assert_memory_equal(t.kept[1].text, "Date: x\r\nM", 10);
	assert_int_equal(t.kept[1].n, 59);
	finish();
}

/* Whom else a message went to nobody reads: the outer header alone loses the
 * fields, wherever they stand and however they are written. */
static void
test_bcc(void **state)
{
	static const char *const gone[] = { "Bcc: x@far.test\r\n",
	    "bcc:x@far.test\r\n", "BCC : a@far.test,\r\n\tb@far.test\r\n",
	    "Resent-Bcc: x@far.test\r\n", "RESENT-BCC:\r\n x@far.test\r\n",
	    "Bcc:\r\n", "Return-Path: <x@far.test>\r\n",
	    "return-path:\r\n <x@far.test>\r\n",
	    "Bcc: a\r\nReturn-Path: <b>\r\nbCC:\r\n\tc\r\nresent-bcc: d\r\n" };
	static const char *const kept[] = { "Message-Id: <y@z>\r\n",
	    "From: alice@localdomain\r\n", "X-Bcc: Bcc: x\r\n\tBcc: y\r\n",
	    "Date: x\r\n", "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
	    "Bcc: i@far.test\r\nReturn-Path: <i@far.test>\r\n\r\n"
	    "Bcc: body\r\n--b--\r\n" };
	char text[2048], want[1024] = "";
	const struct kept *got;
	size_t i, j, k;

	for (j = 0; j < NITEMS(kept); j++)
		strlcat(want, kept[j], sizeof(want));
	begin(PROTO_SUBMISSION, true);
	say("EHLO x\r\n" LOGIN);
	codes();
	for (i = 0; i < NITEMS(gone); i++)
		for (k = 0; k < NITEMS(kept); k++) {
			text[0] = '\0';
			for (j = 0; j < NITEMS(kept); j++) {
				strlcat(text, j == k ? gone[i] : "",
				    sizeof(text));
				strlcat(text, kept[j], sizeof(text));
			}
			strlcat(text, ".\r\n", sizeof(text));
			say("MAIL FROM:<alice@localdomain>\r\n"
			    "RCPT TO:<far@away.test>\r\nDATA\r\n");
			expect(text, "250 250 354 250");
			got = &t.kept[(t.nkept - 1) % KEEP];
			assert_int_equal(got->n, strlen(want));
			assert_memory_equal(got->text, want, got->n);
			assert_int_equal(got->ticket, 6);
		}
	finish();
}

/* Who else than the envelope's sender a submitted message may be from. */
static const struct {
	const char	*from, *reply;
	unsigned int	 asked;
} authors[] = {
	{ "From: alice@localdomain", "250", 0 },
	{ "From: \"Bee, Al\" <alice@LocalDomain> (me)", "250", 0 },
	{ "From:\r\n =?utf-8?q?=C3=A9?=\r\n\t<alice@localdomain>",
	    "250", 0 },
	{ "From: \xc3\xa9 A. B. <alice@localdomain>", "250", 0 },
	{ "From: <alice@second.test>", "250", 1 },
	{ "From: alice@localdomain, Al <alice@localdomain>", "250", 0 },
	{ "From: alice@second.test, alice@second.test", "250", 2 },
	{ "From: Alice@localdomain", "550", 1 },
	{ "From: <carol@second.test>", "550", 1 },
	{ "From: bob@localdomain", "550", 1 },
	{ "From: alice@localdomain, bob@localdomain", "550", 1 },
	{ "From: a@elsewhere.test", "550", 1 },
	{ "From: alice@localdomain, alice@second.test", "550", 0 },
	{ "From: alice@localdomain a@elsewhere.test", "550", 0 },
	{ "From: alice@localdomain <a@elsewhere.test>", "550", 0 },
	{ "From: a@elsewhere.test <alice@localdomain>", "550", 0 },
	{ "From: <alice@localdomain> <a@elsewhere.test>", "550", 0 },
	{ "From: us: alice@localdomain;", "550", 0 },
	{ "From: undisclosed:;", "550", 0 }, { "From:", "550", 0 },
	{ "From: <>", "550", 0 }, { "From: alice", "550", 0 },
	{ "From: <@x.test:alice@localdomain>", "550", 0 },
	{ "From: alice@[127.0.0.1]", "550", 0 },
	{ "From: \"a <alice@localdomain>", "550", 0 },
	{ "From: (a <alice@localdomain>", "550", 0 },
	{ "From: ,alice@localdomain", "550", 0 },
	{ "From: alice@localdomain\r\nFrom: alice@localdomain", "550",
	    0 },
	{ "From: alice@localdomain\r\nfrom : a@elsewhere.test", "550",
	    0 },
	{ "Subject: none", "550", 0 }, { "just text", "550", 0 },
};

static void
test_author(void **state)
{
	char text[256];
	unsigned int kept = 0, asked, max = t.conf->smtp.max_errors;
	size_t i;

	begin(PROTO_SUBMISSION, true);
	t.conf->smtp.max_errors = 100;
	say("EHLO x\r\n" LOGIN);
	expect("RSET\r\n", "220 250 235 250");
	for (i = 0; i < sizeof(authors) / sizeof(authors[0]); i++) {
		asked = t.senders;
		say("MAIL FROM:<alice@localdomain>\r\n"
		    "RCPT TO:<far@away.test>\r\nDATA\r\n");
		snprintf(text, sizeof(text), "%s\r\n\r\nhi\r\n.\r\n",
		    authors[i].from);
		expect(text, authors[i].reply[0] == '2' ? "250 250 354 250" :
		    "250 250 354 550");
		if (t.senders - asked - 1 != authors[i].asked)
			fail_msg("%s: asked %u times", authors[i].from,
			    t.senders - asked - 1);
		if (authors[i].reply[0] == '2')
			assert_int_equal(t.kept[kept++].ticket, 6);
	}
	assert_int_equal(t.commits, kept);
	t.conf->smtp.max_errors = max;
	finish();
}

/* Is the second body hash that of the message made 7-bit? */
static bool
hash7_is(const struct kept *k)
{
	struct dkim_body *body = dkim_body_new(DKIM_RELAXED, UINT64_MAX);
	enum downgrade_can can;
	uint8_t hash[DKIM_HASH];
	size_t headn, n;
	char *p = downgrade_text(k->text, k->n, 4096, &can, &headn, &n);

	if (p != NULL)
		dkim_body_feed(body, p + headn, n - headn);
	assert_int_equal(dkim_body_end(body, hash, NULL), 0);
	dkim_body_free(body);
	free(p);
	return can == DOWNGRADE_YES ?
	    t.has7 && memcmp(hash, t.bodyhash7.b, sizeof(hash)) == 0 :
	    !t.has7;
}

/* Headers, then so many octets of a body, then the end. */
static void
submit_text(const char *head, size_t n)
{
	static const char line[] = "M\xc3\xbcller = 1234567890\r\n";
	char *p = calloc(1, n + 1), text[64];
	size_t i;

	snprintf(text, sizeof(text), "MAIL FROM:<alice@localdomain> SIZE=%zu"
	    "\r\n", n + 100);
	say(text);
	say("RCPT TO:<far@away.test>\r\nDATA\r\n");
	say("From: alice@localdomain\r\n");
	say(head);
	for (i = 0; i < n; i++)
		p[i] = line[i % (sizeof(line) - 1)];
	say_n(p, n);
	free(p);
	expect("\r\n.\r\n", "250 250 354 250");
}

/* Mail with 8-bit octets gets it, from wherever it is stored; other mail and
 * what cannot be made 7-bit does not, and both are taken. */
static void
test_hash7(void **state)
{
	static const size_t sizes[] = { 30, 5000, 14000, 100000, 65536 * 4,
	    65536 * 4 + 1, 900000, 1500000 };
	static const char sealed[] = "Content-Type: multipart/signed; "
	    "boundary=b\r\n\r\n--b\r\n\r\n\xfc\r\n--b\r\n\r\nx\r\n--b--\r\n";
	uint64_t max = t.conf->smtp.max_size;
	size_t i;

	t.conf->smtp.max_size = 10000000;
	begin(PROTO_SUBMISSION, true);
	say("EHLO x\r\n" LOGIN);
	expect("RSET\r\n", "220 250 235 250");
	for (i = 0; i < NITEMS(sizes); i++) {
		submit_text("\r\n", sizes[i]);
		assert_true(t.has7);
		assert_true(hash7_is(&t.kept[i % KEEP]));
		assert_int_equal(t.kept[i % KEEP].ticket, 6);
	}
	submit_text("Subject: \xc3\xbc\r\n\r\n", 0);
	assert_true(!t.has7 && hash7_is(&t.kept[i++ % KEEP]));
	submit_text("\r\n", 1);
	assert_true(!t.has7 && hash7_is(&t.kept[i++ % KEEP]));
	submit_text(sealed, 0);
	assert_true(!t.has7 && hash7_is(&t.kept[i++ % KEEP]));
	submit_text("\r\n", 30);
	assert_true(t.has7 && hash7_is(&t.kept[i++ % KEEP]));
	finish();
	t.conf->smtp.max_size = max;
}

/* The client leaves, or has been gone for long, while it is made. */
static void
test_hash7_client_leaves(void **state)
{
	uint64_t max = t.conf->smtp.max_size;
	size_t i, n = 900000;
	char *p = malloc(n);

	t.conf->smtp.max_size = 10000000;
	memset(p, 0xfc, n);
	for (i = 70; i < n; i += 72)
		memcpy(p + i, "\r\n", 2);
	for (i = 0; i < 20; i++) {
		begin(PROTO_SUBMISSION, true);
		say("EHLO x\r\n" LOGIN "MAIL FROM:<alice@localdomain>\r\n"
		    "RCPT TO:<far@away.test>\r\nDATA\r\n"
		    "From: alice@localdomain\r\n\r\n");
		say_n(p, n);
		assert_int_equal(send(client.fd, "\r\n.\r\n", 5,
		    MSG_NOSIGNAL), 5);
		for (size_t k = 0; k < i; k++)
			event_base_loop(t.h.base, EVLOOP_NONBLOCK);
		finish_turns(20);
	}
	free(p);
	t.conf->smtp.max_size = max;
}

/* The process has one from here on, as maild would have given it. */
static void
serve_certificate(void)
{
	static const struct serve_ops ops = { .role = ROLE_SMTPD };
	struct tls_config *c;
	int fd;
	char *pem;

	if (serve_has_tls())
		return;
	c = tls_config_new();
	fd = memfd_create("chain", MFD_CLOEXEC);
	keypair_use(c, &pem);
	assert_int_equal(pwrite(fd, pem, strlen(pem), 0), strlen(pem));
	serve_file(FILE_TLS_CHAIN, 0, slice_str("chain"), fd);
	serve_load(&ops);
	assert_true(serve_has_tls());
	free(pem);
	tls_config_free(c);
}

/* What a listener of that kind says to EHLO and HELP, octet for octet. */
static void
announced(enum conf_protocol proto, bool plaintext, const char *more)
{
	char want[512];

	snprintf(want, sizeof(want), "220 mx.test ESMTP\r\n250-mx.test\r\n"
	    "250-PIPELINING\r\n250-SIZE %llu\r\n250-8BITMIME\r\n%s"
	    "250 ENHANCEDSTATUSCODES\r\n214 2.0.0 HELO EHLO MAIL RCPT DATA "
	    "RSET NOOP VRFY STARTTLS AUTH QUIT\r\n",
	    (unsigned long long)t.conf->smtp.max_size, more);
	begin(proto, plaintext);
	say("EHLO x\r\nHELP\r\n");
	assert_string_equal(client.out, want);
	finish();
}

static void
test_announced(void **state)
{
	announced(PROTO_SMTP, false, "");
	announced(PROTO_SMTP, true, "");	/* no logins there */
	announced(PROTO_SUBMISSION, false, "");
	announced(PROTO_SUBMISSION, true, "250-AUTH PLAIN LOGIN\r\n");
	serve_certificate();
	announced(PROTO_SMTP, false, "250-STARTTLS\r\n");
	announced(PROTO_SUBMISSION, false, "250-STARTTLS\r\n");
	announced(PROTO_SUBMISSION, true, "250-STARTTLS\r\n"
	    "250-AUTH PLAIN LOGIN\r\n");
	/* who is logged in hears no more of it */
	begin(PROTO_SUBMISSION, true);
	say("EHLO x\r\n" LOGIN);
	client.n = 0;
	say("EHLO x\r\n");
	assert_null(strstr(client.out, "AUTH"));
	assert_non_null(strstr(client.out, "STARTTLS"));
	finish();
}

static void
test_starttls_injection(void **state)
{
	int signd[2];

	serve_certificate();
	begin(PROTO_SUBMISSION, false);
	say("EHLO x\r\nSTARTTLS\r\nNOOP\r\n");
	assert_string_equal(codes(), "220 250 554");
	assert_true(client.eof);
	finish();
	/* without signd no handshake would end well */
	begin(PROTO_SUBMISSION, false);
	expect("EHLO x\r\nSTARTTLS\r\n", "220 250 454");
	finish();
	/* it comes later: it is read as TLS, which it is not */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, signd), 0);
	tlskey_signer(signd[0]);
	begin(PROTO_SUBMISSION, false);
	expect("EHLO x\r\nSTARTTLS\r\n", "220 250 220");
	say("AUTH PLAIN AGFsaWNlQGxvY2FsZG9tYWluAHNlY3JldA==\r\n");
	assert_true(client.eof);
	assert_int_equal(t.login, 0);
	finish();
	tlskey_signer(-1);
	close(signd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_login_cut),
		cmocka_unit_test(test_auth_lengths),
		cmocka_unit_test(test_auth_refused_line),
		cmocka_unit_test(test_submitted),
		cmocka_unit_test(test_bcc),
		cmocka_unit_test(test_author),
		cmocka_unit_test(test_hash7),
		cmocka_unit_test(test_hash7_client_leaves),
		cmocka_unit_test(test_announced),
		cmocka_unit_test(test_starttls_injection),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
