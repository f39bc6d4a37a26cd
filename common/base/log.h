/*
 * The log of every process: lines go as datagrams to logd over
 * PROC_FD_LOG, or to stderr where there is none (tests, maild -d, tools).
 * A line is: id (of a message or a session), verb, key=value ...; what
 * strangers wrote must go through log_text(), or log_quote() where blanks may
 * be in it.  So a value ends at the next blank, or at the next quote, and
 * nothing in it looks like another key.
 */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>

enum log_level { LOG_L_DEBUG, LOG_L_INFO, LOG_L_NOTICE, LOG_L_WARN, LOG_L_ERROR };

#define LOG_LINE_MAX	2048	/* octets of one line, longer is cut */

/* Once per process; fd -1: stderr.  name stands in front on stderr. */
void	 log_init(const char *name, int fd);
void	 log_setlevel(enum log_level);
/* Collected and sent at log_flush() (every loop turn, and before exit). */
void	 log_debug(const char *, ...) __attribute__((format(printf, 1, 2)));
void	 log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void	 log_notice(const char *, ...) __attribute__((format(printf, 1, 2)));
void	 log_warn(const char *, ...)	/* adds ": strerror(errno)" */
	    __attribute__((format(printf, 1, 2)));
void	 log_warnx(const char *, ...) __attribute__((format(printf, 1, 2)));
/* An error after which the caller ends the process with a status of its own. */
void	 log_errorx(const char *, ...) __attribute__((format(printf, 1, 2)));
/* Any of these functions, or of fatal()'s: for a caller that is told whether
 * what it logs ends the process. */
typedef void	 log_fn(const char *, ...);
void	 log_flush(void);
/* Log and exit 1: broken invariants, our own channels, start-up; never
 * because of a client's bytes.  fatal adds strerror(errno). */
void	 fatal(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
void	 fatalx(const char *, ...)
	    __attribute__((noreturn, format(printf, 1, 2)));
/* Called with the line, once, before fatal() ends the process; NULL: none. */
void	 log_last_words(void (*)(const char *line));
/* Client octets made safe for a log line: printable ASCII stays, the rest and
 * a quote become \xHH; cut at LOG_WORD_MAX of them, room for the longest
 * address (parse/address.h).  One of 8 static buffers is returned. */
#define LOG_WORD_MAX	324
const char *log_text(const char *p, size_t n);
/* The same between quotes, which come with it: blanks stay, a quote becomes
 * \x22; cut where the result is LOG_QUOTE_MAX octets.  One of 4 buffers. */
#define LOG_QUOTE_MAX	600
const char *log_quote(const char *p, size_t n);

/* Datagram to logd: one or more records of u8 level, u16 length, text. */
#endif
