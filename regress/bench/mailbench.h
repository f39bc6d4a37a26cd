/*
 * mailbench: what its parts share.
 */
#ifndef MAILBENCH_H
#define MAILBENCH_H

#include <sys/types.h>
#include <sys/socket.h>

#include <stddef.h>
#include <time.h>

#include <openssl/ssl.h>

struct options {
    const char *host, *port, *user, *pass, *from, *rcpt, *box, *hook, *mode, *file;
    enum { PLAIN, TLS, STARTTLS } tls;
    int sessions, per_conn, users, base, repeat, auth, lmtp, lit_plus, batch, rounds, resume;
    long count;
    size_t size;
};

extern struct options o;
extern SSL_CTX *ctx;                    /* the client's side of TLS */
extern struct sockaddr_storage addr;    /* of the server */
extern socklen_t addrlen;

/* ---- mailbench.c ------------------------------------------------------ */

void die(const char *fmt, ...);
double now(void);
/* The first of up to want jobs, *got of them; 0: all are done. */
long take(long want, long *got);
/* How one job went. */
void record(int ok, double secs, long bytes, const char *err);
/* For qsort of doubles, and the quantile q of n sorted ones. */
int cmp(const void *a, const void *b);
double pct(double *v, long n, double q);
/* A string of JSON. */
void jstr(const char *s);
/* o.sessions threads of fn, and the report on what they recorded. */
void run_threads(void *(*fn)(void *));

/* ---- mailbench_io.c: buffered connection, plain or TLS ---------------- */

struct io {
    int fd;
    SSL *ssl;
    char *buf;
    size_t r, w, cap;
    int pipelining;
};

/* 0, or -1 */
int io_open(struct io *c);
int io_tls(struct io *c);
/* From now on each thread resumes the session of its last connection. */
void io_resume(void);
long io_resumed(void);
void io_close(struct io *c);
/* One line, without its CRLF, NUL-terminated; valid until the next call. */
ssize_t io_line(struct io *c, char **line);
int io_skip(struct io *c, size_t n);
int io_write(struct io *c, const char *p, size_t n);
int io_printf(struct io *c, const char *fmt, ...);

/* ---- mailbench_mail.c: generated mail, and SMTP ----------------------- */

/* Message number i, its length; size 0: one of a mix. */
size_t make_msg(long i, size_t size, char *buf, size_t cap, time_t *when);
/* The messages of --file. */
void pool_load(void);
void *smtp_thread(void *arg);

/* ---- mailbench_box.c: IMAP and POP3 ----------------------------------- */

void *login_thread(void *arg);
void *append_thread(void *arg);
void *pop_thread(void *arg);
void cmd_mode(int argc, char **argv);
void idle_mode(int workers);

#endif
