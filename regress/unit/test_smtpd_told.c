/*
 * What smtpd tells the log: a line for each session, each message, each
 * refusal, whatever a client writes.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/address.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"
#include "smtp_play.h"

static int log_end;		/* logd's */
static char lines[65536];

static int
start(void **state)
{
	int sp[2];

	setup(state);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sp), 0);
	log_end = sp[1];
	log_init("smtpd", sp[0]);
	log_setlevel(LOG_L_INFO);
	return 0;
}

/* All lines since the last call, each with its end. */
static char *
logged(void)
{
	static uint8_t buf[16384];
	size_t n = 0, at, len;
	ssize_t got;

	log_flush();
	while ((got = recv(log_end, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		for (at = 0; at + 3 <= (size_t)got; at += 3 + len) {
			len = buf[at + 1] | (size_t)buf[at + 2] << 8;
			assert_true(n + len + 2 < sizeof(lines));
			memcpy(lines + n, buf + at + 3, len);
			n += len;
			lines[n++] = '\n';
		}
	lines[n] = '\0';
	return lines;
}

static void
has(const char *text, const char *want)
{
	if (strstr(text, want) == NULL)
		fail_msg("no \"%s\" in:\n%s", want, text);
}

static unsigned int
count(const char *text, const char *what)
{
	unsigned int n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text++;
	}
	return n;
}

/* The connection, with its name, comes first, and once. */
static void
test_message(void **state)
{
	const char *t1;

	begin(PROTO_SMTP, false);
	assert_string_equal(logged(), "");
	say(whole);
	say("Subject: x\r\nMessage-ID:\r\n <one@c.test>\r\n\r\nx\r\n.\r\n");
	t1 = logged();
	has(t1, " connect peer=192.0.2.");
	has(t1, " protocol=smtp tls=none helo=c.test\n");
	has(t1, ".1 message queue=Q1 size=");
	has(t1, " sender=<a@c.test> rcpts=1 to=<user@localdomain> helo=c.test "
	    "msgid=<one@c.test>\n");
	assert_int_equal(count(t1, "\n"), 2);
	say("MAIL FROM:<>\r\nRCPT TO:<USER@LOCALDOMAIN>\r\nDATA\r\nx\r\n.\r\n");
	t1 = logged();
	has(t1, ".2 message ");
	has(t1, " sender=<> rcpts=1 to=<USER@localdomain> helo=c.test\n");
	assert_int_equal(count(t1, "\n"), 1);
	say("QUIT\r\n");
	finish();
	assert_string_equal(logged(), "");
}

/* Many recipients have lines of their own, and all of them are there. */
static void
test_recipients(void **state)
{
	char text[100];
	const char *all;
	unsigned int i;

	begin(PROTO_SMTP, false);
	say("EHLO c.test\r\nMAIL FROM:<a@c.test>\r\n");
	for (i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), "RCPT TO:<r%u@localdomain>\r\n",
		    i);
		say(text);
	}
	say("DATA\r\n\r\nx\r\n.\r\n");
	all = logged();
	has(all, "rcpts=200 helo=");
	for (i = 0; i < 200; i++) {
		snprintf(text, sizeof(text), " to=<r%u@localdomain>", i);
		assert_int_equal(count(all, text), 1);
	}
	assert_true(count(all, ".1 recipients to=<") > 2);
	/* what one became: eight of them */
	say("MAIL FROM:<a@c.test>\r\nRCPT TO:<team@localdomain>\r\n"
	    "DATA\r\n\r\nx\r\n.\r\n");
	has(logged(), " rcpts=1 to=<team@localdomain> became=<0@localdomain>,"
	    "<1@localdomain>,<2@localdomain>,<3@localdomain>,<4@localdomain>,"
	    "<5@localdomain>,<6@localdomain>,<7@localdomain>,+2 helo=");
	finish();
}

/* As long as they may be, and of octets that need four each in the log. */
static void
test_long_recipients(void **state)
{
	char local[ADDR_LOCAL_MAX + 1], line[1024], text[1024];
	const char *all;
	int i, n;

	memset(local, 'r', sizeof(local) - 1);
	local[sizeof(local) - 1] = '\0';
	begin(PROTO_SMTP, false);
	say("EHLO c.test\r\n");
	snprintf(line, sizeof(line), "MAIL FROM:<%s@c.test>\r\nRCPT TO:"
	    "<%s@localdomain>\r\nRCPT TO:<none@localdomain>\r\nDATA\r\n"
	    "Message-ID: <%s@c.test>\r\n\r\nx\r\n.\r\n", local, local, local);
	say(line);
	all = logged();
	snprintf(text, sizeof(text), " sender=<%s@c.test> rcpts=1 to=<%s@"
	    "localdomain> helo=c.test msgid=<%s@c.test>\n", local, local,
	    local);
	has(all, text);
	snprintf(text, sizeof(text), " sender=<%s@c.test> to=<none@"
	    "localdomain> helo=c.test\n", local);
	has(all, text);
	/* one that would leave no room for what stands behind it */
	n = snprintf(line, sizeof(line), "RCPT TO:<\"r");
	for (i = 0; i < 150; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "\\\"");
	say("MAIL FROM:<a@c.test>\r\n");
	snprintf(line + n, sizeof(line) - (size_t)n, "\"@localdomain>\r\n"
	    "DATA\r\nMessage-ID: <two@c.test>\r\n\r\nx\r\n.\r\n");
	say(line);
	all = logged();
	has(all, " rcpts=1 helo=c.test msgid=<two@c.test>\n");
	has(all, ".2 recipients to=<\\x22r\\x5c\\x22");
	has(all, "\\x5c\\x22\\x22@localdomain>\n");
	finish();
}

