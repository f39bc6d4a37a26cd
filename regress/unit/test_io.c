/*
 * common/io over a socketpair: the line reader with its input cut at every
 * octet, limits, writes that block, deadlines, and TLS (a key made here,
 * both ends ours).
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

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
#include <tls.h>

#include "base/slice.h"
#include "net/io.h"
#include "net/tlsssl.h"
#include "keypair.h"

struct side {
	struct io	*io;
	char		 text[512];	/* lines seen, "L:..|" "B|" "T|" */
	char		*data;		/* raw input, when collecting */
	size_t		 n, size;
	size_t		 max;		/* line length; 0: collect */
	int		 events[8];
	bool		 stop;		/* leave the loop at the next event */
};

static struct event_base *base;

static void
note(struct side *s, const char *what, struct slice l)
{
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s%.*s|", what, (int)l.n,
	    l.n > 0 ? l.p : "");
}

static void
read_lines(struct side *s)
{
	struct slice l;

	for (;;) {
		switch (io_line(s->io, s->max, &l)) {
		case IO_LINE:
			note(s, "L:", l);
			break;
		case IO_BARE:
			note(s, "B", slice_of(NULL, 0));
			break;
		case IO_TOOLONG:
			note(s, "T", slice_of(NULL, 0));
			break;
		case IO_LONGER:
			note(s, "t", slice_of(NULL, 0));
			break;
		case IO_MORE:
			return;
		}
	}
}

static void
on_event(struct io *io, enum io_event ev, void *arg)
{
	struct side *s = arg;
	struct slice in;

	s->events[ev]++;
	if (ev == IO_READ && s->max > 0)
		read_lines(s);
	else if (ev == IO_READ) {
		in = io_peek(io);
		if (s->n + in.n > s->size) {
			s->size = (s->n + in.n) * 2;
			s->data = realloc(s->data, s->size);
		}
		memcpy(s->data + s->n, in.p, in.n);
		s->n += in.n;
		io_drain(io, in.n);
	}
	if (s->stop)
		event_base_loopbreak(base);
}

static void
turn(int n)
{
	while (n-- > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
start_pair(int sp[2])
{
	if (base == NULL)
		base = event_base_new();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, sp), 0);
}

static void
check_lines(const char *in, size_t n, size_t max, const char *want)
{
	struct side s;
	size_t cut;
	int sp[2];

	for (cut = 0; cut <= n; cut++) {
		s = (struct side){ .max = max };
		start_pair(sp);
		s.io = io_new(base, sp[0], on_event, &s);
		if (cut > 0)
			assert_int_equal(write(sp[1], in, cut), cut);
		turn(2);
		if (n > cut)
			assert_int_equal(write(sp[1], in + cut, n - cut),
			    n - cut);
		turn(2);
		assert_string_equal(s.text, want);
		io_free(s.io);
		close(sp[1]);
	}
}

#define CHECK(in, max, want) check_lines(in, sizeof(in) - 1, max, want)

static void
test_lines(void **state)
{
	CHECK("a\r\nbc\r\n\r\nd", 10, "L:a|L:bc|L:|");
	CHECK("a\nb\r\n", 10, "B|L:b|");
	CHECK("a\rb\r\nc\r\n", 10, "B|L:c|");
	CHECK("a\r\r\nc\r\n", 10, "B|L:c|");
	CHECK("\n\r\n", 10, "B|L:|");
	CHECK("0123456789\r\nx\r\n", 10, "L:0123456789|L:x|");
	CHECK("0123456789a\r\nx\r\n", 10, "T|L:x|");
	CHECK("0123456789abcdefghijklmnop\r\nx\r\n", 10, "T|L:x|");
}

static void
test_endless_line(void **state)
{
	struct side s = { .max = 100 };
	char block[4096];
	int sp[2], i;

	memset(block, 'x', sizeof(block));
	start_pair(sp);
	s.io = io_new(base, sp[0], on_event, &s);
	for (i = 0; i < 64; i++) {
		assert_int_equal(write(sp[1], block, sizeof(block)),
		    sizeof(block));
		turn(1);
	}
	assert_string_equal(s.text, "T|t|t|t|t|");	/* again every 64 KiB */
	io_free(s.io);
	close(sp[1]);
}

