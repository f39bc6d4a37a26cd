/*
 * mailctl: the operator's command.  Sends its words over maild's control
 * socket and prints the rows that come back, as a table or as JSON.  Runs
 * as whoever calls it; who may do what is decided by maild.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/build.h"
#include "base/slice.h"
#include "msg/msg.h"
#include "mailctl/mailctl.h"

#define ANSWER_MS	660000		/* longest wait for the next message: maild
					 * gives up before, and says why */

void
stdio_open(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd == -1)
		exit(EX_OSERR);
	close(fd);
}

/*
 * maild says first which build it is of.  One of another build is told, as
 * what is new in one of them the other does not know; releases further apart
 * than one do not understand each other.  0, or -1 with errno when it ended.
 */
static int
read_hello(int s)
{
	static uint8_t buf[MSG_MAX];
	char theirs[BUILD_TEXT_MAX], ours[BUILD_TEXT_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	const struct ctl_hello_ev *e = &body.ctl_hello_ev;
	int r = msg_recv(s, CHAN_CTL, SIDE_B, buf, &m, ANSWER_MS);

	if (r == 0)
		errno = ECONNRESET;
	if (r != 1)
		return -1;
	if (m.type != CTL_HELLO_EV)
		errx(EX_PROTOCOL, "maild does not say which release it is of; "
		    "restart it");
	if (build_same(e->build))
		return 0;
	warnx("maild runs %s, this mailctl is of %s: restart maild",
	    build_text(e->release, e->build, theirs),
	    build_text(build_release, slice_str(build_id), ours));
	if (!build_adjacent(e->release))
		errx(EX_PROTOCOL, "they do not understand each other");
	return 0;
}

int
control_try(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int s, keep;

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		errx(EX_USAGE, "%s: socket path too long", path);
	if ((s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) == -1)
		err(EX_OSERR, "socket");
	if (connect(s, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	    read_hello(s) == 0)
		return s;
	keep = errno;
	close(s);
	errno = keep;
	return -1;
}

int
control_connect(const char *path)
{
	int s = control_try(path);

	if (s != -1)
		return s;
	if (errno == ENOENT || errno == ECONNREFUSED)
		errx(EX_UNAVAILABLE, "%s: maild is not running, or "
		    "listens elsewhere (socket in maild.yaml(5), -s); to start "
		    "it run: service maild start", path);
	if (errno == ECONNRESET)
		errx(EX_UNAVAILABLE, "maild closed the connection");
	if (errno == EACCES)
		errx(EX_NOPERM, "%s: not permitted; run as root, "
		    "or be of control-group, maild.yaml(5)", path);
	err(EX_UNAVAILABLE, "%s", path);
}

static void
put_arg(uint8_t *buf, size_t size, size_t *n, const char *text)
{
	struct item_arg arg = { slice_str(text) };

	if (item_arg_put(buf, size, n, &arg) == -1)
		errx(EX_USAGE, "arguments too long");
}

/*
 * Options of reports go behind its words, as maild tells by the first of
 * these who answers.
 */
void
order_options(int argc, char **argv)
{
	int i, k, last = argc;
	char *word;

	for (i = 1; i < last;) {
		if (strncmp(argv[i], "--", 2) != 0) {
			i++;
			continue;
		}
		for (k = strcmp(argv[i], "--days") == 0 && i + 1 < last ?
		    2 : 1; k > 0; k--, last--) {
			word = argv[i];
			memmove(&argv[i], &argv[i + 1],
			    (size_t)(argc - i - 1) * sizeof(*argv));
			argv[argc - 1] = word;
		}
	}
}

int
send_command(int s, int argc, char **argv, const char *password, int fd)
{
	static uint8_t args[12288];
	struct ctl_run run;
	size_t n = 0;
	int i, r;

	for (i = 0; i < argc; i++)
		put_arg(args, sizeof(args), &n, argv[i]);
	if (password != NULL)
		put_arg(args, sizeof(args), &n, password);
	run.args = slice_of((const char *)args, n);
	r = msg_send(s, CTL_RUN, 1, &run, &fd, fd != -1);
	explicit_bzero(args, sizeof(args));
	return r;
}

/* How far it is, in place of what stood there; "": it is over. */
static void
far_show(const char *text, size_t n)
{
	static bool shown;

	if (!isatty(STDERR_FILENO) || (n == 0 && !shown))
		return;
	shown = n > 0;
	fprintf(stderr, "\r\033[K%.*s", (int)n, text);
	fflush(stderr);
}

/* Is it a row that only says how far it is? */
static bool
row_is_far(struct slice cells)
{
	struct item_cell c;
	size_t off = 0;

	if (item_cell_get(cells, &off, &c) != 1 || c.type != 'p')
		return false;
	if (text_is_plain(c.value))
		far_show(c.value.p, c.value.n);
	return true;
}

static void
row_take(struct table *table, const struct msg *m)
{
	const struct ctl_row_ev *e = &m->body->ctl_row_ev;

	if (m->type == CTL_ROW_EV && row_is_far(e->cells))
		return;
	if (m->type != CTL_ROW_EV || table_add(table, e->cells) == -1)
		errx(EX_PROTOCOL, "damaged answer");
}

int
answer_read(int s, struct table *table, struct ctl_run_r *end)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	int r;

	while ((r = msg_recv(s, CHAN_CTL, SIDE_B, buf, &m, ANSWER_MS)) == 1) {
		if (m.type == CTL_RUN_R) {
			far_show("", 0);
			*end = body.ctl_run_r;
			return 1;
		}
		row_take(table, &m);
	}
	return r;
}

int
answer_print(int s, bool json)
{
	struct table *table = table_new(json);
	struct ctl_run_r end;
	int r = answer_read(s, table, &end);

	if (r == 0)
		errx(EX_UNAVAILABLE, "maild closed the connection");
	if (r == -1)
		err(EX_UNAVAILABLE, "waiting for maild");
	if (end.code == 0 || !table_is_empty(table))
		table_print(table);
	else
		table_free(table);
	fflush(stdout);
	if (end.code != 0)
		fputs("mailctl: ", stderr);
	if (end.text.n > 0 && (!json || end.code != 0))
		text_print(end.code == 0 ? stdout : stderr, end.text);
	return end.code;
}

/* maild said that it ends; it has when nobody holds the other side. */
void
wait_gone(int s)
{
	static uint8_t buf[MSG_MAX];
	union msg_body body;
	struct msg m = { .body = &body };
	int r;

	while ((r = msg_recv(s, CHAN_CTL, SIDE_B, buf, &m, ANSWER_MS)) == 1)
		;
	if (r == -1 && errno != ECONNRESET)
		err(EX_TEMPFAIL, "maild has not ended yet");
}
