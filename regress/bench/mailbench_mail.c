/*
 * mailbench: mail, generated or from files, and SMTP and LMTP to send it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "mailbench.h"

/* ---- generated mail --------------------------------------------------- */

static const char *words[] = {
    "about", "above", "account", "across", "after", "again", "agenda", "agree", "almost", "along",
    "answer", "april", "arrive", "asked", "august", "autumn", "basket", "before", "behind", "below",
    "better", "border", "bottom", "branch", "bridge", "bright", "budget", "button", "called", "canvas",
    "carbon", "castle", "centre", "change", "choice", "circle", "client", "closed", "coffee", "colour",
    "common", "corner", "cotton", "course", "credit", "dinner", "direct", "doctor", "dollar", "double",
    "during", "editor", "effort", "eleven", "energy", "engine", "enough", "evening", "father", "figure",
    "finger", "flower", "follow", "forest", "fourth", "friday", "garden", "golden", "ground", "handle",
    "harbour", "height", "honest", "island", "jacket", "kitchen", "ladder", "laptop", "letter", "listen",
    "little", "london", "lovely", "manner", "market", "matter", "meeting", "member", "middle", "minute",
    "monday", "mother", "nature", "notice", "number", "object", "office", "orange", "paper", "parent",
    "people", "picture", "planet", "plenty", "pocket", "police", "quarter", "rather", "reason", "report",
    "review", "river", "school", "second", "simple", "spring", "street", "summer", "system", "travel",
};
#define NWORDS (sizeof words / sizeof *words)

static unsigned rnd(unsigned *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 17;
    *s ^= *s << 5;
    return *s;
}

static char *text(char *p, size_t bytes, unsigned *s)
{
    char *end = p + bytes, *bol = p;
    while (p < end) {
        const char *w = words[rnd(s) % NWORDS];
        p = stpcpy(p, w);
        if (p - bol > 68) {
            *p++ = '\r';
            *p++ = '\n';
            bol = p;
        } else {
            *p++ = ' ';
        }
    }
    *p++ = '\r';
    *p++ = '\n';
    return p;
}

static char *base64ish(char *p, size_t bytes, unsigned *s)
{
    static const char a[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes / 76; i++) {
        for (int j = 0; j < 76; j++)
            *p++ = a[rnd(s) & 63];
        *p++ = '\r';
        *p++ = '\n';
    }
    return p;
}

/* What is left of a text/plain message of exactly size octets at buf. */
static char *body_filled(char *p, char *buf, size_t size, unsigned *s)
{
    if ((size_t)(p - buf) + 100 < size)
        p = text(p, size - (p - buf) - 80, s);
    while ((size_t)(p - buf) + 2 < size)
        *p++ = 'x';
    if ((size_t)(p - buf) + 2 == size) {
        *p++ = '\r';
        *p++ = '\n';
    }
    return p;
}

/* multipart/alternative, in a multipart/mixed with an attachment of that name unless it is NULL */
static char *body_parts(char *p, long i, const char *rare, const char *attached, unsigned *s)
{
    if (attached)
        p += sprintf(p, "Content-Type: multipart/mixed; boundary=\"mix%08lx\"\r\n\r\n--mix%08lx\r\n", i, i);
    p += sprintf(p, "Content-Type: multipart/alternative; boundary=\"alt%08lx\"\r\n\r\n"
                 "--alt%08lx\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s", i, i, rare);
    p = text(p, 200 + rnd(s) % 2000, s);
    p += sprintf(p, "--alt%08lx\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>", i);
    p = text(p, 500 + rnd(s) % 4000, s);
    p += sprintf(p, "</p></body></html>\r\n--alt%08lx--\r\n", i);
    if (attached) {
        p += sprintf(p, "--mix%08lx\r\nContent-Type: application/pdf; name=\"%s.pdf\"\r\n"
                     "Content-Disposition: attachment; filename=\"%s.pdf\"\r\n"
                     "Content-Transfer-Encoding: base64\r\n\r\n", i, attached, attached);
        p = base64ish(p, 10000 + rnd(s) % 20000, s);
        p += sprintf(p, "--mix%08lx--\r\n", i);
    }
    return p;
}

