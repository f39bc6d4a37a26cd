/*
 * Mail on port 25: commands in and out of order, recipients, data, limits.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"
#include "regress/lib/test_clock.h"
#include "smtp_play.h"

static void
test_typed_by_hand(void **state)
{
	begin(PROTO_SMTP, false);
	assert_string_equal(codes(), "220");
	expect("HELO bigfoot\r\n", "250");
	expect("MAIL FROM: Henrik\r\n", "250");
	expect("RCPT TO: USER@LOCALDOMAIN\r\n", "250");
	expect("DATA\r\n", "354");
	expect("hejsa\r\n", "");
	expect(".\r\n", "250");
	expect("QUIT\r\n", "221");
	assert_true(client.eof);
	assert_int_equal(t.nkept, 1);
	assert_string_equal(t.kept[0].sender, "Henrik@mx.test");
	assert_string_equal(t.kept[0].rcpts, "USER@localdomain ");
	assert_memory_equal(t.kept[0].text, "hejsa\r\n", 7);
	assert_int_equal(t.kept[0].n, 7);
	assert_non_null(strstr(t.kept[0].trace, "Received: from bigfoot ([192."));
	/* a text without header: the trace ends the header for it */
	assert_string_equal(t.kept[0].trace + strlen(t.kept[0].trace) - 4,
	    "\r\n\r\n");
	finish();

	begin(PROTO_SMTP, false);
	assert_string_equal(codes(), "220");
	expect("helo test\r\n", "250");
	expect("mail from: postmaster@pentest.dk\r\n", "250");
	expect("rcpt to: user@localdomain\r\n", "250");
	expect("data\r\n", "354");
	expect("a line\r\n", "");
	expect(".\r\n", "250");
	expect("quit\r\n", "221");
	assert_int_equal(t.nkept, 1);
	assert_string_equal(t.kept[0].sender, "postmaster@pentest.dk");
	finish();
}

/* Everything at once, and one octet at a time: the same. */
static void
test_pipelined(void **state)
{
	static const char body[] = "Subject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n";
	char all[1024];
	size_t i, n;
	int round;

	for (round = 0; round < 2; round++) {
		begin(PROTO_SMTP, false);
		n = (size_t)snprintf(all, sizeof(all), "%s%s", whole, body);
		if (round == 0)
			say(all);
		else
			for (i = 0; i < n; i++)
				say_n(all + i, 1);
		assert_string_equal(codes(), "220 250 250 250 354 250 221");
		assert_int_equal(t.nkept, 1);
		assert_memory_equal(t.kept[0].text,
		    "Subject: x\r\n\r\n.dot\r\n", t.kept[0].n);
		assert_int_equal(t.kept[0].n, 20);
		finish();
	}
}

static void
test_rcpt_answers_in_order(void **state)
{
	struct dir_rcpt_r r = { .result = DIR_OK,
	    .address = SLICE_LIT("slow@localdomain") };

	begin(PROTO_SMTP, false);
	say("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<slow@localdomain>\r\n"
	    "RCPT TO:<nobody@localdomain>\r\nRCPT TO:<a%b@localdomain>\r\n"
	    "RCPT TO:<bob@localdomain>\r\nRCPT TO:<full@localdomain>\r\n"
	    "RCPT TO:<temp@localdomain>\r\nDATA\r\n");
	assert_string_equal(codes(), "220");	/* all leave together */
	chan_reply(t.authd, t.held, DIR_RCPT_R, &r, NULL, 0);
	turn();
	assert_string_equal(codes(), 
	    "250 250 250 550 550 250 452 451 354");
	expect("\r\nx\r\n.\r\n", "250");
	assert_string_equal(t.kept[0].rcpts,
	    "bob@localdomain slow@localdomain ");
	finish();
}

