/*
 * Fuzz entry: what a logged-in client sends to imap-session, on a real
 * store that is made anew from time to time; what begins with a one, which no
 * command does, is the state of a session that was parked.  Links
 * imapd/session*.c but for imapd/session/main.c.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "parse/imap_parse.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "conf/conf.h"
#include "conf/quota.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

#define RUNS_PER_STORE	500
#define INPUT_MAX	8192

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static const char message[] =
    "From: =?utf-8?q?J=C3=BC?= <a@x>\r\nTo: b@y\r\nSubject: one\r\n"
    "Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nalpha\r\n"
    "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbeta\r\n"
    "--b--\r\n";

static char	 dir[64];
static int	 front, theirs;
static struct conf *conf;

/* The client reads whatever comes. */
static void *
drain(void *arg)
{
	static char	 buf[MSG_MAX];

	while (recv(front, buf, sizeof(buf), 0) > 0)
		continue;
	return (NULL);
}

static void
packet(int type, const void *p, size_t n)
{
	char	 buf[INPUT_MAX + 64];

	buf[0] = (char)type;
	memcpy(buf + 1, p, n);
	if (send(front, buf, n + 1, 0) == -1)
		abort();
}

/* SESSION_START, and behind it what the front kept. */
static void
start(const uint8_t *state, size_t n)
{
	const struct item_arg v[] = { { SLICE_LIT("tag") },
	    { SLICE_LIT("l") }, { SLICE_LIT("parked") }, { SLICE_LIT("1") } };
	uint8_t		 buf[64], park[INPUT_MAX + SESSION_PARK_HEAD] = { 0 };
	size_t		 i, off = 0;

	for (i = 0; i < (state != NULL ? 4 : 2); i++)
		item_arg_put(buf, sizeof(buf), &off, &v[i]);
	packet(SESSION_START, buf, off);
	if (state == NULL)
		return;
	memcpy(park + SESSION_PARK_HEAD - 1, state, n);
	packet(SESSION_PARK, park, SESSION_PARK_HEAD - 1 + n);
}

static void
run(const void *text, size_t n)
{
	static const char done[] = "DONE\r\nx UID FETCH 1:* (FLAGS)\r\n"
	    "x EXPUNGE\r\nx STORE 1 +FLAGS (\\Seen)\r\nx LOGOUT\r\n";
	char		 old[MSG_MAX];

	if (n > 0 && *(const char *)text == 1) {
		start(text, n);
		packet(SESSION_DATA, done, sizeof(done) - 1);
	} else {
		start(NULL, 0);
		packet(SESSION_DATA, text, n);
	}
	packet(SESSION_BYE, "", 0);
	session_main(theirs, conf, &(struct quota){ 0 });
	session_free();
	while (recv(theirs, old, sizeof(old), MSG_DONTWAIT) > 0)
		continue;
}

static void
remove_tree(void)
{
	char	 cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	if (chdir("/") == -1 || system(cmd) == -1)
		abort();
}

static void
store_again(void)
{
	char	 append[1024];
	int	 n, fd;

	if (dir[0] != '\0')
		remove_tree();
	strlcpy(dir, "/tmp/fuzz_imap.XXXXXX", sizeof(dir));
	if (mkdtemp(dir) == NULL || chdir(dir) == -1 ||
	    (fd = open(".", O_RDONLY | O_DIRECTORY)) == -1 ||
	    store_create(fd) != STORE_OK)
		abort();
	close(fd);
	n = snprintf(append, sizeof(append), "a APPEND INBOX {%zu+}\r\n%s"
	    " (\\Seen $k) {%zu+}\r\n%s\r\n", sizeof(message) - 1, message,
	    sizeof(message) - 1, message);
	run(append, (size_t)n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	static unsigned int	 runs;
	pthread_t		 t;
	int			 sv[2];

	if (conf == NULL) {
		conf = conf_new();
		log_setlevel(LOG_L_WARN);
		if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv) == -1)
			abort();
		front = sv[0];
		theirs = sv[1];
		if (pthread_create(&t, NULL, drain, NULL) != 0)
			abort();
		atexit(remove_tree);
	}
	if (runs++ % RUNS_PER_STORE == 0)
		store_again();
	if (n <= INPUT_MAX)
		run(in, n);
	return (0);
}
