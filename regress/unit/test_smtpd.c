/*
 * Sessions of smtpd over socketpairs, every neighbour (authd, queue, signd)
 * answered from a table here.  The real smtp_*.c files are linked; only the
 * process around them (smtpd.c) is played.
 */
#include "compat.h"

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <tls.h>

#include "parse.h"
#include "verify.h"
#include "msg.h"
#include "chan.h"
#include "conf.h"
#include "conn.h"
#include "io.h"
#include "log.h"
#include "util.h"
#include "../../smtpd/smtp.h"

#define KEEP	8		/* messages remembered */

struct kept {
	char	*text;		/* message, then facts */
	size_t	 n, facts;
	char	 sender[400], rcpts[4000], trace[2048];
	unsigned int nrcpt, flags, ticket;
	struct msg_id commit;
};

static struct {
	struct house	 h;
	struct conf	*conf;
	struct chan	*authd, *queue, *signd;	/* the neighbours' ends */
	uint32_t	 held;		/* an ask that waits */
	enum { NORMAL, HOLD, FULL } mood;
	struct kept	 kept[KEEP];
	unsigned int	 nkept, commits, drops, files, closes, known, senders;
	char		*pieces;	/* QUEUE_RCPT_EV */
	size_t		 npieces;
	int		 sessions;
	uint64_t	 login;
	int		 filefd;
	struct tls	*tls;
} t;

static struct {
	int		 fd;
	char		 out[65536];
	size_t		 n;
	bool		 eof;
} client;

/* ---- smtpd.c, played ------------------------------------------------------ */

const struct house *
house(void)
{
	return &t.h;
}

uint64_t
smtpd_now(void)
{
	return 1790000000;
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
	const struct dir_rcpt *q = &m->body->dir_rcpt;
	struct dir_rcpt_r r = { .result = DIR_UNKNOWN, .address = q->address };
	struct item_route route = { .type = ROUTE_LOCAL, .account = 7 };
	size_t at = slice_find(q->address, '@'), n = 0;
	struct slice local = slice_of(q->address.p, at);
	static uint8_t buf[512];

	if (!slice_is(slice_of(q->address.p + at + 1, q->address.n - at - 1),
	    "localdomain") && !slice_is(q->address, "postmaster@mx.test"))
		r.result = q->conn == t.login ? DIR_OK : DIR_DENIED;
	else if (slice_caseis(local, "user") || slice_is(local, "bob") ||
	    slice_is(local, "slow") || slice_is(local, "postmaster") ||
	    (local.n > 1 && local.p[0] == 'r'))
		r.result = DIR_OK;
	else if (slice_is(local, "full"))
		r.result = DIR_FULL;
	else if (slice_is(local, "temp"))
		r.result = DIR_TEMP;
	if (r.result == DIR_OK) {
		route.address = q->address;
		item_route_put(buf, sizeof(buf), &n, &route);
		r.routes = slice_of((char *)buf, n);
	}
	if (slice_is(local, "slow") && t.held == 0)
		t.held = m->id;
	else
		chan_reply(c, m->id, DIR_RCPT_R, &r, NULL, 0);
}

static void
play_login(struct chan *c, struct msg *m, void *arg)
{
	const struct auth_login *q = &m->body->auth_login;
	struct auth_login_r r = { .result = AUTH_BAD, .user = q->user };

	if (slice_is(q->user, "alice@localdomain") &&
	    slice_is(q->password, "secret")) {
		r.result = AUTH_OK;
		r.account = 7;
		t.login = q->conn;
	}
	chan_reply(c, m->id, AUTH_LOGIN_R, &r, NULL, 0);
}

static void
play_sender(struct chan *c, struct msg *m, void *arg)
{
	const struct dir_sender *q = &m->body->dir_sender;
	struct dir_sender_r r = { .result = DIR_DENIED };

	t.senders++;
	if (q->conn == t.login && slice_is(q->address, "alice@localdomain")) {
		r.result = DIR_OK;
		r.account = 7;
		r.domain = SLICE_LIT("localdomain");
	} else if (slice_is(q->address, "alice@second.test")) {
		r.result = DIR_OK;
		r.account = 7;
		r.domain = SLICE_LIT("second.test");
	} else if (slice_is(q->address, "a@elsewhere.test"))
		r.result = DIR_UNKNOWN;
	chan_reply(c, m->id, DIR_SENDER_R, &r, NULL, 0);
}

static void
play_close(struct chan *c, struct msg *m, void *arg)
{
	t.closes++;
}