static void
test_relay_tricks(void **state)
{
	static const char *const tricks[] = {
		"<user%other.test@localdomain>", "<other.test!user@localdomain>",
		"<@localdomain:user@other.test>", "<\"user@other.test\"@localdomain>",
		"<\"user%other.test\"@localdomain>", "<user@[127.0.0.1]>",
		"<user@[IPv6:::1]>", "<user@other.test>", "<user%other.test>",
		"<\"user@other.test\">", "user@other.test", "<other.test!user>",
	};
	size_t i, networks = t.conf->nnetworks;
	char line[300];

	t.conf->nnetworks = 0;		/* a stranger's */
	for (i = 0; i < NITEMS(tricks); i++) {
		begin(PROTO_SMTP, false);
		snprintf(line, sizeof(line), "EHLO x\r\nMAIL FROM:<>\r\n"
		    "RCPT TO:%s\r\n", tricks[i]);
		say(line);
		if (!told(REPLY_RELAYING))
			fail_msg("%s: %s", tricks[i], client.out);
		expect("DATA\r\n", "220 250 250 550 554");
		finish();
	}
	t.conf->nnetworks = networks;
	begin(PROTO_SMTP, false);
	expect("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n"
	    "RCPT TO:<bob>\r\n", "220 250 250 250 250");
	finish();
}

/* The id in brackets at the end of the line that begins with this. */
static const char *
id_behind(const char *start)
{
	static char id[SMTP_MID + 8];
	const char *p = strstr(client.out, start);

	id[0] = '\0';
	if (p != NULL && (p = strchr(p, '(')) != NULL)
		strlcpy(id, p + 1, strcspn(p, ")") < sizeof(id) ?
		    strcspn(p, ")") : sizeof(id));
	return id;
}

/*
 * Each message has an id of its own, from MAIL on: behind refusals, in
 * Received, with queue and in the last reply.  Before MAIL and behind the end
 * there is the session's, which it begins with.
 */
static void
test_ids(void **state)
{
	char sid[SMTP_MID], first[SMTP_MID], want[SMTP_MID + 40];

	begin(PROTO_SMTP, false);
	say("FROB\r\n");
	strlcpy(sid, id_behind("500"), sizeof(sid));
	assert_true(strlen(sid) > 10);
	assert_null(strchr(sid, '.'));
	client.n = 0;
	say("HELO x\r\nMAIL FROM:<a@c.test>\r\nRCPT TO:<none@localdomain>\r\n"
	    "RCPT TO:<full@localdomain>\r\nFROB\r\n"
	    "RCPT TO:<user@localdomain>\r\n");
	snprintf(first, sizeof(first), "%s.1", sid);
	assert_string_equal(id_behind("550 5.1.1"), first);
	assert_string_equal(id_behind("452 4.2.2"), first);
	assert_string_equal(id_behind("500 5.5.1"), first);
	client.n = 0;
	say("DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n");
	snprintf(want, sizeof(want), "queued as %s\r\n", first);
	assert_non_null(strstr(client.out, want));
	assert_string_equal(t.kept[0].mid, first);
	snprintf(want, sizeof(want), " id %s\r\n", first);
	assert_non_null(strstr(t.kept[0].trace, want));
	client.n = 0;
	say("FROB\r\n");
	assert_string_equal(id_behind("500 5.5.1"), sid);
	/* one given up counts; what is refused for its data has its own id */
	client.n = 0;
	say("MAIL FROM:<>\r\nRSET\r\nMAIL FROM:<a@c.test>\r\n"
	    "RCPT TO:<user@localdomain>\r\nDATA\r\na\rb\r\n.\r\n");
	snprintf(first, sizeof(first), "%s.3", sid);
	assert_string_equal(id_behind("550 5.5.2"), first);
	/* and what queue has no room for */
	t.mood = FULL;
	client.n = 0;
	say("MAIL FROM:<a@c.test>\r\nRCPT TO:<user@localdomain>\r\n"
	    "DATA\r\nx\r\n.\r\n");
	snprintf(first, sizeof(first), "%s.4", sid);
	assert_string_equal(id_behind("452 4.3.1"), first);
	finish();
}

