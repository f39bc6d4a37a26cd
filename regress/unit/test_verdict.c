/*
 * Verdicts in smtpd's sessions when resolve answers late, twice as much as
 * was asked, never, or dies: every neighbour is played here, and answers
 * only when a test says so.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/dns.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "regress/lib/test_clock.h"
#include "smtpd/smtpd.h"

#define ASKED	64		/* questions that wait */

#define ENVELOPE(from)	"EHLO [192.0.2.1]\r\nMAIL FROM:<" from ">\r\n"	\
	    "RCPT TO:<user@localdomain>\r\nDATA\r\n"
#define MESSAGE(from)	"From: <" from ">\r\nSubject: x\r\n\r\ntext\r\n.\r\n"

static struct {
	struct smtpd	 h;
	struct conf	*conf;
	struct chan	*authd, *queue, *resolve;	/* their ends */
	struct {
		uint32_t	 id;
		char		 name[256];
		uint16_t	 type;
	} asked[ASKED];
	unsigned int	 nasked, total;
	uint64_t	 over;		/* whom DNS_OVER_EV named last */
	char		 trace[4096], folder[64];
	unsigned int	 commits;
	int		 sessions;
} t;

static struct {
	int		 fd;
	char		 out[8192];
	size_t		 n;
} client;

const struct smtpd *
smtpd(void)
{
	return &t.h;
}

bool
smtpd_without(enum chan_kind kind)
{
	return false;
}

void
smtpd_session(struct session *s, bool here)
{
	if (here)
		LIST_INSERT_HEAD(&t.h.sessions, s, entry);
	else
		LIST_REMOVE(s, entry);
	t.sessions += here ? 1 : -1;
}

/* ---- neighbours ----------------------------------------------------------- */

static void
play_rcpt(struct chan *c, struct msg *m, void *arg)
{
	struct dir_rcpt_r r = { .result = DIR_OK,
	    .address = m->body->dir_rcpt.address };
	struct item_route route = { .type = ROUTE_LOCAL, .account = 7,
	    .address = r.address };
	uint8_t buf[512];
	size_t n = 0;

	item_route_put(buf, sizeof(buf), &n, &route);
	r.routes = slice_of((char *)buf, n);
	chan_reply(c, m->id, DIR_RCPT_R, &r, NULL, 0);
}

static void
play_commit(struct chan *c, struct msg *m, void *arg)
{
	struct queue_commit_r r = { .id = SLICE_LIT("Q1") };

	t.commits++;
	slice_cpy(m->body->queue_commit.trace, t.trace, sizeof(t.trace));
	slice_cpy(m->body->queue_commit.folder, t.folder, sizeof(t.folder));
	chan_reply(c, m->id, QUEUE_COMMIT_R, &r, NULL, 0);
}

static void
play_ask(struct chan *c, struct msg *m, void *arg)
{
	assert_true(t.nasked < ASKED);
	t.asked[t.nasked].id = m->id;
	t.asked[t.nasked].type = m->body->dns_ask.type;
	slice_cpy(m->body->dns_ask.name, t.asked[t.nasked].name, 256);
	t.nasked++;
	t.total++;
}

static void
play_gone(struct chan *c, void *arg)
{
	if (c == t.h.resolve)
		t.h.resolve = NULL;
}

static const struct chan_handler authd_plays[] = { { DIR_RCPT, play_rcpt } };
static void
play_body(struct chan *c, struct msg *m, void *arg)
{
}

static const struct chan_handler queue_plays[] = {
	{ QUEUE_COMMIT, play_commit }, { QUEUE_BODY_EV, play_body },
};
static void
play_over(struct chan *c, struct msg *m, void *arg)
{
	t.over = m->body->dns_over_ev.whom;
}

static const struct chan_handler resolve_plays[] = {
	{ DNS_ASK, play_ask }, { DNS_OVER_EV, play_over }
};
static const struct chan_ops play_ops = { play_gone, NULL };