static void
test_reject(void **state)
{
	const char *t1;

	begin(PROTO_SMTP, false);
	say("EHLO c.test\r\nMAIL FROM:<a@c.test> FROB=\"x y\"\r\n");
	t1 = logged();
	has(t1, " reject why=\"555 5.5.4 parameter not known\" peer=192.0.2.");
	has(t1, " arg=\"FROM:<a@c.test> FROB=\\x22x y\\x22\" helo=c.test\n");
	say("MAIL FROM:<a@c.test>\r\nRCPT TO:<none@localdomain>\r\n"
	    "RCPT TO:<full@localdomain>\r\nRCPT TO:<temp@localdomain>\r\n"
	    "RCPT TO:<user@>\r\nRCPT TO:<user@localdomain>\r\n");
	t1 = logged();
	has(t1, ".1 reject why=\"550 5.1.1 no such user\" peer=");
	has(t1, " sender=<a@c.test> to=<none@localdomain> helo=c.test\n");
	has(t1, ".1 reject why=\"452 4.2.2 mailbox full\"");
	has(t1, ".1 reject why=\"451 4.3.0 try later\"");
	has(t1, ".1 reject why=\"553 5.1.3 that is no address\"");
	has(t1, " arg=\"TO:<user@>\"");
	assert_int_equal(count(t1, "\n"), 4);
	/* the whole message: with all that is known of it */
	say("DATA\r\nMessage-ID: <two@c.test>\r\n\r\na\rb\r\n.\r\n");
	t1 = logged();
	has(t1, ".1 reject why=\"550 5.5.2 message has a bare CR or LF\" size=");
	has(t1, " rcpts=1 to=<user@localdomain> helo=c.test msgid=<two@c.test>");
	assert_int_equal(count(t1, "\n"), 1);
	/* one that queue does not take */
	t.mood = FULL;
	say("MAIL FROM:<a@c.test>\r\nRCPT TO:<user@localdomain>\r\n"
	    "DATA\r\nx\r\n.\r\n");
	has(logged(), ".2 reject why=\"452 4.3.1 not enough space, try later\"");
	/* and one whose client left */
	say("MAIL FROM:<a@c.test>\r\nRCPT TO:<user@localdomain>\r\n"
	    "DATA\r\nx\r\n");
	finish();
	has(logged(), ".3 reject why=\"the client left before the end\"");
}

/* A sender of whom authd says no, or who has no authd to ask. */
static void
test_reject_sender(void **state)
{
	struct chan *authd = t.h.authd;
	const char *t1;

	begin(PROTO_SUBMISSION, true);
	say("EHLO c.test\r\n" LOGIN);
	expect("MAIL FROM:<other@localdomain>\r\n", "220 250 235 550");
	t1 = logged();
	has(t1, ".1 reject why=\"550 5.7.1 ");
	has(t1, " sender=<other@localdomain> helo=c.test\n");
	t.h.authd = NULL;
	expect("MAIL FROM:<alice@localdomain>\r\n", "451");
	t1 = logged();
	has(t1, ".2 reject why=\"451 4.3.0 try later\" peer=");
	has(t1, " sender=<alice@localdomain> helo=c.test\n");
	assert_int_equal(count(t1, "\n"), 1);
	finish();
	(void)logged();
	/* nor a login */
	begin(PROTO_SUBMISSION, true);
	say("EHLO c.test\r\n");
	expect(LOGIN, "220 250 454");
	has(logged(), " login result=later ");
	t.h.authd = authd;
	finish();
}

/* A session that says nothing is there as well; one that is ended, why. */
static void
test_ends(void **state)
{
	const char *t1;
	int i;

	begin(PROTO_SMTP, false);
	finish();
	t1 = logged();
	has(t1, " connect peer=192.0.2.");
	has(t1, " helo=\n");
	begin(PROTO_SMTP, false);
	for (i = 0; i < 40 && !client.eof; i++)
		say("FROB\r\n");
	finish();
	has(logged(), " end why=\"421 4.7.0 too many errors\"\n");
	begin(PROTO_SMTP, false);
	say("GET / HTTP/1.0\r\n");
	finish();
	has(logged(), " end why=\"421 4.7.0 this is SMTP\"\n");
}

/* No octet of a client makes another line, key or value. */
static void
test_injection(void **state)
{
	static const char evil[] = "x\" peer=203.0.113.9 why=\"y\x1b[31m\xff";
	char line[1024], *nl, *p;
	unsigned int quotes;

	begin(PROTO_SUBMISSION, true);
	snprintf(line, sizeof(line), "EHLO %s\r\nMAIL FROM:<\"%s\"@c.test>\r\n"
	    "AUTH PLAIN !%s\r\n", evil, evil, evil);
	say(line);
	finish();
	begin(PROTO_SMTP, false);
	snprintf(line, sizeof(line), "EHLO c.test\r\nMAIL FROM:<\"a b\"@c.test>"
	    "\r\nRCPT TO:<%s>\r\nRCPT TO:<\"u> peer=203.0.113.9 x=<\"@y.test>"
	    "\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n"
	    "Message-ID: <%s\r\n\r\nx\r\n.\r\n", evil, evil);
	say(line);
	finish();
	for (p = logged(); (nl = strchr(p, '\n')) != NULL; p = nl + 1) {
		*nl = '\0';
		for (quotes = 0; *p != '\0'; p++) {
			assert_in_range(*p, ' ', '~');
			quotes += *p == '"';
			/* outside of quotes only what is ours */
			if (quotes % 2 == 0 && *p == ' ')
				assert_int_not_equal(strncmp(p,
				    " peer=203", 9), 0);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_long_recipients),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_reject_sender),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_injection),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
