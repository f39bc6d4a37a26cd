/*
 * logd, the role: reads the log sockets of all processes and writes one
 * line a record into maild.log, and to syslog when configured.  Runs as
 * _maillog, chrooted in the log directory.  Who logs never waits for it:
 * they send without blocking and count what does not fit.
 *
 * BUGS: /dev/log is opened before the jail; after a restart of a syslogd
 * that makes a new socket, lines reach it again only when logd restarts.
 */
#include "base/compat.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "logd/logd.h"

#define LOG_PATH	"/maild.log"
#define BATCH		8	/* datagrams a recvmmsg */
#define TURNS		4	/* of them a source and loop turn */
#define LAST_TURNS	4096	/* the same when logd stops */
#define CHECK_SECONDS	10	/* between looks whether the file was moved */
#define TAIL_MAX	(1024 * 1024)	/* octets read back at the start */
#define LINES_DEFAULT	100	/* of "log" without -n */

struct source {
	struct source	*next;
	struct event	*ev;
	int		 fd;
	enum proc_role	 role;
	uint16_t	 instance;
};

static struct {
	struct source	*sources;
	struct ring	*ring;
	struct event	*flush, *check;
	int		 syslog;	/* socket, or -1 */
	char		 stamp[25];
	uint8_t		 in[BATCH][MSG_MAX];
} st = { .syslog = -1 };

/* ---- lines --------------------------------------------------------------- */

static void
to_syslog(const struct source *s, unsigned int level, struct slice line)
{
	static const int priority[] = {
		[LOG_L_DEBUG] = LOG_DEBUG, [LOG_L_INFO] = LOG_INFO,
		[LOG_L_NOTICE] = LOG_NOTICE, [LOG_L_WARN] = LOG_WARNING,
		[LOG_L_ERROR] = LOG_ERR
	};
	char buf[LOGD_LINE + 64];
	struct logd_parts o;
	int n;

	if (st.syslog == -1 || logd_parse(line, &o) == -1)
		return;
	if (level >= NITEMS(priority))
		level = NITEMS(priority) - 1;
	n = snprintf(buf, sizeof(buf), "<%d>maild/%s[%u]: %.*s",
	    LOG_MAIL | priority[level], proc_name(s->role), s->instance,
	    (int)o.text.n, o.text.p);
	if (n > 0)
		(void)send(st.syslog, buf, (size_t)n < sizeof(buf) ? (size_t)n :
		    sizeof(buf) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void
add_line(const struct source *s, const struct logd_record *r)
{
	char line[LOGD_LINE];
	struct slice l = { line, 0 };

	l.n = logd_line(line, st.stamp, proc_name(s->role), s->instance,
	    r->level, r->text);
	file_add(l);
	ring_add(st.ring, l);
	to_syslog(s, r->level, l);
}

static void
add_datagram(const struct source *s, struct slice d)
{
	struct logd_record r;
	size_t off = 0;
	int got;

	while ((got = logd_record(d, &off, &r)) == 1)
		add_line(s, &r);
	if (got == -1) {
		r.level = LOG_L_WARN;
		r.text = SLICE_LIT("log record damaged");
		add_line(s, &r);
	}
}

/* ---- sources ------------------------------------------------------------- */

static void
stamp_now(void)
{
	logd_stamp(now_us() / 1000, st.stamp);
}

/* Is the other end closed or shut?  An empty datagram does not tell. */
static bool
source_over(const struct source *s)
{
	struct pollfd p = { s->fd, POLLRDHUP, 0 };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP)) != 0;
}

