/*
 * mailbench: what is done with a mailbox: IMAP commands, APPEND, IDLE, POP3.
 */
#define _GNU_SOURCE
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "mailbench.h"

/* ---- IMAP ------------------------------------------------------------- */

struct res {
    long bytes, lines, exists;
    char status[160];
};

/* Read up to the tagged line (0 OK, 1 NO/BAD) or, for tag "+", a continuation. */
static int imap_wait(struct io *c, const char *tag, struct res *r)
{
    size_t tl = strlen(tag);
    int fresh = 1;
    char *l;
    for (;;) {
        ssize_t n = io_line(c, &l);
        if (n < 0) {
            snprintf(r->status, sizeof r->status, "connection lost");
            return -1;
        }
        r->bytes += n + 2;
        r->lines++;
        if (n > 2 && l[n - 1] == '}') {
            ssize_t b = n - 2;
            while (b > 0 && l[b] >= '0' && l[b] <= '9')
                b--;
            if (l[b] == '{' && b < n - 2) {
                size_t len = strtoul(l + b + 1, NULL, 10);
                r->bytes += len;
                if (io_skip(c, len) < 0)
                    return -1;
                fresh = 0;
                continue;
            }
        }
        if (fresh && l[0] == '*' && n > 9 && !strcmp(l + n - 6, "EXISTS"))
            r->exists = strtol(l + 2, NULL, 10);
        if (fresh && !strncmp(l, tag, tl) && (l[tl] == ' ' || (tag[0] == '+' && !l[tl]))) {
            snprintf(r->status, sizeof r->status, "%s", l + tl);
            return tag[0] == '+' || !strncmp(l + tl, " OK", 3) ? 0 : 1;
        }
        /* a refusal while waiting for a continuation */
        if (fresh && tag[0] == '+' && l[0] != '*') {
            snprintf(r->status, sizeof r->status, "%s", l);
            return 1;
        }
        fresh = 1;
    }
}

static int imap_cmd(struct io *c, struct res *r, const char *fmt, ...)
{
    char b[8192];
    va_list ap;
    memcpy(b, "t ", 2);
    va_start(ap, fmt);
    int n = 2 + vsnprintf(b + 2, sizeof b - 4, fmt, ap);
    va_end(ap);
    memcpy(b + n, "\r\n", 2);
    r->exists = -1;
    if (io_write(c, b, n + 2) < 0)
        return -1;
    return imap_wait(c, "t", r);
}

static int imap_start(struct io *c, struct res *r, int user)
{
    char *l, name[100];
    if (io_open(c) < 0 || io_line(c, &l) < 0)
        return -1;
    if (o.tls == STARTTLS && (imap_cmd(c, r, "STARTTLS") || io_tls(c)))
        return -1;
    snprintf(name, sizeof name, o.user, user);
    return imap_cmd(c, r, "LOGIN %s %s", name, o.pass);
}

void *login_thread(void *arg)
{
    long got, i;
    (void)arg;
    while (i = take(1, &got), got > 0) {
        struct io c;
        struct res r = { .status = "connection lost" };
        double t = now();
        int ok = !imap_start(&c, &r, o.base + (int)(i % o.users)) && !imap_cmd(&c, &r, "SELECT %s", o.box);
        if (ok)
            imap_cmd(&c, &r, "LOGOUT");
        record(ok, now() - t, r.bytes, r.status);
        io_close(&c);
    }
    return NULL;
}

static int imap_append(struct io *c, struct res *r, long first, long n, char *buf, size_t cap, long *bytes)
{
    char head[400], date[40];
    *bytes = 0;
    for (long j = 0; j < n; j++) {
        time_t t;
        struct tm tm;
        size_t len = make_msg(first + j, o.size, buf, cap - 8, &t);
        gmtime_r(&t, &tm);
        strftime(date, sizeof date, "%d-%b-%Y %H:%M:%S +0000", &tm);
        int h = 0;
        if (j == 0)
            h = snprintf(head, sizeof head, "t APPEND %s", o.box);
        h += snprintf(head + h, sizeof head - h, " \"%s\" {%zu%s}\r\n", date, len, o.lit_plus ? "+" : "");
        if (io_write(c, head, h) < 0)
            return -1;
        if (!o.lit_plus && imap_wait(c, "+", r))
            return -1;
        if (io_write(c, buf, len) < 0)
            return -1;
        *bytes += len;
    }
    if (io_write(c, "\r\n", 2) < 0)
        return -1;
    return imap_wait(c, "t", r);
}

void *append_thread(void *arg)
{
    size_t cap = o.size + 131072;
    char *buf = malloc(cap);
    long got, i, bytes;
    struct io c;
    struct res r = { .status = "connection lost" };
    if (imap_start(&c, &r, o.base + (int)((long)arg % o.users))) {
        record(0, 0, 0, r.status);
        return NULL;
    }
    while (i = take(o.batch, &got), got > 0) {
        double t = now();
        int ok = imap_append(&c, &r, i, got, buf, cap, &bytes) == 0;
        double d = now() - t;
        for (long j = 0; j < got; j++)
            record(ok, d, bytes / got, r.status);
        if (!ok)
            break;
    }
    io_close(&c);
    free(buf);
    return NULL;
}