/*
 * Message number i.  size > 0: text/plain of exactly that many bytes.
 * size == 0: a mix: 65% short text, 30% multipart/alternative, 5% with an
 * attachment of about 20 KiB; a quarter are replies; mean about 4 KiB.
 * Word "quokka" is in 1% of the subjects, "zyzzyva" in 1% of the bodies.
 */
size_t make_msg(long i, size_t size, char *buf, size_t cap, time_t *when)
{
    unsigned s = 2463534242u ^ (unsigned)(i * 2654435761u);
    char *p = buf, date[64];
    time_t t = 1577836800 + i * 600;
    struct tm tm;
    for (int j = 0; j < 4; j++)
        rnd(&s);
    gmtime_r(&t, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", &tm);
    if (when)
        *when = t;
    unsigned a = rnd(&s) % 500, topic = rnd(&s) % NWORDS;
    int reply = i > 40 && rnd(&s) % 4 == 0;
    if (size)
        p += sprintf(p, "X-Seq: %010ld\r\n", i);
    p += sprintf(p, "Return-Path: <%s.%u@client.test>\r\n", words[a % NWORDS], a);
    p += sprintf(p, "Received: from mx%u.client.test (mx%u.client.test [192.0.2.%u])\r\n"
                 "\tby in.bench.test with ESMTPS id %08x%08x\r\n\tfor <user@bench.test>; %s\r\n",
                 a % 9, a % 9, a % 250 + 1, rnd(&s), rnd(&s), date);
    p += sprintf(p, "Date: %s\r\n%sFrom: \"%s %s\" <%s.%u@client.test>\r\n", date,
                 o.auth ? "X-" : "", words[a % NWORDS], words[(a * 7) % NWORDS], words[a % NWORDS], a);
    p += sprintf(p, "To: \"Some User\" <user@bench.test>\r\n");
    if (i % 5 == 0)
        p += sprintf(p, "Cc: %s@client.test, \"%s\" <%s@client.test>\r\n", words[topic],
                     words[a % NWORDS], words[a % NWORDS]);
    if (reply) {
        long q = i - 1 - rnd(&s) % 40;
        p += sprintf(p, "Subject: Re: %s %s %ld%s\r\nMessage-ID: <m%ld@client.test>\r\n"
                     "In-Reply-To: <m%ld@client.test>\r\nReferences: <m%ld@client.test>\r\n",
                     words[topic], words[rnd(&s) % NWORDS], q / 7, i % 100 == 17 ? " quokka" : "", i, q, q);
    } else {
        p += sprintf(p, "Subject: %s %s %ld%s\r\nMessage-ID: <m%ld@client.test>\r\n", words[topic],
                     words[rnd(&s) % NWORDS], i / 7, i % 100 == 17 ? " quokka" : "", i);
    }
    p += sprintf(p, "MIME-Version: 1.0\r\n");
    const char *rare = i % 100 == 42 ? "zyzzyva\r\n" : "";
    unsigned kind = rnd(&s) % 100;
    if (size) {
        p += sprintf(p, "Content-Type: text/plain; charset=us-ascii\r\n\r\n%s", rare);
        p = body_filled(p, buf, size, &s);
    } else if (kind < 65) {
        p += sprintf(p, "Content-Type: text/plain; charset=utf-8\r\n"
                     "Content-Transfer-Encoding: 8bit\r\n\r\n%s", rare);
        p = text(p, 200 + rnd(&s) % 3000, &s);
    } else {
        p = body_parts(p, i, rare, kind >= 95 ? words[topic] : NULL, &s);
    }
    if ((size_t)(p - buf) > cap)
        die("message buffer too small");
    return p - buf;
}

/* ---- SMTP ------------------------------------------------------------- */

static int smtp_reply(struct io *c, char **line)
{
    for (;;) {
        ssize_t n = io_line(c, line);
        if (n < 3)
            return -1;
        if (!strcasecmp(*line + 4, "PIPELINING"))
            c->pipelining = 1;
        if (n == 3 || (*line)[3] != '-')
            return atoi(*line);
    }
}

static const char *b64(const char *in, size_t n, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)in, (int)n);
    return out;
}

