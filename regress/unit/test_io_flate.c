/*
 * Compression of common/io over a socketpair, zlib being the client: octets
 * cut anywhere, each kind of flush, rest between any two commands, bombs,
 * and what is no DEFLATE.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <zlib.h>

#include "base/slice.h"
#include "net/io.h"

#define TURN	(64 * 1024)	/* octets unpacked a turn, as stated */

static struct event_base *base;

/* Our side, and the client's. */
static struct {
	struct io	*io;
	int		 fd;
	char		 got[65536];
	size_t		 n;
	size_t		 sum, most;	/* octets in all, of one event */
	bool		 hold;		/* takes nothing */
	int		 ends, errors;
	z_stream	 pack, unpack;
} t;

static void
on_event(struct io *io, enum io_event ev, void *arg)
{
	struct slice in = io_peek(io);

	t.ends += ev == IO_EOF;
	t.errors += ev == IO_ERROR;
	if (ev == IO_DRAINED || in.n == 0 || t.hold)
		return;
	t.sum += in.n;
	if (in.n > t.most)
		t.most = in.n;
	if (in.n <= sizeof(t.got) - t.n) {
		memcpy(t.got + t.n, in.p, in.n);
		t.n += in.n;
	}
	io_drain(io, in.n);
}

static void
turn(int n)
{
	while (n-- > 0)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
begin(void)
{
	int sp[2];

	if (base == NULL)
		base = event_base_new();
	memset(&t, 0, sizeof(t));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, sp), 0);
	t.fd = sp[1];
	t.io = io_new(base, sp[0], on_event, NULL);
	assert_int_equal(io_flate(t.io), 0);
	assert_int_equal(deflateInit2(&t.pack, 6, Z_DEFLATED, -15, 8, 0),
	    Z_OK);
	assert_int_equal(inflateInit2(&t.unpack, -15), Z_OK);
}

static void
end(void)
{
	if (t.errors == 0)
		turn(2);
	io_free(t.io);
	close(t.fd);
	deflateEnd(&t.pack);
	inflateEnd(&t.unpack);
}

/* As the client's zlib packs it; octets in out. */
static size_t
packed(const void *p, size_t n, int flush, uint8_t *out, size_t size)
{
	t.pack.next_in = (Bytef *)(uintptr_t)p;
	t.pack.avail_in = (uInt)n;
	t.pack.next_out = out;
	t.pack.avail_out = (uInt)size;
	assert_int_not_equal(deflate(&t.pack, flush), Z_STREAM_ERROR);
	assert_true(t.pack.avail_out > 0);
	return size - t.pack.avail_out;
}

/* What the client reads. */
static size_t
hears(char *out, size_t size)
{
	uint8_t buf[65536];
	ssize_t n;

	t.unpack.next_out = (Bytef *)out;
	t.unpack.avail_out = (uInt)size;
	while ((n = read(t.fd, buf, sizeof(buf))) > 0) {
		t.unpack.next_in = buf;
		t.unpack.avail_in = (uInt)n;
		assert_int_equal(inflate(&t.unpack, Z_SYNC_FLUSH), Z_OK);
		assert_int_equal(t.unpack.avail_in, 0);
		turn(1);
	}
	return size - t.unpack.avail_out;
}

static void
expect(const char *text)
{
	assert_int_equal(t.n, strlen(text));
	assert_memory_equal(t.got, text, t.n);
	t.n = 0;
}

static void
test_cut_anywhere(void **state)
{
	static const char text[] = "a1 NOOP\r\na2 FETCH 1:* (FLAGS)\r\n";
	uint8_t buf[256];
	size_t n = 0, cut;

	for (cut = 0; cut == 0 || cut < n; cut++) {
		begin();
		n = packed(text, sizeof(text) - 1, Z_SYNC_FLUSH, buf,
		    sizeof(buf));
		assert_int_equal(write(t.fd, buf, cut), cut);
		turn(2);
		assert_int_equal(write(t.fd, buf + cut, n - cut), n - cut);
		turn(3);
		expect(text);
		end();
	}
}

/* Each kind of flush ends at other bits of an octet; between any two commands
 * it rests, and goes on with what was said before. */
static void
test_rest_between_commands(void **state)
{
	static const int flush[] = { Z_SYNC_FLUSH, Z_PARTIAL_FLUSH,
	    Z_FULL_FLUSH, Z_BLOCK };
	char text[256], heard[4096];
	uint8_t buf[4096];
	size_t n, m;
	int i, rest;

	for (rest = 0; rest < 2; rest++) {
		begin();
		for (i = 0; i < 2000; i++) {
			snprintf(text, sizeof(text), "a%d UID FETCH %d:%d "
			    "(FLAGS BODY.PEEK[HEADER.FIELDS (%x)])\r\n", i,
			    i * 7, i * 7919, i * 31);
			n = packed(text, strlen(text), flush[i / 3 % 3], buf,
			    sizeof(buf));
			if (i % 5 == 0)		/* behind it an empty block */
				n += packed("", 0, flush[i % 4], buf + n,
				    sizeof(buf) - n);
			assert_int_equal(write(t.fd, buf, n), n);
			turn(3);
			expect(text);
			io_write(t.io, text, strlen(text));
			turn(2);
			m = hears(heard, sizeof(heard));
			assert_int_equal(m, strlen(text));
			assert_memory_equal(heard, text, m);
			if (rest)
				io_flate_rest(t.io);
		}
		assert_int_equal(t.errors, 0);
		end();
	}
}