static void
test_write_blocks(void **state)
{
	struct side s = { 0 };
	char *big = malloc(1 << 20), *got = malloc(1 << 20);
	size_t n = 0, i;
	ssize_t k;
	int sp[2];

	for (i = 0; i < 1 << 20; i++)
		big[i] = (char)(i * 7 + i / 256);
	start_pair(sp);
	s.io = io_new(base, sp[0], on_event, &s);
	for (i = 0; i < 1 << 20; i += 1 << 18)
		assert_int_equal(io_write(s.io, big + i, 1 << 18), 0);
	turn(1);
	assert_true(io_queued(s.io) > 0);
	assert_int_equal(s.events[IO_DRAINED], 0);
	while (n < 1 << 20) {
		k = read(sp[1], got + n, (1 << 20) - n);
		if (k > 0)
			n += (size_t)k;
		else
			turn(1);
	}
	turn(1);
	assert_memory_equal(big, got, 1 << 20);
	assert_int_equal(s.events[IO_DRAINED], 1);
	io_free(s.io);
	close(sp[1]);
	free(big);
	free(got);
}

static void
test_file(void **state)
{
	struct side s = { 0 };
	char got[400];
	int sp[2], fd = memfd_create("t", MFD_CLOEXEC);

	assert_int_equal(write(fd, "0123456789", 10), 10);
	start_pair(sp);
	s.io = io_new(base, sp[0], on_event, &s);
	io_write(s.io, "<", 1);
	io_sendfile(s.io, fd, 2, 5);
	io_printf(s.io, "%s", ">");
	turn(1);
	assert_int_equal(read(sp[1], got, sizeof(got)), 7);
	assert_memory_equal(got, "<23456>", 7);
	/* Shorter than was said: an error, not an endless loop. */
	io_sendfile(s.io, fd, 8, 50);
	turn(1);
	assert_int_equal(s.events[IO_ERROR], 1);
	io_free(s.io);
	close(sp[1]);
	close(fd);
}

static void
test_finish(void **state)
{
	struct side s = { 0 };
	static char block[65536];
	char got[64];
	size_t sent;
	ssize_t n;
	int sp[2];

	start_pair(sp);
	s.io = io_new(base, sp[0], on_event, &s);
	io_write(s.io, "bye", 3);
	io_finish(s.io, 0);
	turn(1);
	assert_int_equal(read(sp[1], got, sizeof(got)), 3);
	assert_int_equal(read(sp[1], got, sizeof(got)), 0);
	close(sp[1]);

	/* With linger the peer may still talk and the end comes at its end. */
	start_pair(sp);
	s.io = io_new(base, sp[0], on_event, &s);
	io_write(s.io, "bye", 3);
	io_finish(s.io, 10000);
	turn(1);
	assert_int_equal(read(sp[1], got, sizeof(got)), 3);
	assert_int_equal(read(sp[1], got, sizeof(got)), 0);
	assert_int_equal(send(sp[1], "more", 4, MSG_NOSIGNAL), 4);
	turn(1);
	assert_int_equal(send(sp[1], "more", 4, MSG_NOSIGNAL), 4);
	close(sp[1]);
	turn(3);
	assert_int_equal(s.events[IO_READ], 0);

	/* but not for ever */
	start_pair(sp);
	s.io = io_new(base, sp[0], on_event, &s);
	io_finish(s.io, 10000);
	turn(1);
	for (sent = 0; (n = send(sp[1], block, sizeof(block),
	    MSG_NOSIGNAL | MSG_DONTWAIT)) != -1 || errno == EAGAIN;) {
		assert_true((sent += n > 0 ? (size_t)n : 0) < 16 << 20);
		turn(1);
	}
	assert_true(sent > 3 << 20);
	close(sp[1]);
}