/* What is said of a mailbox that has no room. */
static void
test_no_room(void **state)
{
	static const char to[] = "RCPT TO:<full@localdomain>\r\n"
	    "RCPT TO:<small@localdomain>\r\nRCPT TO:<bob@localdomain>\r\n";

	begin(PROTO_SMTP, false);
	say("HELO x\r\nMAIL FROM:<a@b.test> SIZE=1001\r\n");
	codes();
	say(to);
	assert_non_null(strstr(client.out, "452 4.2.2 "));
	assert_non_null(strstr(client.out, "552 5.2.3 "));
	assert_string_equal(codes(), "452 552 250");
	t.conf->quota_reply = LASTING_PERMANENT;
	say(to);
	assert_non_null(strstr(client.out, "552 5.2.2 "));
	assert_string_equal(codes(), "552 552 250");
	t.conf->quota_reply = LASTING_TEMPORARY;
	finish();
}

/* Of those that may send to anywhere authd decides. */
static void
test_routed_of_networks(void **state)
{
	begin(PROTO_SMTP, false);
	expect("HELO x\r\nMAIL FROM:<>\r\n", "220 250 250");
	t.login = LIST_FIRST(&t.h.sessions)->id;
	expect("RCPT TO:<a%b@far.test>\r\nRCPT TO:<b!a@far.test>\r\n"
	    "RCPT TO:<x@[192.0.2.1]>\r\nRCPT TO:<x@[IPv6:2001:DB8::1]>\r\n",
	    "250 250 250 250");
	expect("RCPT TO:<a%b@localdomain>\r\n", "550");
	expect("DATA\r\nFrom: a@b.test\r\n\r\nx\r\n.\r\n", "354 250");
	assert_string_equal(t.kept[0].rcpts, "a%b@far.test b!a@far.test "
	    "x@[192.0.2.1] x@[IPv6:2001:db8::1] ");
	finish();
}

/* Row 5: whatever the other side thinks is an end, we read one message. */
static void
test_smuggling(void **state)
{
	static const struct { const char *s; size_t n; } ends[] = {
#define E(x) { x, sizeof(x) - 1 }
		E("\n.\n"), E("\n.\r\n"), E("\r\n.\n"), E("\r.\r"),
		E("\r\n.\r"), E("\r.\r\n"), E("\n.\r"), E("\r\n\0.\r\n"),
		E("\r\n.\r\r\n"), E("\r\n.\n\r\n"),
		/* this one is an end; the message before it is refused */
		E("\r\r\n.\r\n"),
#undef E
	};
	static const char second[] = "MAIL FROM:<evil@c.test>\r\n"
	    "RCPT TO:<bob@localdomain>\r\nDATA\r\nSubject: two\r\n\r\nx";
	char all[2048];
	size_t i, n, k;
	int round;

	for (i = 0; i < NITEMS(ends); i++)
		for (round = 0; round < 2; round++) {
			begin(PROTO_SMTP, false);
			n = (size_t)snprintf(all, sizeof(all),
			    "%sSubject: one\r\n\r\nx", whole);
			memcpy(all + n, ends[i].s, ends[i].n);
			n += ends[i].n;
			n += (size_t)snprintf(all + n, sizeof(all) - n,
			    "%s\r\n.\r\nQUIT\r\n", second);
			if (round == 0)
				say_n(all, n);
			else
				for (k = 0; k < n; k++)
					say_n(all + k, 1);
			if (t.commits > 1 || strstr(client.out, "550 5.") ==
			    NULL)
				fail_msg("end %zu round %d: %u messages, %s",
				    i, round, t.commits, client.out);
			assert_int_equal(t.commits,
			    i == NITEMS(ends) - 1 ? 1 : 0);
			finish();
		}
}

static void
test_bare_lf_commands(void **state)
{
	begin(PROTO_SMTP, false);
	expect("HELO x\nMAIL FROM:<a@b>\n", "220 500 500");
	expect("HELO x\r\nNOOP a\rb\r\n", "250 500");
	finish();
}

static void
test_order(void **state)
{
	begin(PROTO_SMTP, false);
	expect("MAIL FROM:<a@b>\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n"
	    "AUTH PLAIN x\r\n", "220 503 503 503 503");
	expect("HELO x\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n",
	    "250 503 503");
	expect("MAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\nDATA\r\n",
	    "250 503 554");
	expect("RSET\r\nDATA\r\nVRFY bob\r\nNOOP\r\nHELP\r\n",
	    "250 503 252 250 214");
	expect("BDAT 5 LAST\r\nEXPN x\r\nFROB\r\nDATA now\r\n",
	    "502 502 500 503");
	expect("MAIL FROM:<a@b>\r\nRCPT TO:<bob@localdomain>\r\nEHLO y\r\n"
	    "DATA\r\n", "250 250 250 503");
	expect("STARTTLS\r\nQUIT\r\n", "454 221");
	finish();
}