/* Half of a block is here: it rests without losing that. */
static void
test_rest_within_a_block(void **state)
{
	static const char text[] = "a1 LOGOUT of nobody at all, nowhere\r\n";
	uint8_t buf[256];
	size_t n = 0, cut;

	for (cut = 0; cut == 0 || cut < n; cut++) {
		begin();
		n = packed(text, sizeof(text) - 1, Z_SYNC_FLUSH, buf,
		    sizeof(buf));
		assert_int_equal(write(t.fd, buf, cut), cut);
		turn(2);
		io_flate_rest(t.io);
		assert_int_equal(write(t.fd, buf + cut, n - cut), n - cut);
		turn(3);
		expect(text);
		end();
	}
}

/* All writes of a turn are one flush, and nothing of an answer stays. */
static void
test_answers_are_flushed(void **state)
{
	char text[8192];
	size_t n, i;

	begin();
	io_write(t.io, "* 1 EXISTS\r\n", 12);
	io_write(t.io, "a OK\r\n", 6);
	turn(1);
	n = hears(text, sizeof(text));
	assert_int_equal(n, 18);
	for (i = 0; i < 300; i++)
		io_write(t.io, "* 7 FETCH (FLAGS (\\Seen))\r\n", 27);
	turn(2);
	assert_int_equal(hears(text, sizeof(text)), 300 * 27);
	/* and what is said last, behind which it is closed */
	io_write(t.io, "* BYE\r\n", 7);
	io_finish(t.io, 0);
	turn(3);
	assert_int_equal(hears(text, sizeof(text)), 7);
	close(t.fd);
	deflateEnd(&t.pack);
	inflateEnd(&t.unpack);
}

/* 64 MiB in 64 KiB: so much a turn and no more, none while nobody takes it. */
static void
test_bomb(void **state)
{
	static uint8_t buf[1 << 18], zero[1 << 20];
	size_t n = 0, sent = 0;
	ssize_t w;
	int i;

	begin();
	for (i = 0; i < 64; i++)
		n += packed(zero, sizeof(zero), i < 63 ? Z_NO_FLUSH :
		    Z_SYNC_FLUSH, buf + n, sizeof(buf) - n);
	t.hold = true;
	for (i = 0; i < 100; i++) {
		if ((w = write(t.fd, buf + sent, n - sent)) > 0)
			sent += (size_t)w;
		turn(1);
		assert_true(io_peek(t.io).n <= TURN);
	}
	t.hold = false;
	io_drain(t.io, io_peek(t.io).n / 2);
	t.sum = TURN;		/* about what was just dropped */
	for (i = 0; t.sum < 60 << 20 && i < 100000; i++) {
		if (sent < n && (w = write(t.fd, buf + sent, n - sent)) > 0)
			sent += (size_t)w;
		turn(1);
	}
	assert_true(t.sum >= 60 << 20);
	assert_true(t.most <= TURN);
	end();
}

/* All that was said before the end is heard before it. */
static void
test_end_comes_last(void **state)
{
	static uint8_t buf[1 << 16], text[1 << 20];
	size_t n;
	int i;

	begin();
	memset(text, 'x', sizeof(text));
	n = packed(text, sizeof(text), Z_SYNC_FLUSH, buf, sizeof(buf));
	assert_int_equal(write(t.fd, buf, n), n);
	shutdown(t.fd, SHUT_WR);
	for (i = 0; i < 100 && t.ends == 0; i++)
		turn(1);
	assert_int_equal(t.ends, 1);
	assert_int_equal(t.sum, sizeof(text));
	end();
}

static void
test_what_is_no_deflate(void **state)
{
	static const struct {
		const char	*p;
		size_t		 n;
	} bad[] = {
		{ "a NOOP\r\n", 8 },		/* in the clear */
		{ "\x06", 1 },			/* block of type 3 */
		{ "\x00\x05\x00\x00\x00" "abcde", 10 }, /* its length, broken */
		{ "\x03\x00", 2 },		/* an end, which nobody said */
		{ "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8 },	/* gzip */
		{ "\x78\x9c\x4b\x04\x00\x00\x62\x00\x62", 9 },	/* zlib */
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		assert_int_equal(write(t.fd, bad[i].p, bad[i].n), bad[i].n);
		turn(3);
		assert_int_equal(t.errors, 1);
		end();
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_rest_between_commands),
		cmocka_unit_test(test_rest_within_a_block),
		cmocka_unit_test(test_answers_are_flushed),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_end_comes_last),
		cmocka_unit_test(test_what_is_no_deflate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
