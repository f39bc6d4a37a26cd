/*
 * mailbench: a buffered connection, plain or TLS; blocking.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mailbench.h"

/* ---- buffered connection, plain or TLS -------------------------------- */

SSL_CTX *ctx;
struct sockaddr_storage addr;
socklen_t addrlen;

static __thread SSL_SESSION *last;      /* of this thread, with --resume */
static atomic_long resumed;

static int on_session(SSL *ssl, SSL_SESSION *s)
{
    (void)ssl;
    SSL_SESSION_free(last);
    last = s;
    return 1;
}

void io_resume(void)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
}

long io_resumed(void)
{
    return resumed;
}

int io_tls(struct io *c)
{
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    if (last)
        SSL_set_session(c->ssl, last);
    if (SSL_connect(c->ssl) != 1)
        return -1;
    resumed += SSL_session_reused(c->ssl);
    return 0;
}

void io_close(struct io *c)
{
    if (c->ssl) {
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN); /* the session is good */
        SSL_free(c->ssl);
    }
    if (c->fd >= 0)
        close(c->fd);
    free(c->buf);
    memset(c, 0, sizeof *c);
    c->fd = -1;
}

int io_open(struct io *c)
{
    int on = 1;
    memset(c, 0, sizeof *c);
    c->cap = 4096;
    c->buf = malloc(c->cap + 1);
    c->fd = socket(addr.ss_family, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, addrlen) < 0)
        return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 60 }, sizeof(struct timeval));
    return o.tls == TLS ? io_tls(c) : 0;
}

static int io_fill(struct io *c)
{
    ssize_t n;
    if (c->r == c->w)
        c->r = c->w = 0;
    if (c->w == c->cap) {
        if (c->r > 0) {
            memmove(c->buf, c->buf + c->r, c->w - c->r);
            c->w -= c->r;
            c->r = 0;
        } else {
            c->cap *= 4;
            c->buf = realloc(c->buf, c->cap + 1);
        }
    }
    if (c->ssl)
        n = SSL_read(c->ssl, c->buf + c->w, (int)(c->cap - c->w));
    else
        n = read(c->fd, c->buf + c->w, c->cap - c->w);
    if (n <= 0)
        return -1;
    c->w += n;
    return 0;
}

/* One line, without its CRLF, NUL-terminated; valid until the next call. */
ssize_t io_line(struct io *c, char **line)
{
    size_t seen = 0;
    for (;;) {
        char *nl = memchr(c->buf + c->r + seen, '\n', c->w - c->r - seen);
        if (nl) {
            char *s = c->buf + c->r;
            size_t n = nl - s;
            c->r = nl + 1 - c->buf;
            if (n && s[n - 1] == '\r')
                n--;
            s[n] = 0;
            *line = s;
            return n;
        }
        seen = c->w - c->r;
        if (io_fill(c) < 0)
            return -1;
    }
}

int io_skip(struct io *c, size_t n)
{
    while (n) {
        size_t have = c->w - c->r;
        if (!have) {
            if (c->cap < 262144) {
                c->cap = 262144;
                c->buf = realloc(c->buf, c->cap + 1);
            }
            if (io_fill(c) < 0)
                return -1;
            continue;
        }
        if (have > n)
            have = n;
        c->r += have;
        n -= have;
    }
    return 0;
}

int io_write(struct io *c, const char *p, size_t n)
{
    while (n) {
        ssize_t k = c->ssl ? SSL_write(c->ssl, p, (int)n) : write(c->fd, p, n);
        if (k <= 0)
            return -1;
        p += k;
        n -= k;
    }
    return 0;
}

int io_printf(struct io *c, const char *fmt, ...)
{
    char b[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(b, sizeof b, fmt, ap);
    va_end(ap);
    return io_write(c, b, n);
}