static int smtp_start(struct io *c, char **line, int user)
{
    const char *hello = o.lmtp ? "LHLO" : "EHLO", *at = strchr(o.from, '@'), *name = at ? at + 1 : "client.test";
    if (io_open(c) < 0 || smtp_reply(c, line) != 220)
        return -1;
    io_printf(c, "%s %s\r\n", hello, name);
    if (smtp_reply(c, line) != 250)
        return -1;
    if (o.tls == STARTTLS) {
        io_printf(c, "STARTTLS\r\n");
        if (smtp_reply(c, line) != 220 || io_tls(c) < 0)
            return -1;
        io_printf(c, "%s %s\r\n", hello, name);
        if (smtp_reply(c, line) != 250)
            return -1;
    }
    if (o.auth) {
        char raw[256], name[100], enc[400];
        snprintf(name, sizeof name, o.user, user);
        int n = snprintf(raw, sizeof raw, "%c%s%c%s", 0, name, 0, o.pass);
        io_printf(c, "AUTH PLAIN %s\r\n", b64(raw, n, enc));
        if (smtp_reply(c, line) != 235)
            return -1;
    }
    return 0;
}

/* one transaction, pipelined where offered; buf has room for the dot line */
static int smtp_send(struct io *c, char **line, int user, char *buf, size_t n)
{
    char to[200], own[200];
    const char *from = o.from;
    snprintf(to, sizeof to, o.rcpt, user);
    if (o.auth) {               /* who logs in sends as himself */
        snprintf(own, sizeof own, o.user, user);
        strncat(own, "@bench.test", sizeof own - strlen(own) - 1);
        from = own;
    }
    if (c->pipelining) {
        io_printf(c, "MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n", from, to);
        if (smtp_reply(c, line) != 250 || smtp_reply(c, line) / 10 != 25 || smtp_reply(c, line) != 354)
            return -1;
    } else if (io_printf(c, "MAIL FROM:<%s>\r\n", from) || smtp_reply(c, line) != 250 ||
               io_printf(c, "RCPT TO:<%s>\r\n", to) || smtp_reply(c, line) / 10 != 25 ||
               io_printf(c, "DATA\r\n") || smtp_reply(c, line) != 354) {
        return -1;
    }
    if (o.auth && io_printf(c, "From: <%s>\r\n", from))
        return -1;
    memcpy(buf + n, ".\r\n", 3);
    if (io_write(c, buf, n + 3) < 0 || smtp_reply(c, line) != 250)
        return -1;
    return 0;
}

/* The messages of --file, as they go over the wire, sent in turn. */
static struct {
    char *p;
    size_t n;
} pool[4096];
static int npool;

static void pool_add(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *p = malloc(131072);
    size_t n = f ? fread(p, 1, 131072, f) : 0;
    if (n < 2 || n == 131072 || memcmp(p + n - 2, "\r\n", 2) || npool == sizeof pool / sizeof *pool)
        die("%s: no message, or too large", path);
    fclose(f);
    pool[npool].p = p;
    pool[npool++].n = n;
}

void pool_load(void)
{
    struct dirent *e;
    char path[1024];
    DIR *d = opendir(o.file);
    if (!d)
        pool_add(o.file);
    while (d && (e = readdir(d))) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", o.file, e->d_name);
        pool_add(path);
    }
    if (d)
        closedir(d);
    if (!npool)
        die("%s: no messages", o.file);
}

void *smtp_thread(void *arg)
{
    size_t cap = o.size + 131072, n = 0;
    char *buf = malloc(cap), none[] = "connection lost", *line = none;
    long id = (long)arg, got, i;
    (void)id;
    while (i = take(o.per_conn, &got), got > 0) {
        struct io c;
        double t = now();
        int up = smtp_start(&c, &line, o.base + (int)(i % o.users)) == 0;
        for (long j = 0; j < got; j++) {
            if (o.file)
                memcpy(buf, pool[(i + j) % npool].p, n = pool[(i + j) % npool].n);
            else if (!n || !o.size)
                n = make_msg(i + j, o.size, buf, cap - 8, NULL);
            else
                memcpy(buf + sprintf(buf, "X-Seq: %010ld", i + j), "\r", 1);
            if (j)
                t = now();
            up = up && smtp_send(&c, &line, o.base + (int)((i + j) % o.users), buf, n) == 0;
            record(up, now() - t, n, line);
        }
        if (up) {
            io_printf(&c, "QUIT\r\n");
            smtp_reply(&c, &line);
        }
        io_close(&c);
        line = none;
    }
    free(buf);
    return NULL;
}