static struct chan *
join(enum chan_kind kind, const struct chan_handler *h, size_t n,
    struct chan **theirs)
{
	int sp[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    sp), 0);
	*theirs = chan_new(t.h.base, sp[1], kind, SIDE_B, h, n, &play_ops,
	    NULL);
	return chan_new(t.h.base, sp[0], kind, SIDE_A, NULL, 0, &play_ops,
	    NULL);
}

static int
setup(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	log_setlevel(LOG_L_ERROR);
	t.h.base = event_base_new();
	t.conf = conf_new();
	t.conf->hostname = xstrdup("mx.test");
	proc_conf_use(t.conf);
	t.h.queue_accepting = true;
	t.h.queue_free = UINT64_MAX;
	assert_int_equal(conn_start(-1, 0), 0);
	t.h.authd = join(CHAN_AUTH, authd_plays, NITEMS(authd_plays),
	    &t.authd);
	t.h.queue = join(CHAN_QUEUE, queue_plays, NITEMS(queue_plays),
	    &t.queue);
	t.h.resolve = join(CHAN_DNS, resolve_plays, NITEMS(resolve_plays),
	    &t.resolve);
	return 0;
}

/* ---- a client, and what resolve says --------------------------------------- */

static void
turn(void)
{
	ssize_t n;
	int i;

	for (i = 0; i < 12; i++) {
		event_base_loop(t.h.base, EVLOOP_NONBLOCK);
		if (client.fd == -1)
			continue;
		n = read(client.fd, client.out + client.n,
		    sizeof(client.out) - 1 - client.n);
		if (n > 0)
			client.n += (size_t)n;
		client.out[client.n] = '\0';
	}
}

static void
begin_from(const char *source)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct conn conn;
	int sp[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, sp), 0);
	assert_int_equal(inet_pton(AF_INET, source, &sin.sin_addr), 1);
	assert_int_equal(conn_open(&conn, (struct sockaddr *)&sin, 1000,
	    1000), CONN_OK);
	client.fd = sp[1];
	client.n = 0;
	t.nasked = t.total = t.commits = 0;
	t.trace[0] = t.folder[0] = '\0';
	test_clock_pass(3600 * 1000);		/* nothing is known any more */
	session_start(sp[0], &conn, PROTO_SMTP, false);
	turn();
}

static void
begin(void)
{
	begin_from("192.0.2.1");
}

static void
say(const char *text)
{
	assert_int_equal(send(client.fd, text, strlen(text), MSG_NOSIGNAL),
	    (ssize_t)strlen(text));
	turn();
}

static void
finish(void)
{
	close(client.fd);
	client.fd = -1;
	turn();
	assert_int_equal(t.sessions, 0);
}

static const char *
last(void)
{
	char *p = client.out + client.n;

	assert_true(client.n > 2);
	for (p -= 2; p > client.out && p[-1] != '\n'; p--)
		;
	return p;
}

/* With the id behind it, as refusals have. */
static bool
last_is(enum reply r)
{
	struct slice line = reply_line(r);
	const char *p = last();

	return strncmp(p, line.p, line.n) == 0 &&
	    strncmp(p + line.n, " (", 2) == 0;
}

/* The zone of all tests: TXT records. */
static const char *
record(const char *name)
{
	static const char *const zone[][2] = {
		{ "good.test", "v=spf1 ip4:192.0.2.1 -all" },
		{ "bad.test", "v=spf1 -all" },
		{ "_dmarc.junk.test", "v=DMARC1; p=quarantine" },
		{ "_dmarc.bad.test", "v=DMARC1; p=none" },
		{ "chain.test", "v=spf1 include:one.test -all" },
		{ "one.test", "v=spf1 include:two.test -all" },
		{ "two.test", "v=spf1 ip4:192.0.2.1 -all" },
	};

	for (size_t i = 0; i < NITEMS(zone); i++)
		if (strcmp(zone[i][0], name) == 0)
			return zone[i][1];
	return NULL;
}