static void
play_pieces(struct chan *c, struct msg *m, void *arg)
{
	struct slice p = m->body->queue_rcpt_ev.rcpts;

	t.pieces = realloc(t.pieces, t.npieces + p.n);
	memcpy(t.pieces + t.npieces, p.p, p.n);
	t.npieces += p.n;
}

static void
keep_rcpts(struct kept *k, struct slice list)
{
	struct item_rcpt item;
	size_t off = 0, n;

	while (item_rcpt_get(list, &off, &item) == 1) {
		k->nrcpt++;
		n = strlen(k->rcpts);
		if (n + item.address.n + 2 < sizeof(k->rcpts))
			snprintf(k->rcpts + n, sizeof(k->rcpts) - n, "%.*s ",
			    (int)item.address.n, item.address.p);
	}
}

static void
play_commit(struct chan *c, struct msg *m, void *arg)
{
	const struct queue_commit *q = &m->body->queue_commit;
	struct queue_commit_r r = { .id = SLICE_LIT("Q1") };
	struct kept *k = &t.kept[t.nkept % KEEP];
	int fd = m->fd[0] != -1 ? m->fd[0] : t.filefd;

	t.commits++;
	if (t.mood == HOLD) {
		t.held = m->id;
		return;
	}
	if (t.mood == FULL) {
		r.result = QUEUE_FULL;
		chan_reply(c, m->id, QUEUE_COMMIT_R, &r, NULL, 0);
		return;
	}
	t.nkept++;
	free(k->text);
	*k = (struct kept){ .n = q->size, .facts = q->facts,
	    .flags = q->flags, .commit = q->commit };
	k->text = calloc(1, k->n + k->facts + 1);
	assert_int_equal(pread(fd, k->text, k->n + k->facts, 0),
	    k->n + k->facts);
	assert_int_equal(facts_version(k->text + k->n, k->facts),
	    FACTS_VERSION);
	if (m->fd[0] != -1)
		assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL |
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	slice_cpy(q->sender, k->sender, sizeof(k->sender));
	slice_cpy(q->trace, k->trace, sizeof(k->trace));
	k->ticket = (unsigned int)q->ticket.n;
	keep_rcpts(k, slice_of(t.pieces, t.npieces));
	keep_rcpts(k, q->rcpts);
	t.npieces = 0;
	chan_reply(c, m->id, QUEUE_COMMIT_R, &r, NULL, 0);
}

static void
play_file(struct chan *c, struct msg *m, void *arg)
{
	struct queue_file_r r = { .result = QUEUE_OK, .file = 99 };

	t.files++;
	if (t.filefd != -1)
		close(t.filefd);
	t.filefd = memfd_create("large", MFD_CLOEXEC);
	chan_reply(c, m->id, QUEUE_FILE_R, &r, &t.filefd, 1);
}

static void
play_drop(struct chan *c, struct msg *m, void *arg)
{
	t.drops++;
}

static void
play_known(struct chan *c, struct msg *m, void *arg)
{
	struct queue_known_r r = { .known = t.known != 0,
	    .id = SLICE_LIT("Q0") };

	chan_reply(c, m->id, QUEUE_KNOWN_R, &r, NULL, 0);
}

static void
play_ticket(struct chan *c, struct msg *m, void *arg)
{
	struct sign_ticket_r r = { .ticket = SLICE_LIT("ticket") };

	chan_reply(c, m->id, SIGN_TICKET_R, &r, NULL, 0);
}

static void
play_gone(struct chan *c, void *arg)
{
	if (c == t.h.queue)
		t.h.queue = NULL;
}

static const struct chan_handler authd_plays[] = {
	{ DIR_RCPT, play_rcpt }, { DIR_SENDER, play_sender },
	{ AUTH_LOGIN, play_login }, { AUTH_CLOSE_EV, play_close },
};
static const struct chan_handler queue_plays[] = {
	{ QUEUE_COMMIT, play_commit }, { QUEUE_RCPT_EV, play_pieces },
	{ QUEUE_FILE, play_file }, { QUEUE_DROP_EV, play_drop },
	{ QUEUE_KNOWN, play_known },
};
static const struct chan_handler signd_plays[] = {
	{ SIGN_TICKET, play_ticket },
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
	t.filefd = -1;
	t.h.base = event_base_new();
	t.conf = conf_new();
	t.conf->hostname = xstrdup("mx.test");
	t.conf->domains[t.conf->ndomains++] = xstrdup("localdomain");
	/* not to be judged: that is test_verdict.c's */
	t.conf->networks[t.conf->nnetworks++] = xstrdup("192.0.2.0/24");
	t.h.conf = t.conf;
	t.h.queue_accepting = true;
	t.h.queue_free = UINT64_MAX;
	assert_int_equal(conn_start(-1, 0), 0);
	t.h.authd = join(CHAN_AUTH, authd_plays, NITEMS(authd_plays),
	    &t.authd);
	t.h.queue = join(CHAN_QUEUE, queue_plays, NITEMS(queue_plays),
	    &t.queue);
	t.h.signd = join(CHAN_SIGN, signd_plays, NITEMS(signd_plays),
	    &t.signd);
	return 0;
}

