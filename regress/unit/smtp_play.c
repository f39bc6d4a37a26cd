/*
 * Sessions of smtpd over socketpairs, every neighbour (authd, queue, signd)
 * answered from a table here.  The real files of smtpd/ are linked; only the
 * process around them (smtpd.c, neighbour.c) is played.
 */
#include "base/compat.h"

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

#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "parse/facts.h"
#include "verify/verify.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "net/conn.h"
#include "net/io.h"
#include "smtpd/smtpd.h"
#include "smtp_play.h"

struct play t;
struct play_client client;
const char whole[] = "EHLO c.test\r\nMAIL FROM:<a@c.test> SIZE=100 "
    "BODY=8BITMIME\r\nRCPT TO:<user@localdomain>\r\nDATA\r\n";

/* ---- smtpd.c, played ------------------------------------------------------ */

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
	const struct dir_rcpt *q = &m->body->dir_rcpt;
	struct dir_rcpt_r r = { .result = DIR_UNKNOWN, .address = q->address };
	struct item_route route = { .type = ROUTE_LOCAL, .account = 7 };
	size_t at = slice_find(q->address, '@'), n = 0;
	struct slice local = slice_of(q->address.p, at);
	static uint8_t buf[512];
	char members[] = "0@localdomain";

	if (!slice_is(slice_of(q->address.p + at + 1, q->address.n - at - 1),
	    "localdomain") && !slice_is(slice_of(q->address.p + at + 1,
	    q->address.n - at - 1), "mx.test"))
		r.result = q->conn == t.login ? DIR_OK : DIR_DENIED;
	else if (slice_caseis(local, "user") || slice_is(local, "bob") ||
	    slice_is(local, "slow") || slice_is(local, "postmaster") ||
	    (local.n > 1 && (local.p[0] == 'r' ||
	    (local.p[0] == '"' && local.p[1] == 'r'))))
		r.result = DIR_OK;
	else if (slice_is(local, "full"))
		r.result = DIR_FULL;
	else if (slice_is(local, "small") && q->size > 1000)
		r.result = DIR_SMALL;
	else if (slice_is(local, "temp"))
		r.result = DIR_TEMP;
	else if (slice_is(local, "team")) {	/* an alias of ten */
		r.result = DIR_OK;
		for (; members[0] <= '9'; members[0]++) {
			route.address = slice_str(members);
			item_route_put(buf, sizeof(buf), &n, &route);
		}
	}
	if (r.result == DIR_OK) {
		route.address = q->address;
		if (n == 0)
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
play_body(struct chan *c, struct msg *m, void *arg)
{
	t.body = m->body->queue_body_ev;
	memcpy(t.octets, t.body.body.p, t.body.body.n);
}

/* The message is in a descriptor, a file or what came just before. */
static void
keep_text(struct kept *k, const struct queue_commit *q, int fd)
{
	size_t n = k->n + k->facts;

	k->text = calloc(1, n + 1);
	if (fd != -1 || q->file != 0) {
		assert_int_equal(pread(fd != -1 ? fd : t.filefd, k->text, n,
		    0), n);
		assert_true(q->file != 0 || n > BODY_MAX || t.crowded);
	} else {
		assert_memory_equal(&t.body.commit, &q->commit,
		    sizeof(q->commit));
		assert_int_equal(t.body.body.n, n);
		memcpy(k->text, t.octets, n);
		k->octets = true;
	}
	t.body.body.n = 0;
	if (fd != -1)
		assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL |
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	assert_int_equal(facts_version(k->text + k->n, k->facts),
	    FACTS_VERSION);
}

static void
play_commit(struct chan *c, struct msg *m, void *arg)
{
	const struct queue_commit *q = &m->body->queue_commit;
	struct queue_commit_r r = { .id = SLICE_LIT("Q1") };
	struct kept *k = &t.kept[t.nkept % KEEP];

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
	keep_text(k, q, m->fd[0]);
	slice_cpy(q->sid, k->mid, sizeof(k->mid));
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
	if (t.mood == HOLD)
		t.held = m->id;
	else
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

	t.has7 = m->body->sign_ticket.has7 != 0;
	t.bodyhash7 = m->body->sign_ticket.bodyhash7;
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
	{ QUEUE_BODY_EV, play_body },
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

void
join_queue(void)
{
	t.h.queue = join(CHAN_QUEUE, queue_plays, NITEMS(queue_plays),
	    &t.queue);
}

int
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
	proc_conf_use(t.conf);
	t.h.queue_accepting = true;
	t.h.queue_free = UINT64_MAX;
	assert_int_equal(conn_start(-1, 0), 0);
	t.h.authd = join(CHAN_AUTH, authd_plays, NITEMS(authd_plays),
	    &t.authd);
	join_queue();
	t.h.signd = join(CHAN_SIGN, signd_plays, NITEMS(signd_plays),
	    &t.signd);
	return 0;
}

/* ---- a client -------------------------------------------------------------- */

void
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

void
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

void
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

void
say(const char *text)
{
	say_n(text, strlen(text));
}

void
finish(void)
{
	finish_turns(3);
}

void
finish_turns(unsigned int n)
{
	close(client.fd);
	client.fd = -1;
	while (n-- > 0)
		event_base_loop(t.h.base, EVLOOP_NONBLOCK);
	assert_int_equal(t.sessions, 0);
}

const char *
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

bool
told(enum reply r)
{
	struct slice line = reply_line(r);
	const char *p = memmem(client.out, client.n, line.p, line.n);

	return p != NULL && memcmp(p + line.n, reply_code(r) < 400 ? "\r\n" :
	    " (", 2) == 0;
}

void
expect(const char *in, const char *want)
{
	say(in);
	assert_string_equal(codes(), want);
}