static void
answer(unsigned int i, enum dns_status status)
{
	struct dns_ask_r r = { .status = (uint8_t)status, .ttl = 60 };
	struct item_rr item = { .type = t.asked[i].type };
	const char *text = record(t.asked[i].name);
	uint8_t buf[512];
	size_t n = 0;

	if (status == DNS_OK && text == NULL)
		r.status = DNS_NXDOMAIN;
	else if (status == DNS_OK) {
		item.data = slice_str(text);
		item_rr_put(buf, sizeof(buf), &n, &item);
		r.rrs = slice_of((char *)buf, n);
	}
	chan_reply(t.resolve, t.asked[i].id, DNS_ASK_R, &r, NULL, 0);
}

/* All that waits, the last one first; and what comes of it. */
static void
answer_all(enum dns_status status)
{
	unsigned int n;

	for (int i = 0; i < 20 && t.nasked > 0; i++) {
		n = t.nasked;
		t.nasked = 0;
		while (n-- > 0)
			answer(n, status);
		turn();
	}
}

/* ---- tests ----------------------------------------------------------------- */

static void
test_asked_from_data_on(void **state)
{
	begin();
	say("EHLO [192.0.2.1]\r\nMAIL FROM:<a@good.test>\r\n");
	assert_int_equal(t.nasked, 0);
	say("RCPT TO:<user@localdomain>\r\nDATA\r\n");
	assert_int_equal(t.nasked, 1);
	assert_string_equal(t.asked[0].name, "good.test");
	answer_all(DNS_OK);
	say("From: <a@good.test>\r\n\r\n");
	assert_true(t.nasked > 0);	/* _dmarc, before the body */
	answer_all(DNS_OK);
	assert_int_equal(t.commits, 0);
	say("text\r\n.\r\n");
	assert_int_equal(t.commits, 1);	/* without another wait */
	assert_memory_equal(last(), "250", 3);
	assert_non_null(strstr(t.trace, "spf=pass"));
	assert_non_null(strstr(t.trace, "Received-SPF: pass"));
	finish();
}

static void
test_late(void **state)
{
	begin();
	say(ENVELOPE("a@chain.test") MESSAGE("a@junk.test") "NOOP\r\n");
	assert_int_equal(t.commits, 0);
	assert_memory_equal(last(), "354", 3);	/* the NOOP waits too */
	answer_all(DNS_OK);
	assert_int_equal(t.commits, 1);
	assert_string_equal(t.folder, "Junk");
	assert_non_null(strstr(client.out, "250 2.0.0 ok, queued"));
	finish();
}

static void
test_refused(void **state)
{
	begin();
	say(ENVELOPE("a@bad.test") MESSAGE("a@bad.test"));
	answer_all(DNS_OK);
	assert_int_equal(t.commits, 0);
	assert_memory_equal(last(), "550 5.7.23", 10);
	/* and the next message of the session is another one */
	say("MAIL FROM:<a@good.test>\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n"
	    MESSAGE("a@good.test"));
	answer_all(DNS_OK);
	assert_int_equal(t.commits, 1);
	assert_memory_equal(last(), "250", 3);
	finish();
}

static void
test_temporary(void **state)
{
	begin();
	say(ENVELOPE("a@good.test") MESSAGE("a@good.test"));
	answer_all(DNS_TEMP);
	assert_int_equal(t.commits, 0);
	assert_true(last_is(REPLY_NO_DNS));
	finish();
}

static void
test_never(void **state)
{
	begin();
	say(ENVELOPE("a@good.test") MESSAGE("a@good.test"));
	judge_late(LIST_FIRST(&t.h.sessions));	/* as the deadline does */
	session_run(LIST_FIRST(&t.h.sessions));
	turn();
	assert_true(last_is(REPLY_NO_DNS));
	answer_all(DNS_OK);		/* nobody waits for these */
	assert_int_equal(t.commits, 0);
	say("NOOP\r\n");
	assert_memory_equal(last(), "250", 3);
	finish();
}