/* ---- a client -------------------------------------------------------------- */

static void
turn(void)
{
	ssize_t n;
	int i;

	for (i = 0; i < 12; i++) {
		event_base_loop(t.h.base, EVLOOP_NONBLOCK);
		n = read(client.fd, client.out + client.n,
		    sizeof(client.out) - 1 - client.n);
		if (n > 0)
			client.n += (size_t)n;
		else if (n == 0 || errno != EAGAIN)
			client.eof = true;
		client.out[client.n] = '\0';
	}
}

static void
begin(enum conf_protocol proto, bool plaintext)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct conn conn;
	int sp[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, sp), 0);
	sin.sin_addr.s_addr = htonl(0xc0000200 + (uint32_t)(rand() & 0xff));
	assert_int_equal(conn_open(&conn, (struct sockaddr *)&sin, 1000,
	    1000), CONN_OK);
	client.fd = sp[1];
	client.n = 0;
	client.eof = false;
	t.nkept = t.commits = t.drops = t.files = t.closes = t.known = t.senders = 0;
	t.mood = NORMAL;
	t.held = 0;
	t.login = 0;
	session_start(sp[0], &conn, proto, plaintext);
	turn();
}

static void
say_n(const char *text, size_t n)
{
	ssize_t k;

	while (n > 0) {
		k = send(client.fd, text, n, MSG_NOSIGNAL);
		if (k > 0) {
			text += k;
			n -= (size_t)k;
		} else if (errno != EAGAIN)
			break;
		turn();
	}
	turn();
}

static void
say(const char *text)
{
	say_n(text, strlen(text));
}

static void
finish(void)
{
	close(client.fd);
	client.fd = -1;
	event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	assert_int_equal(t.sessions, 0);
}

/* The codes of all replies since the last call: "220 250 354". */
static const char *
codes(void)
{
	static char text[4096];
	char *p = client.out, *nl;
	size_t n = 0;

	text[0] = '\0';
	while ((nl = strstr(p, "\r\n")) != NULL) {
		if (nl - p >= 3 && (nl - p == 3 || p[3] == ' ') &&
		    n + 5 < sizeof(text)) {
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s%.3s", n > 0 ? " " : "", p);
		}
		p = nl + 2;
	}
	client.n = 0;
	return text;
}

static void
expect(const char *in, const char *want)
{
	say(in);
	assert_string_equal(codes(), want);
}

/* ---- tests ------------------------------------------------------------------ */

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

static const char whole[] = "EHLO c.test\r\nMAIL FROM:<a@c.test> SIZE=100 "
    "BODY=8BITMIME\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n";

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
	char line[300];
	size_t i;

	for (i = 0; i < NITEMS(tricks); i++) {
		begin(PROTO_SMTP, false);
		snprintf(line, sizeof(line), "EHLO x\r\nMAIL FROM:<>\r\n"
		    "RCPT TO:%s\r\n", tricks[i]);
		say(line);
		if (strstr(client.out, "550 5.7.1") == NULL)
			fail_msg("%s: %s", tricks[i], client.out);
		expect("DATA\r\n", "220 250 250 550 554");
		finish();
	}
	begin(PROTO_SMTP, false);
	expect("HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<postmaster>\r\n"
	    "RCPT TO:<bob>\r\n", "220 250 250 250 250");
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
	assert_non_null(strstr(client.out, "421 4.7.0"));
	finish();

	/* too many errors */
	begin(PROTO_SMTP, false);
	for (i = 0; i < 40 && !client.eof; i++)
		say("FROB\r\n");
	assert_int_equal(i, t.conf->smtp.max_errors);
	assert_non_null(strstr(client.out, "421 4.7.0"));
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