static void
test_parameters(void **state)
{
	begin(PROTO_SMTP, false);
	expect("EHLO x\r\nMAIL FROM:<a@b> SIZE=99999999999\r\n", "220 250 552");
	expect("MAIL FROM:<a@b> SIZE=18446744073709551616\r\n", "501");
	expect("MAIL FROM:<a@b> SIZE=-1\r\n", "501");
	expect("MAIL FROM:<a@b> BODY=BINARYMIME\r\n", "555");
	expect("MAIL FROM:<a@b> SMTPUTF8\r\n", "555");
	expect("MAIL FROM:<a@b> FROB=1\r\n", "555");
	expect("MAIL FROM:<> AUTH=\"\"\r\n", "555");
	expect("MAIL FROM:<;for i in 0 1;do read r;done;sh;exit 0;>\r\n", "553");
	expect("MAIL TO:<a@b>\r\n", "501");
	expect("MAIL FROM:<a@b>\r\n", "250");
	expect("RCPT TO:<bob@localdomain> NOTIFY=NEVER\r\n", "555");
	expect("RCPT TO:<>\r\n", "553");
	expect("RCPT TO:<\"\"@localdomain>\r\nRCPT TO:<a@>\r\n", "553 553");
	finish();
}

static void
test_limits(void **state)
{
	char big[16384];
	int i;

	/* over-long command */
	memset(big, 'x', sizeof(big));
	memcpy(big, "NOOP ", 5);
	memcpy(big + 3000, "\r\nNOOP\r\n", 9);
	begin(PROTO_SMTP, false);
	expect(big, "220 500 250");
	/* NUL and 8-bit in commands */
	say_n("NOOP \0x\r\nHELO \xe6\xf8\r\nMAIL FROM:<\xe5@x>\r\n", 35);
	assert_string_equal(codes(), "500 501 503");
	finish();

	/* no end of line at all: told, then closed */
	begin(PROTO_SMTP, false);
	memset(big, 'x', sizeof(big));
	for (i = 0; i < 400 && !client.eof; i++)
		say_n(big, sizeof(big));
	assert_true(client.eof);
	assert_true(told(REPLY_ERRORS));
	finish();

	/* too many errors */
	begin(PROTO_SMTP, false);
	for (i = 0; i < 40 && !client.eof; i++)
		say("FROB\r\n");
	assert_int_equal(i, t.conf->smtp.max_errors);
	assert_true(told(REPLY_ERRORS));
	finish();

	/* too many commands that move nothing */
	begin(PROTO_SMTP, false);
	t.conf->smtp.max_commands = 30;
	for (i = 0; i < 40 && !client.eof; i++)
		say("NOOP\r\n");
	assert_int_equal(i, 31);
	t.conf->smtp.max_commands = 1000;
	finish();

	/* what a browser sends */
	begin(PROTO_SMTP, false);
	say("POST / HTTP/1.1\r\nHost: x\r\n\r\nHELO x\r\n");
	assert_string_equal(codes(), "220 421");
	assert_true(client.eof);
	finish();
}

static void
test_many_recipients(void **state)
{
	char line[100];
	unsigned int i;

	begin(PROTO_SMTP, false);
	say("EHLO x\r\nMAIL FROM:<a@c.test>\r\n");
	t.conf->smtp.max_recipients = 300;
	for (i = 0; i < 300; i++) {
		snprintf(line, sizeof(line), "RCPT TO:<r%u@localdomain>\r\n",
		    i);
		assert_int_equal(send(client.fd, line, strlen(line), 0),
		    strlen(line));
		if (i % 50 == 49) {
			turn();
			client.n = 0;
		}
	}
	turn();
	client.n = 0;
	expect("RCPT TO:<r300@localdomain>\r\n", "452");
	expect("DATA\r\n\r\nx\r\n.\r\n", "354 250");
	assert_int_equal(t.kept[0].nrcpt, 300);
	assert_memory_equal(t.kept[0].rcpts, "r0@localdomain r1@", 18);
	t.conf->smtp.max_recipients = 1000;
	finish();
}