static void
test_deadline(void **state)
{
	struct side a = { .stop = true }, b = { .stop = true };
	int sp[2];

	start_pair(sp);
	a.io = io_new(base, sp[0], on_event, &a);
	b.io = io_new(base, sp[1], on_event, &b);
	io_deadline(a.io, 300);
	io_deadline(b.io, 100);
	event_base_dispatch(base);
	assert_int_equal(b.events[IO_DEADLINE], 1);
	assert_int_equal(a.events[IO_DEADLINE], 0);
	io_deadline(b.io, 100000);
	event_base_dispatch(base);
	assert_int_equal(a.events[IO_DEADLINE], 1);
	assert_int_equal(b.events[IO_DEADLINE], 1);
	io_free(a.io);
	io_free(b.io);
}

static void
test_pause(void **state)
{
	struct side s = { .max = 50 };
	int sp[2];

	start_pair(sp);
	s.io = io_new(base, sp[0], on_event, &s);
	io_pause(s.io);
	assert_int_equal(write(sp[1], "a\r\n", 3), 3);
	turn(3);
	assert_string_equal(s.text, "");
	io_resume(s.io);
	turn(3);
	assert_string_equal(s.text, "L:a|");
	io_free(s.io);
	close(sp[1]);
}

/* ---- TLS ---- */

static struct tls *
make_server(char **pem)
{
	struct tls_config *c = tls_config_new();
	struct tls *srv = tls_server();
	struct ssl_ctx_st *ctx;

	keypair_use(c, pem);
	assert_int_equal(tlsssl_configure(srv, c, &ctx), 0);
	tls_config_free(c);
	return srv;
}

static struct tls_config *
make_client(const char *pem)
{
	struct tls_config *c = tls_config_new();

	tls_config_set_ca_mem(c, (const uint8_t *)pem, strlen(pem));
	tls_config_insecure_noverifyname(c);
	return c;
}

static void
test_tls(void **state)
{
	struct side a = { .max = 100 }, b = { 0 };
	char *pem, *big = malloc(3 << 20);
	struct tls *srv = make_server(&pem);
	struct tls_config *cc = make_client(pem);
	size_t i;
	int sp[2];

	for (i = 0; i < 3 << 20; i++)
		big[i] = (char)(i * 11 + i / 1000);
	start_pair(sp);
	a.io = io_new(base, sp[0], on_event, &a);
	b.io = io_new(base, sp[1], on_event, &b);
	io_write(a.io, "220 go\r\n", 8);	/* in clear, before TLS */
	assert_int_equal(io_accept_tls(a.io, srv), 0);
	turn(2);
	assert_int_equal(b.n, 8);
	b.n = 0;
	assert_int_equal(io_start_tls(b.io, cc, "mx.test"), 0);
	turn(10);
	assert_int_equal(a.events[IO_SECURED], 1);
	assert_int_equal(b.events[IO_SECURED], 1);
	io_write(b.io, "EHLO x\r\nNOOP\r\n", 14);
	turn(4);
	assert_string_equal(a.text, "L:EHLO x|L:NOOP|");
	io_write(a.io, big, 3 << 20);
	for (i = 0; i < 2000 && b.n < 3 << 20; i++)
		turn(1);
	assert_int_equal(b.n, 3 << 20);
	assert_memory_equal(b.data, big, 3 << 20);
	assert_int_equal(a.events[IO_DRAINED], 2);
	io_finish(a.io, 0);
	turn(3);
	assert_int_equal(b.events[IO_EOF], 1);
	io_free(b.io);

	/* An end without close_notify is an end too. */
	start_pair(sp);
	a = (struct side){ .max = 100 };
	a.io = io_new(base, sp[0], on_event, &a);
	b.io = io_new(base, sp[1], on_event, &b);
	assert_int_equal(io_accept_tls(a.io, srv), 0);
	assert_int_equal(io_start_tls(b.io, cc, "mx.test"), 0);
	turn(10);
	assert_int_equal(a.events[IO_SECURED], 1);
	io_free(b.io);
	turn(3);
	assert_int_equal(a.events[IO_EOF], 1);
	io_free(a.io);
	tls_config_free(cc);
	tlsssl_free(srv);
	free(pem);
	free(big);
	free(b.data);
}