/* Returns datagrams read, 0 none there, -1 the other end is closed. */
static int
source_batch(struct source *s)
{
	struct mmsghdr mm[BATCH];
	struct iovec iov[BATCH];
	int i, n, empty = 0;

	memset(mm, 0, sizeof(mm));
	for (i = 0; i < BATCH; i++) {
		iov[i].iov_base = st.in[i];
		iov[i].iov_len = sizeof(st.in[i]);
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	if ((n = recvmmsg(s->fd, mm, BATCH, MSG_DONTWAIT, NULL)) == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	for (i = 0; i < n; i++) {
		empty += mm[i].msg_len == 0;
		add_datagram(s, slice_of((const char *)st.in[i],
		    mm[i].msg_len));
	}
	return empty > 0 && source_over(s) ? -1 : n;
}

static void
source_read(struct source *s, int turns)
{
	int i, n = BATCH;

	stamp_now();
	for (i = 0; i < turns && n == BATCH; i++)
		n = source_batch(s);
	if (n == -1)
		event_del(s->ev);
	event_active(st.flush, 0, 0);
}

static void
on_read(evutil_socket_t fd, short ev, void *arg)
{
	source_read(arg, TURNS);
}

/* Where the files are, as seen from outside. */
static const char *
log_dir(void)
{
	return proc_conf()->dir.log != NULL ? proc_conf()->dir.log : "";
}

/* What is wrong with the file, as long as it is; no numbers, so that it is
 * told once. */
static void
tell(void)
{
	const char *why;

	if ((why = file_lost()) != NULL)
		proc_impaired("log", "lines of the log are lost: %s%s: %s; "
		    "%s, mail goes on meanwhile", log_dir(), LOG_PATH, why,
		    strcmp(why, strerror(ENOENT)) == 0 ? "its directory was "
		    "removed: restart maild" : "make room or mend it");
	else
		proc_impaired_over("log");
	if ((why = file_stuck()) != NULL)
		proc_impaired("log-old", "old log files stay: %s%s.*: %s; "
		    "directory and files are to be of its user", log_dir(),
		    LOG_PATH, why);
	else
		proc_impaired_over("log-old");
}

static void
on_flush(evutil_socket_t fd, short ev, void *arg)
{
	file_flush();
	tell();
	follow_new();
}

static void
on_check(evutil_socket_t fd, short ev, void *arg)
{
	file_flush();
	file_check();
	tell();
}

/* A slot has a new socket: the last words on the old one, then it goes. */
static void
source_drop(enum proc_role role, uint16_t instance)
{
	struct source **p, *s;

	for (p = &st.sources; (s = *p) != NULL;)
		if (s->role == role && s->instance == instance) {
			source_read(s, LAST_TURNS);
			*p = s->next;
			event_free(s->ev);
			close(s->fd);
			free(s);
		} else
			p = &s->next;
}

void
logd_channel(enum chan_kind kind, enum proc_role peer, uint16_t instance,
    int fd)
{
	struct source *s;

	if (kind != CHAN_LOG)
		fatalx("channel kind %d is not for logd", kind);
	source_drop(peer, instance);
	s = xcalloc(1, sizeof(*s));
	s->role = peer;
	s->instance = instance;
	s->fd = fd;
	fd_nonblock(fd);
	s->ev = event_new(proc_base(), fd, EV_READ | EV_PERSIST, on_read, s);
	if (s->ev == NULL || event_add(s->ev, NULL) == -1)
		fatalx("logd: no event");
	s->next = st.sources;
	st.sources = s;
}

/* ---- commands ------------------------------------------------------------ */

static void
run_log(uint32_t ask, const struct slice *v, size_t n)
{
	static size_t found[LINES_MAX];
	struct slice text = { NULL, 0 }, cursor = { NULL, 0 };
	uint64_t lines = LINES_DEFAULT;
	size_t i;

	if (n == 1 && slice_is(v[0], "reopen")) {
		file_flush();
		file_check();
		tell();
		proc_done(ask, file_lost() == NULL ? EX_OK : EX_IOERR, "%s",
		    file_lost() == NULL ? "" : file_lost());
		return;
	}
	if (n == 1 && slice_is(v[0], "rotate")) {
		if (file_rotate() == -1)
			proc_done(ask, EX_IOERR, "%s: %s", LOG_PATH,
			    strerror(errno));
		else
			proc_done(ask, EX_OK, "%s", "");
		return;
	}
	for (i = 0; i < n; i++) {
		if (slice_is(v[i], "-n")) {
			if (++i < n &&
			    slice_number(v[i], LINES_MAX, &lines) == 0)
				continue;
		} else if (slice_is(v[i], "-f")) {
			if (++i < n && v[i].n > 0) {
				cursor = v[i];
				continue;
			}
		} else if (text.p == NULL) {
			text = v[i];
			continue;
		}
		proc_done(ask, EX_USAGE, "usage: log [-f] [-n LINES] [TEXT] (up "
		    "to %d lines), log rotate, log reopen", LINES_MAX);
		return;
	}
	if (cursor.n > 0)
		follow_ask(st.ring, ask, cursor, text, (size_t)lines);
	else
		follow_show(st.ring, ask, found, ring_find(st.ring, text,
		    found, lines));
}

void
logd_run(uint32_t ask, uint32_t uid, struct slice args)
{
	struct slice v[8];
	struct item_arg arg;
	size_t n = 0, off = 0;

	while (n < NITEMS(v) && item_arg_get(args, &off, &arg) == 1)
		v[n++] = arg.text;
	if (n > 0 && slice_is(v[0], "log"))
		run_log(ask, v + 1, n - 1);
	else if (n > 0 && slice_is(v[0], "why"))
		why_run(ask, n == 2 ? v[1] : slice_of("", 0));
	else
		proc_done(ask, EX_USAGE, "usage: log [-f] [-n LINES] [TEXT], "
		    "log rotate, log reopen, why ID");
}

/* ---- the role ------------------------------------------------------------ */

void
logd_load(const struct conf *conf)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (!conf->log.syslog)
		return;
	strlcpy(sun.sun_path, "/dev/log", sizeof(sun.sun_path));
	st.syslog = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0);
	if (st.syslog != -1 && connect(st.syslog, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1) {
		log_warn("syslog /dev/log");
		close(st.syslog);
		st.syslog = -1;
	}
}

/* What was logged before this start stays at hand. */
static void
load_tail(void)
{
	struct slice rest, line;
	char *p;
	size_t n;

	errno = 0;
	if ((p = file_tail(TAIL_MAX, &n)) == NULL) {
		if (errno != 0 && errno != ENOENT)
			log_warn("what was logged before is not at hand");
		return;
	}
	rest = slice_of(p, n);
	while (rest.n > 0) {
		line = slice_of(rest.p, slice_find(rest, '\n'));
		ring_add(st.ring, line);
		n = line.n + (line.n < rest.n);
		rest = slice_of(rest.p + n, rest.n - n);
	}
	free(p);
}

void
logd_start(const struct conf *conf)
{
	const struct timeval check = { CHECK_SECONDS, 0 };

	umask(027);
	st.ring = ring_new();
	if (file_open(LOG_PATH) == -1)
		log_warn("%s%s", log_dir(), LOG_PATH);
	load_tail();
	st.flush = event_new(proc_base(), -1, 0, on_flush, NULL);
	st.check = event_new(proc_base(), -1, EV_PERSIST, on_check, NULL);
	if (st.flush == NULL || st.check == NULL ||
	    event_add(st.check, &check) == -1)
		fatalx("logd: no event");
}

void
logd_reload(const struct conf *conf)
{
	file_flush();
	file_check();
}

/* Whoever ends first has said its last words. */
void
logd_stop(void)
{
	struct source *s;

	log_flush();
	for (s = st.sources; s != NULL; s = s->next)
		source_read(s, LAST_TURNS);
	file_flush();
	proc_exit(0);
}