static void
test_resolve_dies(void **state)
{
	unsigned int n;

	begin();
	say(ENVELOPE("a@good.test") MESSAGE("a@good.test"));
	n = t.nasked;
	assert_true(n > 0);
	chan_free(t.resolve);
	turn();
	assert_null(t.h.resolve);
	assert_memory_equal(last(), "354", 3);
	t.nasked = 0;
	t.h.resolve = join(CHAN_DNS, resolve_plays, NITEMS(resolve_plays),
	    &t.resolve);
	judge_again(LIST_FIRST(&t.h.sessions));
	turn();
	assert_int_equal(t.nasked, n);
	answer_all(DNS_OK);
	assert_int_equal(t.commits, 1);
	finish();
}

static void
test_client_leaves(void **state)
{
	begin();
	say(ENVELOPE("a@good.test") MESSAGE("a@good.test"));
	shutdown(client.fd, SHUT_WR);	/* only its sending half: it is told */
	turn();
	answer_all(DNS_OK);
	assert_int_equal(t.commits, 1);
	finish();
	begin();
	say(ENVELOPE("a@good.test") "From: <a@good.test>\r\n\r\ntext\r\n");
	t.over = 0;
	finish();			/* in the middle */
	turn();
	assert_int_not_equal(t.over, 0);	/* resolve may stop */
	answer_all(DNS_OK);
	assert_int_equal(t.commits, 0);
}

static void
test_reset_between(void **state)
{
	unsigned int i;

	begin();
	say(ENVELOPE("a@bad.test") "From: <a@bad.test>\r\n\r\n");
	for (i = 0; i < t.nasked; i++)
		answer(i, DNS_OK);
	t.nasked = 0;
	say("a\nb\r\n.\r\n");		/* refused for its bare LF */
	assert_true(last_is(REPLY_BARE));
	say("RSET\r\nMAIL FROM:<a@good.test>\r\nRCPT TO:<user@localdomain>\r\n"
	    "DATA\r\n" MESSAGE("a@good.test"));
	answer_all(DNS_OK);
	assert_memory_equal(last(), "250", 3);
	assert_non_null(strstr(t.trace, "spf=pass"));
	finish();
}

static void
test_known(void **state)
{
	unsigned int n;

	begin();
	say(ENVELOPE("a@chain.test") MESSAGE("a@good.test"));
	answer_all(DNS_OK);
	n = t.total;
	assert_true(n >= 4);
	say("MAIL FROM:<a@chain.test>\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n"
	    MESSAGE("a@good.test"));
	assert_int_equal(t.total, n);	/* all of it was known */
	assert_int_equal(t.commits, 2);
	test_clock_pass(61 * 1000);
	say("MAIL FROM:<a@chain.test>\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n"
	    MESSAGE("a@good.test"));
	answer_all(DNS_OK);
	assert_int_equal(t.total, 2 * n);
	assert_int_equal(t.commits, 3);
	finish();
}

static void
test_exempt(void **state)
{
	begin_from("127.0.0.1");
	say(ENVELOPE("a@bad.test") MESSAGE("a@bad.test"));
	assert_int_equal(t.total, 0);
	assert_int_equal(t.commits, 1);
	assert_null(strstr(t.trace, "Authentication-Results"));
	finish();
	t.conf->networks[t.conf->nnetworks++] = xstrdup("192.0.2.0/24");
	begin();
	say(ENVELOPE("a@bad.test") MESSAGE("a@bad.test"));
	assert_int_equal(t.total, 0);
	assert_int_equal(t.commits, 1);
	finish();
	free(t.conf->networks[--t.conf->nnetworks]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked_from_data_on),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_temporary),
		cmocka_unit_test(test_never),
		cmocka_unit_test(test_resolve_dies),
		cmocka_unit_test(test_client_leaves),
		cmocka_unit_test(test_reset_between),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_exempt),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