/* The last words and the end of TLS: each write is a packet to the client. */
static void
test_tls_end_is_one_write(void **state)
{
	struct side a = { 0 }, b = { 0 };
	char *pem, got[512];
	struct tls *srv = make_server(&pem);
	struct tls_config *cc = make_client(pem);
	int sp[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, sp), 0);
	a.io = io_new(base, sp[0], on_event, &a);
	b.io = io_new(base, sp[1], on_event, &b);
	assert_int_equal(io_accept_tls(a.io, srv), 0);
	assert_int_equal(io_start_tls(b.io, cc, "mx.test"), 0);
	turn(10);
	assert_int_equal(a.events[IO_SECURED], 1);
	io_pause(b.io);
	io_write(a.io, "bye", 3);
	io_finish(a.io, 0);
	turn(3);
	assert_true(read(sp[1], got, sizeof(got)) > 0);
	assert_int_equal(read(sp[1], got, sizeof(got)), 0);
	io_free(b.io);
	tls_config_free(cc);
	tlsssl_free(srv);
	free(pem);
}

static void
test_tls_refused(void **state)
{
	struct side a = { 0 };
	struct io *io;
	char *pem;
	struct tls *srv = make_server(&pem);
	int sp[2];

	/* Clear text pipelined behind STARTTLS must not count. */
	start_pair(sp);
	a.max = 100;
	io = a.io = io_new(base, sp[0], on_event, &a);
	assert_int_equal(write(sp[1], "STARTTLS\r\nNO", 12), 12);
	turn(2);
	assert_string_equal(a.text, "L:STARTTLS|");
	assert_int_equal(io_accept_tls(io, srv), -1);
	io_free(io);
	close(sp[1]);

	/* No handshake at all. */
	start_pair(sp);
	a = (struct side){ .max = 100 };
	a.io = io_new(base, sp[0], on_event, &a);
	assert_int_equal(io_accept_tls(a.io, srv), 0);
	assert_int_equal(write(sp[1], "EHLO there, no TLS\r\n", 20), 20);
	turn(3);
	assert_int_equal(a.events[IO_ERROR], 1);
	assert_int_equal(a.events[IO_READ], 0);
	io_free(a.io);
	close(sp[1]);
	tlsssl_free(srv);
	free(pem);
}

/* ---- a peer that asks and does not read ---------------------------------- */

#define ASK	"NOOP\r\n"
#define ANSWER	"* a hundred and twenty-eight octets, of which most say " \
		"nothing but that this is the answer to a question that " \
		"was asked ....\r\n"

/* Answer as many questions as there are, a few a turn, as the fronts do. */
static void
on_question(struct io *io, enum io_event ev, void *arg)
{
	struct side *s = arg;
	struct slice l;
	int i;

	s->events[ev]++;
	if (ev != IO_READ)
		return;
	for (i = 0; i < 8; i++) {
		if (io_full(io) || io_line(io, 100, &l) != IO_LINE)
			return;
		s->n++;
		assert_int_equal(io_write(io, ANSWER, sizeof(ANSWER) - 1), 0);
	}
	io_again(io);
}

/* Ask till the other end takes no more; how many questions went. */
static size_t
flood(struct side *s, struct io *client, int fd)
{
	size_t asked = 0, idle = 0;

	while (idle < 1000) {
		assert_true(asked < 10 * 1000 * 1000);
		if (client != NULL ? io_queued(client) == 0 &&
		    io_write(client, ASK, sizeof(ASK) - 1) == 0 :
		    send(fd, ASK, sizeof(ASK) - 1, MSG_DONTWAIT) ==
		    sizeof(ASK) - 1) {
			asked++;
			idle = 0;
		} else
			idle++;
		turn(1);
		assert_true(io_queued(s->io) <= IO_OUT_MAX + sizeof(ANSWER));
	}
	assert_true(io_queued(s->io) > IO_OUT_MAX);
	return asked;
}

