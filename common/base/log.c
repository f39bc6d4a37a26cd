/*
 * The log of every process: lines are collected and go as one datagram a
 * loop turn to logd; where there is no log socket they go to stderr.  Never
 * blocks: what logd cannot take is counted and told later.
 */
#include "base/compat.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define LOG_BUF		(16384 - 64)	/* octets of one datagram */

static struct {
	const char	*name;
	int		 fd;		/* -1: stderr */
	enum log_level	 level;
	size_t		 used;
	unsigned long	 dropped;
	void		 (*last_words)(const char *);
	uint8_t		 buf[LOG_BUF];
} log_state = { "maild", -1, LOG_L_INFO, 0, 0, NULL, { 0 } };

static void	 log_put(enum log_level, const char *, size_t);
static void	 log_stderr(enum log_level, const char *, size_t);
static size_t	 log_format(char [LOG_LINE_MAX], int, const char *, va_list)
		    __attribute__((format(printf, 3, 0)));
static void	 vlog(enum log_level, int, const char *, va_list)
		    __attribute__((format(printf, 3, 0)));
static void	 vfatal(int, const char *, va_list)
		    __attribute__((noreturn, format(printf, 2, 0)));

void
log_init(const char *name, int fd)
{
	log_state.name = name;
	log_state.fd = fd;
}

void
log_setlevel(enum log_level level)
{
	log_state.level = level;
}

static void
log_stderr(enum log_level level, const char *text, size_t n)
{
	static const char *const names[] = {
		[LOG_L_DEBUG] = "debug", [LOG_L_INFO] = "info",
		[LOG_L_NOTICE] = "notice", [LOG_L_WARN] = "warning",
		[LOG_L_ERROR] = "error"
	};
	char line[LOG_LINE_MAX + 128], stamp[32];
	time_t now = (time_t)now_sec();
	struct tm tm;
	int len;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	len = snprintf(line, sizeof(line), "%s %s %s: %.*s\n", stamp,
	    log_state.name, names[level], (int)n, text);
	if (len > 0 && write(STDERR_FILENO, line, (size_t)len) == -1)
		log_state.dropped++;
}

/* One record into the datagram being collected. */
static void
log_put(enum log_level level, const char *text, size_t n)
{
	uint8_t *p;

	if (log_state.used + 3 + n > sizeof(log_state.buf))
		log_flush();
	p = log_state.buf + log_state.used;
	p[0] = (uint8_t)level;
	p[1] = (uint8_t)(n & 0xff);
	p[2] = (uint8_t)(n >> 8);
	memcpy(p + 3, text, n);
	log_state.used += 3 + n;
}

void
log_flush(void)
{
	char note[80];
	int n;

	if (log_state.used == 0 || log_state.fd == -1)
		return;
	if (send(log_state.fd, log_state.buf, log_state.used,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == -1) {
		log_state.dropped++;
		log_state.used = 0;
		return;
	}
	log_state.used = 0;
	if (log_state.dropped > 0) {
		n = snprintf(note, sizeof(note),
		    "log dropped-datagrams=%lu", log_state.dropped);
		log_state.dropped = 0;
		log_put(LOG_L_WARN, note, (size_t)n);
	}
}

static size_t
log_format(char line[LOG_LINE_MAX], int error, const char *fmt, va_list ap)
{
	int n = vsnprintf(line, LOG_LINE_MAX, fmt, ap);

	if (n < 0)
		n = 0;
	if (n >= LOG_LINE_MAX)
		n = LOG_LINE_MAX - 1;
	if (error != 0) {
		n += snprintf(line + n, LOG_LINE_MAX - (size_t)n, ": %s",
		    strerror(error));
		if (n >= LOG_LINE_MAX)
			n = LOG_LINE_MAX - 1;
	}
	return (size_t)n;
}

static void
log_line(enum log_level level, const char *line, size_t n)
{
	if (log_state.fd == -1)
		log_stderr(level, line, n);
	else
		log_put(level, line, n);
}

static void
vlog(enum log_level level, int error, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];

	if (level >= log_state.level)
		log_line(level, line, log_format(line, error, fmt, ap));
}

#define LOG_FN(name, level, error)					\
void									\
name(const char *fmt, ...)						\
{									\
	va_list ap;							\
	int saved = (error);						\
									\
	va_start(ap, fmt);						\
	vlog(level, saved, fmt, ap);					\
	va_end(ap);							\
}

LOG_FN(log_debug, LOG_L_DEBUG, 0)
LOG_FN(log_info, LOG_L_INFO, 0)
LOG_FN(log_notice, LOG_L_NOTICE, 0)
LOG_FN(log_warn, LOG_L_WARN, errno)
LOG_FN(log_warnx, LOG_L_WARN, 0)
LOG_FN(log_errorx, LOG_L_ERROR, 0)

void
log_last_words(void (*fn)(const char *))
{
	log_state.last_words = fn;
}

static void
vfatal(int error, const char *fmt, va_list ap)
{
	char line[LOG_LINE_MAX];

	log_line(LOG_L_ERROR, line, log_format(line, error, fmt, ap));
	log_flush();
	if (log_state.last_words != NULL)
		log_state.last_words(line);
	_exit(1);
}

void
fatal(const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	va_start(ap, fmt);
	vfatal(saved, fmt, ap);
}

void
fatalx(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfatal(0, fmt, ap);
}

/* Append c to q, or \xHH where it is not to stand as it is; where q ends. */
static char *
octet_put(char *q, unsigned char c, bool plain)
{
	static const char hex[] = "0123456789abcdef";

	if (plain) {
		*q++ = (char)c;
		return q;
	}
	*q++ = '\\';
	*q++ = 'x';
	*q++ = hex[c >> 4];
	*q++ = hex[c & 15];
	return q;
}

const char *
log_text(const char *p, size_t n)
{
	static char bufs[8][LOG_WORD_MAX * 4 + 4];
	static unsigned int turn;
	char *buf = bufs[turn++ % 8], *q = buf;
	size_t i, max = n > LOG_WORD_MAX ? LOG_WORD_MAX : n;
	unsigned char c;

	for (i = 0; i < max; i++) {
		c = (unsigned char)p[i];
		q = octet_put(q, c, c > ' ' && c < 0x7f && c != '\\' &&
		    c != '"');
	}
	if (n > max) {
		memcpy(q, "...", 3);
		q += 3;
	}
	*q = '\0';
	return buf;
}

const char *
log_quote(const char *p, size_t n)
{
	static char bufs[4][LOG_QUOTE_MAX + 1];
	static unsigned int turn;
	char *buf = bufs[turn++ % 4], *q = buf;
	size_t i;
	unsigned char c;

	*q++ = '"';
	for (i = 0; i < n && q - buf <= LOG_QUOTE_MAX - 4 - 4; i++) {
		c = (unsigned char)p[i];
		q = octet_put(q, c, c >= ' ' && c < 0x7f && c != '\\' &&
		    c != '"');
	}
	if (i < n) {
		memcpy(q, "...", 3);
		q += 3;
	}
	*q++ = '"';
	*q = '\0';
	return buf;
}