static void
test_sizes(void **state)
{
	char *big = malloc(4 << 20);
	size_t i;

	for (i = 0; i < 4 << 20; i++)
		big[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'a';
	/* larger than a memfd takes, told before and not */
	for (i = 0; i < 2; i++) {
		begin(PROTO_SMTP, false);
		say("EHLO x\r\n");
		say(i == 0 ? "MAIL FROM:<> SIZE=4194304\r\n" :
		    "MAIL FROM:<>\r\n");
		say("RCPT TO:<bob@localdomain>\r\nDATA\r\n");
		assert_string_equal(codes(), "220 250 250 250 354");
		say("A: b\r\n\r\n");
		say_n(big, 4 << 20);
		expect(".\r\n", "250");
		assert_int_equal(t.files, 1);
		assert_int_equal(t.drops, 0);
		assert_int_equal(t.kept[0].n, (4 << 20) + 8);
		assert_memory_equal(t.kept[0].text + 8, big, 4 << 20);
		finish();
	}
	/* given up in the middle */
	begin(PROTO_SMTP, false);
	say("EHLO x\r\nMAIL FROM:<> SIZE=4194304\r\n"
	    "RCPT TO:<bob@localdomain>\r\nDATA\r\n");
	say_n(big, 1 << 20);
	finish();
	assert_int_equal(t.commits, 0);
	event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	assert_int_equal(t.drops, 1);
	/* larger than is welcome */
	begin(PROTO_SMTP, false);
	t.conf->smtp.max_size = 1 << 20;
	say("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@localdomain>\r\nDATA\r\n");
	say_n(big, 2 << 20);
	expect(".\r\nNOOP\r\n", "220 250 250 250 354 552 250");
	assert_int_equal(t.commits, 0);
	finish();
	t.conf->smtp.max_size = 50 << 20;
	/* a header without end */
	begin(PROTO_SMTP, false);
	say("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@localdomain>\r\nDATA\r\n");
	say_n(big, 1 << 20);
	expect(".\r\n", "220 250 250 250 354 552");
	finish();
	free(big);
}

/* Not one octet, in a session that had no message before. */
static void
test_empty_message(void **state)
{
	begin(PROTO_SMTP, false);
	say(whole);
	say(".\r\n");
	assert_string_equal(codes(), "220 250 250 250 354 250");
	assert_int_equal(t.nkept, 1);
	assert_int_equal(t.kept->n, 0);
	finish();
}

/* Octets up to BODY_MAX with the facts, a descriptor from there on. */
static void
test_small_needs_no_descriptor(void **state)
{
	static char body[2 * BODY_MAX];
	struct kept *k = t.kept;
	size_t n, most = 0, least = sizeof(body);

	for (n = BODY_MAX - 2048; n < BODY_MAX + 64; n += 32) {
		begin(PROTO_SMTP, false);
		say(whole);
		memset(body, 'x', n);
		memcpy(body, "Subject: x\r\n\r\n", 14);
		memcpy(body + n, "\r\n.\r\n", 6);
		say(body);
		assert_int_equal(t.nkept, 1);
		assert_int_equal(k->n, n + 2);
		assert_memory_equal(k->text, body, k->n);
		if (k->octets && k->n + k->facts > most)
			most = k->n + k->facts;
		if (!k->octets && k->n + k->facts < least)
			least = k->n + k->facts;
		finish();
	}
	assert_in_range(most, BODY_MAX - 40, BODY_MAX);
	assert_in_range(least, BODY_MAX + 1, BODY_MAX + 40);
}

/* Thousands of them would be more than a channel holds. */
static void
test_small_goes_by_descriptor_when_much_waits(void **state)
{
	static char body[BODY_MAX];
	struct queue_body_ev ev = { .body = { body, sizeof(body) } };
	int i;

	begin(PROTO_SMTP, false);
	say(whole);
	for (i = 0; i < 300; i++)
		chan_send(t.h.queue, QUEUE_BODY_EV, &ev, NULL, 0);
	t.crowded = true;
	say("A: b\r\n\r\nc\r\n.\r\n");
	for (i = 0; i < 100 && t.nkept == 0; i++)
		turn();
	assert_int_equal(t.nkept, 1);
	assert_false(t.kept->octets);
	assert_int_equal(t.kept->n, 11);
	assert_memory_equal(t.kept->text, "A: b\r\n\r\nc\r\n", 11);
	t.crowded = false;
	finish();
}

/* A return path of others goes, folded too; Bcc from outside is theirs. */
static void
test_return_path(void **state)
{
	begin(PROTO_SMTP, false);
	say(whole);
	codes();
	expect("Return-Path: <forged@evil.test>\r\nDelivered-To: x\r\n"
	    "Bcc: x\r\nSubject: y\r\nRETURN-PATH:\r\n <second@evil.test>\r\n"
	    "\r\nReturn-Path: body\r\n.\r\n", "250");
	assert_int_equal(t.kept[0].n, strlen("Delivered-To: x\r\nBcc: x\r\n"
	    "Subject: y\r\n\r\nReturn-Path: body\r\n"));
	assert_memory_equal(t.kept[0].text, "Delivered-To: x\r\nBcc: x\r\n"
	    "Subject: y\r\n\r\nReturn-Path: body\r\n", t.kept[0].n);
	say(strstr(whole, "MAIL"));
	codes();
	expect("Return-Path: <a@b>\r\n\r\nx\r\n.\r\n", "250");
	assert_memory_equal(t.kept[1].text, "\r\nx\r\n", t.kept[1].n);
	finish();
}

/* So many octets of a message, each time after so many seconds.  How many
 * times it was let go on, at most n. */
static int
slowly(int n, size_t octets, int seconds)
{
	static char block[65536];
	int i;

	memset(block, 'x', sizeof(block));
	for (i = 2; i < (int)octets; i += 72)
		memcpy(block + i - 2, "\r\n", 2);
	begin(PROTO_SMTP, false);
	say(whole);
	say("Subject: x\r\n\r\n");
	assert_string_equal(codes(), "220 250 250 250 354");
	for (i = 0; i < n && !client.eof; i++) {
		test_clock_pass(seconds * 1000);
		turn();
		if (!client.eof)
			say_n(block, octets);
	}
	if (client.eof) {
		assert_non_null(strstr(client.out, "421 4.4.2"));
		finish();
		return i - 1;
	}
	expect("\r\n.\r\n", "250");
	finish();
	return i;
}

/* Each block has 3 minutes; all of it so long as 512 octets a second need. */
static void
test_slow_data(void **state)
{
	assert_int_equal(slowly(30, 65536, 120), 30);	/* an hour */
	assert_int_equal(slowly(30, 65536, 170), 1);	/* 385 a second */
	assert_int_equal(slowly(30, 65536, 182), 0);
	assert_int_equal(slowly(200, 10, 35), 5);	/* none gains by it */
	assert_int_equal(slowly(200, 1, 7), 25);
	/* 200 a second: 180 s, and 47 of each 120 back */
	assert_int_equal(slowly(200, 24000, 120), 1);
	t.conf->smtp.data_rate = 100;
	assert_int_equal(slowly(200, 24000, 120), 200);
	t.conf->smtp.data_rate = 512;
	t.conf->smtp.data_timeout = 60;
	assert_int_equal(slowly(30, 65536, 62), 0);
	assert_int_equal(slowly(30, 65536, 50), 30);
	t.conf->smtp.data_timeout = 180;
}

/* What it waits for us is not the client's time. */
static void
test_slow_data_of_ours(void **state)
{
	int i;

	begin(PROTO_SMTP, false);
	say(whole);
	assert_string_equal(codes(), "220 250 250 250 354");
	for (i = 0; i < 10; i++) {
		t.h.hold = true;
		say("Subject: x\r\n");
		test_clock_pass(500 * 1000);
		turn();
		t.h.hold = false;
		io_again(LIST_FIRST(&t.h.sessions)->io);
		turn();
		test_clock_pass(17 * 1000);
		turn();
		assert_false(client.eof);
	}
	t.h.hold = true;		/* nothing came meanwhile */
	for (i = 0; i < 10; i++) {
		test_clock_pass(500 * 1000);
		turn();
	}
	t.h.hold = false;
	test_clock_pass(100 * 1000);
	turn();
	assert_false(client.eof);
	test_clock_pass(182 * 1000);
	turn();
	test_clock_pass(182 * 1000);
	turn();
	assert_true(client.eof);
	finish();
}

static void
test_forged_results(void **state)
{
	static const char in[] =
	    "Authentication-Results: mx.test; dkim=pass\r\n"
	    "Subject: x\r\n"
	    "authentication-results :\r\n\t(c (d)) MX.Test 1;\r\n spf=pass\r\n"
	    "Authentication-Results: other.test; spf=pass\r\n"
	    "Authentication-Results: \"mx.test\"; x=y\r\n"
	    "Authentication-Results: mx.test\r\n"
	    "\r\nAuthentication-Results: mx.test; body\r\n";
	static const char out[] =
	    "Subject: x\r\n"
	    "Authentication-Results: other.test; spf=pass\r\n"
	    "\r\nAuthentication-Results: mx.test; body\r\n";

	begin(PROTO_SMTP, false);
	say(whole);
	say(in);
	expect(".\r\n", "220 250 250 250 354 250");
	assert_int_equal(t.kept[0].n, sizeof(out) - 1);
	assert_memory_equal(t.kept[0].text, out, sizeof(out) - 1);
	finish();
}

/* Headers of odd pieces: kept whole but for our own results. */
static void
test_odd_headers(void **state)
{
	static const char *const piece[] = {
		"Authentication-Results", ":", " mx.test", "(", ")", "\\", "\"",
		"\r\n", "\r\n ", ";", "From: a@b", "\t", "Received: x", "=?", "@",
		"Authentication-Results: (a (b) mx.test", "Date:", "\xc3\xa9",
		"To: <a@b>, x: y, z;", "\r\n\r\n", "..", "Subject: =?utf-8?q?",
	};
	char text[4096];
	unsigned int r = 1, i, k, npieces;
	size_t n;

	begin(PROTO_SMTP, false);
	say("EHLO x\r\n");
	for (i = 0; i < 1000; i++) {
		n = (size_t)snprintf(text, sizeof(text), "MAIL FROM:<>\r\n"
		    "RCPT TO:<bob@localdomain>\r\nDATA\r\n");
		npieces = 1 + i % 40;
		for (k = 0; k < npieces; k++) {
			r = r * 1103515245 + 12345;
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s", piece[(r >> 16) % NITEMS(piece)]);
		}
		snprintf(text + n, sizeof(text) - n, "\r\n.\r\n");
		codes();
		expect(text, "250 250 354 250");
	}
	assert_int_equal(t.nkept, 1000);
	finish();
}

static void
test_loop(void **state)
{
	int i;

	begin(PROTO_SMTP, false);
	say(whole);
	for (i = 0; i < 101; i++)
		say("Received: from a by b; x\r\n");
	expect("\r\nx\r\n.\r\n", "220 250 250 250 354 554");
	assert_int_equal(t.commits, 0);
	finish();
}

/* A client that ends its side only still gets its answers. */
static void
test_half_closed(void **state)
{
	begin(PROTO_SMTP, false);
	say(whole);
	send(client.fd, "x\r\n.\r\nNOOP\r\n", 12, 0);
	shutdown(client.fd, SHUT_WR);
	turn();
	assert_string_equal(codes(), "220 250 250 250 354 250 250");
	assert_true(client.eof);
	assert_int_equal(t.nkept, 1);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typed_by_hand),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_rcpt_answers_in_order),
		cmocka_unit_test(test_relay_tricks),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_routed_of_networks),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_bare_lf_commands),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_empty_message),
		cmocka_unit_test(test_small_needs_no_descriptor),
		cmocka_unit_test(test_small_goes_by_descriptor_when_much_waits),
		cmocka_unit_test(test_slow_data),
		cmocka_unit_test(test_slow_data_of_ours),
		cmocka_unit_test(test_return_path),
		cmocka_unit_test(test_forged_results),
		cmocka_unit_test(test_odd_headers),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_half_closed),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