static void
test_client_that_does_not_read(void **state)
{
	struct side s = { 0 };
	size_t asked, got = 0;
	static char buf[65536];
	ssize_t n;
	int sp[2], i;

	start_pair(sp);
	s.io = io_new(base, sp[0], on_question, &s);
	asked = flood(&s, NULL, sp[1]);
	assert_true(s.n < asked);
	/* it reads at last: every question has its answer */
	for (i = 0; i < 1000 * 1000 && got < asked * (sizeof(ANSWER) - 1);
	    i++) {
		if ((n = read(sp[1], buf, sizeof(buf))) > 0)
			got += (size_t)n;
		turn(1);
	}
	assert_int_equal(s.n, asked);
	assert_int_equal(got, asked * (sizeof(ANSWER) - 1));
	io_free(s.io);

	/* nor does its end wake us before there is room for the answers */
	close(sp[1]);
	start_pair(sp);
	s = (struct side){ 0 };
	s.io = io_new(base, sp[0], on_question, &s);
	flood(&s, NULL, sp[1]);
	io_finish(s.io, 1000);
	turn(3);
	close(sp[1]);
	turn(3);
}

/* The same beneath TLS, where what waits are records. */
static void
test_tls_client_that_does_not_read(void **state)
{
	struct side s = { 0 }, c = { 0 };
	char *pem;
	struct tls *srv = make_server(&pem);
	struct tls_config *cc = make_client(pem);
	size_t asked, i;
	int sp[2];

	start_pair(sp);
	s.io = io_new(base, sp[0], on_question, &s);
	c.io = io_new(base, sp[1], on_event, &c);
	assert_int_equal(io_accept_tls(s.io, srv), 0);
	assert_int_equal(io_start_tls(c.io, cc, "mx.test"), 0);
	turn(10);
	assert_int_equal(c.events[IO_SECURED], 1);
	io_pause(c.io);
	asked = flood(&s, c.io, -1);
	io_resume(c.io);
	for (i = 0; i < 1000 * 1000 && s.n < asked; i++)
		turn(1);
	turn(10);
	assert_int_equal(s.n, asked);
	io_free(s.io);
	io_free(c.io);
	free(c.data);
	tls_config_free(cc);
	tlsssl_free(srv);
	free(pem);
}

/* Who connected reads on, whatever it has still to send. */
static void
test_we_ask_and_read(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sun);
	struct side s = { .max = 100 };
	static char big[1 << 20];
	int l, fd;

	l = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* a name that the kernel makes */
	assert_int_equal(bind(l, (struct sockaddr *)&sun,
	    sizeof(sun.sun_family)), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&sun, &len), 0);
	if (base == NULL)
		base = event_base_new();
	s.io = io_connect(base, (struct sockaddr *)&sun, len, NULL, 0,
	    on_event, &s);
	assert_non_null(s.io);
	assert_true((fd = accept4(l, NULL, NULL, SOCK_CLOEXEC)) != -1);
	turn(2);
	assert_int_equal(s.events[IO_CONNECTED], 1);
	io_write(s.io, big, sizeof(big));
	turn(2);
	assert_true(io_queued(s.io) > IO_OUT_MAX);
	assert_false(io_full(s.io));
	assert_int_equal(write(fd, "552 no\r\n", 8), 8);
	turn(2);
	assert_string_equal(s.text, "L:552 no|");
	io_free(s.io);
	close(fd);
	close(l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_endless_line),
		cmocka_unit_test(test_write_blocks),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_tls_end_is_one_write),
		cmocka_unit_test(test_tls_refused),
		cmocka_unit_test(test_client_that_does_not_read),
		cmocka_unit_test(test_tls_client_that_does_not_read),
		cmocka_unit_test(test_we_ask_and_read),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