/* Each argument is label=command; a leading '_' in the label hides it unless it fails. */
void cmd_mode(int argc, char **argv)
{
    int out = 0;
    printf("{\"mode\":\"cmd\",\"tls\":%d,\"results\":[", o.tls);
    for (int rep = 0; rep < o.repeat; rep++) {
        struct io c;
        struct res r = { 0 };
        if (imap_start(&c, &r, o.base))
            die("login failed: %s", r.status);
        for (int i = 0; i < argc; i++) {
            char *eq = strchr(argv[i], '=');
            if (!eq)
                die("not label=command: %s", argv[i]);
            memset(&r, 0, sizeof r);
            double t = now();
            int rc = imap_cmd(&c, &r, "%s", eq + 1);
            double d = now() - t;
            if (argv[i][0] == '_' && rc == 0)
                continue;
            printf("%s{\"label\":\"%.*s\",\"rep\":%d,\"ms\":%.3f,\"bytes\":%ld,\"lines\":%ld,\"rc\":%d", out++ ? "," : "",
                   (int)(eq - argv[i]), argv[i], rep, d * 1e3, r.bytes, r.lines, rc);
            if (rc) {
                printf(",\"status\":");
                jstr(r.status);
            }
            printf("}");
            if (rc < 0)
                break;
        }
        io_close(&c);
    }
    puts("]}");
}

/* ---- IDLE ------------------------------------------------------------- */

static struct io *conns;

static void *idle_open(void *arg)
{
    long got, i;
    (void)arg;
    while (i = take(1, &got), got > 0) {
        struct res r = { .status = "connection lost" };
        struct io *c = &conns[i];
        double t = now();
        int ok = !imap_start(c, &r, o.base + (int)(i % o.users)) && !imap_cmd(c, &r, "SELECT %s", o.box) &&
                 !io_printf(c, "t IDLE\r\n") && !imap_wait(c, "+", &r);
        record(ok, now() - t, 0, r.status);
        if (!ok)
            io_close(c);
    }
    return NULL;
}

/* wait until this idling connection says EXISTS */
static int idle_exists(struct io *c)
{
    char *l;
    ssize_t n;
    struct timeval tv = { 20, 0 };
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    while ((n = io_line(c, &l)) >= 0)
        if (n > 8 && !strcmp(l + n - 6, "EXISTS"))
            return 0;
    return -1;
}

void idle_mode(int workers)
{
    int n = o.sessions;
    o.sessions = workers;
    o.count = n;
    conns = calloc(n, sizeof *conns);
    for (int i = 0; i < n; i++)
        conns[i].fd = -1;
    run_threads(idle_open);
    fflush(stdout);
    if (o.hook && system(o.hook))
        fprintf(stderr, "hook failed\n");
    if (o.rounds) {
        double *a = calloc(o.rounds, sizeof *a), *b = calloc(o.rounds, sizeof *b);
        int k = 0, lost = 0;
        char *buf = malloc(131072);
        for (int i = 0; i < o.rounds && i < o.users; i++) {
            struct io c;
            struct res r = { 0 };
            long bytes;
            if (imap_start(&c, &r, o.base + i))
                die("login failed: %s", r.status);
            usleep(50000);
            double t = now();
            if (imap_append(&c, &r, 1000 + i, 1, buf, 131072, &bytes))
                die("append failed: %s", r.status);
            b[k] = now() - t;
            if (conns[i].fd >= 0 && idle_exists(&conns[i]) == 0)
                a[k++] = now() - t;
            else
                lost++;
            io_close(&c);
        }
        qsort(a, k, sizeof *a, cmp);
        qsort(b, k, sizeof *b, cmp);
        printf("{\"mode\":\"notify\",\"rounds\":%d,\"lost\":%d,\"append_p50_ms\":%.3f,\"notify_p50_ms\":%.3f,\"notify_max_ms\":%.3f}\n",
               k, lost, 1e3 * pct(b, k, .5), 1e3 * pct(a, k, .5), 1e3 * pct(a, k, 1));
    }
    for (int i = 0; i < n; i++)
        if (conns[i].fd >= 0)
            io_close(&conns[i]);
}

/* ---- POP3 ------------------------------------------------------------- */

static int pop_ok(struct io *c, char **l)
{
    return io_line(c, l) > 0 && (*l)[0] == '+' ? 0 : -1;
}

static long pop_multi(struct io *c, char **l)
{
    long bytes = 0;
    ssize_t n;
    if (pop_ok(c, l))
        return -1;
    while ((n = io_line(c, l)) >= 0) {
        if (n == 1 && (*l)[0] == '.')
            return bytes;
        bytes += n + 2;
    }
    return -1;
}

static int pop_session(struct io *c, char **l, int user, long *bytes)
{
    char name[100];
    snprintf(name, sizeof name, o.user, user);
    if (io_open(c) || pop_ok(c, l))
        return -1;
    if (o.tls == STARTTLS && (io_printf(c, "STLS\r\n") || pop_ok(c, l) || io_tls(c)))
        return -1;
    if (io_printf(c, "USER %s\r\n", name) || pop_ok(c, l) || io_printf(c, "PASS %s\r\n", o.pass) || pop_ok(c, l) ||
        io_printf(c, "STAT\r\n") || pop_ok(c, l))
        return -1;
    long n = strtol(*l + 4, NULL, 10);
    if (io_printf(c, "LIST\r\n") || pop_multi(c, l) < 0)
        return -1;
    for (long i = 1; i <= n; i++) {
        long k;
        if (io_printf(c, "RETR %ld\r\n", i) || (k = pop_multi(c, l)) < 0)
            return -1;
        *bytes += k;
    }
    io_printf(c, "QUIT\r\n");
    return pop_ok(c, l);
}

void *pop_thread(void *arg)
{
    long got, i;
    (void)arg;
    while (i = take(1, &got), got > 0) {
        struct io c;
        char none[] = "connection lost", *l = none;
        long bytes = 0;
        double t = now();
        int ok = pop_session(&c, &l, o.base + (int)(i % o.users), &bytes) == 0;
        record(ok, now() - t, bytes, l);
        io_close(&c);
    }
    return NULL;
}
