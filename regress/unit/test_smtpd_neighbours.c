/*
 * Neighbours that fail or are late: a queue that is full or dies, a client
 * that leaves while one is still thinking.
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
#include "smtp_play.h"

static void
test_queue_full(void **state)
{
	begin(PROTO_SMTP, false);
	t.mood = FULL;
	say(whole);
	expect("x\r\n.\r\n", "220 250 250 250 354 452");
	t.mood = NORMAL;
	t.h.queue_accepting = false;
	expect("MAIL FROM:<>\r\n", "452");
	t.h.queue_accepting = true;
	t.h.queue_free = 1000;
	expect("MAIL FROM:<> SIZE=2000\r\n", "452");
	t.h.queue_free = UINT64_MAX;
	finish();
}

/* queue dies with a commit outstanding; the next one knows it, or not. */
static void
test_queue_dies(void **state)
{
	struct session *s;
	struct msg_id id;
	int known;

	for (known = 0; known < 2; known++) {
		begin(PROTO_SMTP, false);
		t.mood = HOLD;
		t.known = (unsigned int)known;
		say(whole);
		expect("x\r\n.\r\nNOOP\r\n", "220 250 250 250 354");
		assert_int_equal(t.commits, 1);
		s = LIST_FIRST(&t.h.sessions);
		id = s->mail->commit;
		chan_free(t.queue);
		turn();
		assert_string_equal(codes(), "");
		assert_true(s->mail->lost);
		t.mood = NORMAL;
		chan_free(t.h.queue);
		join_queue();
		commit_again(s);
		turn();
		assert_string_equal(codes(), "250 250");
		assert_int_equal(t.commits, known ? 1 : 2);
		if (!known)
			assert_memory_equal(&id, &t.kept[0].commit,
			    sizeof(id));
		finish();
	}
	/* none comes: 451, and life goes on */
	begin(PROTO_SMTP, false);
	t.mood = HOLD;
	say(whole);
	expect("x\r\n.\r\n", "220 250 250 250 354");
	chan_free(t.queue);
	turn();
	commit_give_up(LIST_FIRST(&t.h.sessions));
	expect("NOOP\r\nMAIL FROM:<>\r\n", "451 250 250");
	chan_free(t.h.queue);
	join_queue();
	finish();
}

/* The client goes away while a neighbour is still thinking. */
static void
test_gone_while_asked(void **state)
{
	struct dir_rcpt_r r = { .result = DIR_OK,
	    .address = SLICE_LIT("slow@localdomain") };
	struct queue_commit_r q = { .id = SLICE_LIT("Q1") };

	begin(PROTO_SMTP, false);
	say("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<slow@localdomain>\r\n");
	send(client.fd, "QUIT\r\nMAIL", 10, 0);
	close(client.fd);
	client.fd = -1;
	event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	chan_reply(t.authd, t.held, DIR_RCPT_R, &r, NULL, 0);
	finish();

	begin(PROTO_SMTP, false);
	t.mood = HOLD;
	say(whole);
	say("x\r\n.\r\n");
	shutdown(client.fd, SHUT_RDWR);
	turn();
	chan_reply(t.queue, t.held, QUEUE_COMMIT_R, &q, NULL, 0);
	finish();
}

/* A spool file for a client that is gone by now (what it has not read makes
 * that an error, not an end) goes back: queue keeps count of them. */
static void
test_file_too_late(void **state)
{
	static const char words[] = "EHLO x\r\nMAIL FROM:<> SIZE=4194304\r\n"
	    "RCPT TO:<bob@localdomain>\r\nDATA\r\n";
	struct queue_file_r r = { .result = QUEUE_OK, .file = 99 };
	int i;

	begin(PROTO_SMTP, false);
	t.mood = HOLD;
	send(client.fd, words, strlen(words), 0);
	for (i = 0; i < 12; i++)
		event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	assert_int_equal(t.files, 1);
	finish();
	chan_reply(t.queue, t.held, QUEUE_FILE_R, &r, &t.filefd, 1);
	for (i = 0; i < 12; i++)
		event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	assert_int_equal(t.drops, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_queue_dies),
		cmocka_unit_test(test_gone_while_asked),
		cmocka_unit_test(test_file_too_late),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