/* ---- submission ------------------------------------------------------------- */

#define LOGIN	"AUTH PLAIN AGFsaWNlQGxvY2FsZG9tYWluAHNlY3JldA==\r\n"

static void
test_auth(void **state)
{
	begin(PROTO_SUBMISSION, false);		/* in clear: never */
	say("EHLO x\r\n");
	assert_null(strstr(client.out, "AUTH"));
	expect("MAIL FROM:<alice@localdomain>\r\n", "220 250 530");
	say(LOGIN);
	assert_non_null(strstr(client.out, "538 5.7.11"));
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

/* ---- neighbours that fail ----------------------------------------------------- */

/* Who else than the envelope's sender a submitted message may be from. */
static void
test_author(void **state)
{
	static const struct {
		const char	*from, *reply;
		unsigned int	 asked;
	} cases[] = {
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
	char text[256];
	unsigned int kept = 0, asked, max = t.conf->smtp.max_errors;
	size_t i;

	begin(PROTO_SUBMISSION, true);
	t.conf->smtp.max_errors = 100;
	say("EHLO x\r\n" LOGIN);
	expect("RSET\r\n", "220 250 235 250");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		asked = t.senders;
		say("MAIL FROM:<alice@localdomain>\r\n"
		    "RCPT TO:<far@away.test>\r\nDATA\r\n");
		snprintf(text, sizeof(text), "%s\r\n\r\nhi\r\n.\r\n",
		    cases[i].from);
		expect(text, cases[i].reply[0] == '2' ? "250 250 354 250" :
		    "250 250 354 550");
		if (t.senders - asked - 1 != cases[i].asked)
			fail_msg("%s: asked %u times", cases[i].from,
			    t.senders - asked - 1);
		if (cases[i].reply[0] == '2')
			assert_int_equal(t.kept[kept++].ticket, 6);
	}
	assert_int_equal(t.commits, kept);
	t.conf->smtp.max_errors = max;
	finish();
}

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
		t.h.queue = join(CHAN_QUEUE, queue_plays, NITEMS(queue_plays),
		    &t.queue);
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
	t.h.queue = join(CHAN_QUEUE, queue_plays, NITEMS(queue_plays),
	    &t.queue);
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

static void
test_starttls_injection(void **state)
{
	struct tls_config *c = tls_config_new();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bc = BIO_new(BIO_s_mem()), *bk = BIO_new(BIO_s_mem());
	char *pc, *pk;
	long nc, nk;

	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_set_pubkey(x, key);
	X509_sign(x, key, EVP_sha256());
	PEM_write_bio_X509(bc, x);
	PEM_write_bio_PrivateKey(bk, key, NULL, NULL, 0, NULL, NULL);
	nc = BIO_get_mem_data(bc, &pc);
	nk = BIO_get_mem_data(bk, &pk);
	assert_int_equal(tls_config_set_keypair_mem(c, (uint8_t *)pc,
	    (size_t)nc, (uint8_t *)pk, (size_t)nk), 0);
	t.h.tls = tls_server();
	assert_int_equal(tls_configure(t.h.tls, c), 0);

	begin(PROTO_SUBMISSION, false);
	say("EHLO x\r\nSTARTTLS\r\nNOOP\r\n");
	assert_string_equal(codes(), "220 250 554");
	assert_true(client.eof);
	finish();
	/* it comes later: it is read as TLS, which it is not */
	begin(PROTO_SUBMISSION, false);
	expect("EHLO x\r\nSTARTTLS\r\n", "220 250 220");
	say("AUTH PLAIN AGFsaWNlQGxvY2FsZG9tYWluAHNlY3JldA==\r\n");
	assert_true(client.eof);
	assert_int_equal(t.login, 0);
	finish();
	tls_free(t.h.tls);
	t.h.tls = NULL;
	tls_config_free(c);
	X509_free(x);
	EVP_PKEY_free(key);
	BIO_free(bc);
	BIO_free(bk);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_typed_by_hand),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_rcpt_answers_in_order),
		cmocka_unit_test(test_relay_tricks),
		cmocka_unit_test(test_smuggling),
		cmocka_unit_test(test_bare_lf_commands),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_forged_results),
		cmocka_unit_test(test_odd_headers),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_login_cut),
		cmocka_unit_test(test_auth_lengths),
		cmocka_unit_test(test_submitted),
		cmocka_unit_test(test_author),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_queue_dies),
		cmocka_unit_test(test_gone_while_asked),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_starttls_injection),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
